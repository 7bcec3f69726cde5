//! A system that answers with nonsense: what a probe must survive.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use aitk_system::{
    Command, FileKind, Hold, Host, Line, MemoryInfo, Message, Nvml, NvmlDevice, NvmlFailure,
    Output, Permit, RunError, Space, Stat, System, Timestamp,
};

/// Damages what another system answers, the same way each time for the same seed.
pub struct Hostile<S> {
    /// Answers what is not damaged.
    pub inner: S,
    /// Decides what is damaged, and how.
    pub seed: u64,
    /// How many of a hundred answers are damaged.
    pub share: u64,
    /// What damaged files hold, among other things.
    pub nonsense: Vec<u8>,
}

/// What happens to an answer.
enum Damage {
    None,
    Missing,
    Unreadable,
    Empty,
    Nonsense,
    Cut,
    Long,
}

impl<S> Hostile<S> {
    fn number(&self, what: &str, path: &Path) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, what, path).hash(&mut hasher);
        hasher.finish()
    }

    fn damage(&self, what: &str, path: &Path) -> Damage {
        let number = self.number(what, path);
        if number % 100 >= self.share {
            return Damage::None;
        }
        match number / 100 % 6 {
            0 => Damage::Missing,
            1 => Damage::Unreadable,
            2 => Damage::Empty,
            3 => Damage::Nonsense,
            4 => Damage::Cut,
            _ => Damage::Long,
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.nonsense).into_owned()
    }
}

impl<S: System> System for Hostile<S> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let whole = || self.inner.read(path);
        match self.damage("read", path) {
            Damage::None => whole(),
            Damage::Missing => Err(ErrorKind::NotFound.into()),
            Damage::Unreadable => Err(ErrorKind::PermissionDenied.into()),
            Damage::Empty => Ok(Vec::new()),
            Damage::Nonsense => Ok(self.nonsense.clone()),
            Damage::Cut => whole().map(|bytes| bytes[..bytes.len() / 2].to_vec()),
            Damage::Long => whole().map(|bytes| bytes.repeat(200)),
        }
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        Ok(Box::new(io::Cursor::new(self.read(path)?)))
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let whole = || self.inner.list(path);
        match self.damage("list", path) {
            Damage::None => whole(),
            Damage::Missing | Damage::Unreadable => Err(ErrorKind::PermissionDenied.into()),
            Damage::Empty => Ok(Vec::new()),
            Damage::Nonsense => Ok(self.text().split('\n').map(str::to_owned).collect()),
            Damage::Cut => whole().map(|names| names[..names.len() / 2].to_vec()),
            Damage::Long => Ok((0..2000).map(|number| format!("0000:{number:02x}:00.0")).collect()),
        }
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        match self.damage("stat", path) {
            Damage::None => self.inner.stat(path),
            Damage::Missing | Damage::Unreadable => Err(ErrorKind::PermissionDenied.into()),
            Damage::Empty | Damage::Cut => {
                self.inner.stat(path).map(|stat| Stat { size: 0, ..stat })
            }
            Damage::Nonsense | Damage::Long => Ok(Stat {
                kind: FileKind::Link,
                size: u64::MAX,
                mode: u32::MAX,
                uid: 0,
                gid: 0,
                mtime: i64::MIN,
                dev: 0,
                ino: 0,
                links: 0,
            }),
        }
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        match self.damage("link", path) {
            Damage::None => self.inner.read_link(path),
            Damage::Missing | Damage::Unreadable => Err(ErrorKind::NotFound.into()),
            Damage::Empty => Ok(PathBuf::new()),
            Damage::Nonsense => Ok(PathBuf::from(self.text())),
            // A link to itself, and one that leads up and down again.
            Damage::Cut => Ok(path.to_owned()),
            Damage::Long => Ok(PathBuf::from("../".repeat(50) + "x")),
        }
    }
    fn access(&self, path: &Path) -> io::Result<()> {
        self.inner.access(path)
    }
    fn env(&self, name: &str) -> Option<String> {
        match self.damage("env", Path::new(name)) {
            Damage::None => self.inner.env(name),
            Damage::Nonsense => Some(self.text()),
            Damage::Long => Some("/x:".repeat(500)),
            _ => None,
        }
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        match self.damage("which", Path::new(program)) {
            Damage::None => self.inner.which(program),
            Damage::Nonsense => Some(PathBuf::from(self.text())),
            _ => None,
        }
    }
    fn memory(&self) -> io::Result<MemoryInfo> {
        match self.damage("memory", Path::new("")) {
            Damage::None => self.inner.memory(),
            Damage::Long => Ok(MemoryInfo {
                total: u64::MAX,
                available: u64::MAX,
                swap_total: u64::MAX,
                swap_free: u64::MAX,
            }),
            _ => Ok(MemoryInfo::default()),
        }
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        match self.damage("space", path) {
            Damage::None => self.inner.space(path),
            Damage::Long => Ok(Space { total: 0, free: u64::MAX, free_inodes: Some(u64::MAX) }),
            _ => Err(ErrorKind::TimedOut.into()),
        }
    }
    fn nvml(&self) -> Result<Nvml, NvmlFailure> {
        match self.damage("nvml", Path::new("")) {
            Damage::None => self.inner.nvml(),
            Damage::Missing => Err(NvmlFailure::Missing),
            Damage::Unreadable => Err(NvmlFailure::Mismatch),
            Damage::Empty => Ok(Nvml::default()),
            Damage::Nonsense => Err(NvmlFailure::Other(self.text())),
            Damage::Cut => Err(NvmlFailure::TimedOut),
            Damage::Long => Ok(Nvml {
                driver: Some(self.text()),
                cuda: Some(i32::MIN),
                devices: vec![
                    NvmlDevice {
                        bus: self.text(),
                        pci_id: Some(u32::MAX),
                        memory: Some(u64::MAX),
                        compute_capability: Some((i32::MAX, i32::MIN)),
                        parts: vec![u64::MAX; 7],
                        name: None,
                        mig: Some(true),
                    };
                    64
                ],
            }),
        }
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
        let nonsense = |status| Output { status, stdout: self.text(), stderr: self.text() };
        match self.damage("run", Path::new(&command.to_string())) {
            Damage::None => self.inner.run_watched(command, watch),
            Damage::Nonsense => Ok(nonsense(Some(0))),
            Damage::Cut => Ok(nonsense(None)),
            Damage::Long => {
                Ok(Output { status: Some(0), stdout: "9.".repeat(5000), ..Output::default() })
            }
            _ => Err(RunError::NotFound { program: command.argv[0].clone() }),
        }
    }
    fn write(&self, _: &Path, _: &[u8], _: u32) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }
    fn append(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }
    fn flush(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }
    fn symlink(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }
    fn hold(&self, _: &Path, _: &str) -> io::Result<Option<Hold>> {
        Err(ErrorKind::PermissionDenied.into())
    }
    fn hold_folder(&self, _: &Path) -> io::Result<Option<Hold>> {
        Err(ErrorKind::PermissionDenied.into())
    }
    fn permit(&self, _: &Message) -> io::Result<Permit> {
        Err(ErrorKind::PermissionDenied.into())
    }
}
