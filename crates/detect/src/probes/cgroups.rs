//! Limits that control groups set: those of a process's own group and of all above it.

use std::path::{Path, PathBuf};

use aitk_system::System;
use procfs_core::process::MountInfo;
use procfs_core::{FromBufRead, ProcessCGroups};

use crate::probes::mounts::Mounts;

/// The folders of the process's groups in the tree that controls something, its own first. The version of the tree decides
/// which files limit what.
pub(crate) struct ControlGroups {
    /// Whether the tree is of version 2, which has one tree for all.
    pub(crate) unified: bool,
    /// From the process's group up to where the tree is mounted.
    pub(crate) folders: Vec<PathBuf>,
}

/// The groups that control `controller` (`memory`, `cpu`). On a hybrid machine there may be two trees.
pub(crate) fn groups(system: &dyn System, mounts: &Mounts, controller: &str) -> Vec<ControlGroups> {
    let text = system.read("/proc/self/cgroup".as_ref()).unwrap_or_default();
    let Ok(all) = ProcessCGroups::from_buf_read(text.as_slice()) else { return Vec::new() };
    // A line for version 2 is there on machines with version 1 as well, so the mounts decide.
    let trees = mounts.0.iter().filter_map(|mount| {
        let unified = is_unified(mount, controller)?;
        let mut groups = all.0.iter();
        let group = groups.find(|group| match unified {
            true => group.controllers.is_empty(),
            false => group.controllers.iter().any(|name| name == controller),
        })?;
        Some(ControlGroups { unified, folders: folders(mount, Path::new(&group.pathname))? })
    });
    trees.collect()
}

/// Whether a mount is the tree of version 2, or the one of version 1 with this controller; `None` where it is neither.
fn is_unified(mount: &MountInfo, controller: &str) -> Option<bool> {
    match mount.fs_type.as_str() {
        "cgroup2" => Some(true),
        "cgroup" if mount.super_options.contains_key(controller) => Some(false),
        _ => None,
    }
}

/// From a group up to where the tree is mounted.
fn folders(mount: &MountInfo, group: &Path) -> Option<Vec<PathBuf>> {
    // A container may see only its own part of the tree: then the mount's root is a group, too.
    let inside = group.strip_prefix(&mount.root).or_else(|_| group.strip_prefix("/")).ok()?;
    Some(inside.ancestors().map(|part| mount.mount_point.join(part)).collect())
}
