//! Virtual environments, resolved and filled by uv.

mod index;
mod resolve;
mod sources;
mod uv;
mod wheel;

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use aitk_detect::{Tables, detect};
use aitk_plan::{
    Accelerator, BuildRequest, Layer, Lock, Locked, Manager as Kind, Target, normalized, project,
};
use aitk_system::{Command, FileKind, Message, System, message, quote};

pub use sources::UvSources;
pub(crate) use uv::fetch_uv_wheel;
pub use uv::{Uv, fetch_uv, find_uv, install_uv, note_of, own_uv, uv_wheel};

use crate::error::EnvError;
use crate::fetch::{Client, FetchProgress, fetch_all, hash_of};
use crate::files::digest;
use crate::generation::{Generation, same_version};
use crate::inside::Inside;
use crate::manager::{Footprint, Installed, Inventory, Manager, Own, Request, Site, Taken, lacks};
use crate::text;

/// The manager `venv`.
pub(crate) struct Venv<'a> {
    pub site: Site<'a>,
}

impl Manager for Venv<'_> {
    fn target(&self, python: &str) -> Target {
        let machine = self.site.machine;
        let glibc = machine.libc.as_ref().filter(|libc| libc.family == "glibc");
        Target {
            python: python.to_owned(),
            arch: machine.arch.clone(),
            glibc: glibc.and_then(|libc| libc.version.clone()),
        }
    }

    fn resolve(&self, request: &Request<'_>) -> Result<Lock, EnvError> {
        let site = &self.site;
        // A step of this run may have brought the interpreter.
        let here = detect(site.system, &Tables::default()).machine;
        let wanted = request.interpreter.unwrap_or(SYSTEM_PYTHON);
        let is_it = |python: &&aitk_detect::Python| {
            python.path == Path::new(wanted) || wanted == SYSTEM_PYTHON
        };
        let found = here.python.iter().find(is_it).filter(|_| site.is_local);
        let python = match (found.and_then(|python| python.minor()), request.python) {
            (Some((major, minor)), _) => format!("{major}.{minor}"),
            (None, Some(python)) if !site.is_local => python.to_owned(),
            _ => return Err(EnvError::NoPython),
        };
        let target = self.target(&python);
        let interpreter = found.map(|python| text(&python.path));
        // Resolving writes into the cache only, which is no change of the machine.
        resolve::resolve(
            site.local,
            &self.uv()?,
            site.local_settings,
            resolve::Wishes {
                layers: request.layers,
                builds: request.builds,
                target: &target,
                interpreter: interpreter.as_deref(),
            },
        )
    }

    fn accept(&self, lock: &Lock, request: &Request<'_>) -> Result<(), EnvError> {
        let machine = self.site.machine;
        lock.suits(&machine.arch, request.python).map_err(|reason| {
            EnvError::unfit(
                reason,
                message!("choose that version with --python {}", lock.target.python),
            )
        })?;
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
        for layer in request.layers {
            let has = |name: &String| lock.packages().any(|locked| locked.key() == *name);
            let names = request.names(layer, project, has);
            if let Some(missing) = names.iter().find(|name| !has(name)) {
                return Err(lacks(missing, &layer.step));
            }
        }
        Ok(())
    }

    fn taken<'r>(&self, builds: &'r [BuildRequest], lock: &Lock) -> Option<Taken<'r>> {
        let request = builds.iter().find(|build| Some(&build.name) == lock.build.as_ref())?;
        Some(Taken { request, name: request.name.clone(), why: None })
    }

    fn accelerator(&self, _: &Accelerator, _: &str) -> Option<Accelerator> {
        None
    }

    fn create(&self, request: &Request<'_>, generation: &Generation) -> Result<(), EnvError> {
        self.run(self.create_command(&self.uv()?.path, request, generation))
    }

    fn mend_itself(&self, request: &Request<'_>, generation: &Generation) -> Result<(), EnvError> {
        let command = self.create_command(&self.uv()?.path, request, generation);
        self.run(command.arg("--allow-existing"))
    }

    fn install(&self, generation: &Generation, lock: &Lock, step: &str) -> Result<(), EnvError> {
        let Some(layer) = lock.layer(step) else { return Ok(()) };
        match self.install_layer(generation, layer, &[]) {
            // What a cache has lost meanwhile is fetched anew, once.
            Err(EnvError::Uv { .. } | EnvError::Unsolvable { .. }) => {
                self.replace_damaged(layer)?;
                self.mend(generation, layer)?;
            }
            installed => installed?,
        }
        let lost = self.incomplete(generation, layer);
        if lost.packages.is_empty() {
            return Ok(());
        }
        self.replace_damaged(&lost)?;
        self.mend(generation, &lost)?;
        match self.incomplete(generation, &lost).packages.first() {
            None => Ok(()),
            Some(locked) => Err(EnvError::bad_package(
                locked.filename(),
                message!("files that it names are not there once it is installed"),
            )),
        }
    }

    /// uv's cache shares its files with the environment, so what is damaged here is damaged there: the cache of these
    /// packages is emptied first, and filled again from the wheels.
    fn mend(&self, generation: &Generation, layer: &Layer) -> Result<(), EnvError> {
        let names: Vec<_> = layer.packages.iter().map(Locked::key).collect();
        let uv = text(&self.uv()?.path);
        let clean = Command::changes([uv.as_str(), "cache", "clean", "--quiet", "--no-config"]);
        self.run(clean.args(names.iter().map(String::as_str)))?;
        self.install_layer(generation, layer, &names)
    }

    fn create_commands(&self, request: &Request<'_>, generation: &Generation) -> Vec<Message> {
        vec![Message::plain(self.create_command(&self.uv_path(), request, generation))]
    }

    fn install_commands(&self, generation: &Generation, layer: &Layer) -> Vec<Message> {
        vec![Message::plain(self.install_command(&self.uv_path(), generation, &layer.step))]
    }

    /// A source that tells no sizes of the files inside leaves an estimate: wheels unpack to 3.4 times their size, as
    /// measured over the libraries of the profile `low`.
    fn footprint(&self, locked: &Locked) -> Footprint {
        Footprint::of(locked, 34)
    }
}

