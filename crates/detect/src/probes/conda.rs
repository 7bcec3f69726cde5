//! Installations of conda that are there already.

use std::path::{Path, PathBuf};

use aitk_system::System;

use crate::machine::{Conda, Folders};
use crate::notes::Notes;

/// Where installers of Miniforge, Miniconda and Anaconda put it, below the home folder and below `/opt`.
const USUAL: [&str; 8] = [
    "miniforge3",
    "mambaforge",
    "miniconda3",
    "anaconda3",
    "miniforge",
    "miniconda",
    "anaconda",
    "conda",
];

/// The conda that this shell uses first, then those in the usual places.
pub(crate) fn probe(system: &dyn System, folders: &Folders, notes: &mut Notes) -> Vec<Conda> {
    let in_use = system.env("CONDA_EXE").map(PathBuf::from);
    let in_use = in_use.filter(|path| path.is_absolute()).or_else(|| system.which("conda"));
    let in_use = in_use.and_then(|program| Some(program.parent()?.parent()?.to_owned()));
    let below = |folder: &Path| USUAL.map(|name| folder.join(name));
    let usual = below(&folders.home).into_iter().chain(below(Path::new("/opt")));
    let mut found: Vec<Conda> = Vec::new();
    for path in in_use.into_iter().chain(usual) {
        // aitk's own is no conda that was there.
        let known = found.iter().any(|other| other.path == path) || path.starts_with(&folders.data);
        if !known && let Some(version) = version(system, &path) {
            notes.source("conda", path.join("conda-meta").display());
            found.push(Conda { path, version });
        }
    }
    found
}

/// The version that an installation's own record of conda names; `None` where there is no conda.
fn version(system: &dyn System, path: &Path) -> Option<String> {
    let names = system.list(&path.join("conda-meta")).ok()?;
    names.iter().find_map(|name| {
        let mut parts = name.strip_suffix(".json")?.rsplitn(3, '-').skip(1);
        let (version, name) = (parts.next()?, parts.next()?);
        (name == "conda").then(|| version.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    #[test]
    fn a_miniforge_in_its_usual_place_is_found_and_an_environment_is_none() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "home/user/miniforge3/conda-meta/conda-26.9.0-py312h1_0.json",
            "home/user/miniforge3/conda-meta/conda-libmamba-solver-25.4.0-pyh_0.json",
            "opt/miniconda/conda-meta/python-3.12.4-h1_0.json",
        ] {
            Real.write(&root.path().join(file), b"{}", 0o644).unwrap();
        }
        let folders =
            Folders { home: "/home/user".into(), data: "/x".into(), ..Folders::default() };
        let found = probe(&Replay::tree(root.path()), &folders, &mut Notes::default());
        let path = PathBuf::from("/home/user/miniforge3");
        assert_eq!(found, [Conda { path, version: "26.9.0".to_owned() }]);
    }
}
