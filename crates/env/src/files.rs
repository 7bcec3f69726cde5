//! The files of a generation: what is noted of each when it is finished, and how that is compared with what is there.
//!
//! The note is a text: a line `# step, package` before the files of each, and for a file its path, its seal, its size and
//! the time of its last change. The seal is its hash, or where it leads if it is a link; what may change with use has
//! none.

use std::path::Path;

use aitk_plan::names;
use aitk_system::{FileKind, Stat, System};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::sha256::sha256;
use crate::text;

/// Stands before where a link leads; no hash begins so.
const LEADS: &str = "->";

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Only where a folder has changed since its files were seen.
    Folders,
    /// Each file: whether it is there, its size and its time. What has another time is read.
    Sizes,
    /// Each file is read.
    Content,
}

/// What is noted of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InventoryEntry {
    /// Relative to the environment.
    pub path: String,
    /// Its hash, or where it leads; `None` where it may change.
    pub seal: Option<String>,
    /// Size in bytes, and the time of the last change as [`Stat::mtime`] has it; `None` in notes of old, and where it
    /// may change.
    pub stamp: Option<(u64, i64)>,
}

/// How a file differs from its note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Differs {
    Gone,
    Changed,
}

/// The files of one package, or of the environment itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileGroup {
    /// The step that brought it.
    pub step: String,
    /// The package.
    pub package: String,
    pub files: Vec<InventoryEntry>,
}

/// Reads a note; `None` where it names a file elsewhere.
pub(crate) fn read(list: &str) -> Option<Vec<FileGroup>> {
    let mut groups: Vec<FileGroup> = Vec::new();
    for line in list.lines() {
        if let Some(header) = line.strip_prefix("# ") {
            let (step, package) = header.split_once('\t')?;
            let (step, package) = (step.to_owned(), package.to_owned());
            groups.push(FileGroup { step, package, files: Vec::new() });
        } else {
            groups.last_mut()?.files.push(InventoryEntry::read(line)?);
        }
    }
    Some(groups)
}

/// The text of a note.
pub(crate) fn write(groups: &[FileGroup]) -> String {
    let mut list = String::new();
    for group in groups {
        list.push_str(&format!("# {}\t{}\n", group.step, group.package));
        group.files.iter().for_each(|note| note.write(&mut list));
    }
    list
}

/// The hash of a file as wheels write it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

impl InventoryEntry {
    /// A file of which nothing is known but that it is to be there.
    pub fn unsealed(path: String) -> Self {
        Self { path, seal: None, stamp: None }
    }

    fn read(line: &str) -> Option<Self> {
        let mut parts = line.split('\t');
        let path = parts.next().filter(|path| names::relative_path::fits(path))?.to_owned();
        let seal = parts.next().filter(|seal| !seal.is_empty()).map(str::to_owned);
        let stamp = parts.next().zip(parts.next());
        let stamp = stamp.and_then(|(size, time)| Some((size.parse().ok()?, time.parse().ok()?)));
        Some(Self { path, seal, stamp })
    }

    fn write(&self, list: &mut String) {
        list.push_str(&self.path);
        list.push('\t');
        list.push_str(self.seal.as_deref().unwrap_or_default());
        if let Some((size, time)) = self.stamp {
            list.push_str(&format!("\t{size}\t{time}"));
        }
        list.push('\n');
    }

    /// Notes a file as it is, with the hash that its package names where it names one.
    pub fn of(system: &dyn System, root: &Path, path: String, named: Option<String>) -> Self {
        let place = root.join(&path);
        let Ok(stat) = system.stat(&place) else {
            return Self { path, seal: named, stamp: None };
        };
        let seal = named.or_else(|| seal(system, &place, &stat));
        Self { path, seal, stamp: Some(stamp(&stat)) }
    }

    /// The same note with the size and the time that the file has now, where its content is what was noted.
    pub fn renewed(self, system: &dyn System, root: &Path) -> Self {
        let place = root.join(&self.path);
        let now = system.stat(&place).ok().map(|stat| stamp(&stat));
        if self.seal.is_none() || now.is_none() || now == self.stamp {
            return self;
        }
        match self.differs(system, root, Depth::Content) {
            None => Self { stamp: now, ..self },
            Some(_) => self,
        }
    }

