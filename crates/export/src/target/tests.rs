//! One walk through all targets: what they make is read by its own format's parser, and nothing in their folders is unused.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test looks from outside"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aitk_detect::Machine;
use aitk_plan::{
    Action, Catalog, Choices, Deed, GuardKind, Language, LayerRequest, Lock, Locked, Locks,
    Manager, Package, Plan, Profile, Project, ServiceSpec, Status, plan,
};
use aitk_system::builtin_below;
use serde::Deserialize;

use super::*;
use crate::view::View;
use crate::{Export, ExportError, File, PublicKey, Source};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDFgbpi4rhqHmQ2zQF8B3oC6mW0lZ5dEG1FRtQSNGfCJ me";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

// --- who reads which file ---------------------------------------------------------------------------------------

/// What reads the files of a format, and refuses what is none.
type Parser = fn(&str) -> Result<(), String>;

/// The format of a file that was made, and its parser; none where a format has none, or only that of its vendor's tool.
fn parser(path: &str) -> Option<(&'static str, Parser)> {
    let file = path.rsplit('/').next().unwrap_or(path);
    if file == "nginx.conf"
        || path.starts_with("/etc/slurm/")
        || path.contains("/chart/templates/")
        || file.ends_with(".j2")
    {
        return None;
    }
    let parser: (&str, Parser) = match file.rsplit('.').next().unwrap_or(file) {
        "sh" | "sbatch" | "check" => ("shell", |text| child(&["bash", "-n"], text)),
        "yml" | "yaml" | "ansible-lint" | "user-data" | "meta-data" => ("yaml", documents),
        "lock" if file == "poetry.lock" => ("toml", |text| read(text.parse::<toml::Table>())),
        "lock" => ("yaml", |text| read(serde_yaml::from_str::<serde_yaml::Value>(text))),
        "json" => ("json", |text| read(serde_json::from_str::<serde_json::Value>(text))),
        "ipynb" => ("notebook", notebook),
        "toml" => ("toml", |text| read(text.parse::<toml::Table>())),
        "py" => ("python", python),
        "cfg" | "conf" | "ini" | "wslconfig" => ("settings", |text| {
            child(
                &[
                    "python3",
                    "-Ic",
                    "import configparser, sys; configparser.ConfigParser(interpolation=None).read_string(sys.stdin.read())",
                ],
                text,
            )
        }),
        "txt" => ("requirements", requirements),
        "ssh_config" => ("ssh", |text| child(&["ssh", "-G", "-F", "/dev/stdin", "aitk"], text)),
        "Dockerfile" => {
            ("dockerfile", |text| grammar(tree_sitter_containerfile::LANGUAGE.into(), text))
        }
        "ps1" => ("powershell", |text| grammar(tree_sitter_powershell::LANGUAGE.into(), text)),
        "Vagrantfile" => ("ruby", |text| grammar(tree_sitter_ruby::LANGUAGE.into(), text)),
        "Makefile" => ("make", |text| child(&["make", "-n", "-f", "-", "help"], text)),
        "md" | "sql" | "dockerignore" | "gitignore" | "helmignore" | "example" | "service" => {
            return None;
        }
        _ => panic!("nobody says who reads {path}"),
    };
    Some(parser)
}

/// The documents of a file of YAML.
fn documents(text: &str) -> Result<(), String> {
    let each = serde_yaml::Deserializer::from_str(text);
    each.map(serde_yaml::Value::deserialize).try_for_each(read)
}

fn read<T, E: ToString>(result: Result<T, E>) -> Result<(), String> {
    result.map(|_| ()).map_err(|error| error.to_string())
}

/// What a program of this machine says of a text.
fn child(argv: &[&str], text: &str) -> Result<(), String> {
    let mut child = Command::new(argv[0])
        .args(&argv[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("THIS MACHINE LACKS `{}`, and nothing else reads that format: {error}", argv[0])
        });
    let mut input = child.stdin.take().unwrap();
    // It may stop reading where it sees the fault.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn python(text: &str) -> Result<(), String> {
    child(&["python3", "-Ic", "import ast, sys; ast.parse(sys.stdin.read())"], text)
}

fn notebook(text: &str) -> Result<(), String> {
    let notebook: serde_json::Value =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    let cells = notebook["cells"].as_array().ok_or("it has no cells")?;
    for cell in cells.iter().filter(|cell| cell["cell_type"] == "code") {
        let lines = cell["source"].as_array().ok_or("a cell has no source")?;
        python(&lines.iter().filter_map(|line| line.as_str()).collect::<String>())?;
    }
    Ok(())
}

