//! A saved plan that a stranger sent: its choices, and the picture that is compared with what follows from them here.
#![no_main]

mod common;

use aitk_plan::{Choices, Manager, Profile, differences};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(file) = serde_json::from_slice::<Value>(data) else { return };
    let picture = &file["data"];
    let choices = serde_json::from_value::<Choices>(picture["choices"].clone()).unwrap_or_default();
    let manager = serde_json::from_value::<Manager>(picture["manager"].clone()).unwrap_or(Manager::Venv);
    let profile = Profile::builtin("low").expect("a profile");
    let plan = aitk_plan::plan(common::machine(), &profile, &choices, manager, common::catalog());
    let _ = differences(picture, &plan);
});
