//! What can be wrong with an environment, and what takes that away: the one judgement that a check, a verification and
//! the doctor share. What concerns it as a whole takes a few looks, which each check can afford.

use std::fmt;
use std::path::{Path, PathBuf};

use aitk_system::{FileKind, Message, System, ToMessage, message, quote};

use super::additions::Addition;
use super::files::Damage;
use super::place::Generation;
use super::record::{GenerationRecord, SCHEMA};
use crate::backend::backend;
use crate::error::EnvError;
use crate::files::Depth;

/// What is wrong with an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvironmentFault {
    /// What aitk noted of it is gone, or cannot be read.
    Unrecorded {
        /// The folder of the environment.
        path: PathBuf,
    },
    /// The lock that it was built from is gone, or cannot be read.
    NoLock {
        /// The file that the lock should be in.
        path: PathBuf,
    },
    /// Its folder was moved or copied; its programs name the place where it was built.
    Moved {
        /// The folder in which it was built.
        from: PathBuf,
    },
    /// A part of it belongs to another user, and only that user or root can give it back.
    Foreign {
        /// The file or folder that is another's.
        path: PathBuf,
    },
    /// Its files are links to files elsewhere, such as a cache that may be emptied.
    Linked {
        /// One of them.
        file: PathBuf,
        /// Where it leads.
        to: PathBuf,
    },
    /// Its interpreter is gone, or leads nowhere.
    NoPython {
        /// What is not there.
        python: PathBuf,
    },
    /// Its interpreter is of another version than the one that it was built for, as after an upgrade of the system.
    OtherPython {
        /// The version that it was built for.
        built: String,
        /// The version that the interpreter has now.
        now: String,
    },
    /// Files of a package, or of the environment itself, are gone or changed.
    Damaged(Damage),
    /// Something was put beside its packages that changes what runs.
    Added(Addition),
}

/// What takes a fault away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cure {
    /// Building it again: in place, or beside itself.
    Build,
    /// Taking something away that the user may have wanted.
    Remove(PathBuf),
    /// What nobody but the person can do.
    Person(Message),
}

impl EnvironmentFault {
    /// Whether programs do not start any more, or start something else.
    pub fn stops_programs(&self) -> bool {
        use EnvironmentFault::{Moved, NoPython, OtherPython, Unrecorded};
        matches!(self, Unrecorded { .. } | Moved { .. } | NoPython { .. } | OtherPython { .. })
    }

    /// What it is about, as far as that is one place.
    fn places<'a>(&'a self, root: &'a Path) -> Vec<PathBuf> {
        match self {
            Self::Damaged(Damage { missing, changed, .. }) => {
                missing.iter().chain(changed).map(|file| root.join(file)).collect()
            }
            Self::Added(addition) => vec![addition.path.clone()],
            Self::NoPython { .. } | Self::OtherPython { .. } => vec![root.join("bin/python")],
            Self::Unrecorded { path } | Self::NoLock { path } | Self::Foreign { path } => {
                vec![path.clone()]
            }
            Self::Moved { .. } | Self::Linked { .. } => Vec::new(),
        }
    }
}

/// How somebody gets a folder back that became another user's, often by `sudo`.
pub fn give_back(path: &Path) -> Message {
    let path = quote(&path.to_string_lossy());
    message!("give it back to yourself, then try again: sudo chown -R \"$USER\" {path}")
}

/// The folder in which a file is to be made or replaced, where that belongs to another user; as far up as it exists.
pub fn foreign_place(system: &dyn System, file: &Path) -> Option<PathBuf> {
    let user = system.host().uid;
    let folders = file.ancestors().skip(1);
    let (path, stat) =
        folders.into_iter().find_map(|path| Some((path, system.stat(path).ok()?)))?;
    (user != 0 && stat.uid != user && stat.kind == FileKind::Dir).then(|| path.to_owned())
}

