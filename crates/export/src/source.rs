//! What is exported.

use aitk_detect::Machine;
use aitk_plan::{Action, Catalog, Package, Plan, Step, Texts};

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
    /// What aitk notes in an environment that is whole, so that it knows it later.
    pub record: &'a str,
    /// What aitk notes of what was wished for.
    pub receipt: &'a str,
}

impl<'a> Source<'a> {
    /// The name of the environment.
    pub fn name(&self) -> &'a str {
        &self.plan.choices.env
    }

    /// The version of Python that it is resolved for, `3.12`.
    pub fn python(&self) -> Option<&'a str> {
        self.environment()?.0
    }

    /// The name of the folder that aitk would build it in.
    pub fn generation(&self) -> Option<&'a str> {
        self.environment()?.1
    }

    fn environment(&self) -> Option<(Option<&'a str>, Option<&'a str>)> {
        self.plan.steps.iter().find_map(|step| match &step.action {
            Action::Environment { python, generation, .. } => {
                Some((python.as_deref(), generation.as_deref()))
            }
            _ => None,
        })
    }

    /// The steps that install packages into the environment, in order, those without any left out.
    pub fn layers(&self) -> impl Iterator<Item = &'a Step> {
        let is_layer =
            |action: &Action| matches!(action, Action::Environment { .. } | Action::Layer { .. });
        self.plan.steps.iter().filter(move |s| is_layer(&s.action) && !s.packages.is_empty())
    }

    /// All packages of the environment.
    pub fn packages(&self) -> impl Iterator<Item = &'a Package> {
        self.layers().flat_map(|step| &step.packages)
    }
}
