//! What is private: in aitk's own folders everything is the user's alone, whatever the umask is; elsewhere others may
//! read as the user's umask says, and never write.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::Mode;
use rustix::process::umask;

static PRIVATE: OnceLock<Private> = OnceLock::new();

struct Private {
    places: Vec<PathBuf>,
    /// The umask that the user had set.
    umask: Mode,
}

/// From now on what this program and its children make is the user's alone: a folder 0700, a file 0600. Only the folders
/// that it makes outside of these places have the modes that the user's umask gives, and no others may write there.
pub fn keep_private(places: Vec<PathBuf>) {
    let others = Mode::RWXG | Mode::RWXO;
    PRIVATE.get_or_init(|| Private { places, umask: umask(others) });
}

/// Takes every right at a folder away from others than the user.
///
/// # Errors
/// What the operating system says.
pub fn make_private(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

/// Gives the user's own umask back, for a program that takes this one's place or does the user's own work.
pub(crate) fn restore_umask() {
    if let Some(private) = PRIVATE.get() {
        umask(private.umask);
    }
}

impl Private {
    fn holds(&self, path: &Path) -> bool {
        self.places.iter().any(|place| path.starts_with(place))
    }

    /// Whether a folder is in one of the places or on the way to it.
    fn leads_to(&self, path: &Path) -> bool {
        self.holds(path) || self.places.iter().any(|place| place.starts_with(path))
    }
}

/// The mode that a file gets of which this one is asked.
pub(crate) fn mode(path: &Path, asked: u32) -> u32 {
    let private = PRIVATE.get().is_some_and(|private| private.holds(path));
    if private { asked & 0o700 } else { asked }
}

/// Makes a folder and its parents, as far as they are missing.
pub(crate) fn create_dir_all(path: &Path) -> io::Result<()> {
    // The folder above a relative path of one element has no name: it is the one that the user is in.
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Another thread has made it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Ok(()) => match PRIVATE.get().filter(|private| !private.leads_to(path)) {
            // What others could write to is no place for anything that is run later.
            Some(private) => {
                let mode = 0o755 & !private.umask.bits();
                fs::set_permissions(path, fs::Permissions::from_mode(mode))
            }
            None => Ok(()),
        },
        made => made,
    }
}
