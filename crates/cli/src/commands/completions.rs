//! `aitk completions`

use std::process::ExitCode;

use clap_complete::Shell;

use crate::error::CliError;
use crate::help::command;
use crate::output::data;

pub fn run(shell: Shell) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "aitk", &mut script);
    data(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
