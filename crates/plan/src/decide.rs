//! The decisions: which steps a profile means on this machine, which cannot be done there, and what to warn about.

use aitk_system::{Message, message};
use std::path::Path;

use aitk_detect::{Disk, Gpu, Machine, Sudo, VirtualizationKind};

use crate::accelerate::{self, Answer, Question};
use crate::catalog::{Build, Catalog, Framework};
use crate::choices::{Choices, FrameworkChoice, Manager};
use crate::digest::machine_digest;
use crate::driver::{Driver, driver};
use crate::model::{
    Accelerator, Action, BuildRequest, FrameworkPlan, LayerRequest, Plan, Status, Step, Totals,
    Warning,
};
use crate::profile::{Estimate, Profile, ProfileStep, Requirements, StepKind};
use crate::size::Bytes;
use crate::warnings;

/// The first version of a distribution on which plans are tested.
const SUPPORTED: [(&str, &[&str]); 2] =
    [("ubuntu", &["22.04", "24.04", "26.04"]), ("debian", &["12", "13"])];

/// Decides what is to be ensured on a machine.
///
/// `manager` is what [`Choices::manager`] means here: whether a channel answers is no fact of the machine.
/// The same arguments give the same plan. No step is done yet, and what only a source can tell is estimated:
/// the crates `exec` and `env` survey the machine and fill that in, then [`conclude`] has the last word.
pub fn plan(
    machine: &Machine,
    profile: &Profile,
    choices: &Choices,
    manager: Manager,
    catalog: &Catalog,
) -> Plan {
    let python = choose_python(machine, choices, manager, catalog);
    let driver = driver(machine, catalog);
    let arriving = match &driver {
        Driver::Install { row, .. } if installs(&driver, choices) => Some(row.version.as_str()),
        _ => None,
    };
    let framework = choose_framework(machine, choices, manager, catalog, &python, arriving);
    let mut plan = Plan {
        budget: profile.name.clone(),
        machine: machine_digest(machine),
        choices: choices.clone(),
        manager,
        accelerator: framework.accelerator(machine),
        framework: framework.planned(manager),
        steps: Vec::new(),
        totals: Totals::default(),
        warnings: Vec::new(),
    };
    let context = Context {
        machine,
        profile,
        choices,
        manager,
        catalog,
        python: &python,
        framework: &framework,
        driver: &driver,
    };
    plan.steps = profile.steps.iter().filter_map(|step| context.step(step)).collect();
    close_gaps(&mut plan, profile, manager);
    prove_first(&mut plan.steps);
    context.warnings(&mut plan);
    plan.add_up();
    plan
}

/// The last word, once the machine has been surveyed: what does not fit on its disks is blocked, and with it and
/// everything else that is blocked what needs it.
pub fn conclude(plan: &mut Plan, machine: &Machine) {
    let mut disks = machine.disks.clone();
    for step in plan.steps.iter_mut().filter(|step| step.status == Status::Needed) {
        let charges = charges(step, machine);
        match charges.iter().find_map(|charge| charge.refusal(&disks)) {
            Some((why, remedy)) => step.block(why, remedy),
            None => charges.iter().for_each(|charge| charge.take(&mut disks)),
        }
    }
    block_the_rest(&mut plan.steps);
    plan.add_up();
}

/// What a step takes on one file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// What the file system is used for: `var`, `data` or `cache`.
    pub purpose: &'static str,
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

/// What a step takes, and where. apt keeps all that it does below `/var`, or on the same disk. Packages of an
/// environment are downloaded and unpacked in the cache; the environment shares these files with it, unless it is on
/// another file system and gets copies.
pub fn charges(step: &Step, machine: &Machine) -> Vec<Charge> {
    let (bytes, files) = (step.disk.unwrap_or(0), step.files.unwrap_or(0));
    let whole = |purpose| Charge { purpose, bytes, files };
    let place = |purpose| machine.disks.iter().position(|disk| serves(disk, purpose));
    if step.root {
        return vec![whole("var")];
    }
    match (place("cache"), place("data")) {
        (Some(cache), Some(data)) if cache != data => {
            let archives = step.download.unwrap_or(0);
            let copies = Charge { bytes: bytes.saturating_sub(archives), ..whole("data") };
            // uv itself is unpacked where it stays.
            let kept = match step.action {
                Action::Uv => Charge { purpose: "cache", bytes: archives, files: 1 },
                _ => whole("cache"),
            };
            vec![kept, copies]
        }
        _ => vec![whole("data")],
    }
}

impl Charge {
    fn disk(self, disks: &[Disk]) -> Option<usize> {
        disks.iter().position(|disk| serves(disk, self.purpose))
    }

    /// Why it does not fit on what is left, and what to do.
    fn refusal(self, disks: &[Disk]) -> Option<(Message, Message)> {
        let disk = &disks[self.disk(disks)?];
        let mount = disk.mount.display();
        if self.bytes > disk.free {
            let missing = Bytes(self.bytes - disk.free);
            let elsewhere = match self.purpose {
                "cache" => message!(", or set AITK_CACHE_DIR to a larger disk"),
                "data" => message!(", or set AITK_DATA_DIR and AITK_CACHE_DIR to a larger disk"),
                _ => Message::default(),
            };
            return Some((
                message!(
                    "it takes {} and {mount} has {} left",
                    Bytes(self.bytes),
                    Bytes(disk.free)
                ),
                message!("free at least {missing} on {mount}{elsewhere}"),
            ));
        }
        let inodes = disk.free_inodes.filter(|inodes| self.files > *inodes)?;
        Some((
            message!("it creates {} files and {mount} can hold only {inodes} more", self.files),
            message!("delete files on {mount} (inodes are used up, not bytes: see `df -i`)"),
        ))
    }

