//! Looks whether everything that a plan ensures is still true.

use aitk_detect::{OwnEnvironment, OwnFault, OwnKind};
use aitk_env::{Audit, Depth, EnvironmentFault};
use aitk_plan::step::Uv;
use aitk_plan::{Part, Plan, Status, Step};
use aitk_system::{Explain, Message};

use crate::context::Context;
use crate::error::ExecError;
use crate::flag::env_flag;
use crate::report::{Event, Outcome, Reporter};
use crate::steps::{CheckOutcome, Lack, Remedy, as_built, behaviour};

/// What is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyFinding {
    /// The step that ensures it.
    pub step: String,
    /// What that step is, for people.
    pub title: Message,
    /// What is not as it should be, for people.
    pub message: Message,
    /// What takes it away.
    pub remedy: Remedy,
    /// What is wrong with an environment, where it is that.
    pub fault: Option<EnvironmentFault>,
}

/// Asks what is known of vulnerabilities in the environment that is in use; `None` where there is none.
///
/// # Errors
/// Where that cannot be had.
pub fn audit(
    cx: &Context<'_>,
    plan: &Plan,
    service: Option<&str>,
) -> Result<Option<Audit>, ExecError> {
    let Some(wanted) = plan.environment() else { return Ok(None) };
    let Some(current) = cx.environments(wanted).linked(cx.system) else { return Ok(None) };
    let kind = current.record(cx.system).map_or(wanted.request.manager, |record| record.manager);
    Ok(Some(aitk_env::audit(&cx.looking(), kind, current.path(), service)?))
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
) -> Result<Vec<VerifyFinding>, ExecError> {
    let depth = if deep { Depth::Content } else { Depth::Sizes };
    let mut findings = Vec::new();
    let mut plan = plan.clone();
    as_built(cx, &mut plan);
    let plan = &plan;
    let looked_at = |step: &&Step| step.status == Status::Needed && !behaviour(&step.action).ages();
    for step in plan.steps.iter().filter(looked_at) {
        // What fails because something under it is damaged is no finding of its own.
        let damaged = |id: &str| findings.iter().any(|found: &VerifyFinding| found.step == id);
        if step.part() == Part::Proof && rests_on(plan, step, &damaged) {
            continue;
        }
        let since = cx.system.now();
        reporter.event(&Event::StepStarted { step: &step.id, title: &step.title, root: false });
        let found = look(cx, plan, step, depth)?;
        let outcome = if found.is_empty() { Outcome::AlreadyDone } else { Outcome::Failed };
        let seconds = cx.system.now().duration_since(since).as_secs_f64();
        if found.is_empty() {
            let text = behaviour(&step.action).verified(cx, plan, step);
            reporter.event(&Event::Message { step: &step.id, text: &text });
        }
        reporter.event(&Event::StepFinished { step: &step.id, outcome, seconds });
        findings.extend(found);
    }
    Ok(findings)
}

/// What is wrong with a plan's environment and what leads to it, as the doctor is told it: nothing is run.
pub fn judge(cx: &Context<'_>, plan: &Plan) -> OwnEnvironment {
    let mut plan = plan.clone();
    as_built(cx, &mut plan);
    let is_of_it = |step: &&Step| {
        let part = step.part();
        step.status == Status::Needed
            && (step.is::<Uv>() || !matches!(part, Part::Outside | Part::Proof))
    };
    let mut own = OwnEnvironment { flag: env_flag(&plan.choices.env), ..OwnEnvironment::default() };
    for step in plan.steps.iter().filter(is_of_it) {
        match look(cx, &plan, step, Depth::Sizes) {
            Ok(found) => {
                let anew = |one: &VerifyFinding| one.fault.is_none() && one.remedy.is_apply();
                own.outdated |= step.part() == Part::Whole && found.iter().any(anew);
                own.faults.extend(found.into_iter().map(VerifyFinding::into_own_fault));
            }
            // What keeps it from being looked at is wrong as well.
            Err(error) => own.faults.push(OwnFault {
                kind: OwnKind::Other,
                remedy: error.hint().unwrap_or_else(|| Remedy::Doctor.text()),
                seen: error.message(),
                by_aitk: false,
            }),
        }
    }
    own
}

impl VerifyFinding {
    fn into_own_fault(self) -> OwnFault {
        let kind = match self.fault {
            Some(EnvironmentFault::NoPython { .. } | EnvironmentFault::OtherPython { .. }) => {
                OwnKind::Python
            }
            Some(EnvironmentFault::Moved { .. }) => OwnKind::Moved,
            _ => OwnKind::Other,
        };
        let by_aitk = self.remedy.is_apply();
        OwnFault { kind, seen: self.message, remedy: self.remedy.text(), by_aitk }
    }
}

/// What is wrong with one step. `apply` does what it finds to do by its own check, which reads no files unless it is told
/// to.
fn look(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    depth: Depth,
) -> Result<Vec<VerifyFinding>, ExecError> {
    let behaviour = behaviour(&step.action);
    let CheckOutcome::Missing(lacks) = behaviour.verify(cx, plan, step, depth)? else {
        return Ok(Vec::new());
    };
    let apply = Remedy::Apply {
        env: plan.choices.env.clone(),
        deep: matches!(behaviour.check(cx, plan, step), Ok(CheckOutcome::Holds)),
    };
    let finding = |Lack { message, remedy, fault }| VerifyFinding {
        step: step.id.clone(),
        title: step.title.clone(),
        message,
        remedy: remedy.unwrap_or_else(|| apply.clone()),
        fault,
    };
    Ok(lacks.into_iter().map(finding).collect())
}

/// Whether a step needs, directly or through others, one for which this is true.
fn rests_on(plan: &Plan, step: &Step, is: &dyn Fn(&str) -> bool) -> bool {
    step.needs
        .iter()
        .any(|need| is(need) || plan.step(need).is_some_and(|need| rests_on(plan, need, is)))
}
