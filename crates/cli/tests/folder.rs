//! A folder's own file, from outside: `init`, what follows it, and that a stranger's commands nobody.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{Home, Served, repository, small_channel, text};
use serde_json::Value;

/// A folder with a file of its own, made in this home from a channel that is gone by then.
fn begun(home: &Home) -> tempfile::TempDir {
    let served = tempfile::tempdir().unwrap();
    small_channel(served.path(), &[]);
    let channel = Served::new(served.path(), &[]);
    let folder = tempfile::tempdir().unwrap();
    let source = format!("http://{}/", channel.place);
    let wishes = ["--budget", "low", "--manager", "conda", "--framework", "none"];
    let more = ["--user-only", "--channel", &source, "--json"];
    let output = home.aitk_in(folder.path(), &[&["init"], &wishes[..], &more].concat());
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(said["data"]["packages"].as_u64() > Some(5), "{said}");
    // What was downloaded for it is marked as a cache, for whoever makes backups.
    let tag = std::fs::read_to_string(home.path().join(".cache/aitk/CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"), "{tag}");
    folder
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

fn code(output: &Output) -> (Option<i32>, String) {
    let code = json(output)["diagnostics"][0]["code"].as_str().unwrap_or_default().to_owned();
    (output.status.code(), code)
}

#[test]
fn a_folders_file_and_lock_are_followed_in_it_and_below() {
    let home = Home::new();
    let folder = begun(&home);
    let below = folder.path().join("src/deep");
    std::fs::create_dir_all(&below).unwrap();
    // The channel is gone: every package comes from the lock.
    let plan = json(&home.aitk_in(&below, &["plan", "--json"]));
    let choices = &plan["data"]["choices"];
    assert_eq!(choices["framework"], "none", "{plan}");
    let env = choices["env"].as_str().unwrap().to_owned();
    assert_ne!(env, "ai");
    let steps = plan["data"]["steps"].as_array().unwrap();
    let packages = steps.iter().flat_map(|step| step["packages"].as_array().into_iter().flatten());
    assert!(packages.map(|package| &package["name"]).any(|name| name == "numpy"), "{plan}");
    // Commands that only name an environment mean the folder's.
    let status = text(&home.aitk_in(&below, &["status"]).stdout);
    assert!(status.contains(&format!("`{env}`")), "{status}");
    // Outside of it, and for another environment, nothing is decided.
    let outside = home.aitk_in(home.path(), &["plan", "--json"]);
    assert_eq!(code(&outside), (Some(64), "AITK-C01".to_owned()));
    let other = home.aitk_in(&below, &["plan", "--json", "--env", "ai"]);
    assert_eq!(code(&other), (Some(64), "AITK-C01".to_owned()));
    // Choices of the moment go over it, and have no lock.
    let over = home.aitk_in(&below, &["plan", "--json", "--no-resolve", "--with", "pytest"]);
    assert!(text(&over.stderr).contains("for other choices"), "{}", text(&over.stderr));
    assert_eq!(json(&over)["data"]["choices"]["with"][0], "pytest");
}

#[test]
fn a_file_that_nobody_confirmed_commands_nothing() {
    let folder = begun(&Home::new());
    let home = Home::new();
    let refused = |args: &[&str]| code(&home.aitk_in(folder.path(), args));
    let not_confirmed = (Some(77), "AITK-C50".to_owned());
    for args in [
        &["plan", "--json"][..],
        &["plan", "--budget", "low", "--no-resolve", "--json"],
        &["run", "--json", "--", "true"],
        &["lab", "--json"],
        &["add", "polars", "--yes", "--json"],
        &["init", "--json"],
    ] {
        assert_eq!(refused(args), not_confirmed, "{args:?}");
    }
    // What is about the machine and not about an environment needs no file.
    assert!(home.aitk_in(folder.path(), &["detect"]).status.success());
    assert!(home.aitk_in(folder.path(), &["trust"]).status.success());
    let plan = ["plan", "--no-resolve", "--json"];
    assert!(home.aitk_in(folder.path(), &plan).status.success());
    // One letter more, in either file, asks again.
    for file in ["aitk.lock", "aitk.toml"] {
        let path = folder.path().join(file);
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{before}# x\n")).unwrap();
        assert_eq!(refused(&plan), not_confirmed, "{file}");
        std::fs::write(&path, before).unwrap();
        assert!(home.aitk_in(folder.path(), &plan).status.success());
    }
    // So does the same file at another place.
    let moved = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("aitk.toml"), moved.path().join("aitk.toml")).unwrap();
    assert_eq!(code(&home.aitk_in(moved.path(), &plan)), not_confirmed);
    assert!(home.aitk_in(folder.path(), &["trust", "--revoke"]).status.success());
    assert_eq!(refused(&plan), not_confirmed);
}

#[test]
fn a_bad_line_is_named_and_a_file_is_not_written_over() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let init = |args: &[&str]| home.aitk_in(folder.path(), &[&["init", "--json"], args].concat());
    assert_eq!(init(&["--budget", "low", "--no-resolve"]).status.code(), Some(0));
    let written = |path: &Path| std::fs::read_to_string(path.join("aitk.toml")).unwrap();
    let before = written(folder.path());
    let again = init(&["--budget", "workstation", "--no-resolve"]);
    assert_eq!(code(&again), (Some(64), "AITK-C14".to_owned()));
    assert_eq!(written(folder.path()), before);
    std::fs::write(folder.path().join("aitk.toml"), "budget = \"low\"\nyes = true\n").unwrap();
    let bad = home.aitk_in(folder.path(), &["plan", "--json"]);
    assert_eq!(code(&bad), (Some(78), "AITK-C49".to_owned()));
    assert!(text(&bad.stdout).contains("yes: there is no such choice"), "{}", text(&bad.stdout));
    // What is no text, or far too much of it, is no such file either.
    let long = "#".repeat(2 << 20).into_bytes();
    for content in [&b"# \0"[..], b"\xff", b"# \x1b[2J", &long] {
        std::fs::write(folder.path().join("aitk.toml"), content).unwrap();
        let bad = home.aitk_in(folder.path(), &["plan", "--json"]);
        assert_eq!(code(&bad), (Some(78), "AITK-C49".to_owned()));
    }
    let none = home.aitk_in(home.path(), &["trust", "--json"]);
    assert_eq!(code(&none), (Some(64), "AITK-C51".to_owned()));
}

