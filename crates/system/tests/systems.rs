//! Every implementation of `System`, on real files and real commands.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use aitk_system::{
    Command, Deny, FileKind, Message, Permit, Real, Record, Replay, Report, RunError, Scrub, System,
};

#[test]
fn real_writes_whole_files_with_their_mode_and_makes_parents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/c");
    Real.write(&path, b"one", 0o640).unwrap();
    Real.write(&path, b"two", 0o600).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"two");
    assert_eq!(Real.stat(&path).unwrap().mode, 0o600);
    assert_eq!(Real.list(&folder.path().join("a/b")).unwrap(), ["c"], "nothing is left beside it");
}

#[test]
fn real_points_a_link_elsewhere_in_one_step_and_removes_anything() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("current");
    Real.symlink(Path::new("one"), &link).unwrap();
    Real.symlink(Path::new("two"), &link).unwrap();
    assert_eq!(Real.read_link(&link).unwrap(), Path::new("two"));
    assert_eq!(Real.stat(&link).unwrap().kind, FileKind::Link);
    Real.write(&folder.path().join("d/e"), b"x", 0o644).unwrap();
    Real.remove(&folder.path().join("d")).unwrap();
    Real.remove(&link).unwrap();
    Real.remove(&link).unwrap();
    assert!(Real.list(folder.path()).unwrap().is_empty());
}

#[test]
fn a_lock_is_held_until_it_is_dropped_and_says_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let held = Real.hold(&path, "me").unwrap();
    assert!(held.is_some());
    assert!(Real.hold(&path, "you").unwrap().is_none());
    assert_eq!(std::fs::read(&path).unwrap(), b"me");
    drop(held);
    assert!(Real.hold(&path, "you").unwrap().is_some());
}

#[test]
fn a_folder_is_held_by_whoever_may_read_it_and_has_nothing_in_it_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o500))
        .unwrap();
    let held = Real.hold_folder(folder.path()).unwrap();
    assert!(held.is_some() && Real.hold_folder(folder.path()).unwrap().is_none());
    drop(held);
    assert!(Real.hold_folder(folder.path()).unwrap().is_some());
    assert_eq!(Real.list(folder.path()).unwrap(), [""; 0]);
    assert!(Real.hold_folder(&folder.path().join("none")).is_err());
}

#[test]
fn a_link_or_anything_else_in_place_of_a_lock_or_a_journal_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [path, other] = ["lock", "important"].map(|name| folder.path().join(name));
    std::fs::write(&other, "do not lose").unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    assert!(Real.hold(&path, "me").is_err());
    assert!(Real.append(&path, b"me").is_err());
    std::fs::remove_file(&path).unwrap();
    // A second name of one file is as good as a link.
    std::fs::hard_link(&other, &path).unwrap();
    assert!(Real.hold(&path, "me").is_err());
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "do not lose");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(Real.hold(&path, "me").is_err());
}

#[test]
fn a_command_reads_what_it_is_given_and_else_nothing() {
    let long = "x".repeat(1 << 20);
    let cat = |command: Command| (&Real as &dyn System).run(&command).unwrap().stdout;
    assert_eq!(cat(Command::reads(["cat"]).input(long.as_bytes())).trim(), long);
    assert_eq!(cat(Command::reads(["cat"])), "");
    // Whoever does not want it need not read it.
    assert!((&Real as &dyn System).run(&Command::reads(["true"]).input(long)).unwrap().success());
}

#[test]
fn a_command_that_was_started_meanwhile_keeps_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let held = Real.hold(&path, "me").unwrap();
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| (&Real as &dyn System).run(&Command::reads(["sleep", "1"])));
        std::thread::sleep(Duration::from_millis(300));
        drop(held);
        assert!(Real.hold(&path, "you").unwrap().is_none(), "the command still works");
        sleeper.join().unwrap().unwrap();
    });
    assert!(Real.hold(&path, "you").unwrap().is_some());
}