    /// How the file differs from its note.
    pub fn differs(&self, system: &dyn System, root: &Path, depth: Depth) -> Option<Differs> {
        let place = root.join(&self.path);
        let Ok(stat) = system.stat(&place) else { return Some(Differs::Gone) };
        let Some(noted) = &self.seal else { return None };
        if let Some(target) = noted.strip_prefix(LEADS) {
            let leads = system.read_link(&place);
            return (!leads.is_ok_and(|leads| text(&leads) == target)).then_some(Differs::Changed);
        }
        let same_stamp = self.stamp.is_none_or(|noted| noted == stamp(&stat));
        if depth < Depth::Content && same_stamp {
            return None;
        }
        let is_match = content(system, &place).as_deref() == Some(noted.as_str());
        (!is_match).then_some(Differs::Changed)
    }
}

fn stamp(stat: &Stat) -> (u64, i64) {
    (stat.size, stat.mtime)
}

/// What a file is known by.
fn seal(system: &dyn System, place: &Path, stat: &Stat) -> Option<String> {
    match stat.kind {
        FileKind::Link => Some(format!("{LEADS}{}", text(&system.read_link(place).ok()?))),
        FileKind::File => content(system, place),
        FileKind::Dir | FileKind::Other => None,
    }
}

/// The hash of a file as wheels write it.
fn content(system: &dyn System, place: &Path) -> Option<String> {
    Some(URL_SAFE_NO_PAD.encode(sha256(system.open(place).ok()?).ok()?))
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_leads_nowhere_else() {
        let text = "# environment\tenvironment\nbin/python\t->/usr/bin/python3\t16\t5\nhistory\t\n# libraries\tsix\nlib/six.py\tabc\t3\t-1\n";
        let groups = read(text).unwrap();
        assert_eq!(write(&groups), text);
        assert_eq!(groups[1].files[0].stamp, Some((3, -1)));
        let old = read("# libraries\tsix\nlib/six.py\tabc\n").unwrap();
        assert_eq!(old[0].files[0].stamp, None);
        for bad in ["# a\tb\n../x\t\n", "# a\tb\n/etc/passwd\t\n", "x\t\n", "# a\n", "# a\tb\n\n"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_file_is_told_by_size_time_and_content() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let put = |text: &str| Real.write(&root.join("a.py"), text.as_bytes(), 0o644).unwrap();
        put("one");
        let note = InventoryEntry::of(&Real, root, "a.py".to_owned(), None);
        assert_eq!(note.differs(&Real, root, Depth::Content), None);
        put("three");
        assert_eq!(note.differs(&Real, root, Depth::Sizes), Some(Differs::Changed));
        // As large as before: its time tells.
        put("two");
        assert_eq!(note.differs(&Real, root, Depth::Sizes), Some(Differs::Changed));
        put("one");
        assert_eq!(note.differs(&Real, root, Depth::Sizes), None, "only its time has changed");
        let stamped = InventoryEntry {
            stamp: InventoryEntry::of(&Real, root, "a.py".to_owned(), None).stamp,
            ..note
        };
        put("two");
        let hidden = InventoryEntry {
            stamp: InventoryEntry::of(&Real, root, "a.py".to_owned(), None).stamp,
            ..stamped
        };
        assert_eq!(hidden.differs(&Real, root, Depth::Sizes), None);
        assert_eq!(hidden.differs(&Real, root, Depth::Content), Some(Differs::Changed));
        assert_eq!(hidden.clone().renewed(&Real, root), hidden);
        Real.remove(&root.join("a.py")).unwrap();
        assert_eq!(hidden.differs(&Real, root, Depth::Sizes), Some(Differs::Gone));
    }

    #[test]
    fn a_link_is_told_by_where_it_leads() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        Real.symlink(Path::new("/usr/bin/python3"), &root.join("python")).unwrap();
        let note = InventoryEntry::of(&Real, root, "python".to_owned(), None);
        assert_eq!(note.differs(&Real, root, Depth::Sizes), None);
        Real.symlink(Path::new("/bin/true"), &root.join("python")).unwrap();
        assert_eq!(note.differs(&Real, root, Depth::Sizes), Some(Differs::Changed));
    }
}
