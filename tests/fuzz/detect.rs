//! Detection and the doctor on a machine whose files, lists, links and commands say what a fuzzer likes.
#![no_main]

#[path = "../../crates/detect/tests/hostile/mod.rs"]
mod hostile;

use std::path::Path;
use std::sync::OnceLock;

use aitk_detect::{Tables, detect, examine};
use aitk_system::Replay;
use hostile::Hostile;
use libfuzzer_sys::fuzz_target;

static MACHINES: OnceLock<Vec<std::path::PathBuf>> = OnceLock::new();
static TABLES: OnceLock<Tables> = OnceLock::new();

fn machines() -> Vec<std::path::PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../machines"));
    let entries = std::fs::read_dir(folder).expect("tests/machines").flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.join("answers.json").exists()).collect();
    folders.sort();
    folders
}

fuzz_target!(|data: &[u8]| {
    let [first, share, seed @ .., _] = data else { return };
    let machines = MACHINES.get_or_init(machines);
    let inner = Replay::open(&machines[usize::from(*first) % machines.len()]).expect("a machine");
    let (seed, nonsense) = seed.split_at(seed.len().min(8));
    let mut number = [0; 8];
    number[..seed.len()].copy_from_slice(seed);
    let system = Hostile {
        inner,
        seed: u64::from_le_bytes(number),
        share: u64::from(*share % 101),
        nonsense: nonsense.to_vec(),
    };
    // Probes run in threads: libFuzzer's panic hook ends the process wherever one panics.
    let tables = TABLES.get_or_init(Tables::default);
    let _ = examine(&system, &detect(&system, tables).machine, tables, None, None);
});
