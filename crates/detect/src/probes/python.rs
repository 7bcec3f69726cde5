//! Python interpreters on `PATH`.

use std::path::{Path, PathBuf};

use aitk_system::{Command, DEFAULT_PATH, Output, System, message, paths, with_each};

use crate::PATIENCE;
use crate::machine::Python;
use crate::notes::{self, Notes};
use crate::probes::mounts::Mounts;

/// As many interpreters are asked; nobody has more.
const MOST: usize = 64;
/// A file of at least this many bytes is no script, and is not read to make sure.
const TOO_LARGE_FOR_A_SCRIPT: u64 = 100_000;

/// The interpreters, each once under its real path, the one that `python3` stands for first.
pub(crate) fn probe(system: &dyn System, mounts: &Mounts, notes: &mut Notes) -> Vec<Python> {
    let programs = programs(system, mounts);
    let found = with_each(&programs, |path| python(system, path));
    for (path, found) in programs.iter().zip(&found) {
        if found.is_none() {
            let message = message!("{} does not say its version, and is left out", path.display());
            notes.add(notes::PYTHON, message, None);
        }
    }
    notes.source_in_words("python", message!("every python3 on PATH, asked for its version"));
    found.into_iter().flatten().collect()
}

/// The real paths of every `python3` and `python3.N` on `PATH`, in its order but those of `python3`
/// first.
fn programs(system: &dyn System, mounts: &Mounts) -> Vec<PathBuf> {
    let mut names = Vec::new();
    for folder in folders(system, mounts) {
        let all = system.list(&folder).unwrap_or_default();
        names.extend(all.iter().filter(|name| is_python(name)).map(|name| folder.join(name)));
    }
    // Sorting is stable, so the order of PATH stays within both parts.
    names.sort_by_key(|path| !path.ends_with("python3"));
    let mut programs = Vec::new();
    for path in names.iter().filter_map(|path| paths::resolve(system, path)) {
        if programs.len() < MOST && !programs.contains(&path) && is_interpreter(system, &path) {
            programs.push(path);
        }
    }
    programs
}

/// The folders on `PATH`, each once under its real path. Those of Windows are left out: listing
/// them is slow, and no Python in them is for Linux.
fn folders(system: &dyn System, mounts: &Mounts) -> Vec<PathBuf> {
    let path = system.env("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
    let mut folders = Vec::new();
    for folder in path.split(':').map(Path::new).filter(|folder| folder.is_absolute()) {
        if let Some(folder) = paths::resolve(system, folder)
            && !folders.contains(&folder)
            && !mounts.on_windows(system, &folder)
        {
            folders.push(folder);
        }
    }
    folders
}

/// Whether a program is called `python3` or `python3.N`.
fn is_python(name: &str) -> bool {
    name.strip_prefix("python3").is_some_and(|rest| match rest.strip_prefix('.') {
        Some(minor) => !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()),
        None => rest.is_empty(),
    })
}

/// Whether a file is a real interpreter. Version managers put scripts, or links to themselves, in
/// its place: they are slow, and choose another one in another folder.
fn is_interpreter(system: &dyn System, path: &Path) -> bool {
    let is_elf = || system.read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("python"))
        && system.stat(path).is_ok_and(|stat| stat.size >= TOO_LARGE_FOR_A_SCRIPT || is_elf())
}

/// Asks an interpreter; `None` where it does not answer as one.
fn python(system: &dyn System, path: &Path) -> Option<Python> {
    let command = Command::reads([path.to_str()?, "-V"]).timeout(PATIENCE);
    let output = system.run(&command).ok().filter(Output::success)?;
    let version = output.stdout.trim().strip_prefix("Python ")?.to_owned();
    let python = Python { path: path.to_owned(), version, externally_managed: false };
    Some(Python { externally_managed: is_externally_managed(system, &python), ..python })
}

/// Whether the mark of PEP 668 lies in the standard library.
fn is_externally_managed(system: &dyn System, python: &Python) -> bool {
    let Some((major, minor)) = python.minor() else { return false };
    // `/usr` from `/usr/bin/python3.12`.
    let Some(prefix) = python.path.ancestors().nth(2) else { return false };
    ["lib", "lib64"].iter().any(|lib| {
        let library = prefix.join(lib).join(format!("python{major}.{minor}"));
        // Debian's marks all its versions at once with links from one package to another.
        system.exists(library.join("EXTERNALLY-MANAGED"))
    })
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    #[test]
    fn only_interpreters_are_called_python3() {
        let names = ["python3", "python3.14", "python3.", "python3-config", "python3.11-config"];
        let found: Vec<_> = names.into_iter().filter(|name| is_python(name)).collect();
        assert_eq!(found, ["python3", "python3.14"]);
    }

    #[test]
    fn without_a_path_the_usual_folders_are_searched() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let answers = r#"{"schema": 1, "env": {}, "commands": {}}"#;
        Real.write(&folder.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
        Real.write(&root.join("usr/bin/python3"), b"\x7fELF", 0o755).unwrap();
        let system = Replay::open(folder.path()).unwrap();
        let found = programs(&system, &Mounts::default());
        assert_eq!(found, [Path::new("/usr/bin/python3")]);
    }

    #[test]
    fn links_count_once_and_scripts_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join("root").join(path);
        let answers = r#"{"schema": 1,
            "env": {"PATH": "/shims:/opt/bin:/bin:/usr/bin:relative:/none"},
            "commands": {
                "/usr/bin/python3.13 -V": {"status": 0, "stdout": "Python 3.13.5\n", "stderr": ""},
                "/opt/bin/python3.9 -V": {"status": 1, "stdout": "", "stderr": "no\n"}}}"#;
        Real.write(&folder.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
        Real.write(&at("shims/python3"), b"#!/bin/sh\nexec pyenv\n", 0o755).unwrap();
        Real.write(&at("usr/bin/mise"), b"\x7fELF", 0o755).unwrap();
        Real.symlink(Path::new("/usr/bin/mise"), &at("shims/python3.12")).unwrap();
        Real.write(&at("usr/bin/python3.13"), b"\x7fELF", 0o755).unwrap();
        Real.symlink(Path::new("python3.13"), &at("usr/bin/python3")).unwrap();
        Real.symlink(Path::new("usr/bin"), &at("bin")).unwrap();
        Real.write(&at("opt/bin/python3.9"), &vec![0; 100_000], 0o755).unwrap();
        Real.write(&at("usr/lib/python3.13/EXTERNALLY-MANAGED"), b"[externally-managed]\n", 0o644)
            .unwrap();

        let mut notes = Notes::default();
        let system = Replay::open(folder.path()).unwrap();
        let found = probe(&system, &Mounts::default(), &mut notes);
        let system_python = Python {
            path: "/usr/bin/python3.13".into(),
            version: "3.13.5".into(),
            externally_managed: true,
        };
        assert_eq!(found, [system_python]);
        let notes = Vec::from(notes);
        assert_eq!(notes.len(), 1);
        assert!(notes[0].message.to_string().starts_with("/opt/bin/python3.9 "), "{notes:?}");
    }
}
