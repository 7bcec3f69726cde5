//! The file systems that hold the folders that matter.

use std::path::Path;

use aitk_system::{System, message, paths};
use procfs_core::process::MountInfo;

use crate::line;
use crate::machine::{Disk, Folders, VirtualizationKind};
use crate::notes::{self, Notes};
use crate::probes::mounts::{self, Mounts};

/// How many devices may lie above one another: a file system on LVM on LUKS on RAID on a partition
/// has four.
const MAX_LAYERS: usize = 8;

/// The file systems of the user's folders and of the system's, each once, with what it is used for.
pub(crate) fn probe(
    system: &dyn System,
    folders: &Folders,
    mounts: &Mounts,
    kind: VirtualizationKind,
    notes: &mut Notes,
) -> Vec<Disk> {
    let uses: [(&str, &Path); 7] = [
        ("home", &folders.home),
        ("data", &folders.data),
        ("cache", &folders.cache),
        ("state", &folders.state),
        ("tmp", &folders.tmp),
        ("var", Path::new("/var")),
        ("boot", Path::new("/boot")),
    ];
    let mut held: Vec<(&MountInfo, Vec<String>)> = Vec::new();
    for (name, folder) in uses {
        // The folder need not be there yet: what is made later will be where its parent is.
        let Some(mount) = mounts.of(&paths::nearest(system, folder)) else { continue };
        match held.iter_mut().find(|(other, _)| same(other, mount)) {
            Some((_, uses)) => uses.push(name.to_owned()),
            None => held.push((mount, vec![name.to_owned()])),
        }
    }
    notes.source_in_words("disks", message!("/proc/self/mountinfo and statvfs(3)"));
    held.into_iter().filter_map(|(mount, uses)| disk(system, mount, uses, kind, notes)).collect()
}

/// Whether two mounts are alike in everything that is told: a file system may be mounted several
/// times.
fn same(one: &MountInfo, other: &MountInfo) -> bool {
    one.majmin == other.majmin && is_noexec(one) == is_noexec(other)
}

fn is_noexec(mount: &MountInfo) -> bool {
    mount.mount_options.contains_key("noexec")
}

fn disk(
    system: &dyn System,
    mount: &MountInfo,
    uses: Vec<String>,
    kind: VirtualizationKind,
    notes: &mut Notes,
) -> Option<Disk> {
    let Ok(space) = system.space(&mount.mount_point) else {
        let place = mount.mount_point.display();
        notes.add(notes::SPACE, message!("the room on {place} cannot be asked for"), None);
        return None;
    };
    Some(Disk {
        mount: mount.mount_point.clone(),
        filesystem: mount.fs_type.clone(),
        windows: mounts::is_windows(mount),
        total: space.total,
        free: space.free,
        free_inodes: space.free_inodes,
        // A virtual disk calls itself whatever it likes.
        kind: (kind == VirtualizationKind::BareMetal).then(|| disk_kind(system, mount)).flatten(),
        noexec: is_noexec(mount),
        uses,
    })
}

/// `nvme`, `ssd` or `hdd`, from the device that a file system is on.
fn disk_kind(system: &dyn System, mount: &MountInfo) -> Option<String> {
    // btrfs counts as device 0; its source is the name of a real one.
    let link = match mount.majmin.starts_with("0:") {
        false => format!("/sys/dev/block/{}", mount.majmin),
        true => format!("/sys/class/block/{}", mount.mount_source.as_ref()?.strip_prefix("/dev/")?),
    };
    device_kind(system, &link, MAX_LAYERS)
}