/// A channel that does something before it answers for the first time: what happens while a command runs.
fn channel_that_first(folder: PathBuf, does: impl FnOnce() + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut does = Some(does);
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<_> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            if let Some(does) = does.take() {
                does();
            }
            let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("/");
            let (status, body) = match std::fs::read(folder.join(&path[1..])) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let size = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(&[head.into_bytes(), body].concat());
        }
    });
    format!("http://{place}/")
}

#[test]
fn what_is_edited_while_a_command_runs_is_confirmed_by_nobody() {
    let tiny = std::fs::read_to_string(repository().join("tests/support/tiny.toml")).unwrap();
    let tiny = tiny.replace("\"six\"", "\"numpy\"");
    let served = tempfile::tempdir().unwrap();
    small_channel(served.path(), &[]);
    for edited in [None, Some("own.toml"), Some("aitk.toml")] {
        let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("own.toml"), &tiny).unwrap();
        let file = edited.map(|name| folder.path().join(name));
        let source = channel_that_first(served.path().to_owned(), move || {
            if let Some(file) = file {
                let before = std::fs::read_to_string(&file).unwrap();
                std::fs::write(file, before + "# edited\n").unwrap();
            }
        });
        let init = ["init", "--profile", "own.toml", "--manager", "conda", "--channel", &source];
        let output = home.aitk_in(folder.path(), &init);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(folder.path().join("aitk.lock").exists());
        let next = home.aitk_in(folder.path(), &["plan", "--no-resolve", "--json"]);
        match edited {
            None => assert!(next.status.success(), "{}", text(&next.stderr)),
            Some(_) => assert_eq!(code(&next), (Some(77), "AITK-C50".to_owned()), "{edited:?}"),
        }
    }
}

#[test]
fn what_would_be_written_is_shown_and_not_written() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    let wishes = ["--budget", "low", "--no-resolve", "--package", "polars", "--dry-run"];
    let shown = home.aitk_in(folder.path(), &[&["init"], &wishes[..]].concat());
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(text(&shown.stdout).contains("| package = [\"polars\"]"), "{}", text(&shown.stdout));
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "something was written");
    let told = json(&home.aitk_in(folder.path(), &[&["init", "--json"], &wishes[..]].concat()));
    assert_eq!(told["data"]["dry_run"], true, "{told}");
}

#[test]
fn a_file_that_would_count_everywhere_is_refused() {
    let home = Home::new();
    for folder in [home.path(), Path::new("/")] {
        let init = ["init", "--budget", "low", "--no-resolve", "--dry-run", "--json"];
        assert_eq!(code(&home.aitk_in(folder, &init)), (Some(64), "AITK-C56".to_owned()));
    }
    assert!(!home.path().join("aitk.toml").exists());
}

#[test]
fn what_cannot_be_done_here_is_said_as_the_plan_says_it() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    let machine = common::machine("debian-12-i686");
    let wishes = ["--budget", "low", "--no-resolve", "--machine", &machine];
    let plan = json(&home.aitk_in(folder.path(), &[&["plan", "--json"], &wishes[..]].concat()));
    let blocked = |step: &&Value| step["status"] == "blocked";
    let steps = plan["data"]["steps"].as_array().unwrap();
    let ids: Vec<_> =
        steps.iter().filter(blocked).map(|step| step["id"].as_str().unwrap()).collect();
    assert!(!ids.is_empty(), "this machine does everything");
    let made = home.aitk_in(folder.path(), &[&["init"], &wishes[..]].concat());
    assert!(made.status.success(), "{}", text(&made.stderr));
    let said = text(&made.stderr);
    assert!(said.contains("AITK-W18") && said.contains(&format!("{} step", ids.len())), "{said}");
    assert!(ids.iter().all(|id| said.contains(id)), "{ids:?}: {said}");
}

#[test]
fn a_link_is_no_folders_file() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("shared.toml"), "budget = \"low\"\n").unwrap();
    std::os::unix::fs::symlink("shared.toml", folder.path().join("aitk.toml")).unwrap();
    for args in [&["plan", "--json", "--no-resolve"][..], &["trust", "--json"], &["init", "--json"]]
    {
        let output = home.aitk_in(folder.path(), args);
        assert_eq!(code(&output), (Some(78), "AITK-C49".to_owned()), "{args:?}");
        assert!(text(&output.stdout).contains("it is a link"), "{}", text(&output.stdout));
    }
}

#[test]
fn what_is_confirmed_was_shown_before() {
    let folder = begun(&Home::new());
    let home = Home::new();
    let file = std::fs::read_to_string(folder.path().join("aitk.toml")).unwrap();
    assert!(file.contains("`aitk apply`"), "{file}");
    // Also where the program has another name: what a file says of it is the file's.
    let there = folder.path().to_str().unwrap();
    for shown in [home.aitk_in(folder.path(), &["trust"]), home.aitk_off_path(&["trust", there])] {
        let said = text(&shown.stderr);
        assert!(file.lines().all(|line| said.contains(format!("  | {line}").trim_end())), "{said}");
    }
}