/// Where nobody looks at how a download goes on.
struct Silent;

impl FetchProgress for Silent {
    fn bytes(&self, _: u64) {}
}

/// The Python of the distribution, wherever its name leads.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

impl Venv<'_> {
    /// An installed uv, or at least one in the cache.
    fn uv(&self) -> Result<Uv, EnvError> {
        let site = &self.site;
        let machine = detect(site.local, &Tables::default()).machine;
        fetch_uv(site.local, &machine, site.catalog, site.local_settings, &Silent)
    }

    /// Where the uv is, or will be, that the plan's commands name.
    fn uv_path(&self) -> PathBuf {
        let site = &self.site;
        find_uv(site.system, site.catalog, site.settings, false)
            .map_or_else(|| own_uv(&site.settings.data, site.catalog), |uv| uv.path)
    }

    fn create_command(&self, uv: &Path, request: &Request<'_>, generation: &Generation) -> Command {
        Command::changes([&text(uv), "venv", "--quiet", "--no-project", "--no-config"])
            .args(["--python", request.interpreter.unwrap_or(SYSTEM_PYTHON)])
            .args(["--prompt", request.name, &text(generation.path())])
            .env("UV_PYTHON_DOWNLOADS", "never")
    }

    fn install_command(&self, uv: &Path, generation: &Generation, step: &str) -> Command {
        let wanted = self.wanted(generation, step);
        Command::changes([&text(uv), "pip", "install", "--quiet", "--no-config", "--offline"])
            .args(["--no-index", "--no-deps", "--require-hashes", "--only-binary", ":all:"])
            .args(["--find-links", &text(&self.site.settings.wheels())])
            .args(["--python", &text(&generation.python()), "--requirement", &text(&wanted)])
    }

    fn wanted(&self, generation: &Generation, step: &str) -> PathBuf {
        let folder = self.site.settings.cache.join("resolve").join(generation.name());
        folder.join(format!("{step}.txt"))
    }

    /// Installs a layer from wheels that have been downloaded; of those in `again` nothing that is there counts.
    fn install_layer(
        &self,
        generation: &Generation,
        layer: &Layer,
        again: &[String],
    ) -> Result<(), EnvError> {
        let wanted = self.wanted(generation, &layer.step);
        let lines: String = layer
            .packages
            .iter()
            .map(|locked| {
                let package = &locked.package;
                let hash = package.sha256.as_deref().unwrap_or_default();
                format!("{}=={} --hash=sha256:{hash}\n", package.name, package.version)
            })
            .collect();
        self.site.system.write(&wanted, lines.as_bytes(), 0o600).map_err(EnvError::io(&wanted))?;
        let mut command = self.install_command(&self.uv()?.path, generation, &layer.step);
        for package in again {
            command = command.args(["--reinstall-package", package]);
        }
        self.run(command)
    }

    /// Downloads the wheels again that are not what their lock names.
    fn replace_damaged(&self, layer: &Layer) -> Result<(), EnvError> {
        let folder = self.site.settings.wheels();
        let is_damaged = |locked: &&Locked| {
            let found = hash_of(&folder.join(locked.filename())).ok();
            found.is_none() || found != locked.package.sha256
        };
        let damaged: Vec<_> = layer.packages.iter().filter(is_damaged).collect();
        for locked in &damaged {
            let file = folder.join(locked.filename());
            self.site.system.remove(&file).map_err(EnvError::io(&file))?;
        }
        if damaged.is_empty() {
            return Ok(());
        }
        let settings = self.site.local_settings;
        fetch_all(&Client::new(settings)?, &damaged, &folder, settings.offline, &Silent)
    }

    /// The packages of a layer that lack files, or have cut ones: uv's cache may have lost some, and what is shared with
    /// it is not looked at while it is installed.
    fn incomplete(&self, generation: &Generation, layer: &Layer) -> Layer {
        let (system, root) = (self.site.system, generation.path());
        let there = DistInfo.installed(system, root);
        let site = site_packages(system, root).unwrap_or_default();
        let is_whole = |locked: &&Locked| {
            let Some(one) = there.iter().find(|one| one.name == locked.key()) else { return false };
            let Ok(record) = system.text(root.join(&one.record)) else { return false };
            let mut lines = sized_lines(&record);
            lines.all(|(file, size)| {
                let stat = system.stat(&root.join(flattened(&site.join(file))));
                stat.is_ok_and(|stat| size.is_none_or(|size| size == stat.size))
            })
        };
        let packages = layer.packages.iter().filter(|locked| !is_whole(locked)).cloned().collect();
        Layer { step: layer.step.clone(), packages }
    }

    fn run(&self, command: Command) -> Result<(), EnvError> {
        let command = command
            .env("UV_CACHE_DIR", text(&self.site.settings.uv_cache()))
            .env("NO_COLOR", "1")
            .timeout(Duration::from_secs(3600))
            .log(self.site.log);
        let output = self.site.system.run(&command)?;
        if output.success() {
            Ok(())
        } else {
            Err(EnvError::from_uv(&output.tail(12), &message!("the cache of wheels")))
        }
    }
}

