//! Golden plans: what is planned for each recorded machine, to the byte.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

mod common;

use common::{Home, machine, repository, text};

/// The plan for a machine, without asking any source.
fn plan(name: &str, more: &[&str]) -> serde_json::Value {
    let home = Home::new();
    let machine = machine(name);
    let mut args = vec!["plan", "--budget", "low", "--machine", &machine, "--no-resolve", "--json"];
    args.extend(more);
    if !more.contains(&"--manager") {
        args.extend(["--manager", "venv"]);
    }
    let first = home.aitk(&args);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let again = home.aitk(&args);
    assert_eq!(text(&first.stdout), text(&again.stdout), "the same bytes each time");
    serde_json::from_slice(&first.stdout).unwrap()
}

/// What a person would want to see change in a review: no commands, which are long and the same everywhere.
fn golden(name: &str, label: &str, more: &[&str]) {
    let plan = plan(name, more);
    let data = &plan["data"];
    let steps: Vec<_> = data["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let why: Vec<_> = step["why"].as_array().unwrap().iter().skip(1).collect();
            format!(
                "{:9} {:20} {:>11} {:>11}  {}{}",
                step["status"].as_str().unwrap(),
                step["id"].as_str().unwrap(),
                step["download"],
                step["disk"],
                why.iter().map(|w| w.as_str().unwrap()).collect::<Vec<_>>().join("; "),
                step["remedy"].as_str().map(|remedy| format!(" → {remedy}")).unwrap_or_default(),
            )
            .trim_end()
            .to_owned()
        })
        .collect();
    let summary = serde_json::json!({
        "framework": data["framework"],
        "accelerator": data["accelerator"],
        "steps": steps,
        "totals": data["totals"],
        "warnings": data["warnings"],
    });
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(repository().join("tests/plans"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_json_snapshot!(label, summary));
}

#[test]
fn ubuntu_24_04_laptop() {
    golden("ubuntu-24.04-laptop", "ubuntu-24.04-laptop", &[]);
}

#[test]
fn ubuntu_24_04_laptop_with_conda() {
    golden(
        "ubuntu-24.04-laptop",
        "ubuntu-24.04-laptop-conda",
        &["--manager", "conda", "--init-shell"],
    );
}

#[test]
fn conda_needs_no_root_and_no_python() {
    let more = ["--manager", "conda", "--user-only", "--framework", "none"];
    golden("debian-13-fresh", "debian-13-fresh-conda-user-only", &more);
}

#[test]
fn the_manager_is_conda_where_nobody_may_be_asked() {
    let plan = |more: &[&str]| plan("ubuntu-24.04-laptop", more)["data"]["manager"].clone();
    assert_eq!(plan(&["--manager", "auto"]), "conda");
    assert_eq!(plan(&["--manager", "venv"]), "venv");
}

#[test]
fn ubuntu_22_04_on_wsl2() {
    golden("ubuntu-22.04-wsl2", "ubuntu-22.04-wsl2", &[]);
}

#[test]
fn ubuntu_26_04_desktop() {
    golden("ubuntu-26.04-desktop", "ubuntu-26.04-desktop", &[]);
}

#[test]
fn ubuntu_26_04_has_a_python_that_is_too_new_for_tensorflow() {
    golden(
        "ubuntu-26.04-desktop",
        "ubuntu-26.04-desktop-tensorflow",
        &["--framework", "tensorflow"],
    );
}

#[test]
fn a_vps_with_1_gb_gets_the_libraries_and_a_proposed_swap_file() {
    golden("debian-13-vps-1gb", "debian-13-vps-1gb", &[]);
}

#[test]
fn an_old_processor_is_blocked_with_the_remedy() {
    golden("debian-12-vps-kvm64", "debian-12-vps-kvm64", &[]);
}

#[test]
fn a_container_with_a_memory_limit_and_no_sudo() {
    golden("debian-12-container-4gb", "debian-12-container-4gb", &[]);
}

#[test]
fn a_container_without_sudo_and_user_only() {
    golden("debian-12-container-4gb", "debian-12-container-4gb-user-only", &["--user-only"]);
}

#[test]
fn a_system_past_its_support_is_blocked() {
    golden("ubuntu-20.04-old", "ubuntu-20.04-old", &[]);
}

#[test]
fn debian_13_with_python_and_no_framework() {
    golden("debian-13-fresh", "debian-13-fresh", &["--framework", "none"]);
}

/// As in a pipeline: a recorded machine, a lock, no network.
#[test]
fn a_lock_is_told_as_json_as_well() {
    let home = Home::new();
    let (machine, lock) =
        (machine("ubuntu-24.04-laptop"), machine("ubuntu-24.04-laptop/pylock.toml"));
    let choices = ["--budget", "low", "--framework", "none", "--machine", &machine];
    let args = [&["lock", "--locked", &lock, "--offline"], &choices[..]].concat();
    let plain = home.aitk(&args);
    assert_eq!(plain.status.code(), Some(0), "{}", text(&plain.stderr));
    let json = home.aitk(&[&args[..], &["--json"]].concat());
    let told: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(told["kind"], "lock");
    assert_eq!(told["data"]["text"], text(&plain.stdout));
    assert!(told["data"]["packages"].as_array().unwrap().len() > 50);
}

#[test]
fn a_locked_plan_needs_no_source_and_is_exact() {
    let home = Home::new();
    let (machine, lock) =
        (machine("ubuntu-24.04-laptop"), machine("ubuntu-24.04-laptop/pylock.toml"));
    let args = [
        "plan",
        "--budget",
        "low",
        "--framework",
        "none",
        "--machine",
        &machine,
        "--locked",
        &lock,
        "--offline",
        "--json",
        "--detailed-exitcode",
    ];
    let first = home.aitk(&args);
    assert_eq!(first.status.code(), Some(2), "changes are pending: {}", text(&first.stderr));
    assert_eq!(text(&first.stdout), text(&home.aitk(&args).stdout), "the same bytes each time");
    let plan: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    let steps = plan["data"]["steps"].as_array().unwrap();
    let step = |id: &str| steps.iter().find(|step| step["id"] == id).unwrap();
    for id in ["libraries", "notebook"] {
        let packages = step(id)["packages"].as_array().unwrap();
        let sizes: u64 = packages.iter().map(|package| package["size"].as_u64().unwrap()).sum();
        assert_eq!(step(id)["download"].as_u64(), Some(sizes));
        assert_eq!(step(id)["estimated"], false);
        assert!(packages.iter().all(|package| package["sha256"].as_str().unwrap().len() == 64));
    }
    let numpy =
        step("libraries")["packages"].as_array().unwrap().iter().find(|p| p["name"] == "numpy");
    assert!(numpy.is_some());
    let total: u64 = steps
        .iter()
        .filter(|step| step["status"] == "needed")
        .map(|step| step["download"].as_u64().unwrap())
        .sum();
    assert_eq!(plan["data"]["totals"]["download"].as_u64(), Some(total));
}
