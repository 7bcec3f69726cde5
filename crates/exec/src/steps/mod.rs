//! The kinds of step, one file each.

mod activate;
mod apt_change;
mod apt_lists;
mod apt_packages;
mod apt_repair;
mod apt_upgrade;
mod base;
mod check;
mod environment;
mod kernelspec;
mod layer;
mod own;
mod shell_init;
mod uv;

use std::path::{Path, PathBuf};

use aitk_env::EnvError;
use aitk_plan::{Accelerator, Action, FrameworkPlan, Plan, Step, Warning};
use aitk_system::Permit;

pub(crate) use base::resolve as resolve_base;
pub(crate) use environment::resolve as resolve_environment;
pub use kernelspec::kept_kernel;
pub use shell_init::without_init;

use crate::context::Context;
use crate::error::ExecError;
use crate::receipt::Provenance;
use crate::report::Reporter;

/// Whether a step holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Check {
    /// It does.
    Holds,
    /// It does not; what is wrong, one text for each fault.
    Missing(Vec<String>),
}

impl Check {
    pub fn missing(what: impl Into<String>) -> Self {
        Self::Missing(vec![what.into()])
    }
}

/// What resolving a step makes known: steps to put in place of those with the same ids, and what came with it.
#[derive(Debug, Default)]
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

/// A thing that a step made or found, for the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// `apt:curl`, `path:/…`
    pub key: String,
    pub provenance: Provenance,
    pub detail: Option<String>,
}

impl Made {
    pub fn path(path: &Path, detail: Option<String>) -> Self {
        Self { key: format!("path:{}", path.display()), provenance: Provenance::Created, detail }
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

    /// Whether it holds, looked at as closely as asked.
    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        _deep: bool,
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
        Action::AptSource(_)
        | Action::SystemFile { .. }
        | Action::Groups { .. }
        | Action::Login { .. }
        | Action::Restart { .. }
        | Action::SwapFile { .. }
        | Action::ContainerGpu => unreachable!("PLACEHOLDER"),
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

/// Whether this system lets downloads happen; a dry run does not.
pub(crate) fn may_download(cx: &Context<'_>, what: &str) -> Result<bool, ExecError> {
    let path = cx.settings.cache.clone();
    let permit = cx.system.permit(what).map_err(|source| EnvError::Io { path, source })?;
    Ok(permit == Permit::Granted)
}
