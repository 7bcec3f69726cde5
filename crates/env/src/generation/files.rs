//! The files of a generation: noted when it is finished, and looked at later.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aitk_plan::Lock;
use aitk_plan::lock::name_of;
use aitk_system::{Message, System, message};

use super::place::Generation;
use super::record::{GenerationRecord, SCHEMA};
use crate::backend::backend;
use crate::bytecode::{Compiled, is_cut, other_than_source};
use crate::error::EnvError;
use crate::files::{self, Depth, Differs, FileGroup, InventoryEntry};

/// Every file of every package, as [`crate::files`] notes them.
const FILES: &str = "aitk-files.txt";
/// The files of the environment itself, which belong to no package.
pub(super) const ITSELF: &str = "environment";
/// Compiled Python, which belongs to no package either.
const BYTECODE: &str = "bytecode";

/// What is wrong with one package of a generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// The package's name; of files that belong to none, what they are.
    pub package: String,
    /// Files that are gone, relative to the environment.
    pub missing: Vec<String>,
    /// Files that are not as they were installed.
    pub changed: Vec<String>,
}

impl Damage {
    /// The package, the first of its files that is gone or changed, and how many more.
    pub fn describe(&self) -> Message {
        let missing = match &self.missing[..] {
            [] => None,
            [one] => Some(message!("{one} is gone")),
            [one, rest @ ..] => Some(message!("{one} and {} more are gone", rest.len())),
        };
        let changed = match &self.changed[..] {
            [] => None,
            [one] => Some(message!("{one} is changed")),
            [one, rest @ ..] => Some(message!("{one} and {} more are changed", rest.len())),
        };
        Message::about(self.package.as_str(), Message::list(missing.into_iter().chain(changed)))
    }
}

impl Generation {
    /// The digest of the note of all files, which is made first where there is none yet: what counts then is what the
    /// packages say of themselves, and the environment's own files as they are.
    ///
    /// # Errors
    /// Where the lock cannot be read, or the note not written.
    pub fn inventory(&self, system: &dyn System) -> Result<Option<String>, EnvError> {
        let noted = |record: GenerationRecord| record.inventory;
        match self.record(system) {
            Some(record) if record.inventory.is_none() => {
                self.note_anew(system, &[])?;
                Ok(self.record(system).and_then(noted))
            }
            record => Ok(record.and_then(noted)),
        }
    }

    pub(super) fn note(
        &self,
        system: &dyn System,
        lock: &Lock,
        record: GenerationRecord,
        anew: &[&str],
    ) -> Result<(), EnvError> {
        let path = self.path.join(FILES);
        let list = files::write(&self.take_notes(system, lock, anew)?);
        system.write(&path, list.as_bytes(), 0o644).map_err(EnvError::io(&path))?;
        let record = GenerationRecord {
            inventory: Some(files::digest(list.as_bytes())),
            place: record.place.clone().or_else(|| Some(self.path.clone())),
            schema: SCHEMA,
            ..record
        };
        // Programs that installed the files have not waited for the disk.
        system.flush(&self.path).map_err(EnvError::io(&self.path))?;
        self.write(system, &record)
    }

    /// What is wrong with a layer's packages, or with the environment itself where `step` is `None`. A package that
    /// the user has replaced by another version is theirs and is not looked at.
    ///
    /// # Errors
    /// Where the list of files cannot be read.
    pub fn damage(
        &self,
        system: &dyn System,
        step: Option<&str>,
        depth: Depth,
    ) -> Result<Vec<Damage>, EnvError> {
        let groups = self.groups(system)?;
        let replaced = self.replaced(system);
        let owner = step.unwrap_or(ITSELF);
        let looked_at =
            |group: &&FileGroup| group.step == owner && !replaced.contains(&group.package);
        let mut found: Vec<_> = groups
            .iter()
            .filter(looked_at)
            .map(|group| self.damage_of(system, group, depth))
            .collect();
        if step.is_none() && depth == Depth::Content {
            let changed = self.spoilt_bytecode(system, &groups);
            found.push(Damage { package: BYTECODE.to_owned(), changed, ..Damage::default() });
        }
        found.retain(|damage| !damage.missing.is_empty() || !damage.changed.is_empty());
        Ok(found)
    }

