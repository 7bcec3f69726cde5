//! Generations: environments built aside, each in a folder named after its lock, with a link to the current one.

mod added;
mod additions;
mod build;
mod fault;
mod files;
mod history;
mod mend;
mod place;
mod record;
mod seen;
#[cfg(test)]
mod tests;

pub use added::{Added, add_again};
pub use additions::Addition;
pub use build::Builder;
pub use fault::{Cure, Fault, foreign_place, give_back};
pub use files::Damage;
pub use history::Environments;
pub use mend::Mender;
pub use place::Generation;
pub use record::{Reason, Record};
