//! `aitk doctor --env PATH --fix`: an environment that somebody else has made is mended, by a plan like any other.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use aitk_detect::{Ailing, Finding, Severity, ailing, examine};
use aitk_exec::{Change, ExecError, MendError, Mending, away, back_to, mend, mending};
use aitk_plan::Bytes;
use aitk_system::{Deny, Message, listen_for_interrupts, message};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Common, Doctor};
use crate::error::CliError;
use crate::output::{BAD, CARE, Console, DIM, GOOD, styled};
use crate::progress::Progress;
use crate::run::{confirm, take_turn};
use crate::session::{Prepared, Session};
use crate::words::said;

/// What was found.
#[derive(Serialize, JsonSchema)]
pub struct DoctorReport<'a> {
    /// What is wrong, or will get in the way.
    pub findings: &'a [Finding],
    /// What `--fix` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<FixInfo<'a>>,
}

/// What mends an environment.
#[derive(Serialize, JsonSchema)]
pub struct FixInfo<'a> {
    /// What is taken away, and what is put in the place of what.
    mending: &'a Mending,
    /// Whether it was done.
    done: bool,
    /// The command that goes back.
    back: String,
}

/// Something was found that should be mended.
pub const FOUND: u8 = 2;

/// Shows what the doctor has found and what would mend it, asks, and does it.
pub fn run(
    session: &Session,
    common: &Common,
    (named, args): (&Path, &Doctor),
    (findings, page): (&[Finding], &str),
    output: &Console,
) -> Result<ExitCode, CliError> {
    if !session.is_local {
        let reason = message!("it is on another machine");
        let remedy = message!("run the same command there, without --machine");
        return Err(
            ExecError::from(MendError::NotHere { path: named.into(), reason, remedy }).into()
        );
    }
    listen_for_interrupts().map_err(CliError::io_of(message!("the signals")))?;
    let system = &*session.system;
    let tables = &session.catalog.tables;
    let seen = ailing(system, &session.machine, tables, named);
    let seen = seen.ok_or_else(|| CliError::NotAnEnvironment { path: named.to_owned() })?;
    let prepared = prepared(session);
    let deny = Deny(Arc::clone(&session.local));
    let progress = Progress::new(common.progress, output);
    let plan = {
        let spinner = progress.spinner(message!("asking the package sources …"));
        let plan = mending(&prepared.context(&deny, None), &seen)?;
        drop(spinner);
        plan
    };
    if !output.json {
        output.say(page);
        output.say(show(&plan));
    }
    let fix = |done: bool| {
        let back = back_to(&plan.path, &plan.aside);
        Some(FixInfo { mending: &plan, done, back })
    };
    if plan.is_nothing() || args.dry_run {
        let told = DoctorReport { findings, fix: fix(false) };
        output.result(&told, Vec::new(), || nothing(&plan));
        let well = plan.is_nothing() && !is_wrong(findings);
        return Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(FOUND) });
    }
    confirm(args.yes, message!("\nGo ahead? [y/N] "), false)?;
    let _turn = take_turn(session)?;
    let log = log(session);
    mend(&prepared.context(&session.local, None), &plan, &log, &progress)?;
    let after = examine(system, &session.machine, tables, Some(named), None);
    let told = DoctorReport { findings: &after, fix: fix(true) };
    output.result(&told, Vec::new(), || done(&plan, &after));
    let whole =
        ailing(system, &session.machine, tables, named).is_some_and(|it: Ailing| it.is_sound());
    let well = whole && plan.hopeless.is_empty() && !is_wrong(&after);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

/// The sources as they are set: nothing else is wished for.
fn prepared(session: &Session) -> Prepared<'_> {
    let (settings, local_settings) = (session.settings.clone(), session.local_settings.clone());
    Prepared { session, request: aitk_plan::Request::default(), settings, local_settings }
}

/// Where what uv prints goes.
fn log(session: &Session) -> PathBuf {
    session.machine.folders.state.join("mending.log")
}

fn is_wrong(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity != Severity::Info)
}

/// What is taken away and what is put in the place of what.
fn show(plan: &Mending) -> String {
    let mut lines = Vec::new();
    for path in &plan.left_overs {
        let what = said(message!("take away {}, a left-over", path.display()));
        lines.push(format!("  {} {what}", styled(CARE, "-")));
    }
    lines.extend(plan.changes.iter().map(show_change));
    lines.extend(plan.hopeless.iter().map(|why| format!("  {} {}", styled(BAD, "✗"), said(why))));
    if !plan.is_nothing() {
        lines.push(said(message!("To download: {}", Bytes(plan.download))));
        let (aside, back) = (plan.aside.display(), back_to(&plan.path, &plan.aside));
        lines.push(said(message!(
            "What stands there now is first laid whole into {aside}; this goes back to it:\n      {back}"
        )));
    }
    lines.join("\n")
}

fn show_change(change: &Change) -> String {
    let Change { name, before, after, size, why } = change;
    let before = match before.is_empty() {
        true => message!("new"),
        false => Message::plain(before.join(", ")),
    };
    let size = size.map(|size| format!("  {}", said(Bytes(size)))).unwrap_or_default();
    let why = why.as_ref().map(|why| format!("\n      {}", styled(DIM, said(why))));
    format!(
        "  {} {name} {} → {after}{size}{}",
        styled(CARE, "+"),
        said(before),
        why.unwrap_or_default()
    )
}

fn nothing(plan: &Mending) -> Message {
    match (plan.is_nothing(), plan.hopeless.is_empty()) {
        (true, true) => message!("There is nothing in the environment that aitk mends."),
        (true, false) => message!("What is wrong in the environment aitk cannot mend: see above."),
        (false, _) => message!("Nothing was changed: this was a dry run."),
    }
}

fn done(plan: &Mending, after: &[Finding]) -> Message {
    let left: Vec<_> = after.iter().filter(|finding| finding.severity != Severity::Info).collect();
    let left = match left.is_empty() {
        true => Message::default(),
        false => {
            let titles = left.iter().map(|found| said(&found.title)).collect::<Vec<_>>();
            message!("\nStill there, each with its remedy by `aitk doctor`: {}", titles.join("; "))
        }
    };
    message!(
        "{} Mended, and what came can be imported.{left}\nTo go back: {}\nOnce all is well: {}",
        styled(GOOD, "✓"),
        back_to(&plan.path, &plan.aside),
        away(&plan.aside),
    )
}
