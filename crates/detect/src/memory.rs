//! Main memory and what control groups leave of it.

use std::path::{Path, PathBuf};

use aitk_system::System;
use procfs_core::process::MountInfo;
use procfs_core::{FromBufRead, ProcessCGroups};

use crate::line;
use crate::machine::Memory;
use crate::mounts::Mounts;
use crate::notes::{self, Notes};

/// Files that limit memory in version 2 of control groups (the kernel's `cgroup-v2` document).
const V2: &[&str] = &["memory.max", "memory.high"];
/// The file that limits memory in version 1.
const V1: &[&str] = &["memory.limit_in_bytes"];
/// Version 1 writes "no limit" as the highest number of pages; no machine has this many bytes.
const NO_LIMIT: u64 = 1 << 60;

/// Main memory, in bytes.
pub(crate) fn probe(system: &dyn System, mounts: &Mounts, notes: &mut Notes) -> Memory {
    let memory = system.memory().ok();
    if memory.is_none() {
        notes.add(notes::MEMORY, "the amount of memory cannot be read", None);
    }
    Memory {
        total: memory.map(|memory| memory.total),
        available: memory.map(|memory| memory.available),
        limit: limit(system, mounts),
        swap: memory.map(|memory| memory.swap_total),
    }
}

/// The least limit of the process's control groups and all above them.
fn limit(system: &dyn System, mounts: &Mounts) -> Option<u64> {
    let text = system.read("/proc/self/cgroup".as_ref()).ok()?;
    let groups = ProcessCGroups::from_buf_read(text.as_slice()).ok()?;
    // A line for version 2 is there on machines with version 1 as well, so the mounts decide.
    let limits = mounts.0.iter().filter_map(|mount| {
        let (controller, files) = controlled(mount)?;
        let mut all = groups.0.iter();
        let group = all.find(|group| match controller {
            Some(name) => group.controllers.iter().any(|controller| controller == name),
            None => group.controllers.is_empty(),
        })?;
        least(system, mount, Path::new(&group.pathname), files)
    });
    limits.min()
}

/// The controller of a mount that can limit memory (`None` in version 2, which has one tree for
/// all), and the files that do.
fn controlled(mount: &MountInfo) -> Option<(Option<&'static str>, &'static [&'static str])> {
    match mount.fs_type.as_str() {
        "cgroup2" => Some((None, V2)),
        "cgroup" if mount.super_options.contains_key("memory") => Some((Some("memory"), V1)),
        _ => None,
    }
}

/// The least limit from a group up to where the tree is mounted.
fn least(system: &dyn System, mount: &MountInfo, group: &Path, files: &[&str]) -> Option<u64> {
    // A container may see only its own part of the tree: then the mount's root is a group, too.
    let inside = group.strip_prefix(&mount.root).or_else(|_| group.strip_prefix("/")).ok()?;
    let folders: Vec<PathBuf> =
        inside.ancestors().map(|part| mount.mount_point.join(part)).collect();
    let paths = folders.iter().flat_map(|folder| files.iter().map(|file| folder.join(file)));
    // "max" is no number, and so no limit.
    paths
        .filter_map(|path| line(system, path)?.parse().ok())
        .filter(|bytes| *bytes < NO_LIMIT)
        .min()
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    fn limit_of(mounts: &str, files: &[(&str, &str)]) -> Option<u64> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            Real.write(&folder.path().join(path), text.as_bytes(), 0o644).unwrap();
        }
        limit(&Replay::tree(folder.path()), &Mounts::parse(mounts))
    }

    #[test]
    fn the_least_limit_up_the_tree_of_version_2_counts() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let files = [
            ("proc/self/cgroup", "0::/user.slice/user-1000.slice/session-2.scope\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "8589934592\n"),
            ("sys/fs/cgroup/user.slice/user-1000.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/user-1000.slice/memory.high", "6442450944\n"),
        ];
        assert_eq!(limit_of(mounts, &files), Some(6 << 30));
    }

    #[test]
    fn version_1_is_known_by_its_mount_and_not_by_the_line_of_version_2() {
        let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let mut files = vec![
            ("proc/self/cgroup", "4:memory:/jobs/7\n0::/\n"),
            ("sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(limit_of(mounts, &files), None);
        files.push(("sys/fs/cgroup/memory/jobs/memory.limit_in_bytes", "2147483648\n"));
        assert_eq!(limit_of(mounts, &files), Some(2 << 30));
    }

    #[test]
    fn a_container_of_version_1_sees_its_own_group_at_the_mount() {
        let mounts = "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let files = [
            ("proc/self/cgroup", "4:memory:/docker/ab\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"),
        ];
        assert_eq!(limit_of(mounts, &files), Some(1 << 30));
    }

    #[test]
    fn odd_content_is_no_limit() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(limit_of(mounts, &[("proc/self/cgroup", "nonsense\n")]), None);
        assert_eq!(limit_of(mounts, &[("proc/self/cgroup", "0::../../x\n")]), None);
        assert_eq!(limit_of("", &[]), None);
    }
}
