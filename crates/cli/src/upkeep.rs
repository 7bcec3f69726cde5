//! What a project in its folder wants looked after: what has aged, what is newer in this aitk, and the platform's client.

use std::path::Path;

use aitk_exec::{ProjectAge, ProjectRecord, project_age};
use aitk_export::Target;
use aitk_plan::{
    Choices, Client, Manager, NO_FRAMEWORK, Project, Request, days_until, is_old, old_after,
};
use aitk_system::{Explain, Message, message};

use crate::error::CliError;
use crate::session::{Ask, Session};

/// Days before the end of its support at which something is told.
const AHEAD: i64 = 180;

/// What there is to say of a project.
#[derive(Default)]
pub struct Upkeep {
    /// What was true on a day that is long ago, and what is not supported any more or not for long.
    pub aged: Vec<Message>,
    /// What this aitk would write otherwise; `None` where only the sources can tell.
    pub newer: Option<ProjectAge>,
    /// The platform's client, as long as it has one that is called.
    pub client: Option<Client>,
    /// The command, in the folder, that brings what is newer.
    pub command: Option<String>,
}

impl Upkeep {
    /// Looks at what was written into a folder.
    pub fn of(session: &Session, folder: &Path, record: &ProjectRecord) -> Result<Self, CliError> {
        let targets = session.targets()?;
        let Some(target) = targets.for_platform(&record.platform) else {
            let unknown = message!("this aitk has no platform `{}`", record.platform);
            return Ok(Self { aged: vec![unknown], ..Self::default() });
        };
        let budget = &target.budgets[0];
        let choices = chosen(record, target, &targets.declared(target)?, folder);
        let project = match targets.project(budget, &choices) {
            Ok(project) => project,
            // What was set then is not what this one takes.
            Err(error) => return Ok(Self { aged: vec![error.message()], ..Self::default() }),
        };
        let today = &session.machine.date;
        let mut aged = Vec::new();
        for target in targets.of_project(&project)? {
            aged.extend(of_target(target, today));
        }
        aged.extend(of_project(&project, record, target, today));
        let newer = match target.platform {
            // What a notebook says depends on its packages.
            Some(_) => None,
            None => {
                let manager = Some(Manager::Venv);
                let request = Request { budget: budget.clone(), choices, manager, locked: None };
                let (_, plan) = session.prepare(request.into(), None, Ask::Nobody)?;
                let (machine, catalog) = (&session.machine, &session.catalog);
                let files = targets.project_files(&project, &plan, machine, catalog)?;
                let age = project_age(folder, record, &files, &*session.local);
                age.map_err(|error| aged.push(error.message())).ok()
            }
        };
        let command = format!("aitk apply --budget {budget} --platform {}", target.name);
        Ok(Self { aged, newer, client: project.client, command: Some(command) })
    }

    /// All that has aged, and what is newer, for people.
    pub fn messages(&self) -> Vec<Message> {
        /// The most pins that are told one by one.
        const SHOWN: usize = 8;
        let mut all = self.aged.clone();
        let Some(ProjectAge { files, pins }) = &self.newer else { return all };
        if !files.is_empty() {
            let count = files.len();
            all.push(message!("{count} files are newer in this aitk: {}", files.join(", ")));
        }
        let pin = |(before, now): &(String, String)| message!("{before} is {now} in this aitk");
        all.extend(pins.iter().take(SHOWN).map(pin));
        if let Some(more) = pins.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            all.push(message!("and {more} more pins are newer"));
        }
        all
    }

    /// Whether there is something newer to bring.
    pub fn brings(&self) -> Option<&String> {
        let is_newer = self.newer.as_ref().is_none_or(|newer| !newer.files.is_empty());
        self.command.as_ref().filter(|_| is_newer)
    }
}

/// What was chosen then, as far as it can be chosen now.
fn chosen(
    record: &ProjectRecord,
    target: &Target,
    declared: &std::collections::BTreeMap<String, aitk_export::Parameter>,
    folder: &Path,
) -> Choices {
    let parts = record.parts.iter().filter(|part| target.optional.contains_key(*part));
    let set = record.parameters.iter().filter(|(name, _)| declared.contains_key(*name));
    Choices {
        platform: Some(record.platform.clone()),
        folder: Some(folder.to_string_lossy().into_owned()),
        parts: parts.cloned().collect(),
        set: set.map(|(name, value)| (name.clone(), value.clone())).collect(),
        framework: NO_FRAMEWORK.to_owned(),
        ..Choices::default()
    }
}

/// What has aged of a target.
fn of_target<'t>(target: &'t Target, today: &'t str) -> impl Iterator<Item = Message> + 't {
    let (name, as_of) = (&target.name, &target.as_of);
    let days = old_after();
    let old = is_old(as_of, today).then(|| {
        message!("what this aitk pins for {name} was true on {as_of}, more than {days} days ago")
    });
    let support = target.support.iter().filter_map(move |row| {
        let (what, until) = (&row.what, &row.until);
        match days_until(until, today)? {
            left if left < 0 => Some(message!("the support of {what} has ended on {until}")),
            left if left <= AHEAD => Some(message!("the support of {what} ends on {until}")),
            _ => None,
        }
    });
    old.into_iter().chain(support)
}

/// What has aged of a project itself: its prices, and of a notebook its packages.
fn of_project<'p>(
    project: &'p Project,
    record: &'p ProjectRecord,
    target: &'p Target,
    today: &'p str,
) -> impl Iterator<Item = Message> + 'p {
    let old = project.costs.iter().filter(|cost| is_old(&cost.as_of, today));
    let prices = old.map(|cost| message!("the price of {} was true on {}", cost.id, cost.as_of));
    let written =
        record.written.as_ref().filter(|day| target.platform.is_some() && is_old(day, today));
    let packages = written.map(|day| message!("its packages are those of {day}"));
    prices.chain(packages)
}
