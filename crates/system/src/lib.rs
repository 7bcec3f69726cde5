//! The one door to the operating system.
//!
//! Everything that `aitk` learns from a machine or changes on it passes through [`System`]. Its
//! implementations stack: [`Real`] acts, [`Record`] notes everything that another one answers, [`Replay`] answers
//! from such notes, [`Deny`] refuses every change and [`Report`] only says what would change. So a dry run,
//! a verification and a real run are the same code on another `System`, and any machine can become a test.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this crate is the door that the ban points to"
)]

// The macros name it so, here as elsewhere.
extern crate self as aitk_system;

mod aside;
mod beside;
mod builtin;
mod children;
mod command;
mod deny;
mod elevate;
mod exec;
mod explain;
mod failure;
mod fault;
pub mod forms;
mod hand_on;
mod inside;
mod interrupt;
mod lacks;
mod message;
mod nvml;
pub mod paths;
mod plain;
mod private;
mod programs;
mod quote;
mod real;
mod record;
mod replay;
mod report;
mod scrub;
mod server;

use std::io;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::sync::Arc;

pub use aitk_macros::{Explain, message};
pub use aside::{put_file, share_file, sweep};
pub use beside::{Beside, beside, with_each};
pub use builtin::{builtin, builtin_below};
pub use children::children_start_in;
pub use command::{Command, Effect, Hidden, Line, Output, RunAs, RunError};
pub use deny::Deny;
pub use elevate::{KeepAlive, authenticate, can_ask};
pub use exec::{
    end, free_port, is_terminal, is_this_program, read_line, replace, stderr_is_terminal,
    stderr_width, stdout_width, this_program,
};
pub use explain::{Diagnosed, Exit, Explain};
pub use failure::Failure;
pub use fault::Fault;
use hand_on::hand_on;
pub use inside::{inside, is_plain};
pub use interrupt::{asked_to_stop, interrupted, listen as listen_for_interrupts};
pub use jiff::Timestamp;
pub use lacks::Lacks;
pub use message::{
    Held, HeldAsItIs, HeldMessage, Message, ToMessage, Translate, maybe_sentence, sentence,
    sentences,
};
pub use nvml::child::answers_for_nvml;
pub use nvml::{Nvml, NvmlDevice, NvmlFailure};
pub use plain::{acts, plain};
pub use private::{keep_private, make_private};
pub use programs::{DEFAULT_PATH, absolute_path};
pub use quote::quote;
pub use real::{Real, is_empty_variable};
pub use record::Record;
pub use replay::Replay;
pub use report::Report;
pub use scrub::Scrub;
use serde::{Deserialize, Serialize};
pub use server::{Server, asked, listens};

/// What a path is, as `lstat(2)` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// File, folder, symbolic link or something else.
    pub kind: FileKind,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits, `0o7777`.
    pub mode: u32,
    /// Owner, as a number: names differ between machines.
    pub uid: u32,
    /// Group, as a number.
    pub gid: u32,
    /// Last change of the content, in nanoseconds since 1970.
    pub mtime: i64,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// How many names it has; recordings of old do not say it.
    #[serde(default)]
    pub links: u64,
}

/// The kinds of file that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file, whatever names it has.
    File,
    /// A folder.
    Dir,
    /// A symbolic link, not followed.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// Main memory and swap, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryInfo {
    /// All memory that the kernel has.
    pub total: u64,
    /// What can be used without swapping.
    pub available: u64,
    /// All swap space, in bytes, used or not.
    pub swap_total: u64,
    /// Swap space not in use.
    pub swap_free: u64,
}

/// Room on the file system that holds a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Size in bytes.
    pub total: u64,
    /// Bytes that an ordinary user can still write.
    pub free: u64,
    /// Files that an ordinary user can still create; `None` where the file system sets no such limit.
    pub free_inodes: Option<u64>,
}

/// Who runs the program, and on what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Effective user: 0 where aitk itself is root.
    pub uid: u32,
    /// Effective group, which new files have.
    pub gid: u32,
    /// All groups of the user.
    pub groups: Vec<u32>,
    /// The machine's architecture as `uname -m` says it: `x86_64`, `aarch64`, …
    pub arch: String,
}

/// The most that [`System::read`] reads, in bytes. Whatever is larger is none of the files that are read whole.
pub const READ_LIMIT: u64 = 128 << 20;

/// Held as long as a run lasts; dropping it lets the next run begin.
#[derive(Debug)]
pub struct Hold {
    _file: Option<std::fs::File>,
}

/// Whether a change that happens outside of [`System`] (a download) may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// The change may be made.
    Granted,
    /// It has been reported instead; do not make it.
    Reported,
}

