//! An environment is broken in every way that is known: `verify`, `doctor` and what `apply` finds to do say the same of it,
//! what they say helps is done, and then nothing is wrong any more. The environments are real ones, built from wheels of
//! an index on loopback; only uv is a stand-in.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests break things from outside"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use aitk_detect::{Machine, detect, examine};
use aitk_env::{Depth, Environments, Generation, Settings};
use aitk_exec::{
    Context, Event, Finding, Journal, Receipt, Remedy, Reporter, judge, survey, verify,
};
use aitk_plan::{Catalog, Choices, Manager, Plan, Profile, Status, Wheel};
use aitk_system::{Deny, Explain, Message, Real, System};
use sha2::{Digest, Sha256};

/// The smallest profile that does something, with one package more.
const PROFILE: &str = include_str!("../../../tests/support/tiny.toml");
const UV: &[u8] = include_bytes!("uv.py");

struct Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event<'_>) {}
}

fn wheel(name: &str, files: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (file, content) in files {
        zip.start_file(*file, options).unwrap();
        zip.write_all(content).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    (format!("{name}-py3-none-any.whl"), bytes)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An index with these wheels; its address.
fn index(wheels: Vec<(String, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let base = address.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            while !lines.next().unwrap().unwrap().is_empty() {}
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let of = |start: &str| {
                let name = path.strip_prefix(start)?.trim_end_matches('/');
                wheels.iter().find(|(file, _)| file == name || file.split('-').next() == Some(name))
            };
            let (kind, body) = match (of("/simple/"), of("/f/")) {
                (Some((file, bytes)), _) => {
                    let (size, hash) = (bytes.len(), sha256(bytes));
                    let page = serde_json::json!({ "files": [{
                        "filename": file, "url": format!("{base}/f/{file}"), "size": size,
                        "hashes": { "sha256": hash },
                    }] });
                    ("application/vnd.pypi.simple.v1+json", page.to_string().into_bytes())
                }
                (None, Some((_, bytes))) => ("application/zip", bytes.clone()),
                (None, None) => ("text/plain", Vec::new()),
            };
            let status = if body.is_empty() { 404 } else { 200 };
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body);
        }
    });
    format!("{address}/simple")
}

/// A home folder, and all that aitk is told of it.
struct Home {
    folder: PathBuf,
    machine: Machine,
    catalog: Catalog,
    settings: Settings,
    profile: Profile,
}

impl Home {
    fn new(folder: &Path) -> Self {
        let module: &[u8] =
            b"def one():\n    return 1\n\n\ndef two():\n    return 'two' + str(one())\n";
        let package = |name: &'static str| {
            let info = |file: &str| format!("{name}-1.0.dist-info/{file}");
            let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
            wheel(
                &format!("{name}-1.0"),
                &[
                    (&format!("{name}.py"), module),
                    (&info("METADATA"), metadata.as_bytes()),
                    (
                        &info("WHEEL"),
                        b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                    ),
                ],
            )
        };
        let uv = wheel("uv-9.9.9", &[("uv-9.9.9.data/scripts/uv", UV)]);
        let mut catalog = Catalog::builtin().unwrap();
        catalog.uv.version = "9.9.9".to_owned();
        catalog.uv.wheels = vec![Wheel {
            arch: Real.host().arch,
            filename: uv.0.clone(),
            size: uv.1.len() as u64,
            sha256: sha256(&uv.1),
        }];
        let mut machine = detect(&Real, &catalog.tables).machine;
        machine.folders.home = folder.to_owned();
        machine.folders.state = folder.join("state");
        machine.folders.jupyter = folder.join("jupyter");
        machine.folders.data = folder.join("data");
        machine.folders.cache = folder.join("cache");
        let settings = Settings {
            data: folder.join("data"),
            cache: folder.join("cache"),
            index_url: Some(index(vec![uv, package("six"), package("toolz")])),
            ..Settings::default()
        };
        let profile = PROFILE.replace(r#"["six"]"#, r#"["six", "toolz"]"#);
        let profile = Profile::from_toml("tiny.toml", &profile).unwrap();
        Self { folder: folder.to_owned(), machine, catalog, settings, profile }
    }

