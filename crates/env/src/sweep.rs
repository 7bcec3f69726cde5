//! What of the cache no environment names any more: marked by the locks of those that stay, and swept by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aitk_plan::{Lock, Manager, Package};
use aitk_system::{FileKind, System};

use crate::Settings;
use crate::uv_cache::{CachedWheel, normalized};

/// Everything that aitk puts into its cache, by name. What else is there is somebody's.
pub const CACHE: [&str; 17] = [
    "audit",
    "bundles",
    "conda",
    "conda-pkgs",
    "empty",
    "hashes",
    "judges",
    "parts",
    "pkgs",
    "repodata",
    "resolve",
    "shell.bash",
    "shell.sh",
    "tools",
    "uv",
    "wheels",
    "zsh",
];
/// What sources have answered, and what is only passing: it is asked for and made again.
const PASSING: [&str; 5] = ["audit", "bundles", "parts", "repodata", "resolve"];

/// What the locks of environments name, as it is called in the cache.
#[derive(Debug, Default)]
struct Marked {
    /// Archives.
    files: BTreeSet<String>,
    /// Conda's packages, unpacked.
    folders: BTreeSet<String>,
    /// Wheels as uv's cache has them, by the names of their folders.
    wheels: BTreeMap<String, BTreeSet<CachedWheel>>,
}

impl Marked {
    fn of<'a>(kept: impl IntoIterator<Item = &'a Lock>) -> Self {
        let mut marked = Self::default();
        for lock in kept {
            for locked in lock.packages() {
                let file = locked.filename();
                match lock.manager {
                    Manager::Conda => {
                        let Package { name, version, build, .. } = &locked.package;
                        let build = build.as_deref().unwrap_or_default();
                        marked.folders.insert(format!("{name}-{version}-{build}"));
                    }
                    Manager::Venv => {
                        if let Some(wheel) = CachedWheel::of(&file) {
                            marked.wheels.entry(wheel.folder.clone()).or_default().insert(wheel);
                        }
                    }
                }
                marked.files.insert(file);
            }
        }
        marked
    }
}

/// What of the cache none of the `kept` locks names, and which is not one of the `tools`' files. What sources have
/// answered goes where it is older than a `time`, in nanoseconds since 1970.
pub fn unneeded<'a>(
    system: &dyn System,
    settings: &Settings,
    kept: impl IntoIterator<Item = &'a Lock>,
    tools: &[String],
    time: i64,
) -> Vec<PathBuf> {
    let mut marked = Marked::of(kept);
    marked.files.extend(tools.iter().cloned());
    let names = |folder: &Path| system.list(folder).unwrap_or_default();
    let mut found = Vec::new();
    for folder in ["wheels", "conda", "hashes"].map(|name| settings.cache.join(name)) {
        // What is half downloaded is named after what it will be.
        let is_named = |name: &String| {
            marked.files.contains(name) || marked.files.iter().any(|file| name.starts_with(file))
        };
        found.extend(names(&folder).iter().filter(|name| !is_named(name)).map(|n| folder.join(n)));
    }
    let unpacked = settings.unpacked();
    let is_named = |name: &String| {
        name.starts_with('.') || marked.folders.contains(name.strip_suffix(".lock").unwrap_or(name))
    };
    found.extend(names(&unpacked).iter().filter(|name| !is_named(name)).map(|n| unpacked.join(n)));
    found.extend(of_uv(system, &settings.uv_cache(), &marked));
    for folder in PASSING.map(|name| settings.cache.join(name)) {
        let old = |path: &PathBuf| system.stat(path).is_ok_and(|stat| stat.mtime < time);
        found.extend(names(&folder).iter().map(|name| folder.join(name)).filter(old));
    }
    found
}

/// What of uv's cache nobody names: the links to what is unpacked, what is written beside each of them, and what no link
/// that stays leads to. The links come first, as uv fails over one that leads nowhere.
fn of_uv(system: &dyn System, cache: &Path, marked: &Marked) -> Vec<PathBuf> {
    let names = system.list(cache).unwrap_or_default();
    let (mut found, mut needed) = (Vec::new(), BTreeSet::new());
    for wheels in names.iter().filter(|name| name.starts_with("wheels-")) {
        let mut links = Vec::new();
        links_below(system, &cache.join(wheels), &mut links);
        for link in links {
            let Some((folder, rest)) = link.parent().zip(named(&link)) else { continue };
            let wheels = named(folder).and_then(|name| marked.wheels.get(&normalized(&name)));
            let is_marked =
                wheels.is_some_and(|wheels| wheels.iter().any(|wheel| wheel.is_called(&rest)));
            if is_marked {
                needed.extend(system.read_link(&link).ok().as_deref().and_then(named));
                continue;
            }
            let beside = system.list(folder).unwrap_or_default().into_iter();
            let beside = beside.filter(|name| {
                name.strip_prefix(&rest)
                    .is_some_and(|more| more.is_empty() || more.starts_with('.'))
            });
            found.extend(beside.map(|name| folder.join(name)));
        }
    }
    for archives in names.iter().filter(|name| name.starts_with("archive-")) {
        let folder = cache.join(archives);
        let all = system.list(&folder).unwrap_or_default().into_iter();
        found.extend(all.filter(|name| !needed.contains(name)).map(|name| folder.join(name)));
    }
    found
}

