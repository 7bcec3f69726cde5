//! What templates see: a plan, and everything around it, as plain values.

use std::collections::{BTreeMap, BTreeSet};

use aitk_detect::VirtualizationKind;
use aitk_plan::lock::{conda, key_of, name_of};
use aitk_plan::step::Check;
use aitk_plan::{
    Action, CHECKS, CHOICES, Choices, ContainerGpuRow, EnvironmentRequest, LayerRequest, LayerRole,
    Locks, Manager, Package, Request, SET, STRAY, SWAP_FILE, Status, Step,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::quote::{comment, file_part};
use crate::{ExportError, Platform, Source};

const GIB: u64 = 1 << 30;
/// The glibc that pixi takes for granted.
const GLIBC: (u64, u64) = (2, 28);
/// What a package URL does not have as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');
/// The kinds of step that a script does on any machine of the same kind.
const PORTABLE: [&str; 11] = [
    "apt-repair",
    "apt-lists",
    "apt-upgrade",
    "apt-packages",
    "swap-file",
    "uv",
    "environment",
    "layer",
    "activate",
    "kernelspec",
    "check",
];

/// What a template sees.
#[derive(Debug, Serialize, JsonSchema)]
pub struct View {
    /// The version of aitk.
    pub aitk: &'static str,
    /// The language of what people read, `en` or `fr`.
    pub language: &'static str,
    /// The budget that the plan is for.
    pub budget: String,
    /// The environment manager, `conda` or `venv`.
    pub manager: String,
    /// What was chosen, as flags of aitk, but for the budget, the lock and `--user-only`.
    pub flags: Vec<String>,
    /// Whether what needs root is left out.
    pub user_only: bool,
    /// The text of the profile, where it is one of the user's own.
    pub profile: Option<String>,
    /// The framework, `pytorch`; none without one.
    pub framework: Option<String>,
    /// What computes.
    pub accelerator: AcceleratorView,
    /// The machine that the plan is for.
    pub machine: MachineView,
    /// What the profile says of memory.
    pub memory: MemoryView,
    /// The environment.
    pub environment: EnvironmentView,
    /// All steps of the plan, in order.
    pub steps: Vec<StepView>,
    /// Those that a script does, layers that are installed in one go together.
    pub groups: Vec<Vec<StepView>>,
    /// The first step of each kind, in words.
    pub told: BTreeMap<String, String>,
    /// The steps that install packages into the environment, those without any left out.
    pub layers: Vec<LayerView>,
    /// Every package with a hash, also of the conda that comes with the environment, once, by package URL.
    pub components: Vec<PackageView>,
    /// The proofs, in order.
    pub proofs: Vec<ProofView>,
    /// What was resolved, as files.
    pub locks: LocksView,
    /// Where things come from.
    pub sources: SourcesView,
    /// The container image of the system; none where the catalog knows none.
    pub image: Option<String>,
    /// Where a fresh system comes from.
    pub guest: GuestView,
    /// The public SSH key that a server lets its user in by.
    pub ssh_key: Option<String>,
    /// What a kernel and a proof find set, and what they do not find.
    pub surroundings: SurroundingsView,
    /// The platforms of hosted notebooks, in the order in which a notebook looks for them.
    pub platforms: Vec<Platform>,
    /// The one that the target is for; none of any other target.
    pub platform: Option<Platform>,
    /// The target's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Of every part of a project whether it is chosen.
    pub parts: BTreeMap<String, bool>,
    /// What stands below `[data]` in the target.
    pub data: BTreeMap<String, Value>,
    /// The target's words in the language.
    pub texts: Value,
    /// Bytes of each of the target's files that come before this one.
    pub sizes: BTreeMap<String, usize>,
}

/// What computes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AcceleratorView {
    /// `none`, `cuda`, `rocm`, …
    pub kind: String,
    /// What `docker run` is told so that a container reaches it; none where it is not known, or there is none.
    pub run: Option<String>,
    /// What an image sets for it.
    pub variables: BTreeMap<String, String>,
}

/// The machine that the plan is for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MachineView {
    /// Its system and processor in words.
    pub system: String,
    /// As `uname -m` says it.
    pub arch: String,
    /// As conda names it: `linux-64`.
    pub subdir: String,
    /// Its C library.
    pub libc: Option<LibcView>,
    /// Whether it is in WSL.
    pub is_wsl: bool,
    /// What Windows should lend to WSL.
    pub lends: LendsView,
}

