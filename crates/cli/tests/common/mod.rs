//! What the tests of the command line share.
#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::disallowed_types, reason = "tests look from outside")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Output;

/// The program in a home folder of its own, with nothing of the caller's environment.
///
/// Only commands that change nothing are run here: `apply` is tested in root file systems of its own, by
/// `tests/fresh-machine`.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn aitk(&self, args: &[&str]) -> Output {
        self.aitk_with(&[], args)
    }

    /// Carries a saved plan or a bundle out on a system that refuses every change, with no channel set.
    pub fn dry_apply(&self, args: &[&str]) -> Output {
        self.program(&[&["apply", "--dry-run"], args].concat()).output().unwrap()
    }

    /// With more variables.
    pub fn aitk_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Output {
        assert!(!args.contains(&"apply"), "never on the machine that runs the tests");
        self.program(args)
            .env("AITK_CHANNEL", "http://127.0.0.1:9/conda-forge")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// With no channel set.
    pub fn aitk_without_channel(&self, args: &[&str]) -> Output {
        assert!(!args.contains(&"apply"), "never on the machine that runs the tests");
        self.program(args).output().unwrap()
    }

    /// In another folder than the one that tests run in, with no channel set.
    pub fn aitk_in(&self, folder: &Path, args: &[&str]) -> Output {
        assert!(!args.contains(&"apply"), "never on the machine that runs the tests");
        self.program(args).current_dir(folder).output().unwrap()
    }

    /// Where no shell finds the program.
    pub fn aitk_off_path(&self, args: &[&str]) -> Output {
        assert!(!args.contains(&"apply"), "never on the machine that runs the tests");
        self.program(args).env("PATH", "/usr/bin:/bin").output().unwrap()
    }

    /// On PATH, so that it is typed by its name and a page wraps alike wherever the checkout is.
    fn program(&self, args: &[&str]) -> assert_cmd::Command {
        let built = assert_cmd::cargo::cargo_bin("aitk");
        let path = format!("{}:/usr/bin:/bin", built.parent().unwrap().display());
        let mut program = assert_cmd::Command::new(&built);
        program
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", path)
            // A source that refuses at once: no test of the command line needs one.
            .env("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
            .args(args);
        program
    }
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub fn machine(name: &str) -> String {
    repository().join("tests/machines").join(name).to_string_lossy().into_owned()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The channel of `tests/support/channel/serve`, on loopback, until it goes out of scope.
pub struct Served {
    child: std::process::Child,
    /// `127.0.0.1:PORT`.
    pub place: String,
}

impl Served {
    pub fn new(folder: &Path, options: &[&str]) -> Self {
        let mut child = std::process::Command::new("python3")
            .arg(repository().join("tests/support/channel/serve"))
            .arg(folder)
            .args(options)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, place: format!("127.0.0.1:{}", line.trim()) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A channel of packages without content: enough to solve, lock and download.
///
/// A package is `name`, `version`, `build` and what it needs. Those of the budget `low` are there as well.
pub fn small_channel(folder: &Path, more: &[(&str, &str, &str, &[&str])]) {
    let low = ["conda", "mamba", "pip", "numpy", "pandas", "scipy", "scikit-learn"];
    let low = low.into_iter().chain(["matplotlib-base", "jupyterlab", "ipykernel"]);
    let mut all = vec![("python", "3.12.9", "h1_0", &[] as &[&str])];
    all.extend(low.map(|name| (name, "1.0", "py_0", &["python"] as &[&str])));
    all.extend(more);
    let mut packages = serde_json::Map::new();
    let noarch = folder.join("noarch");
    std::fs::create_dir_all(&noarch).unwrap();
    for (name, version, build, needs) in all {
        let file = format!("{name}-{version}-{build}.conda");
        std::fs::write(noarch.join(&file), &file).unwrap();
        let sum = std::process::Command::new("sha256sum").arg(noarch.join(&file)).output().unwrap();
        let record = serde_json::json!({
            "name": name, "version": version, "build": build, "build_number": 0, "depends": needs,
            "subdir": "noarch", "size": file.len(), "sha256": text(&sum.stdout[..64]),
        });
        packages.insert(file, record);
    }
    for subdir in ["noarch", "linux-64", "linux-aarch64"] {
        let packages = if subdir == "noarch" { packages.clone() } else { serde_json::Map::new() };
        let index = serde_json::json!({
            "info": { "subdir": subdir }, "packages": {}, "packages.conda": packages,
        });
        std::fs::create_dir_all(folder.join(subdir)).unwrap();
        std::fs::write(folder.join(subdir).join("repodata.json"), index.to_string()).unwrap();
    }
}

/// Every file below a folder that holds one of these texts.
pub fn files_with(folder: &Path, texts: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, texts));
        } else if let Ok(content) = std::fs::read(&path) {
            let content = text(&content);
            if texts.iter().any(|text| content.contains(text)) {
                found.push(path);
            }
        }
    }
    found
}
