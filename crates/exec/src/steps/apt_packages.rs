//! Packages of the distribution are installed.

use std::collections::BTreeMap;

use aitk_plan::{Action, Package, Plan, Step};
use aitk_system::RunError;

use super::{Check, Exact, Kind, Made, Work};
use crate::apt::{self, Change, Installed, Simulation};
use crate::context::Context;
use crate::error::ExecError;
use crate::receipt::Provenance;

pub(super) struct AptPackages;

fn wanted(step: &Step) -> &[String] {
    match &step.action {
        Action::AptPackages { packages } => packages,
        _ => &[],
    }
}

fn is_installed(packages: &BTreeMap<String, Installed>, name: &str) -> bool {
    packages.get(name).is_some_and(|package| package.state == "installed")
}

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

impl Kind for AptPackages {
    fn check(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Check, ExecError> {
        let installed = apt::installed(cx.system)?;
        let missing: Vec<_> = wanted(step)
            .iter()
            .filter(|name| !is_installed(&installed, name))
            .map(|name| format!("{name} is not installed"))
            .collect();
        Ok(if missing.is_empty() { Check::Holds } else { Check::Missing(missing) })
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let installed = apt::installed(cx.system)?;
        let missing: Vec<_> =
            wanted(step).iter().filter(|name| !is_installed(&installed, name)).collect();
        let unpinned = Step { packages: Vec::new(), ..step.clone() };
        let words_now = words(&unpinned, &missing);
        // Together with what earlier steps bring, so that nothing is counted twice.
        let mut together = missing_before(plan, step, &installed);
        together.extend(&missing);
        let simulation = match apt::simulate(cx, &words(&unpinned, &together)) {
            // There are no lists yet, or this is a recorded machine: the names are all that is known.
            Err(ExecError::AptMissing { .. } | ExecError::Run(RunError::NotRecorded { .. })) => {
                let commands = vec![cx.typed(&apt::command(cx.system, &words_now))];
                return Ok(Exact::one(Step { commands, estimated: true, ..unpinned }));
            }
            simulation => simulation?,
        };
        let before = earlier(cx, plan, step, &installed)?;
        let new = |package: &Package| !before.packages.contains(package);
        let exact = Step {
            packages: simulation.packages.into_iter().filter(new).collect(),
            download: Some(simulation.download.saturating_sub(before.download)),
            disk: Some(simulation.disk.saturating_sub(before.disk)),
            estimated: false,
            ..step.clone()
        };
        let commands = vec![cx.typed(&apt::command(cx.system, &words(&exact, &missing)))];
        Ok(Exact::one(Step { commands, ..exact }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let before = apt::installed(cx.system)?;
        let missing: Vec<_> =
            wanted(work.step).iter().filter(|name| !is_installed(&before, name)).collect();
        let words = words(work.step, &missing);
        same_as_planned(cx, work.step, &words)?;
        let command = apt::command(cx.system, &words);
        apt::run(cx.system, &command, cx.lock_wait, &work.step.id, work.reporter, &work.log)?;
        let after = apt::installed(cx.system)?;
        let made = |name: &String, provenance| Made {
            key: format!("apt:{name}"),
            provenance,
            detail: after.get(name).map(|package| package.version.clone()),
        };
        let created =
            after.keys().filter(|name| is_installed(&after, name) && !is_installed(&before, name));
        let found = wanted(work.step).iter().filter(|name| is_installed(&before, name));
        Ok(created
            .map(|name| made(name, Provenance::Created))
            .chain(found.map(|name| made(name, Provenance::Found)))
            .collect())
    }
}

/// What the steps before this one bring, of what is not there yet.
fn missing_before<'a>(
    plan: &'a Plan,
    step: &Step,
    installed: &BTreeMap<String, Installed>,
) -> Vec<&'a String> {
    plan.steps
        .iter()
        .take_while(|earlier| earlier.id != step.id)
        .flat_map(wanted)
        .filter(|name| !is_installed(installed, name))
        .collect()
}

/// What apt would do for the steps before this one.
fn earlier(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    installed: &BTreeMap<String, Installed>,
) -> Result<Simulation, ExecError> {
    let missing = missing_before(plan, step, installed);
    if missing.is_empty() {
        return Ok(Simulation::default());
    }
    apt::simulate(cx, &words(&Step { packages: Vec::new(), ..step.clone() }, &missing))
}

/// apt must do just what the plan shows. The root lane has changed the system since the plan was made, so packages
/// that an earlier step has brought meanwhile may be left, but nothing may be new.
fn same_as_planned(cx: &Context<'_>, step: &Step, words: &[String]) -> Result<(), ExecError> {
    if step.packages.is_empty() {
        return Ok(());
    }
    let planned = |change: &Change| {
        step.packages.iter().any(|p| p.name == change.name && p.version == change.version)
    };
    match apt::changes(cx.system, words)?.iter().find(|change| !planned(change)) {
        None => Ok(()),
        Some(Change { name, version }) => Err(ExecError::AptMissing {
            reason: format!(
                "it would now also install {name} {version}, which the plan does not show"
            ),
        }),
    }
}
