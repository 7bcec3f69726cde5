//! The two environment managers, as far as a plan must know them.

use aitk_system::{Message, message};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of conda's own environment, which no other one has.
pub const BASE: &str = "base";

/// The environment manager that a plan uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// Conda packages, solved and linked by `aitk` itself.
    Conda,
    /// A virtual environment, filled by uv.
    #[default]
    Venv,
}

/// What a plan must know of a manager; all else of it is known where its packages are resolved and installed.
impl Manager {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Conda, Self::Venv];

    /// The one that is not this one.
    pub fn other(self) -> Self {
        match self {
            Self::Conda => Self::Venv,
            Self::Venv => Self::Conda,
        }
    }

    /// Whether its environments bring a Python along, and are not built on one of the machine's.
    pub fn brings_python(self) -> bool {
        match self {
            Self::Conda => true,
            Self::Venv => false,
        }
    }

    /// Whether its solver takes the framework's build, by what it is told of the machine; else the plan names it.
    pub fn solves_for_build(self) -> bool {
        match self {
            Self::Conda => true,
            Self::Venv => false,
        }
    }

    /// Where its packages come from, unless a build names another place.
    pub fn source(self) -> &'static str {
        match self {
            Self::Conda => "conda channel",
            Self::Venv => "index",
        }
    }

    /// What a framework has for it.
    pub fn builds(self) -> Message {
        match self {
            Self::Conda => message!("conda packages"),
            Self::Venv => message!("builds"),
        }
    }

    /// The name under which other tools look for a lock of its packages.
    pub fn lock_file(self) -> &'static str {
        match self {
            Self::Conda => "pixi.lock",
            Self::Venv => "pylock.toml",
        }
    }

    /// What the folder of its environments cannot have in its name, for packages write that into programs.
    pub fn refuses(self) -> &'static [char] {
        match self {
            Self::Conda => &['\'', '"', '\\'],
            Self::Venv => &[],
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conda => "conda",
            Self::Venv => "venv",
        })
    }
}
