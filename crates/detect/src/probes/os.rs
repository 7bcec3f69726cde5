//! The operating system: `os-release(5)` and the distribution's own table of dates.

use std::collections::BTreeMap;

use aitk_system::{Message, System, message};

use crate::machine::Os;
use crate::notes::{self, Notes};
use crate::tables::Tables;

/// Where it says what it is, by `os-release(5)`.
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

pub(crate) fn probe(system: &dyn System, tables: &Tables, notes: &mut Notes) -> Os {
    let found = OS_RELEASE.iter().find_map(|path| Some((path, crate::text(system, path).ok()?)));
    match &found {
        Some((path, _)) => notes.source("os", path),
        None => {
            let message =
                message!("there is no os-release file, so it is not known which system this is");
            notes.add(notes::OS_RELEASE, message, None);
        }
    }
    let mut fields = os_release(&found.map(|(_, text)| text).unwrap_or_default());
    let mut field = |name| fields.remove(name).filter(|value: &String| !value.is_empty());
    let id = field("ID").unwrap_or_else(|| "linux".to_owned());
    let mut os = Os {
        version: field("VERSION_ID"),
        codename: field("VERSION_CODENAME"),
        name: field("PRETTY_NAME").or_else(|| field("NAME")).unwrap_or_else(|| "Linux".to_owned()),
        end_of_support: None,
        like: field("ID_LIKE")
            .map(|like| like.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
        id,
    };
    // Some say it themselves.
    let own = field("SUPPORT_END").map(|end| (end, message!("SUPPORT_END in os-release")));
    // Systems that derive from another one say which release of it they stand on.
    let base = field("UBUNTU_CODENAME").or_else(|| field("DEBIAN_CODENAME"));
    let end = own
        .or_else(|| end_of_support(system, tables, &os))
        .or_else(|| of_base(tables, &os, base.as_deref()));
    if let Some((end, source)) = end {
        notes.source_in_words("os.end_of_support", source);
        os.end_of_support = Some(end);
    } else {
        let message = message!("it is not known until when {} is supported", os.name);
        notes.add(notes::SUPPORT, message, None);
    }
    os
}

/// The fields of an `os-release` file, which is written in the shell's syntax for assignments.
fn os_release(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), unquote(value)))
        .collect()
}

/// A shell word without its quotes and backslashes.
fn unquote(word: &str) -> String {
    if let Some(literal) = word.strip_prefix('\'').and_then(|word| word.strip_suffix('\'')) {
        return literal.to_owned();
    }
    let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word);
    let mut chars = inner.chars();
    let mut plain = String::new();
    while let Some(char) = chars.next() {
        plain.extend(if char == '\\' { chars.next() } else { Some(char) });
    }
    plain
}

/// The day on which standard support ends: from the machine's own table (package
/// `distro-info-data`), which may be newer than ours, else from ours.
fn end_of_support(system: &dyn System, tables: &Tables, os: &Os) -> Option<(String, Message)> {
    let path = format!("/usr/share/distro-info/{}.csv", os.id);
    let own = crate::text(system, &path).ok().and_then(|csv| eol(&csv, os));
    own.map(|end| (end, Message::plain(path))).or_else(|| {
        let row = tables.distro(&os.id, os.version.as_deref())?;
        Some((row.end_of_support.clone(), Message::plain(&row.source)))
    })
}

/// The day of the release that a system derives from, whose packages it gets.
fn of_base(tables: &Tables, os: &Os, base: Option<&str>) -> Option<(String, Message)> {
    let codename = base.or(os.codename.as_deref())?;
    let mut rows = tables.distros().iter();
    let row = rows.find(|row| row.codename == codename && os.like.contains(&row.id))?;
    Some((row.end_of_support.clone(), Message::plain(&row.source)))
}

/// The `eol` of a release in a table such as `/usr/share/distro-info/ubuntu.csv`.
fn eol(csv: &str, os: &Os) -> Option<String> {
    let mut rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = rows.next()?;
    let column = |name| head.iter().position(|title| *title == name);
    let (version, series, eol) = (column("version")?, column("series")?, column("eol")?);
    let same = |row: &Vec<&str>| match (&os.codename, &os.version) {
        (Some(codename), _) => row.get(series) == Some(&codename.as_str()),
        // `24.04 LTS` in the table is `24.04` in os-release.
        (None, Some(wanted)) => {
            row.get(version).and_then(|cell| cell.split(' ').next()) == Some(wanted)
        }
        (None, None) => false,
    };
    let date = *rows.find(same)?.get(eol)?;
    (date.len() == "YYYY-MM-DD".len()).then(|| date.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unquoted_as_the_shell_does() {
        let fields = os_release(
            "# a comment\nPRETTY_NAME=\"A \\\"good\\\" Linux\"\nID=debian\nVERSION_ID='12'\nnonsense\n",
        );
        assert_eq!(fields["PRETTY_NAME"], "A \"good\" Linux");
        assert_eq!(fields["ID"], "debian");
        assert_eq!(fields["VERSION_ID"], "12");
        assert_eq!(fields.len(), 3);
    }

    const CSV: &str = "\
version,codename,series,created,release,eol,eol-server,eol-esm,eol-legacy
23.10,Mantic Minotaur,mantic,2023-04-20,2023-10-12,2024-07-11
24.04 LTS,Noble Numbat,noble,2023-10-12,2024-04-25,2029-05-31,2029-05-31,2034-04-25,2036-04-29
27.04,Unknown,unknown,2026-10-15
";

    #[test]
    fn a_release_is_found_by_its_series_else_by_its_version() {
        let os = |codename: Option<&str>, version: Option<&str>| Os {
            codename: codename.map(str::to_owned),
            version: version.map(str::to_owned),
            ..Os::default()
        };
        let noble = Some("2029-05-31".to_owned());
        assert_eq!(eol(CSV, &os(Some("noble"), Some("24.04"))), noble);
        assert_eq!(eol(CSV, &os(None, Some("24.04"))), noble);
        assert_eq!(eol(CSV, &os(Some("unknown"), Some("27.04"))), None, "no date yet");
        assert_eq!(eol(CSV, &os(Some("trixie"), None)), None);
        assert_eq!(eol("", &os(Some("noble"), None)), None);
    }
}
