//! `aitk upgrade`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use aitk_env::Environments;
use aitk_exec::{Journal, Waiting, waiting};
use aitk_plan::{Lock, Manager, Part, Plan, Status, Totals};
use aitk_system::{Deny, listen_for_interrupts, message};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Common, Upgrade};
use crate::changes::{PackageChange, Version};
use crate::error::CliError;
use crate::output::{CARE, Console, Diagnostic, GOOD, HEAD, styled};
use crate::progress::Progress;
use crate::run::{confirm, finish, refuse_blocked, remember, take_turn};
use crate::session::{Ask, Local, Session};
use crate::words::said;

/// How many packages of the system are named.
const NAMED: usize = 20;

/// What is newer, as it is shown before it is done.
#[derive(Serialize, JsonSchema)]
pub struct UpgradeReport<'a> {
    /// The environment.
    env: &'a str,
    /// Who installs it.
    manager: Manager,
    /// What becomes of its packages.
    changes: &'a [PackageChange],
    /// Packages of the system that have an upgrade waiting: `apply` brings them.
    system: &'a [Waiting],
    /// What it takes.
    totals: Totals,
    /// Whether it is only shown.
    dry_run: bool,
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &Upgrade,
    output: &Console,
) -> Result<ExitCode, CliError> {
    listen_for_interrupts().map_err(CliError::io_of(message!("the signals")))?;
    let session = Session::open(local, common)?.anew();
    let mut request = session.applied(&args.which.env)?;
    session.set_cutoff(&mut request);
    let (prepared, mut plan) = session.prepare(request.into(), None, Ask::Sources)?;
    let hold = if args.dry_run { None } else { Some(take_turn(&session)?) };
    let progress = Progress::new(common.progress, output).asking(args.yes, false);
    let deny = Deny(Arc::clone(local));
    let mut context = prepared.context(&deny, None);
    context.fresh = true;
    let spinner = progress.spinner(message!("asking the package sources for what is newer …"));
    aitk_exec::survey(&context, &mut plan, true)?;
    drop(spinner);
    // The system's own packages are `apply`'s.
    for step in plan.steps.iter_mut().filter(|step| step.root && step.status == Status::Needed) {
        step.skip(message!("`aitk apply` looks after the system's packages"));
    }
    plan.add_up();
    let changes = changes(&session, &plan, &args.which.env);
    let system = waiting(&*session.system);
    let (env, dry_run) = (args.which.env.as_str(), args.dry_run);
    let (manager, totals) = (plan.manager, plan.totals);
    let data = UpgradeReport { env, manager, changes: &changes, system: &system, totals, dry_run };
    if !output.json {
        show_system(&system, output);
        plan.choices.cutoff().into_iter().for_each(|cutoff| output.say(cutoff.to_message()));
    }
    if changes.is_empty() {
        output.result(&data, Vec::new(), || {
            message!(
                "{} Nothing newer: every package is the newest that goes with the others.",
                styled(GOOD, "✓")
            )
        });
        return Ok(ExitCode::SUCCESS);
    }
    if !output.json {
        show_changes(&changes, &plan, output);
    }
    if args.dry_run {
        let diagnostics = plan.warnings.iter().map(Diagnostic::from).collect();
        output.result(&data, diagnostics, || message!("Nothing was changed: this was a dry run."));
        return Ok(ExitCode::SUCCESS);
    }
    refuse_blocked(&plan, &session.machine)?;
    confirm(args.yes, message!("\nGo ahead? [Y/n] "), true)?;
    let receipt = remember(&session, &prepared.request)?;
    let mut context = prepared.context_since(&**local, None, receipt);
    context.fresh = true;
    let journal = Journal::begin(&session.machine.folders.state, &**local);
    let summary = aitk_exec::apply(&context, plan, &journal, &progress)?;
    drop(hold);
    finish(summary, output)
}

