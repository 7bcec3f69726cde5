//! The environments of a plan: what is asked for, and what that was resolved to.

use schemars::JsonSchema;
use serde::de::{Deserializer, IgnoredAny};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::lock::{Lock, LockTarget, name_of};
use crate::request::{EnvironmentRequest, LayerRequest, LayerRole};

/// An environment of a plan, the user's or conda's own. Steps refer to it by its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentPlan {
    /// Its name: `ai`, or [`crate::BASE`].
    pub name: String,
    /// What is asked for.
    pub request: EnvironmentRequest,
    /// What that was resolved to; `None` until then, and where nothing is to be built. In JSON it is told in short, for its
    /// packages stand with the steps that install them, and it is not read again: a lock comes from a file of its own.
    #[serde(serialize_with = "in_short", deserialize_with = "not_read")]
    #[schemars(with = "Option<LockInShort>")]
    pub lock: Option<Lock>,
}

/// What is told of a lock in the JSON of a plan.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Short")]
pub(crate) struct LockInShort {
    /// The name of the generation that it makes.
    generation: String,
    /// What it is for.
    #[serde(flatten)]
    target: LockTarget,
    /// The framework's build.
    build: Option<String>,
}

fn in_short<S: Serializer>(lock: &Option<Lock>, to: S) -> Result<S::Ok, S::Error> {
    let Some(lock) = lock else { return to.serialize_none() };
    let (target, build) = (lock.target.clone(), lock.build.clone());
    LockInShort { generation: lock.digest(), target, build }.serialize(to)
}

fn not_read<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Lock>, D::Error> {
    IgnoredAny::deserialize(from).map(|_| None)
}

impl EnvironmentPlan {
    /// The name of the generation that it is resolved to.
    pub fn generation(&self) -> Option<String> {
        self.lock.as_ref().map(Lock::digest)
    }
}

impl EnvironmentRequest {
    /// The packages that a layer asks for by name: of the framework's builds, those of the one that a lock has.
    pub fn names(&self, layer: &LayerRequest, has: impl Fn(&String) -> bool) -> Vec<String> {
        let names = |all: &[String]| -> Vec<String> {
            all.iter().map(|one| name_of(self.manager, one)).collect()
        };
        let builds = self.builds.iter().filter(|_| layer.role == LayerRole::Framework);
        let mut builds = builds.map(|build| names(&build.requirements));
        builds.find(|names| names.iter().all(&has)).unwrap_or_else(|| names(&layer.requirements))
    }

    /// Whether a package is asked for by its name, or was added by the user.
    pub fn asks_for(&self, package: &str) -> bool {
        let asked = self.layers.iter().flat_map(|layer| &layer.requirements).chain(&self.added);
        asked.map(|one| name_of(self.manager, one)).any(|name| name == package)
    }
}