fn requirements(text: &str) -> Result<(), String> {
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '-'])) {
        let requirement = line.split(" --hash=sha256:").next().unwrap_or(line);
        read(requirement.trim().parse::<pep508_rs::Requirement<pep508_rs::VerbatimUrl>>())?;
    }
    Ok(())
}

fn grammar(language: tree_sitter::Language, text: &str) -> Result<(), String> {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&language).unwrap();
    let tree = parser.parse(text, None).unwrap();
    match tree.root_node().has_error() {
        true => Err(tree.root_node().to_sexp()),
        false => Ok(()),
    }
}

// --- what is made -----------------------------------------------------------------------------------------------

/// A machine, a budget, a framework: together they hold for every condition that a target has.
const CASES: [(&str, &str, &str); 4] = [
    ("ubuntu-24.04-laptop", "low", "none"),
    ("rtx3060-no-driver", "workstation", "pytorch"),
    ("debian-13-vps-1gb", "low", "none"),
    ("ubuntu-22.04-wsl2", "low", "none"),
];

fn machine(name: &str) -> Machine {
    let path = repository().join("tests/machines").join(name).join("expected.json");
    serde_json::from_slice(
        &std::fs::read(&path).unwrap_or_else(|_| panic!("no {}", path.display())),
    )
    .unwrap()
}

/// A plan with a package for each requirement, and its lock.
fn planned(machine: &Machine, budget: &str, framework: &str, manager: Manager) -> (Plan, Locks) {
    let profile = Profile::builtin(budget).unwrap();
    let choices = Choices {
        framework: framework.to_owned(),
        python: Some("3.12".to_owned()),
        channels: vec!["https://c.example/forge".to_owned()],
        ..Choices::default()
    };
    let mut plan = plan(machine, &profile, &choices, manager, &Catalog::builtin().unwrap());
    let (mut layers, here) = (Vec::new(), plan.builds_here());
    for step in &mut plan.steps {
        let request = plan.environments.iter().find_map(|it| it.request.layer(&step.id));
        let Some(LayerRequest { requirements, .. }) = request else { continue };
        if (step.status == Status::Skipped && here) || !matches!(step.action, Action::Layer(_)) {
            continue;
        }
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        let name = |one: &String| one.chars().take_while(is_name).collect::<String>();
        let package = |name: String| {
            let url = format!("https://p.example/forge/linux-64/{name}-1.0+cpu-py_0.conda");
            let (is_conda, sha256) = (manager == Manager::Conda, "ab".repeat(32));
            let record = serde_json::json!({
                "name": name, "version": "1.0+cpu", "build": "py_0", "build_number": 0, "subdir": "linux-64",
                "depends": ["__glibc >=2.31", "__cuda >=12"], "license": "MIT", "sha256": sha256, "url": url,
                "fn": format!("{name}-1.0+cpu-py_0.conda"), "channel": "https://p.example/forge/",
            });
            Package {
                name,
                version: "1.0+cpu".to_owned(),
                build: is_conda.then(|| "py_0".to_owned()),
                size: None,
                sha256: Some(sha256),
                url: Some(url),
                record: is_conda.then_some(record),
            }
        };
        step.packages =
            requirements.iter().map(name).filter(|name| !name.is_empty()).map(package).collect();
        let locked = |package: &Package| Locked { package: package.clone(), ..Locked::default() };
        let packages = step.packages.iter().map(locked).collect();
        layers.push(aitk_plan::LockedLayer { step: step.id.clone(), packages });
    }
    let python = "3.12".to_owned();
    let target = aitk_plan::LockTarget { python, arch: "x86_64".to_owned(), glibc: None };
    (plan, Locks { environment: Lock { manager, target, build: None, layers }, base: None })
}

/// What a target makes of a case.
fn made(
    list: &TargetList,
    target: &Target,
    (name, budget, framework): (&str, &str, &str),
    language: Language,
    parts: &[String],
) -> Result<Export, ExportError> {
    let machine = match &target.platform {
        Some(platform) => platform.machine(),
        None => machine(name),
    };
    let (budget, framework) =
        if target.platform.is_some() { ("free", "none") } else { (budget, framework) };
    let manager = target.manager.unwrap_or_default();
    let (plan, locks) = planned(&machine, budget, framework, manager);
    let (catalog, key) = (Catalog::builtin().unwrap(), PublicKey::parse(KEY).unwrap());
    let memory = Profile::builtin(budget).unwrap().memory;
    list.render(
        target,
        &Source {
            locks: Some(&locks),
            channels: &plan.choices.channels,
            record: Some(&serde_json::json!({})),
            receipt: Some(&serde_json::json!({})),
            profile: (name == "ubuntu-24.04-laptop").then_some("schema = 1\n"),
            ssh_key: Some(&key),
            parts: target.chosen(parts),
            parameters: said(target),
            ..Source::unresolved(&plan, &machine, &catalog, language, memory)
        },
    )
}

