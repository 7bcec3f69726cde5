//! Packages of the distribution are installed.

use std::collections::BTreeMap;

use aitk_env::EnvError;
use aitk_plan::step::{AptPackages, Payload};
use aitk_plan::{Package, Plan, Step};
use aitk_system::{Failure, RunError, message};

use super::apt_change::{self, is_installed};
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work};
use crate::apt::{self, DpkgPackage, Simulation};
use crate::context::Context;
use crate::error::ExecError;

/// `install`, with the versions that were resolved.
fn words(step: &Step, missing: &[&String]) -> Vec<String> {
    let mut words =
        vec!["install".to_owned(), "--no-install-recommends".to_owned(), "--".to_owned()];
    words.extend(missing.iter().map(|name| {
        let resolved = step.packages.iter().find(|package| package.name == **name);
        resolved.map_or_else(|| (*name).clone(), |package| format!("{name}={}", package.version))
    }));
    words
}

impl Ensure for AptPackages {
    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let installed = cx.apt.installed(cx.system)?;
        let missing: Vec<_> = self
            .packages
            .iter()
            .filter(|name| !is_installed(&installed, name))
            .map(|name| message!("{name} is not installed"))
            .collect();
        Ok(CheckOutcome::of(missing))
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let installed = cx.apt.installed(cx.system)?;
        let missing: Vec<_> =
            self.packages.iter().filter(|name| !is_installed(&installed, name)).collect();
        let unpinned = Step { packages: Vec::new(), ..step.clone() };
        let words_now = words(&unpinned, &missing);
        // Together with what earlier steps bring, so that nothing is counted twice.
        let mut together = missing_before(plan, step, &installed);
        together.extend(&missing);
        let Some(simulation) = simulated(cx, &words(&unpinned, &together))? else {
            let words = apt_change::guarded(&words_now, &[]);
            let commands = vec![cx.typed(&apt::command(cx.system, &words))];
            return Ok(Exact::one(Step { commands, estimated: true, ..unpinned }));
        };
        let before = earlier(cx, plan, step, &installed)?;
        let new = |package: &Package| !before.packages.contains(package);
        let goes = |name: &String| !before.removes.contains(name);
        let own = Simulation {
            packages: simulation.packages.into_iter().filter(new).collect(),
            removes: simulation.removes.into_iter().filter(goes).collect(),
            download: simulation.download.saturating_sub(before.download),
            disk: simulation.disk.saturating_sub(before.disk),
        };
        let pinned = words(&Step { packages: own.packages.clone(), ..step.clone() }, &missing);
        Ok(Exact::one(apt_change::exact(cx, &pinned, own, step)))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let before = apt::installed(cx.system)?;
        let missing: Vec<_> =
            self.packages.iter().filter(|name| !is_installed(&before, name)).collect();
        let brought = apt_change::carry_out(cx, work, &words(work.step, &missing))?;
        let found = self.packages.iter().filter_map(|name| apt_change::found(name, &before));
        Ok(brought.into_iter().chain(found).collect())
    }

    /// What a run that was killed had brought is in the receipt already.
    fn own(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let installed = cx.apt.installed(cx.system).unwrap_or_default();
        self.packages.iter().filter_map(|name| apt_change::found(name, &installed)).collect()
    }

    fn guesses(&self, plan: &Plan) -> bool {
        apt_change::lists_are_old(plan)
    }

    /// Python and what it needs, pip, from which uv comes.
    fn brings(&self, error: &ExecError) -> bool {
        matches!(error, ExecError::Env(EnvError::NoUv { .. } | EnvError::NoPython))
    }
}

/// What apt would do; `None` where there are no lists yet, or on a recorded machine: the names are all that is known.
fn simulated(cx: &Context<'_>, words: &[String]) -> Result<Option<Simulation>, ExecError> {
    if apt::has_no_lists(cx.system) {
        return Ok(None);
    }
    match cx.apt.simulate(cx.system, words) {
        Err(
            ExecError::AptMissing { .. }
            | ExecError::System(Failure::Run(RunError::NotRecorded { .. })),
        ) => Ok(None),
        simulation => simulation.map(Some),
    }
}

/// What the steps before this one bring, of what is not there yet.
fn missing_before<'a>(
    plan: &'a Plan,
    step: &Step,
    installed: &BTreeMap<String, DpkgPackage>,
) -> Vec<&'a String> {
    plan.steps
        .iter()
        .take_while(|earlier| earlier.id != step.id)
        .filter_map(|step| AptPackages::of(&step.action))
        .flat_map(|earlier| &earlier.packages)
        .filter(|name| !is_installed(installed, name))
        .collect()
}

/// What apt would do for the steps before this one.
fn earlier(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    installed: &BTreeMap<String, DpkgPackage>,
) -> Result<Simulation, ExecError> {
    let missing = missing_before(plan, step, installed);
    if missing.is_empty() {
        return Ok(Simulation::default());
    }
    cx.apt.simulate(cx.system, &words(&Step { packages: Vec::new(), ..step.clone() }, &missing))
}
