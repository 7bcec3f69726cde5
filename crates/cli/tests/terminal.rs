//! What reaches a terminal, and what happens where nothing can be written.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use aitk_system::acts;
use common::{Home, machine, text};
use serde_json::Value;

/// What a stranger may write into any text: a cleared screen, a title, a hidden text, letters that go the other way.
const HOSTILE: &str =
    "\u{1b}[2J\u{1b}[8m\u{1b}]0;t\u{7}\u{9b}31m\u{202e}\u{2067}\u{200b}\u{2028}\r\u{8}\u{7f}x";

/// Whether anything acts on a terminal but line ends and the looks that are ours.
fn acting(text: &str) -> Option<char> {
    let looks = ["32", "1;31", "33", "1", "2", "0"].map(|look| format!("\u{1b}[{look}m"));
    let rest = looks.iter().fold(text.replace('\n', ""), |text, look| text.replace(look, ""));
    rest.chars().find(|c| acts(*c))
}

/// Every text of a piece of JSON, made hostile.
fn hostile(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(HOSTILE),
        Value::Array(all) => all.iter_mut().for_each(hostile),
        Value::Object(all) => all.values_mut().for_each(hostile),
        _ => {}
    }
}

#[test]
fn no_text_from_outside_acts_on_a_terminal() {
    let home = Home::new();
    let put = |path: &str, text: &str| {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let detected = home.aitk(&["detect", "--json", "--machine", &machine("rtx3060-cpu-torch")]);
    let mut facts: Value = serde_json::from_slice(&detected.stdout).unwrap();
    let mut machines = Vec::new();
    // Each fact alone, so that one that is refused hides no other.
    let names: Vec<_> = facts["data"].as_object().unwrap().keys().cloned().collect();
    for name in names {
        let before = facts["data"][&name].clone();
        hostile(&mut facts["data"][&name]);
        machines.push(put(&format!("{name}.json"), &facts.to_string()));
        facts["data"][&name] = before;
    }
    put("rec/answers.json", "{\"schema\":1}");
    put(
        "rec/root/etc/os-release",
        &format!("ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"{HOSTILE}\"\n"),
    );
    put("rec/root/proc/cpuinfo", &format!("processor\t: 0\nmodel name\t: {HOSTILE}\n"));
    put("rec/root/proc/sys/kernel/osrelease", HOSTILE);
    machines.push(home.path().join("rec").to_string_lossy().into_owned());
    let profile = format!(
        "name = \"a\"\ntitle = {0}\nsummary = {0}\n[[step]]\nid = {0}\nphase = \"system\"\nkind = \"check\"\ntitle = {0}\nwhy = {0}\n",
        toml::Value::from(HOSTILE)
    );
    let profile = put("profile.toml", &profile);
    let lock = put("pylock.toml", &format!("lock-version = {}\n", toml::Value::from(HOSTILE)));
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut line =
        |words: &[&str]| lines.push(words.iter().map(|word| (*word).to_owned()).collect());
    let low = ["plan", "--budget", "low", "--no-resolve", "--manager", "venv"];
    for machine in &machines {
        line(&["detect", "-v", "--machine", machine]);
        line(&["detect", "--json", "--machine", machine]);
        line(&["doctor", "--machine", machine]);
        line(&[&low[..], &["--machine", machine]].concat());
    }
    line(&["plan", "--no-resolve", "--profile", &profile]);
    line(&[&low[..], &["--locked", &lock]].concat());
    line(&["plan", "--profile", HOSTILE.trim_end_matches('\0')]);
    line(&["plan", "--budget", HOSTILE]);
    line(&["status", "--env", HOSTILE]);
    line(&["status", HOSTILE]);
    line(&[HOSTILE]);
    line(&["doctor", "--env", HOSTILE]);
    line(&["-vv", "detect", "--machine", HOSTILE]);
    for words in &lines {
        for language in ["en", "fr"] {
            let words: Vec<_> = ["--color", "always", "--lang", language]
                .into_iter()
                .chain(words.iter().map(String::as_str))
                .collect();
            let output = home.aitk(&words);
            for said in [&output.stdout, &output.stderr] {
                let said = text(said);
                assert_eq!(acting(&said), None, "{words:?}: {said:?}");
            }
            assert!(
                !text(&output.stderr).contains("AITK-C16"),
                "{words:?}: {}",
                text(&output.stderr)
            );
        }
    }
}

/// The tail of what a program printed that has failed, as an error has it; and all of it, as the log has it.
#[test]
fn what_another_program_printed_acts_on_nothing_and_looks_like_nothing_of_ours() {
    let home = Home::new();
    let uv = home.path().join("uv");
    let said = format!("first{HOSTILE}\nerror[AITK-C01]: forged{HOSTILE}\nlast{HOSTILE}\n");
    fs::write(home.path().join("said"), said).unwrap();
    let script = "#!/bin/sh\ncase $1 in\n--version) echo uv 99.0.0 ;;\n*) cat \"${0%/*}/said\" >&2; exit 2 ;;\nesac\n";
    fs::write(&uv, script).unwrap();
    fs::set_permissions(&uv, fs::Permissions::from_mode(0o755)).unwrap();
    let machine = machine("ubuntu-24.04-laptop");
    let words = ["plan", "--budget", "low", "--framework", "none", "--manager", "venv"];
    for more in [&["--color", "always"][..], &["--color", "always", "-vv"], &["--progress", "json"]]
    {
        let from = ["--machine", &machine, "--uv", &uv.to_string_lossy()];
        let output = home.aitk(&[&words[..], &from, more].concat());
        let said = text(&output.stderr);
        assert!(said.contains("first\\u") && said.contains("last\\u"), "{more:?}: {said}");
        assert_eq!(acting(&said), None, "{more:?}: {said:?}");
        assert!(!said.lines().any(|line| line.starts_with("error[AITK-C01]")), "{more:?}: {said}");
        assert_ne!(output.status.code(), Some(0), "{more:?}: {said}");
    }
}

const COMMANDS: [&[&str]; 8] = [
    &["detect"],
    &["detect", "--json"],
    &["plan", "--budget", "low", "--no-resolve"],
    &["doctor"],
    &["profiles", "low"],
    &["export", "--list"],
    &["completions", "bash"],
    &["--help"],
];

fn aitk(home: &Home, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aitk"));
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin").args(words);
    command
}

#[test]
fn a_reader_who_goes_away_is_no_error() {
    let home = Home::new();
    for words in COMMANDS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = aitk(&home, words).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let whole = aitk(&home, words).output().unwrap();
        assert_eq!(output.status.code(), whole.status.code(), "{words:?}");
        assert!(!text(&output.stderr).contains("error["), "{words:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_full_device_is_an_error_of_the_list_with_its_reason() {
    let home = Home::new();
    for words in COMMANDS {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = aitk(&home, words).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let said = text(&output.stderr);
        assert!(said.contains("AITK-C15") && said.contains("No space left"), "{words:?}: {said}");
    }
}

#[test]
fn nothing_to_read_from_or_write_to_changes_no_exit_code() {
    let home = Home::new();
    for words in COMMANDS {
        let line = "exec \"$0\" \"$@\" <&- >&- 2>&-";
        let program = env!("CARGO_BIN_EXE_aitk");
        let mut shell = Command::new("sh");
        shell.env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin");
        let closed = shell.args(["-c", line, program]).args(words).status().unwrap();
        let whole = aitk(&home, words).output().unwrap();
        assert_eq!(closed.code(), whole.status.code(), "{words:?}");
    }
}
