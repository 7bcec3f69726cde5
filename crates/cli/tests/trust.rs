//! What strangers give: saved plans, profiles, settings and descriptions of machines that ask for more than they show, or
//! for more than a machine has. Each is refused before anything is done.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

mod common;

use std::path::PathBuf;
use std::process::Output;

use common::{Home, files_with, machine, repository, text};
use serde_json::{Value, json};

/// A home folder with a plan that was saved there.
struct Planned {
    home: Home,
    plan: Value,
}

impl Planned {
    fn new() -> Self {
        let home = Home::new();
        let profile = repository().join("tests/support/tiny.toml");
        let choices = ["--manager", "venv", "--framework", "none"];
        let saved = home.path().join("plan.json");
        let command = ["plan", "--no-resolve", "--profile", profile.to_str().unwrap(), "-o"];
        let args = [&command[..], &[saved.to_str().unwrap()], &choices].concat();
        let output = home.aitk_without_channel(&args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let plan = serde_json::from_slice(&std::fs::read(saved).unwrap()).unwrap();
        Self { home, plan }
    }

    /// Tries the plan after something was done to it.
    fn apply(&self, change: impl FnOnce(&mut Value), more: &[&str]) -> Output {
        let mut plan = self.plan.clone();
        change(&mut plan);
        self.apply_text(&plan.to_string(), more)
    }

    fn apply_text(&self, text: &str, more: &[&str]) -> Output {
        let file = self.home.path().join("changed.json");
        std::fs::write(&file, text).unwrap();
        self.home.dry_apply(&[&[file.to_str().unwrap(), "--offline"], more].concat())
    }

    /// It is refused with this code, and these words.
    fn refuses(&self, change: impl FnOnce(&mut Value), code: i32, words: &[&str]) {
        says(&self.apply(change, &[]), code, words);
        assert!(!self.home.path().join(".local/share/aitk").exists(), "something was made");
    }
}

fn says(output: &Output, code: i32, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
    for word in words {
        assert!(said.contains(word), "it does not say {word:?}: {said}");
    }
}

/// The position of a step in a saved plan.
fn step<'a>(plan: &'a mut Value, id: &str) -> &'a mut Value {
    let steps = plan["data"]["steps"].as_array_mut().unwrap();
    steps.iter_mut().find(|step| step["id"] == id).unwrap()
}

#[test]
fn a_saved_plan_that_nobody_changed_is_carried_out() {
    let planned = Planned::new();
    let output = planned.apply(|_| {}, &[]);
    let said = text(&output.stderr);
    // Without a source nothing can be installed; the plan itself is as it should be.
    assert!(
        !["AITK-C0", "AITK-C1", "AITK-C3", "AITK-P0"].iter().any(|code| said.contains(code)),
        "{said}"
    );
}

/// The same plan in the form in which version 0.1 saved it.
fn in_first_form(plan: &mut Value) {
    plan["schema"] = json!(1);
    let environments = plan["data"].as_object_mut().unwrap().remove("environments").unwrap();
    let request = &environments[0]["request"];
    let layers = request["layers"].as_array().unwrap().iter();
    let layers: Vec<_> = layers
        .map(|it| json!({ "step": it["step"], "requirements": it["requirements"] }))
        .collect();
    step(plan, "libraries")["spec"] = json!({ "requirements": layers[0]["requirements"] });
    step(plan, "environment")["spec"] = json!({
        "env": "ai", "python": request["python"], "interpreter": request["interpreter"], "layers": layers, "builds": [],
        "added": [], "generation": null,
    });
}

#[test]
fn a_saved_plan_of_the_first_form_is_carried_out_or_refused_like_any_other() {
    let planned = Planned::new();
    let output = planned.apply(in_first_form, &[]);
    let said = text(&output.stderr);
    assert!(!["AITK-C0", "AITK-C3"].iter().any(|code| said.contains(code)), "{said}");
    for id in ["libraries", "environment"] {
        let evil = |plan: &mut Value| {
            in_first_form(plan);
            match id {
                "libraries" => step(plan, id)["spec"]["requirements"] = json!(["evil"]),
                _ => step(plan, id)["spec"]["layers"][0]["requirements"] = json!(["evil"]),
            }
        };
        planned.refuses(evil, 78, &["AITK-C30", &format!("`spec` of `{id}`")]);
    }
}

