//! Packages of the distribution are installed.

use std::collections::BTreeMap;

use aitk_env::EnvError;
use aitk_plan::step::{AptPackages, Payload};
use aitk_plan::{Package, Plan, Step};
use aitk_system::{Failure, Message, RunError, message};

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
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("packages of the system that are there: {}", self.packages.join(", "))
    }

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
        // Older lists may have an older driver than what comes: what then comes is looked at before it is installed.
        if !apt_change::lists_are_old(plan) {
            can_be_built(cx, &own.packages)?;
        }
        let pinned = words(&Step { packages: own.packages.clone(), ..step.clone() }, &missing);
        Ok(Exact::one(apt_change::exact(cx, &pinned, own, step)))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        can_be_built(cx, &work.step.packages)?;
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

/// Looks whether dkms can build the driver among these packages for the kernel that runs: it would find out only when apt
/// sets them up, and leave them half-installed.
fn can_be_built(cx: &Context<'_>, packages: &[Package]) -> Result<(), ExecError> {
    let Some(kernel) = &cx.machine.kernel else { return Ok(()) };
    let is_built = |name: &str| name.starts_with("nvidia-") && name.contains("dkms");
    for Package { name, version, .. } in packages.iter().filter(|one| is_built(&one.name)) {
        // The driver's own version, without what Debian and Ubuntu put around it: `1:580.142-0ubuntu1`.
        let driver = version.rsplit(':').next().and_then(|rest| rest.split('-').next());
        if let Some(row) = cx.catalog.tables.nvidia().outgrown(driver.unwrap_or(version), kernel) {
            return Err(ExecError::DriverOutgrown {
                package: name.clone(),
                version: version.clone(),
                kernel: kernel.clone(),
                since: row.kernel.clone(),
                first: row.first.clone(),
            });
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use aitk_plan::step::AptLists;
    use aitk_plan::{Phase, Status};
    use serde_json::json;

    use super::*;
    use crate::context::no_log;
    use crate::receipt::Receipt;
    use crate::steps::behaviour;
    use crate::steps::testing::{Machine, Silent};

    /// A machine with this kernel, and what apt would do for a driver that is built on it, in the version that it has.
    fn machine(kernel: &str, driver: &str) -> Machine {
        let said = |stdout: String| json!({ "status": 0, "stdout": stdout, "stderr": "" });
        let install = "install --no-install-recommends -- nvidia-driver-580-open";
        let inst = |name: &str| format!("Inst {name} ({driver} Ubuntu:24.04/noble [amd64])\n");
        let installs = inst("nvidia-dkms-580-open") + &inst("nvidia-driver-580-open");
        let show = format!("nvidia-dkms-580-open={driver} nvidia-driver-580-open={driver}");
        let answers = json!({ "commands": {
            format!("LC_ALL=C apt-get -s -qq {install}"): said(installs),
            format!("LC_ALL=C apt-get -y --print-uris -qq {install}"): said(String::new()),
            format!("LC_ALL=C apt-cache show -- {show}"): said(String::new()),
        } });
        let machine = Machine::new(&answers.to_string());
        machine.file("/var/lib/dpkg/status", "");
        machine.file("/var/lib/apt/lists/x_Packages", "");
        machine.file("/proc/sys/kernel/osrelease", &format!("{kernel}\n"));
        machine
    }

    fn driver() -> Step {
        let packages = vec!["nvidia-driver-580-open".to_owned()];
        Step::new("accelerator.driver", Phase::System, "", AptPackages { packages }.into())
    }

    #[test]
    fn a_driver_that_cannot_be_built_for_the_kernel_is_refused_before_dkms_tries() {
        let step = driver();
        let refused = |kernel: &str, version: &str| {
            let machine = machine(kernel, version);
            match machine.resolve(&machine.plan(vec![step.clone()]), &step) {
                Err(ExecError::DriverOutgrown { package, first, .. }) => {
                    assert_eq!(package, "nvidia-dkms-580-open");
                    Some(first)
                }
                shown => {
                    assert_eq!(shown.unwrap().packages.len(), 2, "{kernel}, {version}");
                    None
                }
            }
        };
        let old = "580.126.18-0ubuntu0.24.04.1";
        assert_eq!(refused("6.17.0-14-generic", old), None);
        assert_eq!(refused("7.0.0-14-generic", old), Some("580.142".to_owned()));
        assert_eq!(refused("7.1.0-3-custom", old), Some("580.159.04".to_owned()));
        assert_eq!(refused("7.0.12-custom", "1:580.142-1"), None);
        assert_eq!(refused("7.1.0", "580.142-1"), Some("580.159.04".to_owned()));
        assert_eq!(refused("7.1.0", "580.178.04-0ubuntu1"), None);
    }

    /// What apt says before its lists are refreshed may be old: then what it says afterwards counts.
    #[test]
    fn what_old_lists_say_refuses_no_driver_and_what_then_comes_is_looked_at() {
        let step = driver();
        let lists =
            Step::new("system.lists", Phase::System, "", AptLists { max_age_hours: 1 }.into());
        let lists = Step { status: Status::Needed, ..lists };
        let machine = machine("7.0.0-14-generic", "580.126.18-0ubuntu0.24.04.1");
        let shown = machine.resolve(&machine.plan(vec![lists, step.clone()]), &step).unwrap();
        let plan = machine.plan(vec![shown.clone()]);
        let work = Work { plan: &plan, step: &shown, reporter: &Silent, log: no_log() };
        let applied =
            machine.with(Receipt::default(), |cx| behaviour(&shown.action).apply(cx, &work));
        let error = applied.unwrap_err();
        assert!(matches!(error, ExecError::DriverOutgrown { .. }), "{error:?}");
    }
}
