//! What can be wrong with what root has written, and with a shell's own file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aitk_detect::{Machine, VirtualizationKind};
use aitk_plan::step::{AptSource, ShellInit, SwapFile, SystemFile};
use aitk_plan::{Action, Phase, Profile, Step};

use crate::broken::Helps::{Apply, Edit, Move};
use crate::broken::{Case, case, cut, relink, remove, write};
use crate::common::sources::{file, wheel};
use crate::common::{Health, Home, Wheels, index};
use crate::elsewhere::Elsewhere;

const HOLD: &str = "/etc/apt/apt.conf.d/60aitk-test";
const SWAP: &str = "/swapfile";
const NO_SWAP: &str = "Filename Type Size Used Priority\n";
const SOURCE: &str = "/etc/apt/sources.list.d/aitk-test.sources";
const PREFERENCES: &str = "/etc/apt/preferences.d/aitk-test";
const KEY: &str = "/etc/apt/keyrings/aitk-test.asc";
const LISTS: &str = "/var/lib/apt/lists";
const KEYS: [&[u8]; 2] =
    [include_bytes!("../../fixtures/one-key.asc"), include_bytes!("../../fixtures/two-keys.asc")];
const FINGERPRINT: &str = "ACA0A9D7297E80B8B8A7AF3C44EE32AF25422428";

/// Where a file lies, if it is one of root's.
pub fn place(home: &Home, path: &Path) -> PathBuf {
    Elsewhere(home.folder.join("root")).at(path)
}

fn at(home: &Home, path: &str) -> PathBuf {
    place(home, Path::new(path))
}

fn shell_file(home: &Home) -> PathBuf {
    home.folder.join(".bashrc")
}

