//! The table of distributions.

use std::sync::LazyLock;

use serde::Deserialize;

/// A release of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distro {
    /// `ID` in `os-release`.
    pub id: String,
    /// `VERSION_ID` in `os-release`.
    pub version: String,
    /// `VERSION_CODENAME` in `os-release`.
    pub codename: String,
    /// The day on which standard support ends, `YYYY-MM-DD`.
    pub end_of_support: String,
    /// The day until which the same archive gets security fixes from a long-term team, for everybody.
    pub lts_until: Option<String>,
    /// The minor version of the `python3` package; `None` where it is not known for sure.
    pub python: Option<String>,
    /// The version of glibc.
    pub glibc: Option<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    pub as_of: String,
}

#[derive(Deserialize)]
struct Table {
    distro: Vec<Distro>,
}

static DISTROS: LazyLock<Vec<Distro>> = LazyLock::new(|| {
    let text = include_str!("../../../profiles/catalog/distros.toml");
    // The table is part of the program, and a test makes sure that it can be read.
    toml::from_str(text).map_or_else(|_| Vec::new(), |table: Table| table.distro)
});

/// Every release in `profiles/catalog/distros.toml`.
pub fn distros() -> &'static [Distro] {
    &DISTROS
}

/// The row of a release.
pub fn find(id: &str, version: Option<&str>) -> Option<&'static Distro> {
    distros().iter().find(|row| row.id == id && Some(row.version.as_str()) == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read_and_its_dates_are_dates() {
        assert!(distros().len() >= 7);
        for row in distros() {
            for date in [&row.end_of_support, &row.as_of] {
                let digits: Vec<usize> = date.split('-').map(str::len).collect();
                assert_eq!(digits, [4, 2, 2], "{row:?}");
            }
        }
    }

    #[test]
    fn a_release_is_found_by_name_and_version() {
        assert_eq!(find("debian", Some("13")).map(|row| row.codename.as_str()), Some("trixie"));
        assert_eq!(find("debian", None), None);
    }
}
