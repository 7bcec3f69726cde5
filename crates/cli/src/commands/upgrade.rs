//! `aitk upgrade`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use aitk_env::Environments;
use aitk_exec::Journal;
use aitk_plan::{Bytes, Lock, Part, Plan, Status};
use aitk_system::{Deny, listen_for_interrupts, message};
use serde_json::json;

use crate::args::{Common, Upgrade};
use crate::error::CliError;
use crate::output::{BAD, CARE, Diagnostic, GOOD, HEAD, Output, styled};
use crate::progress::Progress;
use crate::run::{confirm, finish, refuse_blocked, remember, take_turn};
use crate::session::{Ask, Local, Session};
use crate::words::said;

pub fn run(
    local: &Local,
    common: &Common,
    args: &Upgrade,
    output: &Output,
) -> Result<ExitCode, CliError> {
    listen_for_interrupts().map_err(CliError::io_of(message!("the signals")))?;
    let session = Session::open(local, common)?.anew();
    let request = session.applied(&args.which.env)?;
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
    let data = json!({ "env": args.which.env, "manager": plan.manager, "changes": changes.iter().map(Change::json).collect::<Vec<_>>(),
        "totals": plan.totals, "dry_run": args.dry_run });
    if changes.is_empty() {
        output.result("upgrade", &data, Vec::new(), || {
            message!(
                "{} Nothing newer: every package is the newest that goes with the others.",
                styled(GOOD, "✓")
            )
        });
        return Ok(ExitCode::SUCCESS);
    }
    if !output.json {
        output.say(changes.iter().map(Change::show).collect::<String>().trim_end());
        let to_do = styled(HEAD, said(message!("To do:")));
        output.say(format!("{to_do} {}", said(plan.totals.to_string())));
        output.warn(&plan.warnings);
    }
    if args.dry_run {
        let diagnostics = plan.warnings.iter().map(Diagnostic::from).collect();
        output.result("upgrade", &data, diagnostics, || {
            message!("Nothing was changed: this was a dry run.")
        });
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

/// What becomes of a package: its version before and after.
struct Change {
    /// The environment that it is in.
    env: String,
    name: String,
    before: Option<String>,
    after: Option<String>,
    size: Option<u64>,
}

impl Change {
    fn json(&self) -> serde_json::Value {
        json!({ "env": self.env, "name": self.name, "before": self.before, "after": self.after, "size": self.size })
    }

    fn show(&self) -> String {
        let size = self
            .size
            .map(|size| format!("  {}", said(Bytes(size).to_string())))
            .unwrap_or_default();
        let name = format!("{:28}", self.name);
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                format!("  {} {name} {before} → {after}{size}\n", styled(CARE, "~"))
            }
            (None, Some(after)) => format!("  {} {name} {after}{size}\n", styled(GOOD, "+")),
            (before, None) => {
                format!("  {} {name} {}\n", styled(BAD, "-"), before.clone().unwrap_or_default())
            }
        }
    }
}

/// The difference between what is there and what the plan has found, in both environments.
fn changes(session: &Session, plan: &Plan, env: &str) -> Vec<Change> {
    let mut all = differences(session, plan, env, Part::is_content);
    all.extend(differences(session, plan, "base", |part| part == Part::Manager));
    all
}

fn differences(
    session: &Session,
    plan: &Plan,
    env: &str,
    is_of_it: impl Fn(Part) -> bool,
) -> Vec<Change> {
    let steps = || plan.steps.iter().filter(|step| is_of_it(step.part()));
    let current = Environments::new(&session.settings.data, env).current(&*session.system);
    let lock: Option<Lock> =
        current.and_then(|(generation, _)| generation.lock(&*session.system).ok());
    if !steps().any(|step| step.status == Status::Needed) {
        return Vec::new();
    }
    let exact = |version: &str, build: &Option<String>| match build {
        Some(build) => format!("{version} {build}"),
        None => version.to_owned(),
    };
    let before: BTreeMap<String, String> = lock
        .iter()
        .flat_map(Lock::packages)
        .map(|locked| {
            (locked.package.name.clone(), exact(&locked.package.version, &locked.package.build))
        })
        .collect();
    let after: BTreeMap<String, (String, Option<u64>)> = steps()
        .flat_map(|step| &step.packages)
        .map(|package| {
            (package.name.clone(), (exact(&package.version, &package.build), package.size))
        })
        .collect();
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .map(|name| Change {
            env: env.to_owned(),
            name: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).map(|(version, _)| version.clone()),
            size: after.get(name).and_then(|(_, size)| *size),
        })
        .filter(|change| change.before != change.after)
        .collect()
}
