//! Environments that are there only in part: without their Python, at another place, with half of a package.

use aitk_system::{Message, message, paths};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ProbeContext;
use super::prefix::{Prefix, minor, normal};
use crate::installers::{ASTRAY, Setting, astray, pip_variable};

/// Scripts are smaller than this.
const SCRIPT: u64 = 1 << 16;
/// Variables that put something before what is in an environment.
const VARIABLES: [&str; 2] = ["PYTHONPATH", "PYTHONHOME"];

/// The interpreter is gone, or what it stands on.
pub(super) fn no_python(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some(prefix) = case.prefix.as_ref().filter(|_| case.own.is_none()) else {
        return Vec::new();
    };
    let conda = prefix.conda.as_ref();
    // What was made for other languages has none; where no package was noted at all, it was never made, or is lost.
    let records = case.system.list(&prefix.path.join("conda-meta")).unwrap_or_default();
    if conda.is_some_and(|packages| !records.is_empty() && !packages.contains_key("python")) {
        return Vec::new();
    }
    let mut seen = Vec::new();
    let python = prefix.path.join("bin/python");
    let leads = paths::resolve(case.system, &python);
    seen.extend(leads.as_deref().and_then(|program| another(prefix, program)));
    if leads.is_none() {
        seen.push(match case.system.exists(&python) {
            true => message!("{} leads nowhere", python.display()),
            false => message!("there is no {}", python.display()),
        });
    }
    if let Some(home) = setting(case, prefix, "home").filter(|home| home.starts_with('/'))
        && paths::resolve(case.system, Path::new(&home)).is_none()
    {
        seen.push(message!("pyvenv.cfg names {home}, which is not there"));
    }
    if prefix.site.is_none() {
        seen.push(message!("there is no folder site-packages in {}", prefix.path.display()));
    }
    seen
}

/// The interpreter is of another minor version than the one that the packages were put in for, which it does not see.
fn another(prefix: &Prefix, program: &Path) -> Option<Message> {
    let version = program.file_name()?.to_str()?.strip_prefix("python").and_then(minor)?;
    let packages = prefix.python.filter(|own| *own != version && prefix.conda.is_none())?;
    let told = |(major, minor)| format!("{major}.{minor}");
    let (program, version, packages) = (program.display(), told(version), told(packages));
    Some(message!(
        "its Python is {program}, of version {version}, and its packages are for {packages}"
    ))
}

/// A line of `pyvenv.cfg`.
fn setting(case: &ProbeContext<'_>, prefix: &Prefix, key: &str) -> Option<String> {
    let text = case.system.text(prefix.path.join("pyvenv.cfg")).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once('='));
    lines.find(|(own, _)| own.trim() == key).map(|(_, value)| value.trim().to_owned())
}

/// Programs of the environment start a Python at another place: its folder was moved or copied.
pub(super) fn moved(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some(prefix) = case.prefix.as_ref().filter(|_| case.own.is_none()) else {
        return Vec::new();
    };
    let bin = prefix.path.join("bin");
    let scripts = case.system.list(&bin).unwrap_or_default();
    let elsewhere = scripts.iter().find_map(|name| {
        let script = bin.join(name);
        let small = case.system.stat(&script).is_ok_and(|stat| stat.size < SCRIPT);
        let text = small.then(|| case.system.text(&script).ok()).flatten()?;
        let python = text.lines().next()?.strip_prefix("#!")?.trim();
        let of_an_environment = python.starts_with('/') && python.contains("/bin/python");
        let own =
            [&prefix.path, &prefix.named].into_iter().any(|own| Path::new(python).starts_with(own));
        let systems = ["/usr/", "/bin/"].iter().any(|start| python.starts_with(start));
        let gone = || paths::resolve(case.system, Path::new(python)).is_none();
        (of_an_environment && !own && !systems && gone())
            .then(|| message!("{} starts {python}, which is not there", script.display()))
    });
    elsewhere.into_iter().collect()
}

