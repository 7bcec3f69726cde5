//! What the steps that install with apt have in common: they do what the plan shows and nothing else, and what they
//! are about to bring is noted before they bring it.

use aitk_system::{Message, message};
use std::collections::BTreeMap;

use aitk_plan::step::AptLists;
use aitk_plan::{Plan, Status, Step};

use super::{ReceiptEntry, Work};
use crate::apt::{self, Changes, DpkgPackage, PackageUpgrade, Simulation};
use crate::context::Context;
use crate::error::ExecError;
use crate::receipt::Provenance;

pub(super) fn is_installed(packages: &BTreeMap<String, DpkgPackage>, name: &str) -> bool {
    packages.get(name).is_some_and(|package| package.state == "installed")
}

/// A step with what apt would do. Where the plan shows no removal, apt itself refuses one.
pub(super) fn exact(
    cx: &Context<'_>,
    words: &[String],
    simulation: Simulation,
    step: &Step,
) -> Step {
    let mut why = step.why.clone();
    if !simulation.removes.is_empty() {
        why.push(message!("apt removes for it: {}", simulation.removes.join(", ")));
    }
    Step {
        why,
        commands: vec![cx.typed(&apt::command(cx.system, &guarded(words, &simulation.removes)))],
        packages: simulation.packages,
        removes: simulation.removes,
        download: Some(simulation.download),
        disk: Some(simulation.disk),
        estimated: false,
        ..step.clone()
    }
}

/// What apt says before its lists are refreshed is as good as they are.
pub(super) fn lists_are_old(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| step.is::<AptLists>() && step.status == Status::Needed)
}

/// The words for apt, which may remove nothing unless something is to be removed.
pub(super) fn guarded(words: &[String], removes: &[String]) -> Vec<String> {
    let guard = removes.is_empty().then(|| "--no-remove".to_owned());
    guard.into_iter().chain(words.iter().cloned()).collect()
}

/// Lets apt do what the plan shows.
///
/// What is not there yet is noted first, so that a run that is killed still knows afterwards what it had brought.
pub(super) fn carry_out(
    cx: &Context<'_>,
    work: &Work<'_>,
    words: &[String],
) -> Result<Vec<ReceiptEntry>, ExecError> {
    let Work { step, reporter, log, .. } = work;
    let command = apt::command(cx.system, &guarded(words, &step.removes));
    let run = || apt::run(cx.system, &command, cx.lock_wait, &step.id, *reporter, log);
    if cx.dry {
        run()?;
        return Ok(Vec::new());
    }
    // Whoever holds the locks changes what apt would do.
    apt::wait_for_locks(cx.system, cx.lock_wait, &step.id, *reporter)?;
    let changes = cx.apt.changes(cx.system, step, words)?;
    as_planned(step, &changes)?;
    let before = apt::installed(cx.system)?;
    let new = changes.installs.iter().map(|change| change.name.as_str());
    let new: Vec<_> = new.filter(|name| !is_installed(&before, name)).collect();
    cx.note(&step.id, new.iter().map(|name| entry(name, None)));
    cx.save_receipt()?;
    let result = run();
    let after = apt::installed(cx.system)?;
    let gone = |name: &str| after.get(name).is_none_or(|package| package.state == "config-files");
    for name in new.into_iter().filter(|name| gone(name)) {
        cx.memo().receipt.objects.remove(&key(name));
    }
    result?;
    let brought = |name: &&String| is_installed(&after, name) && !is_installed(&before, name);
    let version = |name: &String| after.get(name).map(|package| package.version.clone());
    Ok(after.keys().filter(brought).map(|name| entry(name, version(name))).collect())
}

fn key(name: &str) -> String {
    format!("apt:{name}")
}

fn entry(name: &str, version: Option<String>) -> ReceiptEntry {
    ReceiptEntry { key: key(name), provenance: Provenance::Created, detail: version }
}

/// A package that was there before.
pub(super) fn found(name: &str, packages: &BTreeMap<String, DpkgPackage>) -> Option<ReceiptEntry> {
    let package = packages.get(name).filter(|package| package.state == "installed")?;
    let detail = Some(package.version.clone());
    Some(ReceiptEntry { key: key(name), provenance: Provenance::Found, detail })
}

