//! The machines of the gallery, by their names.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use aitk_detect::Machine;

pub const MACHINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machines");

pub fn machines() -> BTreeMap<String, Machine> {
    let folders = fs::read_dir(MACHINES).unwrap().map(|entry| entry.unwrap().path());
    let read = |folder: PathBuf| {
        let facts = fs::read(folder.join("expected.json")).unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_slice(&facts).unwrap())
    };
    folders.filter(|path| path.is_dir()).map(read).collect()
}
