//! The kinds of step, one file each.

mod activate;
mod apt_change;
mod apt_lists;
mod apt_packages;
mod apt_repair;
mod apt_source;
mod apt_upgrade;
mod base;
mod building;
mod check;
mod container_gpu;
mod environment;
mod groups;
mod judgement;
mod judges;
mod kernelspec;
mod layer;
mod login;
mod masked_units;
mod own;
mod project;
mod push;
mod restart;
mod root;
mod service;
mod shell_file;
mod shell_init;
mod swap_file;
mod system_file;
#[cfg(test)]
pub(crate) mod testing;
mod unavailable;
mod undo;
mod uv;

use std::path::PathBuf;

use aitk_env::{Depth, EnvError};
use aitk_plan::{
    Accelerator, Action, EnvironmentPlan, FrameworkPlan, Plan, Status, Step, Warning,
    for_each_kind, step,
};
use aitk_system::{Command, Failure, Message, Permit, RunError, System};
use sha2::{Digest, Sha256};

pub(crate) use apt_source::own_sources;
pub(crate) use base::resolve as resolve_base;
pub(crate) use building::with_lock;
pub(crate) use environment::{as_built, resolve as resolve_environment};
pub use judgement::Remedy;
pub(crate) use judgement::{
    CheckOutcome, Lack, help_where_refused, in_the_way, lacks_as_a_whole, lacks_in, lacks_of,
    not_ours,
};
pub(crate) use kernelspec::{kept_kernel, kernel_python};
pub(crate) use masked_units::is_masked;
pub(crate) use restart::boot_id;
pub use service::{ENVIRONMENTS, ServiceState, refuse_in_use, service_states};
pub(crate) use service::{by_notes as service_notes, of_others as services_of_others};
pub(crate) use shell_init::{Cleared, cleared, is_marked};
pub(crate) use swap_file::is_marked as swap_is_marked;
pub use undo::Undo;
pub(crate) use undo::undo;

use crate::context::Context;
use crate::error::ExecError;
use crate::places::Thing;
use crate::receipt::{Receipt, ReceiptEntry};
use crate::report::Reporter;

/// What resolving a step makes known: steps to put in place of those with the same ids, and what came with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exact {
    pub steps: Vec<Step>,
    pub environment: Option<EnvironmentPlan>,
    pub framework: Option<FrameworkPlan>,
    pub accelerator: Option<Accelerator>,
    pub warnings: Vec<Warning>,
}

impl Exact {
    pub fn one(step: Step) -> Self {
        Self { steps: vec![step], ..Self::default() }
    }

    /// Puts what is known into a plan.
    pub fn fill(self, plan: &mut Plan) {
        for step in self.steps {
            if let Some(place) = plan.steps.iter_mut().find(|other| other.id == step.id) {
                *place = step;
            }
        }
        if let Some(environment) = self.environment {
            let its_name = |other: &&mut EnvironmentPlan| other.name == environment.name;
            if let Some(place) = plan.environments.iter_mut().find(its_name) {
                *place = environment;
            }
        }
        if self.framework.is_some() {
            plan.framework = self.framework;
        }
        if let Some(accelerator) = self.accelerator {
            plan.accelerator = accelerator;
        }
        for warning in self.warnings {
            plan.warn(warning);
        }
    }
}

/// A step while it is carried out.
pub(crate) struct Work<'a> {
    pub plan: &'a Plan,
    pub step: &'a Step,
    pub reporter: &'a dyn Reporter,
    /// Where what its commands print goes.
    pub log: PathBuf,
}

/// What a kind of step can do; its payload can.
pub(crate) trait Ensure: Sync {
    /// Whether the step holds: quick, without privileges, changing nothing.
    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<CheckOutcome, ExecError>;

    /// What it will do, exactly: commands, packages, sizes. Asks sources, changes nothing but caches.
    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError>;

    /// As much of that as can be told without asking any source.
    fn sketch(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Result<Exact, ExecError> {
        Ok(Exact::default())
    }

    /// Makes it true.
    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError>;

    /// What of its own is there once it holds, as far as it can be told to be aitk's: a run that was killed may have
    /// made it and not noted it.
    fn own(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        Vec::new()
    }

    /// Whether it holds, looked at as closely as asked.
    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        _depth: Depth,
    ) -> Result<CheckOutcome, ExecError> {
        if self.ages() { Ok(CheckOutcome::Holds) } else { self.check(cx, plan, step) }
    }