    fn damage_of(&self, system: &dyn System, group: &FileGroup, depth: Depth) -> Damage {
        let mut damage = Damage { package: group.package.clone(), ..Damage::default() };
        for note in &group.files {
            match note.differs(system, &self.path, depth) {
                Some(Differs::Gone) => damage.missing.push(note.path.clone()),
                Some(Differs::Changed) => damage.changed.push(note.path.clone()),
                None => {}
            }
        }
        damage
    }

    /// Compiled files that Python would take and that are not what their sources compile to. What a package brings
    /// compiled is known by its hash.
    fn spoilt_bytecode(&self, system: &dyn System, groups: &[FileGroup]) -> Vec<String> {
        let files = groups.iter().flat_map(|group| &group.files);
        let sources = files.filter(|note| note.path.ends_with(".py"));
        let folders: BTreeSet<_> =
            sources.clone().filter_map(|note| Some(note.path.rsplit_once('/')?.0)).collect();
        let brought = self.brought_bytecode(system);
        let (mut spoilt, mut open) = (Vec::new(), Vec::new());
        for folder in folders {
            let cache = format!("{folder}/__pycache__");
            for name in system.list(&self.path.join(&cache)).unwrap_or_default() {
                let file = format!("{cache}/{name}");
                let Some(compiled) = Compiled::named(&self.path.join(folder), &name) else {
                    continue;
                };
                if is_cut(system, &compiled.file, &compiled.source) {
                    spoilt.push(file);
                } else if brought
                    .get(&file)
                    .is_none_or(|note| note.differs(system, &self.path, Depth::Content).is_some())
                {
                    open.push((file, compiled));
                }
            }
        }
        let (names, compiled): (Vec<_>, Vec<_>) = open.into_iter().unzip();
        let other = other_than_source(system, &self.python(), &compiled);
        // Where the source itself was changed, that is what is named.
        let is_intact = |source: &Path| {
            let note = sources.clone().find(|note| self.path.join(&note.path) == source);
            note.is_none_or(|note| note.differs(system, &self.path, Depth::Content).is_none())
        };
        let other = other.into_iter().filter_map(|at| Some((names.get(at)?, compiled.get(at)?)));
        let other = other.filter(|(_, compiled)| is_intact(&compiled.source));
        spoilt.extend(other.map(|(name, _)| name.clone()));
        spoilt
    }

    /// The compiled files that packages bring, with their hashes.
    fn brought_bytecode(&self, system: &dyn System) -> BTreeMap<String, InventoryEntry> {
        let Some(record) = self.record(system) else { return BTreeMap::new() };
        let backend = backend(record.manager);
        let all = backend.installed(system, &self.path).into_iter();
        all.flat_map(|one| backend.bytecode(system, &self.path, &one))
            .map(|(path, hash)| {
                (path.clone(), InventoryEntry { path, seal: Some(hash), stamp: None })
            })
            .collect()
    }

    /// The version of the package that the first of these requirements names, and whether all files of it are there;
    /// `None` where it was not installed, or is gone.
    pub fn package(&self, system: &dyn System, requirements: &str) -> Option<(String, bool)> {
        let record = self.record(system)?;
        let requirement = requirements.split_whitespace().next()?;
        let name = name_of(record.manager, requirement);
        let there = backend(record.manager).installed(system, &self.path);
        let one = there.into_iter().find(|one| one.name == name)?;
        let group = self.groups(system).ok()?.into_iter().find(|group| group.package == name)?;
        let is_there = |note: &InventoryEntry| system.exists(self.path.join(&note.path));
        let (there, gone): (Vec<_>, Vec<_>) = group.files.iter().partition(|note| is_there(note));
        let version = one.version.split('=').next().unwrap_or_default().to_owned();
        (!there.is_empty()).then_some((version, gone.is_empty()))
    }

    /// The files as they were noted; noted anew where another program has built the generation from an export, and left
    /// that to us, or where the note names files elsewhere.
    pub(super) fn groups(&self, system: &dyn System) -> Result<Vec<FileGroup>, EnvError> {
        if let Some(groups) = self.noted(system)? {
            return Ok(groups);
        }
        let lock = self.lock(system)?;
        let mut groups = self.take_notes(system, &lock, &[])?;
        for layer in &lock.layers {
            // What has lost its own record tells no files any more, and is gone as a whole.
            for locked in self.missing(system, backend(lock.manager), layer).packages {
                let files = vec![InventoryEntry::unsealed(locked.filename())];
                groups.push(FileGroup { step: layer.step.clone(), package: locked.key(), files });
            }
        }
        Ok(groups)
    }

