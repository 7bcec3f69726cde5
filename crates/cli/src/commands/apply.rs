//! `aitk apply`

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use aitk_detect::{Machine, Sudo};
use aitk_env::{Bundle, EnvError, Locks, open_bundle};
use aitk_exec::{ExecError, Journal, Outcome, Receipt, Summary, interrupted_run};
use aitk_plan::{Bytes, Catalog, Plan, Request, Status};
use aitk_system::{
    Deny, Exit, Explain, KeepAlive, Message, Real, Report, System, authenticate, interrupted,
    is_terminal, listen_for_interrupts, message, read_line,
};
use serde_json::json;

use crate::args::{Apply, Common};
use crate::commands::hosted;
use crate::commands::plan::show;
use crate::error::{CliError, steps};
use crate::given::Given;
use crate::output::{CARE, DIM, Diagnostic, GOOD, HEAD, Output, ask, say, styled};
use crate::program;
use crate::progress::Progress;
use crate::saved::Saved;
use crate::session::{Ask, Session, locked};
use crate::sources;
use crate::typed::typed;
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
    confirm(args.yes)?;
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
    let mut request = read.map_err(|error| Message::plain(error)).and_then(known).map_err(bad)?;
    request.choices.user_only |= common.offline;
    Ok(request)
}

/// The lock against a second run.
pub fn take_turn(session: &Session) -> Result<aitk_system::Hold, CliError> {
    let path = session.machine.folders.state.join("lock");
    let note = format!("process {}, since {}\n", std::process::id(), Real.now());
    match Real.hold(&path, &note).map_err(CliError::io(&path))? {
        Some(hold) => Ok(hold),
        None => {
            let holder = Real.read(&path).unwrap_or_default();
            let holder = String::from_utf8_lossy(&holder).trim().to_owned();
            Err(ExecError::AlreadyRunning { holder }.into())
        }
    }
}

/// A plan with steps that cannot be done here is not begun.
pub fn refuse_blocked(plan: &Plan, machine: &Machine) -> Result<(), CliError> {
    let blocked: Vec<_> = plan.steps.iter().filter(|step| step.status == Status::Blocked).collect();
    if blocked.is_empty() {
        return Ok(());
    }
    // One reason often blocks many steps: each is said once. What only needs such a step has none of its own.
    let is_blocked = |id: &String| blocked.iter().any(|step| step.id == *id);
    let mut reasons: Vec<(Message, Vec<&str>)> = Vec::new();
    for step in blocked.iter().filter(|step| !step.needs.iter().any(is_blocked)) {
        let why = step.why.last().cloned().unwrap_or_default();
        let remedy = step.remedy.clone().unwrap_or_default();
        let reason = Message::parts([why, Message::plain("\n      → "), remedy]);
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, steps)) => steps.push(&step.id),
            None => reasons.push((reason, vec![&step.id])),
        }
    }
    let told = |(reason, steps): (Message, Vec<&str>)| {
        Message::about(format!("  {}", steps.join(", ")), reason)
    };
    let mut list: Vec<_> = reasons.into_iter().map(told).collect();
    let of_root = || blocked.iter().filter(|step| step.root);
    let count = blocked.len();
    if machine.privilege.root || machine.privilege.sudo != Sudo::No || of_root().next().is_none() {
        return Err(CliError::Blocked { count, list: Message::lines(list) });
    }
    let commands = of_root().flat_map(|step| step.by_hand());
    let commands: Vec<_> = commands.map(|command| format!("  {command}")).collect();
    if !commands.is_empty() {
        list.push(message!("the commands:"));
        list.extend(commands.into_iter().map(Message::plain));
    }
    Err(CliError::BlockedForRoot { count, list: Message::lines(list) })
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

pub fn confirm(yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !is_terminal() {
        return Err(CliError::NotConfirmed);
    }
    ask(&said(message!("\nGo ahead? [Y/n] ")));
    let answer = read_line().map_err(CliError::io_of(message!("the terminal")))?;
    let answer = answer.ok_or(ExecError::Interrupted)?.to_lowercase();
    if ["", "y", "yes", "j", "ja", "o", "oui"].contains(&answer.as_str()) {
        Ok(())
    } else {
        Err(CliError::Declined)
    }
}

