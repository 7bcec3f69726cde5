//! What both environment managers can do.

use std::path::{Path, PathBuf};

use aitk_detect::{Machine, detect};
use aitk_plan::{
    Accelerator, BuildRequest, Catalog, Layer, LayerRequest, Lock, Locked, Manager as Kind, Target,
};
use aitk_system::{Message, Real, System, message};

use crate::Settings;
use crate::conda::{self, Conda};
use crate::error::EnvError;
use crate::fetch::{Client, FetchProgress, fetch_all};
use crate::generation::Generation;
use crate::venv::{self, Venv};

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
    /// The tables.
    pub catalog: &'a Catalog,
    /// Sources and folders of environments on the machine that is changed.
    pub settings: &'a Settings,
    /// The same on the machine that the program runs on.
    pub local_settings: &'a Settings,
    /// What commands print goes there.
    pub log: &'a Path,
}

/// What an environment shall hold.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Name of the environment.
    pub name: &'a str,
    /// The version of Python, `3.12`; what the interpreter is where `None`.
    pub python: Option<&'a str>,
    /// The interpreter that it is built on; `None` where the environment brings its own.
    pub interpreter: Option<&'a str>,
    /// Layer by layer; the framework's stands among them with the requirements of its preferred build.
    pub layers: &'a [LayerRequest],
    /// Builds of the framework, the preferred one first; empty without a framework.
    pub builds: &'a [BuildRequest],
    /// What the user has added by hand and wants to keep, as the manager writes requirements.
    pub added: &'a [String],
    /// The CUDA that a GPU offers, and its compute capability; `None` where none shall compute.
    pub cuda: Option<Cuda<'a>>,
}

/// What a solver may assume of NVIDIA's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cuda<'a> {
    /// The newest version that counts.
    pub version: &'a str,
    /// The least compute capability of the devices, where it is known.
    pub capability: Option<&'a str>,
}

/// The framework's build that a lock has.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken<'a> {
    /// The request that it answers.
    pub request: &'a BuildRequest,
    /// Its name.
    pub name: String,
    /// Why a solver took it.
    pub why: Option<Message>,
}

/// What a package takes once it is installed, without what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes on disk.
    pub bytes: u64,
    /// Whether these were reckoned from the size of the archive: no source told them.
    pub rough: bool,
    /// Files, where known.
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

/// An environment manager: resolves wishes to a lock, builds a generation from it, mends one.
pub trait Manager {
    /// What a lock with this Python is resolved for here.
    fn target(&self, python: &str) -> Target;

    /// Resolves everything that is asked for, together, once.
    ///
    /// # Errors
    /// What the sources answer; [`EnvError::NoPython`] where an earlier step brings the interpreter.
    fn resolve(&self, request: &Request<'_>) -> Result<Lock, EnvError>;

    /// Whether a lock that was given can be what is asked for, on this machine.
    ///
    /// # Errors
    /// [`EnvError::UnfitLock`] with what does not fit.
    fn accept(&self, lock: &Lock, request: &Request<'_>) -> Result<(), EnvError>;

    /// The build of the framework that a lock has, out of those that were asked for.
    fn taken<'r>(&self, builds: &'r [BuildRequest], lock: &Lock) -> Option<Taken<'r>>;

    /// What computes with this build of the framework; `None` where it is what was planned, for the plan named the build.
    fn accelerator(&self, planned: &Accelerator, build: &str) -> Option<Accelerator>;

    /// Begins a generation: everything that belongs to no package.
    ///
    /// # Errors
    /// What the manager's tool or the operating system says.
    fn create(&self, request: &Request<'_>, generation: &Generation) -> Result<(), EnvError>;

    /// Makes the generation's own files again; packages are not touched.
    ///
    /// # Errors
    /// What the manager's tool or the operating system says.
    fn mend_itself(&self, request: &Request<'_>, generation: &Generation) -> Result<(), EnvError>;

    /// Installs a layer of a lock from files that have been downloaded, after the layers before it.
    ///
    /// # Errors
    /// What the manager's tool or the operating system says.
    fn install(&self, generation: &Generation, lock: &Lock, step: &str) -> Result<(), EnvError>;

    /// Installs these packages of a whole generation again; nothing that is there of them counts.
    ///
    /// # Errors
    /// What the manager's tool or the operating system says.
    fn mend(&self, generation: &Generation, layer: &Layer) -> Result<(), EnvError>;

    /// What [`Manager::create`] does, as a person would type it.
    fn create_commands(&self, request: &Request<'_>, generation: &Generation) -> Vec<Message>;

    /// What [`Manager::install`] does, as a person would type it.
    fn install_commands(&self, generation: &Generation, layer: &Layer) -> Vec<Message>;

    /// What a package takes once it is installed.
    fn footprint(&self, locked: &Locked) -> Footprint;
}

impl Request<'_> {
    /// The packages that a layer asks for by name: of the framework's builds, those of the one that a lock has.
    pub(crate) fn names<'a>(
        &'a self,
        layer: &'a LayerRequest,
        name_of: fn(&str) -> String,
        has: impl Fn(&String) -> bool,
    ) -> Vec<String> {
        let names = |all: &[String]| all.iter().map(|one| name_of(one)).collect::<Vec<_>>();
        let builds = || self.builds.iter().map(|build| &build.requirements);
        let other = builds()
            .any(|requirements| *requirements == layer.requirements)
            .then(|| builds().map(|all| names(all)).find(|names| names.iter().all(&has)))
            .flatten();
        other.unwrap_or_else(|| names(&layer.requirements))
    }
}

/// A lock without something that is asked for.
pub(crate) fn lacks(name: &str, step: &str) -> EnvError {
    EnvError::unfit(
        message!("it has no {name}, which `{step}` asks for"),
        message!("choose the budget and the --framework that it was made with"),
    )
}

/// The manager of a kind, at work on a site.
pub fn manager<'a>(kind: Kind, site: Site<'a>) -> Box<dyn Manager + 'a> {
    match kind {
        Kind::Conda => Box::new(Conda { site }),
        Kind::Venv => Box::new(Venv { site }),
    }
}

