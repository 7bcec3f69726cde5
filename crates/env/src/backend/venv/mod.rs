//! Virtual environments, resolved and filled by uv.

mod asking;
mod audit;
mod index;
mod resolve;
mod sources;
mod stand_in;
mod uv;
mod wheel;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aitk_detect::{Machine, Python, Tables, detect};
use aitk_plan::lock::host_of;
use aitk_plan::{
    Accelerator, BuildRequest, Catalog, EnvironmentRequest, Lock, LockTarget, Locked, LockedLayer,
    Manager as Kind, shares_files,
};
use aitk_system::{Command, Message, System, message, quote};

pub use audit::{Advisory, Audit, audit};
pub use sources::UvSources;
use uv::fetch_uv_wheel;
pub use uv::{UvProgram, cached_uv, fetch_uv, find_uv, install_uv, note_of, own_uv, uv_wheel};

use super::common::{Backend, ChosenBuild, Footprint, InstalledPackage, Own, Site, lacks, suits};
use super::dist_info::{self, flattened, site_packages, sized_lines};
use crate::error::EnvError;
use crate::fetch::{FetchProgress, Quiet, fetch_all};
use crate::http::HttpClient;
use crate::inside::Inside;
use crate::sha256::hash_of;
use crate::{Settings, text, uv_cache};

#[derive(Debug)]
pub(super) struct Venv;

impl Backend for Venv {
    fn kind(&self) -> Kind {
        Kind::Venv
    }

    fn origins(&self, settings: &Settings) -> Vec<String> {
        let own = settings.index_url.iter().chain(&settings.more_indexes);
        own.chain(&settings.torch_index).map(|index| host_of(index)).collect()
    }

    fn packages(&self, settings: &Settings) -> PathBuf {
        settings.wheels()
    }

    fn add_command(&self, of: Option<&str>) -> String {
        of.map_or_else(|| "pip install".to_owned(), |of| format!("conda run -n {of} pip install"))
    }

    /// As the scripts do that uv puts beside the interpreter.
    fn inside(&self, _: &str, prefix: &Path, _: &Path) -> Inside {
        let script = |name: &str| quote(&text(&prefix.join("bin").join(name)));
        Inside {
            folders: vec![prefix.join("bin")],
            variables: vec![("VIRTUAL_ENV", text(prefix))],
            scripts: None,
            activation: format!(". {}\n", script("activate")),
            fish: Some(format!("source {}", script("activate.fish"))),
        }
    }

    fn base_files(&self, _: &Settings) -> Vec<(String, String)> {
        Vec::new()
    }

    fn download(
        &self,
        settings: &Settings,
        packages: &[&Locked],
        progress: &dyn FetchProgress,
    ) -> Result<(), EnvError> {
        let client = HttpClient::new(settings)?;
        fetch_all(&client, packages, &settings.wheels(), settings.offline, progress)
    }

    fn fetch_installer(
        &self,
        system: &dyn System,
        catalog: &Catalog,
        settings: &Settings,
        progress: &dyn FetchProgress,
    ) -> Result<Option<PathBuf>, EnvError> {
        let here = detect(system, &catalog.tables).answered()?.machine;
        Ok(Some(fetch_uv_wheel(system, &here, catalog, settings, progress)?.0))
    }

    fn target(&self, machine: &Machine, python: &str) -> LockTarget {
        let glibc = machine.libc.as_ref().filter(|libc| libc.family == "glibc");
        LockTarget {
            python: python.to_owned(),
            arch: machine.arch.clone(),
            glibc: glibc.and_then(|libc| libc.version.clone()),
        }
    }

    fn solve(&self, site: &Site<'_>, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        let found = interpreter(site.system, request)?.filter(|_| site.is_local);
        let python = match (found.as_ref().and_then(version_of), &request.python) {
            (Some(found), _) => found,
            (None, Some(python)) => python.clone(),
            (None, None) => return Err(EnvError::NoPython),
        };
        let target = self.target(site.machine, &python);
        let interpreter = found.map(|python| text(&python.path));
        // Resolving writes into the cache only, which is no change of the machine.
        resolve::resolve(
            site.local,
            &uv_of(site)?,
            site.local_settings,
            resolve::ResolveRequest {
                request,
                target: &target,
                interpreter: interpreter.as_deref(),
            },
        )
    }

