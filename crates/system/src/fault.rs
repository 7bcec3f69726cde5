//! Why the operating system refuses something, and what helps: one place for all errors that carry its reason.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::explain::Exit;
use crate::message;
use crate::message::Message;
use crate::quote::quote;

/// A reason of the operating system's for which something can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No bytes or no files are left on the file system.
    NoSpace,
    /// The user's share of the file system is used up.
    Quota,
    /// The file system can only be read.
    ReadOnly,
    /// The user may not do this to this file.
    Denied,
    /// Nobody may: an attribute of the file, a container or a policy forbids it.
    Forbidden,
    /// Links lead in a circle.
    Loop,
    /// Too many files are open.
    OpenFiles,
    /// No process and no thread can be started.
    Processes,
    /// Memory is used up.
    Memory,
    /// A file is no program for this machine.
    NotAProgram,
    /// A file stands where a folder belongs.
    NotAFolder,
    /// Something else than a plain file stands where one belongs.
    NotAFile,
    /// The disk itself failed.
    Disk,
}

/// Where on the way to a path what is the user's ends.
#[derive(Debug, PartialEq, Eq)]
enum Reached<'a> {
    /// From here on it is somebody else's, within a folder of the user's.
    Here(&'a Path),
    /// What is there of it is the user's; the last such.
    Nowhere(&'a Path),
    /// Nothing is.
    Everywhere,
}

/// Looks from a path upwards for the user's own, by the number of whom each place belongs to, if it is there.
fn reached<'a>(path: &'a Path, user: u32, owner: impl Fn(&Path) -> Option<u32>) -> Reached<'a> {
    let mut others = None;
    for place in path.ancestors() {
        match owner(place) {
            Some(uid) if uid == user => {
                return others.map_or(Reached::Nowhere(place), Reached::Here);
            }
            Some(_) => others = Some(place),
            None => {}
        }
    }
    Reached::Everywhere
}

impl Fault {
    /// The reason in an error; `None` where only the error's own words help.
    pub fn of(error: &io::Error) -> Option<Self> {
        use rustix::io::Errno;
        let known = [
            (Errno::NOSPC, Self::NoSpace),
            (Errno::DQUOT, Self::Quota),
            (Errno::ROFS, Self::ReadOnly),
            (Errno::ACCESS, Self::Denied),
            (Errno::PERM, Self::Forbidden),
            (Errno::LOOP, Self::Loop),
            (Errno::MFILE, Self::OpenFiles),
            (Errno::NFILE, Self::OpenFiles),
            (Errno::AGAIN, Self::Processes),
            (Errno::NOMEM, Self::Memory),
            (Errno::NOEXEC, Self::NotAProgram),
            (Errno::NOTDIR, Self::NotAFolder),
            (Errno::ISDIR, Self::NotAFile),
            (Errno::EXIST, Self::NotAFile),
            (Errno::IO, Self::Disk),
        ];
        let by_number = error
            .raw_os_error()
            .and_then(|number| known.into_iter().find(|(errno, _)| errno.raw_os_error() == number));
        by_number.map(|(_, fault)| fault).or(match error.kind() {
            io::ErrorKind::StorageFull => Some(Self::NoSpace),
            io::ErrorKind::QuotaExceeded => Some(Self::Quota),
            io::ErrorKind::ReadOnlyFilesystem => Some(Self::ReadOnly),
            io::ErrorKind::PermissionDenied => Some(Self::Denied),
            // What the operating system calls so by a number is something else.
            io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput
                if error.raw_os_error().is_none() =>
            {
                Some(Self::NotAFile)
            }
            _ => None,
        })
    }

    /// The last reason of the operating system's that another program has printed, with the path that it names: as Rust's
    /// programs do it (`… (os error 13)`, the path in front), or Python's (`[Errno 13] …`, the path behind).
    pub fn printed(output: &str) -> Option<(String, io::Error)> {
        output.lines().rev().find_map(|line| {
            let (words, number) = match line.rsplit_once("(os error ") {
                Some((before, number)) => (before, number.split(')').next()?),
                None => line.split_once("[Errno ")?.1.split_once(']').map(|(n, w)| (w, n))?,
            };
            let error = io::Error::from_raw_os_error(number.parse().ok()?);
            Self::of(&error)?;
            let path = words.split(['`', '\'', '"']).rfind(|word| word.starts_with('/'));
            Some((path.unwrap_or_default().to_owned(), error))
        })
    }

