//! What can be wrong with a lock and its packages.

use aitk_system::{Explain, Message};

/// Why a lock, or a package of one, cannot be worked with.
#[derive(Debug, Explain)]
#[allow(missing_docs, reason = "a field is what stands in the hole of its name in `say`")]
pub enum LockError {
    /// A lock file cannot be used.
    #[explain(
        code = "AITK-E09",
        exit = Config,
        say("{path}: {reason}"),
        hint("make a new one with `aitk lock -o FILE`")
    )]
    BadLock {
        /// The file, or where else the lock comes from.
        path: Message,
        /// What is wrong with it.
        reason: Message,
    },
    /// A source names no sha256 for a file.
    #[explain(
        code = "AITK-E05",
        say("the source names no sha256 for {file}, so it cannot be checked"),
        hint("use an index that publishes hashes")
    )]
    NoHash { file: String },
    /// A package is offered as source code only. None is built here: that would run what a stranger wrote.
    #[explain(
        code = "AITK-E16",
        say(
            "{package} is offered as source code only, and aitk installs none: building it would run its code"
        ),
        hint("leave it out, or use an index that has a wheel of it for this Python")
    )]
    OnlySource { package: String },
    /// A package has the right hash and cannot be unpacked or linked (it would write outside, its links lead out, it
    /// unpacks to far too much), its record cannot be worked with, or its own script failed.
    #[explain(
        code = "AITK-E14",
        say("{package} could not be installed: {reason}"),
        hint(
            "the environment in use was not touched; leave that package out, or choose another channel"
        )
    )]
    BadPackage { package: String, reason: Message },
}
