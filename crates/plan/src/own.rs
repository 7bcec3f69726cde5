//! Packages of the user's own, which are in the environment beside what a profile brings.

use aitk_system::message;

use crate::model::Phase;
use crate::profile::{Estimate, Profile, ProfileStep, Requirements};
use crate::requirement::{match_spec, project};
use crate::size::Bytes;
use crate::step::form::Libraries;
use crate::step::{Part, StepKind};

/// The step that brings them.
const STEP: &str = "packages";
/// What one of them is taken to need as long as no source was asked: the middle of what a package of PyPI's needs with what
/// comes along.
const EACH: Estimate =
    Estimate { download: Bytes(20_000_000), disk: Bytes(60_000_000), files: 500 };

impl Profile {
    /// The same with packages of the user's own, installed after everything that the profile installs and before anything is
    /// proven or used.
    #[must_use]
    pub fn with_packages(mut self, packages: &[String]) -> Self {
        let is = |step: &ProfileStep, part: &[Part]| part.contains(&step.kind.facts().part);
        let last = self.steps.iter().rposition(|step| is(step, &[Part::Layer, Part::Whole]));
        let Some(last) = last.filter(|_| !packages.is_empty()) else { return self };
        let layers = self.steps.iter().filter(|step| is(step, &[Part::Layer, Part::Whole]));
        let needs = layers.map(|step| step.id.clone()).collect();
        for step in self.steps.iter_mut().filter(|step| is(step, &[Part::Proof, Part::Switch])) {
            step.needs.push(STEP.to_owned());
        }
        let list = packages.join(", ");
        let count = packages.len() as u64;
        let conda = packages.iter().map(|one| match_spec(one).unwrap_or_else(|| project(one)));
        let step = ProfileStep {
            id: STEP.to_owned(),
            phase: Phase::Own,
            title: message!("Install the packages that you have added"),
            why: message!("you asked for {list}"),
            manager: None,
            with: None,
            project: false,
            gpu: None,
            wsl: None,
            needs,
            kind: StepKind::Libraries(Libraries {
                requirements: packages.to_vec(),
                conda: Some(conda.collect()),
            }),
            requires: Requirements::default(),
            estimate: Estimate {
                download: Bytes(EACH.download.0 * count),
                disk: Bytes(EACH.disk.0 * count),
                files: EACH.files * count,
            },
        };
        self.steps.insert(last + 1, step);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_budget_installs_them_before_it_proves_anything() {
        for name in ["low", "workstation", "sme"] {
            let profile = Profile::builtin(name).unwrap().with_packages(&["polars".to_owned()]);
            let at = profile.steps.iter().position(|step| step.id == STEP).unwrap();
            let after = |part| profile.steps.iter().position(|step| step.kind.facts().part == part);
            assert!(
                after(Part::Proof).unwrap() > at && after(Part::Switch).unwrap() > at,
                "{name}"
            );
            let waits = profile.steps.iter().filter(|step| step.needs.iter().any(|id| id == STEP));
            assert!(waits.count() >= 2, "{name}");
        }
        let low = Profile::builtin("low").unwrap();
        assert_eq!(low.clone().with_packages(&[]), low);
    }
}
