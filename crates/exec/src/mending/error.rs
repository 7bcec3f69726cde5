//! Why somebody else's environment is not mended.

use std::path::{Path, PathBuf};

use aitk_system::{Explain, Message, message, quote};

/// Why somebody else's environment is not mended.
#[derive(Debug, Explain)]
pub enum MendError {
    /// An environment is not for aitk to mend: conda or another tool looks after it, it is another user's or root's, or its Python
    /// is gone. Nothing was changed.
    #[explain(
        code = "AITK-D01",
        exit = NotPermitted,
        say("{path} is not mended here: {reason}"),
        hint("{remedy}")
    )]
    NotHere {
        /// The environment.
        path: PathBuf,
        /// Why.
        reason: Message,
        /// What to do instead.
        remedy: Message,
    },
    /// An environment was mended before, or that was broken off, and what stood there then still lies beside it.
    #[explain(
        code = "AITK-D02",
        exit = Config,
        say("{aside} is what stood there before an earlier mending"),
        hint_if(Some(message!(
            "go back to it: {}; or, where all is well now, throw it away: {}",
            back(path, aside),
            away(aside)
        )))
    )]
    Before {
        /// The environment.
        path: PathBuf,
        /// What stood there.
        aside: PathBuf,
    },
    /// Mending failed, and the environment is again what it was before.
    #[explain(
        code = "AITK-D03",
        say("it could not be mended, and is as it was before: {reason}"),
        hint("what the doctor says of each finding is the way by hand")
    )]
    Failed {
        /// Why.
        reason: Message,
    },
    /// Mending failed, and what stood there before is not back yet.
    #[explain(
        code = "AITK-D04",
        say("it could not be mended: {reason}; and what stood there before is not back yet: {failure}"),
        hint_if(Some(message!("bring it back: {}", back(path, aside))))
    )]
    NotBack {
        /// The environment.
        path: PathBuf,
        /// What stood there.
        aside: PathBuf,
        /// Why it could not be mended.
        reason: Message,
        /// Why it could not be brought back.
        failure: Message,
    },
}

/// The command that brings back what stood there before, where that is there; what stands there by then is kept beside it.
pub fn back(path: &Path, aside: &Path) -> String {
    let word = |path: &Path| quote(&path.to_string_lossy());
    let after = PathBuf::from(format!("{}.aitk-after", path.display()));
    let (path, aside, after) = (word(path), word(aside), word(&after));
    format!("test -d {aside} && mv --backup=numbered -T {path} {after} && mv -T {aside} {path}")
}

/// The command that throws it away.
pub fn away(aside: &Path) -> String {
    format!("rm -rf {}", quote(&aside.to_string_lossy()))
}
