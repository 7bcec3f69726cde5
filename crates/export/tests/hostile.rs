//! Every target with a stranger's texts in every field that can come from outside, read back by what reads it elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test looks from outside"
)]

use std::path::Path;
use std::process::{Command, Stdio};

use aitk_detect::{Libc, Machine};
use aitk_export::{Export, PublicKey, Source, TargetList};
use aitk_plan::{
    Action, Catalog, Choices, Language, Lock, LockTarget, Locked, LockedLayer, Locks, Manager,
    NO_FRAMEWORK, Package, Plan, Profile, Status, plan,
};
use serde_json::json;
use serde_yaml::Value;

/// What ends a text, a line, a comment or a block in some form, and would then be carried out.
const HOSTILE: &str = "x'\"`touch PWNED`$(touch PWNED)\nEND_OF_TEXT\n}\ntouch PWNED #\n\"\"\"\nRUN touch PWNED\n\
    - touch: PWNED\n#{`touch PWNED`} {{ lookup('pipe', 'touch PWNED') }}{% raw %}\r\u{85}touch PWNED\u{2028}touch PWNED\u{1b}[2J ’; touch PWNED \\";
/// The same where one line is told.
const LINE: &str =
    "x'; touch PWNED; '\"; touch PWNED; \"$(touch PWNED)`touch PWNED`&& touch PWNED {{ 7*7 }} \\";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDFgbpi4rhqHmQ2zQF8B3oC6mW0lZ5dEG1FRtQSNGfCJ";
/// The part of a script that is the same in each.
const FUNCTIONS: &str = include_str!("../../../profiles/targets/script/files/machine.sh");

/// What is exported: harmless, or with a stranger's texts.
struct Case {
    plan: Plan,
    machine: Machine,
    locks: Locks,
    noted: [serde_json::Value; 2],
    profile: String,
    key: PublicKey,
}

impl Case {
    fn new(manager: Manager, hostile: bool) -> Self {
        let said = |calm: &str, text: &str| if hostile { text } else { calm }.to_owned();
        let catalog = Catalog::builtin().unwrap();
        let profile = Profile::builtin("low").unwrap();
        let mut machine = Machine::default();
        machine.os.id = "ubuntu".to_owned();
        machine.os.version = Some("24.04".to_owned());
        machine.os.name = said("Ubuntu", HOSTILE);
        machine.arch = "x86_64".to_owned();
        machine.memory.total = Some(1 << 30);
        machine.privilege.root = true;
        machine.libc = Some(Libc { family: "glibc".to_owned(), version: Some("2.39".to_owned()) });
        let choices = Choices {
            framework: NO_FRAMEWORK.to_owned(),
            python: Some("3.12".to_owned()),
            ..Choices::default()
        };
        let mut plan = plan(&machine, &profile, &choices, manager, &catalog);
        machine.libc.as_mut().unwrap().version = Some(said("2.39", LINE));
        if hostile {
            plan.choices.index_url = Some(LINE.to_owned());
            plan.choices.base = Some(HOSTILE.to_owned());
            plan.choices.channels = vec![HOSTILE.to_owned()];
            plan.choices.with = vec![LINE.to_owned()];
        } else {
            plan.choices.index_url = Some("https://i.example".to_owned());
            plan.choices.base = Some("/opt/conda".to_owned());
            plan.choices.channels = vec!["conda-forge".to_owned()];
            plan.choices.with = vec!["docker".to_owned()];
        }
        for environment in &mut plan.environments {
            environment.request.python = Some("3.12".to_owned());
        }
        plan.budget = said("low", HOSTILE);
        let mut layers = Vec::new();
        for step in &mut plan.steps {
            step.title = said("A step", HOSTILE).as_str().into();
            step.why = vec![said("because", HOSTILE).as_str().into()];
            match &mut step.action {
                Action::AptPackages(it) => it.packages.push(said("curl", HOSTILE)),
                Action::Kernelspec(kernel) => kernel.display = said("Python", HOSTILE),
                Action::Layer(_) if step.status == Status::Needed => {
                    let name = step.id.replace('.', "-");
                    // What a conda lock says has passed its door.
                    let address = said("https://p.example/a", HOSTILE);
                    layers.push(match manager {
                        Manager::Venv => layer(&step.id, &name, &address),
                        Manager::Conda => conda_layer(&step.id, &name),
                    });
                    step.packages = vec![Package {
                        name,
                        version: "1.0".to_owned(),
                        build: (manager == Manager::Conda).then(|| "py_0".to_owned()),
                        sha256: Some("ab".repeat(32)),
                        url: Some("https://p.example/a".to_owned()),
                        record: Some(serde_json::json!({ "license": said("MIT", HOSTILE) })),
                        ..Package::default()
                    }];
                }
                _ => {}
            }
        }
        let key = PublicKey::parse(&format!("{KEY} {}", said("me", LINE))).unwrap();
        let noted = ["record", "receipt"].map(|name| json!({ name: said("a", HOSTILE) }));
        let environment = Lock {
            manager,
            target: LockTarget {
                python: "3.12".to_owned(),
                arch: "x86_64".to_owned(),
                glibc: None,
            },
            build: Some(said("cpu", "END_OF_TEXT\n}\ntouch PWNED\n")),
            layers,
        };
        let locks = Locks { environment, base: None };
        Self { plan, machine, locks, noted, profile: said("name = 1", HOSTILE), key }
    }

