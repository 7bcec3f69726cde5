//! A lock in either form that a stranger sent.
#![no_main]

mod common;

use aitk_env::read_locks;
use aitk_system::Real;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [form, text @ ..] = data else { return };
    let path = common::lay(if form % 2 == 0 { "pylock.toml" } else { "pixi.lock" }, text);
    if let Ok(locks) = read_locks(&path, &Real, common::machine()) {
        let _ = (locks.environment.digest(), locks.to_text());
    }
});
