//! Generations: environments built aside, each in a folder named after its lock, with a link to the current one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use aitk_plan::lock::name_of;
use aitk_plan::{Layer, Lock, LockError, Locked, Locks, Manager, names, normalized};
use aitk_system::{Message, Stat, System, Told, inside, message};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::bytecode::{Compiled, is_cut, other_than_source};
use crate::error::EnvError;
use crate::files::{self, Depth, Differs, Group, Note};
use crate::lock::read_for;
use crate::manager::{Installed, add_command, inventory};

/// Written last: a folder without it is half-built.
const RECORD: &str = "aitk-generation.json";
/// Every file of every package, as [`crate::files`] notes them.
const FILES: &str = "aitk-files.txt";
/// The link beside the generations.
const CURRENT: &str = "current";
/// The files of the environment itself, which belong to no package.
const ITSELF: &str = "environment";

/// Compiled Python, which belongs to no package either.
const BYTECODE: &str = "bytecode";

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

    /// The generation in use, if the link leads to one that is whole.
    pub fn current(&self, system: &dyn System) -> Option<(Generation, Record)> {
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
    pub fn find(&self, system: &dyn System, request: &str) -> Option<(Generation, Record)> {
        let built_for = |(generation, record): &(Generation, Record)| {
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

    /// Makes a generation the one in use, in one rename.
    ///
    /// # Errors
    /// Where the link cannot be made, or something in its place is somebody else's.
    pub fn activate(&self, system: &dyn System, generation: &Generation) -> Result<(), EnvError> {
        let link = self.current_path();
        // aitk's own leads to a generation beside it.
        let ours = match system.read_link(&link) {
            Ok(target) => target.to_str().is_some_and(names::file_name::fits),
            Err(_) => !system.exists(&link),
        };
        if !ours {
            let foreign = message!("it is there already, and aitk has not made it");
            return Err(EnvError::io(link)(io::Error::other(foreign)));
        }
        let target = generation.path.strip_prefix(&self.root).unwrap_or(&generation.path);
        system.symlink(target, &link).map_err(EnvError::io(link))
    }
}

/// One environment, built or being built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    path: PathBuf,
}

/// What a whole generation says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this form.
    pub schema: u32,
    /// What installed it.
    pub manager: Manager,
    /// Digest of what was asked for; a generation serves every plan that asks the same.
    #[serde(deserialize_with = "names::line::one")]
    pub request: String,
    /// What the user had added by hand to an earlier generation and was carried over, as requirements.
    #[serde(deserialize_with = "requirements")]
    pub added: Vec<String>,
    /// `3.12`.
    #[serde(deserialize_with = "names::python_version::one")]
    pub python: String,
    /// The framework's build, `cpu`.
    #[serde(default, deserialize_with = "names::version::maybe")]
    pub build: Option<String>,
    /// Packages and versions by the step that installed them.
    #[serde(deserialize_with = "layers")]
    pub layers: BTreeMap<String, BTreeMap<String, String>>,
    /// Digest of the note of all files; `None` where none was made yet, as by another program or an older aitk.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::line::maybe"
    )]
    pub inventory: Option<String>,
    /// The folder that it was built in, which its programs name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PathBuf>,
}

/// Requirements as either manager writes them.
fn requirements<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let all = Vec::<String>::deserialize(from)?;
    let fits = |text: &&String| !names::match_spec::fits(text) && !names::requirement::fits(text);
    match all.iter().find(fits) {
        Some(text) => Err(D::Error::custom(message!("{text:?} is no requirement"))),
        None => Ok(all),
    }
}

/// Packages by their step, each with its version, which conda follows by `=` and the build.
fn layers<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, D::Error> {
    let layers = BTreeMap::<String, BTreeMap<String, String>>::deserialize(from)?;
    for (step, packages) in &layers {
        names::step_id::check(step).map_err(D::Error::custom)?;
        for (name, exact) in packages {
            names::package_name::check(name).map_err(D::Error::custom)?;
            let (version, build) = exact.split_once('=').unwrap_or((exact, "0"));
            names::version::check(version).map_err(D::Error::custom)?;
            names::build_string::check(build).map_err(D::Error::custom)?;
        }
    }
    Ok(layers)
}

