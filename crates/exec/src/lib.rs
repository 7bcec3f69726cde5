//! Carries a plan out: each step is checked, applied, checked again and journaled.
//!
//! [`survey`] completes a plan with what only the machine and the sources can tell; [`apply`] makes it true;
//! [`verify`] looks whether it still is.

mod apt;
mod context;
mod downloads;
mod engine;
mod error;
mod journal;
mod openpgp;
mod receipt;
mod report;
mod steps;
mod survey;
mod verify;

pub use apt::brought;
pub use context::{Context, Looked};
pub use engine::{Summary, Taken, apply, note_own, settle};
pub use error::ExecError;
pub use journal::{Journal, interrupted_run};
pub use receipt::{Object, Provenance, Receipt};
pub use report::{Answer, Event, News, Outcome, Reporter};
pub use steps::{Undo, kept_kernel, undo, without_init};
pub use survey::{fill_in, lock, lock_ahead, survey};
pub use verify::{Finding, Remedy, verify};