/// As the scripts do that uv puts beside the interpreter.
pub(crate) fn inside(prefix: &Path) -> Inside {
    let script = |name: &str| quote(&text(&prefix.join("bin").join(name)));
    Inside {
        folders: vec![prefix.join("bin")],
        variables: vec![("VIRTUAL_ENV", text(prefix))],
        scripts: None,
        activation: format!(". {}\n", script("activate")),
        fish: Some(format!("source {}", script("activate.fish"))),
    }
}

/// What wheels leave in `site-packages`: a folder `.dist-info` each, with a `RECORD` of all files.
pub(crate) struct DistInfo;

impl Inventory for DistInfo {
    /// What uv makes before any package comes.
    fn own_files(&self, system: &dyn System, root: &Path) -> Vec<Own> {
        const PROGRAMS: [&str; 4] = ["activate", "deactivate", "pydoc", "python"];
        const BESIDE: [&str; 2] = ["_virtualenv.pth", "_virtualenv.py"];
        let own = |path: String| Own { path, stays: true };
        let mut files = vec![own("bin/python".to_owned()), own("pyvenv.cfg".to_owned())];
        let programs = system.list(&root.join("bin")).unwrap_or_default().into_iter();
        let programs = programs.filter(|name| PROGRAMS.iter().any(|own| name.starts_with(own)));
        files.extend(
            programs.filter(|name| name != "python").map(|name| own(format!("bin/{name}"))),
        );
        if let Some(site) = site_packages(system, root) {
            let beside = BESIDE.iter().map(|name| site.join(name));
            files.extend(
                beside.filter(|file| system.exists(root.join(file))).map(|f| own(text(&f))),
            );
        }
        files.extend(system.exists(root.join("lib64")).then(|| own("lib64".to_owned())));
        files
    }

    fn notes(&self, system: &dyn System, root: &Path) -> Vec<PathBuf> {
        let Some(site) = site_packages(system, root) else { return Vec::new() };
        let names = system.list(&root.join(&site)).unwrap_or_default().into_iter();
        let folders = names.filter(|name| name.ends_with(".dist-info"));
        folders.map(|folder| site.join(folder).join("RECORD")).collect()
    }