/// A C library.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LibcView {
    /// `glibc` or `musl`.
    pub family: String,
    /// Its version; empty where it is not known.
    pub version: String,
}

/// What Windows should lend to WSL, in GB.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LendsView {
    /// Memory.
    pub memory_gb: u64,
    /// Swap.
    pub swap_gb: u64,
}

/// What the profile says of memory, in bytes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemoryView {
    /// The least.
    pub minimum: u64,
    /// The swap space that a machine with little gets.
    pub swap_size: u64,
    /// The file that it lies in.
    pub swap_file: &'static str,
}

/// The environment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EnvironmentView {
    /// Its name.
    pub name: String,
    /// The version of Python that it is resolved for, `3.12`.
    pub python: String,
    /// The interpreter that it is built on.
    pub interpreter: String,
    /// The folder that aitk would build it in.
    pub generation: String,
    /// The name of its kernel.
    pub kernel: String,
    /// That kernel's name for people.
    pub display: String,
    /// The names of its packages.
    pub installed: Vec<String>,
    /// What was asked for besides the framework.
    pub wanted: Vec<String>,
    /// The packages besides the framework's, each with version and hash as pip reads them, sorted.
    pub lines: Vec<String>,
    /// The CUDA that its packages need of the machine.
    pub least_cuda: Option<String>,
    /// The glibc that its packages need, where that is more than pixi takes for granted.
    pub least_glibc: Option<String>,
}

/// A step of the plan.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StepView {
    /// `system.python`.
    pub id: String,
    /// `apt-packages`, …
    pub kind: String,
    /// What its kind is told, as in the plan's JSON.
    pub spec: Value,
    /// What it is, in English.
    pub title: String,
    /// Why it is there, in English.
    pub why: Option<String>,
    /// Both, as a sentence.
    pub told: String,
    /// `needed`, `done`, `blocked` or `skipped`.
    pub status: String,
    /// Whether it is part of the plan, whatever is done of it already.
    pub wanted: bool,
    /// Whether it is done elsewhere too: it is of the system, and depends on no device and no vendor's repository.
    pub along: bool,
    /// Whether a script does it on any machine of the same kind.
    pub portable: bool,
    /// The program of a proof.
    pub program: Option<String>,
}

/// A step that installs packages into the environment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LayerView {
    /// As a part of a file's name.
    pub part: String,
    /// What it is, in English.
    pub title: String,
    /// What it is and why, as a sentence.
    pub told: String,
    /// Whether its packages are named by their addresses: they may come from an index of the framework's own, and of two
    /// indexes pip takes a version from either, uv looks for it in the first alone, which need not have it.
    pub by_address: bool,
    /// Its part of the lock, as a file; empty as long as nothing is resolved.
    pub lock: String,
    /// What it installs.
    pub packages: Vec<PackageView>,
}

/// A package.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PackageView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its build, of a package of conda's.
    pub build: Option<String>,
    /// The hash of its file.
    pub sha256: Option<String>,
    /// The address of its file.
    pub url: Option<String>,
    /// What its maker says of its licence.
    pub license: Option<String>,
    /// Its package URL.
    pub purl: String,
    /// Whether it was asked for, by the budget or by hand.
    pub asked_for: bool,
}

/// A proof.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProofView {
    /// `lab`.
    pub name: String,
    /// The program, in Python.
    pub program: String,
    /// Whether it is a framework's, which computes on the GPU where there is one.
    pub on_gpu: bool,
}

/// What was resolved, as files.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LocksView {
    /// What the lock is called, `pylock.toml` or `pixi.lock`.
    pub file: &'static str,
    /// The lock.
    pub plan: String,
    /// The same without the conda that comes with it.
    pub environment: String,
    /// What aitk notes in an environment that is whole, so that it knows it later.
    pub record: String,
    /// What aitk notes of what was wished for.
    pub receipt: String,
}

/// Where things come from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SourcesView {
    /// Addresses of the conda channels, the preferred one first.
    pub channels: Vec<String>,
    /// The uv that is pinned, as pip asks for it.
    pub uv: String,
    /// Its version.
    pub uv_version: String,
    /// The hash of its wheel for the machine; none where there is no wheel.
    pub uv_sha256: Option<String>,
}

