//! What conda notes in an environment: a record of each package in `conda-meta`, and a history.

use std::path::{Path, PathBuf};

use aitk_plan::{Locked, Manager as Kind};
use aitk_system::{Message, System};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::backend::common::{InstalledPackage, Own};
use crate::backend::dist_info;
use crate::error::EnvError;
use crate::files::digest;

/// What makes a folder an environment for conda.
pub(super) const HISTORY: &str = "conda-meta/history";
/// Files that only conda's own environment has.
const CONDARC: &str = ".condarc";

#[derive(Deserialize)]
struct CondaRecord {
    #[serde(default)]
    paths_data: Paths,
    #[serde(default)]
    requested_specs: Vec<String>,
    requested_spec: Option<String>,
}

#[derive(Default, Deserialize)]
struct Paths {
    #[serde(default)]
    paths: Vec<MetaEntry>,
}

#[derive(Deserialize)]
struct MetaEntry {
    #[serde(rename = "_path")]
    path: String,
    path_type: Option<String>,
    sha256: Option<String>,
    sha256_in_prefix: Option<String>,
}

/// Conda writes into both.
pub(super) fn own_files(system: &dyn System, root: &Path) -> Vec<Own> {
    let files = [HISTORY, CONDARC].map(str::to_owned).into_iter();
    let there = files.filter(|file| system.exists(root.join(file)));
    there.map(|path| Own { path, stays: false }).collect()
}

/// The record of each package, and what pip has left.
pub(super) fn notes(system: &dyn System, root: &Path) -> Vec<PathBuf> {
    let folder = Path::new("conda-meta");
    let names = system.list(&root.join(folder)).unwrap_or_default().into_iter();
    let notes = names.filter(|name| name.ends_with(".json")).map(|name| folder.join(name));
    notes.chain(dist_info::notes(system, root)).collect()
}

/// Conda's packages, and those that pip has put beside them.
pub(super) fn installed(system: &dyn System, root: &Path) -> Vec<InstalledPackage> {
    let names = system.list(&root.join("conda-meta")).unwrap_or_default();
    let mut all: Vec<InstalledPackage> = names
        .iter()
        .filter_map(|file| {
            let mut parts = file.strip_suffix(".json")?.rsplitn(3, '-');
            if !is_whole(system, &root.join("conda-meta").join(file)) {
                return None;
            }
            let (build, version, name) = (parts.next()?, parts.next()?, parts.next()?);
            Some(InstalledPackage {
                name: name.to_owned(),
                version: format!("{version}={build}"),
                by: Kind::Conda,
                record: Path::new("conda-meta").join(file),
            })
        })
        .collect();
    let by_pip = |one: &InstalledPackage| {
        let installer = root.join(&one.record).with_file_name("INSTALLER");
        system.text(installer).is_ok_and(|installer| installer.trim() != "conda")
    };
    all.extend(dist_info::installed(system, root).into_iter().filter(by_pip));
    all
}

/// What was asked for when a package was installed by hand.
pub(super) fn requested(
    system: &dyn System,
    root: &Path,
    installed: &InstalledPackage,
) -> Vec<String> {
    let record = system.read(&root.join(&installed.record)).ok();
    let record: Option<CondaRecord> = record.and_then(|json| serde_json::from_slice(&json).ok());
    let Some(record) = record else { return vec![installed.name.clone()] };
    let asked = record.requested_specs.into_iter().chain(record.requested_spec);
    // What was installed from a file or from one channel by name: wherever it comes from next time.
    let wish = |spec: String| match spec.contains("::") || spec.contains('/') || spec == "None" {
        true => installed.name.clone(),
        false => spec,
    };
    let mut asked: Vec<_> = asked.filter(|spec| !spec.is_empty()).map(wish).collect();
    asked.dedup();
    asked
}

/// The files of a package.
pub(super) fn paths(system: &dyn System, root: &Path, installed: &InstalledPackage) -> Vec<String> {
    if installed.by != Kind::Conda {
        return dist_info::paths(system, root, installed);
    }
    let record = system.read(&root.join(&installed.record)).ok();
    let record = record.and_then(|bytes| serde_json::from_slice::<CondaRecord>(&bytes).ok());
    let paths = record.map(|record| record.paths_data.paths).unwrap_or_default();
    paths.into_iter().map(|entry| entry.path).collect()
}

/// The files of a package with their hashes.
pub(super) fn files(
    system: &dyn System,
    root: &Path,
    locked: &Locked,
) -> Result<Vec<(String, Option<String>)>, EnvError> {
    let package = &locked.package;
    let build = package.build.as_deref().unwrap_or_default();
    let file = format!("conda-meta/{}-{}-{build}.json", package.name, package.version);
    let path = root.join(&file);
    let bytes = system.read(&path).map_err(EnvError::io(&path))?;
    let record: CondaRecord = serde_json::from_slice(&bytes)
        .map_err(|error| EnvError::bad_package(package.name.clone(), Message::plain(error)))?;
    let entry = |entry: MetaEntry| {
        let is_file = entry.path_type.as_deref() != Some("softlink");
        let hash = entry.sha256_in_prefix.or(entry.sha256).filter(|_| is_file);
        (entry.path, hash.and_then(|hash| from_hex(&hash)))
    };
    let is_file = |entry: &MetaEntry| {
        // Bytecode comes and goes with use.
        entry.path_type.as_deref() != Some("directory") && !entry.path.ends_with(".pyc")
    };
    let files = record.paths_data.paths.into_iter().filter(is_file).map(entry);
    Ok(files.chain([(file, Some(digest(&bytes)))]).collect())
}

/// The compiled files that a package brings, with their hashes.
pub(super) fn bytecode(
    system: &dyn System,
    root: &Path,
    installed: &InstalledPackage,
) -> Vec<(String, String)> {
    let record = system.read(&root.join(&installed.record)).ok();
    let record = record.and_then(|bytes| serde_json::from_slice::<CondaRecord>(&bytes).ok());
    let paths = record.map(|record| record.paths_data.paths).unwrap_or_default().into_iter();
    let compiled = paths.filter(|entry| entry.path.ends_with(".pyc"));
    compiled
        .filter_map(|entry| {
            let hash = entry.sha256_in_prefix.or(entry.sha256)?;
            Some((entry.path, from_hex(&hash)?))
        })
        .collect()
}

/// Whether a record was written to its end: a crash leaves one that is empty or cut. Only short ones are read for that:
/// every record of a package with many files is long, and a cut there is found by its size.
fn is_whole(system: &dyn System, record: &Path) -> bool {
    const SHORT: u64 = 4096;
    match system.stat(record) {
        Ok(stat) if stat.size < SHORT => system
            .read(record)
            .is_ok_and(|json| serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok()),
        _ => true,
    }
}

/// A hash as conda writes it, in the form of the list of files.
fn from_hex(hash: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = (0..hash.len() / 2)
        .map(|index| u8::from_str_radix(hash.get(index * 2..index * 2 + 2)?, 16).ok())
        .collect();
    bytes.map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    #[test]
    fn a_record_that_was_cut_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join("conda-meta").join(name);
            Real.write(&path, text.as_bytes(), 0o644).unwrap();
        };
        put("a-1.0-0.json", "{\"name\": \"a\"}");
        put("b-1.0-0.json", "{\n  \"build\": \"0\",");
        put("c-1.0-0.json", "");
        let found = installed(&Real, folder.path());
        assert_eq!(found.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["a"]);
    }
}
