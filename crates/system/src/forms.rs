//! The forms of text that may come in from outside, and how a form is made: what detection reads of them stands here,
//! what planning reads in `plan::names`, which says more.

use std::cell::RefCell;
use std::fmt;

use crate::message;
use crate::message::{Message, ToMessage};

/// A text that is not in the form that is expected where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What is expected: `name of a package`.
    pub form: &'static str,
    /// What stands there, cut where it is long.
    pub text: String,
}

impl ToMessage for Unfit {
    fn to_message(&self) -> Message {
        let form = Message::said(self.form, Vec::new());
        message!("{text} is no {form}", text = format!("{:?}", self.text))
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_message().fmt(f)
    }
}

impl std::error::Error for Unfit {}

thread_local! {
    static REFUSED: RefCell<Option<Message>> = const { RefCell::new(None) };
}

/// An error of serde's. It knows texts alone, so the message is kept beside it.
pub fn refuse<E: serde::de::Error>(unfit: impl ToMessage) -> E {
    let message = unfit.to_message();
    let error = E::custom(&message);
    REFUSED.set(Some(message));
    error
}

/// The message that a text of an error of serde's comes from, if it is the last one.
pub fn refused(said: &str) -> Option<Message> {
    REFUSED.take().filter(|message| *message == *said)
}

/// How much of a text that does not fit is told.
const TOLD: usize = 80;
/// The longest name, in bytes: what a file system takes as a name, with room for what is put around it.
pub const NAME: usize = 128;
/// The longest line that tells something, in bytes.
pub const LINE: usize = 4096;

/// Gives each form its module.
#[macro_export]
macro_rules! forms {
    ($($(#[doc = $doc:literal])+ $name:ident, $form:literal, $fits:expr;)+) => {
        /// What these forms are called, in English.
        pub const FORMS: &[&str] = &[$($form),+];

        $(
        $(#[doc = $doc])+
        pub mod $name {
            use serde::{Deserialize, Deserializer};
            #[allow(unused_imports, reason = "not every form is made from others")]
            use super::*;

            /// Whether a text is one.
            pub fn fits(text: &str) -> bool {
                let fits: fn(&str) -> bool = $fits;
                fits(text)
            }

            /// Looks whether a text is one.
            ///
            /// # Errors
            /// Where it is none.
            pub fn check(text: &str) -> Result<(), $crate::forms::Unfit> {
                match fits(text) {
                    true => Ok(()),
                    false => Err($crate::forms::Unfit::new($form, text)),
                }
            }

            /// Reads one.
            ///
            /// # Errors
            /// Where it is none.
            pub fn one<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
                let text = String::deserialize(from)?;
                check(&text).map_err($crate::forms::refuse).map(|()| text)
            }

            /// Reads one or none.
            ///
            /// # Errors
            /// Where it is something else.
            pub fn maybe<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
                let text = Option::<String>::deserialize(from)?;
                text.iter().try_for_each(|text| check(text)).map_err($crate::forms::refuse).map(|()| text)
            }

            /// Reads any number of them.
            ///
            /// # Errors
            /// Where one of them is none.
            pub fn all<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
                let all = Vec::<String>::deserialize(from)?;
                all.iter().try_for_each(|text| check(text)).map_err($crate::forms::refuse).map(|()| all)
            }
        }
    )+};
}

forms! {
    /// One name in a folder, which leads nowhere else: no slash, not `.` and not `..`.
    file_name, "name of a file", |text| {
        !text.is_empty() && text.len() <= 255 && !matches!(text, "." | "..") && !text.contains('/') && calm(text)
    };
    /// A path below a folder, which never leads out of it: `bin/python`, `lib/python3.12/site-packages`.
    relative_path, "path inside of a folder", |text| {
        text.len() <= LINE && text.split('/').all(file_name::fits)
    };
    /// One line for people: no control characters, and none that change the direction of what is read.
    line, "line of text", |text| text.len() <= LINE && calm(text);
    /// A version of Python with two parts: `3.12`.
    python_version, "version such as 3.12", |text| {
        let minor = text.strip_prefix("3.").unwrap_or_default();
        (1..=3).contains(&minor.len()) && minor.bytes().all(|c| c.is_ascii_digit())
    };
    /// The name of a step: `system.python`.
    step_id, "name of a step", |text| word(text, NAME, "", "._-");
    /// A word of a table: the name of a row, a release, an architecture.
    name, "name", |text| word(text, NAME, "", "._+-");
    /// A number or several with dots between them, as tables write versions: `595`, `12.4`, `525.60.13`.
    numbers, "version in numbers such as 12.4", |text| {
        let number = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
        text.len() <= 40 && text.split('.').all(number)
    };
    /// A day of the calendar: `2026-11-01`.
    date, "day such as 2026-11-01", |text| {
        text.len() == 10
            && text.bytes().all(|c| c.is_ascii_digit() || c == b'-')
            && text.parse::<jiff::civil::Date>().is_ok()
    };
}

impl Unfit {
    /// One that is not in this form.
    pub fn new(form: &'static str, text: &str) -> Self {
        let long = text.chars().count() > TOLD;
        let told = text.chars().take(TOLD).chain(long.then_some('…')).collect();
        Self { form, text: told }
    }
}

/// Letters and digits of ASCII and some signs, of which only some may come first.
pub fn word(text: &str, longest: usize, first: &str, more: &str) -> bool {
    let plain = |c: char, signs: &str| c.is_ascii_alphanumeric() || signs.contains(c);
    text.len() <= longest
        && text.starts_with(|c| plain(c, first))
        && text.chars().all(|c| plain(c, more))
}

/// Whether nothing in a text acts on a terminal: no control characters, no line breaks, and nothing that changes the
/// direction of what is read.
pub fn calm(text: &str) -> bool {
    let direction = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| c.is_control() || direction(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_are_what_they_look_like() {
        for good in ["595", "12.4", "525.60.13", "0"] {
            assert!(numbers::fits(good), "{good}");
        }
        for bad in ["", ".", "12.", "12.x", "-1", "+1", "1 2", "12.4\n", "９", "9999999999"] {
            assert!(!numbers::fits(bad), "{bad}");
        }
        assert!(date::fits("2026-02-28") && date::fits("2028-02-29"));
        for bad in [
            "",
            "2026-99-99",
            "2026-02-29",
            "2026-2-28",
            "2026-02-28T00:00",
            "02026-02-2",
            "2026-11-01 ",
            "20261101",
        ] {
            assert!(!date::fits(bad), "{bad}");
        }
        assert!(name::fits("sbsa") && name::fits("x86_64") && name::fits("24.04"));
        for bad in ["", "amd64] x", "-r", "a b", "a/b", "..", "_x", "é"] {
            assert!(!name::fits(bad), "{bad}");
        }
    }
}
