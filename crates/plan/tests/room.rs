//! What does not fit on the disks, or cannot stand in its folder, is blocked, with what is missing and what to do.
#![allow(clippy::unwrap_used, reason = "a test")]

use aitk_detect::{Disk, Libc, Machine, Os, Python, Tool};
use aitk_plan::{Catalog, Choices, Manager, NO_FRAMEWORK, Plan, Profile, Status, conclude, plan};

const GB: u64 = 1_000_000_000;

fn machine(disks: Vec<Disk>) -> Machine {
    let mut machine = Machine {
        os: Os {
            id: "debian".to_owned(),
            version: Some("13".to_owned()),
            name: "Debian 13".to_owned(),
            ..Os::default()
        },
        arch: "x86_64".to_owned(),
        libc: Some(Libc { family: "glibc".to_owned(), version: Some("2.41".to_owned()) }),
        disks,
        python: vec![Python {
            path: "/usr/bin/python3.13".into(),
            version: "3.13.5".to_owned(),
            externally_managed: true,
        }],
        date: "2026-11-23".to_owned(),
        ..Machine::default()
    };
    machine.cpu.level = Some("x86-64-v3".to_owned());
    machine.memory.total = Some(8 << 30);
    machine.privilege.root = true;
    machine.tools.insert("apt-get".to_owned(), Tool::default());
    machine
}

fn disk(mount: &str, uses: &[&str], free: u64, free_inodes: Option<u64>) -> Disk {
    Disk {
        mount: mount.into(),
        filesystem: "ext4".to_owned(),
        total: 100 * GB,
        free,
        free_inodes,
        uses: uses.iter().map(|name| (*name).to_owned()).collect(),
        ..Disk::default()
    }
}

fn concluded(machine: &Machine) -> Plan {
    concluded_with(machine, Manager::Venv)
}

fn concluded_with(machine: &Machine, manager: Manager) -> Plan {
    let choices = Choices { framework: NO_FRAMEWORK.to_owned(), ..Choices::default() };
    let profile = Profile::builtin("low").unwrap();
    let mut plan = plan(machine, &profile, &choices, manager, &Catalog::builtin().unwrap());
    conclude(&mut plan, machine);
    plan
}

fn blocked(plan: &Plan) -> Vec<&str> {
    let blocked = plan.steps.iter().filter(|step| step.status == Status::Blocked);
    blocked.map(|step| step.id.as_str()).collect()
}

#[test]
fn with_room_nothing_is_blocked() {
    let all = disk("/", &["data", "cache", "var"], 50 * GB, Some(1_000_000));
    assert_eq!(blocked(&concluded(&machine(vec![all]))), [""; 0]);
}

#[test]
fn a_full_disk_blocks_what_does_not_fit_and_what_needs_it() {
    let root = disk("/", &["var"], 50 * GB, None);
    let home = disk("/home", &["data", "cache"], GB / 5, None);
    let plan = concluded(&machine(vec![root, home]));
    assert_eq!(blocked(&plan)[..2], ["libraries", "notebook"]);
    let step = plan.step("libraries").unwrap();
    assert!(
        step.why.last().unwrap().to_string().contains("/home has 135 MB left"),
        "{:?}",
        step.why
    );
    assert!(step.remedy.as_ref().unwrap().to_string().contains("AITK_DATA_DIR"));
}

#[test]
fn conda_cannot_stand_in_a_folder_with_quotes_in_its_name_and_a_virtual_environment_can() {
    let mut machine = machine(vec![disk("/", &["data", "cache", "var"], 50 * GB, None)]);
    machine.folders.data = "/home/a new été/.local/share/aitk".into();
    assert_eq!(blocked(&concluded_with(&machine, Manager::Conda)), [""; 0]);
    machine.folders.data = "/home/l'été/.local/share/aitk".into();
    let plan = concluded_with(&machine, Manager::Conda);
    assert_eq!(blocked(&plan)[..2], ["manager.base", "manager.environment"]);
    let remedy = plan.step("manager.environment").unwrap().remedy.clone().unwrap();
    assert!(remedy.to_string().contains("AITK_DATA_DIR"), "{remedy}");
    assert_eq!(blocked(&concluded_with(&machine, Manager::Venv)), [""; 0]);
}

#[test]
fn steps_share_the_room_of_one_disk() {
    let all = disk("/", &["data", "cache", "var"], GB * 8 / 10, None);
    assert_eq!(blocked(&concluded(&machine(vec![all])))[0], "notebook", "the libraries still fit");
}

