//! `aitk apply`

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aitk_env::{EnvError, open_bundle, read_locks};
use aitk_exec::{Context, Interrupted, Journal, Summary, interrupted_run};
use aitk_plan::step::Push;
use aitk_plan::{Catalog, Locks, Plan, Request, Status};
use aitk_system::{Deny, Explain, Message, Report, Timestamp, listen_for_interrupts, message};

use crate::args::{Apply, Common};
use crate::changes::PackageChange;
use crate::commands::plan::show;
use crate::config;
use crate::error::{CliError, HostedError};
use crate::given::Given;
use crate::output::{Console, DIM, Diagnostic, GOOD, HEAD, say, styled};
use crate::places;
use crate::program;
use crate::progress::Progress;
use crate::run::{RunReport, confirm, elevate, finish, refuse_blocked, remember, take_turn};
use crate::saved::Saved;
use crate::session::{Ask, Asked, Local, Prepared, Session, locked};
use crate::sources;
use crate::words::said;

/// How many packages are named that change, where not all of it is asked for.
const NAMED: usize = 12;

pub fn run(
    local: &Local,
    common: &Common,
    args: &Apply,
    output: &Console,
) -> Result<ExitCode, CliError> {
    if common.machine.is_some() {
        return Err(CliError::Other(message!(
            "`apply` works on this machine only; leave out --machine"
        )));
    }
    listen_for_interrupts().map_err(CliError::io_of(message!("the signals")))?;
    let mut ran = once(local, common, args, output)?;
    let given =
        args.plan.is_some() || args.choices.given.values("locked").is_some() || common.offline;
    if ran.is_stale() && !given {
        output.say(message!(
            "A source has something else now than what it told before: it is asked anew."
        ));
        ran = once(local, common, args, output)?;
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
fn once(local: &Local, common: &Common, args: &Apply, output: &Console) -> Result<Ran, CliError> {
    let since = local.now();
    let session = Session::open(local, common)?.meant(&args.choices, args.push)?;
    let decided = Decided::read(&session, common, args, output)?;
    let planned_with = decided.lock.as_ref().filter(|_| decided.saved.is_none());
    let (prepared, plan) = session.prepare(decided.asked, planned_with, Ask::Sources)?;
    if args.force && plan.project.is_none() {
        let with = Message::plain(format_args!("--budget {}", plan.budget));
        return Err(HostedError::DoesNotGo { flag: "--force".to_owned(), with }.into());
    }
    let progress = Progress::new(common.progress, output).asking(args.yes, args.allow_larger);
    let (lock, saved) = (decided.lock.as_ref(), decided.saved.as_ref());
    let run = ApplyRun { prepared, lock, saved, args, output, progress };
    let _hold = if args.dry_run { None } else { Some(take_turn(&session)?) };
    run.through(plan, since)
}

/// What is to be done, by flags or by a file.
struct Decided {
    asked: Asked,
    lock: Option<Locks>,
    saved: Option<Saved>,
}

impl Decided {
    fn read(
        session: &Session,
        common: &Common,
        args: &Apply,
        output: &Console,
    ) -> Result<Self, CliError> {
        let Some(path) = &args.plan else {
            let asked = session.asked(&args.choices)?;
            let lock = locked(session, &asked.request)?;
            return Ok(Self { asked, lock, saved: None });
        };
        let agree = |request: Request| -> Result<Asked, CliError> {
            refuse_flags(path, &args.choices.given.clone().opened()?.0, &request)?;
            let asked = sources::of_file(path, request, args, session, output)?;
            session.may_be_done(&asked.request, &args.choices)?;
            Ok(asked)
        };
        // Nothing of a bundle is unpacked before what it asks for is known and agreed to.
        let bundle = open_bundle(path, &session.settings, |wish| {
            agree(request_in(wish, path, common, &session.catalog)?)
        })?;
        if let Some(bundle) = bundle {
            let locks = read_locks(&bundle.lock, &*session.local, &session.machine)?;
            return Ok(Self { asked: bundle.agreed, lock: Some(locks), saved: None });
        }
        let saved = Saved::read(path, session)?;
        let asked = agree(saved.request.clone())?;
        Ok(Self { asked, lock: saved.locks.clone(), saved: Some(saved) })
    }
}

/// A run, before it begins: nothing of it changes any more.
struct ApplyRun<'a> {
    prepared: Prepared<'a>,
    lock: Option<&'a Locks>,
    saved: Option<&'a Saved>,
    args: &'a Apply,
    output: &'a Console,
    progress: Progress,
}

impl ApplyRun<'_> {
    /// Looks, shows, asks and does.
    fn through(&self, mut plan: Plan, since: Timestamp) -> Result<Ran, CliError> {
        let Session { local, machine, .. } = self.prepared.session;
        let deny = Deny(Arc::clone(local));
        let surveying = self.set(self.prepared.context(&deny, self.lock));
        let spinner = self
            .progress
            .spinner(message!("looking at the machine and asking the package sources …"));
        let resolved = self.saved.is_none_or(|saved| saved.resolved);
        aitk_exec::survey(&surveying, &mut plan, resolved)?;
        drop(spinner);
        refuse_blocked(&plan, machine)?;
        self.saved.map_or(Ok(()), |saved| saved.shows(&plan))?;
        if plan.totals.steps == 0 {
            if !self.args.dry_run {
                let receipt = remember(self.prepared.session, &self.prepared.request)?;
                let settling = self.prepared.context_since(&**local, self.lock, receipt);
                aitk_exec::settle(&self.set(settling), &plan, surveying.survey_cache())?;
            }
            let seconds = local.now().duration_since(since).as_secs_f64();
            return Ok(Ran::Ended(nothing_to_do(&plan, seconds, self.output)));
        }
        let origins = aitk_exec::foreign_origins(&surveying, &plan);
        let settings = config::warning(&**local, &machine.folders);
        let warnings = sources::warning(&origins).into_iter().chain(settings);
        let warnings = warnings.chain(places::closed(&**local, &machine.folders));
        warnings.for_each(|warning| plan.warn(warning));
        self.show(&plan);
        if self.args.dry_run {
            return self.report(plan).map(Ran::Ended);
        }
        sources::of_lock(&origins, &self.args.accept, self.args.yes)?;
        confirm(self.args.yes, message!("\nGo ahead? [Y/n] "), true)?;
        if let Some((_, push)) = plan.find::<Push>() {
            let question = message!(
                "Send {} with {}, which starts it there? [y/N] ",
                push.folder,
                push.client
            );
            confirm(self.args.yes, question, false)?;
        }
        self.carry_out(plan)
    }

    fn show(&self, plan: &Plan) {
        let Session { local, machine, .. } = self.prepared.session;
        if !self.output.json {
            self.output.say(show(plan, self.output.verbose > 0).trim_end());
            self.show_changes(plan);
            self.output.warn(&plan.warnings);
        }
        let interrupted = interrupted_run(&machine.folders.state, &**local);
        let ours = |run: &Interrupted| run.goes_on_in(&plan.choices.env);
        if let Some(Interrupted { at: step, .. }) = interrupted.filter(ours) {
            self.output.say(message!(
                "The last run did not come to its end (at {step}); this one continues."
            ));
        }
    }

    /// What becomes of the packages of the environment that is in use, which the steps do not tell.
    fn show_changes(&self, plan: &Plan) {
        let changes = PackageChange::of_plan(self.prepared.session, plan);
        if changes.is_empty() {
            return;
        }
        let most = if self.output.verbose > 0 { changes.len() } else { NAMED };
        self.output.say(styled(HEAD, said(message!("Packages that change:"))));
        let named = changes.iter().take(most).map(PackageChange::show);
        self.output.say(named.collect::<String>().trim_end());
        if changes.len() > most {
            let more = said(message!("and {} more; -v names all", changes.len() - most));
            self.output.say(styled(DIM, format!("  {more}")));
        }
    }

    fn carry_out(&self, plan: Plan) -> Result<Ran, CliError> {
        let session = self.prepared.session;
        let root = plan.steps.iter().filter(|step| step.root && step.status == Status::Needed);
        let root: Vec<_> = root.collect();
        let _ticket = match root.is_empty() {
            true => None,
            false => elevate(session, root.iter().flat_map(|step| step.by_hand()), true)?,
        };
        let receipt = remember(session, &self.prepared.request)?;
        let context = self.prepared.context_since(&*session.local, self.lock, receipt);
        let journal = Journal::begin(&session.machine.folders.state, &*session.local);
        let summary = aitk_exec::apply(&self.set(context), plan, &journal, &self.progress)?;
        if summary.failure.is_none() && session.is_remembered() {
            program::offer(session, self.args.yes, self.output)?;
        }
        Ok(Ran::Through(Box::new(summary)))
    }

    /// The same run, on a system that only says what it would do.
    fn report(&self, plan: Plan) -> Result<ExitCode, CliError> {
        let Session { local, machine, .. } = self.prepared.session;
        let report = Report::new(Deny(Arc::clone(local)), |change: &Message| {
            say(&format!("    {} {}", styled(DIM, said(message!("would"))), said(change)));
        });
        let mut context = self.set(self.prepared.context(&report, self.lock));
        context.dry = true;
        let journal = Journal::begin(&machine.folders.state, &report);
        let summary = aitk_exec::apply(&context, plan, &journal, &self.progress)?;
        if let Some((_, error)) = summary.failure {
            return Err(error.into());
        }
        let data = RunReport {
            outcome: "reported",
            seconds: None,
            steps: summary.outcomes,
            failed: None,
            totals: summary.plan.totals,
            taken: None,
        };
        let said = || message!("Nothing was changed: this was a dry run.");
        self.output.result(&data, Vec::new(), said);
        Ok(ExitCode::SUCCESS)
    }

    fn set<'c>(&self, mut context: Context<'c>) -> Context<'c> {
        context.lock_wait = Duration::from_secs(self.args.lock_wait);
        context.deep = self.args.deep;
        context.force = self.args.force;
        context
    }
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
    mut request: Request,
    path: &Path,
    common: &Common,
    catalog: &Catalog,
) -> Result<Request, CliError> {
    let bad = |error: Message| EnvError::BadBundle {
        path: path.to_owned(),
        reason: message!("what it asks for cannot be read: {error}"),
    };
    catalog.has_framework(&request.choices.framework).map_err(|error| bad(error.message()))?;
    request.choices.user_only |= common.offline;
    Ok(request)
}

