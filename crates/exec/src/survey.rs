//! Completes a plan with what only the machine and the sources can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;

use aitk_env::{GenerationRecord, backend, is_fetched};
use aitk_plan::{Lock, Locked, Locks, Package, Part, Plan, Status, Step, conclude};
use aitk_system::{Failure, RunError, beside, with_each};

use crate::context::Context;
use crate::error::ExecError;
use crate::steps::{
    CheckOutcome, Exact, as_built, behaviour, comes_later, resolve_base, resolve_environment,
    with_lock,
};

/// Marks the steps that hold and makes the others exact.
///
/// `resolve` asks the sources; without it the estimates stay. A step that can only be resolved after an earlier one
/// (no Python yet, no package lists yet) keeps its estimate and is resolved by [`crate::apply`] when its time comes.
///
/// # Errors
/// What a source or the machine answers.
pub fn survey(cx: &Context<'_>, plan: &mut Plan, resolve: bool) -> Result<(), ExecError> {
    let held = cx.while_looking(|| {
        as_built(cx, plan);
        // Checks only look, so they look at the same time.
        let before: &Plan = plan;
        with_each(&before.steps, |step| -> Result<bool, ExecError> {
            // What this user may not do may be done already.
            let open = step.status == Status::Needed || step.status == Status::Blocked && step.root;
            Ok(open && holds(cx, before, step)?)
        })
    });
    for (step, held) in plan.steps.iter_mut().zip(held) {
        if held? {
            step.done();
        }
    }
    built_together(plan);
    wait_for_earlier(cx, plan)?;
    match resolve {
        true => resolve_all(cx, plan)?,
        false => sketch_all(cx, plan)?,
    }
    conclude(plan, cx.machine);
    Ok(())
}

/// Resolves just the environments of a plan.
///
/// # Errors
/// What a source answers; [`EnvError::NoPython`] or [`EnvError::NoUv`] where an earlier step brings them.
pub fn lock(cx: &Context<'_>, plan: &Plan) -> Result<Locks, ExecError> {
    let environment = resolve_environment(cx, plan)?.lock;
    Ok(Locks { environment, base: resolve_base(cx, plan)? })
}

/// The locks of a plan whose environment is to be built, as far as they can be known before anything is done.
///
/// # Errors
/// What a source answers.
pub fn lock_ahead(cx: &Context<'_>, plan: &Plan) -> Result<Option<Locks>, ExecError> {
    if !plan.needs(|part| part == Part::Whole) {
        return Ok(None);
    }
    match lock(cx, plan) {
        Err(error) if comes_later(plan, &error) => Ok(None),
        locks => locks.map(Some),
    }
}

/// Writes what locks hold into the steps of a plan that is for somewhere else, and gives what aitk would note in the
/// environment there. Nothing of the machine is looked at.
///
/// # Errors
/// Where the context has no lock, or one that does not fit.
pub fn fill_in(cx: &Context<'_>, plan: &mut Plan) -> Result<GenerationRecord, ExecError> {
    let is_locked = |step: &Step| matches!(step.part(), Part::Whole | Part::Manager);
    for at in (0..plan.steps.len()).filter(|at| is_locked(&plan.steps[*at])).collect::<Vec<_>>() {
        let step = &plan.steps[at];
        behaviour(&step.action).resolve(cx, plan, step)?.fill(plan);
    }
    let (wanted, lock) = with_lock(plan.environment())?;
    Ok(GenerationRecord::of(lock, &wanted.request.digest, &wanted.request.added))
}

