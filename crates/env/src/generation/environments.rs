//! The generations of one environment beside each other: which one is in use, and which one is for what.

use std::io;
use std::path::{Path, PathBuf};

use aitk_plan::{Lock, names};
use aitk_system::{System, message};

use super::history::{self, Occasion, Switch};
use super::place::Generation;
use super::record::GenerationRecord;
use crate::error::EnvError;

/// The link beside the generations.
const CURRENT: &str = "current";

/// All generations of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environments {
    root: PathBuf,
}

impl Environments {
    /// Those of the environment `name` below `data`.
    pub fn new(data: &Path, name: &str) -> Self {
        Self { root: data.join("envs").join(name) }
    }

    /// Those in a folder.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Those that a generation stands among.
    pub fn beside(generation: &Generation) -> Self {
        Self::at(generation.path.parent().unwrap_or(&generation.path))
    }

    /// The folder that always leads to the generation in use.
    pub fn current_path(&self) -> PathBuf {
        self.root.join(CURRENT)
    }

    /// A generation by its lock's digest.
    pub fn generation(&self, digest: &str) -> Generation {
        Generation { path: self.root.join(digest) }
    }

    /// Where the environment of a lock is, or is to be built: a folder named after its digest, or another one beside it
    /// where what stands there does not work and cannot be mended in place.
    pub fn instance(&self, system: &dyn System, digest: &str) -> Generation {
        let current = self.current(system).filter(|(generation, _)| generation.name() == digest);
        let beside = (1..).map(|number| self.generation(&format!("{digest}.{number}")));
        let mut places = current
            .map(|(generation, _)| generation)
            .into_iter()
            .chain([self.generation(digest)])
            .chain(beside);
        places.find(|place| !place.is_spoilt(system)).unwrap_or_else(|| self.generation(digest))
    }

    /// The generation that the link leads to, whole or not; `None` where it leads nowhere, or is somebody else's.
    pub fn linked(&self, system: &dyn System) -> Option<Generation> {
        let target = system.read_link(&self.current_path()).ok().filter(|to| is_ours(to))?;
        let generation = Generation { path: self.root.join(target) };
        system.exists(&generation.path).then_some(generation)
    }

    /// The generation in use, if the link leads to one that is whole.
    pub fn current(&self, system: &dyn System) -> Option<(Generation, GenerationRecord)> {
        let target = system.read_link(&self.current_path()).ok()?;
        let generation = Generation { path: self.root.join(target) };
        let record = generation.record(system)?;
        Some((generation, record))
    }

    /// Whether a generation is the one in use, whole or not.
    pub fn in_use(&self, system: &dyn System, generation: &Generation) -> bool {
        let target = system.read_link(&self.current_path());
        target.is_ok_and(|target| self.root.join(target) == generation.path)
    }

    /// Whether what stands in the link's place is somebody else's, which is never replaced.
    pub fn is_taken(&self, system: &dyn System) -> bool {
        let link = self.current_path();
        match system.read_link(&link) {
            Ok(target) => !is_ours(&target),
            Err(_) => system.exists(&link),
        }
    }

    /// The generation in use with the lock that it keeps, where it has lost what it says of itself: the packages are
    /// there, and what the user has added.
    pub fn unrecorded(&self, system: &dyn System) -> Option<(Generation, Lock)> {
        let target = system.read_link(&self.current_path()).ok()?;
        let generation = Generation { path: self.root.join(target) };
        if generation.record(system).is_some() {
            return None;
        }
        let lock = generation.kept_lock(system)?;
        (lock.digest() == generation.name()).then_some((generation, lock))
    }

    /// The whole generation that was built for a request, the current one first: what a cut link leaves behind.
    pub fn find(
        &self,
        system: &dyn System,
        request: &str,
    ) -> Option<(Generation, GenerationRecord)> {
        let built_for = |(generation, record): &(Generation, GenerationRecord)| {
            record.request == request && generation.spoilt(system, record).is_none()
        };
        self.current(system).filter(built_for).or_else(|| {
            let names = system.list(&self.root).unwrap_or_default();
            names
                .into_iter()
                .filter(|name| name != CURRENT)
                .map(|name| Generation { path: self.root.join(name) })
                .filter_map(|generation| Some((generation.record(system)?, generation)))
                .map(|(record, generation)| (generation, record))
                .find(built_for)
        })
    }

    /// Every generation here, half-built ones as well, in the order of their names.
    pub fn all(&self, system: &dyn System) -> Vec<Generation> {
        let names = system.list(&self.root).unwrap_or_default().into_iter();
        let all = names.filter(|name| Generation::is_name(name)).map(|name| self.generation(&name));
        all.filter(|generation| generation.is_ours(system)).collect()
    }

    /// Where the history stands.
    pub fn history_path(&self) -> PathBuf {
        self.root.join(history::HISTORY)
    }

    /// Which generation was made the one in use when, and why; the oldest first.
    pub fn history(&self, system: &dyn System) -> Vec<Switch> {
        history::read(system, &self.root)
    }

    /// The one that was in use before the current one: what going back goes to. Whoever has gone back already goes back
    /// further.
    pub fn before(&self, system: &dyn System) -> Option<Generation> {
        let current = self.linked(system)?;
        let went = |switch: &Switch| {
            switch.to == current.folder()
                && switch.reason != Occasion::Rollback
                && switch.from.as_ref() != Some(&switch.to)
        };
        let came_from = self.history(system).into_iter().rfind(went).and_then(|switch| switch.from);
        let built_after = || current.record(system)?.before;
        let name = came_from.or_else(built_after).filter(|name| Generation::is_name(name))?;
        Some(self.generation(&name)).filter(|before| *before != current)
    }

    /// Where the link leads now, if it is not where it was last to lead: somebody has moved it by hand, or a run was
    /// killed before it moved it.
    pub fn moved_by_hand(&self, system: &dyn System) -> Option<(Switch, Generation)> {
        let last = self.history(system).pop()?;
        let current = self.linked(system)?;
        (current.folder() != last.to).then_some((last, current))
    }

    /// Makes a generation the one in use, in one rename. It stands in the history before that.
    ///
    /// # Errors
    /// Where the history cannot be written, the link cannot be made, or something in its place is somebody else's.
    pub fn activate(
        &self,
        system: &dyn System,
        generation: &Generation,
        run: Option<String>,
        reason: Occasion,
    ) -> Result<(), EnvError> {
        let link = self.current_path();
        if self.is_taken(system) {
            let foreign = message!("it is there already, and aitk has not made it");
            return Err(EnvError::io(link)(io::Error::other(foreign)));
        }
        let target = generation.path.strip_prefix(&self.root).unwrap_or(&generation.path);
        let before = system.read_link(&link).ok();
        if before.as_deref() == Some(target) {
            return Ok(());
        }
        let from = before.and_then(|before| before.to_str().map(str::to_owned));
        let (when, to) = (system.now().to_string(), generation.folder());
        history::note(system, &self.root, &Switch { when, run, from, to, reason })?;
        system.symlink(target, &link).map_err(EnvError::io(link))
    }
}

/// Whether a link that leads there is aitk's own: that leads to a generation beside it.
fn is_ours(target: &Path) -> bool {
    target.to_str().is_some_and(names::file_name::fits)
}
