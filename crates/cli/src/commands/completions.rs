//! `aitk completions`

use std::process::ExitCode;

use aitk_system::this_program;

use crate::complete::{SHELLS, VARIABLE};
use crate::error::CliError;
use crate::output::data;

/// Prints what a shell reads to ask this program while somebody types.
pub fn run(shell: &str) -> Result<ExitCode, CliError> {
    data(&script(shell)?);
    Ok(ExitCode::SUCCESS)
}

/// The script for a shell. The program is named by its place: what is called so elsewhere is never started for a key.
///
/// # Errors
/// Where it cannot be told where this program is.
pub fn script(shell: &str) -> Result<String, CliError> {
    let program = this_program().map(|path| path.to_string_lossy().into_owned());
    let program = program.unwrap_or_else(|| "aitk".to_owned());
    let mut script = Vec::new();
    if let Some(shell) = SHELLS.completer(shell) {
        let written = shell.write_registration(VARIABLE, "aitk", "aitk", &program, &mut script);
        written.map_err(CliError::io(&program))?;
    }
    let script = String::from_utf8_lossy(&script).into_owned();
    // Zsh takes the file for the function that completes, the first time: that has to complete then.
    let first = match shell {
        "zsh" => "[[ $funcstack[1] != _aitk ]] || _clap_dynamic_completer_aitk \"$@\"\n",
        _ => "",
    };
    Ok(script + first)
}
