//! A generation exists for the environment's lock.

use aitk_env::{Added, Damage, EnvError, Generation, Layer, Lock};
use aitk_plan::{
    Accelerator, Action, BuildRequest, Bytes, FrameworkPlan, Manager, Plan, Status, Step, Warning,
};

use super::layer::{filled, mend};
use super::{Check, Exact, Kind, Made, Work, may_download};
use crate::context::{Context, EnvironmentSpec, environment, no_log};
use crate::error::ExecError;

pub(super) struct Environment;

impl Kind for Environment {
    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Check, ExecError> {
        self.verify(cx, plan, step, cx.deep)
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Some(spec) = environment(plan) else { return Ok(Exact::one(step.clone())) };
        let resolved = resolve(cx, plan)?;
        Ok(exact(cx, plan, step, &spec, &resolved))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let Some((spec, lock)) = environment(work.plan).zip(cx.lock_of(work.plan)) else {
            return Err(ExecError::StillMissing { reason: "the plan has no lock".to_owned() });
        };
        let generation = cx.environments(&spec).generation(&lock.digest());
        let manager = cx.manager(spec.manager, &work.log);
        let id = &work.step.id;
        if let Some(record) = generation.record(cx.system) {
            // It is whole: what the user may have added to it stays, and only what is damaged is mended.
            if !cx.damage(&generation, None, true)?.is_empty() {
                manager.mend_itself(&spec.request(), &generation)?;
            }
            if record.layers.contains_key(id) {
                mend(cx, work, &*manager, &generation)?;
            }
            if record.request != spec.digest {
                generation.finish(cx.system, &lock, &spec.digest, spec.added)?;
            }
            return Ok(Vec::new());
        }
        if cx.environments(&spec).in_use(cx.system, &generation) {
            manager.mend_itself(&spec.request(), &generation)?;
            complete(cx, work, &*manager, &generation, &lock)?;
            if !cx.dry {
                generation.finish(cx.system, &lock, &spec.digest, spec.added)?;
            }
            return Ok(Vec::new());
        }
        if may_download(cx, &format!("download {} packages", lock.packages().count()))? {
            cx.downloads.begin(cx.settings, lock.manager, &lock.layers);
        }
        generation.begin(cx.system)?;
        manager.create(&spec.request(), &generation)?;
        generation.keep_lock(cx.system, &lock)?;
        if lock.layer(id).is_some() {
            cx.downloads.wait(id, work.reporter)?;
            manager.install(&generation, &lock, id)?;
        }
        let mut memo = cx.memo();
        memo.built.clear();
        memo.built.insert(id.clone());
        drop(memo);
        Ok(vec![Made::path(generation.path(), Some(lock.digest()))])
    }

    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        deep: bool,
    ) -> Result<Check, ExecError> {
        let Some(spec) = environment(plan) else { return Ok(Check::Holds) };
        if cx.memo().built.contains(&step.id) {
            return Ok(Check::Holds);
        }
        accept(cx, &spec)?;
        let current = cx.environments(&spec).current(cx.system);
        let is_it =
            |name: &str| current.as_ref().is_some_and(|(current, _)| current.name() == name);
        if cx.fresh && !spec.generation.is_some_and(is_it) {
            return Ok(Check::missing("it is resolved anew"));
        }
        let Some((generation, record)) = cx.built(&spec) else {
            return Ok(Check::missing(format!(
                "there is no environment `{}` like this",
                spec.name
            )));
        };
        if spec.python.is_some_and(|python| python != record.python) {
            return Ok(Check::missing(format!("the environment has Python {}", record.python)));
        }
        let python = generation.python();
        let target = cx.system.read_link(&python).map(|target| python.with_file_name(target));
        if !target.is_ok_and(|target| cx.system.exists(target)) {
            return Ok(Check::missing("the environment's Python is gone"));
        }
        let mut damage = cx.damage(&generation, None, deep)?;
        if record.layers.contains_key(&step.id) {
            damage.extend(cx.damage(&generation, Some(&step.id), deep)?);
        }
        Ok(match damage.iter().map(Damage::describe).collect::<Vec<_>>() {
            found if found.is_empty() => Check::Holds,
            found => Check::Missing(found),
        })
    }
}

