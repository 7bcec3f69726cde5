//! The lock of a virtual environment in the form of PEP 751, which pip and uv read.

use std::path::Path;

use aitk_system::{Message, ToMessage, message};
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::LockError;
use super::locked::{Lock, LockTarget, Locked, LockedLayer, Package};
use crate::manager::Manager;
use crate::names;
use crate::requirement::normalized;

/// The longest text that is read as a lock, in bytes: ten times what the largest environment takes.
const LONGEST: usize = 16 << 20;
/// The most packages that an environment may have.
const MOST: usize = 10_000;
/// The largest wheel, and the most that one unpacks to, in bytes: sums of them stay far below what a number holds.
pub const LARGEST: u64 = 1 << 40;
/// The most files that a wheel may have.
const FILES: u64 = 10_000_000;

/// Reads a lock that [`write`] wrote; `path` names it in errors.
///
/// # Errors
/// [`LockError::BadLock`] where it is no lock, or one without what aitk notes in it, or one with more than a lock can
/// hold; [`LockError::OnlySource`] for a package that would have to be built.
pub fn parse(text: &str, path: &Path) -> Result<Lock, LockError> {
    let bad = |reason: Message| LockError::BadLock { path: path.to_message(), reason };
    if text.len() > LONGEST {
        return Err(bad(message!("it has {} bytes", text.len())));
    }
    // Its reader goes down into no more than some eighty tables and lists.
    let file: Pylock =
        toml::from_str(text).map_err(|error| bad(Message::plain(error.message())))?;
    if !file.lock_version.starts_with("1.") {
        return Err(bad(message!("lock version {} is not known", file.lock_version)));
    }
    let note = file
        .tool
        .and_then(|tool| tool.aitk)
        .ok_or_else(|| bad(message!("it has no [tool.aitk], so it was not made by aitk")))?;
    note.check().map_err(|unfit| bad(Message::plain(unfit)))?;
    if file.packages.len() > MOST {
        return Err(bad(message!("it has {} packages", file.packages.len())));
    }
    let mut layers: Vec<LockedLayer> = note
        .layers
        .iter()
        .map(|step| LockedLayer { step: step.clone(), packages: Vec::new() })
        .collect();
    for package in file.packages {
        let note = package.tool.and_then(|tool| tool.aitk);
        let note = note.ok_or_else(|| bad(message!("{} has no layer", package.name)))?;
        let [wheel] = package.wheels.as_slice() else {
            if package.wheels.is_empty() && package.is_built {
                return Err(LockError::OnlySource { package: package.name });
            }
            return Err(bad(message!("{} does not have exactly one wheel", package.name)));
        };
        let layer = layers.iter_mut().find(|layer| layer.step == note.layer);
        let layer = layer.ok_or_else(|| bad(message!("there is no layer {}", note.layer)))?;
        let locked = Locked {
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
        };
        layer.packages.push(checked(locked).map_err(bad)?);
    }
    Ok(Lock { manager: Manager::Venv, target: note.target, build: note.build, layers })
}

/// The label of a wheel that is one of several variants, which stands at the end of its name (PEP 825, a draft): a wheel has
/// five parts, and six with the number of a build, which begins with a digit.
pub fn variant(file: &str) -> Option<&str> {
    let parts: Vec<_> = file.strip_suffix(".whl")?.split('-').collect();
    let has_number = parts.get(2)?.starts_with(|first: char| first.is_ascii_digit());
    (parts.len() > if has_number { 6 } else { 5 }).then(|| parts.last().copied()).flatten()
}

