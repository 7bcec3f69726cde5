//! The history of an environment: a line for each time that another generation became the one in use, on disk before it
//! did. Who moves the link by hand writes none.

use std::path::Path;

use aitk_plan::names;
use aitk_system::System;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::EnvError;

/// Where it stands, beside the generations.
pub(super) const HISTORY: &str = "history.jsonl";

/// One line of it: a generation becomes the one in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Switch {
    /// When that was: a time in UTC (RFC 3339).
    #[serde(deserialize_with = "names::line::one")]
    pub when: String,
    /// In which run, by the name of its folder.
    #[serde(default, deserialize_with = "names::file_name::maybe")]
    pub run: Option<String>,
    /// The folder of the generation that was in use until then.
    #[serde(default, deserialize_with = "names::file_name::maybe")]
    pub from: Option<String>,
    /// The folder of the one that is in use from then on.
    #[serde(deserialize_with = "names::file_name::one")]
    pub to: String,
    /// What it was done for.
    pub reason: Occasion,
}

/// What a generation became the one in use for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// Something was asked for, or did not work any more.
    #[default]
    Apply,
    /// A package of the user's own came in …
    Add,
    /// … or went.
    Drop,
    /// There was something newer.
    Upgrade,
    /// Somebody has gone back to it.
    Rollback,
    /// A newer aitk has one that this one does not know.
    #[serde(other)]
    Other,
}

impl Occasion {
    /// The command that it was.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Add => "add",
            Self::Drop => "drop",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Other => "other",
        }
    }
}

/// Adds a line, and flushes it to disk.
pub(super) fn note(system: &dyn System, folder: &Path, switch: &Switch) -> Result<(), EnvError> {
    let path = folder.join(HISTORY);
    let line = serde_json::to_string(switch).map_err(|e| EnvError::io(&path)(e.into()))?;
    // A line that was cut off in the middle, as by a power cut, must not take this one with it.
    let cut = system.read(&path).is_ok_and(|text| text.last().is_some_and(|last| *last != b'\n'));
    let line = format!("{}{line}\n", if cut { "\n" } else { "" });
    system.append(&path, line.as_bytes()).map_err(EnvError::io(&path))
}

/// All of it, the oldest line first. A line that is cut or tells of something else than a generation says nothing.
pub(super) fn read(system: &dyn System, folder: &Path) -> Vec<Switch> {
    let text = system.text(folder.join(HISTORY)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    fn switch(from: Option<&str>, to: &str) -> Switch {
        let from = from.map(str::to_owned);
        let (when, reason) = ("now".to_owned(), Occasion::Apply);
        Switch { when, run: None, from, to: to.to_owned(), reason }
    }

    #[test]
    fn a_line_that_was_cut_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (switch(None, "1"), switch(Some("1"), "2"));
        note(&Real, folder.path(), &one).unwrap();
        let path = folder.path().join(HISTORY);
        let text = Real.read(&path).unwrap();
        Real.write(&path, &[&text[..], br#"{"when":"now","to":"#].concat(), 0o600).unwrap();
        note(&Real, folder.path(), &other).unwrap();
        assert_eq!(read(&Real, folder.path()), [one, other]);
    }

    #[test]
    fn what_is_no_name_or_of_a_newer_aitk_is_read_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(HISTORY);
        let lines = concat!(
            r#"{"when":"x","to":"../y","reason":"apply"}"#,
            "\n",
            r#"{"when":"\u001b[31m","to":"y","reason":"apply"}"#,
            "\n",
            r#"{"when":"x","to":"y","reason":"of-the-future","more":1}"#,
            "\n",
        );
        Real.write(&path, lines.as_bytes(), 0o600).unwrap();
        let read = read(&Real, folder.path());
        assert_eq!(read.iter().map(|one| one.reason).collect::<Vec<_>>(), [Occasion::Other]);
    }
}