/// The layers of an environment that is to be built and is exactly known: they can come in ahead of its step.
pub(super) fn ahead(cx: &Context<'_>, plan: &Plan) -> Vec<Layer> {
    let needed = plan.steps.iter().any(|step| {
        matches!(step.action, Action::Environment { .. }) && step.status == Status::Needed
    });
    let Some((spec, lock)) = environment(plan).zip(cx.lock_of(plan)) else { return Vec::new() };
    let environments = cx.environments(&spec);
    let generation = environments.generation(&lock.digest());
    let there =
        generation.record(cx.system).is_some() || environments.in_use(cx.system, &generation);
    if needed && !there { lock.layers } else { Vec::new() }
}

/// Installs what is missing in an environment that is in use and has lost what it says of itself. Nothing of it is taken
/// away: it may be whole, and hold what the user has added.
pub(super) fn complete(
    cx: &Context<'_>,
    work: &Work<'_>,
    manager: &dyn aitk_env::Manager,
    generation: &Generation,
    lock: &Lock,
) -> Result<(), ExecError> {
    for layer in &lock.layers {
        let missing = generation.missing(cx.system, lock.manager, layer);
        if missing.packages.is_empty() {
            continue;
        }
        if may_download(cx, &format!("download {} packages", missing.packages.len()))? {
            cx.downloads.begin(cx.settings, lock.manager, std::slice::from_ref(&missing));
            cx.downloads.wait(&missing.step, work.reporter)?;
        }
        manager.mend(generation, &missing)?;
    }
    Ok(())
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
fn accept(cx: &Context<'_>, spec: &EnvironmentSpec<'_>) -> Result<(), ExecError> {
    let Some(locks) = cx.locked else { return Ok(()) };
    let lock = &locks.environment;
    if lock.manager != spec.manager {
        return Err(ExecError::OtherManager { lock: lock.manager, plan: spec.manager });
    }
    Ok(cx.manager(spec.manager, &no_log()).accept(lock, &spec.request())?)
}

/// The lock of a plan's environment: the user's own, that of the environment that is there, else a new one.
pub(crate) fn resolve(cx: &Context<'_>, plan: &Plan) -> Result<Resolved, ExecError> {
    let Some(spec) = environment(plan) else {
        return Err(ExecError::StillMissing { reason: "the plan has no environment".to_owned() });
    };
    accept(cx, &spec)?;
    if let Some(locks) = cx.locked {
        return Ok(locks.environment.clone().layered(spec.layers).into());
    }
    let environments = cx.environments(&spec);
    // An environment that only needs mending keeps its versions.
    if let Some((generation, record)) = environments.find(cx.system, &spec.digest)
        && spec.python.is_none_or(|python| python == record.python)
        && !cx.fresh
    {
        let mut lock = generation.lock(cx.system)?;
        lock.build = record.build;
        return Ok(Resolved { lock, added: record.added, left_out: Vec::new() });
    }
    if let Some((_, lock)) = environments.unrecorded(cx.system)
        && lock.manager == spec.manager
        && !cx.fresh
        && cx.manager(spec.manager, &no_log()).accept(&lock, &spec.request()).is_ok()
    {
        return Ok(lock.layered(spec.layers).into());
    }
    let before = environments.current(cx.system);
    let before = before.filter(|(_, record)| record.manager == spec.manager);
    let added = before.map_or_else(Vec::new, |(generation, _)| generation.carried(cx.system));
    let log = no_log();
    let manager = cx.manager(spec.manager, &log);
    let request = aitk_env::Request { added: &added, ..spec.request() };
    match manager.resolve(&request) {
        Err(EnvError::Unsolvable { .. }) if !added.is_empty() => {
            let lock = manager.resolve(&spec.request())?;
            Ok(Resolved { lock, added: Vec::new(), left_out: added })
        }
        lock => Ok(Resolved { lock: lock?, added, left_out: Vec::new() }),
    }
}

/// Writes what the lock says into the environment's step and those of its layers.
fn exact(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    spec: &EnvironmentSpec<'_>,
    resolved: &Resolved,
) -> Exact {
    let lock = &resolved.lock;
    let generation = cx.environments(spec).generation(&lock.digest());
    let mut action = step.action.clone();
    if let Action::Environment { generation, python, added, .. } = &mut action {
        *generation = Some(lock.digest());
        *python = Some(lock.target.python.clone());
        added.clone_from(&resolved.added);
    }
    let log = no_log();
    let manager = cx.manager(spec.manager, &log);
    let mut own = Step {
        action,
        commands: Vec::new(),
        download: Some(0),
        disk: Some(0),
        estimated: false,
        ..step.clone()
    };
    if let Some(layer) = lock.layer(&step.id) {
        own = filled(cx, &*manager, &generation, &own, layer, lock.manager);
    }
    own.commands.splice(0..0, manager.create_commands(&spec.request(), &generation));
    let mut steps = vec![own];
    let layers = plan.steps.iter().filter(|step| matches!(step.action, Action::Layer { .. }));
    for layer in layers {
        if let Some(locked) = lock.layer(&layer.id) {
            steps.push(filled(cx, &*manager, &generation, layer, locked, lock.manager));
        }
    }
    let link = cx.environments(spec).current_path();
    for step in plan.steps.iter().filter(|step| step.action == Action::Activate) {
        let commands = vec![format!("ln -s {} {}", generation.name(), link.display())];
        steps.push(Step { commands, ..step.clone() });
    }
    let (framework, mut warnings) = framework(plan, spec, lock);
    let accelerator = accelerator(plan, spec, lock.build.as_deref());
    warnings.extend(on_the_cpu(accelerator.as_ref()));
    let wishes = spec.builds.first().map(|build| &build.requirements);
    if let (Manager::Conda, Some(framework)) = (spec.manager, &framework) {
        let is_it = |step: &&mut Step| match &step.action {
            Action::Layer { requirements } => Some(requirements) == wishes,
            _ => false,
        };
        if let (Some(step), Some(why)) = (steps.iter_mut().find(is_it), framework.why.last()) {
            step.why.push(why.clone());
        }
    }
    let carried: Vec<_> = resolved.added.iter().chain(&resolved.left_out).cloned().collect();
    let before = cx.environments(spec).current(cx.system);
    let lost = before
        .filter(|(before, _)| *before != generation)
        .map_or_else(Vec::new, |(before, _)| before.lost(cx.system, &lock.versions(), &carried));
    warnings.extend(does_not_go(&resolved.left_out));
    warnings.extend(is_not_carried(&lost, ""));
    Exact { steps, framework, accelerator, warnings }
}

/// What is said of what the user had added and the solver cannot have beside the rest.
pub(super) fn does_not_go(left_out: &[String]) -> Option<Warning> {
    (!left_out.is_empty()).then(|| {
        Warning::new(
            "AITK-W09",
            format!("what you added does not go with the rest any more: {}", left_out.join(", ")),
            "it stays in the generation that is replaced; add it in another version once this is done",
        )
    })
}

/// What is said of what the user had added and nobody can carry over.
fn is_not_carried(lost: &[Added], of: &str) -> Option<Warning> {
    (!lost.is_empty()).then(|| {
        Warning::new(
            "AITK-W09",
            format!("what you added is not carried over: {}", list(lost)),
            format!(
                "it stays in the generation that is replaced; once this is done, {} adds it again",
                add_again(lost, of)
            ),
        )
    })
}

/// Packages as their own tools write them.
pub(super) fn list(added: &[Added]) -> String {
    added.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The commands that add these packages again; `of` names another environment than the one that `aitk run` works in.
pub(super) fn add_again(added: &[Added], of: &str) -> String {
    let in_it = if of.is_empty() { String::new() } else { format!("conda run -n {of} ") };
    let named = if of.is_empty() { String::new() } else { format!("-n {of} ") };
    let tools = [
        (Manager::Venv, format!("{in_it}pip install")),
        (Manager::Conda, format!("conda install {named}").trim_end().to_owned()),
    ];
    let command = |(manager, command): (Manager, String)| {
        let of_it = added.iter().filter(|added| added.by == manager);
        let names: Vec<_> = of_it.map(ToString::to_string).collect();
        (!names.is_empty()).then(|| format!("`aitk run -- {command} {}`", names.join(" ")))
    };
    tools.into_iter().filter_map(command).collect::<Vec<_>>().join(" and ")
}

/// Which build of the framework was taken, and what a person should know of it.
fn framework(
    plan: &Plan,
    spec: &EnvironmentSpec<'_>,
    lock: &Lock,
) -> (Option<FrameworkPlan>, Vec<Warning>) {
    let Some(planned) = &plan.framework else { return (None, Vec::new()) };
    if spec.manager == Manager::Conda {
        return (conda_framework(planned, spec.builds, lock), Vec::new());
    }
    let taken = spec.builds.iter().find(|build| Some(&build.name) == lock.build.as_ref());
    let Some(taken) = taken else { return (None, Vec::new()) };
    let mut framework = FrameworkPlan {
        build: taken.name.clone(),
        requirement: taken.requirements.join(" "),
        source: taken.source(spec.manager),
        ..planned.clone()
    };
    let mut warnings = Vec::new();
    if let Some(note) = &taken.note {
        let layer = lock.layers.last();
        let sizes = layer.into_iter().flat_map(|l| &l.packages).filter_map(|l| l.package.size);
        let size = Bytes(sizes.sum());
        framework.why.push(note.clone());
        warnings.push(Warning::new(
            "AITK-W08",
            format!("{note}: {size} to download"),
            "set --torch-index (or `torch-index` in config.toml) to a mirror of PyTorch's index, or choose \
             --framework none",
        ));
    }
    (Some(framework), warnings)
}

/// Puts into a plan what is known of an environment that was built for it: which build of the framework it has.
pub(crate) fn as_built(cx: &Context<'_>, plan: &mut Plan) {
    let Some(spec) = environment(plan) else { return };
    let Some((_, record)) = cx.built(&spec) else { return };
    let accelerator = accelerator(plan, &spec, record.build.as_deref());
    if let (Some(framework), Some(build)) = (&mut plan.framework, record.build) {
        framework.build = build;
    }
    if let Some(accelerator) = accelerator {
        plan.accelerator = accelerator;
    }
}

/// What computes, now that the solver has taken a build: those of conda are called after what they are for.
fn accelerator(
    plan: &Plan,
    spec: &EnvironmentSpec<'_>,
    build: Option<&str>,
) -> Option<Accelerator> {
    let planned = &plan.accelerator;
    if spec.manager != Manager::Conda || plan.framework.is_none() || planned.kind == "none" {
        return None;
    }
    let build = build.unwrap_or_default();
    let mut accelerator = planned.clone();
    if build.starts_with("cuda") {
        accelerator.why.push(format!("the solver took the build {build}"));
    } else {
        "none".clone_into(&mut accelerator.kind);
        accelerator.gpus.clear();
        accelerator.why = vec![format!(
            "the channel has no build for CUDA that fits; the solver took `{build}`, which computes on the CPU"
        )];
    }
    Some(accelerator)
}

/// What is said where the plan meant a GPU, and the solver found no build for it.
fn on_the_cpu(accelerator: Option<&Accelerator>) -> Option<Warning> {
    let found = accelerator.filter(|accelerator| accelerator.kind == "none")?;
    Some(Warning::new(
        "AITK-W11",
        found.why.join("; "),
        "name a channel that has builds for CUDA (--channel), or add --manager venv",
    ))
}

/// Which build the solver took, and which of the machine's facts its needs met.
fn conda_framework(
    planned: &FrameworkPlan,
    builds: &[BuildRequest],
    lock: &Lock,
) -> Option<FrameworkPlan> {
    let requirements = &builds.first()?.requirements;
    let name = requirements.first()?.split([' ', '=', '<', '>']).next()?;
    let taken = lock.packages().find(|locked| locked.package.name == name)?;
    let needs = taken.package.record.as_ref().and_then(|record| record["depends"].as_array());
    let needs: Vec<&str> = needs
        .into_iter()
        .flatten()
        .filter_map(|need| need.as_str())
        .filter(|need| need.starts_with("__") || need.starts_with("cuda-version"))
        .collect();
    let mut framework = FrameworkPlan {
        build: lock.build.clone().unwrap_or_else(|| planned.build.clone()),
        requirement: requirements.join(" "),
        ..planned.clone()
    };
    framework.why.push(format!(
        "{} {} has the build {}{}",
        name,
        taken.package.version,
        taken.package.build.as_deref().unwrap_or_default(),
        match needs.is_empty() {
            true => ", which asks nothing of a GPU".to_owned(),
            false => format!(", for this machine meets its needs: {}", needs.join(", ")),
        }
    ));
    Some(framework)
}
