//! A conda and a mamba are there and know the environment by its name.

use aitk_system::{Message, message};
use std::path::{Path, PathBuf};

use aitk_env::{Depth, EnvError, Environments};
use aitk_plan::step::Base;
use aitk_plan::{BASE, EnvironmentPlan, EnvironmentRequest, Lock, Plan, Step};

use super::activate::left_behind;
use super::building::{builder, ensure, with_lock};
use super::environment::{Resolved, ahead, does_not_go, solve};
use super::layer::filled;
use super::{
    CheckOutcome, Ensure, Exact, Lack, ReceiptEntry, Remedy, Work, in_the_way, lacks_as_a_whole,
    lacks_of, own,
};
use crate::context::{Context, backend_of};
use crate::error::ExecError;
use crate::journal::Journal;
use crate::receipt::Provenance;
use crate::report::Event;

fn environments(cx: &Context<'_>) -> Environments {
    Environments::new(&cx.settings.data, BASE)
}

/// The folder of the conda that a plan uses.
pub(super) fn folder(cx: &Context<'_>, plan: &Plan) -> PathBuf {
    let adopted =
        plan.find::<Base>().and_then(|(_, base)| base.adopt.as_deref().map(PathBuf::from));
    adopted.unwrap_or_else(|| environments(cx).current_path())
}

impl Ensure for Base {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        match &self.adopt {
            Some(conda) => message!("{conda} knows the environment by its name"),
            None => message!("conda's own environment is as it was installed"),
        }
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<CheckOutcome, ExecError> {
        Ok(self.verify(cx, plan, step, cx.depth())?.for_apply())
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let link = links(cx, self).into_iter().next().unwrap_or_default();
        let known =
            Message::plain(format!("ln -sfn {} {}", current(cx, plan).display(), link.display()));
        let there = match judged(cx, plan, (step, self), Depth::Content)?.for_apply() {
            CheckOutcome::Holds => None,
            // Nothing that aitk does brings a conda there, so the plan is not even shown, nor kept as a wish.
            CheckOutcome::Missing(lacks) if self.adopt.is_some() && cx.is_local => {
                return Err(still_missing(lacks));
            }
            CheckOutcome::Missing(_) => resolved(cx, plan)?,
        };
        let Some((wanted, Resolved { lock, left_out, .. })) = plan.base().zip(there) else {
            let none = Step {
                commands: vec![known],
                download: Some(0),
                disk: Some(0),
                estimated: false,
                ..step.clone()
            };
            return Ok(Exact::one(none));
        };
        let generation = environments(cx).instance(cx.system, &lock.digest());
        let mut step = match lock.layer(&step.id) {
            Some(layer) => filled(cx, backend_of(wanted), &generation, step, layer),
            None => step.clone(),
        };
        step.commands.push(known);
        let environment = Some(EnvironmentPlan { lock: Some(lock), ..wanted.clone() });
        let warnings = does_not_go(&left_out).into_iter().collect();
        Ok(Exact { environment, warnings, ..Exact::one(step) })
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let (plan, step) = (work.plan, work.step);
        let mut made = Vec::new();
        let lacks = judged(cx, plan, (step, self), Depth::Content)?.for_apply().lacks();
        if !lacks.is_empty() && self.adopt.is_some() {
            return Err(still_missing(lacks));
        }
        if !lacks.is_empty() {
            let (wanted, lock) = with_lock(plan.base())?;
            made.extend(build(cx, work, wanted, lock)?);
        }
        let target = current(cx, plan);
        let mut failed = None;
        for link in links(cx, self) {
            if is_foreign(cx, &link) {
                failed = Some(ExecError::Foreign { path: link });
                continue;
            }
            match cx.system.symlink(&target, &link) {
                Ok(()) => {
                    made.push(ReceiptEntry::path(&link, None));
                    return Ok(made);
                }
                Err(error) => failed = Some(ExecError::io(&link)(error)),
            }
        }
        failed.map_or(Ok(made), Err)
    }

    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        depth: Depth,
    ) -> Result<CheckOutcome, ExecError> {
        let check = judged(cx, plan, (step, self), depth)?;
        if check.clone().for_apply() != CheckOutcome::Holds {
            return Ok(check);
        }
        let (target, links) = (current(cx, plan), links(cx, self));
        let leads_there = |link| cx.system.read_link(link).is_ok_and(|leads| leads == target);
        if links.iter().any(|link| leads_there(link)) {
            return Ok(check);
        }
        let taken = links
            .iter()
            .all(|link| is_foreign(cx, link))
            .then(|| links.first().map(|link| in_the_way(link)));
        let unknown =
            CheckOutcome::missing(message!("conda does not know `{}` by its name", self.env));
        Ok(CheckOutcome::of(
            check.lacks().into_iter().chain(unknown.helped_by(taken.flatten()).lacks()),
        ))
    }

    fn own(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let target = current(cx, plan);
        let adopted = self.adopt.as_deref().map(|conda| Path::new(conda).join("envs"));
        let places =
            [cx.settings.named_environments(), cx.machine.folders.home.join(".conda/envs")];
        let names = places.into_iter().chain(adopted).map(|folder| folder.join(&self.env));
        // A link of this name that leads elsewhere is somebody else's.
        let ours = names
            .filter(|link| cx.system.read_link(link).is_ok_and(|leads| leads == target))
            .map(|link| ReceiptEntry::path(&link, None));
        let base = environments(cx);
        ours.chain(own::generations(cx, &base)).chain(own::link(cx, &base)).collect()
    }
}

