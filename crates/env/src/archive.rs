//! Archives of strangers: conda packages are unpacked here, and wheels are looked through before uv unpacks them.
//!
//! Nothing of one stands outside of its folder, no link leads out of it, and no member is anything but a file, a
//! folder or a link. What an archive unpacks to is limited, whatever it says of itself.
#![expect(
    clippy::disallowed_methods,
    reason = "large files are streamed; System::permit has been asked before"
)]

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use aitk_plan::names;
use aitk_system::{Failure, Message, interrupted, message};
use tar::EntryType;

use crate::error::EnvError;

/// How many times its own size an archive may unpack to …
const RATIO: u64 = 200;
/// … unless that is little …
const LITTLE: u64 = 256 << 20;
/// … and in bytes, whatever its size.
const MOST: u64 = 64 << 30;
/// How many members an archive may have.
const MEMBERS: usize = 1_000_000;
/// How many bytes the head of a member may have, with the long names that may stand before it.
const HEAD: u64 = 1 << 20;
/// Members before 1980 are of no year that every file system knows.
const OLDEST: Duration = Duration::from_secs(315_532_800);

/// Why a stranger's archive is not unpacked.
#[derive(Debug)]
pub(crate) enum ArchiveRefusal {
    /// What is wrong with it.
    Bad(Message),
    /// What the operating system said, and of which path.
    Io(PathBuf, io::Error),
    /// The user wants to stop.
    Interrupted,
}

impl ArchiveRefusal {
    /// The error for the archive's file.
    pub fn of(self, file: &str) -> EnvError {
        match self {
            Self::Bad(reason) => EnvError::bad_package(file.to_owned(), reason),
            Self::Io(path, error) => EnvError::io(path)(error),
            Self::Interrupted => EnvError::System(Failure::Interrupted),
        }
    }

    fn bad(reason: impl Into<Message>) -> Self {
        Self::Bad(reason.into())
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::Io(path, error)
    }

    /// The archive itself cannot be read on.
    fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Bad(message!("it cannot be unpacked: {error}"))
    }
}

/// How much an archive of this size may unpack to, in bytes.
fn allowance(size: u64) -> u64 {
    size.saturating_mul(RATIO).clamp(LITTLE, MOST)
}

/// Unpacks a conda package, `.conda` or `.tar.bz2`, into a folder that is empty.
pub(crate) fn unpack_conda(archive: &Path, folder: &Path) -> Result<(), ArchiveRefusal> {
    let file = File::open(archive).map_err(ArchiveRefusal::io(archive))?;
    let size = file.metadata().map_err(ArchiveRefusal::io(archive))?.len();
    let folder = fs::canonicalize(folder).map_err(ArchiveRefusal::io(folder))?;
    let mut unpacked = Unpacked::new(folder, allowance(size));
    if archive.extension().is_some_and(|extension| extension == "conda") {
        let mut zip = zip::ZipArchive::new(file).map_err(ArchiveRefusal::damaged)?;
        for index in 0..zip.len() {
            let member = zip.by_index(index).map_err(ArchiveRefusal::damaged)?;
            if member.name().map_err(ArchiveRefusal::damaged)?.ends_with(".tar.zst") {
                let decoder = zstd::Decoder::new(member).map_err(ArchiveRefusal::damaged)?;
                unpacked.take(decoder)?;
            }
        }
    } else {
        unpacked.take(bzip2::read::MultiBzDecoder::new(io::BufReader::new(file)))?;
    }
    unpacked.finish()
}

/// A folder that an archive is being unpacked into.
struct Unpacked {
    folder: PathBuf,
    /// How many bytes may still come.
    left: u64,
    members: usize,
    /// The folders that have been made.
    folders: HashSet<PathBuf>,
    /// The links that have been made, with where they lead.
    links: BTreeMap<PathBuf, PathBuf>,
    buffer: Vec<u8>,
}

