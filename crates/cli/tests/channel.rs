//! A channel that answers with anything, through the whole of `plan`: the plan is one, or the error has its code; nothing is
//! written or deleted elsewhere, and nothing of it acts on a terminal.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{Home, Served, machine, small_channel, text};
use serde_json::{Value, json};

/// Exit codes that there are.
const CODES: [i32; 8] = [0, 1, 64, 69, 75, 77, 78, 100];

/// A home with a channel, and a folder of the user's that has to stay.
struct Asked {
    home: Home,
    served: Served,
    index: Value,
}

impl Asked {
    fn new() -> Self {
        let home = Home::new();
        let channel = home.path().join("served/conda-forge");
        small_channel(&channel, &[]);
        fs::create_dir(home.path().join("work")).unwrap();
        fs::write(home.path().join("work/thesis"), "mine").unwrap();
        let index = fs::read(channel.join("noarch/repodata.json")).unwrap();
        let served = Served::new(&home.path().join("served"), &[]);
        Self { home, served, index: serde_json::from_slice(&index).unwrap() }
    }

    /// Plans with the index after something was done to it; whether there is a plan.
    fn plan(&self, what: &str, change: impl FnOnce(&mut Value)) -> bool {
        let mut index = self.index.clone();
        change(&mut index);
        self.plan_of(what, &index.to_string())
    }

    fn plan_of(&self, what: &str, repodata: &str) -> bool {
        let home = self.home.path();
        fs::write(home.join("served/conda-forge/noarch/repodata.json"), repodata).unwrap();
        let _ = fs::remove_dir_all(home.join(".cache"));
        let channel = format!("http://{}/conda-forge", self.served.place);
        let machine = machine("ubuntu-24.04-laptop");
        let wish = ["--budget", "low", "--framework", "none", "--manager", "conda", "-v"];
        let from = ["--machine", &machine, "--channel", &channel];
        let output = self.home.aitk(&[&["plan"][..], &wish, &from].concat());
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let what = what.chars().take(200).collect::<String>();
        let code = output.status.code();
        assert!(code.is_some_and(|code| CODES.contains(&code)), "{what}: {code:?} {err}");
        assert!(code == Some(0) || err.contains("error[AITK-"), "{what}: {err}");
        assert!(!err.contains("panicked"), "{what}: {err}");
        for said in [&out, &err] {
            let acts = said.chars().find(|c| {
                c.is_control() && *c != '\n'
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            });
            assert_eq!(acts, None, "{what}: it acts on a terminal: {said:?}");
        }
        assert_eq!(names(home), [".cache", "served", "work"], "{what}");
        assert_eq!(names(&home.join(".cache")), ["aitk"], "{what}");
        assert_eq!(fs::read_to_string(home.join("work/thesis")).unwrap(), "mine", "{what}");
        code == Some(0)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).unwrap();
    let mut all: Vec<_> = all.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

/// The record of a package, by the beginning of its file's name.
fn record<'a>(index: &'a mut Value, name: &str) -> &'a mut Value {
    let all = index["packages.conda"].as_object_mut().unwrap();
    all.iter_mut().find(|(file, _)| file.starts_with(name)).unwrap().1
}

/// What stands where a name, a version, a build or what a package needs is expected.
fn texts() -> Vec<Value> {
    let few = [
        "",
        "..",
        "../../../work",
        "/etc/passwd",
        "0/../../../../work",
        "-rf",
        "a b",
        "a\nb",
        "\u{1b}[31mred",
        "\u{9b}31m",
        "\u{202e}gnp",
        "\0",
        "é",
        "$(id)",
        "python[url=file:///etc/passwd]",
        "https://evil.example/x.conda",
        ">=1,((((((((",
        "*",
    ];
    let long = ["9".repeat(5000), "(".repeat(5000), "x|".repeat(5000), "1.".repeat(5000)];
    let numbers = [json!(null), json!(7), json!(-1), json!([]), json!({ "a": [1] })];
    let texts = few.into_iter().map(Value::from).chain(long.map(Value::from));
    texts.chain(numbers).collect()
}

