//! `aitk detect --capture` on the machine that runs the tests.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

mod common;

use common::{Home, text};
use serde_json::Value;

fn facts(json: &[u8]) -> Value {
    let mut value: Value = serde_json::from_slice(json).unwrap();
    let mut facts = value["data"].take();
    // What differs from one look to the next.
    for (fact, part) in [("memory", "available"), ("sources", ""), ("date", "")] {
        match part {
            "" => _ = facts.as_object_mut().unwrap().remove(fact),
            part => _ = facts[fact].as_object_mut().unwrap().remove(part),
        }
    }
    for disk in facts["disks"].as_array_mut().unwrap() {
        disk.as_object_mut().unwrap().retain(|name, _| !name.starts_with("free"));
    }
    facts
}

#[test]
fn a_recording_of_this_machine_tells_the_same_facts_and_not_whose_it_is() {
    let home = Home::new();
    let folder = home.path().join("recording");
    let folder = folder.to_str().unwrap();
    let output = home.aitk(&["detect", "--capture", folder, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stderr);
    assert!(told.contains("recorded in"), "{told}");
    assert!(!told.contains("does not tell"), "{told}");
    let replayed = home.aitk(&["detect", "--machine", folder, "--json"]);
    let (live, replayed) = (facts(&output.stdout), facts(&replayed.stdout));
    // The home folder of this test is named after nobody, but the machine has a name.
    let user = home.path().file_name().unwrap().to_str().unwrap();
    let expected = live.to_string().replace(&format!("/{user}"), "/user");
    assert_eq!(replayed, serde_json::from_str::<Value>(&expected).unwrap());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for secret in [user, host.trim()].into_iter().filter(|secret| secret.len() >= 4) {
        let found =
            std::process::Command::new("grep").args(["-rIlw", secret, folder]).output().unwrap();
        // Lists of files and packages may have a word of the same letters.
        let places = text(&found.stdout);
        let places: Vec<_> =
            places.lines().filter(|path| !path.contains("/var/lib/dpkg/")).collect();
        assert!(places.is_empty(), "{secret} is still in {places:?}");
    }
    // Nothing is overwritten.
    let again = home.aitk(&["detect", "--capture", folder]);
    assert_eq!(again.status.code(), Some(1));
}
