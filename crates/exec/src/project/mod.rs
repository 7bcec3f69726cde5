//! A project in its folder: what was written there, what becomes of each file when something newer is written, and what
//! is taken away again. What the user has changed is never lost.

mod age;
mod begun;
mod record;
mod update;

use std::path::{Path, PathBuf};

use aitk_system::{FileKind, Hold, System, inside};

pub use age::{ProjectAge, client_lack, credentials_lack, project_age};
pub(crate) use begun::Begun;
pub use record::{ProjectRecord, RecordedFile};
pub(crate) use update::{PlannedFile, changes, write};

use crate::error::ExecError;

/// Where a project keeps what aitk knows of it.
pub const OWN: &str = ".aitk";
/// Where what both sides have changed is laid beside, below [`OWN`].
pub(crate) const CONFLICTS: &str = "conflicts";

/// Keeps every other run, of whichever user, from the project of a folder until it is dropped.
///
/// # Errors
/// Where another run has it, and what the operating system says.
pub(crate) fn hold(folder: &Path, system: &dyn System) -> Result<Hold, ExecError> {
    let own = folder.join(OWN);
    inside(system, folder, &own).map_err(ExecError::io(&own))?;
    system.create_dir(&own).map_err(ExecError::io(&own))?;
    let held = system.hold_folder(&own).map_err(ExecError::io(&own))?;
    held.ok_or_else(|| ExecError::ProjectBusy { folder: folder.to_owned() })
}

/// What stands at the path of a file of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum There {
    /// Nothing.
    Nothing,
    /// A file.
    File(Vec<u8>),
    /// Something else, or something behind a link: it is the user's own, and nothing is written there.
    Other,
}

impl There {
    fn at(system: &dyn System, folder: &Path, path: &str) -> Result<Self, ExecError> {
        let path = folder.join(path);
        if inside(system, folder, &path).is_err() {
            return Ok(Self::Other);
        }
        match system.stat(&path) {
            Err(_) => Ok(Self::Nothing),
            Ok(stat) if stat.kind == FileKind::File => {
                Ok(Self::File(system.read(&path).map_err(ExecError::io(&path))?))
            }
            Ok(_) => Ok(Self::Other),
        }
    }
}

/// The files that lie beside a project's own because both sides have changed them, and nobody has looked after them yet.
pub fn conflicts(folder: &Path, system: &dyn System) -> Vec<PathBuf> {
    let top = folder.join(OWN).join(CONFLICTS);
    let mut found = Vec::new();
    let mut open = vec![top];
    while let Some(path) = open.pop() {
        match system.stat(&path).map(|stat| stat.kind) {
            Ok(FileKind::Dir) => {
                open.extend(
                    system.list(&path).unwrap_or_default().iter().map(|name| path.join(name)),
                );
            }
            Ok(FileKind::File) => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

/// The same by their names in the project.
pub(crate) fn conflicting(folder: &Path, system: &dyn System) -> Vec<String> {
    let top = folder.join(OWN).join(CONFLICTS);
    let found = conflicts(folder, system);
    let named = found.iter().filter_map(|path| path.strip_prefix(&top).ok());
    named.map(|path| path.to_string_lossy().into_owned()).collect()
}

/// How a project stands in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectState {
    /// What was written, as `.aitk/made.toml` says.
    pub record: ProjectRecord,
    /// The files that the user has changed since.
    pub changed: Vec<String>,
    /// Those that are gone.
    pub away: Vec<String>,
    /// Those that wait for the user, as [`conflicts`] finds them.
    pub conflicts: Vec<PathBuf>,
}

/// Looks how the project of a folder stands; `None` where none was written there.
///
/// # Errors
/// Where what is known of the project is damaged.
pub fn project_state(
    folder: &Path,
    system: &dyn System,
) -> Result<Option<ProjectState>, ExecError> {
    let Some(record) = ProjectRecord::read(folder, system)? else { return Ok(None) };
    let (mut changed, mut away) = (Vec::new(), Vec::new());
    for file in &record.file {
        match There::at(system, folder, &file.path)? {
            There::Nothing => away.push(file.path.clone()),
            There::File(bytes) if file.is_untouched(&bytes) => {}
            There::File(_) | There::Other => changed.push(file.path.clone()),
        }
    }
    let conflicts = conflicts(folder, system);
    Ok(Some(ProjectState { record, changed, away, conflicts }))
}

/// What of a project goes with `aitk remove` in its folder, and what stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectRemoval {
    /// Files that nobody has touched since they were written.
    pub goes: Vec<PathBuf>,
    /// Files that were changed.
    pub kept: Vec<PathBuf>,
}

/// Looks what of a project goes.
///
/// # Errors
/// Where what is known of the project is damaged.
pub fn project_removal(
    folder: &Path,
    system: &dyn System,
) -> Result<Option<ProjectRemoval>, ExecError> {
    let Some(made) = ProjectRecord::read(folder, system)? else { return Ok(None) };
    let mut removal = ProjectRemoval::default();
    for file in &made.file {
        let path = folder.join(&file.path);
        match There::at(system, folder, &file.path)? {
            There::Nothing => {}
            There::File(bytes) if file.is_untouched(&bytes) => removal.goes.push(path),
            There::File(_) | There::Other => removal.kept.push(path),
        }
    }
    Ok(Some(removal))
}

/// Takes a project away, all that was shown and is still as it was written, and the folders that are empty then. Returns
/// what went and what stays: somebody may have changed a file meanwhile.
///
/// # Errors
/// Where another run is at work there, and what the operating system says.
pub fn remove_project(
    folder: &Path,
    shown: &ProjectRemoval,
    system: &dyn System,
) -> Result<ProjectRemoval, ExecError> {
    let _hold = hold(folder, system)?;
    let mut done = project_removal(folder, system)?.unwrap_or_default();
    done.goes.retain(|path| shown.goes.contains(path));
    let remove = |path: &Path| system.remove(path).map_err(ExecError::io(path));
    for path in &done.goes {
        // A link may have come in between since it was looked at.
        inside(system, folder, path).map_err(ExecError::io(path))?;
        remove(path)?;
        let above = path.ancestors().skip(1).take_while(|above| *above != folder);
        for above in above {
            if system.list(above).is_ok_and(|names| names.is_empty()) {
                remove(above)?;
            }
        }
    }
    let own = folder.join(OWN);
    inside(system, folder, &own.join("made.toml")).map_err(ExecError::io(&own))?;
    remove(&own)?;
    if system.list(folder).is_ok_and(|names| names.is_empty()) {
        remove(folder)?;
    }
    Ok(done)
}
