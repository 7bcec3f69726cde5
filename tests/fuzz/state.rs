//! The files that aitk keeps, forged or damaged: receipt, journal, and what a generation says of itself.
#![no_main]

mod common;

use std::os::unix::fs::symlink;

use aitk_env::{Depth, Environments};
use aitk_exec::{Receipt, interrupted_run};
use aitk_system::Real;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [which, content @ ..] = data else { return };
    let (folder, run) = (common::folder(), "state/runs/20260101T000000Z");
    let file = ["state/receipt.json", &format!("{run}/journal.jsonl"), "data/envs/ai/x/aitk-generation.json", "data/envs/ai/x/aitk-files.txt"]
        [usize::from(which % 4)].to_owned();
    common::lay(&file, content);
    let _ = symlink("x", folder.join("data/envs/ai/current"));
    let _ = Receipt::load(&folder.join("state"), &Real);
    let _ = interrupted_run(&folder.join("state"), &Real);
    if let Some((generation, _)) = Environments::new(&folder.join("data"), "ai").current(&Real) {
        let _ = (generation.lock(&Real), generation.added(&Real), generation.damage(&Real, None, Depth::Content));
    }
});
