//! The program in French, as a person reads it.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

mod common;

use common::{Home, machine, repository, text};

/// What is said in French: results, then everything else.
fn said(home: &Home, args: &[&str]) -> String {
    let output = home.aitk(&[&["--lang", "fr"], args].concat());
    text(&output.stdout) + &text(&output.stderr)
}

fn snapshot(name: &str, said: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(repository().join("tests/french"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"/tmp/\.tmp\w+", "/home/user");
    settings.bind(|| insta::assert_snapshot!(name, said));
}

/// Words of a text that no French one has, outside of commands and of what is cited.
fn english(said: &str) -> Vec<&str> {
    const ENGLISH: [&str; 17] = [
        "the", "is", "are", "and", "of", "with", "which", "this", "has", "needs", "for", "was",
        "not", "to", "there", "here", "from",
    ];
    // A citation begins behind its sign; what follows its end is ours again.
    let outside =
        said.split(['«', '`']).map(|text| text.split_once('»').map_or(text, |(_, behind)| behind));
    let words =
        outside.flat_map(|text| text.split(|c: char| !c.is_alphabetic() && !".-".contains(c)));
    words.filter(|word| ENGLISH.contains(&word.trim_end_matches('.'))).collect()
}

#[test]
fn the_pages_are_in_french() {
    let home = Home::new();
    let plan = ["plan", "--budget", "low", "--no-resolve", "--machine"];
    let pages = [
        ("plan", "ubuntu-24.04-laptop", &plan[..]),
        (
            "plan-without-root",
            "debian-13-vps-1gb",
            &[&["plan", "--user-only"], &plan[1..]].concat(),
        ),
        ("detect", "hybrid-cgroups", &["detect", "--machine"]),
        ("detect-gpu", "h100-mig", &["detect", "--machine"]),
        ("doctor", "wsl2-clock-behind", &["doctor", "--machine"]),
    ];
    for (name, recorded, args) in pages {
        let said = said(&home, &[args, &[&machine(recorded)]].concat());
        assert_eq!(english(&said), [""; 0], "{said}");
        snapshot(name, &said);
    }
}

#[test]
fn what_a_plan_says_of_any_machine_is_in_french() {
    let home = Home::new();
    let with = ["--drivers", "--with", "docker,vscode,cuda-toolkit", "--budget", "workstation"];
    for name in [
        "alpine-3.22",
        "docker-gpu-server",
        "gtx970-driver-535",
        "jetson-orin-nano-jp6.2",
        "mi300x",
        "nvidia-hang",
        "rtx3060-secure-boot-unsigned",
        "ubuntu-20.04-old",
        "vps-cuda-torch",
        "wsl1",
    ] {
        let name = machine(name);
        let plan = ["plan", "--no-resolve", "--machine", &name];
        let said = said(&home, &[&plan[..], &with].concat());
        assert_eq!(english(&said), [""; 0], "{said}");
    }
}

#[test]
fn errors_and_help_are_in_french() {
    let home = Home::new();
    let mut all = String::new();
    for args in [
        &["plan"][..],
        &["plan", "--budget", "lwo"],
        &["plan", "--budget", "low", "--with", "dokcer", "--no-resolve"],
        &["plan", "--budget", "enterprise"],
        &["plan", "--profile", "/nope"],
        &["plan", "--python", "three"],
        &["plan", "--budgte", "low"],
        &["plan", "--framework", "pytorhc"],
        &["plan", "--manager", "cnoda"],
        &["plam"],
        &["detect", "--machine", "/nope"],
        &["doctor", "--env", "/etc"],
        &["status"],
        &["remove", "--dry-run"],
        &["verify"],
        &["export", "dockerflie"],
        &["export"],
        &["completions", "--help"],
    ] {
        let said = said(&home, args);
        assert_eq!(english(&said), [""; 0], "{args:?}: {said}");
        all += &format!("$ aitk {}\n{said}\n", args.join(" "));
    }
    snapshot("errors-and-help", &all);
    // These grow with every step and flag.
    for args in [&["profiles", "workstation"][..], &["-h"], &["plan", "--help"], &["export", "-h"]]
    {
        let said = said(&home, args);
        assert_eq!(english(&said), [""; 0], "{args:?}: {said}");
    }
}

#[test]
fn what_came_from_the_user_is_in_no_language() {
    let home = Home::new();
    for args in [
        &["status", "--env", "Check"][..],
        &["plan", "--profile", "English"],
        &["plan", "--budget", "Nothing"],
        &["doctor", "--env", "Environment"],
        &["plan", "--budget", "low", "--no-resolve", "--with", "Check,None"],
        &["export", "Tools"],
        &["detect", "--machine", "Memory"],
        &["plan", "--framework", "Never"],
        &["Usage:"],
    ] {
        let said = said(&home, args);
        for word in args.last().unwrap().split(',').take(1) {
            assert!(said.contains(word), "{args:?}: {said}");
        }
        assert!(!said.contains("Vérification") && !said.contains("Anglais"), "{args:?}: {said}");
    }
    // Values that a flag takes are told as they are typed.
    let said = said(&home, &["plan", "--framework", "unheard-of"]);
    assert!(said.contains("none") && !said.contains("aucun,"), "{said}");
}

#[test]
fn the_locale_decides_where_nothing_is_asked_for_and_scripts_get_english() {
    let home = Home::new();
    let speaks = |variables: &[(&str, &str)], args: &[&str]| {
        let output = home.aitk_with(variables, args);
        text(&output.stdout) + &text(&output.stderr)
    };
    assert!(speaks(&[("LANG", "fr_CA.UTF-8")], &["plan"]).contains("aucun budget n'est choisi"));
    assert!(speaks(&[("AITK_LANG", "fr")], &["plan"]).contains("aucun budget n'est choisi"));
    assert!(speaks(&[("LANG", "fr_FR")], &["plan", "--nope"]).contains("argument inattendu"));
    for (variables, args) in [
        (&[("LANG", "de_DE.UTF-8")][..], &["plan"][..]),
        (&[("LANG", "fr_FR"), ("LC_ALL", "C.UTF-8")], &["plan"]),
        (&[("AITK_LANG", "fr")], &["plan", "--lang", "en"]),
        (&[("AITK_LANG", "fr")], &["plan", "--json"]),
    ] {
        assert!(speaks(variables, args).contains("no budget is chosen"), "{variables:?}");
    }
    assert!(speaks(&[], &["run", "--", "x", "--lang", "fr"]).contains("there is no environment"));
}