impl ToMessage for EnvironmentFault {
    fn to_message(&self) -> Message {
        match self {
            Self::Unrecorded { path } => {
                message!("what aitk noted of the environment in {path} is gone or damaged")
            }
            Self::NoLock { path } => message!("{path} is gone or damaged"),
            Self::Damaged(damage) => damage.describe(),
            Self::Added(addition) => addition.message.clone(),
            Self::Moved { from } => message!(
                "the environment was built in {from} and stands elsewhere now: its programs start what is there"
            ),
            Self::Foreign { path } => message!("{path} belongs to another user"),
            Self::Linked { file, to } => message!("{file} is a link to {to}"),
            Self::NoPython { python } => {
                message!("the environment's Python is gone: {python} is not there")
            }
            Self::OtherPython { built, now } => message!(
                "the environment was built for Python {built} and its interpreter is Python {now} now"
            ),
        }
    }
}

impl fmt::Display for EnvironmentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_message().fmt(f)
    }
}

impl Generation {
    /// What is wrong with it as a whole.
    pub fn faults(&self, system: &dyn System) -> Vec<EnvironmentFault> {
        let Some(record) = self.record(system) else {
            return vec![EnvironmentFault::Unrecorded { path: self.path.clone() }];
        };
        let all = [
            self.spoilt(system, &record),
            self.foreign(system),
            self.without_python(system, &record),
            self.without_lock(system, &record),
        ];
        all.into_iter().flatten().collect()
    }

    /// What is wrong with the files of a layer, or with those of the environment itself where `step` is `None`.
    ///
    /// # Errors
    /// Where the list of files cannot be read.
    pub fn faults_in(
        &self,
        system: &dyn System,
        step: Option<&str>,
        depth: Depth,
    ) -> Result<Vec<EnvironmentFault>, EnvError> {
        let damage = self.damage(system, step, depth)?.into_iter().map(EnvironmentFault::Damaged);
        let mut found: Vec<_> = damage.collect();
        if step.is_none() && depth > Depth::Folders {
            found.extend(self.unreadable_lock(system));
        }
        if step.is_none() && depth == Depth::Content {
            found.extend(self.additions(system)?.into_iter().map(EnvironmentFault::Added));
        }
        Ok(found)
    }

    /// That its lock cannot be read, which reading it tells.
    pub fn unreadable_lock(&self, system: &dyn System) -> Option<EnvironmentFault> {
        let path = self.lock_path(&self.record(system)?);
        self.kept_lock(system).is_none().then_some(EnvironmentFault::NoLock { path })
    }

    /// What takes one of its faults away.
    pub fn cure(&self, system: &dyn System, fault: &EnvironmentFault) -> Cure {
        if self.record(system).is_some_and(|record| record.schema > SCHEMA) {
            return Cure::Person(message!(
                "use that version of aitk; this one changes nothing here"
            ));
        }
        let mut places = fault.places(&self.path).into_iter();
        let foreign = places.any(|place| foreign_place(system, &place).is_some());
        match fault {
            _ if foreign || self.foreign(system).is_some() => Cure::Person(give_back(&self.path)),
            EnvironmentFault::Added(addition) => Cure::Remove(addition.path.clone()),
            _ => Cure::Build,
        }
    }

    /// Whether it has to be built anew.
    pub(crate) fn is_spoilt(&self, system: &dyn System) -> bool {
        self.record(system).is_some_and(|record| self.spoilt(system, &record).is_some())
    }

    /// Why it has to be built anew. Other faults are mended in place.
    pub(crate) fn spoilt(
        &self,
        system: &dyn System,
        record: &GenerationRecord,
    ) -> Option<EnvironmentFault> {
        self.moved(system, record).or_else(|| self.linked(system, record))
    }

    /// That it is damaged, [`Generation::unreadable_lock`] tells.
    fn without_lock(
        &self,
        system: &dyn System,
        record: &GenerationRecord,
    ) -> Option<EnvironmentFault> {
        let path = self.lock_path(record);
        (!system.exists(&path)).then_some(EnvironmentFault::NoLock { path })
    }

    fn moved(&self, system: &dyn System, record: &GenerationRecord) -> Option<EnvironmentFault> {
        let from = record.place.clone().filter(|place| place != self.path())?;
        // A home folder may be reached by several names.
        let identity = |path: &Path| system.stat(path).ok().map(|stat| (stat.dev, stat.ino));
        (identity(&from) != identity(self.path())).then_some(EnvironmentFault::Moved { from })
    }

