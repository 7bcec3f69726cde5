//! A project as it is chosen and set.

use std::collections::{BTreeMap, BTreeSet};

use aitk_plan::{Choices, Cost, Deed, Guard, Project, Wording, nearest};
use aitk_system::quote;

use super::list::TargetList;
use super::rows::{CostRow, DeedRow, Judge, Level, Target, damaged};
use crate::ExportError;

impl TargetList {
    /// The project that a budget writes for a platform, as it is chosen and set.
    ///
    /// # Errors
    /// Where there is no such platform, part or parameter, with the nearest name; where parts exclude each other.
    pub fn project(&self, budget: &str, choices: &Choices) -> Result<Project, ExportError> {
        let name = choices.platform.as_deref().unwrap_or_default();
        let names = || self.projects(budget).map(|target| target.name.as_str());
        let found = self.projects(budget).find(|target| target.name == name);
        let target = found.ok_or_else(|| ExportError::NoProject {
            budget: budget.to_owned(),
            name: name.to_owned(),
            nearest: nearest(name, names()),
            known: names().map(str::to_owned).collect(),
        })?;
        let parts = target.parts(&choices.parts)?;
        let parameters = self.parameters(target, &choices.set)?;
        let holds = |when: &Option<String>| self.chosen(target, &parts, &parameters, when);
        let mut costs = Vec::new();
        for CostRow { id, monthly, always_on, say, as_of, when } in target.cost.iter().cloned() {
            if holds(&when)? {
                let source = target.wording(&["cost", &say]);
                costs.push(Cost { id, monthly, always_on, source, as_of });
            }
        }
        costs.sort_by_key(|cost| !cost.always_on);
        let mut guards = Vec::new();
        for row in &target.guard {
            if holds(&row.when)? {
                guards.push(Guard { kind: row.kind, what: target.wording(&["guard", &row.say]) });
            }
        }
        let bare = parts.iter().any(|part| target.optional[part].bare);
        let mut next = deeds(target, &target.next, "next", holds)?;
        next.extend(self.by_hand(target, budget, choices)?);
        Ok(Project {
            platform: target.name.clone(),
            folder: choices.folder.clone().unwrap_or_default(),
            requirements: if bare { Vec::new() } else { target.requirements.clone() },
            client: target.client.clone(),
            push: target.platform.as_ref().and_then(|platform| platform.push.clone()),
            notes: Vec::new(),
            next,
            down: deeds(target, &target.down, "down", holds)?,
            services: self.services(target, &parts, &parameters)?,
            costs,
            guards,
            parts,
            parameters,
        })
    }

    /// What a person does with a notebook, on the pages of its platform.
    fn by_hand(
        &self,
        target: &Target,
        budget: &str,
        choices: &Choices,
    ) -> Result<Option<Deed>, ExportError> {
        let Some(platform) = &target.platform else { return Ok(None) };
        let wish = match &choices.profile {
            Some(path) => format!("--profile {}", quote(path)),
            None => format!("--budget {budget}"),
        };
        let again = format!("{wish} --platform {}", target.name);
        let file = target.first_file();
        let words = [("file", file), ("again", &again), ("link", &platform.link)];
        let what = Wording::read(|language| self.said(target, language, &["next"], &words))?;
        Ok((!what.english().is_empty()).then(|| Deed { what, ..Deed::default() }))
    }

    /// Whether a condition holds for a project that is chosen so.
    pub(super) fn chosen(
        &self,
        target: &Target,
        parts: &[String],
        parameters: &BTreeMap<String, String>,
        when: &Option<String>,
    ) -> Result<bool, ExportError> {
        let Some(when) = when else { return Ok(true) };
        let parts = target.chosen(parts);
        let view = minijinja::context! { parameters => parameters.clone(), parts => parts };
        let compiled = self.engine.compile_expression(when);
        let value = compiled.and_then(|compiled| compiled.eval(&view));
        Ok(value.map_err(damaged(&target.name, "target.toml"))?.is_true())
    }

    /// The targets that a project is written from: those of its parts that are chosen, then its own.
    ///
    /// # Errors
    /// Where a target is damaged.
    pub fn of_project(&self, project: &Project) -> Result<Vec<&Target>, ExportError> {
        let target = self.any(&project.platform)?;
        let mut all = Vec::new();
        for part in &target.part {
            if self.chosen(target, &project.parts, &project.parameters, &part.when)? {
                all.push(self.any(&part.target)?);
            }
        }
        all.push(target);
        Ok(all)
    }

    /// What judges a project that is looked at so closely, with the targets that say so.
    ///
    /// # Errors
    /// Where a target is damaged.
    pub fn judges(&self, project: &Project, level: Level) -> Result<Vec<&Judge>, ExportError> {
        let target = self.any(&project.platform)?;
        let holds = |when| self.chosen(target, &project.parts, &project.parameters, when);
        let judges = self.of_project(project)?.into_iter().flat_map(|target| &target.judge);
        let mut chosen = Vec::new();
        for judge in judges {
            if judge.level <= level && holds(&judge.when)? {
                chosen.push(judge);
            }
        }
        Ok(chosen)
    }
}

impl Target {
    /// The parts that were asked for, with those that they need.
    fn parts(&self, asked: &[String]) -> Result<Vec<String>, ExportError> {
        let mut all = BTreeSet::new();
        let mut open: Vec<_> = asked.to_vec();
        while let Some(name) = open.pop() {
            let optional = self.optional.get(&name).ok_or_else(|| ExportError::NoPart {
                target: self.name.clone(),
                nearest: nearest(&name, self.optional.keys().map(String::as_str)),
                known: self.optional.keys().cloned().collect(),
                name: name.clone(),
            })?;
            if all.insert(name) {
                open.extend(optional.needs.iter().cloned());
            }
        }
        for one in &all {
            let excludes = &self.optional[one].excludes;
            if let Some(other) = excludes.iter().find(|other| all.contains(*other)) {
                return Err(ExportError::PartsExclude { one: one.clone(), other: other.clone() });
            }
        }
        Ok(all.into_iter().collect())
    }

    /// Of every part whether it was chosen.
    pub(super) fn chosen(&self, parts: &[String]) -> BTreeMap<String, bool> {
        self.optional.keys().map(|name| (name.clone(), parts.contains(name))).collect()
    }
}

/// What a person does with a project that is chosen so.
fn deeds(
    target: &Target,
    rows: &[DeedRow],
    list: &str,
    holds: impl Fn(&Option<String>) -> Result<bool, ExportError>,
) -> Result<Vec<Deed>, ExportError> {
    let mut deeds = Vec::new();
    for row in rows {
        if holds(&row.when)? {
            deeds.push(Deed {
                command: row.command.clone(),
                what: target.wording(&[list, &row.say]),
                costs: row.costs.clone(),
                leaves: row.leaves.clone(),
            });
        }
    }
    Ok(deeds)
}
