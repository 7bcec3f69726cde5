//! `aitk doctor`

use std::process::ExitCode;

use aitk_detect::{Finding, Severity, examine, is_environment, looked_at, own_environment};
use serde_json::json;

use crate::args::{Common, Doctor};
use crate::error::CliError;
use crate::output::{BAD, CARE, DIM, Diagnostic, GOOD, HEAD, Output, page_width, styled, wrapping};
use crate::session::Session;
use crate::words::said;

/// Something was found that should be mended.
const FOUND: u8 = 2;

pub fn run(common: &Common, args: &Doctor, output: &Output) -> Result<ExitCode, CliError> {
    let session = Session::open(common)?;
    let system = &*session.system;
    let named = args.env.as_ref().map(|path| std::path::absolute(path).map_err(CliError::io(path)));
    let named = named.transpose()?;
    if let Some(path) = named.as_ref().filter(|path| !is_environment(system, path)) {
        return Err(CliError::NotAnEnvironment { path: path.clone() });
    }
    let findings = examine(system, &session.machine, &session.catalog.tables, named.as_deref());
    let diagnostics = session.notes.iter().map(Diagnostic::from).collect();
    output.result("doctor", &json!({ "findings": findings }), diagnostics, || {
        let with_environment =
            named.is_some() || is_environment(system, &own_environment(&session.machine));
        page(&findings, with_environment)
    });
    let wrong = findings.iter().any(|finding| finding.severity != Severity::Info);
    Ok(if wrong { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

/// The findings on a page, the worst first.
fn page(findings: &[Finding], with_environment: bool) -> String {
    let mut page = Page { width: page_width(), text: String::new() };
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        for finding in findings.iter().filter(|finding| finding.severity == severity) {
            page.finding(finding);
        }
    }
    page.text += &verdict(findings);
    if !with_environment {
        let hint = "No environment was looked at: aitk has none here. `--env PATH` names one of venv or conda.";
        page.dim(hint);
    }
    page.text
}

/// One line on everything.
fn verdict(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let looked = said(format!("{} things were looked at", looked_at()));
    let errors = match count(Severity::Error) {
        0 => None,
        1 => Some("1 error".to_owned()),
        count => Some(format!("{count} errors")),
    };
    let warnings = match count(Severity::Warning) {
        0 => None,
        1 => Some("1 warning".to_owned()),
        count => Some(format!("{count} warnings")),
    };
    let wrong: Vec<_> = [errors, warnings].into_iter().flatten().map(said).collect();
    match (&wrong[..], count(Severity::Info)) {
        ([], 0) => format!("{} All is well: {looked}, and nothing is wrong.\n", styled(GOOD, "✓")),
        ([], _) => {
            format!(
                "{} Nothing is wrong: {looked}. The above is good to know.\n",
                styled(GOOD, "✓")
            )
        }
        (wrong, _) => {
            let wrong = styled(HEAD, wrong.join(&said(" and ")));
            format!("{wrong}{}{looked}.\n", said("; "))
        }
    }
}

/// A line of a remedy: only its comment is for reading.
fn with_comment(line: &str) -> String {
    match line.split_once("# ") {
        Some((command, comment)) => format!("{command}{}", said(format!("# {comment}"))),
        None => line.to_owned(),
    }
}

/// Lines as they come.
struct Page {
    width: usize,
    text: String,
}

impl Page {
    fn finding(&mut self, finding: &Finding) {
        let (style, word) = match finding.severity {
            Severity::Error => (BAD, "error:"),
            Severity::Warning => (CARE, "warning:"),
            Severity::Info => (DIM, "good to know:"),
        };
        let (word, title) = (said(word), said(&finding.title));
        let head = format!("{} {}", styled(style, word), styled(HEAD, title));
        self.text += &format!("{head} {}\n", styled(DIM, format!("[{}]", finding.code)));
        for seen in &finding.evidence {
            self.wrapped(seen, "  • ", "    ");
        }
        self.wrapped(&finding.explains, "  ", "  ");
        // Commands are not wrapped: they are to be copied.
        for line in &finding.remedy {
            let line = with_comment(line);
            let line = if line.starts_with('#') { styled(DIM, line) } else { line };
            self.text += &format!("      {line}\n");
        }
        if let Some(command) = &finding.aitk {
            self.text += &format!("  or let aitk do it:\n      {}\n", styled(GOOD, command));
        }
        self.text += "\n";
    }

    fn wrapped(&mut self, text: &str, first: &str, rest: &str) {
        self.text += &(textwrap::fill(&said(text), wrapping(self.width, first, rest)) + "\n");
    }

    fn dim(&mut self, text: &str) {
        for line in textwrap::wrap(&said(text), wrapping(self.width, "", "")) {
            self.text += &format!("{}\n", styled(DIM, line));
        }
    }
}
