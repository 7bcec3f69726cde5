//! The lock of conda environments in rattler's form, which pixi and py-rattler read, and conda-lock converts.

use std::collections::BTreeSet;
use std::path::Path;

use aitk_system::{Message, ToMessage, message};
use rattler_conda_types::version_spec::{LogicalOperator, RangeOperator};
use rattler_conda_types::{
    MatchSpec, PackageName, ParseMatchSpecOptions, RepoDataRecord, Subdir, VersionSpec,
};
use rattler_lock::{
    CondaPackageData, DEFAULT_ENVIRONMENT_NAME, LockFile, PlatformData, PlatformName,
};

use super::error::LockError;
use super::locked::{Lock, LockTarget, Locked, LockedLayer, Locks};
pub use super::record::{locked, record};
use crate::manager::{BASE, Manager};

/// The largest lock, in bytes: one of a thousand packages for four platforms has a fourth of it.
const LARGEST: usize = 16 << 20;
/// How deep what is in a lock may be nested: in pixi's form nothing is deeper than six.
const DEEPEST: usize = 64;

/// The text of a lock file. Channels stand in `order`; those that are not in it come last.
pub fn write(locks: &Locks, order: &[String]) -> Result<String, LockError> {
    let bad = |reason: Message| LockError::BadLock { path: message!("the lock"), reason };
    let arch = &locks.environment.target.arch;
    let subdir = subdir(arch).ok_or_else(|| bad(message!("conda has no packages for {arch}")))?;
    let name = PlatformName::from(&subdir);
    let platform = PlatformData { name, subdir, virtual_packages: Vec::new() };
    let builder = LockFile::builder().with_platforms(vec![platform]);
    let mut builder = builder.map_err(|error| bad(Message::plain(error)))?;
    let both = [(DEFAULT_ENVIRONMENT_NAME, Some(&locks.environment)), (BASE, locks.base.as_ref())];
    for (name, lock) in both {
        let Some(lock) = lock else { continue };
        let records = lock.packages().map(record).collect::<Result<Vec<_>, _>>()?;
        builder.set_channels(name, channels(&records, order));
        for record in records {
            builder
                .add_conda_package(name, subdir.as_str(), CondaPackageData::from(record))
                .map_err(|error| bad(Message::plain(error)))?;
        }
    }
    builder.finish().render_to_string().map_err(|error| bad(Message::plain(error)))
}

/// The addresses of the channels that records come from.
pub fn channels(records: &[RepoDataRecord], order: &[String]) -> Vec<String> {
    let all: BTreeSet<_> = records.iter().filter_map(|record| record.channel.clone()).collect();
    let mut channels: Vec<_> = all.into_iter().collect();
    channels.sort_by_key(|one| order.iter().position(|other| other == one).unwrap_or(order.len()));
    channels
}

/// Reads the part of a lock file for an architecture, or the first. It knows no layers: see [`Lock::layered`].
///
/// # Errors
/// [`LockError::BadLock`] where it is no lock; [`LockError::BadPackage`] with a record that cannot be worked with.
pub fn parse(text: &str, path: &Path, arch: Option<&str>) -> Result<Locks, LockError> {
    let bad = |reason: Message| LockError::BadLock { path: path.to_message(), reason };
    check_size(text).map_err(bad)?;
    let file = LockFile::from_str_with_base_directory(text, path.parent())
        .map_err(|error| bad(Message::plain(error)))?;
    let lock = |name: &str| -> Result<Option<Lock>, LockError> {
        let Some(environment) = file.environment(name) else { return Ok(None) };
        let all: Vec<_> = environment.platforms().collect();
        let of = |arch: &str| all.iter().find(|p| architecture(p.subdir().as_str()) == Some(arch));
        let Some(platform) = arch.map_or(all.first(), of) else {
            let mut names: Vec<_> = all.iter().map(|platform| platform.subdir().as_str()).collect();
            names.sort_unstable();
            let machine = arch.map_or_else(|| message!("no machine at all"), Message::plain);
            return Err(bad(message!(
                "it is for {}, and this machine is {machine}",
                names.join(", ")
            )));
        };
        let subdir = platform.subdir().as_str();
        let arch = architecture(subdir).ok_or_else(|| bad(message!("it is for {subdir}")))?;
        if environment.has_pypi_packages(*platform) {
            return Err(bad(message!(
                "it has packages of PyPI, which aitk does not install beside conda's"
            )));
        }
        let records: Vec<RepoDataRecord> = environment
            .conda_repodata_records(*platform)
            .map_err(|error| bad(Message::plain(error)))?
            .unwrap_or_default();
        let packages = records.iter().map(locked).collect::<Result<Vec<_>, _>>()?;
        let layers = vec![LockedLayer { step: String::new(), packages }];
        Ok(Some(Lock {
            manager: Manager::Conda,
            target: target(&python(&records), arch),
            build: None,
            layers,
        }))
    };
    let environment = lock(DEFAULT_ENVIRONMENT_NAME)?
        .ok_or_else(|| bad(message!("it has no environment `default`")))?;
    Ok(Locks { environment, base: lock(BASE)? })
}