#[test]
fn commands_give_their_lines_status_and_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("logs/x.log");
    let command = Command::reads(["sh", "-c", "echo out; echo $WORD >&2; exit 3"])
        .env("WORD", "err")
        .log(&log);
    let mut lines = Vec::new();
    let output =
        Real.run_watched(&command, &mut |line| lines.push(line.text().to_owned())).unwrap();
    lines.sort();
    assert_eq!(lines, ["err", "out"]);
    assert_eq!(
        (output.status, output.stdout.as_str(), output.stderr.as_str()),
        (Some(3), "out\n", "err\n")
    );
    let logged = std::fs::read_to_string(log).unwrap();
    assert!(logged.contains("out") && logged.contains("err") && logged.contains("exit status: 3"));
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_all_that_it_started() {
    let command =
        Command::reads(["sh", "-c", "sleep 77.5 & sleep 77.5"]).timeout(Duration::from_millis(300));
    let error = (&Real as &dyn System).run(&command).unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
    let left =
        (&Real as &dyn System).run(&Command::reads(["pgrep", "-x", "-f", "sleep 77.5"])).unwrap();
    assert!(left.stdout.is_empty(), "still running: {left:?}");
}

#[test]
fn a_daemon_that_keeps_the_output_open_does_not_keep_the_command_waiting() {
    let command = Command::reads(["sh", "-c", "sleep 5 & echo done"]);
    let since = std::time::Instant::now();
    let output = (&Real as &dyn System).run(&command).unwrap();
    assert_eq!(output.stdout, "done\n");
    assert!(since.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_large_file_is_read_piece_by_piece_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(aitk_system::READ_LIMIT + 1).unwrap();
    assert_eq!(Real.read(&path).unwrap_err().kind(), std::io::ErrorKind::FileTooLarge);
    let mut size = 0;
    let mut content = Real.open(&path).unwrap();
    let mut buffer = vec![1; 1 << 20];
    while let read @ 1.. = content.read(&mut buffer).unwrap() {
        size += read as u64;
    }
    assert_eq!(size, aitk_system::READ_LIMIT + 1);
    assert!(Real.open(folder.path()).is_err(), "a folder is no file");
}

#[test]
fn what_is_recorded_is_replayed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret-home/file");
    Real.write(&file, b"of /home/secret-home/x", 0o644).unwrap();
    let record = Record::new(Real);
    let echo = Command::reads(["echo", "hello"]);
    assert_eq!(record.read(&file).unwrap(), b"of /home/secret-home/x");
    let names = record.list(file.parent().unwrap()).unwrap();
    let memory = record.memory().unwrap();
    let space = record.space(folder.path()).unwrap();
    let output = (&record as &dyn System).run(&echo).unwrap();
    let saved = folder.path().join("saved");
    record.save(&saved, &mut Scrub::new(Some("secret-home"), None)).unwrap();
    assert!(
        record.save(&saved, &mut Scrub::new(None, None)).is_err(),
        "a recording is never overwritten"
    );

    let replay = Replay::open(&saved).unwrap();
    let public = folder.path().join("user/file");
    assert_eq!(replay.read(&public).unwrap(), b"of /home/user/x");
    assert!(replay.read(&file).is_err(), "the private name is gone");
    assert_eq!(replay.list(public.parent().unwrap()).unwrap(), names);
    assert_eq!((replay.memory().unwrap(), replay.space(folder.path()).unwrap()), (memory, space));
    assert_eq!((&replay as &dyn System).run(&echo).unwrap(), output);
    let other = (&replay as &dyn System).run(&Command::reads(["echo", "bye"])).unwrap_err();
    assert!(matches!(other, RunError::NotRecorded { .. }));
    assert!(replay.read(Path::new("/etc/passwd")).is_err(), "the host does not shine through");
    assert!(replay.write(&public, b"x", 0o644).is_err());
}

#[test]
fn a_recording_of_a_newer_form_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Real.write(&folder.path().join("answers.json"), b"{\"schema\": 2}", 0o644).unwrap();
    let error = Replay::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("form 2"), "{error}");
}