/// Where a fresh system comes from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GuestView {
    /// The box of Vagrant.
    pub vagrant: Option<String>,
    /// The name that `wsl --install` knows.
    pub wsl: Option<String>,
}

/// What a kernel and a proof find set, and what they do not find.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SurroundingsView {
    /// `NAME=value`.
    pub set: Vec<String>,
    /// Names.
    pub cleared: Vec<&'static str>,
}

impl View {
    /// Its JSON schema, which `docs/view.schema.json` shows.
    pub fn schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    /// What there is to see of a plan; a target's own words and parameters come to it.
    ///
    /// # Errors
    /// [`ExportError::Lock`] where the lock holds what its form cannot.
    pub(crate) fn of(source: &Source<'_>) -> Result<Self, ExportError> {
        let (plan, catalog) = (source.plan, source.catalog);
        let steps: Vec<_> = plan.steps.iter().map(|step| step_view(source, step)).collect();
        let layers = source.layers().map(|step| layer_view(source, step));
        let gpu = source.container_gpu();
        let guest = source.guest();
        let wheel = catalog.uv.wheels.iter().find(|wheel| wheel.arch == source.machine.arch);
        Ok(Self {
            aitk: env!("CARGO_PKG_VERSION"),
            language: source.language.code(),
            budget: plan.budget.clone(),
            manager: plan.manager.to_string(),
            flags: flags(&plan.choices, plan.manager),
            user_only: plan.choices.user_only,
            profile: source.profile.map(str::to_owned),
            framework: plan.framework.as_ref().map(|framework| framework.name.clone()),
            accelerator: AcceleratorView {
                kind: plan.accelerator.kind.clone(),
                run: gpu.map(|gpu| gpu.run.clone()),
                variables: gpu.map(|gpu| gpu.environment.clone()).unwrap_or_default(),
            },
            machine: machine_view(source),
            memory: MemoryView {
                minimum: source.memory.minimum.0,
                swap_size: source.memory.swap_size.0,
                swap_file: SWAP_FILE,
            },
            environment: environment_view(source),
            groups: groups(&steps),
            told: steps.iter().rev().map(|step| (step.kind.clone(), step.told.clone())).collect(),
            layers: layers.collect::<Result<_, _>>()?,
            components: components(source),
            proofs: proofs(source, &steps),
            steps,
            locks: locks_view(source)?,
            sources: SourcesView {
                channels: source.channels.to_vec(),
                uv: source.uv(),
                uv_version: catalog.uv.version.clone(),
                uv_sha256: wheel.map(|wheel| wheel.sha256.clone()),
            },
            image: source.image().map(str::to_owned),
            guest: GuestView {
                vagrant: guest.and_then(|guest| guest.vagrant.clone()),
                wsl: guest.and_then(|guest| guest.wsl.clone()),
            },
            ssh_key: source.ssh_key.map(|key| key.line().to_owned()),
            surroundings: SurroundingsView {
                set: SET.iter().map(|(name, value)| format!("{name}={value}")).collect(),
                cleared: STRAY.to_vec(),
            },
            platforms: Vec::new(),
            platform: None,
            data: BTreeMap::new(),
            parameters: BTreeMap::new(),
            parts: BTreeMap::new(),
            texts: Value::Null,
            sizes: BTreeMap::new(),
        })
    }
}

fn locks_view(source: &Source<'_>) -> Result<LocksView, ExportError> {
    let environment = source.locks.map(|locks| locks.environment.to_text(source.channels));
    let text = |noted| serde_json::to_string_pretty(noted).unwrap_or_default();
    Ok(LocksView {
        file: source.plan.manager.lock_file(),
        plan: source.locks.map(Locks::to_text).transpose()?.unwrap_or_default(),
        environment: environment.transpose()?.unwrap_or_default(),
        record: source.record.map(text).unwrap_or_default(),
        receipt: source.receipt.map(text).unwrap_or_default(),
    })
}

