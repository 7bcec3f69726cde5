//! An environment is broken in every way that is known: `verify`, `doctor` and what `apply` finds to do say the same of it,
//! what they say helps is done, and then nothing is wrong any more. The environments are real ones of both managers, built
//! from packages of an index or a channel on loopback; only uv is a stand-in, and conda's Python starts the one of this
//! machine.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests break things from outside"
)]

mod broken;
#[path = "../common/mod.rs"]
mod common;
mod conda;
mod elsewhere;
mod outside;
mod venv;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use aitk_detect::examine;
use aitk_env::Depth;
use aitk_exec::{Event, Remedy, Reporter, VerifyFinding};
use aitk_plan::step::AptLists;
use aitk_plan::{AcceleratorChoice, Manager, Phase, Step};
use aitk_system::{Deny, Message, Real};
use broken::{Case, Helps, case, remove};
use common::Home;

fn of(found: &[VerifyFinding]) -> BTreeSet<(String, String)> {
    let pair = |found: &VerifyFinding| (found.message.to_string(), found.remedy.text().to_string());
    found.iter().map(pair).collect()
}

/// Does what is said to help, as a person does.
fn follow(home: &Home, case: &Case, found: &[VerifyFinding]) {
    let mut applies = BTreeSet::new();
    for finding in found {
        match &finding.remedy {
            Remedy::Apply { deep, .. } => _ = applies.insert(*deep),
            Remedy::Remove(path) => remove(path.clone()),
            Remedy::Do(words) => match case.helps {
                Helps::Move => move_away(home, words, &finding.message),
                Helps::Edit => edit(home, words),
                _ => give_back(words),
            },
            Remedy::Doctor => panic!("{finding:?}"),
        }
    }
    // Whoever reads every file sees the rest as well.
    if let Some(deep) = applies.into_iter().max() {
        home.apply(deep);
    }
}

/// What the words name, or what was said of it, unless it is away already.
fn move_away(home: &Home, words: &Message, said: &Message) {
    let (words, said) = (words.to_string(), said.to_string());
    let path = match words.split_once("look at ") {
        Some((_, words)) => words.split(';').next().unwrap(),
        None => said.split(" says").next().unwrap(),
    };
    let path = outside::place(home, Path::new(path));
    if fs::symlink_metadata(&path).is_ok() {
        fs::rename(path, home.folder.join("moved away")).unwrap();
    }
}

/// Takes the lines out that the words name, and writes those into it that follow them.
fn edit(home: &Home, words: &Message) {
    let (file, words) = (home.folder.join(".bashrc"), words.to_string());
    let (what, lines) = words.split_once('\n').unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let own = text.lines().filter(|line| !what.contains(&format!("`{line}`")));
    let text: Vec<_> = own.chain(lines.lines()).collect();
    fs::write(file, text.join("\n") + "\n").unwrap();
}

fn give_back(words: &Message) {
    let words = words.to_string();
    let (_, command) = words.split_once("sudo ").unwrap();
    let done = Command::new("sh").args(["-c", command]).env("USER", "root").status().unwrap();
    assert!(done.success(), "{command}");
}

fn cure(home: &Home, case: &Case) {
    (case.breaks)(home);
    let shallow = home.verify(false);
    assert_eq!(of(&shallow), home.doctor(), "{}: verify and doctor differ", case.says);
    heal(home, case);
}

/// What is broken is named, and what is said to help does.
fn heal(home: &Home, case: &Case) {
    let Case { says, helps, .. } = case;
    let found = home.verify(matches!(helps, Helps::Deep | Helps::Remove));
    let finding = found.iter().find(|one| one.message.to_string().contains(says));
    let finding = finding.unwrap_or_else(|| panic!("{says} is not among {found:?}"));
    let (said, deep) = (finding.remedy.text().to_string(), *helps != Helps::Apply);
    let fits = match helps {
        Helps::Apply => said == "aitk apply",
        Helps::Deep => said == "aitk apply --deep",
        Helps::Remove => said.starts_with("rm -r "),
        Helps::Move => said.contains("move it away"),
        Helps::Edit => said.contains("let it have these lines") || said.contains("add these lines"),
        Helps::GiveBack => said.contains("sudo chown -R"),
    };
    assert!(fits, "{says}: the remedy is `{said}`");
    assert_eq!(home.has_to_do(deep), *helps != Helps::Remove, "{says}: what apply finds to do");
    if *helps == Helps::Deep {
        assert!(!home.has_to_do(false), "{says}: `aitk apply` sees it without --deep");
    }
    follow(home, case, &found);
    let after = home.verify(true);
    assert!(of(&after).is_disjoint(&of(&found)), "{says}: `{said}` takes it not away: {after:?}");
    // What nobody but the person can do lets aitk do the rest.
    if matches!(helps, Helps::Move | Helps::GiveBack | Helps::Edit) {
        follow(home, case, &after);
    }
    assert_eq!(of(&home.verify(true)), BTreeSet::new(), "{says}: it is still there");
    assert_eq!(home.doctor(), BTreeSet::new(), "{says}");
    assert!(!home.has_to_do(true), "{says}: there is still something to do");
    let _ = fs::remove_dir_all(home.folder.join("moved away"));
    let _ = fs::remove_file(home.folder.join("moved away"));
}