    fn take(self, disks: &mut [Disk]) {
        let Some(index) = self.disk(disks) else { return };
        let disk = &mut disks[index];
        disk.free = disk.free.saturating_sub(self.bytes);
        disk.free_inodes = disk.free_inodes.map(|left| left.saturating_sub(self.files));
    }
}

fn serves(disk: &Disk, purpose: &str) -> bool {
    disk.uses.iter().any(|name| name == purpose)
}

/// Whether the plan installs a driver: where one is needed, and asked for by name.
fn installs(driver: &Driver<'_>, choices: &Choices) -> bool {
    matches!(driver, Driver::Install { .. }) && choices.drivers && !choices.user_only
}

struct Context<'a> {
    machine: &'a Machine,
    profile: &'a Profile,
    choices: &'a Choices,
    manager: Manager,
    catalog: &'a Catalog,
    python: &'a PythonChoice,
    framework: &'a Decision,
    driver: &'a Driver<'a>,
}

/// Where a swap file goes.
pub const SWAP_FILE: &str = "/swapfile";
/// File systems that take one without care of their own.
const HOLD_SWAP: [&str; 4] = ["ext4", "ext3", "ext2", "xfs"];

/// Groups that may use the devices of AMD and Intel.
pub const GPU_GROUPS: [&str; 2] = ["render", "video"];