fn machine_view(source: &Source<'_>) -> MachineView {
    use VirtualizationKind::{Wsl1, Wsl2};
    let machine = source.machine;
    MachineView {
        system: source.system(),
        arch: machine.arch.clone(),
        subdir: match machine.arch.as_str() {
            "x86_64" => "linux-64".to_owned(),
            other => format!("linux-{other}"),
        },
        libc: machine.libc.as_ref().map(|libc| LibcView {
            family: libc.family.clone(),
            version: libc.version.clone().unwrap_or_default(),
        }),
        is_wsl: matches!(machine.virtualization.kind, Wsl1 | Wsl2),
        lends: lends(machine, source.memory),
    }
}

/// What Windows should lend. Left to itself it lends half of its memory, and a quarter of that as swap; here it is no less
/// than the profile's minimum where a quarter is still left to Windows, and the profile's swap at least.
fn lends(machine: &aitk_detect::Machine, thresholds: aitk_plan::MemoryThresholds) -> LendsView {
    let is_wsl = machine.virtualization.kind == VirtualizationKind::Wsl2;
    let here = machine.memory.total.unwrap_or(thresholds.comfortable.0);
    // What is seen in WSL is what Windows lends it.
    let windows = if is_wsl { here.saturating_mul(2) } else { here };
    let wanted = (windows / 2).max(thresholds.minimum.0).min(windows / 4 * 3);
    // Firmware keeps a little to itself: 15.6 GiB are 16.
    let memory_gb = (wanted.saturating_add(GIB / 2) / GIB).max(1);
    let swap_gb = memory_gb.div_ceil(4).max(thresholds.swap_size.0 / GIB);
    LendsView { memory_gb, swap_gb }
}

/// The flags that choose the same on another machine. `--user-only` is none of them: whether a user may become root is
/// each machine's own.
fn flags(choices: &Choices, manager: Manager) -> Vec<String> {
    // All managers would do, but the lock is for the one that was taken.
    let choices = Choices { manager: manager.into(), ..choices.clone() };
    let chosen = Request { choices, ..Request::default() };
    let others = CHOICES.iter().filter(|row| !["profile", "user-only"].contains(&row.flag));
    others.filter_map(|row| row.typed(&chosen)).collect()
}

fn step_view(source: &Source<'_>, step: &Step) -> StepView {
    let action = serde_json::to_value(&step.action).unwrap_or_default();
    let kind = action["kind"].as_str().unwrap_or_default().to_owned();
    let along = source.goes_along(step);
    let program = match &step.action {
        Action::Check(Check { script }) => CHECKS.iter().find(|(name, _)| name == script),
        _ => None,
    };
    let has_uv = || source.catalog.uv.wheels.iter().any(|wheel| wheel.arch == source.machine.arch);
    let portable = PORTABLE.contains(&kind.as_str())
        && match kind.as_str() {
            "apt-packages" => along,
            "uv" => has_uv(),
            "check" => program.is_some(),
            _ => true,
        };
    StepView {
        id: step.id.clone(),
        spec: action["spec"].clone(),
        title: step.title.to_string(),
        why: step.why.first().map(ToString::to_string),
        told: describe(step),
        status: serde_json::to_value(step.status)
            .ok()
            .and_then(|it| it.as_str().map(str::to_owned))
            .unwrap_or_default(),
        wanted: is_wanted(step),
        along,
        portable,
        program: program.map(|(_, text)| (*text).to_owned()),
        kind,
    }
}

/// Whether a step is part of the plan for the machine, whatever is done of it elsewhere.
pub(crate) fn is_wanted(step: &Step) -> bool {
    step.status != Status::Skipped
}

/// What a step is and why, on one line.
fn describe(step: &Step) -> String {
    let text = match step.why.first() {
        Some(why) => format!("{}: {why}.", step.title),
        None => format!("{}.", step.title),
    };
    comment(&text)
}

fn groups(steps: &[StepView]) -> Vec<Vec<StepView>> {
    let wanted: Vec<_> = steps.iter().filter(|step| step.wanted).collect();
    let both_layers = |a: &&StepView, b: &&StepView| a.kind == "layer" && b.kind == "layer";
    let groups = wanted.chunk_by(both_layers);
    let portable = groups.filter(|group| group[0].portable);
    portable.map(|group| group.iter().map(|step| (*step).clone()).collect()).collect()
}

