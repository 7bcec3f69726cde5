//! Generations: environments built aside, each in a folder named after its lock, with a link to the current one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use aitk_system::{Command, FileKind, RunError, System};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::EnvError;
use crate::lock::{Layer, Lock, normalized};
use crate::uv::Uv;
use crate::{Settings, text};

/// Written last: a folder without it is half-built.
const RECORD: &str = "aitk-generation.json";
/// Every file of every package.
const FILES: &str = "aitk-files.txt";
/// The lock that the generation is built from.
const LOCK: &str = "pylock.toml";
/// The link beside the generations.
const CURRENT: &str = "current";
/// The files of the environment itself, which belong to no package.
const ITSELF: &str = "environment";

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

    /// The folder that always leads to the generation in use.
    pub fn current_path(&self) -> PathBuf {
        self.root.join(CURRENT)
    }

    /// A generation by its lock's digest.
    pub fn generation(&self, digest: &str) -> Generation {
        Generation { path: self.root.join(digest) }
    }

    /// The generation in use, if the link leads to one that is whole.
    pub fn current(&self, system: &dyn System) -> Option<(Generation, Record)> {
        let target = system.read_link(&self.current_path()).ok()?;
        let generation = Generation { path: self.root.join(target) };
        let record = generation.record(system)?;
        Some((generation, record))
    }

    /// The whole generation that was built for a request, the current one first: what a cut link leaves behind.
    pub fn find(&self, system: &dyn System, request: &str) -> Option<(Generation, Record)> {
        let built_for = |(_, record): &(Generation, Record)| record.request == request;
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
    /// Where the link cannot be made.
    pub fn activate(&self, system: &dyn System, generation: &Generation) -> Result<(), EnvError> {
        let link = self.current_path();
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
    /// Digest of what was asked for; a generation serves every plan that asks the same.
    pub request: String,
    /// `3.12`.
    pub python: String,
    /// The framework's build, `cpu`.
    pub build: Option<String>,
    /// Packages and versions by the step that installed them.
    pub layers: BTreeMap<String, BTreeMap<String, String>>,
}

/// What is wrong with one package of a generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// The package.
    pub package: String,
    /// Files that are gone, relative to the environment.
    pub missing: Vec<String>,
    /// Files that are not as they were installed; only a deep look finds these.
    pub changed: Vec<String>,
}

impl Damage {
    /// In one line.
    pub fn describe(&self) -> String {
        let files = |what: &str, files: &[String]| match files {
            [] => None,
            [one] => Some(format!("{one} is {what}")),
            [one, rest @ ..] => Some(format!("{one} and {} more are {what}", rest.len())),
        };
        let parts: Vec<_> = files("gone", &self.missing)
            .into_iter()
            .chain(files("changed", &self.changed))
            .collect();
        format!("{}: {}", self.package, parts.join("; "))
    }
}

