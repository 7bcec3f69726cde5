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
            let Value::Array(all) = value else { continue };
            for row in all {
                let row = row.as_table().unwrap();
                assert!(is_dated(row), "{}: [[{name}]] {row}", path.display());
                rows += 1;
            }
        }
    }
    assert!(rows > 100, "only {rows} rows were read");
}

fn is_dated(row: &Table) -> bool {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let date: Vec<usize> = text("as_of").split('-').map(str::len).collect();
    text("source").len() > 5 && date == [4, 2, 2]
}
