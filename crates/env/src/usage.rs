//! What folders take on the disk: a file with several names takes its room once, and gives it back only with the last of
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aitk_system::{FileKind, Stat, System};

/// What a file system hands out at once, nearly everywhere.
const BLOCK: u64 = 4096;

/// What a file of so many bytes takes on the disk, in bytes.
pub fn on_disk(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK) * BLOCK
}

/// What some folders take together.
#[derive(Debug, Default)]
pub struct Usage {
    single: u64,
    /// Files with several names, by disk and number: bytes, all names, and those that were met.
    linked: BTreeMap<(u64, u64), (u64, u64, u64)>,
}

impl Usage {
    /// That of one folder, or file.
    pub fn of(system: &dyn System, path: &Path) -> Self {
        let mut usage = Self::default();
        usage.add(system, path);
        usage
    }

    /// Adds what a file or a whole folder takes; what is not there takes nothing.
    pub fn add(&mut self, system: &dyn System, path: &Path) {
        self.add_but(system, path, &BTreeSet::new());
    }

    /// The same without what stays of it: these files and folders.
    pub fn add_but(&mut self, system: &dyn System, path: &Path, stays: &BTreeSet<PathBuf>) {
        if let Ok(stat) = system.stat(path) {
            self.count(&stat);
            if stat.kind == FileKind::Dir {
                self.add_below(system, path, stays);
            }
        }
    }

    fn add_below(&mut self, system: &dyn System, folder: &Path, stays: &BTreeSet<PathBuf>) {
        let names = system.list(folder).unwrap_or_default();
        let below: Vec<_> = names.iter().map(String::as_str).collect();
        let stats = system.stat_all(folder, &below);
        for (name, stat) in names.iter().zip(stats) {
            let Ok(stat) = stat else { continue };
            if !stays.is_empty() && stays.contains(&folder.join(name)) {
                continue;
            }
            self.count(&stat);
            if stat.kind == FileKind::Dir {
                self.add_below(system, &folder.join(name), stays);
            }
        }
    }

    /// Adds what was met elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.single += other.single;
        for (file, (bytes, links, met)) in other.linked {
            self.linked.entry(file).or_insert((bytes, links, 0)).2 += met;
        }
    }

    fn count(&mut self, stat: &Stat) {
        let bytes = on_disk(stat.size);
        match stat.kind {
            FileKind::File if stat.links > 1 => {
                self.linked.entry((stat.dev, stat.ino)).or_insert((bytes, stat.links, 0)).2 += 1;
            }
            FileKind::File | FileKind::Dir => self.single += bytes,
            FileKind::Link | FileKind::Other => {}
        }
    }

    /// What comes free where all of it goes.
    pub fn own(&self) -> u64 {
        let last = self.linked.values().filter(|(_, links, met)| met >= links);
        self.single + last.map(|(bytes, ..)| bytes).sum::<u64>()
    }

    /// What stays then, for it has names elsewhere.
    pub fn shared(&self) -> u64 {
        let others = self.linked.values().filter(|(_, links, met)| met < links);
        others.map(|(bytes, ..)| bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    #[test]
    fn a_file_with_two_names_counts_once_and_is_free_with_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        Real.write(&one.join("a"), &[0; 5000], 0o644).unwrap();
        Real.write(&one.join("b"), &[0; 100], 0o644).unwrap();
        Real.create_dir(&other).unwrap();
        std::fs::hard_link(one.join("a"), other.join("a")).unwrap();
        let dir = |path: &Path| Real.stat(path).unwrap().size.div_ceil(BLOCK) * BLOCK;
        let usage = Usage::of(&Real, &one);
        assert_eq!((usage.own(), usage.shared()), (dir(&one) + BLOCK, 2 * BLOCK));
        let mut both = usage;
        both.merge(Usage::of(&Real, &other));
        assert_eq!((both.own(), both.shared()), (dir(&one) + dir(&other) + 3 * BLOCK, 0));
    }
}
