//! The terminal, and programs that take this one's place.

use std::io::{self, BufRead, IsTerminal};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::command::Command;
use crate::explain::Exit;
use crate::interrupt::interrupted;
use crate::{private, programs};

/// Lets a command take the place of this program, with the same terminal. Comes back only with the reason why it
/// could not be started.
pub fn replace(command: &Command) -> io::Error {
    let name = &command.argv[0];
    // A path is what its user has typed; a name is looked for where names are.
    let found = if name.contains('/') { Some(name.into()) } else { programs::find(name) };
    let Some(program) = found else { return io::ErrorKind::NotFound.into() };
    private::restore_umask();
    let mut process = Process::new(program);
    process.args(&command.argv[1..]);
    for (name, value) in &command.env {
        match value.as_str() {
            "" => process.env_remove(name),
            value => process.env(name, value),
        };
    }
    process.exec()
}

/// Ends the program at once, in whatever thread this is: nothing is waited for.
#[expect(clippy::exit, reason = "a panic must not wait for threads that wait for it")]
pub fn end(exit: Exit) -> ! {
    std::process::exit(exit as i32)
}

/// Where this program is, behind all links; `None` where it is gone.
pub fn this_program() -> Option<PathBuf> {
    std::env::current_exe().ok()?.canonicalize().ok()
}

/// Whether a path leads to this program.
pub fn is_this_program(path: &Path) -> bool {
    this_program().is_some_and(|own| path.canonicalize().is_ok_and(|path| path == own))
}

/// Whether a person sits at the keyboard and sees standard error.
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether standard error is a terminal.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// One line from the keyboard; `None` where the user wants to stop instead.
///
/// # Errors
/// Where standard input cannot be read.
pub fn read_line() -> io::Result<Option<String>> {
    let stdin = io::stdin();
    // Reading is taken up again after a signal, so it begins only once there is something to read.
    while !interrupted() {
        let beat = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&beat)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(Some(read(&stdin)?)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn read(stdin: &io::Stdin) -> io::Result<String> {
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// A port of 127.0.0.1 that is free now, from `first` on.
///
/// # Errors
/// Where a hundred in a row are taken, or the user may open none there (`PermissionDenied`).
pub fn free_port(first: u16) -> io::Result<u16> {
    let open = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if let Err(error) = open(first)
        && error.kind() == io::ErrorKind::PermissionDenied
    {
        return Err(error);
    }
    (first..first.saturating_add(100))
        .find(|port| open(*port).is_ok())
        .ok_or_else(|| io::ErrorKind::AddrInUse.into())
}

/// How many columns the terminal of standard error has; `None` where it is no terminal.
pub fn stderr_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// How many columns the terminal of standard output has; `None` where it is no terminal.
pub fn stdout_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
