//! What the targets have at hand: a folder of their own in memory, a machine, and the tables.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aitk_detect::{Machine, detect};
use aitk_plan::{Catalog, Choices, Manager, Profile};
use aitk_system::Replay;

/// A folder of this process' own, in memory where the host has any for that.
#[allow(dead_code, reason = "not every target needs it")]
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let above = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = above.join(format!("aitk-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder of its own");
        folder
    })
}

/// Lays a file into that folder, whose path there is this one.
#[allow(dead_code, reason = "not every target needs it")]
pub fn lay(path: &str, content: &[u8]) -> PathBuf {
    let place = folder().join(path);
    fs::create_dir_all(place.parent().expect("a folder")).expect("its folder");
    fs::write(&place, content).expect("a file");
    place
}

/// The folder as a machine of its own.
#[allow(dead_code, reason = "not every target needs it")]
pub fn tree() -> Arc<Replay> {
    Arc::new(Replay::tree(folder()))
}

/// The tables of the program.
#[allow(dead_code, reason = "not every target needs it")]
pub fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog::builtin().expect("the tables"))
}

/// A machine of the tests.
#[allow(dead_code, reason = "not every target needs it")]
pub fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../machines/ubuntu-24.04-laptop"));
        let recording = Replay::open(folder).expect("a machine");
        detect(&recording, &catalog().tables).machine
    })
}

/// Plans for a machine, all the way to the text that is saved.
#[allow(dead_code, reason = "not every target needs it")]
pub fn plan(machine: &Machine, profile: &Profile, catalog: &Catalog) {
    for manager in [Manager::Conda, Manager::Venv] {
        let drivers = Choices { drivers: true, ..Choices::default() };
        for choices in [Choices::default(), drivers] {
            let mut plan = aitk_plan::plan(machine, profile, &choices, manager, catalog);
            aitk_plan::conclude(&mut plan, machine);
            let _ = serde_json::to_string(&plan).expect("a plan is JSON");
        }
    }
}
