//! Looks whether everything that a plan ensures is still true.

use std::path::PathBuf;

use aitk_env::Depth;
use aitk_plan::{Action, Plan, Status, Step};

use aitk_system::{Message, message, quote};

use crate::context::Context;
use crate::error::ExecError;
use crate::report::{Event, Outcome, Reporter};
use crate::steps::{Check, as_built, for_the_person, kernel_of_others, kind};

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

/// What takes a finding away. `apply` is named only where it sees the same fault, for it looks by the same checks.
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
                let env = if env == DEFAULT_ENV { String::new() } else { format!(" --env {env}") };
                Message::plain(format!("aitk apply{deep}{env}"))
            }
            Self::Remove(path) => {
                Message::plain(format!("rm -r {}", quote(&path.to_string_lossy())))
            }
            Self::Doctor => Message::plain("aitk doctor"),
            Self::Do(words) => words.clone(),
        }
    }
}

/// The environment that is meant where none is named.
const DEFAULT_ENV: &str = "ai";

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
    let kind = kind(&step.action);
    let finding = |message: Message, remedy: Remedy| Finding {
        step: step.id.clone(),
        title: step.title.clone(),
        message,
        remedy,
    };
    let mut found = Vec::new();
    if let Check::Missing(faults) = kind.verify(cx, plan, step, depth)? {
        let remedy = remedy(cx, plan, step);
        found.extend(faults.into_iter().map(|message| finding(message, remedy.clone())));
    }
    if depth == Depth::Content {
        let additions = kind.additions(cx, plan, step)?.into_iter();
        found.extend(additions.map(|more| finding(more.message, Remedy::Remove(more.path))));
    }
    Ok(found)
}

/// What mends a step that does not hold: `apply` does what it finds to do by its own check, which reads no files unless
/// it is told to.
fn remedy(cx: &Context<'_>, plan: &Plan, step: &Step) -> Remedy {
    let only_the_person = for_the_person(cx, plan);
    if let (Action::Environment { .. }, Some(words)) = (&step.action, only_the_person) {
        return Remedy::Do(words);
    }
    if let Some(words) = kernel_of_others(cx, plan, step) {
        return Remedy::Do(words);
    }
    match &step.action {
        Action::Check { .. } => Remedy::Doctor,
        Action::Login { .. } => Remedy::Do(message!("log out and in again")),
        Action::Restart { .. } => Remedy::Do(message!("restart the machine")),
        Action::Base { adopt: Some(_), .. } => Remedy::Do(message!(
            "name the folder of a conda with --conda-base, or apply anew without it"
        )),
        action => Remedy::Apply {
            env: plan.choices.env.clone(),
            deep: matches!(kind(action).check(cx, plan, step), Ok(Check::Holds)),
        },
    }
}

/// Whether a step needs, directly or through others, one for which this is true.
fn rests_on(plan: &Plan, step: &Step, is: &dyn Fn(&str) -> bool) -> bool {
    step.needs
        .iter()
        .any(|need| is(need) || plan.step(need).is_some_and(|need| rests_on(plan, need, is)))
}