    fn accept(
        &self,
        site: &Site<'_>,
        lock: &Lock,
        request: &EnvironmentRequest,
    ) -> Result<(), EnvError> {
        suits(site, lock, request)?;
        let too_new = |locked: &&Locked| resolve::rank(&locked.filename(), &lock.target).is_none();
        if let Some(locked) = lock.packages().find(too_new) {
            let glibc = lock.target.glibc.as_ref().map_or_else(|| message!("none"), Message::plain);
            let reason = message!("{} does not run here (glibc: {glibc})", locked.filename());
            return Err(EnvError::unfit(reason, message!("use a newer release of the system")));
        }
        let wanted = |step: &str| request.layers.iter().any(|layer| layer.step == step);
        let more = lock.layers.iter().find(|l| !l.packages.is_empty() && !wanted(&l.step));
        if let Some(layer) = more {
            let reason =
                message!("it has packages for `{}`, which is not wished for here", layer.step);
            return Err(EnvError::unfit(
                reason,
                message!("choose the budget and the --framework that it was made with"),
            ));
        }
        for layer in &request.layers {
            let has = |name: &String| lock.packages().any(|locked| locked.key() == *name);
            let names = request.names(layer, has);
            if let Some(missing) = names.iter().find(|name| !has(name)) {
                return Err(lacks(missing, &layer.step));
            }
        }
        Ok(())
    }

    fn chosen_build<'r>(&self, builds: &'r [BuildRequest], lock: &Lock) -> Option<ChosenBuild<'r>> {
        let request = builds.iter().find(|build| Some(&build.name) == lock.build.as_ref())?;
        Some(ChosenBuild { request, name: request.name.clone(), why: None })
    }

    fn accelerator(&self, _: &Accelerator, _: &[BuildRequest], _: &str) -> Option<Accelerator> {
        None
    }

    fn create(
        &self,
        site: &Site<'_>,
        name: &str,
        request: &EnvironmentRequest,
        root: &Path,
        there: bool,
    ) -> Result<(), EnvError> {
        if !site.dry {
            is_as_planned(site.system, request)?;
        }
        let command = create_command(&uv_of(site)?.path, name, request, root);
        run(site, if there { command.arg("--allow-existing") } else { command })
    }

    fn install(
        &self,
        site: &Site<'_>,
        root: &Path,
        lock: &Lock,
        step: &str,
    ) -> Result<(), EnvError> {
        let Some(layer) = lock.layer(step) else { return Ok(()) };
        match install_layer(site, root, layer, &[]) {
            // What a cache has lost meanwhile is fetched anew, once.
            Err(EnvError::Uv { .. } | EnvError::Unsolvable { .. }) => {
                replace_damaged(site, layer)?;
                self.mend(site, root, layer, &[])?;
            }
            installed => installed?,
        }
        if site.dry {
            return Ok(());
        }
        let lost = incomplete(site.system, root, layer);
        if lost.packages.is_empty() {
            return Ok(());
        }
        replace_damaged(site, &lost)?;
        self.mend(site, root, &lost, &[])?;
        match incomplete(site.system, root, &lost).packages.first() {
            None => Ok(()),
            Some(locked) => Err(EnvError::bad_package(
                locked.filename(),
                message!("files that it names are not there once it is installed"),
            )),
        }
    }

    /// uv's cache shares its files with the environment, so what is damaged here is damaged there: the cache of these
    /// packages is emptied first, and filled again from the wheels.
    fn mend(
        &self,
        site: &Site<'_>,
        root: &Path,
        layer: &LockedLayer,
        _: &[PathBuf],
    ) -> Result<(), EnvError> {
        let names: Vec<_> = layer.packages.iter().map(Locked::key).collect();
        let uv = text(&uv_of(site)?.path);
        let clean = Command::changes([uv.as_str(), "cache", "clean", "--quiet", "--no-config"]);
        run(site, clean.args(names.iter().map(String::as_str)))?;
        install_layer(site, root, layer, &names)
    }

    fn create_commands(
        &self,
        site: &Site<'_>,
        name: &str,
        request: &EnvironmentRequest,
        root: &Path,
    ) -> Vec<Message> {
        vec![Message::plain(create_command(&uv_path(site), name, request, root))]
    }

    fn install_commands(&self, site: &Site<'_>, root: &Path, layer: &LockedLayer) -> Vec<Message> {
        vec![Message::plain(install_command(site, &uv_path(site), root, &layer.step))]
    }

    /// A source that tells no sizes of the files inside leaves an estimate: wheels unpack to 3.4 times their size, as
    /// measured over the libraries of the profile `low`.
    fn footprint(&self, _: &Site<'_>, locked: &Locked) -> Footprint {
        Footprint::of(locked, 34)
    }

    fn footprints(&self, site: &Site<'_>, all: &[&Locked]) -> Vec<Footprint> {
        let indexes = match shares_files(site.machine) {
            true => uv_cache::indexes(site.system, &site.settings.uv_cache()),
            false => Vec::new(),
        };
        let of = |locked: &&Locked| {
            let whole = self.footprint(site, locked);
            let own = locked.files.unwrap_or(0).saturating_mul(OWN);
            let bytes = match uv_cache::is_unpacked(site.system, &indexes, &locked.filename()) {
                true => own,
                false => whole.bytes.saturating_add(own),
            };
            Footprint { bytes, rough: true, ..whole }
        };
        all.iter().map(of).collect()
    }

    fn own_files(&self, system: &dyn System, root: &Path) -> Vec<Own> {
        dist_info::own_files(system, root)
    }

    fn notes(&self, system: &dyn System, root: &Path) -> Vec<PathBuf> {
        dist_info::notes(system, root)
    }

    fn installed(&self, system: &dyn System, root: &Path) -> Vec<InstalledPackage> {
        dist_info::installed(system, root)
    }

    fn requested(&self, _: &dyn System, _: &Path, _: &InstalledPackage) -> Vec<String> {
        Vec::new()
    }

    fn paths(&self, system: &dyn System, root: &Path, installed: &InstalledPackage) -> Vec<String> {
        dist_info::paths(system, root, installed)
    }

    fn files(
        &self,
        system: &dyn System,
        root: &Path,
        locked: &Locked,
    ) -> Result<Vec<(String, Option<String>)>, EnvError> {
        dist_info::files(system, root, locked)
    }
}