/// Every change that the trait can make, on one folder.
fn changes(system: &dyn System, folder: &Path) -> Vec<Result<(), String>> {
    let text = |error: std::io::Error| error.to_string();
    let file = folder.join("file");
    vec![
        system.write(&file, b"x", 0o644).map_err(text),
        system.append(&file, b"x").map_err(text),
        system.create_dir(&folder.join("dir")).map_err(text),
        system.remove(&folder.join("kept")).map_err(text),
        system.symlink(Path::new("x"), &folder.join("link")).map_err(text),
        system
            .run(&Command::changes(["touch", &file.to_string_lossy()]))
            .map(drop)
            .map_err(|e| e.to_string()),
    ]
}

#[test]
fn deny_refuses_every_change_and_lets_every_look_through() {
    let folder = tempfile::tempdir().unwrap();
    Real.write(&folder.path().join("kept"), b"kept", 0o644).unwrap();
    let deny = Deny(Real);
    for (number, result) in changes(&deny, folder.path()).into_iter().enumerate() {
        assert!(result.unwrap_err().contains("refused"), "change {number}");
    }
    assert!(deny.permit(&Message::plain("download")).is_err());
    assert!(deny.hold(&folder.path().join("lock"), "").is_err());
    assert_eq!(deny.list(folder.path()).unwrap(), ["kept"]);
    assert_eq!(deny.read(&folder.path().join("kept")).unwrap(), b"kept");
    assert!((&deny as &dyn System).run(&Command::reads(["true"])).unwrap().success());
}

#[test]
fn report_says_every_change_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    Real.write(&folder.path().join("kept"), b"kept", 0o644).unwrap();
    let said = Mutex::new(Vec::new());
    let report =
        Report::new(Real, |change: &Message| said.lock().unwrap().push(change.to_string()));
    for result in changes(&report, folder.path()) {
        result.unwrap();
    }
    assert_eq!(report.permit(&Message::plain("download x")).unwrap(), Permit::Reported);
    assert_eq!(Real.list(folder.path()).unwrap(), ["kept"]);
    let said = said.lock().unwrap();
    let verbs: Vec<_> = said.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(verbs, ["write", "add", "create", "remove", "link", "run", "download"]);
}

#[test]
fn a_command_starts_in_a_folder_of_no_ones_with_the_variables_that_are_listed() {
    let told = Command::reads(["sh", "-c", "pwd; env"]).env("GIVEN", "1");
    let output = (&Real as &dyn System).run(&told).unwrap();
    assert_eq!(output.stdout.lines().next(), Some("/"), "this program is in another one");
    let names: Vec<_> = output.stdout.lines().filter_map(|line| line.split_once('=')).collect();
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(!names.iter().any(|(name, _)| name.starts_with("CARGO")), "{names:?}");
    assert!(names.contains(&("GIVEN", "1")), "{names:?}");
}

#[test]
fn many_looks_below_a_folder_say_what_each_of_them_says() {
    let folder = tempfile::tempdir().unwrap();
    Real.write(&folder.path().join("a/b/file"), b"text", 0o640).unwrap();
    Real.symlink(Path::new("b/file"), &folder.path().join("a/link")).unwrap();
    let paths = ["", "a", "a/b", "a/b/file", "a/link", "gone", "a/b/file/below"];
    for place in [folder.path().to_owned(), folder.path().join("nowhere")] {
        let all = Real.stat_all(&place, &paths);
        assert_eq!(all.len(), paths.len());
        for (path, found) in paths.into_iter().zip(all) {
            let kind = |error: std::io::Error| error.kind();
            assert_eq!(found.map_err(kind), Real.stat(&place.join(path)).map_err(kind), "{path}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let text = |bytes: &[u8]| {
        let path = folder.path().join("file");
        Real.write(&path, bytes, 0o600).unwrap();
        (&Real as &dyn System).text(&path).unwrap()
    };
    assert_eq!(text("né".as_bytes()), "né");
    assert_eq!(text(b"a\xffb\n"), "a\u{fffd}b\n");
}