    /// What is so where it holds, as `verify` tells it: the title says what is done.
    fn verified(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Message;

    /// Whether it stops holding by itself, as time goes by: that is no damage, and `verify` does not look at it.
    fn ages(&self) -> bool {
        false
    }

    /// Whether it may not hold any more, though it does now, once the steps before it are done.
    fn reopens(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Result<bool, ExecError> {
        Ok(false)
    }

    /// Whether what it resolves to is an estimate as long as an earlier step of the plan is to be done.
    fn guesses(&self, _: &Plan) -> bool {
        false
    }

    /// Whether it brings what such an error says is missing.
    fn brings(&self, _: &ExecError) -> bool {
        false
    }

    /// Whether it asks in which start of the machine another step was carried out.
    fn counts_from(&self, _: &Step) -> bool {
        false
    }

    /// Notes that it holds, in this state of apt.
    fn settle(&self, _: &mut Receipt, _apt: Option<String>) {}

    /// How root takes back a thing of its making, of which this was noted; `None` for things of others. Made by steps of
    /// whatever plan, so there is no payload.
    fn undo(_: &Thing, _detail: Option<&str>, _: &dyn System) -> Option<TakenBack>
    where
        Self: Sized,
    {
        None
    }
}

/// The commands by which root takes something away, and what a person should know of what stays.
pub(crate) type TakenBack = (Vec<Command>, Option<Message>);

macro_rules! dispatch {
    (both: $($both:ident),+; plan: $($plan:ident),+; profile: $($profile:ident),+;) => {
        /// The behaviour of a step.
        pub(crate) fn behaviour(action: &Action) -> &dyn Ensure {
            match action {
                $(Action::$both(payload) => payload,)+
                $(Action::$plan(payload) => payload,)+
            }
        }

        /// How root takes back a thing of whichever kind of step.
        fn take_back(thing: &Thing, detail: Option<&str>, system: &dyn System) -> Option<TakenBack> {
            None$(.or_else(|| step::$both::undo(thing, detail, system)))+
                $(.or_else(|| step::$plan::undo(thing, detail, system)))+
        }
    };
}

for_each_kind!(dispatch);

/// Whether an earlier step of the plan brings what is missing now; of a recorded machine it is never known.
pub(crate) fn comes_later(plan: &Plan, error: &ExecError) -> bool {
    // What is blocked here an administrator may do.
    let open = |step: &&Step| matches!(step.status, Status::Needed | Status::Blocked);
    matches!(error, ExecError::System(Failure::Run(RunError::NotRecorded { .. })))
        || plan.steps.iter().filter(open).any(|step| behaviour(&step.action).brings(error))
}

/// Whether this system lets something happen that it does not do itself; a dry run does not.
pub(crate) fn may_change(cx: &Context<'_>, what: &Message) -> Result<Permit, ExecError> {
    let path = cx.settings.cache.clone();
    Ok(cx.system.permit(what).map_err(|source| EnvError::System(Failure::Io { path, source }))?)
}

/// The same for downloads.
pub(crate) fn may_download(cx: &Context<'_>, what: &Message) -> Result<bool, ExecError> {
    Ok(may_change(cx, what)? == Permit::Granted)
}

pub(crate) fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is noted of files until all is done: they may still say what was noted of them before.
pub(crate) fn with_what_was(cx: &Context<'_>, made: Vec<ReceiptEntry>) -> Vec<ReceiptEntry> {
    let known = cx.receipt().objects;
    let both = |mut made: ReceiptEntry| {
        let before = known.get(&made.key).and_then(|object| object.detail.clone());
        if let (true, Some(before), Some(new)) =
            (made.key.starts_with("file:"), before, &made.detail)
        {
            made.detail = Some(match before.split(' ').any(|hash| hash == new) {
                true => before,
                false => format!("{new} {before}"),
            });
        }
        made
    };
    made.into_iter().map(both).collect()
}
