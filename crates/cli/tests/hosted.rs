//! Hosted notebooks from outside: what would be written, and what is refused. That they run is proven on fresh machines.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

mod common;

use common::{Home, text};
use serde_json::Value;

const PLAN: [&str; 3] = ["plan", "--budget", "free"];

#[test]
fn a_plan_says_what_would_be_written_for_each_platform() {
    let home = Home::new();
    for (platform, folder) in [
        ("kaggle", "/kaggle/working"),
        ("colab", "/content/drive/MyDrive"),
        ("studio-lab", "/home/studio-lab-user"),
    ] {
        let args = [&PLAN[..], &["--platform", platform, "--no-resolve"]].concat();
        let output = home.aitk(&[&args[..], &["--json", "--detailed-exitcode"]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let data = &json["data"];
        assert_eq!(
            (&json["kind"], &data["project"]["platform"]),
            (&"plan".into(), &platform.into())
        );
        let place = data["project"]["folder"].as_str().unwrap();
        assert!(place.ends_with(&format!("/aitk-{platform}")), "{place}");
        let steps: Vec<_> = data["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| (&step["id"], &step["status"]))
            .collect();
        let skipped =
            ["environment", "libraries", "tracking"].map(|id| (Value::from(id), "skipped".into()));
        let expected: Vec<(Value, Value)> =
            skipped.into_iter().chain([("project".into(), "needed".into())]).collect();
        assert_eq!(steps, expected.iter().map(|(id, status)| (id, status)).collect::<Vec<_>>());
        for (language, words) in [
            (
                "en",
                [
                    "a notebook that installs what is missing",
                    "survives the session in",
                    "in its session there",
                ],
            ),
            (
                "fr",
                [
                    "un notebook qui installe ce qui manque",
                    "survit à la session dans",
                    "dans sa session là-bas",
                ],
            ),
        ] {
            let said = text(&home.aitk(&[&args[..], &["--lang", language]].concat()).stdout);
            for word in words.into_iter().chain([folder]) {
                assert!(said.contains(word) && !said.contains('{'), "{word}: {said}");
            }
        }
    }
}

/// A lock with what the notebook asks for, for the sessions of all platforms.
fn lock() -> String {
    let mut text =
        "lock-version = \"1.0\"\ncreated-by = \"aitk\"\nrequires-python = \"==3.12.*\"\n\
        [tool.aitk]\nlayers = [\"libraries\", \"tracking\"]\n\
        [tool.aitk.target]\npython = \"3.12\"\narch = \"x86_64\"\nglibc = \"2.28\"\n"
            .to_owned();
    for (name, layer) in [
        ("numpy", "libraries"),
        ("pandas", "libraries"),
        ("scipy", "libraries"),
        ("scikit-learn", "libraries"),
        ("matplotlib", "libraries"),
        ("mlflow", "tracking"),
    ] {
        let wheel = format!("{}-1.0-py3-none-any.whl", name.replace('-', "_"));
        text += &format!(
            "[[packages]]\nname = \"{name}\"\nversion = \"1.0\"\n\
            [[packages.wheels]]\nname = \"{wheel}\"\nurl = \"https://packages.example/{wheel}\"\nsize = 9\n\
            [packages.wheels.hashes]\nsha256 = \"{}\"\n[packages.tool.aitk]\nlayer = \"{layer}\"\n",
            "ab".repeat(32)
        );
    }
    text
}

#[test]
fn with_its_packages_a_plan_shows_every_file_and_a_dry_run_writes_none() {
    let home = Home::new();
    let path = home.path().join("pylock.toml");
    let lock = path.to_str().unwrap();
    for (platform, python, beside) in [
        ("kaggle", "3.12", Some("kernel-metadata.json")),
        ("colab", "3.13", None),
        ("studio-lab", "3.12", Some("environment.yml")),
    ] {
        std::fs::write(&path, self::lock().replace("3.12", python)).unwrap();
        let folder = home.path().join("notebook");
        let args = [
            "--budget",
            "free",
            "--platform",
            platform,
            "--locked",
            lock,
            "--folder",
            folder.to_str().unwrap(),
        ];
        let output = home.aitk(&[&["plan", "--json"], &args[..]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let steps = json["data"]["steps"].as_array().unwrap();
        let project = steps.iter().find(|step| step["id"] == "project").unwrap();
        let files: Vec<_> =
            project["spec"]["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
        let mut expected = vec!["aitk-starter-notebook.ipynb"];
        expected.extend(beside);
        expected.push("README.md");
        assert_eq!(files, expected);
        let libraries = steps.iter().find(|step| step["id"] == "libraries").unwrap();
        assert_eq!(libraries["packages"][0]["sha256"], "ab".repeat(32));
        let output = home.dry_apply(&[&args[..], &["--yes"]].concat());
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(
            said.contains("write aitk-starter-notebook.ipynb") && said.contains("dry run"),
            "{said}"
        );
        assert!(!folder.exists());
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
        (
            &["plan", "--budget", "low", "--push"],
            &["AITK-N03", "--push does not go with --budget low"],
        ),
        (
            &["plan", "--budget", "free", "--platform", "colab", "--push"],
            &["AITK-N06", "cannot send a notebook to Google Colab", "File › Upload notebook"],
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
