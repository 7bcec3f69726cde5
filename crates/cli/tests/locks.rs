//! Locks that are given: what they are for is compared with the machine and with what is asked for, before anything
//! is done.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

mod common;

use common::{Home, Served, machine, small_channel, text};

const LAPTOP: &str = "ubuntu-24.04-laptop";

/// The plan from a lock is refused, and this is said.
fn refused(home: &Home, machine: &str, lock: &str, more: &[&str], words: &[&str]) {
    let args = ["plan", "--budget", "low", "--offline", "--machine", machine, "--locked", lock];
    let output = home.aitk(&[&args, more].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{more:?}: {said}{}", text(&output.stdout));
    for word in ["AITK-E09"].iter().chain(words) {
        assert!(said.contains(word), "{more:?} does not say {word:?}: {said}");
    }
}

/// The machine with one of its facts changed, in a file.
fn other(home: &Home, name: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let output = home.aitk(&["detect", "--machine", &machine(name), "--json"]);
    let mut facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    change(&mut facts["data"]);
    let path = home.path().join("machine.json");
    std::fs::write(&path, facts.to_string()).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn a_lock_of_a_virtual_environment_is_for_its_python_platform_and_libraries() {
    let home = Home::new();
    let (laptop, lock) = (machine(LAPTOP), machine(&format!("{LAPTOP}/pylock.toml")));
    let none = ["--framework", "none"];
    let python = ["Python 3.12", "--python 3.12", "aitk lock"];
    refused(&home, &machine("ubuntu-26.04-desktop"), &lock, &none, &python);
    let old = other(&home, LAPTOP, |facts| facts["libc"]["version"] = "2.17".into());
    refused(&home, &old, &lock, &none, &["does not run here", "2.17"]);
    let arm = other(&home, LAPTOP, |facts| facts["arch"] = "aarch64".into());
    refused(&home, &arm, &lock, &none, &["x86_64", "aarch64"]);
    refused(&home, &laptop, &lock, &[], &["it has no torch", "`framework`", "--framework"]);
}

/// A newer C library than the one that a lock was made on is no hindrance.
#[test]
fn a_lock_goes_where_its_wheels_run() {
    let home = Home::new();
    let lock = machine(&format!("{LAPTOP}/pylock.toml"));
    let newer = other(&home, LAPTOP, |facts| facts["libc"]["version"] = "2.43".into());
    let args = [
        "plan",
        "--budget",
        "low",
        "--offline",
        "--framework",
        "none",
        "--json",
        "--locked",
        &lock,
    ];
    let output = home.aitk(&[&args[..], &["--machine", &newer]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_lock_of_conda_is_for_its_platform_python_and_framework_and_brings_the_base() {
    let home = Home::new();
    let gpu: &[&str] = &["__cuda >=12", "python"];
    let more = [
        ("pytorch", "2.0", "cpu_0", &["python", "__glibc >=2.28"] as &[&str]),
        ("tensorflow-cpu", "2.0", "cuda_0", gpu),
    ];
    small_channel(&home.path().join("served/conda-forge"), &more);
    let served = Served::new(&home.path().join("served"), &[]);
    let channel = format!("http://{}/conda-forge", served.place);
    let laptop = machine(LAPTOP);
    let lock = |framework: &str, on: &str| {
        let path = home.path().join(format!("{framework}.lock")).to_string_lossy().into_owned();
        let args = ["lock", "--budget", "low", "--manager", "conda", "--channel", &channel];
        let more = ["--machine", on, "--framework", framework, "-o", &path];
        let output = home.aitk(&[&args[..], &more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        path
    };
    let (with, without) = (lock("pytorch", &laptop), lock("none", &laptop));
    refused(&home, &laptop, &without, &[], &["it has no pytorch"]);
    refused(&home, &laptop, &with, &["--framework", "none"], &["it has pytorch"]);
    refused(&home, &laptop, &with, &["--python", "3.13"], &["Python 3.12", "--python 3.12"]);
    let arm = other(&home, LAPTOP, |facts| facts["arch"] = "aarch64".into());
    refused(&home, &arm, &with, &[], &["linux-64", "aarch64"]);
    let old = other(&home, LAPTOP, |facts| facts["libc"]["version"] = "2.17".into());
    refused(&home, &old, &with, &[], &["pytorch needs __glibc >=2.28"]);

    // Without conda's own part.
    let text_of = std::fs::read_to_string(&with).unwrap();
    let (begin, rest) = text_of.split_once("  base:\n").unwrap();
    let (_, rest) = rest.split_once("  default:\n").unwrap();
    std::fs::write(&with, format!("{begin}  default:\n{rest}")).unwrap();
    refused(&home, &laptop, &with, &[], &["`base`", "--conda-base"]);
    let output = home.aitk(&[
        "plan",
        "--budget",
        "low",
        "--offline",
        "--machine",
        &laptop,
        "--locked",
        &with,
        "--conda-base",
        "/opt/conda",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}