/// What an environment has for itself for each file that it shares: folders, scripts, and Python compiled when it is first
/// imported. Over the libraries of the profile `low` with JupyterLab these were 12 MB and 49 MB for 18,100 files.
const OWN: u64 = 3_400;

/// The Python of the distribution, wherever its name leads.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// The interpreter that is asked for, if it is there by now: a step of this run may have brought it.
///
/// # Errors
/// Where the system lets nothing be asked.
fn interpreter(
    system: &dyn System,
    request: &EnvironmentRequest,
) -> Result<Option<Python>, EnvError> {
    let wanted = request.interpreter.as_deref().unwrap_or(SYSTEM_PYTHON);
    let is_match = |python: &Python| python.path == Path::new(wanted) || wanted == SYSTEM_PYTHON;
    let machine = detect(system, &Tables::default()).answered()?.machine;
    // That of an environment is none of the machine's; whoever names it knows its version.
    Ok(machine.python.into_iter().find(is_match).or_else(|| {
        let version = request.python.clone().filter(|_| system.exists(wanted))?;
        Some(Python { path: wanted.into(), version, ..Python::default() })
    }))
}

/// `3.12`
fn version_of(python: &Python) -> Option<String> {
    python.minor().map(|(major, minor)| format!("{major}.{minor}"))
}

/// Whether the interpreter came for which packages were resolved while there was none.
fn is_as_planned(system: &dyn System, request: &EnvironmentRequest) -> Result<(), EnvError> {
    let found = interpreter(system, request)?.as_ref().and_then(version_of);
    match (found, &request.python) {
        (None, _) => Err(EnvError::NoPython),
        (Some(found), Some(planned)) if found != *planned => {
            Err(EnvError::OtherPython { found, planned: planned.clone() })
        }
        _ => Ok(()),
    }
}