#[test]
fn a_saved_plan_that_shows_one_thing_and_asks_for_another_is_refused() {
    let planned = Planned::new();
    // It shows how a library is installed, and would have written a rule for sudo.
    let evil = |plan: &mut Value| {
        let mut evil = step(plan, "libraries").clone();
        evil["kind"] = json!("system-file");
        evil["spec"] =
            json!({ "path": "/etc/sudoers.d/zz-evil", "content": "bob ALL=(ALL) NOPASSWD: ALL\n" });
        plan["data"]["steps"] = json!([evil]);
    };
    planned.refuses(evil, 78, &["AITK-C30", "`manager.uv` is not in it"]);
    let kind = |plan: &mut Value| step(plan, "libraries")["kind"] = json!("system-file");
    planned.refuses(kind, 78, &["AITK-C30", "`kind` of `libraries`"]);
    let spec = |plan: &mut Value| step(plan, "libraries")["spec"]["requirements"] = json!(["evil"]);
    planned.refuses(spec, 78, &["AITK-C30", "`spec` of `libraries`"]);
    let asked = |plan: &mut Value| {
        plan["data"]["environments"][0]["request"]["layers"][0]["requirements"] = json!(["evil"]);
    };
    planned.refuses(asked, 78, &["AITK-C30", "`environments` of `libraries`"]);
    for (field, to) in [
        ("title", json!("Install nothing")),
        ("why", json!(["because"])),
        ("commands", json!(["true"])),
        ("root", json!(true)),
        ("packages", json!([{ "name": "six", "version": "1.17.0" }])),
    ] {
        let change = |plan: &mut Value| step(plan, "libraries")[field] = to;
        planned.refuses(change, 78, &["AITK-C30", &format!("`{field}` of `libraries`")]);
    }
    // The choices count, not the picture of them.
    let other = |plan: &mut Value| plan["data"]["choices"]["env"] = json!("other");
    planned.refuses(other, 78, &["AITK-C30"]);
    let budget = |plan: &mut Value| {
        plan["data"]["choices"]["profile"] = Value::Null;
        plan["data"]["budget"] = json!("low");
    };
    planned.refuses(budget, 78, &["AITK-C30"]);
    // A digest without a key says nothing.
    let signed = |plan: &mut Value| {
        plan["digest"] = json!("0123456789abcdef");
        step(plan, "libraries")["title"] = json!("Install nothing");
    };
    planned.refuses(signed, 78, &["AITK-C30", "`title` of `libraries`"]);
}

#[test]
fn what_no_plan_says_is_refused_wherever_it_stands_in_a_saved_one() {
    let planned = Planned::new();
    for (at, place) in [
        ("", "evil"),
        ("/data/totals", "`totals`"),
        ("/data/accelerator", "`accelerator`"),
        ("/data/steps/0", "steps/0/evil"),
        ("/data/environments/0/request/layers/0", "`environments` of"),
        ("/data", "unknown field `evil`"),
        ("/data/environments/0", "`environments` of"),
    ] {
        let evil = |plan: &mut Value| plan.pointer_mut(at).unwrap()["evil"] = json!("run me");
        planned.refuses(evil, 78, &["AITK-C30", place]);
    }
    planned.refuses(|plan| plan["digest"] = json!("0"), 78, &["AITK-C30", "`digest`"]);
    let project =
        json!({ "platform": "sagemaker", "folder": "/srv", "parts": [], "parameters": {} });
    planned.refuses(|plan| plan["data"]["project"] = project, 78, &["AITK-C30", "`project`"]);
}

/// Saves a plan with these choices; `None` where that budget does not go here.
fn saved(home: &Home, choices: &[&str]) -> Value {
    let saved = home.path().join("plan.json");
    let command = ["plan", "--no-resolve", "--offline", "-o", saved.to_str().unwrap()];
    let output = home.aitk_without_channel(&[&command, choices].concat());
    assert!(output.status.success(), "{choices:?}: {}", text(&output.stderr));
    serde_json::from_slice(&std::fs::read(saved).unwrap()).unwrap()
}

