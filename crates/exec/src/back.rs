//! Going back to an earlier generation: a plan like any other, of which only what proves it and what leads to it is left.

use std::path::Path;

use aitk_env::{Cure, EnvironmentFault, Environments, Generation, GenerationRecord, State};
use aitk_plan::{BASE, Part, Plan, Step};
use aitk_system::{Message, System, ToMessage, message, quote};

use crate::error::ExecError;
use crate::flag::env_flag;

/// What is gone back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// The generation that is gone back to.
    pub generation: Generation,
    /// What it says of itself.
    pub record: GenerationRecord,
    /// Conda's own generation that it was built beside, where another one is in use now and that one still stands.
    pub base: Option<Generation>,
}

/// The generation of an environment below `data` that is gone back to: the one that is named, by the beginning of its
/// name, else the one that was in use before. `None` where that is the one in use.
///
/// # Errors
/// Where there is none, several are meant, or it is not whole.
pub fn back(
    system: &dyn System,
    data: &Path,
    env: &str,
    name: Option<&str>,
) -> Result<Option<Back>, ExecError> {
    let environments = Environments::new(data, env);
    let generation = match name {
        Some(name) => named(system, &environments, name)?,
        None => environments
            .before(system)
            .filter(|before| before.is_ours(system))
            .ok_or_else(|| ExecError::NothingBefore { env: env.to_owned() })?,
    };
    if environments.in_use(system, &generation) {
        return Ok(None);
    }
    let record = whole(system, env, &environments, &generation)?;
    let bases = Environments::new(data, BASE);
    let base = record.base.as_ref().filter(|base| Generation::is_name(base));
    let base = base.map(|base| bases.generation(base));
    let other = |base: &Generation| {
        !bases.in_use(system, base) && matches!(base.state(system), Ok(State::Whole))
    };
    Ok(Some(Back { base: base.filter(other), generation, record }))
}

/// The one generation whose name begins so.
fn named(
    system: &dyn System,
    environments: &Environments,
    name: &str,
) -> Result<Generation, ExecError> {
    let all = environments.all(system);
    if let Some(exact) = all.iter().find(|one| one.folder() == name) {
        return Ok(exact.clone());
    }
    let mut fits = all.iter().filter(|one| !name.is_empty() && one.folder().starts_with(name));
    match (fits.next(), fits.next()) {
        (Some(one), None) => Ok(one.clone()),
        _ => {
            let there = all.iter().map(|one| Message::plain(one.folder())).collect::<Vec<_>>();
            Err(ExecError::NoGeneration { name: name.to_owned(), there: Message::list(there) })
        }
    }
}

/// What a generation says of itself, where all of it is there.
fn whole(
    system: &dyn System,
    env: &str,
    environments: &Environments,
    generation: &Generation,
) -> Result<GenerationRecord, ExecError> {
    let path = || generation.path().to_owned();
    let faults = match generation.state(system)? {
        State::Half => {
            let reason = message!("it was not built to its end");
            return Err(ExecError::NotWhole { path: path(), reason, remedy: another(env) });
        }
        State::Damaged(faults) => faults,
        State::Whole => Vec::new(),
    };
    let Some(fault) = faults.first() else {
        let reason = message!("it was not built to its end");
        let gone = ExecError::NotWhole { path: path(), reason, remedy: another(env) };
        return generation.record(system).ok_or(gone);
    };
    let remedy = match generation.cure(system, fault) {
        Cure::Person(what) => what,
        Cure::Remove(path) => message!("take {path} away if you do not need it"),
        Cure::Build => again(system, env, environments, (generation, fault)),
    };
    Err(ExecError::NotWhole { path: path(), reason: fault.to_message(), remedy })
}

/// How a damaged generation that is not in use is built again. Its lock holds what it holds, which fits only where the same
/// is wished for now.
fn again(
    system: &dyn System,
    env: &str,
    environments: &Environments,
    (generation, fault): (&Generation, &EnvironmentFault),
) -> Message {
    // No lock brings back a Python of the system's.
    let is_mendable = |record: &GenerationRecord| {
        record.manager.brings_python() || !matches!(fault, EnvironmentFault::NoPython { .. })
    };
    let record = generation.record(system).filter(is_mendable);
    let current = environments.current(system);
    let same = record.as_ref().zip(current).is_some_and(|(record, (_, current))| {
        record.request == current.request && record.manager == current.manager
    });
    let Some(record) = record.filter(|_| same && generation.kept_lock(system).is_some()) else {
        return another(env);
    };
    let lock = generation.path().join(record.manager.lock_file());
    let (flag, lock) = (env_flag(env), quote(&lock.to_string_lossy()));
    message!(
        "`aitk apply{flag} --deep --locked {lock}` mends it from its lock and takes it in use; {}",
        another(env)
    )
}

fn another(env: &str) -> Message {
    let flag = env_flag(env);
    message!(
        "`aitk status --history{flag}` shows which others there are, and `aitk clean` takes away what is half-built"
    )
}

impl Back {
    /// Leaves of a plan, which is made for the wish of this generation, what proves it and what leads to it.
    pub fn narrow(&self, plan: &mut Plan) {
        plan.steps.retain(|step| step.part() != Part::Outside);
        let stays = |step: &&mut Step| !matches!(step.part(), Part::Proof | Part::Switch);
        for step in plan.steps.iter_mut().filter(stays) {
            step.skip(message!("going back leaves it as it is"));
        }
        // It stands as it was built, whatever this version of aitk asks for now.
        let env = plan.choices.env.clone();
        let own = plan.environments.iter_mut().find(|environment| environment.name == env);
        own.into_iter().for_each(|own| own.request.digest.clone_from(&self.record.request));
        plan.add_up();
    }

    /// Whether a plan for its wish asks for something else than what it holds, so that the next `apply` builds anew.
    pub fn is_outdated(&self, plan: &Plan) -> bool {
        plan.environment().is_some_and(|wanted| wanted.request.digest != self.record.request)
    }
}
