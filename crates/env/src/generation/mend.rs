//! Mending a generation in place: only what is damaged is made again, and what the user has added stays.

use aitk_plan::{EnvironmentRequest, Locked, LockedLayer};
use aitk_system::System;

use super::files::ITSELF;
use super::place::Generation;
use crate::backend::{Backend, Site, same_version};
use crate::error::EnvError;
use crate::files::Depth;

/// Installs again what of a generation is damaged, in place: the link stays where it is.
pub struct Mender<'a> {
    /// What installs its packages.
    pub backend: &'static dyn Backend,
    /// The machine that is mended, and the one that works for it.
    pub site: Site<'a>,
    /// The environment's name.
    pub name: &'a str,
    /// What was asked for.
    pub request: &'a EnvironmentRequest,
    /// What is worked on.
    pub generation: Generation,
    /// Files that it has besides, by their names: what makes conda's own environment know its sources.
    pub files: Vec<(String, String)>,
}

impl Mender<'_> {
    /// Makes everything that belongs to no package; again, where it is `there`.
    pub(super) fn make(&self, there: bool) -> Result<(), EnvError> {
        let Self { backend, site, name, request, generation, files } = self;
        for (file, text) in files {
            let path = generation.path().join(file);
            site.system.write(&path, text.as_bytes(), 0o644).map_err(EnvError::io(&path))?;
        }
        backend.create(site, name, request, generation.path(), there)
    }

    /// Makes the environment's own files again where they are damaged or the environment as a whole does not work, or
    /// `anyway`. Whether they were.
    ///
    /// # Errors
    /// [`EnvError::Newer`]; what the manager's tool or the operating system says.
    pub fn itself(&self, anyway: bool) -> Result<bool, EnvError> {
        let Self { site, generation, .. } = self;
        generation.may_change(site.system)?;
        let cleared =
            generation.record(site.system).is_some() && generation.clear_damaged(site.system)?;
        let damaged = cleared || !generation.faults(site.system).is_empty();
        if damaged || anyway {
            self.make(true)?;
        }
        Ok(damaged)
    }

    /// The packages of a step that are damaged.
    ///
    /// # Errors
    /// Where the list of files or the lock cannot be read.
    pub fn damaged(&self, step: &str) -> Result<LockedLayer, EnvError> {
        let Self { site, generation, .. } = self;
        let damage = generation.damage(site.system, Some(step), Depth::Content)?;
        let names: Vec<_> = damage.into_iter().map(|damage| damage.package).collect();
        let lock = generation.lock(site.system)?;
        let packages = lock.layer(step).into_iter().flat_map(|layer| &layer.packages);
        let packages = packages.filter(|locked| names.contains(&locked.key())).cloned().collect();
        Ok(LockedLayer { step: step.to_owned(), packages })
    }

    /// Installs packages again, and notes their files as they are now where the generation is whole.
    ///
    /// # Errors
    /// [`EnvError::Newer`]; what the manager's tool or the operating system says.
    pub fn layer(&self, layer: &LockedLayer) -> Result<(), EnvError> {
        let Self { backend, site, generation, .. } = self;
        generation.may_change(site.system)?;
        let names: Vec<_> = layer.packages.iter().map(Locked::key).collect();
        let files = generation.files_of(site.system, &names)?;
        backend.mend(site, generation.path(), layer, &files)?;
        // What an installation notes of itself differs from one to the next.
        self.note(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Notes the files anew: what is as it was noted gets its new time, and the environment's own count as they are.
    ///
    /// # Errors
    /// Where the lock cannot be read, or the note not written.
    pub fn note_itself(&self) -> Result<(), EnvError> {
        self.note(&[ITSELF])
    }

    fn note(&self, anew: &[&str]) -> Result<(), EnvError> {
        if self.site.dry { Ok(()) } else { self.generation.note_anew(self.site.system, anew) }
    }
}

impl Generation {
    /// The packages of a layer that have not been installed completely.
    pub(super) fn missing(
        &self,
        system: &dyn System,
        backend: &dyn Backend,
        layer: &LockedLayer,
    ) -> LockedLayer {
        let there = backend.installed(system, &self.path);
        let has = |locked: &Locked| {
            there.iter().any(|one| {
                one.name == locked.key()
                    && same_version(&one.version, &locked.exact_version())
                    && system.exists(self.path.join(&one.record))
            })
        };
        let packages = layer.packages.iter().filter(|locked| !has(locked)).cloned().collect();
        LockedLayer { step: layer.step.clone(), packages }
    }

    /// Notes the files anew; those of `anew` count as they are.
    pub(super) fn note_anew(&self, system: &dyn System, anew: &[&str]) -> Result<(), EnvError> {
        let Some(record) = self.record(system) else { return Ok(()) };
        self.note(system, &self.lock(system)?, record, anew)
    }

    /// Takes away what is damaged of the environment itself and is made again: its own files, for which it is true that
    /// they are to be made, and compiled files, which Python makes by itself.
    fn clear_damaged(&self, system: &dyn System) -> Result<bool, EnvError> {
        let damage = self.damage(system, None, Depth::Content)?;
        for file in damage.iter().flat_map(|damage| &damage.changed) {
            let path = self.path.join(file);
            system.remove(&path).map_err(EnvError::io(&path))?;
        }
        Ok(damage.iter().any(|damage| damage.package == ITSELF))
    }
}
