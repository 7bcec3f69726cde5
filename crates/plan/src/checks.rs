//! The proofs that come with the program.

use aitk_system::{Message, message};

/// The proofs that come with the program, and their scripts with what they speak by in front: all of `profiles/checks`.
pub const CHECKS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/checks.rs"));

/// Looks whether there is a proof of this name.
///
/// # Errors
/// With the names of those that there are.
pub(crate) fn known(name: &str) -> Result<(), Message> {
    let known: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
    if known.contains(&name) {
        return Ok(());
    }
    Err(message!("there is no check `{name}`; there are {}", known.join(", ")))
}