    fn with<T>(
        &self,
        system: &dyn System,
        deep: bool,
        look: impl FnOnce(&Context<'_>, Plan) -> T,
    ) -> T {
        let Self { machine, catalog, settings, profile, .. } = self;
        let receipt = Receipt::load(&machine.folders.state, &Real).unwrap();
        let mut cx = Context::new(system, &Real, machine, catalog, settings, receipt);
        cx.deep = deep;
        let plan = aitk_plan::plan(machine, profile, &Choices::default(), Manager::Venv, catalog);
        look(&cx, plan)
    }

    /// What is found, by those who change nothing.
    fn verify(&self, deep: bool) -> Vec<Finding> {
        let system = Deny(Arc::new(Real));
        self.with(&system, false, |cx, plan| verify(cx, &plan, deep, &Silent).unwrap())
    }

    /// What the doctor says of it: what was seen, and what helps.
    fn doctor(&self) -> BTreeSet<(String, String)> {
        let own = self.with(&Deny(Arc::new(Real)), false, |cx, plan| judge(cx, &plan));
        let (env, tables) = (self.environments().current_path(), &self.catalog.tables);
        let found = examine(&Real, &self.machine, tables, Some(&env), Some(&own));
        let codes = ["AITK-H36", "AITK-H37", "AITK-H57"];
        let found = found.into_iter().filter(|one| codes.contains(&one.code.as_str()));
        let mut said = BTreeSet::new();
        for finding in found {
            let helps: Vec<_> = finding.remedy.iter().map(ToString::to_string).collect();
            let helps: Vec<_> = helps.into_iter().chain(finding.aitk).collect();
            for seen in &finding.evidence {
                said.extend(helps.iter().map(|helps| (seen.to_string(), helps.clone())));
            }
        }
        said
    }

    /// Whether `apply` finds something to do.
    fn has_to_do(&self, deep: bool) -> bool {
        self.with(&Real, deep, |cx, mut plan| {
            survey(cx, &mut plan, false).unwrap();
            plan.steps.iter().any(|step| step.status == Status::Needed)
        })
    }

    fn apply(&self, deep: bool) {
        self.with(&Real, deep, |cx, mut plan| {
            survey(cx, &mut plan, true).unwrap();
            let journal = Journal::begin(&self.machine.folders.state, &Real);
            let summary = aitk_exec::apply(cx, plan, &journal, &Silent).unwrap();
            if let Some((step, error)) = summary.failure {
                panic!("{step}: {error}: {:?}", error.hint());
            }
        });
    }

    fn environments(&self) -> Environments {
        Environments::new(&self.settings.data, "ai")
    }

    fn generation(&self) -> Generation {
        self.environments().current(&Real).unwrap().0
    }

    /// A file of the environment.
    fn at(&self, file: &str) -> PathBuf {
        self.generation().path().join(file)
    }

    /// A file of its packages.
    fn site(&self, file: &str) -> PathBuf {
        let python = fs::read_dir(self.at("lib")).unwrap().next().unwrap().unwrap().path();
        python.join("site-packages").join(file)
    }

    fn link(&self) -> PathBuf {
        self.environments().current_path()
    }

    fn kernel(&self) -> PathBuf {
        self.folder.join("jupyter/kernels/aitk-ai/kernel.json")
    }

    fn uv(&self) -> PathBuf {
        self.settings.data.join("tools/uv-9.9.9/uv")
    }
}

/// What is said to help.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Helps {
    Apply,
    /// `aitk apply --deep`: only who reads all files sees it.
    Deep,
    /// Taking something away.
    Remove,
    /// Moving something of the user's away.
    Move,
    GiveBack,
}

struct Case {
    /// What is broken.
    breaks: fn(&Home),
    /// What is said of it.
    says: &'static str,
    helps: Helps,
}

const fn case(says: &'static str, helps: Helps, breaks: fn(&Home)) -> Case {
    Case { breaks, says, helps }
}

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn relink(path: PathBuf, target: &str) {
    let _ = fs::remove_file(&path);
    symlink(target, path).unwrap();
}

fn cut(path: PathBuf, size: usize) {
    let bytes = fs::read(&path).unwrap();
    assert!(size < bytes.len());
    fs::write(path, &bytes[..size]).unwrap();
}

/// Changes one letter and nothing else: neither the size nor the time.
fn hide_a_change(path: PathBuf) {
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
}

