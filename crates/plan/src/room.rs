//! What steps take on disks, and whether it fits there.

use aitk_detect::{Disk, Machine};
use aitk_system::{Message, message};

use crate::model::Step;
use crate::size::Bytes;
use crate::step::Uv;

/// What a step takes on one file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// What the file system is used for: `var`, `data` or `cache`.
    pub purpose: &'static str,
    /// Bytes that the step takes there.
    pub bytes: u64,
    /// Files that it creates there: a file system can run out of inodes first.
    pub files: u64,
}

/// What a step takes, and where. apt keeps all that it does below `/var`, or on the same disk. Packages of an
/// environment are downloaded and unpacked in the cache; the environment shares these files with it, unless it is on
/// another file system and gets copies.
pub fn charges(step: &Step, machine: &Machine) -> Vec<Charge> {
    let (bytes, files) = (step.disk.unwrap_or(0), step.files.unwrap_or(0));
    let whole = |purpose| Charge { purpose, bytes, files };
    if step.root {
        return vec![whole("var")];
    }
    if shares_files(machine) {
        return vec![whole("data")];
    }
    let archives = step.download.unwrap_or(0);
    let copies = Charge { bytes: bytes.saturating_sub(archives), ..whole("data") };
    // uv itself is unpacked where it stays.
    let kept = match step.is::<Uv>() {
        true => Charge { purpose: "cache", bytes: archives, files: 1 },
        false => whole("cache"),
    };
    vec![kept, copies]
}

/// Whether environments share the files of what the cache has unpacked: both are on one file system, or it is not known
/// that they are not.
pub fn shares_files(machine: &Machine) -> bool {
    let place = |purpose| machine.disks.iter().position(|disk| serves(disk, purpose));
    !matches!((place("cache"), place("data")), (Some(cache), Some(data)) if cache != data)
}

impl Charge {
    fn disk(self, disks: &[Disk]) -> Option<usize> {
        disks.iter().position(|disk| serves(disk, self.purpose))
    }

    /// Why it does not fit on what is left, and what to do.
    pub(crate) fn refusal(self, disks: &[Disk]) -> Option<(Message, Message)> {
        let disk = &disks[self.disk(disks)?];
        let mount = disk.mount.display();
        if self.bytes > disk.free {
            let missing = Bytes(self.bytes - disk.free);
            let elsewhere = match self.purpose {
                "cache" => message!(", or set AITK_CACHE_DIR to a larger disk"),
                "data" => message!(", or set AITK_DATA_DIR and AITK_CACHE_DIR to a larger disk"),
                _ => Message::default(),
            };
            return Some((
                message!(
                    "it takes {} and {mount} has {} left",
                    Bytes(self.bytes),
                    Bytes(disk.free)
                ),
                message!("free at least {missing} on {mount}{elsewhere}"),
            ));
        }
        let inodes = disk.free_inodes.filter(|inodes| self.files > *inodes)?;
        Some((
            message!("it creates {} files and {mount} can hold only {inodes} more", self.files),
            message!("delete files on {mount} (inodes are used up, not bytes: see `df -i`)"),
        ))
    }

    pub(crate) fn take(self, disks: &mut [Disk]) {
        let Some(index) = self.disk(disks) else { return };
        let disk = &mut disks[index];
        disk.free = disk.free.saturating_sub(self.bytes);
        disk.free_inodes = disk.free_inodes.map(|left| left.saturating_sub(self.files));
    }
}

pub(crate) fn serves(disk: &Disk, purpose: &str) -> bool {
    disk.uses.iter().any(|name| name == purpose)
}
