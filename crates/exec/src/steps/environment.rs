//! A generation exists for the environment's lock.

use std::path::Path;

use aitk_env::{EnvError, Lock, Request, Tools, resolve};
use aitk_plan::{Action, FrameworkPlan, Plan, Step, Warning};

use super::layer::filled;
use super::uv::{may_download, uv, uv_path};
use super::{Check, Exact, Kind, Made, Work};
use crate::context::{Context, EnvironmentSpec, environment};
use crate::error::ExecError;

pub(super) struct Environment;

impl Kind for Environment {
    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Check, ExecError> {
        self.verify(cx, plan, step, cx.deep)
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Some(spec) = environment(plan) else { return Ok(Exact::one(step.clone())) };
        let lock = environment_lock(cx, plan)?;
        Ok(exact(cx, plan, step, &spec, &lock))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let Some((spec, lock)) = environment(work.plan).zip(cx.lock_of(work.plan)) else {
            return Err(ExecError::StillMissing { reason: "the plan has no lock".to_owned() });
        };
        let generation = cx.environments(&spec).generation(&lock.digest());
        let uv = uv(cx)?;
        let tools = Tools { system: cx.system, uv: &uv, settings: cx.settings, log: &work.log };
        if let Some(record) = generation.record(cx.system) {
            // It is whole: what the user may have added to it stays, and only its own files are mended.
            generation.mend_itself(&tools, spec.interpreter, spec.name)?;
            if record.request != spec.request {
                generation.finish(cx.system, &lock, &spec.request)?;
            }
            return Ok(Vec::new());
        }
        if may_download(cx, &format!("download {} packages", lock.packages().count()))? {
            cx.downloads.begin(&lock.layers, &cx.settings.wheels(), cx.settings.offline);
        }
        generation.create(&tools, spec.interpreter, spec.name, &lock)?;
        let mut memo = cx.memo();
        memo.built.clear();
        memo.built.insert(work.step.id.clone());
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
        let Some((generation, record)) = cx.environments(&spec).find(cx.system, &spec.request)
        else {
            return Ok(Check::missing(format!(
                "there is no environment `{}` like this",
                spec.name
            )));
        };
        if cx.locked.is_some_and(|lock| lock.digest() != generation.name()) {
            return Ok(Check::missing("the environment is not the one that the lock describes"));
        }
        if spec.python.is_some_and(|python| python != record.python) {
            return Ok(Check::missing(format!("the environment has Python {}", record.python)));
        }
        let interpreter = cx.system.read_link(&generation.python());
        if !interpreter.is_ok_and(|interpreter| cx.system.exists(Path::new("/").join(interpreter)))
        {
            return Ok(Check::missing("the environment's Python is gone"));
        }
        let damage = cx.damage(&generation, None, deep)?;
        Ok(match damage.iter().map(aitk_env::Damage::describe).collect::<Vec<_>>() {
            found if found.is_empty() => Check::Holds,
            found => Check::Missing(found),
        })
    }
}

/// The lock of a plan's environment: the user's own, else what uv resolves.
pub(crate) fn environment_lock(cx: &Context<'_>, plan: &Plan) -> Result<Lock, ExecError> {
    if let Some(lock) = cx.locked {
        return Ok(lock.clone());
    }
    let wishes = plan.steps.iter().find_map(|step| match &step.action {
        Action::Environment { layers, builds, .. } => Some((layers, builds)),
        _ => None,
    });
    let (Some((layers, builds)), Some(spec)) = (wishes, environment(plan)) else {
        return Err(ExecError::StillMissing { reason: "the plan has no environment".to_owned() });
    };
    let here = cx.machine_now();
    let found = here.python.iter().find(|python| {
        python.path == Path::new(spec.interpreter) || spec.interpreter == "/usr/bin/python3"
    });
    let found = found.filter(|_| cx.is_local);
    let minor = found.and_then(|python| python.minor());
    let python = match (minor, spec.python) {
        (Some((major, minor)), _) => format!("{major}.{minor}"),
        (None, Some(python)) if !cx.is_local => python.to_owned(),
        _ => {
            return Err(EnvError::NoUv {
                version: cx.catalog.uv.version.clone(),
                reason: "there is no Python yet".to_owned(),
            }
            .into());
        }
    };
    // An environment that only needs mending keeps its versions.
    if let Some((generation, record)) = cx.environments(&spec).find(cx.system, &spec.request)
        && record.python == python
    {
        return Ok(generation.lock(cx.system)?);
    }
    let uv = uv(cx)?;
    let target = cx.target(cx.machine, &python);
    let interpreter = found.map(|python| python.path.to_string_lossy().into_owned());
    let request = Request { layers, builds, target: &target, interpreter: interpreter.as_deref() };
    // Resolving writes into the cache only, which is no change of the machine.
    Ok(resolve(cx.local, &uv, cx.local_settings, request)?)
}

/// Writes what the lock says into the environment's step and those of its layers.
fn exact(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    spec: &EnvironmentSpec<'_>,
    lock: &Lock,
) -> Exact {
    let generation = cx.environments(spec).generation(&lock.digest());
    let mut action = step.action.clone();
    if let Action::Environment { generation, python, .. } = &mut action {
        *generation = Some(lock.digest());
        *python = Some(lock.target.python.clone());
    }
    let create = generation.create_command(&uv_path(cx), spec.interpreter, spec.name);
    let mut steps = vec![Step {
        action,
        commands: vec![create.to_string()],
        download: Some(0),
        disk: Some(0),
        estimated: false,
        ..step.clone()
    }];
    let layers = plan.steps.iter().filter(|step| matches!(step.action, Action::Layer { .. }));
    for layer in layers {
        if let Some(locked) = lock.layer(&layer.id) {
            steps.push(filled(cx, &generation, layer, locked));
        }
    }
    let link = cx.environments(spec).current_path();
    for step in plan.steps.iter().filter(|step| step.action == Action::Activate) {
        let commands = vec![format!("ln -s {} {}", generation.name(), link.display())];
        steps.push(Step { commands, ..step.clone() });
    }
    let (framework, warnings) = framework(plan, step, lock);
    Exact { steps, framework, warnings }
}

/// Which build of the framework was taken, and what a person should know of it.
fn framework(plan: &Plan, step: &Step, lock: &Lock) -> (Option<FrameworkPlan>, Vec<Warning>) {
    let Action::Environment { builds, .. } = &step.action else { return (None, Vec::new()) };
    let taken = builds.iter().find(|build| Some(&build.name) == lock.build.as_ref());
    let (Some(planned), Some(taken)) = (&plan.framework, taken) else { return (None, Vec::new()) };
    let backend = taken.torch_backend.as_deref();
    let mut framework = FrameworkPlan {
        build: taken.name.clone(),
        requirement: taken.requirements.join(" "),
        source: backend.map_or_else(|| "index".to_owned(), |name| format!("torch-backend {name}")),
        ..planned.clone()
    };
    let mut warnings = Vec::new();
    if let Some(note) = &taken.note {
        let layer = lock.layers.last();
        let sizes = layer.into_iter().flat_map(|l| &l.packages).filter_map(|l| l.package.size);
        let size = aitk_plan::Bytes(sizes.sum());
        framework.why.push(note.clone());
        warnings.push(Warning::new(
            "AITK-W08",
            format!("{note}: {size} to download"),
            "set --torch-index (or `torch-index` in config.toml) to a mirror of PyTorch's CPU index, or choose \
             --framework none",
        ));
    }
    (Some(framework), warnings)
}