    fn installed(&self, system: &dyn System, root: &Path) -> Vec<Installed> {
        let Some(site) = site_packages(system, root) else { return Vec::new() };
        let names = system.list(&root.join(&site)).unwrap_or_default();
        names
            .into_iter()
            .filter_map(|folder| {
                let (name, version) = folder.strip_suffix(".dist-info")?.split_once('-')?;
                Some(Installed {
                    name: normalized(name),
                    version: version.to_owned(),
                    by: Kind::Venv,
                    record: site.join(&folder).join("RECORD"),
                })
            })
            .collect()
    }

    fn requested(&self, _: &dyn System, _: &Path, _: &Installed) -> Vec<String> {
        Vec::new()
    }

    fn paths(&self, system: &dyn System, root: &Path, installed: &Installed) -> Vec<String> {
        let site = site_packages(system, root).unwrap_or_default();
        let record = system.text(root.join(&installed.record)).unwrap_or_default();
        record_lines(&record).map(|(file, _)| text(&flattened(&site.join(file)))).collect()
    }

    fn files(
        &self,
        system: &dyn System,
        root: &Path,
        locked: &Locked,
    ) -> Result<Vec<(String, Option<String>)>, EnvError> {
        let site = site_packages(system, root).unwrap_or_default();
        let there = self.installed(system, root);
        let (key, version) = (locked.key(), locked.exact_version());
        // Another version beside the right one is not the package.
        let named = || there.iter().filter(|one| one.name == key);
        let right = named().find(|one| same_version(&one.version, &version));
        let Some(one) = right.or_else(|| named().next_back()) else { return Ok(Vec::new()) };
        let path = root.join(&one.record);
        let bytes = system.read(&path).map_err(EnvError::io(&path))?;
        let line = |(file, hash): (String, Option<String>)| {
            let file = text(&flattened(&site.join(file)));
            let hash = match hash {
                Some(hash) => Some(hash),
                None if file.ends_with("/RECORD") => Some(digest(&bytes)),
                None => None,
            };
            (file, hash)
        };
        Ok(record_lines(&String::from_utf8_lossy(&bytes)).map(line).collect())
    }
}

/// Where an environment's Python looks for packages, relative to the environment.
fn site_packages(system: &dyn System, root: &Path) -> Option<PathBuf> {
    let names = system.list(&root.join("lib")).ok()?;
    let python = names.into_iter().find(|name| name.starts_with("python3"))?;
    let site = Path::new("lib").join(python).join("site-packages");
    (system.stat(&root.join(&site)).ok()?.kind == FileKind::Dir).then_some(site)
}

/// Paths and hashes of a wheel's `RECORD`.
fn record_lines(record: &str) -> impl Iterator<Item = (String, Option<String>)> {
    csv_lines(record).map(|(path, rest)| {
        let hash = rest.split(',').next().and_then(|hash| hash.strip_prefix("sha256="));
        (path, hash.map(str::to_owned))
    })
}

/// Paths and sizes of a wheel's `RECORD`, as far as it tells them.
fn sized_lines(record: &str) -> impl Iterator<Item = (String, Option<u64>)> {
    csv_lines(record)
        .map(|(path, rest)| (path, rest.split(',').nth(1).and_then(|n| n.parse().ok())))
}

/// Paths of a `RECORD`, which is CSV, with what comes after each. Bytecode comes and goes with use.
fn csv_lines(record: &str) -> impl Iterator<Item = (String, &str)> {
    record.lines().filter_map(|line| {
        let (path, rest) = match line.strip_prefix('"') {
            Some(quoted) => quoted.split_once("\",")?,
            None => line.split_once(',')?,
        };
        (!path.ends_with(".pyc")).then(|| (path.replace("\"\"", "\""), rest))
    })
}

/// Resolves `..` in a relative path, as `../../../bin/jupyter` in a `RECORD`.
fn flattened(path: &Path) -> PathBuf {
    let mut flat = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = flat.pop(),
            part => flat.push(part),
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_lines_are_read_with_quotes_and_without_bytecode() {
        let record =
            "a/b.py,sha256=xyz,12\n\"a/c,d.py\",sha256=q,1\na/e.pyc,,\nx.dist-info/RECORD,,\n";
        let lines: Vec<_> = record_lines(record).collect();
        assert_eq!(
            lines,
            [
                ("a/b.py".to_owned(), Some("xyz".to_owned())),
                ("a/c,d.py".to_owned(), Some("q".to_owned())),
                ("x.dist-info/RECORD".to_owned(), None),
            ]
        );
    }

    #[test]
    fn a_path_out_of_site_packages_is_flattened() {
        let path = Path::new("lib/python3.12/site-packages/../../../bin/jupyter");
        assert_eq!(flattened(path), Path::new("bin/jupyter"));
    }
}
