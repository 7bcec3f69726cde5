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
