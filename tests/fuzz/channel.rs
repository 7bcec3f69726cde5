//! A conda channel that answers with anything: its list of packages, and what is solved with it.
#![no_main]

mod common;

use std::fs;

use aitk_env::{Settings, Site, backend, channels_of};
use aitk_plan::{EnvironmentRequest, LayerRequest, LayerRole, Manager};
use aitk_system::Real;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    common::lay("channel/noarch/repodata.json", data);
    common::lay("channel/linux-64/repodata.json", b"{\"info\": {\"subdir\": \"linux-64\"}, \"packages\": {}, \"packages.conda\": {}}");
    let cache = common::folder().join("cache");
    let _ = fs::remove_dir_all(&cache);
    let settings = Settings {
        data: common::folder().join("data"),
        cache,
        channels: vec![format!("file://{}/channel", common::folder().display())],
        ..Settings::default()
    };
    let log = common::folder().join("log");
    let site = Site {
        system: &Real,
        local: &Real,
        is_local: false,
        machine: common::machine(),
        catalog: common::catalog(),
        settings: &settings,
        local_settings: &settings,
        log: &log,
        dry: false,
    };
    let requirements = vec!["python 3.12.*".into(), "six".into()];
    let layer = LayerRequest { step: "libraries".into(), role: LayerRole::default(), requirements };
    let request = EnvironmentRequest { manager: Manager::Conda, layers: vec![layer], ..EnvironmentRequest::default() };
    if let Ok(lock) = backend(Manager::Conda).solve(&site, &request) {
        let _ = backend(Manager::Conda).accept(&site, &lock, &request);
        let _ = (channels_of(&lock, &settings), lock.digest());
    }
});