fn still_missing(lacks: Vec<Lack>) -> ExecError {
    let reason = Message::list(lacks.into_iter().map(|lack| lack.message));
    ExecError::StillMissing { reason }
}

/// Whether the conda itself is as it should be.
fn judged(
    cx: &Context<'_>,
    plan: &Plan,
    (step, base): (&Step, &Base),
    depth: Depth,
) -> Result<CheckOutcome, ExecError> {
    let one = |fault: Message| Ok(CheckOutcome::missing(fault));
    if let Some(adopt) = &base.adopt {
        if cx.system.exists(Path::new(adopt).join("bin/conda")) {
            return Ok(CheckOutcome::Holds);
        }
        let none = CheckOutcome::missing(message!("there is no conda in {}", adopt));
        return Ok(none.helped_by(Remedy::Do(message!(
            "name the folder of a conda with --conda-base, or apply anew without it"
        ))));
    }
    let wanted = plan.base();
    let there = environments(cx).current(cx.system);
    let resolved_to = wanted.and_then(EnvironmentPlan::generation);
    let name = there.as_ref().map(|(current, _)| current.name());
    if cx.fresh && (name.is_none() || resolved_to != name) {
        return one(message!("it is resolved anew"));
    }
    let of_lock = cx.locked.map(|locks| locks.base.as_ref());
    if let (Some(None), None) = (of_lock, &there) {
        return Err(EnvError::unfit(
            message!("it has no environment `base`, from which conda itself is installed"),
            message!("name a conda that is there already with --conda-base DIR"),
        )
        .into());
    }
    let Some((generation, record)) = there else {
        let lost = environments(cx).linked(cx.system);
        let lacks = lost.map_or_else(Vec::new, |it| lacks_as_a_whole(cx, &it));
        let none = || CheckOutcome::missing(message!("there is no conda of aitk's"));
        return Ok(if lacks.is_empty() { none() } else { CheckOutcome::of(lacks) });
    };
    let for_this = wanted.is_some_and(|wanted| record.request == wanted.request.digest);
    let fits = match of_lock {
        Some(Some(lock)) => for_this && lock.digest() == generation.name(),
        // A lock solves nothing: what is there does.
        Some(None) => true,
        None => for_this,
    };
    if !fits {
        return one(message!("the conda that is there is another one"));
    }
    Ok(CheckOutcome::of(lacks_of(cx, &generation, Some(&step.id), depth)?))
}

/// What the name of the environment leads to.
fn current(cx: &Context<'_>, plan: &Plan) -> PathBuf {
    plan.environment()
        .map_or_else(PathBuf::new, |environment| cx.environments(environment).current_path())
}