    fn with<T>(&self, use_it: impl FnOnce(&Source<'_>) -> T) -> T {
        let catalog = Catalog::builtin().unwrap();
        let memory = Profile::builtin("low").unwrap().memory;
        let channels = [self.plan.choices.channels[0].clone()];
        use_it(&Source {
            locks: Some(&self.locks),
            channels: &channels,
            record: Some(&self.noted[0]),
            receipt: Some(&self.noted[1]),
            profile: Some(&self.profile),
            ssh_key: Some(&self.key),
            ..Source::unresolved(&self.plan, &self.machine, &catalog, Language::ENGLISH, memory)
        })
    }

    fn export(&self, target: &str) -> Export {
        let targets = TargetList::builtin().unwrap();
        self.with(|source| targets.render(targets.named(target).unwrap(), source).unwrap())
    }
}

fn layer(step: &str, name: &str, address: &str) -> LockedLayer {
    let package = Package {
        name: name.to_owned(),
        version: "1.0".to_owned(),
        sha256: Some("ab".repeat(32)),
        url: Some(address.to_owned()),
        ..Package::default()
    };
    LockedLayer { step: step.to_owned(), packages: vec![Locked { package, ..Locked::default() }] }
}

fn conda_layer(step: &str, name: &str) -> LockedLayer {
    let file = format!("{name}-1.0-py_0.conda");
    let address = format!("https://p.example/linux-64/{file}");
    let record = json!({
        "name": name, "version": "1.0", "build": "py_0", "build_number": 0, "subdir": "linux-64", "depends": [],
        "sha256": "ab".repeat(32), "fn": file, "url": address, "channel": "https://p.example/",
    });
    let mut layer = layer(step, name, &address);
    let package = &mut layer.packages[0].package;
    (package.build, package.record) = (Some("py_0".to_owned()), Some(record));
    layer
}

fn of(target: &str, hostile: bool) -> Export {
    let targets = TargetList::builtin().unwrap();
    let manager = targets.named(target).unwrap().manager.unwrap_or(Manager::Venv);
    Case::new(manager, hostile).export(target)
}

fn file<'a>(export: &'a Export, path: &str) -> &'a str {
    let found = export.files.iter().find(|file| file.path.ends_with(path));
    &found.unwrap_or_else(|| panic!("there is no {path}")).content
}

/// Runs a script in an empty folder, where `touch` is the one program that it finds besides `cat`; nothing of what was
/// smuggled in may be carried out.
fn run(shell: &str, script: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for program in ["touch", "cat"] {
        std::os::unix::fs::symlink(Path::new("/usr/bin").join(program), bin.join(program)).unwrap();
    }
    std::fs::write(folder.path().join("script"), script).unwrap();
    let output = Command::new(shell)
        .arg("script")
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", &bin)
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{script}");
    assert!(!folder.path().join("PWNED").exists(), "{script}");
    (folder, said)
}

