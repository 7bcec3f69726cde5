//! `aitk verify`

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use aitk_env::{Advisory, Audit};
use aitk_exec::{ExecError, Remedy, VerifyFinding, interrupted_run};
use aitk_plan::{Part, Plan};
use aitk_system::{Deny, Explain, Message, System, message};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::args::{Common, Verify};
use crate::commands::capture::scrub;
use crate::commands::status::unfinished;
use crate::error::CliError;
use crate::output::{BAD, Console, DIM, Diagnostic, GOOD, styled};
use crate::progress::Progress;
use crate::session::{Ask, Local, Session};
use crate::words::said;

/// What was checked, and what is not as it should be.
#[derive(Serialize, JsonSchema)]
pub struct VerificationReport<'a> {
    /// The environment.
    env: &'a str,
    /// Whether every file was read.
    deep: bool,
    /// Whether everything is as it should be.
    ok: bool,
    /// What is not.
    findings: Vec<FindingInfo<'a>>,
    /// The step at which a run about this environment did not come to its end; null where none is open. It says nothing of
    /// the environment in use, which is what was looked at.
    interrupted: Option<&'a Message>,
    /// With `--audit`: what is known of vulnerabilities; nothing where that could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<AuditInfo<'a>>,
}

/// What is known of vulnerabilities.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
struct AuditInfo<'a>(Option<&'a Audit>);

/// Something that is not as it should be.
#[derive(Serialize, JsonSchema)]
struct FindingInfo<'a> {
    /// The step that it belongs to.
    step: &'a str,
    /// What that is, for people.
    title: &'a Message,
    /// What is the matter.
    message: &'a Message,
    /// The command that helps.
    remedy: Message,
}

/// How many packages are named.
const NAMED: usize = 8;

pub fn run(
    local: &Local,
    common: &Common,
    args: &Verify,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let session = Session::open(local, common)?;
    let request = session.in_use(&args.which.env)?;
    let (prepared, plan) = session.prepare(request.into(), None, Ask::Nobody)?;
    let system = Deny(Arc::clone(local));
    let context = prepared.context(&system, None);
    let progress = Progress::new(common.progress, output);
    let findings = aitk_exec::verify(&context, &plan, args.deep, &progress)?;
    if let Some(path) = &args.report {
        let report = report(&session, &plan, &findings, &context.said());
        write_report(&**local, path, &report, output)?;
    }
    let list: Vec<_> = findings
        .iter()
        .map(|found| {
            let VerifyFinding { step, title, message, remedy, .. } = found;
            FindingInfo { step, title, message, remedy: Message::plain(remedy.text()) }
        })
        .collect();
    let audit = args.audit.then(|| aitk_exec::audit(&context, &plan, args.advisories.as_deref()));
    let unknown = audit.as_ref().and_then(|audit| audit.as_ref().err());
    let known = audit.as_ref().map(|audit| AuditInfo(audit.as_ref().ok().and_then(Option::as_ref)));
    let (env, ok) = (args.which.env.as_str(), findings.is_empty());
    let open = interrupted_run(&session.machine.folders.state, &system);
    let open = open.filter(|run| run.goes_on_in(env));
    let interrupted = open.as_ref().map(|run| &run.at);
    let data =
        VerificationReport { env, deep: args.deep, ok, findings: list, interrupted, audit: known };
    let diagnostics = unknown.map(|error| Diagnostic {
        code: error.code().to_owned(),
        severity: "error",
        message: error.message(),
        hint: error.hint(),
    });
    output.aloud(!ok).result(&data, diagnostics.into_iter().collect(), || {
        let audit = audit.iter().map(|audit| format!("\n\n{}", show_audit(audit)));
        let open = open.as_ref().map(|run| format!("\n{}", unfinished(run, env).trim_end()));
        show(&findings, args.deep) + &open.unwrap_or_default() + &audit.collect::<String>()
    });
    let known = audit.iter().flatten().flatten().any(|audit| !audit.advisories.is_empty());
    Ok(match unknown {
        _ if known || !findings.is_empty() => ExitCode::from(2),
        Some(error) => ExitCode::from(error.exit() as u8),
        None => ExitCode::SUCCESS,
    })
}

/// What is known of vulnerabilities, or why nothing is.
fn show_audit(audit: &Result<Option<Audit>, ExecError>) -> String {
    let audit = match audit {
        Ok(Some(audit)) => audit,
        Ok(None) => return said(message!("Nothing was audited: there is no environment.")),
        Err(error) => {
            let hint = error.hint().map(|hint| format!("\n    {}", styled(DIM, said(hint))));
            let code = styled(BAD, said(message!("error[{}]:", error.code())));
            return format!("{code} {}{}", said(error.message()), hint.unwrap_or_default());
        }
    };
    let mut lines: Vec<_> = audit.advisories.iter().map(show_advisory).collect();
    if lines.is_empty() {
        let known = message!("no advisory is known for its {} packages of Python's", audit.audited);
        lines.push(format!("{} {}", styled(GOOD, "✓"), said(known)));
    } else {
        lines.push(said(message!(
            "`aitk upgrade` takes newer versions, where the rest goes with them"
        )));
    }
    if !audit.not_audited.is_empty() {
        let (count, names) = (audit.not_audited.len(), list(&audit.not_audited));
        lines.push(styled(
            DIM,
            said(message!("of {count} others no advisories can be had by these means: {names}")),
        ));
    }
    lines.join("\n")
}