/// What this program has saved, of whatever budget and platform, it does not take for changed; and each word of a project
/// follows from the choices.
#[test]
fn a_saved_plan_of_every_budget_and_platform_is_the_one_that_follows() {
    let targets = aitk_export::TargetList::builtin().unwrap();
    // Packages of the system are those of the first ones: apt is asked for long.
    let mut all: Vec<Vec<&str>> = vec![
        vec!["--budget", "workstation", "--drivers", "--manager", "venv"],
        vec!["--budget", "low", "--framework", "none", "--manager", "conda", "--init-shell"],
        vec!["--budget", "low", "--user-only"],
    ];
    for budget in ["sme", "enterprise"] {
        let project = |name| vec!["--budget", budget, "--user-only", "--platform", name];
        all.extend(targets.projects(budget).map(|target| project(target.name.as_str())));
    }
    assert!(all.len() > 12, "{all:?}");
    let mut evils = 0;
    for choices in all {
        let home = Home::new();
        let folder = home.path().join("project");
        let choices = match choices.contains(&"--platform") {
            true => [&choices[..], &["--folder", folder.to_str().unwrap()]].concat(),
            false => choices,
        };
        let plan = saved(&home, &choices);
        let file = home.path().join("again.json");
        let apply = |plan: &Value| {
            std::fs::write(&file, plan.to_string()).unwrap();
            text(&home.dry_apply(&[file.to_str().unwrap(), "--offline"]).stderr)
        };
        let said = apply(&plan);
        assert!(
            !["AITK-C", "AITK-P"].iter().any(|code| said.contains(code)),
            "{choices:?}: {said}"
        );
        // Each word of a project follows; one that costs says most.
        let project = plan["data"]["project"].as_object();
        let Some(project) = project.filter(|it| evils == 0 && it.contains_key("costs")) else {
            continue;
        };
        for key in project.keys() {
            let mut evil = plan.clone();
            evil["data"]["project"][key] = json!("evil");
            let said = apply(&evil);
            assert!(said.contains("AITK-C30") && said.contains("`project`"), "{key}: {said}");
            evils += 1;
        }
    }
    assert!(evils > 5, "no project that costs was looked at");
}

#[test]
fn what_a_saved_plan_says_is_read_into_its_forms() {
    let planned = Planned::new();
    for env in ["", "../../../../work", "/home/x", "-rf", "a\nb", "x\u{1b}[31m", "a b", "base"] {
        let change = |plan: &mut Value| plan["data"]["choices"]["env"] = json!(env);
        planned.refuses(change, 78, &["AITK-C02", "name of an environment"]);
    }
    for (field, to) in [
        ("python", json!("3.12; x")),
        ("with", json!(["a b"])),
        ("channels", json!(["-c evil"])),
        ("index_url", json!("https://x/\n--extra")),
        ("torch_index", json!("javascript:x")),
        ("profile", json!("/x\u{1b}[2J")),
        ("more", json!(1)),
    ] {
        planned.refuses(|plan| plan["data"]["choices"][field] = to, 78, &["AITK-C02"]);
    }
    planned.refuses(|plan| plan["data"]["machine"] = json!("0000000000000000"), 78, &["AITK-C03"]);
    planned.refuses(|plan| plan["schema"] = json!(3), 78, &["AITK-C02"]);
    planned.refuses(|plan| _ = plan.as_object_mut().unwrap().remove("schema"), 78, &["AITK-C02"]);
    planned.refuses(|plan| plan["lock"] = json!(3), 78, &["AITK-C02"]);
    planned.refuses(|plan| plan["lock"] = json!("not a lock"), 78, &["AITK-E09"]);
}