/// A script whose functions do nothing, so that all of its own is carried out and nothing else.
fn harmless(script: &str) -> String {
    let own = script.split_once(FUNCTIONS);
    let (header, body) = own.expect("the functions stand in it as they are");
    let names = FUNCTIONS.lines().filter_map(|line| line.split_once("() {")).map(|(name, _)| name);
    let stubs: String =
        names.filter(|name| *name != "prove").map(|name| format!("{name}() {{ :; }}\n")).collect();
    format!(
        "{header}\n{stubs}prove() {{ cat >/dev/null; }}\nENVS=/e\n{body}\nlock >lock.out\ngeneration >generation.out\nreceipt >receipt.out\n"
    )
}

#[test]
fn a_script_carries_out_nothing_of_a_strangers() {
    for target in ["script", "vagrant", "wsl"] {
        let export = of(target, true);
        let (folder, said) = run("/bin/bash", &harmless(file(&export, "aitk.sh")));
        assert_eq!(said, "");
        let case = Case::new(Manager::Venv, true);
        let lock = case.locks.to_text().unwrap();
        assert!(lock.contains("\nEND_OF_TEXT\n}\n"), "it tries to end the text: {lock}");
        let noted = case.noted.each_ref().map(|it| serde_json::to_string_pretty(it).unwrap());
        for (name, content) in [("lock", &lock), ("generation", &noted[0]), ("receipt", &noted[1])]
        {
            let read = std::fs::read_to_string(folder.path().join(format!("{name}.out"))).unwrap();
            assert_eq!(read.trim_end(), content.trim_end());
        }
    }
}

