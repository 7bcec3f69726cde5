//! What can go wrong while a plan is carried out.

use std::io;
use std::path::{Path, PathBuf};

use aitk_env::EnvError;
use aitk_system::{Exit, Explain, Fault, RunError};

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// Something about the environment.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// Another process holds a lock of apt or dpkg.
    #[error("{holder} holds the lock {lock}")]
    AptLocked {
        /// Which process, with its number.
        holder: String,
        /// Which lock.
        lock: String,
    },
    /// A source of apt does not answer.
    #[error("a package source of apt does not answer: {reason}")]
    AptUnreachable {
        /// What apt says.
        reason: String,
    },
    /// Packages are half-installed or their dependencies are not met.
    #[error("the installed packages are in a broken state: {reason}")]
    AptBroken {
        /// What apt or dpkg says.
        reason: String,
    },
    /// apt knows no such package, or no such version any more.
    #[error("apt does not have what the plan names: {reason}")]
    AptMissing {
        /// What apt says.
        reason: String,
    },
    /// A package source is not signed by a key that apt knows for it.
    #[error("apt does not trust a package source: {reason}")]
    AptUntrusted {
        /// What apt says.
        reason: String,
    },
    /// The key of a package source is another one than the catalog names.
    #[error("the key at {address} is {found}, and not {expected}; nothing was changed")]
    WrongKey {
        /// Where it was taken from.
        address: String,
        /// The fingerprint in the catalog.
        expected: String,
        /// What came, in words.
        found: String,
    },
    /// A command failed for another reason.
    #[error("`{command}` failed:\n{output}")]
    Failed {
        /// The command.
        command: String,
        /// What it printed last.
        output: String,
        /// Where everything that it printed is.
        log: Option<PathBuf>,
    },
    /// A proof did not succeed.
    #[error("the check failed: {reason}")]
    CheckFailed {
        /// What it found.
        reason: String,
        /// Where everything that it printed is.
        log: Option<PathBuf>,
    },
    /// A step was carried out and what it should ensure still does not hold.
    #[error("it was carried out, and still does not hold: {reason}")]
    StillMissing {
        /// What is missing.
        reason: String,
    },
    /// sudo does not let a command through.
    #[error("sudo asks for a password and there is nobody to ask")]
    NeedsPassword,
    /// No space is left.
    #[error("{path} has {free} left and {needed} are needed")]
    NoSpace {
        /// Where.
        path: PathBuf,
        /// What is free.
        free: String,
        /// What is needed.
        needed: String,
    },
    /// A lock of the one manager, and a plan with the other.
    #[error("the lock is for the manager {lock}, and the plan uses {plan}")]
    OtherManager {
        /// The lock's.
        lock: aitk_plan::Manager,
        /// The plan's.
        plan: aitk_plan::Manager,
    },
    /// A file stands where aitk would put one, and somebody else has made it.
    #[error("{path} is there already, and aitk has not made it")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Root would write where others can put something else in its place.
    #[error("root writes nothing below {path}: {reason}")]
    UnsafePlace {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What became known in the run is more than was agreed to, and nobody agreed to that.
    #[error("{step}: this is more than was agreed to: {what}")]
    NotAgreed {
        /// The step's title.
        step: String,
        /// What is more.
        what: String,
        /// Whether it costs much more.
        larger: bool,
    },
    /// A file of the user's own stands where aitk would change something, and stays as it is.
    #[error("{path} stays as it is: {reason}")]
    Yours {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// What aitk keeps of itself cannot be read.
    #[error("{path}: {reason}")]
    BadState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// There can be no swap file at a place.
    #[error("there can be no swap file {path}: {reason}")]
    NoSwapFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// The user belongs to groups that this session does not know of.
    #[error("this session does not belong to {groups} yet: a new one does")]
    LogIn {
        /// The groups.
        groups: String,
    },
    /// The machine must be started again before it goes on.
    #[error("what was done counts once the machine has been restarted: {after}")]
    Restart {
        /// After which steps.
        after: String,
    },
    /// Another run of aitk is under way.
    #[error("another run of aitk is under way ({holder})")]
    AlreadyRunning {
        /// What that run left in the lock's file.
        holder: String,
    },
    /// The user interrupted the run.
    #[error("interrupted")]
    Interrupted,
    /// A command could not be run.
    #[error(transparent)]
    Run(RunError),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl ExecError {
    /// Whether a source has something else now than what it has told before, so that a plan made anew may work.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Env(error) if error.is_stale())
    }

    /// An error of the operating system about a path.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Whichever command was under way: whoever interrupts is told how to go on.
impl From<RunError> for ExecError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Interrupted { .. } => Self::Interrupted,
            error => Self::Run(error),
        }
    }
}