fn nothing_to_do(plan: &Plan, seconds: f64, output: &Console) -> ExitCode {
    let data = RunReport {
        outcome: "already-done",
        seconds: Some(seconds),
        steps: Default::default(),
        failed: None,
        totals: plan.totals,
        taken: None,
    };
    let diagnostics = plan.warnings.iter().map(Diagnostic::from).collect();
    output.result(&data, diagnostics, || {
        let done = plan.steps.iter().filter(|step| step.status == Status::Done).count();
        let (sign, ms) = (styled(GOOD, "✓"), seconds * 1000.0);
        let wanted = plan.environment().filter(|_| plan.builds_here());
        match wanted.map(|wanted| wanted.request.asks_for("jupyterlab")) {
            // A file that was changed in its place is not seen so.
            Some(true) => message!(
                "{sign} Nothing to do: {done} steps are done, by a quick look ({ms:.0} ms); `aitk verify` looks at every \
                 file, `aitk lab` starts JupyterLab."
            ),
            Some(false) => message!(
                "{sign} Nothing to do: {done} steps are done, by a quick look ({ms:.0} ms); `aitk verify` looks at every \
                 file."
            ),
            None => message!("{sign} Nothing to do: {done} steps are done, by a quick look ({ms:.0} ms)."),
        }
    });
    ExitCode::SUCCESS
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
