//! What can go wrong with environments.

use std::io;
use std::path::PathBuf;

use aitk_plan::{Cutoff, LockError};
use aitk_system::{Explain, Failure, Fault, Message, RunError, message};

use crate::reasons::{silence, told};

/// What to do where there is no Python to build an environment on.
pub fn get_python() -> Message {
    message!(
        "install python3 (on Debian and Ubuntu: sudo apt-get install python3 python3-pip python3-venv; where apt says \
         that it is there, its program was taken away: sudo apt-get install --reinstall python3-minimal \
         'python3.*-minimal'), or choose --manager conda, which brings its own"
    )
}

/// What to do where a source does not answer, by what came instead.
fn way_to(reason: &Message) -> Message {
    let reason = reason.to_string().to_lowercase();
    let is = |sign: &str| reason.contains(sign);
    if is("401 unauthorized") || is("403 forbidden") {
        message!(
            "it wants a user and a password: they stand in its address, in `.netrc` or the file that NETRC names, or in \
             what RATTLER_AUTH_FILE names"
        )
    } else if !is("certificate") {
        message!(
            "check the network and HTTPS_PROXY; a mirror is set with --index-url, --torch-index (PyTorch's own \
             index) or --channel, AITK_INDEX_URL, AITK_TORCH_INDEX or AITK_CHANNEL, or `index-url`, `torch-index` or \
             `channels` in config.toml; a corporate certificate with SSL_CERT_FILE"
        )
    } else if is("alert") {
        message!(
            "it asks who you are, or does not accept what it was shown: name a file with your certificate and its key \
             with SSL_CLIENT_CERT, or `client-cert` in pip.conf"
        )
    } else {
        message!(
            "name the certificate that signs it with SSL_CERT_FILE, or `cert` in pip.conf; certificates are always \
             looked at: `trusted-host`, `allow-insecure-host` and `ssl_verify: false` are not followed"
        )
    }
}