impl Unpacked {
    fn new(folder: PathBuf, left: u64) -> Self {
        Self {
            folder,
            left,
            members: 0,
            folders: HashSet::new(),
            links: BTreeMap::new(),
            buffer: vec![0; 128 << 10],
        }
    }

    /// Unpacks a tar archive that comes out of a decoder.
    fn take(&mut self, decoder: impl Read) -> Result<(), ArchiveRefusal> {
        self.left = read_members(decoder, self.left, ArchiveRefusal::Bad, |member| {
            if interrupted() {
                return Err(ArchiveRefusal::Interrupted);
            }
            self.member(member)
        })?;
        Ok(())
    }

    fn member(&mut self, member: &mut tar::Entry<'_, impl Read>) -> Result<(), ArchiveRefusal> {
        self.members += 1;
        if self.members > MEMBERS {
            return Err(ArchiveRefusal::bad(message!("it has more than {MEMBERS} members")));
        }
        let kind = member.header().entry_type();
        let name = member.path().map_err(ArchiveRefusal::damaged)?.into_owned();
        // Of tar's oldest form are folders whose names end so.
        let is_folder = kind.is_dir() || kind.is_file() && member.path_bytes().ends_with(b"/");
        let Some(path) = below(&name)? else { return Ok(()) };
        if let Some(link) = path.ancestors().skip(1).find(|part| self.links.contains_key(*part)) {
            return Err(ArchiveRefusal::bad(message!("{name:?} goes through the link {link:?}")));
        }
        let place = self.folder.join(&path);
        if is_folder {
            return self.make(&place);
        }
        let parent = place.parent().unwrap_or(&place).to_owned();
        self.make(&parent)?;
        // What comes twice counts once, as it comes last.
        self.links.remove(&path);
        match fs::symlink_metadata(&place) {
            Ok(there) if there.is_dir() => {
                return Err(ArchiveRefusal::bad(message!("{name:?} is a folder and a file in it")));
            }
            Ok(_) => fs::remove_file(&place).map_err(ArchiveRefusal::io(&place))?,
            Err(_) => {}
        }
        match kind {
            EntryType::Regular => self.file(member, &place),
            EntryType::Symlink => {
                let target = target(member)?;
                if target.as_os_str().is_empty() {
                    return Err(ArchiveRefusal::bad(message!("the link {name:?} leads nowhere")));
                }
                symlink(&target, &place).map_err(ArchiveRefusal::io(&place))?;
                self.links.insert(path, target);
                Ok(())
            }
            EntryType::Link => {
                let target = target(member)?;
                let out = || {
                    ArchiveRefusal::bad(message!(
                        "the link {name:?} leads to {target:?}, which is no file of it"
                    ))
                };
                let Some(other) = below(&target)? else { return Err(out()) };
                let through = other.ancestors().any(|part| self.links.contains_key(part));
                let other = self.folder.join(other);
                let is_file = fs::symlink_metadata(&other).is_ok_and(|there| there.is_file());
                if through || !is_file {
                    return Err(out());
                }
                fs::hard_link(&other, &place).map_err(ArchiveRefusal::io(&place))
            }
            other => Err(ArchiveRefusal::bad(message!(
                "{name:?} is no file, folder or link: its kind is {:?}",
                char::from(other.as_byte())
            ))),
        }
    }

    /// Makes a folder with those above it.
    fn make(&mut self, folder: &Path) -> Result<(), ArchiveRefusal> {
        if !self.folders.contains(folder) {
            fs::create_dir_all(folder).map_err(ArchiveRefusal::io(folder))?;
            self.folders.insert(folder.to_owned());
        }
        Ok(())
    }

