//! What is asked of an environment manager.

use aitk_system::Message;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cutoff::Cutoff;
use crate::manager::Manager;
use crate::names;

/// What an environment shall hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentRequest {
    /// The manager that resolves it.
    pub manager: Manager,
    /// Version of Python, `3.12`; what the interpreter is where `None`.
    pub python: Option<String>,
    /// The interpreter that it is built on; `None` where the environment brings its own.
    pub interpreter: Option<String>,
    /// Everything that is asked for, layer by layer, in order: all of it is resolved together.
    pub layers: Vec<LayerRequest>,
    /// Builds of the framework to try, the preferred one first; empty without a framework.
    pub builds: Vec<BuildRequest>,
    /// What the user has added by hand to the environment in use and will find in the new one, as the manager writes
    /// requirements.
    pub added: Vec<String>,
    /// What comes is like this where it comes: what stands in an environment that is mended.
    #[serde(skip)]
    pub held: Vec<String>,
    /// Up to when what is published counts, as it was chosen; all of it where `None`.
    #[serde(
        default,
        deserialize_with = "names::cutoff::maybe",
        skip_serializing_if = "Option::is_none"
    )]
    pub exclude_newer: Option<String>,
    /// What a GPU of NVIDIA's offers; `None` where none shall compute.
    pub cuda: Option<Cuda>,
    /// Digest of all that was asked for: an environment that was built for it serves every plan that asks the same. It
    /// follows from what is told already, so it is not told.
    #[serde(skip)]
    pub digest: String,
}

/// What one layer asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerRequest {
    /// The step that installs it.
    pub step: String,
    /// What it is in its environment.
    #[serde(default)]
    pub role: LayerRole,
    /// Requirements as the manager writes them: PEP 508, or conda's match specifications. The framework's are those of
    /// the preferred build.
    pub requirements: Vec<String>,
}

/// What a layer is in its environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LayerRole {
    /// Packages like any others.
    #[default]
    Libraries,
    /// The framework, of which there are several builds.
    Framework,
}

/// One build of the framework that may be taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BuildRequest {
    /// The build, as its row in the table calls it: `cpu`, `cu132`.
    pub name: String,
    /// Requirements as the manager writes them.
    pub requirements: Vec<String>,
    /// What conda's solver is held to; the first is of the package that carries the build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// The name under which uv knows the framework's own index.
    pub torch_backend: Option<String>,
    /// Address of an index of the vendor's own, which comes before the general one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// What a person should know when it is taken.
    pub note: Option<Message>,
}

/// What a solver may assume of NVIDIA's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cuda {
    /// The newest version that counts.
    pub version: String,
    /// The least compute capability of the devices, where it is known.
    pub capability: Option<String>,
}

impl EnvironmentRequest {
    /// The layers as they are resolved with one build of the framework.
    pub fn layers_with(&self, build: Option<&BuildRequest>) -> Vec<LayerRequest> {
        let with_build = |layer: &LayerRequest| match (build, layer.role) {
            (Some(build), LayerRole::Framework) => {
                LayerRequest { requirements: build.requirements.clone(), ..layer.clone() }
            }
            _ => layer.clone(),
        };
        self.layers.iter().map(with_build).collect()
    }

    /// Up to when what is published counts.
    pub fn cutoff(&self) -> Option<Cutoff> {
        self.exclude_newer.as_deref().and_then(Cutoff::read)
    }

    /// The layer of a step.
    pub fn layer(&self, step: &str) -> Option<&LayerRequest> {
        self.layers.iter().find(|layer| layer.step == step)
    }

    /// The layer of the framework, for which there are several builds; `None` without one.
    pub fn framework(&self) -> Option<&LayerRequest> {
        self.layers.iter().find(|layer| layer.role == LayerRole::Framework)
    }
}

impl BuildRequest {
    /// Where it comes from, in one word for a script.
    pub fn source(&self, manager: Manager) -> String {
        match (&self.torch_backend, &self.index) {
            (Some(name), _) => format!("torch-backend {name}"),
            (None, Some(index)) => index.clone(),
            (None, None) => manager.source().to_owned(),
        }
    }
}