    /// A part of it that belongs to another user.
    pub fn foreign(&self, system: &dyn System) -> Option<EnvironmentFault> {
        let user = system.host().uid;
        let parts = ["", "bin", "bin/python", "lib", "pyvenv.cfg", "conda-meta"];
        let others = |path: &PathBuf| system.stat(path).is_ok_and(|stat| stat.uid != user);
        let path = parts.iter().map(|part| self.path().join(part)).find(others)?;
        Some(EnvironmentFault::Foreign { path })
    }

    /// A manager links all files or none, so what it notes of a few packages tells.
    fn linked(&self, system: &dyn System, record: &GenerationRecord) -> Option<EnvironmentFault> {
        const ENOUGH: usize = 3;
        let notes = backend(record.manager).notes(system, self.path());
        notes.into_iter().take(ENOUGH).find_map(|note| {
            let file = self.path().join(note);
            let to = system.read_link(&file).ok()?;
            Some(EnvironmentFault::Linked { file, to })
        })
    }

    fn without_python(
        &self,
        system: &dyn System,
        record: &GenerationRecord,
    ) -> Option<EnvironmentFault> {
        let python = match interpreter(system, &self.python()) {
            Ok(python) => python,
            Err(python) => return Some(EnvironmentFault::NoPython { python }),
        };
        let name = python.file_name()?.to_string_lossy().into_owned();
        // Every distribution and conda call the program itself so; another name tells nothing.
        let now = name.strip_prefix("python").filter(|version| version.contains('.'))?;
        (now != record.python && !record.python.is_empty()).then(|| EnvironmentFault::OtherPython {
            built: record.python.clone(),
            now: now.to_owned(),
        })
    }
}

/// The file that an interpreter's name leads to; where it leads to nothing, what is missing.
fn interpreter(system: &dyn System, name: &Path) -> Result<PathBuf, PathBuf> {
    const MOST: usize = 16;
    let mut path = name.to_owned();
    for _ in 0..MOST {
        match system.stat(&path) {
            Ok(stat) if stat.kind == FileKind::Link => {
                let to = system.read_link(&path).map_err(|_| path.clone())?;
                path = path.parent().unwrap_or(Path::new("/")).join(to);
            }
            Ok(stat) if stat.kind == FileKind::File => return Ok(path),
            _ => return Err(path),
        }
    }
    Err(path)
}

#[cfg(test)]
mod tests {
    use aitk_plan::{Lock, LockTarget, Manager};
    use aitk_system::Real;

    use super::*;
    use crate::generation::{Environments, Occasion};

    fn lock() -> Lock {
        let target =
            LockTarget { python: "3.12".to_owned(), arch: "x86_64".to_owned(), glibc: None };
        Lock { manager: Manager::Venv, target, build: None, layers: Vec::new() }
    }

    fn put(path: &Path, text: &str) {
        Real.write(path, text.as_bytes(), 0o755).unwrap();
    }

    /// A whole environment with one package, on an interpreter in `folder`.
    fn built(folder: &Path) -> (Environments, Generation) {
        put(&folder.join("python3.12"), "");
        Real.symlink(Path::new("python3.12"), &folder.join("python3")).unwrap();
        let environments = Environments::new(&folder.join("data"), "ai");
        let generation = environments.instance(&Real, &lock().digest());
        let site = generation.path().join("lib/python3.12/site-packages/six-1.0.dist-info");
        put(&site.join("RECORD"), "");
        put(&generation.path().join("pyvenv.cfg"), "");
        Real.create_dir(&generation.path().join("bin")).unwrap();
        Real.symlink(&folder.join("python3"), &generation.python()).unwrap();
        generation.keep_lock(&Real, &lock()).unwrap();
        generation
            .note(&Real, &lock(), GenerationRecord::of(&lock(), "request", &[]), &[])
            .unwrap();
        (environments, generation)
    }

