//! The lock of a virtual environment in the form of PEP 751, which pip and uv read.

use std::path::Path;

use aitk_plan::{Manager, Package};
use aitk_system::System;
use serde::{Deserialize, Serialize};

use crate::error::EnvError;
use crate::lock::{Layer, Lock, Locked, Target};

/// Reads a lock that [`write`] wrote.
///
/// # Errors
/// [`EnvError::BadLock`] where it is no lock, or one without what aitk notes in it.
pub(crate) fn read(path: &Path, system: &dyn System) -> Result<Lock, EnvError> {
    let bad = |reason: String| EnvError::BadLock { path: path.to_owned(), reason };
    let text = system.text(path).map_err(EnvError::io(path))?;
    let file: Pylock = toml::from_str(&text).map_err(|error| bad(error.message().to_owned()))?;
    if !file.lock_version.starts_with("1.") {
        return Err(bad(format!("lock version {} is not known", file.lock_version)));
    }
    let note = file
        .tool
        .and_then(|tool| tool.aitk)
        .ok_or_else(|| bad("it has no [tool.aitk], so it was not made by aitk".to_owned()))?;
    let mut layers: Vec<Layer> =
        note.layers.iter().map(|step| Layer { step: step.clone(), packages: Vec::new() }).collect();
    for package in file.packages {
        let note = package.tool.and_then(|tool| tool.aitk);
        let note = note.ok_or_else(|| bad(format!("{} has no layer", package.name)))?;
        let [wheel] = package.wheels.as_slice() else {
            return Err(bad(format!("{} does not have exactly one wheel", package.name)));
        };
        let layer = layers.iter_mut().find(|layer| layer.step == note.layer);
        let layer = layer.ok_or_else(|| bad(format!("there is no layer {}", note.layer)))?;
        layer.packages.push(Locked {
            package: Package {
                name: package.name,
                version: package.version,
                size: wheel.size,
                sha256: Some(wheel.hashes.sha256.clone()),
                url: Some(wheel.url.clone()),
                ..Package::default()
            },
            unpacked: note.unpacked,
            files: note.files,
        });
    }
    Ok(Lock { manager: Manager::Venv, target: note.target, build: note.build, layers })
}

/// The lock in the form of PEP 751, which pip and uv read; what only aitk needs stands under `tool.aitk`.
pub(crate) fn write(lock: &Lock) -> String {
    let packages = lock
        .layers
        .iter()
        .flat_map(|layer| layer.packages.iter().map(move |locked| (layer, locked)))
        .map(|(layer, locked)| PylockPackage {
            name: locked.package.name.clone(),
            version: locked.package.version.clone(),
            wheels: vec![PylockWheel {
                name: locked.filename(),
                url: locked.package.url.clone().unwrap_or_default(),
                size: locked.package.size,
                hashes: Hashes { sha256: locked.package.sha256.clone().unwrap_or_default() },
            }],
            tool: Some(PackageTool {
                aitk: Some(PackageNote {
                    layer: layer.step.clone(),
                    unpacked: locked.unpacked,
                    files: locked.files,
                }),
            }),
        })
        .collect();
    let file = Pylock {
        lock_version: "1.0".to_owned(),
        created_by: "aitk".to_owned(),
        requires_python: format!("=={}.*", lock.target.python),
        tool: Some(FileTool {
            aitk: Some(FileNote {
                build: lock.build.clone(),
                layers: lock.layers.iter().map(|layer| layer.step.clone()).collect(),
                target: lock.target.clone(),
            }),
        }),
        packages,
    };
    // A value of these types always serializes: all keys are text.
    toml::to_string(&file).unwrap_or_default()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pylock {
    lock_version: String,
    created_by: String,
    requires_python: String,
    tool: Option<FileTool>,
    packages: Vec<PylockPackage>,
}

#[derive(Serialize, Deserialize)]
struct FileTool {
    aitk: Option<FileNote>,
}

#[derive(Serialize, Deserialize)]
struct FileNote {
    build: Option<String>,
    layers: Vec<String>,
    target: Target,
}

#[derive(Serialize, Deserialize)]
struct PylockPackage {
    name: String,
    version: String,
    wheels: Vec<PylockWheel>,
    tool: Option<PackageTool>,
}

#[derive(Serialize, Deserialize)]
struct PackageTool {
    aitk: Option<PackageNote>,
}

#[derive(Serialize, Deserialize)]
struct PackageNote {
    layer: String,
    unpacked: Option<u64>,
    files: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct PylockWheel {
    name: String,
    url: String,
    size: Option<u64>,
    hashes: Hashes,
}

#[derive(Serialize, Deserialize)]
struct Hashes {
    sha256: String,
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    fn lock() -> Lock {
        let locked = |name: &str| Locked {
            package: Package {
                name: name.to_owned(),
                version: "1.0".to_owned(),
                size: Some(10),
                sha256: Some("ab".repeat(32)),
                url: Some(format!("https://index.example/{name}-1.0%2Bcpu-py3-none-any.whl")),
                ..Package::default()
            },
            unpacked: Some(30),
            files: None,
        };
        Lock {
            manager: Manager::Venv,
            target: Target {
                python: "3.12".to_owned(),
                arch: "x86_64".to_owned(),
                glibc: Some("2.39".to_owned()),
            },
            build: Some("cpu".to_owned()),
            layers: vec![Layer {
                step: "libraries".to_owned(),
                packages: vec![locked("a"), locked("b")],
            }],
        }
    }

    #[test]
    fn a_lock_comes_back_from_its_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pylock.toml");
        Real.write(&path, write(&lock()).as_bytes(), 0o644).unwrap();
        assert_eq!(read(&path, &Real).unwrap(), lock());
    }

    #[test]
    fn a_foreign_or_damaged_lock_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pylock.toml");
        let foreign =
            "lock-version = \"1.0\"\ncreated-by = \"x\"\nrequires-python = \"\"\npackages = []\n";
        Real.write(&path, foreign.as_bytes(), 0o644).unwrap();
        let error = read(&path, &Real).unwrap_err();
        assert!(error.to_string().contains("not made by aitk"), "{error}");
    }

    #[test]
    fn the_file_name_of_a_local_version_is_decoded() {
        assert_eq!(lock().layers[0].packages[0].filename(), "a-1.0+cpu-py3-none-any.whl");
    }
}