/// The first of some names.
fn list(names: &[String]) -> String {
    let more = if names.len() > NAMED { ", …" } else { "" };
    names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ") + more
}

fn show_advisory(one: &Advisory) -> String {
    let Advisory { package, version, id, aliases, summary, link, fixed } = one;
    let names = [std::slice::from_ref(id), aliases].concat().join(", ");
    let fixed = match fixed.is_empty() {
        true => message!("no version is known that mends it"),
        false => message!("mended in {}", fixed.join(", ")),
    };
    let mut text =
        format!("{} {package} {version}: {summary} ({})\n", styled(BAD, "✗"), said(fixed));
    text += &format!("    {}", styled(DIM, [&[names][..], link.as_slice()].concat().join("  ")));
    text
}

/// What a machine is and what was proven on it.
fn report(
    session: &Session,
    plan: &Plan,
    findings: &[VerifyFinding],
    said: &BTreeMap<String, Message>,
) -> serde_json::Value {
    let checks = plan.steps.iter().filter(|step| step.part() == Part::Proof);
    let checks: Vec<_> = checks
        .map(|step| {
            let faults = findings.iter().filter(|found| found.step == step.id);
            let faults: Vec<_> = faults.map(|found| &found.message).collect();
            let said = said.get(&step.id);
            json!({ "step": step.id, "title": step.title, "ok": said.is_some(), "said": said, "faults": faults })
        })
        .collect();
    json!({
        "schema": 1,
        "kind": "report",
        "data": {
            "aitk": env!("CARGO_PKG_VERSION"),
            "machine": session.machine,
            "manager": plan.manager,
            "framework": plan.framework,
            "accelerator": plan.accelerator,
            "checks": checks,
            "ok": findings.is_empty(),
        },
    })
}

/// Writes the report without what identifies a person or a machine.
fn write_report(
    local: &dyn System,
    path: &Path,
    report: &serde_json::Value,
    output: &Console,
) -> Result<(), CliError> {
    if local.stat(path).is_ok() {
        let there = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(CliError::io(path)(there));
    }
    let mut scrub = scrub();
    let text = serde_json::to_string_pretty(report).unwrap_or_default() + "\n";
    let text = scrub.text("report", &text);
    local.write(path, text.as_bytes(), 0o644).map_err(CliError::io(path))?;
    output
        .say(message!("The report is in {}. Look through it before you send it.", path.display()));
    Ok(())
}

fn show(findings: &[VerifyFinding], deep: bool) -> String {
    if findings.is_empty() {
        let all = match deep {
            true => message!("everything is as it was installed, and works"),
            false => {
                message!(
                    "everything is there as it was installed, by the files' list, sizes and times, and works; `--deep` reads them"
                )
            }
        };
        return format!("{} {}", styled(GOOD, "✓"), said(all));
    }
    let mut text: String = findings
        .iter()
        .map(|found| {
            let (message, title) = (said(&found.message), said(&found.title));
            format!("{} {message}\n    {}\n", styled(BAD, "✗"), styled(DIM, title))
        })
        .collect();
    let mut remedies: Vec<_> = findings.iter().map(|found| &found.remedy).collect();
    // Whoever reads every file sees the rest as well.
    let deeper = remedies.iter().any(|remedy| matches!(remedy, Remedy::Apply { deep: true, .. }));
    remedies.retain(|remedy| !deeper || !matches!(remedy, Remedy::Apply { deep: false, .. }));
    let mut lines: Vec<_> = remedies.into_iter().map(|remedy| said(in_words(remedy))).collect();
    let mut seen = BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    text += &lines.join("\n");
    if !deep {
        text += &format!(
            "\n{}",
            styled(
                DIM,
                said(message!("looked at: the files' list, sizes and times; `--deep` reads them"))
            )
        );
    }
    text
}

/// A remedy in a sentence.
fn in_words(remedy: &Remedy) -> Message {
    let text = remedy.text();
    match remedy {
        Remedy::Apply { .. } => message!("`{text}` mends it"),
        Remedy::Remove(_) => message!("`{text}` takes it away, if it is not yours to keep"),
        Remedy::Doctor => {
            message!(
                "`{text}` looks for the reason: `apply` would make again only what is there already"
            )
        }
        Remedy::Do(_) => message!("what helps: {}", text),
    }
}
