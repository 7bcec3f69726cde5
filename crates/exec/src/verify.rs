//! Looks whether everything that a plan ensures is still true.

use aitk_env::Depth;
use aitk_plan::{Part, Plan, Status, Step};

use aitk_system::Message;

use crate::context::Context;
use crate::error::ExecError;
use crate::report::{Event, Outcome, Reporter};
use crate::steps::{Check, Remedy, as_built, behaviour};

/// What is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The step that ensures it.
    pub step: String,
    /// The step's title.
    pub title: Message,
    /// What is wrong.
    pub message: Message,
    /// What takes it away.
    pub remedy: Remedy,
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
        if step.part() == Part::Proof && rests_on(plan, step, &damaged) {
            continue;
        }
        let since = cx.system.now();
        reporter.event(&Event::StepStarted { step: &step.id, title: &step.title, root: false });
        let found = look(cx, plan, step, depth)?;
        let outcome = if found.is_empty() { Outcome::AlreadyDone } else { Outcome::Failed };
        let seconds = cx.system.now().duration_since(since).as_secs_f64();
        reporter.event(&Event::StepFinished { step: &step.id, outcome, seconds });
        findings.extend(found);
    }
    Ok(findings)
}

/// What is wrong with one step, and what was put beside what it has made.
fn look(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    depth: Depth,
) -> Result<Vec<Finding>, ExecError> {
    let behaviour = behaviour(&step.action);
    let finding = |message: Message, remedy: Remedy| Finding {
        step: step.id.clone(),
        title: step.title.clone(),
        message,
        remedy,
    };
    let mut found = Vec::new();
    if let Check::Missing(faults) = behaviour.verify(cx, plan, step, depth)? {
        let remedy = remedy(cx, plan, step);
        found.extend(faults.into_iter().map(|message| finding(message, remedy.clone())));
    }
    if depth == Depth::Content {
        let additions = behaviour.additions(cx, plan, step)?.into_iter();
        found.extend(additions.map(|more| finding(more.message, Remedy::Remove(more.path))));
    }
    Ok(found)
}

/// What mends a step that does not hold: `apply` does what it finds to do by its own check, which reads no files unless
/// it is told to.
fn remedy(cx: &Context<'_>, plan: &Plan, step: &Step) -> Remedy {
    let behaviour = behaviour(&step.action);
    behaviour.remedy(cx, plan, step).unwrap_or_else(|| Remedy::Apply {
        env: plan.choices.env.clone(),
        deep: matches!(behaviour.check(cx, plan, step), Ok(Check::Holds)),
    })
}

/// Whether a step needs, directly or through others, one for which this is true.
fn rests_on(plan: &Plan, step: &Step, is: &dyn Fn(&str) -> bool) -> bool {
    step.needs
        .iter()
        .any(|need| is(need) || plan.step(need).is_some_and(|need| rests_on(plan, need, is)))
}
