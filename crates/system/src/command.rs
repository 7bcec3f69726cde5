//! A command to run: its words, its surroundings, and what it may do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::explain::Exit;
use crate::fault::Fault;
use crate::message;
use crate::message::{Message, ToMessage};
use crate::quote::quote;

/// With whose rights a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunAs {
    /// As whoever runs the program.
    User,
    /// As root, through `sudo` where the program does not run as root.
    Root,
}

/// Whether a command changes the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It only looks, or leaves nothing behind.
    Reads,
    /// It changes something that stays.
    Changes,
}

/// A text that is handed on and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub(crate) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A command, complete: nothing of it is interpreted by a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Variables set on top of those that are listed for every command; an empty value removes one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// More variables of the program's own environment that it gets, through `sudo` as well: what they hold is never
    /// shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass: Vec<String>,
    /// Variables of a command of the user's that hold a secret: what they are set to is shown nowhere.
    #[serde(skip)]
    pub secret: Vec<(String, Hidden)>,
    /// What it reads on standard input; nothing where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Vec<u8>>,
    /// The folder to run in; an empty one where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// How long it may take. `None` waits as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// With whose rights it runs.
    pub privilege: RunAs,
    /// Whether it changes the machine.
    pub effect: Effect,
    /// A file that everything it prints is added to.
    #[serde(skip)]
    pub log: Option<PathBuf>,
}

impl Command {
    /// A command that only looks.
    pub fn reads<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            pass: Vec::new(),
            secret: Vec::new(),
            input: None,
            cwd: None,
            timeout: None,
            privilege: RunAs::User,
            effect: Effect::Reads,
            log: None,
        }
    }

    /// A command that changes something of the user's.
    pub fn changes<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { effect: Effect::Changes, ..Self::reads(argv) }
    }

    /// A command that changes the system and needs root.
    pub fn as_root<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { effect: Effect::Changes, privilege: RunAs::Root, ..Self::reads(argv) }
    }

    /// Adds an argument: no shell reads it.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.argv.push(arg.into());
        self
    }

    /// Adds several, each as it is.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable; an empty value removes it.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets a variable to a text that is shown nowhere, neither in a log nor in the list of processes.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.secret.push((name.into(), Hidden(value.into())));
        self
    }

    /// Passes a variable of the program's own environment on by its name alone, for one that holds a secret.
    #[must_use]
    pub fn pass(mut self, name: impl Into<String>) -> Self {
        self.pass.push(name.into());
        self
    }

    /// Hands these bytes over on standard input: nobody can put others in their place.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Limits how long it may take.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Adds everything it prints to a file.
    #[must_use]
    pub fn log(mut self, path: impl Into<PathBuf>) -> Self {
        self.log = Some(path.into());
        self
    }
}

/// The command as an ordinary user would type it, with `sudo` where root is needed.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed(false))
    }
}

impl Command {
    /// The command as a person would type it; root types no `sudo`.
    pub fn typed(&self, as_root: bool) -> String {
        let mut parts = Vec::new();
        if self.privilege == RunAs::Root && !as_root {
            parts.push("sudo".to_owned());
            parts.extend(self.preserved());
            if !self.env.is_empty() {
                parts.push("env".to_owned());
            }
        }
        for (name, value) in &self.env {
            parts.push(format!("{name}={}", quote(value)));
        }
        parts.extend(self.argv.iter().map(|word| quote(word)));
        parts.join(" ")
    }
}

impl Command {
    /// The option by which `sudo` passes variables on.
    pub(crate) fn preserved(&self) -> Option<String> {
        (!self.pass.is_empty()).then(|| format!("--preserve-env={}", self.pass.join(",")))
    }
}

/// A line that a running command printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// On its standard output.
    Stdout(&'a str),
    /// On its standard error.
    Stderr(&'a str),
}

impl<'a> Line<'a> {
    /// The text, whichever stream it came from.
    pub fn text(self) -> &'a str {
        match self {
            Self::Stdout(text) | Self::Stderr(text) => text,
        }
    }
}

