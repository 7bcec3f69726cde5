//! What the kinds of step that a profile names mean on a machine.

use aitk_system::Message;

use crate::environment::EnvironmentPlan;
use crate::model::Step;
use crate::profile::Estimate;
use crate::request::LayerRole;
use crate::situation::Situation;
use crate::step::{Action, StepKind};

/// How a plan gets its payload from what a profile says.
pub(super) trait Recipe {
    /// The payload; `None` where it means nothing here.
    fn action(&self, on: &Situation<'_>) -> Option<Action>;

    /// What it takes, where the profile says this.
    fn estimate(&self, _: &Situation<'_>, said: Estimate) -> Estimate {
        said
    }

    /// Why the user's choices leave it out.
    fn left_out(&self, _: &Situation<'_>) -> Option<Message> {
        None
    }

    /// Adds reasons; leaves the step out or blocks it where the machine or the choices say so.
    fn judge(&self, _: &Situation<'_>, _: &mut Step) {}

    /// What of the environment, of which all is resolved together, comes with it.
    fn requirements(&self, _: &Situation<'_>) -> Vec<String> {
        Vec::new()
    }

    /// What that is in the environment.
    fn role(&self) -> LayerRole {
        LayerRole::Libraries
    }

    /// The environment that the step of this name installs, or all that is installed into it.
    fn environment(&self, _: &Situation<'_>, _step: &str) -> Option<EnvironmentPlan> {
        None
    }
}

macro_rules! recipes {
    (both: $($both:ident),+; plan: $($plan:ident),+; profile: $($profile:ident),+;) => {
        // Where a profile says all of it, nothing is left to decide.
        $(impl Recipe for crate::step::$both {
            fn action(&self, _: &Situation<'_>) -> Option<Action> {
                Some(self.clone().into())
            }
        })+

        /// How a step of a profile is decided.
        pub(super) fn recipe(kind: &StepKind) -> &dyn Recipe {
            match kind {
                $(StepKind::$both(said) => said,)+
                $(StepKind::$profile(said) => said,)+
            }
        }
    };
}

crate::for_each_kind!(recipes);
