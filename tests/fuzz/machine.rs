//! The JSON of a machine that a stranger sent, and what is planned for it.
#![no_main]

mod common;

use std::sync::OnceLock;

use aitk_detect::Machine;
use aitk_plan::Profile;
use libfuzzer_sys::fuzz_target;

static PROFILES: OnceLock<Vec<Profile>> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let builtin = || ["low", "workstation"].map(|name| Profile::builtin(name).expect("a profile")).into();
    if let Ok(machine) = serde_json::from_slice::<Machine>(data) {
        for profile in PROFILES.get_or_init(builtin) {
            common::plan(&machine, profile, common::catalog());
        }
    }
});
