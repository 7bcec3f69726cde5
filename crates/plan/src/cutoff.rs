//! Up to when what is published counts: the younger a package is, the fewer have looked at it.

use aitk_system::{Message, message};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// What takes a cut-off back that is set elsewhere.
const NONE: &str = "none";
/// The most days: a century.
const MOST: u32 = 36_525;

/// Up to when what is published counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cutoff {
    /// What has been out for so many days when it is resolved.
    Days(u32),
    /// What was out at the end of this day, in UTC.
    Date(Date),
}

impl Cutoff {
    /// Reads `14`, `14d`, `14 days` or `2026-11-01`; nothing of `none`, nor of anything else.
    pub fn read(text: &str) -> Option<Self> {
        let number = ["days", "day", "d"].into_iter().find_map(|unit| text.strip_suffix(unit));
        let number = number.unwrap_or(text).trim_end_matches(' ');
        if !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()) {
            return number.parse().ok().filter(|days| *days <= MOST).map(Self::Days);
        }
        let is_date = text.len() == 10 && text.bytes().all(|c| c.is_ascii_digit() || c == b'-');
        text.parse().ok().filter(|_| is_date).map(Self::Date)
    }

    /// Whether a text can stand where one is set.
    pub fn fits(text: &str) -> bool {
        text == NONE || Self::read(text).is_some()
    }

    /// The moment after which nothing counts that is published.
    pub fn at(self, now: Timestamp) -> Timestamp {
        let at = match self {
            Self::Days(days) => now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))),
            Self::Date(date) => {
                date.tomorrow().and_then(|next| TimeZone::UTC.to_timestamp(next.at(0, 0, 0, 0)))
            }
        };
        at.unwrap_or(Timestamp::MIN)
    }

    /// What it means, for the plan.
    pub fn to_message(self) -> Message {
        match self {
            Self::Days(1) => message!(
                "what came out in the last day before it was resolved is left out (--exclude-newer), and what has no date"
            ),
            Self::Days(days) => message!(
                "what came out in the last {days} days before it was resolved is left out (--exclude-newer), and what has no date"
            ),
            Self::Date(date) => message!(
                "what came out after {date} is left out (--exclude-newer), and what has no date",
                date = date.to_string()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_read_and_nothing_else() {
        for text in ["14", "14d", "14 days", "14days"] {
            assert_eq!(Cutoff::read(text), Some(Cutoff::Days(14)), "{text}");
        }
        assert_eq!(Cutoff::read("1 day"), Some(Cutoff::Days(1)));
        assert!(matches!(Cutoff::read("2026-11-01"), Some(Cutoff::Date(_))));
        let others = [
            "",
            "d",
            "-1",
            "14w",
            "2026-13-01",
            "2026-02-30",
            "20261101",
            "99999999",
            "none",
            "+2",
        ];
        for text in others {
            assert_eq!(Cutoff::read(text), None, "{text}");
        }
        assert!(Cutoff::fits("none") && !Cutoff::fits("never"));
    }

    #[test]
    fn a_day_is_over_at_its_end_and_days_are_counted_back() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let at = |text| Cutoff::read(text).unwrap().at(now).to_string();
        assert_eq!(at("2026-11-01"), "2026-11-02T00:00:00Z");
        assert_eq!(at("14d"), "2026-11-14T12:00:00Z");
        assert_eq!(at("0"), "2026-11-28T12:00:00Z");
    }
}
