//! What is exported.

use aitk_detect::Machine;
use aitk_plan::names;
use aitk_plan::step::{AptSource, Environment, Kernelspec};
use aitk_plan::{Catalog, Guest, MemoryThresholds, Package, Phase, Plan, Step, Texts};

use crate::quote::{comment, listed, markdown, markdown_code};
use crate::script::is_wanted;
use crate::{ExportError, PublicKey};

/// A plan with everything that another executor needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The plan; the steps of its environment carry their packages.
    pub plan: &'a Plan,
    /// The machine that it is for.
    pub machine: &'a Machine,
    /// The tables.
    pub catalog: &'a Catalog,
    /// The words for what a person reads.
    pub texts: &'a Texts,
    /// The lock as a file: `pylock.toml` (PEP 751) for venv, pixi's form for conda.
    pub lock: &'a str,
    /// The text of the profile, where it is one of the user's own.
    pub profile: Option<&'a str>,
    /// The same without the conda that comes with it.
    pub environment_lock: &'a str,
    /// Addresses of the conda channels that its packages come from, the preferred one first.
    pub channels: &'a [String],
    /// What aitk notes in an environment that is whole, so that it knows it later.
    pub record: &'a str,
    /// What aitk notes of what was wished for.
    pub receipt: &'a str,
    /// The profile's thresholds of memory.
    pub memory: MemoryThresholds,
    /// What a server lets its user in by.
    pub ssh_key: Option<&'a PublicKey>,
}

impl<'a> Source<'a> {
    /// A plan of which no source was asked yet.
    pub fn unresolved(
        plan: &'a Plan,
        machine: &'a Machine,
        catalog: &'a Catalog,
        texts: &'a Texts,
        memory: MemoryThresholds,
    ) -> Self {
        Self {
            plan,
            machine,
            catalog,
            texts,
            memory,
            lock: "",
            profile: None,
            environment_lock: "",
            channels: &[],
            record: "",
            receipt: "",
            ssh_key: None,
        }
    }

    /// Whether a step of the system is done elsewhere, too: a driver, and what comes from a vendor's repository, depends on
    /// the machine that is found there.
    pub fn goes_along(&self, step: &Step) -> bool {
        let from_vendor = || {
            let before = step.needs.iter().filter_map(|id| self.plan.step(id));
            before.into_iter().any(|step| step.is::<AptSource>())
        };
        is_wanted(step) && step.phase != Phase::Accelerator && !from_vendor()
    }

    /// The name of the environment.
    pub fn name(&self) -> &'a str {
        &self.plan.choices.env
    }

    /// The version of Python that it is resolved for, `3.12`.
    pub fn python(&self) -> &'a str {
        self.environment().0.unwrap_or_default()
    }

    /// The interpreter that it is built on.
    pub fn interpreter(&self) -> &'a str {
        self.environment().1.unwrap_or("/usr/bin/python3")
    }

    /// The name of the folder that aitk would build it in.
    pub fn generation(&self) -> &'a str {
        self.environment().2.unwrap_or_default()
    }

    fn environment(&self) -> (Option<&'a str>, Option<&'a str>, Option<&'a str>) {
        self.plan.find::<Environment>().map_or_else(Default::default, |(_, it)| {
            (it.python.as_deref(), it.interpreter.as_deref(), it.generation.as_deref())
        })
    }

    /// The name of the kernel that Jupyter knows it by.
    pub fn kernel(&self) -> &'a str {
        self.plan.find::<Kernelspec>().map_or("", |(_, kernel)| &kernel.name)
    }

    /// That kernel's name for people.
    pub fn kernel_display(&self) -> &'a str {
        self.plan.find::<Kernelspec>().map_or("", |(_, kernel)| &kernel.display)
    }

    /// The uv that is pinned, as pip asks for it.
    pub fn uv(&self) -> String {
        let uv = &self.catalog.uv;
        let hash = |arch: &str| uv.wheels.iter().find(|wheel| wheel.arch == arch);
        let hash = hash(&self.machine.arch).map_or("", |wheel| &wheel.sha256);
        format!("uv=={} --hash=sha256:{hash}", uv.version)
    }

    /// The system that the plan is for, in words.
    pub fn system(&self) -> String {
        format!("{}, {}", self.machine.os.name, self.machine.arch)
    }

    /// Where the system that the plan is for comes from.
    pub fn guest(&self) -> Option<&'a Guest> {
        let os = &self.machine.os;
        self.catalog.guest(&os.id, os.version.as_deref()?)
    }

    /// That there is none for a target, with the systems that it has images of.
    pub fn no_guest(
        &self,
        target: &'static str,
        of: impl Fn(&Guest) -> Option<String>,
    ) -> ExportError {
        let known = self.catalog.guests.iter().filter(|guest| of(guest).is_some());
        let known = known.map(|guest| format!("{} {}", guest.os, guest.version)).collect();
        ExportError::NoGuest { target, system: self.machine.os.name.clone(), known }
    }

    /// A file with `@NAME@` filled in: in its comments what every form says of its plan, then these words, each as it is
    /// written there.
    pub(crate) fn fill(&self, text: &str, words: &[(&str, &str)]) -> String {
        let (budget, system) = (comment(&self.plan.budget), comment(&self.system()));
        filled(text, &[&[("BUDGET", budget.as_str()), ("SYSTEM", &system)], words].concat())
    }

    /// The same for a text of Markdown's, in which these words are code.
    pub(crate) fn readme(&self, key: &str, words: &[(&str, &str)]) -> String {
        let mut all = vec![("BUDGET", markdown_code(&self.plan.budget))];
        all.push(("SYSTEM", markdown(&self.system())));
        all.extend(words.iter().map(|(name, word)| (*name, markdown_code(word))));
        let all: Vec<_> = all.iter().map(|(name, word)| (*name, word.as_str())).collect();
        filled(self.texts.text(&format!("readme.{key}")), &all)
    }

    /// Looks whether what names folders in every form names no other.
    pub(crate) fn fits(&self) -> Result<(), ExportError> {
        names::environment_name::check(self.name())?;
        // A hosted notebook has the platform's.
        if !self.interpreter().is_empty() {
            names::system_path::check(self.interpreter())?;
        }
        for word in [self.generation(), self.kernel()].into_iter().filter(|word| !word.is_empty()) {
            names::package_name::check(word)?;
        }
        self.packages().try_for_each(|package| listed(package).map(|_| ()))?;
        Ok(())
    }

    /// The steps that install packages into the environment, in order, those without any left out.
    pub fn layers(&self) -> impl Iterator<Item = &'a Step> {
        self.plan.steps.iter().filter(|s| s.part().is_content() && !s.packages.is_empty())
    }

    /// All packages of the environment.
    pub fn packages(&self) -> impl Iterator<Item = &'a Package> {
        self.layers().flat_map(|step| &step.packages)
    }
}

/// A text with `@NAME@` filled in, once: what is filled in may read like one.
fn filled(text: &str, words: &[(&str, &str)]) -> String {
    let mut parts = text.split('@');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let word = words.iter().find(|(name, _)| *name == part).filter(|_| parts.peek().is_some());
        match word {
            Some((_, word)) => {
                filled += word;
                filled += parts.next().unwrap_or_default();
            }
            None => {
                filled.push('@');
                filled += part;
            }
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn words_are_filled_in_once() {
        let words = [("A", "@B@"), ("B", "b")];
        assert_eq!(filled("@A@, @B@@B@GB @A x@y @A", &words), "@B@, bbGB @A x@y @A");
    }
}