impl Generation {
    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name: the lock's digest.
    pub fn name(&self) -> String {
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

    /// The lock that it is built from.
    ///
    /// # Errors
    /// Where it is gone or damaged.
    pub fn lock(&self, system: &dyn System) -> Result<Lock, EnvError> {
        Lock::from_pylock(&self.path.join(LOCK), system)
    }

    /// The command that [`Generation::create`] runs.
    pub fn create_command(&self, uv: &Path, interpreter: &str, name: &str) -> Command {
        Command::changes([&text(uv), "venv", "--quiet", "--no-project", "--no-config"])
            .args(["--python", interpreter, "--prompt", name, &text(&self.path)])
            .env("UV_PYTHON_DOWNLOADS", "never")
    }

    /// Begins anew: an empty environment, whatever was half-built there before.
    ///
    /// # Errors
    /// What uv or the operating system says.
    pub fn create(
        &self,
        tools: &Tools<'_>,
        interpreter: &str,
        name: &str,
        lock: &Lock,
    ) -> Result<(), EnvError> {
        let system = tools.system;
        system.remove(&self.path).map_err(EnvError::io(&self.path))?;
        let parent = self.path.parent().unwrap_or(&self.path);
        system.create_dir(parent).map_err(EnvError::io(parent))?;
        tools.run(self.create_command(&tools.uv.path, interpreter, name))?;
        let path = self.path.join(LOCK);
        system.write(&path, lock.to_pylock().as_bytes(), 0o644).map_err(EnvError::io(&path))
    }

    /// Makes the environment's own files again, as its Python and `pyvenv.cfg`; packages are not touched.
    ///
    /// # Errors
    /// What uv or the operating system says.
    pub fn mend_itself(
        &self,
        tools: &Tools<'_>,
        interpreter: &str,
        name: &str,
    ) -> Result<(), EnvError> {
        tools.run(self.create_command(&tools.uv.path, interpreter, name).arg("--allow-existing"))
    }

    /// The command that [`Generation::install`] runs.
    pub fn install_command(&self, uv: &Path, settings: &Settings, step: &str) -> Command {
        let wanted = self.wanted(settings, step);
        Command::changes([&text(uv), "pip", "install", "--quiet", "--no-config", "--offline"])
            .args(["--no-index", "--no-deps", "--require-hashes"])
            .args(["--find-links", &text(&settings.wheels())])
            .args(["--python", &text(&self.python()), "--requirement", &text(&wanted)])
    }

    fn wanted(&self, settings: &Settings, step: &str) -> PathBuf {
        settings.cache.join("resolve").join(self.name()).join(format!("{step}.txt"))
    }

    /// Installs packages of a whole generation again.
    ///
    /// uv's cache shares its files with the environment, so what is damaged here is damaged there: the cache of these
    /// packages is emptied first, and filled again from the wheels.
    ///
    /// # Errors
    /// What uv or the operating system says.
    pub fn mend(&self, tools: &Tools<'_>, layer: &Layer, names: &[&str]) -> Result<(), EnvError> {
        let uv = text(&tools.uv.path);
        let clean = Command::changes([uv.as_str(), "cache", "clean", "--quiet", "--no-config"]);
        tools.run(clean.args(names.iter().copied()))?;
        self.install(tools, layer, names)
    }

    /// Installs a layer from wheels that have been downloaded; of those in `again` nothing that is there counts.
    ///
    /// # Errors
    /// What uv or the operating system says.
    pub fn install(
        &self,
        tools: &Tools<'_>,
        layer: &Layer,
        again: &[&str],
    ) -> Result<(), EnvError> {
        let (system, settings) = (tools.system, tools.settings);
        let wanted = self.wanted(settings, &layer.step);
        let lines: String = layer
            .packages
            .iter()
            .map(|locked| {
                let package = &locked.package;
                let hash = package.sha256.as_deref().unwrap_or_default();
                format!("{}=={} --hash=sha256:{hash}\n", package.name, package.version)
            })
            .collect();
        system.write(&wanted, lines.as_bytes(), 0o644).map_err(EnvError::io(&wanted))?;
        let mut command = self.install_command(&tools.uv.path, settings, &layer.step);
        for package in again {
            command = command.args(["--reinstall-package", package]);
        }
        tools.run(command)
    }

    /// Whether every package of a layer has been installed completely.
    pub fn has(&self, system: &dyn System, layer: &Layer) -> bool {
        let Some(site) = self.site_packages(system) else { return false };
        let there: BTreeSet<_> = installed(system, &site).into_iter().collect();
        layer.packages.iter().all(|locked| {
            let key = (normalized(&locked.package.name), locked.package.version.clone());
            there.iter().any(|(name, version, folder)| {
                *name == key.0
                    && same_version(version, &key.1)
                    && system.exists(site.join(folder).join("RECORD"))
            })
        })
    }

    /// Notes every file and, last of all, that the generation is whole.
    ///
    /// # Errors
    /// Where a package's own record cannot be read, or ours not written.
    pub fn finish(&self, system: &dyn System, lock: &Lock, request: &str) -> Result<(), EnvError> {
        let path = self.path.join(FILES);
        let files = self.files(system, lock)?;
        system.write(&path, files.as_bytes(), 0o644).map_err(EnvError::io(&path))?;
        let names = |layer: &Layer| {
            layer
                .packages
                .iter()
                .map(|locked| (locked.package.name.clone(), locked.package.version.clone()))
                .collect()
        };
        let record = Record {
            schema: 1,
            request: request.to_owned(),
            python: lock.target.python.clone(),
            build: lock.build.clone(),
            layers: lock.layers.iter().map(|layer| (layer.step.clone(), names(layer))).collect(),
        };
        let path = self.path.join(RECORD);
        let json = serde_json::to_vec_pretty(&record).unwrap_or_default();
        system.write(&path, &json, 0o644).map_err(EnvError::io(&path))
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
        deep: bool,
    ) -> Result<Vec<Damage>, EnvError> {
        let path = self.path.join(FILES);
        let list = system.text(&path).map_err(EnvError::io(&path))?;
        let mut folders: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut found = Vec::new();
        let replaced = self.replaced(system);
        let mut current: Option<Damage> = None;
        for line in list.lines() {
            if let Some(header) = line.strip_prefix("# ") {
                found.extend(current.take());
                let mut parts = header.split('\t');
                let (owner, package) = (parts.next(), parts.next().unwrap_or_default());
                let looked_at =
                    owner == Some(step.unwrap_or(ITSELF)) && !replaced.contains(package);
                current =
                    looked_at.then(|| Damage { package: package.to_owned(), ..Damage::default() });
                continue;
            }
            let Some(damage) = &mut current else { continue };
            let mut parts = line.split('\t');
            let (file, hash) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
            let names = folders.entry(folder).or_insert_with(|| {
                system.list(&self.path.join(folder)).unwrap_or_default().into_iter().collect()
            });
            if !names.contains(name) {
                damage.missing.push(file.to_owned());
            } else if deep && !hash.is_empty() && self.hash(system, file).as_deref() != Some(hash) {
                damage.changed.push(file.to_owned());
            }
        }
        found.extend(current);
        found.retain(|damage| !damage.missing.is_empty() || !damage.changed.is_empty());
        Ok(found)
    }

    /// Whether no folder of a layer has gained or lost an entry since [`Generation::note_seen`] noted them all: one
    /// look a folder instead of one a file, which is what makes a run with nothing to do fast.
    pub fn unchanged(&self, system: &dyn System, seen: &Path, step: Option<&str>) -> bool {
        let Ok(list) = system.text(seen) else { return false };
        let owner = step.unwrap_or(ITSELF);
        let mut lines = list.lines().filter_map(|line| {
            let (step, rest) = line.split_once('\t')?;
            let (mtime, folder) = rest.split_once('\t')?;
            (step == owner).then_some((mtime, folder))
        });
        let same = |(mtime, folder): (&str, &str)| {
            let stat = system.stat(&self.path.join(folder));
            stat.is_ok_and(|stat| stat.mtime.to_string() == mtime)
        };
        lines.next().is_some_and(same) && lines.all(same)
    }

    /// Notes the times of all folders, for [`Generation::unchanged`], if nothing is missing in them.
    ///
    /// # Errors
    /// Where the list of files cannot be read, or the note not written.
    pub fn note_seen(&self, system: &dyn System, seen: &Path) -> Result<(), EnvError> {
        let path = self.path.join(FILES);
        let list = system.text(&path).map_err(EnvError::io(&path))?;
        let mut folders = BTreeSet::new();
        let mut owner = "";
        for line in list.lines() {
            match line.strip_prefix("# ") {
                Some(header) => owner = header.split('\t').next().unwrap_or_default(),
                None => {
                    let file = line.split('\t').next().unwrap_or_default();
                    folders.insert((owner, file.rsplit_once('/').map_or("", |(folder, _)| folder)));
                }
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
            if !self.damage(system, step, false)?.is_empty() {
                return Ok(());
            }
        }
        system.write(seen, note.as_bytes(), 0o600).map_err(EnvError::io(seen))
    }

    /// What the user has added or replaced since the generation was built, as `name==version`.
    pub fn added(&self, system: &dyn System) -> Vec<String> {
        let (Some(record), Some(site)) = (self.record(system), self.site_packages(system)) else {
            return Vec::new();
        };
        let known: BTreeMap<_, _> = record
            .layers
            .values()
            .flatten()
            .map(|(name, version)| (normalized(name), version.clone()))
            .collect();
        installed(system, &site)
            .into_iter()
            .filter(|(name, version, _)| {
                known.get(name).is_none_or(|known| !same_version(version, known))
            })
            .map(|(name, version, _)| format!("{name}=={version}"))
            .collect()
    }

    /// Packages of ours that stand here in another version.
    fn replaced(&self, system: &dyn System) -> BTreeSet<String> {
        let added = self.added(system);
        let names = added.iter().filter_map(|entry| entry.split("==").next());
        names.map(str::to_owned).collect()
    }

    /// The list of all files: a line `# step, package` before the files of each.
    fn files(&self, system: &dyn System, lock: &Lock) -> Result<String, EnvError> {
        let site = self.site_packages(system).ok_or_else(|| EnvError::Uv {
            output: format!("{} has no site-packages", self.path.display()),
        })?;
        let within = site.strip_prefix(&self.path).unwrap_or(&site).to_owned();
        let mut list = format!("# {ITSELF}\t{ITSELF}\nbin/python\t\npyvenv.cfg\t\n");
        let folders: BTreeMap<_, _> =
            installed(system, &site).into_iter().map(|(name, _, folder)| (name, folder)).collect();
        for layer in &lock.layers {
            for locked in &layer.packages {
                let name = normalized(&locked.package.name);
                let Some(folder) = folders.get(&name) else { continue };
                let path = site.join(folder).join("RECORD");
                let bytes = system.read(&path).map_err(EnvError::io(&path))?;
                list.push_str(&format!("# {}\t{name}\n", layer.step));
                for (file, hash) in record_lines(&String::from_utf8_lossy(&bytes)) {
                    let file = text(&flattened(&within.join(file)));
                    let hash = match hash {
                        Some(hash) => hash,
                        None if file.ends_with("/RECORD") => digest(&bytes),
                        None => String::new(),
                    };
                    list.push_str(&format!("{file}\t{hash}\n"));
                }
            }
        }
        Ok(list)
    }

    fn hash(&self, system: &dyn System, file: &str) -> Option<String> {
        system.read(&self.path.join(file)).ok().map(|bytes| digest(&bytes))
    }

    fn site_packages(&self, system: &dyn System) -> Option<PathBuf> {
        let lib = self.path.join("lib");
        let names = system.list(&lib).ok()?;
        let python = names.into_iter().find(|name| name.starts_with("python3"))?;
        let site = lib.join(python).join("site-packages");
        (system.stat(&site).ok()?.kind == FileKind::Dir).then_some(site)
    }
}

/// What building takes.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Where it happens.
    pub system: &'a dyn System,
    /// The builder.
    pub uv: &'a Uv,
    /// Folders and sources.
    pub settings: &'a Settings,
    /// What the commands print goes there.
    pub log: &'a Path,
}

impl Tools<'_> {
    fn run(&self, command: Command) -> Result<(), EnvError> {
        let command = command
            .env("UV_CACHE_DIR", text(&self.settings.uv_cache()))
            .env("NO_COLOR", "1")
            .timeout(Duration::from_secs(3600))
            .log(self.log);
        let output = match self.system.run(&command) {
            Err(RunError::Interrupted { .. }) => return Err(EnvError::Interrupted),
            output => output?,
        };
        if output.success() {
            Ok(())
        } else {
            Err(EnvError::from_uv(&output.tail(12), "the cache of wheels"))
        }
    }
}

