//! The generation is the one in use.

use aitk_env::{Environments, Generation, add_again};
use aitk_plan::step::Activate;
use aitk_plan::{BASE, Part, Plan, Step, Warning};
use aitk_system::{Message, message};

use super::environment::list;
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work, in_the_way, not_ours, own};
use crate::context::Context;
use crate::error::ExecError;
use crate::journal::{Journal, interrupted_run};
use crate::report::Event;

impl Ensure for Activate {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("the link to the environment in use leads where it should")
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let Some(wanted) = plan.environment() else { return Ok(CheckOutcome::Holds) };
        let environments = cx.environments(wanted);
        let current = environments.current(cx.system);
        let fits = current.is_some_and(|(generation, record)| {
            record.request == wanted.request.digest
                && cx.locked.is_none_or(|locks| locks.environment.digest() == generation.name())
                && wanted.generation().is_none_or(|wanted| wanted == generation.name())
                && cx.back.is_none_or(|back| back.generation == generation)
        });
        if fits && base(cx).is_none() {
            return Ok(CheckOutcome::Holds);
        }
        let link = environments.current_path();
        let remedy = match environments.is_taken(cx.system) {
            true => Some(in_the_way(&link)),
            false => not_ours(cx, &link),
        };
        let other = message!("{} does not lead to it", link.display());
        Ok(CheckOutcome::missing(other).helped_by(remedy))
    }

    /// Where a generation is to be built, the environment's step knows its name once it is resolved.
    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Some(wanted) = plan.environment() else { return Ok(Exact::default()) };
        let environments = cx.environments(wanted);
        let warnings = moved_by_hand(cx, &environments).into_iter().collect();
        let anew = plan.needs(|part| part == Part::Whole);
        let built = cx.built(wanted).filter(|_| !anew);
        let Some((generation, _)) = built else {
            return Ok(Exact { warnings, ..Exact::default() });
        };
        let leads = |environments: Environments, generation: &Generation| {
            let link = environments.current_path();
            Message::plain(format!("ln -sfn {} {}", generation.folder(), link.display()))
        };
        let base = base(cx).map(|base| leads(Environments::beside(base), base));
        let commands = base.into_iter().chain([leads(environments, &generation)]).collect();
        Ok(Exact { warnings, ..Exact::one(Step { commands, ..step.clone() }) })
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let Some(wanted) = work.plan.environment() else { return Ok(Vec::new()) };
        let environments = cx.environments(wanted);
        let before = environments.current(cx.system);
        let run = Journal::run_of(&work.log);
        let wish = before.as_ref().and_then(|(_, record)| record.wish.as_ref());
        let occasion = cx.occasion(work.plan, wish);
        if cx.dry && cx.back.is_none() {
            let name = wanted.generation().unwrap_or_default();
            let generation = environments.instance(cx.system, &name);
            environments.activate(cx.system, &generation, run, occasion)?;
            return Ok(Vec::new());
        }
        if let Some(base) = base(cx) {
            let bases = Environments::beside(base);
            bases.activate(cx.system, base, run.clone(), occasion)?;
        }
        let Some((generation, _)) = cx.built(wanted) else {
            return Err(ExecError::StillMissing { reason: message!("nothing was built") });
        };
        environments.activate(cx.system, &generation, run, occasion)?;
        if let Some((old, _)) = before.filter(|(old, _)| *old != generation)
            && let Some(text) = left_behind(cx, &old, &generation, None)
        {
            work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
        }
        Ok(vec![ReceiptEntry::path(&environments.current_path(), Some(generation.name()))])
    }

    fn own(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        plan.environment().map_or_else(Vec::new, |wanted| own::link(cx, &cx.environments(wanted)))
    }
}

/// Conda's own generation that goes along with what is gone back to, as long as it is not the one in use.
fn base<'a>(cx: &Context<'a>) -> Option<&'a Generation> {
    let base = cx.back?.base.as_ref()?;
    (!Environments::new(&cx.settings.data, BASE).in_use(cx.system, base)).then_some(base)
}

/// What is said where somebody has moved the link by hand and it is to be moved again.
fn moved_by_hand(cx: &Context<'_>, environments: &Environments) -> Option<Warning> {
    // A run that was killed has noted what it did not come to do.
    let by_hand = |_: &_| interrupted_run(cx.state, cx.system).is_none();
    let (last, current) = environments.moved_by_hand(cx.system).filter(by_hand)?;
    let remedy = match cx.back {
        Some(_) => message!("it is moved as you ask now"),
        None => message!(
            "to stay with it: `aitk apply` without choices keeps what that one was asked to be; `aitk rollback` goes back"
        ),
    };
    Some(Warning::new(
        aitk_plan::warnings::MOVED_BY_HAND,
        message!(
            "{} was moved by hand, from {} to {}; this moves it again",
            environments.current_path().display(),
            last.to,
            current.folder()
        ),
        remedy,
    ))
}

/// What the user had added to the generation that was replaced and is not in the new one, so that nothing is lost
/// unsaid. `of` is as in [`add_again`].
pub(super) fn left_behind(
    cx: &Context<'_>,
    old: &Generation,
    new: &Generation,
    of: Option<&str>,
) -> Option<Message> {
    let record = new.record(cx.system)?;
    let lost = old.lost(cx.system, &record.versions(), &record.added);
    (!lost.is_empty()).then(|| {
        message!(
            "you had added {} to the environment that was replaced; it is still in {}, and {} adds it here",
            list(&lost),
            old.path().display(),
            add_again(&lost, of)
        )
    })
}