    fn file(
        &mut self,
        member: &mut tar::Entry<'_, impl Read>,
        place: &Path,
    ) -> Result<(), ArchiveRefusal> {
        let mode = member.header().mode().unwrap_or(0o644) & 0o755 | 0o400;
        let mtime = Duration::from_secs(member.header().mtime().unwrap_or(0)).max(OLDEST);
        let options = OpenOptions::new().write(true).create_new(true).mode(0o600).clone();
        let mut file = options.open(place).map_err(ArchiveRefusal::io(place))?;
        loop {
            let read = member.read(&mut self.buffer).map_err(ArchiveRefusal::damaged)?;
            if read == 0 {
                break;
            }
            file.write_all(&self.buffer[..read]).map_err(ArchiveRefusal::io(place))?;
        }
        file.set_permissions(Permissions::from_mode(mode)).map_err(ArchiveRefusal::io(place))?;
        // A file from the future would look as if it had been changed since.
        let now =
            file.metadata().and_then(|file| file.modified()).map_err(ArchiveRefusal::io(place))?;
        let then = SystemTime::UNIX_EPOCH.checked_add(mtime).map_or(now, |then| then.min(now));
        // Not every file system keeps every time.
        let _ = file.set_times(FileTimes::new().set_modified(then));
        Ok(())
    }

    /// Shows that every link leads to something inside.
    fn finish(&self) -> Result<(), ArchiveRefusal> {
        for (path, target) in &self.links {
            if !self.stays_inside(path, target) {
                return Err(ArchiveRefusal::bad(message!(
                    "the link {path:?} leads out of it: {target:?}"
                )));
            }
        }
        Ok(())
    }

    /// Whether a link leads down from its own folder or from one above that, inside. A way back up behind a name counts
    /// only where that name is a folder in fact, and no link to one that lies less deep.
    fn stays_inside(&self, path: &Path, target: &Path) -> bool {
        let mut at = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut went_down = false;
        for part in target.components() {
            match part {
                Component::Normal(name) => {
                    at.push(name);
                    went_down = true;
                }
                Component::ParentDir => {
                    let is_folder = fs::symlink_metadata(self.folder.join(&at))
                        .is_ok_and(|there| there.is_dir());
                    if went_down && !is_folder || !at.pop() {
                        return false;
                    }
                }
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return false,
            }
        }
        true
    }
}

/// A member's path without the `./` that some begin with; `None` for the folder itself.
fn below(name: &Path) -> Result<Option<PathBuf>, ArchiveRefusal> {
    let path: PathBuf = name.components().skip_while(|part| *part == Component::CurDir).collect();
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    if path.to_str().is_some_and(names::relative_path::fits) {
        Ok(Some(path))
    } else {
        Err(ArchiveRefusal::bad(message!("{name:?} is no path inside of it")))
    }
}

/// Where a link leads, as its member says.
fn target(member: &tar::Entry<'_, impl Read>) -> Result<PathBuf, ArchiveRefusal> {
    let target = member.link_name().map_err(ArchiveRefusal::damaged)?;
    Ok(target.map(|target| target.into_owned()).unwrap_or_default())
}

/// Goes through the members of a tar archive that may have so many bytes; how many are left in the end. `bad` makes the
/// error of what is wrong with it.
pub(crate) fn read_members<R: Read, E>(
    archive: R,
    most: u64,
    bad: impl Fn(Message) -> E,
    mut each: impl FnMut(&mut tar::Entry<'_, Metered<R>>) -> Result<(), E>,
) -> Result<u64, E> {
    let damaged = |error: io::Error| bad(message!("it cannot be unpacked: {error}"));
    let meter = Rc::new(DecodeBudget::of(most));
    let mut archive = tar::Archive::new(Metered { decoder: archive, meter: Rc::clone(&meter) });
    let mut members = archive.entries().map_err(damaged)?;
    while let Some(member) = meter.head(|| members.next()) {
        each(&mut member.map_err(damaged)?)?;
    }
    // What is cut in its end is damaged, even where all members came.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    Ok(meter.left.get())
}

/// How many bytes may still come out of a decoder.
struct DecodeBudget {
    /// In all.
    left: Cell<u64>,
    /// Until the member is there whose head is being read, which is held in memory.
    head: Cell<u64>,
}

impl DecodeBudget {
    fn of(left: u64) -> Self {
        Self { left: Cell::new(left), head: Cell::new(u64::MAX) }
    }

    /// Reads the head of a member.
    fn head<T>(&self, read: impl FnOnce() -> T) -> T {
        self.head.set(HEAD);
        let member = read();
        self.head.set(u64::MAX);
        member
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        for (left, reason) in [
            (&self.left, message!("it unpacks to far more than an archive of its size does")),
            (&self.head, message!("the head of a member is far larger than any is")),
        ] {
            let rest = left.get().checked_sub(bytes).ok_or_else(|| io::Error::other(reason))?;
            left.set(rest);
        }
        Ok(())
    }
}

/// A decoder that gives out only what its meter allows: more is an error, and no end.
pub(crate) struct Metered<R> {
    decoder: R,
    meter: Rc<DecodeBudget>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        self.meter.take(read as u64)?;
        Ok(read)
    }
}

