//! What requirements of PEP 508 name.

use aitk_system::{Message, ToMessage, message};
use pep508_rs::{PackageName, Requirement, VerbatimUrl};

use crate::names;

/// A project's name as PEP 503 compares it. What is no name of a project is only told from others.
pub fn normalized(name: &str) -> String {
    PackageName::new(name.to_owned()).map_or_else(|_| name.to_lowercase(), |name| name.to_string())
}

/// The project that a requirement of PEP 508 names.
pub fn project(requirement: &str) -> String {
    let read = requirement.parse::<Requirement<VerbatimUrl>>();
    read.map_or_else(|_| normalized(requirement), |requirement| requirement.name.to_string())
}

/// Whether it is a package of the user's own that can be asked of both managers: a name, its extras and versions.
///
/// # Errors
/// Where it is not.
pub fn check_own(text: &str) -> Result<(), Message> {
    names::requirement::check(text).map_err(|unfit| unfit.to_message())?;
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
    let new: Vec<_> = given.iter().filter(|one| !all.contains(one)).cloned().collect();
    all.extend(new);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_requirements_are_compared_as_indexes_do() {
        assert_eq!(project("Scikit_Learn[alldeps]>=1.5 ; python_version > '3'"), "scikit-learn");
    }

    #[test]
    fn a_package_is_a_name_with_versions_and_never_an_address() {
        for fits in ["polars", "polars==1.9", "polars >=1.9,<2", "transformers[torch]~=5.0"] {
            assert!(check_own(fits).is_ok(), "{fits}");
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
            assert!(check_own(unfit).is_err(), "{unfit}");
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
        assert_eq!(super::settled(all(&["duckdb"]), &all(&["polars"])), ["duckdb", "polars"]);
    }
}
