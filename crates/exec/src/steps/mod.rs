//! The kinds of step, one file each.

mod activate;
mod apt_change;
mod apt_lists;
mod apt_packages;
mod apt_repair;
mod apt_source;
mod apt_upgrade;
mod base;
mod check;
mod container_gpu;
mod environment;
mod groups;
mod kernelspec;
mod layer;
mod login;
mod own;
mod restart;
mod root;
mod shell_file;
mod shell_init;
mod swap_file;
mod system_file;
#[cfg(test)]
pub(crate) mod testing;
mod undo;
mod uv;

use std::path::{Path, PathBuf};

use aitk_env::{Addition, Depth, EnvError};
use aitk_plan::{Accelerator, Action, FrameworkPlan, Plan, Step, Warning};
use aitk_system::{Message, Permit, System};
use sha2::{Digest, Sha256};

pub(crate) use apt_source::own_sources;
pub(crate) use base::resolve as resolve_base;
pub(crate) use container_gpu::CDI;
pub(crate) use environment::{as_built, for_the_person, resolve as resolve_environment};
pub(crate) use groups::may_come as group_may_come;
pub(crate) use kernelspec::{kept_kernel, kernel_of_others, kernel_python};
pub(crate) use restart::boot_id;
pub(crate) use shell_file::shell_files;
pub(crate) use shell_init::{Cleared, cleared, is_marked};
pub use undo::Undo;
pub(crate) use undo::undo;

use crate::context::Context;
use crate::error::ExecError;
use crate::receipt::Made;
use crate::report::Reporter;

/// Whether a step holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Check {
    /// It does.
    Holds,
    /// It does not; what is wrong, one text for each fault.
    Missing(Vec<Message>),
}

impl Check {
    pub fn missing(what: impl Into<Message>) -> Self {
        Self::Missing(vec![what.into()])
    }
}

/// What resolving a step makes known: steps to put in place of those with the same ids, and what came with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exact {
    pub steps: Vec<Step>,
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

/// What a kind of step can do.
pub(crate) trait Kind: Sync {
    /// Whether the step holds: quick, without privileges, changing nothing.
    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Check, ExecError>;

    /// What it will do, exactly: commands, packages, sizes. Asks sources, changes nothing but caches.
    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError>;

    /// Makes it true.
    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError>;

    /// What of its own is there once it holds, as far as it can be told to be aitk's: a run that was killed may have
    /// made it and not noted it.
    fn own(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Vec<Made> {
        own::of_environments(cx, plan, step)
    }

    /// What somebody has put beside what it has made, and changes what runs there.
    fn additions(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Result<Vec<Addition>, ExecError> {
        Ok(Vec::new())
    }

    /// Whether it holds, looked at as closely as asked.
    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        _depth: Depth,
    ) -> Result<Check, ExecError> {
        self.check(cx, plan, step)
    }
}

/// The behaviour of a step.
pub(crate) fn kind(action: &Action) -> &'static dyn Kind {
    match action {
        Action::AptRepair => &apt_repair::AptRepair,
        Action::AptLists { .. } => &apt_lists::AptLists,
        Action::AptUpgrade => &apt_upgrade::AptUpgrade,
        Action::AptPackages { .. } => &apt_packages::AptPackages,
        Action::AptSource(_) => &apt_source::AptSource,
        Action::SystemFile { .. } => &system_file::SystemFile,
        Action::Groups { .. } => &groups::Groups,
        Action::Login { .. } => &login::Login,
        Action::Restart { .. } => &restart::Restart,
        Action::SwapFile { .. } => &swap_file::SwapFile,
        Action::ContainerGpu => &container_gpu::ContainerGpu,
        Action::Uv => &uv::Uv,
        Action::Base { .. } => &base::Base,
        Action::ShellInit => &shell_init::ShellInit,
        Action::Environment { .. } => &environment::Environment,
        Action::Layer { .. } => &layer::Layer,
        Action::Activate => &activate::Activate,
        Action::Kernelspec { .. } => &kernelspec::Kernelspec,
        Action::Check { .. } => &check::Proof,
    }
}

/// Whether this system lets something happen that it does not do itself; a dry run does not.
pub(crate) fn may_change(cx: &Context<'_>, what: &Message) -> Result<Permit, ExecError> {
    let path = cx.settings.cache.clone();
    Ok(cx.system.permit(what).map_err(|source| EnvError::Io { path, source })?)
}

/// The same for downloads.
pub(crate) fn may_download(cx: &Context<'_>, what: &Message) -> Result<bool, ExecError> {
    Ok(may_change(cx, what)? == Permit::Granted)
}

/// The SHA-256 of a file, by which it is told later whether it still is as it was made.
pub(crate) fn hash(path: &Path, system: &dyn System) -> Option<String> {
    Some(hash_of(&system.read(path).ok()?))
}

pub(crate) fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
