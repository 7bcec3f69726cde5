//! The journal of a run: a line before and after every step, on disk before the step goes on.

use std::path::{Path, PathBuf};

use aitk_plan::names;
use aitk_system::{Message, System, message};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::ExecError;

/// The journal that a run writes.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: PathBuf,
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The run begins.
    RunStarted {
        #[serde(deserialize_with = "names::line::one")]
        budget: String,
        #[serde(deserialize_with = "names::step_id::all")]
        steps: Vec<String>,
        /// The environment that it is about; those of old do not say it.
        #[serde(default, deserialize_with = "names::environment_name::maybe")]
        env: Option<String>,
    },
    /// A step begins.
    StepStarted {
        #[serde(deserialize_with = "names::step_id::one")]
        step: String,
    },
    /// A step has ended.
    StepFinished {
        #[serde(deserialize_with = "names::step_id::one")]
        step: String,
        #[serde(deserialize_with = "names::line::one")]
        outcome: String,
    },
    /// The run has ended, well or not.
    RunFinished {
        #[serde(deserialize_with = "names::line::one")]
        outcome: String,
    },
}

#[derive(Serialize, Deserialize)]
struct JournalLine {
    #[serde(deserialize_with = "names::line::one")]
    at: String,
    #[serde(flatten)]
    entry: Entry,
}

impl Journal {
    /// Opens a new journal, named after the time.
    pub fn begin(state: &Path, system: &dyn System) -> Self {
        let stamp = system.now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
        Self { folder: state.join("runs").join(stamp) }
    }

    /// Where what the commands of a step print goes.
    pub fn log(&self, step: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{step}.log"))
    }

    /// The name of the run that a log is of.
    pub(crate) fn run_of(log: &Path) -> Option<String> {
        let folder = log.parent()?.parent()?.file_name()?;
        Some(folder.to_string_lossy().into_owned())
    }

    /// Adds a line and flushes it to disk.
    pub(crate) fn write(&self, cx: &Context<'_>, entry: Entry) -> Result<(), ExecError> {
        if cx.dry {
            return Ok(());
        }
        let system = cx.system;
        let path = self.folder.join("journal.jsonl");
        let mut json = serde_json::to_vec(&JournalLine { at: system.now().to_string(), entry })
            .map_err(|error| ExecError::io(&path)(error.into()))?;
        json.push(b'\n');
        system.append(&path, &json).map_err(ExecError::io(&path))
    }
}

/// A run that did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// The step that it was at.
    pub at: Message,
    /// The environment that it was about, where that is known.
    pub env: Option<String>,
}

impl Interrupted {
    /// Whether a run about this environment continues it.
    pub fn goes_on_in(&self, env: &str) -> bool {
        self.env.as_deref().is_none_or(|own| own == env)
    }
}

/// The last run, if it did not come to its end.
pub fn interrupted_run(state: &Path, system: &dyn System) -> Option<Interrupted> {
    let runs = state.join("runs");
    let last = system.list(&runs).ok()?.pop()?;
    let text = system.text(runs.join(last).join("journal.jsonl")).ok()?;
    let (mut open, mut about) = (Some(message!("its beginning")), None);
    // A last line that was cut off in the middle does not parse, and says nothing.
    for line in text.lines().filter_map(|line| serde_json::from_str::<JournalLine>(line).ok()) {
        match line.entry {
            Entry::RunStarted { env, .. } => about = env,
            Entry::StepStarted { step } => open = Some(step.into()),
            Entry::StepFinished { .. } => {}
            Entry::RunFinished { .. } => open = None,
        }
    }
    open.map(|at| Interrupted { at, env: about })
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    fn journal(state: &Path, run: &str, lines: &str) {
        let path = state.join("runs").join(run).join("journal.jsonl");
        Real.write(&path, lines.as_bytes(), 0o644).unwrap();
    }

    const STARTED: &str = r#"{"at":"x","event":"run_started","budget":"low","steps":[]}"#;
    const STEP: &str = r#"{"at":"x","event":"step_started","step":"libraries"}"#;
    const ENDED: &str = r#"{"at":"x","event":"run_finished","outcome":"done"}"#;

    #[test]
    fn only_the_last_run_counts_and_only_if_it_did_not_end() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(interrupted_run(state.path(), &Real), None, "there was no run");
        journal(state.path(), "1", &format!("{STARTED}\n{STEP}\n"));
        let run = interrupted_run(state.path(), &Real).unwrap();
        assert!(run.at == "libraries" && run.goes_on_in("ai"), "{run:?}");
        let of_another = STARTED.replace("[]", r#"[],"env":"work""#);
        journal(state.path(), "1", &format!("{of_another}\n{STEP}\n"));
        let run = interrupted_run(state.path(), &Real).unwrap();
        assert!(run.goes_on_in("work") && !run.goes_on_in("ai"), "{run:?}");
        journal(state.path(), "2", &format!("{STARTED}\n{STEP}\n{ENDED}\n"));
        assert_eq!(interrupted_run(state.path(), &Real), None);
    }

    /// What version 0.1 has written.
    #[test]
    fn a_journal_of_the_first_form_is_read() {
        let state = tempfile::tempdir().unwrap();
        journal(state.path(), "1", include_str!("../fixtures/journal-1.jsonl"));
        assert_eq!(interrupted_run(state.path(), &Real).unwrap().at, "environment");
    }

    #[test]
    fn a_line_that_was_cut_off_says_nothing() {
        let state = tempfile::tempdir().unwrap();
        journal(state.path(), "1", &format!("{STARTED}\n{STEP}\n{}", &ENDED[..20]));
        assert_eq!(interrupted_run(state.path(), &Real).unwrap().at, "libraries");
        let strange = STEP.replace("libraries", r"\u001b[31m");
        journal(state.path(), "1", &format!("{STARTED}\n{STEP}\n{strange}\n"));
        assert_eq!(interrupted_run(state.path(), &Real).unwrap().at, "libraries");
    }
}