/// Packages that are there in part, or twice, or of which nobody knows any more.
pub(super) fn partly_there(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some(prefix) = &case.prefix else { return Vec::new() };
    let mut seen = Vec::new();
    // Which files there are to be in its own, aitk knows better.
    let others = case.own.is_none();
    if let Some(site) = &prefix.site {
        let names = case.system.list(site).unwrap_or_default();
        let left = names.iter().find(|name| name.starts_with('~'));
        seen.extend(
            left.map(|name| {
                message!("{} is what pip left of a package", site.join(name).display())
            }),
        );
        let mut versions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for folder in names.iter().filter_map(|name| name.strip_suffix(".dist-info")) {
            if let Some((name, version)) =
                folder.rsplit_once('-').filter(|_| !folder.starts_with('~'))
            {
                versions.entry(normal(name)).or_default().push(version);
            }
        }
        let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
        seen.extend(twice.map(|(name, versions)| {
            message!("{name} is there more than once: {}", versions.join(", "))
        }));
        let packages = prefix.packages.iter().filter(|_| others);
        seen.extend(packages.filter_map(|(name, package)| {
            let file = first_file(case, site, &package.metadata)?;
            let gone = !case.system.exists(&file);
            gone.then(|| message!("{name} {} lacks {}", package.version, file.display()))
        }));
    }
    if others && prefix.conda.is_some() {
        let folder = prefix.path.join("conda-meta");
        let names = case.system.list(&folder).unwrap_or_default();
        let records =
            names.iter().filter(|name| name.ends_with(".json")).map(|name| folder.join(name));
        let damaged = records.filter(|path| {
            case.system.text(path).is_ok_and(|text| !text.trim_end().ends_with('}'))
        });
        seen.extend(damaged.map(|path| message!("{} is damaged", path.display())));
    }
    seen
}

/// The first file of a package beside its own metadata.
fn first_file(case: &ProbeContext<'_>, site: &Path, metadata: &Path) -> Option<PathBuf> {
    let record = case.system.text(metadata.join("RECORD")).ok()?;
    let own = metadata.file_name()?.to_string_lossy().into_owned();
    let file = record.lines().filter_map(|line| line.split(',').next()).find(|file| {
        !file.starts_with(&own) && !file.starts_with(['.', '/', '"']) && !file.ends_with(".pyc")
    })?;
    Some(site.join(file))
}

/// Those that are set of the variables that mix something into every environment.
pub(super) fn variables_set(case: &ProbeContext<'_>) -> Vec<String> {
    let names = VARIABLES.map(str::to_owned).into_iter();
    let names = names.chain(ASTRAY.iter().map(|option| pip_variable(option)));
    names.filter(|name| case.system.env(name).is_some()).collect()
}

/// Whether the environment takes packages from the system.
pub(super) fn lets_others_in(case: &ProbeContext<'_>) -> bool {
    let value = |prefix| setting(case, prefix, "include-system-site-packages");
    case.prefix.as_ref().and_then(value).as_deref() == Some("true")
}

/// Variables and settings that mix something from outside into every environment.
pub(super) fn variables(case: &ProbeContext<'_>) -> Vec<Message> {
    let set = variables_set(case).into_iter();
    let mut seen: Vec<_> = set.map(|name| message!("{name} is set")).collect();
    let told = astray(case.system, &case.machine.folders, case.prefix_path()).into_iter();
    seen.extend(
        told.map(|Setting { file, key, value }| {
            message!("{} says {key} = {value}", file.display())
        }),
    );
    if let Some(prefix) = case.prefix.as_ref().filter(|_| lets_others_in(case)) {
        let path = prefix.path.join("pyvenv.cfg");
        seen.push(message!(
            "{} lets the packages of the system and of your own folder in",
            path.display()
        ));
    }
    seen
}
