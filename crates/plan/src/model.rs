//! The plan as a value: what `aitk plan --json` prints, what `-o` saves and what `apply` carries out.

use aitk_system::{Message, ToMessage, message};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::basics::Ground;
use crate::choices::Choices;
use crate::environment::EnvironmentPlan;
use crate::lock::Package;
use crate::manager::{BASE, Manager};
use crate::project::Project;
use crate::size::Bytes;
use crate::step::{Action, Environment, Part, Payload};

/// The ordered steps for one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The budget that it comes from.
    pub budget: String,
    /// Digest of the machine that it is made for; see [`crate::machine_digest`].
    pub machine: String,
    /// What the user chose.
    pub choices: Choices,
    /// The environment manager that is used.
    pub manager: Manager,
    /// On which devices the framework computes, and why not on the others.
    pub accelerator: Accelerator,
    /// The framework, `None` without one.
    pub framework: Option<FrameworkPlan>,
    /// The project that is written; `None` where the budget writes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// The environments that steps install packages into: the user's, and conda's own where aitk brings it.
    pub environments: Vec<EnvironmentPlan>,
    /// What is to be ensured, in the order in which a person reads it.
    pub steps: Vec<Step>,
    /// Sums over the steps that are to be done.
    pub totals: Totals,
    /// What a person should know before agreeing.
    pub warnings: Vec<Warning>,
    /// The rows of the tables that have decided.
    #[serde(default)]
    pub grounds: Vec<Ground>,
}

impl Plan {
    /// Adds up what the needed steps take.
    pub fn add_up(&mut self) {
        let needed = || self.steps.iter().filter(|step| step.status == Status::Needed);
        let sum = |of: fn(&Step) -> Option<u64>| {
            needed().fold(0, |sum: u64, step| sum.saturating_add(of(step).unwrap_or(0)))
        };
        self.totals = Totals {
            download: sum(|step| step.download),
            disk: sum(|step| step.disk),
            steps: needed().count(),
            estimated: needed().any(|step| step.estimated),
            rough: needed().any(|step| step.rough),
        };
    }

    /// A step by its id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// The first step of a kind, with what it holds.
    pub fn find<T: Payload>(&self) -> Option<(&Step, &T)> {
        self.steps.iter().find_map(|step| Some((step, T::of(&step.action)?)))
    }

    /// An environment by its name.
    pub fn environment_named(&self, name: &str) -> Option<&EnvironmentPlan> {
        self.environments.iter().find(|environment| environment.name == name)
    }

    /// The environment that the user works in, beside which conda may have one of its own; `None` where the plan has none.
    pub fn environment(&self) -> Option<&EnvironmentPlan> {
        self.find::<Environment>().and_then(|(_, step)| self.environment_named(&step.env))
    }

    /// Conda's own environment, where aitk brings it.
    pub fn base(&self) -> Option<&EnvironmentPlan> {
        self.environment_named(BASE)
    }

    /// Whether its environment is for this machine; that of a hosted notebook is only resolved, for its session.
    pub fn builds_here(&self) -> bool {
        let left_out = |step: &Step| step.status == Status::Skipped;
        !self.find::<Environment>().is_some_and(|(step, _)| left_out(step))
    }

    /// Whether steps are to be done that are such a part of the environment.
    pub fn needs(&self, is: impl Fn(Part) -> bool) -> bool {
        self.steps.iter().any(|step| step.status == Status::Needed && is(step.part()))
    }

    /// Whether anything is left to do or cannot be done.
    pub fn pending(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.status, Status::Needed | Status::Blocked))
    }

    /// Adds a warning once.
    pub fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// On which devices a framework computes, and why not on the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Accelerator {
    /// `none`, `cuda`, `rocm`, `xpu` or `jetson`.
    pub kind: String,
    /// Positions in the machine's list of GPUs.
    pub gpus: Vec<usize>,
    /// The newest CUDA that may be used: what conda's solver is told of the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda: Option<String>,
    /// The least compute capability of the devices that compute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_capability: Option<String>,
    /// Why it is this one.
    pub why: Vec<Message>,
}

/// The framework that is planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameworkPlan {
    /// `pytorch`, `tensorflow` or `jax`.
    pub name: String,
    /// The build, as its row in the table calls it: `cpu`, `cu132`.
    pub build: String,
    /// What is asked of the index.
    pub requirement: String,
    /// Which source has it: `torch-backend cpu`, `index`, …
    pub source: String,
    /// Why it is this one.
    pub why: Vec<Message>,
}

/// Sums over the steps that are to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Bytes to download.
    pub download: u64,
    /// Bytes that are taken on disk.
    pub disk: u64,
    /// How many steps are to be done.
    pub steps: usize,
    /// Whether any of these is an estimate.
    pub estimated: bool,
    /// Whether `disk` stays one; see [`Step::rough`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rough: bool,
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// A stable code, `AITK-W…`.
    pub code: String,
    /// What is the matter.
    pub message: Message,
    /// What can be done.
    pub hint: Option<Message>,
}

impl Warning {
    /// A warning with something to do about it.
    pub fn new(code: &str, message: impl Into<Message>, hint: impl Into<Message>) -> Self {
        Self { code: code.to_owned(), message: message.into(), hint: Some(hint.into()) }
    }
}