fn named(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// The links below a folder; none is followed.
fn links_below(system: &dyn System, folder: &Path, found: &mut Vec<PathBuf>) {
    for name in system.list(folder).unwrap_or_default() {
        let path = folder.join(name);
        match system.stat(&path).map(|stat| stat.kind) {
            Ok(FileKind::Dir) => links_below(system, &path, found),
            Ok(FileKind::Link) => found.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use aitk_plan::{LockTarget, Locked, LockedLayer};
    use aitk_system::Real;

    use super::*;

    fn lock(manager: Manager, packages: &[(&str, &str, &str)]) -> Lock {
        let locked = |(name, version, file): &(&str, &str, &str)| {
            let url = format!("http://127.0.0.1/{file}");
            let build = (manager == Manager::Conda).then(|| "h1_0".to_owned());
            let (name, version) = ((*name).to_owned(), (*version).to_owned());
            let package = Package { name, version, build, url: Some(url), ..Package::default() };
            Locked { package, ..Locked::default() }
        };
        let packages = packages.iter().map(locked).collect();
        let layers = vec![LockedLayer { step: "libraries".to_owned(), packages }];
        let target =
            LockTarget { python: "3.12".to_owned(), arch: "x86_64".to_owned(), glibc: None };
        Lock { manager, target, build: None, layers }
    }

    #[test]
    fn only_what_no_kept_lock_names_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { cache: folder.path().to_owned(), ..Settings::default() };
        let at = |path: &str| folder.path().join(path);
        let six = "six-1.0-py3-none-any.whl";
        let files = [
            "wheels/six-1.0-py3-none-any.whl",
            "hashes/six-1.0-py3-none-any.whl",
            "wheels/six-2.0-py3-none-any.whl",
            "wheels/six-1.0-py3-none-any.whl.part",
            "wheels/uv-9-py3-none-any.whl",
            "conda/a-1-h1_0.conda",
            "conda/b-1-h1_0.conda",
            "pkgs/a-1-h1_0/info/index.json",
            "pkgs/a-1-h1_0.lock",
            "pkgs/b-1-h1_0/info/index.json",
            "pkgs/.cache.lock",
            "uv/archive-v0/one/six.py",
            "uv/archive-v0/two/six.py",
            "uv/archive-v0/long/six.py",
            "uv/archive-v0/none/x.py",
            "uv/wheels-v8/index/0/my-six/1.0-py3-none-any.rev",
            "uv/wheels-v8/index/0/my-six/2.0-py3-none-any.rev",
            "repodata/new",
            "mine/f",
        ];
        files.iter().for_each(|file| Real.write(&at(file), b"x", 0o644).unwrap());
        for (link, archive) in [
            ("my-six/1.0-py3-none-any", "one"),
            ("my-six/2.0-py3-none-any", "two"),
            ("my-six/1.0-69d6add0738eddbd", "long"),
        ] {
            let link = at("uv/wheels-v8/index/0").join(link);
            Real.symlink(&at("uv/archive-v0").join(archive), &link).unwrap();
        }
        let kept = [
            lock(
                Manager::Venv,
                &[("six", "1.0", six), ("my-six", "1.0", "my_six-1.0-py3-none-any.whl")],
            ),
            lock(Manager::Conda, &[("a", "1", "a-1-h1_0.conda")]),
        ];
        let tools = ["uv-9-py3-none-any.whl".to_owned()];
        let swept = |time| {
            let found = unneeded(&Real, &settings, &kept, &tools, time).into_iter();
            let mut found: Vec<_> = found
                .map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string())
                .collect();
            found.sort();
            found
        };
        let expected = [
            "conda/b-1-h1_0.conda",
            "pkgs/b-1-h1_0",
            "uv/archive-v0/none",
            "uv/archive-v0/two",
            "uv/wheels-v8/index/0/my-six/2.0-py3-none-any",
            "uv/wheels-v8/index/0/my-six/2.0-py3-none-any.rev",
            "wheels/six-2.0-py3-none-any.whl",
        ];
        assert_eq!(swept(0), expected);
        assert_eq!(swept(i64::MAX).len(), expected.len() + 1, "an answer that is old");
    }
}
