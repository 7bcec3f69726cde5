//! What becomes of each file of a project: of what was written before, what the user has made of it, and what is new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aitk_plan::step::FileChange;
use aitk_system::{System, inside};

use super::{Begun, CONFLICTS, OWN, ProjectRecord, There};
use crate::error::ExecError;

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedFile {
    /// Where it lies in the folder.
    pub path: String,
    /// What becomes of it.
    pub what: FileChange,
    /// What is written: into the file, or beside it where both sides have changed it.
    pub bytes: Vec<u8>,
    /// Whether it is a program.
    pub executable: bool,
}

/// What becomes of every file, those that nobody needs any more at the end.
///
/// # Errors
/// Where a file cannot be read, or what is known of the folder is damaged.
pub(crate) fn changes(
    folder: &Path,
    made: Option<&ProjectRecord>,
    new: &[aitk_export::File],
    force: bool,
    system: &dyn System,
) -> Result<Vec<PlannedFile>, ExecError> {
    let base = made.map(|made| made.base(folder, system)).transpose()?.unwrap_or_default();
    let known: BTreeMap<_, _> =
        made.iter().flat_map(|made| &made.file).map(|file| (file.path.as_str(), file)).collect();
    let begun = Begun::read(folder, system).unwrap_or_default();
    let mut all = Vec::new();
    for file in new {
        let there = There::at(system, folder, &file.path)?;
        let bytes = file.content.as_bytes();
        let before = match known.get(file.path.as_str()) {
            None if force => PreviousFile::Given,
            None => PreviousFile::Unknown,
            Some(_) => {
                base.get(&file.path).map_or(PreviousFile::Lost, |bytes| PreviousFile::Known(bytes))
            }
        };
        let (what, bytes) = match &there {
            There::File(user) if begun.has_merged(&file.path, bytes, user) => {
                (FileChange::Keep, Vec::new())
            }
            _ => becomes(&before, &there, bytes, file.yours),
        };
        all.push(PlannedFile { path: file.path.clone(), what, bytes, executable: file.executable });
    }
    let named: BTreeSet<_> = new.iter().map(|file| file.path.as_str()).collect();
    for (path, file) in known.into_iter().filter(|(path, _)| !named.contains(path)) {
        let what = match There::at(system, folder, path)? {
            There::Nothing => continue,
            There::File(bytes) if crate::steps::hash_of(&bytes) == file.sha256 && !file.yours => {
                FileChange::Delete
            }
            There::File(_) | There::Other => FileChange::Leave,
        };
        all.push(PlannedFile { path: path.to_owned(), what, bytes: Vec::new(), executable: false });
    }
    Ok(all)
}

/// What was written before.
enum PreviousFile<'a> {
    /// Nothing, as far as is known.
    Unknown,
    /// Nothing, as far as is known; and what is there is given up.
    Given,
    /// This.
    Known(&'a [u8]),
    /// Something that is not at hand any more.
    Lost,
}

/// What becomes of a file, and what is written.
fn becomes(
    before: &PreviousFile<'_>,
    there: &There,
    new: &[u8],
    yours: bool,
) -> (FileChange, Vec<u8>) {
    use FileChange::{Away, Conflict, Keep, Merge, Replace, Write, Yours};
    let user = match there {
        There::File(bytes) => bytes.as_slice(),
        There::Nothing if matches!(before, PreviousFile::Unknown | PreviousFile::Given) => {
            return (Write, new.to_vec());
        }
        There::Nothing => return (Away, Vec::new()),
        There::Other => return (Yours, Vec::new()),
    };
    match before {
        _ if user == new => (Keep, Vec::new()),
        PreviousFile::Known(base) if *base == new => (Keep, Vec::new()),
        _ if yours => (Yours, Vec::new()),
        PreviousFile::Known(base) if *base == user => (Replace, new.to_vec()),
        PreviousFile::Known(base) => match merged(base, user, new) {
            Ok(bytes) if bytes == user => (Keep, Vec::new()),
            Ok(bytes) => (Merge, bytes),
            Err(bytes) => (Conflict, bytes),
        },
        PreviousFile::Given => (Write, new.to_vec()),
        // Nothing tells what of it is whose.
        PreviousFile::Unknown | PreviousFile::Lost => (Conflict, new.to_vec()),
    }
}