/// Why an environment could not be resolved or built.
#[derive(Debug, Explain)]
#[allow(missing_docs, reason = "a field is what stands in the hole of its name in `say`")]
pub enum EnvError {
    /// A lock, or a package of one, cannot be worked with.
    #[explain(transparent)]
    Lock(#[from] LockError),
    /// A source of Python packages does not answer.
    #[explain(
        code = "AITK-E01",
        exit = Unavailable,
        say("{source_name} does not answer: {reason}"),
        hint_if(Some(way_to(reason)))
    )]
    Unreachable {
        /// Which source, in words.
        source_name: Message,
        /// What was tried and what came back.
        reason: Message,
    },
    /// What the user has named to show to sources that ask who he is.
    #[explain(
        code = "AITK-E20",
        exit = Config,
        say("the client's certificate {path}, which {setting} names, cannot be used: {reason}"),
        hint("name a file that holds the certificate and its key, or take the setting away")
    )]
    ClientCertificate {
        path: PathBuf,
        /// Where the file is named: a variable, or a file and its key.
        setting: String,
        /// Why it cannot be used; nothing of what stands in it.
        reason: Message,
    },
    /// A source has a file no more that it has told of; `apply` asks it anew and tries once more.
    #[explain(
        code = "AITK-E17",
        exit = Unavailable,
        say("{source_name} answers {status} for {file}"),
        hint("try again later: it is being changed just now; if it stays so, name another with --channel or \
              --index-url")
    )]
    Gone {
        /// Which source, in words.
        source_name: Message,
        /// The status of HTTP that it answers with.
        status: String,
        file: String,
    },
    /// Something is not in the cache, and `--offline` asks no source.
    #[explain(
        code = "AITK-E02",
        exit = Unavailable,
        say("{what} is not in the cache, and --offline asks no source"),
        hint("run once without --offline")
    )]
    Offline {
        /// What is not in the cache, in words.
        what: Message,
    },
    /// No set of packages meets all wishes.
    #[explain(
        code = "AITK-E03",
        say("no set of packages meets all wishes:\n{reason}"),
        hint(
            "look whether names and versions are right; of wishes that clash, leave out or change one"
        )
    )]
    Unsolvable {
        /// Why there is none; where a solver explains it, what that comes to is said first.
        reason: Message,
    },
    /// A download does not have the sha256 that the lock names; nothing of it was installed.
    #[explain(
        code = "AITK-E04",
        say("{file} is not what the lock names: its sha256 is {found} and not {expected}"),
        hint(
            "nothing of it was installed; try again, and if it stays so, the source or a proxy changes what it delivers"
        )
    )]
    WrongHash {
        file: String,
        /// The hash in the lock.
        expected: String,
        /// The hash of what came.
        found: String,
    },
    /// A download is longer than it can be; nothing of it was installed.
    #[explain(
        code = "AITK-E04",
        say("{file} is not what the lock names: it is longer than {most} bytes"),
        hint(
            "nothing of it was installed; try again, and if it stays so, the source or a proxy changes what it delivers"
        )
    )]
    TooLong {
        file: String,
        /// The size in the lock, or that which no package has.
        most: u64,
    },
    /// uv could not be had.
    #[explain(code = "AITK-E06", say("uv {version} could not be had: {reason}"), hint("{remedy}"))]
    NoUv {
        /// The version of uv that the tables pin.
        version: String,
        /// Why each way to it led nowhere.
        reason: Message,
        /// What makes one of these ways work.
        remedy: Message,
    },
    /// The interpreter that a virtual environment is built on is not there yet: install python3, or choose `--manager
    /// conda`, which brings its own.
    #[explain(
        code = "AITK-E12",
        say("there is no Python yet to build the environment on"),
        hint_if(Some(get_python()))
    )]
    NoPython,
    /// Another Python came than the one that the packages were resolved for.
    #[explain(
        code = "AITK-E12",
        say("Python {found} is here, and the plan is for Python {planned}"),
        hint("run the same command again: it plans for the Python that is here")
    )]
    OtherPython {
        /// The version of Python that is there now.
        found: String,
        /// The version that the plan was made for.
        planned: String,
    },
    /// A conda channel answers, and what it says cannot be used.
    #[explain(
        code = "AITK-E13",
        exit = Config,
        say("the channel {channel} cannot be used: {reason}"),
        hint("name another with --channel, AITK_CHANNEL or `channels` in config.toml, or choose --manager venv")
    )]
    BadChannel {
        /// The channel, without credentials.
        channel: String,
        /// What is wrong with it.
        reason: Message,
    },
    /// A bundle is damaged, or is none.
    #[explain(
        code = "AITK-E15",
        exit = Config,
        say("{path} is no bundle that can be used: {reason}"),
        hint("make it again with `aitk bundle -o FILE`")
    )]
    BadBundle {
        path: PathBuf,
        /// What is wrong with it.
        reason: Message,
    },
    /// uv failed for another reason, which it says.
    #[explain(code = "AITK-E07", say("uv failed:\n{output}"))]
    Uv {
        /// What it printed last.
        output: Message,
    },
    /// A lock is for another machine, another Python or other wishes.
    #[explain(
        code = "AITK-E09",
        exit = Config,
        say("the lock does not fit: {reason}"),
        hint("{remedy}, or make a new one with `aitk lock -o FILE`")
    )]
    UnfitLock {
        /// What does not fit.
        reason: Message,
        /// What to choose so that it fits.
        remedy: Message,
    },
    /// A newer version of aitk has built an environment. This one reads what it knows of it, and changes nothing there.
    #[explain(
        code = "AITK-E18",
        exit = Config,
        say("{path} was built by a newer version of aitk"),
        hint("use that version of aitk; this one changes nothing here")
    )]
    Newer { path: PathBuf },
    /// What is known of vulnerabilities could not be had, so nothing is known of what is installed. `uv audit` asks OSV for
    /// it, or a service of the same form that `--advisories` names.
    #[explain(
        code = "AITK-E19",
        exit = Unavailable,
        say("advisories could not be had, so nothing was audited: {reason}"),
        hint("check the network and HTTPS_PROXY, or name a service in OSV's form with --advisories")
    )]
    NoAdvisories { reason: Message },
    /// What can fail anywhere.
    #[explain(transparent)]
    System(#[from] Failure),
}