/// A package of an index, if it is a wheel that is named whole: a project, a version, a hash, an address from which a
/// file of that project comes, and sizes that a wheel can have.
///
/// # Errors
/// With what it is not.
pub fn checked(locked: Locked) -> Result<Locked, Message> {
    let Package { name, version, size, sha256, url, .. } = &locked.package;
    let text = |unfit: names::Unfit| unfit.to_message();
    names::package_name::check(name).map_err(text)?;
    names::version::check(version)
        .map_err(|unfit| Message::about(name.as_str(), unfit.to_message()))?;
    let of = |reason: Message| Err(Message::about(name.as_str(), reason));
    if let Some(sha256) = sha256 {
        names::sha256::check(sha256)
            .map_err(|unfit| Message::about(name.as_str(), unfit.to_message()))?;
    }
    let address = url.as_deref().unwrap_or_default();
    names::address::check(address)
        .map_err(|unfit| Message::about(name.as_str(), unfit.to_message()))?;
    if address.contains(['#', '\\']) || Url::parse(address).is_err() {
        return of(message!("its address is none of a file"));
    }
    let file = locked.filename();
    let Some((project, _)) = file.strip_suffix(".whl").and_then(|stem| stem.split_once('-')) else {
        return of(message!("it is no wheel"));
    };
    if !names::file_name::fits(&file) || normalized(project) != locked.key() {
        return of(message!("the file of its address is another package"));
    }
    if variant(&file).is_some() {
        return of(message!(
            "{file} is one of the variants of a wheel (PEP 825), and aitk chooses none of them: which one fits, the catalog does not know"
        ));
    }
    let numbers = [*size, locked.unpacked];
    if numbers.iter().flatten().any(|bytes| *bytes > LARGEST)
        || locked.files.is_some_and(|files| files > FILES)
    {
        return of(message!("its sizes are none that a wheel has"));
    }
    Ok(locked)
}

/// The lock in the form of PEP 751, which pip and uv read; what only aitk needs stands under `tool.aitk`.
pub fn write(lock: &Lock) -> String {
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
            is_built: false,
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
    target: LockTarget,
}

impl FileNote {
    fn check(&self) -> Result<(), names::Unfit> {
        let LockTarget { python, arch, glibc } = &self.target;
        self.layers.iter().try_for_each(|step| names::step_id::check(step))?;
        self.build.iter().try_for_each(|build| names::build_string::check(build))?;
        names::python_version::check(python)?;
        names::build_string::check(arch)?;
        glibc.iter().try_for_each(|glibc| names::version::check(glibc))
    }
}

#[derive(Serialize, Deserialize)]
struct PylockPackage {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    wheels: Vec<PylockWheel>,
    tool: Option<PackageTool>,
    /// Whether it is there as source code, in whatever form.
    #[serde(
        default,
        skip_serializing,
        deserialize_with = "is_there",
        alias = "archive",
        alias = "directory",
        alias = "vcs",
        rename = "sdist"
    )]
    is_built: bool,
}