fn cure_all(manager: Manager, cases: &[Case]) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::of(folder.path(), manager);
    home.apply(false);
    assert_eq!(of(&home.verify(true)), BTreeSet::new());
    assert!(!home.has_to_do(true));
    cases.iter().for_each(|case| cure(&home, case));
}

#[test]
fn what_is_wrong_with_an_environment_itself_is_cured_as_it_is_said() {
    cure_all(Manager::Venv, &venv::ITSELF);
    cure_all(Manager::Conda, &conda::ITSELF);
}

#[test]
fn what_is_wrong_with_its_packages_is_cured_as_it_is_said() {
    cure_all(Manager::Venv, &venv::PACKAGES);
    cure_all(Manager::Conda, &conda::PACKAGES);
}

#[test]
fn what_was_put_into_it_is_cured_as_it_is_said() {
    cure_all(Manager::Venv, &venv::ADDITIONS);
    cure_all(Manager::Conda, &conda::ADDITIONS);
}

#[test]
fn what_is_wrong_with_what_aitk_notes_of_it_is_cured_as_it_is_said() {
    cure_all(Manager::Venv, &venv::NOTES);
    cure_all(Manager::Conda, &conda::NOTES);
}

#[test]
fn what_is_wrong_beside_it_is_cured_as_it_is_said() {
    cure_all(Manager::Venv, &venv::BESIDE);
    cure_all(Manager::Conda, &conda::BESIDE);
}

#[test]
fn what_belongs_to_another_user_is_cured_as_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        cure_all(Manager::Venv, &venv::OWNERS);
        cure_all(Manager::Conda, &conda::OWNERS);
    }
}

#[test]
fn an_environment_that_was_moved_is_built_anew_as_it_is_said() {
    for manager in [Manager::Venv, Manager::Conda] {
        let folder = tempfile::tempdir().unwrap();
        let mut home = Home::of(folder.path(), manager);
        home.apply(false);
        let data = folder.path().join("elsewhere");
        fs::rename(&home.settings.data, &data).unwrap();
        home.settings.data.clone_from(&data);
        home.machine.folders.data = data;
        cure(&home, &case("stands elsewhere now", Helps::Apply, |_| {}));
    }
}

#[test]
fn a_folder_of_environments_that_leads_to_another_disk_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    let (there, disk) = (home.settings.data.join("envs/ai"), folder.path().join("disk"));
    fs::rename(&there, &disk).unwrap();
    symlink(&disk, &there).unwrap();
    assert_eq!(of(&home.verify(true)), BTreeSet::new());
    assert!(!home.has_to_do(true));
}

#[test]
fn what_a_newer_aitk_has_built_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    let path = home.at("aitk-generation.json");
    let noted = fs::read_to_string(&path).unwrap();
    fs::write(&path, noted.replace("\"schema\": 2", "\"schema\": 3")).unwrap();
    assert_eq!(home.generation().record(&Real).unwrap().schema, 3);
    remove(home.site("six.py"));
    let found = home.verify(false);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].remedy.text().to_string().contains("use that version"), "{found:?}");
    assert_eq!(of(&found), home.doctor());
    // That version mends it.
    fs::write(&path, noted).unwrap();
    assert!(
        !home.generation().faults_in(&Real, Some("libraries"), Depth::Sizes).unwrap().is_empty()
    );
    cure(&home, &case("six.py is gone", Helps::Apply, |_| {}));
}

#[test]
fn an_edited_kernel_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    let text = fs::read_to_string(home.kernel()).unwrap();
    fs::write(home.kernel(), text.replace("\"language\": \"python\"", "\"language\": \"Python\""))
        .unwrap();
    assert_eq!(of(&home.verify(true)), BTreeSet::new());
    assert!(!home.has_to_do(true));
}