/// What both sides have changed, in one; else with marks where they have changed the same.
fn merged(base: &[u8], user: &[u8], new: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let [base, user, new] = [base, user, new].map(ended);
    diffy::merge_bytes(&base, &user, &new)
}

/// A text whose last line has its end: without, marks would stand on it.
fn ended(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text
}

/// Writes what becomes of the files. Each is whole or as it was, whenever it is interrupted, and the same again goes on.
///
/// # Errors
/// What the operating system says.
pub(crate) fn write(
    folder: &Path,
    changes: &[PlannedFile],
    system: &dyn System,
) -> Result<(), ExecError> {
    for change in changes {
        let path = folder.join(&change.path);
        let shown_inside = |path: &Path| inside(system, folder, path).map_err(ExecError::io(path));
        let mode = if change.executable { 0o755 } else { 0o644 };
        match change.what {
            FileChange::Write | FileChange::Replace | FileChange::Merge => {
                shown_inside(&path)?;
                system.write(&path, &change.bytes, mode).map_err(ExecError::io(&path))?;
            }
            FileChange::Conflict => {
                let aside = folder.join(OWN).join(CONFLICTS).join(&change.path);
                shown_inside(&aside)?;
                system.write(&aside, &change.bytes, mode).map_err(ExecError::io(&aside))?;
            }
            FileChange::Delete => {
                shown_inside(&path)?;
                system.remove(&path).map_err(ExecError::io(&path))?;
            }
            FileChange::Keep | FileChange::Yours | FileChange::Away | FileChange::Leave => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `b`, `u` and `n` are what was written before, what is there and what is new; `-` is nothing, `!` what is given up.
    fn of(base: &str, user: &str, new: &str, yours: bool) -> (FileChange, String) {
        let before = match base {
            "-" => PreviousFile::Unknown,
            "!" => PreviousFile::Given,
            base => PreviousFile::Known(base.as_bytes()),
        };
        let there = match user {
            "-" => There::Nothing,
            "@" => There::Other,
            text => There::File(text.into()),
        };
        let (what, bytes) = becomes(&before, &there, new.as_bytes(), yours);
        (what, String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn each_of_the_three_sides_counts() {
        use FileChange::{Away, Conflict, Keep, Merge, Replace, Write, Yours};
        let (base, new) = ("a\nb\nc\nd\n", "a\nb\nc\nnew\n");
        let (mine, both) = ("mine\nb\nc\nd\n", "mine\nb\nc\nnew\n");
        for (base, user, new, yours, expected) in [
            ("-", "-", new, false, (Write, new)),
            ("-", new, new, false, (Keep, "")),
            ("-", mine, new, false, (Conflict, new)),
            (base, "-", new, false, (Away, "")),
            (base, base, new, false, (Replace, new)),
            (base, mine, base, false, (Keep, "")),
            (base, mine, new, false, (Merge, both)),
            // A run that was killed has merged already.
            (base, both, new, false, (Keep, "")),
            (base, new, new, false, (Keep, "")),
            (base, base, new, true, (Yours, "")),
            (base, base, base, true, (Keep, "")),
            ("-", "-", new, true, (Write, new)),
            ("!", mine, new, false, (Write, new)),
            ("!", mine, new, true, (Yours, "")),
            (base, "@", new, false, (Yours, "")),
        ] {
            let expected = (expected.0, expected.1.to_owned());
            assert_eq!(of(base, user, new, yours), expected, "{base:?} {user:?} {new:?}");
        }
        let (what, bytes) = of(base, "a\nb\nc\nmine", new, false);
        assert_eq!(what, Conflict);
        assert!(bytes.contains("\nmine\n") && bytes.contains("\nnew\n"), "{bytes}");
    }
}
