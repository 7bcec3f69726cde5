//! Main memory and what control groups leave of it.

use std::path::PathBuf;

use aitk_system::{System, message};

use crate::line;
use crate::machine::Memory;
use crate::notes::{self, Notes};
use crate::probes::cgroups;
use crate::probes::mounts::Mounts;

/// Files that limit memory in version 2 of control groups (the kernel's `cgroup-v2` document).
const V2: &[&str] = &["memory.max", "memory.high"];
/// The file that limits memory in version 1.
const V1: &[&str] = &["memory.limit_in_bytes"];
/// Version 1 writes "no limit" as the highest number of pages; no machine has this many bytes.
const NO_LIMIT: u64 = 1 << 60;

/// Main memory, in bytes.
pub(crate) fn probe(system: &dyn System, mounts: &Mounts, notes: &mut Notes) -> Memory {
    let memory = system.memory().ok();
    match memory {
        Some(_) => notes.source("memory.total", "/proc/meminfo"),
        None => notes.add(notes::MEMORY, message!("the amount of memory cannot be read"), None),
    }
    let limit = limit(system, mounts);
    if let Some((_, path)) = &limit {
        notes.source("memory.limit", path.display());
    }
    let swaps = crate::text(system, "/proc/swaps").ok();
    if swaps.is_some() {
        notes.source("memory.zram", "/proc/swaps");
    }
    Memory {
        total: memory.map(|memory| memory.total),
        available: memory.map(|memory| memory.available),
        limit: limit.map(|(bytes, _)| bytes),
        swap: memory.map(|memory| memory.swap_total),
        zram: swaps.as_deref().map(zram),
    }
}

/// The least limit of the process's control groups and all above them, and the file that sets it.
fn limit(system: &dyn System, mounts: &Mounts) -> Option<(u64, PathBuf)> {
    let limits = cgroups::groups(system, mounts, "memory").into_iter().flat_map(|groups| {
        let files = if groups.unified { V2 } else { V1 };
        let paths = groups
            .folders
            .into_iter()
            .flat_map(|folder| files.iter().map(move |file| folder.join(file)));
        // "max" is no number, and so no limit.
        paths
            .filter_map(|path| Some((line(system, &path)?.parse().ok()?, path)))
            .filter(|(bytes, _)| *bytes < NO_LIMIT)
            .collect::<Vec<_>>()
    });
    limits.min_by_key(|(bytes, _)| *bytes)
}

/// How much of the swap space is compressed memory, from `/proc/swaps`: name, type, size in KiB, ….
fn zram(text: &str) -> u64 {
    let sizes = text
        .lines()
        .filter(|line| line.starts_with("/dev/zram"))
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()?.checked_mul(1024));
    sizes.fold(0, u64::saturating_add)
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
        limit(&Replay::tree(folder.path()), &Mounts::parse(mounts)).map(|(bytes, _)| bytes)
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

    #[test]
    fn compressed_memory_is_told_from_other_swap_space() {
        let text = "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0  partition\t4194304\t0\t100\n\
                    /swap.img file\t2097148\t0\t-2\n/dev/zram1 partition nonsense\n";
        assert_eq!(zram(text), 4 << 30);
        assert_eq!(zram(""), 0);
    }
}
