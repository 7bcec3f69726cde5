//! The packages of one layer are in the generation.

use aitk_env::{Backend, Depth, Generation, is_fetched};
use aitk_plan::step::{Environment, Layer};
use aitk_plan::{Locked, Part, Plan, Step};
use aitk_system::{Message, message};

use super::building::{builder, finish, mend, mender, with_lock};
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work, lacks_in};
use crate::context::{Context, backend_of, no_log};
use crate::error::ExecError;

/// How many packages are named.
const NAMED: usize = 5;

impl Ensure for Layer {
    fn verified(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Message {
        let built = plan.environment().and_then(|wanted| cx.built(wanted));
        let packages = built.and_then(|(_, mut record)| record.layers.remove(&step.id));
        let packages = packages.unwrap_or_default();
        let names: Vec<_> = packages.keys().take(NAMED).map(String::as_str).collect();
        let names = names.join(", ");
        match packages.len().saturating_sub(NAMED) {
            0 => message!("packages as they were installed: {names}"),
            more => message!("packages as they were installed: {names} and {more} more"),
        }
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<CheckOutcome, ExecError> {
        self.verify(cx, plan, step, cx.depth())
    }

    /// The environment resolves all layers together; here is only what mending takes.
    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Some(wanted) = plan.environment() else { return Ok(Exact::default()) };
        let anew = plan.needs(|part| part == Part::Whole);
        let whole = cx.built(wanted).filter(|_| !anew);
        let Some((generation, _)) = whole else { return Ok(Exact::default()) };
        let log = no_log();
        let damaged = mender(cx, wanted, generation.clone(), &log).damaged(&step.id)?;
        Ok(Exact::one(filled(cx, backend_of(wanted), &generation, step, &damaged)))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let Some(wanted) = work.plan.environment() else { return Ok(Vec::new()) };
        let id = &work.step.id;
        let whole = cx.built(wanted).filter(|_| !being_built(cx, work.plan));
        if let Some((generation, _)) = whole {
            mend(cx, work, &mender(cx, wanted, generation, &work.log), id)?;
            return Ok(Vec::new());
        }
        let (wanted, lock) = with_lock(Some(wanted))?;
        cx.downloads.wait(id, work.reporter)?;
        let builder = builder(cx, work, wanted, lock, &wanted.request.added);
        if builder.layer(id)? {
            cx.memo().built.insert(id.clone());
        }
        finish(cx, work, &builder)?;
        Ok(Vec::new())
    }

    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        depth: Depth,
    ) -> Result<CheckOutcome, ExecError> {
        let Some(wanted) = plan.environment() else { return Ok(CheckOutcome::Holds) };
        if being_built(cx, plan) {
            return Ok(match cx.memo().built.contains(&step.id) {
                true => CheckOutcome::Holds,
                false => CheckOutcome::missing(message!("it is not installed yet")),
            });
        }
        let Some((generation, record)) = cx.built(wanted) else {
            return Ok(CheckOutcome::missing(message!("its environment is not there")));
        };
        if !record.layers.contains_key(&step.id) {
            return Ok(CheckOutcome::missing(message!("it is not in the environment")));
        }
        Ok(CheckOutcome::of(lacks_in(cx, &generation, Some(&step.id), depth)?))
    }
}

/// A step with what installing these packages into a generation takes.
pub(super) fn filled(
    cx: &Context<'_>,
    backend: &dyn Backend,
    generation: &Generation,
    step: &Step,
    layer: &aitk_plan::LockedLayer,
) -> Step {
    let (packages, site) = (&layer.packages, cx.looking());
    let folder = backend.packages(cx.settings);
    let size = |locked: &Locked| locked.package.size.unwrap_or(0);
    let fetched = |locked: &&Locked| !is_fetched(locked, &folder, cx.system);
    let download = packages.iter().filter(fetched).map(size).fold(0, u64::saturating_add);
    let footprints = backend.footprints(&site, &packages.iter().collect::<Vec<_>>());
    // What is downloaded is kept.
    let disk = footprints.iter().map(|one| one.bytes).fold(download, u64::saturating_add);
    Step {
        commands: backend.install_commands(&site, generation.path(), layer),
        packages: packages.iter().map(|locked| locked.package.clone()).collect(),
        download: Some(download),
        disk: Some(disk),
        rough: footprints.iter().any(|one| one.rough),
        files: footprints.iter().map(|one| one.files).sum(),
        estimated: packages.iter().any(|locked| locked.package.size.is_none()),
        ..step.clone()
    }
}

/// Whether this run builds a new generation.
fn being_built(cx: &Context<'_>, plan: &Plan) -> bool {
    let memo = cx.memo();
    plan.find::<Environment>().is_some_and(|(step, _)| memo.built.contains(&step.id))
}
