//! From a machine, a profile and the user's choices to a plan: data in, data out, no input or output between.
//!
//! [`plan`] decides what is to be ensured. What only a source can tell (versions, sizes, hashes) is filled in by
//! the crates that can ask it; [`conclude`] then looks once more whether it all fits.

mod accelerate;
mod advice;
mod basics;
mod catalog;
mod checks;
mod choices;
mod cutoff;
mod decide;
mod digest;
mod driver;
mod environment;
mod framework;
mod judges;
mod language;
pub mod lock;
mod manager;
mod messages;
mod model;
pub mod names;
mod order;
mod own;
mod picture;
mod profile;
mod project;
mod python;
mod request;
mod requirement;
mod requires;
mod room;
mod situation;
mod size;
pub mod step;
mod texts;
mod variables;
mod warn;
pub mod warnings;

pub use advice::{
    Advice, AdviceError, Answer, Answers, Dialogue, DialogueInput, HOURS, Need, Offer, OfferInfo,
    OfferKind, OfferMismatch, OfferStatus, Per, Place, Question, Tree, advise, compare, describe,
    price,
};
pub use basics::{Ground, days_until, gpu_groups, is_old, old_after};
pub use catalog::{
    AptSourceRow, AptTable, Build, Catalog, ContainerGpuRow, DriverRow, Fit, Framework, Guest,
    Image, Images, MemoryFit, NO_FRAMEWORK, Targets, Unpacks, UvPin, VramFit, Weights, Wheel,
};
pub use checks::CHECKS;
pub use choices::{AcceleratorChoice, CHOICES, Choice, Choices, ManagerChoice, Request, Takes};
pub use cutoff::Cutoff;
pub use decide::{conclude, plan};
pub use digest::{digest_of, machine_digest};
pub use environment::EnvironmentPlan;
pub use framework::manager_for_device;
pub use judges::{JudgeTool, judges};
pub use language::{Language, Wording};
pub use lock::{Lock, LockError, LockTarget, Locked, LockedLayer, Locks, Package};
pub use manager::{BASE, Manager};
pub use messages::{Messages, holes};
pub use model::{Accelerator, FrameworkPlan, Phase, Plan, Status, Step, Totals, Warning, Write};
pub use picture::{Difference, differences};
pub use profile::{
    Estimate, LONGEST as LONGEST_PROFILE, MemoryThresholds, PROFILE, Profile, ProfileError,
    ProfileStep, Requirements, STEP, nearest, parse as parse_toml,
};
pub use project::{Client, Cost, Deed, Guard, GuardKind, Project, Secret, ServiceSpec};
pub use request::{BuildRequest, Cuda, EnvironmentRequest, LayerRequest, LayerRole};
pub use requirement::{check_own, match_spec, normalized, project, settled};
pub use room::{Charge, charges, shares_files};
pub use situation::SWAP_FILE;
pub use size::Bytes;
pub use step::{Action, Part, StepKind};
pub use texts::Texts;
pub use variables::{SET, STRAY};
