//! Commands on a machine that is not here, and on one that only says what would be changed.

use std::sync::Mutex;

use aitk_system::{Deny, Real, Replay, Report};
use clap::Parser;

use super::*;
use crate::args::{Args, Verb};
use crate::commands::{lab, plan, remove, work};
use crate::output::Console;

/// A recorded machine that says what would be changed on it.
fn reporting() -> (Local, Arc<Mutex<Vec<String>>>) {
    reporting_on(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/machines/ubuntu-24.04-laptop"),
    )
}

fn reporting_on(machine: &Path) -> (Local, Arc<Mutex<Vec<String>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    let report = move |change: &Message| heard.lock().unwrap().push(change.to_string());
    (Arc::new(Report::new(Deny(Replay::open(machine).unwrap()), report)), said)
}

fn typed(words: &str) -> Args {
    Args::parse_from(words.split(' '))
}

#[test]
fn a_command_is_about_the_system_that_it_is_given() {
    let (local, said) = reporting();
    let args = typed("aitk plan --quiet --budget low --no-resolve -o /srv/nobody/plan.json");
    let Verb::Plan(plan) = &args.verb else { panic!("it is plan") };
    plan::run(&local, &args.common, plan, &Console::new(&args.common)).unwrap();
    assert_eq!(*said.lock().unwrap(), ["write /srv/nobody/plan.json"]);
    let session = Session::open(&local, &args.common).unwrap();
    assert_eq!(session.machine.os.version.as_deref(), Some("24.04"));
    assert!(session.local_settings.data.starts_with("/home/user"), "{:?}", session.settings.data);
}

#[test]
fn nothing_is_removed_where_nothing_was_made() {
    let (local, said) = reporting();
    let args = typed("aitk remove --quiet --yes");
    let Verb::Remove(remove) = &args.verb else { panic!("it is remove") };
    remove::run(&local, &args.common, remove, &Console::new(&args.common)).unwrap();
    assert_eq!(*said.lock().unwrap(), [""; 0]);
}

#[test]
fn what_one_request_names_is_not_the_next_ones() {
    let (local, _) = reporting();
    let prepared = |session: &Session, words: &str| {
        let Verb::Plan(plan) = typed(words).verb else { panic!("it is plan") };
        let asked = session.asked(&plan.choices).unwrap();
        let (prepared, _) = session.prepare(asked, None, Ask::Nobody).unwrap();
        (prepared.settings.index_url, prepared.local_settings.channels, prepared.request.manager)
    };
    let session = Session::open(&local, &typed("aitk plan").common).unwrap();
    let first =
        "aitk plan --budget low --index-url https://ann:secret@one.example/simple --channel two";
    let first = prepared(&session, first);
    assert_eq!(first.0.as_deref(), Some("https://one.example/simple"));
    assert_eq!(first.1, ["two"]);
    assert_eq!(
        prepared(&session, "aitk plan --budget low"),
        (None, Vec::new(), Some(Manager::Conda))
    );
}

/// A recording with an environment of venv's, whose user has this shell.
fn with_environment(shell: &str) -> tempfile::TempDir {
    let machine = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        Real.write(&machine.path().join(path), text.as_bytes(), 0o755).unwrap();
    };
    put(
        "answers.json",
        &serde_json::json!({
            "schema": 1,
            "now": "2026-11-23T12:00:00Z",
            "host": { "uid": 1000, "gid": 1000, "groups": [], "arch": "x86_64" },
            "memory": { "total": 1, "available": 1, "swap_total": 0, "swap_free": 0 },
            "env": { "HOME": "/home/user", "PATH": "/usr/bin:/bin", "SHELL": shell },
            "access": { "/home/user/.local/share": true },
        })
        .to_string(),
    );
    let generation = format!("{ENV}/0123456789ab");
    for program in ["python3.12", "jupyter-lab"] {
        put(&format!("root{generation}/bin/{program}"), "");
    }
    let record = serde_json::json!({
        "schema": 2, "manager": "venv", "request": "0", "added": [], "python": "3.12", "layers": {},
    });
    put(&format!("root{generation}/aitk-generation.json"), &record.to_string());
    let link = |to: &str, name: &str| {
        let link = machine.path().join(format!("root{ENV}/{name}"));
        Real.symlink(Path::new(to), &link).unwrap();
    };
    link("python3.12", "0123456789ab/bin/python");
    link("0123456789ab", "current");
    machine
}

const ENV: &str = "/home/user/.local/share/aitk/envs/ai";

#[test]
fn work_in_an_environment_is_started_on_the_system_that_is_given() {
    let begun = |shell: &str, words: &str| {
        let machine = with_environment(shell);
        let (local, said) = reporting_on(machine.path());
        let args = typed(words);
        let output = Console::new(&args.common);
        let code = match &args.verb {
            Verb::Run(run) => work::run(&local, &args.common, run),
            Verb::Shell(which) => work::shell(&local, &args.common, which),
            Verb::Lab(lab) => lab::lab(&local, &args.common, lab, &output),
            _ => panic!("{words} is none of them"),
        };
        assert_eq!(code.unwrap(), std::process::ExitCode::SUCCESS);
        let said = said.lock().unwrap();
        said.clone()
    };
    // What is in the environment is named by its place; what is not is left to PATH.
    let current = format!("{ENV}/current");
    assert_eq!(
        begun("/bin/bash", "aitk run -- python -c pass"),
        [format!("run {current}/bin/python -c pass")]
    );
    assert_eq!(begun("/bin/bash", "aitk run -- ls /"), ["run ls /"]);
    let rc = "/home/user/.cache/aitk/shell.bash";
    assert_eq!(
        begun("/bin/bash", "aitk shell"),
        [format!("write {rc}"), format!("run /bin/bash --rcfile {rc} -i")]
    );
    assert_eq!(begun("/opt/odd", "aitk shell"), ["run /opt/odd -i"]);
    let lab = begun("/bin/bash", "aitk lab --quiet --no-browser");
    let [lab] = &lab[..] else { panic!("{lab:?}") };
    assert!(lab.starts_with(&format!("run {current}/bin/jupyter-lab --ServerApp.ip=127.0.0.1")));
    assert!(!lab.to_lowercase().contains("token"), "{lab}");
}

#[test]
fn nobody_works_in_an_environment_that_is_not_there() {
    let (local, said) = reporting();
    let args = typed("aitk run -- python");
    let Verb::Run(run) = &args.verb else { panic!("it is run") };
    let error = work::run(&local, &args.common, run).unwrap_err();
    assert_eq!(error.code(), "AITK-C09", "{error}");
    assert_eq!(*said.lock().unwrap(), [""; 0]);
}
