//! The decisions: which steps a profile means on this machine, which cannot be done there, and what to warn about.

mod environment;
mod recipe;
mod services;
mod system;

use aitk_detect::{Machine, Privilege, Sudo};
use aitk_system::{Message, message};

use self::recipe::{Recipe, recipe};
use crate::basics::basics;
use crate::catalog::Catalog;
use crate::choices::Choices;
use crate::digest::machine_digest;
use crate::driver::{DriverAction, driver};
use crate::framework::choose_framework;
use crate::manager::Manager;
use crate::model::{Plan, Status, Step, Totals};
use crate::order::{block_the_rest, close_gaps, prove_first};
use crate::profile::{Estimate, Profile, ProfileStep};
use crate::python::choose_python;
use crate::requires::{past_support, unmet};
use crate::room::charges;
use crate::situation::{Situation, may_install};
use crate::step::{Groups, Part};

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
        DriverAction::Install { row, .. } if may_install(choices) => Some(*row),
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
        project: profile.project.clone(),
        environments: Vec::new(),
        steps: Vec::new(),
        totals: Totals::default(),
        warnings: Vec::new(),
        grounds: Vec::new(),
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
    let in_plan = profile.steps.iter().filter(|step| plan.step(&step.id).is_some());
    let environment = |step: &ProfileStep| recipe(&step.kind).environment(&situation, &step.id);
    plan.environments = in_plan.filter_map(environment).collect();
    close_gaps(&mut plan, profile, manager);
    prove_first(&mut plan.steps);
    plan.grounds = situation.grounds();
    if plan.find::<Groups>().is_some() {
        plan.grounds.push(basics().gpu_groups.ground());
    }
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
        {
            return None;
        }
        let (recipe, facts) = (recipe(&from.kind), from.kind.facts());
        let action = recipe.action(self)?;
        let estimate = recipe.estimate(self, from.estimate);
        let mut step = Step {
            why: vec![from.why.clone()],
            needs: from.needs.clone(),
            download: Some(estimate.download.0),
            disk: Some(estimate.disk.0),
            files: (estimate.files > 0).then_some(estimate.files),
            // An environment is an estimate until it is resolved, though it takes nothing itself.
            estimated: estimate != Estimate::default() || facts.part == Part::Whole,
            ..Step::new(&from.id, from.phase, from.title.clone(), action)
        };
        if step.root {
            self.judge_root(&mut step, facts.apt, recipe.left_out(self));
        }
        self.judge(from, recipe, &mut step);
        Some(step)
    }

    /// Leaves the step out or blocks it, where the machine or the choices say so.
    fn judge(&self, from: &ProfileStep, recipe: &dyn Recipe, step: &mut Step) {
        if self.profile.hosted && step.part().is_content() {
            step.skip(message!("the notebook does it, in its session there"));
        }
        if step.status == Status::Needed {
            match &from.wsl {
                Some(instead) if self.is_wsl() => {
                    step.skip(message!("in WSL this is Windows' business"));
                    step.remedy = Some(instead.clone());
                }
                _ => recipe.judge(self, step),
            }
        }
        if step.status == Status::Needed
            && let Some((why, remedy)) =
                unmet(self.machine, &from.requires).or_else(|| self.other_framework(from))
        {
            step.block(why, remedy);
        }
    }

    /// What a step says where it goes with another framework than the chosen one.
    fn other_framework(&self, from: &ProfileStep) -> Option<(Message, Message)> {
        let (wanted, chosen) = (from.requires.framework.as_ref()?, &self.choices.framework);
        let with = from.with.as_deref().unwrap_or(&from.id);
        let remedy = message!("add --framework {wanted}, or leave out --with {with}");
        (wanted != chosen)
            .then(|| (message!("it goes with {wanted}, and {chosen} is chosen"), remedy))
    }

    /// Leaves a step of root's out or blocks it, where that cannot be or is not wished.
    fn judge_root(&self, step: &mut Step, apt: bool, left_out: Option<Message>) {
        let machine = self.machine;
        let os = &machine.os;
        if self.choices.user_only {
            step.skip(message!("left out by --user-only"));
        } else if let Some(why) = left_out {
            step.skip(why);
        } else if apt && !machine.tools.contains_key("apt-get") {
            step.block(
                message!("{} has no apt", os.name),
                message!(
                    "install Python 3.10 to 3.14 with its own package manager, then add --user-only"
                ),
            );
        } else if apt && past_support(machine, self.catalog) {
            let end = os.end_of_support.as_deref().unwrap_or_default();
            step.block(
                message!("{} is past its support, which ended on {end}: no security fixes come any more", os.name),
                message!("upgrade to a release that is supported (Ubuntu 24.04 or 26.04, Debian 13), or add --user-only"),
            );
        } else if !machine.privilege.root && machine.privilege.sudo == Sudo::No {
            let why = machine.privilege.why.clone();
            let why = why.unwrap_or_else(|| message!("this user may not use sudo"));
            step.block(message!("it needs root, and {why}"), way_to_root(&machine.privilege));
        }
    }
}

/// What opens the way where `sudo` does not work for this user as it should.
fn way_to_root(privilege: &Privilege) -> Message {
    if privilege.wants_terminal {
        return message!("run it at a terminal, or add --user-only");
    }
    match privilege.only[..] {
        [] => message!("ask an administrator to run the commands shown, or add --user-only"),
        _ => message!(
            "run those of the commands shown that sudo lets you run, ask an administrator for the others, then run it \
             again; or add --user-only"
        ),
    }
}
