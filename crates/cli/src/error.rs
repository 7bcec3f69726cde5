//! What can go wrong at the edge.

use std::io;
use std::path::{Path, PathBuf};

use aitk_env::EnvError;
use aitk_exec::ExecError;
use aitk_export::ExportError;
use aitk_plan::{AdviceError, ProfileError};
use aitk_system::{Exit, Explain, Fault, quote};

use crate::commands::hosted::HostedError;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Advice(#[from] AdviceError),
    #[error(transparent)]
    Env(#[from] EnvError),
    #[error(transparent)]
    Exec(#[from] ExecError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Hosted(#[from] HostedError),
    /// Something stands where files are to be written.
    #[error("{} is there already", .path.display())]
    There { path: PathBuf },
    /// Neither a budget nor anything applied before.
    #[error("no budget is chosen")]
    NoBudget,
    /// A saved plan that cannot be used.
    #[error("{path}: {reason}")]
    BadPlan { path: PathBuf, reason: String },
    /// A saved plan of another machine.
    #[error("{path} was made for another machine")]
    OtherMachine { path: PathBuf },
    /// A saved plan that shows something else than what it would do.
    #[error("{path} does not show what its choices and its lock mean here: {}", .differences.join(", "))]
    OtherPlan { path: PathBuf, differences: Vec<String> },
    /// Sources that a file names, and not the user.
    #[error("{path} names sources that you do not name: {}", .sources.join(", "))]
    ForeignSources { path: PathBuf, sources: Vec<String> },
    /// A conda that a file names, and not the user.
    #[error("{path} names a conda that you do not name: {base}")]
    ForeignBase { path: PathBuf, base: String },
    /// The value of a flag is not in its form.
    #[error("{flag}: {unfit}")]
    Unfit { flag: &'static str, unfit: aitk_plan::names::Unfit },
    /// Flags beside a saved plan or a bundle, which has been decided already.
    #[error("{path} is decided already, and this asks for something else: {}", .flags.join(", "))]
    Fixed { path: PathBuf, flags: Vec<&'static str> },
    /// A recording or description of a machine that cannot be read.
    #[error("{path}: {reason}")]
    BadMachine { path: PathBuf, reason: String },
    /// Steps that cannot be done here.
    #[error("{} of the plan cannot be done here:\n{list}", steps(*.count))]
    Blocked { count: usize, list: String, not_permitted: bool },
    /// The user's own rows of the catalog do not fit.
    #[error("{}: {reason}", .path.display())]
    Catalog { path: PathBuf, reason: String },
    /// Root is needed, and there is no way to it.
    #[error("root is needed, and sudo can ask for no password here")]
    NeedsRoot { commands: Vec<String>, avoidable: bool },
    /// `apply` without anybody to ask.
    #[error("nobody can be asked whether to go ahead: this is no terminal")]
    NotConfirmed,
    /// The person said no.
    #[error("nothing was changed")]
    Declined,
    /// A folder of aitk's that belongs to another user.
    #[error("{} belongs to another user", .path.display())]
    FolderOfAnother { path: PathBuf },
    /// Root with the home folder of another user.
    #[error("root would write into {}, the home folder of another user", .home.display())]
    HomeOfAnother { home: PathBuf },
    /// There is no such environment.
    #[error("there is no environment `{name}` here")]
    NoEnvironment { name: String },
    /// An environment in which programs do not start as they should.
    #[error("nothing can be started in `{name}`: {fault}")]
    Broken { name: String, fault: aitk_env::Fault },
    /// A folder that is no environment of Python's.
    #[error("{} is no environment of venv or conda", .path.display())]
    NotAnEnvironment { path: PathBuf },
    /// What was to be printed could not be.
    #[error("standard output cannot be written: {reason}")]
    Lost { reason: String },
    /// Something that cannot be has happened.
    #[error("a fault in aitk itself: {what}")]
    Fault { what: String },
    /// A folder of the user's that somebody else has taken.
    #[error("{} cannot be written: {source}", .path.display())]
    NotYours {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// JupyterLab did not come up, or has ended.
    #[error("JupyterLab has ended, or does not answer:\n{last}")]
    NoLab { last: String, log: PathBuf },
    /// Something differs from what was applied.
    #[error("{0}")]
    Other(String),
    /// The system gives no more threads.
    #[error("no more processes or threads can be started")]
    NoThread,
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// `1 step`, `2 steps`.
pub fn steps(count: usize) -> String {
    if count == 1 { "1 step".to_owned() } else { format!("{count} steps") }
}

impl CliError {
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl Explain for CliError {
    fn code(&self) -> &'static str {
        match self {
            Self::Profile(error) => error.code(),
            Self::Advice(error) => error.code(),
            Self::Env(error) => error.code(),
            Self::Exec(error) => error.code(),
            Self::Export(error) => error.code(),
            Self::Hosted(error) => error.code(),
            Self::NoBudget => "AITK-C01",
            Self::BadPlan { .. } => "AITK-C02",
            Self::OtherMachine { .. } => "AITK-C03",
            Self::BadMachine { .. } => "AITK-C04",
            Self::Blocked { .. } => "AITK-C05",
            Self::Catalog { .. } => "AITK-P02",
            Self::NeedsRoot { .. } => "AITK-C06",
            Self::NotConfirmed => "AITK-C07",
            Self::Declined => "AITK-C08",
            Self::NoEnvironment { .. } => "AITK-C09",
            Self::Broken { .. } => "AITK-C19",
            Self::NoThread => "AITK-C17",
            Self::Io { .. } => "AITK-C10",
            Self::Other(_) => "AITK-C11",
            Self::Fixed { .. } => "AITK-C12",
            Self::NotAnEnvironment { .. } => "AITK-C13",
            Self::There { .. } => "AITK-C14",
            Self::Lost { .. } => "AITK-C15",
            Self::Fault { .. } => "AITK-C16",
            Self::FolderOfAnother { .. } => "AITK-C22",
            Self::HomeOfAnother { .. } => "AITK-C23",
            Self::OtherPlan { .. } => "AITK-C30",
            Self::ForeignSources { .. } | Self::ForeignBase { .. } => "AITK-C31",
            Self::Unfit { .. } => "AITK-C32",
            Self::NotYours { .. } => "AITK-C20",
            Self::NoLab { .. } => "AITK-C21",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Profile(error) => return error.hint(),
            Self::Advice(error) => return error.hint(),
            Self::Env(error) => return error.hint(),
            Self::Exec(error) => return error.hint(),
            Self::Export(error) => return error.hint(),
            Self::Hosted(error) => return error.hint(),
            Self::NoBudget => "add --budget low; `aitk profiles` lists what can be chosen",
            Self::OtherPlan { .. } => {
                "it was changed by hand, or this machine was changed since: look at `aitk plan`, and save a new one"
            }
            Self::ForeignSources { sources, .. } => {
                let sources = sources.join(" ");
                return Some(format!(
                    "add them yourself ({sources}), which keeps them, or add --accept-sources, which uses them for this run"
                ));
            }
            Self::ForeignBase { base, .. } => {
                return Some(format!("if it is yours, add --conda-base {base}"));
            }
            Self::BadPlan { .. } | Self::OtherMachine { .. } => {
                "make a new one here with `aitk plan -o FILE`"
            }
            Self::Fixed { .. } => {
                "leave these out, or make a new plan with them (`aitk plan … -o FILE`)"
            }
            Self::BadMachine { .. } => "record one with `aitk detect --capture DIR`",
            Self::NeedsRoot { commands, avoidable } => {
                let or = if *avoidable { "; or add --user-only" } else { "" };
                let commands = commands.join("\n");
                return Some(format!("run these by hand, then try again{or}:\n{commands}"));
            }
            Self::Catalog { .. } => "the tables in profiles/catalog show what a row has",
            Self::NotConfirmed => "look at `aitk plan`, then add --yes",
            Self::NotAnEnvironment { .. } => {
                "name the folder that holds `pyvenv.cfg` (venv) or `conda-meta` (conda)"
            }
            Self::Lost { .. } => "make room there, or send it to another file",
            Self::Fault { .. } => {
                "please report it with what you typed; the same command takes up again what was half done"
            }
            Self::There { .. } => "name another place, or add --force to write over it",
            Self::FolderOfAnother { .. } => {
                "look whose it is with `ls -ld`; give it back with `sudo chown -R \"$USER\"` and its path, \
                 or move it away"
            }
            Self::HomeOfAnother { .. } => {
                "run it without sudo; for an environment of root's own, `sudo -H aitk …`"
            }
            Self::NotYours { path, .. } => {
                let path = quote(&path.to_string_lossy());
                return Some(format!(
                    "give it back to yourself, then try again: sudo chown -R \"$USER\" {path}"
                ));
            }
            Self::NoLab { log, .. } => {
                return Some(format!("everything it printed is in {}", log.display()));
            }
            Self::NoEnvironment { .. } => "make it with `aitk apply --budget low`",
            Self::Broken { .. } => {
                "`aitk apply` builds what is missing again, or says what that takes"
            }
            Self::NoThread => return Some(Fault::Processes.hint(Path::new(""))),
            Self::Io { path, source } => return Some(Fault::of(source)?.hint(path)),
            Self::Unfit { .. } | Self::Blocked { .. } | Self::Declined | Self::Other(_) => {
                return None;
            }
        };
        Some(hint.to_owned())
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Profile(error) => error.exit(),
            Self::Advice(error) => error.exit(),
            Self::Env(error) => error.exit(),
            Self::Exec(error) => error.exit(),
            Self::Export(error) => error.exit(),
            Self::Hosted(error) => error.exit(),
            Self::NoBudget
            | Self::NotConfirmed
            | Self::NotAnEnvironment { .. }
            | Self::There { .. }
            | Self::ForeignSources { .. }
            | Self::ForeignBase { .. }
            | Self::Unfit { .. }
            | Self::Fixed { .. } => Exit::Usage,
            Self::BadPlan { .. }
            | Self::OtherPlan { .. }
            | Self::OtherMachine { .. }
            | Self::BadMachine { .. }
            | Self::Catalog { .. } => Exit::Config,
            Self::Blocked { not_permitted: true, .. }
            | Self::NeedsRoot { .. }
            | Self::FolderOfAnother { .. }
            | Self::HomeOfAnother { .. } => Exit::NotPermitted,
            Self::Blocked { .. }
            | Self::Declined
            | Self::Lost { .. }
            | Self::Fault { .. }
            | Self::NoEnvironment { .. }
            | Self::Broken { .. }
            | Self::NotYours { .. }
            | Self::NoLab { .. }
            | Self::Other(_) => Exit::Failed,
            Self::NoThread => Fault::Processes.exit(),
            Self::Io { source, .. } => Fault::of(source).map_or(Exit::Failed, Fault::exit),
        }
    }
}