fn remove(path: PathBuf) {
    let is_folder = fs::symlink_metadata(&path).unwrap().is_dir();
    if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
}

/// Its interpreter, and all else that belongs to no package.
const ITSELF: [Case; 9] = [
    case("Python is gone", Helps::Apply, |home| remove(home.at("bin/python"))),
    case("Python is gone: /nowhere", Helps::Apply, |home| {
        relink(home.at("bin/python"), "/nowhere/python3");
    }),
    case("Python is gone", Helps::Apply, |home| remove(home.at("bin"))),
    case("its interpreter is Python 3.99", Helps::Apply, |home| {
        let other = home.folder.join("python3.99");
        write(other.clone(), "#!/bin/sh\n");
        relink(home.at("bin/python"), &other.to_string_lossy());
    }),
    case("bin/python is changed", Helps::Apply, |home| relink(home.at("bin/python"), "/bin/true")),
    case("pyvenv.cfg is gone", Helps::Apply, |home| remove(home.at("pyvenv.cfg"))),
    case("pyvenv.cfg is changed", Helps::Deep, |home| write(home.at("pyvenv.cfg"), "home = /\n")),
    case("bin/activate is changed", Helps::Deep, |home| hide_a_change(home.at("bin/activate"))),
    case("is a link to", Helps::Apply, |home| {
        let record = home.site("six-1.0.dist-info/RECORD");
        let cached = home.folder.join("cached");
        fs::copy(&record, &cached).unwrap();
        relink(record, &cached.to_string_lossy());
    }),
];

const PACKAGES: [Case; 7] = [
    case("six.py is gone", Helps::Apply, |home| remove(home.site("six.py"))),
    case("toolz-1.0.dist-info/RECORD", Helps::Apply, |home| {
        remove(home.site("toolz-1.0.dist-info"));
    }),
    case("more are gone", Helps::Apply, |home| remove(home.site(""))),
    case("six.py is changed", Helps::Deep, |home| write(home.site("six.py"), "x = 1\n")),
    case("six.py is changed", Helps::Deep, |home| hide_a_change(home.site("six.py"))),
    case("six.cpython", Helps::Deep, |home| {
        let mut python = Command::new(home.at("bin/python"));
        assert!(python.args(["-c", "import six"]).env_clear().status().unwrap().success());
        let mut compiled = fs::read_dir(home.site("__pycache__")).unwrap();
        let compiled = compiled.find_map(|file| {
            let path = file.unwrap().path();
            path.to_string_lossy().contains("six.cpython").then_some(path)
        });
        cut(compiled.unwrap(), 100);
    }),
    // A list of files that was cut tells nothing any more.
    case("toolz.py is gone", Helps::Apply, |home| {
        let list = home.at("aitk-files.txt");
        let text = fs::read_to_string(&list).unwrap();
        fs::write(&list, text.split_once("# libraries").unwrap().0).unwrap();
        remove(home.site("toolz.py"));
    }),
];

const ADDITIONS: [Case; 6] = [
    case("more.pth", Helps::Remove, |home| write(home.site("more.pth"), "import os\n")),
    case("sitecustomize.py", Helps::Remove, |home| write(home.site("sitecustomize.py"), "")),
    case("can hide the module `six`", Helps::Remove, |home| {
        write(home.site("six/__init__.py"), "");
    }),
    case("six-99.0.dist-info", Helps::Remove, |home| {
        write(home.site("six-99.0.dist-info/METADATA"), "Name: six\n");
    }),
    case("~ix-1.0.dist-info", Helps::Remove, |home| {
        write(home.site("~ix-1.0.dist-info/METADATA"), "Name: six\n");
    }),
    case("bin/ls", Helps::Remove, |home| write(home.at("bin/ls"), "#!/bin/sh\n")),
];

