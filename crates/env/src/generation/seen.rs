//! What was seen of a generation, for a look that costs little: the times of its folders, and what is noted of each
//! package.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use aitk_system::{Stat, System};

use super::files::ITSELF;
use super::place::Generation;
use super::record::RECORD;
use crate::backend::backend;
use crate::error::EnvError;
use crate::files::{self, Depth};

impl Generation {
    /// What stands here, for what is said of it later: changes with every file that is installed here, by whomever,
    /// and costs two looks. `None` unless it is whole.
    pub fn standing(&self, system: &dyn System) -> Option<String> {
        let record = self.record(system)?;
        let noted = match record.inventory {
            Some(inventory) => inventory,
            None => system.stat(&self.path.join(RECORD)).ok()?.mtime.to_string(),
        };
        let notes = backend(record.manager).notes(system, &self.path);
        Some(files::digest(format!("{} {noted} {notes:?}", self.folder()).as_bytes()))
    }

    /// Whether no folder of a layer has gained or lost an entry since [`Generation::note_seen`] noted them all: one
    /// look a folder instead of one a file, which is what makes a run with nothing to do fast.
    pub fn unchanged(&self, system: &dyn System, seen: &Path, step: Option<&str>) -> bool {
        let Ok(list) = system.text(seen) else { return false };
        let owner = step.unwrap_or(ITSELF);
        let noted = list.lines().filter_map(|line| line.strip_prefix(owner)?.strip_prefix('\t'));
        let Some(noted) = noted
            .map(|rest| rest.split_once('\t').and_then(|(time, at)| Some((time.parse().ok()?, at))))
            .collect::<Option<Vec<(i64, &str)>>>()
        else {
            return false;
        };
        let folders: Vec<_> = noted.iter().map(|(_, folder)| *folder).collect();
        let stats = system.stat_all(&self.path, &folders);
        let same = |((mtime, _), stat): (&(i64, &str), &io::Result<Stat>)| {
            stat.as_ref().is_ok_and(|stat| stat.mtime == *mtime)
        };
        !noted.is_empty() && noted.iter().zip(&stats).all(same)
    }

    /// Notes the times of all folders, for [`Generation::unchanged`], if nothing is missing in them.
    ///
    /// # Errors
    /// Where the list of files cannot be read, or the note not written.
    pub fn note_seen(&self, system: &dyn System, seen: &Path) -> Result<(), EnvError> {
        let groups = self.groups(system)?;
        let mut folders = BTreeSet::new();
        for group in &groups {
            for note in &group.files {
                let folder = note.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                folders.insert((group.step.as_str(), folder));
            }
        }
        // The times are taken before the look, so that what happens meanwhile is noticed next time.
        let mut note = String::new();
        for (owner, folder) in folders {
            if let Ok(stat) = system.stat(&self.path.join(folder)) {
                note.push_str(&format!("{owner}\t{}\t{folder}\n", stat.mtime));
            }
        }
        let steps: Vec<_> =
            self.record(system).into_iter().flat_map(|r| r.layers.into_keys()).collect();
        for step in std::iter::once(None).chain(steps.iter().map(|step| Some(step.as_str()))) {
            if !self.damage(system, step, Depth::Sizes)?.is_empty() {
                return Ok(());
            }
        }
        system.write(seen, note.as_bytes(), 0o600).map_err(EnvError::io(seen))
    }
}