/// What a target has to be told with some of its parts.
fn said(target: &Target) -> BTreeMap<String, String> {
    let wanted =
        [("hub_group", "research"), ("logs_url", "https://logs.example.org:19532")].into_iter();
    let known = wanted.filter(|(name, _)| target.parameter.contains_key(*name));
    known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The parts with which a target is looked at: none, all, and all but one, as far as they go together.
fn choices_of(target: &Target) -> Vec<Vec<String>> {
    let all: Vec<_> = target.optional.keys().cloned().collect();
    let without = |left: &String| all.iter().filter(|one| *one != left).cloned().collect();
    let mut choices: Vec<Vec<String>> = all.iter().map(without).collect();
    choices.extend([all.clone(), Vec::new()]);
    choices.sort();
    choices.dedup();
    let is_one = |parts: &Vec<String>| {
        let excludes = parts.iter().flat_map(|one| &target.optional[one].excludes);
        excludes.into_iter().all(|other| !parts.contains(other))
    };
    choices.retain(is_one);
    choices
}

fn is_refusal(error: &ExportError) -> bool {
    use ExportError::{NoGpu, NoGuest, NoImage};
    matches!(error, NoGpu { .. } | NoGuest { .. } | NoImage { .. })
}

#[test]
fn every_target_is_made_in_every_language_and_read_by_what_reads_it_and_no_file_is_unused() {
    let list = TargetList::builtin().unwrap();
    let (mut judged, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for target in list.all.iter().filter(|target| target.rank.is_some()) {
        for language in Language::all() {
            let mut count = 0;
            // Nothing of a project depends on the machine.
            let cases = if target.budgets.is_empty() { &CASES[..] } else { &CASES[..1] };
            let choices = choices_of(target);
            for (case, parts) in
                cases.iter().flat_map(|case| choices.iter().map(move |parts| (*case, parts)))
            {
                let export = match made(&list, target, case, language, parts) {
                    Err(error) if is_refusal(&error) => continue,
                    export => {
                        export.unwrap_or_else(|error| panic!("{} {case:?}: {error}", target.name))
                    }
                };
                count += 1;
                for file in export.files.iter().chain(&files_of_services(&list, target, parts)) {
                    assert!(!file.content.contains("«%"), "{}: {}", target.name, file.path);
                    let Some((format, parser)) = parser(&file.path) else { continue };
                    judged.insert(format);
                    if !seen.insert((format, file.content.clone())) {
                        continue;
                    }
                    if let Err(why) = parser(&file.content) {
                        panic!(
                            "{} {case:?}: {} is no {format}: {why}\n{}",
                            target.name, file.path, file.content
                        );
                    }
                }
            }
            assert!(count > 0, "no case makes {} in {}", target.name, language.code());
        }
    }
    let loaded: BTreeSet<_> = list.engine.templates().map(|(name, _)| name.to_owned()).collect();
    let unused: Vec<_> = templates().into_iter().filter(|name| !loaded.contains(name)).collect();
    assert!(unused.is_empty(), "no case needs these files: {unused:?}");
    let refused: BTreeSet<_> = refused().into_iter().map(|(format, _)| format).collect();
    assert_eq!(judged, refused, "each format needs a file in bad/ that its judge refuses");
}

fn files_of_services(list: &TargetList, target: &Target, parts: &[String]) -> Vec<File> {
    let Some(budget) = target.budgets.first() else { return Vec::new() };
    let choices = Choices {
        platform: Some(target.name.clone()),
        parts: parts.to_vec(),
        set: said(target),
        ..Choices::default()
    };
    let project = list.project(budget, &choices).unwrap();
    let files = |service: &ServiceSpec| list.service_files(&project, &service.name).unwrap();
    project.services.iter().flat_map(files).collect()
}

/// Who may come has to be said, and ports that clash are no plan.
#[test]
fn a_server_that_would_let_everybody_in_or_whose_ports_clash_is_refused() {
    let list = TargetList::builtin().unwrap();
    let refused = |set: &[(&str, &str)], parts: &[&str]| {
        let choices = Choices {
            platform: Some("team".to_owned()),
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
            set: set
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Choices::default()
        };
        let project = list.project("enterprise", &choices).unwrap();
        let machine = machine(CASES[0].0);
        let (plan, _) = planned(&machine, "enterprise", "none", Manager::Venv);
        let catalog = Catalog::builtin().unwrap();
        match list.project_files(&project, &plan, &machine, &catalog) {
            Err(ExportError::Refused { why, .. }) => why.to_string(),
            made => format!("{}", made.is_ok()),
        }
    };
    assert!(refused(&[], &["jupyterhub"]).contains("whoever has a password"));
    for group in ["research", "@everybody"] {
        assert_eq!(refused(&[("hub_group", group)], &["jupyterhub"]), "true");
    }
    let mine = ("hub_group", "research");
    for set in [("mlflow_port", "8444"), ("hub_port", "9090"), ("mlflow_port", "720")] {
        assert!(refused(&[mine, set], &["jupyterhub"]).contains("ports"), "{set:?}");
    }
    assert_eq!(refused(&[("mlflow_port", "8444")], &[]), "true", "nobody has the other one");
    let is_port = |port: &str| {
        let set = [("hub_port".to_owned(), port.to_owned())].into();
        let choices = Choices { platform: Some("team".to_owned()), set, ..Choices::default() };
        list.project("enterprise", &choices).is_ok()
    };
    assert!(is_port("65535") && is_port("80"));
    assert!(!is_port("65536") && !is_port("70000") && !is_port("0"));
}

#[test]
fn what_root_runs_and_writes_comes_from_aitk_alone() {
    let own = |path: &str, text: &str| TargetList::with([(path.into(), text.into())].into());
    assert!(own("team/files/mlflow.service", "[Service]\nExecStart=/bin/true\n").is_err());
    assert!(own("team/texts.en.toml", "when = \"mine\"").is_err());
    let row = "schema = 1\nas_of = \"2026-11-28\"\nbudgets = [\"sme\"]\n[[service]]\nname = \"mine\"\n\
        address = \"\"\nhealth = []\nsays = \"\"\nseconds = 1\nfile = []\n";
    assert!(own("mine/target.toml", row).unwrap_err().to_string().contains("services"));
}

/// The units that are root's, or have the user that their package has made.
const ROOTS: [&str; 4] = [
    "/etc/systemd/system/aitk-environment@.service",
    "/etc/systemd/system/aitk-jupyterhub.service",
    "/etc/systemd/system/aitk-munge.service",
    "/etc/systemd/system/aitk-slurmctld.service",
];
/// Starts people's own programs, as those they belong to: what is taken from it would be taken from them.
const STARTS_JOBS: &str = "/etc/systemd/system/aitk-slurmd.service";
/// Where programs look for what they go by, besides aitk's own folder.
const ELSEWHERE: [&str; 3] =
    ["/etc/slurm/slurm.conf", "/etc/slurm/gres.conf", "/etc/slurm/cgroup.conf"];

#[test]
fn every_service_has_a_unit_with_little_rights_that_comes_last() {
    let list = TargetList::builtin().unwrap();
    for target in list.all.iter().filter(|target| !target.service.is_empty()) {
        for parts in choices_of(target) {
            for file in files_of_services(&list, target, &parts) {
                if !file.path.ends_with(".service") {
                    let is_known = ELSEWHERE.contains(&file.path.as_str());
                    assert!(is_known || file.path.starts_with("/etc/aitk/"), "{}", file.path);
                    continue;
                }
                if file.path == STARTS_JOBS {
                    continue;
                }
                let has = |line: &str| file.content.lines().any(|one| one == line);
                for line in ["ProtectSystem=strict", "NoNewPrivileges=yes", "ProtectHome=yes"] {
                    assert!(has(line), "{}: {line}", file.path);
                }
                let comes_back = ["Restart=on-failure", "Restart=always", "Type=oneshot"];
                assert!(comes_back.into_iter().any(has), "{}", file.path);
                // What starts processes of others, or builds below /opt, is root, and may not do what root may.
                let few = [
                    "CapabilityBoundingSet=",
                    "CapabilityBoundingSet=CAP_AUDIT_WRITE CAP_NET_BIND_SERVICE",
                ];
                let is_roots = ROOTS.contains(&file.path.as_str());
                assert_eq!(has("DynamicUser=yes"), !is_roots, "{}", file.path);
                assert!(!is_roots || few.into_iter().any(has), "{}", file.path);
            }
        }
        for row in &target.service {
            let unit = format!("/etc/systemd/system/aitk-{}.service", row.name);
            assert_eq!(row.file.last().map(|file| &file.path), Some(&unit));
        }
    }
}

fn templates() -> Vec<String> {
    let files = builtin_below("targets").map(|(path, _)| path.split_once('/').unwrap());
    let templates = files.filter_map(|(target, file)| Some((target, file.strip_prefix("files/")?)));
    templates.map(|(target, file)| format!("{target}/{file}")).collect()
}

/// The bad files, each with its format and what its parser says of it. Those of the vendors' tools stand in folders of their names.
fn refused() -> Vec<(&'static str, Result<(), String>)> {
    let tools = tools();
    let is_tools =
        |path: &str| tools.iter().any(|tool| path.contains(&format!("/bad/{}/", tool.name)));
    let bad =
        builtin_below("targets").filter(|(path, _)| path.contains("/bad/") && !is_tools(path));
    let judged = bad.map(|(path, text)| {
        let (format, parser) = parser(path).unwrap_or_else(|| panic!("nobody reads {path}"));
        (format, parser(text))
    });
    judged.collect()
}

/// A row of the table of judges.
#[derive(Deserialize)]
struct Tool {
    name: String,
    refuses: String,
}

fn tools() -> Vec<Tool> {
    let path = repository().join("profiles/catalog/judges.toml");
    let mut table: BTreeMap<String, Vec<Tool>> =
        toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    table.remove("judge").unwrap()
}

#[test]
fn every_judge_of_a_project_is_in_the_table_and_has_something_to_refuse_and_is_used() {
    let (list, tools) = (TargetList::builtin().unwrap(), tools());
    let users = |tool: &Tool| {
        list.all
            .iter()
            .filter(|target| target.judge.iter().any(|judge| judge.tool == tool.name))
            .collect::<Vec<_>>()
    };
    for target in &list.all {
        for judge in &target.judge {
            assert!(
                tools.iter().any(|tool| tool.name == judge.tool),
                "{}: {}",
                target.name,
                judge.tool
            );
        }
    }
    for tool in &tools {
        let bad = |target: &&Target| {
            repository().join("profiles/targets").join(&target.name).join(&tool.refuses).exists()
        };
        assert!(tool.refuses.starts_with(&format!("bad/{}", tool.name)), "{}", tool.name);
        assert!(
            users(tool).iter().any(bad),
            "nobody that is judged by {} has {}",
            tool.name,
            tool.refuses
        );
    }
}

#[test]
fn what_a_project_has_judged_is_among_its_files() {
    let list = TargetList::builtin().unwrap();
    for target in list.all.iter().filter(|target| !target.budgets.is_empty()) {
        for parts in choices_of(target) {
            let export = made(&list, target, CASES[0], Language::ENGLISH, &parts).unwrap();
            let project = Project { platform: target.name.clone(), parts, ..Project::default() };
            for judge in list.judges(&project, Level::Prove).unwrap() {
                for named in &judge.files {
                    let below = format!("{}/", named.trim_end_matches('.'));
                    let is_there = |file: &File| {
                        file.path == *named || named == "." || file.path.starts_with(&below)
                    };
                    assert!(export.files.iter().any(is_there), "{}: {named}", judge.tool);
                }
            }
        }
    }
}

#[test]
fn every_judge_refuses_its_bad_file() {
    for (format, said) in refused() {
        assert!(said.is_err(), "the judge of {format} lets its bad file pass");
    }
}

/// Every text by its path of keys.
/// What could reach somebody's cloud, or starts what could.
const REACHES: [&str; 10] =
    ["aitk", "aws", "az", "curl", "databricks", "docker", "doctl", "gcloud", "poetry", "snow"];

/// Starts a project with a stand-in of all that could reach a cloud, which refuses one command: how it ended, what it said,
/// and what it has asked for.
fn started(export: &Export, deed: &Deed, until: &str, refused: &str) -> (i32, String, Vec<String>) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    export.files.iter().for_each(|file| put(&file.path, &file.content));
    let stand_in = "#!/bin/sh\necho \"${0##*/} $*\" >>\"$LOG\"\n\
                    case \"$*\" in *\"$REFUSED\"*) exit 1 ;; esac\necho '{}'\n";
    REACHES.iter().for_each(|program| put(&format!("bin/{program}"), stand_in));
    let log = folder.path().join("log");
    let path = std::env::var("PATH").unwrap();
    let output = Command::new(folder.path().join(&deed.command[0]))
        .args(&deed.command[1..])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", folder.path().join("bin").display()))
        .envs([("UNTIL", until), ("REFUSED", refused), ("SPARK_REMOTE", "sc://cluster:1")])
        .env("LAKE", "s3://lake")
        .env("LOG", &log)
        .env_remove("ALERT")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let asked = std::fs::read_to_string(&log).unwrap_or_default();
    (output.status.code().unwrap(), said, asked.lines().map(str::to_owned).collect())
}

#[test]
fn what_costs_has_an_alarm_before_an_end_and_a_word_on_what_nobody_uses() {
    let list = TargetList::builtin().unwrap();
    let costs = |target: &&Target| {
        !target.cost.is_empty() || target.next.iter().any(|row| !row.costs.is_empty())
    };
    let costly: Vec<_> = list.all.iter().filter(costs).collect();
    assert!(costly.len() > 6);
    for target in costly {
        for parts in choices_of(target) {
            let name = format!("{} {parts:?}", target.name);
            let export = made(&list, target, CASES[0], Language::ENGLISH, &parts).unwrap();
            let choices =
                Choices { platform: Some(target.name.clone()), parts, ..Choices::default() };
            let project = list.project(&target.budgets[0], &choices).unwrap();
            assert!(!project.costs.is_empty(), "{name}: the plan has no sum");
            assert!(!project.down.is_empty(), "{name}: nothing takes it away");
            let kinds: Vec<_> = project.guards.iter().map(|guard| guard.kind).collect();
            let all = [GuardKind::Alarm, GuardKind::End, GuardKind::Idle];
            assert_eq!(kinds, all, "{name}: what guards the money");
            let says = |row: &&rows::GuardRow| {
                let what = target.text(Language::ENGLISH, &["guard", &row.say]);
                project.guards.iter().any(|guard| guard.what.english() == what)
            };
            let rows: Vec<_> = target.guard.iter().filter(says).collect();
            for row in &rows {
                let file = export.files.iter().find(|file| file.path == row.file);
                let content = &file.unwrap_or_else(|| panic!("{name}: no {}", row.file)).content;
                assert!(content.contains(&row.has), "{name}: {} has no {}", row.file, row.has);
            }
            let starts = project.next.iter().find(|deed| !deed.costs.is_empty());
            let starts = starts.unwrap_or_else(|| panic!("{name}: nothing starts what costs"));
            for until in ["", "2000-01-01"] {
                let (code, said, asked) = started(&export, starts, until, "-");
                assert_eq!((code, asked.len()), (2, 0), "{name}, until {until:?}: {said}{asked:?}");
            }
            let alarm = rows.iter().find(|row| row.kind == GuardKind::Alarm).unwrap();
            let call = alarm.call.as_deref();
            let (code, said, asked) =
                started(&export, starts, "never", call.unwrap_or("nobody asks for this"));
            match call {
                Some(call) => {
                    assert!(
                        code != 0 && asked.iter().any(|line| line.contains(call)),
                        "{name}: {said}"
                    );
                }
                None => assert!(code == 2 && said.contains(&alarm.has), "{name}: {said}"),
            }
            // Without its alarm nothing was begun that could cost.
            let begun = [
                "docker",
                "job",
                "train",
                "deploy",
                "endpoint",
                "compute",
                "apps",
                "warehouse",
                " registry",
                "repository",
                "bucket",
                "workspace",
                "acr",
            ];
            let costly = |line: &&String| {
                !call.is_some_and(|call| line.contains(call))
                    && begun.iter().any(|word| line.contains(word))
            };
            assert_eq!(asked.iter().find(costly), None, "{name}: {said}");
        }
    }
}

fn leaves(path: &str, value: &toml::Value, found: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                leaves(&format!("{path}.{key}"), value, found);
            }
        }
        value => _ = found.insert(path.to_owned(), value.as_str().expect("a text").to_owned()),
    }
}

