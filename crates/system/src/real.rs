//! The operating system itself.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::process::{Pid, Signal};

use crate::{
    Command, Fault, FileKind, Hold, Host, Line, MemoryInfo, Message, Nvml, NvmlFailure, Output,
    Permit, READ_LIMIT, RunAs, RunError, Space, Stat, System, Timestamp, aside, children, elevate,
    interrupted, message, nvml, private, programs,
};

/// How often a running command is looked after.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long the kernel has to answer what may depend on a server or a driver.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a command that was asked to end has before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How long a command waits for others of this program's to end, where no more may run at once.
const UNTIL_OTHERS_END: Duration = Duration::from_secs(2);
/// How long a command's last words are waited for when something that it started keeps its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The machine that the program runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Real;

/// Whether a variable is set, and to nothing: [`System::env`] knows no difference between that and one that is not set.
pub fn is_empty_variable(name: &OsStr) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

impl System for Real {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(open(path)?.0))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(stat_of(&rustix::fs::lstat(path)?))
    }

    fn stat_all(&self, folder: &Path, below: &[&str]) -> Vec<io::Result<Stat>> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(folder) = rustix::fs::open(folder, flags, Mode::empty()) else {
            return below.iter().map(|path| self.stat(&folder.join(path))).collect();
        };
        let stat = |path: &&str| {
            let path = if path.is_empty() { "." } else { path };
            Ok(stat_of(&rustix::fs::statat(&folder, path, AtFlags::SYMLINK_NOFOLLOW)?))
        };
        below.iter().map(stat).collect()
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn access(&self, path: &Path) -> io::Result<()> {
        let wanted = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
        Ok(rustix::fs::access(path, wanted)?)
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn which(&self, program: &str) -> Option<PathBuf> {
        programs::find(program)
    }

    fn memory(&self) -> io::Result<MemoryInfo> {
        let mut system = sysinfo::System::new().map_err(io::Error::other)?;
        system.refresh_memory();
        Ok(MemoryInfo {
            total: system.total_memory(),
            available: system.available_memory(),
            swap_total: system.total_swap(),
            swap_free: system.free_swap(),
        })
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        // A server that is gone holds whoever asks for its room, and nothing ends that: the thread is left behind.
        let (answer, wait) = mpsc::channel();
        let asked = path.to_owned();
        thread::Builder::new().spawn(move || _ = answer.send(rustix::fs::statvfs(&asked)))?;
        let found = wait.recv_timeout(PATIENCE).map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Space {
            total: found.f_blocks.saturating_mul(found.f_frsize),
            free: found.f_bavail.saturating_mul(found.f_frsize),
            // btrfs and others report no inodes at all: they make them as needed.
            free_inodes: (found.f_files > 0).then_some(found.f_favail),
        })
    }

    fn nvml(&self) -> Result<Nvml, NvmlFailure> {
        nvml::child::ask(PATIENCE)
    }

    fn host(&self) -> Host {
        Host {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: rustix::process::getgroups()
                .unwrap_or_default()
                .iter()
                .map(|group| group.as_raw())
                .collect(),
            arch: rustix::system::uname().machine().to_string_lossy().into_owned(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn run_watched(
        &self,
        command: &Command,
        watch: &mut dyn FnMut(Line<'_>),
    ) -> Result<Output, RunError> {
        run(command, self.host().uid, watch)
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let parent = parent(path)?;
        private::create_dir_all(parent)?;
        let mode = private::mode(path, mode);
        aside::put(path, parent, bytes, mode)?;
        sync_dir(parent)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = open_to_append(path)?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn flush(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(path)?)?)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        private::create_dir_all(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let gone = match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) => Err(error),
        };
        match gone {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        let parent = parent(link)?;
        private::create_dir_all(parent)?;
        aside::put_link(target, link, parent)?;
        sync_dir(parent)
    }

    fn hold(&self, path: &Path, note: &str) -> io::Result<Option<Hold>> {
        private::create_dir_all(parent(path)?)?;
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_links() | nonblocking())
            .open(path)?;
        refuse_others(&file.metadata()?)?;
        if !is_locked(&file)? {
            return Ok(None);
        }
        file.set_len(0)?;
        file.write_all(note.as_bytes())?;
        held(file)
    }

    fn hold_folder(&self, folder: &Path) -> io::Result<Option<Hold>> {
        let flags = rustix::fs::OFlags::DIRECTORY.bits() as i32 | no_links();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(folder)?;
        match is_locked(&file) {
            Ok(false) => Ok(None),
            Ok(true) => held(file),
            Err(error) if locks_nothing(&error) => Ok(Some(Hold { _file: None })),
            Err(error) => Err(error),
        }
    }

    fn permit(&self, _: &Message) -> io::Result<Permit> {
        Ok(Permit::Granted)
    }
}

/// What the kernel says of a path, as we have it.
fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    let (seconds, nanoseconds) = (stat.st_mtime, stat.st_mtime_nsec as i64);
    Stat {
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Dir,
            FileType::Symlink => FileKind::Link,
            _ => FileKind::Other,
        },
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        // A file may say that it is of any year.
        mtime: seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
        dev: stat.st_dev,
        ino: stat.st_ino,
        #[allow(clippy::useless_conversion, reason = "its width is the architecture's")]
        links: u64::from(stat.st_nlink),
    }
}

