//! What is to be replaced by what: asked of the sources with what is there, and changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aitk_detect::Ailing;
use aitk_env::{EnvError, backend};
use aitk_plan::{
    BuildRequest, Choices, EnvironmentRequest, LayerRequest, LayerRole, Lock, LockedLayer, Manager,
    ManagerChoice, Profile,
};
use aitk_system::{Message, message};
use schemars::JsonSchema;
use serde::Serialize;

use super::error::MendError;
use super::refusal::refuse;
use crate::context::Context;
use crate::error::ExecError;

/// The layer of what is mended.
pub(super) const LAYER: &str = "mended";
/// The layer of the framework.
const FRAMEWORK: &str = "framework";
/// The profile that says which builds of PyTorch fit a machine.
const PROFILE: &str = "workstation";
/// What comes with PyTorch's own builds, and goes with them.
const FAMILY: [&str; 3] = ["torch", "torchvision", "torchaudio"];
/// How the names of their libraries begin.
const LIBRARIES: [&str; 5] = ["nvidia-", "cuda-", "triton", "pytorch-triton", "rocm"];

/// What is done to an environment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Mending {
    /// The folder of the environment.
    pub path: PathBuf,
    /// Where what stands there is laid.
    pub aside: PathBuf,
    /// What is taken away.
    pub left_overs: Vec<PathBuf>,
    /// What is put in the place of what.
    pub changes: Vec<Change>,
    /// Bytes to download.
    pub download: u64,
    /// What no index can bring back, and what has no build that fits.
    pub hopeless: Vec<Message>,
    /// The descriptions of versions that do not stand there.
    #[serde(skip)]
    pub(super) others: Vec<PathBuf>,
    /// The packages that are installed.
    #[serde(skip)]
    pub(super) layer: LockedLayer,
    /// Whether a GPU is to be seen afterwards.
    #[serde(skip)]
    pub(super) wants_gpu: bool,
}

/// A package that is put in the place of what is there of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// The package's name.
    pub name: String,
    /// The versions that are there.
    pub before: Vec<String>,
    /// The one that comes.
    pub after: String,
    /// Bytes to download; `None` where the source does not tell.
    pub size: Option<u64>,
    /// Why; of what comes along nothing.
    pub why: Option<Message>,
}

impl Mending {
    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.left_overs.is_empty() && self.changes.is_empty()
    }
}

/// What mends an environment, with what is there: the rest stays as it is.
///
/// # Errors
/// [`MendError::NotHere`] and [`MendError::Before`]; what the sources say.
pub fn mending(cx: &Context<'_>, ailing: &Ailing) -> Result<Mending, ExecError> {
    refuse(cx.system, ailing, &cx.settings.data)?;
    let path = ailing.path.clone();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".aitk-before");
    let aside = path.with_file_name(name);
    if cx.system.stat(&aside).is_ok() {
        return Err(MendError::Before { path, aside }.into());
    }
    let mut hopeless = ailing.hopeless.clone();
    let builds = match &ailing.torch {
        None => Vec::new(),
        Some((_, why)) => match builds(cx) {
            Ok(builds) => builds,
            Err(none) => {
                hopeless.push(message!("{why}; {none}"));
                Vec::new()
            }
        },
    };
    let wants_gpu = !builds.is_empty();
    let lock = match ailing.broken.is_empty() && builds.is_empty() {
        true => None,
        false => Some(resolve(cx, ailing, builds)?),
    };
    let replaced = |key: &str| !is_held(ailing, key, wants_gpu);
    let packages = lock.iter().flat_map(Lock::packages).filter(|one| replaced(&one.key()));
    let packages: Vec<_> = packages.cloned().collect();
    let changes: Vec<_> = packages
        .iter()
        .map(|locked| Change {
            name: locked.key(),
            before: before(ailing, &locked.key()),
            after: locked.package.version.clone(),
            size: locked.package.size,
            why: why(ailing, &locked.key(), wants_gpu),
        })
        .collect();
    let download = packages.iter().filter_map(|locked| locked.package.size).sum();
    let layer = LockedLayer { step: LAYER.to_owned(), packages };
    let left_overs = ailing.left_overs.clone();
    let others = ailing.broken.iter().flat_map(|broken| broken.others.clone()).collect();
    Ok(Mending { path, aside, left_overs, changes, download, hopeless, others, layer, wants_gpu })
}

