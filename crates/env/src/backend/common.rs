//! What both environment managers can do.

use std::fmt;
use std::path::{Path, PathBuf};

use aitk_detect::Machine;
use aitk_plan::{
    Accelerator, BuildRequest, Catalog, EnvironmentRequest, Lock, LockTarget, Locked, LockedLayer,
    Manager,
};
use aitk_system::{Message, Real, System, message};

use crate::Settings;
use crate::error::EnvError;
use crate::fetch::FetchProgress;
use crate::inside::Inside;

/// The machine that is changed, the one that works for it, and what is known of both.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The machine that is looked at and changed.
    pub system: &'a dyn System,
    /// The machine that the program runs on: it asks the sources and fills the caches.
    pub local: &'a dyn System,
    /// Whether both are the same machine.
    pub is_local: bool,
    /// What is known of the machine that is changed.
    pub machine: &'a Machine,
    /// The tables, with the user's rows first.
    pub catalog: &'a Catalog,
    /// Sources and folders of environments on the machine that is changed.
    pub settings: &'a Settings,
    /// The same on the machine that the program runs on.
    pub local_settings: &'a Settings,
    /// What commands print goes there.
    pub log: &'a Path,
    /// Whether changes are only reported.
    pub dry: bool,
}

/// The framework's build that a lock has.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenBuild<'a> {
    /// The request that it answers.
    pub request: &'a BuildRequest,
    /// The build's name, `cu132`.
    pub name: String,
    /// Why a solver took it.
    pub why: Option<Message>,
}

/// What a package takes once it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes that it takes on disk.
    pub bytes: u64,
    /// Whether these were reckoned from the size of the archive: no source told them.
    pub rough: bool,
    /// How many files it has; `None` where its source does not tell.
    pub files: Option<u64>,
}

impl Footprint {
    /// What the source of a package tells, else what archives of its kind take in the mean: so many tenths of their size.
    pub(crate) fn of(locked: &Locked, tenths: u64) -> Self {
        let size = locked.package.size.unwrap_or(0);
        let bytes = locked.unpacked.unwrap_or(size.saturating_mul(tenths) / 10);
        Self { bytes, rough: locked.unpacked.is_none(), files: locked.files }
    }
}

/// An environment manager: resolves wishes to a lock, builds an environment from it, mends one, and tells what stands in
/// one. There is one of each kind; what it works on it is given.
pub trait Backend: Sync + fmt::Debug {
    /// Which one it is.
    fn kind(&self) -> Manager;

    /// The channels, or the hosts of the indexes, that are set: as [`Locked::origin`] names them.
    fn origins(&self, settings: &Settings) -> Vec<String>;

    /// Where the files of packages are kept as they were downloaded.
    fn packages(&self, settings: &Settings) -> PathBuf;

    /// The command that adds packages by hand; conda's wants the name `of` an environment that is not the one that it
    /// is typed in.
    fn add_command(&self, of: Option<&str>) -> String;

    /// What it takes to work in the environment `name` at `prefix`, where conda's own is at `base`.
    fn inside(&self, name: &str, prefix: &Path, base: &Path) -> Inside;

    /// Files that make the manager's own environment know its sources and the others: their names and contents.
    fn base_files(&self, settings: &Settings) -> Vec<(String, String)>;

    /// Downloads packages as far as they are not there yet, and makes them ready to be installed.
    ///
    /// # Errors
    /// The first failure; what is complete by then stays, what is not is taken up again next time.
    fn fetch(
        &self,
        settings: &Settings,
        packages: &[&Locked],
        progress: &dyn FetchProgress,
    ) -> Result<(), EnvError> {
        let fetched = self.download(settings, packages, progress);
        if fetched.as_ref().is_err_and(EnvError::is_stale) {
            forget_answers(settings)?;
        }
        fetched
    }

    /// The same, whatever was said of the packages before.
    ///
    /// # Errors
    /// As those of [`Backend::fetch`].
    fn download(
        &self,
        settings: &Settings,
        packages: &[&Locked],
        progress: &dyn FetchProgress,
    ) -> Result<(), EnvError>;

    /// Downloads the program that installs the packages where there is no network, unless `aitk` itself does.
    ///
    /// # Errors
    /// Where no source has it.
    fn fetch_installer(
        &self,
        system: &dyn System,
        catalog: &Catalog,
        settings: &Settings,
        progress: &dyn FetchProgress,
    ) -> Result<Option<PathBuf>, EnvError>;

    /// What a lock with this Python is resolved for on a machine.
    fn target(&self, machine: &Machine, python: &str) -> LockTarget;

    /// Resolves everything that is asked for, together, once.
    ///
    /// # Errors
    /// What the sources answer; [`EnvError::NoPython`] where an earlier step brings the interpreter.
    fn resolve(&self, site: &Site<'_>, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        let solved = self.solve(site, request);
        solved.map_err(|error| error.since(request.cutoff()))
    }

    /// The same, whatever the time that is set has to do with it where nothing is found.
    ///
    /// # Errors
    /// As those of [`Backend::resolve`].
    fn solve(&self, site: &Site<'_>, request: &EnvironmentRequest) -> Result<Lock, EnvError>;

    /// Whether a lock that was given can be what is asked for, on this machine.
    ///
    /// # Errors
    /// [`EnvError::UnfitLock`] with what does not fit.
    fn accept(
        &self,
        site: &Site<'_>,
        lock: &Lock,
        request: &EnvironmentRequest,
    ) -> Result<(), EnvError>;

    /// The build of the framework that a lock has, out of those that were asked for.
    fn chosen_build<'r>(&self, builds: &'r [BuildRequest], lock: &Lock) -> Option<ChosenBuild<'r>>;

