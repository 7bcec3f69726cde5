//! Which build of a framework fits a machine, and what computes then: the rows of `frameworks.toml` against the
//! machine's devices.

use aitk_system::{Message, message};
use std::cmp::Reverse;

use aitk_detect::{Gpu, Machine, Obstacle, is_newer};

use crate::catalog::{Build, Catalog, DriverRow, Targets};
use crate::choices::{AcceleratorChoice, Choices};
use crate::manager::Manager;
use crate::model::Accelerator;

#[derive(Clone, Copy)]
pub(crate) struct SelectionInput<'a> {
    pub machine: &'a Machine,
    pub catalog: &'a Catalog,
    pub choices: &'a Choices,
    pub manager: Manager,
    pub framework: &'a str,
    /// The environment's Python, where it is known.
    pub python: Option<(u32, u32)>,
    /// The NVIDIA driver that the plan itself installs.
    pub driver: Option<&'a DriverRow>,
}

/// What fits.
pub(crate) struct Selection {
    /// The build, and those that stand in for it where its source does not answer.
    pub builds: Vec<Build>,
    pub accelerator: Accelerator,
    /// Devices that do not compute, each with the reason.
    pub idle: Vec<(usize, Message)>,
}

/// The kinds of accelerator, in the order in which they are preferred.
const KINDS: [&str; 5] = ["cuda", "rocm", "jetson", "xpu", "none"];

/// A build that fits, with the devices that it computes on.
struct Candidate<'a> {
    build: &'a Build,
    gpus: Vec<usize>,
}

/// The build that fits best.
///
/// # Errors
/// The reasons, where none does.
pub(crate) fn choose(question: SelectionInput<'_>) -> Result<Selection, Vec<Message>> {
    let mut refusals = Refusals::default();
    let rows = question.catalog.builds(question.framework, question.manager);
    let fits: Vec<Candidate<'_>> =
        rows.filter_map(|build| question.fit(build, &mut refusals)).collect();
    let rank = |fit: &&Candidate<'_>| {
        let kind = KINDS.iter().position(|kind| *kind == fit.build.kind);
        // Another build of the same framework is no reason to build an environment anew.
        let has = question.choices.build.as_ref() == Some(&fit.build.name);
        let is_new = !has || fit.build.note.is_some();
        (kind.unwrap_or(KINDS.len()), fit.build.older, Reverse(fit.gpus.len()), is_new)
    };
    let Some(best) = fits.iter().min_by_key(rank) else { return Err(refusals.all()) };
    let stands_in = |fit: &&Candidate<'_>| {
        fit.build.note.is_some()
            && (&fit.build.kind, &fit.build.cuda) == (&best.build.kind, &best.build.cuda)
            && fit.gpus == best.gpus
            // It comes from somewhere else.
            && (&fit.build.index, &fit.build.torch_backend) != (&best.build.index, &best.build.torch_backend)
    };
    // A channel may not have the build that fits best, and have another one that computes on the same devices.
    let is_next = |fit: &&Candidate<'_>| {
        !fit.build.holds.is_empty()
            && fit.build.name != best.build.name
            && fit.build.kind == best.build.kind
            && fit.gpus == best.gpus
    };
    let others = fits.iter().filter(|fit| stands_in(fit) || is_next(fit));
    let builds = std::iter::once(best).chain(others);
    let builds = builds.map(|fit| question.filled(fit)).collect();
    let idle = question.idle(best, &refusals);
    Ok(Selection { builds, accelerator: question.accelerator(best, &refusals, &idle), idle })
}

/// Why a build was not taken: for the device that it was looked at for, if for any.
struct Refusal {
    build: String,
    gpu: Option<usize>,
    why: Message,
}

#[derive(Default)]
struct Refusals(Vec<Refusal>);

impl Refusals {
    /// What stands in for another build is refused for the same reasons as that.
    fn note(&mut self, build: &Build, gpu: Option<usize>, why: Message) {
        let said = self.0.iter().any(|other| other.gpu == gpu && other.why == why);
        if build.note.is_none() && !said {
            self.0.push(Refusal { build: build.name.clone(), gpu, why });
        }
    }

    fn of(&self, gpu: usize) -> impl Iterator<Item = &Refusal> {
        self.0.iter().filter(move |refusal| refusal.gpu == Some(gpu))
    }

