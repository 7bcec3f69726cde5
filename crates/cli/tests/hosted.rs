//! Hosted notebooks from outside: what would be written, and what is refused. That they run is proven on fresh machines.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

mod common;

use common::{Home, text};
use serde_json::Value;

const PLAN: [&str; 3] = ["plan", "--budget", "free"];

#[test]
fn a_plan_says_what_would_be_written_for_each_platform() {
    let home = Home::new();
    for (platform, beside, folder) in [
        ("kaggle", Some("kernel-metadata.json"), "/kaggle/working"),
        ("colab", None, "/content/drive/MyDrive"),
        ("studio-lab", Some("environment.yml"), "/home/studio-lab-user"),
    ] {
        let args = [&PLAN[..], &["--platform", platform, "--no-resolve"]].concat();
        let output = home.aitk(&[&args[..], &["--json", "--detailed-exitcode"]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let data = &json["data"];
        assert_eq!((&json["kind"], &data["platform"]), (&"notebook".into(), &platform.into()));
        assert_eq!((&data["folder"], &data["changed"]), (&folder.into(), &false.into()));
        assert_eq!(data["command"], format!("aitk apply --budget free --platform {platform}"));
        let files: Vec<_> = data["files"].as_array().unwrap().iter().map(|f| &f["path"]).collect();
        let mut expected = vec!["aitk-starter-notebook.ipynb"];
        expected.extend(beside);
        assert_eq!(files, expected);
        for (language, word) in [("en", "to be written to"), ("fr", "à écrire dans")] {
            let said = text(&home.aitk(&[&args[..], &["--lang", language]].concat()).stdout);
            assert!(said.contains(word) && !said.contains('{'), "{said}");
        }
    }
}

#[test]
fn a_folder_of_the_users_own_is_a_platform() {
    let home = Home::new();
    let folder = home.path().join(".config/aitk/targets/campus");
    std::fs::create_dir_all(folder.join("files")).unwrap();
    let target = "schema = 1\nas_of = \"2026-11-01\"\n[platform]\ntitle = \"Our own hub\"\nsign = \"CAMPUS\"\n\
        folder = \"/data\"\npython = \"3.13\"\narch = \"x86_64\"\nglibc = \"2.36\"\nkeeps = []\n\
        link = \"https://hub.example\"\n[parameter.gpu]\ndefault = \"no\"\n[[file]]\npath = \"hello.sh\"\n";
    std::fs::write(folder.join("target.toml"), target).unwrap();
    std::fs::write(folder.join("texts.en.toml"), "next = \"Open «link»\"\n").unwrap();
    std::fs::write(folder.join("files/hello.sh"), "echo «platform.title»\n").unwrap();
    let args = [&PLAN[..], &["--platform", "campus", "--no-resolve"]].concat();
    let output = home.aitk(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    for words in ["Our own hub", "hello.sh", "Open https://hub.example"] {
        assert!(said.contains(words), "{said}");
    }
    // A hole that nothing fills is not passed over.
    std::fs::write(folder.join("files/hello.sh"), "echo «nothing»\n").unwrap();
    let output = home.aitk(&args);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("AITK-O19"), "{}", text(&output.stderr));
}

#[test]
fn what_does_not_go_together_is_64_and_says_what_to_do() {
    let home = Home::new();
    for (args, words) in [
        (
            &["plan", "--budget", "free"][..],
            &["AITK-N02", "--platform kaggle", "--platform studio-lab"][..],
        ),
        (
            &["plan", "--budget", "free", "--platform", "colb"],
            &["AITK-P06", "did you mean `--platform colab`"],
        ),
        (
            &["plan", "--budget", "low", "--platform", "colab"],
            &["AITK-N03", "--platform does not go with --budget low"],
        ),
        (&["plan", "--platform", "colab"], &["AITK-C01", "no budget is chosen"]),
        (
            &[
                "plan",
                "--budget",
                "free",
                "--platform",
                "colab",
                "--python",
                "3.11",
                "--accelerator",
                "rocm",
            ],
            &["AITK-N03", "--accelerator, --python do not go with hosted notebooks"],
        ),
        (
            &["plan", "--budget", "free", "--platform", "colab", "-o", "plan.json"],
            &["AITK-N03", "--output"],
        ),
        (&["lock", "--budget", "free"], &["AITK-N01", "--platform NAME"]),
        (&["export", "pylock.toml", "--budget", "free"], &["AITK-N01"]),
        (&["bundle", "--budget", "free"], &["AITK-N01"]),
    ] {
        let output = home.aitk(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?} does not say {word:?}: {said}");
        }
    }
}
