//! What of an environment is aitk's, told by its place and its name: the note of it may be missing.

use std::path::Path;

use aitk_env::Environments;
use aitk_plan::{Action, Plan, Step};

use super::Made;
use crate::context::{Context, environment};
use crate::places::is_digest;
use crate::removal::{is_generation, leads_to_generation};

/// The generations and the links that the steps of an environment leave behind; nothing for other steps.
pub(super) fn of_environments(cx: &Context<'_>, plan: &Plan, step: &Step) -> Vec<Made> {
    let Some(spec) = environment(plan) else { return Vec::new() };
    let named = cx.environments(&spec);
    match &step.action {
        Action::Environment { .. } => generations(cx, &named),
        Action::Activate => link(cx, &named.current_path()),
        Action::Base { env, adopt, .. } => {
            let adopted = adopt.as_deref().map(|conda| Path::new(conda).join("envs"));
            let places =
                [cx.settings.named_environments(), cx.machine.folders.home.join(".conda/envs")];
            let names = places.into_iter().chain(adopted).map(|folder| folder.join(env));
            // A link of this name that leads elsewhere is somebody else's.
            let ours = names
                .filter(|link| {
                    cx.system.read_link(link).is_ok_and(|leads| leads == named.current_path())
                })
                .map(|link| Made::path(&link, None));
            let base = Environments::new(&cx.settings.data, "base");
            ours.chain(generations(cx, &base)).chain(link(cx, &base.current_path())).collect()
        }
        _ => Vec::new(),
    }
}

/// Every generation, half-built ones as well: a later run may have built another one. A folder that says nothing of itself
/// may be somebody's.
fn generations(cx: &Context<'_>, environments: &Environments) -> Vec<Made> {
    let current = environments.current_path();
    let Some(folder) = current.parent() else { return Vec::new() };
    let ours = |name: &String| is_digest(name) && is_generation(&folder.join(name), cx.system);
    let names = cx.system.list(folder).unwrap_or_default();
    names.into_iter().filter(ours).map(|name| Made::path(&folder.join(&name), Some(name))).collect()
}

fn link(cx: &Context<'_>, link: &Path) -> Vec<Made> {
    let there = leads_to_generation(link, cx.system);
    there.then(|| Made::path(link, None)).into_iter().collect()
}