/// An installed uv, or at least one in the cache.
fn uv_of(site: &Site<'_>) -> Result<UvProgram, EnvError> {
    let machine = detect(site.local, &Tables::default()).answered()?.machine;
    fetch_uv(site.local, &machine, site.catalog, site.local_settings, &Quiet)
}

/// Where the uv is, or will be, that the plan's commands name.
fn uv_path(site: &Site<'_>) -> PathBuf {
    find_uv(site.system, site.catalog, site.settings, false)
        .map_or_else(|| own_uv(&site.settings.data, site.catalog), |uv| uv.path)
}

fn create_command(uv: &Path, name: &str, request: &EnvironmentRequest, root: &Path) -> Command {
    Command::changes([&text(uv), "venv", "--quiet", "--no-project", "--no-config"])
        .args(["--python", request.interpreter.as_deref().unwrap_or(SYSTEM_PYTHON)])
        .args(["--prompt", name, &text(root)])
        .env("UV_PYTHON_DOWNLOADS", "never")
}

fn install_command(site: &Site<'_>, uv: &Path, root: &Path, step: &str) -> Command {
    let wanted = wanted(site, root, step);
    Command::changes([&text(uv), "pip", "install", "--quiet", "--no-config", "--offline"])
        .args(["--no-index", "--no-deps", "--require-hashes", "--only-binary", ":all:"])
        .args(["--find-links", &text(&site.settings.wheels())])
        .args(["--python", &text(&root.join("bin/python")), "--requirement", &text(&wanted)])
}

fn wanted(site: &Site<'_>, root: &Path, step: &str) -> PathBuf {
    // Where several environments of one lock stand beside each other, they ask for the same.
    let folder = site.settings.cache.join("resolve").join(root.file_stem().unwrap_or_default());
    folder.join(format!("{step}.txt"))
}

/// Installs a layer from wheels that have been downloaded; of those in `again` nothing that is there counts.
fn install_layer(
    site: &Site<'_>,
    root: &Path,
    layer: &LockedLayer,
    again: &[String],
) -> Result<(), EnvError> {
    let wanted = wanted(site, root, &layer.step);
    let lines: String = layer
        .packages
        .iter()
        .map(|locked| {
            let package = &locked.package;
            let hash = package.sha256.as_deref().unwrap_or_default();
            format!("{}=={} --hash=sha256:{hash}\n", package.name, package.version)
        })
        .collect();
    site.system.write(&wanted, lines.as_bytes(), 0o600).map_err(EnvError::io(&wanted))?;
    let mut command = install_command(site, &uv_of(site)?.path, root, &layer.step);
    for package in again {
        command = command.args(["--reinstall-package", package]);
    }
    run(site, command)
}

/// Downloads the wheels again that are not what their lock names.
fn replace_damaged(site: &Site<'_>, layer: &LockedLayer) -> Result<(), EnvError> {
    let folder = site.settings.wheels();
    let is_damaged = |locked: &&Locked| {
        let found = hash_of(&folder.join(locked.filename())).ok();
        found.is_none() || found != locked.package.sha256
    };
    let damaged: Vec<_> = layer.packages.iter().filter(is_damaged).collect();
    for locked in &damaged {
        let file = folder.join(locked.filename());
        site.system.remove(&file).map_err(EnvError::io(&file))?;
    }
    if damaged.is_empty() {
        return Ok(());
    }
    let settings = site.local_settings;
    fetch_all(&HttpClient::new(settings)?, &damaged, &folder, settings.offline, &Quiet)
}