/// Looks through a wheel's table of contents: uv unpacks it, and is handed only what stays in its place.
pub(crate) fn check_wheel(archive: &Path) -> Result<(), ArchiveRefusal> {
    let file = File::open(archive).map_err(ArchiveRefusal::io(archive))?;
    let size = file.metadata().map_err(ArchiveRefusal::io(archive))?.len();
    let mut zip = zip::ZipArchive::new(file).map_err(ArchiveRefusal::damaged)?;
    if zip.len() > MEMBERS {
        return Err(ArchiveRefusal::bad(message!("it has more than {MEMBERS} members")));
    }
    let mut left = allowance(size);
    let mut scripts = Vec::new();
    for index in 0..zip.len() {
        let member = zip.by_index_raw(index).map_err(ArchiveRefusal::damaged)?;
        let name = member.name().map_err(ArchiveRefusal::damaged)?.into_owned();
        if !names::relative_path::fits(name.trim_end_matches('/')) || name.contains('\\') {
            return Err(ArchiveRefusal::bad(message!("{name:?} is no path inside of it")));
        }
        const LINK: u32 = 0o120_000;
        if member.unix_mode().is_some_and(|mode| mode & 0o170_000 == LINK) {
            return Err(ArchiveRefusal::bad(message!("{name:?} is a link")));
        }
        left = left.checked_sub(member.size()).ok_or_else(|| {
            ArchiveRefusal::bad(message!("it unpacks to far more than an archive of its size does"))
        })?;
        if name.ends_with(".dist-info/entry_points.txt") {
            scripts.push(index);
        }
    }
    for index in scripts {
        let mut text = String::new();
        let member = zip.by_index(index).map_err(ArchiveRefusal::damaged)?;
        member.take(1 << 20).read_to_string(&mut text).map_err(ArchiveRefusal::damaged)?;
        check_scripts(&text)?;
    }
    Ok(())
}

