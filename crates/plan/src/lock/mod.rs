//! The lock: every package that an environment will hold, with its file, size and hash. Here are its forms as text:
//! `pylock.toml` (PEP 751) of virtual environments, and that of rattler and pixi of conda's.

pub mod conda;
mod error;
mod layers;
mod locked;
pub mod pylock;
mod record;

use std::collections::BTreeMap;
use std::path::Path;

use aitk_detect::Machine;
use aitk_system::{Message, message};

pub use error::LockError;
pub use layers::{into_layers, reached};
pub use locked::{LARGEST, Lock, LockTarget, Locked, LockedLayer, Locks, Package, host_of};

use crate::manager::Manager;
use crate::request::LayerRequest;
use crate::requirement::{normalized, project};

impl Locks {
    /// Reads what [`Locks::to_text`] has written for a manager, and others write in that form; of a lock for several
    /// architectures the part for this one, or the first. `path` names the text in errors.
    ///
    /// # Errors
    /// [`LockError::BadLock`] where it is none, or lacks what installing takes.
    pub fn parse(
        text: &str,
        path: &Path,
        manager: Manager,
        arch: Option<&str>,
    ) -> Result<Self, LockError> {
        match manager {
            Manager::Venv => Ok(Self { environment: pylock::parse(text, path)?, base: None }),
            Manager::Conda => conda::parse(text, path, arch),
        }
    }

    /// The same for a machine.
    #[must_use]
    pub fn here(mut self, machine: &Machine) -> Self {
        let environment = &mut self.environment;
        if environment.manager == Manager::Venv {
            // What it was resolved on may have had an older or a newer one: what counts is whether its wheels fit.
            let libc = machine.libc.as_ref().filter(|libc| libc.family == "glibc");
            environment.target.glibc = libc.and_then(|libc| libc.version.clone());
        }
        self
    }

    /// The manager in whose form a text is.
    pub fn manager_of(text: &str) -> Manager {
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        match lines.next().is_some_and(|line| line.starts_with("lock-version")) {
            true => Manager::Venv,
            false => Manager::Conda,
        }
    }

    /// The text of a file that [`Locks::parse`] reads, and others too: `pylock.toml`, or the form of pixi.
    ///
    /// # Errors
    /// [`LockError::BadLock`] where a package lacks what the form needs.
    pub fn to_text(&self) -> Result<String, LockError> {
        match self.environment.manager {
            Manager::Venv => Ok(pylock::write(&self.environment)),
            Manager::Conda => conda::write(self, &[]),
        }
    }
}

impl Lock {
    /// Its text as [`Locks::to_text`] has it, without a conda that comes with it, and with its channels in this order.
    ///
    /// # Errors
    /// [`LockError::BadLock`] where a package lacks what the form needs.
    pub fn to_text(&self, channels: &[String]) -> Result<String, LockError> {
        match self.manager {
            Manager::Venv => Ok(pylock::write(self)),
            Manager::Conda => {
                conda::write(&Locks { environment: self.clone(), base: None }, channels)
            }
        }
    }

    /// Whether it is for a machine and a version of Python at all; why not, in words.
    ///
    /// # Errors
    /// With what it is for instead.
    pub fn suits(&self, arch: &str, python: Option<&str>) -> Result<(), Message> {
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

    /// Gives the packages of a lock that knows no layers to those that ask for them, each to the first.
    #[must_use]
    pub fn layered(self, requests: &[LayerRequest]) -> Self {
        if self.manager == Manager::Venv {
            return self;
        }
        let packages = self.layers.into_iter().flat_map(|layer| layer.packages).collect();
        let wishes: Vec<_> = requests.iter().map(|r| (&r.step, &r.requirements)).collect();
        Self { layers: into_layers(&wishes, packages, conda::name_of, conda::needs_of), ..self }
    }

    /// Puts the packages into the layers that a generation has noted, by name.
    #[must_use]
    pub fn in_layers(self, noted: &BTreeMap<String, BTreeMap<String, String>>) -> Self {
        if self.manager == Manager::Venv {
            return self;
        }
        let mut layers: Vec<LockedLayer> = noted
            .keys()
            .map(|step| LockedLayer { step: step.clone(), packages: Vec::new() })
            .collect();
        for locked in self.layers.into_iter().flat_map(|layer| layer.packages) {
            let has =
                |layer: &&mut LockedLayer| noted[&layer.step].contains_key(&locked.package.name);
            if let Some(layer) = layers.iter_mut().find(has) {
                layer.packages.push(locked);
            }
        }
        Self { layers, ..self }
    }

    /// Whether it has the package that a requirement names.
    pub fn has(&self, requirement: &str) -> bool {
        let name = name_of(self.manager, requirement);
        self.packages().any(|locked| locked.key() == name)
    }
}

/// The package that a requirement names, as [`Locked::key`] has it.
pub fn name_of(manager: Manager, requirement: &str) -> String {
    match manager {
        Manager::Conda => conda::name_of(requirement),
        Manager::Venv => project(requirement),
    }
}

/// A package's name as [`Locked::key`] has it.
pub fn key_of(manager: Manager, name: &str) -> String {
    match manager {
        Manager::Conda => name.to_owned(),
        Manager::Venv => normalized(name),
    }
}
