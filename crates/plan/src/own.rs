//! Packages of the user's own, which are in the environment beside what a profile brings.

use aitk_system::{Message, Told, message};
use pep508_rs::{Requirement, VerbatimUrl};

use crate::model::Phase;
use crate::names;
use crate::profile::{Estimate, Profile, ProfileStep, Requirements};
use crate::requirement::project;
use crate::size::Bytes;
use crate::step::form::Libraries;
use crate::step::{Part, StepKind};

/// The step that brings them.
const STEP: &str = "packages";
/// What one of them is taken to need as long as no source was asked: the middle of what a package of PyPI's needs with what
/// comes along.
const EACH: Estimate =
    Estimate { download: Bytes(20_000_000), disk: Bytes(60_000_000), files: 500 };

/// Whether it is a package that can be asked for by both managers: a name, its extras and versions.
///
/// # Errors
/// Where it is not.
pub fn check(text: &str) -> Result<(), Message> {
    names::requirement::check(text).map_err(|unfit| unfit.told())?;
    match text.contains(';') {
        true => {
            Err(message!("a name and versions are expected, such as `polars` or `polars>=1.9`"))
        }
        false => Ok(()),
    }
}

/// Packages with those that were given last in place of what was asked of the same ones before.
pub fn settled(mut all: Vec<String>, given: &[String]) -> Vec<String> {
    let replaced = |one: &String| {
        !given.contains(one) && given.iter().any(|given| project(given) == project(one))
    };
    all.retain(|one| !replaced(one));
    all
}

/// As conda writes it; `None` where there are extras, of which conda knows nothing.
pub fn match_spec(requirement: &str) -> Option<String> {
    let read = requirement.parse::<Requirement<VerbatimUrl>>().ok()?;
    let versions = match &read.version_or_url {
        Some(pep508_rs::VersionOrUrl::VersionSpecifier(versions)) => versions.to_string(),
        _ => String::new(),
    };
    let spec = format!("{} {}", read.name, versions.replace(' ', ""));
    read.extras.is_empty().then(|| spec.trim().to_owned())
}

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
            phase: Phase::Libraries,
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
    fn a_package_is_a_name_with_versions_and_never_an_address() {
        for fits in ["polars", "polars==1.9", "polars >=1.9,<2", "transformers[torch]~=5.0"] {
            assert!(check(fits).is_ok(), "{fits}");
        }
        for unfit in [
            "",
            "-e",
            "./x",
            "x @ https://x.example/x.whl",
            "git+https://x",
            "x; os_name=='nt'",
            "a b",
        ] {
            assert!(check(unfit).is_err(), "{unfit}");
        }
    }

    #[test]
    fn conda_is_asked_in_its_own_words() {
        assert_eq!(match_spec("polars").as_deref(), Some("polars"));
        assert_eq!(match_spec("Scikit_Learn >=1.5, <2").as_deref(), Some("scikit-learn >=1.5,<2"));
        assert_eq!(match_spec("transformers[torch]"), None);
    }

    #[test]
    fn what_is_given_last_stands_for_what_was_asked_before() {
        let all = |given: &[&str]| given.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let settled = settled(all(&["duckdb", "polars", "polars==1.9"]), &all(&["polars==1.9"]));
        assert_eq!(settled, ["duckdb", "polars==1.9"]);
    }

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
