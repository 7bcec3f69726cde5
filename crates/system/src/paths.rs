//! Where a path really leads, its links followed as the kernel follows them.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::{FileKind, System};

/// As many symbolic links as the kernel follows before it gives up.
pub const MAX_LINKS: usize = 40;

/// The path with every symbolic link followed; `None` where it leads nowhere.
pub fn resolve(system: &dyn System, path: &Path) -> Option<PathBuf> {
    let (reached, whole) = follow(system, path);
    whole.then_some(reached)
}

/// Where a link leads in the end, whether or not anything is there; `None` where it is no link.
pub fn target(system: &dyn System, link: &Path) -> Option<PathBuf> {
    let mut target = link.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = system.read_link(&target) else { break };
        target = target.parent()?.join(next);
    }
    (target != link).then_some(target)
}

/// The path with every symbolic link followed, or as much of it as exists.
pub fn nearest(system: &dyn System, path: &Path) -> PathBuf {
    follow(system, path).0
}

/// Follows an absolute path as far as it exists, and says whether that was all of it.
fn follow(system: &dyn System, path: &Path) -> (PathBuf, bool) {
    let mut reached = PathBuf::from("/");
    let mut ahead = parts(path);
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            reached.pop();
            continue;
        }
        let next = reached.join(part);
        match system.stat(&next).map(|stat| stat.kind) {
            Err(_) => return (reached, false),
            Ok(FileKind::Link) => {
                let Ok(target) = system.read_link(&next) else { return (reached, false) };
                links += 1;
                if links > MAX_LINKS {
                    return (reached, false);
                }
                if target.is_absolute() {
                    reached = PathBuf::from("/");
                }
                ahead.extend(parts(&target));
            }
            Ok(_) => reached = next,
        }
    }
    (reached, true)
}

/// The names in a path, the last one first; `..` is one of them.
pub(crate) fn parts(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::{Real, Replay};

    use super::*;

    /// A tree with `/data/python`, a file, and links `/one` → `data`, `/two` → `/one/python`,
    /// `/loop` → `loop`.
    fn tree() -> (tempfile::TempDir, Replay) {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        Real.write(&at("data/python"), b"", 0o755).unwrap();
        Real.symlink(Path::new("data"), &at("one")).unwrap();
        Real.symlink(Path::new("/one/python"), &at("two")).unwrap();
        Real.symlink(Path::new("loop"), &at("loop")).unwrap();
        let system = Replay::tree(folder.path());
        (folder, system)
    }

    #[test]
    fn links_are_followed_whether_they_are_absolute_or_not() {
        let (_folder, system) = tree();
        let python = Some(PathBuf::from("/data/python"));
        assert_eq!(resolve(&system, Path::new("/one/python")), python);
        assert_eq!(resolve(&system, Path::new("/two")), python);
        assert_eq!(resolve(&system, Path::new("/one/../data/./python")), python);
    }

    #[test]
    fn a_loop_or_a_missing_part_leads_nowhere_but_has_a_nearest_folder() {
        let (_folder, system) = tree();
        assert_eq!(resolve(&system, Path::new("/loop")), None);
        assert_eq!(resolve(&system, Path::new("/one/none/below")), None);
        assert_eq!(nearest(&system, Path::new("/one/none/below")), Path::new("/data"));
        assert_eq!(nearest(&system, Path::new("/none")), Path::new("/"));
    }
}