#[test]
fn a_saved_plan_of_any_size_and_depth_is_refused_and_nothing_breaks() {
    let planned = Planned::new();
    let many = |plan: &mut Value| {
        let one = step(plan, "libraries").clone();
        let all = (0..20_000).map(|i| {
            let mut step = one.clone();
            step["id"] = json!(format!("s{i}"));
            step
        });
        plan["data"]["steps"] = all.collect();
    };
    planned.refuses(many, 78, &["AITK-C30"]);
    for text in ["[".repeat(200_000), "{\"a\":".repeat(100_000), "é".repeat(9), String::new()] {
        says(&planned.apply_text(&text, &[]), 78, &["AITK-C02"]);
    }
    for number in [json!(u64::MAX), json!(-1), json!(1e308), json!("é"), json!([[]])] {
        let change = |plan: &mut Value| {
            plan["data"]["totals"]["disk"] = number.clone();
            step(plan, "libraries")["disk"] = number.clone();
            step(plan, "environment")["packages"] = json!([{ "size": number }]);
        };
        planned.refuses(change, 78, &["AITK-C30"]);
    }
}

#[test]
fn sources_that_a_file_names_are_asked_for_by_name() {
    let planned = Planned::new();
    for (field, to, flag) in [
        ("index_url", json!("http://127.0.0.1:8/simple"), "--index-url http://127.0.0.1:8/simple"),
        ("torch_index", json!("file:///srv/torch"), "--torch-index file:///srv/torch"),
        ("channels", json!(["https://evil.example/c"]), "--channel https://evil.example/c"),
    ] {
        let change = |plan: &mut Value| plan["data"]["choices"][field] = to.clone();
        planned.refuses(change, 64, &["AITK-C31", flag]);
        let agreed = planned.apply(change, &["--accept-sources"]);
        let said = text(&agreed.stderr);
        assert!(said.contains(flag) && !said.contains("AITK-C"), "{said}");
        let (name, value) = flag.split_once(' ').unwrap();
        let named = planned.apply(change, &[name, value]);
        assert!(!text(&named.stderr).contains("AITK-C"), "{}", text(&named.stderr));
    }
    let base = |plan: &mut Value| plan["data"]["choices"]["base"] = json!("/home/x/conda");
    planned.refuses(base, 64, &["AITK-C31", "--conda-base /home/x/conda"]);
}

#[test]
fn what_a_bundle_asks_for_is_read_into_its_forms() {
    let planned = Planned::new();
    let folder = planned.home.path().join("bundle");
    std::fs::create_dir_all(&folder).unwrap();
    let lock =
        "lock-version = \"1.0\"\ncreated-by = \"aitk\"\nrequires-python = \"x\"\npackages = []\n";
    std::fs::write(folder.join("pylock.toml"), lock).unwrap();
    let run = |program: &str, args: &[&str]| {
        let output =
            std::process::Command::new(program).current_dir(&folder).args(args).output().unwrap();
        assert!(output.status.success());
        text(&output.stdout)
    };
    let sum = run("sha256sum", &["pylock.toml"]);
    let apply = |change: &dyn Fn(&mut Value)| {
        let mut choices = planned.plan["data"]["choices"].clone();
        choices["profile"] = Value::Null;
        let mut wish = json!({ "budget": "low", "choices": choices, "manager": "venv" });
        change(&mut wish);
        let files = json!({ "pylock.toml": { "size": lock.len(), "sha256": &sum[..64] } });
        let manifest = json!({ "schema": 1, "kind": "bundle", "version": "0.1.0", "manager": "venv",
            "wish": wish, "files": files });
        std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
        run("tar", &["--format=gnu", "-cf", "b.aitk", "manifest.json", "pylock.toml"]);
        planned.home.dry_apply(&[folder.join("b.aitk").to_str().unwrap(), "--offline"])
    };
    // Its wish is one; its lock has nothing in it.
    says(&apply(&|_| {}), 78, &["AITK-E09"]);
    for (field, to) in [
        ("env", json!("../../../../work")),
        ("env", json!("/home/x")),
        ("env", json!("-rf")),
        ("env", json!("a\nb")),
        ("env", json!("x\u{1b}[31m")),
        ("python", json!("3.12; x")),
        ("channels", json!(["x\nssl_verify: false"])),
        ("index_url", json!("https://x/\n--y")),
        ("torch_index", json!("ftp://x")),
        ("with", json!(["../x"])),
        ("profile", json!("a\u{1b}[8m")),
        ("framework", json!("evil")),
    ] {
        let said = apply(&|wish| wish["choices"][field] = to.clone());
        says(&said, 78, &["AITK-E15"]);
    }
    says(&apply(&|wish| wish["budget"] = json!("low\u{1b}[8m")), 78, &["AITK-E15"]);
    says(&apply(&|wish| wish["budget"] = json!("evil")), 64, &["AITK-P01"]);
    says(&apply(&|wish| wish["manager"] = json!("sh")), 78, &["AITK-E15"]);
    let index =
        |wish: &mut Value| wish["choices"]["index_url"] = json!("http://127.0.0.1:8/simple");
    says(&apply(&index), 64, &["AITK-C31", "--index-url http://127.0.0.1:8/simple"]);
    assert!(!planned.home.path().join(".local/share/aitk").exists(), "something was made");
    let bundles = planned.home.path().join(".cache/aitk/bundles");
    let left = if bundles.exists() { files_with(&bundles, &["lock-version"]) } else { Vec::new() };
    assert!(left.is_empty(), "of a refused bundle there is still {left:?}");
}

