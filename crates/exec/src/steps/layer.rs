//! The packages of one layer are in the generation.

use aitk_env::{Damage, Depth, Generation, Manager, is_fetched};
use aitk_plan::step::{Environment, Layer};
use aitk_plan::{Lock, Locked, Manager as ManagerKind, Part, Plan, Step};
use aitk_system::message;

use super::{Check, Ensure, Exact, Made, Work, may_download};
use crate::context::{Context, environment, no_log};
use crate::error::ExecError;

impl Ensure for Layer {
    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Check, ExecError> {
        self.verify(cx, plan, step, cx.depth())
    }

    /// The environment resolves all layers together; here is only what mending takes.
    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Some(spec) = environment(plan) else { return Ok(Exact::default()) };
        let anew = plan.needs(|part| part == Part::Whole);
        let whole = cx.built(&spec).filter(|_| !anew);
        let Some((generation, _)) = whole else { return Ok(Exact::default()) };
        let damaged = damaged(cx, &generation, &step.id)?;
        let log = no_log();
        let manager = cx.manager(spec.manager, &log);
        Ok(Exact::one(filled(cx, &*manager, &generation, step, &damaged, spec.manager)))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let Some(spec) = environment(work.plan) else { return Ok(Vec::new()) };
        let environments = cx.environments(&spec);
        let manager = cx.manager(spec.manager, &work.log);
        let id = &work.step.id;
        let whole = cx.built(&spec);
        if let Some((generation, _)) = whole.filter(|_| !being_built(cx, work.plan)) {
            mend(cx, work, &*manager, &generation)?;
            return Ok(Vec::new());
        }
        let lock = cx.lock_of(work.plan);
        let Some((lock, layer)) = lock.as_ref().and_then(|lock| Some((lock, lock.layer(id)?)))
        else {
            return Err(ExecError::StillMissing { reason: message!("the plan has no lock") });
        };
        cx.downloads.wait(id, work.reporter)?;
        let generation = environments.instance(cx.system, &lock.digest());
        manager.install(&generation, lock, id)?;
        if generation.has(cx.system, lock.manager, layer) {
            cx.memo().built.insert(id.clone());
        }
        finish(cx, work, &*manager, &generation, lock)?;
        Ok(Vec::new())
    }

    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        depth: Depth,
    ) -> Result<Check, ExecError> {
        let Some(spec) = environment(plan) else { return Ok(Check::Holds) };
        if being_built(cx, plan) {
            return Ok(match cx.memo().built.contains(&step.id) {
                true => Check::Holds,
                false => Check::missing(message!("it is not installed yet")),
            });
        }
        let Some((generation, record)) = cx.built(&spec) else {
            return Ok(Check::missing(message!("its environment is not there")));
        };
        if !record.layers.contains_key(&step.id) {
            return Ok(Check::missing(message!("it is not in the environment")));
        }
        let damage = cx.damage(&generation, Some(&step.id), depth)?;
        Ok(if damage.is_empty() {
            Check::Holds
        } else {
            Check::Missing(damage.iter().map(Damage::describe).collect())
        })
    }
}

/// The packages of a layer that are damaged.
fn damaged(
    cx: &Context<'_>,
    generation: &Generation,
    step: &str,
) -> Result<aitk_plan::Layer, ExecError> {
    let damage = generation.damage(cx.system, Some(step), Depth::Content)?;
    let names: Vec<_> = damage.into_iter().map(|damage| damage.package).collect();
    let lock = generation.lock(cx.system)?;
    let packages = lock.layer(step).into_iter().flat_map(|layer| &layer.packages);
    let packages = packages.filter(|locked| names.contains(&locked.key())).cloned().collect();
    Ok(aitk_plan::Layer { step: step.to_owned(), packages })
}

/// A step with what installing these packages into a generation takes.
pub(super) fn filled(
    cx: &Context<'_>,
    manager: &dyn Manager,
    generation: &Generation,
    step: &Step,
    layer: &aitk_plan::Layer,
    kind: ManagerKind,
) -> Step {
    let packages = &layer.packages;
    let folder = cx.settings.packages(kind);
    let size = |locked: &Locked| locked.package.size.unwrap_or(0);
    let fetched = |locked: &&Locked| !is_fetched(locked, &folder, cx.system);
    let download = packages.iter().filter(fetched).map(size).fold(0, u64::saturating_add);
    let footprints = packages.iter().map(|locked| manager.footprint(locked));
    // What is downloaded is kept.
    let disk = footprints.clone().map(|one| one.bytes).fold(download, u64::saturating_add);
    Step {
        commands: manager.install_commands(generation, layer),
        packages: packages.iter().map(|locked| locked.package.clone()).collect(),
        download: Some(download),
        disk: Some(disk),
        rough: footprints.clone().any(|one| one.rough),
        files: footprints.map(|one| one.files).sum(),
        estimated: packages.iter().any(|locked| locked.package.size.is_none()),
        ..step.clone()
    }
}

/// Whether this run builds a new generation.
fn being_built(cx: &Context<'_>, plan: &Plan) -> bool {
    let memo = cx.memo();
    plan.find::<Environment>().is_some_and(|(step, _)| memo.built.contains(&step.id))
}

/// Notes that a generation is whole, once every layer is in it: it can be proven now. What a cache that has lost files did
/// not give is installed again from the archives.
pub(super) fn finish(
    cx: &Context<'_>,
    work: &Work<'_>,
    manager: &dyn Manager,
    generation: &Generation,
    lock: &Lock,
) -> Result<(), ExecError> {
    let built = cx.memo().built.clone();
    let Some(spec) = environment(work.plan).filter(|_| !cx.dry) else { return Ok(()) };
    if lock.layers.iter().any(|layer| !built.contains(&layer.step)) {
        return Ok(());
    }
    generation.finish(cx.system, lock, &spec.digest, spec.added)?;
    cx.memo().built.clear();
    for layer in &lock.layers {
        if !generation.damage(cx.system, Some(&layer.step), Depth::Sizes)?.is_empty() {
            mend_layer(cx, work, manager, generation, &layer.step)?;
        }
    }
    Ok(())
}

/// Installs again, in place, just the packages of a whole generation that are damaged.
pub(super) fn mend(
    cx: &Context<'_>,
    work: &Work<'_>,
    manager: &dyn Manager,
    generation: &Generation,
) -> Result<(), ExecError> {
    mend_layer(cx, work, manager, generation, &work.step.id)
}

fn mend_layer(
    cx: &Context<'_>,
    work: &Work<'_>,
    manager: &dyn Manager,
    generation: &Generation,
    step: &str,
) -> Result<(), ExecError> {
    let damaged = damaged(cx, generation, step)?;
    if damaged.packages.is_empty() {
        return Ok(());
    }
    if may_download(cx, &message!("download {} packages again", damaged.packages.len()))? {
        cx.downloads.begin(cx.settings, work.plan.manager, std::slice::from_ref(&damaged));
        cx.downloads.wait(step, work.reporter)?;
    }
    manager.mend(generation, &damaged)?;
    if !cx.dry {
        let again: Vec<_> = damaged.packages.iter().map(Locked::key).collect();
        generation.note_again(cx.system, &again)?;
    }
    // What was proven of the damaged environment is to be proven again.
    cx.memo().receipt.proofs.clear();
    Ok(())
}