fn replace(path: PathBuf, from: &str, to: &str) {
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// A home with steps of root's, whose files lie in a folder of it.
pub fn home(folder: &Path) -> Home {
    let mut home = Home::new(folder);
    for (path, text) in [
        ("/etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n"),
        ("/etc/apt/sources.list", "# nothing\n"),
        ("/proc/swaps", NO_SWAP),
        ("/proc/self/mountinfo", "29 1 254:1 / / rw - ext4 /dev/vda1 rw\n"),
    ] {
        write(at(&home, path), text);
    }
    fs::create_dir_all(at(&home, LISTS)).unwrap();
    write(shell_file(&home), "# mine\nalias a=b\n");
    let source = AptSource {
        name: "test".to_owned(),
        uri: "http://127.0.0.1:9/vendor/".to_owned(),
        suite: "/".to_owned(),
        components: Vec::new(),
        key: file("key.asc", KEYS[0].to_vec()),
        fingerprint: FINGERPRINT.to_owned(),
        packages: vec!["tool".to_owned()],
        pin: None,
    };
    let content = "// Written by aitk\n".to_owned();
    home.steps = vec![
        step("hold", SystemFile { path: HOLD.to_owned(), content }),
        step("swap", SwapFile { path: SWAP.to_owned(), size: 1 << 20 }),
        step("source", source),
        step("shell", ShellInit {}),
    ];
    // A container has the swap space of its host.
    home.machine.virtualization.kind = VirtualizationKind::BareMetal;
    home.system = Arc::new(Elsewhere(folder.join("root")));
    home
}

fn step(id: &str, action: impl Into<Action>) -> Step {
    let action = action.into();
    Step { root: id != "shell", ..Step::new(id, Phase::System, "t", action) }
}

/// The build of a framework for one kind of device, as an index of its own has it.
pub fn torch(build: &str, cuda: &str) -> String {
    let version = format!("2.15.0+{build}");
    let info = |file: &str| format!("torch-{version}.dist-info/{file}");
    let says = format!("__version__ = '{version}'\ncuda: Optional[str] = {cuda}\n");
    let metadata = format!("Metadata-Version: 2.1\nName: torch\nVersion: {version}\n");
    let files: [(&str, &[u8]); 4] = [
        ("torch/__init__.py", b"from .version import __version__\n"),
        ("torch/version.py", says.as_bytes()),
        (&info("METADATA"), metadata.as_bytes()),
        (&info("WHEEL"), b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
    ];
    let wheels = vec![wheel(&format!("torch-{version}"), &files)];
    index(Wheels::new(wheels.into()), Health::default())
}

/// A home with a framework, on a machine that has a GPU.
pub fn home_with_a_gpu(folder: &Path) -> Home {
    let mut home = Home::new(folder);
    let other = include_str!("../../../../tests/machines/rtx5090-driver-595/expected.json");
    let other: Machine = serde_json::from_str(other).unwrap();
    (home.machine.gpus, home.machine.nvidia) = (other.gpus, other.nvidia);
    (home.machine.jetson, home.machine.wsl) = (None, None);
    let framework = r#"
[[step]]
id = "framework"
phase = "accelerator"
kind = "framework"
title = "Install the framework"
why = "w"
needs = ["libraries"]
"#;
    let text = include_str!("../../../../tests/support/tiny.toml");
    let (before, after) = text.split_once("[[step]]\nid = \"activate\"").unwrap();
    let after = after.replacen("libraries", "framework", 1);
    let text = format!("{before}{framework}[[step]]\nid = \"activate\"{after}");
    home.profile = Profile::from_toml("tiny.toml", &text).unwrap();
    home.choices.framework = "pytorch".to_owned();
    home.settings.torch_index = Some(torch("cu132", "'13.2'"));
    home
}

pub fn take_the_gpu_out(home: &mut Home) {
    home.machine.gpus.clear();
    home.machine.nvidia = None;
    home.settings.torch_index = Some(torch("cpu", "None"));
}

pub const SYSTEM_FILE: [Case; 4] = [
    case("there is no /etc/apt/apt.conf.d/60aitk-test", Apply, |home| remove(at(home, HOLD))),
    case("60aitk-test says something else", Apply, |home| write(at(home, HOLD), "// mine\n")),
    case("60aitk-test says something else", Apply, |home| cut(at(home, HOLD), 3)),
    // Root writes through no link, and takes nobody's away.
    case("60aitk-test says something else", Move, |home| {
        relink(at(home, HOLD), "/nowhere");
    }),
];

pub const SWAP_SPACE: [Case; 5] = [
    case("/swapfile is not in use", Apply, |home| write(at(home, "/proc/swaps"), NO_SWAP)),
    case("/etc/fstab does not name /swapfile", Apply, |home| {
        write(at(home, "/etc/fstab"), "/dev/vda1 / ext4 defaults 0 1\n");
    }),
    case("/swapfile is not in use", Apply, |home| {
        write(at(home, "/proc/swaps"), NO_SWAP);
        remove(at(home, SWAP));
    }),
    case("/swapfile is not in use", Apply, |home| {
        write(at(home, "/proc/swaps"), NO_SWAP);
        write(at(home, "/etc/fstab"), "/dev/vda1 / ext4 defaults 0 1");
        cut(at(home, SWAP), 100);
    }),
    case("/swapfile is not in use", Move, |home| {
        write(at(home, "/proc/swaps"), NO_SWAP);
        remove(at(home, SWAP));
        write(at(home, SWAP).join("file"), "mine");
    }),
];

pub const APT_SOURCE: [Case; 9] = [
    case("aitk-test.sources does not say", Apply, |home| remove(at(home, SOURCE))),
    case("aitk-test.sources does not say", Apply, |home| {
        replace(at(home, SOURCE), "127.0.0.1:9", "127.0.0.1:10");
    }),
    case("preferences.d/aitk-test does not say", Apply, |home| remove(at(home, PREFERENCES))),
    case("preferences.d/aitk-test does not say", Apply, |home| {
        replace(at(home, PREFERENCES), "Pin-Priority: -1", "Pin-Priority: 1001");
    }),
    case("is not the key", Apply, |home| remove(at(home, KEY))),
    case("is not the key", Apply, |home| cut(at(home, KEY), 200)),
    // apt would trust the other one as well.
    case("is not the key", Apply, |home| fs::write(at(home, KEY), KEYS[1]).unwrap()),
    case("apt has no lists of", Apply, |home| {
        remove(at(home, LISTS));
        fs::create_dir(at(home, LISTS)).unwrap();
    }),
    // Two files that name one source with different keys are a source that apt refuses.
    case("apt has no lists of", Move, |home| {
        remove(at(home, LISTS));
        fs::create_dir(at(home, LISTS)).unwrap();
        let mine = at(home, "/etc/apt/sources.list.d/mine.list");
        write(mine, "deb [trusted=yes] http://127.0.0.1:9/vendor /\n");
    }),
];

pub const SHELL_FILE: [Case; 7] = [
    case("does not load conda", Apply, |home| {
        let text = fs::read_to_string(shell_file(home)).unwrap();
        let (own, _) = text.split_once("# >>> aitk").unwrap();
        write(shell_file(home), own);
    }),
    case("does not load conda", Apply, |home| replace(shell_file(home), "envs/base", "envs/old")),
    case("does not load conda", Apply, |home| {
        let text = fs::read_to_string(shell_file(home)).unwrap();
        let ours = |line: &&str| line.starts_with("[ -r");
        let text: Vec<_> = text.lines().filter(|line| !ours(line)).collect();
        write(shell_file(home), &(text.join("\n") + "\n"));
    }),
    case("aitk's marks in it do not fit each other", Edit, |home| {
        replace(shell_file(home), "# <<< aitk <<<\n", "");
    }),
    case("aitk's marks in it do not fit each other", Edit, |home| {
        let text = fs::read_to_string(shell_file(home)).unwrap();
        write(shell_file(home), &text.replace("alias", &("# >>> aitk >>>\n".repeat(2) + "alias")));
    }),
    case("does not load conda", Edit, |home| {
        replace(shell_file(home), "conda.sh", "c.sh");
        let mut rights = fs::metadata(shell_file(home)).unwrap().permissions();
        rights.set_readonly(true);
        fs::set_permissions(shell_file(home), rights).unwrap();
    }),
    case("does not load conda", Move, |home| {
        remove(shell_file(home));
        write(shell_file(home).join("file"), "mine");
    }),
];
