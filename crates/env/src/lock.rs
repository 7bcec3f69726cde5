//! Locks as files.

use std::path::Path;

use aitk_detect::Machine;
use aitk_plan::{Locks, Manager};
use aitk_system::System;

use crate::error::EnvError;

/// Reads a lock of either manager, whichever the file is; of one for several platforms, the part for the machine.
/// Whether it fits there and what is wished for, [`crate::Backend::accept`] says.
///
/// # Errors
/// [`aitk_plan::LockError::BadLock`] where it is none, or lacks what installing takes.
pub fn read_locks(path: &Path, system: &dyn System, machine: &Machine) -> Result<Locks, EnvError> {
    Ok(read_for(path, system, Some(&machine.arch))?.here(machine))
}

/// The same for whatever the file is for where there is no `arch`.
pub(crate) fn read_for(
    path: &Path,
    system: &dyn System,
    arch: Option<&str>,
) -> Result<Locks, EnvError> {
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    let text = system.text(path).map_err(EnvError::io(path))?;
    let manager = if is_toml { Manager::Venv } else { Locks::manager_of(&text) };
    Ok(Locks::parse(&text, path, manager, arch)?)
}
