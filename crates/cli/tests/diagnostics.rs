//! `docs/diagnostics.md` lists every code that the sources use, and no other.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

/// Every `AITK-` code in a text.
fn codes(text: &str) -> BTreeSet<String> {
    text.match_indices("AITK-")
        .map(|(at, _)| text[at..].chars().take(8).collect::<String>())
        .filter(|code| code.len() == 8 && code[6..].chars().all(|c| c.is_ascii_digit()))
        .collect()
}

fn sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.extend(codes(&std::fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn every_code_is_documented_and_every_documented_code_is_used() {
    let root = common::repository();
    let mut used = BTreeSet::new();
    for entry in std::fs::read_dir(root.join("crates")).unwrap() {
        sources(&entry.unwrap().path().join("src"), &mut used);
    }
    // What the doctor finds is data.
    used.extend(codes(&std::fs::read_to_string(root.join("profiles/doctor.toml")).unwrap()));
    let documented = codes(&std::fs::read_to_string(root.join("docs/diagnostics.md")).unwrap());
    assert!(used.len() > 40, "the sources were not read: {used:?}");
    assert_eq!(used, documented);
}