/// Names of programs that a wheel asks for are file names.
fn check_scripts(text: &str) -> Result<(), ArchiveRefusal> {
    let mut makes_programs = false;
    // Whatever some reader takes for a line, or for the name of a group.
    for line in text.split(['\n', '\r', '\u{feff}']).map(str::trim) {
        if let Some(group) = line.strip_prefix('[') {
            let group = group.split(']').next().unwrap_or(group).trim();
            makes_programs = matches!(group, "console_scripts" | "gui_scripts");
        } else if makes_programs && let Some((name, _)) = line.split_once('=') {
            let name = name.trim();
            if !line.starts_with(['#', ';']) && !names::file_name::fits(name) {
                return Err(ArchiveRefusal::bad(message!(
                    "the program {name:?} has no file's name"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member as a stranger writes it: nothing of it is checked.
    fn raw(kind: EntryType, name: &str, target: &str, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o6777);
        header.set_mtime(1_700_000_000);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn file(name: &str) -> Vec<u8> {
        raw(EntryType::Regular, name, "", b"content")
    }

    fn link(name: &str, target: &str) -> Vec<u8> {
        raw(EntryType::Symlink, name, target, b"")
    }

    fn hard_link(name: &str, target: &str) -> Vec<u8> {
        raw(EntryType::Link, name, target, b"")
    }

    /// Unpacks these members into `in` below a folder.
    fn unpack(folder: &Path, members: &[Vec<u8>], most: u64) -> Result<(), ArchiveRefusal> {
        let to = folder.join("in");
        fs::create_dir(&to).unwrap();
        let mut unpacked = Unpacked::new(fs::canonicalize(to).unwrap(), most);
        let mut archive = members.concat();
        archive.resize(archive.len() + 1024, 0);
        unpacked.take(&*archive)?;
        unpacked.finish()
    }

    fn refused(members: &[Vec<u8>]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let Err(ArchiveRefusal::Bad(reason)) = unpack(folder.path(), members, 1 << 20) else {
            panic!("it is not refused")
        };
        let beside: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(beside.len(), 1, "{beside:?}");
        reason.to_string()
    }

    #[test]
    fn nothing_of_an_archive_stands_outside_and_no_link_leads_there() {
        let cases: &[&[Vec<u8>]] = &[
            &[file("../out")],
            &[file("a/../../out")],
            &[file("/tmp/aitk-out")],
            &[file("a\nb")],
            // Links that lead out …
            &[link("a", "/etc")],
            &[link("a", "..")],
            &[link("a/b", "../../out")],
            &[link("a", "b/../../out")],
            &[link("a", "")],
            // … through others that lie less deep than they look.
            &[
                raw(EntryType::Directory, "d", "", b""),
                link("a/b/c", "../../d"),
                link("a/b/e", "c/../../../out"),
            ],
            // A file through a link, and a link that comes where one was.
            &[link("a", "b"), file("a/c")],
            &[link("a", "/etc"), file("a/c")],
            &[file("b"), link("a", "b"), link("a", "../out")],
            // Hard links.
            &[hard_link("a", "/etc/passwd")],
            &[hard_link("a", "../out")],
            &[link("b", "/etc/passwd"), hard_link("a", "b")],
            &[hard_link("a", "not-there")],
            // Neither file nor folder nor link.
            &[raw(EntryType::Fifo, "a", "", b"")],
            &[raw(EntryType::Char, "a", "", b"")],
            &[raw(EntryType::Continuous, "a", "", b"x")],
            &[raw(EntryType::Directory, "a", "", b""), file("a")],
        ];
        for members in cases {
            refused(members);
        }
    }

    #[test]
    fn links_that_stay_inside_are_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let members = [
            raw(EntryType::Directory, "./", "", b""),
            file("./lib/real.so.1"),
            link("lib/real.so", "real.so.1"),
            link("bin/tool", "../lib/real.so"),
            link("lib64", "lib"),
            link("share/x", "../lib/../lib/real.so"),
            link("share/comes-with-another", "../etc/x"),
            hard_link("lib/same", "lib/real.so.1"),
        ];
        unpack(folder.path(), &members, 1 << 20).unwrap();
        let to = folder.path().join("in");
        assert_eq!(fs::read(to.join("share/x")).unwrap(), b"content");
        assert_eq!(fs::read(to.join("lib64/same")).unwrap(), b"content");
        let mode = fs::metadata(to.join("lib/same")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
    }

    #[test]
    fn what_an_archive_unpacks_to_is_limited_whatever_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let large = raw(EntryType::Regular, "a", "", &[0; 100_000]);
        let Err(ArchiveRefusal::Bad(reason)) = unpack(folder.path(), &[large], 50_000) else {
            panic!("it is not refused")
        };
        assert!(reason.to_string().contains("far more"), "{reason}");
        // A sparse file has a block, and says that it has 2^40 bytes.
        let mut sparse = raw(EntryType::GNUSparse, "a", "", &[0; 512]);
        sparse[483..495].copy_from_slice(b"17777777777\0");
        refused(&[sparse]);
        let mut long = raw(EntryType::GNULongName, "././@LongLink", "", &vec![b'a'; 2 << 20]);
        long.extend(file("a"));
        let folder = tempfile::tempdir().unwrap();
        let Err(ArchiveRefusal::Bad(reason)) = unpack(folder.path(), &[long], 1 << 30) else {
            panic!("it is not refused")
        };
        assert!(reason.to_string().contains("head"), "{reason}");
        assert_eq!(allowance(0), LITTLE);
        assert_eq!(allowance(u64::MAX), MOST);
    }

    #[test]
    fn a_cut_package_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let mut tar =
            tar::Builder::new(bzip2::write::BzEncoder::new(Vec::new(), Default::default()));
        let mut header = tar::Header::new_gnu();
        let content: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, "a", &*content).unwrap();
        let whole = tar.into_inner().unwrap().finish().unwrap();
        let archive = folder.path().join("a.tar.bz2");
        let unpack = |length: usize| {
            fs::write(&archive, &whole[..length]).unwrap();
            let to = folder.path().join(format!("to-{length}"));
            fs::create_dir(&to).unwrap();
            unpack_conda(&archive, &to)
        };
        unpack(whole.len()).unwrap();
        unpack(whole.len() / 2).unwrap_err();
        unpack(whole.len() - 4).unwrap_err();
    }

    fn wheel(members: &[(&str, &str)], link: bool) -> Result<(), ArchiveRefusal> {
        use zip::write::SimpleFileOptions;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.whl");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in members {
            if link {
                zip.add_symlink(*name, *content, SimpleFileOptions::default()).unwrap();
            } else {
                zip.start_file(*name, SimpleFileOptions::default()).unwrap();
                zip.write_all(content.as_bytes()).unwrap();
            }
        }
        zip.finish().unwrap();
        check_wheel(&path)
    }

    #[test]
    fn uv_is_handed_only_wheels_that_stay_in_their_place() {
        let scripts = "[console_scripts]\nsix = six:main\n[other]\n../x = y\n";
        wheel(&[("six.py", ""), ("six-1.dist-info/entry_points.txt", scripts)], false).unwrap();
        wheel(&[("../six.py", "")], false).unwrap_err();
        wheel(&[("/six.py", "")], false).unwrap_err();
        wheel(&[("six-1.data/data/../../x", "")], false).unwrap_err();
        wheel(&[("six.py", "/etc/passwd")], true).unwrap_err();
        for name in [
            "..\\six.py",
            "a\\..\\..\\six.py",
            "\\six.py",
            "C:\\six.py",
            "..",
            "a/..",
            "a/../../six.py",
            "six-1.data/scripts/../../../six",
            "six-1.data/headers/../../../../six.h",
            "six\n.py",
            "six\u{1b}[2J.py",
            "six\0.py",
            "~/../six.py",
        ] {
            assert!(wheel(&[(name, "")], false).is_err(), "{name:?}");
        }
        for script in ["../x", "a/b", "/usr/bin/x", "..", "x\u{1b}[2J"] {
            for head in [
                "[console_scripts]\n",
                "[gui_scripts]\r",
                "\u{feff}[ console_scripts ]\n",
                "[console_scripts] # x\n",
                "[console_scripts]]\n\u{a0}",
            ] {
                let scripts = format!("{head}{script} = six:main\n");
                let found = wheel(&[("six-1.dist-info/entry_points.txt", &scripts)], false);
                assert!(found.is_err(), "{script:?} behind {head:?}");
            }
        }
        let scripts = "[console_scripts]\n../../x = six:main\n";
        wheel(&[("six-1.dist-info/entry_points.txt", scripts)], false).unwrap_err();
        let bomb = "0".repeat(300 << 20);
        wheel(&[("six.py", &bomb)], false).unwrap_err();
    }
}
