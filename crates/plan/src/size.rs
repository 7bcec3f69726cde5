//! Amounts of bytes, as people write them.

use aitk_system::{Message, ToMessage, message};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// An amount of bytes. Written `147 MB` (decimal, for downloads and disks) or `8 GiB` (binary, for memory).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Units and their sizes, the longest name first so that `MiB` is not taken for `B`.
const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// The largest amount that is read: an exabyte, so that sums of some stay far from what a number can hold.
const MOST: u64 = 1_000_000_000_000_000_000;

impl Bytes {
    /// Reads `147 MB`.
    fn parse(text: &str) -> Option<Self> {
        let (unit, factor) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
        let number = text.strip_suffix(unit)?.trim();
        let plain = number.bytes().all(|digit| digit.is_ascii_digit());
        let number: u64 = number.parse().ok().filter(|_| plain)?;
        number.checked_mul(*factor).filter(|bytes| *bytes <= MOST).map(Self)
    }

    /// The amount, or what it is about.
    pub fn about(self, estimated: bool) -> Message {
        if estimated { message!("about {self}") } else { self.to_message() }
    }

    /// In binary units, as memory is sold: `7.7 GiB`.
    pub fn binary(self) -> Message {
        let (number, unit) = scaled(self.0, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"]);
        Message::amount(number, unit)
    }
}

/// In decimal units, as networks and disks are sold: `147 MB`.
impl ToMessage for Bytes {
    fn to_message(&self) -> Message {
        let (number, unit) = scaled(self.0, 1000.0, &["B", "kB", "MB", "GB", "TB"]);
        Message::amount(number, unit)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_message().to_string())
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn scaled(bytes: u64, base: f64, units: &[&'static str]) -> (String, &'static str) {
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= base - 0.5 && unit + 1 < units.len() {
        amount /= base;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && amount < 9.95);
    (format!("{amount:.digits$}"), units[unit])
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount such as \"147 MB\" or \"8 GiB\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                Bytes::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Bytes, E> {
                match bytes {
                    0..=MOST => Ok(Bytes(bytes)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(bytes), &self)),
                }
            }
            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Bytes, E> {
                match u64::try_from(bytes) {
                    Ok(bytes) => self.visit_u64(bytes),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(bytes), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown() {
        for (text, bytes) in [("147 MB", 147_000_000), ("8 GiB", 8 << 30), ("12 B", 12)] {
            assert_eq!(Bytes::parse(text), Some(Bytes(bytes)), "{text}");
        }
        for text in
            ["many", "1e3 B", "-1 B", "+1 B", "18446744073709551615 B", "9999999 TB", "é", "éB", ""]
        {
            assert_eq!(Bytes::parse(text), None, "{text}");
        }
        assert_eq!(Bytes(146_812_345).to_string(), "147 MB");
        assert_eq!(Bytes(999_600_000).to_string(), "1.0 GB");
        assert_eq!(Bytes(2_860_000_000).to_string(), "2.9 GB");
        assert_eq!(Bytes((8 << 30) - (300 << 20)).binary(), "7.7 GiB");
        assert_eq!(Bytes(0).to_string(), "0 B");
    }
}
