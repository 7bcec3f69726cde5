//! A profile that a stranger wrote, and what is planned of it.
#![no_main]

mod common;

use aitk_plan::Profile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(profile) = Profile::from_toml("profile.toml", text) {
        common::plan(common::machine(), &profile, common::catalog());
    }
});