#[test]
fn hosts_to_which_no_source_leads_are_named() {
    let home = Home::new();
    let laptop = machine("ubuntu-24.04-laptop");
    let lock = std::fs::read_to_string(format!("{laptop}/pylock.toml")).unwrap();
    let path = home.path().join("pylock.toml");
    let lock_from = |host: &str| {
        let lines = lock.lines().map(|line| match line.split_once("url = \"https://") {
            Some((before, rest)) => {
                let (_, path) = rest.split_once('/').unwrap();
                format!("{before}url = \"https://{host}/{path}\n")
            }
            None => format!("{line}\n"),
        });
        std::fs::write(&path, lines.collect::<String>()).unwrap();
    };
    let wish = ["--budget", "low", "--framework", "none", "--machine", &laptop];
    let locked = ["--locked", path.to_str().unwrap()];
    let run = |command: &[&str], index: &str| {
        home.aitk(&[command, &wish[..], &["--index-url", index], &locked].concat())
    };
    let plan = |host: &str, index: &str| {
        lock_from(host);
        let output = run(&["plan"], index);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let said = plan("evil.example", "http://127.0.0.1:9/simple");
    assert!(said.contains("none of your sources leads: https://evil.example"), "{said}");
    let said = plan("own.example:8443", "https://own.example:8443/simple");
    assert!(!said.contains("none of your sources leads"), "{said}");
    // What is carried elsewhere is asked for like what is done here.
    let bundle = home.path().join("bundle.tar");
    let commands: [&[&str]; 3] = [
        &["export", "pylock.toml"],
        &["export", "requirements.txt", "--offline"],
        &["bundle", "-o", bundle.to_str().unwrap()],
    ];
    for command in commands {
        lock_from("evil.example");
        let refused = run(command, "http://127.0.0.1:9/simple");
        says(&refused, 64, &["AITK-C31", "https://evil.example", "--accept-sources"]);
        assert!(refused.stdout.is_empty() && !bundle.exists(), "{command:?} wrote something");
    }
    let agreed = ["export", "pylock.toml", "--accept-sources"];
    assert!(run(&agreed, "http://127.0.0.1:9/simple").status.success());
    lock_from("own.example:8443");
    assert!(run(&["export", "pylock.toml"], "https://own.example:8443/simple").status.success());
}

#[test]
fn settings_that_lead_an_installation_astray_are_named() {
    let home = Home::new();
    let said = |set: &str| {
        let file = home.path().join(".config/pip/pip.conf");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, set).unwrap();
        let plan = home.aitk(&["plan", "--budget", "low", "--no-resolve", "--offline"]);
        let doctor = home.aitk(&["doctor", "--json"]);
        (text(&plan.stderr), text(&doctor.stdout))
    };
    let (plan, doctor) = said("[install]\ntarget = /srv/elsewhere\n");
    assert!(plan.contains("not be as you ask for it: target = /srv/elsewhere"), "{plan}");
    assert!(doctor.contains("pip.conf says target = /srv/elsewhere"), "{doctor}");
    // Where the environment itself sets it, nothing is in the way there.
    let (plan, _) = said("[install]\nuser = true\n[global]\nindex-url = http://127.0.0.1:9/\n");
    assert!(!plan.contains("not be as you ask for it"), "{plan}");
}