fn proofs(source: &Source<'_>, steps: &[StepView]) -> Vec<ProofView> {
    let proof = |step: &StepView| {
        let script = step.spec["script"].as_str()?;
        Some(ProofView {
            name: script.trim_end_matches(".py").to_owned(),
            program: step.program.clone()?,
            on_gpu: source.catalog.frameworks.iter().any(|row| row.check == script),
        })
    };
    steps.iter().filter(|step| step.wanted).filter_map(proof).collect()
}

fn layer_view(source: &Source<'_>, step: &Step) -> Result<LayerView, ExportError> {
    let asked_for = asked_for(source);
    let framework = source.plan.framework.as_ref();
    let lock = source.locks.map(|locks| locks.environment.part(&step.id).to_text(source.channels));
    Ok(LayerView {
        part: file_part(&step.id),
        title: step.title.to_string(),
        told: describe(step),
        by_address: match framework.map(|framework| framework.source.as_str()) {
            None | Some("index") => false,
            // uv takes nothing but the framework and what it computes with from PyTorch's.
            Some(index) if index.starts_with("torch-backend ") => {
                let of_framework = source.request().and_then(EnvironmentRequest::framework);
                of_framework.is_some_and(|layer| layer.step == step.id)
            }
            Some(_) => true,
        },
        lock: lock.transpose()?.unwrap_or_default(),
        packages: step.packages.iter().map(|it| package_view(source, it, &asked_for)).collect(),
    })
}

fn package_view(
    source: &Source<'_>,
    package: &Package,
    asked_for: &BTreeSet<String>,
) -> PackageView {
    let license = package.record.as_ref().and_then(|record| record["license"].as_str());
    PackageView {
        name: package.name.clone(),
        version: package.version.clone(),
        build: package.build.clone(),
        sha256: package.sha256.clone(),
        url: package.url.clone(),
        license: license.map(str::to_owned),
        purl: purl(source.plan.manager, package),
        asked_for: asked_for.contains(&key_of(source.plan.manager, &package.name)),
    }
}

/// An environment and the conda beside it may share packages.
fn components(source: &Source<'_>) -> Vec<PackageView> {
    let none = BTreeSet::new();
    let packages = source.plan.steps.iter().flat_map(|step| &step.packages);
    let packages = packages.filter(|package| package.sha256.is_some());
    let views = packages.map(|package| package_view(source, package, &none));
    let once: BTreeMap<_, _> = views.map(|view| (view.purl.clone(), view)).collect();
    once.into_values().collect()
}

fn environment_view(source: &Source<'_>) -> EnvironmentView {
    let layers: Vec<_> = layers(source).collect();
    let manager = source.plan.manager;
    let wanted = layers.iter().flat_map(|layer| &layer.requirements);
    let wanted = wanted.map(|requirement| name_of(manager, requirement));
    let is_its = |step: &&Step| layers.iter().any(|layer| layer.step == step.id);
    let line = |package: &Package| {
        let hash = package.sha256.as_deref().map(|hash| format!(" --hash=sha256:{hash}"));
        format!("{}=={}{}", package.name, package.version, hash.unwrap_or_default())
    };
    let mut lines: Vec<_> =
        source.layers().filter(is_its).flat_map(|step| &step.packages).map(line).collect();
    lines.sort();
    let (least_cuda, least_glibc) = needs(source);
    EnvironmentView {
        name: source.name().to_owned(),
        python: source.python().to_owned(),
        interpreter: source.interpreter().to_owned(),
        generation: source.generation(),
        kernel: source.kernel().to_owned(),
        display: source.kernel_display().to_owned(),
        installed: source.packages().map(|package| package.name.clone()).collect(),
        wanted: wanted.collect(),
        lines,
        least_cuda,
        least_glibc,
    }
}

/// What the layers ask for, but for the framework's: which build fits depends on where a notebook runs.
fn layers<'a>(source: &Source<'a>) -> impl Iterator<Item = &'a LayerRequest> {
    let layers = source.request().into_iter().flat_map(|request| &request.layers);
    layers.filter(|layer| layer.role != LayerRole::Framework)
}

/// The names of what was asked for, by the budget and by hand.
fn asked_for(source: &Source<'_>) -> BTreeSet<String> {
    let names = |request: &EnvironmentRequest| {
        let layers = request.layers.iter().flat_map(|layer| &layer.requirements);
        let all = layers.chain(&request.added);
        all.map(|requirement| name_of(request.manager, requirement)).collect()
    };
    source.request().map(names).unwrap_or_default()
}

