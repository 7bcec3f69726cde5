//! What can be wrong with an environment of conda's.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use crate::broken::Helps::{Apply, Deep, GiveBack, Move, Remove};
use crate::broken::{Case, case, cut, hide_a_change, relink, remove, write};
use crate::common::Home;

/// The record of a package.
fn meta(home: &Home, package: &str) -> std::path::PathBuf {
    home.at(&format!("conda-meta/{package}-1.0-0.json"))
}

/// Its interpreter, which is a package's, and what belongs to none.
pub const ITSELF: [Case; 8] = [
    case("Python is gone", Apply, |home| remove(home.at("bin/python"))),
    case("Python is gone: /nowhere", Apply, |home| {
        relink(home.at("bin/python"), "/nowhere/python3");
    }),
    case("Python is gone", Apply, |home| remove(home.at("bin"))),
    case("its interpreter is Python 3.99", Apply, |home| {
        write(home.at("bin/python3.99"), "#!/bin/sh\n");
        relink(home.at("bin/python"), "python3.99");
    }),
    case("bin/python is changed", Apply, |home| relink(home.at("bin/python"), "/bin/true")),
    case("conda-meta/history is gone", Apply, |home| remove(home.at("conda-meta/history"))),
    case("conda-meta", Apply, |home| remove(home.at("conda-meta"))),
    case("is a link to", Apply, |home| {
        let record = meta(home, "six");
        let cached = home.folder.join("cached");
        fs::copy(&record, &cached).unwrap();
        relink(record, &cached.to_string_lossy());
    }),
];

pub const PACKAGES: [Case; 9] = [
    case("six.py is gone", Apply, |home| remove(home.site("six.py"))),
    case("toolz-1.0-0.json", Apply, |home| remove(meta(home, "toolz"))),
    case("six-1.0-0.json", Deep, |home| cut(meta(home, "six"), 60)),
    case("are gone", Apply, |home| remove(home.site(""))),
    case("ownlibrary.py is gone", Apply, |home| remove(home.library("ownlibrary.py"))),
    // It is the same file in the cache, and is as broken there.
    case("six.py is changed", Deep, |home| write(home.site("six.py"), "x = 1\n")),
    case("six.py is changed", Deep, |home| hide_a_change(home.site("six.py"))),
    case("six.cpython", Deep, |home| {
        let mut python = Command::new(home.at("bin/python"));
        assert!(python.args(["-c", "import six"]).env_clear().status().unwrap().success());
        let mut compiled = fs::read_dir(home.site("__pycache__")).unwrap();
        let compiled = compiled.find_map(|file| {
            let path = file.unwrap().path();
            path.to_string_lossy().contains("six.cpython").then_some(path)
        });
        cut(compiled.unwrap(), 100);
    }),
    case("toolz.py is gone", Apply, |home| {
        let list = home.at("aitk-files.txt");
        let text = fs::read_to_string(&list).unwrap();
        fs::write(&list, text.split_once("# libraries").unwrap().0).unwrap();
        remove(home.site("toolz.py"));
    }),
];

pub const ADDITIONS: [Case; 6] = [
    case("more.pth", Remove, |home| write(home.site("more.pth"), "import os\n")),
    case("sitecustomize.py", Remove, |home| write(home.library("sitecustomize.py"), "")),
    case("can hide the module `six`", Remove, |home| write(home.site("six/__init__.py"), "")),
    case("can hide the module `ownlibrary`", Remove, |home| {
        write(home.library("ownlibrary/__init__.py"), "");
    }),
    case("is read by every shell", Remove, |home| {
        write(home.at("etc/conda/activate.d/more.sh"), "export X=1\n");
    }),
    case("bin/ls", Remove, |home| write(home.at("bin/ls"), "#!/bin/sh\n")),
];

/// What aitk notes of it, and the link to it.
pub const NOTES: [Case; 8] = [
    case("what aitk noted", Apply, |home| remove(home.at("aitk-generation.json"))),
    case("what aitk noted", Apply, |home| cut(home.at("aitk-generation.json"), 50)),
    case("pixi.lock is gone", Apply, |home| remove(home.at("pixi.lock"))),
    case("pixi.lock is gone or damaged", Deep, |home| cut(home.at("pixi.lock"), 90)),
    case("six.py is gone", Apply, |home| {
        cut(home.at("pixi.lock"), 90);
        remove(home.site("six.py"));
    }),
    case("no environment `ai`", Apply, |home| remove(home.generation().path().to_owned())),
    case("current does not lead to it", Apply, |home| remove(home.link())),
    case("current does not lead to it", Move, |home| {
        write(home.folder.join("mine/file"), "mine");
        relink(home.link(), &home.folder.join("mine").to_string_lossy());
    }),
];

/// What stands beside it.
pub const BESIDE: [Case; 2] = [
    case("kernel.json is not there", Apply, |home| remove(home.kernel())),
    case("kernel.json says something else", Apply, |home| cut(home.kernel(), 20)),
];

/// What only the owner can give back; who runs the tests without root owns all.
pub const OWNERS: [Case; 2] = [
    case("conda-meta belongs to another user", GiveBack, |home| {
        chown(home.at("conda-meta"), Some(1), None).unwrap();
    }),
    case("belongs to another user", GiveBack, |home| {
        chown(home.generation().path(), Some(1), None).unwrap();
        remove(home.site("six.py"));
    }),
];
