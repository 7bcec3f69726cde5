//! `aitk lock`

use std::process::ExitCode;

use aitk_system::{Deny, Real, System};

use crate::args::{self, Common};
use crate::error::CliError;
use crate::output::Output;
use crate::progress::Progress;
use crate::session::{Session, locked};

pub fn run(common: &Common, args: &args::Lock, output: &Output) -> Result<ExitCode, CliError> {
    let mut session = Session::open(common)?;
    let wish = session.wish(&args.choices)?;
    let plan = session.plan(&wish)?;
    let lock = locked(&args.choices)?;
    let system = Deny(std::sync::Arc::clone(&session.system));
    let context = session.context(&system, lock.as_ref());
    let progress = Progress::new(common.progress, output);
    let spinner = progress.spinner("asking the package sources …");
    let lock = aitk_exec::lock(&context, &plan)?;
    drop(spinner);
    let text = lock.to_pylock();
    match &args.output {
        Some(path) => {
            Real.write(path, text.as_bytes(), 0o644).map_err(CliError::io(path))?;
            output.say(format!("{} packages in {}", lock.packages().count(), path.display()));
        }
        None => anstream::print!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}
