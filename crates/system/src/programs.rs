//! Where programs are looked for: only in folders that are named whole. A relative or empty element of `PATH` is
//! whatever folder happens to be the current one, and what lies there is executed by nobody here.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The folders of what root runs, whatever the user's `PATH` says.
pub(crate) const OF_ROOT: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Where systems keep the program that gives root's rights; asked before the user's own folders.
const OF_SUDO: &str = "/usr/bin:/bin:/run/wrappers/bin:/usr/local/bin";
/// What is searched where no `PATH` is set.
pub const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A `PATH` without those of its elements that depend on the current folder.
pub fn absolute_path(path: &str) -> String {
    let absolute = path.split(':').filter(|folder| folder.starts_with('/'));
    absolute.collect::<Vec<_>>().join(":")
}

/// The user's `PATH`, as it is searched and as children get it.
pub(crate) fn path() -> OsString {
    std::env::var_os("PATH").map_or_else(|| DEFAULT_PATH.into(), |path| absolute_only(&path))
}

/// A list of folders without those that depend on the current one.
pub(crate) fn absolute_only(list: &OsStr) -> OsString {
    let absolute = std::env::split_paths(list).filter(|folder| folder.is_absolute());
    // Every element came out of such a text, so none has a colon.
    std::env::join_paths(absolute).unwrap_or_default()
}

/// The program of the user's that a name or an absolute path stands for.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    match program {
        "sudo" => search(program, OF_SUDO).or_else(|| search(program, path())),
        // What tells what root would do is the program that root would run.
        "apt-get" | "apt-cache" => of_root(program),
        _ => search(program, path()),
    }
}

/// The program that root runs under a name.
pub(crate) fn of_root(program: &str) -> Option<PathBuf> {
    search(program, OF_ROOT)
}

fn search(program: &str, folders: impl Into<OsString>) -> Option<PathBuf> {
    let relative = program.contains('/') && !program.starts_with('/');
    if relative {
        return None;
    }
    which::which_in(program, Some(folders.into()), Path::new("/")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_elements_that_are_named_whole_are_searched() {
        assert_eq!(absolute_path(".:/usr/bin::bin:/bin:"), "/usr/bin:/bin");
        assert_eq!(absolute_path(":"), "");
    }

    #[test]
    fn a_relative_program_is_none_and_an_absolute_one_is_itself() {
        assert_eq!(search("bin/sh", "/"), None);
        assert_eq!(search("./sh", "/bin"), None);
        assert_eq!(search("/bin/sh", "/none"), Some("/bin/sh".into()));
        assert_eq!(search("sh", "/none:/bin"), Some("/bin/sh".into()));
        assert_eq!(search("sh", ""), None);
    }
}