    /// Each reason once, of however many devices it is true.
    fn all(self) -> Vec<Message> {
        let mut all = Vec::new();
        for Refusal { why, .. } in self.0 {
            if !all.contains(&why) {
                all.push(why);
            }
        }
        all
    }
}

impl<'a> SelectionInput<'a> {
    /// Whether a build fits, and the devices that it computes on.
    fn fit(self, build: &'a Build, refusals: &mut Refusals) -> Option<Candidate<'a>> {
        if !build.arch.contains(&self.machine.arch) || !self.wants(&build.kind) {
            return None;
        }
        if build.kind == "none" {
            return self.runs_here(build).map_or_else(
                |why| {
                    refusals.note(build, None, why);
                    None
                },
                |()| Some(Candidate { build, gpus: Vec::new() }),
            );
        }
        let mut gpus = Vec::new();
        for (index, gpu) in self.machine.gpus.iter().enumerate() {
            if !self.is_for(build, gpu) {
                continue;
            }
            match self.serves(build, gpu).and_then(|()| self.runs_here(build)) {
                Ok(()) => gpus.push(index),
                Err(why) => refusals.note(build, Some(index), why),
            }
        }
        // Beside a card of its own maker the processor's graphics only slow it down.
        let is_card = |index: &usize| self.machine.gpus[*index].integrated != Some(true);
        if build.kind == "rocm" && gpus.iter().any(is_card) {
            gpus.retain(is_card);
        }
        // For a machine whose device is still to come, or was not detected.
        let blind = self.forced() && !self.machine.gpus.iter().any(|gpu| self.is_for(build, gpu));
        if blind && let Err(why) = self.runs_here(build) {
            refusals.note(build, None, why);
            return None;
        }
        (blind && build.kind != "jetson" || !gpus.is_empty()).then_some(Candidate { build, gpus })
    }

    /// Whether the user's choice leaves room for a kind.
    fn wants(self, kind: &str) -> bool {
        match self.choices.accelerator {
            // Intel's builds are young: only who asks for them gets them.
            AcceleratorChoice::Auto => kind != "xpu",
            AcceleratorChoice::Cpu => kind == "none",
            AcceleratorChoice::Cuda => kind == "cuda" || kind == "jetson",
            AcceleratorChoice::Rocm => kind == "rocm",
            AcceleratorChoice::Xpu => kind == "xpu",
        }
    }

    /// Whether the user insists on a kind of device.
    fn forced(self) -> bool {
        !matches!(self.choices.accelerator, AcceleratorChoice::Auto | AcceleratorChoice::Cpu)
    }

    /// Whether a build is for devices of this maker.
    fn is_for(self, build: &Build, gpu: &Gpu) -> bool {
        match build.kind.as_str() {
            "cuda" => gpu.vendor == "nvidia" && self.machine.jetson.is_none(),
            "jetson" => gpu.vendor == "nvidia" && self.machine.jetson.is_some(),
            "rocm" => gpu.vendor == "amd",
            "xpu" => gpu.vendor == "intel",
            _ => false,
        }
    }

    fn serves(self, build: &Build, gpu: &'a Gpu) -> Result<(), Message> {
        match build.kind.as_str() {
            "cuda" => self.serves_nvidia(build, gpu),
            "jetson" => self.serves_jetson(build, gpu),
            "rocm" => self.serves_amd(build, gpu),
            _ => usable(gpu),
        }
    }

    fn serves_nvidia(self, build: &Build, gpu: &'a Gpu) -> Result<(), Message> {
        let there = gpu.driver.as_ref().and_then(|driver| driver.version.as_deref());
        // What is handed on to a virtual machine, and what is older than all drivers, no driver brings back.
        let lost = matches!(
            gpu.obstacle,
            Some(Obstacle::HandedOn | Obstacle::NoKernels | Obstacle::Unknown)
        );
        match self.driver {
            Some(row) if !lost => self.module_runs(row, gpu)?,
            None if self.forced() && !gpu.usable => {}
            _ => usable(gpu)?,
        }
        let driver = self.driver.map(|row| row.version.as_str()).or(there);
        if let (Some(least), Some(driver)) = (self.least_driver(build), driver)
            && is_newer(least, driver)
        {
            return Err(message!(
                "{} takes driver {least} or newer, and {driver} is here",
                build.name
            ));
        }
        self.has_kernels(build, gpu)
    }

    /// The oldest driver that serves a build; those of Windows have numbers of their own.
    fn least_driver(self, build: &'a Build) -> Option<&'a str> {
        let least = build.driver.as_deref()?;
        let rows = &self.catalog.tables.nvidia().cuda;
        let row =
            rows.iter().find(|row| row.driver == least).filter(|_| self.machine.wsl.is_some());
        Some(row.and_then(|row| row.windows.as_deref()).unwrap_or(least))
    }

    /// Whether the module that the plan installs runs a device: one serves all, and some run with one flavour only.
    fn module_runs(self, driver: &DriverRow, gpu: &Gpu) -> Result<(), Message> {
        let table = self.catalog.tables.nvidia();
        let row = gpu.pci_id.as_deref().and_then(|id| table.architecture(id));
        let runs = row.is_none_or(|row| if driver.open { row.open } else { row.closed });
        match runs {
            true => Ok(()),
            false => Err(message!(
                "one kernel module runs all cards, and that of the newer ones does not run this one"
            )),
        }
    }

    fn serves_jetson(self, build: &Build, gpu: &'a Gpu) -> Result<(), Message> {
        usable(gpu)?;
        let jetpack = self.machine.jetson.as_ref().and_then(|jetson| jetson.jetpack.as_deref());
        let jetpack = jetpack.unwrap_or_default();
        let is_match = |own: &String| {
            jetpack == own || jetpack.strip_prefix(own.as_str()).is_some_and(|r| r.starts_with('.'))
        };
        if !build.jetpack.iter().any(is_match) {
            let made_for = build.jetpack.join(" and ");
            return Err(message!("{} is made for JetPack {made_for}", build.name));
        }
        // Code for 8.0 runs on later devices of its generation, the check has the last word.
        self.has_kernels(build, gpu)
    }

    fn serves_amd(self, build: &Build, gpu: &Gpu) -> Result<(), Message> {
        let row = gpu.gfx.as_deref().and_then(|gfx| self.catalog.tables.amd().target(gfx));
        // The plan itself brings the user into the groups that this takes.
        let shut_out = gpu.obstacle == Some(Obstacle::NotPermitted);
        // So is a small device that somebody asks for.
        let asked = self.forced() && gpu.obstacle == Some(Obstacle::PicturesOnly);
        if !((shut_out || asked) && row.is_some()) {
            usable(gpu)?;
        }
        let Some(gfx) = &gpu.gfx else {
            // Windows lends it under no name.
            return match build.targets {
                Some(Targets::Pytorch) if self.forced() => Ok(()),
                _ => Err(message!(
                    "which of AMD's targets it is cannot be told here: --accelerator rocm tries PyTorch's build"
                )),
            };
        };
        let served = row.is_some_and(|row| match build.targets {
            Some(Targets::Pytorch) => row.pytorch,
            Some(Targets::Amd) => row.amd,
            Some(Targets::Jax) => row.jax,
            None => false,
        });
        if !served {
            return Err(message!("{} has no kernels for {gfx}", build.name));
        }
        let here = self.machine.rocm.as_ref().and_then(|rocm| rocm.version.as_deref());
        match &build.rocm {
            Some(wanted) if here.and_then(|here| here.split('.').next()) != Some(wanted) => {
                Err(message!(
                    "{} computes with ROCm {wanted} of the system, which is not installed here",
                    build.name
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether a build holds code for a device.
    fn has_kernels(self, build: &Build, gpu: &'a Gpu) -> Result<(), Message> {
        let Some(capability) = &gpu.compute_capability else { return Ok(()) };
        if let Some(least) =
            build.capability_min.as_ref().filter(|least| is_newer(least, capability))
        {
            return Err(message!(
                "{} as it stands takes compute capability {least}, and this is {capability}",
                build.name
            ));
        }
        let (Some(origin), Some(cuda)) = (&build.kernels, &build.cuda) else { return Ok(()) };
        // Rows that begin with a later version of the framework are about the newest one.
        let row = self.catalog.tables.nvidia().kernels(origin, "999", cuda, &self.machine.arch);
        match row {
            Some(row) if !row.serve(capability) => Err(message!(
                "{} has no code for compute capability {capability} ({})",
                build.name,
                gpu.architecture
                    .as_ref()
                    .map_or_else(|| message!("unknown architecture"), Message::plain)
            )),
            Some(row)
                if row.only_translate(capability)
                    && self.served(gpu).is_some_and(|served| is_newer(cuda, served)) =>
            {
                Err(message!(
                    "{} has code for compute capability {capability} that a driver for CUDA {cuda} would have to translate",
                    build.name
                ))
            }
            _ => Ok(()),
        }
    }

    /// The newest CUDA that the driver of a device serves, once the plan is carried out.
    fn served(self, gpu: &'a Gpu) -> Option<&'a str> {
        match self.driver {
            Some(driver) => {
                let row = self.catalog.tables.nvidia().cuda(&driver.version);
                row.map(|row| row.version.as_str())
            }
            None => gpu.driver.as_ref()?.cuda.as_deref(),
        }
    }

    /// Whether a build runs with the C library and the Python that are here.
    fn runs_here(self, build: &Build) -> Result<(), Message> {
        let libc = self.machine.libc.as_ref().and_then(|libc| libc.version.as_deref());
        let wanted = self.catalog.framework(self.framework).map(|row| row.glibc_of(build));
        if let (Some(here), Some(wanted)) = (libc, wanted)
            && is_newer(wanted, here)
        {
            return Err(message!("{} needs glibc {wanted}, and {here} is here", build.name));
        }
        self.python_fits(build)
    }

    fn python_fits(self, build: &Build) -> Result<(), Message> {
        let Some(python) = self.python else { return Ok(()) };
        let pair = |text: &Option<String>| text.as_deref().and_then(crate::names::version_pair);
        let fits = pair(&build.python_min).is_none_or(|least| python >= least)
            && pair(&build.python_max).is_none_or(|most| python <= most);
        if fits {
            return Ok(());
        }
        let bounds = match (&build.python_min, &build.python_max) {
            (Some(least), Some(most)) if least == most => message!("Python {least}"),
            (Some(least), Some(most)) => message!("Python {least} to {most}"),
            (Some(least), None) => message!("Python {least} or newer"),
            (_, most) => message!("Python up to {}", most.as_deref().unwrap_or_default()),
        };
        Err(message!(
            "{} is made for {bounds}, and the environment has {}.{}",
            build.name,
            python.0,
            python.1
        ))
    }

    /// The build with the devices' targets in its requirements: an extra for each of them.
    fn filled(self, fit: &Candidate<'_>) -> Build {
        let targets = fit.gpus.iter().filter_map(|index| self.machine.gpus[*index].gfx.as_deref());
        let mut targets: Vec<&str> = targets.collect();
        targets.sort_unstable();
        targets.dedup();
        if targets.is_empty() {
            targets.push("all");
        }
        let mut build = fit.build.clone();
        for requirement in &mut build.requirements {
            if let Some((start, extra, end)) = extra_of_target(requirement) {
                let extras: Vec<_> = targets.iter().map(|gfx| extra.replace(TARGET, gfx)).collect();
                *requirement = format!("{start}[{}]{end}", extras.join(","));
            }
        }
        build
    }

    /// What computes with a build.
    fn accelerator(
        self,
        fit: &Candidate<'_>,
        refusals: &Refusals,
        idle: &[(usize, Message)],
    ) -> Accelerator {
        let Candidate { build, gpus } = fit;
        let devices = gpus.iter().map(|index| &self.machine.gpus[*index]);
        let capability = devices
            .clone()
            .filter_map(|gpu| gpu.compute_capability.as_deref())
            .reduce(|least, next| if is_newer(least, next) { next } else { least });
        let served = devices.clone().find_map(|gpu| self.served(gpu));
        let mut why = Vec::new();
        if self.machine.gpus.is_empty() && build.kind == "none" {
            why.push(message!("no GPU was found"));
        } else if self.choices.accelerator == AcceleratorChoice::Cpu {
            why.push(message!("--accelerator cpu: the GPU is left as it is"));
        } else if gpus.is_empty() && build.kind != "none" {
            why.push(message!("{}, as you asked: no such device is known here", build.name));
        }
        if build.kind == "xpu" {
            why.push(message!(
                "it takes Intel's compute runtime on the system (Debian, Ubuntu: libze-intel-gpu1, intel-opencl-icd)"
            ));
        }
        for (index, gpu) in gpus.iter().map(|index| (*index, &self.machine.gpus[*index])) {
            why.push(message!("{}: {} computes on it", described(gpu), build.name));
            let row = gpu.gfx.as_deref().and_then(|gfx| self.catalog.tables.amd().target(gfx));
            if let Some(row) = row.filter(|row| row.untested && build.targets == Some(Targets::Amd))
            {
                why.push(message!(
                    "AMD builds for {} and does not try what it has built: whether it computes, the check says",
                    row.gfx
                ));
            }
            let better = refusals.of(index).filter(|_| build.older);
            why.extend(better.map(|refusal| refusal.why.clone()));
        }
        why.extend(idle.iter().map(|(_, why)| why.clone()));
        let why = Message::counted(why);
        Accelerator {
            kind: build.kind.clone(),
            gpus: gpus.clone(),
            cuda: build.cuda.as_ref().map(|own| assumed_cuda(own, served)),
            compute_capability: capability.map(str::to_owned),
            why: each_once(why),
        }
    }

    /// Devices that do not compute, with the reasons.
    fn idle(self, best: &Candidate<'_>, refusals: &Refusals) -> Vec<(usize, Message)> {
        if self.choices.accelerator == AcceleratorChoice::Cpu {
            return Vec::new();
        }
        let idle = self.machine.gpus.iter().enumerate().filter(|(i, _)| !best.gpus.contains(i));
        idle.map(|(index, gpu)| {
            // Of the build that others compute with, that one's reason says it all.
            let of_it = refusals.of(index).filter(|refusal| refusal.build == best.build.name);
            let mut reasons: Vec<_> = of_it.map(|refusal| refusal.why.clone()).collect();
            if reasons.is_empty() {
                reasons = refusals.of(index).map(|refusal| refusal.why.clone()).collect();
            }
            let why = match (reasons.is_empty(), gpu.vendor.as_str()) {
                (false, _) => Message::list(reasons),
                (true, _) if !gpu.usable => gpu.why.clone(),
                (true, "intel") => message!("used on request alone: --accelerator xpu"),
                (true, _) if best.build.kind != "none" => {
                    message!("{} is for other devices", best.build.name)
                }
                // Windows lends it under no name, and the other manager's build can be tried.
                (true, "amd") if gpu.gfx.is_none() && self.tries_elsewhere() => message!(
                    "{} has no {} for it; --manager venv --accelerator rocm tries PyTorch's build",
                    self.title(),
                    self.manager.builds()
                ),
                (true, _) => message!("{} has no {} for it", self.title(), self.manager.builds()),
            };
            (index, Message::about(called(gpu), why))
        })
        .collect()
    }

    /// Whether the other manager has a build of PyTorch's own index for AMD's devices.
    fn tries_elsewhere(self) -> bool {
        let mut builds = self.catalog.builds(self.framework, Manager::Venv);
        self.manager != Manager::Venv && builds.any(|build| build.targets == Some(Targets::Pytorch))
    }

    fn title(self) -> Message {
        let row = self.catalog.framework(self.framework);
        row.map_or_else(|| message!("the framework"), |row| Message::plain(&row.title))
    }
}

/// The newest CUDA that conda's solver may assume: what the driver serves, but none of a later generation than the
/// build that was chosen, for that would hold no code for the devices.
fn assumed_cuda(build: &str, served: Option<&str>) -> String {
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    match served {
        Some(served) if major(served) == major(build) => served.to_owned(),
        _ => build.to_owned(),
    }
}

/// Where a requirement of the table has a device's target.
const TARGET: &str = "{gfx}";

/// The extra of a requirement that has the place for a target, with what is in front of and behind its brackets.
fn extra_of_target(requirement: &str) -> Option<(&str, &str, &str)> {
    let (start, rest) = requirement.split_once('[')?;
    let (extra, end) = rest.split_once(']')?;
    extra.contains(TARGET).then_some((start, extra, end))
}

fn usable(gpu: &Gpu) -> Result<(), Message> {
    if gpu.usable { Ok(()) } else { Err(gpu.why.clone()) }
}

/// A device's name.
pub(crate) fn called(gpu: &Gpu) -> &str {
    gpu.name.as_deref().or(gpu.pci_id.as_deref()).unwrap_or(&gpu.vendor)
}

/// A device's name, with what counts of it.
fn described(gpu: &Gpu) -> Message {
    let what = gpu.compute_capability.as_ref().or(gpu.gfx.as_ref());
    let what = what.map(|what| Message::plain(format!(" ({what})"))).unwrap_or_default();
    let driver = gpu.driver.as_ref().and_then(|driver| driver.version.as_ref());
    let driver = driver.map(|version| message!(", driver {version}")).unwrap_or_default();
    Message::parts([called(gpu).into(), what, driver])
}

/// A server has many devices of one kind: what is so of all of them is said once.
fn each_once(all: Vec<Message>) -> Vec<Message> {
    let mut once = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}