/// `(name, version, folder)` of everything in a `site-packages`.
fn installed(system: &dyn System, site: &Path) -> Vec<(String, String, String)> {
    let names = system.list(site).unwrap_or_default();
    names
        .into_iter()
        .filter_map(|folder| {
            let (name, version) = folder.strip_suffix(".dist-info")?.split_once('-')?;
            Some((normalized(name), version.to_owned(), folder))
        })
        .collect()
}

/// A version in a folder's name has `_` where the version itself has `-` or `+`… of a local part.
fn same_version(folder: &str, version: &str) -> bool {
    let plain = |text: &str| text.replace(['-', '_', '+'], ".");
    plain(folder) == plain(version)
}

fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// Paths and hashes of a wheel's `RECORD`, which is CSV.
fn record_lines(record: &str) -> impl Iterator<Item = (String, Option<String>)> {
    record.lines().filter_map(|line| {
        let (path, rest) = match line.strip_prefix('"') {
            Some(quoted) => quoted.split_once("\",")?,
            None => line.split_once(',')?,
        };
        let hash = rest.split(',').next().and_then(|hash| hash.strip_prefix("sha256="));
        // Bytecode comes and goes with use.
        (!path.ends_with(".pyc")).then(|| (path.replace("\"\"", "\""), hash.map(str::to_owned)))
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