    /// The reason that a program of the system's has printed in the C library's words.
    pub fn in_words(output: &str) -> Option<Self> {
        let known = [
            ("No space left on device", Self::NoSpace),
            ("Disk quota exceeded", Self::Quota),
            ("Read-only file system", Self::ReadOnly),
            ("Cannot allocate memory", Self::Memory),
            ("Too many open files", Self::OpenFiles),
            ("Resource temporarily unavailable", Self::Processes),
            // Python's own words for it.
            ("can't start new thread", Self::Processes),
        ];
        known.into_iter().find(|(words, _)| output.contains(words)).map(|(_, fault)| fault)
    }

    /// What helps where a file could not be read or written.
    pub fn hint(self, path: &Path) -> Message {
        match self {
            Self::NoSpace => message!(
                "free some space (`df -h` and `df -i` show what is left), or set AITK_DATA_DIR, AITK_CACHE_DIR and \
                 AITK_STATE_DIR to a larger disk; then run the same command again: it continues"
            ),
            Self::Quota => message!(
                "your share of this disk is used up (`quota -s` shows it): free some, or set AITK_DATA_DIR and \
                 AITK_CACHE_DIR to another disk; then run the same command again: it continues"
            ),
            Self::ReadOnly => {
                message!(
                    "this file system can only be read (`mount` and `dmesg` may say why): set AITK_DATA_DIR, AITK_CACHE_DIR, \
                 AITK_STATE_DIR or TMPDIR to another one"
                )
            }
            Self::Denied => Self::denied(path),
            Self::Forbidden => {
                message!(
                    "an attribute of the file (`lsattr`), a container or a policy of the system forbids it: ask who manages this \
                 machine, or set AITK_DATA_DIR and AITK_CACHE_DIR to another place"
                )
            }
            Self::Loop => {
                message!("a link leads to itself, or stands where none may be: take it away")
            }
            Self::OpenFiles => {
                message!(
                    "`ulimit -n 4096` lets this shell open more files; then run the same command again"
                )
            }
            Self::Processes => {
                message!(
                    "end other programs, or raise the number of processes that you may have (`ulimit -u` shows it); then run \
                 the same command again: it continues"
                )
            }
            Self::Memory => {
                message!("end other programs; then run the same command again: it continues")
            }
            Self::NotAFolder => message!(
                "on the way there a file stands where a folder belongs: move it away, or name another place (HOME, TMPDIR, \
                 AITK_DATA_DIR, AITK_CACHE_DIR, AITK_STATE_DIR)"
            ),
            Self::NotAFile => message!(
                "something else than a plain file stands there, a folder, a pipe or a link that leads nowhere: move it away, \
                 or name another place"
            ),
            Self::Disk => message!(
                "the disk fails there (`sudo dmesg | tail` may say more): save what matters to you, and set AITK_DATA_DIR, \
                 AITK_CACHE_DIR and AITK_STATE_DIR to another one"
            ),
            Self::NotAProgram => {
                message!(
                    "it is damaged, or for another kind of processor: take it away and run the same command again"
                )
            }
        }
    }

    /// What helps where something that has no path of its own could not be read or written.
    pub fn pathless_hint(self) -> Option<Message> {
        // The remedy of the other one names the path.
        (self != Self::Denied).then(|| self.hint(Path::new("")))
    }

    /// What helps where a program could not be started.
    pub fn start_hint(self, program: &Path) -> Message {
        match self {
            Self::Denied => {
                message!(
                    "it is not executable, or its file system starts no programs (`noexec`): set AITK_DATA_DIR and \
                 AITK_CACHE_DIR to folders on another one"
                )
            }
            other => other.hint(program),
        }
    }

    /// The exit code of a program that ends for this reason.
    pub fn exit(self) -> Exit {
        match self {
            Self::ReadOnly | Self::Denied | Self::Forbidden => Exit::NotPermitted,
            Self::Processes | Self::OpenFiles => Exit::TryAgain,
            _ => Exit::Failed,
        }
    }

    /// Whatever is below a folder of the user's was the user's once.
    fn denied(path: &Path) -> Message {
        let user = rustix::process::geteuid().as_raw();
        reached(path, user, |place| Some(fs::symlink_metadata(place).ok()?.uid())).hint()
    }
}

