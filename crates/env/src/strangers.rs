//! What of a built environment is neither aitk's nor a package's: notebooks and other files of the user's.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use aitk_plan::{Manager, names};
use aitk_system::{FileKind, System};

use crate::backend::backend;
use crate::text;

/// Entries at the top of an environment that its manager or aitk makes.
const TOP: [&str; 12] = [
    ".condarc",
    ".gitignore",
    ".lock",
    ".messages.txt",
    ".nonadmin",
    "CACHEDIR.TAG",
    "aitk-files.txt",
    "aitk-generation.json",
    "conda-meta",
    "lib64",
    "pixi.lock",
    "pylock.toml",
];
/// Folders where programs of the environment put files of their own while they run.
const BUSY: [&str; 5] = ["conda-meta", "etc/jupyter", "pkgs", "share/jupyter", "var"];

/// Files of the user's in an environment, relative to it; a folder in which there is nothing else is named as a whole.
pub fn strangers(system: &dyn System, root: &Path) -> Vec<PathBuf> {
    let known = known(system, root);
    let mut folders = HashSet::new();
    for file in &known {
        let mut above = file.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            if !folders.insert(folder) {
                break;
            }
            above = folder;
        }
    }
    let mut found = Vec::new();
    Look { system, root, known: &known, folders: &folders }.search("", &mut found);
    found
}

struct Look<'a> {
    system: &'a dyn System,
    root: &'a Path,
    known: &'a HashSet<String>,
    /// Those that a known file is in.
    folders: &'a HashSet<&'a str>,
}

impl Look<'_> {
    fn search(&self, folder: &str, found: &mut Vec<PathBuf>) {
        for name in self.system.list(&self.root.join(folder)).unwrap_or_default() {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if self.known.contains(&path) || comes_along(Path::new(folder), &name) {
                continue;
            }
            match self.system.stat(&self.root.join(&path)).map(|stat| stat.kind) {
                Ok(FileKind::Dir)
                    if self.folders.contains(&*path) || leads_to_busy(Path::new(&path)) =>
                {
                    self.search(&path, found);
                }
                // An empty folder holds nothing to be kept.
                Ok(FileKind::Dir) if self.is_empty(Path::new(&path)) => {}
                _ => found.push(path.into()),
            }
        }
    }

    fn is_empty(&self, folder: &Path) -> bool {
        let names = self.system.list(&self.root.join(folder));
        names.is_ok_and(|names| {
            names.iter().all(|name| {
                let path = folder.join(name);
                let stat = self.system.stat(&self.root.join(&path));
                stat.is_ok_and(|stat| stat.kind == FileKind::Dir) && self.is_empty(&path)
            })
        })
    }
}

/// Whether an entry is made by what makes or runs the environment, though no package lists it.
fn comes_along(folder: &Path, name: &str) -> bool {
    let path = folder.join(name);
    let program = ["activate", "deactivate", "pydoc", "python", "pip", "wheel"];
    let below = |busy: &str| path.starts_with(busy);
    match folder.to_str() {
        Some("") if TOP.contains(&name) => true,
        Some("bin") if program.iter().any(|begin| name.to_lowercase().starts_with(begin)) => true,
        _ => {
            let of_a_package = |path: &Path| {
                path.extension().is_some_and(|end| end == "dist-info" || end == "egg-info")
            };
            name == "__pycache__"
                || name.starts_with("_virtualenv.")
                || of_a_package(folder)
                || BUSY.into_iter().any(below)
        }
    }
}

fn leads_to_busy(path: &Path) -> bool {
    BUSY.into_iter().any(|busy| Path::new(busy).starts_with(path))
}

/// Every file that aitk or a package lists, whoever has installed the package.
fn known(system: &dyn System, root: &Path) -> HashSet<String> {
    let mut known = HashSet::from(["pyvenv.cfg", "bin/python"].map(str::to_owned));
    let list = system.text(root.join("aitk-files.txt")).unwrap_or_default();
    let files = list.lines().filter(|line| !line.starts_with("# "));
    let files = files.filter_map(|line| line.split('\t').next());
    known.extend(files.filter(|file| names::relative_path::fits(file)).map(str::to_owned));
    for manager in Manager::ALL {
        let backend = backend(manager);
        for one in backend.installed(system, root) {
            known.extend(backend.paths(system, root, &one));
            known.insert(text(&one.record));
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    #[test]
    fn what_no_package_lists_is_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let put = |file: &str, text: &str| {
            Real.write(&root.join(file), text.as_bytes(), 0o644).unwrap();
        };
        let site = "lib/python3.12/site-packages";
        for file in [
            "pyvenv.cfg",
            "bin/python3.12",
            "bin/activate.fish",
            "bin/tool",
            "aitk-generation.json",
            "pylock.toml",
            "share/jupyter/lab/settings/x.json",
            "lib/python3.12/site-packages/_virtualenv.pth",
            "lib/python3.12/site-packages/six.py",
            "lib/python3.12/site-packages/__pycache__/six.pyc",
            "lib/python3.12/site-packages/six-1.0.dist-info/direct_url.json",
        ] {
            put(file, "");
        }
        put(&format!("{site}/six-1.0.dist-info/RECORD"), "six.py,,\n../../../bin/tool,,\n");
        Real.create_dir(&root.join("empty/too")).unwrap();
        assert_eq!(strangers(&Real, root), [""; 0].map(PathBuf::from));
        put("notebooks/deep/thesis.ipynb", "");
        put("bin/mine", "");
        put("mine.txt", "");
        put(&format!("{site}/mine.py"), "");
        put(&format!("{site}/six_data/mine"), "");
        let site = PathBuf::from(site);
        let mine = ["bin/mine", "mine.txt", "notebooks"].map(PathBuf::from);
        let mut expected = mine.to_vec();
        expected.splice(1..1, [site.join("mine.py"), site.join("six_data")]);
        assert_eq!(strangers(&Real, root), expected);
    }
}