/// What aitk notes of it, and the link to it.
const NOTES: [Case; 11] = [
    case("what aitk noted", Helps::Apply, |home| remove(home.at("aitk-generation.json"))),
    case("what aitk noted", Helps::Apply, |home| cut(home.at("aitk-generation.json"), 50)),
    case("pylock.toml is gone", Helps::Apply, |home| remove(home.at("pylock.toml"))),
    case("pylock.toml is gone or damaged", Helps::Deep, |home| cut(home.at("pylock.toml"), 90)),
    case("six.py is gone", Helps::Apply, |home| {
        cut(home.at("pylock.toml"), 90);
        remove(home.site("six.py"));
    }),
    case("what aitk noted", Helps::Apply, |home| {
        remove(home.at("pylock.toml"));
        remove(home.at("aitk-generation.json"));
    }),
    case("no environment `ai`", Helps::Apply, |home| remove(home.generation().path().to_owned())),
    case("current does not lead to it", Helps::Apply, |home| remove(home.link())),
    case("current does not lead to it", Helps::Apply, |home| {
        relink(home.link(), "0123456789abcdef");
    }),
    case("current does not lead to it", Helps::Move, |home| {
        write(home.folder.join("mine/file"), "mine");
        relink(home.link(), &home.folder.join("mine").to_string_lossy());
    }),
    case("current does not lead to it", Helps::Move, |home| {
        remove(home.link());
        write(home.link().join("file"), "mine");
    }),
];

/// What stands beside it.
const BESIDE: [Case; 8] = [
    case("kernel.json is not there", Helps::Apply, |home| remove(home.kernel())),
    case("kernel.json is not there", Helps::Apply, |home| remove(home.folder.join("jupyter"))),
    case("kernel.json says something else", Helps::Apply, |home| cut(home.kernel(), 20)),
    case("kernel.json says something else", Helps::Move, |home| {
        write(home.kernel(), r#"{"argv": ["/usr/bin/python3"]}"#);
    }),
    case("there is no uv 9.9.9", Helps::Apply, |home| remove(home.uv())),
    case("there is no uv 9.9.9", Helps::Apply, |home| cut(home.uv(), 100)),
    case("there is no uv 9.9.9", Helps::Apply, |home| remove(home.uv().with_extension("sha256"))),
    case("there is no uv 9.9.9", Helps::Deep, |home| hide_a_change(home.uv())),
];

/// What only the owner can give back; who runs the tests without root owns all.
const OWNERS: [Case; 2] = [
    case("pyvenv.cfg belongs to another user", Helps::GiveBack, |home| {
        chown(home.at("pyvenv.cfg"), Some(1), None).unwrap();
    }),
    case("belongs to another user", Helps::GiveBack, |home| {
        chown(home.generation().path(), Some(1), None).unwrap();
        remove(home.site("six.py"));
    }),
];

fn of(found: &[Finding]) -> BTreeSet<(String, String)> {
    let pair = |found: &Finding| (found.message.to_string(), found.remedy.text().to_string());
    found.iter().map(pair).collect()
}

/// Does what is said to help, as a person does.
fn follow(home: &Home, case: &Case, found: &[Finding]) {
    let mut applies = BTreeSet::new();
    for finding in found {
        match &finding.remedy {
            Remedy::Apply { deep, .. } => _ = applies.insert(*deep),
            Remedy::Remove(path) => remove(path.clone()),
            Remedy::Do(words) => match case.helps {
                Helps::Move => {
                    let path = finding.message.to_string();
                    let path = path.split(" does not").next().unwrap();
                    let path = path.split(" says").next().unwrap();
                    fs::rename(path, home.folder.join("moved away")).unwrap();
                }
                _ => give_back(words),
            },
            Remedy::Doctor => panic!("{finding:?}"),
        }
    }
    // Whoever reads every file sees the rest as well.
    if let Some(deep) = applies.into_iter().max() {
        home.apply(deep);
    }
}

fn give_back(words: &Message) {
    let words = words.to_string();
    let (_, command) = words.split_once("sudo ").unwrap();
    let done = Command::new("sh").args(["-c", command]).env("USER", "root").status().unwrap();
    assert!(done.success(), "{command}");
}

fn cure(home: &Home, case: &Case) {
    let Case { breaks, says, helps } = case;
    breaks(home);
    let shallow = home.verify(false);
    assert_eq!(of(&shallow), home.doctor(), "{says}: verify and doctor do not say the same");
    let found = home.verify(matches!(helps, Helps::Deep | Helps::Remove));
    let finding = found.iter().find(|one| one.message.to_string().contains(says));
    let finding = finding.unwrap_or_else(|| panic!("{says} is not among {found:?}"));
    let (said, deep) = (finding.remedy.text().to_string(), *helps != Helps::Apply);
    let fits = match helps {
        Helps::Apply => said == "aitk apply",
        Helps::Deep => said == "aitk apply --deep",
        Helps::Remove => said.starts_with("rm -r "),
        Helps::Move => said.contains("move it away"),
        Helps::GiveBack => said.contains("sudo chown -R"),
    };
    assert!(fits, "{says}: the remedy is `{said}`");
    assert_eq!(home.has_to_do(deep), *helps != Helps::Remove, "{says}: what apply finds to do");
    if *helps == Helps::Deep {
        assert!(!home.has_to_do(false), "{says}: `aitk apply` sees it without --deep");
    }
    follow(home, case, &found);
    let after = home.verify(true);
    assert!(of(&after).is_disjoint(&of(&found)), "{says}: `{said}` takes it not away: {after:?}");
    // What nobody but the person can do lets aitk do the rest.
    if matches!(helps, Helps::Move | Helps::GiveBack) {
        follow(home, case, &after);
    }
    assert_eq!(of(&home.verify(true)), BTreeSet::new(), "{says}: it is still there");
    assert_eq!(home.doctor(), BTreeSet::new(), "{says}");
    assert!(!home.has_to_do(true), "{says}: there is still something to do");
    let _ = fs::remove_dir_all(home.folder.join("moved away"));
    let _ = fs::remove_file(home.folder.join("moved away"));
}

fn cure_all(cases: &[Case]) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    assert_eq!(of(&home.verify(true)), BTreeSet::new());
    assert!(!home.has_to_do(true));
    cases.iter().for_each(|case| cure(&home, case));
}

