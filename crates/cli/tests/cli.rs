//! The command line as a newcomer meets it: help, wrong arguments, bad files. Nothing here changes anything.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

mod common;

use common::{Home, machine, text};
use serde_json::{Value, json};

/// Runs, and expects an exit code and words on standard error.
fn fails(home: &Home, args: &[&str], code: i32, words: &[&str]) {
    let output = home.aitk(args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?} does not say {word:?}: {said}");
    }
    assert!(output.stdout.is_empty(), "errors go to standard error: {}", text(&output.stdout));
}

#[test]
fn wrong_usage_is_64_and_names_what_is_near() {
    let home = Home::new();
    fails(&home, &["plam"], 64, &["plam", "plan"]);
    fails(&home, &["plan", "--framework", "pytorhc"], 64, &["pytorhc", "pytorch"]);
    fails(&home, &["plan", "--python", "three"], 64, &["3.12"]);
    fails(&home, &["plan", "--env", "../etc"], 64, &["letters"]);
    fails(&home, &["plan", "--budget", "lwo"], 64, &["AITK-P01", "did you mean `low`?"]);
    fails(&home, &["plan", "--budget", "enterprise"], 64, &["AITK-N02", "--platform"]);
    fails(&home, &["plan"], 64, &["AITK-C01", "--budget low"]);
}

#[test]
fn the_variable_of_a_switch_says_yes_and_no_as_people_do() {
    let home = Home::new();
    let plan =
        ["plan", "--budget", "low", "--no-resolve", "--machine", &machine("debian-13-vps-1gb")];
    let says = |value: &str| home.aitk_with(&[("AITK_JSON", value)], &plan);
    for (values, json) in [(["1", "true", "Yes", "on"], true), (["", "0", "no", "OFF"], false)] {
        for value in values {
            let output = says(value);
            assert!(output.status.success(), "{value}: {}", text(&output.stderr));
            assert_eq!(text(&output.stdout).starts_with('{'), json, "{value}");
        }
    }
    let output = says("perhaps");
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("yes or no"), "{}", text(&output.stderr));
}

#[test]
fn words_of_other_tools_lead_to_the_command_that_is_meant() {
    let home = Home::new();
    for (word, command) in [
        ("conseil", "aitk advise"),
        ("install", "aitk apply"),
        ("uninstall", "aitk remove"),
        ("update", "aitk upgrade"),
    ] {
        fails(&home, &[word], 64, &[word, command]);
    }
}

#[test]
fn programs_hear_of_wrong_usage_as_they_hear_of_everything() {
    let home = Home::new();
    let output = home.aitk(&["plan", "--python", "three", "--json"]);
    assert_eq!(output.status.code(), Some(64));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&said["kind"], &said["diagnostics"][0]["code"]),
        (&json!("error"), &json!("AITK-C48"))
    );
    let message = said["diagnostics"][0]["message"].as_str().unwrap();
    assert!(message.contains("three"), "{said}");
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let lines = |args: &[&str]| {
        let output = home.aitk_with(&[("LANG", "fr_FR.UTF-8")], args);
        let said = text(&output.stderr);
        let read = |line: &str| serde_json::from_str::<Value>(line).expect(line);
        let read: Vec<_> = said.lines().map(read).collect();
        assert!(!read.is_empty(), "{args:?} says nothing");
        read
    };
    // A warning, an error of ours, and one of usage: each line is an object, in English.
    let vps = machine("debian-13-vps-1gb");
    let plan = ["plan", "--budget", "low", "--no-resolve", "--progress", "json", "--machine", &vps];
    let warned = lines(&plan);
    let says = |words: &str| {
        let is_warning = |line: &&Value| line["event"] == "warning" && line["code"].is_string();
        let of = |line: &Value| line["message"].as_str().unwrap_or_default().contains(words);
        warned.iter().filter(is_warning).any(of)
    };
    assert!(says("of memory"), "{warned:?}");
    let lost = lines(&["run", "--progress=json", "--", "true"]);
    assert_eq!(lost[0]["event"], "error");
    assert_eq!(lines(&["plam", "--progress=json"])[0]["code"], "AITK-C48");
}