/// A profile in a home folder of its own.
fn profile(text: &str) -> (Home, PathBuf) {
    let home = Home::new();
    let path = home.path().join("own.toml");
    std::fs::write(&path, text).unwrap();
    (home, path)
}

fn plan_of(text: &str, more: &[&str]) -> Output {
    let (home, path) = profile(text);
    let plan = ["plan", "--no-resolve", "--manager", "venv", "--profile", path.to_str().unwrap()];
    home.aitk(&[&plan, more].concat())
}

const HOLD: &str = "\n[[step]]\nid = \"hold\"\nphase = \"check\"\nkind = \"driver-hold\"\ntitle = \"t\"\nwhy = \"w\"\n\
    path = \"/etc/sudoers.d/zz\"\ncontent = \"bob ALL=(ALL) NOPASSWD: ALL\"\n";

#[test]
fn a_profile_of_ones_own_brings_packages_and_changes_nothing_else_of_the_system() {
    let tiny = std::fs::read_to_string(repository().join("tests/support/tiny.toml")).unwrap();
    assert!(plan_of(&tiny, &[]).status.success());
    let evil = tiny.clone() + HOLD;
    says(&plan_of(&evil, &[]), 78, &["AITK-P07", "hold", "--allow-system-changes"]);
    let read = plan_of(&evil, &["--allow-system-changes"]);
    assert!(read.status.success(), "{}", text(&read.stderr));
    // The steps of a profile of aitk's own are aitk's own.
    let low = std::fs::read_to_string(repository().join("profiles/low.toml")).unwrap();
    let own = plan_of(&low.replace("[\"numpy\",", "[\"six\", \"numpy\","), &["--user-only"]);
    assert!(own.status.success(), "{}", text(&own.stderr));
}

#[test]
fn no_profile_breaks_anything() {
    let tiny = std::fs::read_to_string(repository().join("tests/support/tiny.toml")).unwrap();
    let (head, _) = tiny.split_once("[[step]]").unwrap();
    let steps = |count: usize, need: &dyn Fn(usize) -> String| -> String {
        let step = |i: usize| {
            format!(
                "[[step]]\nid=\"s{i}\"\nphase=\"system\"\nkind=\"apt-lists\"\ntitle=\"t\"\nwhy=\"w\"\nmax_age_hours=1\n{}",
                need(i)
            )
        };
        head.to_owned() + &(0..count).map(step).collect::<String>()
    };
    let forth = |i: usize| if i > 0 { format!("needs=[\"s{}\"]\n", i - 1) } else { String::new() };
    let back =
        |i: usize| if i < 29_999 { format!("needs=[\"s{}\"]\n", i + 1) } else { String::new() };
    for text in [
        steps(30_000, &forth),
        steps(30_000, &back),
        steps(3_000, &forth),
        tiny.replace("\"1 MiB\"", "\"18446744073709551615\""),
        tiny.replace("\"1 GiB\"", "\"16777216 TiB\""),
        "a = ".to_owned() + &"[".repeat(200_000),
        "[a".to_owned() + &".a".repeat(100_000) + "]",
        "é".repeat(40) + " = \"",
        tiny.replace("\"t\"", "\"t\u{1b}[8m\""),
        tiny.replace("\"t\"", "\"t\\u009b8m\""),
    ] {
        let output = plan_of(&text, &[]);
        says(&output, 78, &["AITK-P0"]);
    }
    let largest =
        tiny.replace("\"1 MiB\"", "\"900000000 GB\"").replace("\"2 GiB\"", "\"900000000 GB\"");
    assert!(plan_of(&largest, &[]).status.success());
}

