//! A system that answers from a recording, or from a plain file tree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::paths::{MAX_LINKS, parts};
use crate::record::{ANSWERS, ROOT, RecordedAnswers};
use crate::{
    Command, Hold, Host, Line, MemoryInfo, Message, Nvml, NvmlFailure, Output, Permit, Real,
    RunError, Space, Stat, System, Timestamp, message,
};

/// The longest list of answers, in bytes; those of real machines have some ten thousand.
const LONGEST: usize = 32 << 20;

/// Answers as the recorded machine did; what the recording does not hold is not there.
#[derive(Debug)]
pub struct Replay {
    answers: RecordedAnswers,
    root: PathBuf,
}

impl Replay {
    /// Opens a recording made by [`Record`](crate::Record), or one written by hand in its form.
    ///
    /// # Errors
    /// Where `answers.json` cannot be read or is of a newer form.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let invalid = |what: Message| io::Error::new(io::ErrorKind::InvalidData, what);
        let json = Real.read(&folder.join(ANSWERS))?;
        if json.len() > LONGEST {
            return Err(invalid(message!("{ANSWERS} is too long for a recording")));
        }
        let answers: RecordedAnswers = serde_json::from_slice(&json)
            .map_err(|error| invalid(Message::about(ANSWERS, Message::plain(error))))?;
        if answers.schema != 1 {
            return Err(invalid(message!(
                "{ANSWERS} has form {}, and this version of aitk reads form 1",
                answers.schema
            )));
        }
        // Links in it lead back into it; it is none itself.
        let root = folder.join(ROOT);
        match fs::symlink_metadata(&root) {
            Ok(meta) if !meta.is_dir() => {
                Err(invalid(message!("{ROOT} is no folder of the recording")))
            }
            _ => Ok(Self { answers, root }),
        }
    }

    /// Reads a plain file tree, such as a mounted image, as if it were `/`. No command runs there.
    pub fn tree(root: &Path) -> Self {
        Self { answers: RecordedAnswers::default(), root: root.to_owned() }
    }

    /// Where a path of the machine lies in the folder, with every link followed as the machine itself would: one to
    /// `/etc/x` leads into the folder and never out of it.
    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        let mut links = 0;
        let mut reached = PathBuf::new();
        let mut ahead = parts(path);
        while let Some(part) = ahead.pop() {
            if part == ".." {
                reached.pop();
                continue;
            }
            reached.push(part);
            if let Ok(target) = fs::read_link(self.root.join(&reached)) {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::from_raw_os_error(
                        rustix::io::Errno::LOOP.raw_os_error(),
                    ));
                }
                reached = if target.is_absolute() { PathBuf::new() } else { parent(&reached) };
                ahead.extend(parts(&target));
            }
        }
        Ok(self.root.join(reached))
    }

    /// The same, but for the last name, which may be a link itself.
    fn link_inside(&self, path: &Path) -> io::Result<PathBuf> {
        match path.file_name() {
            Some(name) => Ok(self.inside(&parent(path))?.join(name)),
            None => self.inside(path),
        }
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn read_only() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        message!("a recorded machine cannot be changed"),
    )
}

impl System for Replay {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Real.read(&self.inside(path)?)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        Real.open(&self.inside(path)?)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        match self.answers.lists.get(path) {
            Some(names) => Ok(names.clone()),
            None => Real.list(&self.inside(path)?),
        }
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        match self.answers.stats.get(path) {
            Some(stat) => Ok(stat.clone()),
            None => Real.stat(&self.link_inside(path)?),
        }
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        match self.answers.links.get(path) {
            Some(target) => Ok(target.clone()),
            None => Real.read_link(&self.link_inside(path)?),
        }
    }
    fn access(&self, path: &Path) -> io::Result<()> {
        match self.answers.access.get(path) {
            Some(true) => Ok(()),
            Some(false) => Err(io::ErrorKind::PermissionDenied.into()),
            None => Err(missing()),
        }
    }
    fn env(&self, name: &str) -> Option<String> {
        self.answers.env.get(name).cloned()
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        self.answers.which.get(program).cloned()
    }
    fn memory(&self) -> io::Result<MemoryInfo> {
        match self.answers.memory {
            memory if memory.total > 0 => Ok(memory),
            _ => Err(missing()),
        }
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        self.answers.space.get(path).copied().ok_or_else(missing)
    }
    fn nvml(&self) -> Result<Nvml, NvmlFailure> {
        self.answers.nvml.clone().unwrap_or(Err(NvmlFailure::Missing))
    }
    fn host(&self) -> Host {
        self.answers.host.clone()
    }
    fn now(&self) -> Timestamp {
        self.answers.now.unwrap_or_else(|| Real.now())
    }
    fn run_watched(
        &self,
        command: &Command,
        watch: &mut dyn FnMut(Line<'_>),
    ) -> Result<Output, RunError> {
        let words = command.to_string();
        let Some(output) = self.answers.commands.get(&words) else {
            return Err(RunError::NotRecorded { command: words });
        };
        output.stdout.lines().for_each(|line| watch(Line::Stdout(line)));
        output.stderr.lines().for_each(|line| watch(Line::Stderr(line)));
        Ok(output.clone())
    }
    fn write(&self, _: &Path, _: &[u8], _: u32) -> io::Result<()> {
        Err(read_only())
    }
    fn append(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(read_only())
    }
    fn flush(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Err(read_only())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(read_only())
    }
    fn symlink(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(read_only())
    }
    fn hold(&self, _: &Path, _: &str) -> io::Result<Option<Hold>> {
        Err(read_only())
    }
    fn hold_folder(&self, _: &Path) -> io::Result<Option<Hold>> {
        Err(read_only())
    }
    fn permit(&self, _: &Message) -> io::Result<Permit> {
        Err(read_only())
    }
}
