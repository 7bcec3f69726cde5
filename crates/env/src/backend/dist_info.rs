//! What wheels leave in `site-packages`: a folder `.dist-info` each, with a `RECORD` of all files.

use std::path::{Component, Path, PathBuf};

use aitk_plan::{Locked, Manager as Kind, normalized};
use aitk_system::{FileKind, System};
use pep440_rs::Version;

use super::common::{InstalledPackage, Own};
use crate::error::EnvError;
use crate::files::digest;
use crate::text;

/// What uv makes before any package comes.
pub(crate) fn own_files(system: &dyn System, root: &Path) -> Vec<Own> {
    const PROGRAMS: [&str; 4] = ["activate", "deactivate", "pydoc", "python"];
    const BESIDE: [&str; 2] = ["_virtualenv.pth", "_virtualenv.py"];
    let own = |path: String| Own { path, stays: true };
    let mut files = vec![own("bin/python".to_owned()), own("pyvenv.cfg".to_owned())];
    let programs = system.list(&root.join("bin")).unwrap_or_default().into_iter();
    let programs = programs.filter(|name| PROGRAMS.iter().any(|own| name.starts_with(own)));
    files.extend(programs.filter(|name| name != "python").map(|name| own(format!("bin/{name}"))));
    if let Some(site) = site_packages(system, root) {
        let beside = BESIDE.iter().map(|name| site.join(name));
        files.extend(beside.filter(|file| system.exists(root.join(file))).map(|f| own(text(&f))));
    }
    files.extend(system.exists(root.join("lib64")).then(|| own("lib64".to_owned())));
    files
}

/// The `RECORD` of each package.
pub(crate) fn notes(system: &dyn System, root: &Path) -> Vec<PathBuf> {
    let Some(site) = site_packages(system, root) else { return Vec::new() };
    let names = system.list(&root.join(&site)).unwrap_or_default().into_iter();
    let folders = names.filter(|name| name.ends_with(".dist-info"));
    folders.map(|folder| site.join(folder).join("RECORD")).collect()
}

/// Every package.
pub(crate) fn installed(system: &dyn System, root: &Path) -> Vec<InstalledPackage> {
    let Some(site) = site_packages(system, root) else { return Vec::new() };
    let names = system.list(&root.join(&site)).unwrap_or_default();
    names
        .into_iter()
        .filter_map(|folder| {
            let (name, version) = folder.strip_suffix(".dist-info")?.split_once('-')?;
            Some(InstalledPackage {
                name: normalized(name),
                version: version.to_owned(),
                by: Kind::Venv,
                record: site.join(&folder).join("RECORD"),
            })
        })
        .collect()
}

/// The files of a package.
pub(crate) fn paths(system: &dyn System, root: &Path, installed: &InstalledPackage) -> Vec<String> {
    let site = site_packages(system, root).unwrap_or_default();
    let record = system.text(root.join(&installed.record)).unwrap_or_default();
    record_lines(&record).map(|(file, _)| text(&flattened(&site.join(file)))).collect()
}

/// The files of a package with their hashes.
pub(crate) fn files(
    system: &dyn System,
    root: &Path,
    locked: &Locked,
) -> Result<Vec<(String, Option<String>)>, EnvError> {
    let site = site_packages(system, root).unwrap_or_default();
    let there = installed(system, root);
    let (key, version) = (locked.key(), locked.exact_version());
    // Another version beside the right one is not the package.
    let named = || there.iter().filter(|one| one.name == key);
    let right = named().find(|one| same_version(&one.version, &version));
    let Some(one) = right.or_else(|| named().next_back()) else { return Ok(Vec::new()) };
    let path = root.join(&one.record);
    let bytes = system.read(&path).map_err(EnvError::io(&path))?;
    let line = |(file, hash): (String, Option<String>)| {
        let file = text(&flattened(&site.join(file)));
        let hash = match hash {
            Some(hash) => Some(hash),
            None if file.ends_with("/RECORD") => Some(digest(&bytes)),
            None => None,
        };
        (file, hash)
    };
    Ok(record_lines(&String::from_utf8_lossy(&bytes)).map(line).collect())
}

