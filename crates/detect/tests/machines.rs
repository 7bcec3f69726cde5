//! Every machine in `tests/machines` is detected as its `expected.json` says. A new machine is a
//! new folder.

use std::collections::BTreeMap;
use std::path::Path;

use aitk_detect::{Machine, Tables, detect};
use aitk_system::{Real, Replay, System};
use serde_json::{Value, json};

const MACHINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machines");

#[test]
fn every_machine_is_detected_as_expected() {
    let machines = Path::new(MACHINES);
    let mut differences = Vec::new();
    let mut seen = 0;
    for name in Real.list(machines).unwrap() {
        let folder = machines.join(&name);
        // The folder of machines holds a README as well.
        if Real.stat(&folder.join("answers.json")).is_ok() {
            seen += 1;
            differences
                .extend(differences_of(&folder).into_iter().map(|at| format!("{name}: {at}")));
        }
    }
    assert!(seen >= 60, "only {seen} machines in {MACHINES}");
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
}

#[test]
fn every_fact_says_where_it_comes_from() {
    for name in ["rtx3060-driver-580", "mi300x", "wsl2-nvidia", "jetson-orin-nano-jp6.2"] {
        let found =
            detect(&Replay::open(&Path::new(MACHINES).join(name)).unwrap(), &Tables::default());
        let facts = serde_json::to_value(&found.machine).unwrap();
        for (fact, value) in facts.as_object().unwrap() {
            // The clock, a folder that is there or not, and what is empty have no source to name.
            let plain = ["sources", "date", "systemd"].contains(&fact.as_str());
            if plain || value.is_null() || *value == json!([]) {
                continue;
            }
            let prefix = fact.as_str();
            let told =
                found.machine.sources.keys().any(|key| key.split('.').next() == Some(prefix));
            assert!(told, "{name}: nothing says where `{fact}` comes from");
        }
    }
}

/// What was found and is not expected, a line for each fact.
fn differences_of(folder: &Path) -> Vec<String> {
    let found =
        detect(&Replay::open(folder).expect("answers.json can be read"), &Tables::default());
    let codes: Vec<_> = found.notes.iter().map(|note| note.code.as_str()).collect();
    // Where facts come from is a test of its own.
    let machine = Machine { sources: BTreeMap::new(), ..found.machine };
    let mut found = json!({ "machine": machine, "notes": codes });
    found["machine"].as_object_mut().map(|facts| facts.remove("sources"));
    // Most machines tell everything, and need no file to say that there are no notes.
    let notes = read(&folder.join("notes.json")).unwrap_or_else(|| json!([]));
    let machine = read(&folder.join("expected.json")).expect("a machine has an expected.json");
    let mut differences = Vec::new();
    compare("", &found, &json!({ "machine": machine, "notes": notes }), &mut differences);
    differences
}

fn read(path: &Path) -> Option<Value> {
    Some(serde_json::from_slice(&Real.read(path).ok()?).expect("it is JSON"))
}

fn compare(at: &str, found: &Value, expected: &Value, differences: &mut Vec<String>) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let names =
                found.keys().chain(expected.keys().filter(|name| !found.contains_key(*name)));
            for name in names {
                let of = |object: &serde_json::Map<String, Value>| object.get(name).cloned();
                let (found, expected) = (of(found), of(expected));
                match (found, expected) {
                    (Some(found), Some(expected)) => {
                        compare(&format!("{at}/{name}"), &found, &expected, differences);
                    }
                    (found, _) => {
                        let side = if found.is_some() { "found" } else { "expected" };
                        differences.push(format!("{at}/{name} is only {side}"));
                    }
                }
            }
        }
        (found, expected) if found == expected => {}
        (found, expected) => differences.push(format!("{at}: found {found}, expected {expected}")),
    }
}
