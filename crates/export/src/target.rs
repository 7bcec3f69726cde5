//! Targets: folders of data below `profiles/targets`, and below a folder of the user's own.

mod choose;
mod list;
mod render;
mod rows;
mod services;
#[cfg(test)]
mod tests;

pub use list::TargetList;
pub use rows::{Judge, Level, Optional, Parameter, Platform, Support, Target};