impl Context<'_> {
    /// The step of the plan that a step of the profile means here; `None` where it means none.
    fn step(&self, from: &ProfileStep) -> Option<Step> {
        if from.manager.is_some_and(|manager| manager != self.manager)
            || !self.is_wished(from)
            || from.gpu.as_ref().is_some_and(|maker| !self.has_gpu(maker))
            || !self.concerns(&from.kind)
        {
            return None;
        }
        if self.choices.framework == FrameworkChoice::None
            && matches!(from.kind, StepKind::Framework | StepKind::FrameworkCheck)
        {
            return None;
        }
        let estimate = self.estimate(from);
        let mut step = Step {
            id: from.id.clone(),
            phase: from.phase,
            title: from.title.clone(),
            action: self.action(from),
            status: Status::Needed,
            why: vec![from.why.clone()],
            remedy: None,
            needs: from.needs.clone(),
            root: is_root(&from.kind),
            commands: Vec::new(),
            writes: Vec::new(),
            packages: Vec::new(),
            removes: Vec::new(),
            download: Some(estimate.download.0),
            disk: Some(estimate.disk.0),
            files: (estimate.files > 0).then_some(estimate.files),
            rough: false,
            // An environment is an estimate until it is resolved, though it takes nothing itself.
            estimated: estimate != Estimate::default() || from.kind == StepKind::Environment,
        };
        if let (StepKind::Framework, Some(framework)) =
            (&from.kind, self.framework.planned(self.manager))
        {
            step.why.extend(framework.why);
            step.why.extend(self.framework.accelerator(self.machine).why);
        }
        self.judge(from, &mut step);
        Some(step)
    }

    fn estimate(&self, from: &ProfileStep) -> Estimate {
        match (&from.kind, self.framework) {
            (StepKind::Framework, Decision::Take { builds, .. }) => builds[0].estimate,
            (StepKind::Driver, _) => match self.driver {
                Driver::Install { row, .. } => row.estimate,
                _ => Estimate::default(),
            },
            (StepKind::SwapFile, _) => {
                Estimate { disk: self.profile.memory.swap_size, ..Estimate::default() }
            }
            (StepKind::Uv, _) => {
                let size =
                    self.catalog.uv.wheels.iter().find(|wheel| wheel.arch == self.machine.arch);
                let size = size.map_or(0, |wheel| wheel.size);
                // The program is stored deflated in its wheel and takes about 2.7 times that on disk, as measured.
                Estimate {
                    download: Bytes(size),
                    disk: Bytes(size.saturating_mul(37) / 10),
                    files: 2,
                }
            }
            _ => from.estimate,
        }
    }

    /// Whether a step is there for everybody, or the user asked for it.
    fn is_wished(&self, from: &ProfileStep) -> bool {
        from.with.as_ref().is_none_or(|name| self.choices.with.contains(name))
    }

    fn is_wsl(&self) -> bool {
        let kind = self.machine.virtualization.kind;
        matches!(kind, VirtualizationKind::Wsl1 | VirtualizationKind::Wsl2)
    }

    fn has_gpu(&self, maker: &str) -> bool {
        self.machine.gpus.iter().any(|gpu| gpu.vendor == maker)
    }

    /// Whether a step of this kind means anything here.
    fn concerns(&self, kind: &StepKind) -> bool {
        let computes = |kinds: &[&str]| match self.framework {
            Decision::Take { accelerator, .. } => {
                kinds.contains(&accelerator.kind.as_str()) && !accelerator.gpus.is_empty()
            }
            _ => false,
        };
        let installs = installs(self.driver, self.choices);
        match kind {
            StepKind::ShellInit => self.choices.init_shell,
            StepKind::SwapFile => self.lacks_swap() && self.may_have_swap(),
            StepKind::DriverSource => {
                installs && matches!(self.driver, Driver::Install { source: Some(_), .. })
            }
            StepKind::Driver => !matches!(self.driver, Driver::Fine),
            StepKind::DriverHold { .. } | StepKind::Restart => installs,
            StepKind::Groups | StepKind::Login => {
                computes(&["rocm", "xpu"]) && !self.machine.privilege.root
            }
            _ => true,
        }
    }

    fn lacks_swap(&self) -> bool {
        let (memory, thresholds) = (&self.machine.memory, &self.profile.memory);
        memory.usable().is_some_and(|usable| !at_least(usable, thresholds.swap_below))
            && memory.swap.unwrap_or(0) < thresholds.swap_below.0 / 2
    }

    /// Whether a swap file is this machine's own business, and its file system can hold one.
    fn may_have_swap(&self) -> bool {
        let own = matches!(
            self.machine.virtualization.kind,
            VirtualizationKind::BareMetal | VirtualizationKind::Vm
        );
        let root =
            self.machine.disks.iter().filter(|disk| Path::new(SWAP_FILE).starts_with(&disk.mount));
        let root = root.max_by_key(|disk| disk.mount.as_os_str().len());
        own && root.is_none_or(|disk| HOLD_SWAP.contains(&disk.filesystem.as_str()))
    }

    fn action(&self, from: &ProfileStep) -> Action {
        let kinds = |wanted: fn(&StepKind) -> bool| {
            let of_it = self.profile.steps.iter().filter(move |step| wanted(&step.kind));
            of_it.map(|step| step.id.clone()).collect()
        };
        match &from.kind {
            StepKind::AptSource(name) => match self.catalog.apt_source(name, self.machine) {
                Some(source) => Action::AptSource(source),
                None => Action::AptPackages { packages: Vec::new() },
            },
            StepKind::SwapFile => Action::SwapFile {
                path: SWAP_FILE.to_owned(),
                size: self.profile.memory.swap_size.0,
            },
            StepKind::DriverSource => match self.driver {
                Driver::Install { source: Some(source), .. } => Action::AptSource(source.clone()),
                _ => Action::AptPackages { packages: Vec::new() },
            },
            StepKind::Driver => Action::AptPackages {
                packages: match self.driver {
                    Driver::Install { packages, .. } => packages.clone(),
                    _ => Vec::new(),
                },
            },
            StepKind::DriverHold { path, content } => {
                Action::SystemFile { path: path.clone(), content: content.clone() }
            }
            StepKind::Groups => Action::Groups { groups: GPU_GROUPS.map(str::to_owned).to_vec() },
            StepKind::Login => Action::Login { groups: GPU_GROUPS.map(str::to_owned).to_vec() },
            StepKind::Restart => {
                Action::Restart { after: kinds(|kind| matches!(kind, StepKind::Driver)) }
            }
            StepKind::ContainerGpu => Action::ContainerGpu,
            StepKind::AptRepair => Action::AptRepair,
            StepKind::AptLists { max_age_hours } => {
                Action::AptLists { max_age_hours: *max_age_hours }
            }
            StepKind::AptUpgrade => Action::AptUpgrade,
            StepKind::AptPackages(packages) => Action::AptPackages { packages: packages.clone() },
            StepKind::Uv => Action::Uv,
            StepKind::Base(requirements) => {
                let mut all: Vec<_> = self.python.minor().map(conda_python).into_iter().collect();
                all.extend(requirements.iter().cloned());
                Action::Base {
                    env: self.choices.env.clone(),
                    requirements: all,
                    adopt: self.choices.base.clone(),
                    generation: None,
                }
            }
            StepKind::ShellInit => Action::ShellInit,
            StepKind::Environment => self.environment(),
            StepKind::Layer(layer) => {
                Action::Layer { requirements: layer.of(self.manager).to_vec() }
            }
            StepKind::Framework => Action::Layer { requirements: self.framework.requirements() },
            StepKind::Activate => Action::Activate,
            StepKind::Kernelspec => Action::Kernelspec {
                name: format!("aitk-{}", self.choices.env),
                display: format!("Python ({})", self.choices.env),
            },
            StepKind::Check(script) => Action::Check { script: script.clone() },
            StepKind::FrameworkCheck => Action::Check { script: self.framework.check() },
        }
    }

    /// Everything that will be in the environment, so that it is resolved together, once.
    fn environment(&self) -> Action {
        let layers = self
            .profile
            .steps
            .iter()
            .filter(|step| self.is_wished(step))
            .filter_map(|step| match &step.kind {
                // A manager that brings its own Python installs it with the environment itself.
                StepKind::Environment => match self.python {
                    PythonChoice::Own { .. } => {
                        Some((step, self.python.minor().map(conda_python).into_iter().collect()))
                    }
                    _ => None,
                },
                StepKind::Layer(layer) => Some((step, layer.of(self.manager).to_vec())),
                StepKind::Framework => Some((step, self.framework.requirements())),
                _ => None,
            })
            .filter(|(_, requirements): &(_, Vec<String>)| !requirements.is_empty())
            .map(|(step, requirements)| LayerRequest { step: step.id.clone(), requirements })
            .collect();
        Action::Environment {
            env: self.choices.env.clone(),
            python: self.python.minor(),
            interpreter: self.python.interpreter(),
            layers,
            builds: self.framework.builds(),
            added: Vec::new(),
            generation: None,
        }
    }

    /// Leaves the step out or blocks it, where the machine or the choices say so.
    fn judge(&self, from: &ProfileStep, step: &mut Step) {
        if step.root {
            self.judge_root(from, step);
        }
        if step.status == Status::Needed {
            self.judge_system(from, step);
        }
        match (&from.kind, self.framework) {
            (StepKind::Framework | StepKind::FrameworkCheck, Decision::Skip(why)) => {
                step.skip(why.clone());
            }
            (StepKind::Framework | StepKind::FrameworkCheck, Decision::Block(why, remedy)) => {
                step.block(why.clone(), remedy.clone());
            }
            (StepKind::Environment | StepKind::Base(_), _) => {
                let data = self.machine.folders.data.to_string_lossy();
                if data.contains(self.manager.refuses()) {
                    step.block(
                        message!(
                            "{}'s packages write the name of their folder into programs, where {data} cannot stand",
                            self.manager
                        ),
                        message!(
                            "set AITK_DATA_DIR to a folder without quotes in its name, or add --manager {}",
                            self.manager.other()
                        ),
                    );
                } else if let PythonChoice::Missing { why, remedy } = self.python {
                    step.block(why.clone(), remedy.clone());
                }
            }
            _ => {}
        }
        if step.status == Status::Needed
            && let Some((why, remedy)) = unmet(self.machine, &from.requires)
        {
            step.block(why, remedy);
        }
    }

    /// What vendors' drivers and repositories take.
    fn judge_system(&self, from: &ProfileStep, step: &mut Step) {
        if let (Some(instead), true) = (&from.wsl, self.is_wsl()) {
            step.skip(message!("in WSL this is Windows' business"));
            step.remedy = Some(instead.clone());
            return;
        }
        match (&from.kind, self.driver) {
            (StepKind::Driver, Driver::Person { why, remedy }) => {
                step.skip(why.clone());
                step.remedy = Some(remedy.clone());
            }
            (StepKind::Driver, Driver::Install { why, .. }) => {
                step.why.push(why.clone());
                if !self.choices.drivers {
                    step.skip(message!(
                        "a driver is installed only where it is asked for by name: add --drivers"
                    ));
                }
            }
            (StepKind::AptSource(name), _)
                if self.catalog.apt_source(name, self.machine).is_none() =>
            {
                step.block(
                    message!(
                        "there is no repository `{name}` for {} on {}",
                        self.machine.os.name,
                        self.machine.arch
                    ),
                    message!("leave out the --with that asks for it"),
                );
            }
            _ => {}
        }
    }

    fn judge_root(&self, from: &ProfileStep, step: &mut Step) {
        let machine = self.machine;
        let os = &machine.os;
        if self.choices.user_only {
            step.skip(message!("left out by --user-only"));
        } else if self.choices.no_upgrade && from.kind == StepKind::AptUpgrade {
            step.skip(message!("left out by --no-upgrade"));
        } else if is_apt(&from.kind) && !machine.tools.contains_key("apt-get") {
            step.block(
                message!("{} has no apt", os.name),
                message!(
                    "install Python 3.10 to 3.14 with its own package manager, then add --user-only"
                ),
            );
        } else if is_apt(&from.kind) && past_support(machine, self.catalog) {
            let end = os.end_of_support.as_deref().unwrap_or_default();
            step.block(
                message!("{} is past its support, which ended on {end}: no security fixes come any more", os.name),
                message!("upgrade to a release that is supported (Ubuntu 24.04 or 26.04, Debian 13), or add --user-only"),
            );
        } else if !machine.privilege.root && machine.privilege.sudo == Sudo::No {
            step.block(
                message!("it needs root, and this user may not use sudo"),
                message!("ask an administrator to run the commands shown, or add --user-only"),
            );
        }
    }

    fn warnings(&self, plan: &mut Plan) {
        let machine = self.machine;
        let thresholds = &self.profile.memory;
        if let Some(memory) = machine.memory.usable()
            && !at_least(memory, thresholds.minimum)
        {
            plan.warn(Warning::new(
                    warnings::LITTLE_MEMORY,
                    message!("{} of memory: {} are the minimum for working at ease, {} are comfortable",
                        Bytes(memory).binary(), thresholds.minimum.binary(), thresholds.comfortable.binary()),
                    message!("small data sets fit; close other programs, and use a hosted notebook for larger ones"),
                ));
        }
        if self.lacks_swap() && !self.may_have_swap() {
            plan.warn(swap_elsewhere(machine, thresholds.swap_size));
        }
        self.warn_of_gpus(plan);
        self.warn_of_hardware(plan);
        self.warn_of_age(plan);
        if let Decision::Skip(why) = self.framework {
            plan.warn(Warning::new(
                warnings::NO_FRAMEWORK,
                why.clone(),
                message!("the rest of the plan stands"),
            ));
        }
        let os = &machine.os;
        let known = SUPPORTED.iter().find(|(id, _)| *id == os.id).map(|(_, versions)| *versions);
        let version = os.version.as_deref().unwrap_or_default();
        if past_support(machine, self.catalog) && self.choices.user_only {
            plan.warn(Warning::new(
                warnings::PAST_SUPPORT,
                message!("{} is past its support", os.name),
                message!("upgrade the system: it gets no security fixes any more"),
            ));
        } else if !known.is_some_and(|versions| versions.contains(&version)) {
            plan.warn(Warning::new(
                warnings::UNTESTED_SYSTEM,
                message!("{} is not among the systems that aitk is tested on", os.name),
                message!("Ubuntu 22.04, 24.04 and 26.04 and Debian 12 and 13 are"),
            ));
        }
        for disk in
            machine.disks.iter().filter(|disk| serves(disk, "data") || serves(disk, "cache"))
        {
            if disk.noexec || is_foreign(&disk.filesystem) {
                plan.warn(Warning::new(
                    warnings::UNFIT_FOLDER,
                    message!(
                        "{} is {}{}: environments are slow or do not work there",
                        disk.mount.display(),
                        disk.filesystem,
                        if disk.noexec { ", noexec" } else { "" }
                    ),
                    message!("set AITK_DATA_DIR and AITK_CACHE_DIR to a folder on a local Linux file system"),
                ));
            }
        }
        if machine.virtualization.kind == VirtualizationKind::Wsl1 {
            plan.warn(Warning::new(
                warnings::WSL_1,
                message!("this is WSL 1: slow file access and no GPU"),
                message!("in PowerShell: wsl --set-version <distribution> 2"),
            ));
        }
    }
}

