//! Forward, back and forward again: each switch stands in the history, is proven first, and takes the wish along. The
//! environments are real ones, built from wheels of an index on loopback; only uv is a stand-in.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use aitk_env::{Environments, Occasion, State, read_locks};
use aitk_exec::{
    Around, Cleaning, ExecError, Keeps, Outcome, Places, back, clean, cleaning, survey,
};
use aitk_plan::{Status, warnings};
use aitk_system::{Explain, Real, System};

use common::Home;

/// A home in which an environment was built and then upgraded; the names of both generations.
fn upgraded(folder: &Path) -> (Home, String, String) {
    let home = Home::new(folder);
    home.wish("one");
    home.apply(false);
    let one = home.generation().folder();
    home.publish("six", "2.0");
    home.wish("two");
    home.upgrade();
    let two = home.generation().folder();
    assert_ne!(one, two);
    (home, one, two)
}

fn version(home: &Home) -> String {
    let python = home.link().join("bin/python");
    let output = Command::new(python).args(["-c", "import six; print(six.VERSION)"]).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

/// From, to and why of every switch.
fn switches(home: &Home) -> Vec<(Option<String>, String, Occasion)> {
    let all = home.environments().history(&Real).into_iter();
    all.map(|one| (one.from, one.to, one.reason)).collect()
}

#[test]
fn every_switch_stands_in_the_history_and_going_back_takes_the_wish_along() {
    let folder = tempfile::tempdir().unwrap();
    let (home, one, two) = upgraded(folder.path());
    assert_eq!(version(&home), "2.0");
    // What another run had begun is not continued.
    let mut receipt = home.receipt();
    receipt.begun.insert("ai".to_owned(), "begun".into());
    receipt.save(&home.machine.folders.state, &Real).unwrap();
    // No network: nothing is asked for.
    home.wheels.lock().unwrap().clear();
    let summary = home.go_back(None).unwrap();
    assert!(summary.failure.is_none(), "{:?}", summary.failure);
    assert_eq!(summary.outcomes["activate"], Outcome::Done, "{:?}", summary.plan.steps);
    assert_eq!((home.generation().folder(), version(&home)), (one.clone(), "1.0".to_owned()));
    let receipt = home.receipt();
    let (_, record) = home.environments().current(&Real).unwrap();
    assert_eq!(receipt.request("ai", Some(&record)), Some(&"one".into()));
    assert_eq!(receipt.environments["ai"], "one");
    assert!(receipt.begun.is_empty());
    assert!(!home.has_to_do(false), "apply has something to do");
    assert!(home.verify(true).is_empty());
    home.go_back(Some(&two[..6])).unwrap();
    assert_eq!(version(&home), "2.0");
    let (from, to) = (Some(one.clone()), two.clone());
    assert_eq!(
        switches(&home),
        [
            (None, one.clone(), Occasion::Apply),
            (from.clone(), to.clone(), Occasion::Upgrade),
            (Some(two.clone()), one.clone(), Occasion::Rollback),
            (from, to, Occasion::Rollback),
        ]
    );
    let history = home.environments().history(&Real);
    assert!(history.iter().all(|switch| switch.run.is_some()), "{history:?}");
    assert!(!home.has_to_do(false));
}

#[test]
fn whoever_has_gone_back_goes_back_further() {
    let folder = tempfile::tempdir().unwrap();
    let (home, one, two) = upgraded(folder.path());
    home.publish("toolz", "2.0");
    home.upgrade();
    home.go_back(None).unwrap();
    assert_eq!(home.generation().folder(), two);
    home.go_back(None).unwrap();
    assert_eq!(home.generation().folder(), one);
    let nothing = home.go_back(None).unwrap_err();
    assert!(matches!(nothing, ExecError::NothingBefore { .. }), "{nothing}");
    assert_eq!(home.generation().folder(), one);
}

#[test]
fn what_is_not_whole_is_refused_and_the_remedy_helps() {
    let folder = tempfile::tempdir().unwrap();
    let (home, one, two) = upgraded(folder.path());
    let earlier = home.environments().generation(&one);
    let python = fs::read_dir(earlier.path().join("lib")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(python.join("site-packages/six.py")).unwrap();
    let refused = home.go_back(None).unwrap_err();
    assert!(refused.to_string().contains("six.py is gone"), "{refused}");
    assert_eq!(home.generation().folder(), two, "what was in use stays in use");
    let remedy = refused.hint().unwrap().to_string();
    let lock = remedy.split("--locked ").nth(1).unwrap().split('`').next().unwrap();
    assert!(remedy.contains("aitk apply --deep --locked"), "{remedy}");
    let locks = read_locks(Path::new(lock), &Real, &home.machine).unwrap();
    let Home { machine, catalog, settings, profile, choices, .. } = &home;
    let mut cx = aitk_exec::Context::new(&Real, &Real, machine, catalog, settings, home.receipt());
    (cx.locked, cx.deep) = (Some(&locks), true);
    let manager = aitk_plan::Manager::Venv;
    let mut plan = aitk_plan::plan(machine, profile, choices, manager, catalog);
    survey(&cx, &mut plan, true).unwrap();
    let journal = aitk_exec::Journal::begin(&machine.folders.state, &Real);
    let summary = aitk_exec::apply(&cx, plan, &journal, &common::Silent).unwrap();
    assert!(summary.failure.is_none(), "{:?}", summary.failure);
    assert_eq!((home.generation().folder(), version(&home)), (one.clone(), "1.0".to_owned()));
    // What was not built to its end is no way back either.
    fs::remove_file(home.environments().generation(&two).path().join("aitk-generation.json"))
        .unwrap();
    assert_eq!(home.environments().generation(&two).state(&Real).unwrap(), State::Half);
    let half = home.go_back(Some(&two)).unwrap_err();
    assert!(matches!(half, ExecError::NotWhole { .. }), "{half}");
    for name in ["", "no-such", "0"] {
        let none = back(&Real, &home.settings.data, "ai", Some(name));
        let fits = matches!(none, Err(ExecError::NoGeneration { .. })) || one.starts_with('0');
        assert!(fits, "{name}: {none:?}");
    }
    assert_eq!(back(&Real, &home.settings.data, "ai", Some(&one)).unwrap(), None);
}

#[test]
fn a_proof_that_fails_leaves_what_is_in_use_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _, two) = upgraded(folder.path());
    // The proof needs what neither of them has.
    let history = home.environments().history(&Real).len();
    let mut home = home;
    let proof = "[[step]]\nid = \"check\"\nphase = \"check\"\nkind = \"check\"\ntitle = \"t\"\nwhy = \"w\"\nneeds = [\"libraries\"]\nscript = \"libraries.py\"\n";
    let text = include_str!("../../../tests/support/tiny.toml");
    let text = text.replace("phase = \"tools\"", "phase = \"check\"");
    let (before, after) = text.split_once("[[step]]\nid = \"activate\"").unwrap();
    let text = format!("{before}{proof}[[step]]\nid = \"activate\"{after}");
    home.profile = aitk_plan::Profile::from_toml("tiny.toml", &text).unwrap();
    let summary = home.go_back(None).unwrap();
    let (step, error) = summary.failure.unwrap();
    assert_eq!((step.as_str(), error.code()), ("check", "AITK-X04"), "{error}");
    assert_eq!(home.generation().folder(), two);
    assert_eq!(home.environments().history(&Real).len(), history);
}

