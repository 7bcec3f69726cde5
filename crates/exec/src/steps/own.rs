//! What of an environment is aitk's, told by its place and its name: the note of it may be missing.

use aitk_env::{Environments, Generation};

use super::ReceiptEntry;
use crate::context::Context;
use crate::removal::{is_generation, is_history, leads_to_generation};

/// Every generation, half-built ones as well: a later run may have built another one. A folder that says nothing of itself
/// may be somebody's.
pub(super) fn generations(cx: &Context<'_>, environments: &Environments) -> Vec<ReceiptEntry> {
    let current = environments.current_path();
    let Some(folder) = current.parent() else { return Vec::new() };
    let ours =
        |name: &String| Generation::is_name(name) && is_generation(&folder.join(name), cx.system);
    let names = cx.system.list(folder).unwrap_or_default();
    names
        .into_iter()
        .filter(ours)
        .map(|name| ReceiptEntry::path(&folder.join(&name), Some(name)))
        .collect()
}

/// A link to a generation, and the history of where it led.
pub(super) fn link(cx: &Context<'_>, environments: &Environments) -> Vec<ReceiptEntry> {
    let (link, history) = (environments.current_path(), environments.history_path());
    let link = leads_to_generation(&link, cx.system).then(|| ReceiptEntry::path(&link, None));
    let history = is_history(&history, cx.system).then(|| ReceiptEntry::path(&history, None));
    link.into_iter().chain(history).collect()
}