/// The builds of PyTorch that compute on what is here; why there are none, in words.
fn builds(cx: &Context<'_>) -> Result<Vec<BuildRequest>, Message> {
    let profile = Profile::builtin(PROFILE).map_err(Message::plain)?;
    let choices = Choices { manager: ManagerChoice::Venv, ..Choices::default() };
    let plan = aitk_plan::plan(cx.machine, &profile, &choices, Manager::Venv, cx.catalog);
    let builds = plan.environment().map(|wanted| wanted.request.builds.clone());
    let mut builds = builds.unwrap_or_default();
    builds.retain(|build| build.name != "cpu");
    match plan.accelerator.kind.as_str() {
        "none" => Err(Message::list(plan.accelerator.why)),
        _ if builds.is_empty() => Err(message!("no build of PyTorch is known that fits")),
        _ => Ok(builds),
    }
}

/// Asks for what is broken in the versions that are there, and for PyTorch in its own, else in the one that fits.
fn resolve(
    cx: &Context<'_>,
    ailing: &Ailing,
    builds: Vec<BuildRequest>,
) -> Result<Lock, ExecError> {
    let with_torch = !builds.is_empty();
    let of_torch = |name: &str| with_torch && is_of_torch(name);
    let pins = ailing.broken.iter().filter(|broken| !of_torch(&broken.name));
    let pins = pins.map(|broken| format!("{}=={}", broken.name, broken.version));
    let held = ailing.sound.iter().filter(|(name, _)| !of_torch(name));
    let mut layers = vec![LayerRequest {
        step: LAYER.to_owned(),
        role: LayerRole::Libraries,
        requirements: pins.collect(),
    }];
    if with_torch {
        let (step, role) = (FRAMEWORK.to_owned(), LayerRole::Framework);
        layers.push(LayerRequest { step, role, requirements: Vec::new() });
    }
    let request = EnvironmentRequest {
        manager: Manager::Venv,
        python: ailing.python.clone(),
        interpreter: Some(ailing.path.join("bin/python").to_string_lossy().into_owned()),
        layers,
        held: held.map(|(name, version)| format!("{name}=={version}")).collect(),
        exclude_newer: cx.settings.exclude_newer.clone(),
        ..EnvironmentRequest::default()
    };
    let ask = |builds: Vec<BuildRequest>| {
        let request = EnvironmentRequest { builds, ..request.clone() };
        backend(Manager::Venv).resolve(&cx.looking(), &request)
    };
    let same: Vec<_> = builds.iter().map(|build| with_family(ailing, build, true)).collect();
    match ask(same) {
        Err(EnvError::Unsolvable { .. }) if with_torch => {
            Ok(ask(builds.iter().map(|build| with_family(ailing, build, false)).collect())?)
        }
        lock => Ok(lock?),
    }
}

/// A build with those of its family that are there, in the version that is there or in any that fits.
fn with_family(ailing: &Ailing, build: &BuildRequest, same: bool) -> BuildRequest {
    let version = ailing.torch.as_ref().and_then(|(version, _)| version.split('+').next());
    let mut requirements = match version.filter(|_| same) {
        Some(version) => vec![format!("torch=={version}")],
        None => build.requirements.iter().take(1).cloned().collect(),
    };
    let there = FAMILY[1..].iter().filter(|name| !before(ailing, name).is_empty());
    requirements.extend(there.map(|name| (*name).to_owned()));
    BuildRequest { requirements, ..build.clone() }
}

fn is_of_torch(name: &str) -> bool {
    FAMILY.contains(&name) || LIBRARIES.iter().any(|start| name.starts_with(start))
}

/// Whether a package stays as it is.
fn is_held(ailing: &Ailing, name: &str, with_torch: bool) -> bool {
    ailing.sound.contains_key(name) && !(with_torch && is_of_torch(name))
}

/// The versions of a package that are there.
fn before(ailing: &Ailing, name: &str) -> Vec<String> {
    let broken = ailing.broken.iter().map(|broken| (&broken.name, broken.versions.clone()));
    let sound = ailing.sound.iter().map(|(name, version)| (name, vec![version.clone()]));
    let all: BTreeMap<_, _> = broken.chain(sound).collect();
    all.get(&name.to_owned()).cloned().unwrap_or_default()
}

fn why(ailing: &Ailing, name: &str, with_torch: bool) -> Option<Message> {
    let torch = ailing.torch.as_ref().filter(|_| with_torch && name == "torch");
    let broken = ailing.broken.iter().find(|broken| broken.name == name);
    torch.map(|(_, why)| why.clone()).or_else(|| broken.map(|broken| broken.why.clone()))
}