#[test]
fn a_link_that_was_moved_by_hand_is_not_moved_again_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (home, one, two) = upgraded(folder.path());
    fs::remove_file(home.link()).unwrap();
    symlink(&one, home.link()).unwrap();
    // What is asked for has not changed: it stays where it is.
    assert!(!home.has_to_do(false));
    let (last, current) = home.environments().moved_by_hand(&Real).unwrap();
    assert_eq!((last.to, current.folder()), (two.clone(), one));
    // Whoever asks for the other one is told.
    let lock = home.environments().generation(&two).path().join("pylock.toml");
    let locks = read_locks(&lock, &Real, &home.machine).unwrap();
    let Home { machine, catalog, settings, profile, choices, .. } = &home;
    let mut cx = aitk_exec::Context::new(&Real, &Real, machine, catalog, settings, home.receipt());
    cx.locked = Some(&locks);
    let manager = aitk_plan::Manager::Venv;
    let mut plan = aitk_plan::plan(machine, profile, choices, manager, catalog);
    survey(&cx, &mut plan, true).unwrap();
    assert!(plan.steps.iter().any(|step| step.status == Status::Needed));
    let warned: Vec<_> = plan.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert!(warned.contains(&warnings::MOVED_BY_HAND), "{warned:?}");
}

const USUAL: Keeps = Keeps { generations: 2, no_cache: false, older: None };

/// What goes, and then it goes.
fn cleaned(home: &Home, keeps: Keeps) -> Cleaning {
    let Home { machine, catalog, settings, .. } = home;
    let places = Places::new(&machine.folders, &settings.data, []);
    let (state, arch) = (&*machine.folders.state, &*machine.arch);
    let around = Around { system: &Real, settings, state, places: &places, catalog, arch };
    let cleaning = cleaning(&around, keeps);
    let mut receipt = home.receipt();
    let failed = clean(&around, &cleaning, &mut receipt).unwrap();
    assert!(failed.is_empty(), "{failed:?}");
    cleaning
}

