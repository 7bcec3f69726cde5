//! A stand-in for an interpreter. uv resolves for no Python that it cannot ask what it is, though nothing of what it is
//! told but the version and the platform goes into the answer: so a program of a few lines tells it that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aitk_plan::LockTarget;
use aitk_system::{Command, System, quote};
use serde_json::json;

use crate::error::EnvError;
use crate::text;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The oldest glibc that there are wheels for.
const OLDEST_GLIBC: u32 = 17;

/// Writes the stand-in for the Python of a target into a folder of aitk's own.
///
/// # Errors
/// Where it cannot be written; where nothing can be started from that folder, of which uv would say only that it may not.
pub(super) fn write(
    system: &dyn System,
    folder: &Path,
    target: &LockTarget,
) -> Result<PathBuf, EnvError> {
    let path = folder.join("python");
    let program = format!("#!/bin/sh\necho {}\n", quote(&answer(target)));
    system.write(&path, program.as_bytes(), 0o700).map_err(EnvError::io(&path))?;
    system.run(&Command::reads([text(&path)]).timeout(PATIENCE))?;
    Ok(path)
}

/// What uv's own script says of an interpreter that it is run by, of CPython on Linux. Paths are of no use to what only
/// resolves, and what would tell this machine from others of its kind is left out.
fn answer(target: &LockTarget) -> String {
    let LockTarget { python, arch, glibc } = target;
    let minor = glibc.as_deref().and_then(|glibc| glibc.strip_prefix("2.")?.parse().ok());
    let minor: u32 = minor.unwrap_or(OLDEST_GLIBC);
    let first = format!("{python}.0");
    let nowhere = json!({ "platlib": "", "purelib": "", "include": "", "scripts": "", "data": "" });
    json!({
        "result": "success",
        "markers": {
            "implementation_name": "cpython",
            "implementation_version": first,
            "os_name": "posix",
            "platform_machine": arch,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": first,
            "python_version": python,
            "sys_platform": "linux",
        },
        "os": { "name": "manylinux", "major": 2, "minor": minor },
        "arch": arch,
        "cpu_info": { "unavailable": "unasked" },
        "manylinux_compatible": true,
        "gil_disabled": false,
        "debug_enabled": false,
        "pointer_size": "64",
        "standalone": false,
        "sys_executable": "/",
        "sys_prefix": "/",
        "sys_base_prefix": "/",
        "sys_base_exec_prefix": "/",
        "sys_path": [],
        "site_packages": [],
        "stdlib": "/",
        "extension_suffixes": [],
        "scheme": nowhere,
        "virtualenv": nowhere,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_answers_as_the_python_of_the_target() {
        let folder = tempfile::tempdir().unwrap();
        let says = |glibc: Option<&str>| -> Value {
            let (python, arch) = ("3.13".to_owned(), "aarch64".to_owned());
            let target = LockTarget { python, arch, glibc: glibc.map(str::to_owned) };
            let program = text(&write(&Real, folder.path(), &target).unwrap());
            let command = Command::reads([program.as_str(), "-I", "-c", "import sys"]);
            let said = (&Real as &dyn System).run(&command).unwrap();
            serde_json::from_str(&said.stdout).unwrap()
        };
        let said = says(Some("2.41"));
        assert_eq!(said["markers"]["python_full_version"], "3.13.0");
        assert_eq!(said["markers"]["platform_machine"], "aarch64");
        assert_eq!(said["os"]["minor"], 41);
        assert_eq!(says(None)["os"]["minor"], OLDEST_GLIBC);
    }
}
