//! `aitk apply`

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use aitk_env::{Bundle, EnvError, Locks, open_bundle};
use aitk_exec::{Journal, Receipt, Summary, interrupted_run};
use aitk_plan::{Catalog, Plan, Request, Status};
use aitk_system::{Deny, Explain, Message, Real, Report, System, listen_for_interrupts, message};
use serde_json::json;

use crate::args::{Apply, Common};
use crate::commands::hosted;
use crate::commands::plan::show;
use crate::error::CliError;
use crate::given::Given;
use crate::output::{DIM, Diagnostic, GOOD, Output, say, styled};
use crate::program;
use crate::progress::Progress;
use crate::run::{confirm, elevate, finish, refuse_blocked, remember, take_turn};
use crate::saved::Saved;
use crate::session::{Ask, Session, locked};
use crate::sources;
use crate::words::said;

pub fn run(common: &Common, args: &Apply, output: &Output) -> Result<ExitCode, CliError> {
    if common.machine.is_some() {
        return Err(CliError::Other(message!(
            "`apply` works on this machine only; leave out --machine"
        )));
    }
    let of_hosted = [
        ("--platform", args.platform.is_some()),
        ("--output", args.output.is_some()),
        ("--force", args.force),
        ("--push", args.push),
    ];
    if hosted::is_meant(&args.choices, &of_hosted)? {
        return hosted::apply(common, args, output);
    }
    listen_for_interrupts().map_err(CliError::io_of(message!("the signals")))?;
    let mut ran = once(common, args, output)?;
    let given =
        args.plan.is_some() || args.choices.given.values("locked").is_some() || common.offline;
    if ran.is_stale() && !given {
        output.say(message!(
            "A source has something else now than what it told before: it is asked anew."
        ));
        ran = once(common, args, output)?;
    }
    match ran {
        Ran::Ended(code) => Ok(code),
        Ran::Through(summary) => finish(*summary, output),
    }
}

/// How far a run has come.
enum Ran {
    /// Nothing was to be done, or was only to be shown.
    Ended(ExitCode),
    /// The plan was carried out, to its end or to where it failed.
    Through(Box<Summary>),
}

impl Ran {
    fn is_stale(&self) -> bool {
        let Self::Through(summary) = self else { return false };
        summary.failure.as_ref().is_some_and(|(_, error)| error.is_stale())
    }
}

/// Plans, shows, asks and does, once.
fn once(common: &Common, args: &Apply, output: &Output) -> Result<Ran, CliError> {
    let since = Real.now();
    let mut session = Session::open(common)?;
    let progress = Progress::new(common.progress, output).asking(args.yes, args.allow_larger);
    let bundle = match &args.plan {
        Some(path) => open_bundle(path, &session.settings)?,
        None => None,
    };
    let saved = match (&args.plan, &bundle) {
        (Some(path), None) => Some(Saved::read(path, &session.machine, &session.catalog)?),
        _ => None,
    };
    let mut request = match (&saved, &bundle) {
        (Some(saved), _) => saved.request.clone(),
        (None, Some(bundle)) => request_in(bundle, args, common, &session.catalog)?,
        (None, None) => session.request(&args.choices)?,
    };
    if let Some(path) = &args.plan {
        let given = session.open_sources(&args.choices)?;
        refuse_flags(path, &given, &request)?;
        sources::of_file(path, &mut request.choices, &given, args, &mut session, output)?;
        session.may_be_done(&request, &args.choices)?;
    }
    let lock = match (&saved, &bundle) {
        // It was made from this lock once its choices had been planned without one.
        (Some(_), _) => None,
        (None, Some(bundle)) => Some(Locks::read(&bundle.lock, &Real, &session.machine)?),
        (None, None) => locked(&request, &session.machine)?,
    };
    let mut plan = session.plan(&request, lock.as_ref(), Ask::Sources)?;
    let lock = lock.or_else(|| saved.as_ref().and_then(|saved| saved.locks.clone()));
    let request = Request { manager: Some(plan.manager), choices: plan.choices.clone(), ..request };
    let hold = if args.dry_run { None } else { Some(take_turn(&session)?) };
    let deny = Deny(Real);
    let surveying = context(&session, &deny, lock.as_ref(), args);
    let spinner =
        progress.spinner(message!("looking at the machine and asking the package sources …"));
    aitk_exec::survey(&surveying, &mut plan, saved.as_ref().is_none_or(|saved| saved.resolved))?;
    drop(spinner);
    refuse_blocked(&plan, &session.machine)?;
    if let Some(saved) = &saved {
        saved.shows(&plan)?;
    }
    if plan.totals.steps == 0 {
        if !args.dry_run {
            let looked = surveying.looked();
            remember(&session, &request)?;
            session.receipt = Receipt::load(&session.machine.folders.state, &Real)?;
            let settling = context(&session, &Real, lock.as_ref(), args);
            aitk_exec::settle(&settling, &plan, looked)?;
        }
        return Ok(Ran::Ended(nothing_to_do(&plan, since, output)));
    }
    let origins = aitk_exec::foreign_origins(&surveying, &plan);
    if let Some(warning) = sources::warning(&origins) {
        plan.warn(warning);
    }
    if !output.json {
        output.say(show(&plan, output.verbose > 0).trim_end());
        output.warn(&plan.warnings);
    }
    if let Some(step) = interrupted_run(&session.machine.folders.state, &Real) {
        output
            .say(message!("The last run did not come to its end (at {step}); this one continues."));
    }
    if args.dry_run {
        return dry_run(&session, plan, lock.as_ref(), args, output, &progress).map(Ran::Ended);
    }
    sources::of_lock(&origins, args)?;
    confirm(args.yes, message!("\nGo ahead? [Y/n] "), true)?;
    let root: Vec<_> =
        plan.steps.iter().filter(|step| step.root && step.status == Status::Needed).collect();
    let _ticket = match root.is_empty() {
        true => None,
        false => elevate(&session, root.iter().flat_map(|step| step.by_hand()), true)?,
    };
    remember(&session, &request)?;
    session.receipt = Receipt::load(&session.machine.folders.state, &Real)?;
    let context = context(&session, &Real, lock.as_ref(), args);
    let journal = Journal::begin(&session.machine.folders.state, &Real);
    let summary = aitk_exec::apply(&context, plan, &journal, &progress)?;
    if summary.failure.is_none() {
        program::offer(&session, args.yes, output)?;
    }
    drop(hold);
    Ok(Ran::Through(Box::new(summary)))
}