fn names(home: &Home) -> Vec<String> {
    home.environments().all(&Real).iter().map(aitk_env::Generation::folder).collect()
}

#[test]
fn what_nobody_needs_goes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (home, one, two) = upgraded(folder.path());
    for version in ["2.0", "3.0", "4.0"] {
        home.publish("toolz", version);
        home.upgrade();
    }
    let (current, before) = (home.generation(), home.environments().before(&Real).unwrap());
    assert_eq!(names(&home).len(), 5);
    // A program runs from the oldest; the user has a file of their own in the next.
    let sleep = home.environments().generation(&one).path().join("bin/slow");
    fs::copy("/bin/sleep", &sleep).unwrap();
    let mut running = Command::new(&sleep).arg("100").spawn().unwrap();
    let second = home.environments().generation(&two).path().to_owned();
    fs::create_dir_all(second.join("notebooks")).unwrap();
    fs::write(second.join("notebooks/thesis.ipynb"), "mine").unwrap();
    let wheels = |home: &Home| Real.list(&home.settings.cache.join("wheels")).unwrap();
    assert!(wheels(&home).iter().any(|name| name.starts_with("toolz-2.0")));
    let cleaning = cleaned(&home, USUAL);
    assert_eq!(cleaning.generations.len(), 2, "{cleaning:?}");
    let said: Vec<_> = cleaning.kept.iter().map(|kept| kept.reason.to_string()).collect();
    assert!(said.iter().any(|said| said.contains("programs run from it: slow")), "{said:?}");
    assert!(second.join("notebooks/thesis.ipynb").exists());
    assert!(!second.join("bin").exists());
    let mut left = vec![current.folder(), before.folder(), one.clone()];
    left.sort();
    assert_eq!(names(&home), left);
    let kept = wheels(&home);
    for (file, stays) in
        [("toolz-1.0", true), ("toolz-2.0", false), ("toolz-3.0", true), ("uv-", true)]
    {
        assert_eq!(kept.iter().any(|name| name.starts_with(file)), stays, "{file}: {kept:?}");
    }
    running.kill().unwrap();
    running.wait().unwrap();
    // Half-built by a run that came to its end otherwise.
    let lock = fs::read_to_string(current.path().join("pylock.toml")).unwrap();
    let (before_it, rest) = lock.split_once("sha256 = \"").unwrap();
    let lock = format!("{before_it}sha256 = \"{}{}", "0".repeat(64), &rest[64..]);
    let manager = aitk_plan::Manager::Venv;
    let parsed = aitk_plan::Locks::parse(&lock, Path::new("l"), manager, None).unwrap();
    let half = home.environments().generation(&parsed.environment.digest());
    assert_ne!(half, current);
    fs::create_dir_all(half.path()).unwrap();
    fs::write(half.path().join("pylock.toml"), lock).unwrap();
    assert!(half.is_ours(&Real));
    let cleaning = cleaned(&home, USUAL);
    assert_eq!(cleaning.generations.len(), 2, "the oldest and what is half-built: {cleaning:?}");
    assert!(cleaning.bytes > 10_000, "{cleaning:?}");
    assert!(cleaned(&home, USUAL).is_empty());
    assert!(home.verify(true).is_empty());
    assert!(!home.has_to_do(true));
    home.go_back(None).unwrap();
    assert_eq!(home.generation(), before);
    assert!(home.receipt().objects.keys().all(|key| !key.contains(&one)));
}

#[test]
fn the_whole_cache_goes_only_where_that_is_asked_for_and_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    assert!(cleaned(&home, USUAL).is_empty(), "all of it is needed");
    fs::write(home.settings.cache.join("mine"), "").unwrap();
    let cleaning = cleaned(&home, Keeps { no_cache: true, ..USUAL });
    assert!(!cleaning.is_empty());
    let left = Real.list(&home.settings.cache).unwrap();
    assert_eq!(left, ["mine"], "what is somebody's stays, and nothing else");
    assert!(home.verify(true).is_empty() && !home.has_to_do(true));
    fs::remove_file(home.site("six.py")).unwrap();
    home.apply(true);
    assert!(home.verify(true).is_empty());
}

