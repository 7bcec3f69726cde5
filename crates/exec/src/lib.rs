//! Carries a plan out: each step is checked, applied, checked again and journaled.
//!
//! [`survey`] completes a plan with what only the machine and the sources can tell; [`apply`] makes it true;
//! [`verify`] looks whether it still is.

mod apt;
mod apt_failure;
mod apt_sources;
mod back;
mod cleaning;
mod context;
mod downloads;
mod engine;
mod error;
mod flag;
mod journal;
mod kaggle;
mod laid;
mod mending;
mod openpgp;
mod origins;
mod places;
mod project;
mod receipt;
mod removal;
mod report;
mod steps;
mod survey;
mod take_all;
mod verify;

pub use apt::{Waiting, brought, waiting};
pub use apt_sources::Sources;
pub use back::{Back, back};
pub use cleaning::{
    Around, Cleaning, Keeps, OLD, clean, cleaning, is_own_cache, take_file, whole_cache,
};
pub use context::{Context, SurveyCache};
pub use engine::{Measured, Summary, apply, settle};
pub use error::ExecError;
pub use flag::env_flag;
pub use journal::{Interrupted, Journal, interrupted_run};
pub use kaggle::{Kaggle, PushError, kaggle_owner};
pub use laid::lay;
pub use mending::{Change, MendError, Mending, away, back as back_to, mend, mending};
pub use origins::{foreign_origins, foreign_origins_elsewhere};
pub use places::Places;
pub use project::{
    ProjectAge, ProjectRecord, ProjectRemoval, ProjectState, RecordedFile, client_lack, conflicts,
    credentials_lack, project_age, project_removal, project_state, remove_project,
};
pub use receipt::{Object, Provenance, Receipt};
pub use removal::{Goes, Kept, Removal, note_by_marks, prune, prune_empty, removal, take_away};
pub use report::{Consent, Event, Incoming, News, Outcome, Reporter};
pub use steps::{
    ENVIRONMENTS as SERVICES, Remedy, ServiceState, Undo, refuse_in_use, service_states,
};
pub use survey::{fill_in, lock, lock_ahead, survey};
pub use take_all::take_all_away;
pub use verify::{VerifyFinding, audit, judge, verify};
