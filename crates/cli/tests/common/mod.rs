//! What the tests of the command line share.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::path::{Path, PathBuf};
use std::process::Output;

/// The program in a home folder of its own, with nothing of the caller's environment.
///
/// Only commands that change nothing are run here: `apply` is tested in root file systems of its own, by
/// `tests/fresh-machine`.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn aitk(&self, args: &[&str]) -> Output {
        assert!(!args.contains(&"apply"), "never on the machine that runs the tests");
        assert_cmd::Command::cargo_bin("aitk")
            .unwrap()
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/bin:/bin")
            // A source that refuses at once: no test of the command line needs one.
            .env("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
            .env("AITK_CHANNEL", "http://127.0.0.1:9/conda-forge")
            .args(args)
            .output()
            .unwrap()
    }
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub fn machine(name: &str) -> String {
    repository().join("tests/machines").join(name).to_string_lossy().into_owned()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