impl Reached<'_> {
    /// What opens the way.
    fn hint(self) -> Message {
        match self {
            Self::Here(place) => {
                let place = quote(&place.to_string_lossy());
                message!(
                    "it may belong to root after a `sudo`: `ls -ld {place}` shows whose it is, and `sudo chown -R \"$USER\": {place}` gives it back"
                )
            }
            Self::Nowhere(place) => {
                let place = quote(&place.to_string_lossy());
                message!("it is yours and closed: `chmod u+rwx {place}` opens it")
            }
            Self::Everywhere => message!(
                "no folder on the way there is yours: choose one that is; where aitk keeps its own is set by HOME, or by \
                 AITK_DATA_DIR, AITK_CACHE_DIR and AITK_STATE_DIR"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_the_uppermost_folder_that_was_taken() {
        let path = Path::new("/home/me/.cache/aitk/x");
        let owners = |of: &'static [(&str, u32)]| {
            move |place: &Path| {
                of.iter().find(|(name, _)| Path::new(name) == place).map(|(_, uid)| *uid)
            }
        };
        let cache = owners(&[("/", 0), ("/home", 0), ("/home/me", 7), ("/home/me/.cache", 0)]);
        assert_eq!(reached(path, 7, cache), Reached::Here(Path::new("/home/me/.cache")));
        let closed = owners(&[("/", 0), ("/home", 0), ("/home/me", 7)]);
        assert_eq!(reached(path, 7, closed), Reached::Nowhere(Path::new("/home/me")));
        assert_eq!(reached(path, 7, owners(&[("/", 0), ("/home", 0)])), Reached::Everywhere);
    }

    #[test]
    fn a_reason_is_known_by_its_number_and_by_its_kind() {
        let of = |number| Fault::of(&io::Error::from_raw_os_error(number));
        assert_eq!(of(28), Some(Fault::NoSpace));
        assert_eq!(of(122), Some(Fault::Quota));
        assert_eq!(of(30), Some(Fault::ReadOnly));
        assert_eq!(of(13), Some(Fault::Denied));
        assert_eq!(of(1), Some(Fault::Forbidden));
        assert_eq!(of(40), Some(Fault::Loop));
        assert_eq!(of(24), Some(Fault::OpenFiles));
        assert_eq!(of(11), Some(Fault::Processes));
        assert_eq!((of(17), of(21)), (Some(Fault::NotAFile), Some(Fault::NotAFile)));
        assert_eq!((of(5), of(22)), (Some(Fault::Disk), None));
        let pipe = io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file");
        assert_eq!(Fault::of(&pipe), Some(Fault::NotAFile));
        assert_eq!(of(2), None);
        assert_eq!(Fault::of(&io::ErrorKind::PermissionDenied.into()), Some(Fault::Denied));
        assert_eq!(Fault::of(&io::Error::other("x")), None);
    }

    #[test]
    fn what_another_program_printed_is_understood() {
        let uv = "error: failed to create directory `/home/me/.cache/uv`: Permission denied (os error 13)\n";
        let (path, error) = Fault::printed(uv).unwrap();
        assert_eq!((path.as_str(), Fault::of(&error)), ("/home/me/.cache/uv", Some(Fault::Denied)));
        assert!(Fault::printed("No such file or directory (os error 2)").is_none());
        let pip = "ERROR: Could not install packages due to an OSError: [Errno 30] Read-only file system: '/x/uv.whl'\n";
        let (path, error) = Fault::printed(pip).unwrap();
        assert_eq!((path.as_str(), Fault::of(&error)), ("/x/uv.whl", Some(Fault::ReadOnly)));
        assert!(Fault::printed("[Errno -3] Temporary failure in name resolution").is_none());
        let dpkg = "dpkg: error processing archive: cannot copy: failed to write (No space left on device)";
        assert_eq!(Fault::in_words(dpkg), Some(Fault::NoSpace));
        assert_eq!(Fault::in_words("all is well"), None);
        assert!(Fault::printed("(os error x)").is_none() && Fault::printed("").is_none());
    }

    #[test]
    fn a_remedy_names_the_path_as_a_shell_takes_it() {
        let hint = Reached::Here(Path::new("/home/me/my file")).hint().to_string();
        assert!(hint.contains("chown -R \"$USER\": '/home/me/my file'"), "{hint}");
    }
}
