//! A system that answers but lets nothing be changed.

use std::io;
use std::path::{Path, PathBuf};

use crate::{
    Command, Effect, Hold, Host, Line, MemoryInfo, Message, Nvml, NvmlFailure, Output, Permit,
    RunError, Space, Stat, System, Timestamp, message,
};

/// Passes every look through and refuses every change: what `verify` and every check run on.
#[derive(Debug, Clone)]
pub struct Deny<S>(pub S);

fn denied(change: &Message) -> io::Error {
    let refused = message!("refused here because it would change the machine: {change}");
    io::Error::new(io::ErrorKind::PermissionDenied, refused)
}

impl<S: System> System for Deny<S> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        self.0.open(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.0.list(path)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.0.stat(path)
    }
    fn stat_all(&self, folder: &Path, below: &[&str]) -> Vec<io::Result<Stat>> {
        self.0.stat_all(folder, below)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.read_link(path)
    }
    fn access(&self, path: &Path) -> io::Result<()> {
        self.0.access(path)
    }
    fn env(&self, name: &str) -> Option<String> {
        self.0.env(name)
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        self.0.which(program)
    }
    fn memory(&self) -> io::Result<MemoryInfo> {
        self.0.memory()
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        self.0.space(path)
    }
    fn nvml(&self) -> Result<Nvml, NvmlFailure> {
        self.0.nvml()
    }
    fn host(&self) -> Host {
        self.0.host()
    }
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    fn run_watched(
        &self,
        command: &Command,
        watch: &mut dyn FnMut(Line<'_>),
    ) -> Result<Output, RunError> {
        match command.effect {
            Effect::Reads => self.0.run_watched(command, watch),
            Effect::Changes => Err(RunError::Denied { command: command.to_string() }),
        }
    }
    fn write(&self, path: &Path, _: &[u8], _: u32) -> io::Result<()> {
        Err(denied(&message!("write {}", path)))
    }
    fn append(&self, path: &Path, _: &[u8]) -> io::Result<()> {
        Err(denied(&message!("add to {}", path)))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        Err(denied(&message!("create {}", path)))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Err(denied(&message!("remove {}", path)))
    }
    fn symlink(&self, _: &Path, link: &Path) -> io::Result<()> {
        Err(denied(&message!("link {}", link)))
    }
    fn hold(&self, path: &Path, _: &str) -> io::Result<Option<Hold>> {
        Err(denied(&message!("lock {}", path)))
    }
    fn permit(&self, change: &Message) -> io::Result<Permit> {
        Err(denied(change))
    }
}
