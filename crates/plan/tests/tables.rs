//! What stands in the tables somebody reads.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a test looks from outside"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::ptr;

use aitk_detect::{Provider, Tables};
use aitk_plan::{AptSourceRow, Build, Catalog, DriverRow, Manager, judges};

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

/// The keys of the tables of a table, by the names that its struct has. What stands below a key of `FREE` is named by the
/// table itself, not by a struct.
fn keys(value: &toml::Value, found: &mut BTreeSet<String>) {
    const FREE: [&str; 8] = [
        "arches",
        "named",
        "newer",
        "environment",
        "tools",
        "capabilities",
        "platforms",
        "cuda_names",
    ];
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                found.insert(key.clone());
                if !FREE.contains(&key.as_str()) {
                    keys(value, found);
                }
            }
        }
        toml::Value::Array(all) => all.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_tables_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = Vec::new();
    for name in std::fs::read_dir(root.join("crates")).unwrap() {
        files(&name.unwrap().path().join("src"), ".rs", &mut sources);
    }
    let code: String = sources.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    // A field is read as `row.field`, or taken out of its struct: `let Row { field, .. } = row`.
    let parts = |text| str::split(text, |c: char| !(c.is_alphanumeric() || c == '_'));
    let lines: Vec<_> =
        code.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
    let mut read: BTreeSet<&str> = BTreeSet::new();
    for line in &lines {
        read.extend(line.split('.').skip(1).filter_map(|rest| parts(rest).next()));
        if let Some((_, taken)) = line.split_once("{ ").filter(|_| line.contains("..")) {
            read.extend(parts(taken));
        }
    }
    // Some have another name in the table.
    for pair in lines.windows(2) {
        let name = pair[0].split_once("rename = \"").and_then(|(_, rest)| rest.split('"').next());
        let field = pair[1].split(':').next().unwrap().trim_start_matches("pub ");
        read.extend(name.filter(|_| read.contains(field)));
    }
    let mut tables = Vec::new();
    files(&root.join("profiles/catalog"), ".toml", &mut tables);
    let mut unread: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in tables {
        let mut found = BTreeSet::new();
        keys(
            &toml::Value::Table(std::fs::read_to_string(&path).unwrap().parse().unwrap()),
            &mut found,
        );
        found.retain(|key| !read.contains(key.replace('-', "_").as_str()));
        if !found.is_empty() {
            unread.insert(path.file_name().unwrap().to_string_lossy().into_owned(), found);
        }
    }
    assert!(unread.is_empty(), "nobody reads {unread:#?}");
}

/// Whether a device of these ranges is in none of those that stand before them, in a table where the first row counts.
fn is_first(devices: &[&str], before: &[&str]) -> bool {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        [first, last].map(|number| u32::from_str_radix(number, 16).unwrap())
    };
    let before: Vec<_> = before.iter().map(|text| range(text)).collect();
    let free = |id: u32| before.iter().all(|[first, last]| !(*first..=*last).contains(&id));
    devices.iter().map(|text| range(text)).all(|[first, last]| (first..=last).any(free))
}

/// Rows by their devices that others hide, as every probe asks for the first that has a device.
fn hidden_devices(path: &str, kind: &str) -> Vec<String> {
    let table: toml::Table = aitk_system::builtin(path).parse().unwrap();
    let mut before: Vec<&str> = Vec::new();
    let mut hidden = Vec::new();
    for row in table[kind].as_array().unwrap() {
        let devices = row["devices"].as_array().unwrap();
        let devices: Vec<_> = devices.iter().map(|range| range.as_str().unwrap()).collect();
        // An integrated one has no PCI device and is found by what it computes.
        if !devices.is_empty() && !is_first(&devices, &before) {
            hidden.push(format!("{path}, {kind}: {devices:?}"));
        }
        before.extend(devices);
    }
    hidden
}

/// The names by which rows are asked for that stand twice.
fn twice<'a>(what: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = names.into_iter().filter(|name| !seen.insert(*name));
    again.map(|name| format!("{what} {name}")).collect()
}

#[test]
fn every_row_of_the_tables_of_machines_can_be_reached() {
    let tables = Tables::default();
    let (nvidia, amd, jetson) = (tables.nvidia(), tables.amd(), tables.jetson());
    let mut lost = Vec::new();
    for (path, kind) in [
        ("nvidia", "architecture"),
        ("nvidia", "card"),
        ("amd", "device"),
        ("intel", "discrete"),
        ("intel", "integrated"),
    ] {
        lost.extend(hidden_devices(&format!("catalog/{path}.toml"), kind));
    }
    let mut row = |what: String, found: bool| lost.extend((!found).then_some(what));
    for own in tables.distros() {
        let found = tables.distro(&own.id, Some(&own.version));
        row(format!("{} {}", own.id, own.version), found.is_some_and(|one| ptr::eq(one, own)));
    }
    for own in &nvidia.cuda {
        let found = nvidia.cuda(&own.driver).is_some_and(|one| ptr::eq(one, own));
        row(format!("CUDA {}", own.version), found);
    }
    for own in &nvidia.kernels {
        let torch = own.torch.as_deref().unwrap_or("0");
        for cuda in &own.cuda {
            let arches = own.arch.as_deref().map_or(vec!["x86_64", "aarch64"], |arch| vec![arch]);
            let found = arches.iter().any(|arch| {
                let found = nvidia.kernels(&own.origin, torch, cuda, arch);
                found.is_some_and(|one| ptr::eq(one, own))
            });
            row(format!("kernels of {} {torch} for {cuda}", own.origin), found);
        }
    }
    for own in &amd.target {
        row(own.gfx.clone(), amd.target(&own.gfx).is_some_and(|one| ptr::eq(one, own)));
    }
    for own in &amd.device {
        row(format!("a device of {}", own.gfx), amd.target(&own.gfx).is_some());
    }
    for own in &jetson.jetpack {
        let found = jetson.jetpack(&own.l4t).is_some_and(|one| ptr::eq(one, own));
        row(format!("JetPack {}", own.version), found);
    }
    for (at, own) in tables.providers().iter().enumerate() {
        let mut before = tables.providers()[..at].iter();
        let hides = |one: &Provider| one.field == own.field && own.starts.starts_with(&one.starts);
        row(format!("{} by {:?}", own.id, own.starts), !before.any(hides));
    }
    lost.extend(twice("chip", jetson.chip.iter().map(|row| row.compatible.as_str())));
    let products = nvidia.screen.iter().flat_map(|row| &row.products);
    lost.extend(twice("product", products.map(String::as_str)));
    assert!(lost.is_empty(), "nobody can reach {lost:#?}");
}

