//! What can go wrong with environments.

use std::io;
use std::path::PathBuf;

use aitk_system::{Exit, Explain, Fault, RunError};

/// What to do where there is no Python to build an environment on.
pub const GET_PYTHON: &str = "install python3 (on Debian and Ubuntu: sudo apt-get install python3 python3-pip \
    python3-venv; where apt says that it is there, its program was taken away: sudo \
    apt-get install --reinstall python3-minimal 'python3.*-minimal'), or choose \
    --manager conda, which brings its own";

/// Why an environment could not be resolved or built.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// A source does not answer.
    #[error("{source_name} does not answer: {reason}")]
    Unreachable {
        /// Which source, in words.
        source_name: String,
        /// What was tried and what came back.
        reason: String,
    },
    /// A source answers, and has a file no more that it has told of.
    #[error("{source_name} answers {status} for {file}")]
    Gone {
        /// Which source, in words.
        source_name: String,
        /// Its answer.
        status: String,
        /// The file's name.
        file: String,
    },
    /// Working offline, and something is not in the cache.
    #[error("{what} is not in the cache, and --offline asks no source")]
    Offline {
        /// What is missing.
        what: String,
    },
    /// The wishes cannot all be met.
    #[error("no set of packages meets all wishes:\n{reason}")]
    Unsolvable {
        /// uv's explanation.
        reason: String,
    },
    /// What was downloaded is not what the lock names.
    #[error("{file} is not what the lock names: its sha256 is {found} and not {expected}")]
    WrongHash {
        /// The file's name.
        file: String,
        /// The hash in the lock.
        expected: String,
        /// The hash of what came.
        found: String,
    },
    /// What is being downloaded is longer than it can be.
    #[error("{file} is not what the lock names: it is longer than {most} bytes")]
    TooLong {
        /// The file's name.
        file: String,
        /// The size in the lock, or that which no package has.
        most: u64,
    },
    /// A file for which the lock names no hash.
    #[error("the source names no sha256 for {file}, so it cannot be checked")]
    NoHash {
        /// The file's name.
        file: String,
    },
    /// A package that would have to be built, which runs what a stranger wrote.
    #[error(
        "{package} is offered as source code only, and aitk installs none: building it would run its code"
    )]
    OnlySource {
        /// The package.
        package: String,
    },
    /// uv is not to be had.
    #[error("uv {version} could not be had: {reason}")]
    NoUv {
        /// The pinned version.
        version: String,
        /// What was tried.
        reason: String,
    },
    /// The interpreter that the environment is built on is not there yet.
    #[error("there is no Python yet to build the environment on")]
    NoPython,
    /// A channel answers, and what it says cannot be used.
    #[error("the channel {channel} cannot be used: {reason}")]
    BadChannel {
        /// The channel, without credentials.
        channel: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A package has the right hash and cannot be unpacked or linked.
    #[error("{package} could not be installed: {reason}")]
    BadPackage {
        /// The package.
        package: String,
        /// What was wrong.
        reason: String,
    },
    /// A bundle cannot be used.
    #[error("{path} is no bundle that can be used: {reason}")]
    BadBundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// uv failed for another reason.
    #[error("uv failed:\n{output}")]
    Uv {
        /// What it printed last.
        output: String,
    },
    /// No space is left.
    #[error("no space is left for {path}")]
    NoSpace {
        /// The file that was being written.
        path: PathBuf,
    },
    /// A lock file cannot be used.
    #[error("{path}: {reason}")]
    BadLock {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A lock that was given is for something else.
    #[error("the lock does not fit: {reason}")]
    UnfitLock {
        /// What does not fit.
        reason: String,
        /// What to choose so that it fits.
        remedy: String,
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

impl EnvError {
    /// A lock that does not fit, with what to choose so that it does.
    pub fn unfit(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::UnfitLock { reason: reason.into(), remedy: remedy.into() }
    }

    /// Whether a source has something else now than what it has told before: it is to be asked anew.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::WrongHash { .. } | Self::TooLong { .. } | Self::Gone { .. })
    }

    /// An error of the operating system about a path; a full disk has an error of its own.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => Self::NoSpace { path },
            _ => Self::Io { path, source },
        }
    }

    /// Tells the failures of uv apart by what it printed.
    pub(crate) fn from_uv(output: &str, source_name: &str) -> Self {
        const SILENT: [&str; 5] = [
            "error sending request",
            "Failed to fetch",
            "dns error",
            "operation timed out",
            "Request failed after",
        ];
        let output = output.trim().to_owned();
        if let Some((path, source)) = Fault::printed(&output) {
            let somewhere = || PathBuf::from("uv's cache or the environment");
            let path = if path.is_empty() { somewhere() } else { PathBuf::from(path) };
            Self::io(path)(source)
        } else if output.contains("No space left on device") {
            Self::NoSpace { path: PathBuf::from("uv's cache or the environment") }
        } else if SILENT.iter().any(|sign| output.contains(sign)) {
            let reason = output.lines().last().unwrap_or_default().trim().to_owned();
            let reason = reason.strip_prefix("cause: ").unwrap_or(&reason).to_owned();
            Self::Unreachable { source_name: source_name.to_owned(), reason }
        } else if output.contains("network was disabled") {
            Self::Offline { what: "what is asked for".to_owned() }
        } else if let Some(package) = only_source(&output) {
            Self::OnlySource { package }
        } else if output.contains("No solution found") {
            Self::Unsolvable { reason: output }
        } else {
            Self::Uv { output }
        }
    }
}

