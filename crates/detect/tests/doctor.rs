//! Every machine in `tests/machines` has the findings that its `findings.json` names, and no other; without such a
//! file it has none. A new machine is a new folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use aitk_detect::{Finding, Tables, detect, examine, looked_at};
use aitk_system::{Command, Real, Replay, System};

const MACHINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machines");

/// What is found on every machine of the gallery.
fn gallery() -> BTreeMap<String, Vec<Finding>> {
    let machines = Path::new(MACHINES);
    let names = Real.list(machines).unwrap();
    // The folder of machines holds a README as well.
    let names = names
        .into_iter()
        .filter(|name| Real.stat(&machines.join(name).join("answers.json")).is_ok());
    names
        .map(|name| {
            let system = Replay::open(&machines.join(&name)).expect("answers.json can be read");
            let tables = Tables::default();
            let found = examine(&system, &detect(&system, &tables).machine, &tables, None);
            (name, found)
        })
        .collect()
}

#[test]
fn every_machine_has_the_findings_that_are_expected() {
    let mut differences = Vec::new();
    let gallery = gallery();
    assert!(gallery.len() >= 40, "only {} machines in {MACHINES}", gallery.len());
    for (name, found) in &gallery {
        let codes: Vec<_> = found.iter().map(|finding| finding.code.clone()).collect();
        let expected = Real.read(&Path::new(MACHINES).join(name).join("findings.json"));
        let expected: Vec<String> = expected.map_or_else(
            |_| Vec::new(),
            |json| serde_json::from_slice(&json).expect("findings.json is a list of codes"),
        );
        if codes != expected {
            let why: Vec<_> =
                found.iter().map(|one| format!("{} {:?}", one.code, one.evidence)).collect();
            differences
                .push(format!("{name}: found {}\n  expected {expected:?}", why.join("\n  ")));
        }
    }
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
}

#[test]
fn every_finding_has_a_machine_that_triggers_it_and_one_that_does_not() {
    let gallery = gallery();
    let mut triggered: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in gallery.values().flatten() {
        *triggered.entry(&finding.code).or_default() += 1;
    }
    let all: BTreeSet<_> = (1..=looked_at()).map(|number| format!("AITK-H{number:02}")).collect();
    let missing: Vec<_> =
        all.iter().filter(|code| !triggered.contains_key(code.as_str())).collect();
    assert!(missing.is_empty(), "no machine triggers {missing:?}");
    let always: Vec<_> = triggered.iter().filter(|(_, count)| **count == gallery.len()).collect();
    assert!(always.is_empty(), "every machine triggers {always:?}");
}

#[test]
fn a_finding_says_what_was_seen_and_what_to_do_and_shows_no_placeholder() {
    for (name, found) in gallery() {
        for finding in found {
            assert!(finding.evidence.iter().all(|line| !line.is_empty()), "{name}: {finding:?}");
            let words = finding.remedy.join("\n");
            assert!(!words.contains("{kernel}") && !words.contains("{env}"), "{name}: {words}");
        }
    }
}

#[test]
fn what_is_to_be_pasted_is_shell() {
    let mut lines = BTreeMap::new();
    for finding in gallery().into_values().flatten() {
        lines.insert(finding.code, finding.remedy.join("\n"));
    }
    for (code, script) in lines {
        let check = Command::reads(["sh", "-n", "-c", &script]).timeout(Duration::from_secs(10));
        let output = (&Real as &dyn System).run(&check).unwrap();
        assert!(output.success(), "{code}: {}", output.tail(3));
    }
}
