//! This machine, but for the files that root writes: those lie in a folder, where root's own commands put them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aitk_system::{
    Command, Hold, Host, Line, MemoryInfo, Message, Nvml, NvmlFailure, Output, Permit, Real, RunAs,
    RunError, Space, Stat, System, Timestamp,
};

/// What is looked for in the folder.
const OURS: [&str; 6] =
    ["/etc/fstab", "/etc/apt", "/proc/swaps", "/proc/self/mountinfo", "/swapfile", "/var/lib/apt"];

pub struct Elsewhere(pub PathBuf);

impl Elsewhere {
    /// Where a file of the machine lies.
    pub fn at(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("/") {
            Ok(below) if OURS.iter().any(|ours| path.starts_with(ours)) => self.0.join(below),
            // Whom it belongs to is root.
            _ if path == Path::new("/") || path == Path::new("/etc") => self.0.clone(),
            _ => path.to_owned(),
        }
    }

    /// What a command of root's does, with its files in the folder, and as the user of the tests.
    fn as_root(&self, command: &Command) -> Result<Output, RunError> {
        let words: Vec<&str> = command.argv.iter().map(String::as_str).collect();
        match words[..] {
            ["swapon", file] => self.note("proc/swaps", &format!("{file} file 1 0 -2\n")),
            ["apt-get", .., "update"] => self.lists(&words),
            _ => {
                let owner = ["-o", "-g", "root"];
                let words = words.iter().filter(|word| !owner.contains(word));
                let words =
                    words.map(|word| self.at(Path::new(word)).to_string_lossy().into_owned());
                let path = ["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"].map(str::to_owned);
                let argv = path.into_iter().chain(words).collect();
                let privilege = RunAs::User;
                return (&Real as &dyn System).run(&Command { argv, privilege, ..command.clone() });
            }
        }
        Ok(Output { status: Some(0), ..Output::default() })
    }

    fn note(&self, file: &str, line: &str) {
        let text = fs::read_to_string(self.0.join(file)).unwrap();
        fs::write(self.0.join(file), text + line).unwrap();
    }

    /// As apt does, it keeps what describes the source that it is asked for.
    fn lists(&self, words: &[&str]) {
        let file =
            words.iter().find_map(|word| word.strip_prefix("Dir::Etc::sourcelist=")).unwrap();
        let text = fs::read_to_string(self.at(Path::new(file))).unwrap();
        let address = text.lines().find_map(|line| line.strip_prefix("URIs: http://")).unwrap();
        let list = format!("{}InRelease", address.replace('/', "_"));
        fs::write(self.at(Path::new("/var/lib/apt/lists")).join(list), "signed").unwrap();
    }
}

impl System for Elsewhere {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Real.read(&self.at(path))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        Real.open(&self.at(path))
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        Real.list(&self.at(path))
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Real.stat(&self.at(path))
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        Real.read_link(&self.at(path))
    }
    fn access(&self, path: &Path) -> io::Result<()> {
        Real.access(&self.at(path))
    }
    fn env(&self, name: &str) -> Option<String> {
        if name == "SHELL" { Some("/bin/bash".to_owned()) } else { Real.env(name) }
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        Real.which(program)
    }
    fn memory(&self) -> io::Result<MemoryInfo> {
        Real.memory()
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        Real.space(&self.at(path))
    }
    fn nvml(&self) -> Result<Nvml, NvmlFailure> {
        Real.nvml()
    }
    fn host(&self) -> Host {
        Real.host()
    }
    fn now(&self) -> Timestamp {
        Real.now()
    }
    fn run_watched(
        &self,
        command: &Command,
        watch: &mut dyn FnMut(Line<'_>),
    ) -> Result<Output, RunError> {
        match command.privilege {
            RunAs::User => Real.run_watched(command, watch),
            RunAs::Root => self.as_root(command),
        }
    }
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        Real.write(&self.at(path), bytes, mode)
    }
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        Real.append(&self.at(path), bytes)
    }
    fn flush(&self, path: &Path) -> io::Result<()> {
        Real.flush(&self.at(path))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        Real.create_dir(&self.at(path))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Real.remove(&self.at(path))
    }
    fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        Real.symlink(target, &self.at(link))
    }
    fn hold(&self, path: &Path, note: &str) -> io::Result<Option<Hold>> {
        Real.hold(path, note)
    }
    fn hold_folder(&self, folder: &Path) -> io::Result<Option<Hold>> {
        Real.hold_folder(folder)
    }
    fn permit(&self, change: &Message) -> io::Result<Permit> {
        Real.permit(change)
    }
}
