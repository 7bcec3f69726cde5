//! `aitk verify`

use std::process::ExitCode;

use aitk_exec::Finding;
use aitk_system::{Deny, Real};
use serde_json::json;

use crate::args::{Common, Verify};
use crate::error::CliError;
use crate::output::{BAD, DIM, GOOD, Output, styled};
use crate::progress::Progress;
use crate::session::{Ask, Session};

pub fn run(common: &Common, args: &Verify, output: &Output) -> Result<ExitCode, CliError> {
    let mut session = Session::open(common)?;
    let wish = session.applied(&args.which.env)?;
    let plan = session.plan(&wish, None, Ask::Nobody)?;
    let system = Deny(Real);
    let context = session.context(&system, None);
    let progress = Progress::new(common.progress, output);
    let findings = aitk_exec::verify(&context, &plan, args.deep, &progress)?;
    let list: Vec<_> = findings
        .iter()
        .map(|found| json!({ "step": found.step, "title": found.title, "message": found.message }))
        .collect();
    let data = json!({ "env": args.which.env, "deep": args.deep, "ok": findings.is_empty(), "findings": list });
    output.result("verification", &data, Vec::new(), || show(&findings, args.deep));
    Ok(ExitCode::from(if findings.is_empty() { 0 } else { 2 }))
}

fn show(findings: &[Finding], deep: bool) -> String {
    if findings.is_empty() {
        return format!("{} everything is as it was installed, and works", styled(GOOD, "✓"));
    }
    let mut text: String = findings
        .iter()
        .map(|found| {
            format!("{} {}\n    {}\n", styled(BAD, "✗"), found.message, styled(DIM, &found.title))
        })
        .collect();
    text += if deep { "`aitk apply --deep` mends it" } else { "`aitk apply` mends it" };
    text
}