/// Whether a text is one that a parser of YAML can be given: a stranger's may be made to exhaust it.
fn check_size(text: &str) -> Result<(), Message> {
    if text.len() > LARGEST {
        return Err(message!("it has more than {LARGEST} bytes"));
    }
    let mut brackets: usize = 0;
    for line in text.lines() {
        // Each level is a step to the right, or an item of a list in the same line, or a bracket.
        let content = line.trim_start_matches([' ', '-', '?', '\t']);
        let levels = (line.len() - content.len()) / 2;
        for letter in content.chars().chain([' ']) {
            match letter {
                '[' | '{' => brackets += 1,
                ']' | '}' => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            if brackets + levels > DEEPEST {
                return Err(message!("what is in it is nested too deep"));
            }
        }
        // A name for a part that stands elsewhere: one of a few bytes becomes many of them.
        if content.starts_with(['&', '*']) || content.contains(": &") || content.contains(": *") {
            return Err(message!("it refers to parts of itself, which no lock does"));
        }
    }
    Ok(())
}

/// As `uname -m` names the architecture of a channel's folder.
fn architecture(subdir: &str) -> Option<&'static str> {
    ["x86_64", "aarch64", "ppc64le"]
        .into_iter()
        .find(|arch| self::subdir(arch).is_some_and(|known| known.as_str() == subdir))
}

/// The folder of a channel that has the packages for an architecture.
pub fn subdir(arch: &str) -> Option<Subdir> {
    match arch {
        "x86_64" => Some(Subdir::Linux64),
        "aarch64" => Some(Subdir::LinuxAarch64),
        "ppc64le" => Some(Subdir::LinuxPpc64le),
        _ => None,
    }
}

/// What is for this Python on this architecture; packages of conda name the glibc that they need themselves.
pub fn target(python: &str, arch: &str) -> LockTarget {
    LockTarget { python: python.to_owned(), arch: arch.to_owned(), glibc: None }
}

/// The version of the Python among these records, `3.12`.
pub fn python(records: &[RepoDataRecord]) -> String {
    let python = records.iter().find(|r| r.package_record.name.as_normalized() == "python");
    let minor = python.and_then(|r| r.package_record.version.as_major_minor());
    minor.map(|(major, minor)| format!("{major}.{minor}")).unwrap_or_default()
}

/// The package that a requirement names: `python` of `python 3.12.*`.
pub fn name_of(requirement: &str) -> String {
    // Its reader of names takes no channel before them.
    let requirement = requirement.rsplit("::").next().unwrap_or(requirement);
    PackageName::normalized_name_from_matchspec_str(requirement).into_owned()
}

/// The names of the packages that a package needs.
pub fn needs_of(locked: &Locked) -> Vec<String> {
    needs(locked).map(name_of).collect()
}

/// The least version that a need allows: 2 and 28 of `__glibc >=2.28,<3.0.a0`.
pub fn least(need: &str) -> Option<(u64, u64)> {
    let spec = MatchSpec::from_str(need, ParseMatchSpecOptions::lenient()).ok()?;
    let least = |spec: &VersionSpec| match spec {
        VersionSpec::Range(RangeOperator::GreaterEquals, least) => least.as_major_minor(),
        _ => None,
    };
    match spec.version? {
        VersionSpec::Group(LogicalOperator::And, all) => all.iter().find_map(least),
        one => least(&one),
    }
}

