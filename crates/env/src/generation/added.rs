//! What the user has added to a generation by hand, or replaced in it.

use std::collections::{BTreeMap, BTreeSet};

use aitk_plan::Manager;
use aitk_system::System;

use super::place::Generation;
use super::record::GenerationRecord;
use crate::backend::{InstalledPackage, backend, same_version};

/// A package that the user has put into an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The package's name.
    pub name: String,
    /// Its version, with the build of a conda package.
    pub version: String,
    /// What installed it: pip is of the virtual environment's kind.
    pub by: Manager,
}

impl std::fmt::Display for Added {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let between = if self.by == Manager::Conda { "=" } else { "==" };
        write!(f, "{}{between}{}", self.name, self.version)
    }
}

/// The commands that add these packages again; `of` names another environment than the one that `aitk run` works in.
pub fn add_again(added: &[Added], of: Option<&str>) -> String {
    let command = |manager: Manager| {
        let of_it = added.iter().filter(|added| added.by == manager);
        let names: Vec<_> = of_it.map(ToString::to_string).collect();
        (!names.is_empty()).then(|| {
            format!("`aitk run -- {} {}`", backend(manager).add_command(of), names.join(" "))
        })
    };
    Manager::ALL.into_iter().rev().filter_map(command).collect::<Vec<_>>().join(" and ")
}

impl Generation {
    /// What the user has added or replaced since the generation was built.
    pub fn added(&self, system: &dyn System) -> Vec<Added> {
        let added = self.installed_by_hand(system).into_iter();
        added.map(|one| Added { name: one.name, version: one.version, by: one.by }).collect()
    }

    /// What the user has added or replaced since the generation was built, and another one with these packages, for
    /// which these requirements were `carried` over, does not have.
    pub fn lost(
        &self,
        system: &dyn System,
        other: &BTreeMap<String, String>,
        carried: &[String],
    ) -> Vec<Added> {
        let Some(record) = self.record(system) else { return Vec::new() };
        let backend = backend(record.manager);
        let mine = record.versions();
        let version_of = |exact: &str| exact.split('=').next().unwrap_or_default().to_owned();
        let mut lost = self.installed_by_hand(system);
        lost.retain(|one| {
            let there = other.get(&one.name);
            let same = there
                .is_some_and(|exact| same_version(&version_of(exact), &version_of(&one.version)));
            if one.by != Manager::Conda {
                return !same;
            }
            let asked = backend.requested(system, &self.path, one);
            match asked.is_empty() {
                // It came along with something else.
                true => there.is_none() && !mine.contains_key(&one.name),
                false => !same && !asked.iter().all(|spec| carried.contains(spec)),
            }
        });
        lost.into_iter()
            .map(|one| Added { name: one.name, version: one.version, by: one.by })
            .collect()
    }

    /// What the user has asked for by hand and the next generation shall have as well, as its manager writes it.
    pub fn carried(&self, system: &dyn System) -> Vec<String> {
        let Some(record) = self.record(system) else { return Vec::new() };
        let backend = backend(record.manager);
        let by_hand = self.installed_by_hand(system).into_iter();
        let by_hand: Vec<_> = by_hand.filter(|one| one.by == record.manager).collect();
        let asked = by_hand.iter().flat_map(|one| backend.requested(system, &self.path, one));
        let mut specs: Vec<_> = record.added.into_iter().chain(asked).collect();
        // Tools that note nothing leave only names.
        if specs.is_empty() && record.manager == Manager::Conda {
            specs = by_hand.into_iter().map(|one| one.name).collect();
        }
        specs.sort();
        specs.dedup();
        specs
    }

    fn installed_by_hand(&self, system: &dyn System) -> Vec<InstalledPackage> {
        let Some(record) = self.record(system) else { return Vec::new() };
        let known = record.versions();
        let mut all = backend(record.manager).installed(system, &self.path);
        all.retain(|one| {
            one.by != record.manager
                || known.get(&one.name).is_none_or(|known| !same_version(&one.version, known))
        });
        all
    }

    /// Packages of ours that stand here in another version, and in that one alone.
    pub(super) fn replaced(&self, system: &dyn System) -> BTreeSet<String> {
        let Some(record) = self.record(system) else { return BTreeSet::new() };
        self.of_the_user(system, &record).into_iter().map(|one| one.name).collect()
    }

    /// What the user has installed: in place of a package of ours, and not beside it.
    pub(super) fn of_the_user(
        &self,
        system: &dyn System,
        record: &GenerationRecord,
    ) -> Vec<InstalledPackage> {
        let known = record.versions();
        let all = backend(record.manager).installed(system, &self.path);
        let is_ours = |one: &InstalledPackage| {
            known.get(&one.name).is_some_and(|known| same_version(&one.version, known))
        };
        let ours: BTreeSet<_> =
            all.iter().filter(|one| is_ours(one)).map(|one| one.name.clone()).collect();
        all.into_iter().filter(|one| !ours.contains(&one.name)).collect()
    }
}