/// Days after which the tables are old.
const OLD: i64 = 180;

impl Context<'_> {
    /// GPUs that do not compute as they could, and what would have to change.
    fn warn_of_gpus(&self, plan: &mut Plan) {
        let Decision::Take { idle, builds, accelerator, .. } = self.framework else { return };
        // What is part of a processor is expected to stand by.
        let is_card = |gpu: &Gpu| gpu.integrated != Some(true) || gpu.vendor != "intel";
        let of_cards = idle.iter().filter(|(gpu, _)| is_card(&self.machine.gpus[*gpu]));
        let idle: Vec<_> = of_cards.map(|(_, why)| why.clone()).collect();
        let (code, message) = match (accelerator.kind.as_str(), &idle[..]) {
            ("none", []) => return,
            ("none", idle) => (
                warnings::UNUSED_GPU,
                message!("the GPU is not used: {}", Message::list(idle.to_vec())),
            ),
            _ if builds[0].older => (
                warnings::OLDER_FRAMEWORK,
                message!(
                    "an older version is taken: {} is the newest build for this GPU and its driver ({})",
                    builds[0].name,
                    builds[0].requirements.join(" ")
                ),
            ),
            (_, []) => return,
            (_, idle) => (
                warnings::UNUSED_GPU,
                message!("not every GPU is used: {}", Message::list(idle.to_vec())),
            ),
        };
        let ways: Vec<_> = self.driver_remedy().into_iter().chain(self.other_manager()).collect();
        let hint = (!ways.is_empty()).then(|| Message::or(ways));
        plan.warn(Warning { code: code.to_owned(), message, hint });
    }

    /// What can be done about the driver.
    fn driver_remedy(&self) -> Option<Message> {
        match self.driver {
            Driver::Person { remedy, .. } => Some(remedy.clone()),
            Driver::Install { .. } if !installs(self.driver, self.choices) => {
                Some(message!("add --drivers, and the plan installs the driver that it takes"))
            }
            _ => None,
        }
    }

    /// The other manager, where it has a build that makes more of the devices.
    fn other_manager(&self) -> Option<Message> {
        let Decision::Take { builds, accelerator, framework, .. } = self.framework else {
            return None;
        };
        let manager = self.manager.other();
        let python = choose_python(self.machine, self.choices, manager, self.catalog);
        let other = accelerate::choose(Question {
            machine: self.machine,
            catalog: self.catalog,
            choices: self.choices,
            manager,
            framework: &framework.name,
            python: python.version(),
            driver: None,
        })
        .ok()?;
        let worth = |kind: &str, build: &Build, gpus: usize| (kind != "none", !build.older, gpus);
        let here = worth(&accelerator.kind, &builds[0], accelerator.gpus.len());
        let there = worth(&other.accelerator.kind, &other.builds[0], other.accelerator.gpus.len());
        (there > here).then(|| {
            message!(
                "add --manager {manager}: its build {} makes more of the GPU",
                other.builds[0].name
            )
        })
    }

    /// What the profile says a machine for it should have.
    fn warn_of_hardware(&self, plan: &mut Plan) {
        let Some(hardware) = &self.profile.hardware else { return };
        let most = self.machine.gpus.iter().filter_map(|gpu| gpu.vram).max();
        // Drivers keep a few per cent of what a card is sold with.
        if let Some(vram) = most.filter(|vram| !at_least(*vram, hardware.vram)) {
            let fits = self.catalog.fit.vram(vram);
            let fits = fits.map(|row| message!(": models of {} in 4 bits fit", row.four_bit));
            plan.warn(Warning::new(
                warnings::WEAK_HARDWARE,
                message!("{} on the GPU{}", Bytes(vram).binary(), fits.unwrap_or_default()),
                message!(
                    "{} is what this budget is meant for ({})",
                    hardware.vram.binary(),
                    hardware.example
                ),
            ));
        }
        let slow = self.machine.disks.iter().find(|disk| {
            serves(disk, "data") && disk.kind.as_ref().is_some_and(|kind| *kind != hardware.disk)
        });
        if let Some(disk) = slow {
            plan.warn(Warning::new(
                warnings::WEAK_HARDWARE,
                message!(
                    "{} is on a {}",
                    disk.mount.display(),
                    disk.kind.as_deref().unwrap_or_default()
                ),
                message!(
                    "data loads faster from an NVMe disk: set AITK_DATA_DIR to one if there is one"
                ),
            ));
        }
    }

    /// Tables that are old do not know today's builds.
    fn warn_of_age(&self, plan: &mut Plan) {
        let newest = self.catalog.builds.iter().map(|build| build.as_of.as_str()).max();
        let Some(newest) = newest else { return };
        let days = |date: &str| date.parse::<jiff::civil::Date>().ok();
        let (Some(today), Some(then)) = (days(&self.machine.date), days(newest)) else { return };
        let Ok(age) = today.since(then) else { return };
        if i64::from(age.get_days()) > OLD {
            plan.warn(Warning::new(
                warnings::OLD_TABLES,
                message!(
                    "the tables of builds and drivers are {} days old ({newest})",
                    age.get_days()
                ),
                message!("get a newer aitk, or add rows of your own to catalog.toml"),
            ));
        }
    }
}

