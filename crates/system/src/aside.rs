//! A file is written aside and put in its place whole: whoever is stopped in between leaves what stood there.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::TempPath;

/// What is not in its place yet has this name, and as many letters after it: nobody else names a file so.
const PREFIX: &str = ".aitk-";
const LETTERS: usize = 16;

/// The folders that this process has looked through for what others left behind.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Puts a file with this content in the place of what stands at `path`, in a folder that is there.
pub(crate) fn put(path: &Path, folder: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    put_with(path, folder, mode, |file| file.write_all(bytes))
}

/// Puts a file with what `write` writes in the place of what stands at `path`, in a folder that is made where it is not
/// there. It may be asked to write a second time, into another file.
///
/// # Errors
/// What `write` or the operating system says; what stood at `path` then stands there still.
pub fn put_file(
    path: &Path,
    mode: u32,
    write: impl FnMut(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    put_with(path, made(path)?, mode, write)
}

/// Puts a file in the place of what stands at `path`, in a folder that is made where it is not there: the same file under
/// another name where both can be on one file system, else a copy. Either has this mode.
///
/// # Errors
/// What the operating system says; what stood at `path` then stands there still.
pub fn share_file(from: &Path, path: &Path, mode: u32) -> io::Result<()> {
    let folder = made(path)?;
    share(from, path, folder, mode).or_else(|_| {
        put_with(path, folder, mode, |file| io::copy(&mut File::open(from)?, file).map(drop))
    })
}

fn made(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    Ok(folder)
}

fn share(from: &Path, path: &Path, folder: &Path, mode: u32) -> io::Result<()> {
    sweep_once(folder);
    fs::set_permissions(from, fs::Permissions::from_mode(mode))?;
    File::open(from)?.sync_all()?;
    loop {
        let aside = builder().make_in(folder, |aside| fs::hard_link(from, aside))?;
        // Where both are one file already, under two names, a rename leaves both (rename(2)); this one goes in any case.
        match fs::rename(aside.path(), path) {
            // Somebody who swept has taken it for one that was left behind: nobody has it locked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
    }
}

/// It has no name before it is whole where the file system can do that, and one only for the instant in which it takes the
/// other's place. What somebody left who was killed in that instant goes first.
fn put_with(
    path: &Path,
    folder: &Path,
    mode: u32,
    mut write: impl FnMut(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    sweep_once(folder);
    let mut whole = |file: &mut File| {
        write(file)?;
        file.sync_all()?;
        // The umask may have narrowed the mode.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        keep_group(file, path);
        io::Result::Ok(())
    };
    let place = |aside: TempPath| aside.persist(path).map_err(|error| error.error);
    if let Some(mut file) = nameless(folder) {
        whole(&mut file)?;
        if let Ok(aside) = name(&file, folder) {
            return place(aside);
        }
    }
    let (mut file, aside) = named(folder)?;
    whole(&mut file)?;
    place(aside)
}

/// Puts a link to `target` in the place of what stands at `path`, in a folder that is there.
pub(crate) fn put_link(target: &Path, path: &Path, folder: &Path) -> io::Result<()> {
    sweep_once(folder);
    let link = |path: &Path| std::os::unix::fs::symlink(target, path);
    loop {
        let aside = builder().make_in(folder, link)?.into_temp_path();
        match aside.persist(path).map_err(|error| error.error) {
            // Somebody who swept has taken it for one that was left behind: links have no locks.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
    }
}

/// A file without a name, where there can be one that gets its name later. It is locked as long as somebody writes it.
fn nameless(folder: &Path) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR).ok()?);
    lock(&file);
    fs::symlink_metadata(own(&file)).is_ok().then_some(file)
}

/// The same with a name from the beginning.
fn named(folder: &Path) -> io::Result<(File, TempPath)> {
    let open = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    loop {
        // Not tempfile's own way of opening, which puts its path behind every error.
        let (file, aside) = builder().make_in(folder, open)?.into_parts();
        lock(&file);
        // Somebody may have taken it for one that was left behind before it was locked.
        if file.metadata()?.nlink() > 0 {
            return Ok((file, aside));
        }
    }
}

/// File systems that know no locks know nobody either who sweeps.
fn lock(file: &File) {
    let _ = file.try_lock();
}

/// Gives a file its first name.
fn name(file: &File, folder: &Path) -> io::Result<TempPath> {
    let (own, follow) = (own(file), AtFlags::SYMLINK_FOLLOW);
    let link = |path: &Path| Ok(rustix::fs::linkat(CWD, &own, CWD, path, follow)?);
    Ok(builder().make_in(folder, link)?.into_temp_path())
}

/// Where a file stands that this process has open.
fn own(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).rand_bytes(LETTERS);
    builder
}

/// Whether a name is one of those that are not in their places yet.
fn is_aside(name: &str) -> bool {
    let letters = name.strip_prefix(PREFIX);
    letters.is_some_and(|it| it.len() == LETTERS && it.bytes().all(|c| c.is_ascii_alphanumeric()))
}

/// What others left in a folder who were killed, once for each folder.
fn sweep_once(folder: &Path) {
    if SWEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned()) {
        sweep(folder);
    }
}

/// Takes away from a folder what somebody who was killed has left of a file on its way to its place. What cannot be taken
/// away now is so by the next one.
pub fn sweep(folder: &Path) {
    let me = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|it| it.file_name().to_str().is_some_and(is_aside)) {
        let path = entry.path();
        let is_left = entry.metadata().is_ok_and(|meta| {
            meta.uid() == me && (meta.is_symlink() || (meta.is_file() && is_unlocked(&path)))
        });
        if is_left {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether nobody has a file locked.
fn is_unlocked(path: &Path) -> bool {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.is_ok_and(|file| file.try_lock().is_ok())
}

/// A file of the user's own that is written anew stays of the group that it was of, where the user may say so.
fn keep_group(file: &File, path: &Path) {
    let me = rustix::process::geteuid().as_raw();
    if let (Ok(old), Ok(new)) = (fs::symlink_metadata(path), file.metadata())
        && old.is_file()
        && old.uid() == me
        && old.gid() != new.gid()
    {
        let _ = std::os::unix::fs::fchown(file, None, Some(old.gid()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn where_it_has_a_name_from_the_beginning_it_goes_only_once_nobody_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let (file, aside) = named(folder.path()).unwrap();
        assert!(is_aside(aside.file_name().unwrap().to_str().unwrap()), "{aside:?}");
        sweep(folder.path());
        assert_eq!(names(), 1);
        // It is killed here: nobody takes the name away.
        std::mem::forget(aside);
        drop(file);
        sweep(folder.path());
        assert_eq!(names(), 0);
        assert_eq!(nameless(folder.path()).map(|_| names()), Some(0), "no name, no trace");
    }
}
