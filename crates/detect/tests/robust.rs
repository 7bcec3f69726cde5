//! No probe panics or hangs, whatever a machine answers.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "trees are made by hand")]

mod hostile;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use aitk_detect::{Tables, detect};
use aitk_system::{Real, Replay, System};
use hostile::Hostile;
use proptest::prelude::*;

const MACHINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machines");

/// Probes run in threads whose panics would only cost a fact: they are counted here.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        before(info);
    }));
}

fn machines() -> Vec<PathBuf> {
    let folders = Real.list(Path::new(MACHINES)).unwrap().into_iter();
    let folders = folders.map(|name| Path::new(MACHINES).join(name));
    folders.filter(|folder| Real.stat(&folder.join("answers.json")).is_ok()).collect()
}

#[test]
fn nonsense_costs_facts_and_nothing_else() {
    let machines = machines();
    assert!(machines.len() >= 40);
    count_panics();
    let config =
        ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let wishes =
        (0..machines.len(), any::<u64>(), 1..100_u64, prop::collection::vec(any::<u8>(), 0..300));
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&wishes, |(machine, seed, share, nonsense)| {
            let inner = Replay::open(&machines[machine]).unwrap();
            let found = detect(&Hostile { inner, seed, share, nonsense }, &Tables::default());
            prop_assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a probe panicked");
            let json = serde_json::to_string(&found.machine).unwrap();
            let again: aitk_detect::Machine = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(again.gpus.len(), found.machine.gpus.len());
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_tree_may_hold_anything() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let put = |path: &str, bytes: &[u8]| Real.write(&root.join(path), bytes, 0o644).unwrap();
    // Links that lead to themselves, out of the tree, and far up.
    Real.symlink(Path::new("os-release"), &root.join("etc/os-release")).unwrap();
    Real.symlink(Path::new("/etc/passwd"), &root.join("usr/lib/os-release")).unwrap();
    Real.symlink(Path::new("../../../../../../etc/shadow"), &root.join("etc/wsl.conf")).unwrap();
    put("proc/cpuinfo", &[0xff; 5000]);
    put("proc/self/status", b"");
    put("proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n".repeat(20_000).as_bytes());
    // A file that says that it is huge.
    std::fs::File::create(root.join("proc/swaps")).unwrap().set_len(1 << 40).unwrap();
    let found = detect(&Replay::tree(root), &Tables::default());
    assert_eq!(found.machine.os.id, "linux", "the host's own files do not shine through");
    assert_eq!(found.machine.cpu.model, None);
    assert_eq!(found.machine.memory.zram, None);
}

#[test]
fn what_a_machine_answers_says_something_and_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        Real.write(&folder.path().join("root").join(path), text.as_bytes(), 0o644).unwrap();
    };
    let hostile = "x\u{1b}]0;t\u{7}\u{202e}\u{9b}2J\u{200b}";
    put(
        "etc/os-release",
        &format!("ID=\"{hostile}\"\nPRETTY_NAME=\"{hostile}\"\nVERSION_ID={hostile}\n"),
    );
    put("proc/cpuinfo", &format!("processor\t: 0\nmodel name\t: {hostile}\nflags\t: {hostile}\n"));
    put("proc/sys/kernel/osrelease", &format!("{hostile}{}", "9".repeat(5000)));
    put("sys/class/dmi/id/sys_vendor", hostile);
    put("sys/class/dmi/id/product_name", hostile);
    put("etc/nv_tegra_release", hostile);
    put("proc/device-tree/model", hostile);
    let device = "sys/bus/pci/devices/0000:01:00.0";
    for (file, text) in [("class", "0x030200\n"), ("vendor", "0x10de\n"), ("device", "0x2330\n")] {
        put(&format!("{device}/{file}"), text);
    }
    let answers = serde_json::json!({
        "schema": 1, "env": { "LANG": hostile },
        "nvml": { "Ok": { "driver": hostile, "cuda": 13_000, "devices": [{ "bus": "0000:01:00.0", "name": hostile, "parts": [] }] } },
        "commands": { "ldd --version": { "status": 0, "stdout": format!("ldd ({hostile}) 2.{hostile}\n"), "stderr": "" } },
    });
    Real.write(&folder.path().join("answers.json"), answers.to_string().as_bytes(), 0o644).unwrap();
    let found = detect(&Replay::open(folder.path()).unwrap(), &Tables::default());
    assert_eq!(found.machine.os.name, "x\u{fffd}]0;t\u{fffd}\u{fffd}\u{fffd}2J\u{fffd}");
    assert_eq!(found.machine.kernel.as_deref().map(|text| text.chars().count()), Some(1000));
    let told = serde_json::to_string(&(&found.machine, &found.notes)).unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(acting(&told), None);
}

/// A text in which something acts.
fn acting(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => {
            text.chars().any(aitk_system::acts).then(|| text.clone())
        }
        serde_json::Value::Array(all) => all.iter().find_map(acting),
        serde_json::Value::Object(all) => all.values().find_map(acting),
        _ => None,
    }
}

#[test]
fn a_recording_is_a_folder_that_leads_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let answers = folder.path().join("answers.json");
    Real.write(&answers, b"{\"schema\":1}", 0o644).unwrap();
    assert!(Replay::open(folder.path()).is_ok(), "it need not have files");
    Real.symlink(Path::new("/"), &folder.path().join("root")).unwrap();
    let error = Replay::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("root is no folder of the recording"), "{error}");
    Real.remove(&folder.path().join("root")).unwrap();
    Real.write(&answers, "[".repeat(1 << 20).as_bytes(), 0o644).unwrap();
    assert!(Replay::open(folder.path()).is_err(), "nothing is nested so deep");
    std::fs::File::create(&answers).unwrap().set_len(33 << 20).unwrap();
    let error = Replay::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
}

#[test]
fn times_of_any_year_are_none_that_a_kept_answer_is_younger_than() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let made = std::fs::File::create(&file).unwrap();
    let far = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 36);
    // Not every file system keeps such a time.
    if made.set_modified(far).is_ok() {
        assert!(Real.stat(&file).unwrap().mtime > 0);
    }
}

#[test]
fn ten_thousand_devices_and_sixty_four_gpus_are_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let devices = folder.path().join("sys/bus/pci/devices");
    for number in 0..10_000_u32 {
        let is_gpu = number % 157 == 0;
        let place = devices.join(format!("{:04x}:{:02x}:00.0", number / 256, number % 256));
        std::fs::create_dir_all(&place).unwrap();
        let class = if is_gpu { "0x030200\n" } else { "0x028000\n" };
        for (file, text) in [("class", class), ("vendor", "0x10de\n"), ("device", "0x2330\n")] {
            std::fs::write(place.join(file), text).unwrap();
        }
    }
    let found = detect(&Replay::tree(folder.path()), &Tables::default());
    assert_eq!(found.machine.gpus.len(), 64);
    assert!(found.machine.gpus.iter().all(|gpu| gpu.architecture.as_deref() == Some("hopper")));
}
