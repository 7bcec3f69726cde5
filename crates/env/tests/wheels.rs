//! The wheels that stand behind what every machine of the gallery gets with the manager `venv`. Which wheels there are says
//! a table of those that public lock files and the general index itself have shown, which is not this repository's:
//! `AITK_WHEELS` names it. Without it nothing is looked at, which is said. What the catalog takes from the general index must
//! be in it; of PyTorch's own indexes it knows those versions that somebody has locked.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test looks from outside"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::str::FromStr;

use aitk_plan::{Build, BuildRequest, Catalog, Choices, Manager, Profile, plan};
use pep440_rs::{Version, VersionSpecifiers};

use common::{MACHINES, machines};

const EXPECTED: &str = "indexes.tsv";
const FRAMEWORKS: [&str; 3] = ["pytorch", "tensorflow", "jax"];
const ARCHES: [&str; 2] = ["x86_64", "aarch64"];
const GENERAL: &str = "general";

/// A wheel that somebody has seen.
struct Wheel {
    name: String,
    version: Version,
    /// The general index, or PyTorch's own one of this name.
    tag: String,
    /// `3.12`
    python: String,
    arch: String,
    /// In bytes, where it was told.
    size: Option<u64>,
}

/// Those of the table, with columns name, version, tag, python, arch, size, hash, where and when it was seen: wheels for one
/// CPython with its lock.
fn wheels() -> Option<Vec<Wheel>> {
    let Some(table) = std::env::var_os("AITK_WHEELS") else {
        eprintln!("NOT LOOKED AT: real wheels. AITK_WHEELS may name a table of them.");
        return None;
    };
    let text = fs::read_to_string(table).unwrap();
    let read = |line: &str| {
        let cells: Vec<_> = line.split('\t').collect();
        let [name, version, tag, python, arch, size, ..] = cells[..] else { panic!("{line}") };
        let minor: u32 = python.strip_prefix("cp3")?.parse().ok()?;
        Some(Wheel {
            name: name.to_owned(),
            version: version.parse().unwrap(),
            tag: tag.to_owned(),
            python: format!("3.{minor}"),
            arch: arch.to_owned(),
            size: size.parse().ok(),
        })
    };
    Some(text.lines().skip(1).filter_map(read).collect())
}

/// Where a build comes from, as the table of wheels names it.
fn tag(torch_backend: Option<&str>, index: Option<&str>) -> String {
    let last = |index: &str| index.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    match (torch_backend, index) {
        (Some(name), _) => name.to_owned(),
        (None, Some(index)) => last(index),
        (None, None) => GENERAL.to_owned(),
    }
}

/// The wheels that have a requirement's code for a machine, and the versions that it allows.
fn sought(requirement: &str) -> (Vec<&'static str>, VersionSpecifiers) {
    let at = requirement.find(['<', '>', '=', '!', '~']).unwrap_or(requirement.len());
    let (name, versions) = requirement.split_at(at);
    let names = match name {
        "torch" => vec!["torch"],
        "tensorflow" | "tensorflow[and-cuda]" => vec!["tensorflow"],
        "tensorflow-cpu" => vec!["tensorflow_cpu"],
        "jax" => vec!["jaxlib"],
        "jax[cuda12]" => vec!["jaxlib", "jax_cuda12_plugin"],
        "jax[cuda13]" => vec!["jaxlib", "jax_cuda13_plugin"],
        // Of AMD's own, and of JAX's for ROCm, nobody has locked any.
        _ if name.starts_with("torch[device-") || name == "jax[rocm7-local]" => Vec::new(),
        _ => panic!("{name} is not among what is looked for"),
    };
    (names, VersionSpecifiers::from_str(versions).unwrap())
}

/// The newest version of which all wheels were seen, and their size together where it was told.
fn newest(
    wheels: &[Wheel],
    requirement: &str,
    tag: &str,
    arch: &str,
    python: &str,
) -> Option<(Version, Option<u64>)> {
    let (names, versions) = sought(requirement);
    let of = |name: &str| -> BTreeMap<&Version, &Wheel> {
        let own = wheels.iter().filter(|one| {
            (&*one.name, &*one.tag, &*one.arch, &*one.python) == (name, tag, arch, python)
                && versions.contains(&one.version)
                && !one.version.any_prerelease()
        });
        own.map(|one| (&one.version, one)).collect()
    };
    let all: Vec<_> = names.into_iter().map(of).collect();
    let version =
        all.first()?.keys().rfind(|version| all.iter().all(|of| of.contains_key(*version)))?;
    let sizes = all.iter().map(|of| of[version].size);
    Some(((*version).clone(), sizes.sum()))
}

/// What was seen behind a build, as the table tells it: `-` where nobody has seen it.
fn seen(wheels: &[Wheel], build: &BuildRequest, arch: &str, python: &str) -> String {
    let tag = tag(build.torch_backend.as_deref(), build.index.as_deref());
    let found = newest(wheels, &build.requirements[0], &tag, arch, python);
    let found = found.map_or_else(|| "-".to_owned(), |(version, _)| version.to_string());
    assert!(
        found != "-" || tag != GENERAL || build.name.starts_with("rocm"),
        "{build:?}, {python}"
    );
    format!("{}\t{tag}\t{}\t{found}", build.name, build.requirements[0])
}

