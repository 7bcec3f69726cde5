//! The lock: every package that an environment will hold, with its file, size and hash.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aitk_detect::Machine;
use aitk_plan::{LayerRequest, Manager, Package, digest_of};
use aitk_system::{Message, System, message};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::EnvError;
use crate::fetch::mark_of;
use crate::{Settings, conda, venv};

/// Everything that an environment will hold, layer by layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The manager that installs it.
    pub manager: Manager,
    /// What it is resolved for.
    pub target: Target,
    /// The framework's build that was taken, `cpu`; `None` without a framework.
    pub build: Option<String>,
    /// Packages by the step that installs them.
    pub layers: Vec<Layer>,
}

/// The locks of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locks {
    /// The environment's.
    pub environment: Lock,
    /// That of the conda that comes with it, if one does.
    pub base: Option<Lock>,
}

impl Locks {
    /// Reads a lock of either manager, whichever the file is; of one for several platforms, the part for the machine.
    /// Whether it fits there and what is wished for, [`crate::Manager::accept`] says.
    ///
    /// # Errors
    /// [`EnvError::BadLock`] where it is none, or lacks what installing takes.
    pub fn read(path: &Path, system: &dyn System, machine: &Machine) -> Result<Self, EnvError> {
        Ok(Self::read_for(path, system, Some(&machine.arch))?.here(machine))
    }

    /// Reads what [`Locks::to_text`] has written for a manager; `path` names it in errors.
    ///
    /// # Errors
    /// [`EnvError::BadLock`], as [`Locks::read`].
    pub fn parse(
        text: &str,
        path: &Path,
        manager: Manager,
        machine: &Machine,
    ) -> Result<Self, EnvError> {
        let locks = match manager {
            Manager::Venv => Self { environment: venv::pylock::parse(text, path)?, base: None },
            Manager::Conda => conda::lockfile::parse(text, path, Some(&machine.arch))?,
        };
        Ok(locks.here(machine))
    }

    /// The same for a machine.
    fn here(mut self, machine: &Machine) -> Self {
        let locks = &mut self;
        if locks.environment.manager == Manager::Venv {
            // What it was resolved on may have had an older or a newer one: what counts is whether its wheels fit.
            let libc = machine.libc.as_ref().filter(|libc| libc.family == "glibc");
            locks.environment.target.glibc = libc.and_then(|libc| libc.version.clone());
        }
        self
    }

    /// As [`Locks::read`]; for whatever the file is for where there is no `arch`.
    pub(crate) fn read_for(
        path: &Path,
        system: &dyn System,
        arch: Option<&str>,
    ) -> Result<Self, EnvError> {
        if path.extension().is_some_and(|extension| extension == "toml") {
            Ok(Self { environment: venv::pylock::read(path, system)?, base: None })
        } else {
            conda::lockfile::read(path, system, arch)
        }
    }

    /// The text of a file that [`Locks::read`] reads, and others too: `pylock.toml`, or the form of pixi.
    ///
    /// # Errors
    /// [`EnvError::BadLock`] where a package lacks what the form needs.
    pub fn to_text(&self) -> Result<String, EnvError> {
        match self.environment.manager {
            Manager::Venv => Ok(venv::pylock::write(&self.environment)),
            Manager::Conda => conda::lockfile::write(self, &[]),
        }
    }
}

/// What a lock is resolved for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `3.12`.
    pub python: String,
    /// As `uname -m` says it.
    pub arch: String,
    /// `2.39`; `None` where it is not glibc.
    pub glibc: Option<String>,
}

/// The packages that one step installs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The step.
    pub step: String,
    /// Its packages, by name.
    pub packages: Vec<Locked>,
}

/// One package of a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// What a plan shows of it.
    #[serde(flatten)]
    pub package: Package,
    /// Bytes on disk once unpacked, where its source could tell.
    pub unpacked: Option<u64>,
    /// Files once unpacked, where its source could tell.
    pub files: Option<u64>,
}

impl Locked {
    /// The name by which it is told from others: conda's is exact, a project of an index has its name normalized.
    pub fn key(&self) -> String {
        match self.package.build {
            Some(_) => self.package.name.clone(),
            None => normalized(&self.package.name),
        }
    }