/// A regular file and its length. A pipe or a terminal in its place would be waited for without end.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().read(true).custom_flags(nonblocking()).open(path)?;
    let meta = file.metadata()?;
    match meta.is_file() {
        true => Ok((file, meta.len())),
        false if meta.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, message!("it is no plain file"))),
    }
}

fn nonblocking() -> i32 {
    rustix::fs::OFlags::NONBLOCK.bits() as i32
}

fn no_links() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits() as i32
}

/// A file that is added to; a link in its place would lead to one of somebody else's.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    private::create_dir_all(parent(path)?)?;
    let mode = private::mode(path, 0o644);
    OpenOptions::new().create(true).append(true).mode(mode).custom_flags(no_links()).open(path)
}

/// The lock's file is a plain one of the user's own, with no other name.
fn refuse_others(meta: &fs::Metadata) -> io::Result<()> {
    let own = meta.uid() == rustix::process::geteuid().as_raw();
    match meta.is_file() && own && meta.nlink() == 1 {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            message!("it is no plain file of this user's own"),
        )),
    }
}

/// Whether a file system, of a network, locks nothing that is open for reading only.
fn locks_nothing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::BADF | Errno::NOLCK | Errno::OPNOTSUPP))
}

/// Locks a file; false where somebody else has.
fn is_locked(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Commands inherit the lock, so that a run whose head was killed still counts while its hands work.
fn held(file: File) -> io::Result<Option<Hold>> {
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
    Ok(Some(Hold { _file: Some(file) }))
}

/// The content of a regular file. Most of /proc and /sys say that they are empty, so that what is read counts as well.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let (file, length) = open(path)?;
    let mut bytes = Vec::with_capacity(length.min(READ_LIMIT) as usize);
    if length <= READ_LIMIT {
        file.take(READ_LIMIT + 1).read_to_end(&mut bytes)?;
    }
    match length.max(bytes.len() as u64) > READ_LIMIT {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent()
        .map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
        .ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, message!("a path without a folder"))
        })
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn run(command: &Command, uid: u32, watch: &mut dyn FnMut(Line<'_>)) -> Result<Output, RunError> {
    let program = command.argv[0].clone();
    let failed = |source| RunError::Io { program: program.clone(), source };
    tracing::debug!(%command, "run");
    let log = match &command.log {
        Some(path) => Some(Log::open(path, command).map_err(failed)?),
        None => None,
    };
    let mut child = spawn(command, uid)?;
    let lines = attend(&mut child, command).map_err(|source| {
        // Nobody would read what it prints.
        let _ = child.kill().and_then(|()| child.wait());
        failed(source)
    })?;

    let mut run = RunningCommand {
        child,
        command,
        started: Instant::now(),
        asked_to_end: None,
        ended: None,
        outcome: None,
    };
    let mut output = Output::default();
    let mut log = log;
    loop {
        match lines.recv_timeout(POLL_INTERVAL) {
            Ok((is_err, text)) => {
                if let Some(log) = &mut log {
                    log.line(&text);
                }
                watch(if is_err { Line::Stderr(&text) } else { Line::Stdout(&text) });
                let all = if is_err { &mut output.stderr } else { &mut output.stdout };
                all.push_str(&text);
                all.push('\n');
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if run.look_after().map_err(failed)? {
            break;
        }
    }
    let status = run.child.wait().map_err(failed)?;
    output.status = status.code();
    if let Some(log) = &mut log {
        log.line(&format!("# ended: {status}"));
    }
    match run.outcome {
        Some(error) => Err(error),
        None => Ok(output),
    }
}

/// Hands a command its input and reads what it prints, each from a thread of its own.
fn attend(child: &mut Child, command: &Command) -> io::Result<Receiver<(bool, String)>> {
    let (sender, lines) = mpsc::channel();
    if let Some(pipe) = child.stdout.take() {
        forward(pipe, sender.clone(), false)?;
    }
    if let Some(pipe) = child.stderr.take() {
        forward(pipe, sender, true)?;
    }
    if let (Some(pipe), Some(input)) = (child.stdin.take(), input(command)) {
        hand_over(pipe, input)?;
    }
    Ok(lines)
}

fn spawn(command: &Command, uid: u32) -> Result<Child, RunError> {
    let words = words(command, uid)?;
    let mut process = Process::new(&words[0]);
    process
        .args(&words[1..])
        .stdin(if input(command).is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C reaches the program, which decides when the command ends.
        .process_group(0);
    children::surround(&mut process, command);
    let mut started = process.spawn();
    // Several start at once, and where few may run the others of this program's own end soon.
    let since = Instant::now();
    while let Err(error) = &started
        && Fault::of(error) == Some(Fault::Processes)
        && since.elapsed() < UNTIL_OTHERS_END
        && !interrupted()
    {
        thread::sleep(POLL_INTERVAL);
        started = process.spawn();
    }
    started.map_err(|source| match source.kind() {
        // The kernel says the same of a program that is gone and of one whose interpreter is.
        io::ErrorKind::NotFound if Path::new(&words[0]).is_file() => {
            RunError::NoInterpreter { program: words[0].clone() }
        }
        io::ErrorKind::NotFound => RunError::NotFound { program: words[0].clone() },
        _ => RunError::Io { program: words[0].clone(), source },
    })
}

/// The words that run, the first of which is a program named whole.
fn words(command: &Command, uid: u32) -> Result<Vec<String>, RunError> {
    if command.privilege == RunAs::Root {
        return elevate::words(command, uid);
    }
    let program = &command.argv[0];
    // What is named whole says itself why it cannot be run.
    if program.starts_with('/') {
        return Ok(command.argv.clone());
    }
    let found = programs::find(program).map(|path| path.to_string_lossy().into_owned());
    let found = found.ok_or_else(|| RunError::NotFound { program: program.clone() })?;
    Ok(std::iter::once(found).chain(command.argv.iter().skip(1).cloned()).collect())
}

/// What a command reads.
fn input(command: &Command) -> Option<Vec<u8>> {
    match command.privilege {
        RunAs::User => command.input.clone(),
        RunAs::Root => elevate::input(command, |name| Real.env(name)),
    }
}

/// Writes a command's input, from a thread of its own: the command may print before it has read everything.
fn hand_over(mut pipe: ChildStdin, input: Vec<u8>) -> io::Result<()> {
    // A command that ends before it has read everything says itself what is wrong.
    thread::Builder::new().spawn(move || _ = pipe.write_all(&input))?;
    Ok(())
}

/// A command under way, with what was asked of it.
struct RunningCommand<'a> {
    child: Child,
    command: &'a Command,
    started: Instant,
    asked_to_end: Option<Instant>,
    ended: Option<Instant>,
    outcome: Option<RunError>,
}

impl RunningCommand<'_> {
    /// Ends the command where its time is up or the user wants to stop; true when nothing more is to come.
    fn look_after(&mut self) -> io::Result<bool> {
        if let Some(ended) = self.ended {
            return Ok(ended.elapsed() > LAST_WORDS);
        }
        if self.child.try_wait()?.is_some() {
            self.ended = Some(Instant::now());
            return Ok(false);
        }
        match self.asked_to_end {
            Some(asked) if asked.elapsed() > GRACE => self.signal(Signal::KILL),
            Some(_) => {}
            None => self.end_where_due(),
        }
        Ok(false)
    }

    fn end_where_due(&mut self) {
        let program = self.command.argv[0].clone();
        // A package manager that is stopped halfway leaves a broken system, so root's commands run to their end.
        if interrupted() && self.command.privilege == RunAs::User {
            self.outcome = Some(RunError::Interrupted { program });
            self.signal(Signal::INT);
        } else if let Some(limit) = self.command.timeout
            && self.started.elapsed() > limit
        {
            self.outcome = Some(RunError::TimedOut { program, limit });
            self.signal(Signal::TERM);
        }
    }
}

impl RunningCommand<'_> {
    fn signal(&mut self, signal: Signal) {
        self.asked_to_end.get_or_insert_with(Instant::now);
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // It may have ended meanwhile, which is what is wanted.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

/// Sends each line of a pipe on, from a thread of its own.
fn forward(
    pipe: impl Read + Send + 'static,
    lines: Sender<(bool, String)>,
    is_err: bool,
) -> io::Result<()> {
    thread::Builder::new().spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            if lines.send((is_err, text)).is_err() {
                return;
            }
            line.clear();
        }
    })?;
    Ok(())
}

/// The file that keeps what a command printed.
struct Log(File);

impl Log {
    fn open(path: &Path, command: &Command) -> io::Result<Self> {
        let mut log = Self(open_to_append(path)?);
        log.line(&format!("# {command}"));
        Ok(log)
    }

    fn line(&mut self, text: &str) {
        // A log that cannot be written must not end the work that it describes.
        let _ = writeln!(self.0, "{text}");
    }
}
