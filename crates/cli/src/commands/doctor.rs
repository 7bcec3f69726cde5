//! `aitk doctor`

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use aitk_detect::{
    Finding, OwnEnvironment, ProjectKind, Severity, examine, is_environment, looked_at,
    own_environment, project_finding,
};
use aitk_env::Environments;
use aitk_exec::{ProjectRecord, client_lack, credentials_lack, judge};
use aitk_plan::{Choices, Warning};
use aitk_system::{Deny, Explain, Message, message};

use crate::args::{Common, Doctor};
use crate::commands::mend::{self, DoctorReport, FOUND};
use crate::error::CliError;
use crate::output::{BAD, CARE, Console, DIM, Diagnostic, GOOD, HEAD, Page, styled, whole};
use crate::places::here;
use crate::session::{Ask, Local, Session};
use crate::typed::command_as_typed;
use crate::upkeep::Upkeep;
use crate::words::said;

pub fn run(
    local: &Local,
    common: &Common,
    args: &Doctor,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let session = Session::open(local, common)?;
    let system = &*session.system;
    let named = args.env.as_ref().map(|path| std::path::absolute(path).map_err(CliError::io(path)));
    let named = named.transpose()?;
    if let Some(path) = named.as_ref().filter(|path| !is_environment(system, path)) {
        return Err(CliError::NotAnEnvironment { path: path.clone() });
    }
    let own = own(&session, named.as_deref());
    let tables = &session.catalog.tables;
    let mut findings = examine(system, &session.machine, tables, named.as_deref(), own.as_ref());
    let mut looked = looked_at() - ProjectKind::ALL.len();
    // What cannot be read of a project keeps nobody from looking at the machine.
    let project = if session.is_local { project(&session, args) } else { Ok(None) };
    let mut untold = Vec::new();
    match project {
        Ok(None) => {}
        Ok(Some(found)) => {
            looked += ProjectKind::ALL.len() - usize::from(!args.check_credentials);
            findings.extend(found);
        }
        Err(error) => untold.push(Warning {
            code: error.code().to_owned(),
            message: error.message(),
            hint: error.hint(),
        }),
    }
    if let Some(path) = named.as_ref().filter(|_| args.fix) {
        let page = page(&findings, untold.len(), looked, true);
        return mend::run(&session, common, (path, args), (&findings, &page), output);
    }
    output.warn(&untold);
    let diagnostics = session.notes.iter().map(Diagnostic::from);
    let diagnostics = diagnostics.chain(untold.iter().map(Diagnostic::from)).collect();
    let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
    output.aloud(failed).result(
        &DoctorReport { findings: &findings, fix: None },
        diagnostics,
        || {
            let with_environment =
                named.is_some() || is_environment(system, &own_environment(&session.machine));
            page(&findings, untold.len(), looked, with_environment)
        },
    );
    let wrong = findings.iter().any(|finding| finding.severity != Severity::Info);
    let wrong = wrong || !untold.is_empty();
    Ok(if wrong { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

/// The findings on the project of the current folder, where there is one.
fn project(session: &Session, args: &Doctor) -> Result<Option<Vec<Finding>>, CliError> {
    let Some(here) = here() else { return Ok(None) };
    let record = ProjectRecord::read(&here, &*session.system)?;
    record.map(|record| of_project(session, &here, &record, args)).transpose()
}

/// The findings on the project of a folder.
fn of_project(
    session: &Session,
    folder: &Path,
    record: &ProjectRecord,
    args: &Doctor,
) -> Result<Vec<Finding>, CliError> {
    let upkeep = Upkeep::of(session, folder, record)?;
    let system = &*session.system;
    let client = upkeep.client.as_ref();
    let asked = client.filter(|_| args.check_credentials);
    let seen = [
        (ProjectKind::Client, client.and_then(|it| client_lack(it, system)).into_iter().collect()),
        (
            ProjectKind::Credentials,
            asked.and_then(|it| credentials_lack(it, system)).into_iter().collect(),
        ),
        (ProjectKind::Aged, upkeep.messages()),
    ];
    let tables = &session.catalog.tables;
    let found = seen.into_iter().filter_map(|(kind, evidence)| {
        let mut finding = project_finding(system, &session.machine, tables, kind, evidence)?;
        if kind == ProjectKind::Aged {
            finding.aitk = upkeep.brings().cloned();
        }
        Some(finding)
    });
    Ok(found.collect())
}

/// What aitk says of the environment that is looked at, where it is one that it keeps and still knows the wish for.
fn own(session: &Session, named: Option<&Path>) -> Option<OwnEnvironment> {
    let (system, data) = (&*session.system, &session.settings.data);
    let identity = |path: &Path| system.stat(&path.join(".")).ok().map(|stat| (stat.dev, stat.ino));
    let env = match named {
        None => Choices::default().env,
        Some(path) => system.list(&data.join("envs")).ok()?.into_iter().find(|name| {
            let current = Environments::new(data, name).current_path();
            identity(path).is_some() && identity(path) == identity(&current)
        })?,
    };
    let request = session.in_use(&env).ok().filter(|request| request.choices.env == env)?;
    let (prepared, plan) = session.prepare(request.into(), None, Ask::Nobody).ok()?;
    let system = Deny(Arc::clone(&session.system));
    Some(judge(&prepared.context(&system, None), &plan))
}

/// The findings on a page, the worst first.
fn page(findings: &[Finding], untold: usize, looked: usize, with_environment: bool) -> String {
    let mut page = Page::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        for finding in findings.iter().filter(|finding| finding.severity == severity) {
            page.finding(finding);
        }
    }
    page.text += &verdict(findings, untold, looked);
    if !with_environment {
        let hint = message!(
            "No environment was looked at: aitk has none here. `--env PATH` names one of venv or conda."
        );
        page.dim(hint, "");
    }
    page.text
}

/// One line on everything; what could not be looked at counts as a warning.
fn verdict(findings: &[Finding], untold: usize, looked: usize) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let looked = message!("{looked} things were looked at");
    let errors = match count(Severity::Error) {
        0 => None,
        1 => Some(message!("1 error")),
        count => Some(message!("{count} errors")),
    };
    let warnings = match count(Severity::Warning) + untold {
        0 => None,
        1 => Some(message!("1 warning")),
        count => Some(message!("{count} warnings")),
    };
    let wrong = match (errors, warnings) {
        (Some(errors), Some(warnings)) => Some(message!("{errors} and {warnings}")),
        (errors, warnings) => errors.or(warnings),
    };
    said(match (wrong, count(Severity::Info)) {
        (None, 0) => {
            message!("{} All is well: {looked}, and nothing is wrong.\n", styled(GOOD, "✓"))
        }
        (None, _) => message!(
            "{} Nothing is wrong: {looked}. The above is good to know.\n",
            styled(GOOD, "✓")
        ),
        (Some(wrong), _) => {
            let wrong = Message::plain(styled(HEAD, said(wrong)));
            Message::parts([Message::list([wrong, looked]), Message::plain(".\n")])
        }
    })
}

impl Page {
    fn finding(&mut self, finding: &Finding) {
        let (style, word) = match finding.severity {
            Severity::Error => (BAD, message!("error[{}]:", finding.code)),
            Severity::Warning => (CARE, message!("warning[{}]:", finding.code)),
            Severity::Info => (DIM, message!("good to know[{}]:", finding.code)),
        };
        let (word, title) = (styled(style, said(word)), styled(HEAD, said(&finding.title)));
        self.wrapped(format!("{word} {title}"), "", "  ");
        for seen in &finding.evidence {
            self.wrapped(seen, "  • ", "    ");
        }
        self.wrapped(&finding.explains, "  ", "  ");
        for line in &finding.remedy {
            let line = command_as_typed(&said(line));
            match line.strip_prefix("# ") {
                Some(comment) => self.wrapped(styled(DIM, comment), "      # ", "      # "),
                None => self.text += &(whole(format!("      {line}")) + "\n"),
            }
        }
        if let Some(command) = &finding.aitk {
            let command = whole(styled(GOOD, command_as_typed(command)));
            self.text += &said(match finding.remedy.is_empty() {
                true => message!("  aitk does it:\n      {command}\n"),
                false => message!("  or let aitk do it:\n      {}\n", command),
            });
        }
        self.text += "\n";
    }
}
