//! `aitk advise` from outside: the eight ends of the tree, its languages, its errors, and its picture.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

mod common;

use aitk_plan::{Language, Messages, Texts, Tree};
use common::{Home, machine, repository, text};
use serde_json::{Value, json};

fn advise(name: &str, args: &[&str]) -> Value {
    let machine = machine(name);
    let output = Home::new().aitk(&[&["advise", "--json", "--machine", &machine], args].concat());
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

const LAPTOP: &str = "ubuntu-24.04-laptop";

/// The ways to the eight ends, with the budget of each.
const ENDS: [(&str, &str, &[&str]); 8] = [
    ("B1", "low", &["--goal", "learn", "--local", "yes"]),
    ("B2", "free", &["--goal", "learn", "--local", "no"]),
    ("C1", "sme", &["--goal", "ship", "--team", "none"]),
    ("C2", "sme", &["--goal", "ship", "--team", "dedicated"]),
    ("C3", "sme", &["--goal", "ship", "--team", "data"]),
    ("D1", "enterprise", &["--goal", "scale", "--data", "large"]),
    ("D2", "enterprise", &["--goal", "scale", "--data", "small"]),
    ("D3", "enterprise", &["--goal", "scale", "--data", "house"]),
];

#[test]
fn flags_lead_to_the_eight_ends_and_the_next_command_works() {
    let home = Home::new();
    for (leaf, budget, flags) in ENDS {
        let json = advise(LAPTOP, flags);
        let data = &json["data"];
        assert_eq!((&json["kind"], &data["leaf"]), (&"advice".into(), &leaf.into()));
        assert_eq!(data["budget"], budget, "{leaf}");
        works(&home, data["command"].as_str().unwrap(), LAPTOP);
    }
}

/// Looks whether a command that was advised leads to a plan or a comparison, or on a machine where that cannot be says why.
fn works(home: &Home, command: &str, name: &str) {
    // As a person would copy it; `plan` asks no source here.
    let mut words: Vec<_> = command.split(' ').skip(1).collect();
    if words[0] == "plan" {
        words.push("--no-resolve");
    }
    let output = home.aitk(&words);
    let (code, said) = (output.status.code(), text(&output.stderr));
    // What is no command, or is typed wrong, is 64: never a reason that lies with the machine.
    let reason = code != Some(64) && said.contains("[AITK-") && said.contains("what to do:");
    assert!(code == Some(0) || reason && name != LAPTOP, "{command}: {code:?} {said}");
    assert!(code != Some(0) || !output.stdout.is_empty(), "{command} says nothing");
}

/// All ways through the tree: the answers as flags, and the leaf.
fn ways(tree: &Tree, at: &str) -> Vec<(Vec<String>, String)> {
    let Some(question) = tree.question(at) else { return vec![(Vec::new(), at.to_owned())] };
    let from = |answer: &aitk_plan::Answer| {
        let flags = vec![format!("--{}", question.id), answer.id.clone()];
        let longer = move |(more, leaf)| ([flags.clone(), more].concat(), leaf);
        ways(tree, &answer.to).into_iter().map(longer).collect::<Vec<_>>()
    };
    question.answers.iter().flat_map(from).collect()
}

#[test]
fn every_next_command_of_every_leaf_works_on_machines_of_every_kind() {
    let (home, tree, texts) = (Home::new(), Tree::builtin().unwrap(), Texts::english().unwrap());
    let ways = ways(&tree, &tree.start);
    for leaf in &tree.leaves {
        assert!(ways.iter().any(|(_, end)| *end == leaf.id), "nothing leads to {}", leaf.id);
    }
    for name in [LAPTOP, "rtx3060-driver-580", "jetson-orin-nano-jp6.2", "wsl1", "debian-12-i686"] {
        for (flags, leaf) in &ways {
            let flags: Vec<_> = flags.iter().map(String::as_str).collect();
            let json = advise(name, &flags);
            assert_eq!(json["data"]["leaf"], **leaf);
            let command = json["data"]["command"].as_str().unwrap();
            works(&home, command, name);
            // What its words name besides: another platform in the same command.
            let today = texts.text(&format!("leaf.{leaf}.today"));
            for other in today.split("`--platform ").skip(1).map(|text| text.split('`').next()) {
                let given = tree.leaf(leaf).unwrap().platform.as_deref().unwrap();
                let (given, other) =
                    (format!("--platform {given}"), format!("--platform {}", other.unwrap()));
                assert!(command.contains(&given), "{command}");
                works(&home, &command.replace(&given, &other), name);
            }
        }
    }
}

#[test]
fn a_usable_gpu_or_a_jetson_means_a_workstation() {
    for name in ["rtx3060-driver-580", "jetson-orin-nano-jp6.2"] {
        let json = advise(name, ENDS[0].2);
        assert_eq!(json["data"]["budget"], "workstation", "{name}");
    }
    assert_eq!(advise("rtx3060-nouveau", ENDS[0].2)["data"]["budget"], "low");
}

#[test]
fn the_json_of_advice_keeps_its_form() {
    let mut json = advise(LAPTOP, &[ENDS[2].2, &["--spend", "25"]].concat());
    // Where the recording lies is another place on each machine.
    let command = json["data"]["command"].as_str().unwrap().split(" --machine").next().unwrap();
    json["data"]["command"] = command.into();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(repository().join("tests/advice"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_json_snapshot!("small-team", json));
}

#[test]
fn every_end_is_told_in_the_language_that_is_asked_for_or_of_the_locale() {
    let (home, machine) = (Home::new(), machine(LAPTOP));
    for (leaf, _, flags) in ENDS {
        let args = [&["advise", "--machine", &machine], flags].concat();
        let french = text(&home.aitk_with(&[("LANG", "fr_FR.UTF-8")], &args).stdout);
        let asked = text(&home.aitk(&[&args[..], &["--lang", "fr"]].concat()).stdout);
        let english = text(&home.aitk(&args).stdout);
        assert_eq!(french, asked, "{leaf}");
        assert!(french.contains("Prochaine commande"), "{french}");
        assert!(english.contains("Next command"), "{english}");
        // The answer, on one screen; what is behind it by -v.
        for page in [&french, &english] {
            assert!(page.lines().count() <= 30, "{}: {page}", page.lines().count());
            assert!(!page.contains(&format!("{leaf} ")), "the leaf's code is for programs: {page}");
        }
        let whole =
            |language| text(&home.aitk(&[&args[..], &["-v", "--lang", language]].concat()).stdout);
        assert!(whole("fr").contains("Écarté") && whole("en").contains("Set aside"));
        assert!(!french.contains('{') && !english.contains('{'), "a word is not filled in");
    }
    let by_variable = [("LC_ALL", "fr_CA.UTF-8"), ("AITK_LANG", "en")];
    let args = [&["advise", "--machine", &machine], ENDS[0].2].concat();
    let said = text(&home.aitk_with(&by_variable, &args).stdout);
    assert!(said.contains("Next command"), "what aitk is told comes before the locale: {said}");
}

#[test]
fn wrong_answers_are_64_and_say_what_to_do() {
    let home = Home::new();
    for (args, words) in [
        (&[][..], &["AITK-T01", "--goal is missing", "learn|ship|scale"][..]),
        (&["--goal", "ship"], &["AITK-T01", "--team is missing", "none|dedicated"]),
        (
            &["--goal", "learn", "--team", "none"],
            &["AITK-T02", "--team does not go with --goal learn"],
        ),
        (&["--goal", "learn", "--data", "large", "--compare"], &["AITK-T02"]),
        (&["--goal", "win"], &["win", "learn"]),
        (&["--spend", "-3"], &["amount"]),
        (&["--spend", "much"], &["amount"]),
        (&["--spend", "nan"], &["amount"]),
        (&["--hours", "745"], &["744"]),
        (&["--vram", "0"], &["1024"]),
        (&["--lang", "de"], &["en", "fr"]),
    ] {
        let output = home.aitk(&[&["advise"], args].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?} does not say {word:?}: {said}");
        }
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn offers_are_compared_for_a_need() {
    let need = ["--compare", "--vram", "16", "--hours", "100", "--spend", "60"];
    let json = advise(LAPTOP, &need);
    assert_eq!((&json["kind"], &json["data"]["leaf"]), (&"offers".into(), &Value::Null));
    let offer = |id: &str| {
        let all = json["data"]["offers"].as_array().unwrap();
        all.iter().find(|offer| offer["id"] == id).unwrap().clone()
    };
    assert_eq!(
        (&offer("azure-ml")["month_usd"], &offer("azure-ml")["unfit"]),
        (&53.0.into(), &Value::Null)
    );
    assert_eq!(offer("sagemaker")["unfit"], "spend");
    assert_eq!(offer("colab")["unfit"], "hours");
    assert_eq!(offer("rtx-12gb")["unfit"], "vram");
    for id in ["trial-azure", "vps-vultr", "databricks-free", "snowflake"] {
        assert_eq!(offer(id)["unfit"], "vram", "{id} has no GPU");
    }
    for id in ["containers", "modular", "slurm", "spark"] {
        assert_eq!(offer(id)["unfit"], "software", "{id} brings no GPU");
    }
    let machine = machine(LAPTOP);
    let output = Home::new().aitk(&["advise", "--machine", &machine, "--compare"]);
    let said = text(&output.stdout);
    assert!(said.contains("older than 180 days") && said.contains("not checked"), "{said}");
}

#[test]
fn a_larger_need_means_a_larger_gpu_with_its_price() {
    let need = ["--compare", "--vram", "40", "--hours", "10"];
    let json = advise(LAPTOP, &need);
    let offer = |id: &str| {
        let all = json["data"]["offers"].as_array().unwrap();
        all.iter().find(|offer| offer["id"] == id).unwrap().clone()
    };
    let vertex = offer("vertex-ai");
    assert_eq!((&vertex["size"], &vertex["vram"]), (&"A100".into(), &40.into()));
    assert_eq!(vertex["month_usd"], 42.0);
    let unknown = offer("sagemaker");
    assert_eq!((&unknown["size"], &unknown["month_usd"]), (&"L40S".into(), &Value::Null));
    assert_eq!(offer("kaggle")["unfit"], "vram");
    let json = advise(LAPTOP, &["--compare", "--vram", "500"]);
    let fit =
        json["data"]["offers"].as_array().unwrap().iter().filter(|offer| offer["unfit"].is_null());
    let ids: Vec<_> = fit.filter_map(|offer| offer["id"].as_str()).collect();
    assert!(!ids.contains(&"vertex-ai") && !ids.contains(&"gpu-droplet"), "{ids:?}");
}

#[test]
fn what_must_always_answer_is_counted_for_the_whole_month() {
    let month = |flags: &[&str], id: &str| {
        let json = advise(LAPTOP, flags);
        let all = json["data"]["offers"].as_array().unwrap().clone();
        all.into_iter().find(|offer| offer["id"] == id).unwrap()["month_usd"].as_f64().unwrap()
    };
    let ship = ["--goal", "ship", "--team", "none"];
    assert!((month(&ship, "sagemaker") - 0.74 * 730.0).abs() < 0.01);
    let compared = [&ship[..], &["--compare"]].concat();
    assert!((month(&compared, "sagemaker") - 0.74 * 730.0).abs() < 0.01);
    let said = [&ship[..], &["--hours", "20"]].concat();
    assert!((month(&said, "sagemaker") - 14.8).abs() < 0.01);
    assert!((month(&["--compare"], "sagemaker") - 29.6).abs() < 0.01);
}

#[test]
fn rows_of_ones_own_come_with_their_words() {
    let home = Home::new();
    let folder = home.path().join(".config/aitk");
    std::fs::create_dir_all(&folder).unwrap();
    let row = "[[offers.offer]]\nid = \"ours\"\nkind = \"gpu\"\nname = \"Our cluster\"\nstatus = \"alive\"\n\
               usd = 0\nper = \"month\"\ngpu = true\nlink = \"https://cluster.example\"\nsource = \"the wiki\"\n\
               as_of = \"2026-11-01\"\ngives = \"GPUs\"\nlimits = \"ask the administrators first\"\nprice = \"free\"\n";
    std::fs::write(folder.join("catalog.toml"), row).unwrap();
    let said = text(&home.aitk(&["advise", "--compare"]).stdout);
    assert!(
        said.contains("Our cluster") && said.contains("ask the administrators first"),
        "{said}"
    );
}

/// `UPDATE_DOCS=1` writes it anew.
#[test]
fn the_picture_in_the_documentation_is_the_tree() {
    let tree = Tree::builtin().unwrap();
    let picture = |language| {
        let (texts, said) = (Texts::english().unwrap(), Messages::of(language));
        format!("```mermaid\n{}```\n", tree.mermaid(&texts, said))
    };
    let page = format!(
        "# The decision tree\n\n`aitk advise` walks it. This page is made from `profiles/decision-tree.toml` and \
         `profiles/texts`; a test compares\nit, and `UPDATE_DOCS=1 cargo test -p aitk --test advice` writes it \
         anew.\n\n{}\nEn français :\n\n{}",
        picture(Language::ENGLISH),
        picture(Language::named("fr").unwrap())
    );
    let path = repository().join("docs/decision-tree.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page);
}

#[test]
fn a_model_of_a_size_is_told_on_what_it_runs() {
    let home = Home::new();
    let of = |machine_name: &str, size: &str| {
        let output =
            home.aitk(&["advise", "--model", size, "--machine", &machine(machine_name), "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["data"].clone()
    };
    let small = of("debian-13-vps-1gb", "8b");
    assert_eq!(small["needs"][0], json!({ "bits": 4, "bytes": 6_300_000_000u64 }));
    assert!(small["devices"].as_array().unwrap().iter().all(|one| one["bits"] == json!([])));
    // What fits in more bits fits in fewer.
    let tiny = of("debian-13-vps-1gb", "70b");
    assert!(tiny["needs"][0]["bytes"].as_u64() > small["needs"][2]["bytes"].as_u64());
    // 8 × 80 GB hold together what none of them holds alone; two cards of which one is small, no more than they have.
    let bits = |told: &Value, kind: &str| {
        let devices = told["devices"].as_array().unwrap();
        devices.iter().find(|one| one["kind"] == kind).map(|one| one["bits"].clone())
    };
    let large = of("server-8xh100", "180b");
    assert_eq!(bits(&large, "gpu"), Some(json!([])));
    assert_eq!(bits(&large, "gpus"), Some(json!([4, 8, 16])));
    let two = of("two-gpus-3090-1060", "50b");
    assert_eq!((bits(&two, "gpus"), bits(&two, "gpu")), (Some(json!([])), Some(json!([]))));
    assert_eq!(bits(&of("two-gpus-3090-1060", "45b"), "gpus"), Some(json!([4])));
    assert_eq!(bits(&small, "gpus"), None);
    // What says nothing of it is not swallowed.
    for more in [["--spend", "5"], ["--vram", "24"], ["--hours", "9"], ["--goal", "learn"]] {
        let output = home.aitk(&[&["advise", "--model", "8b"], &more[..]].concat());
        assert_eq!(output.status.code(), Some(64), "{more:?}");
        assert!(text(&output.stderr).contains(more[0]), "{}", text(&output.stderr));
    }
    for wrong in ["large", "0", "-1b", "b"] {
        let output = home.aitk(&["advise", "--model", wrong]);
        assert_eq!(output.status.code(), Some(64), "{wrong}");
    }
}