#[test]
fn every_row_of_the_tables_of_packages_can_be_reached() {
    let catalog = Catalog::builtin().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    let mut data = Vec::new();
    files(&root, ".toml", &mut data);
    data.retain(|path| !path.starts_with(root.join("catalog")));
    let data: String = data.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let mut lost = Vec::new();
    let mut row = |what: String, found: bool| lost.extend((!found).then_some(what));
    for own in &catalog.frameworks {
        let built = catalog.builds.iter().any(|build| build.framework == own.name);
        let found = catalog.framework(&own.name).is_some_and(|one| ptr::eq(one, own));
        row(own.name.clone(), built && found);
    }
    let is_release = |os: &str, version: &str| catalog.distro(os, version).is_some();
    for own in &catalog.guests {
        let found = catalog.guest(&own.os, &own.version).is_some_and(|one| ptr::eq(one, own));
        row(
            format!("guest {} {}", own.os, own.version),
            found && is_release(&own.os, &own.version),
        );
    }
    for own in &catalog.images.image {
        row(format!("image {}", own.name), is_release(&own.os, &own.version));
    }
    for own in &catalog.images.accelerator {
        let found = catalog.builds.iter().any(|build| build.kind == own.kind);
        row(format!("container with {}", own.kind), found);
    }
    for own in &catalog.fit.vram {
        let found = catalog.fit.vram(own.at_least.0).is_some_and(|one| ptr::eq(one, own));
        row(format!("models in {:?}", own.at_least), found);
    }
    for own in &catalog.fit.memory {
        let found = catalog.fit.memory(own.at_least.0).is_some_and(|one| ptr::eq(one, own));
        row(format!("memory of {:?}", own.at_least), found);
    }
    let architectures = &catalog.tables.nvidia().architecture;
    for (at, own) in catalog.apt.driver.iter().enumerate() {
        // The first that runs a device counts: one of a newer branch does not run the older devices.
        let hides = |one: &&DriverRow| {
            let versions = own.versions.iter().all(|version| one.versions.contains(version));
            (&one.os, one.open, one.server) == (&own.os, own.open, own.server) && versions
        };
        let before: Vec<_> = catalog.apt.driver[..at].iter().filter(hides).collect();
        let found = architectures.iter().any(|gpu| {
            let module = if own.open { gpu.open } else { gpu.closed };
            let first = before.iter().all(|one| !gpu.runs_with(&one.version));
            module && gpu.runs_with(&own.version) && first
        });
        row(format!("driver {} of {} {:?}", own.version, own.os, own.versions), found);
    }
    for (at, own) in catalog.apt.source.iter().enumerate() {
        let hides = |one: &&AptSourceRow| {
            let version = |version| one.versions.contains(version);
            one.name == own.name
                && one.os.as_ref().is_none_or(|os| Some(os) == own.os.as_ref())
                && (one.versions.is_empty()
                    || !own.versions.is_empty() && own.versions.iter().all(version))
                && one.wsl.is_none_or(|wsl| Some(wsl) == own.wsl)
        };
        let asked = data.contains(&format!("source = \"{}\"", own.name))
            || catalog.apt.driver.iter().any(|one| one.source_name.as_ref() == Some(&own.name));
        let hidden = catalog.apt.source[..at].iter().any(|one| hides(&one));
        row(format!("source {} {:?} {:?}", own.name, own.os, own.versions), asked && !hidden);
    }
    for own in judges() {
        let used = data.contains(&format!("tool = \"{}\"", own.name));
        row(format!("judge {}", own.name), used);
    }
    lost.extend(twice("judge", judges().iter().map(|row| row.name.as_str())));
    lost.extend(twice("image", catalog.images.image.iter().map(|row| row.name.as_str())));
    lost.extend(twice("wheel", catalog.uv.wheels.iter().map(|row| row.arch.as_str())));
    lost.extend(twice("offer", catalog.offers.iter().map(|row| row.id.as_str())));
    lost.extend(twice("script", catalog.link_scripts.iter().map(|row| row.package.as_str())));
    let beginnings = catalog.unpacks.iter().flat_map(|row| &row.beginnings);
    lost.extend(twice("archive", beginnings.map(String::as_str)));
    assert!(lost.is_empty(), "nobody can reach {lost:#?}");
}

#[test]
fn for_every_build_of_pytorchs_own_index_for_nvidia_one_of_the_general_index_stands_in() {
    let catalog = Catalog::builtin().unwrap();
    let rows = || catalog.builds("pytorch", Manager::Venv).filter(|row| row.kind == "cuda");
    for own in rows().filter(|row| row.torch_backend.is_some()) {
        let stands_in = |row: &Build| {
            row.note.is_some()
                && row.torch_backend.is_none()
                && (&row.cuda, &row.driver) == (&own.cuda, &own.driver)
        };
        assert!(rows().any(stands_in), "{}", own.name);
    }
}
