//! What a profile says of the kinds of step whose payload is decided on the machine.

use aitk_macros::Kind;
use serde::Deserializer;
use serde::de::Deserialize;

use super::payloads;
use crate::checks;
use crate::manager::Manager;
use crate::names;

payloads! {
    /// No installed package has an upgrade waiting.
    #[kind(name = "apt-upgrade", root, apt)]
    struct PendingUpgrades {}

    /// apt knows a vendor's repository, and takes from it only what is meant to come from it.
    #[kind(name = "apt-source", root, apt, changes_system)]
    struct VendorSource {
        /// Its name in the catalog.
        #[serde(deserialize_with = "names::step_id::one")]
        pub source: String,
    }

    /// apt knows the repository that NVIDIA's driver comes from.
    #[kind(root, apt, changes_system)]
    struct DriverSource {}

    /// NVIDIA's driver is installed, where the user wishes so.
    #[kind(name = "driver", root, apt, changes_system)]
    struct GpuDriver {}

    /// Unattended upgrades leave NVIDIA's driver alone: a file of apt's settings says so.
    #[kind(root, changes_system)]
    struct DriverHold {
        /// The file's whole path.
        #[serde(deserialize_with = "names::system_path::one")]
        pub path: String,
        /// What stands in it, to the byte.
        #[serde(deserialize_with = "names::text::one")]
        pub content: String,
    }

    /// Memory is little, so there is a swap file.
    #[kind(name = "swap-file", root, changes_system)]
    struct Swap {}

    /// The user belongs to the groups that may use the GPU.
    #[kind(name = "groups", root, changes_system)]
    struct GpuGroups {}

    /// This session belongs to them, too.
    #[kind(name = "login", changes_system, pauses)]
    struct GpuLogin {}

    /// The machine was started again since the driver was installed.
    #[kind(name = "restart", changes_system, pauses)]
    struct AfterDriver {}

    /// The uv that the catalog pins is there.
    #[kind(name = "uv")]
    struct PinnedUv {}

    /// A conda and a mamba are there and know the environment by its name.
    #[kind(name = "base", part = Manager)]
    struct CondaItself {
        /// What is in conda's own environment beside Python, as match specifications.
        #[serde(deserialize_with = "names::match_spec::all")]
        pub requirements: Vec<String>,
    }

    /// New shells know `conda activate`, where the user wishes so.
    #[kind(name = "shell-init")]
    struct NewShells {}

    /// The environment exists, with everything that the steps after it ask for.
    #[kind(name = "environment", part = Whole)]
    struct NewEnvironment {}

    /// Libraries are in the environment.
    #[kind(name = "layer", part = Layer)]
    struct Libraries {
        /// Their names and versions as in PEP 508.
        #[serde(deserialize_with = "names::requirement::all")]
        pub requirements: Vec<String>,
        /// The same as conda's match specifications, where they differ.
        #[serde(default, deserialize_with = "match_specs", skip_serializing_if = "Option::is_none")]
        pub conda: Option<Vec<String>>,
    }

    /// The chosen framework is in the environment.
    #[kind(name = "framework", part = Layer)]
    struct FrameworkLayer {}

    /// What a project needs on this machine is in the environment.
    #[kind(name = "project-libraries", part = Layer)]
    struct ProjectLibraries {}

    /// The files of the project for the chosen platform are in their folder.
    #[kind(name = "project")]
    struct ProjectFolder {}

    /// What is written of a project is sent to its platform, where the user asks for it by `--push`.
    #[kind(name = "push")]
    struct ProjectPush {}

    /// What the packages of a platform's services would start by themselves is kept from it.
    #[kind(name = "masked-units", root, changes_system)]
    struct ServiceMasks {}

    /// The packages of the system that a platform's services take are installed.
    #[kind(root, apt)]
    struct ServicePackages {}

    /// A service of the platform runs.
    #[kind(name = "service", root, changes_system)]
    struct EachService {
        /// Its name; where it is left out the step stands for each of them.
        #[serde(default, deserialize_with = "names::step_id::maybe")]
        pub name: Option<String>,
    }

    /// What is written of a project is judged, where the user asks for it.
    #[kind(name = "judges")]
    struct ProjectJudges {}

    /// Jupyter knows the environment.
    #[kind(name = "kernelspec", part = Link)]
    struct NotebookKernel {}

    /// A proof succeeds.
    #[kind(name = "check", part = Proof)]
    struct Proof {
        /// The script, one of those that come with aitk.
        #[serde(deserialize_with = "known_check")]
        pub script: String,
    }

    /// The proof of the chosen framework succeeds.
    #[kind(name = "framework-check", part = Proof)]
    struct FrameworkProof {}
}

impl Libraries {
    /// As a manager names them.
    pub fn of(&self, manager: Manager) -> &[String] {
        match (manager, &self.conda) {
            (Manager::Conda, Some(conda)) => conda,
            _ => &self.requirements,
        }
    }
}

fn match_specs<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    names::match_spec::all(from).map(Some)
}

fn known_check<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    checks::known(&name).map_err(names::refuse).map(|()| name)
}