    /// What computes with this build of the framework, which answers one of these requests or none; `None` where it is what
    /// was planned, for the plan named the build.
    fn accelerator(
        &self,
        planned: &Accelerator,
        builds: &[BuildRequest],
        build: &str,
    ) -> Option<Accelerator>;

    /// Makes the own files of the environment `name`: everything that belongs to no package. Where they are `there` already, they are
    /// made again.
    ///
    /// # Errors
    /// What the manager's tool or the operating system says.
    fn create(
        &self,
        site: &Site<'_>,
        name: &str,
        request: &EnvironmentRequest,
        root: &Path,
        there: bool,
    ) -> Result<(), EnvError>;

    /// Installs a layer of a lock from files that have been downloaded, after the layers before it.
    ///
    /// # Errors
    /// What the manager's tool or the operating system says.
    fn install(
        &self,
        site: &Site<'_>,
        root: &Path,
        lock: &Lock,
        step: &str,
    ) -> Result<(), EnvError>;

    /// Installs these packages of a whole environment again, whose files these were; nothing that is there of them
    /// counts.
    ///
    /// # Errors
    /// What the manager's tool or the operating system says.
    fn mend(
        &self,
        site: &Site<'_>,
        root: &Path,
        layer: &LockedLayer,
        files: &[PathBuf],
    ) -> Result<(), EnvError>;

    /// What [`Backend::create`] does, as a person would type it.
    fn create_commands(
        &self,
        site: &Site<'_>,
        name: &str,
        request: &EnvironmentRequest,
        root: &Path,
    ) -> Vec<Message>;

    /// What [`Backend::install`] does, as a person would type it.
    fn install_commands(&self, site: &Site<'_>, root: &Path, layer: &LockedLayer) -> Vec<Message>;

    /// What a package takes once it is installed.
    fn footprint(&self, site: &Site<'_>, locked: &Locked) -> Footprint;

    /// What packages take once an environment has them, in their order: what the cache has unpacked already is shared with
    /// it, where both are on one file system.
    fn footprints(&self, site: &Site<'_>, packages: &[&Locked]) -> Vec<Footprint>;

    /// Files of an environment that belong to no package.
    fn own_files(&self, system: &dyn System, root: &Path) -> Vec<Own>;

    /// What is noted of each package, with the user's own, relative to the environment: it changes with every package.
    fn notes(&self, system: &dyn System, root: &Path) -> Vec<PathBuf>;

    /// Every package, with the user's own.
    fn installed(&self, system: &dyn System, root: &Path) -> Vec<InstalledPackage>;

    /// What was asked for when a package was installed by hand; empty where it only came along, or cannot be told.
    fn requested(
        &self,
        system: &dyn System,
        root: &Path,
        installed: &InstalledPackage,
    ) -> Vec<String>;

    /// The files of a package that stands there, whoever installed it.
    fn paths(&self, system: &dyn System, root: &Path, installed: &InstalledPackage) -> Vec<String>;

    /// The files of a package with their hashes, as [`crate::files::digest`] makes them, where they have one.
    ///
    /// # Errors
    /// Where the package's own record cannot be read.
    fn files(
        &self,
        system: &dyn System,
        root: &Path,
        locked: &Locked,
    ) -> Result<Vec<(String, Option<String>)>, EnvError>;

    /// The compiled files that a package brings, with their hashes in the same form.
    fn bytecode(&self, _: &dyn System, _: &Path, _: &InstalledPackage) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Whether a lock is for this kind of machine and the Python that is asked for.
pub(crate) fn suits(
    site: &Site<'_>,
    lock: &Lock,
    request: &EnvironmentRequest,
) -> Result<(), EnvError> {
    let help = || message!("choose that version with --python {}", lock.target.python);
    lock.suits(&site.machine.arch, request.python.as_deref())
        .map_err(|reason| EnvError::unfit(reason, help()))
}

/// A lock without something that is asked for.
pub(crate) fn lacks(name: &str, step: &str) -> EnvError {
    EnvError::unfit(
        message!("it has no {name}, which `{step}` asks for"),
        message!("choose the budget and the --framework that it was made with"),
    )
}

/// A file of the environment itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Relative to the environment.
    pub path: String,
    /// Whether it stays as it was made; others change with use.
    pub stays: bool,
}

/// A package that stands in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPackage {
    /// As [`Locked::key`] has it.
    pub name: String,
    /// As [`Locked::exact_version`] has it.
    pub version: String,
    /// Which manager's record names it; pip installs into conda's environments as well.
    pub by: Manager,
    /// Where its own record is, relative to the environment.
    pub record: PathBuf,
}

/// Takes away what the sources have answered and is kept: it is older than what they have.
fn forget_answers(settings: &Settings) -> Result<(), EnvError> {
    let uv = settings.uv_cache();
    let pages = Real.list(&uv).unwrap_or_default();
    let pages = pages.iter().filter(|name| name.starts_with("simple-")).map(|name| uv.join(name));
    for kept in pages.chain([settings.cache.join("repodata")]) {
        Real.remove(&kept).map_err(EnvError::io(kept))?;
    }
    Ok(())
}