/// The kind of the device at a link such as `/sys/dev/block/259:2` →
/// `../../devices/pci0000:00/…/nvme/nvme0/nvme0n1/nvme0n1p2` or `../../devices/…/block/sda/sda1`.
fn device_kind(system: &dyn System, link: &str, layers: usize) -> Option<String> {
    let target = system.read_link(link.as_ref()).ok()?;
    let target = target.to_str()?;
    if target.contains("/nvme/") {
        return Some("nvme".to_owned());
    }
    // A partition is inside of its disk, and the disk follows the word `block`.
    let disk = target.rsplit_once("/block/")?.1.split('/').next()?;
    // A memory card or a soldered chip is neither: it says that it does not turn, and is as slow as it likes.
    if disk.starts_with("mmcblk") {
        return None;
    }
    // LUKS, LVM and RAID are as fast as what is below; the first device speaks for all.
    let below = system.list(format!("/sys/block/{disk}/slaves").as_ref()).unwrap_or_default();
    if let (Some(name), Some(layers)) = (below.first(), layers.checked_sub(1)) {
        return device_kind(system, &format!("/sys/class/block/{name}"), layers);
    }
    match line(system, format!("/sys/block/{disk}/queue/rotational"))?.as_str() {
        "0" => Some("ssd".to_owned()),
        "1" => Some("hdd".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    /// A tree with these files and links.
    fn tree(files: &[(&str, &str)], links: &[(&str, &str)]) -> (tempfile::TempDir, Replay) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            Real.write(&folder.path().join(path), text.as_bytes(), 0o644).unwrap();
        }
        for (link, target) in links {
            Real.symlink(Path::new(target), &folder.path().join(link)).unwrap();
        }
        let system = Replay::tree(folder.path());
        (folder, system)
    }

    fn kind_of(system: &dyn System, mount: &str) -> Option<String> {
        disk_kind(system, &Mounts::parse(mount).0[0])
    }

    #[test]
    fn the_kind_is_that_of_the_lowest_device() {
        let (_folder, system) = tree(
            &[
                ("sys/block/sda/queue/rotational", "1\n"),
                ("sys/block/sdb/queue/rotational", "0\n"),
                ("sys/block/dm-1/slaves/dm-0", ""),
                ("sys/block/dm-0/slaves/nvme0n1p3", ""),
            ],
            &[
                ("sys/dev/block/8:1", "../../devices/pci0000:00/ata1/block/sda/sda1"),
                ("sys/class/block/sdb2", "../../devices/pci0000:00/ata2/block/sdb/sdb2"),
                ("sys/dev/block/252:1", "../../devices/virtual/block/dm-1"),
                ("sys/class/block/dm-0", "../../devices/virtual/block/dm-0"),
                (
                    "sys/class/block/nvme0n1p3",
                    "../../devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p3",
                ),
            ],
        );
        let kind = |mount| kind_of(&system, mount);
        assert_eq!(kind("1 0 8:1 / / rw - ext4 /dev/sda1 rw").as_deref(), Some("hdd"));
        assert_eq!(kind("1 0 0:31 /@ / rw - btrfs /dev/sdb2 rw").as_deref(), Some("ssd"));
        assert_eq!(kind("1 0 252:1 / / rw - ext4 /dev/mapper/vg-root rw").as_deref(), Some("nvme"));
        assert_eq!(kind("1 0 0:40 / /tmp rw - tmpfs tmpfs rw"), None);
        assert_eq!(kind("1 0 8:17 / / rw - ext4 /dev/sdc1 rw"), None);
    }

    #[test]
    fn a_device_below_itself_ends() {
        let (_folder, system) = tree(
            &[("sys/block/dm-0/slaves/dm-0", "")],
            &[
                ("sys/dev/block/252:0", "../../devices/virtual/block/dm-0"),
                ("sys/class/block/dm-0", "../../devices/virtual/block/dm-0"),
            ],
        );
        assert_eq!(kind_of(&system, "1 0 252:0 / / rw - ext4 /dev/dm-0 rw"), None);
    }

    #[test]
    fn room_that_cannot_be_asked_for_is_noted() {
        let (_folder, system) = tree(&[("home/user/x", "")], &[]);
        let folders = Folders { home: "/home/user".into(), ..Folders::default() };
        let mounts = Mounts::parse("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n");
        let mut notes = Notes::default();
        let disks = probe(&system, &folders, &mounts, VirtualizationKind::Vm, &mut notes);
        assert!(disks.is_empty());
        assert_eq!(Vec::from(notes)[0].code, notes::SPACE);
    }
}
