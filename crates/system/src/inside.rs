//! The boundary of a folder: what was put together from foreign text is shown to lie inside before it is touched.

use std::io;
use std::path::{Component, Path};

use crate::{FileKind, System, message};

/// Shows that a path lies below `own`, a folder of aitk's own: it continues it by plain names alone, and none of the
/// folders on the way is a link that leads elsewhere. Whoever deletes or replaces what stands at a path that was put
/// together from foreign text asks here first.
///
/// # Errors
/// Where it does not.
pub fn inside(system: &dyn System, own: &Path, path: &Path) -> io::Result<()> {
    let outside = || {
        let reason = message!("it does not lie inside of {}", own);
        Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
    };
    let Ok(rest) = path.strip_prefix(own) else { return outside() };
    if !is_plain(rest) {
        return outside();
    }
    let mut folder = own.to_owned();
    for name in rest.parent().into_iter().flat_map(Path::components) {
        folder.push(name);
        if system.stat(&folder).is_ok_and(|stat| stat.kind != FileKind::Dir) {
            return outside();
        }
    }
    Ok(())
}

/// Whether a relative path goes down by plain names alone: no root, no `..`, no `.`, and not nothing.
pub fn is_plain(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    let bad = |part: &[u8]| matches!(part, b"" | b"." | b"..") || part.contains(&0);
    !text.split(|byte| *byte == b'/').any(bad)
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Real;

    #[test]
    fn only_plain_names_below_a_folder_are_inside() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        std::fs::create_dir_all(own.join("a")).unwrap();
        std::os::unix::fs::symlink(folder.path(), own.join("link")).unwrap();
        for (path, is_inside) in [
            ("a", true),
            ("a/b/c", true),
            ("a-1.0-0", true),
            // The link itself may be taken away; nothing behind it.
            ("link", true),
            ("link/own", false),
            ("", false),
            (".", false),
            ("..", false),
            ("a/..", false),
            ("a/../../own/a", false),
            ("a-0/../../project/.git", false),
            ("/etc", false),
        ] {
            assert_eq!(inside(&Real, &own, &own.join(path)).is_ok(), is_inside, "{path}");
        }
        assert!(inside(&Real, &own, folder.path()).is_err());
        assert!(inside(&Real, &own, &folder.path().join("own2")).is_err());
    }

    #[test]
    fn plain_paths_have_names_alone() {
        for (path, plain) in [
            ("a/b", true),
            (".hidden", true),
            ("..a", true),
            ("a/./b", false),
            ("a//b", false),
            ("/a", false),
            ("a/", false),
            ("../a", false),
            ("", false),
        ] {
            assert_eq!(is_plain(Path::new(path)), plain, "{path}");
        }
    }
}