#[test]
fn a_tree_that_is_not_there_is_no_machine() {
    let home = Home::new();
    fails(&home, &["detect", "--root", "/there/is/none"], 1, &["AITK-C10", "/there/is/none"]);
}

#[test]
fn a_commands_own_options_come_first_and_variables_in_the_long_help() {
    let home = Home::new();
    let help = |flag: &str| text(&home.aitk(&["export", flag]).stdout);
    let (short, long) = (help("-h"), help("--help"));
    let at = |words: &str| short.find(words).unwrap_or_else(|| panic!("no {words}: {short}"));
    assert!(at("--list") < at("For every command:") && at("For every command:") < at("--json"));
    assert!(at("--json") < at("Examples:"));
    assert!(!short.contains("AITK_") && long.contains("AITK_OUTPUT"), "{short}");
}

#[test]
fn help_and_version_are_no_errors() {
    let home = Home::new();
    for args in [
        &["--help"][..],
        &["plan", "--help"],
        &["--version"],
        &["completions", "bash"],
        &["profiles"],
    ] {
        let output = home.aitk(args);
        assert!(output.status.success() && !output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_bad_profile_is_78_with_file_line_and_column() {
    let home = Home::new();
    let path = home.path().join("own.toml");
    std::fs::write(&path, "schema = 1\nname = \"x\"\ncolour = \"red\"\n").unwrap();
    let path = path.to_string_lossy().into_owned();
    fails(&home, &["plan", "--profile", &path], 78, &["AITK-P02", "own.toml:3:1", "colour"]);
}

#[test]
fn a_profile_that_is_not_there_is_78() {
    fails(&Home::new(), &["plan", "--profile", "/nope"], 78, &["AITK-P03", "/nope"]);
}

#[test]
fn a_dry_removal_leaves_nothing_behind() {
    let home = Home::new();
    assert!(home.aitk(&["remove", "--dry-run"]).status.success());
    assert!(!home.path().join(".local").exists(), "it made files");
}

#[test]
fn a_bad_configuration_is_78_with_its_place() {
    let home = Home::new();
    let folder = home.path().join(".config/aitk");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "index-url = 3\n").unwrap();
    fails(&home, &["plan", "--budget", "low"], 78, &["config.toml:1:13"]);
}

#[test]
fn a_lock_that_is_none_is_78() {
    let home = Home::new();
    let path = home.path().join("pylock.toml");
    std::fs::write(&path, "lock-version = \"1.0\"\n").unwrap();
    let (path, machine) = (path.to_string_lossy().into_owned(), machine("debian-13-fresh"));
    let args = ["plan", "--budget", "low", "--machine", &machine, "--locked", &path];
    fails(&home, &args, 78, &["AITK-E09", "aitk lock"]);
}

#[test]
fn what_is_not_there_is_said() {
    let home = Home::new();
    fails(&home, &["verify"], 1, &["AITK-C09", "aitk apply --budget low"]);
    fails(&home, &["run", "--", "python"], 1, &["AITK-C09"]);
    fails(&home, &["lab"], 1, &["AITK-C09"]);
    fails(&home, &["plan", "--budget", "low", "--machine", "/nonexistent"], 1, &["AITK-C10"]);
    let status = home.aitk(&["status"]);
    assert!(status.status.success() && text(&status.stdout).contains("There is no environment"));
}

#[test]
fn json_errors_are_one_object_with_the_code() {
    let output = Home::new().aitk(&["plan", "--budget", "lwo", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(json["kind"], "error");
    assert_eq!(json["diagnostics"][0]["code"], "AITK-P01");
    assert_eq!(json["diagnostics"][0]["severity"], "error");
}

#[test]
fn a_source_that_refuses_is_69_with_one_message() {
    let home = Home::new();
    let machine = machine("ubuntu-24.04-laptop");
    let args = ["plan", "--budget", "low", "--framework", "none", "--machine", &machine];
    let output = home.aitk(&args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    assert!(said.contains("--index-url"), "{said}");
}

#[test]
fn a_channel_that_refuses_is_69_for_conda_and_one_line_for_auto() {
    let home = Home::new();
    let machine = machine("ubuntu-24.04-laptop");
    let args = ["plan", "--budget", "low", "--framework", "none", "--machine", &machine];
    let conda = home.aitk(&[&args[..], &["--manager", "conda"]].concat());
    let said = text(&conda.stderr);
    assert_eq!(conda.status.code(), Some(69), "{said}");
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    assert!(said.contains("--channel") && !said.contains("WARN"), "{said}");
    // The index refuses here as well; what counts is that conda is not insisted upon.
    let lines = ["--no-resolve", "--manager", "auto"];
    assert!(home.aitk(&[&args[..], &lines].concat()).status.success());
}

#[test]
fn what_opens_a_channel_is_neither_shown_nor_kept() {
    let home = Home::new();
    let machine = machine("ubuntu-24.04-laptop");
    let plan = home.path().join("plan.json");
    for channel in ["http://127.0.0.1:9/t/geheim-1/forge", "http://me:geheim-2@127.0.0.1:9/forge"] {
        let file = plan.to_str().unwrap();
        let args = [
            "plan",
            "--budget",
            "low",
            "--machine",
            &machine,
            "--manager",
            "conda",
            "--channel",
            channel,
        ];
        for more in
            [&["--no-resolve", "-o", file, "-vvv"][..], &["--no-resolve", "--json"], &["-vvv"]]
        {
            let output = home.aitk(&[&args[..], more].concat());
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(!said.contains("geheim"), "{said}");
        }
        assert!(!std::fs::read_to_string(&plan).unwrap().contains("geheim"));
    }
}

#[test]
fn a_look_leaves_nothing_behind() {
    let home = Home::new();
    let machine = machine("ubuntu-24.04-laptop");
    home.aitk(&["detect"]);
    home.aitk(&["doctor"]);
    home.aitk(&["status"]);
    home.aitk(&["plan", "--budget", "low", "--no-resolve"]);
    home.aitk(&["plan", "--budget", "low", "--no-resolve", "--machine", &machine]);
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_detect_records_is_detected_again() {
    let home = Home::new();
    let folder = home.path().join("recorded");
    let folder = folder.to_string_lossy().into_owned();
    let live = home.aitk(&["detect", "--json", "--capture", &folder]);
    assert!(live.status.success(), "{}", text(&live.stderr));
    let replayed = home.aitk(&["detect", "--json", "--machine", &folder]);
    let data = |bytes: &[u8]| -> serde_json::Value {
        let mut json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let mut data = json["data"].take();
        // The recording hides the home folder's name.
        data["folders"] = serde_json::Value::Null;
        data
    };
    assert_eq!(data(&live.stdout), data(&replayed.stdout));
}

#[test]
fn a_machine_may_be_given_as_the_json_of_detect() {
    let home = Home::new();
    let from = machine("ubuntu-24.04-laptop");
    let json = home.aitk(&["detect", "--json", "--machine", &from]);
    let file = home.path().join("machine.json");
    std::fs::write(&file, &json.stdout).unwrap();
    let file = file.to_string_lossy().into_owned();
    let plan =
        home.aitk(&["plan", "--budget", "low", "--no-resolve", "--json", "--machine", &file]);
    assert!(plan.status.success(), "{}", text(&plan.stderr));
}

/// What the doctor says of a machine, and with what it ends.
fn doctor(name: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = Home::new().aitk(&[&["doctor", "--machine", &machine(name)], more].concat());
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let (code, said) = doctor("rtx3060-cpu-torch", &[]);
    assert_eq!(code, Some(2), "{said}");
    for words in ["AITK-H01", "torch 2.15.0, built for the processor only", "      uv pip install"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    let first = (said.find("error[").unwrap(), said.find("warning[").unwrap());
    assert!(first.0 < first.1, "the worst comes first: {said}");
    let (code, said) = doctor("rtx3060-cpu-torch", &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, json["kind"].as_str()), (Some(2), Some("doctor")));
    assert_eq!(json["data"]["findings"][0]["code"], "AITK-H01");
    assert_eq!(json["data"]["findings"][0]["severity"], "error");
}

#[test]
fn where_nothing_is_wrong_the_doctor_ends_with_0() {
    let (code, said) = doctor("raspberry-pi-5", &[]);
    assert_eq!(code, Some(0), "what is only good to know is no fault: {said}");
    assert!(said.contains("AITK-H24") && said.contains("Nothing is wrong"), "{said}");
    let (code, said) = doctor("lxc-debian", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing is wrong"), "{said}");
}

#[test]
fn the_doctor_looks_at_the_environment_that_is_named() {
    let own = "/home/user/.local/share/aitk/envs/ai/current";
    let (code, said) = doctor("rtx3060-cpu-torch", &["--env", own]);
    assert!(code == Some(2) && said.contains(&format!("--python {own}/bin/python")), "{said}");
    let (code, said) = doctor("rtx3060-cpu-torch", &["--env", "/usr"]);
    assert!(code == Some(64) && said.contains("AITK-C13") && said.contains("/usr"), "{said}");
    let home = Home::new();
    let venv = home.path().join("venv");
    let write = |path: &str, text: &str| {
        std::fs::create_dir_all(venv.join(path).parent().unwrap()).unwrap();
        std::fs::write(venv.join(path), text).unwrap();
    };
    write("pyvenv.cfg", "home = /usr/bin\n");
    write("lib/python3.9/site-packages/torch-2.8.0.dist-info/METADATA", "");
    let json = home.aitk(&["doctor", "--json", "--env", venv.to_str().unwrap()]);
    assert!(
        text(&json.stdout).contains("the environment's Python is 3.9"),
        "{}",
        text(&json.stdout)
    );
}

#[test]
fn a_variable_says_what_its_flag_says_is_named_where_it_is_wrong_and_is_not_set_where_it_is_empty()
{
    let home = Home::new();
    let said = |variables: &[(&str, &str)], args: &[&str]| {
        let output = home.aitk_with(variables, args);
        (output.status.code(), text(&output.stderr))
    };
    for (variable, wrong) in [
        ("AITK_PYTHON", "three"),
        ("AITK_MANAGER", "cnoda"),
        ("AITK_ENV", "base"),
        ("AITK_USER_ONLY", "perhaps"),
        ("AITK_CHANNEL", "ftp://x"),
    ] {
        let (code, said) = said(&[(variable, wrong)], &["plan", "--budget", "low", "--no-resolve"]);
        assert!(code == Some(64) && said.contains(variable), "{variable}: {said}");
    }
    let (code, typed) = said(&[("AITK_PYTHON", "3.12")], &["plan", "--python", "three"]);
    assert!(code == Some(64) && !typed.contains("AITK_PYTHON"), "{typed}");
    let (code, both) = said(&[("AITK_BUDGET", "low")], &["plan", "--profile", "x"]);
    assert!(code == Some(64) && both.contains("AITK_BUDGET"), "{both}");
    let empty =
        ["AITK_PYTHON", "AITK_MANAGER", "AITK_COLOR", "AITK_VERBOSE", "AITK_JSON", "AITK_ENV"];
    let (code, said) = said(&empty.map(|name| (name, "")), &["profiles"]);
    assert_eq!(code, Some(0), "{said}");
    let plan = ["plan", "--budget", "low", "--no-resolve", "--machine"];
    let laptop = machine("ubuntu-24.04-laptop");
    let output = home.aitk_with(&empty.map(|name| (name, "")), &[&plan[..], &[&laptop]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// The wish that a plan without flags is made from.
fn planned_framework(home: &Home) -> String {
    let output = home.aitk(&["plan", "--no-resolve", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    plan["data"]["choices"]["framework"].as_str().unwrap().to_owned()
}

#[test]
fn going_back_takes_the_wish_along_and_what_was_begun_is_continued() {
    let home = Home::new();
    let data = home.path().join(".local/share/aitk/envs/ai");
    let state = home.path().join(".local/state/aitk");
    let wish = |framework: &str| json!({ "budget": "low", "choices": { "framework": framework }, "manager": "venv" });
    for framework in ["none", "jax"] {
        let record = json!({
            "schema": 2, "manager": "venv", "request": "0", "added": [], "python": "3.12", "layers": {},
            "wish": wish(framework),
        });
        std::fs::create_dir_all(data.join(framework)).unwrap();
        let path = data.join(framework).join("aitk-generation.json");
        std::fs::write(path, record.to_string()).unwrap();
    }
    std::fs::create_dir_all(&state).unwrap();
    let notes = |receipt: Value| {
        std::fs::write(state.join("receipt.json"), receipt.to_string()).unwrap();
    };
    let goes_to = |generation: &str| {
        let _ = std::fs::remove_file(data.join("current"));
        std::os::unix::fs::symlink(generation, data.join("current")).unwrap();
    };
    notes(json!({ "schema": 1, "environments": { "ai": wish("jax") } }));
    assert_eq!(planned_framework(&home), "jax", "nothing is in use yet");
    goes_to("jax");
    assert_eq!(planned_framework(&home), "jax");
    goes_to("none");
    assert_eq!(planned_framework(&home), "none", "the older generation is in use again");
    // A run that failed is continued, whatever is in use.
    notes(
        json!({ "schema": 1, "environments": { "ai": wish("jax") }, "begun": { "ai": wish("jax") } }),
    );
    assert_eq!(planned_framework(&home), "jax");
}

#[test]
fn what_is_typed_wrong_is_said_alike_to_people_and_programs() {
    let home = Home::new();
    let output = home.aitk(&["plann", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let hint = said["diagnostics"][0]["hint"].to_string();
    assert!(hint.contains("'plan'") && !hint.contains("tip") && !hint.contains("  "), "{hint}");
    let output = home.aitk(&["clean", "--keep", "0", "--lang", "fr"]);
    let french = text(&output.stderr);
    assert!(french.contains("un nombre entier de 1 à 65535 est attendu"), "{french}");
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn commands_that_stand_on_lines_of_their_own_are_typed_as_they_work_here() {
    let home = Home::new();
    let laptop = machine("ubuntu-24.04-laptop");
    let missing = machine("rtx3060-nouveau");
    for args in [
        &["detect", "--machine", &laptop][..],
        &["doctor", "--machine", &missing],
        &["advise", "--goal", "learn", "--local", "yes", "--machine", &laptop],
    ] {
        let output = home.aitk_off_path(args);
        let said = text(&output.stdout);
        let bare = said.lines().find(|line| line.trim_start().starts_with("aitk "));
        let bare = bare.filter(|line| !line.contains("has the steps for it"));
        assert_eq!(bare, None, "{args:?}");
        assert!(said.contains("/aitk "), "{said}");
    }
}

#[test]
fn what_a_budget_is_for_is_told_without_what_it_does_not_bring() {
    let home = Home::new();
    for budget in ["sme", "enterprise"] {
        let said = text(&home.aitk(&["profiles", budget]).stdout);
        assert!(said.lines().all(|line| line.trim_end() == line), "{said}");
        assert_eq!(said.contains("service.packages"), budget == "enterprise", "{said}");
    }
    // What is so of eight devices is said once.
    let plan = ["plan", "--budget", "workstation", "--no-resolve", "--machine", &machine("mi300x")];
    let said = text(&home.aitk(&plan).stdout);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words.matches("computes on it").count(), 1, "{said}");
}
