//! Why a profile cannot be used.

use std::path::PathBuf;

use aitk_system::{Explain, Message, message};

/// Why a profile cannot be used.
#[derive(Debug, Explain)]
#[allow(missing_docs, reason = "a field is what stands in the hole of its name in `say`")]
pub enum ProfileError {
    /// There is no budget of this name; the nearest one is said.
    #[explain(
        code = "AITK-P01",
        exit = Usage,
        say("there is no budget `{name}`"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `{nearest}`? `aitk profiles` lists them all"),
            None => message!("choose one of: {known}", known = super::BUILTIN.as_slice()),
        }))
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
    },
    /// The budget has nothing of this name to add (`--with`); the nearest one is said.
    #[explain(
        code = "AITK-P04",
        exit = Usage,
        say("the budget has no `{name}` to add"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `--with {nearest}`?"),
            None if known.is_empty() => message!("leave out --with"),
            None => message!("choose among: {known}"),
        }))
    )]
    NoOption {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// There is no framework of this name in the catalog; the nearest one is said.
    #[explain(
        code = "AITK-P08",
        exit = Usage,
        say("there is no framework `{name}`"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `--framework {nearest}`?"),
            None => message!("choose among: {known}"),
        }))
    )]
    NoFramework {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// There is no such platform for hosted notebooks; the nearest one is said. `aitk apply --budget free` lists them.
    #[explain(
        code = "AITK-P06",
        exit = Usage,
        say("there is no platform `{name}` for hosted notebooks"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `--platform {nearest}`?"),
            None => message!("choose among: {known}"),
        }))
    )]
    NoPlatform {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// A profile, `config.toml` or `catalog.toml` cannot be read: it is not there or may not be read, is a folder, too
    /// large, no text, or a link to a place where there is nothing.
    #[explain(
        code = "AITK-P03",
        exit = Config,
        say("{path}: {source}"),
        hint_if(Some(match source.kind() {
            std::io::ErrorKind::NotFound => message!("name a profile that is there"),
            _ => message!("it must be a file of text (UTF-8) that you may read; mend it, or take it away"),
        }))
    )]
    Unreadable {
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A profile or configuration is wrong at the file, line and column named.
    #[explain(
        code = "AITK-P02",
        exit = Config,
        say("{file}:{line}:{column}: {message}"),
        hint("correct the file at that place, then try again")
    )]
    Invalid { file: String, line: usize, column: usize, message: Message },
    /// A profile of your own has steps that change more of the system than packages (files, groups, sources, swap,
    /// drivers), and that no profile of aitk's has word for word.
    #[explain(
        code = "AITK-P07",
        exit = Config,
        say("{file}: {steps} would change more of the system than packages of its archive"),
        hint("leave these out, for files, groups, sources, swap and drivers are those of aitk's own profiles; or read them, \
              then add --allow-system-changes")
    )]
    SystemChanges { file: String, steps: Vec<String> },
}