/// What stands in an environment, as its manager notes it there.
pub(crate) trait Inventory {
    /// Files that belong to no package.
    fn own_files(&self, system: &dyn System, root: &Path) -> Vec<Own>;

    /// What it notes of each package, with the user's own, relative to the environment: it changes with every package.
    fn notes(&self, system: &dyn System, root: &Path) -> Vec<PathBuf>;

    /// Every package, with the user's own.
    fn installed(&self, system: &dyn System, root: &Path) -> Vec<Installed>;

    /// What was asked for when a package was installed by hand; empty where it only came along, or cannot be told.
    fn requested(&self, system: &dyn System, root: &Path, installed: &Installed) -> Vec<String>;

    /// The files of a package that stands there, whoever installed it.
    fn paths(&self, system: &dyn System, root: &Path, installed: &Installed) -> Vec<String>;

    /// The files of a package with their hashes, as [`crate::files::digest`] makes them, where they have one.
    fn files(
        &self,
        system: &dyn System,
        root: &Path,
        locked: &Locked,
    ) -> Result<Vec<(String, Option<String>)>, EnvError>;

    /// The compiled files that a package brings, with their hashes in the same form.
    fn bytecode(&self, _: &dyn System, _: &Path, _: &Installed) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// A file of the environment itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Own {
    /// Relative to the environment.
    pub path: String,
    /// Whether it stays as it was made; others change with use.
    pub stays: bool,
}

/// A package that stands in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    /// As [`Locked::key`] has it.
    pub name: String,
    /// As [`Locked::exact_version`] has it.
    pub version: String,
    /// What installed it.
    pub by: Kind,
    /// Where its own record is, relative to the environment.
    pub record: PathBuf,
}

/// Downloads packages as far as they are not there yet, and makes them ready to be installed.
///
/// # Errors
/// The first failure; what is complete by then stays, what is not is taken up again next time.
pub fn fetch(
    kind: Kind,
    settings: &Settings,
    packages: &[&Locked],
    progress: &dyn FetchProgress,
) -> Result<(), EnvError> {
    let fetched = match kind {
        Kind::Conda => conda::fetch(settings, packages, progress),
        Kind::Venv => Client::new(settings).and_then(|client| {
            fetch_all(&client, packages, &settings.wheels(), settings.offline, progress)
        }),
    };
    if fetched.as_ref().is_err_and(EnvError::is_stale) {
        forget_answers(settings)?;
    }
    fetched
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

/// Downloads the program that installs a manager's packages where there is no network, unless `aitk` itself does.
///
/// # Errors
/// Where no source has it.
pub fn fetch_installer(
    kind: Kind,
    system: &dyn System,
    catalog: &Catalog,
    settings: &Settings,
    progress: &dyn FetchProgress,
) -> Result<Option<PathBuf>, EnvError> {
    match kind {
        Kind::Conda => Ok(None),
        Kind::Venv => {
            let here = detect(system, &catalog.tables).machine;
            Ok(Some(venv::fetch_uv_wheel(system, &here, catalog, settings, progress)?.0))
        }
    }
}

/// The commands that add packages by hand, each manager's own; conda's want the name `of` an environment that is not
/// the one that they are typed in.
pub(crate) fn add_command(kind: Kind, of: Option<&str>) -> String {
    match (kind, of) {
        (Kind::Conda, None) => "conda install".to_owned(),
        (Kind::Conda, Some(of)) => format!("conda install -n {of}"),
        (Kind::Venv, None) => "pip install".to_owned(),
        (Kind::Venv, Some(of)) => format!("conda run -n {of} pip install"),
    }
}

/// How a manager notes what it installs.
pub(crate) fn inventory(kind: Kind) -> &'static dyn Inventory {
    match kind {
        Kind::Conda => &conda::CondaMeta,
        Kind::Venv => &venv::DistInfo,
    }
}
