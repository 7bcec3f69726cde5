//! In which state a generation is, as far as a look at every file tells.

use aitk_system::System;

use super::environments::Environments;
use super::fault::EnvironmentFault;
use super::place::Generation;
use crate::error::EnvError;
use crate::files::Depth;

/// The state of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// All of it is there.
    Whole,
    /// It was not built to its end.
    Half,
    /// Something of it is not as it was built.
    Damaged(Vec<EnvironmentFault>),
}

impl State {
    /// In one word, for a script.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Half => "half",
            Self::Damaged(_) => "damaged",
        }
    }
}

impl Generation {
    /// Whether it was not built to its end. What is in use has been whole.
    pub fn is_half(&self, system: &dyn System) -> bool {
        self.record(system).is_none() && !Environments::beside(self).in_use(system, self)
    }

    /// In which state it is: every file is looked at, and none is read.
    ///
    /// # Errors
    /// Where the list of files cannot be read.
    pub fn state(&self, system: &dyn System) -> Result<State, EnvError> {
        if self.is_half(system) {
            return Ok(State::Half);
        }
        let mut faults = self.faults(system);
        let Some(record) = self.record(system) else { return Ok(State::Damaged(faults)) };
        let steps = record.layers.keys().map(|step| Some(step.as_str()));
        for step in std::iter::once(None).chain(steps) {
            faults.extend(self.faults_in(system, step, Depth::Sizes)?);
        }
        Ok(if faults.is_empty() { State::Whole } else { State::Damaged(faults) })
    }
}
