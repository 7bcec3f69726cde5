//! What of an environment is aitk's, told by its place and its name: the note of it may be missing.

use std::path::Path;

use aitk_env::Environments;

use super::Made;
use crate::context::Context;
use crate::places::is_digest;
use crate::removal::{is_generation, leads_to_generation};

/// Every generation, half-built ones as well: a later run may have built another one. A folder that says nothing of itself
/// may be somebody's.
pub(super) fn generations(cx: &Context<'_>, environments: &Environments) -> Vec<Made> {
    let current = environments.current_path();
    let Some(folder) = current.parent() else { return Vec::new() };
    let ours = |name: &String| is_digest(name) && is_generation(&folder.join(name), cx.system);
    let names = cx.system.list(folder).unwrap_or_default();
    names.into_iter().filter(ours).map(|name| Made::path(&folder.join(&name), Some(name))).collect()
}

/// A link to a generation.
pub(super) fn link(cx: &Context<'_>, link: &Path) -> Vec<Made> {
    let there = leads_to_generation(link, cx.system);
    there.then(|| Made::path(link, None)).into_iter().collect()
}
