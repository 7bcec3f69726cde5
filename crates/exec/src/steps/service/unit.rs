//! A service's unit: where it lies, how systemd is told of it, and how it is asked whether it is well.

use std::path::{Path, PathBuf};

use aitk_plan::ServiceSpec;
use aitk_system::{Command, System};

use super::super::root::RootAction;
use crate::error::ExecError;
use crate::places::UNITS;

/// Asks once a second, and this often more than once.
const PATIENT: &str =
    r#"left=$0; until "$@"; do [ "$left" -gt 0 ] || exit 1; left=$((left - 1)); sleep 1; done"#;

pub(super) fn unit_path(unit: &str) -> PathBuf {
    Path::new(UNITS).join(unit)
}

pub(super) fn wants_path(unit: &str) -> PathBuf {
    Path::new(UNITS).join("multi-user.target.wants").join(unit)
}

pub(super) fn systemctl(words: &[&str]) -> RootAction {
    RootAction::Run(Command::as_root(["systemctl"]).args(words.iter().copied()))
}

/// Whether systemd runs it.
pub(super) fn is_active(unit: &str, system: &dyn System) -> Result<bool, ExecError> {
    let command = Command::reads(["systemctl", "is-active", "--quiet", unit]);
    Ok(system.run(&command)?.success())
}

/// Whether systemd knows it otherwise than it stands in its file.
pub(super) fn is_stale(unit: &str, system: &dyn System) -> Result<bool, ExecError> {
    let command = Command::reads(["systemctl", "show", "--property=NeedDaemonReload", unit]);
    Ok(system.run(&command)?.stdout.contains("=yes"))
}

/// Asks a service whether it is well, within so many seconds: by curl, or by a program where its first word is a path.
pub(super) fn ask(service: &ServiceSpec, patience: u64) -> Command {
    let patience = patience.to_string();
    if service.health.first().is_some_and(|word| word.starts_with('/')) {
        let words = ["sh", "-c", PATIENT, &patience];
        return Command::reads(words).args(service.health.iter().cloned());
    }
    let words = ["curl", "--fail", "--silent", "--show-error", "--output", "/dev/null"];
    let command = Command::reads(words).args(["--noproxy", "*", "--max-time", "10"]);
    let retry = ["--retry-delay", "1", "--retry-all-errors", "--retry-max-time", &patience];
    let command = match patience.as_str() {
        "0" => command,
        _ => command.args(["--retry", &patience]).args(retry),
    };
    command.args(service.health.iter().cloned())
}