/// apt must do just what the plan shows. The root lane has changed the system since the plan was made, so what an
/// earlier step has done meanwhile may be left out, but nothing may be new.
fn as_planned(step: &Step, changes: &Changes) -> Result<(), ExecError> {
    let refuse = |what: Message| {
        let reason = message!("it would now also {what}, which the plan does not show");
        Err(ExecError::AptMissing { reason })
    };
    if let Some(name) = changes.removes.iter().find(|name| !step.removes.contains(name)) {
        return refuse(message!("remove {name}"));
    }
    let planned = |change: &&PackageUpgrade| {
        step.packages.iter().any(|p| p.name == change.name && p.version == change.version)
    };
    match changes.installs.iter().find(|change| !planned(change)) {
        // Without any list of packages there was nothing to show.
        Some(change) if !step.packages.is_empty() => {
            refuse(message!("install {} {}", change.name, change.version))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use aitk_plan::step::AptUpgrade;
    use aitk_plan::{Package, Phase};

    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::testing::Machine;

    fn step(packages: &[(&str, &str)], removes: &[&str]) -> Step {
        let package = |(name, version): &(&str, &str)| Package {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            ..Package::default()
        };
        Step {
            packages: packages.iter().map(package).collect(),
            removes: removes.iter().map(|name| (*name).to_owned()).collect(),
            ..Step::new("system.tools", Phase::System, "", AptUpgrade {}.into())
        }
    }

    fn changes(installs: &[(&str, &str)], removes: &[&str]) -> Changes {
        let change = |(name, version): &(&str, &str)| PackageUpgrade {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
        };
        Changes {
            installs: installs.iter().map(change).collect(),
            removes: removes.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn refusal(step: &Step, changes: &Changes) -> Option<String> {
        as_planned(step, changes).err().map(|error| error.to_string())
    }

    #[test]
    fn apt_may_do_less_than_the_plan_shows_and_nothing_else() {
        let planned = step(&[("git", "1"), ("curl", "2")], &["old"]);
        assert_eq!(refusal(&planned, &changes(&[("git", "1")], &[])), None);
        assert_eq!(refusal(&planned, &changes(&[("git", "1")], &["old"])), None);
        let said = refusal(&planned, &changes(&[("git", "2")], &[])).unwrap();
        assert!(said.contains("install git 2"), "{said}");
        let said = refusal(&planned, &changes(&[("git", "1")], &["mailer"])).unwrap();
        assert!(said.contains("remove mailer"), "{said}");
    }

    #[test]
    fn what_apt_has_said_of_this_state_is_not_asked_again() {
        let ran = |said: &str| serde_json::json!({ "status": 0, "stdout": said, "stderr": "" });
        let answers = serde_json::json!({ "commands": {
            "LC_ALL=C apt-get -s -qq install curl": ran("Inst curl (8 Debian:12/stable [amd64])\n"),
            "LC_ALL=C apt-get -y --print-uris -qq install curl": ran(""),
            "LC_ALL=C apt-cache show -- curl=8": ran(""),
        } });
        let machine = Machine::new(&answers.to_string());
        machine.file("/var/lib/dpkg/status", "");
        machine.file("/var/lib/apt/lists/x_Packages", "");
        machine.with(Receipt::default(), |cx| {
            let words = |package: &str| ["install".to_owned(), package.to_owned()];
            let simulation = cx.apt.simulate(cx.system, &words("curl")).unwrap();
            let planned = Step { packages: simulation.packages, ..step(&[], &[]) };
            // Of these words nothing is recorded.
            let said = cx.apt.changes(cx.system, &planned, &words("curl=8")).unwrap();
            assert_eq!(said, changes(&[("curl", "8")], &[]));
            machine.file("/var/lib/dpkg/status", "Package: a\n");
            assert!(cx.apt.changes(cx.system, &planned, &words("curl=8")).is_err());
        });
    }

    #[test]
    fn without_lists_packages_may_come_but_none_may_go() {
        assert_eq!(refusal(&step(&[], &[]), &changes(&[("git", "1")], &[])), None);
        assert!(refusal(&step(&[], &[]), &changes(&[], &["mailer"])).is_some());
    }

    #[test]
    fn apt_itself_refuses_removals_that_the_plan_does_not_show() {
        let words = ["install".to_owned()];
        assert_eq!(guarded(&words, &[]), ["--no-remove", "install"]);
        assert_eq!(guarded(&words, &["old".to_owned()]), ["install"]);
    }
}
