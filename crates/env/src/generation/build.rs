//! Building a generation aside: it is started, gets its layers, is looked through and finished.

use std::io;

use aitk_plan::{Lock, LockedLayer};
use aitk_system::{System, inside, message};

use super::environments::Environments;
use super::mend::Mender;
use super::place::Generation;
use super::record::GenerationRecord;
use crate::error::EnvError;
use crate::files::Depth;

/// Builds a generation from a lock.
pub struct Builder<'a> {
    /// Where, with what and for which request.
    pub mender: Mender<'a>,
    /// What it is to hold.
    pub lock: &'a Lock,
    /// What it will say of itself.
    pub record: GenerationRecord,
}

impl Builder<'_> {
    /// Begins in an empty place, with everything that belongs to no package.
    ///
    /// # Errors
    /// Where the environment in use is, nothing is cleared; what the manager's tool or the operating system says.
    pub fn start(&self) -> Result<(), EnvError> {
        let Mender { site, generation, .. } = &self.mender;
        generation.clear(site.system)?;
        self.mender.make(false)?;
        generation.keep_lock(site.system, self.lock)
    }

    /// Keeps the lock again in an environment that has lost it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep_lock(&self) -> Result<(), EnvError> {
        let Mender { site, generation, .. } = &self.mender;
        match generation.kept_lock(site.system) {
            Some(_) => Ok(()),
            None => generation.keep_lock(site.system, self.lock),
        }
    }

    /// Installs the packages of a step from files that have been downloaded, after those of the steps before it. `false`
    /// where some are not there afterwards, as in a dry run.
    ///
    /// # Errors
    /// What the manager's tool or the operating system says.
    pub fn layer(&self, step: &str) -> Result<bool, EnvError> {
        let Mender { backend, site, generation, .. } = &self.mender;
        let Some(layer) = self.lock.layer(step) else { return Ok(true) };
        backend.install(site, generation.path(), self.lock, step)?;
        Ok(generation.missing(site.system, *backend, layer).packages.is_empty())
    }

    /// The layers that a broken run, or somebody, has left incomplete.
    pub fn missing(&self) -> Vec<LockedLayer> {
        let Mender { backend, site, generation, .. } = &self.mender;
        let missing = |layer| generation.missing(site.system, *backend, layer);
        let all = self.lock.layers.iter().map(missing);
        all.filter(|layer| !layer.packages.is_empty()).collect()
    }

    /// Notes every file and, last of all, that the generation is whole.
    ///
    /// # Errors
    /// Where a package's own record cannot be read, or ours not written.
    pub fn finish(&self) -> Result<(), EnvError> {
        let Mender { site, generation, .. } = &self.mender;
        if site.dry {
            return Ok(());
        }
        let when = Some(site.system.now().to_string());
        generation.note(
            site.system,
            self.lock,
            GenerationRecord { when, ..self.record.clone() },
            &[],
        )
    }

    /// The steps of a finished generation of which files are not there, or are cut: it is not what the lock says yet.
    ///
    /// # Errors
    /// Where the list of files cannot be read.
    pub fn prove(&self) -> Result<Vec<String>, EnvError> {
        let Mender { site, generation, .. } = &self.mender;
        let mut lost = Vec::new();
        for LockedLayer { step, .. } in &self.lock.layers {
            if !generation.damage(site.system, Some(step), Depth::Sizes)?.is_empty() {
                lost.push(step.clone());
            }
        }
        Ok(lost)
    }
}

impl Generation {
    /// Clears the place, whatever was half-built there before. Where the environment in use is, nothing is ever cleared.
    pub(super) fn clear(&self, system: &dyn System) -> Result<(), EnvError> {
        let parent = self.path.parent().unwrap_or(&self.path);
        if Environments::beside(self).in_use(system, self) {
            let in_use = io::Error::other(message!("it is the environment in use"));
            return Err(EnvError::io(&self.path)(in_use));
        }
        inside(system, parent, &self.path).map_err(EnvError::io(&self.path))?;
        system.remove(&self.path).map_err(EnvError::io(&self.path))?;
        system.create_dir(parent).map_err(EnvError::io(parent))
    }

    /// Keeps the lock that the generation is built from, in it.
    pub(super) fn keep_lock(&self, system: &dyn System, lock: &Lock) -> Result<(), EnvError> {
        let path = self.path.join(lock.manager.lock_file());
        system.write(&path, lock.to_text(&[])?.as_bytes(), 0o644).map_err(EnvError::io(&path))
    }
}
