//! The codes of what `detect` has to say beside the facts. A code never changes its meaning.

use aitk_system::Message;
use std::collections::BTreeMap;
use std::fmt;

use crate::machine::Note;

aitk_system::codes! {
    /// There is no `os-release` file, so it is not known which system this is.
    OS_RELEASE = "AITK-D01";
    /// It is not known until when this release of the system is supported.
    SUPPORT = "AITK-D02";
    /// The kernel's release cannot be read (`/proc/sys/kernel/osrelease`).
    KERNEL = "AITK-D03";
    /// The C library's version could not be found out.
    LIBC = "AITK-D04";
    /// The processor's description cannot be read (`/proc/cpuinfo`).
    CPU = "AITK-D05";
    /// The amount of memory cannot be read.
    MEMORY = "AITK-D06";
    /// The list of mounts cannot be read (`/proc/self/mountinfo`): disks and memory limits are unknown.
    MOUNTS = "AITK-D07";
    /// The room on a file system could not be asked for.
    SPACE = "AITK-D08";
    /// A Python interpreter on `PATH` does not say its version, and is left out.
    PYTHON = "AITK-D09";
    /// A program does not say its version.
    TOOL = "AITK-D10";
    /// `sudo` did not answer in time.
    SUDO = "AITK-D11";
    /// The machine's architecture is not known.
    ARCH = "AITK-D12";
    /// No home folder is known.
    HOME = "AITK-D13";
    /// `/.dockerenv` is there although the machine is no container: its disk was made from a
    /// container's image.
    DOCKERENV = "AITK-D14";
    /// The machine has UEFI but does not say whether Secure Boot is on.
    SECURE_BOOT = "AITK-D15";
    /// It is not known how many threads of the processor this program may use.
    THREADS = "AITK-D16";
    /// A GPU has a driver of NVIDIA's which cannot be asked about it.
    NVIDIA = "AITK-D17";
    /// Windows lends WSL a GPU, and nothing here tells which one.
    DXG = "AITK-D18";
    /// Something could not be asked, because no more processes or open files are allowed: what is not known may be there.
    STARTS = "AITK-D19";
}

/// Notes as they are taken, and where the facts come from.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    notes: Vec<Note>,
    sources: BTreeMap<String, Message>,
}

impl Notes {
    pub(crate) fn add(&mut self, code: &str, message: impl Into<Message>, hint: Option<Message>) {
        self.notes.push(Note { code: code.to_owned(), message: message.into(), hint });
    }

    /// Adds the notes that another probe took.
    pub(crate) fn extend(&mut self, other: Self) {
        self.notes.extend(other.notes);
        self.sources.extend(other.sources);
    }

    /// Keeps where a fact comes from.
    pub(crate) fn source(&mut self, fact: impl Into<String>, source: impl fmt::Display) {
        self.sources.insert(fact.into(), Message::plain(source));
    }

    /// The same where it is more than a name.
    pub(crate) fn source_in_words(&mut self, fact: impl Into<String>, source: Message) {
        self.sources.insert(fact.into(), source);
    }

    /// Where the facts come from.
    pub(crate) fn take_sources(&mut self) -> BTreeMap<String, Message> {
        std::mem::take(&mut self.sources)
    }
}

impl From<Notes> for Vec<Note> {
    fn from(notes: Notes) -> Self {
        notes.notes
    }
}