/// The operating system, as far as `aitk` deals with it. Paths are absolute.
pub trait System: Send + Sync {
    /// The content of a regular file of at most [`READ_LIMIT`] bytes; anything else is an error.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// A regular file of any size, to be read piece by piece.
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>>;
    /// The names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// What a path is; symbolic links are not followed.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// The same for many paths below one folder, which the real system walks to only once.
    fn stat_all(&self, folder: &Path, below: &[&str]) -> Vec<io::Result<Stat>> {
        below.iter().map(|path| self.stat(&folder.join(path))).collect()
    }
    /// Where a symbolic link points, as written in it.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    /// Whether the user may read and write what is at this path.
    fn access(&self, path: &Path) -> io::Result<()>;
    /// An environment variable; `None` where it is unset, empty or no text.
    fn env(&self, name: &str) -> Option<String>;
    /// The program that a name on `PATH` stands for; elements of it that depend on the current folder do not count.
    fn which(&self, program: &str) -> Option<PathBuf>;
    /// Memory and swap of the whole machine, whatever a control group leaves.
    fn memory(&self) -> io::Result<MemoryInfo>;
    /// Room on the file system of a path, which must exist.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// What NVIDIA's management library says.
    fn nvml(&self) -> Result<Nvml, NvmlFailure>;
    /// Who runs this, in which groups, and on which architecture (`uname -m`).
    fn host(&self) -> Host;
    /// The time now; a recording answers with when it was made.
    fn now(&self) -> Timestamp;
    /// Runs a command to its end and hands over each line that it prints, as it comes.
    ///
    /// A command that ends with another status than 0 is no error here.
    fn run_watched(
        &self,
        command: &Command,
        watch: &mut dyn FnMut(Line<'_>),
    ) -> Result<Output, RunError>;

    /// Writes a whole file or nothing: beside it, flushed to disk, then renamed. Makes missing parents. In aitk's own
    /// folders nobody else gets any right, whatever `mode` says.
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()>;
    /// Adds to the end of a file, never through a link, and flushes it to disk. Makes missing parents.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Brings everything to the disk that programs have written to the file system of a path, which must exist: what is
    /// noted afterwards is so even if the power goes.
    fn flush(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder and its parents.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes a file, a link or a whole folder; what is not there is fine.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Points a symbolic link somewhere in one rename, whatever it pointed to before.
    fn symlink(&self, target: &Path, link: &Path) -> io::Result<()>;
    /// Takes a lock that lasts until it is dropped and every command started meanwhile has ended. Its file is a plain
    /// one of the user's own; anything else in its place is an error, and stays as it is.
    /// `None` when somebody else has it. `note` is left in the file for them to read.
    fn hold(&self, path: &Path, note: &str) -> io::Result<Option<Hold>>;
    /// The same with a folder that is there, in which several users may work: whoever may read it can take the lock. Where
    /// a file system of a network locks no folder, nobody is kept apart.
    fn hold_folder(&self, folder: &Path) -> io::Result<Option<Hold>>;
    /// Asks before a change that this trait cannot make itself, such as a download.
    fn permit(&self, change: &Message) -> io::Result<Permit>;
}

/// What every [`System`] can do by means of the others.
impl dyn System + '_ {
    /// A file as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self, path: impl AsRef<Path>) -> io::Result<String> {
        let bytes = self.read(path.as_ref())?;
        // Nearly every file is UTF-8, and then its bytes are the text.
        let replaced =
            |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
        Ok(String::from_utf8(bytes).unwrap_or_else(replaced))
    }

    /// A file of somebody else's as text: UTF-8, of at most so many bytes, and without control characters but those
    /// that end or indent a line.
    ///
    /// # Errors
    /// What the operating system says, or what is wrong with the text.
    pub fn foreign_text(&self, path: impl AsRef<Path>, limit: usize) -> io::Result<String> {
        let bad = |kind, what: Message| io::Error::new(kind, what);
        let bytes = self.read(path.as_ref())?;
        if bytes.len() > limit {
            let what = message!("the file has {} bytes, and {limit} are allowed", bytes.len());
            return Err(bad(io::ErrorKind::FileTooLarge, what));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let place = error.utf8_error().valid_up_to();
            bad(io::ErrorKind::InvalidData, message!("the file is no UTF-8, from byte {place} on"))
        })?;
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        match text.chars().find(|c| control(*c)) {
            None => Ok(text),
            Some(c) => Err(bad(
                io::ErrorKind::InvalidData,
                message!("the file has the control character U+{:04X}", u32::from(c)),
            )),
        }
    }

    /// Whether there is anything at this path; a dangling link counts.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.stat(path.as_ref()).is_ok()
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &Command) -> Result<Output, RunError> {
        self.run_watched(command, &mut |_| {})
    }
}

impl<S: System + ?Sized> System for Arc<S> {
    hand_on!(looks: self => (**self));
    hand_on!(changes: self => (**self));
    fn run_watched(
        &self,
        command: &Command,
        watch: &mut dyn FnMut(Line<'_>),
    ) -> Result<Output, RunError> {
        (**self).run_watched(command, watch)
    }
}
