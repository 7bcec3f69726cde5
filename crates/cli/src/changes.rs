//! What becomes of packages, as it is shown before it is done: by `apply`, `upgrade`, `rollback`, and in the history.

use std::collections::{BTreeMap, BTreeSet};

use aitk_env::{Environments, GenerationRecord};
use aitk_plan::{Bytes, Lock, Package, Plan};
use schemars::JsonSchema;
use serde::Serialize;

use crate::output::{BAD, CARE, GOOD, styled};
use crate::session::Session;
use crate::words::said;

/// What becomes of a package: its version before and after.
#[derive(Serialize, JsonSchema)]
pub struct PackageChange {
    /// The environment that it is in.
    env: String,
    /// Its name.
    name: String,
    /// The version that is there; null where it comes in.
    before: Option<String>,
    /// The version that there will be; null where it goes.
    after: Option<String>,
    /// What is to be downloaded for it, in bytes.
    size: Option<u64>,
}

/// A version of a package, and what is to be downloaded for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    pub text: String,
    pub size: Option<u64>,
}

impl Version {
    /// A package's, by its name.
    pub fn of(package: &Package, size: Option<u64>) -> (String, Self) {
        let text = match &package.build {
            Some(build) => format!("{} {build}", package.version),
            None => package.version.clone(),
        };
        (package.name.clone(), Self { text, size })
    }
}

impl PackageChange {
    /// What differs between the packages of an environment, by their names.
    pub fn between(
        env: &str,
        before: &BTreeMap<String, Version>,
        after: &BTreeMap<String, Version>,
    ) -> Vec<Self> {
        let text = |of: &BTreeMap<String, Version>, name: &String| {
            of.get(name).map(|version| version.text.clone())
        };
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let all = names.into_iter().map(|name| Self {
            env: env.to_owned(),
            name: name.clone(),
            before: text(before, name),
            after: text(after, name),
            size: after.get(name).and_then(|version| version.size),
        });
        all.filter(|change| change.before != change.after).collect()
    }

    /// What a plan changes in the environment that is in use; nothing where there is none, or where it is not known yet.
    pub fn of_plan(session: &Session, plan: &Plan) -> Vec<Self> {
        let (system, env) = (&*session.system, &plan.choices.env);
        let environments = Environments::new(&session.settings.data, env);
        let current = environments.current(system);
        let before = current.and_then(|(generation, _)| generation.lock(system).ok());
        // The one that the steps take, where it was built before.
        let built = |request: &str| environments.find(system, request)?.0.lock(system).ok();
        let after: Option<Lock> = plan
            .environment()
            .and_then(|wanted| wanted.lock.clone().or_else(|| built(&wanted.request.digest)));
        let versions = |lock: &Lock| {
            lock.packages().map(|one| Version::of(&one.package, one.package.size)).collect()
        };
        match (before, after) {
            (Some(before), Some(after)) => {
                Self::between(env, &versions(&before), &versions(&after))
            }
            _ => Vec::new(),
        }
    }

    /// What differs between two generations, as they say it of themselves.
    pub fn of_records(
        env: &str,
        before: Option<&GenerationRecord>,
        after: &GenerationRecord,
    ) -> Vec<Self> {
        let versions = |record: &GenerationRecord| {
            let all = record.versions().into_iter();
            let version = |text: String| Version { text: text.replacen('=', " ", 1), size: None };
            all.map(|(name, text)| (name, version(text))).collect()
        };
        Self::between(env, &before.map(versions).unwrap_or_default(), &versions(after))
    }

    pub fn show(&self) -> String {
        let size = self
            .size
            .map(|size| format!("  {}", said(Bytes(size).to_string())))
            .unwrap_or_default();
        let name = format!("{:28}", self.name);
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                format!("  {} {name} {before} → {after}{size}\n", styled(CARE, "~"))
            }
            (None, Some(after)) => format!("  {} {name} {after}{size}\n", styled(GOOD, "+")),
            (before, None) => {
                format!("  {} {name} {}\n", styled(BAD, "-"), before.clone().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::{HOSTILE, harmless};

    #[test]
    fn what_packages_say_is_shown_and_acts_on_nothing() {
        let versions = |all: &[(&str, &str)]| {
            let version = |text: &str| Version { text: format!("{text}{HOSTILE}"), size: Some(1) };
            all.iter().map(|(name, text)| (format!("{name}{HOSTILE}"), version(text))).collect()
        };
        let before = versions(&[("goes", "1"), ("changes", "1")]);
        let changes =
            PackageChange::between("ai", &before, &versions(&[("comes", "1"), ("changes", "2")]));
        let shown = harmless(&changes.iter().map(PackageChange::show).collect::<String>());
        assert_eq!(shown.lines().count(), 3, "{shown}");
        assert_eq!(shown.matches("\\u{1b}[2J").count(), 3 + 4, "{shown}");
    }
}