#[test]
fn every_text_parameter_and_constant_is_used_and_the_same_in_every_language() {
    let list = TargetList::builtin().unwrap();
    for target in &list.all {
        let all = target.texts.iter().map(|(code, texts)| {
            let mut found = BTreeMap::new();
            texts
                .iter()
                .for_each(|(key, value)| leaves(&format!("texts.{key}"), value, &mut found));
            (*code, found)
        });
        let all: BTreeMap<_, _> = all.collect();
        let keys = |code: &str| all[code].keys().cloned().collect::<Vec<_>>();
        let holes = |text: &str| {
            let holes =
                text.split('«').skip(1).filter_map(|rest| Some(rest.split_once('»')?.0.to_owned()));
            holes.collect::<BTreeSet<_>>()
        };
        for code in Language::all().map(Language::code) {
            assert_eq!(keys("en"), keys(code), "{} in {code}", target.name);
            for (key, text) in &all["en"] {
                let told = &all[code][key];
                assert!(!told.trim().is_empty(), "{} in {code}: {key}", target.name);
                assert_eq!(holes(text), holes(told), "{} in {code}: {key}", target.name);
            }
        }
        let used = used(&list, target);
        let is_used = |name: &String| {
            used.iter().any(|used| name == used || name.starts_with(&format!("{used}.")))
        };
        let parameters = target.parameter.keys().map(|name| format!("parameters.{name}"));
        let data = target.data.keys().map(|name| format!("data.{name}"));
        let unused: Vec<_> = keys("en")
            .into_iter()
            .chain(parameters)
            .chain(data)
            .filter(|name| !is_used(name))
            .collect();
        assert!(unused.is_empty(), "{}: nothing uses {unused:?}", target.name);
        for (name, parameter) in &target.parameter {
            parameter.check(name, &parameter.default).unwrap();
        }
    }
}

