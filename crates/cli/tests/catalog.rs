//! Every row of the catalog says where it comes from, and when that was true.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

mod common;

use toml::{Table, Value};

#[test]
fn every_row_of_the_catalog_has_a_source_and_a_date() {
    let folder = common::repository().join("profiles/catalog");
    let mut rows = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let table: Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        // A table of one row has its source at the top.
        if is_dated(&table) {
            rows += 1;
            continue;
        }
        for (name, value) in &table {
            for row in rows_of(value) {
                assert!(is_dated(row), "{}: [[{name}]] {row}", path.display());
                rows += 1;
            }
        }
    }
    assert!(rows > 100, "only {rows} rows were read");
}

/// The rows of a kind: several, or the only one.
fn rows_of(kind: &Value) -> Vec<&Table> {
    match kind {
        Value::Array(all) => all.iter().filter_map(Value::as_table).collect(),
        other => other.as_table().into_iter().collect(),
    }
}

/// A key that no source reads is a promise that nobody keeps.
#[test]
fn every_key_and_every_kind_of_row_is_read() {
    let root = common::repository();
    let mut sources = String::new();
    read_sources(&root.join("crates"), &mut sources);
    let mut looked_at = 0;
    for entry in std::fs::read_dir(root.join("profiles/catalog")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let table: Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        for (kind, value) in &table {
            let keys = rows_of(value).into_iter().flat_map(Table::keys);
            for key in keys.chain([kind]) {
                looked_at += 1;
                assert!(is_read(&sources, key), "{}: nobody reads `{key}`", path.display());
            }
        }
    }
    assert!(looked_at > 1000, "only {looked_at} keys were looked at");
}

/// Whether a field is read, or bound where a row is taken apart, or renamed from a key.
fn is_read(sources: &str, key: &str) -> bool {
    let ends = |at: usize| !sources[at..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let field = format!(".{key}");
    let mut read = sources.match_indices(&field).map(|(at, found)| at + found.len());
    read.any(ends) || sources.contains(&format!("rename = \"{key}\""))
}

fn read_sources(folder: &std::path::Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_test {
            read_sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !is_test {
            *all += &std::fs::read_to_string(path).unwrap();
        }
    }
}

fn is_dated(row: &Table) -> bool {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let date: Vec<usize> = text("as_of").split('-').map(str::len).collect();
    text("source").len() > 5 && date == [4, 2, 2]
}