    /// The version, with the build where packages have builds.
    pub fn exact_version(&self) -> String {
        match &self.package.build {
            Some(build) => format!("{}={build}", self.package.version),
            None => self.package.version.clone(),
        }
    }

    /// Whether its file has been downloaded into a folder.
    pub fn is_in(&self, folder: &Path, system: &dyn System) -> bool {
        let file = self.filename();
        let mark = system.text(mark_of(folder, &file)).ok();
        mark.is_some()
            && mark == self.package.sha256
            && system
                .stat(&folder.join(&file))
                .is_ok_and(|stat| self.package.size.is_none_or(|size| size == stat.size))
    }

    /// Where its file comes from: the address of the channel, or the host of a wheel with its scheme.
    pub fn origin(&self) -> String {
        let url = self.package.url.as_deref().unwrap_or_default();
        match self.package.build {
            Some(_) => url.rsplitn(3, '/').last().unwrap_or_default().to_owned(),
            None => host_of(url),
        }
    }

    /// The name of its file.
    pub fn filename(&self) -> String {
        let url = self.package.url.as_deref().unwrap_or_default();
        let path = url.split(['#', '?']).next().unwrap_or_default();
        percent_decoded(path.rsplit('/').next().unwrap_or_default())
    }
}

/// The scheme and the host of an address, with the port where it is named; of a file its folder.
pub(crate) fn host_of(address: &str) -> String {
    let folder = || address.rsplit_once('/').map_or(address, |(folder, _)| folder).to_owned();
    match Url::parse(address) {
        Ok(url) if url.has_host() => url.origin().ascii_serialization(),
        _ => folder(),
    }
}

/// A project's name as PEP 503 compares it.
pub(crate) fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// Decodes `%2B`, which indexes write for the `+` of local versions.
fn percent_decoded(text: &str) -> String {
    text.replace("%2B", "+").replace("%2b", "+")
}

impl Lock {
    /// A short name for exactly this set of files: two locks with the same name build the same environment.
    pub fn digest(&self) -> String {
        let mut files: Vec<_> = self.packages().map(|locked| &locked.package.sha256).collect();
        files.sort();
        digest_of(&(&self.target, files))
    }

    /// Its text as [`Locks::to_text`] has it, without a conda that comes with it, and with its channels in this order.
    ///
    /// # Errors
    /// [`EnvError::BadLock`] where a package lacks what the form needs.
    pub fn to_text(&self, channels: &[String]) -> Result<String, EnvError> {
        let locks = Locks { environment: self.clone(), base: None };
        match self.manager {
            Manager::Venv => locks.to_text(),
            Manager::Conda => conda::lockfile::write(&locks, channels),
        }
    }

    /// The addresses of the channels that its packages come from, the preferred one first.
    ///
    /// # Errors
    /// [`EnvError::BadChannel`] where one that is set is none; [`EnvError::BadPackage`] for a record that is none.
    pub fn channels(&self, settings: &Settings) -> Result<Vec<String>, EnvError> {
        match self.manager {
            Manager::Venv => Ok(Vec::new()),
            Manager::Conda => conda::channels_of(self, settings),
        }
    }

    /// Whether it is for a machine and a version of Python at all; why not, in words.
    pub(crate) fn suits(&self, arch: &str, python: Option<&str>) -> Result<(), Message> {
        let target = &self.target;
        if target.arch != arch {
            return Err(message!("it is for {}, and this machine is {arch}", target.arch));
        }
        match python {
            Some(python) if python != target.python => Err(message!(
                "it is for Python {}, and Python {python} is what the environment is to have",
                target.python
            )),
            _ => Ok(()),
        }
    }

    /// The packages that these names lead to.
    pub(crate) fn reached(
        &self,
        names: Vec<String>,
        needs_of: impl Fn(&Locked) -> Vec<String>,
    ) -> BTreeSet<String> {
        reached(self.packages(), names, needs_of)
    }

