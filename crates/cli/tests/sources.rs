//! Sources on loopback: those that want credentials, and those that stay silent.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

mod common;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::{Home, Served, files_with, machine, small_channel, text};

/// Everything that a conda environment without a framework is asked for with.
fn wish<'a>(channel: &'a str, machine: &'a str) -> Vec<&'a str> {
    let wish = ["--budget", "low", "--framework", "none", "--manager", "conda"];
    wish.into_iter().chain(["--machine", machine, "--channel", channel]).collect()
}

#[test]
fn what_opens_a_channel_reaches_it_on_any_port_and_is_seen_nowhere() {
    for (option, secret, user) in [
        (["--token", "tok-1234"], "tok-1234", ""),
        (["--basic", "me:s3cr@t"], "s3cr", "me:s3cr%40t@"),
    ] {
        let home = Home::new();
        small_channel(&home.path().join("served/conda-forge"), &[]);
        let served = Served::new(&home.path().join("served"), &option);
        let token = if user.is_empty() { "/t/tok-1234" } else { "" };
        let channel = format!("http://{user}{}{token}/conda-forge", served.place);
        let machine = machine("ubuntu-24.04-laptop");
        let wish = wish(&channel, &machine);
        let file = |name: &str| home.path().join(name).to_string_lossy().into_owned();
        let (plan, lock, bundle) = (file("plan.json"), file("pixi.lock"), file("b.tar"));
        for args in [
            &["plan", "-o", &plan, "-vv"],
            &["lock", "-o", &lock, "-vv"],
            &["bundle", "-o", &bundle, "-vv"],
        ] {
            let output = home.aitk(&[&args[..], &wish].concat());
            let said = text(&output.stderr) + &text(&output.stdout);
            assert!(output.status.success(), "{args:?}: {said}");
            assert!(!said.contains(secret), "{args:?} shows the secret: {said}");
        }
        assert_eq!(files_with(home.path(), &[secret]), [] as [std::path::PathBuf; 0]);

        // A bundle holds the exact plan.
        let mut tar = std::process::Command::new("tar");
        let saved = tar.args(["-xOf", &bundle, "plan.json"]).output().unwrap().stdout;
        let saved: serde_json::Value = serde_json::from_slice(&saved).unwrap();
        let steps = saved["data"]["steps"].as_array().unwrap();
        let libraries = steps.iter().find(|step| step["id"] == "libraries").unwrap();
        assert!(
            text(libraries["packages"].to_string().as_bytes()).contains("numpy-1.0-py_0.conda")
        );

        // Without it, the channel says no.
        let open = format!("http://{}/conda-forge", served.place);
        let args = [&["lock"][..], &self::wish(&open, &machine)].concat();
        let output = Home::new().aitk(&args);
        assert_eq!(output.status.code(), Some(69), "{}", text(&output.stderr));
    }
}

#[test]
fn what_opens_an_index_is_not_shown() {
    let home = Home::new();
    let index = "http://me:s3cret@127.0.0.1:9/simple";
    let machine = machine("ubuntu-24.04-laptop");
    let plan = [
        "plan",
        "--budget",
        "low",
        "--manager",
        "venv",
        "--machine",
        &machine,
        "--no-resolve",
        "--json",
    ];
    let flags = ["--index-url", index, "--torch-index", index];
    let variables = [("AITK_INDEX_URL", index), ("AITK_TORCH_INDEX", index)];
    for output in [
        home.aitk(&[&plan[..], &flags].concat()),
        home.aitk_with(&variables, &plan),
        home.aitk_with(&variables, &["plan", "--help"]),
    ] {
        let said = text(&output.stderr) + &text(&output.stdout);
        assert!(output.status.success() && !said.contains("s3cret"), "{said}");
    }
}

/// A server that accepts connections and never says a word.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    (listener, place)
}