/// What root has written and the shell's file say, but for what a swap file is given by chance.
fn tree(home: &Home) -> Vec<(PathBuf, String)> {
    let mut ahead = vec![home.folder.join("root"), home.folder.join(".bashrc")];
    let mut found = Vec::new();
    while let Some(path) = ahead.pop() {
        if path.is_dir() {
            ahead.extend(fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()));
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            let is_swap = path.ends_with("swapfile");
            let text = if is_swap { bytes.len().to_string() } else { text };
            found.push((path, text));
        }
    }
    found.sort();
    found
}

#[test]
fn what_is_wrong_outside_of_environments_is_cured_as_it_is_said() {
    let tables: [&[Case]; 4] =
        [&outside::SYSTEM_FILE, &outside::SWAP_SPACE, &outside::APT_SOURCE, &outside::SHELL_FILE];
    for cases in tables {
        let folder = tempfile::tempdir().unwrap();
        let home = outside::home(folder.path());
        home.apply(false);
        assert_eq!(of(&home.verify(true)), BTreeSet::new());
        let before = tree(&home);
        for case in cases {
            (case.breaks)(&home);
            assert_ne!(tree(&home), before, "{}: nothing is broken", case.says);
            heal(&home, case);
            // Whoever edits a file has it otherwise, and still as it should be.
            let mut expected = before.clone();
            let mut after = tree(&home);
            if matches!(case.helps, Helps::Edit | Helps::Move) {
                let of_root = |(path, _): &(PathBuf, String)| !path.ends_with(".bashrc");
                expected.retain(of_root);
                after.retain(of_root);
            }
            assert_eq!(after, expected, "{}: more was changed", case.says);
        }
    }
}

/// What was found is told, not what the steps would do; and of what ages by itself nothing, for nobody has looked.
#[test]
fn what_was_verified_is_what_is_told() {
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);
    impl Reporter for Told {
        fn event(&self, event: &Event<'_>) {
            let told = match event {
                Event::StepStarted { step, .. } => format!("looks at {step}"),
                Event::Message { text, .. } => text.to_string(),
                _ => return,
            };
            self.0.lock().unwrap().push(told);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut home = Home::new(folder.path());
    home.apply(false);
    let ages = AptLists { max_age_hours: 1 };
    home.steps.push(Step::new("lists", Phase::System, "Refresh", ages.into()));
    let told = Told::default();
    let found = home.with(&Deny(Arc::clone(&home.system)), false, |cx, plan| {
        aitk_exec::verify(cx, &plan, false, &told).unwrap()
    });
    assert_eq!(of(&found), BTreeSet::new());
    let told = told.0.into_inner().unwrap();
    let has = |words: &str| told.iter().any(|line| line.contains(words));
    assert!(has("packages as they were installed: six"), "{told:?}");
    assert!(has("the link to the environment in use leads where it should"), "{told:?}");
    assert!(!has("looks at lists") && !has("Install libraries"), "{told:?}");
}

#[test]
fn a_build_that_was_asked_for_is_not_blamed() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = outside::home_with_a_gpu(folder.path());
    home.choices.accelerator = AcceleratorChoice::Cpu;
    home.settings.torch_index = Some(outside::torch("cpu", "None"));
    home.apply(false);
    assert!(!home.has_to_do(true));
    assert_eq!(home.said(&["AITK-H01"]), BTreeSet::new());
    // Whoever looks at it as somebody else's is told, and so is who wishes for another one.
    let env = home.environments().current_path();
    let found = examine(&Real, &home.machine, &home.catalog.tables, Some(&env), None);
    assert!(found.iter().any(|finding| finding.code == "AITK-H01"), "{found:?}");
    home.choices.accelerator = AcceleratorChoice::Auto;
    let said = home.said(&["AITK-H01"]);
    assert!(said.iter().any(|(_, helps)| helps == "aitk apply"), "{said:?}");
}

#[test]
fn an_environment_for_a_gpu_that_is_gone_is_built_anew_as_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = outside::home_with_a_gpu(folder.path());
    home.apply(false);
    assert_eq!(home.said(&["AITK-H17"]), BTreeSet::new());
    outside::take_the_gpu_out(&mut home);
    let said = home.said(&["AITK-H17"]);
    let (seen, _) = said.iter().next().unwrap();
    assert!(seen.contains("built for CUDA 13.2"), "{said:?}");
    assert!(said.iter().any(|(_, helps)| helps == "aitk apply"), "{said:?}");
    assert!(home.has_to_do(false));
    home.apply(false);
    assert_eq!(home.said(&["AITK-H17"]), BTreeSet::new());
    assert_eq!(of(&home.verify(true)), BTreeSet::new());
    assert!(fs::read_to_string(home.site("torch/version.py")).unwrap().contains("+cpu"));
}
