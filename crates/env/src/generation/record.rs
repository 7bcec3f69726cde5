//! What a whole generation says of itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aitk_plan::lock::key_of;
use aitk_plan::{Lock, LockedLayer, Manager, names};
use aitk_system::message;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Written last: a folder without it is half-built.
pub const RECORD: &str = "aitk-generation.json";
/// The form in which it is written. Older ones are read; newer ones are read and not written over.
pub(super) const SCHEMA: u32 = 2;

/// What a whole generation says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationRecord {
    /// Version of this form.
    pub schema: u32,
    /// The manager that built it; only that one mends it.
    pub manager: Manager,
    /// Digest of what was asked for; a generation serves every plan that asks the same.
    #[serde(deserialize_with = "names::line::one")]
    pub request: String,
    /// What the user had added by hand to an earlier generation and was carried over, as requirements.
    #[serde(deserialize_with = "requirements")]
    pub added: Vec<String>,
    /// Version of its Python, without its last number: `3.12`.
    #[serde(deserialize_with = "names::python_version::one")]
    pub python: String,
    /// The framework's build, `cpu`.
    #[serde(default, deserialize_with = "names::version::maybe")]
    pub build: Option<String>,
    /// Packages and versions by the step that installed them.
    #[serde(deserialize_with = "layers")]
    pub layers: BTreeMap<String, BTreeMap<String, String>>,
    /// Digest of the note of all files; `None` where none was made yet, as by another program or an older aitk.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::line::maybe"
    )]
    pub inventory: Option<String>,
    /// The folder that it was built in, which its programs name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PathBuf>,
    /// What the user wished for: the budget and the choices. This and all that follows is of form 2.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lines")]
    pub wish: Option<Value>,
    /// When it was built.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::line::maybe"
    )]
    pub when: Option<String>,
    /// Which version of aitk has built it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::line::maybe"
    )]
    pub aitk: Option<String>,
    /// The run that has built it, by the name of its folder.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::file_name::maybe"
    )]
    pub run: Option<String>,
    /// The folder of the generation that was in use before it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::file_name::maybe"
    )]
    pub before: Option<String>,
    /// The folder of conda's own generation that it was built beside.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "names::file_name::maybe"
    )]
    pub base: Option<String>,
    /// Why it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// Why a generation was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// There was no environment of this name before.
    First,
    /// Something else was asked for.
    Changed,
    /// It was resolved anew, for what is newer.
    Upgraded,
    /// The one in use did not work.
    Broken,
    /// A newer aitk has one that this one does not know.
    #[serde(other)]
    Other,
}

/// A value in which every text is a line.
fn lines<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    let value = Option::<Value>::deserialize(from)?;
    value.iter().try_for_each(names::lines_only).map_err(D::Error::custom).map(|()| value)
}

/// Requirements as either manager writes them.
fn requirements<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let all = Vec::<String>::deserialize(from)?;
    let fits = |text: &&String| !names::match_spec::fits(text) && !names::requirement::fits(text);
    match all.iter().find(fits) {
        Some(text) => Err(D::Error::custom(message!("{text:?} is no requirement"))),
        None => Ok(all),
    }
}

/// Packages by their step, each with its version, which conda follows by `=` and the build.
fn layers<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, D::Error> {
    let layers = BTreeMap::<String, BTreeMap<String, String>>::deserialize(from)?;
    for (step, packages) in &layers {
        names::step_id::check(step).map_err(D::Error::custom)?;
        for (name, exact) in packages {
            names::package_name::check(name).map_err(D::Error::custom)?;
            let (version, build) = exact.split_once('=').unwrap_or((exact, "0"));
            names::version::check(version).map_err(D::Error::custom)?;
            names::build_string::check(build).map_err(D::Error::custom)?;
        }
    }
    Ok(layers)
}

impl GenerationRecord {
    /// That of a generation which is built from a lock, for a request.
    pub fn of(lock: &Lock, request: &str, added: &[String]) -> Self {
        let names = |layer: &LockedLayer| {
            layer
                .packages
                .iter()
                .map(|locked| (locked.package.name.clone(), locked.exact_version()))
                .collect()
        };
        Self {
            schema: SCHEMA,
            manager: lock.manager,
            request: request.to_owned(),
            added: added.to_vec(),
            python: lock.target.python.clone(),
            build: lock.build.clone(),
            layers: lock.layers.iter().map(|layer| (layer.step.clone(), names(layer))).collect(),
            inventory: None,
            place: None,
            wish: None,
            when: None,
            aitk: Some(env!("CARGO_PKG_VERSION").to_owned()),
            run: None,
            before: None,
            base: None,
            reason: None,
        }
    }

    /// Reads one of this form or an older one; of a newer one what is known here.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().filter(|record: &Self| record.schema >= 1)
    }

    /// What stands in the generation's file.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The exact version of every package, by the name that tells it from others.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let key = |name: &str| key_of(self.manager, name);
        let all = self.layers.values().flatten();
        all.map(|(name, version)| (key(name), version.clone())).collect()
    }
}
