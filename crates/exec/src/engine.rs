//! Carries the needed steps out, in two lanes: root's steps one after another, the user's beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use aitk_env::{Environments, received};
use aitk_plan::{BASE, Bytes, Plan, Status, Step, Totals, charges};
use aitk_system::{
    Exit, Explain, Failure, Message, RunError, ToMessage, asked_to_stop, interrupted, message,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::apt;
use crate::context::{Context, SurveyCache};
use crate::error::ExecError;
use crate::journal::{Entry, Journal};
use crate::report::{Consent, Event, News, Outcome, Reporter};
use crate::steps::{CheckOutcome, Exact, Work, behaviour, boot_id};

/// How often a waiting lane looks whether the user wants to stop.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Bytes that it may take more without asking, however little was agreed to.
const UNASKED: u64 = 200_000_000;

/// How a run ended.
#[derive(Debug)]
pub struct Summary {
    /// What became of each step, in the order of the plan.
    pub outcomes: BTreeMap<String, Outcome>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The plan as it was carried out: exact where it had been estimated.
    pub plan: Plan,
    /// What it really took.
    pub taken: Measured,
    /// What went wrong, or what the person has to do before it goes on, with the step.
    pub failure: Option<(String, ExecError)>,
}

/// What a run took, as measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Measured {
    /// Bytes that came from the network.
    pub download: u64,
    /// Bytes by which the disks of aitk's folders and of the system have less room than before: whatever else was written
    /// there meanwhile counts as well.
    pub disk: u64,
}

/// The measures before a run.
struct Baseline {
    received: u64,
    free: BTreeMap<u64, u64>,
}

impl Baseline {
    fn now(cx: &Context<'_>) -> Self {
        Self { received: received(), free: free(cx) }
    }

    fn since(&self, cx: &Context<'_>) -> Measured {
        let now = free(cx);
        let less = |(disk, before): (&u64, &u64)| {
            before.saturating_sub(now.get(disk).copied().unwrap_or(*before))
        };
        Measured {
            download: received().saturating_sub(self.received),
            disk: self.free.iter().map(less).fold(0, u64::saturating_add),
        }
    }
}

/// Free bytes of the disks that a run may write to, by their numbers.
fn free(cx: &Context<'_>) -> BTreeMap<u64, u64> {
    let folders = [&*cx.settings.data, &*cx.settings.cache, Path::new("/var"), Path::new("/usr")];
    let of = |folder: &Path| {
        folder.ancestors().find_map(|path| {
            let disk = cx.system.stat(path).ok()?.dev;
            Some((disk, cx.system.space(path).ok()?.free))
        })
    };
    folders.into_iter().filter_map(of).collect()
}

/// Carries a plan out. What is done is journaled step by step, and a re-run continues where this one ends.
///
/// # Errors
/// Only where the journal or the receipt cannot be written; a step that fails is in the summary.
pub fn apply(
    cx: &Context<'_>,
    plan: Plan,
    journal: &Journal,
    reporter: &dyn Reporter,
) -> Result<Summary, ExecError> {
    let since = cx.system.now();
    let measures = Baseline::now(cx);
    let ids = plan.steps.iter().map(|step| step.id.clone()).collect();
    let (budget, env) = (plan.budget.clone(), Some(plan.choices.env.clone()));
    journal.write(cx, Entry::RunStarted { budget, steps: ids, env })?;
    note_own(cx, &plan)?;
    note_files(cx, &plan);
    reporter.event(&Event::RunStarted { totals: plan.totals });
    let run = Run {
        cx,
        journal,
        reporter,
        shared: Mutex::new(Shared::new(plan)),
        changed: Condvar::new(),
    };
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        // Where it cannot be had, nobody is told why it waits.
        let _ = thread::Builder::new().spawn_scoped(scope, || run.say_why_it_waits(&ended));
        // The lanes wait for each other, so neither can do without its own thread.
        match thread::Builder::new().spawn_scoped(scope, || run.lane(true)) {
            Ok(root) => {
                run.lane(false);
                let _ = root.join();
            }
            Err(source) => {
                let error = ExecError::from(RunError::Io { program: "aitk".to_owned(), source });
                run.shared().stop(String::new(), error);
            }
        }
        ended.store(true, Ordering::Relaxed);
        run.changed.notify_all();
    });
    let Shared { plan, outcomes, failure, pause, .. } =
        run.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failure = failure.or(pause);
    let outcome = match &failure {
        None => Outcome::Done,
        Some((_, error)) => outcome_of(error),
    };
    match failure {
        // What was looked at before may have been changed since.
        None => settle(cx, &plan, SurveyCache::default())?,
        Some(_) => cx.save_receipt()?,
    }
    journal.write(cx, Entry::RunFinished { outcome: name(outcome) })?;
    let seconds = cx.system.now().duration_since(since).as_secs_f64();
    reporter.event(&Event::RunFinished { outcome, seconds });
    Ok(Summary { outcomes, seconds, plan, taken: measures.since(cx), failure })
}

