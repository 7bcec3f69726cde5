//! The generation is the one in use.

use aitk_env::{Generation, add_again};
use aitk_plan::step::Activate;
use aitk_plan::{Part, Plan, Step};
use aitk_system::{Message, message};

use super::environment::list;
use super::{Check, Ensure, Exact, Made, Work, in_the_way, not_ours, own};
use crate::context::Context;
use crate::error::ExecError;
use crate::report::Event;

impl Ensure for Activate {
    fn check(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Result<Check, ExecError> {
        let Some(wanted) = plan.environment() else { return Ok(Check::Holds) };
        let environments = cx.environments(wanted);
        let current = environments.current(cx.system);
        let fits = current.is_some_and(|(generation, record)| {
            record.request == wanted.request.digest
                && cx.locked.is_none_or(|locks| locks.environment.digest() == generation.name())
                && wanted.generation().is_none_or(|wanted| wanted == generation.name())
        });
        if fits {
            return Ok(Check::Holds);
        }
        let link = environments.current_path();
        let remedy = match environments.is_taken(cx.system) {
            true => Some(in_the_way()),
            false => not_ours(cx, &link),
        };
        let other = message!("{} does not lead to it", link.display());
        Ok(Check::missing(other).helped_by(remedy))
    }

    /// Where a generation is to be built, the environment's step knows its name once it is resolved.
    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Some(wanted) = plan.environment() else { return Ok(Exact::default()) };
        let anew = plan.needs(|part| part == Part::Whole);
        let built = cx.built(wanted).filter(|_| !anew);
        let Some((generation, _)) = built else { return Ok(Exact::default()) };
        let link = cx.environments(wanted).current_path();
        let commands =
            vec![Message::plain(format!("ln -s {} {}", generation.folder(), link.display()))];
        Ok(Exact::one(Step { commands, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let Some(wanted) = work.plan.environment() else { return Ok(Vec::new()) };
        let environments = cx.environments(wanted);
        let before = environments.current(cx.system);
        if cx.dry {
            let name = wanted.generation().unwrap_or_default();
            environments.activate(cx.system, &environments.instance(cx.system, &name))?;
            return Ok(Vec::new());
        }
        let Some((generation, _)) = cx.built(wanted) else {
            return Err(ExecError::StillMissing { reason: message!("nothing was built") });
        };
        environments.activate(cx.system, &generation)?;
        if let Some((old, _)) = before.filter(|(old, _)| *old != generation)
            && let Some(text) = left_behind(cx, &old, &generation, None)
        {
            work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
        }
        Ok(vec![Made::path(&environments.current_path(), Some(generation.name()))])
    }

    fn own(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Vec<Made> {
        plan.environment()
            .map_or_else(Vec::new, |wanted| own::link(cx, &cx.environments(wanted).current_path()))
    }
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
