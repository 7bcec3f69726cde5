//! The program answers for NVIDIA's library in a process of its own, where it is called so.
#![allow(clippy::disallowed_types, clippy::unwrap_used, reason = "tests look from outside")]

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Output};

const STUB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/support/nvml/stub.c");

/// What the program answers with a library that is made of the stub with these settings.
fn answer(settings: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libnvidia-ml.so.1");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).args(settings).arg(STUB);
    assert!(compiler.status().expect("cc is there, as for linking this test").success());
    asked(folder.path())
}

fn asked(folder: &Path) -> Output {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin("aitk"));
    program.arg0("aitk-nvml").env_clear().env("LD_LIBRARY_PATH", folder).output().unwrap()
}

fn said(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn it_says_what_the_library_says() {
    let output = answer(&[]);
    assert!(output.status.success());
    let said = said(&output);
    assert_eq!(said["Ok"]["driver"], "580.95.05");
    assert_eq!(said["Ok"]["devices"][0]["memory"], 12_u64 << 30);
    // NVML_ERROR_LIB_RM_VERSION_MISMATCH
    assert_eq!(self::said(&answer(&["-DINIT=18"]))["Err"], "mismatch");
}

#[test]
fn a_library_that_crashes_takes_that_process_along_and_leaves_no_image_of_it() {
    let output = answer(&["-DCRASH=1"]);
    assert_eq!(output.status.signal(), Some(11));
    assert!(!output.status.core_dumped());
    assert!(output.stdout.is_empty());
}

#[test]
fn it_says_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    // A machine with a driver has one on the loader's own path.
    let said = said(&asked(folder.path()));
    assert!(said["Err"] == "missing" || said["Ok"].is_object(), "{said}");
}
