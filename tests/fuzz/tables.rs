//! Rows of a catalog that came from elsewhere, and what is planned with them.
#![no_main]

mod common;

use aitk_detect::Tables;
use aitk_plan::{Catalog, Profile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(overlay) = toml::from_str(text) else { return };
    let Ok(catalog) = Tables::with(overlay).map_err(drop).and_then(|tables| Catalog::with(tables).map_err(drop)) else {
        return;
    };
    common::plan(common::machine(), &Profile::builtin("workstation").expect("a profile"), &catalog);
});
