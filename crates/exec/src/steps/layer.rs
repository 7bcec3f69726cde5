//! The packages of one layer are in the generation.

use aitk_env::{Damage, Generation, Tools};
use aitk_plan::{Action, Plan, Status, Step};

use super::uv::{may_download, uv, uv_path};
use super::{Check, Exact, Kind, Made, Work};
use crate::context::{Context, environment};
use crate::error::ExecError;

pub(super) struct Layer;

impl Kind for Layer {
    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Check, ExecError> {
        self.verify(cx, plan, step, cx.deep)
    }

    /// The environment resolves all layers together; here is only what mending takes.
    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Some(spec) = environment(plan) else { return Ok(Exact::default()) };
        let anew = plan.steps.iter().any(|step| {
            matches!(step.action, Action::Environment { .. }) && step.status == Status::Needed
        });
        let whole = cx.environments(&spec).find(cx.system, &spec.request).filter(|_| !anew);
        let Some((generation, _)) = whole else { return Ok(Exact::default()) };
        let (damaged, _) = damaged(cx, &generation, &step.id)?;
        Ok(Exact::one(filled(cx, &generation, step, &damaged)))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let Some(spec) = environment(work.plan) else { return Ok(Vec::new()) };
        let environments = cx.environments(&spec);
        let uv = uv(cx)?;
        let tools = Tools { system: cx.system, uv: &uv, settings: cx.settings, log: &work.log };
        let id = &work.step.id;
        let whole = environments.find(cx.system, &spec.request);
        if let Some((generation, _)) = whole.filter(|_| !being_built(cx, work.plan)) {
            return mend(cx, work, &tools, &generation);
        }
        let lock = cx.lock_of(work.plan);
        let Some((lock, layer)) = lock.as_ref().and_then(|lock| Some((lock, lock.layer(id)?)))
        else {
            return Err(ExecError::StillMissing { reason: "the plan has no lock".to_owned() });
        };
        cx.downloads.wait(id, work.reporter)?;
        let generation = environments.generation(&lock.digest());
        generation.install(&tools, layer, &[])?;
        if generation.has(cx.system, layer) {
            cx.memo().built.insert(id.clone());
        }
        Ok(Vec::new())
    }

    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        deep: bool,
    ) -> Result<Check, ExecError> {
        let Some(spec) = environment(plan) else { return Ok(Check::Holds) };
        if being_built(cx, plan) {
            return Ok(match cx.memo().built.contains(&step.id) {
                true => Check::Holds,
                false => Check::missing("it is not installed yet"),
            });
        }
        let Some((generation, record)) = cx.environments(&spec).find(cx.system, &spec.request)
        else {
            return Ok(Check::missing("its environment is not there"));
        };
        if !record.layers.contains_key(&step.id) {
            return Ok(Check::missing("it is not in the environment"));
        }
        let damage = cx.damage(&generation, Some(&step.id), deep)?;
        Ok(if damage.is_empty() {
            Check::Holds
        } else {
            Check::Missing(damage.iter().map(Damage::describe).collect())
        })
    }
}

/// The packages of a layer that are damaged, and their names.
fn damaged(
    cx: &Context<'_>,
    generation: &Generation,
    step: &str,
) -> Result<(aitk_env::Layer, Vec<String>), ExecError> {
    let damage = generation.damage(cx.system, Some(step), true)?;
    let names: Vec<_> = damage.into_iter().map(|damage| damage.package).collect();
    let lock = generation.lock(cx.system)?;
    let packages = lock.layer(step).into_iter().flat_map(|layer| &layer.packages);
    let is_damaged = |locked: &&aitk_env::Locked| names.contains(&locked.normalized_name());
    let packages = packages.filter(is_damaged).cloned().collect();
    Ok((aitk_env::Layer { step: step.to_owned(), packages }, names))
}

/// A step with what installing these packages into a generation takes.
pub(super) fn filled(
    cx: &Context<'_>,
    generation: &Generation,
    step: &Step,
    layer: &aitk_env::Layer,
) -> Step {
    let uv = uv_path(cx);
    let packages = &layer.packages;
    let size = |locked: &aitk_env::Locked| locked.package.size.unwrap_or(0);
    let fetched = |locked: &&aitk_env::Locked| !locked.is_in(&cx.settings.wheels(), cx.system);
    let download: u64 = packages.iter().filter(fetched).map(size).sum();
    // A source that tells no sizes of the files inside leaves an estimate: wheels unpack to 3.4 times their size, as
    // measured over the libraries of the profile `low`. The wheels themselves are kept.
    let unpacked = |locked: &aitk_env::Locked| locked.unpacked.unwrap_or(size(locked) * 34 / 10);
    let disk: u64 = packages.iter().map(unpacked).sum();
    Step {
        commands: vec![generation.install_command(&uv, cx.settings, &step.id).to_string()],
        packages: packages.iter().map(|locked| locked.package.clone()).collect(),
        download: Some(download),
        disk: Some(disk + download),
        files: packages.iter().map(|locked| locked.files).sum(),
        estimated: packages.iter().any(|locked| locked.package.size.is_none()),
        ..step.clone()
    }
}

/// Whether this run builds a new generation.
fn being_built(cx: &Context<'_>, plan: &Plan) -> bool {
    let memo = cx.memo();
    plan.steps.iter().any(|step| {
        matches!(step.action, Action::Environment { .. }) && memo.built.contains(&step.id)
    })
}

/// Installs again, in place, just the packages of a whole generation that are damaged.
fn mend(
    cx: &Context<'_>,
    work: &Work<'_>,
    tools: &Tools<'_>,
    generation: &Generation,
) -> Result<Vec<Made>, ExecError> {
    let (damaged, names) = damaged(cx, generation, &work.step.id)?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    if may_download(cx, &format!("download {} packages again", damaged.packages.len()))? {
        cx.downloads.begin(
            std::slice::from_ref(&damaged),
            &cx.settings.wheels(),
            cx.settings.offline,
        );
        cx.downloads.wait(&work.step.id, work.reporter)?;
    }
    generation.mend(tools, &damaged, &names)?;
    // What was proven of the damaged environment is to be proven again.
    cx.memo().receipt.proofs.clear();
    Ok(Vec::new())
}
