//! What stands in the tables somebody reads.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a test looks from outside"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