/// Notes the state of apt and of the environment's folders in which a plan was found or made to hold, so that the
/// next look need neither ask apt nor look at every file again.
/// Writes only what is new. What has been `looked` at a moment ago is not looked at again.
///
/// # Errors
/// Where the receipt cannot be written.
pub fn settle(cx: &Context<'_>, plan: &Plan, looked: SurveyCache) -> Result<(), ExecError> {
    if cx.dry {
        return Ok(());
    }
    // What is in use here is not what a hosted notebook needs, and says nothing of it.
    if !plan.builds_here() {
        return note_own(cx, plan);
    }
    cx.go_on_from(looked);
    let apt = apt::fingerprint(cx.system);
    let mut memo = cx.memo();
    (memo.receipt.upgraded, memo.receipt.whole) = (None, None);
    for step in plan.steps.iter().filter(|step| step.status != Status::Skipped) {
        behaviour(&step.action).settle(&mut memo.receipt, apt.clone());
    }
    drop(memo);
    let environments = plan.environment().map(|wanted| cx.environments(wanted));
    for environments in environments.into_iter().chain([Environments::new(&cx.settings.data, BASE)])
    {
        let Some((generation, record)) = environments.current(cx.system) else { continue };
        // Whoever goes back to it later wishes for this again.
        if let Some(wish) = cx.request_of(&plan.choices.env).filter(|_| record.inventory.is_some())
            && record.wish.as_ref() != Some(&wish)
        {
            generation.note_request(cx.system, &wish)?;
        }
        let steps =
            std::iter::once(None).chain(record.layers.keys().map(|step| Some(step.as_str())));
        if !steps.into_iter().all(|step| cx.unchanged(&generation, step)) {
            generation.note_seen(cx.system, &cx.seen(&generation))?;
        }
    }
    cx.memo().receipt.begun.remove(&plan.choices.env);
    note_own(cx, plan)
}

/// Notes what there is of aitk's: a run that was killed may have made it and not come to noting it.
///
/// # Errors
/// Where the receipt cannot be written.
fn note_own(cx: &Context<'_>, plan: &Plan) -> Result<(), ExecError> {
    for step in &plan.steps {
        cx.note(&step.id, behaviour(&step.action).own(cx, plan, step));
    }
    cx.save_receipt()
}

/// Notes the files of environments that another program or an older aitk has built, before anything is proven of them.
fn note_files(cx: &Context<'_>, plan: &Plan) {
    let own = plan.environment().map(|wanted| cx.environments(wanted));
    let all = own.into_iter().chain([Environments::new(&cx.settings.data, BASE)]);
    let current = all.filter_map(|environments| environments.current(cx.system));
    for (generation, _) in current.filter(|_| !cx.dry) {
        // What is damaged there is found, named and mended by the steps.
        let _ = generation.inventory(cx.system);
    }
}

