//! A system that answers but lets nothing be changed.

use std::io;
use std::path::{Path, PathBuf};

use crate::hand_on::hand_on;
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
    hand_on!(looks: self => self.0);
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
    fn flush(&self, _: &Path) -> io::Result<()> {
        Ok(())
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
    fn hold_folder(&self, folder: &Path) -> io::Result<Option<Hold>> {
        Err(denied(&message!("lock {}", folder)))
    }
    fn permit(&self, change: &Message) -> io::Result<Permit> {
        Err(denied(change))
    }
}
