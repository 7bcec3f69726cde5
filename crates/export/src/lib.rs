//! Renders a plan for another executor: data in, files out, no input or output between.
//!
//! A plan that is exported was made for a machine as it will be (nothing of it is done yet) and carries every package of
//! its environment with version, hash and address. The same plan gives the same bytes.
//!
//! What is made is data: a target is a folder below `profiles/targets`, which `docs/targets.md` explains.

mod engine;
mod error;
mod key;
mod quote;
mod service;
mod source;
mod target;
mod view;

pub use error::ExportError;
pub use key::PublicKey;
pub use service::ServicePlace;
pub use source::Source;
pub use target::{Judge, Level, Optional, Parameter, Platform, Support, Target, TargetList};
pub use view::View;

/// A plan in another form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    /// Its files; of a target that makes one file, that one.
    pub files: Vec<File>,
    /// What it leaves out of the plan.
    pub without: Vec<Left>,
}

/// Something that an export leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The target whose text says what it is.
    pub target: String,
    /// The key of that text below `without`.
    pub what: String,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it lies in the folder.
    pub path: String,
    /// What it says.
    pub content: String,
    /// Whether it is a program.
    pub executable: bool,
    /// Whether it is the user's alone, once a project has it.
    pub yours: bool,
    /// Whether others on the machine may not read it.
    pub private: bool,
}