/// What is read of a target: by its templates and those that it is a part of, by its own rows, and by whoever shows it.
fn used(list: &TargetList, target: &Target) -> BTreeSet<String> {
    let has_it = |other: &&Target| other.part.iter().any(|part| part.target == target.name);
    let whose = list.all.iter().filter(has_it).chain([target]);
    let whose: BTreeSet<_> = whose.map(|target| target.name.as_str()).collect();
    let templates =
        templates().into_iter().filter(|name| whose.contains(name.split('/').next().unwrap()));
    let mut used: BTreeSet<String> = templates
        .flat_map(|name| list.engine.get_template(&name).unwrap().undeclared_variables(true))
        .collect();
    used.extend(target.without.iter().map(|row| format!("texts.without.{}", row.text)));
    used.extend(target.refuse.iter().map(|row| format!("texts.refuse.{}", row.why)));
    used.extend(target.next.iter().map(|row| format!("texts.next.{}", row.say)));
    used.extend(target.cost.iter().map(|row| format!("texts.cost.{}", row.say)));
    used.extend(target.guard.iter().map(|row| format!("texts.guard.{}", row.say)));
    used.extend(target.down.iter().map(|row| format!("texts.down.{}", row.say)));
    used.extend(target.optional.keys().map(|name| format!("texts.optional.{name}")));
    used.extend(target.service.iter().map(|row| format!("texts.service.{}", row.name)));
    // What is one of a few values says itself what it is.
    let open = target.parameter.iter().filter(|(_, parameter)| parameter.one_of.is_empty());
    let open: Vec<_> = open.map(|(name, _)| format!("texts.parameter.{name}")).collect();
    for name in &open {
        let text = target.text(Language::ENGLISH, &name.split('.').skip(1).collect::<Vec<_>>());
        assert!(!text.is_empty(), "{}: {name}", target.name);
    }
    used.extend(open);
    for row in &target.service {
        let said = row.health.iter().chain(&row.ports).chain([&row.address, &row.says]);
        let said = said.chain(row.secret.iter().flat_map(|secret| &secret.command));
        for text in said {
            let template = list.engine.template_from_str(text).unwrap();
            used.extend(template.undeclared_variables(true));
        }
    }
    for refusal in &target.refuse {
        let when = list.engine.compile_expression(&refusal.when).unwrap();
        used.extend(when.undeclared_variables(true));
    }
    // In which language a project is written, the program asks.
    used.extend((!target.budgets.is_empty()).then(|| "parameters.language".to_owned()));
    match (&target.platform, target.rank) {
        (Some(_), _) => used.insert("texts.next".to_owned()),
        (None, Some(_)) => used.insert("texts.when".to_owned()),
        (None, None) => false,
    };
    let shown = if target.platform.is_some() { "texts.next" } else { "texts.when" };
    assert_eq!(
        target.rank.is_some(),
        target.texts["en"].contains_key(&shown[6..]),
        "{}",
        target.name
    );
    used
}