#[test]
fn every_machine_gets_wheels_that_exist() {
    let Some(wheels) = wheels() else { return };
    let catalog = Catalog::builtin().unwrap();
    let profile = Profile::builtin("low").unwrap();
    let mut found = String::from("machine\tframework\tpython\tbuild\tindex\trequirement\tseen\n");
    for (name, machine) in machines() {
        for framework in FRAMEWORKS {
            let choices = Choices { framework: framework.to_owned(), ..Choices::default() };
            let plan = plan(&machine, &profile, &choices, Manager::Venv, &catalog);
            let Some(wanted) = plan.environment().filter(|_| plan.framework.is_some()) else {
                let why = plan.step("framework").unwrap().why.last().unwrap().to_string();
                found += &format!("{name}\t{framework}\t-\tblocked\t{why}\n");
                continue;
            };
            let request = &wanted.request;
            let python = request.python.as_deref().unwrap_or_else(|| panic!("{name}: no Python"));
            for build in &request.builds {
                let seen = seen(&wheels, build, &machine.arch, python);
                found += &format!("{name}\t{framework}\t{python}\t{seen}\n");
            }
        }
    }
    let table = Path::new(MACHINES).join(EXPECTED);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&table, &found).unwrap();
    }
    let expected = fs::read_to_string(&table).unwrap();
    let wrong: Vec<_> =
        found.lines().filter(|line| !expected.lines().any(|own| own == *line)).collect();
    assert!(wrong.is_empty(), "not as {EXPECTED} has it:\n{}", wrong.join("\n"));
    assert_eq!(found.lines().count(), expected.lines().count());
}

/// The Pythons that a build's row lets in.
fn pythons<'a>(catalog: &Catalog, row: &Build, all: &'a BTreeSet<String>) -> Vec<&'a str> {
    let limits = catalog.framework(&row.framework).unwrap();
    let number = |python: &str| python[2..].parse::<u32>().unwrap();
    let least = number(row.python_min.as_ref().unwrap_or(&limits.python_min));
    let most = number(row.python_max.as_ref().unwrap_or(&limits.python_max));
    let fits = |python: &&String| (least..=most).contains(&number(python));
    all.iter().filter(fits).map(String::as_str).collect()
}

/// What the rows let in is there, what they shut out is not, and none is said to be smaller than its own wheels.
#[test]
fn every_row_of_the_catalog_is_as_the_wheels_are() {
    let Some(wheels) = wheels() else { return };
    let catalog = Catalog::builtin().unwrap();
    let all: BTreeSet<String> = wheels.iter().map(|wheel| wheel.python.clone()).collect();
    let mut looked_at = 0;
    let mut wrong = Vec::new();
    for row in catalog.builds.iter().filter(|row| row.manager == Manager::Venv) {
        let tag = tag(row.torch_backend.as_deref(), row.index.as_deref());
        let requirement = &row.requirements[0];
        let let_in = pythons(&catalog, row, &all);
        for arch in ARCHES {
            for python in &all {
                let fits = row.arch.iter().any(|own| own == arch) && let_in.contains(&&**python);
                let found = newest(&wheels, requirement, &tag, arch, python);
                let what = format!("{} {requirement}, {arch}, Python {python}", row.name);
                // The general index has builds of other kinds under the same name; a newer Python is in none of them.
                let newer = let_in
                    .iter()
                    .all(|own| own[2..].parse::<u32>().ok() < python[2..].parse().ok());
                let counts = tag != GENERAL || newer && row.arch.iter().any(|own| own == arch);
                looked_at += usize::from(found.is_some());
                let taken = row.estimate.download.0;
                match found {
                    None if fits && tag == GENERAL && !row.name.starts_with("rocm") => {
                        wrong.push(format!("{what}: there is none"));
                    }
                    Some((version, _)) if !fits && counts => {
                        wrong.push(format!("{what}: {version} is there"));
                    }
                    Some((version, Some(size))) if fits && size > taken => {
                        wrong.push(format!("{what}: {version} has {size} bytes, not {taken}"));
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looked_at > 100, "{looked_at}");
}

/// The newest Python of a framework is the newest that the general index has wheels for, and its oldest has some too: for yet
/// older ones there are wheels of long ago.
#[test]
fn a_framework_has_the_pythons_of_its_wheels() {
    let Some(wheels) = wheels() else { return };
    let catalog = Catalog::builtin().unwrap();
    for (framework, carrier) in
        [("pytorch", "torch"), ("tensorflow", "tensorflow"), ("jax", "jaxlib")]
    {
        let number = |python: &str| python[2..].parse::<u32>().unwrap();
        let own = wheels.iter().filter(|one| one.name == carrier && one.tag == GENERAL);
        let own = own.filter(|one| !one.version.any_prerelease());
        let all: BTreeSet<u32> = own.map(|one| number(&one.python)).collect();
        let row = catalog.framework(framework).unwrap();
        assert_eq!(all.last(), Some(&number(&row.python_max)), "{framework}");
        assert!(all.contains(&number(&row.python_min)), "{framework}");
    }
}