/// Whether a step holds; on a recorded machine that was not asked this, nothing does.
fn holds(cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<bool, ExecError> {
    match behaviour(&step.action).check(cx, plan, step) {
        // apt says nothing about upgrades as long as what is installed does not fit together.
        Err(ExecError::AptBroken { .. }) => Ok(false),
        Err(ExecError::System(Failure::Run(RunError::NotRecorded { .. }))) => Ok(false),
        check => Ok(check? == CheckOutcome::Holds),
    }
}

/// A new generation holds every layer anew, so none of them is done already; and what is built or mended is to be
/// proven again, before it is used.
fn built_together(plan: &mut Plan) {
    let proves = plan.needs(Part::is_content);
    let anew = plan.needs(|part| part == Part::Whole);
    for step in plan.steps.iter_mut().filter(|step| step.status == Status::Done) {
        let again = match step.part() {
            Part::Proof => proves,
            Part::Whole | Part::Layer | Part::Switch => anew,
            Part::Outside | Part::Manager | Part::Link => false,
        };
        if again {
            step.status = Status::Needed;
        }
    }
}

/// What holds now may not hold any more once earlier steps are done: then it is looked at when its time comes.
fn wait_for_earlier(cx: &Context<'_>, plan: &mut Plan) -> Result<(), ExecError> {
    for at in 0..plan.steps.len() {
        let before: &Plan = plan;
        let step = &before.steps[at];
        let opens =
            step.status == Status::Done && behaviour(&step.action).reopens(cx, before, step)?;
        if opens {
            plan.steps[at].status = Status::Needed;
        }
    }
    Ok(())
}

/// Makes the needed steps as exact as they can be without asking any source.
fn sketch_all(cx: &Context<'_>, plan: &mut Plan) -> Result<(), ExecError> {
    let needed = plan.steps.iter().filter(|step| step.status == Status::Needed);
    let sketch = |step: &Step| behaviour(&step.action).sketch(cx, plan, step);
    let sketched: Vec<_> = needed.map(sketch).collect::<Result<_, _>>()?;
    sketched.into_iter().for_each(|exact| exact.fill(plan));
    Ok(())
}

/// Resolves the needed steps; the sources of apt and of Python are asked at the same time.
fn resolve_all(cx: &Context<'_>, plan: &mut Plan) -> Result<(), ExecError> {
    // The commands of a step that needs an administrator are worth knowing exactly, too.
    let open = |step: &&Step| match step.status {
        Status::Needed => true,
        Status::Blocked => step.root && cx.machine.tools.contains_key("apt-get"),
        Status::Done | Status::Skipped => false,
    };
    let needed: Vec<_> = plan.steps.iter().filter(open).collect();
    let (root, user): (Vec<_>, Vec<_>) = needed.into_iter().partition(|step| step.root);
    let plan_before: &Plan = plan;
    let resolve = |steps: Vec<&Step>| -> Result<Vec<Exact>, ExecError> {
        steps
            .into_iter()
            .map(|step| match behaviour(&step.action).resolve(cx, plan_before, step) {
                Err(error) if comes_later(plan_before, &error) => {
                    Ok(Exact::one(Step { estimated: true, ..step.clone() }))
                }
                exact => exact,
            })
            .collect()
    };
    let (root, user) = thread::scope(|scope| {
        let root = beside(scope, || resolve(root));
        let user = resolve(user);
        (root.join().unwrap_or_else(|panic| resume_unwind(panic)), user)
    });
    for exact in root?.into_iter().chain(user?) {
        exact.fill(plan);
    }
    count_once(cx, plan);
    let guesses: Vec<_> =
        plan.steps.iter().map(|step| behaviour(&step.action).guesses(plan)).collect();
    for (step, guesses) in plan.steps.iter_mut().zip(guesses) {
        step.estimated |= guesses && step.status == Status::Needed;
    }
    Ok(())
}

/// What the manager's own environment and the user's share is downloaded and unpacked by the first alone.
fn count_once(cx: &Context<'_>, plan: &mut Plan) {
    let installs = |step: &&mut Step| step.status == Status::Needed && step.part().installs();
    let (backend, site) = (backend(plan.manager), cx.looking());
    let folder = backend.packages(cx.settings);
    let mut seen = BTreeSet::new();
    // What packages take unpacked stands in the lock.
    let locks = plan.environments.iter().filter_map(|environment| environment.lock.as_ref());
    let known: BTreeMap<_, _> =
        locks.flat_map(Lock::packages).map(|locked| (&locked.package.sha256, locked)).collect();
    for step in plan.steps.iter_mut().filter(installs).filter(|step| !step.packages.is_empty()) {
        let locked = |package: &Package| match known.get(&package.sha256) {
            Some(locked) => (*locked).clone(),
            None => Locked { package: package.clone(), ..Locked::default() },
        };
        let packages: Vec<_> = step.packages.iter().map(locked).collect();
        let anew = packages.iter().filter(|locked| seen.insert(locked.package.sha256.clone()));
        let anew: Vec<_> = anew.collect();
        let size = |locked: &&Locked| locked.package.size.unwrap_or(0);
        let fetched = anew.iter().filter(|locked| !is_fetched(locked, &folder, cx.system));
        let download = fetched.map(size).fold(0, u64::saturating_add);
        let footprints = backend.footprints(&site, &anew);
        let disk = footprints.iter().map(|one| one.bytes).fold(download, u64::saturating_add);
        step.rough = footprints.iter().any(|one| one.rough);
        (step.download, step.disk) = (Some(download), Some(disk));
    }
}