fn name(outcome: Outcome) -> String {
    serde_json::to_value(outcome)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn outcome_of(error: &ExecError) -> Outcome {
    // The code says it for every layer of the error.
    if error.code() == ExecError::System(Failure::Interrupted).code() {
        Outcome::Interrupted
    } else if error.exit() == Exit::Resume {
        Outcome::Paused
    } else {
        Outcome::Failed
    }
}

struct Shared {
    plan: Plan,
    /// What the plan took when it was last agreed to.
    agreed: Totals,
    outcomes: BTreeMap<String, Outcome>,
    failure: Option<(String, ExecError)>,
    /// The step that root is at.
    at_root: Option<String>,
    /// What stops only the steps that need it.
    pause: Option<(String, ExecError)>,
}

/// What a step's turn brings.
enum Turn {
    /// It begins, with the plan as it stands.
    Begin(Box<Plan>),
    /// Something that it needs waits for the person, and so does it.
    Wait,
    /// Nothing begins any more.
    Stop,
}

impl Shared {
    fn new(mut plan: Plan) -> Self {
        plan.add_up();
        let agreed = plan.totals;
        let outcomes = BTreeMap::new();
        Self { plan, agreed, outcomes, failure: None, at_root: None, pause: None }
    }

    /// Keeps why it does not go on.
    fn stop(&mut self, step: String, error: ExecError) {
        if outcome_of(&error) != Outcome::Paused {
            // The first failure is the one that explains; an interruption explains nothing.
            self.failure.get_or_insert((step, error));
        } else if self.pause.is_none() || matches!(error, ExecError::Restart { .. }) {
            // Whoever restarts logs in again as well.
            self.pause = Some((step, error));
        }
    }

    /// Whether something that a step needs waits for the person.
    fn waits(&self, step: &Step) -> bool {
        step.needs.iter().any(|need| self.outcomes.get(need) == Some(&Outcome::Paused))
    }

    /// Whether everything that a step needs is there.
    fn ready(&self, step: &Step) -> bool {
        step.needs.iter().all(|need| match self.plan.step(need) {
            Some(need) if need.status == Status::Needed => self.outcomes.contains_key(&need.id),
            _ => true,
        })
    }
}

struct Run<'a> {
    cx: &'a Context<'a>,
    journal: &'a Journal,
    reporter: &'a dyn Reporter,
    shared: Mutex<Shared>,
    changed: Condvar,
}

