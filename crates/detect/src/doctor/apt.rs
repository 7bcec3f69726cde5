//! apt's own sources: where they contradict each other apt does nothing at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aitk_system::{Message, message};

use super::ProbeContext;

const SOURCES: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";

/// A source as a file names it.
#[derive(Debug, PartialEq, Eq)]
struct SourceEntry {
    /// Its address and its suite.
    name: String,
    /// The key that it is believed by.
    key: String,
}

/// Sources that apt cannot read, or that are named twice with different keys.
pub(super) fn sources(case: &ProbeContext<'_>) -> Vec<Message> {
    let parts = case.system.list(Path::new(PARTS)).unwrap_or_default().into_iter();
    let parts = parts.map(|name| Path::new(PARTS).join(name));
    let mut seen = Vec::new();
    let mut named: BTreeMap<String, (String, PathBuf)> = BTreeMap::new();
    for file in [PathBuf::from(SOURCES)].into_iter().chain(parts) {
        let text = || case.system.text(&file).unwrap_or_default();
        let entries = match file.extension().and_then(|end| end.to_str()) {
            Some("list") => lines(&text()),
            Some("sources") => stanzas(&text()),
            _ => continue,
        };
        let entries = entries.unwrap_or_else(|line| {
            seen.push(message!("{} has a line that is no source: {line}", file.display()));
            Vec::new()
        });
        for SourceEntry { name, key } in entries {
            match named.get(&name) {
                // To apt a source without a key takes the one that is named later, but not the other way round.
                Some((known, other)) if !known.is_empty() && *known != key => seen.push(message!(
                    "{name} is in {} and {} with different keys",
                    other.display(),
                    file.display()
                )),
                Some((known, _)) if !known.is_empty() || key.is_empty() => {}
                _ => drop(named.insert(name, (key, file.clone()))),
            }
        }
    }
    seen
}

/// The sources of a file with one in each line; the line that is none.
fn lines(text: &str) -> Result<Vec<SourceEntry>, String> {
    let mut found = Vec::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if line.is_empty() {
            continue;
        }
        let no_source = || line.to_owned();
        let (kind, rest) = line.split_once(char::is_whitespace).ok_or_else(no_source)?;
        if !["deb", "deb-src"].contains(&kind) {
            return Err(no_source());
        }
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(no_source)?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let (Some(uri), Some(suite)) = (words.next(), words.next()) else {
            return Err(no_source());
        };
        let option = |word: &str| word.strip_prefix("signed-by=").map(str::to_owned);
        let key = options.split_whitespace().find_map(option).unwrap_or_default();
        found.push(SourceEntry { name: named(uri, suite), key });
    }
    Ok(found)
}

/// The sources of a file in paragraphs of fields.
fn stanzas(text: &str) -> Result<Vec<SourceEntry>, String> {
    let own: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let mut found = Vec::new();
    for stanza in own.join("\n").split("\n\n") {
        let field = |name: &str| {
            let of_it = |line: &str| {
                let (own, value) = line.split_once(':')?;
                own.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            };
            stanza.lines().find_map(of_it).unwrap_or_default()
        };
        if field("Enabled").eq_ignore_ascii_case("no") || stanza.trim().is_empty() {
            continue;
        }
        let (uris, suites, key) = (field("URIs"), field("Suites"), field("Signed-By"));
        if uris.is_empty() || suites.is_empty() {
            return Err(stanza.trim().lines().next().unwrap_or_default().to_owned());
        }
        for uri in uris.split_whitespace() {
            let each = suites.split_whitespace();
            found.extend(
                each.map(|suite| SourceEntry { name: named(uri, suite), key: key.clone() }),
            );
        }
    }
    Ok(found)
}

fn named(uri: &str, suite: &str) -> String {
    format!("{} {suite}", uri.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, key: &str) -> SourceEntry {
        SourceEntry { name: name.to_owned(), key: key.to_owned() }
    }

    #[test]
    fn both_forms_are_read() {
        let text = "# mine\ndeb [arch=amd64 signed-by=/k.gpg] http://x.example/deb/ y main # z\n\ndeb-src http://x.example/s y main\n";
        let (one, two) =
            (entry("http://x.example/deb y", "/k.gpg"), entry("http://x.example/s y", ""));
        assert_eq!(lines(text).unwrap(), [one, two]);
        let text = "Types: deb\nURIs: http://x.example/deb\nSuites: y y-updates\nSigned-By: /k.gpg\n\n# off\nEnabled: no\nURIs: http://o.example\n";
        let both = ["http://x.example/deb y", "http://x.example/deb y-updates"];
        assert_eq!(stanzas(text).unwrap(), both.map(|name| entry(name, "/k.gpg")));
    }

    #[test]
    fn what_is_no_source_is_told() {
        for wrong in
            ["debb http://x y main", "deb", "deb [x http://x y", "deb http://x", "http://x y"]
        {
            assert_eq!(lines(wrong), Err(wrong.to_owned()));
        }
        assert_eq!(stanzas("Types: deb\nURI: http://x\n"), Err("Types: deb".to_owned()));
        assert_eq!(lines("\n# deb x\n"), Ok(Vec::new()));
    }
}
