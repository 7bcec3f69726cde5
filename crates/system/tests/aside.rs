//! What is written aside: a process is killed within a write, and the next one clears up after it.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests look from outside, and a child says how far it is"
)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use aitk_system::{Real, System};

const LEFT: [&str; 2] = [".aitk-0123456789abcdef", ".aitk-ABCDEFghijklmnop"];

#[test]
fn what_a_killed_one_has_left_goes_and_what_somebody_still_writes_stays() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The second is still being written, the others are whoever else's.
    let others = [".aitk-config", ".aitk-0123456789abcde", ".aitk-0123456789abcde.", "notes"];
    for name in LEFT.into_iter().chain(others) {
        fs::write(at(name), "half").unwrap();
    }
    fs::create_dir(at(".aitk-0000000000000000")).unwrap();
    symlink("nowhere", at(".aitk-1111111111111111")).unwrap();
    let writing = File::open(at(LEFT[1])).unwrap();
    writing.lock().unwrap();
    Real.write(&at("file"), b"whole", 0o644).unwrap();
    let mut expected = [&others[..], &[LEFT[1], ".aitk-0000000000000000", "file"]].concat();
    expected.sort_unstable();
    assert_eq!(Real.list(folder.path()).unwrap(), expected);
}

/// The process that is killed; in an ordinary run of the tests it does nothing.
#[test]
fn child() {
    if let Ok(path) = std::env::var("ASIDE_CHILD_WRITES") {
        for letter in (b'a'..=b'z').cycle() {
            Real.write(Path::new(&path), &vec![letter; 1 << 20], 0o644).unwrap();
            eprintln!("written");
        }
    }
}

#[test]
fn a_kill_within_a_write_leaves_a_whole_file_and_the_next_write_nothing_else() {
    for round in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
            .env("ASIDE_CHILD_WRITES", &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        (0..=round % 4).for_each(|_| assert_eq!(said.next().unwrap().unwrap(), "written"));
        child.kill().unwrap();
        child.wait().unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 1 << 20);
        assert!(bytes.iter().all(|byte| *byte == bytes[0]));
        Real.write(&path, b"next", 0o644).unwrap();
        assert_eq!(Real.list(folder.path()).unwrap(), ["file"]);
    }
}
