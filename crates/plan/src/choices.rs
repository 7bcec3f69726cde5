//! What the user chose, beyond the budget.

use aitk_system::{Message, message};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names;

/// The user's choices; everything has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    /// A profile of the user's own, by its path, instead of a budget.
    #[serde(deserialize_with = "names::line::maybe")]
    pub profile: Option<String>,
    /// Deep learning framework.
    pub framework: FrameworkChoice,
    /// What computes.
    #[serde(skip_serializing_if = "AcceleratorChoice::is_auto")]
    pub accelerator: AcceleratorChoice,
    /// Install NVIDIA's driver where one is needed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub drivers: bool,
    /// What is wanted besides, by name.
    #[serde(deserialize_with = "names::step_id::all", skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// The build that the environment has already: it stays where a newer one brings nothing but a newer CUDA. No wish of
    /// the user's, so it is not kept.
    #[serde(skip)]
    pub build: Option<String>,
    /// Environment manager.
    pub manager: ManagerChoice,
    /// Python version, `3.12`; the manager's own choice where `None`.
    #[serde(deserialize_with = "names::python_version::maybe")]
    pub python: Option<String>,
    /// Name of the environment.
    #[serde(deserialize_with = "names::environment_name::one")]
    pub env: String,
    /// Leave out what needs root.
    pub user_only: bool,
    /// Leave out the upgrade of installed packages.
    pub no_upgrade: bool,
    /// Conda channels, the preferred one first; conda-forge where it is empty.
    #[serde(deserialize_with = "names::channel::all")]
    pub channels: Vec<String>,
    /// A conda of the user's own, which is used instead of one of aitk's.
    #[serde(deserialize_with = "names::line::maybe")]
    pub base: Option<String>,
    /// New shells know `conda activate`.
    pub init_shell: bool,
    /// Index of Python packages instead of the default of pip and uv.
    #[serde(deserialize_with = "names::source::maybe")]
    pub index_url: Option<String>,
    /// Index that has the framework's builds, instead of PyTorch's own.
    #[serde(deserialize_with = "names::torch_index::maybe")]
    pub torch_index: Option<String>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            profile: None,
            framework: FrameworkChoice::default(),
            accelerator: AcceleratorChoice::default(),
            drivers: false,
            with: Vec::new(),
            build: None,
            manager: ManagerChoice::default(),
            python: None,
            env: "ai".to_owned(),
            user_only: false,
            no_upgrade: false,
            channels: Vec::new(),
            base: None,
            init_shell: false,
            index_url: None,
            torch_index: None,
        }
    }
}

/// Which framework to install.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameworkChoice {
    /// PyTorch.
    #[default]
    Pytorch,
    /// TensorFlow.
    Tensorflow,
    /// JAX.
    Jax,
    /// None.
    None,
}

impl fmt::Display for FrameworkChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pytorch => "pytorch",
            Self::Tensorflow => "tensorflow",
            Self::Jax => "jax",
            Self::None => "none",
        })
    }
}

/// What computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcceleratorChoice {
    /// What fits the machine.
    #[default]
    Auto,
    /// The processor, whatever else is there.
    Cpu,
    /// A GPU of NVIDIA's, with a driver or still without.
    Cuda,
    /// A GPU of AMD's.
    Rocm,
    /// A GPU of Intel's.
    Xpu,
}

impl AcceleratorChoice {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

impl fmt::Display for AcceleratorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Xpu => "xpu",
        })
    }
}

/// Which environment manager to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagerChoice {
    /// Conda where a channel answers, else a virtual environment.
    #[default]
    Auto,
    /// Conda packages.
    Conda,
    /// A virtual environment, filled by uv.
    Venv,
}

impl ManagerChoice {
    /// The manager that was chosen by its name.
    pub fn named(self) -> Option<Manager> {
        match self {
            Self::Auto => None,
            Self::Conda => Some(Manager::Conda),
            Self::Venv => Some(Manager::Venv),
        }
    }
}

/// The environment manager that a plan uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