#[test]
fn the_disk_of_the_cache_counts_as_well() {
    let root = disk("/", &["data", "var"], 50 * GB, None);
    let small = disk("/cache", &["cache"], GB / 5, None);
    let plan = concluded(&machine(vec![root, small]));
    assert_eq!(blocked(&plan)[..2], ["libraries", "notebook"]);
    let step = plan.step("libraries").unwrap();
    assert!(
        step.why.last().unwrap().to_string().contains("/cache has 182 MB left"),
        "{:?}",
        step.why
    );
    let remedy = step.remedy.as_ref().unwrap();
    assert!(
        remedy.to_string().contains("AITK_CACHE_DIR")
            && !remedy.to_string().contains("AITK_DATA_DIR"),
        "{remedy}"
    );
}

#[test]
fn what_is_copied_to_another_disk_counts_on_both_and_archives_do_not() {
    let root = disk("/", &["var"], 50 * GB, None);
    let cache = disk("/cache", &["cache"], 50 * GB, None);
    // Both layers unpacked take 670 MB less what was downloaded: 523 MB.
    let fits = disk("/home", &["data"], GB * 6 / 10, None);
    assert_eq!(blocked(&concluded(&machine(vec![root.clone(), cache.clone(), fits]))), [""; 0]);
    let tight = disk("/home", &["data"], GB * 4 / 10, None);
    assert_eq!(blocked(&concluded(&machine(vec![root, cache, tight])))[0], "notebook");
}

#[test]
fn a_disk_without_inodes_is_told_from_a_full_one() {
    let all = disk("/", &["data", "cache", "var"], 50 * GB, Some(5_000));
    let plan = concluded(&machine(vec![all]));
    let step = plan.step("libraries").unwrap();
    assert_eq!(step.status, Status::Blocked);
    assert!(step.remedy.as_ref().unwrap().to_string().contains("df -i"), "{step:?}");
}

#[test]
fn language_models_go_with_pytorch_and_are_proven_behind_it() {
    let machine = machine(Vec::new());
    let with_llm = |framework: &str, manager| {
        let with = vec!["llm".to_owned()];
        let choices = Choices { framework: framework.to_owned(), with, ..Choices::default() };
        let profile = Profile::builtin("low").unwrap();
        plan(&machine, &profile, &choices, manager, &Catalog::builtin().unwrap())
    };
    for manager in [Manager::Venv, Manager::Conda] {
        let there = with_llm("pytorch", manager);
        let layers = &there.environment().unwrap().request.layers;
        let at = |step: &str| layers.iter().position(|layer| layer.step == step).unwrap();
        // What a layer brings along belongs to the first that asks for it: PyTorch is the framework's.
        assert!(at("framework") < at("with.llm"), "{layers:?}");
        let at = |id: &str| there.steps.iter().position(|step| step.id == id).unwrap();
        assert!(
            at("check.framework") < at("check.llm") && at("check.llm") < at("environment.current")
        );
    }
    let jax = with_llm("jax", Manager::Venv);
    let step = jax.step("with.llm").unwrap();
    assert_eq!(step.status, Status::Blocked);
    let remedy = step.remedy.as_ref().unwrap().to_string();
    assert_eq!(remedy, "add --framework pytorch, or leave out --with llm");
}

#[test]
fn what_is_asked_for_besides_is_resolved_with_the_rest_and_nothing_else_is_there() {
    let machine = machine(Vec::new());
    let steps = |with: &[&str], machine: &Machine| {
        let with = with.iter().map(|name| (*name).to_owned()).collect();
        let choices = Choices { framework: NO_FRAMEWORK.to_owned(), with, ..Choices::default() };
        let profile = Profile::builtin("low").unwrap();
        plan(machine, &profile, &choices, Manager::Venv, &Catalog::builtin().unwrap())
    };
    let plain = steps(&[], &machine);
    assert!(
        !plain.steps.iter().any(|step| step.id.contains("mlflow") || step.id.contains("vscode"))
    );
    let more = steps(&["mlflow", "vscode"], &machine);
    for id in ["with.mlflow", "check.mlflow", "tools.vscode.source", "tools.vscode"] {
        assert_eq!(more.step(id).map(|step| step.status), Some(Status::Needed), "{id}");
    }
    let asked = |plan: &Plan| {
        plan.environment()
            .unwrap()
            .request
            .layers
            .iter()
            .any(|layer| layer.requirements == ["mlflow"])
    };
    assert!(asked(&more) && !asked(&plain));
    let mut wsl = machine;
    wsl.virtualization.kind = aitk_detect::VirtualizationKind::Wsl2;
    let there = steps(&["vscode"], &wsl);
    let code = there.step("tools.vscode").unwrap();
    assert_eq!(code.status, Status::Skipped);
    assert!(code.remedy.as_ref().unwrap().to_string().contains("Windows"));
}
