//! Why a plan cannot be exported.

use aitk_plan::Manager;
use aitk_plan::names::Unfit;
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
    /// A name, version or address that no list of packages can hold.
    #[error("the plan cannot be exported: {0}")]
    Unfit(#[from] Unfit),
    /// A lock in which the layers cannot be told apart.
    #[error("the plan cannot be exported: the lock does not say which layer a package is of")]
    Layers,
    /// Nobody could get into the server.
    #[error("a server lets its user in by an SSH key, and none is given")]
    NoKey,
    /// A private key was given where a public one belongs.
    #[error("this is a private SSH key, which belongs on no other machine")]
    PrivateKey,
    /// What was given is no public key.
    #[error("this is not one public SSH key on one line, of a kind that servers take")]
    NotAKey,
    /// Clouds do not take so much.
    #[error("the user-data are {size} bytes, and most clouds take {limit} at most")]
    TooLarge {
        /// Bytes.
        size: usize,
        /// Bytes.
        limit: usize,
    },
    /// Nobody makes an image of that system for the target.
    #[error("there is no image of {system} for `{target}`")]
    NoGuest {
        /// The target.
        target: &'static str,
        /// The system of the plan.
        system: String,
        /// The systems that there are images of.
        known: Vec<String>,
    },
    /// The plan computes on a GPU, and the target has none.
    #[error("the plan computes on a GPU, which the virtual machines of `{target}` do not have")]
    NoGpu {
        /// The target.
        target: &'static str,
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
            Self::NoKey => "AITK-O11",
            Self::PrivateKey => "AITK-O12",
            Self::NotAKey => "AITK-O13",
            Self::TooLarge { .. } => "AITK-O14",
            Self::NoGuest { .. } => "AITK-O15",
            Self::NoGpu { .. } => "AITK-O16",
            Self::Unfit(_) | Self::Layers => "AITK-O17",
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
            Self::NoKey => {
                "add --ssh-key ~/.ssh/id_ed25519.pub; `ssh-keygen -t ed25519` makes one".to_owned()
            }
            Self::PrivateKey | Self::NotAKey => {
                "name the file that ends with `.pub` beside it".to_owned()
            }
            Self::TooLarge { .. } => {
                "leave out some of --with, or copy what `aitk export script` writes to the server"
                    .to_owned()
            }
            Self::NoGuest { known, .. } => format!(
                "name a machine of another system with --machine; there are images of {}",
                known.join(", ")
            ),
            Self::NoGpu { .. } => "add --accelerator cpu".to_owned(),
            Self::Unfit(_) | Self::Layers => {
                "look where the machine, the profile or the lock comes from, and make it anew"
                    .to_owned()
            }
            Self::NoImage { .. } => {
                "`--accelerator cpu` asks for no GPU; a row of your own in catalog.toml, \
                 [[images.image]] or [[images.accelerator]], names what the catalog lacks"
                    .to_owned()
            }
        })
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Unfit(_) | Self::Layers => Exit::Config,
            _ => Exit::Usage,
        }
    }
}
