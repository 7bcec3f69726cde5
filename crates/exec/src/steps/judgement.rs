//! Whether a step holds, what is wrong where it does not, and what takes that away: one judgement for `apply`, `verify` and
//! `doctor`.

use std::path::{Path, PathBuf};

use aitk_env::{Cure, Depth, EnvironmentFault, Generation, foreign_place, give_back};
use aitk_system::{Message, ToMessage, message, quote};

use crate::context::Context;
use crate::error::ExecError;
use crate::flag::env_flag;

/// Whether a step holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckOutcome {
    /// It does.
    Holds,
    /// It does not: this is wrong.
    Missing(Vec<Lack>),
}

/// Something that is not as it should be, and what takes it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lack {
    pub message: Message,
    /// `None` where that is `aitk apply`.
    pub remedy: Option<Remedy>,
    /// What is wrong with an environment, where it is that.
    pub fault: Option<EnvironmentFault>,
}

impl From<Message> for Lack {
    fn from(message: Message) -> Self {
        Self { message, remedy: None, fault: None }
    }
}

impl Lack {
    /// A fault of an environment, with what takes it away.
    fn of(cx: &Context<'_>, generation: &Generation, fault: EnvironmentFault) -> Self {
        let remedy = match generation.cure(cx.system, &fault) {
            Cure::Build => None,
            Cure::Remove(path) => Some(Remedy::Remove(path)),
            Cure::Person(words) => Some(Remedy::Do(words)),
        };
        Self { message: fault.to_message(), remedy, fault: Some(fault) }
    }
}

impl CheckOutcome {
    pub fn missing(what: impl Into<Message>) -> Self {
        Self::Missing(vec![what.into().into()])
    }

    /// That what is wrong is this; nothing may be.
    pub fn of<T: Into<Lack>>(what: impl IntoIterator<Item = T>) -> Self {
        let lacks: Vec<_> = what.into_iter().map(Into::into).collect();
        if lacks.is_empty() { Self::Holds } else { Self::Missing(lacks) }
    }

    /// The same, where something else than `aitk apply` takes away what that would.
    pub fn helped_by(self, remedy: impl Into<Option<Remedy>>) -> Self {
        let (lacks, remedy) = (self.lacks(), remedy.into());
        Self::of(lacks.into_iter().map(|lack| {
            let remedy = lack.remedy.or_else(|| remedy.clone());
            Lack { remedy, ..lack }
        }))
    }

    pub fn lacks(self) -> Vec<Lack> {
        match self {
            Self::Holds => Vec::new(),
            Self::Missing(lacks) => lacks,
        }
    }

    /// What of it a run is to do: what only the user can want to be taken away is left.
    pub fn for_apply(self) -> Self {
        let is_left = |lack: &Lack| matches!(lack.remedy, Some(Remedy::Remove(_)));
        Self::of(self.lacks().into_iter().filter(|lack| !is_left(lack)))
    }
}

/// What takes a finding away. `apply` is named only where it sees the same fault, for it judges in the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// `aitk apply`, of the environment of this name.
    Apply {
        /// The environment.
        env: String,
        /// Whether only reading every file shows `apply` that there is something to do.
        deep: bool,
    },
    /// Taking something away that the user may have wanted.
    Remove(PathBuf),
    /// Finding out why: everything stands as it was installed, and still does not work.
    Doctor,
    /// What nobody but the person can do.
    Do(Message),
}

impl Remedy {
    /// As a person types it, or in words.
    pub fn text(&self) -> Message {
        match self {
            Self::Apply { env, deep } => {
                let deep = if *deep { " --deep" } else { "" };
                Message::plain(format!("aitk apply{deep}{}", env_flag(env)))
            }
            Self::Remove(path) => {
                Message::plain(format!("rm -r {}", quote(&path.to_string_lossy())))
            }
            Self::Doctor => Message::plain("aitk doctor"),
            Self::Do(words) => words.clone(),
        }
    }

    /// Whether `aitk apply` takes it away.
    pub fn is_apply(&self) -> bool {
        matches!(self, Self::Apply { .. })
    }
}

/// What helps first where the folder of a file belongs to somebody else.
pub(crate) fn not_ours(cx: &Context<'_>, file: &Path) -> Option<Remedy> {
    foreign_place(cx.system, file).map(|folder| Remedy::Do(give_back(&folder)))
}

/// What helps where something of somebody else's stands in the way.
pub(crate) fn in_the_way(path: &Path) -> Remedy {
    Remedy::Do(message!(
        "look at {}; move it away if it is not needed, then run the same command again",
        path.display()
    ))
}

/// What helps where `apply` would refuse, for a reason that only the person can take away.
pub(crate) fn help_where_refused(why: Result<(), ExecError>) -> Result<Option<Remedy>, ExecError> {
    match why {
        Ok(()) => Ok(None),
        Err(ExecError::Foreign { path }) => Ok(Some(in_the_way(&path))),
        Err(ExecError::Yours { remedy, .. } | ExecError::NoSwapFile { remedy, .. }) => {
            Ok(Some(Remedy::Do(remedy)))
        }
        Err(error) => Err(error),
    }
}

/// What is wrong with a generation as a whole.
pub(crate) fn lacks_as_a_whole(cx: &Context<'_>, generation: &Generation) -> Vec<Lack> {
    let faults = generation.faults(cx.system).into_iter();
    faults.map(|fault| Lack::of(cx, generation, fault)).collect()
}

/// What is wrong with a generation and with the packages of the step that makes it. What stands on something broken tells
/// nothing of its own.
pub(crate) fn lacks_of(
    cx: &Context<'_>,
    generation: &Generation,
    step: Option<&str>,
    depth: Depth,
) -> Result<Vec<Lack>, ExecError> {
    let mut found = lacks_as_a_whole(cx, generation);
    if found.is_empty() {
        found = lacks_in(cx, generation, None, depth)?;
        // Who mends packages takes them from the lock.
        let layers = generation.record(cx.system).map(|record| record.layers).unwrap_or_default();
        let changed = |layer: &String| !cx.unchanged(generation, Some(layer));
        if depth == Depth::Folders && layers.keys().any(changed) {
            let lock = generation.unreadable_lock(cx.system);
            found.extend(lock.map(|fault| Lack::of(cx, generation, fault)));
        }
        if step.is_some() {
            found.extend(lacks_in(cx, generation, step, depth)?);
        }
    }
    Ok(found)
}

/// What is wrong with the files of a layer, or with all others where `step` is `None`.
pub(crate) fn lacks_in(
    cx: &Context<'_>,
    generation: &Generation,
    step: Option<&str>,
    depth: Depth,
) -> Result<Vec<Lack>, ExecError> {
    if depth == Depth::Folders && cx.unchanged(generation, step) {
        return Ok(Vec::new());
    }
    let faults = generation.faults_in(cx.system, step, depth)?.into_iter();
    Ok(faults.map(|fault| Lack::of(cx, generation, fault)).collect())
}
