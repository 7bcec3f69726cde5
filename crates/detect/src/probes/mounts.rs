//! What is mounted where, from `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use aitk_system::{System, message, paths};
use procfs_core::process::MountInfo;

use crate::notes::{self, Notes};

/// Everything that is mounted, in the order in which it was.
#[derive(Debug, Default)]
pub(crate) struct Mounts(pub(crate) Vec<MountInfo>);

impl Mounts {
    /// Reads the list. Lines that cannot be understood are left out.
    pub(crate) fn read(system: &dyn System, notes: &mut Notes) -> Self {
        match crate::text(system, "/proc/self/mountinfo") {
            Ok(text) => Self::parse(&text),
            Err(_) => {
                let message = message!(
                    "the list of mounted file systems cannot be read, so disks and \
                               memory limits are not known"
                );
                notes.add(notes::MOUNTS, message, None);
                Self::default()
            }
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mounts = text.lines().filter_map(|line| MountInfo::from_line(line).ok());
        Self(
            mounts
                .map(|mut mount| {
                    mount.mount_point = unescape(&mount.mount_point);
                    mount
                })
                .collect(),
        )
    }

    /// The mount that holds a path which has no symbolic links left in it.
    pub(crate) fn of(&self, path: &Path) -> Option<&MountInfo> {
        // Of several mounts on one folder the last one is seen, and `max_by_key` returns the last
        // maximum.
        self.0
            .iter()
            .filter(|mount| path.starts_with(&mount.mount_point))
            .max_by_key(|mount| mount.mount_point.components().count())
    }

    /// Whether a path, wherever its links lead, is on a disk of Windows.
    pub(crate) fn on_windows(&self, system: &dyn System, path: &Path) -> bool {
        // Where there is no such disk, no path has to be looked at.
        self.0.iter().any(is_windows)
            && self.of(&paths::nearest(system, path)).is_some_and(is_windows)
    }
}

/// Whether WSL shows a disk of Windows here, which is slow and has no real permissions. WSL 1 has a
/// file system of that name; WSL 2 says the name to 9P or virtiofs, which others use as well.
pub(crate) fn is_windows(mount: &MountInfo) -> bool {
    let aname = mount.super_options.get("aname").and_then(Option::as_deref);
    let names = [Some(mount.fs_type.as_str()), aname, mount.mount_source.as_deref()];
    names.into_iter().flatten().any(|name| name.starts_with("drvfs"))
}

/// A path as it is, from one in which white space and backslashes are written as `\040` and the
/// like.
fn unescape(path: &Path) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = path.as_os_str().as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = rest.get(1..4).filter(|_| byte == b'\\');
        let code = code.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
        27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard\n\
        nonsense\n\
        28 27 0:25 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2\n\
        29 27 0:26 / /mnt/My\\040Disk rw,noexec - vfat /dev/sdb1 rw\n\
        30 27 0:27 / /home rw,nosuid - tmpfs tmpfs rw,size=4096k\n";

    #[test]
    fn the_deepest_and_last_mount_holds_a_path() {
        let mounts = Mounts::parse(TEXT);
        let filesystem = |path: &str| mounts.of(Path::new(path)).unwrap().fs_type.clone();
        assert_eq!(mounts.0.len(), 4);
        assert_eq!(filesystem("/homework"), "ext4");
        assert_eq!(filesystem("/home/user"), "tmpfs");
        assert_eq!(filesystem("/mnt/My Disk/file"), "vfat");
    }

    #[test]
    fn disks_of_windows_are_told_from_other_uses_of_9p() {
        let is_windows = |line: &str| is_windows(&Mounts::parse(line).0[0]);
        assert!(is_windows("1 0 0:58 / /mnt/c rw - 9p C:\\134 rw,aname=drvfs;path=C:\\;uid=1000"));
        assert!(is_windows("1 0 0:58 / /mnt/c rw - drvfs C: rw"));
        assert!(is_windows("1 0 0:58 / /mnt/c rw - virtiofs drvfsaC rw"));
        assert!(!is_windows("1 0 0:58 / / rw - 9p none rw,trans=fd"));
    }

    #[test]
    fn a_lone_backslash_stays() {
        assert_eq!(unescape(Path::new(r"/a\9b\04")), Path::new(r"/a\9b\04"));
        assert_eq!(unescape(Path::new(r"/a\134b\011c")), Path::new("/a\\b\tc"));
    }
}