impl EnvError {
    /// A package that cannot be worked with.
    pub(crate) fn bad_package(package: impl Into<String>, reason: Message) -> Self {
        Self::Lock(LockError::BadPackage { package: package.into(), reason })
    }

    /// A lock that does not fit, with what to choose so that it does.
    pub fn unfit(reason: impl Into<Message>, remedy: impl Into<Message>) -> Self {
        Self::UnfitLock { reason: reason.into(), remedy: remedy.into() }
    }

    /// The same with what a time that is set has to do with it.
    pub(crate) fn since(self, cutoff: Option<Cutoff>) -> Self {
        match (self, cutoff) {
            (Self::Unsolvable { reason }, Some(cutoff)) => {
                Self::Unsolvable { reason: Message::lines([reason, cutoff.to_message()]) }
            }
            (error, _) => error,
        }
    }

    /// Whether a source has something else now than what it has told before: it is to be asked anew.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::WrongHash { .. } | Self::TooLong { .. } | Self::Gone { .. })
    }

    /// An error of the operating system about a path.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let failure = Failure::io(path);
        move |source| failure(source).into()
    }

    /// The same about what has no path of its own.
    pub fn io_of(what: Message) -> impl FnOnce(io::Error) -> Self {
        let failure = Failure::io_of(what);
        move |source| failure(source).into()
    }

    /// Tells the failures of uv apart by what it printed.
    pub(crate) fn from_uv(output: &str, source_name: &Message) -> Self {
        const SILENT: [&str; 5] = [
            "error sending request",
            "Failed to fetch",
            "dns error",
            "operation timed out",
            "Request failed after",
        ];
        let output = output.trim();
        let somewhere = || message!("uv's cache or the environment");
        if let Some((path, source)) = Fault::printed(output) {
            match path.is_empty() {
                true => Self::io_of(somewhere())(source),
                false => Self::io(path)(source),
            }
        } else if output.contains("No space left on device") {
            Failure::NoSpace { path: somewhere() }.into()
        } else if SILENT.iter().any(|sign| output.contains(sign)) {
            let reason = output.lines().last().unwrap_or_default().trim();
            let said = reason.strip_prefix("cause: ").unwrap_or(reason);
            Self::Unreachable { source_name: source_name.clone(), reason: silence(said) }
        } else if output.contains("network was disabled") {
            Self::Offline { what: message!("what is asked for") }
        } else if let Some(package) = only_source(output) {
            Self::Lock(LockError::OnlySource { package })
        } else if output.contains("No solution found") {
            Self::Unsolvable { reason: told("uv", output) }
        } else {
            Self::Uv { output: Message::plain(output) }
        }
    }
}

/// The package of which uv says that it would have to be built.
fn only_source(output: &str) -> Option<String> {
    let (_, rest) = output.split_once("Wheels are required for `")?;
    let (name, rest) = rest.split_once('`')?;
    rest.contains("building from source is disabled").then(|| name.to_owned())
}

impl From<RunError> for EnvError {
    fn from(error: RunError) -> Self {
        Failure::from(error).into()
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
        let error = EnvError::from_uv(said, &message!("the index"));
        assert!(
            matches!(&error, EnvError::Lock(LockError::OnlySource { package }) if package == "evil"),
            "{error}"
        );
        let said = "error: No solution found when resolving dependencies\n  cause: Because a==1 depends on b==2";
        assert!(matches!(
            EnvError::from_uv(said, &message!("the index")),
            EnvError::Unsolvable { .. }
        ));
    }
}