/// What stands where a number is expected.
fn numbers() -> [Value; 7] {
    [json!(-1), json!(u64::MAX), json!(1e308), json!("x"), json!(null), json!([]), json!(0.5)]
}

#[test]
fn no_record_of_a_channel_breaks_a_plan() {
    let asked = Asked::new();
    assert!(asked.plan("as it is", |_| ()), "the channel itself gives a plan");
    // What is written, shown or deleted by, each alone; then what is only told, all at once.
    let fields: [&[&str]; 5] = [
        &["name"],
        &["version"],
        &["build"],
        &["sha256"],
        &["subdir", "license", "fn", "url", "md5"],
    ];
    for fields in fields {
        for to in texts() {
            let what = format!("{fields:?} = {to}");
            let set = |index: &mut Value| {
                fields.iter().for_each(|field| record(index, "numpy")[*field] = to.clone());
            };
            asked.plan(&what, set);
        }
    }
    for field in ["size", "build_number", "timestamp"] {
        for to in numbers() {
            asked.plan(&format!("{field} = {to}"), |index| record(index, "numpy")[field] = to);
        }
    }
    for to in texts() {
        asked.plan(&format!("depends = [{to}]"), |index| {
            record(index, "numpy")["depends"] = json!(["python", to]);
        });
    }
    for to in [json!(null), json!("python"), json!({ "python": "*" }), json!([["python"]])] {
        asked.plan(&format!("depends = {to}"), |index| record(index, "numpy")["depends"] = to);
    }
}

/// What no plan needs does not keep one from being made, or is an error.
#[test]
fn what_a_channel_has_beside_breaks_no_plan() {
    let asked = Asked::new();
    for to in texts() {
        asked.plan(&format!("files called {to}"), |index| {
            let file = to.as_str().unwrap_or("x").to_owned() + ".conda";
            let mut evil = record(index, "numpy").clone();
            evil["name"] = to;
            index["packages.conda"][file] = evil;
        });
    }
    let many = |index: &mut Value| {
        let one = record(index, "numpy").clone();
        for nth in 0..20_000 {
            let mut more = one.clone();
            more["version"] = json!(format!("{nth}.{nth}"));
            more["depends"] = json!([format!("numpy-{nth}")]);
            index["packages.conda"][format!("numpy-{nth}.{nth}-py_0.conda")] = more;
        }
    };
    asked.plan("20,000 versions of which none can be had", many);
    let needs: Vec<_> = (0..50_000).map(|nth| format!("pandas !={nth}")).collect();
    asked.plan("50,000 needs", |index| record(index, "numpy")["depends"] = json!(needs));
    asked.plan("a circle", |index| {
        record(index, "numpy")["depends"] = json!(["numpy 1.0", "scipy"])
    });
}

#[test]
fn no_form_of_an_answer_breaks_a_plan() {
    let asked = Asked::new();
    let long = |text: &str| text.repeat(200_000);
    for answer in [
        String::new(),
        "null".to_owned(),
        "3".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "<html>".to_owned(),
        "\u{1b}[31m".to_owned(),
        long("["),
        long("{\"a\":"),
        format!("{{\"packages.conda\":{}", long("[")),
        format!("{{\"packages.conda\":{{\"numpy-1-0.conda\":{{\"depends\":{}", long("[")),
    ] {
        assert!(!asked.plan_of(&answer, &answer), "there is no numpy in it");
    }
    for to in [json!("../../../work"), json!("file:///etc"), json!("\u{1b}[31m"), json!(7)] {
        asked.plan(&format!("base_url = {to}"), |index| index["info"]["base_url"] = to);
    }
    for to in [json!(null), json!([]), json!("x"), json!({ "x.conda": [] })] {
        asked.plan(&format!("packages = {to}"), |index| index["packages"] = to.clone());
        asked.plan(&format!("packages.conda = {to}"), |index| index["packages.conda"] = to);
    }
}
