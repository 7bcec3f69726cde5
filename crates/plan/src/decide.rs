//! The decisions: which steps a profile means on this machine, which cannot be done there, and what to warn about.

use aitk_detect::{Machine, Sudo};
use aitk_system::message;

use crate::catalog::{Catalog, NO_FRAMEWORK};
use crate::choices::Choices;
use crate::digest::machine_digest;
use crate::driver::{Driver, driver};
use crate::framework::{Decision, choose_framework};
use crate::manager::Manager;
use crate::model::{Action, LayerRequest, Plan, Status, Step, Totals};
use crate::order::{block_the_rest, close_gaps, prove_first};
use crate::profile::{Estimate, Profile, ProfileStep, StepKind};
use crate::python::{PythonChoice, choose_python, conda_python};
use crate::requires::{past_support, unmet};
use crate::room::charges;
use crate::situation::{GPU_GROUPS, SWAP_FILE, Situation, may_install};
use crate::size::Bytes;

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
        Driver::Install { row, .. } if may_install(choices) => Some(row.version.as_str()),
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
    let situation = Situation {
        machine,
        profile,
        choices,
        manager,
        catalog,
        python: &python,
        framework: &framework,
        driver: &driver,
    };
    plan.steps = profile.steps.iter().filter_map(|step| situation.step(step)).collect();
    close_gaps(&mut plan, profile, manager);
    prove_first(&mut plan.steps);
    situation.warn(&mut plan);
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

impl Situation<'_> {
    /// The step of the plan that a step of the profile means here; `None` where it means none.
    fn step(&self, from: &ProfileStep) -> Option<Step> {
        if from.manager.is_some_and(|manager| manager != self.manager)
            || !self.is_wished(from)
            || from.gpu.as_ref().is_some_and(|maker| !self.has_gpu(maker))
            || !self.concerns(&from.kind)
        {
            return None;
        }
        if self.choices.framework == NO_FRAMEWORK
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

    /// Whether a step of this kind means anything here.
    fn concerns(&self, kind: &StepKind) -> bool {
        let computes = |kinds: &[&str]| match self.framework {
            Decision::Take { accelerator, .. } => {
                kinds.contains(&accelerator.kind.as_str()) && !accelerator.gpus.is_empty()
            }
            _ => false,
        };
        let installs = self.installs_driver();
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