#[test]
fn settings_that_are_there_and_cannot_be_read_are_an_error() {
    for name in ["config.toml", "catalog.toml"] {
        let home = Home::new();
        let path = home.path().join(".config/aitk").join(name);
        std::fs::create_dir_all(&path).unwrap();
        let plan = ["plan", "--budget", "low", "--no-resolve"];
        says(&home.aitk(&plan), 78, &["AITK-P03", name]);
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, b"# \xff\xfe").unwrap();
        says(&home.aitk(&plan), 78, &["AITK-P03", name, "UTF-8"]);
        std::fs::write(&path, "# \u{1b}[8m").unwrap();
        says(&home.aitk(&plan), 78, &["AITK-P03", name]);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        let lost = format!("it is a link to {}", path.with_file_name("nowhere").display());
        says(&home.aitk(&plan), 78, &["AITK-P03", name, &lost]);
        std::fs::remove_file(&path).unwrap();
        assert!(home.aitk(&plan).status.success(), "what is not there is no setting");
    }
    // The same of a folder on the way.
    let home = Home::new();
    let folder = home.path().join(".config/aitk");
    std::fs::create_dir_all(home.path().join(".config")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", &folder).unwrap();
    let plan = ["plan", "--budget", "low", "--no-resolve"];
    says(&home.aitk(&plan), 78, &["AITK-P03", "/.config/aitk: it is a link to /nowhere/at/all"]);
    std::fs::remove_file(&folder).unwrap();
    std::fs::create_dir(home.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("../empty", &folder).unwrap();
    assert!(home.aitk(&plan).status.success(), "a link to an empty folder is one");
    let home = Home::new();
    says(&home.aitk(&["plan", "--profile", home.path().to_str().unwrap()]), 78, &["AITK-P03"]);
}

/// Rows of other tables than apt's, each with what goes from there into a path, a command, a file or a reckoning, and the
/// field that is none.
const OTHER_ROWS: &[(&str, &str, &str)] = &[
    (
        "distros.distro",
        "id = \"x\"\nversion = \"1\"\ncodename = \"x main\"\nend_of_support = \"2030-01-01\"",
        "codename",
    ),
    (
        "distros.distro",
        "id = \"x\"\nversion = \"1\"\ncodename = \"x\"\nend_of_support = \"2030-13-01\"",
        "end_of_support",
    ),
    (
        "providers.provider",
        "id = \"x\"\nname = \"X\"\nfield = \"../../../etc/shadow\"\nstarts = \"r\"",
        "field",
    ),
    ("nvidia.cuda", "version = \"13.0\"\ndriver = \"580 x\"", "driver"),
    ("guests.guest", "os = \"debian\"\nversion = \"13\"\nvagrant = \"x\\\" # y\"", "vagrant"),
    ("images.image", "os = \"debian\"\nversion = \"13\"\nname = \"x AS y\"", "name"),
    ("images.accelerator", "kind = \"cuda\"\nrun = \"--gpus all; id\"\nenvironment = {}", "run"),
    (
        "images.accelerator",
        "kind = \"cuda\"\nrun = \"--gpus all\"\nenvironment = { \"A B\" = \"x\" }",
        "environment",
    ),
];

#[test]
fn the_users_own_rows_and_settings_are_read_into_their_forms() {
    let home = Home::new();
    let folder = home.path().join(".config/aitk");
    std::fs::create_dir_all(&folder).unwrap();
    let plan = ["plan", "--budget", "low", "--no-resolve"];
    let row = "[[apt.source]]\nname = \"n\"\nuri = \"https://x/\"\nsuite = \"/\"\nkey = \"https://x/k\"\nfingerprint = \
        \"EB693B3035CD5710E231E123A4B469963BF863CC\"\npackages = [\"a*\"]\nsource = \"s\"\nas_of = \"2026-01-01\"\narches = { x86_64 = \"amd64\" }\n";
    let catalog = folder.join("catalog.toml");
    std::fs::write(&catalog, row).unwrap();
    assert!(home.aitk(&plan).status.success());
    for (from, to, field) in [
        ("\"https://x/\"", "\"https://x/ y\"", "uri"),
        ("\"https://x/\"", "\"https://x/{arch}{evil}/\"", "uri"),
        ("\"https://x/k\"", "\"https://x/k y\"", "key"),
        ("\"/\"", "\"stable main\"", "suite"),
        ("\"n\"", "\"../n\"", "name"),
        ("\"a*\"", "\"a b\"", "packages"),
        ("EB69", "XX69", "fingerprint"),
        ("\"amd64\"", "\"a/../b\"", "arches"),
        ("\"amd64\"", "\"amd64] x\"", "arches"),
        ("x86_64 =", "\"x86 64\" =", "arches"),
        ("2026-01-01", "2026-99-99", "as_of"),
        ("2026-01-01", "yesterday", "as_of"),
        ("source = \"s\"", "source = \"s\"\nos = \"debian] x\"", "os"),
        ("source = \"s\"", "source = \"s\"\nversions = [\"1 2\"]", "versions"),
        ("source = \"s\"", "source = \"s\"\ncomponents = [\"main\", \"-x\"]", "components"),
    ] {
        assert!(row.contains(from));
        std::fs::write(&catalog, row.to_owned() + &row.replace(from, to)).unwrap();
        let said = ["AITK-P02", "catalog.toml", "row 2 of [[apt.source]]", &format!("`{field}`")];
        says(&home.aitk(&plan), 78, &said);
    }
    for acts in ["\"s\\u001b[8m\"", "\"s\\nSigned-By: y\""] {
        std::fs::write(&catalog, row.replace("\"s\"", acts)).unwrap();
        says(&home.aitk(&plan), 78, &["AITK-P02", "catalog.toml"]);
    }
    for (kind, fields, field) in OTHER_ROWS {
        let row = format!("[[{kind}]]\n{fields}\nsource = \"s\"\nas_of = \"2026-01-01\"\n");
        std::fs::write(&catalog, row).unwrap();
        let said =
            ["AITK-P02", "catalog.toml", &format!("row 1 of [[{kind}]]"), &format!("`{field}`")];
        says(&home.aitk(&plan), 78, &said);
    }
    std::fs::remove_file(&catalog).unwrap();
    for line in [
        "index-url = \"--x\"",
        "index-url = \"https://x\\n\"",
        "channels = [\"../x\"]",
        "channel-alias = \"x y\"",
        "torch-index = \"ftp://x\"",
    ] {
        std::fs::write(folder.join("config.toml"), line).unwrap();
        says(&home.aitk(&plan), 78, &["AITK-P02", "config.toml:1:"]);
    }
    std::fs::remove_file(folder.join("config.toml")).unwrap();
    says(&home.aitk(&[&plan[..], &["--index-url", "x y"]].concat()), 64, &["AITK-C32"]);
}

#[test]
fn no_description_of_a_machine_breaks_anything() {
    let home = Home::new();
    let machine: Value = serde_json::from_slice(&home.aitk(&["detect", "--json"]).stdout).unwrap();
    let path = home.path().join("machine.json");
    let plan = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let machine = path.to_str().unwrap();
        home.aitk(&["plan", "--budget", "low", "--no-resolve", "--machine", machine])
    };
    assert!(plan(&machine.to_string()).status.success());
    let with = |pointer: &str, to: Value| {
        let mut machine = machine.clone();
        *machine.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = to;
        machine.to_string()
    };
    for text in [
        with("/data/os/name", json!("Debian\u{1b}[8m")),
        with("/data/os/version", json!("13/../x")),
        with("/data/arch", json!("x86_64\n")),
        with("/data/memory/total", json!(u64::MAX)),
        with("/data/memory/total", json!(-1)),
        with("/data/cpu/cores", json!(1_u64 << 40)),
        with("/data/kernel", json!("6.1 x")),
        "{\"a\":".repeat(100_000),
    ] {
        says(&plan(&text), 78, &["AITK-C04"]);
    }
    let long = "9".repeat(400);
    for version in [&long, "3.é", "12.", "1.2.3.4.5", "-1"] {
        let output = plan(&with("/data/os/codename", json!(version)));
        assert!(output.status.success(), "{version}: {}", text(&output.stderr));
    }
}