/// The CUDA and the glibc that packages need of a machine beyond what pixi takes for granted.
fn needs(source: &Source<'_>) -> (Option<String>, Option<String>) {
    let depends =
        source.packages().filter_map(|package| package.record.as_ref()?["depends"].as_array());
    let needs: Vec<&str> = depends.flatten().filter_map(Value::as_str).collect();
    let of = |need: &&&str, name: &str| conda::name_of(need) == name;
    let glibc = needs.iter().filter(|need| of(need, "__glibc"));
    let glibc = glibc.filter_map(|need| conda::least(need)).max();
    let has_cuda = needs.iter().any(|need| of(&need, "__cuda"));
    let cuda = source.plan.accelerator.cuda.clone().filter(|_| has_cuda);
    let glibc = glibc.filter(|glibc| *glibc > GLIBC);
    (cuda, glibc.map(|(major, minor)| format!("{major}.{minor}")))
}

/// Its package URL: `pkg:pypi/torch@2.15.0%2Bcpu`, `pkg:conda/numpy@2.4.6?build=…&channel=conda-forge&…`.
fn purl(manager: Manager, package: &Package) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let (name, version) = (encoded(&package.name), encoded(&package.version));
    match manager {
        Manager::Venv => format!("pkg:pypi/{}@{version}", name.to_lowercase().replace('_', "-")),
        Manager::Conda => {
            let url = package.url.as_deref().unwrap_or_default();
            // …/CHANNEL/SUBDIR/FILE
            let mut parts = url.rsplit('/');
            let file = parts.next().unwrap_or_default();
            let [subdir, channel] = [parts.next(), parts.next()].map(Option::unwrap_or_default);
            let kind = if file.ends_with(".conda") { "conda" } else { "tar.bz2" };
            let build = package.build.as_deref().unwrap_or_default();
            let qualifiers =
                [("build", build), ("channel", channel), ("subdir", subdir), ("type", kind)]
                    .map(|(name, value)| format!("{name}={}", encoded(value)));
            format!("pkg:conda/{name}@{version}?{}", qualifiers.join("&"))
        }
    }
}

impl<'a> Source<'a> {
    /// How a container reaches what computes; nothing for the processor alone, or where it is not known.
    fn container_gpu(&self) -> Option<&'a ContainerGpuRow> {
        let kind = self.plan.accelerator.kind.as_str();
        self.catalog.images.accelerator.iter().find(|row| row.kind == kind)
    }

    fn image(&self) -> Option<&'a str> {
        let os = &self.machine.os;
        let is_its =
            |row: &&aitk_plan::Image| row.os == os.id && Some(&row.version) == os.version.as_ref();
        self.catalog.images.image.iter().find(is_its).map(|row| row.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use aitk_detect::Machine;
    use aitk_plan::{Bytes, MemoryThresholds};

    use super::*;

    #[test]
    fn windows_lends_what_the_profile_asks_for_and_keeps_a_quarter() {
        let thresholds = MemoryThresholds {
            minimum: Bytes(8 * GIB),
            comfortable: Bytes(16 * GIB),
            swap_below: Bytes(2 * GIB),
            swap_size: Bytes(2 * GIB),
        };
        let of = |gigabytes: f64, kind| {
            let mut machine = Machine::default();
            machine.memory.total = Some((gigabytes * GIB as f64) as u64);
            machine.virtualization.kind = kind;
            let lends = lends(&machine, thresholds);
            (lends.memory_gb, lends.swap_gb)
        };
        let seen_in_wsl = |gigabytes| of(gigabytes, VirtualizationKind::Wsl2);
        assert_eq!(seen_in_wsl(3.8), (6, 2), "a PC with 8 GB");
        assert_eq!(seen_in_wsl(7.7), (8, 2), "a PC with 16 GB");
        assert_eq!(seen_in_wsl(31.2), (31, 8), "a PC with 64 GB");
        let seen_in_windows = |gigabytes| of(gigabytes, VirtualizationKind::BareMetal);
        assert_eq!(seen_in_windows(15.6), (8, 2));
        assert_eq!(seen_in_windows(31.2), (16, 4));
    }
}