/// One thing to ensure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// By this other steps, receipts and scripts name it; it stays from version to version: `system.python`.
    pub id: String,
    /// Where in the order it belongs.
    pub phase: Phase,
    /// What it is, for people.
    pub title: Message,
    /// What to ensure: `kind` and, for kinds that have any, `spec`.
    #[serde(flatten)]
    pub action: Action,
    /// Whether it is to be done, holds already, is left out or cannot be done.
    pub status: Status,
    /// The reasons: why it is there, then why it is blocked or skipped.
    pub why: Vec<Message>,
    /// What to do about a blocked step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Message>,
    /// Steps that come before it.
    pub needs: Vec<String>,
    /// Whether it needs root.
    pub root: bool,
    /// What will be run, as a person would type it.
    pub commands: Vec<Message>,
    /// What root writes among those commands, each on its standard input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Write>,
    /// What will be installed.
    pub packages: Vec<Package>,
    /// Packages of the system that go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<String>,
    /// Bytes to download; `None` where nobody knows yet.
    pub download: Option<u64>,
    /// Bytes that it takes on disk.
    pub disk: Option<u64>,
    /// Whether `disk` is an estimate and stays one: no source tells what some of the packages take unpacked, or what an
    /// environment has beside what it shares with the cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rough: bool,
    /// Files that it creates, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Whether packages and sizes are an estimate that becomes exact, and is shown, before the step is done.
    pub estimated: bool,
}

impl Step {
    /// A step that is to be done, of which nothing more is known yet.
    pub fn new(id: &str, phase: Phase, title: impl Into<Message>, action: Action) -> Self {
        Self {
            id: id.to_owned(),
            phase,
            title: title.into(),
            root: action.facts().root,
            action,
            status: Status::Needed,
            why: Vec::new(),
            remedy: None,
            needs: Vec::new(),
            commands: Vec::new(),
            writes: Vec::new(),
            packages: Vec::new(),
            removes: Vec::new(),
            download: None,
            disk: None,
            rough: false,
            files: None,
            estimated: false,
        }
    }

    /// Whether its kind is this one.
    pub fn is<T: Payload>(&self) -> bool {
        T::of(&self.action).is_some()
    }

    /// What its kind has to do with the environment.
    pub fn part(&self) -> Part {
        self.action.facts().part
    }

    /// Marks the step as impossible here.
    pub fn block(&mut self, why: impl Into<Message>, remedy: impl Into<Message>) {
        self.status = Status::Blocked;
        self.why.push(why.into());
        self.remedy = Some(remedy.into());
    }

    /// Leaves the step out.
    pub fn skip(&mut self, why: impl Into<Message>) {
        self.status = Status::Skipped;
        self.why.push(why.into());
        self.forget_costs();
    }

    /// Marks the step as already true.
    pub fn done(&mut self) {
        self.status = Status::Done;
        self.forget_costs();
        self.commands.clear();
        self.writes.clear();
    }

    /// The commands as they are typed by hand: with what each of them reads behind it.
    pub fn by_hand(&self) -> Vec<String> {
        let typed = |command: &Message| {
            let command = command.to_string();
            let is_its = |write: &&Write| command.ends_with(&format!(" {}", write.path));
            match self.writes.iter().find(is_its).filter(|write| write.later.is_none()) {
                Some(write) => {
                    format!("{command} <<'AITK'\n{}\nAITK", write.content.trim_end_matches('\n'))
                }
                None => command,
            }
        };
        self.commands.iter().map(typed).collect()
    }

    fn forget_costs(&mut self) {
        self.download = Some(0);
        self.disk = Some(0);
        self.files = None;
        (self.estimated, self.rough) = (false, false);
    }
}

/// What root writes: a whole file, or what it adds to one; the command tells which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The file's whole path.
    pub path: String,
    /// What it is handed; empty where that is not at hand yet.
    pub content: String,
    /// What is known of it then, and by what it is checked before it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<Message>,
}

/// The order of a plan.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Lists refreshed, upgrades, base tools.
    System,
    /// The environment manager.
    Manager,
    /// Scientific libraries.
    Libraries,
    /// Notebooks.
    Notebook,
    /// Driver, runtime, framework.
    Accelerator,
    /// What the user has added.
    Own,
    /// Everything that uses the environment.
    Tools,
    /// The files of a project.
    Project,
    /// What runs as long as the machine is on.
    Services,
    /// The proofs, and the switch to what they have proven.
    Check,
}

impl ToMessage for Phase {
    fn to_message(&self) -> Message {
        match self {
            Self::System => message!("System"),
            Self::Manager => message!("Manager"),
            Self::Libraries => message!("Libraries"),
            Self::Notebook => message!("Notebook"),
            Self::Accelerator => message!("Accelerator"),
            Self::Own => message!("Your own packages"),
            Self::Tools => message!("Tools"),
            Self::Project => message!("Project"),
            Self::Services => message!("Services"),
            Self::Check => message!("Check"),
        }
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds already: `apply` checks it and runs nothing.
    Done,
    /// It is to be done.
    Needed,
    /// It cannot be done here; `why` and `remedy` say more.
    Blocked,
    /// It is left out; `why` says more.
    Skipped,
}

impl ToMessage for Totals {
    fn to_message(&self) -> Message {
        let steps = match self.steps {
            1 => message!("1 step"),
            steps => message!("{steps} steps"),
        };
        let mut parts = vec![steps];
        if self.download > 0 {
            parts.push(message!("{} to download", Bytes(self.download).about(self.estimated)));
        }
        if self.disk > 0 {
            let about = self.estimated || self.rough;
            parts.push(message!("{} on disk", Bytes(self.disk).about(about)));
        }
        Message::commas(parts)
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_message().fmt(f)
    }
}
