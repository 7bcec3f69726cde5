//! Programs in their place: whole or not at all, whoever else puts them there at the same time.
#![expect(
    clippy::disallowed_methods,
    reason = "tools write their own files; System::permit has been asked before"
)]

use std::fs::File;
use std::path::Path;

use aitk_system::{put_file, share_file};

use crate::error::EnvError;

/// Programs are their user's alone.
const MODE: u32 = 0o700;

/// Unpacks the program of an archive whose name ends so, without holding it in memory.
pub(crate) fn unpack(archive: &Path, ending: &str, to: &Path) -> Result<(), EnvError> {
    let broken = |error: zip::result::ZipError| EnvError::io(archive)(error.into());
    let file = File::open(archive).map_err(EnvError::io(archive))?;
    let mut zip = zip::ZipArchive::new(file).map_err(broken)?;
    let name = zip.file_names().filter_map(Result::ok).find(|name| name.ends_with(ending));
    let name = name.map(std::borrow::Cow::into_owned).unwrap_or_default();
    let write = |program: &mut File| {
        let mut entry = zip.by_name(&name)?;
        std::io::copy(&mut entry, program).map(drop)
    };
    put_file(to, MODE, write).map_err(EnvError::io(to))
}

/// Puts a program where it stays: shares the file where both are on one file system, else copies it.
pub(crate) fn place(from: &Path, to: &Path) -> Result<(), EnvError> {
    share_file(from, to, MODE).map_err(EnvError::io(to))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_program_that_is_placed_again_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("cached"), folder.path().join("tools/uv"));
        fs::write(&from, "uv").unwrap();
        for _ in 0..2 {
            place(&from, &to).unwrap();
            let names = fs::read_dir(folder.path().join("tools")).unwrap();
            let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["uv"]);
        }
    }

    #[test]
    fn a_program_that_many_place_at_once_is_whole_for_each_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("cached"), folder.path().join("tools/uv"));
        fs::write(&from, "uv").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        place(&from, &to).unwrap();
                        assert_eq!(fs::read(&to).unwrap(), b"uv");
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path().join("tools")).unwrap().count(), 1);
    }
}
