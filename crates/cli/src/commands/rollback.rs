//! `aitk rollback`

use std::process::ExitCode;
use std::sync::Arc;

use aitk_env::{Environments, Generation, GenerationRecord, add_again};
use aitk_exec::{Back, Journal, Receipt, back, env_flag};
use aitk_plan::{Plan, Request, Warning};
use aitk_system::{Deny, System, listen_for_interrupts, message};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Common, Rollback};
use crate::changes::PackageChange;
use crate::error::CliError;
use crate::output::{Console, DIM, Diagnostic, GOOD, styled};
use crate::progress::Progress;
use crate::run::{confirm, finish, refuse_blocked, take_turn};
use crate::session::{Ask, Local, Prepared, Session};
use crate::words::said;

/// The way back to another generation, as it is shown before it is gone.
#[derive(Serialize, JsonSchema)]
pub struct RollbackReport<'a> {
    /// The environment.
    env: &'a str,
    /// The generation in use; null where there is nothing to do.
    from: Option<String>,
    /// The one that is gone back to; null where there is nothing to do.
    to: Option<String>,
    /// What becomes of packages.
    changes: &'a [PackageChange],
    /// What the user had put into it.
    added: Vec<String>,
    /// Whether it is only shown.
    dry_run: bool,
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &Rollback,
    output: &Console,
) -> Result<ExitCode, CliError> {
    if common.machine.is_some() {
        return Err(CliError::Other(message!("`rollback` works on this machine only")));
    }
    listen_for_interrupts().map_err(CliError::io_of(message!("the signals")))?;
    // What the environment in use was built with says nothing of the one that is gone back to.
    let session = Session::open(local, common)?.anew();
    let hold = if args.dry_run { None } else { Some(take_turn(&session)?) };
    let (data, env) = (&session.settings.data, &args.which.env);
    let current = Environments::new(data, env).current(&**local);
    if current.is_none() && Environments::new(data, env).all(&**local).is_empty() {
        return Err(CliError::no_environment(env, false));
    }
    let Some(back) = back(&**local, data, env, args.generation.as_deref())? else {
        return Ok(already(env, output));
    };
    let request = earlier_request(&session, &back, env)?;
    let (prepared, mut plan) = session.prepare(request.into(), None, Ask::Nobody)?;
    warn(&back, current.as_ref(), &mut plan, &**local);
    back.narrow(&mut plan);
    let deny = Deny(Arc::clone(local));
    let mut context = prepared.context(&deny, None);
    context.back = Some(&back);
    aitk_exec::survey(&context, &mut plan, true)?;
    let before = current.as_ref().map(|(_, record)| record);
    let changes = PackageChange::of_records(env, before, &back.record);
    if !output.json {
        show(&back, &changes, &plan, &**local, output);
    }
    if args.dry_run {
        let data = planned(&back, current.as_ref(), &changes, env, &**local);
        let diagnostics = plan.warnings.iter().map(Diagnostic::from).collect();
        output.result(&data, diagnostics, || message!("Nothing was changed: this was a dry run."));
        return Ok(ExitCode::SUCCESS);
    }
    refuse_blocked(&plan, &session.machine)?;
    confirm(args.yes, message!("\nGo back to it? [Y/n] "), true)?;
    let receipt = take_the_request_along(&prepared)?;
    let progress = Progress::new(common.progress, output).asking(args.yes, false);
    let mut context = prepared.context_since(&**local, None, receipt);
    context.back = Some(&back);
    let journal = Journal::begin(&session.machine.folders.state, &**local);
    let summary = aitk_exec::apply(&context, plan, &journal, &progress)?;
    drop(hold);
    if summary.failure.is_none() && !output.json {
        in_use(&back, current.as_ref(), env, output);
    }
    finish(summary, output)
}

/// What would be done, for programs.
fn planned<'a>(
    back: &Back,
    before: Option<&(Generation, GenerationRecord)>,
    changes: &'a [PackageChange],
    env: &'a str,
    system: &dyn System,
) -> RollbackReport<'a> {
    RollbackReport {
        env,
        from: before.map(|(generation, _)| generation.folder()),
        to: Some(back.generation.folder()),
        changes,
        added: back.generation.added(system).iter().map(ToString::to_string).collect(),
        dry_run: true,
    }
}

