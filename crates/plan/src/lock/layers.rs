//! Which step installs which package of a lock.

use std::collections::{BTreeMap, BTreeSet};

use super::locked::{Locked, LockedLayer};

/// Each package goes to the first layer that asks for it, itself or through others; the last layer takes the rest.
/// `name_of` is what a requirement names, `needs_of` what a package needs.
pub fn into_layers(
    wishes: &[(&String, &Vec<String>)],
    packages: Vec<Locked>,
    name_of: impl Fn(&str) -> String,
    needs_of: impl Fn(&Locked) -> Vec<String>,
) -> Vec<LockedLayer> {
    let mut left = packages;
    let mut layers = Vec::new();
    for (index, (step, requirements)) in wishes.iter().enumerate() {
        let names = requirements.iter().map(|requirement| name_of(requirement)).collect();
        let reached = reached(&left, names, &needs_of);
        let is_last = index + 1 == wishes.len();
        let (here, rest) =
            left.into_iter().partition(|locked| is_last || reached.contains(&locked.key()));
        layers.push(LockedLayer { step: (*step).clone(), packages: here });
        left = rest;
    }
    layers
}

/// The packages that these names lead to, themselves or through what they need.
pub fn reached<'a>(
    packages: impl IntoIterator<Item = &'a Locked>,
    names: Vec<String>,
    needs_of: impl Fn(&Locked) -> Vec<String>,
) -> BTreeSet<String> {
    let all: BTreeMap<String, &Locked> =
        packages.into_iter().map(|locked| (locked.key(), locked)).collect();
    let mut open = names;
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(locked) = all.get(&name)
            && reached.insert(name)
        {
            open.extend(needs_of(locked));
        }
    }
    reached
}