/// How a small machine gets swap space that is not its own to make.
fn swap_elsewhere(machine: &Machine, size: Bytes) -> Warning {
    let hint = match machine.virtualization.kind {
        VirtualizationKind::Container => {
            message!("raise the container's memory limit: swap belongs to its host")
        }
        VirtualizationKind::BareMetal | VirtualizationKind::Vm => {
            message!(
                "its file system takes a swap file only with care (btrfs: `btrfs filesystem mkswapfile`): add one by hand, or a partition for swap"
            )
        }
        _ => message!(
            "raise `memory` and `swap` in .wslconfig, then run `wsl --shutdown` in PowerShell"
        ),
    };
    Warning::new(
        warnings::NO_SWAP,
        message!(
            "little memory and no swap: {} of it keep programs from being killed",
            size.binary()
        ),
        hint,
    )
}

fn is_apt(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::AptRepair
            | StepKind::AptLists { .. }
            | StepKind::AptUpgrade
            | StepKind::AptPackages(_)
            | StepKind::AptSource(_)
            | StepKind::DriverSource
            | StepKind::Driver
    )
}

fn is_root(kind: &StepKind) -> bool {
    is_apt(kind)
        || matches!(
            kind,
            StepKind::SwapFile
                | StepKind::DriverHold { .. }
                | StepKind::Groups
                | StepKind::ContainerGpu
        )
}

