//! A generation exists for the environment's lock.

use aitk_system::{Message, message};

use aitk_env::{
    Added, ChosenBuild, Depth, EnvError, Generation, GenerationRecord, add_again, backend,
    get_python,
};
use aitk_plan::step::{AptPackages, Environment};
use aitk_plan::{
    Accelerator, Bytes, EnvironmentPlan, EnvironmentRequest, FrameworkPlan, Lock, LockedLayer,
    Part, Plan, Status, Step, Warning,
};

use super::building::{builder, ensure, with_lock};
use super::layer::filled;
use super::{
    CheckOutcome, Ensure, Exact, ReceiptEntry, Remedy, Work, behaviour, comes_later,
    lacks_as_a_whole, lacks_of, own,
};
use crate::context::{Context, backend_of};
use crate::error::ExecError;

impl Ensure for Environment {
    fn verified(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Message {
        match plan.environment().and_then(|wanted| cx.built(wanted)) {
            Some((_, record)) => message!("the environment stands, with Python {}", record.python),
            None => message!("the environment stands"),
        }
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<CheckOutcome, ExecError> {
        Ok(self.verify(cx, plan, step, cx.depth())?.for_apply())
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Some(wanted) = plan.environment() else { return Ok(Exact::one(step.clone())) };
        // Known before anything is agreed to, unless an earlier step brings it.
        let builds_here =
            cx.is_local && cx.locked.is_none() && !wanted.request.manager.brings_python();
        let without = ExecError::from(EnvError::NoPython);
        if builds_here && cx.machine_now()?.python.is_empty() && !comes_later(plan, &without) {
            return Err(without);
        }
        let resolved = resolve(cx, plan)?;
        Ok(exact(cx, plan, step, wanted, &resolved))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let (wanted, lock) = with_lock(work.plan.environment())?;
        let builder = builder(cx, work, wanted, lock, &wanted.request.added);
        ensure(cx, work, &builder, &lock.layers)
    }

    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        depth: Depth,
    ) -> Result<CheckOutcome, ExecError> {
        let Some(wanted) = plan.environment() else { return Ok(CheckOutcome::Holds) };
        if cx.memo().built.contains(&step.id) {
            return Ok(CheckOutcome::Holds);
        }
        accept(cx, wanted)?;
        let check = judged(cx, wanted, step, depth)?;
        let needs_one = check.clone().for_apply() != CheckOutcome::Holds
            && without_python(cx, plan, &wanted.request)?;
        Ok(check.helped_by(needs_one.then(|| Remedy::Do(get_python()))))
    }

    fn own(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        plan.environment()
            .map_or_else(Vec::new, |wanted| own::generations(cx, &cx.environments(wanted)))
    }
}

/// Whether the environment is there and as it shall be, but for its later layers.
fn judged(
    cx: &Context<'_>,
    wanted: &EnvironmentPlan,
    step: &Step,
    depth: Depth,
) -> Result<CheckOutcome, ExecError> {
    let EnvironmentRequest { digest, python, .. } = &wanted.request;
    if cx.fresh && wanted.lock.is_none() {
        return Ok(CheckOutcome::missing(message!("it is resolved anew")));
    }
    let Some((generation, record)) = cx.built(wanted) else {
        let asked =
            |it: &Generation| it.record(cx.system).is_none_or(|record| record.request == *digest);
        let there = cx.environments(wanted).linked(cx.system).filter(asked);
        let lacks = there.map_or_else(Vec::new, |it| lacks_as_a_whole(cx, &it));
        let none = || {
            CheckOutcome::missing(message!("there is no environment `{}` like this", wanted.name))
        };
        return Ok(if lacks.is_empty() { none() } else { CheckOutcome::of(lacks) });
    };
    let own = record.layers.contains_key(&step.id).then_some(step.id.as_str());
    let lacks = lacks_of(cx, &generation, own, depth)?;
    let other = python.as_ref().filter(|python| **python != record.python);
    // What is broken tells more than what is old.
    if let (Some(python), true) = (other, lacks.is_empty()) {
        let built = &record.python;
        return Ok(CheckOutcome::missing(message!(
            "the environment has Python {built}, and what is asked for gets {python} here"
        )));
    }
    Ok(CheckOutcome::of(lacks))
}

/// Whether there is no Python to build it on, though apt says that its packages are there: nothing would bring one.
fn without_python(
    cx: &Context<'_>,
    plan: &Plan,
    request: &EnvironmentRequest,
) -> Result<bool, ExecError> {
    let comes = |step: &&Step| step.is::<AptPackages>();
    Ok(!request.manager.brings_python()
        && cx.is_local
        && cx.machine.python.is_empty()
        && cx.machine_now()?.python.is_empty()
        && plan.steps.iter().filter(comes).all(|step| {
            step.status == Status::Blocked
                || matches!(behaviour(&step.action).check(cx, plan, step), Ok(CheckOutcome::Holds))
        }))
}

/// The generation in use, if it was built for the same wishes, whether or not it still works.
fn in_use_for(
    cx: &Context<'_>,
    wanted: &EnvironmentPlan,
) -> Option<(Generation, GenerationRecord)> {
    let current = cx.environments(wanted).current(cx.system);
    current.filter(|(_, record)| record.request == wanted.request.digest)
}

/// The layers of an environment that is to be built and is exactly known: they can come in ahead of its step.
pub(super) fn ahead(cx: &Context<'_>, plan: &Plan) -> Vec<LockedLayer> {
    let needed = plan.needs(|part| part == Part::Whole);
    let Ok((wanted, lock)) = with_lock(plan.environment()) else { return Vec::new() };
    let environments = cx.environments(wanted);
    let generation = environments.instance(cx.system, &lock.digest());
    let there =
        generation.record(cx.system).is_some() || environments.in_use(cx.system, &generation);
    if needed && !there { lock.layers.clone() } else { Vec::new() }
}

/// A lock, and what the user had added by hand: what of it is carried over, and what does not go with the rest.
pub(crate) struct Resolved {
    pub lock: Lock,
    pub added: Vec<String>,
    pub left_out: Vec<String>,
}

impl From<Lock> for Resolved {
    fn from(lock: Lock) -> Self {
        Self { lock, added: Vec::new(), left_out: Vec::new() }
    }
}

/// Refuses a lock of the user's that cannot be what the plan asks for here.
fn accept(cx: &Context<'_>, wanted: &EnvironmentPlan) -> Result<(), ExecError> {
    let Some(locks) = cx.locked else { return Ok(()) };
    let lock = &locks.environment;
    let plan = wanted.request.manager;
    if lock.manager != plan {
        return Err(ExecError::OtherManager { lock: lock.manager, plan });
    }
    Ok(backend_of(wanted).accept(&cx.looking(), lock, &wanted.request)?)
}

/// The lock of a plan's environment: the user's own, that of the environment that is there, else a new one.
pub(crate) fn resolve(cx: &Context<'_>, plan: &Plan) -> Result<Resolved, ExecError> {
    let Some(wanted) = plan.environment() else {
        return Err(ExecError::StillMissing { reason: message!("the plan has no environment") });
    };
    let EnvironmentRequest { manager, python, layers, digest, .. } = &wanted.request;
    accept(cx, wanted)?;
    if let Some(locks) = cx.locked {
        return Ok(locks.environment.clone().layered(layers).into());
    }
    if !plan.builds_here() {
        return Ok(backend_of(wanted).resolve(&cx.looking(), &wanted.request)?.into());
    }
    let environments = cx.environments(wanted);
    // An environment that only needs mending, or building again, keeps its versions.
    let there = environments.find(cx.system, digest).or_else(|| in_use_for(cx, wanted));
    if let Some((generation, record)) = there
        && python.as_ref().is_none_or(|python| *python == record.python)
        && !cx.fresh
        && let Ok(mut lock) = generation.lock(cx.system)
    {
        lock.build = record.build;
        return Ok(Resolved { lock, added: record.added, left_out: Vec::new() });
    }
    if let Some((_, lock)) = environments.unrecorded(cx.system)
        && lock.manager == *manager
        && !cx.fresh
        && backend_of(wanted).accept(&cx.looking(), &lock, &wanted.request).is_ok()
    {
        return Ok(lock.layered(layers).into());
    }
    let before = environments.current(cx.system);
    solve(cx, &wanted.request, before.map(|(before, _)| before))
}

/// A new lock, in which what the user had added before is there again, if that goes with the rest.
pub(super) fn solve(
    cx: &Context<'_>,
    request: &EnvironmentRequest,
    before: Option<Generation>,
) -> Result<Resolved, ExecError> {
    let (kind, backend) = (request.manager, backend(request.manager));
    let of_kind = |before: &Generation| before.record(cx.system).is_some_and(|r| r.manager == kind);
    let before = before.filter(of_kind);
    let added = before.map_or_else(Vec::new, |before| before.carried(cx.system));
    let request = EnvironmentRequest { added: added.clone(), ..request.clone() };
    match backend.resolve(&cx.looking(), &request) {
        Err(EnvError::Unsolvable { .. }) if !added.is_empty() => {
            let without = EnvironmentRequest { added: Vec::new(), ..request };
            let lock = backend.resolve(&cx.looking(), &without)?;
            Ok(Resolved { lock, added: Vec::new(), left_out: added })
        }
        lock => Ok(Resolved { lock: lock?, added, left_out: Vec::new() }),
    }
}

/// Puts the lock into the environment, and what it says into its step and those of its layers.
fn exact(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    wanted: &EnvironmentPlan,
    resolved: &Resolved,
) -> Exact {
    let lock = &resolved.lock;
    let generation = cx.environments(wanted).instance(cx.system, &lock.digest());
    let backend = backend_of(wanted);
    let mut steps = exact_steps(cx, plan, step, wanted, lock);
    let taken = plan.framework.as_ref().zip(backend.chosen_build(&wanted.request.builds, lock));
    let framework = taken.as_ref().map(|(planned, taken)| FrameworkPlan {
        build: taken.name.clone(),
        requirement: taken.request.requirements.join(" "),
        source: taken.request.source(wanted.request.manager),
        why: [&planned.why[..], taken.why.as_slice(), taken.request.note.as_slice()].concat(),
        ..(*planned).clone()
    });
    let mut warnings: Vec<_> =
        taken.as_ref().and_then(|(_, taken)| noted(taken, lock)).into_iter().collect();
    let accelerator = accelerator(plan, wanted, lock.build.as_deref());
    warnings.extend(on_the_cpu(accelerator.as_ref()));
    let of_framework = wanted.request.framework();
    let is_match = |step: &&mut Step| of_framework.is_some_and(|layer| layer.step == step.id);
    if let (Some(step), Some((_, taken))) = (steps.iter_mut().find(is_match), taken) {
        step.why.extend(taken.why);
    }
    let carried: Vec<_> = resolved.added.iter().chain(&resolved.left_out).cloned().collect();
    let before = cx.environments(wanted).current(cx.system);
    let lost = before
        .filter(|(before, _)| *before != generation)
        .map_or_else(Vec::new, |(before, _)| before.lost(cx.system, &lock.versions(), &carried));
    warnings.extend(does_not_go(&resolved.left_out));
    warnings.extend(is_not_carried(&lost));
    let build = framework.as_ref().or(plan.framework.as_ref()).map(|taken| taken.build.clone());
    let request = EnvironmentRequest {
        python: Some(lock.target.python.clone()),
        added: resolved.added.clone(),
        ..wanted.request.clone()
    };
    let lock = Some(Lock { build, ..lock.clone() });
    let environment = Some(EnvironmentPlan { name: wanted.name.clone(), request, lock });
    Exact { steps, environment, framework, accelerator, warnings }
}

/// The steps of an environment as they are with its lock: its own, its layers, and the switch to it.
fn exact_steps(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    wanted: &EnvironmentPlan,
    lock: &Lock,
) -> Vec<Step> {
    let generation = cx.environments(wanted).instance(cx.system, &lock.digest());
    let (backend, site) = (backend_of(wanted), cx.looking());
    let mut own = Step {
        commands: Vec::new(),
        download: Some(0),
        disk: Some(0),
        estimated: false,
        ..step.clone()
    };
    if let Some(layer) = lock.layer(&step.id) {
        own = filled(cx, backend, &generation, &own, layer);
    }
    let create = backend.create_commands(&site, &wanted.name, &wanted.request, generation.path());
    own.commands.splice(0..0, create);
    let mut steps = vec![own];
    let layers = plan.steps.iter().filter(|step| step.part() == Part::Layer);
    for layer in layers {
        if let Some(locked) = lock.layer(&layer.id) {
            steps.push(filled(cx, backend, &generation, layer, locked));
        }
    }
    let link = cx.environments(wanted).current_path();
    for step in plan.steps.iter().filter(|step| step.part() == Part::Switch) {
        let commands =
            vec![Message::plain(format!("ln -sfn {} {}", generation.folder(), link.display()))];
        steps.push(Step { commands, ..step.clone() });
    }
    steps
}

/// What is said of what the user had added and the solver cannot have beside the rest.
pub(super) fn does_not_go(left_out: &[String]) -> Option<Warning> {
    (!left_out.is_empty()).then(|| {
        Warning::new(
            aitk_plan::warnings::LEFT_BEHIND,
            message!("what you added does not go with the rest any more: {}", left_out.join(", ")),
            message!("it stays in the generation that is replaced; add it in another version once this is done"),
        )
    })
}

/// What is said of what the user had added and nobody can carry over.
fn is_not_carried(lost: &[Added]) -> Option<Warning> {
    (!lost.is_empty()).then(|| {
        Warning::new(
            aitk_plan::warnings::LEFT_BEHIND,
            message!("what you added is not carried over: {}", list(lost)),
            message!(
                "it stays in the generation that is replaced; once this is done, {} adds it again",
                add_again(lost, None)
            ),
        )
    })
}

/// Packages as their own tools write them.
pub(super) fn list(added: &[Added]) -> String {
    added.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a person should know of the build of the framework that was taken.
fn noted(taken: &ChosenBuild<'_>, lock: &Lock) -> Option<Warning> {
    let note = taken.request.note.as_ref()?;
    let layer = lock.layers.last();
    let sizes = layer.into_iter().flat_map(|l| &l.packages).filter_map(|l| l.package.size);
    let size = Bytes(sizes.sum());
    Some(Warning::new(
        aitk_plan::warnings::LARGER_BUILD,
        message!("{note}: {size} to download"),
        message!(
            "set --torch-index (or `torch-index` in config.toml) to a mirror of PyTorch's index, or choose \
         --framework none"
        ),
    ))
}

/// Puts into a plan what is known of an environment that was built for it: which build of the framework it has.
pub(crate) fn as_built(cx: &Context<'_>, plan: &mut Plan) {
    let Some(wanted) = plan.environment() else { return };
    let Some((_, record)) = cx.built(wanted) else { return };
    let accelerator = accelerator(plan, wanted, record.build.as_deref());
    if let (Some(framework), Some(build)) = (&mut plan.framework, record.build) {
        framework.build = build;
    }
    if let Some(accelerator) = accelerator {
        plan.accelerator = accelerator;
    }
}

/// What computes, now that a build was taken.
fn accelerator(plan: &Plan, wanted: &EnvironmentPlan, build: Option<&str>) -> Option<Accelerator> {
    let planned = &plan.accelerator;
    if plan.framework.is_none() || planned.kind == "none" {
        return None;
    }
    backend_of(wanted).accelerator(planned, &wanted.request.builds, build.unwrap_or_default())
}

/// What is said where the plan meant a GPU, and the solver found no build for it.
fn on_the_cpu(accelerator: Option<&Accelerator>) -> Option<Warning> {
    let found = accelerator.filter(|accelerator| accelerator.kind == "none")?;
    Some(Warning::new(
        aitk_plan::warnings::UNUSED_GPU,
        Message::list(found.why.clone()),
        message!("name a channel that has builds for CUDA (--channel), or add --manager venv"),
    ))
}