/// A target that is laid over the program's.
fn own(files: &[(&str, &str)]) -> Result<TargetList, ExportError> {
    let files = files.iter().map(|(path, text)| (format!("own/{path}"), (*text).to_owned()));
    TargetList::with(files.collect())
}

fn made_of_own(rows: &str) -> Result<Export, ExportError> {
    let target = format!("schema = 1\nrank = 1\nas_of = \"2026-11-28\"\n{rows}");
    let list = own(&[("target.toml", &target), ("files/a.sh", "echo «budget»\n")])?;
    made(&list, list.named("own")?, CASES[0], Language::ENGLISH, &[])
}

#[test]
fn what_is_wrong_with_a_folder_is_an_error_that_names_it() {
    let export = made_of_own("[[file]]\npath = \"a.sh\"\n").unwrap();
    assert_eq!(export.files[0].content, "echo low\n");
    for (rows, why) in [
        ("[[file]]\npath = \"a.sh\"\n[[file]]\npath = \"a.sh\"\n", "written twice"),
        ("[[file]]\npath = \"../a.sh\"\n", "no path in a folder"),
        ("[[file]]\npath = \"/a.sh\"\n", "no path in a folder"),
        ("[[file]]\npath = \"b.sh\"\n", "b.sh"),
        ("[[file]]\npath = \"a.sh\"\nwhen = \"nothing\"\n", "nothing"),
        ("[[file]]\npath = \"a.sh\"\nmode = \"777\"\n", "777"),
        ("[[file]]\npath = \"«budget ~ '/..'»\"\nvalue = \"budget\"\n", "cannot stand there"),
        ("[[part]]\ntarget = \"nobody\"\n", "no such part"),
        ("[[file]]\npath = \"a.sh\"\nother = 1\n", "other"),
    ] {
        let error = made_of_own(rows).unwrap_err();
        assert!(matches!(error, ExportError::Damaged { .. }), "{rows}: {error}");
        assert!(error.to_string().contains(why), "{rows}: {error}");
    }
    let error = made_of_own("[[file]]\npath = \"a.sh\"\nlimit = 3\n").unwrap_err();
    assert!(matches!(error, ExportError::TooLarge { size: 9, limit: 3 }), "{error}");
}