/// The packages of a layer that lack files, or have cut ones: uv's cache may have lost some, and what is shared with
/// it is not looked at while it is installed.
fn incomplete(system: &dyn System, root: &Path, layer: &LockedLayer) -> LockedLayer {
    let there = dist_info::installed(system, root);
    let site = site_packages(system, root).unwrap_or_default();
    // Some packages bring the same file, each another one, as those of dbt do: it is that of whichever came last.
    let of_another = |file: &str, size: u64| {
        there.iter().any(|one| {
            let record = system.text(root.join(&one.record)).unwrap_or_default();
            sized_lines(&record).any(|line| line == (file.to_owned(), Some(size)))
        })
    };
    let is_whole = |locked: &&Locked| {
        let Some(one) = there.iter().find(|one| one.name == locked.key()) else { return false };
        let Ok(record) = system.text(root.join(&one.record)) else { return false };
        let mut lines = sized_lines(&record);
        lines.all(|(file, size)| {
            let stat = system.stat(&root.join(flattened(&site.join(&file))));
            let is_match = |has: u64| size.is_none_or(|size| size == has) || of_another(&file, has);
            stat.is_ok_and(|stat| is_match(stat.size))
        })
    };
    let packages = layer.packages.iter().filter(|locked| !is_whole(locked)).cloned().collect();
    LockedLayer { step: layer.step.clone(), packages }
}

fn run(site: &Site<'_>, command: Command) -> Result<(), EnvError> {
    let command = command
        .env("UV_CACHE_DIR", text(&site.settings.uv_cache()))
        .env("NO_COLOR", "1")
        .timeout(Duration::from_secs(3600))
        .log(site.log);
    let output = site.system.run(&command)?;
    if output.success() {
        Ok(())
    } else {
        Err(EnvError::from_uv(&output.tail(12), &message!("the cache of wheels")))
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    #[test]
    fn an_environment_is_built_on_the_python_that_it_was_planned_for() {
        let says = |version: Option<&str>, planned: Option<&str>| {
            let folder = tempfile::tempdir().unwrap();
            let mut answers = serde_json::json!({ "schema": 1, "env": {}, "commands": {} });
            if let Some(version) = version {
                let said = serde_json::json!({ "status": 0, "stdout": format!("Python {version}\n"), "stderr": "" });
                answers["commands"]["/usr/bin/python3 -V"] = said;
                let program = folder.path().join("root/usr/bin/python3");
                Real.write(&program, b"\x7fELF", 0o755).unwrap();
            }
            let file = folder.path().join("answers.json");
            Real.write(&file, answers.to_string().as_bytes(), 0o644).unwrap();
            let python = planned.map(str::to_owned);
            let request = EnvironmentRequest { python, ..EnvironmentRequest::default() };
            is_as_planned(&Replay::open(folder.path()).unwrap(), &request)
        };
        assert!(says(Some("3.13.5"), Some("3.13")).is_ok());
        assert!(says(Some("3.13.5"), None).is_ok());
        let other = says(Some("3.14.1"), Some("3.13"));
        assert!(matches!(other, Err(EnvError::OtherPython { .. })), "{other:?}");
        assert!(matches!(says(None, Some("3.13")), Err(EnvError::NoPython)));
    }

    #[test]
    fn a_file_that_two_packages_bring_is_that_of_either() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("lib/python3.12/site-packages");
        let put = |file: &str, text: &str| {
            Real.write(&site.join(file), text.as_bytes(), 0o644).unwrap();
        };
        put("core-1.0.dist-info/RECORD", "dbt/__init__.py,sha256=x,3\ncore.py,sha256=x,4\n");
        put("duckdb-1.0.dist-info/RECORD", "dbt/__init__.py,sha256=y,5\n");
        put("core.py", "four");
        let locked = |name: &str| Locked {
            package: aitk_plan::Package {
                name: name.to_owned(),
                version: "1.0".to_owned(),
                ..aitk_plan::Package::default()
            },
            ..Locked::default()
        };
        let layer =
            LockedLayer { step: "a".to_owned(), packages: ["core", "duckdb"].map(locked).into() };
        let lost = || {
            let lost = incomplete(&Real, folder.path(), &layer).packages;
            lost.iter().map(Locked::key).collect::<Vec<_>>().join(" ")
        };
        for (text, expected) in [("one", ""), ("other", ""), ("cut!", "core duckdb")] {
            put("dbt/__init__.py", text);
            assert_eq!(lost(), expected, "{text}");
        }
        put("core.py", "cut");
        put("dbt/__init__.py", "other");
        assert_eq!(lost(), "core");
    }
}
