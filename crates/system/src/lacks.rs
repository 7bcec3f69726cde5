//! A system that remembers what kept it from answering.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::hand_on::hand_on;
use crate::{
    Command, Fault, Hold, Host, Line, MemoryInfo, Message, Nvml, NvmlFailure, Output, Permit,
    RunError, Space, Stat, System, Timestamp, ToMessage, message,
};

/// Passes everything through, and keeps the first answer that did not come because this process may open no more files or
/// start no more programs. Who asks many small questions, and takes every error for "not there", asks afterwards whether
/// anything kept the answers away.
pub struct Lacks<'a> {
    inner: &'a dyn System,
    first: OnceLock<(Message, Option<Message>)>,
}

impl<'a> Lacks<'a> {
    /// Stands before another System.
    pub fn new(inner: &'a dyn System) -> Self {
        Self { inner, first: OnceLock::new() }
    }

    /// What could not be asked first, and what helps; `None` where everything was answered.
    pub fn first(self) -> Option<(Message, Option<Message>)> {
        self.first.into_inner()
    }

    /// Only too many open files: some files of the kernel's own say "try again" and "no memory" of themselves.
    fn seen<T>(&self, what: &Path, answer: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &answer
            && let Some(fault @ Fault::OpenFiles) = Fault::of(error)
        {
            let reason = message!("{what} could not be read: {error}");
            let _ = self.first.set((reason, Some(fault.hint(what))));
        }
        answer
    }
}

impl System for Lacks<'_> {
    hand_on!(changes: self => self.inner);
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.seen(path, self.inner.read(path))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        self.seen(path, self.inner.open(path))
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.seen(path, self.inner.list(path))
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.seen(path, self.inner.stat(path))
    }
    fn stat_all(&self, folder: &Path, below: &[&str]) -> Vec<io::Result<Stat>> {
        let stats = self.inner.stat_all(folder, below);
        stats.into_iter().map(|stat| self.seen(folder, stat)).collect()
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.seen(path, self.inner.read_link(path))
    }
    fn access(&self, path: &Path) -> io::Result<()> {
        self.seen(path, self.inner.access(path))
    }
    fn env(&self, name: &str) -> Option<String> {
        self.inner.env(name)
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        self.inner.which(program)
    }
    fn memory(&self) -> io::Result<MemoryInfo> {
        self.seen(Path::new("/proc/meminfo"), self.inner.memory())
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        self.seen(path, self.inner.space(path))
    }
    fn nvml(&self) -> Result<Nvml, NvmlFailure> {
        self.inner.nvml()
    }
    fn host(&self) -> Host {
        self.inner.host()
    }
    fn now(&self) -> Timestamp {
        self.inner.now()
    }
    fn run_watched(
        &self,
        command: &Command,
        watch: &mut dyn FnMut(Line<'_>),
    ) -> Result<Output, RunError> {
        let answer = self.inner.run_watched(command, watch);
        if let Err(error) = &answer
            && error.is_lack()
        {
            let _ = self.first.set((error.to_message(), error.hint()));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Real;

    #[test]
    fn what_is_missing_is_no_lack() {
        let lacks = Lacks::new(&Real);
        assert!(lacks.read(Path::new("/none")).is_err() && lacks.list(Path::new("/none")).is_err());
        assert!((&lacks as &dyn System).run(&Command::reads(["/none"])).is_err());
        assert!(lacks.read(Path::new("/proc/version")).is_ok());
        assert_eq!(lacks.first(), None);
    }

    #[test]
    fn the_first_thing_that_could_not_be_opened_is_kept() {
        let lacks = Lacks::new(&Real);
        let full = || Err::<(), _>(io::Error::from_raw_os_error(24));
        assert!(lacks.seen(Path::new("/first"), full()).is_err());
        assert!(lacks.seen(Path::new("/second"), full()).is_err());
        let (reason, hint) = lacks.first().unwrap();
        assert!(reason.to_string().starts_with("/first could not be read: Too many open files"));
        assert!(hint.unwrap().to_string().contains("ulimit -n"));
    }
}
