//! What requirements of PEP 508 name.

use pep508_rs::{PackageName, Requirement, VerbatimUrl};

/// A project's name as PEP 503 compares it. What is no name of a project is only told from others.
pub fn normalized(name: &str) -> String {
    PackageName::new(name.to_owned()).map_or_else(|_| name.to_lowercase(), |name| name.to_string())
}

/// The project that a requirement of PEP 508 names.
pub fn project(requirement: &str) -> String {
    let read = requirement.parse::<Requirement<VerbatimUrl>>();
    read.map_or_else(|_| normalized(requirement), |requirement| requirement.name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_requirements_are_compared_as_indexes_do() {
        assert_eq!(project("Scikit_Learn[alldeps]>=1.5 ; python_version > '3'"), "scikit-learn");
    }
}
