//! Looks whether everything that a plan ensures is still true.

use aitk_env::Depth;
use aitk_plan::{Action, Plan, Status, Step};

use crate::context::Context;
use crate::error::ExecError;
use crate::report::{Event, Outcome, Reporter};
use crate::steps::{Check, as_built, kind};

/// What is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The step that ensures it.
    pub step: String,
    /// The step's title.
    pub title: String,
    /// What is wrong.
    pub message: String,
}

/// Verifies every step of a plan, proofs included; `deep` also compares every file's content.
///
/// # Errors
/// Where the looking itself fails; what is wrong is no error but a finding.
pub fn verify(
    cx: &Context<'_>,
    plan: &Plan,
    deep: bool,
    reporter: &dyn Reporter,
) -> Result<Vec<Finding>, ExecError> {
    let depth = if deep { Depth::Content } else { Depth::Sizes };
    let mut findings = Vec::new();
    let mut plan = plan.clone();
    as_built(cx, &mut plan);
    let plan = &plan;
    for step in plan.steps.iter().filter(|step| step.status == Status::Needed) {
        // What fails because something under it is damaged is no finding of its own.
        let damaged = |id: &str| findings.iter().any(|found: &Finding| found.step == id);
        if matches!(step.action, Action::Check { .. }) && rests_on(plan, step, &damaged) {
            continue;
        }
        let since = cx.system.now();
        reporter.event(&Event::StepStarted { step: &step.id, title: &step.title, root: false });
        let check = kind(&step.action).verify(cx, plan, step, depth)?;
        let outcome = if check == Check::Holds { Outcome::AlreadyDone } else { Outcome::Failed };
        let seconds = cx.system.now().duration_since(since).as_secs_f64();
        reporter.event(&Event::StepFinished { step: &step.id, outcome, seconds });
        if let Check::Missing(faults) = check {
            findings.extend(faults.into_iter().map(|message| Finding {
                step: step.id.clone(),
                title: step.title.clone(),
                message,
            }));
        }
    }
    Ok(findings)
}

/// Whether a step needs, directly or through others, one for which this is true.
fn rests_on(plan: &Plan, step: &Step, is: &dyn Fn(&str) -> bool) -> bool {
    step.needs
        .iter()
        .any(|need| is(need) || plan.step(need).is_some_and(|need| rests_on(plan, need, is)))
}
