//! `aitk completions`

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::error::CliError;

pub fn run(shell: Shell) -> Result<ExitCode, CliError> {
    clap_complete::generate(shell, &mut Args::command(), "aitk", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