impl Explain for ExecError {
    fn code(&self) -> &'static str {
        match self {
            Self::Env(error) => error.code(),
            Self::AptLocked { .. } => "AITK-A01",
            Self::AptUnreachable { .. } => "AITK-A02",
            Self::AptBroken { .. } => "AITK-A03",
            Self::AptMissing { .. } => "AITK-A04",
            Self::AptUntrusted { .. } => "AITK-A05",
            Self::WrongKey { .. } => "AITK-A06",
            Self::Interrupted => "AITK-X01",
            Self::AlreadyRunning { .. } => "AITK-X02",
            Self::Failed { .. } => "AITK-X03",
            Self::CheckFailed { .. } => "AITK-X04",
            Self::StillMissing { .. } => "AITK-X05",
            Self::NeedsPassword => "AITK-X06",
            Self::NoSpace { .. } => "AITK-X07",
            Self::OtherManager { .. } => "AITK-X10",
            Self::LogIn { .. } => "AITK-X11",
            Self::Restart { .. } => "AITK-X12",
            Self::Foreign { .. } => "AITK-X13",
            Self::NoSwapFile { .. } => "AITK-X14",
            Self::UnsafePlace { .. } => "AITK-X15",
            Self::NotAgreed { .. } => "AITK-X16",
            Self::Yours { .. } => "AITK-X20",
            Self::BadState { .. } => "AITK-X21",
            Self::Run(_) => "AITK-X08",
            Self::Io { .. } => "AITK-X09",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Env(error) => return error.hint(),
            Self::AptLocked { .. } => {
                "wait until it is done (on a fresh machine the first upgrades take minutes), then \
                 run the same command again"
            }
            Self::AptUnreachable { .. } => {
                "check the network, the proxy in /etc/apt/apt.conf.d and the sources in /etc/apt"
            }
            Self::AptBroken { .. } => {
                "sudo dpkg --configure -a && sudo apt-get --fix-broken install, then try again"
            }
            Self::AptMissing { .. } => "make a new plan: the package lists have changed since",
            Self::AptUntrusted { .. } => {
                "try again later; if it stays so, the source has a new key or something on the way \
                 changes what it delivers"
            }
            Self::WrongKey { .. } => {
                "make sure that the source itself announces this key; then a newer aitk, or a row \
                 of your own in catalog.toml, names it"
            }
            Self::Foreign { .. } => {
                "look at it; move it away if it is not needed, then run the same command again"
            }
            Self::NotAgreed { larger: true, .. } => {
                "add --allow-larger, or run it in a terminal without --yes, where you are asked; what \
                 was done so far stays, and it continues from there"
            }
            Self::NotAgreed { .. } => {
                "run the same command again: what is known now stands in its plan before you agree to it"
            }
            Self::UnsafePlace { .. } => {
                "let it be root's alone (`ls -ld` shows whose it is), then run the same command again"
            }
            Self::NoSwapFile { remedy, .. } | Self::BadState { remedy, .. } => remedy,
            Self::Yours { remedy, .. } => return Some(remedy.clone()),
            Self::LogIn { .. } => {
                "log out and in again, then run the same command again: it continues"
            }
            Self::Restart { .. } => {
                "restart the machine, then run the same command again: it continues"
            }
            Self::Failed { output, .. } if Fault::in_words(output).is_some() => {
                return Some(Fault::in_words(output)?.hint(Path::new("/")));
            }
            Self::Failed { log: Some(log), .. } | Self::CheckFailed { log: Some(log), .. } => {
                return Some(format!("everything it printed is in {}", log.display()));
            }
            Self::NeedsPassword => "run it in a terminal, or add --user-only",
            Self::NoSpace { .. } => {
                "free some space, then run the same command again: it continues"
            }
            Self::AlreadyRunning { .. } => "wait until it is done",
            Self::OtherManager { lock, .. } => return Some(format!("add --manager {lock}")),
            Self::Interrupted => "run the same command again: it continues where it stopped",
            Self::Failed { .. } | Self::CheckFailed { .. } | Self::StillMissing { .. } => {
                return None;
            }
            Self::Run(error) => return error.hint(),
            Self::Io { path, source } => return Some(Fault::of(source)?.hint(path)),
        };
        Some(hint.to_owned())
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Env(error) => error.exit(),
            Self::AptLocked { .. } | Self::AlreadyRunning { .. } => Exit::TryAgain,
            Self::AptUnreachable { .. } => Exit::Unavailable,
            Self::NeedsPassword => Exit::NotPermitted,
            Self::Run(error) => error.exit(),
            Self::Io { source, .. } => Fault::of(source).map_or(Exit::Failed, Fault::exit),
            Self::OtherManager { .. } => Exit::Usage,
            Self::NotAgreed { .. } => Exit::Pending,
            Self::LogIn { .. } | Self::Restart { .. } | Self::Yours { .. } => Exit::Resume,
            Self::BadState { .. } => Exit::Config,
            _ => Exit::Failed,
        }
    }
}