fn context<'a>(
    session: &'a Session,
    system: &'a dyn System,
    lock: Option<&'a Locks>,
    args: &Apply,
) -> aitk_exec::Context<'a> {
    let mut context = session.context(system, lock);
    context.lock_wait = Duration::from_secs(args.lock_wait);
    context.deep = args.deep;
    context
}

/// What has been decided in a file is not decided anew: flags that ask for something else would do nothing.
fn refuse_flags(path: &Path, given: &Given, decided: &Request) -> Result<(), CliError> {
    let flags = given.changes(decided);
    match flags.is_empty() {
        true => Ok(()),
        false => Err(CliError::Fixed { path: path.to_owned(), flags }),
    }
}

/// What a bundle is for. Without a network the system's packages stay as they are.
fn request_in(
    bundle: &Bundle,
    args: &Apply,
    common: &Common,
    catalog: &Catalog,
) -> Result<Request, CliError> {
    let path = args.plan.clone().unwrap_or_default();
    let bad = |error: Message| EnvError::BadBundle {
        path,
        reason: message!("what it asks for cannot be read: {error}"),
    };
    let read = serde_json::from_value(bundle.wish.clone());
    let known = |request: Request| {
        let known = catalog.has_framework(&request.choices.framework);
        known.map(|()| request).map_err(|error| error.message())
    };
    let mut request = read.map_err(Message::plain).and_then(known).map_err(bad)?;
    request.choices.user_only |= common.offline;
    Ok(request)
}

fn nothing_to_do(plan: &Plan, since: aitk_system::Timestamp, output: &Output) -> ExitCode {
    let seconds = Real.now().duration_since(since).as_secs_f64();
    let data = json!({ "outcome": "already-done", "seconds": seconds, "steps": {}, "totals": plan.totals });
    let diagnostics = plan.warnings.iter().map(Diagnostic::from).collect();
    output.result("run", &data, diagnostics, || {
        message!(
            "{} Nothing to do: {} steps are as they should be ({:.0} ms). `aitk lab` starts JupyterLab.",
            styled(GOOD, "✓"),
            plan.steps.iter().filter(|step| step.status == Status::Done).count(),
            seconds * 1000.0
        )
    });
    ExitCode::SUCCESS
}

/// The same run, on a system that only says what it would do.
fn dry_run(
    session: &Session,
    plan: Plan,
    lock: Option<&Locks>,
    args: &Apply,
    output: &Output,
    progress: &Progress,
) -> Result<ExitCode, CliError> {
    let report = Report::new(Deny(Real), |change: &Message| {
        say(&format!("    {} {}", styled(DIM, said(message!("would"))), said(change)));
    });
    let mut context = context(session, &report, lock, args);
    context.dry = true;
    let journal = Journal::begin(&session.machine.folders.state, &report);
    let summary = aitk_exec::apply(&context, plan, &journal, progress)?;
    if let Some((_, error)) = summary.failure {
        return Err(error.into());
    }
    let data =
        json!({ "outcome": "reported", "steps": summary.outcomes, "totals": summary.plan.totals });
    output
        .result("run", &data, Vec::new(), || message!("Nothing was changed: this was a dry run."));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use aitk_plan::{Choices, Manager, NO_FRAMEWORK};
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Verb};

    /// The flags that a plan for conda without a framework refuses.
    fn refused(flags: &[&str]) -> Vec<String> {
        let words = ["aitk", "apply", "plan.json"].iter().chain(flags);
        let Verb::Apply(apply) = Args::parse_from(words).verb else { panic!("it is apply") };
        let choices = Choices { framework: NO_FRAMEWORK.to_owned(), ..Choices::default() };
        let request = Request {
            budget: "low".to_owned(),
            choices,
            manager: Some(Manager::Conda),
            locked: None,
        };
        match refuse_flags(Path::new("plan.json"), &apply.choices.given, &request) {
            Ok(()) => Vec::new(),
            Err(CliError::Fixed { flags, .. }) => flags,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn flags_that_ask_for_something_else_than_a_saved_plan_are_refused() {
        assert_eq!(refused(&["--yes", "--lock-wait", "3"]), [""; 0]);
        let same = ["--budget", "low", "--framework", "none", "--manager", "conda", "--env", "ai"];
        assert_eq!(refused(&same), [""; 0]);
        let other = ["--framework", "jax", "--manager", "venv", "--python", "3.12", "--env", "b"];
        assert_eq!(refused(&other), ["--framework", "--manager", "--python", "--env"]);
        assert_eq!(refused(&["--user-only", "--locked", "l"]), ["--user-only", "--locked"]);
        assert_eq!(refused(&["--channel", "other"]), ["--channel"]);
    }
}
