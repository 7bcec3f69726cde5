//! The generation is the one in use.

use aitk_plan::{Plan, Step};

use super::{Check, Exact, Kind, Made, Work};
use crate::context::{Context, environment};
use crate::error::ExecError;
use crate::report::Event;

pub(super) struct Activate;

impl Kind for Activate {
    fn check(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Result<Check, ExecError> {
        let Some(spec) = environment(plan) else { return Ok(Check::Holds) };
        let environments = cx.environments(&spec);
        let current = environments.current(cx.system);
        let fits = current.is_some_and(|(generation, record)| {
            record.request == spec.request
                && cx.locked.is_none_or(|lock| lock.digest() == generation.name())
                && spec.generation.is_none_or(|wanted| wanted == generation.name())
        });
        Ok(if fits {
            Check::Holds
        } else {
            let link = environments.current_path();
            Check::missing(format!("{} does not lead to it", link.display()))
        })
    }

    /// The environment knows the generation's name once it is resolved.
    fn resolve(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Result<Exact, ExecError> {
        Ok(Exact::default())
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let Some(spec) = environment(work.plan) else { return Ok(Vec::new()) };
        let environments = cx.environments(&spec);
        let before = environments.current(cx.system);
        let built =
            cx.lock_of(work.plan).map(|lock| (environments.generation(&lock.digest()), lock));
        let generation = match built {
            Some((generation, lock)) => {
                if generation.record(cx.system).is_none() && !cx.dry {
                    generation.finish(cx.system, &lock, &spec.request)?;
                }
                generation
            }
            None => match environments.find(cx.system, &spec.request) {
                Some((generation, _)) => generation,
                None => {
                    return Err(ExecError::StillMissing { reason: "nothing was built".to_owned() });
                }
            },
        };
        environments.activate(cx.system, &generation)?;
        if let Some((old, _)) = before.filter(|(old, _)| *old != generation) {
            let added = old.added(cx.system);
            if !added.is_empty() {
                let text = format!(
                    "you had added {} to the environment that was replaced; it is still in {}, and `aitk run -- pip \
                     install {}` adds it here",
                    added.join(", "),
                    old.path().display(),
                    added.join(" ")
                );
                work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
            }
        }
        Ok(vec![Made::path(&environments.current_path(), Some(generation.name()))])
    }
}
