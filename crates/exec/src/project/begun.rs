//! What a run notes of a project before it writes the first file: by that the run after a kill tells its half from what the
//! user has done since.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aitk_system::System;

use super::OWN;
use crate::error::ExecError;
use crate::steps::hash_of;

/// More is not read, in bytes.
const LONGEST: usize = 4 << 20;
/// What stands for a hash where a file goes.
const GOES: &str = "-";

/// What runs that have not come to their end have written, or were about to. Each line is the hash of what is new in a
/// file, that of what is written, and its path in the project; earlier versions have noted what they merge, without a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Begun(BTreeSet<String>);

impl Begun {
    pub(crate) fn place(folder: &Path) -> PathBuf {
        folder.join(OWN).join("begun")
    }

    /// What is noted; `None` where no run has begun that has not ended.
    pub(crate) fn read(folder: &Path, system: &dyn System) -> Option<Self> {
        let path = Self::place(folder);
        let text = |path: PathBuf| system.foreign_text(path, LONGEST).unwrap_or_default();
        system.exists(&path).then(|| Self(text(path).lines().map(str::to_owned).collect()))
    }

    /// Adds what is about to be done with a file: `written` is put there, because `new` is what is new in it.
    pub(crate) fn note(&mut self, path: &str, new: &[u8], written: &[u8]) {
        self.0.insert(format!("{} {} {path}", hash_of(new), hash_of(written)));
    }

    /// Adds that a file goes.
    pub(crate) fn note_gone(&mut self, path: &str) {
        self.0.insert(format!("{GOES} {GOES} {path}"));
    }

    /// # Errors
    /// What the operating system says.
    pub(crate) fn save(&self, folder: &Path, system: &dyn System) -> Result<(), ExecError> {
        let path = Self::place(folder);
        let text: String = self.0.iter().map(|line| format!("{line}\n")).collect();
        system.write(&path, text.as_bytes(), 0o644).map_err(ExecError::io(path))
    }

    /// Whether what stands there is what came out when `new` was merged into it.
    pub(crate) fn has_merged(&self, path: &str, new: &[u8], there: &[u8]) -> bool {
        let (new, there) = (hash_of(new), hash_of(there));
        self.notes(path).any(|(noted, written)| noted == new && written == there)
    }

    /// Whether what stands there, or that nothing does, is what one of them has done.
    pub(crate) fn has_done(&self, path: &str, there: Option<&[u8]>) -> bool {
        let there = there.map_or_else(|| GOES.to_owned(), hash_of);
        self.notes(path).any(|(_, written)| written == there)
    }

    fn notes<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |line| {
            let mut words = line.splitn(3, ' ');
            let (new, written) = (words.next()?, words.next()?);
            words.next().is_none_or(|of| of == path).then_some((new, written))
        })
    }
}