/// One message, soon, and the exit code for it.
fn gives_up(home: &Home, args: &[&str]) {
    let since = Instant::now();
    let output = home.aitk(args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{args:?}: {said}");
    assert_eq!(said.matches("error[").count(), 1, "{args:?}: {said}");
    assert!(!said.contains("WARN"), "{args:?}: {said}");
    assert!(since.elapsed() < Duration::from_secs(10), "{args:?}: {:?}", since.elapsed());
}

#[test]
fn a_channel_that_stays_silent_is_given_up_within_10_seconds() {
    let (_open, place) = silent();
    let machine = machine("ubuntu-24.04-laptop");
    let args = [&["plan"][..], &wish(&place, &machine)].concat();
    gives_up(&Home::new(), &args);
}

#[test]
fn a_channel_that_falls_silent_is_given_up_within_10_seconds() {
    let home = Home::new();
    small_channel(&home.path().join("served/conda-forge"), &[]);
    let faults = home.path().join("faults");
    std::fs::write(&faults, r#"[{"path": "noarch/repodata.json$", "do": "stall"}]"#).unwrap();
    let faults = faults.to_string_lossy();
    let served = Served::new(&home.path().join("served"), &["--fault", &faults]);
    let channel = format!("http://{}/conda-forge", served.place);
    let machine = machine("ubuntu-24.04-laptop");
    let args = [&["plan"][..], &wish(&channel, &machine)].concat();
    gives_up(&home, &args);
}

#[test]
fn silence_everywhere_is_given_up_within_10_seconds() {
    let (_open, place) = silent();
    gives_up(
        &Home::new(),
        &[
            "plan",
            "--budget",
            "low",
            "--framework",
            "none",
            "--user-only",
            "--channel",
            &place,
            "--index-url",
            &place,
        ],
    );
}

#[test]
fn what_came_out_after_a_time_that_is_set_is_left_out_by_flag_file_and_settings() {
    let home = Home::new();
    let folder = home.path().join("served/conda-forge");
    let needs = &["python"] as &[&str];
    let more = [("aitk-own", "1.0", "py_0", needs), ("aitk-own", "2.0", "py_0", needs)];
    small_channel(&folder, &[&more[..], &[("aitk-undated", "1.0", "py_0", needs)]].concat());
    let path = folder.join("noarch/repodata.json");
    let mut index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (file, record) in index["packages.conda"].as_object_mut().unwrap() {
        // All from 2025-01-01, but for the newer one, which is from 2026-06-01, and the one that does not tell.
        let at =
            if file.starts_with("aitk-own-2") { 1_780_272_000_000_i64 } else { 1_735_689_600_000 };
        if !file.starts_with("aitk-undated") {
            record["timestamp"] = at.into();
        }
    }
    std::fs::write(&path, index.to_string()).unwrap();
    let served = Served::new(&home.path().join("served"), &[]);
    let (channel, machine) =
        (format!("http://{}/conda-forge", served.place), machine("ubuntu-24.04-laptop"));
    let plan = |home: &Home, more: &[&str]| {
        let words =
            [&["plan", "--json", "--package", "aitk-own"], &wish(&channel, &machine)[..], more];
        let output = home.aitk(&words.concat());
        assert!(output.status.success(), "{more:?}: {}", text(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["data"].clone()
    };
    let version = |plan: &serde_json::Value| {
        let steps = plan["steps"].as_array().unwrap().iter();
        let mut packages = steps.flat_map(|step| step["packages"].as_array().into_iter().flatten());
        let own = packages.find(|package| package["name"] == "aitk-own").unwrap();
        own["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(version(&plan(&home, &[])), "2.0");
    let old = plan(&home, &["--exclude-newer", "2026-01-01"]);
    assert_eq!(version(&old), "1.0");
    assert!(
        old["steps"].to_string().contains("what came out after 2026-01-01 is left out"),
        "{old}"
    );
    assert_eq!(version(&plan(&home, &["--exclude-newer", "2026-06-01"])), "2.0");
    // What has no date is left out, and the words say why nothing is found.
    let undated = ["plan", "--package", "aitk-undated", "--exclude-newer", "2026-01-01"];
    let output = home.aitk(&[&undated[..], &wish(&channel, &machine)].concat());
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("AITK-E03"), "{said}");
    assert!(said.contains("--exclude-newer") && said.contains("no date"), "{said}");
    // The user's settings count where nothing else is chosen.
    let settings = home.path().join(".config/aitk/config.toml");
    std::fs::create_dir_all(settings.parent().unwrap()).unwrap();
    std::fs::write(&settings, "exclude-newer = \"2026-01-01\"\n").unwrap();
    assert_eq!(version(&plan(&home, &[])), "1.0");
    assert_eq!(version(&plan(&home, &["--exclude-newer", "none"])), "2.0");
    assert_eq!(version(&plan(&home, &["--exclude-newer", "2026-07-01"])), "2.0");
    std::fs::write(&settings, "exclude-newer = \"soon\"\n").unwrap();
    let output = home.aitk(&["plan", "--budget", "low"]);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
    for wrong in ["14w", "2026-02-30", "-3"] {
        let output = home.aitk(&["plan", "--budget", "low", &format!("--exclude-newer={wrong}")]);
        assert_eq!(output.status.code(), Some(64), "{wrong}: {}", text(&output.stderr));
    }
}