/// Where conda looks for environments by their names, the preferred place first. One's own conda is used as it is
/// set up: beside its other environments, or in the home folder where that place is somebody else's.
fn links(cx: &Context<'_>, base: &Base) -> Vec<PathBuf> {
    match &base.adopt {
        None => vec![cx.settings.named_environments().join(&base.env)],
        Some(adopt) => vec![
            Path::new(adopt).join("envs").join(&base.env),
            cx.machine.folders.home.join(".conda/envs").join(&base.env),
        ],
    }
}

/// Whether something of somebody else's has a name that conda shall know aitk's environment by: a folder, or a link that
/// leads elsewhere. One whose target is gone was aitk's before its folder was moved.
fn is_foreign(cx: &Context<'_>, link: &Path) -> bool {
    let Ok(target) = cx.system.read_link(link) else { return cx.system.exists(link) };
    let ours = target.starts_with(cx.settings.data.join("envs")) && target.ends_with("current");
    let moved = target.ends_with("current") && !cx.system.exists(&target);
    !ours && !moved
}

/// The lock of conda's own environment; `None` where the user brings one, or the plan has none.
pub(crate) fn resolve(cx: &Context<'_>, plan: &Plan) -> Result<Option<Lock>, ExecError> {
    Ok(resolved(cx, plan)?.map(|resolved| resolved.lock))
}

fn resolved(cx: &Context<'_>, plan: &Plan) -> Result<Option<Resolved>, ExecError> {
    let Some(EnvironmentPlan { request, .. }) = plan.base() else { return Ok(None) };
    let EnvironmentRequest { layers, digest, .. } = request;
    if let Some(lock) = cx.locked.and_then(|locks| locks.base.as_ref()) {
        return Ok(Some(lock.clone().layered(layers).into()));
    }
    let there = environments(cx).current(cx.system);
    match &there {
        Some((generation, _)) if cx.locked.is_some() => {
            return Ok(Some(generation.lock(cx.system)?.into()));
        }
        None if cx.locked.is_some() => return Ok(None),
        Some((generation, record)) if record.request == *digest && !cx.fresh => {
            if let Ok(lock) = generation.lock(cx.system) {
                return Ok(Some(lock.into()));
            }
        }
        _ => {}
    }
    if let Some((_, lock)) = environments(cx).unrecorded(cx.system).filter(|_| !cx.fresh) {
        return Ok(Some(lock.layered(layers).into()));
    }
    Ok(Some(solve(cx, request, there.map(|(generation, _)| generation))?))
}

/// Builds conda's own environment aside, or mends the one that is there.
fn build(
    cx: &Context<'_>,
    work: &Work<'_>,
    wanted: &EnvironmentPlan,
    lock: &Lock,
) -> Result<Vec<ReceiptEntry>, ExecError> {
    let environments = environments(cx);
    let before = environments.current(cx.system);
    // What is carried over is carried over again next time.
    let carried = before.as_ref().map_or_else(Vec::new, |(old, _)| old.carried(cx.system));
    let carried: Vec<_> = carried.into_iter().filter(|spec| lock.has(spec)).collect();
    let builder = builder(cx, work, wanted, lock, &carried);
    // The network need not rest while these are installed.
    let wanted: Vec<_> = lock.layers.iter().cloned().chain(ahead(cx, work.plan)).collect();
    ensure(cx, work, &builder, &wanted)?;
    let generation = builder.mender.generation;
    let run = Journal::run_of(&work.log);
    let wish = before.as_ref().and_then(|(_, record)| record.wish.as_ref());
    environments.activate(cx.system, &generation, run, cx.occasion(work.plan, wish))?;
    if let Some((old, _)) = before.filter(|(old, _)| *old != generation)
        && let Some(text) = left_behind(cx, &old, &generation, Some(BASE))
    {
        work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
    }
    let made = |path: &Path| ReceiptEntry {
        provenance: Provenance::Created,
        ..ReceiptEntry::path(path, None)
    };
    Ok(vec![made(generation.path()), made(&environments.current_path())])
}
