//! A system that says what it would change.

use std::io;
use std::path::{Path, PathBuf};

use crate::hand_on::hand_on;
use crate::{
    Command, Effect, Hold, Host, Line, MemoryInfo, Message, Nvml, NvmlFailure, Output, Permit,
    RunError, Space, Stat, System, Timestamp, message,
};

/// Passes every look through and hands each change, in words, to a function instead of making it: what
/// `--dry-run` runs on.
pub struct Report<S, F> {
    inner: S,
    report: F,
}

impl<S: System, F: Fn(&Message) + Send + Sync> Report<S, F> {
    /// Reports to `report`, one line a change.
    pub fn new(inner: S, report: F) -> Self {
        Self { inner, report }
    }

    fn say(&self, change: Message) -> io::Result<()> {
        (self.report)(&change);
        Ok(())
    }
}

impl<S: System, F: Fn(&Message) + Send + Sync> System for Report<S, F> {
    hand_on!(looks: self => self.inner);
    fn run_watched(
        &self,
        command: &Command,
        watch: &mut dyn FnMut(Line<'_>),
    ) -> Result<Output, RunError> {
        match command.effect {
            Effect::Reads => self.inner.run_watched(command, watch),
            Effect::Changes => {
                (self.report)(&message!("run {command}"));
                Ok(Output { status: Some(0), ..Output::default() })
            }
        }
    }
    fn write(&self, path: &Path, _: &[u8], _: u32) -> io::Result<()> {
        self.say(message!("write {}", path))
    }
    fn append(&self, path: &Path, _: &[u8]) -> io::Result<()> {
        self.say(message!("add to {}", path))
    }
    fn flush(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.say(message!("create {}", path))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.say(message!("remove {}", path))
    }
    fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.say(message!("link {} to {}", link, target))
    }
    fn hold(&self, _: &Path, _: &str) -> io::Result<Option<Hold>> {
        Ok(Some(Hold { _file: None }))
    }
    fn hold_folder(&self, _: &Path) -> io::Result<Option<Hold>> {
        Ok(Some(Hold { _file: None }))
    }
    fn permit(&self, change: &Message) -> io::Result<Permit> {
        (self.report)(change);
        Ok(Permit::Reported)
    }
}
