//! Ways to break something, and what is said of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::common::Home;

/// What is said to help.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Helps {
    Apply,
    /// `aitk apply --deep`: only who reads all files sees it.
    Deep,
    /// Taking something away.
    Remove,
    /// Moving something of the user's away.
    Move,
    GiveBack,
    /// Writing lines into a file of the user's.
    Edit,
}

pub struct Case {
    /// What is broken.
    pub breaks: fn(&Home),
    /// What is said of it.
    pub says: &'static str,
    pub helps: Helps,
}

pub const fn case(says: &'static str, helps: Helps, breaks: fn(&Home)) -> Case {
    Case { breaks, says, helps }
}

pub fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub fn relink(path: PathBuf, target: &str) {
    let _ = fs::remove_file(&path);
    symlink(target, path).unwrap();
}

pub fn cut(path: PathBuf, size: usize) {
    let bytes = fs::read(&path).unwrap();
    assert!(size < bytes.len());
    fs::write(path, &bytes[..size]).unwrap();
}

/// Changes one letter and nothing else: neither the size nor the time.
pub fn hide_a_change(path: PathBuf) {
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
}

pub fn remove(path: PathBuf) {
    let is_folder = fs::symlink_metadata(&path).unwrap().is_dir();
    if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
}
