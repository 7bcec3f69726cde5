//! What is exported.

use std::collections::BTreeMap;

use aitk_detect::Machine;
use aitk_plan::names;
use aitk_plan::step::{AptSource, Kernelspec};
use aitk_plan::{
    Catalog, EnvironmentRequest, Guest, Language, Locks, MemoryThresholds, Package, Phase, Plan,
    Step,
};
use aitk_system::Message;
use serde_json::Value;

use crate::quote::listed;
use crate::view::is_wanted;
use crate::{ExportError, PublicKey, Target};

/// A plan with everything that another executor needs to know.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The plan; the steps of its environment carry their packages.
    pub plan: &'a Plan,
    /// The machine that it is for.
    pub machine: &'a Machine,
    /// The tables.
    pub catalog: &'a Catalog,
    /// The language of what a person reads.
    pub language: Language,
    /// The locks of its environments, once they are resolved.
    pub locks: Option<&'a Locks>,
    /// The text of the profile, where it is one of the user's own.
    pub profile: Option<&'a str>,
    /// Addresses of the conda channels that its packages come from, the preferred one first.
    pub channels: &'a [String],
    /// What aitk notes in an environment that is whole, so that it knows it later.
    pub record: Option<&'a Value>,
    /// What aitk notes of what was wished for.
    pub receipt: Option<&'a Value>,
    /// The profile's thresholds of memory.
    pub memory: MemoryThresholds,
    /// What a server lets its user in by.
    pub ssh_key: Option<&'a PublicKey>,
    /// What is set of the target's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Of every part of a project whether it was chosen.
    pub parts: BTreeMap<String, bool>,
}

impl<'a> Source<'a> {
    /// A plan of which no source was asked yet.
    pub fn unresolved(
        plan: &'a Plan,
        machine: &'a Machine,
        catalog: &'a Catalog,
        language: Language,
        memory: MemoryThresholds,
    ) -> Self {
        Self {
            plan,
            machine,
            catalog,
            language,
            memory,
            locks: None,
            profile: None,
            channels: &[],
            record: None,
            receipt: None,
            ssh_key: None,
            parameters: BTreeMap::new(),
            parts: BTreeMap::new(),
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
        self.request().and_then(|request| request.python.as_deref()).unwrap_or_default()
    }

    /// The interpreter that it is built on.
    pub fn interpreter(&self) -> &'a str {
        let interpreter = self.request().and_then(|request| request.interpreter.as_deref());
        interpreter.unwrap_or("/usr/bin/python3")
    }

    /// The name of the folder that aitk would build it in.
    pub fn generation(&self) -> String {
        self.locks.map(|locks| locks.environment.digest()).unwrap_or_default()
    }

    /// What is asked of the environment.
    pub(crate) fn request(&self) -> Option<&'a EnvironmentRequest> {
        self.plan.environment().map(|environment| &environment.request)
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

    /// Why a target refuses the plan.
    pub(crate) fn refusal(&self, target: &Target, why: &str) -> ExportError {
        let system = self.machine.os.name.clone();
        let name = target.name.clone();
        match why {
            "no-key" => ExportError::NoKey,
            "no-gpu" => ExportError::NoGpu { target: name },
            "no-image" => ExportError::NoImage { what: system },
            "no-container-gpu" => ExportError::NoImage { what: self.plan.accelerator.kind.clone() },
            "no-vagrant" => self.no_guest(name, |guest| guest.vagrant.is_some()),
            "no-wsl" => self.no_guest(name, |guest| guest.wsl.is_some()),
            why => {
                let say =
                    |key: &str| Message::plain(target.text(self.language, &["refuse", why, key]));
                ExportError::Refused { target: name, why: say("why"), hint: say("hint") }
            }
        }
    }

    /// That there is no system for a target, with those that there are.
    fn no_guest(&self, target: String, has: impl Fn(&&Guest) -> bool) -> ExportError {
        let known = self.catalog.guests.iter().filter(has);
        let known = known.map(|guest| format!("{} {}", guest.os, guest.version)).collect();
        ExportError::NoGuest { target, system: self.machine.os.name.clone(), known }
    }

    /// Looks whether what names folders in every form names no other.
    pub(crate) fn fits(&self) -> Result<(), ExportError> {
        names::environment_name::check(self.name())?;
        // A hosted notebook has the platform's.
        if !self.interpreter().is_empty() {
            names::system_path::check(self.interpreter())?;
        }
        if !self.kernel().is_empty() {
            names::package_name::check(self.kernel())?;
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