impl Record {
    /// That of a generation which is built from a lock, for a request.
    pub fn of(lock: &Lock, request: &str, added: &[String]) -> Self {
        let names = |layer: &Layer| {
            layer
                .packages
                .iter()
                .map(|locked| (locked.package.name.clone(), locked.exact_version()))
                .collect()
        };
        Self {
            schema: 1,
            manager: lock.manager,
            request: request.to_owned(),
            added: added.to_vec(),
            python: lock.target.python.clone(),
            build: lock.build.clone(),
            layers: lock.layers.iter().map(|layer| (layer.step.clone(), names(layer))).collect(),
            inventory: None,
            place: None,
        }
    }

    /// What stands in the generation's file.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The exact version of every package, by the name that tells it from others.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let key = |name: &String| match self.manager {
            Manager::Conda => name.clone(),
            Manager::Venv => normalized(name),
        };
        let all = self.layers.values().flatten();
        all.map(|(name, version)| (key(name), version.clone())).collect()
    }
}

/// A package that the user has put into an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its name.
    pub name: String,
    /// Its version, with the build of a conda package.
    pub version: String,
    /// What installed it: pip is of the virtual environment's kind.
    pub by: Manager,
}

impl std::fmt::Display for Added {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let between = if self.by == Manager::Conda { "=" } else { "==" };
        write!(f, "{}{between}{}", self.name, self.version)
    }
}

/// The commands that add these packages again; `of` names another environment than the one that `aitk run` works in.
pub fn add_again(added: &[Added], of: Option<&str>) -> String {
    let command = |manager: Manager| {
        let of_it = added.iter().filter(|added| added.by == manager);
        let names: Vec<_> = of_it.map(ToString::to_string).collect();
        (!names.is_empty())
            .then(|| format!("`aitk run -- {} {}`", add_command(manager, of), names.join(" ")))
    };
    Manager::ALL.into_iter().rev().filter_map(command).collect::<Vec<_>>().join(" and ")
}

/// What is wrong with one package of a generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// The package.
    pub package: String,
    /// Files that are gone, relative to the environment.
    pub missing: Vec<String>,
    /// Files that are not as they were installed.
    pub changed: Vec<String>,
}

impl Damage {
    /// In one line.
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
    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name: the lock's digest.
    pub fn name(&self) -> String {
        let folder = self.folder();
        folder.split('.').next().map_or_else(String::new, str::to_owned)
    }

    /// The name of its folder: its own, with a number where an environment of the same lock stands beside it.
    pub fn folder(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.path.join("bin/python")
    }

    /// What it says of itself; `None` unless it is whole.
    pub fn record(&self, system: &dyn System) -> Option<Record> {
        let json = system.read(&self.path.join(RECORD)).ok()?;
        serde_json::from_slice(&json).ok().filter(|record: &Record| record.schema == 1)
    }

    /// The lock that is kept in it, whether it is whole or not.
    pub fn kept_lock(&self, system: &dyn System) -> Option<Lock> {
        Manager::ALL.into_iter().find_map(|manager| {
            let path = self.path.join(manager.lock_file());
            Some(read_for(&path, system, None).ok()?.environment)
        })
    }

    /// The lock that it is built from.
    ///
    /// # Errors
    /// Where it is gone or damaged.
    pub fn lock(&self, system: &dyn System) -> Result<Lock, EnvError> {
        let path = self.path.join(RECORD);
        let record = self.record(system).ok_or_else(|| {
            EnvError::Lock(LockError::BadLock {
                path: path.told(),
                reason: message!("the generation is not whole"),
            })
        })?;
        let path = self.path.join(record.manager.lock_file());
        let lock = read_for(&path, system, None)?.environment;
        Ok(lock.in_layers(&record.layers))
    }