impl Run<'_> {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever asks to stop, each time, why that takes a while: what root has begun is not stopped in the middle.
    fn say_why_it_waits(&self, ended: &AtomicBool) {
        let mut shared = self.shared();
        while !ended.load(Ordering::Relaxed) {
            (shared, _) = self
                .changed
                .wait_timeout(shared, POLL_INTERVAL)
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(step) = shared.at_root.clone().filter(|_| asked_to_stop()) {
                drop(shared);
                let text = message!(
                    "it stops as soon as this step is done: dpkg that is stopped in the middle leaves a broken system"
                );
                self.reporter.event(&Event::Message { step: &step, text: &text });
                shared = self.shared();
            }
        }
    }

    /// Does the steps of one lane until all are done, one fails in either lane, or the user wants to stop. A pause keeps
    /// only those steps back that need what waits.
    fn lane(&self, root: bool) {
        let steps: Vec<String> = self
            .shared()
            .plan
            .steps
            .iter()
            .filter(|step| step.root == root && step.status == Status::Needed)
            .map(|step| step.id.clone())
            .collect();
        for id in steps {
            let plan = match self.wait_for_turn(&id) {
                Turn::Begin(plan) => plan,
                Turn::Stop => return,
                Turn::Wait => {
                    self.shared().outcomes.insert(id, Outcome::Paused);
                    self.changed.notify_all();
                    continue;
                }
            };
            let Some(step) = plan.step(&id) else { return };
            if root {
                self.shared().at_root = Some(id.clone());
            }
            let result = self.step(&plan, step);
            let mut shared = self.shared();
            if root {
                shared.at_root = None;
            }
            match result {
                Ok(outcome) => _ = shared.outcomes.insert(id, outcome),
                Err(error) => {
                    shared.outcomes.insert(id.clone(), outcome_of(&error));
                    shared.stop(id, error);
                }
            }
            drop(shared);
            self.changed.notify_all();
        }
    }

    /// Waits until a step may begin, or must not.
    fn wait_for_turn(&self, id: &str) -> Turn {
        let mut shared = self.shared();
        loop {
            if shared.failure.is_some() {
                return Turn::Stop;
            }
            if interrupted() {
                shared.failure = Some((id.to_owned(), ExecError::System(Failure::Interrupted)));
                return Turn::Stop;
            }
            if let Some(step) = shared.plan.step(id).filter(|step| shared.ready(step)) {
                return match shared.waits(step) {
                    true => Turn::Wait,
                    false => Turn::Begin(Box::new(shared.plan.clone())),
                };
            }
            (shared, _) = self
                .changed
                .wait_timeout(shared, POLL_INTERVAL)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One step, journaled before and after.
    fn step(&self, plan: &Plan, step: &Step) -> Result<Outcome, ExecError> {
        let Self { cx, reporter, .. } = self;
        let since = cx.system.now();
        self.journal.write(cx, Entry::StepStarted { step: step.id.clone() })?;
        reporter.event(&Event::StepStarted { step: &step.id, title: &step.title, root: step.root });
        let result = self.ensure(plan, step);
        let outcome = result.as_ref().map_or_else(outcome_of, |outcome| *outcome);
        let entry = Entry::StepFinished { step: step.id.clone(), outcome: name(outcome) };
        self.journal.write(cx, entry)?;
        let seconds = cx.system.now().duration_since(since).as_secs_f64();
        reporter.event(&Event::StepFinished { step: &step.id, outcome, seconds });
        result
    }

    /// Checks, resolves what was an estimate, applies, and checks again.
    fn ensure(&self, plan: &Plan, step: &Step) -> Result<Outcome, ExecError> {
        let Self { cx, reporter, .. } = self;
        let behaviour = behaviour(&step.action);
        if behaviour.check(cx, plan, step)? == CheckOutcome::Holds {
            cx.note(&step.id, behaviour.own(cx, plan, step));
            cx.save_receipt()?;
            return Ok(Outcome::AlreadyDone);
        }
        let exact = if step.estimated { Some(self.make_exact(plan, step)?) } else { None };
        let (plan, step) = match &exact {
            Some(plan) => (plan, plan.step(&step.id).unwrap_or(step)),
            None => (plan, step),
        };
        enough_room(cx, step)?;
        let work = Work { plan, step, reporter: *reporter, log: self.journal.log(&step.id) };
        note_boot(cx, plan, step)?;
        let made = behaviour.apply(cx, &work)?;
        if cx.dry {
            return Ok(Outcome::Reported);
        }
        if let CheckOutcome::Missing(lacks) = behaviour.check(cx, plan, step)? {
            let reason = Message::list(lacks.into_iter().map(|lack| lack.message));
            return Err(ExecError::StillMissing { reason });
        }
        cx.note(&step.id, made);
        cx.note(&step.id, behaviour.own(cx, plan, step));
        cx.save_receipt()?;
        Ok(Outcome::Done)
    }

    /// Resolves a step whose time has come, shows it, asks where it is not what was agreed to, and puts it into the plan.
    fn make_exact(&self, plan: &Plan, step: &Step) -> Result<Plan, ExecError> {
        let exact = behaviour(&step.action).resolve(self.cx, plan, step)?;
        let shared = self.shared();
        let (before, agreed) = (shared.plan.clone(), shared.agreed);
        // Whoever is asked takes time, in which the other lane goes on.
        drop(shared);
        let mut after = before.clone();
        exact.clone().fill(&mut after);
        after.add_up();
        self.show_exact(&after, &exact);
        if let Some(news) = news(&before, &after, step, agreed).filter(|_| !self.cx.dry) {
            self.ask(&news)?;
        }
        let mut shared = self.shared();
        exact.fill(&mut shared.plan);
        shared.plan.add_up();
        let Totals { download, disk, .. } = shared.plan.totals;
        shared.agreed.download = shared.agreed.download.max(download);
        shared.agreed.disk = shared.agreed.disk.max(disk);
        Ok(shared.plan.clone())
    }

    fn ask(&self, news: &News<'_>) -> Result<(), ExecError> {
        match self.reporter.agree(news) {
            Consent::Yes => Ok(()),
            _ if interrupted() => Err(ExecError::System(Failure::Interrupted)),
            Consent::No | Consent::Nobody => Err(not_agreed(news)),
        }
    }

    fn show_exact(&self, plan: &Plan, exact: &Exact) {
        let changed: Vec<_> = exact.steps.iter().map(|step| &step.id).collect();
        for detail in plan.steps.iter().filter(|step| changed.contains(&&step.id)) {
            if detail.root || !detail.packages.is_empty() || !detail.removes.is_empty() {
                self.reporter.event(&Event::Exact {
                    detail,
                    step: &detail.id,
                    packages: detail.packages.len(),
                    download: detail.download.unwrap_or(0),
                    disk: detail.disk.unwrap_or(0),
                });
            }
        }
    }
}

/// What of a step that became exact nobody has agreed to: something goes that did not stand in the plan, or all of it
/// together takes much more.
fn news<'a>(before: &Plan, after: &'a Plan, step: &Step, agreed: Totals) -> Option<News<'a>> {
    let removed = |plan: &Plan| -> BTreeSet<String> {
        plan.steps.iter().flat_map(|step| step.removes.iter().cloned()).collect()
    };
    let removes: Vec<_> = removed(after).difference(&removed(before)).cloned().collect();
    let now = after.totals;
    let larger = much_more(now.download, agreed.download) || much_more(now.disk, agreed.disk);
    let news = News { step: after.step(&step.id)?, removes, agreed: larger.then_some(agreed), now };
    (!news.removes.is_empty() || larger).then_some(news)
}