/// What a package needs, as its record has it.
pub fn needs(locked: &Locked) -> impl Iterator<Item = &str> {
    let depends = locked.package.record.as_ref().and_then(|record| record["depends"].as_array());
    depends.into_iter().flatten().filter_map(|need| need.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Package;
    use crate::request::{LayerRequest, LayerRole};

    fn read(text: &str, arch: &str) -> Result<Locks, LockError> {
        Locks::parse(text, Path::new("pixi.lock"), Manager::Conda, Some(arch))
    }

    #[test]
    fn a_requirement_names_its_package() {
        for (requirement, name) in [
            ("python 3.12.*", "python"),
            ("numpy>=2", "numpy"),
            ("conda-forge::Ruamel.yaml", "ruamel.yaml"),
            ("_openmp_mutex", "_openmp_mutex"),
            ("pytorch=2.*=cpu*", "pytorch"),
        ] {
            assert_eq!(name_of(requirement), name);
        }
    }

    #[test]
    fn a_need_has_a_least_version_or_none() {
        assert_eq!(least("__glibc >=2.28,<3.0.a0"), Some((2, 28)));
        assert_eq!(least("__glibc >=2.17"), Some((2, 17)));
        for other in ["__glibc", "__glibc <3", "__glibc 2.*", "?"] {
            assert_eq!(least(other), None, "{other}");
        }
    }

    fn package(name: &str, build: &str, needs: &[&str]) -> Locked {
        let sha256 = "ab".repeat(32);
        let file = format!("{name}-1.0-{build}.conda");
        let url = format!("https://channel.example/linux-64/{file}");
        let record = serde_json::json!({
            "name": name, "version": "1.0", "build": build, "build_number": 0, "subdir": "linux-64",
            "depends": needs, "constrains": ["other <2"], "size": 10, "sha256": sha256,
            "md5": "cd".repeat(16), "fn": file, "url": url, "channel": "https://channel.example/",
            "license": "MIT", "timestamp": 1_700_000_000_000_i64,
        });
        let record: RepoDataRecord = serde_json::from_value(record).unwrap();
        let package =
            Package { record: Some(serde_json::to_value(&record).unwrap()), ..Package::default() };
        let read = locked(&record).unwrap();
        assert_eq!(read.package.record, package.record);
        read
    }

    fn layer(step: &str, packages: Vec<Locked>) -> LockedLayer {
        LockedLayer { step: step.to_owned(), packages }
    }

    #[test]
    fn a_lock_comes_back_from_its_file_with_all_that_conda_needs() {
        let python = package("python", "h1_0", &[]);
        let minor = super::python(&[record(&python).unwrap()]);
        let numpy = package("numpy", "py_0", &["python >=3"]);
        let lab = package("jupyterlab", "py_1", &["python", "numpy"]);
        let target = target(&minor, "x86_64");
        let lock = Lock {
            manager: Manager::Conda,
            target,
            build: None,
            layers: vec![
                layer("environment", vec![python]),
                layer("libraries", vec![numpy]),
                layer("notebook", vec![lab]),
            ],
        };
        let base = Lock {
            layers: vec![layer("base", vec![package("conda", "py_9", &[])])],
            ..lock.clone()
        };
        let locks = Locks { environment: lock.clone(), base: Some(base) };
        let read = read(&locks.to_text().unwrap(), "x86_64").unwrap();
        let wish = |step: &str, spec: &str| LayerRequest {
            step: step.to_owned(),
            role: LayerRole::Libraries,
            requirements: vec![spec.to_owned()],
        };
        let wishes = [
            wish("environment", "python 3.12.*"),
            wish("libraries", "numpy"),
            wish("notebook", "jupyterlab"),
        ];
        let layered = read.environment.layered(&wishes);
        assert_eq!(layered.digest(), lock.digest());
        let names = |lock: &Lock| -> Vec<(String, Vec<String>)> {
            let names = |layer: &LockedLayer| layer.packages.iter().map(Locked::key).collect();
            lock.layers.iter().map(|layer| (layer.step.clone(), names(layer))).collect()
        };
        assert_eq!(names(&layered), names(&lock));
        let constrains = |lock: &Lock| {
            lock.layers[1].packages[0].package.record.as_ref().unwrap()["constrains"].clone()
        };
        assert_eq!(constrains(&layered), constrains(&lock));
        assert_eq!(read.base.unwrap().packages().count(), 1);
    }

    /// What version 0.1 has written.
    #[test]
    fn a_lock_of_the_first_form_is_read_and_written_as_it_was() {
        let text = include_str!("../../fixtures/pixi-1.lock");
        let locks = read(text, "x86_64").unwrap();
        let names = |lock: &Lock| lock.packages().map(Locked::key).collect::<Vec<_>>();
        assert_eq!(names(&locks.environment), ["numpy", "python"]);
        assert_eq!(names(locks.base.as_ref().unwrap()), ["conda", "python"]);
        assert_eq!(needs_of(locks.environment.packages().next().unwrap()), ["python"]);
        assert_eq!(locks.to_text().unwrap(), text);
    }

    #[test]
    fn channels_stand_in_the_order_in_which_they_are_asked() {
        let from = |name: &str, channel: &str| {
            let record = record(&package(name, "0", &[])).unwrap();
            RepoDataRecord { channel: Some(channel.to_owned()), ..record }
        };
        let records = [from("a", "b/"), from("b", "c/"), from("c", "a/"), from("d", "c/")];
        assert_eq!(channels(&records, &[]), ["a/", "b/", "c/"]);
        assert_eq!(channels(&records, &["z/".to_owned(), "c/".to_owned()]), ["c/", "a/", "b/"]);
    }

    #[test]
    fn what_is_made_to_exhaust_a_parser_is_no_lock() {
        let refused = |text: &str| read(text, "x86_64").unwrap_err().to_string();
        for text in [
            format!("version: {}", "[".repeat(100_000)),
            "- ".repeat(100_000),
            (0..5000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>(),
            "? ".repeat(100_000),
        ] {
            assert!(refused(&text).contains("too deep"), "{}", &text[..20]);
        }
        let laughs = "a: &a [x, x]\nb: &b [*a, *a]\n";
        assert!(refused(laughs).contains("refers to parts of itself"));
        assert!(refused(&" ".repeat(LARGEST + 1)).contains("more than"));
    }

    /// A package whose build leads elsewhere is refused by its name, before anything becomes of it.
    #[test]
    fn a_lock_with_a_record_that_could_do_harm_is_refused_by_name() {
        let lock = |locked: Locked| Lock {
            manager: Manager::Conda,
            target: target("3.12", "x86_64"),
            build: None,
            layers: vec![layer("environment", vec![locked])],
        };
        let text = lock(package("six", "h1_0", &[])).to_text(&[]).unwrap();
        let read = |text: &str| read(text, "x86_64");
        read(&text).unwrap();
        for (from, to) in [
            ("license: MIT", "license: \"MIT\\e[2K\""),
            ("size: 10", "size: 18446744073709551615"),
            ("sha256: abab", "md5: abab"),
            ("depends: []", "depends: [\"a\\nb\"]"),
            (
                "https://channel.example/linux-64/six-1.0-h1_0.conda",
                "ftp://channel.example/linux-64/six-1.0-h1_0.conda",
            ),
        ] {
            let changed = text.replace(from, to);
            if from != "depends: []" {
                assert_ne!(changed, text, "{from}");
            }
            if changed != text {
                read(&changed).unwrap_err();
            }
        }
    }

    /// As pixi writes one for several platforms.
    #[test]
    fn of_several_platforms_the_machines_own_is_read() {
        let subdirs = [Subdir::LinuxAarch64, Subdir::Linux64];
        let platforms = subdirs.map(|subdir| PlatformData {
            name: PlatformName::from(&subdir),
            subdir,
            virtual_packages: Vec::new(),
        });
        let mut builder = LockFile::builder().with_platforms(platforms.to_vec()).unwrap();
        builder.set_channels(DEFAULT_ENVIRONMENT_NAME, ["https://channel.example/".to_owned()]);
        for (subdir, name) in subdirs.iter().zip(["numpy", "python"]) {
            let data = CondaPackageData::from(record(&package(name, "h1_0", &[])).unwrap());
            builder.add_conda_package(DEFAULT_ENVIRONMENT_NAME, subdir.as_str(), data).unwrap();
        }
        let text = builder.finish().render_to_string().unwrap();
        let names = |arch: &str| {
            read(&text, arch)
                .map(|locks| locks.environment.packages().map(Locked::key).collect::<Vec<_>>())
        };
        assert_eq!(names("x86_64").unwrap(), ["python"]);
        assert_eq!(names("aarch64").unwrap(), ["numpy"]);
        let error = names("ppc64le").unwrap_err().to_string();
        assert!(error.contains("linux-64, linux-aarch64") && error.contains("ppc64le"), "{error}");
    }
}