fn is_there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(from).map(|_| true)
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
            target: LockTarget {
                python: "3.12".to_owned(),
                arch: "x86_64".to_owned(),
                glibc: Some("2.39".to_owned()),
            },
            build: Some("cpu".to_owned()),
            layers: vec![LockedLayer {
                step: "libraries".to_owned(),
                packages: vec![locked("a"), locked("b")],
            }],
        }
    }

    #[test]
    fn a_variant_of_a_wheel_is_told_by_its_label() {
        for (file, label) in [
            ("torch-2.15.0-cp312-cp312-manylinux_2_28_x86_64.whl", None),
            ("torch-2.15.0-1-cp312-cp312-manylinux_2_28_x86_64.whl", None),
            ("torch-2.15.0-cp312-cp312-manylinux_2_28_x86_64-cu132.whl", Some("cu132")),
            ("six-1.17.0-2-py3-none-any-x8664v3.whl", Some("x8664v3")),
            ("six-1.17.0.tar.gz", None),
        ] {
            assert_eq!(variant(file), label, "{file}");
        }
    }

    #[test]
    fn a_lock_comes_back_from_its_file_as_it_was() {
        assert_eq!(parse(&write(&lock()), Path::new("pylock.toml")).unwrap(), lock());
    }

    #[test]
    fn a_foreign_or_damaged_lock_is_refused_with_its_reason() {
        let foreign =
            "lock-version = \"1.0\"\ncreated-by = \"x\"\nrequires-python = \"\"\npackages = []\n";
        let error = parse(foreign, Path::new("pylock.toml")).unwrap_err();
        assert!(error.to_string().contains("not made by aitk"), "{error}");
    }

    /// Why a lock is refused in which a piece of text is another one.
    fn refused(from: &str, to: &str) -> LockError {
        let text = write(&lock());
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is not in it");
        parse(&changed, Path::new("pylock.toml")).unwrap_err()
    }

    #[test]
    fn a_lock_with_anything_but_names_versions_hashes_and_addresses_is_refused() {
        let sha = "ab".repeat(32);
        let url = "https://index.example/a-1.0%2Bcpu-py3-none-any.whl";
        for (from, to) in [
            ("name = \"a\"", "name = \"../a\"".to_owned()),
            ("\nversion = \"1.0\"\n", "\nversion = \"1.0\\n--index-url http://x\"\n".to_owned()),
            ("\nversion = \"1.0\"\n", "\nversion = \"1.0\\u001b[8m\"\n".to_owned()),
            (&sha, format!("aaaaaaaaaaaé{}", "b".repeat(51))),
            (&sha, "ab".to_owned()),
            (url, format!("{url}#x")),
            (url, format!("{url}#\\nEND_OF_TEXT\\n")),
            (url, "https://index.example/evil-1.0-py3-none-any.whl".to_owned()),
            (url, "https://index.example/a-1.0.tar.gz".to_owned()),
            (url, "git+https://index.example/a-1.0-py3-none-any.whl".to_owned()),
            (url, "/etc/a-1.0-py3-none-any.whl".to_owned()),
            ("size = 10", "size = 9223372036854775807".to_owned()),
            ("size = 10", "size = -1".to_owned()),
            ("unpacked = 30", "unpacked = 9223372036854775807".to_owned()),
            ("build = \"cpu\"", "build = \"cpu\\nEND_OF_TEXT\\n}\"".to_owned()),
            ("python = \"3.12\"", "python = \"3.12; x\"".to_owned()),
            ("arch = \"x86_64\"", "arch = \"$(x)\"".to_owned()),
            ("libraries", "x y".to_owned()),
        ] {
            let error = refused(from, &to);
            assert!(matches!(error, LockError::BadLock { .. }), "{to}: {error}");
        }
    }

    #[test]
    fn a_lock_that_is_too_deep_or_too_long_is_refused_and_not_read() {
        let refused = |text: &str| parse(text, Path::new("x.toml")).unwrap_err().to_string();
        let names = "a.".repeat(200_000);
        for deep in [
            format!("x = {}", "[".repeat(200_000)),
            format!("{names}a = 1"),
            format!("[{names}a]"),
            format!("x = {{ {names}a = 1 }}"),
        ] {
            assert!(refused(&deep).contains("recurs"));
        }
        assert!(refused(&"a=1\n".repeat(5 << 20)).contains("bytes"));
    }

    #[test]
    fn source_code_is_refused_by_name() {
        let text = write(&lock());
        let (begin, rest) = text.split_once("[[packages.wheels]]").unwrap();
        let (_, rest) = rest.split_once("[packages.tool").unwrap();
        let sdist = format!(
            "{begin}[packages.sdist]\nurl = \"https://x/a-1.0.tar.gz\"\n[packages.tool{rest}"
        );
        let error = parse(&sdist, Path::new("x.toml")).unwrap_err();
        assert!(matches!(&error, LockError::OnlySource { package } if package == "a"), "{error}");
    }

    #[test]
    fn the_file_name_of_a_local_version_is_decoded() {
        assert_eq!(lock().layers[0].packages[0].filename(), "a-1.0+cpu-py3-none-any.whl");
    }

    /// What version 0.1 has written.
    #[test]
    fn a_lock_of_the_first_form_is_read_and_written_as_it_was() {
        let text = include_str!("../../fixtures/pylock-1.toml");
        let lock = parse(text, Path::new("pylock.toml")).unwrap();
        assert_eq!(lock.layers[0].packages[0].exact_version(), "1.17.0");
        let read = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
        assert_eq!(read(&write(&lock)), read(text));
    }
}
