//! What is completed while somebody types: real shells ask the program, as they do at a keyboard.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::disallowed_macros,
    clippy::print_stderr,
    reason = "tests look from outside"
)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use common::{Home, text};
use serde_json::json;

/// A command with nothing of the surroundings but the program and a home.
fn alone(home: &Home, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin");
    command.current_dir(home.path());
    command
}

/// What one of the shells reads.
fn script(home: &Home, shell: &str) -> String {
    let output = home.aitk(&["completions", shell]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// What bash offers for words that it has cut as it cuts them at a keyboard; the last one is being typed.
fn bash(home: &Home, words: &[&str]) -> Vec<String> {
    let ask = "source ./aitk.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        function=$(complete -p aitk); function=${function##*-F }
        ${function%% *} aitk \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    fs::write(home.path().join("aitk.bash"), script(home, "bash")).unwrap();
    let words = [&["-c", ask, "bash", "aitk"], words].concat();
    offered(&alone(home, "bash").args(words).output().unwrap())
}

/// Lines that were offered; nothing may be said beside them, for it would stand in the middle of what is typed.
fn offered(output: &Output) -> Vec<String> {
    assert_eq!(text(&output.stderr), "");
    text(&output.stdout).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What the program answers to what the script of a shell asks.
fn answer(home: &Home, shell: &str, words: &[&str]) -> Vec<String> {
    let mut command = alone(home, env!("CARGO_BIN_EXE_aitk"));
    command.env("AITK_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    offered(&command.args(["--", "aitk"]).args(words).output().unwrap())
}

fn put(home: &Home, path: &str, content: &str) {
    let path = home.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn bash_offers_the_values_of_flags() {
    let home = Home::new();
    let budgets = ["free", "low", "workstation", "sme", "enterprise"];
    assert_eq!(bash(&home, &["plan", "--budget", ""]), budgets);
    assert_eq!(bash(&home, &["plan", "--budget", "w"]), ["workstation"]);
    assert_eq!(bash(&home, &["plan", "--budget", "=", "w"]), ["workstation"]);
    assert_eq!(bash(&home, &["profiles", "e"]), ["enterprise"]);
    let of = |budget: &str| bash(&home, &["plan", "--budget", budget, "--platform", ""]);
    assert_eq!(of("free"), ["kaggle", "colab", "studio-lab"]);
    assert!(of("sme").contains(&"containers".to_owned()), "{:?}", of("sme"));
    assert!(!of("sme").contains(&"kaggle".to_owned()), "{:?}", of("sme"));
    assert!(of("nothing").is_empty());
    let sme = ["plan", "--budget=sme", "--platform", "containers"];
    assert!(bash(&home, &[&sme[..], &["--part", "dr"]].concat()) == ["drift"]);
    assert!(bash(&home, &[&sme[..], &["--set", "own"]].concat()) == ["owner="]);
    assert_eq!(bash(&home, &["export", "dock"]), ["dockerfile"]);
    assert_eq!(bash(&home, &["plan", "--framework", "t"]), ["tensorflow"]);
    assert_eq!(bash(&home, &["plan", "--lang", ""]), ["en", "fr"]);
    assert_eq!(
        bash(&home, &["plan", "--budget", "low", "--with", "docker,mlf"]),
        ["docker,mlflow"]
    );
    assert_eq!(bash(&home, &["man", "pl"]), ["plan"]);
    assert_eq!(bash(&home, &["roll"]), ["rollback"]);
}

#[test]
fn environments_and_their_generations_are_offered_and_names_of_strangers_are_not() {
    let home = Home::new();
    let envs = ".local/share/aitk/envs";
    let record = |digest: &str| {
        let record = json!({
            "schema": 1, "manager": "venv", "request": "", "added": [], "python": "3.12", "layers": {},
        });
        put(&home, &format!("{envs}/ai/{digest}/aitk-generation.json"), &record.to_string());
    };
    record("0123456789abcdef");
    record("fedcba9876543210");
    symlink("0123456789abcdef", home.path().join(envs).join("ai/current")).unwrap();
    for name in ["course", "$(touch pwned)", "`touch pwned`", "a;touch pwned", "a\nb", "*", "-x"] {
        fs::create_dir(home.path().join(envs).join(name)).unwrap();
    }
    assert_eq!(bash(&home, &["status", "--env", ""]), ["ai", "course"]);
    assert_eq!(bash(&home, &["rollback", "f"]), ["fedcba9876543210"]);
    assert!(bash(&home, &["rollback", "0"]).is_empty(), "the one in use is not gone back to");
    assert!(bash(&home, &["rollback", "--env", "course", "f"]).is_empty());
    for shell in ["zsh", "fish"] {
        assert_eq!(answer(&home, shell, &["status", "--env", ""]), ["ai", "course"], "{shell}");
    }
    assert!(!home.path().join("pwned").exists());
}

#[test]
fn files_are_offered_unless_a_shell_would_act_on_their_names() {
    let home = Home::new();
    for name in ["plan.json", "my plan.json", "$(touch pwned)", "a;touch pwned", "p*"] {
        put(&home, &format!("plans/{name}"), "");
    }
    assert_eq!(bash(&home, &["apply", "plans/"]), ["plans/my\\ plan.json", "plans/plan.json"]);
    assert_eq!(bash(&home, &["apply", "plans/my\\ "]), ["plans/my\\ plan.json"]);
    assert_eq!(bash(&home, &["doctor", "--env", "pla"]), ["plans/"]);
    assert!(!home.path().join("pwned").exists());
}

#[test]
fn what_is_damaged_keeps_no_key_waiting_and_says_nothing() {
    let home = Home::new();
    put(&home, ".config/aitk/catalog.toml", "damaged [");
    put(&home, ".config/aitk/targets/x/target.toml", "damaged [");
    put(&home, ".local/state/aitk/receipt.json", "damaged");
    assert_eq!(bash(&home, &["plan", "--framework", "j"]), ["jax"]);
    for words in [&["plan", "--platform", ""][..], &["drop", "x"], &["nothing", "--x", "="]] {
        assert!(bash(&home, words).is_empty(), "{words:?}");
    }
    // Who sets the variable without a shell that asks is answered as ever.
    let version = home.aitk_with(&[("AITK_COMPLETE", "bash")], &["--version"]);
    assert!(text(&version.stdout).starts_with("aitk "), "{}", text(&version.stdout));
}

#[test]
fn values_are_told_in_the_language_of_the_person() {
    let home = Home::new();
    let mut command = alone(&home, env!("CARGO_BIN_EXE_aitk"));
    command.env("AITK_COMPLETE", "fish").env("LANG", "fr_FR.UTF-8");
    let told = offered(&command.args(["--", "aitk", "plan", "--budget", "fr"]).output().unwrap());
    assert_eq!(told, ["free\tNotebooks hébergés\u{a0}: Kaggle, Google Colab, Studio Lab"]);
}

/// Whether a shell is here; it is said where it is not.
fn is_here(shell: &str) -> bool {
    let here =
        ["/usr/bin", "/bin"].iter().any(|folder| fs::exists(format!("{folder}/{shell}")).unwrap());
    if !here {
        eprintln!(
            "NOT ASKED: {shell} is not here (apt-get install {shell}); its protocol alone was"
        );
    }
    here
}

#[test]
fn fish_and_zsh_ask_as_well() {
    let home = Home::new();
    for shell in ["fish", "zsh"] {
        let first = |words: &[&str]| {
            let told = answer(&home, shell, words);
            let end = |line: &str| line.split(['\t', ':']).next().unwrap().to_owned();
            told.iter().map(|line| end(line)).collect::<Vec<_>>()
        };
        assert_eq!(first(&["plan", "--budget", "w"]), ["workstation"]);
        assert_eq!(first(&["plan", "--budget=w"]), ["--budget=workstation"]);
    }
    if is_here("fish") {
        put(&home, "aitk.fish", &script(&home, "fish"));
        let ask = "source aitk.fish; complete -C 'aitk plan --budget w'";
        let told = offered(&alone(&home, "fish").args(["-c", ask]).output().unwrap());
        assert!(told.len() == 1 && told[0].starts_with("workstation\t"), "{told:?}");
    }
    if is_here("zsh") {
        put(&home, "aitk.zsh", &script(&home, "zsh"));
        // What would be shown is caught where it is handed over.
        let ask = "compdef() {}; source aitk.zsh; _describe() { print -l -- ${(P)3}; }
            words=(aitk plan --budget w); CURRENT=4; _clap_dynamic_completer_aitk";
        let told = offered(&alone(&home, "zsh").args(["-f", "-c", ask]).output().unwrap());
        assert!(told.len() == 1 && told[0].starts_with("workstation:"), "{told:?}");
    }
}