/// Says what is in use now, and what goes forward again.
fn in_use(
    back: &Back,
    before: Option<&(Generation, GenerationRecord)>,
    env: &str,
    output: &Console,
) {
    let to = back.generation.folder();
    output.say(message!("{} {to} is in use.", styled(GOOD, "✓")));
    if let Some((before, _)) = before {
        let flag = env_flag(env);
        output.say(message!("`aitk rollback {}{flag}` goes forward again.", before.folder()));
    }
}

fn already(env: &str, output: &Console) -> ExitCode {
    let data = RollbackReport {
        env,
        from: None,
        to: None,
        changes: &[],
        added: Vec::new(),
        dry_run: false,
    };
    let text = message!("{} Nothing to do: that is the one in use.", styled(GOOD, "✓"));
    output.result(&data, Vec::new(), || text);
    ExitCode::SUCCESS
}

/// What was wished for when it was built. One of an older aitk does not say it: what was last wished for counts then.
fn earlier_request(session: &Session, back: &Back, env: &str) -> Result<Request, CliError> {
    let last = || session.receipt.environments.get(env);
    let wish = back.record.wish.as_ref().or_else(last).cloned();
    let request = wish.and_then(|wish| serde_json::from_value(wish).ok());
    request.ok_or_else(|| CliError::no_environment(env, false))
}

/// From now on what was wished for then is what is wished for, so that `apply` finds nothing to do.
fn take_the_request_along(prepared: &Prepared<'_>) -> Result<Receipt, CliError> {
    let Prepared { session, request, .. } = prepared;
    let mut receipt = session.receipt.clone();
    let env = request.choices.env.clone();
    receipt.request_again(&env, serde_json::to_value(request).unwrap_or_default());
    if receipt != session.receipt {
        receipt.save(&session.machine.folders.state, &*session.local)?;
    }
    Ok(receipt)
}

/// What a person should know before going back.
fn warn(
    back: &Back,
    current: Option<&(Generation, GenerationRecord)>,
    plan: &mut Plan,
    system: &dyn System,
) {
    let lost = current.map_or_else(Vec::new, |(current, _)| {
        current.lost(system, &back.record.versions(), &back.record.added)
    });
    if !lost.is_empty() {
        let names: Vec<_> = lost.iter().map(ToString::to_string).collect();
        plan.warn(Warning::new(
            aitk_plan::warnings::LEFT_BEHIND,
            message!("what you added is not in the one that you go back to: {}", names.join(", ")),
            message!(
                "it stays in the generation that is in use now; once this is done, {} adds it again",
                add_again(&lost, None)
            ),
        ));
    }
    if back.is_outdated(plan) {
        plan.warn(Warning::new(
            aitk_plan::warnings::LEFT_BEHIND,
            message!(
                "this version of aitk asks for other packages than the one that you go back to has"
            ),
            message!(
                "it works as it is; the next `aitk apply` shows what it would build anew, and asks"
            ),
        ));
    }
}

fn show(
    back: &Back,
    changes: &[PackageChange],
    plan: &Plan,
    system: &dyn System,
    output: &Console,
) {
    let Back { generation, record, base } = back;
    let built = record.when.as_deref().and_then(|when| when.split('.').next());
    output.say(match built {
        Some(built) => message!("Back to {}, built {built}:", generation.folder()),
        None => message!("Back to {}:", generation.folder()),
    });
    match changes.is_empty() {
        true => output.say(message!("  the same packages in the same versions")),
        false => output.say(changes.iter().map(PackageChange::show).collect::<String>().trim_end()),
    }
    let added = generation.added(system);
    if !added.is_empty() {
        output.say(message!(
            "  with what you had added to it: {}",
            added.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ));
    }
    if let Some(base) = base {
        output.say(message!("  and conda's own environment back to {}", base.folder()));
    }
    for step in &plan.steps {
        let is_needed = step.status == aitk_plan::Status::Needed;
        step.commands.iter().filter(|_| is_needed).for_each(|command| {
            output.say(styled(DIM, format!("  $ {}", said(command))));
        });
    }
    output.warn(&plan.warnings);
}