/// The package of which uv says that it would have to be built.
fn only_source(output: &str) -> Option<String> {
    let (_, rest) = output.split_once("Wheels are required for `")?;
    let (name, rest) = rest.split_once('`')?;
    rest.contains("building from source is disabled").then(|| name.to_owned())
}

/// Whichever command was under way: whoever interrupts is told how to go on.
impl From<RunError> for EnvError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Interrupted { .. } => Self::Interrupted,
            error => Self::Run(error),
        }
    }
}

impl Explain for EnvError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "AITK-E01",
            Self::Gone { .. } => "AITK-E17",
            Self::Offline { .. } => "AITK-E02",
            Self::Unsolvable { .. } => "AITK-E03",
            Self::WrongHash { .. } | Self::TooLong { .. } => "AITK-E04",
            Self::NoHash { .. } => "AITK-E05",
            Self::OnlySource { .. } => "AITK-E16",
            Self::NoUv { .. } => "AITK-E06",
            Self::Uv { .. } => "AITK-E07",
            Self::NoSpace { .. } => "AITK-E08",
            Self::BadLock { .. } | Self::UnfitLock { .. } => "AITK-E09",
            Self::NoPython => "AITK-E12",
            Self::BadChannel { .. } => "AITK-E13",
            Self::BadPackage { .. } => "AITK-E14",
            Self::BadBundle { .. } => "AITK-E15",
            Self::Interrupted => "AITK-X01",
            Self::Run(_) => "AITK-E10",
            Self::Io { .. } => "AITK-E11",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { .. } => {
                "check the network and HTTPS_PROXY; a mirror is set with --index-url or \
                 --channel, AITK_INDEX_URL or AITK_CHANNEL, or `index-url` or `channels` in config.toml; a corporate certificate with \
                 SSL_CERT_FILE"
            }
            Self::Gone { .. } => {
                "try again later: it is being changed just now; if it stays so, name another with --channel or \
                 --index-url"
            }
            Self::Offline { .. } => "run once without --offline",
            Self::Unsolvable { .. } => "leave out or change one of the two wishes that clash",
            Self::WrongHash { .. } | Self::TooLong { .. } => {
                "nothing of it was installed; try again, and if it stays so, the source or a proxy \
                 changes what it delivers"
            }
            Self::OnlySource { .. } => {
                "leave it out, or use an index that has a wheel of it for this Python"
            }
            Self::NoHash { .. } => "use an index that publishes hashes",
            Self::NoUv { .. } => {
                "install python3-pip, or set --index-url to an index that has it, or name a uv with --uv"
            }
            Self::NoSpace { path } => return Some(Fault::NoSpace.hint(path)),
            Self::BadLock { .. } => "make a new one with `aitk lock -o FILE`",
            Self::UnfitLock { remedy, .. } => {
                return Some(format!("{remedy}, or make a new one with `aitk lock -o FILE`"));
            }
            Self::NoPython => GET_PYTHON,
            Self::BadChannel { .. } => {
                "name another with --channel, AITK_CHANNEL or `channels` in config.toml, or choose \
                 --manager venv"
            }
            Self::BadPackage { .. } => {
                "the environment in use was not touched; leave that package out, or choose another \
                 channel"
            }
            Self::BadBundle { .. } => "make it again with `aitk bundle -o FILE`",
            Self::Interrupted => "run the same command again: it continues where it stopped",
            Self::Io { path, source } => return Some(Fault::of(source)?.hint(path)),
            Self::Run(error) => return error.hint(),
            Self::Uv { .. } => return None,
        };
        Some(hint.to_owned())
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } | Self::Gone { .. } | Self::Offline { .. } => {
                Exit::Unavailable
            }
            Self::BadLock { .. }
            | Self::UnfitLock { .. }
            | Self::BadChannel { .. }
            | Self::BadBundle { .. } => Exit::Config,
            Self::Io { source, .. } => Fault::of(source).map_or(Exit::Failed, Fault::exit),
            Self::Run(error) => error.exit(),
            _ => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_code_only_is_told_from_what_cannot_be_met() {
        let said = "error: No solution found when resolving dependencies\n  cause: Because evil==1 has no usable wheels and \
            only evil==1 is available, we can conclude that your requirements are unsatisfiable.\n\nhint: Wheels are required \
            for `evil` because building from source is disabled for all packages (i.e., with `--no-build`)\n";
        let error = EnvError::from_uv(said, "the index");
        assert!(matches!(&error, EnvError::OnlySource { package } if package == "evil"), "{error}");
        let said = "error: No solution found when resolving dependencies\n  cause: Because a==1 depends on b==2";
        assert!(matches!(EnvError::from_uv(said, "the index"), EnvError::Unsolvable { .. }));
    }
}
