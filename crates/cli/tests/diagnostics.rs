//! `docs/diagnostics.md` lists every code that the sources use, and no other; `docs/security.md` names tests that there are.
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

/// What every file of Rust below a folder says.
fn sources(folder: &Path) -> Vec<String> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false if path.extension().is_some_and(|ending| ending == "rs") => {
                vec![std::fs::read_to_string(path).unwrap()]
            }
            false => Vec::new(),
        })
        .collect()
}

#[test]
fn every_code_is_documented_and_every_documented_code_is_used() {
    let root = common::repository();
    let mut used = BTreeSet::new();
    for entry in std::fs::read_dir(root.join("crates")).unwrap() {
        used.extend(
            sources(&entry.unwrap().path().join("src")).iter().flat_map(|text| codes(text)),
        );
    }
    // What the doctor finds is data.
    used.extend(codes(&std::fs::read_to_string(root.join("profiles/doctor.toml")).unwrap()));
    let documented = codes(&std::fs::read_to_string(root.join("docs/diagnostics.md")).unwrap());
    assert!(used.len() > 40, "the sources were not read: {used:?}");
    assert_eq!(used, documented);
}

#[test]
fn every_test_that_the_page_on_security_names_is_there() {
    let root = common::repository();
    let page = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let rust = sources(&root.join("crates")).concat();
    let (mut tests, mut cases) = (0, 0);
    let rows = || page.lines().filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    for row in rows() {
        let shown = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for line in shown.split('"').skip(1).step_by(2).filter(|_| shown.contains("line")) {
            let found = rows().any(|row| row.starts_with(&format!("| {line}")));
            assert!(found, "there is no line {line:?}");
        }
        let mut before = "";
        for (at, part) in shown.split('`').enumerate() {
            if at % 2 == 0 {
                before = part;
            } else if part.matches('_').count() >= 2 {
                let name = part.rsplit("::").next().unwrap();
                let found = match name.strip_suffix('…') {
                    Some(begin) => rust.contains(&format!("fn {begin}")),
                    None => rust.contains(&format!("fn {name}(")),
                };
                assert!(found, "there is no test {name}");
                tests += 1;
            } else if before.contains("case") || (before == ", " && !part.contains([':', '.'])) {
                let case = format!("tests/fresh-machine/cases/{part}.sh");
                assert!(root.join(&case).exists(), "there is no {case}");
                cases += 1;
            }
        }
    }
    assert!(tests > 80 && cases > 20, "the page was not read: {tests} tests, {cases} cases");
}
