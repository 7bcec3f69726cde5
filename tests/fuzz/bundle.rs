//! A bundle that a stranger sent. Nothing of it may come to lie outside of the cache.
#![no_main]

mod common;

use std::fs;

use aitk_env::{EnvError, Settings, open_bundle};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let path = common::lay("sent/bundle", data);
    let beside = || fs::read_dir(common::folder()).expect("the folder").count();
    let cache = common::folder().join("cache");
    fs::create_dir_all(&cache).expect("the cache");
    let before = beside();
    let settings = Settings { data: common::folder().join("data"), cache: cache.clone(), ..Settings::default() };
    let _ = open_bundle(&path, &settings, Ok::<_, EnvError>);
    assert_eq!(beside(), before, "something lies beside the cache");
    fs::remove_dir_all(&cache).expect("the cache");
});
