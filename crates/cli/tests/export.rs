//! Exports, as a person asks for them.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

mod common;

use aitk_export::TargetList;
use common::{Home, Served, machine, small_channel, text};
use serde_json::Value;

#[test]
fn the_list_is_for_people_in_their_language_and_for_programs() {
    let home = Home::new();
    let output = home.aitk(&["export", "--list", "--lang", "fr"]);
    assert!(text(&output.stdout).contains("un verrou (pip, uv)"), "{}", text(&output.stderr));
    let output = home.aitk(&["export", "--list", "--json"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        list["data"].as_array().unwrap().len(),
        TargetList::builtin().unwrap().listed().count()
    );
}

/// The plan for a machine, from its lock.
fn plan(home: &Home, flags: &[&str]) -> Value {
    let laptop = machine("ubuntu-24.04-laptop");
    let first = ["plan", "--no-resolve", "--offline", "--json", "--machine", &laptop];
    let output = home.aitk(&[&first, flags].concat());
    assert!(output.status.success(), "{flags:?}: {}", text(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["data"].take()
}

/// What is exported for Ansible with these flags: the folder, and the flags that aitk gets on a machine.
fn ansible(home: &Home, flags: &[&str]) -> (std::path::PathBuf, Vec<String>) {
    let (laptop, folder) = (machine("ubuntu-24.04-laptop"), home.path().join("fleet"));
    // Its lock leads to a host of nobody's.
    let first = ["export", "ansible", "--force", "--accept-sources", "--machine", &laptop];
    let output = home.aitk(&[&first, flags, &["-o", folder.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{flags:?}: {}", text(&output.stderr));
    let role = folder.join("roles/aitk");
    let variables = std::fs::read_to_string(role.join("vars/main.yml")).unwrap();
    let flags = variables.lines().skip_while(|line| *line != "aitk_flags:").skip(1);
    let flags = flags.map_while(|line| line.strip_prefix("  - \"")?.strip_suffix('"'));
    let files = role.join("files");
    let there = |flag: &str| flag.replace("{{ aitk_folder }}", files.to_str().unwrap());
    let flags = flags.map(there).collect();
    (role, flags)
}

/// A choice that is added and forgotten in the export makes this fail.
#[test]
fn ansible_chooses_the_same_on_every_machine() {
    let home = Home::new();
    let lock = machine("ubuntu-24.04-laptop/pylock.toml");
    let given = ["--budget", "workstation", "--framework", "none", "--locked", &lock];
    let more = "--with docker,cuda-toolkit --accelerator cpu --drivers --python 3.12 --manager venv --env other \
                --channel one,https://example.org/two --conda-base /opt/conda --init-shell --user-only --no-upgrade \
                --index-url https://example.org/simple --torch-index https://example.org/{build}";
    let given: Vec<_> = given.into_iter().chain(more.split_whitespace()).collect();
    let wanted = plan(&home, &given);
    let chosen = wanted["choices"].as_object().unwrap();
    let usual = serde_json::to_value(aitk_plan::Choices::default()).unwrap();
    for (name, choice) in chosen.iter().filter(|(name, _)| *name != "profile") {
        assert_ne!(usual.get(name), Some(choice), "{name} has to be chosen here");
    }
    let (role, flags) = ansible(&home, &given);
    let mut flags: Vec<_> = flags.iter().map(String::as_str).collect();
    // It is a variable of the role's: not every machine is alike in that.
    let defaults = std::fs::read_to_string(role.join("defaults/main.yml")).unwrap();
    assert!(defaults.ends_with("\naitk_user_only: true\n"), "{defaults}");
    flags.push("--user-only");
    let got = plan(&home, &flags);
    assert_eq!((&got["budget"], &got["choices"]), (&wanted["budget"], &wanted["choices"]));
}

#[test]
fn ansible_carries_a_profile() {
    let home = Home::new();
    let lock = machine("ubuntu-24.04-laptop/pylock.toml");
    let profile = common::repository().join("profiles/low.toml");
    let given = ["--profile", profile.to_str().unwrap(), "--framework", "none", "--locked", &lock];
    let (role, flags) = ansible(&home, &given);
    let carried = role.join("files/profile.toml");
    assert_eq!(std::fs::read(&carried).unwrap(), std::fs::read(&profile).unwrap());
    let got = plan(&home, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(got["choices"]["profile"], carried.to_str().unwrap());
    let defaults = std::fs::read_to_string(role.join("defaults/main.yml")).unwrap();
    assert!(defaults.ends_with("\naitk_user_only: false\n"), "{defaults}");
}

#[test]
fn ansible_carries_the_lock_of_either_manager() {
    let home = Home::new();
    small_channel(&home.path().join("served/conda-forge"), &[]);
    let served = Served::new(&home.path().join("served"), &[]);
    let channel = format!("http://{}/conda-forge", served.place);
    let given = ["--budget", "low", "--framework", "none", "--manager", "conda"];
    let (role, flags) = ansible(&home, &[&given[..], &["--channel", &channel]].concat());
    assert!(role.join("files/pixi.lock").exists());
    let got = plan(&home, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(got["manager"], "conda");
}

/// Pixi takes a lock as it is only where the channels stand in it as in the workspace.
#[test]
fn pixi_gets_channels_in_their_order() {
    let home = Home::new();
    small_channel(&home.path().join("served/own"), &[]);
    small_channel(&home.path().join("served/forge"), &[("mlflow", "3.1", "py_0", &["python"])]);
    let served = Served::new(&home.path().join("served"), &[]);
    let channels = ["own", "forge"].map(|name| format!("http://{}/{name}", served.place));
    let folder = home.path().join("pixi");
    let flags = "export pixi.toml --budget low --framework none --manager conda --with mlflow -o";
    let flags: Vec<_> = flags.split(' ').collect();
    let given = [folder.to_str().unwrap(), "--channel", &channels.join(",")];
    let output = home.aitk(&[&flags[..], &given].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let workspace: toml::Table = read("pixi.toml").parse().unwrap();
    let wanted = channels.map(|channel| format!("{channel}/"));
    assert_eq!(workspace["workspace"]["channels"], wanted.to_vec().into());
    assert_eq!(workspace["dependencies"]["mlflow"]["version"].as_str(), Some("==3.1"));
    let lock = read("pixi.lock");
    let locked = lock.lines().filter_map(|line| line.trim().strip_prefix("- url: "));
    assert_eq!(locked.collect::<Vec<_>>(), wanted);
}

#[test]
fn a_script_installs_nothing_from_a_source_that_it_does_not_add() {
    let home = Home::new();
    let (laptop, lock) =
        (machine("ubuntu-24.04-laptop"), machine("ubuntu-24.04-laptop/pylock.toml"));
    let given =
        ["export", "script", "--budget", "low", "--framework", "none", "--machine", &laptop];
    let more = ["--locked", &lock, "--with", "docker,vscode,cuda-toolkit", "--accept-sources"];
    let output = home.aitk(&[&given[..], &more].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let script = text(&output.stdout);
    assert!(script.contains("install_packages docker.io\n"), "the distribution's own is missing");
    for from_vendor in ["install_packages code", "install_packages cuda"] {
        assert!(!script.contains(from_vendor), "{from_vendor}");
    }
    assert!(text(&output.stderr).contains("drivers, the vendors' package sources"));
}