/// A version in a folder's name has `_` where the version itself has `-`, and may be another spelling of it: `2024.01` is
/// `2024.1`. With its build one of conda's is none of PEP 440.
pub(crate) fn same_version(folder: &str, version: &str) -> bool {
    let read = |text: &str| text.replace('_', "-").parse::<Version>().ok();
    let plain = |text: &str| text.replace(['-', '_', '+'], ".");
    plain(folder) == plain(version)
        || read(folder).is_some_and(|folder| Some(folder) == read(version))
}

/// Where an environment's Python looks for packages, relative to the environment.
pub(crate) fn site_packages(system: &dyn System, root: &Path) -> Option<PathBuf> {
    let names = system.list(&root.join("lib")).ok()?;
    let python = names.into_iter().find(|name| name.starts_with("python3"))?;
    let site = Path::new("lib").join(python).join("site-packages");
    (system.stat(&root.join(&site)).ok()?.kind == FileKind::Dir).then_some(site)
}

/// Paths and hashes of a wheel's `RECORD`.
fn record_lines(record: &str) -> impl Iterator<Item = (String, Option<String>)> {
    csv_lines(record).map(|(path, rest)| {
        let hash = rest.split(',').next().and_then(|hash| hash.strip_prefix("sha256="));
        (path, hash.map(str::to_owned))
    })
}

/// Paths and sizes of a wheel's `RECORD`, as far as it tells them.
pub(crate) fn sized_lines(record: &str) -> impl Iterator<Item = (String, Option<u64>)> {
    csv_lines(record)
        .map(|(path, rest)| (path, rest.split(',').nth(1).and_then(|n| n.parse().ok())))
}

/// Paths of a `RECORD`, which is CSV, with what comes after each. Bytecode comes and goes with use.
fn csv_lines(record: &str) -> impl Iterator<Item = (String, &str)> {
    record.lines().filter_map(|line| {
        let (path, rest) = match line.strip_prefix('"') {
            Some(quoted) => quoted.split_once("\",")?,
            None => line.split_once(',')?,
        };
        (!path.ends_with(".pyc")).then(|| (path.replace("\"\"", "\""), rest))
    })
}

/// Resolves `..` in a relative path, as `../../../bin/jupyter` in a `RECORD`.
pub(crate) fn flattened(path: &Path) -> PathBuf {
    let mut flat = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = flat.pop(),
            part => flat.push(part),
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_lines_are_read_with_quotes_and_without_bytecode() {
        let record =
            "a/b.py,sha256=xyz,12\n\"a/c,d.py\",sha256=q,1\na/e.pyc,,\nx.dist-info/RECORD,,\n";
        let lines: Vec<_> = record_lines(record).collect();
        assert_eq!(
            lines,
            [
                ("a/b.py".to_owned(), Some("xyz".to_owned())),
                ("a/c,d.py".to_owned(), Some("q".to_owned())),
                ("x.dist-info/RECORD".to_owned(), None),
            ]
        );
    }

    #[test]
    fn a_version_is_the_same_however_it_is_spelled() {
        for (folder, version) in [
            ("2024.1", "2024.01"),
            ("1.0", "1.0.0"),
            ("2.15.0+cpu", "2.15.0+cpu"),
            ("1.0_1", "1.0-1"),
            ("1.0rc1", "1.0.rc1"),
            ("3.12=h1_0", "3.12=h1_0"),
        ] {
            assert!(same_version(folder, version), "{folder} {version}");
        }
        for (folder, version) in
            [("1.0", "1.1"), ("2.15.0+cpu", "2.15.0"), ("3.12=h1_0", "3.12=h1_1"), ("", "1")]
        {
            assert!(!same_version(folder, version), "{folder} {version}");
        }
    }

    #[test]
    fn a_path_out_of_site_packages_is_flattened() {
        let path = Path::new("lib/python3.12/site-packages/../../../bin/jupyter");
        assert_eq!(flattened(path), Path::new("bin/jupyter"));
    }
}
