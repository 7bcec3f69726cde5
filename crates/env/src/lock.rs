//! The lock: every package that an environment will hold, with its file, size and hash.

use std::path::Path;

use aitk_plan::{Package, digest_of};
use aitk_system::System;
use serde::{Deserialize, Serialize};

use crate::error::EnvError;
use crate::fetch::mark_of;

/// Everything that an environment will hold, layer by layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// What it is resolved for.
    pub target: Target,
    /// The framework's build that was taken, `cpu`; `None` without a framework.
    pub build: Option<String>,
    /// Packages by the step that installs them.
    pub layers: Vec<Layer>,
}

/// What a lock is resolved for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `3.12`.
    pub python: String,
    /// As `uname -m` says it.
    pub arch: String,
    /// `2.39`; `None` where it is not glibc.
    pub glibc: Option<String>,
}

/// The packages that one step installs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The step.
    pub step: String,
    /// Its packages, by name.
    pub packages: Vec<Locked>,
}

/// One package of a lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Locked {
    /// What a plan shows of it.
    #[serde(flatten)]
    pub package: Package,
    /// Bytes on disk once unpacked, where its source could tell.
    pub unpacked: Option<u64>,
    /// Files once unpacked, where its source could tell.
    pub files: Option<u64>,
}

impl Locked {
    /// The project's name as PEP 503 compares it.
    pub fn normalized_name(&self) -> String {
        normalized(&self.package.name)
    }

    /// Whether its file has been downloaded into a folder.
    pub fn is_in(&self, folder: &Path, system: &dyn System) -> bool {
        let file = self.filename();
        let mark = system.text(mark_of(folder, &file)).ok();
        mark.is_some()
            && mark == self.package.sha256
            && system
                .stat(&folder.join(&file))
                .is_ok_and(|stat| self.package.size.is_none_or(|size| size == stat.size))
    }

    /// The name of its file.
    pub fn filename(&self) -> String {
        let url = self.package.url.as_deref().unwrap_or_default();
        let path = url.split(['#', '?']).next().unwrap_or_default();
        percent_decoded(path.rsplit('/').next().unwrap_or_default())
    }
}

/// A project's name as PEP 503 compares it.
pub(crate) fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// Decodes `%2B`, which indexes write for the `+` of local versions.
fn percent_decoded(text: &str) -> String {
    text.replace("%2B", "+").replace("%2b", "+")
}

impl Lock {
    /// A short name for exactly this set of files: two locks with the same name build the same environment.
    pub fn digest(&self) -> String {
        let files: Vec<_> = self.packages().map(|locked| &locked.package.sha256).collect();
        digest_of(&(&self.target, files))
    }

    /// All packages.
    pub fn packages(&self) -> impl Iterator<Item = &Locked> {
        self.layers.iter().flat_map(|layer| &layer.packages)
    }

    /// The layer of a step.
    pub fn layer(&self, step: &str) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.step == step)
    }

    /// Reads a lock that [`Lock::to_pylock`] wrote.
    ///
    /// # Errors
    /// [`EnvError::BadLock`] where it is no lock, or one without what aitk notes in it.
    pub fn from_pylock(path: &Path, system: &dyn System) -> Result<Self, EnvError> {
        let bad = |reason: String| EnvError::BadLock { path: path.to_owned(), reason };
        let text = system.text(path).map_err(EnvError::io(path))?;
        let file: Pylock =
            toml::from_str(&text).map_err(|error| bad(error.message().to_owned()))?;
        if !file.lock_version.starts_with("1.") {
            return Err(bad(format!("lock version {} is not known", file.lock_version)));
        }
        let note = file
            .tool
            .and_then(|tool| tool.aitk)
            .ok_or_else(|| bad("it has no [tool.aitk], so it was not made by aitk".to_owned()))?;
        let mut layers: Vec<Layer> = note
            .layers
            .iter()
            .map(|step| Layer { step: step.clone(), packages: Vec::new() })
            .collect();
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
                },
                unpacked: note.unpacked,
                files: note.files,
            });
        }
        Ok(Self { target: note.target, build: note.build, layers })
    }

    /// The lock in the form of PEP 751, which pip and uv read; what only aitk needs stands under `tool.aitk`.
    pub fn to_pylock(&self) -> String {
        let packages = self
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
            requires_python: format!("=={}.*", self.target.python),
            tool: Some(FileTool {
                aitk: Some(FileNote {
                    build: self.build.clone(),
                    layers: self.layers.iter().map(|layer| layer.step.clone()).collect(),
                    target: self.target.clone(),
                }),
            }),
            packages,
        };
        // A value of these types always serializes: all keys are text.
        toml::to_string(&file).unwrap_or_default()
    }
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
            },
            unpacked: Some(30),
            files: None,
        };
        Lock {
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
        Real.write(&path, lock().to_pylock().as_bytes(), 0o644).unwrap();
        assert_eq!(Lock::from_pylock(&path, &Real).unwrap(), lock());
    }

    #[test]
    fn a_foreign_or_damaged_lock_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pylock.toml");
        let foreign =
            "lock-version = \"1.0\"\ncreated-by = \"x\"\nrequires-python = \"\"\npackages = []\n";
        Real.write(&path, foreign.as_bytes(), 0o644).unwrap();
        let error = Lock::from_pylock(&path, &Real).unwrap_err();
        assert!(error.to_string().contains("not made by aitk"), "{error}");
    }

    #[test]
    fn the_file_name_of_a_local_version_is_decoded() {
        assert_eq!(lock().layers[0].packages[0].filename(), "a-1.0+cpu-py3-none-any.whl");
    }
}