    /// Gives the packages of a lock that knows no layers to those that ask for them, each to the first.
    pub fn layered(self, requests: &[LayerRequest]) -> Self {
        if self.manager == Manager::Venv {
            return self;
        }
        let packages = self.layers.into_iter().flat_map(|layer| layer.packages).collect();
        let wishes: Vec<_> = requests.iter().map(|r| (&r.step, &r.requirements)).collect();
        Self { layers: into_layers(&wishes, packages, conda::name_of, conda::needs_of), ..self }
    }

    /// Puts the packages into the layers that a generation has noted, by name.
    pub(crate) fn in_layers(self, noted: &BTreeMap<String, BTreeMap<String, String>>) -> Self {
        if self.manager == Manager::Venv {
            return self;
        }
        let mut layers: Vec<Layer> =
            noted.keys().map(|step| Layer { step: step.clone(), packages: Vec::new() }).collect();
        for locked in self.layers.into_iter().flat_map(|layer| layer.packages) {
            let has = |layer: &&mut Layer| noted[&layer.step].contains_key(&locked.package.name);
            if let Some(layer) = layers.iter_mut().find(has) {
                layer.packages.push(locked);
            }
        }
        Self { layers, ..self }
    }

    /// The exact version of every package, by the name that tells it from others.
    pub fn versions(&self) -> BTreeMap<String, String> {
        self.packages().map(|locked| (locked.key(), locked.exact_version())).collect()
    }

    /// Whether it has the package that a requirement names.
    pub fn has(&self, requirement: &str) -> bool {
        let name = match self.manager {
            Manager::Conda => conda::name_of(requirement),
            Manager::Venv => venv::project(requirement),
        };
        self.packages().any(|locked| locked.key() == name)
    }

    /// All packages.
    pub fn packages(&self) -> impl Iterator<Item = &Locked> {
        self.layers.iter().flat_map(|layer| &layer.packages)
    }

    /// The layer of a step.
    pub fn layer(&self, step: &str) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.step == step)
    }
}

/// Each package goes to the first layer that asks for it, itself or through others; the last layer takes the rest.
/// `name_of` is what a requirement names, `needs_of` what a package needs.
pub(crate) fn into_layers(
    wishes: &[(&String, &Vec<String>)],
    packages: Vec<Locked>,
    name_of: impl Fn(&str) -> String,
    needs_of: impl Fn(&Locked) -> Vec<String>,
) -> Vec<Layer> {
    let mut left = packages;
    let mut layers = Vec::new();
    for (index, (step, requirements)) in wishes.iter().enumerate() {
        let names = requirements.iter().map(|requirement| name_of(requirement)).collect();
        let reached = reached(&left, names, &needs_of);
        let is_last = index + 1 == wishes.len();
        let (here, rest) =
            left.into_iter().partition(|locked| is_last || reached.contains(&locked.key()));
        layers.push(Layer { step: (*step).clone(), packages: here });
        left = rest;
    }
    layers
}

/// The packages that these names lead to, themselves or through what they need.
fn reached<'a>(
    packages: impl IntoIterator<Item = &'a Locked>,
    names: Vec<String>,
    needs_of: impl Fn(&Locked) -> Vec<String>,
) -> BTreeSet<String> {
    let all: BTreeMap<String, &Locked> =
        packages.into_iter().map(|locked| (locked.key(), locked)).collect();
    let mut open = names;
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(locked) = all.get(&name)
            && reached.insert(name)
        {
            open.extend(needs_of(locked));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_package_comes_from_is_a_host_a_channel_or_a_folder() {
        let of = |url: &str, build: Option<&str>| {
            let package = Package {
                url: Some(url.to_owned()),
                build: build.map(str::to_owned),
                ..Package::default()
            };
            Locked { package, ..Locked::default() }.origin()
        };
        assert_eq!(of("https://x.example:8443/a/b.whl", None), "https://x.example:8443");
        assert_eq!(of("https://own.example@evil.example/b.whl", None), "https://evil.example");
        assert_eq!(of("HTTPS://X.example:443/b.whl", None), "https://x.example");
        assert_eq!(of("file:///srv/files/b.whl", None), "file:///srv/files");
        let channel = of("https://x.example/conda/noarch/b-1-0.conda", Some("0"));
        assert_eq!(channel, "https://x.example/conda");
        assert_eq!(of("", None), "");
    }
}