/// Whether bytes are more than half as many again as were agreed to, and more than 200 MB more.
fn much_more(now: u64, agreed: u64) -> bool {
    let more = now.saturating_sub(agreed);
    more > agreed / 2 && more > UNASKED
}

fn not_agreed(news: &News<'_>) -> ExecError {
    let mut what = Vec::new();
    if !news.removes.is_empty() {
        what.push(message!("apt removes for it: {}", news.removes.join(", ")));
    }
    if let Some(agreed) = news.agreed {
        let [download, disk] = [news.now.download, news.now.disk].map(Bytes);
        let before = [agreed.download, agreed.disk].map(Bytes);
        what.push(message!(
            "the whole plan takes {download} to download and {disk} on disk instead of {} and {}",
            before[0],
            before[1]
        ));
    }
    let (step, what) = (news.step.title.clone(), Message::list(what));
    match news.agreed {
        Some(_) => ExecError::MuchLarger { step, what },
        None => ExecError::NotAgreed { step, what },
    }
}

/// Notes in which start of the machine a step is carried out, if it counts only in a later one. Before it is: a run that
/// is killed knows afterwards.
fn note_boot(cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<(), ExecError> {
    let asks = |other: &Step| behaviour(&other.action).counts_from(step);
    let Some(boot) = boot_id(cx.system).filter(|_| plan.steps.iter().any(asks)) else {
        return Ok(());
    };
    cx.memo().receipt.boots.insert(step.id.clone(), boot);
    cx.save_receipt()
}

/// Looks whether there is room for a step before it begins. What its downloads take already is not free any more, and
/// whether there is room for all of them together was looked at when the plan was made.
fn enough_room(cx: &Context<'_>, step: &Step) -> Result<(), ExecError> {
    if cx.downloads.begun(&step.id) {
        return Ok(());
    }
    for charge in charges(step, cx.machine) {
        let folder = match charge.purpose {
            "var" => Path::new("/var"),
            "cache" => &cx.settings.cache,
            _ => &cx.settings.data,
        };
        let there = folder.ancestors().find_map(|path| Some((path, cx.system.space(path).ok()?)));
        let Some((path, space)) = there.filter(|(_, space)| charge.bytes > space.free) else {
            continue;
        };
        let (free, needed) = (Bytes(space.free).to_message(), Bytes(charge.bytes).to_message());
        return Err(ExecError::NoSpace { path: path.to_owned(), free, needed });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aitk_detect::detect;
    use aitk_env::Settings;
    use aitk_plan::step::{AptUpgrade, Restart, ShellInit};
    use aitk_plan::{Action, Catalog};
    use aitk_system::{Real, Replay};

    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::boot_id;
    use crate::steps::testing::{Machine, Silent, plan, step};

    #[test]
    fn what_a_run_took_is_measured() {
        let machine = Machine::new(r#"{"space": {"/": {"total": 9000, "free": 4000}}}"#);
        machine.with(Receipt::default(), |cx| {
            let mut before = Baseline::now(cx);
            assert_eq!(before.free.values().collect::<Vec<_>>(), [&4000]);
            assert_eq!(before.since(cx).disk, 0);
            before.free.values_mut().for_each(|free| *free += 500);
            aitk_env::note_received(7);
            let Measured { download, disk } = before.since(cx);
            assert_eq!(disk, 500);
            // Whoever else fetches something in this process counts as well.
            assert!(download >= 7, "{download}");
        });
    }

    #[test]
    fn much_more_is_half_as_much_again_and_not_a_trifle() {
        let mb = 1_000_000;
        assert!(much_more(3200 * mb, 400 * mb));
        assert!(!much_more(3200 * mb, 3000 * mb), "it is not much more");
        assert!(!much_more(250 * mb, 100 * mb), "it is a trifle");
        assert!(much_more(201 * mb, 0) && !much_more(200 * mb, 0));
        assert!(!much_more(0, u64::MAX));
    }

    #[test]
    fn what_goes_or_takes_much_more_than_was_agreed_to_is_news() {
        let one = |removes: &[&str], download| {
            let removes = removes.iter().map(|name| (*name).to_owned()).collect();
            let step = Step { removes, download, ..step(AptUpgrade {}) };
            let mut plan = plan(vec![step]);
            plan.add_up();
            plan
        };
        let agreed = one(&["old"], Some(400_000_000));
        let told = |after: &Plan| {
            let news = news(&agreed, after, &agreed.steps[0], agreed.totals)?;
            let error = not_agreed(&news);
            Some((error.to_string(), error.hint().unwrap_or_default(), error.exit() as u8))
        };
        assert_eq!(told(&one(&["old"], Some(500_000_000))), None);
        assert_eq!(told(&one(&[], None)), None);
        let (said, hint, exit) = told(&one(&["old", "mailer"], None)).unwrap();
        assert!(said.contains("apt removes for it: mailer") && exit == 2, "{said}");
        assert!(hint.to_string().contains("same command"), "{hint}");
        let (said, hint, _) = told(&one(&["old"], Some(3_200_000_000))).unwrap();
        assert!(said.contains("3.2 GB to download") && said.contains("400 MB"), "{said}");
        assert!(hint.to_string().contains("--allow-larger"), "{hint}");
    }

    /// The machine's own, but for the home folder.
    fn run(home: &Path, plan: Plan, boots: BTreeMap<String, String>) -> (Summary, Receipt) {
        let catalog = Catalog::builtin().unwrap();
        let bare = Arc::new(Replay::tree(home));
        let mut machine = detect(&*bare, &catalog.tables).machine;
        machine.folders.home = home.to_owned();
        machine.folders.state = home.join("state");
        let settings = Settings { data: home.join("data"), ..Settings::default() };
        let receipt = Receipt { boots, ..Receipt::default() };
        let cx = Context::new(&Real, &Real, &machine, &catalog, &settings, receipt);
        let journal = Journal::begin(&machine.folders.state, &Real);
        let summary = apply(&cx, plan, &journal, &Silent).unwrap();
        (summary, Receipt::load(&machine.folders.state, &Real).unwrap())
    }

    fn named(id: &str, needs: &[&str], action: impl Into<Action>) -> Step {
        let needs = needs.iter().map(|need| (*need).to_owned()).collect();
        Step { id: id.to_owned(), root: false, needs, ..step(action) }
    }

    #[test]
    fn a_pause_keeps_only_those_back_that_need_what_waits() {
        let home = tempfile::tempdir().unwrap();
        let restart = Restart { after: vec!["driver".to_owned()] };
        let proof = aitk_plan::step::Check { script: "none.py".to_owned() };
        let steps = vec![
            named("restart", &[], restart),
            named("proof", &["restart"], proof.clone()),
            named("proof of the proof", &["proof"], proof),
            named("shell", &[], ShellInit {}),
        ];
        let boots = BTreeMap::from([("driver".to_owned(), boot_id(&Real).unwrap())]);
        let (summary, _) = run(home.path(), plan(steps), boots);
        let (step, error) = summary.failure.unwrap();
        assert_eq!(
            (step.as_str(), error.code(), error.exit()),
            ("restart", "AITK-X12", Exit::Resume)
        );
        for waits in ["restart", "proof", "proof of the proof"] {
            assert_eq!(summary.outcomes[waits], Outcome::Paused, "{waits}");
        }
        assert_eq!(summary.outcomes["shell"], Outcome::Done);
    }

    #[test]
    fn a_step_that_counts_after_a_restart_waits_for_one_only_when_it_was_carried_out() {
        let home = tempfile::tempdir().unwrap();
        let steps = || {
            let restart = Restart { after: vec!["shell".to_owned()] };
            let steps = [named("shell", &[], ShellInit {}), named("restart", &["shell"], restart)];
            plan(steps.into())
        };
        let (summary, receipt) = run(home.path(), steps(), BTreeMap::new());
        assert_eq!(summary.outcomes["restart"], Outcome::Paused);
        assert_eq!(receipt.boots.get("shell"), boot_id(&Real).as_ref());
        // As it is after a restart: what was made is there, in an earlier start of the machine.
        let boots = BTreeMap::from([("shell".to_owned(), "earlier".to_owned())]);
        let (summary, _) = run(home.path(), steps(), boots);
        assert_eq!(summary.outcomes["shell"], Outcome::AlreadyDone);
        assert_eq!(summary.outcomes["restart"], Outcome::AlreadyDone);
    }

    #[test]
    fn a_failure_explains_more_than_a_pause_and_a_restart_more_than_a_login() {
        let mut shared = Shared::new(plan(Vec::new()));
        let login = || ExecError::LogIn { groups: vec!["video".to_owned()] };
        shared.stop("login".to_owned(), login());
        shared.stop("restart".to_owned(), ExecError::Restart { after: Vec::new() });
        shared.stop("login".to_owned(), login());
        assert!(shared.failure.is_none());
        assert_eq!(shared.pause.as_ref().map(|(step, _)| step.as_str()), Some("restart"));
        shared.stop("proof".to_owned(), ExecError::NeedsPassword);
        assert_eq!(shared.failure.map(|(step, _)| step).as_deref(), Some("proof"));
    }
}
