//! A system that notes everything it answers, so that [`Replay`](crate::Replay) can answer the same again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::hand_on::hand_on;
use crate::{
    Command, Hold, Host, Line, MemoryInfo, Message, Nvml, NvmlFailure, Output, Permit, RunError,
    Scrub, Space, Stat, System, Timestamp,
};

/// The file of a recording that holds everything but the contents of files.
pub(crate) const ANSWERS: &str = "answers.json";
/// The folder of a recording that holds the files that were read, at their own paths.
pub(crate) const ROOT: &str = "root";

/// What a machine answered, but for the contents of files.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RecordedAnswers {
    /// Version of this format.
    pub schema: u32,
    /// When the recording was made.
    pub now: Option<Timestamp>,
    pub host: Host,
    pub memory: MemoryInfo,
    pub env: BTreeMap<String, String>,
    pub which: BTreeMap<String, PathBuf>,
    pub space: BTreeMap<PathBuf, Space>,
    pub lists: BTreeMap<PathBuf, Vec<String>>,
    pub links: BTreeMap<PathBuf, PathBuf>,
    pub stats: BTreeMap<PathBuf, Stat>,
    /// What the user may read and write, of what was asked for.
    pub access: BTreeMap<PathBuf, bool>,
    /// What NVIDIA's library said, where it was asked.
    pub nvml: Option<Result<Nvml, NvmlFailure>>,
    /// Commands by the words that a person would type.
    pub commands: BTreeMap<String, Output>,
}

/// Passes everything through to another system and keeps the answers.
#[derive(Debug)]
pub struct Record<S> {
    inner: S,
    answers: Mutex<RecordedAnswers>,
    files: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
}

impl<S: System> Record<S> {
    /// Records what `inner` answers.
    pub fn new(inner: S) -> Self {
        let answers = RecordedAnswers {
            schema: 1,
            now: Some(inner.now()),
            host: inner.host(),
            ..RecordedAnswers::default()
        };
        Self { inner, answers: Mutex::new(answers), files: Mutex::default() }
    }

    /// Writes the recording into a new folder, without what `scrub` takes out.
    ///
    /// # Errors
    /// `AlreadyExists` where the folder is there and not empty; else what the operating system says.
    pub fn save(&self, folder: &Path, scrub: &mut Scrub) -> io::Result<()> {
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (path, names) in &mut answers.lists {
            names.retain(|name| scrub.keeps(path, name));
        }
        let json = serde_json::to_string_pretty(&answers).map_err(io::Error::other)?;
        for (path, bytes) in &*self.files.lock().unwrap_or_else(PoisonError::into_inner) {
            let path = path.to_string_lossy();
            let public = scrub.text(ANSWERS, &path);
            let file = folder.join(ROOT).join(public.trim_start_matches('/'));
            fs::create_dir_all(file.parent().unwrap_or(folder))?;
            match std::str::from_utf8(bytes) {
                Ok(text) => fs::write(file, scrub.text(&path, text))?,
                Err(_) => fs::write(file, bytes)?,
            }
        }
        fs::create_dir_all(folder)?;
        fs::write(folder.join(ANSWERS), scrub.text(ANSWERS, &json) + "\n")
    }

    fn note(&self, keep: impl FnOnce(&mut RecordedAnswers)) {
        keep(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<S: System> System for Record<S> {
    hand_on!(changes: self => self.inner);
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.inner.read(path)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }
    /// What is too large to be read whole is not kept either.
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        self.inner.open(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = self.inner.list(path)?;
        self.note(|answers| _ = answers.lists.insert(path.to_owned(), names.clone()));
        Ok(names)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let stat = self.inner.stat(path)?;
        self.note(|answers| _ = answers.stats.insert(path.to_owned(), stat.clone()));
        Ok(stat)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let target = self.inner.read_link(path)?;
        self.note(|answers| _ = answers.links.insert(path.to_owned(), target.clone()));
        Ok(target)
    }
    fn access(&self, path: &Path) -> io::Result<()> {
        let answer = self.inner.access(path);
        self.note(|answers| _ = answers.access.insert(path.to_owned(), answer.is_ok()));
        answer
    }
    fn env(&self, name: &str) -> Option<String> {
        let value = self.inner.env(name)?;
        self.note(|answers| _ = answers.env.insert(name.to_owned(), value.clone()));
        Some(value)
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        let path = self.inner.which(program)?;
        self.note(|answers| _ = answers.which.insert(program.to_owned(), path.clone()));
        Some(path)
    }
    fn memory(&self) -> io::Result<MemoryInfo> {
        let memory = self.inner.memory()?;
        self.note(|answers| answers.memory = memory);
        Ok(memory)
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        let space = self.inner.space(path)?;
        self.note(|answers| _ = answers.space.insert(path.to_owned(), space));
        Ok(space)
    }
    fn nvml(&self) -> Result<Nvml, NvmlFailure> {
        let answer = self.inner.nvml();
        self.note(|answers| answers.nvml = Some(answer.clone()));
        answer
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
        let output = self.inner.run_watched(command, watch)?;
        self.note(|answers| _ = answers.commands.insert(command.to_string(), output.clone()));
        Ok(output)
    }
}