    #[test]
    fn an_environment_that_stands_as_it_was_built_has_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        let (environments, generation) = built(folder.path());
        assert_eq!(generation.faults(&Real), []);
        assert_eq!(environments.instance(&Real, &generation.name()), generation);
    }

    #[test]
    fn a_home_that_is_reached_by_another_name_is_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        let (_, generation) = built(folder.path());
        let other = folder.path().join("other");
        Real.symlink(&folder.path().join("data"), &other).unwrap();
        let same = Environments::new(&other, "ai").generation(&generation.name());
        assert_eq!(same.faults(&Real), []);
    }

    #[test]
    fn a_moved_environment_is_built_anew_beside_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (environments, generation) = built(folder.path());
        let elsewhere = Environments::new(&folder.path().join("moved"), "ai");
        let moved = elsewhere.generation(&generation.name());
        let copy = aitk_system::Command::changes(["cp", "-a"])
            .arg(folder.path().join("data").to_string_lossy())
            .arg(folder.path().join("moved").to_string_lossy());
        assert!((&Real as &dyn System).run(&copy).unwrap().success());
        elsewhere.activate(&Real, &moved, None, Occasion::Apply).unwrap();
        assert_eq!(
            moved.faults(&Real),
            [EnvironmentFault::Moved { from: generation.path().to_owned() }]
        );
        let anew = elsewhere.instance(&Real, &generation.name());
        assert_eq!((anew.name(), anew.folder()), (moved.name(), format!("{}.1", moved.name())));
        assert_eq!(elsewhere.find(&Real, "request"), None, "what is spoilt serves nobody");
        assert!(environments.find(&Real, "request").is_some());
    }

    #[test]
    fn an_interpreter_that_leads_nowhere_or_to_another_version_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (_, generation) = built(folder.path());
        let gone = folder.path().join("python3.12");
        Real.remove(&gone).unwrap();
        assert_eq!(generation.faults(&Real), [EnvironmentFault::NoPython { python: gone }]);
        put(&folder.path().join("python3.13"), "");
        Real.symlink(Path::new("python3.13"), &folder.path().join("python3")).unwrap();
        let (built, now) = ("3.12".to_owned(), "3.13".to_owned());
        assert_eq!(generation.faults(&Real), [EnvironmentFault::OtherPython { built, now }]);
        assert!(!generation.is_spoilt(&Real), "it can be given its interpreter back");
    }

    #[test]
    fn links_into_a_cache_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (_, generation) = built(folder.path());
        let note = generation.path().join("lib/python3.12/site-packages/six-1.0.dist-info/RECORD");
        put(&folder.path().join("cache"), "");
        Real.symlink(&folder.path().join("cache"), &note).unwrap();
        let [EnvironmentFault::Linked { to, .. }] = &generation.faults(&Real)[..] else { panic!() };
        assert_eq!(*to, folder.path().join("cache"));
    }

    #[test]
    fn a_folder_that_gains_or_loses_something_is_not_as_it_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (_, generation) = built(folder.path());
        let seen = folder.path().join("seen");
        let note = |text: &str| Real.write(&seen, text.as_bytes(), 0o600).unwrap();
        let unchanged = |step| generation.unchanged(&Real, &seen, step);
        assert!(!unchanged(None), "nothing was seen yet");
        generation.note_seen(&Real, &seen).unwrap();
        assert!(unchanged(None));
        assert!(!unchanged(Some("libraries")), "nothing was seen of a layer that is not there");
        let time = Real.stat(generation.path()).unwrap().mtime;
        note(&format!("environment\t{time}\t\nenvironments\t1\tbin\n"));
        assert!(unchanged(None), "the others are not looked at");
        for other in [format!("{}\t", time + 1), format!("{time}\tgone"), "no time\t".to_owned()] {
            note(&format!("environment\t{time}\t\nenvironment\t{other}\n"));
            assert!(!unchanged(None), "{other}");
        }
    }

    #[test]
    fn what_was_built_or_added_to_anew_stands_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let (_, generation) = built(folder.path());
        let standing = || generation.standing(&Real).unwrap();
        let before = standing();
        assert_eq!(standing(), before);
        let added = generation.path().join("lib/python3.12/site-packages/toolz-1.0.dist-info");
        put(&added.join("RECORD"), "");
        assert_ne!(standing(), before, "a package was added");
        Real.remove(&added).unwrap();
        assert_eq!(standing(), before);
        Real.remove(generation.path()).unwrap();
        assert_eq!(generation.standing(&Real), None);
        built(folder.path());
        assert_ne!(standing(), before, "it was built anew");
    }
}
