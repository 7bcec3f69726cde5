//! Generations: environments built aside, each in a folder named after its lock, with a link to the current one.

mod added;
mod additions;
mod build;
mod environments;
mod fault;
mod files;
mod history;
mod mend;
mod place;
mod record;
mod running;
mod seen;
mod state;
#[cfg(test)]
mod tests;

pub use added::{Added, add_again};
pub use additions::Addition;
pub use build::Builder;
pub use environments::Environments;
pub use fault::{Cure, EnvironmentFault, foreign_place, give_back};
pub use files::Damage;
pub use history::{Occasion, Switch};
pub use mend::Mender;
pub use place::Generation;
pub use record::{GenerationRecord, RECORD, Reason};
pub use running::{Running, running};
pub use state::State;