#[test]
fn a_wrong_parameter_is_answered_with_the_nearest() {
    let list = TargetList::builtin().unwrap();
    let set = |target: &str, name: &str, value: &str| {
        let set = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let target = list.all.iter().find(|known| known.name == target).unwrap();
        list.parameters(target, &set)
            .map(|all| all[name].clone())
            .map_err(|error| aitk_system::Explain::hint(&error).unwrap().to_string())
    };
    assert_eq!(set("cloud-init", "user", "ada"), Ok("ada".to_owned()));
    assert_eq!(set("cloud-init", "usr", "ada"), Err("did you mean `--set user=…`?".to_owned()));
    assert_eq!(
        set("cloud-init", "user", "root;id"),
        Err("one that fits: `--set user=ai`".to_owned())
    );
    assert_eq!(set("kaggle", "gpu", "yess"), Err("one that fits: `--set gpu=yes`".to_owned()));
}

#[test]
fn the_example_in_the_documents_is_a_target() {
    let document = std::fs::read_to_string(repository().join("docs/targets.md")).unwrap();
    let blocks = document.split("\n```").skip(1).filter_map(|block| block.split_once('\n'));
    let files = blocks.filter_map(|(head, text)| Some((head.split_once(' ')?.1, text)));
    let files: Vec<_> = files.map(|(name, text)| (name, format!("{text}\n"))).collect();
    assert_eq!(files.len(), 4);
    let list =
        own(&files.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>()).unwrap();
    let (target, _) = list.platform("own").unwrap();
    for language in Language::all() {
        let export = made(&list, target, CASES[0], language, &[]).unwrap();
        notebook(&export.files[0].content).unwrap();
        let said =
            list.said(target, language, &["next"], &[("file", "f"), ("link", "l"), ("again", "")]);
        assert!(said.unwrap().contains('f'));
    }
}

#[test]
fn the_schema_of_the_view_is_the_one_in_the_documents() {
    let path = repository().join("docs/view.schema.json");
    let schema = format!("{:#}\n", View::schema());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(known, schema, "UPDATE_DOCS=1 cargo nextest run -p aitk-export schema");
}