    /// The files as they were noted when the generation was finished; a list that was cut or changed is as good as none.
    fn noted(&self, system: &dyn System) -> Result<Option<Vec<FileGroup>>, EnvError> {
        let path = self.path.join(FILES);
        let list = match system.text(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            list => list.map_err(EnvError::io(&path))?,
        };
        let inventory = self.record(system).and_then(|record| record.inventory);
        let is_match = inventory.is_none_or(|noted| noted == files::digest(list.as_bytes()));
        Ok(is_match.then(|| files::read(&list)).flatten())
    }

    /// Notes all files. What was noted before stays as it was noted, with the time of now where it is the same; the
    /// environment's own files count as they are where `itself` was made anew.
    fn take_notes(
        &self,
        system: &dyn System,
        lock: &Lock,
        anew: &[&str],
    ) -> Result<Vec<FileGroup>, EnvError> {
        // Notes of old have no sizes: they are taken anew.
        let before = self.noted(system)?.unwrap_or_default();
        let sized = before.iter().flat_map(|group| &group.files).any(|note| note.stamp.is_some());
        let before = if sized { before } else { Vec::new() };
        let kept = |step: &str, package: &str| {
            let is_match = |old: &&FileGroup| old.step == step && old.package == package;
            let kept = before.iter().find(is_match).filter(|_| !anew.contains(&package))?;
            let files = kept.files.iter().cloned();
            let files = files.map(|note| note.renewed(system, &self.path)).collect();
            Some(FileGroup { files, ..kept.clone() })
        };
        let backend = backend(lock.manager);
        let own = || FileGroup {
            step: ITSELF.to_owned(),
            package: ITSELF.to_owned(),
            files: (backend.own_files(system, &self.path).into_iter())
                .map(|own| match own.stays {
                    true => InventoryEntry::of(system, &self.path, own.path, None),
                    false => InventoryEntry::unsealed(own.path),
                })
                .collect(),
        };
        let mut groups = vec![kept(ITSELF, ITSELF).unwrap_or_else(own)];
        for layer in &lock.layers {
            for locked in &layer.packages {
                let key = locked.key();
                if let Some(group) = kept(&layer.step, &key) {
                    groups.push(group);
                    continue;
                }
                let files = backend.files(system, &self.path, locked)?.into_iter();
                let files = files
                    .map(|(file, hash)| InventoryEntry::of(system, &self.path, file, hash))
                    .collect();
                groups.push(FileGroup { step: layer.step.clone(), package: key, files });
            }
        }
        self.settle(system, &mut groups);
        Ok(groups)
    }

    /// A file that several packages name is noted for those that it is as they say: the last one to be installed has written
    /// over the others.
    fn settle(&self, system: &dyn System, groups: &mut [FileGroup]) {
        let mut named: Vec<_> = groups.iter().flat_map(|group| &group.files).collect();
        named.sort_by(|a, b| a.path.cmp(&b.path));
        let fits =
            |note: &InventoryEntry| note.differs(system, &self.path, Depth::Content).is_none();
        let several = named.chunk_by(|a, b| a.path == b.path).filter(|notes| notes.len() > 1);
        let whole = several.filter(|notes| notes.iter().any(|note| fits(note)));
        let whole: BTreeSet<_> = whole.map(|notes| notes[0].path.clone()).collect();
        for group in groups {
            group.files.retain(|note| !whole.contains(&note.path) || fits(note));
        }
    }

    /// The files of packages as they were noted when the generation was finished.
    pub(super) fn files_of(
        &self,
        system: &dyn System,
        names: &[String],
    ) -> Result<Vec<PathBuf>, EnvError> {
        let groups = self.noted(system)?.unwrap_or_default();
        let wanted = groups.iter().filter(|group| names.contains(&group.package));
        let files = wanted.flat_map(|group| &group.files);
        Ok(files.map(|note| self.path.join(&note.path)).collect())
    }
}