fn is_foreign(filesystem: &str) -> bool {
    ["9p", "drvfs", "nfs", "nfs4", "cifs", "smb3", "vfat", "exfat", "ntfs", "ntfs3"]
        .contains(&filesystem)
}

/// Whether a release gets no security fixes any more, from its own project or a long-term team that serves everybody.
fn past_support(machine: &Machine, catalog: &Catalog) -> bool {
    let distro = catalog.distro(&machine.os.id, machine.os.version.as_deref().unwrap_or_default());
    let lts = distro.and_then(|row| row.lts_until.as_ref());
    // ISO dates compare as text.
    let end = machine.os.end_of_support.as_ref().max(lts);
    end.is_some_and(|end| !machine.date.is_empty() && *end < machine.date)
}

/// Memory within a tenth of what is asked: firmware and kernel keep some to themselves.
fn at_least(memory: u64, wanted: Bytes) -> bool {
    memory >= wanted.0 / 10 * 9
}

/// The first requirement that the machine does not meet, with the remedy.
fn unmet(machine: &Machine, requires: &Requirements) -> Option<(Message, Message)> {
    if let (Some(wanted), Some(memory)) = (requires.memory, machine.memory.usable())
        && !at_least(memory, wanted)
    {
        return Some((
            message!(
                "it needs {} of memory and there are {}",
                wanted.binary(),
                Bytes(memory).binary()
            ),
            message!("use a machine with more memory, or a hosted notebook"),
        ));
    }
    if let (Some(wanted), Some(level)) = (&requires.cpu_level, &machine.cpu.level)
        && machine.arch == "x86_64"
        && level < wanted
    {
        return Some((
            message!("the processor is {level} and today's NumPy needs {wanted}"),
            message!(
                "on a VPS choose the CPU type `host` in its panel; an older computer needs older packages"
            ),
        ));
    }
    if let Some(flag) =
        requires.cpu_features.iter().find(|flag| !machine.cpu.features.contains(flag))
        && machine.arch == "x86_64"
        && !machine.cpu.features.is_empty()
    {
        return Some((
            message!("the processor has no {}", flag.to_uppercase()),
            message!(
                "on a VPS choose the CPU type `host` in its panel, or choose another --framework"
            ),
        ));
    }
    let libc = machine.libc.as_ref();
    if let (Some(wanted), Some(libc)) = (&requires.glibc, libc) {
        let version = libc.version.as_deref().and_then(version_pair);
        if libc.family != "glibc" || version.is_some_and(|have| Some(have) < version_pair(wanted)) {
            return Some((
                message!(
                    "the packages need glibc {wanted} and this system has {} {}",
                    libc.family,
                    libc.version
                        .as_ref()
                        .map_or_else(|| message!("of unknown version"), Message::plain)
                ),
                message!("use a newer release of the system, or a container with Debian or Ubuntu"),
            ));
        }
    }
    None
}

