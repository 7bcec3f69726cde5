//! Why a plan cannot be exported.

use aitk_plan::Manager;
use aitk_system::{Exit, Explain};

/// Why a plan cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no target of this name.
    #[error("there is no target `{name}` to export to")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
    },
    /// The target cannot carry what this manager installs.
    #[error("`{target}` cannot carry packages of {manager}")]
    OtherManager {
        /// The target.
        target: &'static str,
        /// The manager that was asked for.
        manager: Manager,
        /// The one that it can carry.
        can: Manager,
    },
    /// It is not known what a container image for this is built on.
    #[error("there is no container image for {what} in the catalog")]
    NoImage {
        /// A system, or a kind of accelerator.
        what: String,
    },
}

impl Explain for ExportError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "AITK-O01",
            Self::OtherManager { .. } => "AITK-O02",
            Self::NoImage { .. } => "AITK-O03",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`? `aitk export --list` lists them all")
            }
            Self::Unknown { nearest: None, .. } => "`aitk export --list` lists them all".to_owned(),
            Self::OtherManager { can, .. } => {
                format!("leave out --manager, or say --manager {can}")
            }
            Self::NoImage { .. } => {
                "`--accelerator cpu` asks for no GPU; a row of your own in catalog.toml, \
                 [[images.image]] or [[images.accelerator]], names what the catalog lacks"
                    .to_owned()
            }
        })
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }
}