/// The instructions of a Dockerfile, each on a line of its own.
fn instructions(dockerfile: &str) -> Vec<String> {
    let lines = dockerfile.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    joined.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn an_image_is_built_by_the_same_instructions() {
    for target in ["dockerfile", "devcontainer"] {
        let words = |hostile| {
            let export = of(target, hostile);
            let all = instructions(file(&export, "Dockerfile"));
            let word = |line: &String| line.split(' ').next().unwrap().to_owned();
            (all.iter().map(word).collect::<Vec<_>>(), all)
        };
        let ((calm, _), (hostile, all)) = (words(false), words(true));
        assert_eq!(calm, hostile);
        let runs: Vec<_> = all.iter().filter_map(|line| line.strip_prefix("RUN ")).collect();
        let stubs = "apt-get() { :; }; rm() { :; }; python() { :; }; python3() { :; }; uv() { :; }; check() { :; }\n\
            getent() { return 1; }; userdel() { :; }; useradd() { :; }; install() { :; }\n";
        for line in &runs {
            let line = line
                .split_whitespace()
                .filter(|word| !word.starts_with("--mount="))
                .collect::<Vec<_>>();
            run("/bin/bash", &format!("{stubs}{}\n", line.join(" ")));
        }
        assert!(runs.iter().any(|line| line.contains("apt-get -y install")), "{runs:?}");
        run(
            "/bin/sh",
            &format!(
                "python() {{ :; }}\n{}",
                file(&of(target, true), "check").replace("/opt/aitk", ".").replace("cat ", "echo ")
            ),
        );
    }
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn cloud_init_reads_the_same_but_for_the_script_and_the_key() {
    let read = |hostile| {
        let export = of("cloud-init", hostile);
        let mut data = yaml(file(&export, "user-data"));
        let key = data["users"][1]["ssh_authorized_keys"][0].as_str().unwrap().to_owned();
        data["users"][1]["ssh_authorized_keys"] = Value::Null;
        data["write_files"][0]["content"] = Value::Null;
        (data, yaml(file(&export, "meta-data")), key)
    };
    let (calm, hostile) = (read(false), read(true));
    assert_eq!((calm.0, calm.1), (hostile.0, hostile.1));
    assert_eq!(hostile.2, format!("{KEY} {LINE}"));
}

#[test]
fn ansible_gets_values_that_it_does_not_fill_in() {
    let export = of("ansible", true);
    let variables = yaml(file(&export, "vars/main.yml"));
    let flags = variables["aitk_flags"].as_sequence().unwrap();
    let expected = [
        ("--index-url", LINE),
        ("--conda-base", HOSTILE),
        ("--channel", HOSTILE),
        ("--with", LINE),
    ];
    for (flag, value) in expected {
        let found = flags.iter().find_map(|item| match item {
            Value::Tagged(tagged) if tagged.tag == "unsafe" => {
                tagged.value.as_str().filter(|text| text.starts_with(flag))
            }
            _ => None,
        });
        assert_eq!(found, Some(format!("{flag}={value}").as_str()));
    }
    // What is filled in is ours alone.
    let filled_in = flags.iter().filter(|item| !matches!(item, Value::Tagged(_)));
    for item in filled_in.filter_map(Value::as_str).filter(|item| item.contains('{')) {
        assert!(item.contains("={{ aitk_folder }}/") && !item.contains("touch"), "{item}");
    }
    for path in ["defaults/main.yml", "tasks/main.yml", "playbook.yml"] {
        assert_eq!(file(&export, path), file(&of("ansible", false), path));
    }
}

#[test]
fn lists_of_packages_hold_packages_and_nothing_else() {
    let text = file(&of("requirements.txt", true), "requirements.txt").to_owned();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let is_ours = line == "--only-binary :all:"
            || line.starts_with("    --hash=sha256:ab")
            || line.ends_with(" \\");
        assert!(is_ours && !line.contains("touch"), "{line}");
    }
    let conda = yaml(file(&of("environment.yml", true), "environment.yml"));
    assert_eq!(conda["channels"][0].as_str(), Some(HOSTILE));
    assert_eq!(conda["channels"].as_sequence().unwrap().len(), 2);
    let calm = yaml(file(&of("environment.yml", false), "environment.yml"));
    assert_eq!((&conda["dependencies"], &conda["name"]), (&calm["dependencies"], &calm["name"]));
    let pixi: toml::Table = file(&of("pixi.toml", true), "pixi.toml").parse().unwrap();
    let mut calm: toml::Table = file(&of("pixi.toml", false), "pixi.toml").parse().unwrap();
    assert_eq!(pixi["workspace"]["channels"][0].as_str(), Some(HOSTILE));
    calm["workspace"]["channels"][0] = HOSTILE.into();
    assert_eq!(pixi, calm);
    let sbom: serde_json::Value = serde_json::from_str(file(&of("sbom", true), "json")).unwrap();
    assert!(sbom["metadata"]["properties"].to_string().contains("touch PWNED"));
}

#[test]
fn a_notebook_is_python_and_says_what_the_lock_says() {
    let case = Case::new(Manager::Venv, true);
    let targets = TargetList::builtin().unwrap();
    let mut exports = vec![case.export("notebook")];
    for (platform, _) in targets.platforms() {
        exports.push(case.with(|source| targets.render(platform, source).unwrap()));
    }
    assert_eq!(exports.len(), 4);
    let calm = Case::new(Manager::Venv, false).export("notebook");
    assert_eq!(exports[0], calm, "nothing of a stranger's stands in it");
    for export in exports {
        let program = "import ast, json, sys\n\
            cells = [''.join(cell['source']) for cell in json.load(sys.stdin)['cells'] if cell['cell_type'] == 'code']\n\
            [ast.parse(cell) for cell in cells]\n\
            exec(next(cell for cell in cells if 'LOCK =' in cell))\n\
            assert all(line.count('==') == 1 for line in LOCK.split('\\n') if line), LOCK\n\
            print(PYTHON, MACHINE)\n";
        let notebook = export.files.iter().find(|file| file.path.ends_with(".ipynb")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notebook");
        std::fs::write(&path, &notebook.content).unwrap();
        let input = std::fs::File::open(path).unwrap();
        let output =
            Command::new("python3").args(["-I", "-c", program]).stdin(input).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "3.12 x86_64\n",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn comments_and_words_for_people_stay_on_their_lines() {
    for target in TargetList::builtin().unwrap().listed() {
        let (calm, hostile) = (of(&target.name, false), of(&target.name, true));
        let names =
            |export: &Export| export.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        assert_eq!(names(&calm), names(&hostile));
        for (one, other) in calm.files.iter().zip(&hostile.files) {
            let lines = |text: &str| text.split(['\n', '\r', '\u{85}', '\u{2028}']).count();
            let is_text = |end: &&str| one.path.ends_with(*end);
            let texts = [
                "README.md",
                "Vagrantfile",
                ".ps1",
                "Dockerfile",
                ".yml",
                "requirements.txt",
                "conf",
                "config",
                "pixi.toml",
            ];
            if texts.iter().any(is_text) {
                assert_eq!(
                    lines(&one.content),
                    lines(&other.content),
                    "{}: {}",
                    one.path,
                    other.content
                );
            }
        }
        let markdown = hostile.files.iter().find(|file| file.path.ends_with("README.md"));
        if let Some(readme) = markdown {
            // Outside of code a sign stands behind its backslash.
            let is_open = |line: &str| {
                let mut open = false;
                let mut signs = line.chars();
                while let Some(sign) = signs.next() {
                    match sign {
                        '\\' if !open => _ = signs.next(),
                        '`' => open = !open,
                        _ => {}
                    }
                }
                open
            };
            let odd: Vec<_> = readme
                .content
                .lines()
                .filter(|line| is_open(line) && line.contains("PWNED"))
                .collect();
            assert_eq!(odd, [""; 0]);
        }
    }
}

#[test]
fn what_names_folders_and_packages_is_refused_where_it_is_none() {
    let changes: [fn(&mut Case); 8] = [
        |case| case.plan.choices.env = "../../x".to_owned(),
        |case| case.plan.choices.env = LINE.to_owned(),
        |case| package(case).name = HOSTILE.to_owned(),
        |case| package(case).version = "1\n--index-url http://x".to_owned(),
        |case| package(case).version = "1\"\"\"\nimport os\n\"\"\"".to_owned(),
        |case| package(case).url = Some("https://x/ a\ntouch PWNED".to_owned()),
        |case| package(case).sha256 = Some("ab --no-binary :all:".to_owned()),
        |case| package(case).build = Some("py_0\n  - x".to_owned()),
    ];
    let targets = TargetList::builtin().unwrap();
    for change in changes {
        for target in targets.listed() {
            let mut case = Case::new(target.manager.unwrap_or(Manager::Venv), false);
            change(&mut case);
            let error = case.with(|source| targets.render(target, source).unwrap_err());
            assert!(
                error.to_string().starts_with("the plan cannot be exported"),
                "{}: {error}",
                target.name
            );
        }
    }
}

/// Every project that a budget writes, with the name of the budget.
fn projects(targets: &TargetList) -> Vec<(String, Choices)> {
    let budgets = Profile::names().map(str::to_owned).collect::<Vec<_>>();
    let of = |budget: &String| {
        let platform =
            |name: &str| Choices { platform: Some(name.to_owned()), ..Choices::default() };
        let all = targets.projects(budget).map(|target| (budget.clone(), platform(&target.name)));
        all.collect::<Vec<_>>()
    };
    let all: Vec<_> = budgets.iter().flat_map(of).collect();
    assert!(all.len() > 15, "{all:?}");
    all
}

#[test]
fn a_project_says_nothing_of_a_strangers_machine_or_plan() {
    let (targets, catalog) = (TargetList::builtin().unwrap(), Catalog::builtin().unwrap());
    for (budget, choices) in projects(&targets) {
        let project = targets.project(&budget, &choices).unwrap();
        let files = |hostile| {
            let Case { plan, machine, .. } = Case::new(Manager::Venv, hostile);
            targets.project_files(&project, &plan, &machine, &catalog).unwrap()
        };
        for (calm, hostile) in files(false).iter().zip(&files(true)) {
            assert_eq!(calm, hostile, "{} of {}", calm.path, project.platform);
        }
    }
}

#[test]
fn what_is_set_of_a_project_ends_no_line_and_no_text_of_its_files() {
    let targets = TargetList::builtin().unwrap();
    let mut tried = 0;
    for (budget, choices) in projects(&targets) {
        let target = targets.for_platform(choices.platform.as_deref().unwrap()).unwrap();
        for name in targets.declared(target).unwrap().keys() {
            for value in [
                HOSTILE,
                LINE,
                "a\nb",
                "$(touch PWNED)",
                "`x`",
                "a\u{1b}[2J",
                "'",
                "\"",
                "\u{202e}",
            ] {
                let set = [(name.clone(), value.to_owned())].into();
                let choices = Choices { set, ..choices.clone() };
                let project = targets.project(&budget, &choices);
                assert!(project.is_err(), "{name} of {} takes {value:?}", target.name);
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

fn package(case: &mut Case) -> &mut Package {
    case.plan.steps.iter_mut().find_map(|step| step.packages.first_mut()).unwrap()
}