fn show_changes(changes: &[PackageChange], plan: &Plan, output: &Console) {
    output.say(changes.iter().map(PackageChange::show).collect::<String>().trim_end());
    let to_do = styled(HEAD, said(message!("To do:")));
    output.say(format!("{to_do} {}", said(plan.totals.to_string())));
    output.warn(&plan.warnings);
}

fn show_system(system: &[Waiting], output: &Console) {
    if !system.is_empty() {
        output.say(waiting_told(system));
    }
}

/// What the system itself has waiting, which `apply` brings; fixes for security first.
fn waiting_told(system: &[Waiting]) -> String {
    let (fixes, others): (Vec<_>, Vec<_>) = system.iter().partition(|one| one.security);
    let mut lines = vec![said(message!(
        "Packages of the system have upgrades waiting, which `aitk apply` brings: {}, {} of them for security",
        system.len(),
        fixes.len()
    ))];
    for one in fixes.iter().chain(&others).take(NAMED) {
        let Waiting { name, before, after, security } = one;
        let mark = if *security { said(message!("for security")) } else { String::new() };
        let before = before.as_deref().unwrap_or_default();
        let name = format!("{name:28}");
        let line = format!("  {} {name} {before} → {after}  {mark}", styled(CARE, "~"));
        lines.push(line.trim_end().to_owned());
    }
    if system.len() > NAMED {
        lines.push(said(message!("  and {} more", system.len() - NAMED)));
    }
    lines.join("\n")
}

/// The difference between what is there and what the plan has found, in both environments.
fn changes(session: &Session, plan: &Plan, env: &str) -> Vec<PackageChange> {
    let mut all = differences(session, plan, env, Part::is_content);
    all.extend(differences(session, plan, "base", |part| part == Part::Manager));
    all
}

fn differences(
    session: &Session,
    plan: &Plan,
    env: &str,
    is_of_it: impl Fn(Part) -> bool,
) -> Vec<PackageChange> {
    let steps = || plan.steps.iter().filter(|step| is_of_it(step.part()));
    let current = Environments::new(&session.settings.data, env).current(&*session.system);
    let lock: Option<Lock> =
        current.and_then(|(generation, _)| generation.lock(&*session.system).ok());
    if !steps().any(|step| step.status == Status::Needed) {
        return Vec::new();
    }
    let before = lock.iter().flat_map(Lock::packages).map(|one| Version::of(&one.package, None));
    let after = steps().flat_map(|step| &step.packages).map(|one| Version::of(one, one.size));
    let (before, after): (BTreeMap<_, _>, BTreeMap<_, _>) = (before.collect(), after.collect());
    PackageChange::between(env, &before, &after)
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay, System};

    use super::*;
    use crate::output::tests::{HOSTILE, harmless};

    #[test]
    fn what_apt_says_is_shown_and_acts_on_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let lines = format!(
            "Inst bash{HOSTILE} [5.2{HOSTILE}] (5.3{HOSTILE} Debian-Security:13/stable-security [amd64])\nInst zsh (1 x)\n"
        );
        let said = serde_json::json!({ "status": 0, "stdout": lines, "stderr": "" });
        let answers = serde_json::json!({
            "schema": 1,
            "which": { "apt-get": "/usr/bin/apt-get" },
            "commands": { "LC_ALL=C apt-get -s -qq upgrade --with-new-pkgs": said },
        });
        let path = folder.path().join("answers.json");
        Real.write(&path, answers.to_string().as_bytes(), 0o644).unwrap();
        let system = waiting(&Replay::open(folder.path()).unwrap());
        assert_eq!(system.len(), 2);
        let shown = harmless(&waiting_told(&system));
        assert_eq!(shown.lines().count(), 3, "{shown}");
        // The name and the version that comes; what is there ends at the first bracket, which is a stranger's.
        assert_eq!(shown.matches("\\u{1b}[2J").count(), 2, "{shown}");
    }
}
