//! `aitk lock`

use std::path::PathBuf;
use std::process::ExitCode;

use aitk_plan::{Manager, Package};
use aitk_system::{Deny, Message, message};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{self, Common};
use crate::error::CliError;
use crate::output::{Console, Diagnostic, data};
use crate::progress::Progress;
use crate::session::{Ask, Local, Session, locked};

/// The lock of an environment.
#[derive(Serialize, JsonSchema)]
pub struct LockReport<'a> {
    /// Who installs it.
    manager: Manager,
    /// The file that it was written to; null where none was named.
    file: Option<&'a PathBuf>,
    /// What it holds.
    packages: Vec<&'a Package>,
    /// The lock itself, where no file was named.
    text: Option<&'a str>,
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &args::LockArgs,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let session = Session::open(local, common)?;
    let asked = session.asked(&args.choices)?;
    let lock = locked(&session, &asked.request)?;
    let (prepared, plan) = session.prepare(asked, lock.as_ref(), Ask::Sources)?;
    let system = Deny(std::sync::Arc::clone(&session.system));
    let context = prepared.context(&system, lock.as_ref());
    let progress = Progress::new(common.progress, output);
    let spinner = progress.spinner(message!("asking the package sources …"));
    let locks = aitk_exec::lock(&context, &plan)?;
    drop(spinner);
    output.warn(&plan.warnings);
    let text = locks.to_text()?;
    let packages: Vec<_> = locks.environment.packages().map(|locked| &locked.package).collect();
    if let Some(path) = &args.output {
        local.write(path, text.as_bytes(), 0o644).map_err(CliError::io(path))?;
        output.say(message!("{} packages in {}", packages.len(), path.display()));
    }
    if output.json {
        let data = LockReport {
            manager: plan.manager,
            file: args.output.as_ref(),
            packages,
            text: args.output.is_none().then_some(text.as_str()),
        };
        let diagnostics = plan.warnings.iter().map(Diagnostic::from).collect();
        output.result(&data, diagnostics, Message::default);
    } else if args.output.is_none() {
        data(&text);
    }
    Ok(ExitCode::SUCCESS)
}