/// Gets sudo's password before anything is drawn, for these commands.
pub fn elevate(
    session: &Session,
    commands: impl IntoIterator<Item = String>,
    avoidable: bool,
) -> Result<Option<KeepAlive>, CliError> {
    let privilege = &session.machine.privilege;
    if privilege.root {
        return Ok(None);
    }
    match privilege.sudo {
        Sudo::Passwordless => Ok(None),
        Sudo::Password if is_terminal() => match authenticate() {
            Ok(ticket) => Ok(Some(ticket)),
            Err(_) if interrupted() => Err(ExecError::Interrupted.into()),
            Err(_) => Err(ExecError::NeedsPassword.into()),
        },
        _ => {
            let commands = commands.into_iter().map(|command| format!("  {command}")).collect();
            Err(CliError::NeedsRoot { commands, avoidable })
        }
    }
}

/// Keeps what was asked for, so that `verify` and a later `apply` know it; writes only what is new.
pub fn remember(session: &Session, request: &Request) -> Result<(), CliError> {
    let value = serde_json::to_value(request).unwrap_or_default();
    let mut receipt = session.receipt.clone();
    let name = request.choices.env.clone();
    if receipt.environments.insert(name, value.clone()) != Some(value) {
        receipt.save(&session.machine.folders.state, &Real)?;
    }
    Ok(())
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

/// A text with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).chain(['.']).collect()
    })
}

/// What was done, how long it took, how to start.
pub fn finish(summary: Summary, output: &Output) -> Result<ExitCode, CliError> {
    let done = summary.outcomes.values().filter(|outcome| **outcome == Outcome::Done).count();
    let failed =
        summary.failure.as_ref().map(|(step, error)| (step.clone(), error.code(), error.exit()));
    if output.json {
        let outcome = match &failed {
            None => "done",
            Some((_, _, Exit::Resume)) => "paused",
            Some((_, "AITK-X01", _)) => "interrupted",
            Some(_) => "failed",
        };
        let data = json!({
            "outcome": outcome,
            "seconds": summary.seconds,
            "steps": summary.outcomes,
            "failed": failed.as_ref().map(|(step, ..)| step),
            "totals": summary.plan.totals,
            "taken": summary.taken,
        });
        let mut diagnostics: Vec<_> = summary.plan.warnings.iter().map(Diagnostic::from).collect();
        if let Some((_, error)) = &summary.failure {
            diagnostics.push(Diagnostic {
                code: error.code().to_owned(),
                severity: if error.exit() == Exit::Resume { "info" } else { "error" },
                message: error.message(),
                hint: error.hint(),
            });
        }
        output.result("run", &data, diagnostics, Message::default);
        let code = summary.failure.map_or(0, |(_, error)| error.exit() as u8);
        return Ok(ExitCode::from(code));
    }
    match summary.failure {
        Some((_, error)) if error.exit() == Exit::Resume => {
            let waiting = summary.outcomes.values().filter(|one| **one == Outcome::Paused).count();
            output.say(message!(
                "\n{} {} done so far, and {} for you. {} [{}]",
                styled(CARE, "·"),
                said(steps(done)),
                if waiting == 1 { message!("1 waits") } else { message!("{waiting} wait") },
                sentence(&said(error.message())),
                error.code(),
            ));
            if let Some(hint) = error.hint() {
                let what = styled(HEAD, said(message!("what to do:")));
                output.say(format!("  {what} {}", said(hint)));
            }
            Ok(ExitCode::from(error.exit() as u8))
        }
        Some((step, error)) => {
            if done > 0 {
                output.say(message!(
                    "{} done, which stay so; `{step}` is where it stopped.",
                    steps(done)
                ));
            }
            Err(error.into())
        }
        None => {
            let taken = summary.taken;
            output.result("run", &(), Vec::new(), || {
                let aitk = typed();
                let start = |what: Message, command: &str| format!("  {:24} {}\n", said(what), styled(HEAD, format!("{aitk} {command}")));
                message!(
                    "\n{} Done in {:.0} s: {done} of {} steps, {} downloaded, {} on disk.\n\n{}{}{}{}",
                    styled(GOOD, "✓"),
                    summary.seconds,
                    summary.plan.steps.len(),
                    Bytes(taken.download),
                    Bytes(taken.disk),
                    start(message!("Start JupyterLab:"), "lab"),
                    start(message!("Work in a shell:"), "shell"),
                    start(message!("Run a program:"), "run -- python program.py"),
                    start(message!("Check it at any time:"), "verify"),
                )
            });
            Ok(ExitCode::SUCCESS)
        }
    }
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