/// What a command left when it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Everything on standard output.
    pub stdout: String,
    /// Everything on standard error.
    pub stderr: String,
}

impl Output {
    /// Whether it ended with status 0.
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }

    /// The last lines that it printed, standard error first: what a person needs to see of a failure.
    pub fn tail(&self, lines: usize) -> String {
        let source = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let all: Vec<&str> = source.lines().filter(|line| !line.trim().is_empty()).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// Why a command has no output. The errors that it becomes a part of have codes.
#[derive(Debug)]
pub enum RunError {
    /// There is no such program.
    NotFound {
        /// The program's name or path.
        program: String,
    },
    /// The program is there, and what its first line names to run it is not.
    NoInterpreter {
        /// The program's path.
        program: String,
    },
    /// It took longer than it may, and was ended.
    TimedOut {
        /// The program's name or path.
        program: String,
        /// How long it had.
        limit: Duration,
    },
    /// The user interrupted the run.
    Interrupted {
        /// The program's name or path.
        program: String,
    },
    /// This system refuses commands that change the machine.
    Denied {
        /// The whole command.
        command: String,
    },
    /// The recording that answers does not hold this command.
    NotRecorded {
        /// The whole command.
        command: String,
    },
    /// The operating system could not run it.
    Io {
        /// The program's name or path.
        program: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ToMessage for RunError {
    fn to_message(&self) -> Message {
        match self {
            Self::NotFound { program } => message!("`{program}` is not there"),
            Self::NoInterpreter { program } => message!(
                "`{program}` is there, and what runs it is not: its first line names a program that is gone"
            ),
            Self::TimedOut { program, limit } => {
                message!("`{program}` did not end within {} s and was stopped", limit.as_secs())
            }
            Self::Interrupted { program } => message!("interrupted while `{program}` ran"),
            Self::Denied { command } => {
                message!("refused here because it would change the machine: {command}")
            }
            Self::NotRecorded { command } => {
                message!("the recording does not hold `{command}`")
            }
            Self::Io { program, source } => message!("`{program}` could not be run: {source}"),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_message().fmt(f)
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl RunError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<Message> {
        match self {
            Self::Io { program, source } => Some(Fault::of(source)?.start_hint(Path::new(program))),
            Self::NoInterpreter { program } => Some(message!(
                "`head -1 {}` shows which; install that, or make the program anew",
                quote(program)
            )),
            _ => None,
        }
    }

    /// Whether nothing at all can be started: it says nothing of the program.
    pub fn is_lack(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        matches!(Fault::of(source), Some(Fault::Processes | Fault::OpenFiles | Fault::Memory))
    }

    /// The exit code of a program that ends with this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Io { source, .. } => Fault::of(source).map_or(Exit::Failed, Fault::exit),
            _ => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_command_shows_sudo_env_and_quotes() {
        let command = Command::as_root(["apt-get", "install", "a b", "it's"]).env("X", "1 2");
        assert_eq!(command.to_string(), r"sudo env X='1 2' apt-get install 'a b' 'it'\''s'");
        assert_eq!(command.typed(true), r"X='1 2' apt-get install 'a b' 'it'\''s'");
    }

    #[test]
    fn a_variable_that_is_passed_on_shows_its_name_alone() {
        let command = Command::as_root(["apt-get", "update"]).env("X", "1").pass("http_proxy");
        assert_eq!(command.to_string(), "sudo --preserve-env=http_proxy env X=1 apt-get update");
        assert_eq!(command.typed(true), "X=1 apt-get update");
    }

    #[test]
    fn what_is_handed_over_is_no_word_of_it() {
        let command = Command::as_root(["tee", "/etc/x"]).input("geheim");
        assert_eq!(command.to_string(), "sudo tee /etc/x");
        let json = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<Command>(&json).unwrap(), command);
    }

    #[test]
    fn tail_prefers_standard_error_and_skips_blank_lines() {
        let output = Output { status: Some(1), stdout: "out".into(), stderr: "a\n\nb\nc\n".into() };
        assert_eq!(output.tail(2), "b\nc");
    }
}
