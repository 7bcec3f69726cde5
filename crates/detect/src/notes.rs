//! The codes of what `detect` has to say beside the facts. A code never changes its meaning.

use std::collections::BTreeMap;
use std::fmt;

use crate::machine::Note;

/// There is no `os-release` file, so it is not known which system this is.
pub const OS_RELEASE: &str = "AITK-D01";
/// It is not known until when this release of the system is supported.
pub const SUPPORT: &str = "AITK-D02";
/// The kernel's release cannot be read (`/proc/sys/kernel/osrelease`).
pub const KERNEL: &str = "AITK-D03";
/// The C library's version could not be found out.
pub const LIBC: &str = "AITK-D04";
/// The processor's description cannot be read (`/proc/cpuinfo`).
pub const CPU: &str = "AITK-D05";
/// The amount of memory cannot be read.
pub const MEMORY: &str = "AITK-D06";
/// The list of mounts cannot be read (`/proc/self/mountinfo`): disks and memory limits are unknown.
pub const MOUNTS: &str = "AITK-D07";
/// The room on a file system could not be asked for.
pub const SPACE: &str = "AITK-D08";
/// A Python interpreter on `PATH` does not say its version, and is left out.
pub const PYTHON: &str = "AITK-D09";
/// A program does not say its version.
pub const TOOL: &str = "AITK-D10";
/// `sudo` did not answer in time.
pub const SUDO: &str = "AITK-D11";
/// The machine's architecture is not known.
pub const ARCH: &str = "AITK-D12";
/// No home folder is known.
pub const HOME: &str = "AITK-D13";
/// `/.dockerenv` is there although the machine is no container: its disk was made from a
/// container's image.
pub const DOCKERENV: &str = "AITK-D14";
/// The machine has UEFI but does not say whether Secure Boot is on.
pub const SECURE_BOOT: &str = "AITK-D15";
/// It is not known how many threads of the processor this program may use.
pub const THREADS: &str = "AITK-D16";

/// A GPU has a driver of NVIDIA's which cannot be asked about it.
pub const NVIDIA: &str = "AITK-D17";
/// Windows lends WSL a GPU, and nothing here tells which one.
pub const DXG: &str = "AITK-D18";

/// Notes as they are taken, and where the facts come from.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    notes: Vec<Note>,
    sources: BTreeMap<String, String>,
}

impl Notes {
    /// Takes a note.
    pub(crate) fn add(&mut self, code: &str, message: impl Into<String>, hint: Option<&str>) {
        self.notes.push(Note {
            code: code.to_owned(),
            message: message.into(),
            hint: hint.map(str::to_owned),
        });
    }

    /// Adds the notes that another probe took.
    pub(crate) fn extend(&mut self, other: Self) {
        self.notes.extend(other.notes);
        self.sources.extend(other.sources);
    }

    /// Keeps where a fact comes from.
    pub(crate) fn source(&mut self, fact: impl Into<String>, source: impl fmt::Display) {
        self.sources.insert(fact.into(), source.to_string());
    }

    /// Where the facts come from.
    pub(crate) fn take_sources(&mut self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.sources)
    }
}

impl From<Notes> for Vec<Note> {
    fn from(notes: Notes) -> Self {
        notes.notes
    }
}
