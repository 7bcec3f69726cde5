//! `aitk completions`

use std::process::ExitCode;

use clap_complete::Shell;

use crate::error::CliError;
use crate::words::command;

pub fn run(shell: Shell) -> Result<ExitCode, CliError> {
    clap_complete::generate(shell, &mut command(), "aitk", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
