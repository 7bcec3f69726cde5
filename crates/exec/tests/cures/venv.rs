//! What can be wrong with a virtual environment, and beside one of either manager.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use crate::broken::Helps::{Apply, Deep, GiveBack, Move, Remove};
use crate::broken::{Case, case, cut, hide_a_change, relink, remove, write};

/// Its interpreter, and all else that belongs to no package.
pub const ITSELF: [Case; 9] = [
    case("Python is gone", Apply, |home| remove(home.at("bin/python"))),
    case("Python is gone: /nowhere", Apply, |home| {
        relink(home.at("bin/python"), "/nowhere/python3");
    }),
    case("Python is gone", Apply, |home| remove(home.at("bin"))),
    case("its interpreter is Python 3.99", Apply, |home| {
        let other = home.folder.join("python3.99");
        write(other.clone(), "#!/bin/sh\n");
        relink(home.at("bin/python"), &other.to_string_lossy());
    }),
    case("bin/python is changed", Apply, |home| relink(home.at("bin/python"), "/bin/true")),
    case("pyvenv.cfg is gone", Apply, |home| remove(home.at("pyvenv.cfg"))),
    case("pyvenv.cfg is changed", Deep, |home| write(home.at("pyvenv.cfg"), "home = /\n")),
    case("bin/activate is changed", Deep, |home| hide_a_change(home.at("bin/activate"))),
    case("is a link to", Apply, |home| {
        let record = home.site("six-1.0.dist-info/RECORD");
        let cached = home.folder.join("cached");
        fs::copy(&record, &cached).unwrap();
        relink(record, &cached.to_string_lossy());
    }),
];

pub const PACKAGES: [Case; 7] = [
    case("six.py is gone", Apply, |home| remove(home.site("six.py"))),
    case("toolz-1.0.dist-info/RECORD", Apply, |home| {
        remove(home.site("toolz-1.0.dist-info"));
    }),
    case("more are gone", Apply, |home| remove(home.site(""))),
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
    // A list of files that was cut tells nothing any more.
    case("toolz.py is gone", Apply, |home| {
        let list = home.at("aitk-files.txt");
        let text = fs::read_to_string(&list).unwrap();
        fs::write(&list, text.split_once("# libraries").unwrap().0).unwrap();
        remove(home.site("toolz.py"));
    }),
];

pub const ADDITIONS: [Case; 6] = [
    case("more.pth", Remove, |home| write(home.site("more.pth"), "import os\n")),
    case("sitecustomize.py", Remove, |home| write(home.site("sitecustomize.py"), "")),
    case("can hide the module `six`", Remove, |home| {
        write(home.site("six/__init__.py"), "");
    }),
    case("six-99.0.dist-info", Remove, |home| {
        write(home.site("six-99.0.dist-info/METADATA"), "Name: six\n");
    }),
    case("~ix-1.0.dist-info", Remove, |home| {
        write(home.site("~ix-1.0.dist-info/METADATA"), "Name: six\n");
    }),
    case("bin/ls", Remove, |home| write(home.at("bin/ls"), "#!/bin/sh\n")),
];

/// What aitk notes of it, and the link to it.
pub const NOTES: [Case; 11] = [
    case("what aitk noted", Apply, |home| remove(home.at("aitk-generation.json"))),
    case("what aitk noted", Apply, |home| cut(home.at("aitk-generation.json"), 50)),
    case("pylock.toml is gone", Apply, |home| remove(home.at("pylock.toml"))),
    case("pylock.toml is gone or damaged", Deep, |home| cut(home.at("pylock.toml"), 90)),
    case("six.py is gone", Apply, |home| {
        cut(home.at("pylock.toml"), 90);
        remove(home.site("six.py"));
    }),
    case("what aitk noted", Apply, |home| {
        remove(home.at("pylock.toml"));
        remove(home.at("aitk-generation.json"));
    }),
    case("no environment `ai`", Apply, |home| remove(home.generation().path().to_owned())),
    case("current does not lead to it", Apply, |home| remove(home.link())),
    case("current does not lead to it", Apply, |home| {
        relink(home.link(), "0123456789abcdef");
    }),
    case("current does not lead to it", Move, |home| {
        write(home.folder.join("mine/file"), "mine");
        relink(home.link(), &home.folder.join("mine").to_string_lossy());
    }),
    case("current does not lead to it", Move, |home| {
        remove(home.link());
        write(home.link().join("file"), "mine");
    }),
];

/// What stands beside it.
pub const BESIDE: [Case; 8] = [
    case("kernel.json is not there", Apply, |home| remove(home.kernel())),
    case("kernel.json is not there", Apply, |home| remove(home.folder.join("jupyter"))),
    case("kernel.json says something else", Apply, |home| cut(home.kernel(), 20)),
    case("kernel.json says something else", Move, |home| {
        write(home.kernel(), r#"{"argv": ["/usr/bin/python3"]}"#);
    }),
    case("there is no uv 9.9.9", Apply, |home| remove(home.uv())),
    case("there is no uv 9.9.9", Apply, |home| cut(home.uv(), 100)),
    case("there is no uv 9.9.9", Apply, |home| remove(home.uv().with_extension("sha256"))),
    case("there is no uv 9.9.9", Deep, |home| hide_a_change(home.uv())),
];

/// What only the owner can give back; who runs the tests without root owns all.
pub const OWNERS: [Case; 2] = [
    case("pyvenv.cfg belongs to another user", GiveBack, |home| {
        chown(home.at("pyvenv.cfg"), Some(1), None).unwrap();
    }),
    case("belongs to another user", GiveBack, |home| {
        chown(home.generation().path(), Some(1), None).unwrap();
        remove(home.site("six.py"));
    }),
];
