//! What can fail anywhere: the faults that the errors of every crate have in common.

use std::io;
use std::path::PathBuf;

use crate::Explain;
use crate::command::RunError;
use crate::explain::Exit;
use crate::fault::Fault;
use crate::message::{Message, ToMessage};

/// A file, a program, room, or the user's own wish to stop.
#[derive(Debug, Explain)]
pub enum Failure {
    /// A file could not be read or written, for the reason that is said: room, rights, a limit.
    #[explain(
        code = "AITK-C10",
        exit(Fault::of(source).map_or(Exit::Failed, Fault::exit)),
        say("{path}: {source}"),
        hint_if(Some(Fault::of(source)?.hint(path)))
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The same of what has no path of its own.
    #[explain(
        code = "AITK-C10",
        exit(Fault::of(source).map_or(Exit::Failed, Fault::exit)),
        say("{what}: {source}"),
        hint_if(Fault::of(source)?.pathless_hint())
    )]
    IoOf {
        /// What could not be read, written or made, in words.
        what: Message,
        /// What the operating system said.
        source: io::Error,
    },
    /// No space is left. Free some; the same command continues.
    #[explain(
        code = "AITK-E08",
        say("no space is left for {path}"),
        hint_if(Fault::NoSpace.pathless_hint())
    )]
    NoSpace {
        /// What was being written: a file, or several in words.
        path: Message,
    },
    /// A command could not be run, for the reason that is said.
    #[explain(code = "AITK-X08", exit(_0.exit()), say("{0}"), hint_if(_0.hint()))]
    Run(#[source] RunError),
    /// Nothing can be found out about the machine: the system gives no more processes, files or memory.
    #[explain(code = "AITK-C59", exit = TryAgain, say("{reason}"), hint("{hint}"))]
    NothingAnswers {
        /// What was asked, and what the system says.
        reason: Message,
        /// What gives more.
        hint: Message,
    },
    /// The run was interrupted, and continues where it stopped.
    #[explain(
        code = "AITK-X01",
        say("interrupted"),
        hint("run the same command again: it continues where it stopped")
    )]
    Interrupted,
}

impl Failure {
    /// An error of the operating system about a path; a full disk has an error of its own.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => Self::NoSpace { path: path.to_message() },
            _ => Self::Io { path, source },
        }
    }

    /// The same about what has no path of its own.
    pub fn io_of(what: Message) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => Self::NoSpace { path: what },
            _ => Self::IoOf { what, source },
        }
    }
}

/// Whichever command was under way: whoever interrupts is told how to go on.
impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Interrupted { .. } => Self::Interrupted,
            error => Self::Run(error),
        }
    }
}