#[test]
fn what_a_run_had_begun_stays_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _, two) = upgraded(folder.path());
    home.go_back(None).unwrap();
    let found = cleaned(&home, Keeps { generations: 1, no_cache: false, older: None });
    assert!(found.generations.is_empty(), "the way forward again is gone: {found:?}");
    // As it is after a kill in the middle of building.
    fs::remove_file(home.environments().generation(&two).path().join("aitk-generation.json"))
        .unwrap();
    let runs = home.machine.folders.state.join("runs");
    let last = fs::read_dir(&runs).unwrap().map(|run| run.unwrap().path()).max().unwrap();
    let journal = last.join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let (cut, _) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&journal, format!("{cut}\n")).unwrap();
    let cleaning = cleaned(&home, Keeps { generations: 1, ..USUAL });
    assert!(cleaning.is_empty(), "{cleaning:?}");
    fs::write(&journal, text).unwrap();
    let cleaning = cleaned(&home, Keeps { generations: 1, ..USUAL });
    assert_eq!(cleaning.generations.len(), 1, "{cleaning:?}");
    assert!(!home.has_to_do(true));
}

#[test]
fn what_an_older_aitk_has_built_is_gone_back_to_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let (home, one, two) = upgraded(folder.path());
    // As version 0.1 has noted it, which wrote no history.
    let path = home.environments().generation(&one).path().join("aitk-generation.json");
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for field in ["inventory", "wish", "when", "aitk", "run", "before", "reason"] {
        record.as_object_mut().unwrap().remove(field);
    }
    record["schema"] = 1.into();
    fs::write(&path, record.to_string()).unwrap();
    fs::remove_file(home.environments().history_path()).unwrap();
    let summary = home.go_back(None).unwrap();
    assert!(summary.failure.is_none(), "{:?}", summary.failure);
    assert_eq!((home.generation().folder(), version(&home)), (one.clone(), "1.0".to_owned()));
    assert!(!home.has_to_do(true));
    assert_eq!(switches(&home), [(Some(two), one, Occasion::Rollback)]);
}

#[test]
fn packages_of_the_users_own_stand_in_the_history_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = Home::new(folder.path());
    home.publish("more", "1.0");
    let mut apply = |packages: &[&str]| {
        home.choices.packages = packages.iter().map(|name| (*name).to_owned()).collect();
        home.wish(serde_json::json!({ "choices": { "packages": packages } }));
        home.apply(false);
        switches(&home).last().unwrap().2
    };
    assert_eq!(apply(&[]), Occasion::Apply);
    assert_eq!(apply(&["more"]), Occasion::Add);
    assert_eq!(apply(&[]), Occasion::Drop);
}

/// What earlier forms of this version have written stays readable, word for word as it was.
#[test]
fn a_record_and_a_history_of_this_form_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    let environments = home.environments();
    let generation = environments.generation("5d1a0c4be8a7f3d2");
    fs::create_dir_all(generation.path()).unwrap();
    let record = include_str!("../../env/fixtures/record-2.json");
    fs::write(generation.path().join("aitk-generation.json"), record).unwrap();
    let record = generation.record(&Real).unwrap();
    assert_eq!(
        (record.schema, &*record.python, &*record.added),
        (2, "3.13", &["rich".to_owned()][..])
    );
    assert_eq!(record.wish.unwrap()["choices"]["packages"][0], "rich>=14");
    let history = include_str!("../../env/fixtures/history-1.jsonl");
    fs::write(generation.path().with_file_name("history.jsonl"), history).unwrap();
    let reasons = [Occasion::Apply, Occasion::Upgrade, Occasion::Rollback];
    // Its last line was cut off, as by a power cut.
    assert!(switches(&home).iter().map(|(.., reason)| *reason).eq(reasons));
}

/// Conda's own environment goes along with the one that was built beside it.
#[test]
fn going_back_takes_condas_own_environment_along() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = Home::with_conda(folder.path());
    let bases = Environments::new(&home.settings.data, "base");
    let in_use = |home: &Home| {
        let base = bases.current(&Real).unwrap().0.folder();
        (home.generation().folder(), base, home.verify(true))
    };
    home.ask_for(r#"["six"]"#, r#"["six"]"#);
    home.apply(false);
    let one = in_use(&home);
    home.ask_for(r#"["six", "toolz"]"#, r#"["six", "toolz"]"#);
    home.apply(false);
    let two = in_use(&home);
    assert!(one.0 != two.0 && one.1 != two.1, "{one:?} {two:?}");
    home.ask_for(r#"["six"]"#, r#"["six"]"#);
    let summary = home.go_back(None).unwrap();
    assert!(summary.failure.is_none(), "{:?}", summary.failure);
    assert_eq!(in_use(&home), one);
    assert!(one.2.is_empty() && !home.has_to_do(true));
    // And forward again.
    home.ask_for(r#"["six", "toolz"]"#, r#"["six", "toolz"]"#);
    home.go_back(Some(&two.0)).unwrap();
    assert_eq!(in_use(&home), two);
}