#[test]
fn what_is_wrong_with_an_environment_itself_is_cured_as_it_is_said() {
    cure_all(&ITSELF);
}

#[test]
fn what_is_wrong_with_its_packages_is_cured_as_it_is_said() {
    cure_all(&PACKAGES);
}

#[test]
fn what_was_put_into_it_is_cured_as_it_is_said() {
    cure_all(&ADDITIONS);
}

#[test]
fn what_is_wrong_with_what_aitk_notes_of_it_is_cured_as_it_is_said() {
    cure_all(&NOTES);
}

#[test]
fn what_is_wrong_beside_it_is_cured_as_it_is_said() {
    cure_all(&BESIDE);
}

#[test]
fn what_belongs_to_another_user_is_cured_as_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        cure_all(&OWNERS);
    }
}

#[test]
fn an_environment_that_was_moved_is_built_anew_as_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = Home::new(folder.path());
    home.apply(false);
    let data = folder.path().join("elsewhere");
    fs::rename(&home.settings.data, &data).unwrap();
    home.settings.data.clone_from(&data);
    home.machine.folders.data = data;
    cure(&home, &case("stands elsewhere now", Helps::Apply, |_| {}));
}

#[test]
fn a_folder_of_environments_that_leads_to_another_disk_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    let (there, disk) = (home.settings.data.join("envs/ai"), folder.path().join("disk"));
    fs::rename(&there, &disk).unwrap();
    symlink(&disk, &there).unwrap();
    assert_eq!(of(&home.verify(true)), BTreeSet::new());
    assert!(!home.has_to_do(true));
}

#[test]
fn what_a_newer_aitk_has_built_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    let path = home.at("aitk-generation.json");
    let noted = fs::read_to_string(&path).unwrap();
    fs::write(&path, noted.replace("\"schema\": 2", "\"schema\": 3")).unwrap();
    assert_eq!(home.generation().record(&Real).unwrap().schema, 3);
    remove(home.site("six.py"));
    let found = home.verify(false);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].remedy.text().to_string().contains("use that version"), "{found:?}");
    assert_eq!(of(&found), home.doctor());
    // That version mends it.
    fs::write(&path, noted).unwrap();
    assert!(
        !home.generation().faults_in(&Real, Some("libraries"), Depth::Sizes).unwrap().is_empty()
    );
    cure(&home, &case("six.py is gone", Helps::Apply, |_| {}));
}

#[test]
fn an_edited_kernel_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    let text = fs::read_to_string(home.kernel()).unwrap();
    fs::write(home.kernel(), text.replace("\"language\": \"python\"", "\"language\": \"Python\""))
        .unwrap();
    assert_eq!(of(&home.verify(true)), BTreeSet::new());
    assert!(!home.has_to_do(true));
}