    /// Clears the place, whatever was half-built there before. Where the environment in use is, nothing is ever cleared.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn begin(&self, system: &dyn System) -> Result<(), EnvError> {
        let root = self.path.parent().unwrap_or(&self.path).to_owned();
        if (Environments { root }).in_use(system, self) {
            let in_use = io::Error::other(message!("it is the environment in use"));
            return Err(EnvError::io(&self.path)(in_use));
        }
        let parent = self.path.parent().unwrap_or(&self.path);
        inside(system, parent, &self.path).map_err(EnvError::io(&self.path))?;
        system.remove(&self.path).map_err(EnvError::io(&self.path))?;
        system.create_dir(parent).map_err(EnvError::io(parent))
    }

    /// Keeps the lock that the generation is built from, in it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep_lock(&self, system: &dyn System, lock: &Lock) -> Result<(), EnvError> {
        let path = self.path.join(lock.manager.lock_file());
        let locks = Locks { environment: lock.clone(), base: None };
        system.write(&path, locks.to_text()?.as_bytes(), 0o644).map_err(EnvError::io(&path))
    }

    /// Whether every package of a layer has been installed completely.
    pub fn has(&self, system: &dyn System, manager: Manager, layer: &Layer) -> bool {
        self.missing(system, manager, layer).packages.is_empty()
    }

    /// The packages of a layer that have not been installed completely.
    pub fn missing(&self, system: &dyn System, manager: Manager, layer: &Layer) -> Layer {
        let there = inventory(manager).installed(system, &self.path);
        let has = |locked: &Locked| {
            there.iter().any(|one| {
                one.name == locked.key()
                    && same_version(&one.version, &locked.exact_version())
                    && system.exists(self.path.join(&one.record))
            })
        };
        let packages = layer.packages.iter().filter(|locked| !has(locked)).cloned().collect();
        Layer { step: layer.step.clone(), packages }
    }

    /// Notes every file and, last of all, that the generation is whole.
    ///
    /// # Errors
    /// Where a package's own record cannot be read, or ours not written.
    pub fn finish(
        &self,
        system: &dyn System,
        lock: &Lock,
        request: &str,
        added: &[String],
    ) -> Result<(), EnvError> {
        self.note(system, lock, Record::of(lock, request, added), &[])
    }

    /// Notes the files anew after something was mended: what is as it was noted gets its new time, and the environment's
    /// own files count as they are where they were made again.
    ///
    /// # Errors
    /// Where the lock cannot be read, or the note not written.
    pub fn note_mended(&self, system: &dyn System, itself: bool) -> Result<(), EnvError> {
        self.note_anew(system, if itself { &[ITSELF] } else { &[] })
    }

    /// The same where packages were installed again, by their keys: their files count as they are now, for what an
    /// installation notes of itself differs from one to the next.
    ///
    /// # Errors
    /// As [`Generation::note_mended`].
    pub fn note_again(&self, system: &dyn System, packages: &[String]) -> Result<(), EnvError> {
        self.note_anew(system, &packages.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn note_anew(&self, system: &dyn System, anew: &[&str]) -> Result<(), EnvError> {
        let Some(record) = self.record(system) else { return Ok(()) };
        self.note(system, &self.lock(system)?, record, anew)
    }

    /// The digest of the note of all files, which is made first where there is none yet: what counts then is what the
    /// packages say of themselves, and the environment's own files as they are.
    ///
    /// # Errors
    /// As [`Generation::note_mended`].
    pub fn inventory(&self, system: &dyn System) -> Result<Option<String>, EnvError> {
        let noted = |record: Record| record.inventory;
        match self.record(system) {
            Some(record) if record.inventory.is_none() => {
                self.note_mended(system, false)?;
                Ok(self.record(system).and_then(noted))
            }
            record => Ok(record.and_then(noted)),
        }
    }

    fn note(
        &self,
        system: &dyn System,
        lock: &Lock,
        record: Record,
        anew: &[&str],
    ) -> Result<(), EnvError> {
        let path = self.path.join(FILES);
        let list = files::write(&self.take_notes(system, lock, anew)?);
        system.write(&path, list.as_bytes(), 0o644).map_err(EnvError::io(&path))?;
        let path = self.path.join(RECORD);
        let record = Record {
            inventory: Some(files::digest(list.as_bytes())),
            place: record.place.clone().or_else(|| Some(self.path.clone())),
            ..record
        };
        system.write(&path, record.to_text().as_bytes(), 0o644).map_err(EnvError::io(&path))
    }

    /// What stands here, for what is said of it later: changes with every file that is installed here, by whomever,
    /// and costs two looks. `None` unless it is whole.
    pub fn standing(&self, system: &dyn System) -> Option<String> {
        let record = self.record(system)?;
        let noted = match record.inventory {
            Some(inventory) => inventory,
            None => system.stat(&self.path.join(RECORD)).ok()?.mtime.to_string(),
        };
        let notes = inventory(record.manager).notes(system, &self.path);
        Some(files::digest(format!("{} {noted} {notes:?}", self.folder()).as_bytes()))
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
        let looked_at = |group: &&Group| group.step == owner && !replaced.contains(&group.package);
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

    /// Compiled files that Python would take and that are not what their sources compile to. What a package brings
    /// compiled is known by its hash.
    fn spoilt_bytecode(&self, system: &dyn System, groups: &[Group]) -> Vec<String> {
        let files = groups.iter().flat_map(|group| &group.files);
        let sources = files.filter(|note| note.path.ends_with(".py"));
        let folders: BTreeSet<_> =
            sources.filter_map(|note| Some(note.path.rsplit_once('/')?.0)).collect();
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
        spoilt.extend(other.into_iter().filter_map(|at| names.get(at).cloned()));
        spoilt
    }

    /// The compiled files that packages bring, with their hashes.
    fn brought_bytecode(&self, system: &dyn System) -> BTreeMap<String, Note> {
        let Some(record) = self.record(system) else { return BTreeMap::new() };
        let inventory = inventory(record.manager);
        let all = inventory.installed(system, &self.path).into_iter();
        all.flat_map(|one| inventory.bytecode(system, &self.path, &one))
            .map(|(path, hash)| (path.clone(), Note { path, seal: Some(hash), stamp: None }))
            .collect()
    }

    /// Takes away what is damaged of the environment itself and is made again: its own files, for which it is true that
    /// they are to be made, and compiled files, which Python makes by itself.
    ///
    /// # Errors
    /// Where the list of files cannot be read, or something not be taken away.
    pub fn clear_damaged(&self, system: &dyn System) -> Result<bool, EnvError> {
        let damage = self.damage(system, None, Depth::Content)?;
        for file in damage.iter().flat_map(|damage| &damage.changed) {
            let path = self.path.join(file);
            system.remove(&path).map_err(EnvError::io(&path))?;
        }
        Ok(damage.iter().any(|damage| damage.package == ITSELF))
    }

    fn damage_of(&self, system: &dyn System, group: &Group, depth: Depth) -> Damage {
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

    /// The version of the package that the first of these requirements names, and whether all files of it are there;
    /// `None` where it was not installed, or is gone.
    pub fn package(&self, system: &dyn System, requirements: &str) -> Option<(String, bool)> {
        let record = self.record(system)?;
        let requirement = requirements.split_whitespace().next()?;
        let name = name_of(record.manager, requirement);
        let there = inventory(record.manager).installed(system, &self.path);
        let one = there.into_iter().find(|one| one.name == name)?;
        let group = self.groups(system).ok()?.into_iter().find(|group| group.package == name)?;
        let is_there = |note: &Note| system.exists(self.path.join(&note.path));
        let (there, gone): (Vec<_>, Vec<_>) = group.files.iter().partition(|note| is_there(note));
        let version = one.version.split('=').next().unwrap_or_default().to_owned();
        (!there.is_empty()).then_some((version, gone.is_empty()))
    }

    /// What the user has added or replaced since the generation was built.
    pub fn added(&self, system: &dyn System) -> Vec<Added> {
        let added = self.installed_by_hand(system).into_iter();
        added.map(|one| Added { name: one.name, version: one.version, by: one.by }).collect()
    }

    /// What the user has added or replaced since the generation was built, and another one with these packages, for
    /// which these requirements were `carried` over, does not have.
    pub fn lost(
        &self,
        system: &dyn System,
        other: &BTreeMap<String, String>,
        carried: &[String],
    ) -> Vec<Added> {
        let Some(record) = self.record(system) else { return Vec::new() };
        let inventory = inventory(record.manager);
        let mine = record.versions();
        let version_of = |exact: &str| exact.split('=').next().unwrap_or_default().to_owned();
        let mut lost = self.installed_by_hand(system);
        lost.retain(|one| {
            let there = other.get(&one.name);
            let same = there
                .is_some_and(|exact| same_version(&version_of(exact), &version_of(&one.version)));
            if one.by != Manager::Conda {
                return !same;
            }
            let asked = inventory.requested(system, &self.path, one);
            match asked.is_empty() {
                // It came along with something else.
                true => there.is_none() && !mine.contains_key(&one.name),
                false => !same && !asked.iter().all(|spec| carried.contains(spec)),
            }
        });
        lost.into_iter()
            .map(|one| Added { name: one.name, version: one.version, by: one.by })
            .collect()
    }

    /// What the user has asked for by hand and the next generation shall have as well, as its manager writes it.
    pub fn carried(&self, system: &dyn System) -> Vec<String> {
        let Some(record) = self.record(system) else { return Vec::new() };
        let inventory = inventory(record.manager);
        let by_hand = self.installed_by_hand(system).into_iter();
        let by_hand: Vec<_> = by_hand.filter(|one| one.by == record.manager).collect();
        let asked = by_hand.iter().flat_map(|one| inventory.requested(system, &self.path, one));
        let mut specs: Vec<_> = record.added.into_iter().chain(asked).collect();
        // Tools that note nothing leave only names.
        if specs.is_empty() && record.manager == Manager::Conda {
            specs = by_hand.into_iter().map(|one| one.name).collect();
        }
        specs.sort();
        specs.dedup();
        specs
    }

    fn installed_by_hand(&self, system: &dyn System) -> Vec<Installed> {
        let Some(record) = self.record(system) else { return Vec::new() };
        let known = record.versions();
        let mut all = inventory(record.manager).installed(system, &self.path);
        all.retain(|one| {
            one.by != record.manager
                || known.get(&one.name).is_none_or(|known| !same_version(&one.version, known))
        });
        all
    }

    /// Packages of ours that stand here in another version, and in that one alone.
    fn replaced(&self, system: &dyn System) -> BTreeSet<String> {
        let Some(record) = self.record(system) else { return BTreeSet::new() };
        self.of_the_user(system, &record).into_iter().map(|one| one.name).collect()
    }

    /// What the user has installed: in place of a package of ours, and not beside it.
    pub(crate) fn of_the_user(&self, system: &dyn System, record: &Record) -> Vec<Installed> {
        let known = record.versions();
        let all = inventory(record.manager).installed(system, &self.path);
        let is_ours = |one: &Installed| {
            known.get(&one.name).is_some_and(|known| same_version(&one.version, known))
        };
        let ours: BTreeSet<_> =
            all.iter().filter(|one| is_ours(one)).map(|one| one.name.clone()).collect();
        all.into_iter().filter(|one| !ours.contains(&one.name)).collect()
    }

    /// The files as they were noted; noted anew where another program has built the generation from an export, and left
    /// that to us, or where the note names files elsewhere.
    pub(crate) fn groups(&self, system: &dyn System) -> Result<Vec<Group>, EnvError> {
        if let Some(groups) = self.noted(system)? {
            return Ok(groups);
        }
        let lock = self.lock(system)?;
        let mut groups = self.take_notes(system, &lock, &[])?;
        for layer in &lock.layers {
            // What has lost its own record tells no files any more, and is gone as a whole.
            for locked in self.missing(system, lock.manager, layer).packages {
                let files = vec![Note::unsealed(locked.filename())];
                groups.push(Group { step: layer.step.clone(), package: locked.key(), files });
            }
        }
        Ok(groups)
    }

    /// The files as they were noted when the generation was finished.
    fn noted(&self, system: &dyn System) -> Result<Option<Vec<Group>>, EnvError> {
        let path = self.path.join(FILES);
        match system.text(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            list => Ok(files::read(&list.map_err(EnvError::io(&path))?)),
        }
    }

    /// Notes all files. What was noted before stays as it was noted, with the time of now where it is the same; the
    /// environment's own files count as they are where `itself` was made anew.
    fn take_notes(
        &self,
        system: &dyn System,
        lock: &Lock,
        anew: &[&str],
    ) -> Result<Vec<Group>, EnvError> {
        // Notes of old have no sizes: they are taken anew.
        let before = self.noted(system)?.unwrap_or_default();
        let sized = before.iter().flat_map(|group| &group.files).any(|note| note.stamp.is_some());
        let before = if sized { before } else { Vec::new() };
        let kept = |step: &str, package: &str| {
            let is_it = |old: &&Group| old.step == step && old.package == package;
            let kept = before.iter().find(is_it).filter(|_| !anew.contains(&package))?;
            let files = kept.files.iter().cloned();
            let files = files.map(|note| note.renewed(system, &self.path)).collect();
            Some(Group { files, ..kept.clone() })
        };
        let inventory = inventory(lock.manager);
        let own = || Group {
            step: ITSELF.to_owned(),
            package: ITSELF.to_owned(),
            files: (inventory.own_files(system, &self.path).into_iter())
                .map(|own| match own.stays {
                    true => Note::taken(system, &self.path, own.path, None),
                    false => Note::unsealed(own.path),
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
                let files = inventory.files(system, &self.path, locked)?.into_iter();
                let files =
                    files.map(|(file, hash)| Note::taken(system, &self.path, file, hash)).collect();
                groups.push(Group { step: layer.step.clone(), package: key, files });
            }
        }
        Ok(groups)
    }

    /// The files of packages as they were noted when the generation was finished.
    pub(crate) fn files_of(
        &self,
        system: &dyn System,
        names: &BTreeSet<String>,
    ) -> Result<Vec<PathBuf>, EnvError> {
        let groups = self.noted(system)?.unwrap_or_default();
        let wanted = groups.iter().filter(|group| names.contains(&group.package));
        let files = wanted.flat_map(|group| &group.files);
        Ok(files.map(|note| self.path.join(&note.path)).collect())
    }
}

/// A version in a folder's name has `_` where the version itself has `-` or `+`… of a local part.
pub(crate) fn same_version(folder: &str, version: &str) -> bool {
    let plain = |text: &str| text.replace(['-', '_', '+'], ".");
    plain(folder) == plain(version)
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    const SITE: &str = "lib/python3.12/site-packages";

    /// A generation of a manager, built with `a` 1.0 and `b` 1.0.
    fn generation(folder: &Path, manager: Manager) -> Generation {
        let generation = Environments::new(folder, "ai").generation("0123");
        let version = if manager == Manager::Conda { "1.0=py_0" } else { "1.0" };
        let layer = ["a", "b"].map(|name| (name.to_owned(), version.to_owned()));
        let record = Record {
            schema: 1,
            manager,
            request: String::new(),
            added: Vec::new(),
            python: "3.12".to_owned(),
            build: None,
            layers: [("libraries".to_owned(), layer.into())].into(),
            inventory: None,
            place: None,
        };
        put(&generation, RECORD, &serde_json::to_string(&record).unwrap());
        generation
    }

    fn put(generation: &Generation, file: &str, text: &str) {
        Real.write(&generation.path.join(file), text.as_bytes(), 0o644).unwrap();
    }

    fn by_pip(generation: &Generation, name: &str, version: &str) {
        put(generation, &format!("{SITE}/{name}-{version}.dist-info/RECORD"), "");
        put(generation, &format!("{SITE}/{name}-{version}.dist-info/INSTALLER"), "pip\n");
    }

    fn by_conda(generation: &Generation, name: &str, version: &str, asked: &[&str]) {
        let record = serde_json::json!({ "requested_specs": asked });
        let file = format!("conda-meta/{name}-{version}-py_0.json");
        put(generation, &file, &record.to_string());
    }

    fn lost(generation: &Generation, other: &[(&str, &str)], carried: &[&str]) -> Vec<String> {
        let other = other.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let carried: Vec<_> = carried.iter().map(|spec| (*spec).to_owned()).collect();
        let lost = generation.lost(&Real, &other, &carried);
        lost.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_version_that_was_changed_by_hand_is_not_lost_unsaid() {
        let folder = tempfile::tempdir().unwrap();
        let venv = generation(folder.path(), Manager::Venv);
        by_pip(&venv, "a", "0.9");
        by_pip(&venv, "b", "1.0");
        by_pip(&venv, "new_one", "3.0");
        assert_eq!(lost(&venv, &[("a", "1.1"), ("b", "1.1")], &[]), ["a==0.9", "new-one==3.0"]);
        assert_eq!(lost(&venv, &[("a", "0.9"), ("new-one", "3.0")], &[]), [""; 0]);
    }

    #[test]
    fn what_conda_was_asked_for_is_carried_or_not_lost_unsaid() {
        let folder = tempfile::tempdir().unwrap();
        let conda = generation(folder.path(), Manager::Conda);
        by_conda(&conda, "a", "0.9", &["a=0.9"]);
        by_conda(&conda, "b", "0.8", &[]);
        by_conda(&conda, "new", "3.0", &["new"]);
        let other = [("a", "1.1=py_0"), ("b", "1.1=py_0"), ("new", "3.1=py_0")];
        assert_eq!(lost(&conda, &other, &["a=0.9", "new"]), [""; 0]);
        assert_eq!(lost(&conda, &other, &["new"]), ["a=0.9=py_0"]);
        assert_eq!(lost(&conda, &other[..2], &["a=0.9"]), ["new=3.0=py_0"]);
    }

    #[test]
    fn what_another_program_has_built_is_looked_at_and_a_package_without_a_record_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let venv = generation(folder.path(), Manager::Venv);
        let locked = |name: &str| Locked {
            package: aitk_plan::Package {
                name: name.to_owned(),
                version: "1.0".to_owned(),
                url: Some(format!("https://example.org/{name}-1.0-py3-none-any.whl")),
                sha256: Some("00".repeat(32)),
                ..aitk_plan::Package::default()
            },
            ..Locked::default()
        };
        let packages = ["a", "b"].map(locked).into();
        let layers = vec![Layer { step: "libraries".to_owned(), packages }];
        let target =
            aitk_plan::Target { python: "3.12".to_owned(), arch: "x86_64".to_owned(), glibc: None };
        let lock = Lock { manager: Manager::Venv, target, build: None, layers };
        venv.keep_lock(&Real, &lock).unwrap();
        put(&venv, &format!("{SITE}/a.py"), "");
        put(&venv, &format!("{SITE}/a-1.0.dist-info/RECORD"), "a.py,,\n");
        put(&venv, &format!("{SITE}/b-1.0.dist-info/RECORD"), "");
        let damage = || venv.damage(&Real, Some("libraries"), Depth::Sizes).unwrap();
        assert_eq!(damage(), []);
        Real.remove(&venv.path.join(SITE).join("a.py")).unwrap();
        Real.remove(&venv.path.join(SITE).join("b-1.0.dist-info")).unwrap();
        let found: Vec<_> = damage().iter().map(Damage::describe).collect();
        assert_eq!(
            found,
            [format!("a: {SITE}/a.py is gone"), "b: b-1.0-py3-none-any.whl is gone".to_owned()]
        );
    }

    #[test]
    fn a_record_that_leads_elsewhere_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let venv = generation(folder.path(), Manager::Venv);
        let good: serde_json::Value =
            serde_json::from_str(&venv.record(&Real).unwrap().to_text()).unwrap();
        for (field, value) in [
            ("/python", "../3.12".into()),
            ("/python", "3.\u{e9}".into()),
            ("/build", "cu\u{1b}[31m".into()),
            ("/added", serde_json::json!(["-r /etc/passwd"])),
            ("/layers", serde_json::json!({"../x": {}})),
            ("/layers", serde_json::json!({"libraries": {"../x": "1"}})),
            ("/layers", serde_json::json!({"libraries": {"a": "1=../../x"}})),
            ("/schema", 2.into()),
        ] {
            let mut changed = good.clone();
            *changed.pointer_mut(field).unwrap() = value;
            put(&venv, RECORD, &changed.to_string());
            assert_eq!(venv.record(&Real), None, "{field}");
        }
    }

    #[test]
    fn a_link_of_somebody_elses_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let venv = generation(folder.path(), Manager::Venv);
        let environments = Environments::new(folder.path(), "ai");
        Real.symlink(Path::new("/home/ann/own"), &environments.current_path()).unwrap();
        environments.activate(&Real, &venv).unwrap_err();
        let target = Real.read_link(&environments.current_path()).unwrap();
        assert_eq!(target, Path::new("/home/ann/own"));
    }

    #[test]
    fn the_environment_in_use_is_never_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let venv = generation(folder.path(), Manager::Venv);
        let environments = Environments::new(folder.path(), "ai");
        environments.activate(&Real, &venv).unwrap();
        Real.remove(&venv.path.join(RECORD)).unwrap();
        put(&venv, "mine", "");
        venv.begin(&Real).unwrap_err();
        assert!((&Real as &dyn System).exists(venv.path.join("mine")));
        let other = environments.generation("4567");
        put(&other, "half-built", "");
        other.begin(&Real).unwrap();
        assert!(!(&Real as &dyn System).exists(other.path.join("half-built")));
    }
}