/// `3.12` and `3.12.4` as numbers.
pub(crate) fn version_pair(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// The Python that the environment is built on.
#[derive(Debug, Clone, PartialEq)]
enum PythonChoice {
    /// It is there.
    Found { interpreter: String, minor: (u32, u32) },
    /// The system step brings it.
    Expected { minor: Option<(u32, u32)> },
    /// There is none that fits.
    Missing { why: Message, remedy: Message },
    /// The environment brings its own.
    Own { minor: (u32, u32) },
}

/// A version of Python as conda asks for it.
fn conda_python(minor: String) -> String {
    format!("python {minor}.*")
}

impl PythonChoice {
    fn version(&self) -> Option<(u32, u32)> {
        match self {
            Self::Found { minor, .. } | Self::Own { minor } => Some(*minor),
            Self::Expected { minor } => *minor,
            Self::Missing { .. } => None,
        }
    }

    fn minor(&self) -> Option<String> {
        self.version().map(|(major, minor)| format!("{major}.{minor}"))
    }

    fn interpreter(&self) -> Option<String> {
        match self {
            Self::Found { interpreter, .. } => Some(interpreter.clone()),
            Self::Expected { .. } | Self::Missing { .. } => Some("/usr/bin/python3".to_owned()),
            Self::Own { .. } => None,
        }
    }
}

/// The oldest Python that the scientific libraries still have wheels for.
const OLDEST_PYTHON: (u32, u32) = (3, 10);
/// The Python of an environment that brings its own: old enough that everything has packages for it.
const OWN_PYTHON: (u32, u32) = (3, 12);

/// The version that was asked for, else the default, or the nearest that the framework has packages for.
fn own_python(choices: &Choices, catalog: &Catalog) -> (u32, u32) {
    let wanted = choices.python.as_deref().and_then(version_pair);
    let row = catalog.framework(&choices.framework.to_string());
    let newest = row.and_then(|row| version_pair(&row.python_max));
    wanted.unwrap_or_else(|| newest.map_or(OWN_PYTHON, |newest| newest.min(OWN_PYTHON)))
}

fn choose_python(
    machine: &Machine,
    choices: &Choices,
    manager: Manager,
    catalog: &Catalog,
) -> PythonChoice {
    if manager.brings_python() {
        return PythonChoice::Own { minor: own_python(choices, catalog) };
    }
    let wanted = choices.python.as_deref().and_then(version_pair);
    let bounds = catalog
        .framework(&choices.framework.to_string())
        .and_then(|row| Some((version_pair(&row.python_min)?, version_pair(&row.python_max)?)));
    let fits = |minor: (u32, u32)| match (wanted, bounds) {
        (Some(wanted), _) => minor == wanted,
        (None, Some((oldest, newest))) => (oldest..=newest).contains(&minor),
        (None, None) => minor >= OLDEST_PYTHON,
    };
    let usable: Vec<_> = machine
        .python
        .iter()
        .filter_map(|python| Some((python, python.minor()?)))
        .filter(|(_, minor)| *minor >= OLDEST_PYTHON)
        .collect();
    // The one that `python3` names comes first, then the newest that the framework has wheels for.
    let best = usable
        .first()
        .filter(|(_, minor)| fits(*minor))
        .or_else(|| usable.iter().filter(|(_, minor)| fits(*minor)).max_by_key(|(_, minor)| *minor))
        .or_else(|| usable.first().filter(|_| wanted.is_none()));
    if let Some((python, minor)) = best {
        return PythonChoice::Found {
            interpreter: python.path.display().to_string(),
            minor: *minor,
        };
    }
    let version = machine.os.version.as_deref().unwrap_or_default();
    let distro = catalog.distro(&machine.os.id, version);
    let minor = distro.and_then(|row| version_pair(row.python.as_deref()?));
    let comes = machine.tools.contains_key("apt-get") && !choices.user_only;
    match (wanted, minor) {
        (Some(wanted), minor) if minor != Some(wanted) || !comes => PythonChoice::Missing {
            why: message!("there is no Python {}.{} here", wanted.0, wanted.1),
            remedy: message!("install it, or leave out --python"),
        },
        _ if comes => PythonChoice::Expected { minor },
        _ => PythonChoice::Missing {
            why: message!("there is no Python of version 3.10 or newer here"),
            remedy: message!(
                "install python3 (on Debian and Ubuntu: sudo apt-get install python3 python3-pip python3-venv), then try again"
            ),
        },
    }
}

/// What became of the chosen framework.
#[derive(Debug, Clone, PartialEq)]
enum Decision {
    None,
    Take {
        framework: Box<Framework>,
        builds: Vec<Build>,
        accelerator: Box<Accelerator>,
        idle: Vec<(usize, Message)>,
    },
    Skip(Message),
    Block(Message, Message),
}

impl Decision {
    fn builds(&self) -> Vec<BuildRequest> {
        let Self::Take { builds, .. } = self else { return Vec::new() };
        let request = |build: &Build| BuildRequest {
            name: build.name.clone(),
            requirements: build.requirements.clone(),
            torch_backend: build.torch_backend.clone(),
            index: build.index.clone(),
            note: build.note.clone(),
        };
        builds.iter().map(request).collect()
    }

    fn requirements(&self) -> Vec<String> {
        match self {
            Self::Take { builds, .. } => builds[0].requirements.clone(),
            _ => Vec::new(),
        }
    }

    fn check(&self) -> String {
        match self {
            Self::Take { framework, .. } => framework.check.clone(),
            _ => String::new(),
        }
    }

    fn planned(&self, manager: Manager) -> Option<FrameworkPlan> {
        let Self::Take { framework, builds, accelerator, .. } = self else { return None };
        let computes = match accelerator.kind.as_str() {
            "none" => message!(", and computes on the CPU here"),
            // The solver says what for.
            _ if manager.solves_for_build() => Message::default(),
            _ => message!(", as the build {}", builds[0].name),
        };
        Some(FrameworkPlan {
            name: framework.name.clone(),
            build: builds[0].name.clone(),
            requirement: builds[0].requirements.join(" "),
            source: self.builds()[0].source(manager),
            why: vec![message!("{} was chosen{computes}", framework.title)],
        })
    }

    /// What computes.
    fn accelerator(&self, machine: &Machine) -> Accelerator {
        if let Self::Take { accelerator, .. } = self {
            return (**accelerator).clone();
        }
        let why = match machine.gpus.is_empty() {
            true => message!("no GPU was found"),
            false => message!("no framework is installed that would compute on a GPU"),
        };
        Accelerator {
            kind: "none".to_owned(),
            gpus: Vec::new(),
            cuda: None,
            compute_capability: None,
            why: vec![why.to_owned()],
        }
    }
}

fn choose_framework(
    machine: &Machine,
    choices: &Choices,
    manager: Manager,
    catalog: &Catalog,
    python: &PythonChoice,
    driver: Option<&str>,
) -> Decision {
    let Some(framework) = catalog.framework(&choices.framework.to_string()) else {
        return Decision::None;
    };
    let requires = framework.requirements();
    let enough = machine.memory.usable().is_none_or(|memory| at_least(memory, framework.memory));
    if !enough {
        let memory = Bytes(machine.memory.usable().unwrap_or(0)).binary();
        return Decision::Skip(message!(
            "no {}: it needs {} of memory and there are {memory}",
            framework.title,
            framework.memory.binary()
        ));
    }
    if let Some((why, remedy)) = unmet(machine, &requires) {
        return Decision::Block(Message::about(framework.title.as_str(), why), remedy);
    }
    if let Some(version) = python.version() {
        let (oldest, newest) =
            (version_pair(&framework.python_min), version_pair(&framework.python_max));
        let have = format!("{}.{}", version.0, version.1);
        if Some(version) > newest {
            return Decision::Block(
                message!(
                    "Python {have} is too new: {} has packages up to Python {}",
                    framework.title,
                    framework.python_max
                ),
                message!(
                    "install Python {} beside it and add --python {}, or choose --framework pytorch or none",
                    framework.python_max,
                    framework.python_max
                ),
            );
        }
        if Some(version) < oldest {
            return Decision::Block(
                message!(
                    "Python {have} is too old: {} has packages from Python {} on",
                    framework.title,
                    framework.python_min
                ),
                message!("use a newer release of the system, or add --framework none"),
            );
        }
    }
    let any = |row: &Build| row.arch.contains(&machine.arch);
    if !catalog.builds(&framework.name, manager).any(any) {
        return Decision::Block(
            message!("{} has no packages for {}", framework.title, machine.arch),
            message!("choose another --framework, or none"),
        );
    }
    let question = Question {
        machine,
        catalog,
        choices,
        manager,
        framework: &framework.name,
        python: python.version(),
        driver,
    };
    match accelerate::choose(question) {
        Ok(Answer { builds, accelerator, idle }) => Decision::Take {
            framework: Box::new(framework.clone()),
            builds,
            accelerator: Box::new(accelerator),
            idle,
        },
        Err(reasons) => Decision::Block(
            match reasons.is_empty() {
                true => message!("{} has no such build", framework.title),
                false => {
                    message!("no build of {} fits: {}", framework.title, Message::list(reasons))
                }
            },
            message!("leave out --accelerator, or choose another --framework"),
        ),
    }
}

/// A step that the plan leaves out hands its needs down to those that need it; one of another manager does not, for
/// nothing here rests on what it rests on.
fn close_gaps(plan: &mut Plan, profile: &Profile, manager: Manager) {
    let there: Vec<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    for step in &mut plan.steps {
        while let Some(gap) = step.needs.iter().position(|need| !there.contains(need)) {
            let gone = step.needs.remove(gap);
            let inherited = profile
                .steps
                .iter()
                .find(|from| from.id == gone && from.manager.is_none_or(|of| of == manager));
            for need in inherited.into_iter().flat_map(|from| &from.needs) {
                if !step.needs.contains(need) {
                    step.needs.push(need.clone());
                }
            }
        }
    }
}

/// What is built aside is proven there before it is used: the switch to it needs every proof and stands after them,
/// wherever a profile has it.
fn prove_first(steps: &mut Vec<Step>) {
    let is_proof = |step: &Step| matches!(step.action, Action::Check { .. });
    let is_switch =
        |step: &Step| matches!(step.action, Action::Activate | Action::Kernelspec { .. });
    let Some(last) = steps.iter().rposition(is_proof) else { return };
    let phase = steps[last].phase;
    let mut rest = steps.split_off(last + 1);
    let (mut switches, mut before): (Vec<_>, Vec<_>) = steps.drain(..).partition(is_switch);
    // What needed the environment in use needs it built.
    for step in &mut before {
        while let Some((at, switch)) =
            step.needs.iter().enumerate().find_map(|(at, need)| {
                Some((at, switches.iter().find(|switch| switch.id == *need)?))
            })
        {
            step.needs.remove(at);
            let more: Vec<_> =
                switch.needs.iter().filter(|need| !step.needs.contains(need)).cloned().collect();
            step.needs.extend(more);
        }
    }
    switches.iter_mut().for_each(|step| step.phase = step.phase.max(phase));
    switches.append(&mut rest);
    let proofs: Vec<_> =
        before.iter().filter(|step| is_proof(step)).map(|step| step.id.clone()).collect();
    for step in switches.iter_mut().filter(|step| step.action == Action::Activate) {
        step.needs.extend(proofs.iter().cloned());
    }
    steps.extend(before.into_iter().chain(switches));
}

/// What needs a blocked step is blocked as well.
fn block_the_rest(steps: &mut [Step]) {
    for index in 0..steps.len() {
        let (before, rest) = steps.split_at_mut(index);
        let step = &mut rest[0];
        if step.status != Status::Needed {
            continue;
        }
        let blocker = before
            .iter()
            .find(|earlier| earlier.status == Status::Blocked && step.needs.contains(&earlier.id));
        if let Some(blocker) = blocker {
            step.block(
                message!("it needs `{}`, which is blocked", blocker.id),
                message!("see `{}`", blocker.id),
            );
        }
    }
}
