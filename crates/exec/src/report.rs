//! What a run says while it works; how it looks is the business of whoever listens.

use std::sync::atomic::{AtomicU64, Ordering};

use aitk_env::FetchProgress;
use aitk_plan::{Step, Totals};
use aitk_system::Message;
use schemars::JsonSchema;
use serde::Serialize;

/// Something that happened. Serialized, it is a line of `--progress json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// The run begins.
    RunStarted {
        /// What is to be done.
        #[serde(flatten)]
        totals: Totals,
    },
    /// A step begins.
    StepStarted {
        /// Its id.
        step: &'a str,
        /// What it is, for people.
        title: &'a Message,
        /// Whether it runs in root's lane.
        root: bool,
    },
    /// A step is so far.
    Progress {
        /// Its id.
        step: &'a str,
        /// So much is done: bytes where `total` is large, else hundredths.
        done: u64,
        /// So much there is in all, in the same unit.
        total: u64,
    },
    /// A step has something to say.
    Message {
        /// Its id.
        step: &'a str,
        /// What a person should know of it, in one sentence.
        text: &'a Message,
    },
    /// What had been an estimate is now known, before it is done.
    Exact {
        /// The step, complete.
        #[serde(skip)]
        detail: &'a Step,
        /// Its id.
        step: &'a str,
        /// How many packages are installed.
        packages: usize,
        /// Bytes to download.
        download: u64,
        /// Bytes that it takes on disk.
        disk: u64,
    },
    /// A step has ended.
    StepFinished {
        /// Its id.
        step: &'a str,
        /// How.
        outcome: Outcome,
        /// How long it took.
        seconds: f64,
    },
    /// The run has ended.
    RunFinished {
        /// How.
        outcome: Outcome,
        /// How long it took.
        seconds: f64,
    },
}

/// How a step or a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It held already: nothing was run.
    AlreadyDone,
    /// It was carried out, and its check holds now.
    Done,
    /// It would have been done: a dry run.
    Reported,
    /// It waits for the person to log in again or to restart the machine.
    Paused,
    /// It was tried and failed; what depends on it is not tried.
    Failed,
    /// The user interrupted it.
    Interrupted,
}

/// What nobody has agreed to: a step that was an estimate when the plan was agreed to is exact now.
#[derive(Debug, Clone)]
pub struct News<'a> {
    /// The step, complete.
    pub step: &'a Step,
    /// Packages of the system that would go, and did not stand in the plan.
    pub removes: Vec<String>,
    /// What the plan took when it was agreed to, where it takes much more now.
    pub agreed: Option<Totals>,
    /// What it takes now.
    pub now: Totals,
}

/// What a person says to news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// It goes on, with what is known now.
    Yes,
    /// It stops before anything of that is done.
    No,
    /// There is nobody who could be asked.
    Nobody,
}

/// Listens to a run, and is asked. Both lanes speak, so it may be called from several threads.
pub trait Reporter: Sync {
    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);

    /// Asks whether a step goes on that turned out to be something else than what was agreed to.
    fn agree(&self, _: &News<'_>) -> Consent {
        Consent::Nobody
    }
}

/// Bytes as they come in, told as the progress of a step.
pub struct Incoming<'a> {
    step: &'a str,
    total: u64,
    done: AtomicU64,
    reporter: &'a dyn Reporter,
}

impl<'a> Incoming<'a> {
    /// Those of a step, of which so many are to come.
    pub fn new(step: &'a str, total: u64, reporter: &'a dyn Reporter) -> Self {
        Self { step, total, done: AtomicU64::new(0), reporter }
    }
}

impl FetchProgress for Incoming<'_> {
    fn bytes(&self, more: u64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        self.reporter.event(&Event::Progress { step: self.step, done, total: self.total });
    }
}
