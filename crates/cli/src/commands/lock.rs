//! `aitk lock`

use std::process::ExitCode;

use aitk_system::{Deny, Message, message};
use serde_json::json;

use crate::args::{self, Common};
use crate::error::CliError;
use crate::output::{Console, Diagnostic, data};
use crate::progress::Progress;
use crate::session::{Ask, Local, Session, locked};

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
        let data = json!({
            "manager": plan.manager,
            "file": args.output,
            "packages": packages,
            "text": args.output.is_none().then_some(&text),
        });
        let diagnostics = plan.warnings.iter().map(Diagnostic::from).collect();
        output.result("lock", &data, diagnostics, Message::default);
    } else if args.output.is_none() {
        data(&text);
    }
    Ok(ExitCode::SUCCESS)
}
