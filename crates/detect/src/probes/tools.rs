//! Programs that matter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aitk_system::{Command, System, message};

use crate::PATIENCE;
use crate::machine::Tool;
use crate::notes::{self, Notes};
use crate::probes::mounts::Mounts;

/// A program to look for.
struct Sought {
    name: &'static str,
    /// Where it is even when `PATH` does not say so.
    elsewhere: Option<&'static str>,
    /// The argument that makes it say its version; only for programs that answer within
    /// milliseconds.
    version: Option<&'static str>,
}

const fn sought(name: &'static str) -> Sought {
    Sought { name, elsewhere: None, version: None }
}

const SOUGHT: [Sought; 11] = [
    sought("apt-get"),
    sought("conda"),
    sought("curl"),
    sought("docker"),
    sought("dpkg-query"),
    sought("git"),
    sought("mamba"),
    // On WSL it comes from Windows, in a folder that sudo and cron do not have on PATH.
    Sought { elsewhere: Some("/usr/lib/wsl/lib/nvidia-smi"), ..sought("nvidia-smi") },
    sought("pip"),
    sought("sudo"),
    Sought { version: Some("--version"), ..sought("uv") },
];

/// The programs that are there, by name.
pub(crate) fn probe(
    system: &dyn System,
    mounts: &Mounts,
    notes: &mut Notes,
) -> BTreeMap<String, Tool> {
    notes.source("tools", "PATH");
    SOUGHT
        .iter()
        .filter_map(|sought| {
            let path = find(system, mounts, sought)?;
            let version = sought.version.and_then(|argument| {
                let version = ask(system, &path, argument);
                if version.is_none() {
                    let message = message!("{} does not say its version", path.display());
                    notes.add(notes::TOOL, message, None);
                }
                version
            });
            Some((sought.name.to_owned(), Tool { path, version }))
        })
        .collect()
}

/// Where a program is. Windows has its disks on WSL's PATH, but what lies there is not for Linux:
/// `docker` is a script that says that it is not there.
fn find(system: &dyn System, mounts: &Mounts, sought: &Sought) -> Option<PathBuf> {
    system
        .which(sought.name)
        .filter(|path| !mounts.on_windows(system, path))
        .or_else(|| sought.elsewhere.filter(|path| system.exists(path)).map(PathBuf::from))
}

/// `0.9.5` from `uv 0.9.5 (d5f39331a 2025-10-21)`.
fn ask(system: &dyn System, path: &Path, argument: &str) -> Option<String> {
    let command = Command::reads([path.to_str()?, argument]).timeout(PATIENCE);
    let output = system.run(&command).ok().filter(aitk_system::Output::success)?;
    output.stdout.split_whitespace().nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    #[test]
    fn versions_are_asked_where_that_is_cheap_and_windows_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let answers = r#"{"schema": 1,
            "which": {"git": "/usr/bin/git", "uv": "/opt/uv", "docker": "/mnt/c/docker"},
            "commands": {"/opt/uv --version":
                {"status": 0, "stdout": "uv 0.9.5 (d5f39331a 2025-10-21)\n", "stderr": ""}}}"#;
        Real.write(&folder.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
        let at = |path: &str| folder.path().join("root").join(path);
        Real.write(&at("mnt/c/docker"), b"", 0o755).unwrap();
        Real.write(&at("usr/lib/wsl/lib/nvidia-smi"), b"", 0o755).unwrap();
        let mounts = Mounts::parse(
            "1 0 8:1 / / rw - ext4 /dev/sdc rw\n2 1 0:60 / /mnt/c rw - 9p C:\\134 rw,aname=drvfs\n",
        );
        let mut notes = Notes::default();
        let found = probe(&Replay::open(folder.path()).unwrap(), &mounts, &mut notes);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["git", "nvidia-smi", "uv"]);
        assert_eq!(found["uv"].version.as_deref(), Some("0.9.5"));
        assert_eq!(found["git"].version, None);
        assert!(Vec::from(notes).is_empty());
    }
}
