//! Which build of which framework every machine of the gallery gets, with either manager: `tests/machines/decisions.tsv`
//! says so, written from the facts and not from what the program answers. A machine without a row makes the test fail.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use aitk_detect::{Driver, Gpu, Machine, Obstacle, VirtualizationKind, is_newer};
use aitk_plan::step::AptPackages;
use aitk_plan::{
    AcceleratorChoice, Action, Build, Catalog, Choices, Manager, Plan, Profile, Status,
    machine_digest, manager_for_device, plan,
};
use aitk_system::Message;

const MACHINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machines");
const FRAMEWORKS: [&str; 3] = ["pytorch", "tensorflow", "jax"];
const MANAGERS: [Manager; 2] = [Manager::Venv, Manager::Conda];

static LOW: LazyLock<Profile> = LazyLock::new(|| Profile::builtin("low").unwrap());
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::builtin().unwrap());

fn machines() -> BTreeMap<String, Machine> {
    let folders = std::fs::read_dir(MACHINES).unwrap().map(|entry| entry.unwrap().path());
    let read = |folder: &Path| {
        let facts = std::fs::read(folder.join("expected.json")).unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_slice(&facts).unwrap())
    };
    folders.filter(|path| path.is_dir()).map(|folder| read(&folder)).collect()
}

fn planned(machine: &Machine, choices: &Choices, manager: Manager) -> Plan {
    plan(machine, &LOW, choices, manager, &CATALOG)
}

/// Build, kind and devices, as a row of the table has them.
fn decided(plan: &Plan) -> [String; 3] {
    let status = plan.step("framework").map(|step| step.status);
    let build = match (&plan.framework, status) {
        (Some(framework), _) => framework.build.clone(),
        (None, Some(Status::Skipped)) => "skipped".to_owned(),
        (None, _) => "blocked".to_owned(),
    };
    let gpus: Vec<_> = plan.accelerator.gpus.iter().map(ToString::to_string).collect();
    let gpus = if gpus.is_empty() { "-".to_owned() } else { gpus.join(",") };
    [build, plan.accelerator.kind.clone(), gpus]
}

#[test]
fn the_device_decides_the_manager_where_nobody_does() {
    let machines = machines();
    let manager = |name: &str, choices: &Choices| {
        manager_for_device(&machines[name], choices, &CATALOG).map(|(manager, _)| manager)
    };
    let any = Choices::default();
    for name in ["rx7900xtx", "mi300x", "rx6700xt"] {
        assert_eq!(manager(name, &any), Some(Manager::Venv), "{name}: conda has nothing for AMD");
    }
    // Where conda has a build as well, or nothing computes anyway, it stays.
    for name in ["rtx3060-driver-580", "gtx1080ti-driver-580", "ubuntu-24.04-laptop", "wsl1"] {
        assert_eq!(manager(name, &any), None, "{name}");
    }
    let none = Choices { framework: "none".to_owned(), ..Choices::default() };
    assert_eq!(manager("rx7900xtx", &none), None);
    let xpu = Choices { accelerator: AcceleratorChoice::Xpu, ..Choices::default() };
    assert_eq!(manager("arc-a770", &xpu), Some(Manager::Venv));
    assert_eq!(manager("arc-a770", &any), None, "on request alone");
}

#[test]
fn every_machine_gets_the_build_that_the_table_says() {
    let machines = machines();
    let table = std::fs::read_to_string(Path::new(MACHINES).join("decisions.tsv")).unwrap();
    let mut rows = BTreeMap::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [machine, framework, manager, build, kind, gpus, reason] = cells[..] else {
            panic!("not seven cells: {line}")
        };
        assert!(!reason.is_empty(), "no reason: {line}");
        let key = (machine.to_owned(), framework.to_owned(), manager.to_owned());
        let expected = [build, kind, gpus].map(str::to_owned);
        assert!(rows.insert(key, expected).is_none(), "twice: {line}");
    }
    assert!(rows.len() >= 300, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for (name, machine) in &machines {
        for framework in FRAMEWORKS {
            for manager in MANAGERS {
                let key = (name.clone(), framework.to_string(), manager.to_string());
                let expected = rows.remove(&key).unwrap_or_else(|| panic!("no row for {key:?}"));
                let choices = Choices { framework: framework.to_owned(), ..Choices::default() };
                let plan = planned(machine, &choices, manager);
                let found = decided(&plan);
                if found != expected {
                    let why = Message::list(plan.accelerator.why.clone()).to_string();
                    wrong.push(format!("{key:?}: {found:?} instead of {expected:?} ({why})"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows.is_empty(), "rows of no machine: {:?}", rows.keys());
}

/// The gallery, and each of its machines with other drivers and other devices.
fn variants() -> Vec<(String, Machine)> {
    let mut all: Vec<(String, Machine)> = machines().into_iter().collect();
    let drivers = [
        ("450.80.02", "11.0"),
        ("525.60.13", "12.0"),
        ("535.261.03", "12.2"),
        ("550.163.01", "12.4"),
        ("575.57.08", "12.9"),
        ("580.65.05", "12.9"),
        ("580.95.05", "13.0"),
        ("595.10", "13.2"),
    ];
    let capabilities =
        ["3.5", "5.2", "6.1", "7.0", "7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "12.0", "12.1"];
    for (name, machine) in machines() {
        let usable = |gpu: &Gpu| gpu.vendor == "nvidia" && gpu.usable;
        if !machine.gpus.iter().any(usable) || machine.jetson.is_some() {
            continue;
        }
        for (version, cuda) in drivers {
            for capability in capabilities {
                let mut machine = machine.clone();
                // Of several devices the last one stays what it was.
                let gpu = machine.gpus.iter_mut().find(|gpu| usable(gpu)).unwrap();
                gpu.compute_capability = Some(capability.to_owned());
                for gpu in machine.gpus.iter_mut().filter(|gpu| usable(gpu)) {
                    let driver = gpu.driver.get_or_insert_with(Driver::default);
                    driver.version = Some(version.to_owned());
                    driver.cuda = Some(cuda.to_owned());
                }
                all.push((format!("{name} with {version} and {capability}"), machine));
            }
        }
    }
    all
}

/// The row of the build that a plan has.
fn row<'a>(catalog: &'a Catalog, plan: &'a Plan) -> Option<&'a Build> {
    let framework = plan.framework.as_ref()?;
    catalog.builds(&framework.name, plan.manager).find(|row| {
        // A requirement may hold the device's target.
        let first = |text: &str| text.split("{gfx}").next().unwrap_or_default().to_owned();
        row.name == framework.build
            && row.kind == plan.accelerator.kind
            && framework.requirement.starts_with(&first(&row.requirements.join(" ")))
    })
}

#[test]
fn whatever_is_decided_can_run() {
    let catalog = &*CATALOG;
    let accelerators = [
        AcceleratorChoice::Auto,
        AcceleratorChoice::Cpu,
        AcceleratorChoice::Cuda,
        AcceleratorChoice::Rocm,
        AcceleratorChoice::Xpu,
    ];
    let (mut plans, mut on_gpus) = (0, 0);
    for (name, machine) in variants() {
        for framework in FRAMEWORKS {
            for manager in MANAGERS {
                for accelerator in accelerators {
                    let choices = Choices {
                        framework: framework.to_owned(),
                        accelerator,
                        ..Choices::default()
                    };
                    let plan = planned(&machine, &choices, manager);
                    plans += 1;
                    let what = format!("{name}, {framework}, {manager}, {accelerator:?}");
                    assert!(!plan.accelerator.why.is_empty(), "{what}: no reason");
                    let Some(taken) = &plan.framework else { continue };
                    let row =
                        row(catalog, &plan).unwrap_or_else(|| panic!("{what}: no row {taken:?}"));
                    assert!(row.arch.contains(&machine.arch), "{what}");
                    match accelerator {
                        AcceleratorChoice::Auto => assert_ne!(row.kind, "xpu", "{what}"),
                        AcceleratorChoice::Cpu => assert_eq!(row.kind, "none", "{what}"),
                        AcceleratorChoice::Cuda => {
                            assert!(["cuda", "jetson"].contains(&row.kind.as_str()), "{what}");
                        }
                        AcceleratorChoice::Rocm => assert_eq!(row.kind, "rocm", "{what}"),
                        AcceleratorChoice::Xpu => assert_eq!(row.kind, "xpu", "{what}"),
                    }
                    on_gpus += plan.accelerator.gpus.len();
                    for index in &plan.accelerator.gpus {
                        can_run(catalog, &machine, row, &machine.gpus[*index], &what);
                    }
                    // Nobody's GPU is passed over in silence.
                    for (index, gpu) in machine.gpus.iter().enumerate() {
                        let said = Message::list(plan.accelerator.why.clone()).to_string();
                        let its_name = gpu.name.as_deref().or(gpu.pci_id.as_deref());
                        let named = said.contains(its_name.unwrap_or(&gpu.vendor));
                        let used = plan.accelerator.gpus.contains(&index);
                        assert!(used || named || accelerator != AcceleratorChoice::Auto, "{what}");
                    }
                }
            }
        }
    }
    assert!(plans > 20_000 && on_gpus > 5_000, "{plans} plans, {on_gpus} devices in use");
}

fn can_run(catalog: &Catalog, machine: &Machine, row: &Build, gpu: &Gpu, what: &str) {
    let version = gpu.driver.as_ref().and_then(|driver| driver.version.as_deref());
    if let (Some(least), Some(version), "cuda") = (&row.driver, version, row.kind.as_str()) {
        assert!(!is_newer(least, version), "{what}: driver {version} for {}", row.name);
    }
    if let (Some(origin), Some(cuda), Some(capability)) =
        (&row.kernels, &row.cuda, &gpu.compute_capability)
    {
        let kernels = catalog.tables.nvidia().kernels(origin, "999", cuda, &machine.arch);
        let serves = kernels.is_none_or(|kernels| kernels.serve(capability));
        assert!(serves, "{what}: {} has no code for {capability}", row.name);
    }
    match row.kind.as_str() {
        "cuda" => assert!(gpu.vendor == "nvidia" && machine.jetson.is_none(), "{what}"),
        "jetson" => assert!(machine.jetson.is_some(), "{what}"),
        "rocm" => assert_eq!(gpu.vendor, "amd", "{what}"),
        "xpu" => {
            assert_eq!((gpu.vendor.as_str(), gpu.integrated), ("intel", Some(false)), "{what}")
        }
        kind => panic!("{what}: a GPU for {kind}"),
    }
}

#[test]
fn a_driver_is_installed_only_where_it_belongs_and_only_by_name() {
    let mut installed = 0;
    for (name, machine) in variants() {
        for (drivers, user_only) in [(false, false), (true, false), (true, true)] {
            let choices = Choices { drivers, user_only, ..Choices::default() };
            let plan = planned(&machine, &choices, Manager::Venv);
            let touches = |step: &&aitk_plan::Step| match &step.action {
                Action::AptPackages(AptPackages { packages }) => packages
                    .iter()
                    .any(|package| package.contains("nvidia") || package.starts_with("cuda")),
                Action::AptSource(_) | Action::Restart(_) => true,
                _ => false,
            };
            let needed: Vec<_> =
                plan.steps.iter().filter(touches).filter(|s| s.status == Status::Needed).collect();
            if needed.is_empty() {
                continue;
            }
            installed += 1;
            assert!(drivers && !user_only, "{name}: {needed:?}");
            assert!(machine.jetson.is_none(), "{name}");
            let kind = machine.virtualization.kind;
            assert!(
                [VirtualizationKind::BareMetal, VirtualizationKind::Vm].contains(&kind),
                "{name}: a driver on {kind:?}"
            );
            // No open module for what it does not run, and no other one for what needs it.
            let table = CATALOG.tables.nvidia();
            let packages: Vec<_> = needed
                .iter()
                .filter_map(|step| match &step.action {
                    Action::AptPackages(AptPackages { packages }) => Some(packages.join(" ")),
                    _ => None,
                })
                .collect();
            let is_open = packages.join(" ").contains("-open");
            // One module runs all cards: that of those which run with no other.
            let only_open = machine.gpus.iter().any(|gpu| {
                let row = gpu.pci_id.as_deref().and_then(|id| table.architecture(id));
                row.is_some_and(|row| !row.closed)
            });
            for gpu in machine.gpus.iter().filter(|gpu| gpu.vendor == "nvidia") {
                let row = gpu.pci_id.as_deref().and_then(|id| table.architecture(id));
                if let Some(row) = row.filter(|row| row.served) {
                    assert!(
                        row.open || !is_open || only_open,
                        "{name}: {packages:?} for {}",
                        row.name
                    );
                }
            }
        }
    }
    assert!(installed > 50, "{installed} plans install a driver");
}

#[test]
fn a_driver_that_comes_serves_no_device_that_is_handed_on() {
    let mut machine = machines().remove("rtx3060-no-driver").unwrap();
    let mut handed_on = machine.gpus[0].clone();
    handed_on.driver = Some(Driver { name: "vfio-pci".to_owned(), ..Driver::default() });
    handed_on.obstacle = Some(Obstacle::HandedOn);
    machine.gpus.push(handed_on);
    let choices = Choices { drivers: true, ..Choices::default() };
    assert_eq!(planned(&machine, &choices, Manager::Venv).accelerator.gpus, [0]);
}

#[test]
fn what_derives_from_a_release_has_its_long_term_support() {
    let mut machine = machines().remove("debian-12-vps-kvm64").unwrap();
    machine.date = "2026-11-29".to_owned();
    let is_past = |machine: &Machine| {
        let plan = planned(machine, &Choices::default(), Manager::Venv);
        let mut why = plan.steps.iter().flat_map(|step| &step.why);
        why.any(|why| why.to_string().contains("past its support"))
    };
    assert!(!is_past(&machine));
    machine.os.id = "linuxmint".to_owned();
    (machine.os.version, machine.os.codename) = (Some("6".to_owned()), Some("faye".to_owned()));
    machine.os.like = vec!["debian".to_owned()];
    assert!(!is_past(&machine));
    // A day of its own is not the base's.
    machine.os.end_of_support = Some("2026-01-01".to_owned());
    assert!(is_past(&machine));
}

#[test]
fn a_container_gets_no_group_for_a_device_that_it_was_handed() {
    let mut machine = machines().remove("rx7900xtx").unwrap();
    let groups = |machine: &Machine| {
        let plan = planned(machine, &Choices::default(), Manager::Venv);
        assert_eq!(plan.accelerator.kind, "rocm");
        plan.step("accelerator.groups").is_some_and(|step| step.status != Status::Skipped)
    };
    assert!(groups(&machine));
    machine.virtualization.kind = VirtualizationKind::Container;
    assert!(!groups(&machine));
}

#[test]
fn a_driver_of_windows_has_a_floor_of_its_own() {
    let mut machine = machines().remove("wsl2-nvidia").unwrap();
    let mut kind = |version: &str| {
        for gpu in &mut machine.gpus {
            let driver = gpu.driver.as_mut().unwrap();
            (driver.version, driver.cuda) = (Some(version.to_owned()), Some("12.0".to_owned()));
        }
        planned(&machine, &Choices::default(), Manager::Venv).accelerator.kind
    };
    assert_eq!(kind("527.56"), "none");
    assert_eq!(kind("528.33"), "cuda");
}

#[test]
fn a_build_by_targets_has_one_extra_for_each() {
    let machines = machines();
    let mut machine = machines["rx6700xt"].clone();
    let requirement = |machine: &Machine| {
        let plan = planned(machine, &Choices::default(), Manager::Venv);
        (plan.accelerator.gpus.clone(), plan.framework.unwrap().requirement)
    };
    machine.gpus.extend(machines["rx7900xtx"].gpus.clone());
    machine.gpus.extend(machines["rx6700xt"].gpus.clone());
    let (gpus, requirements) = requirement(&machine);
    assert_eq!(gpus, [0, 1, 2]);
    assert_eq!(requirements, "torch[device-gfx1031,device-gfx1100]");
}

#[test]
fn no_python_without_packages_of_the_framework() {
    let catalog = &*CATALOG;
    let pair = |text: &str| {
        let (major, minor) = text.split_once('.').unwrap();
        (major.parse::<u32>().unwrap(), minor.parse::<u32>().unwrap())
    };
    for (name, mut machine) in machines() {
        for minor in 8..16 {
            for python in &mut machine.python {
                python.version = format!("3.{minor}.1");
            }
            for framework in FRAMEWORKS {
                let choices = Choices { framework: framework.to_owned(), ..Choices::default() };
                let plan = planned(&machine, &choices, Manager::Venv);
                let Some(row) = row(catalog, &plan) else { continue };
                let python = plan.environment().and_then(|it| it.request.python.clone());
                let Some(python) = python.map(|python| pair(&python)) else { continue };
                let limits = catalog.framework(&row.framework).unwrap();
                let least = row.python_min.as_deref().unwrap_or(&limits.python_min);
                let most = row.python_max.as_deref().unwrap_or(&limits.python_max);
                let fits = (pair(least)..=pair(most)).contains(&python);
                assert!(fits, "{name}, {framework}: {} for Python {python:?}", row.name);
            }
        }
    }
}

/// conda's builds for the processor run on older systems than those for CUDA, and than any wheel.
#[test]
fn an_old_c_library_gets_the_builds_that_run_on_it() {
    let mut machine = machines().remove("rtx3060-driver-580").unwrap();
    let mut decided = |glibc: &str, framework: &str, manager| {
        machine.libc.as_mut().unwrap().version = Some(glibc.to_owned());
        let choices = Choices { framework: framework.to_owned(), ..Choices::default() };
        let plan = planned(&machine, &choices, manager);
        let why = Message::list(plan.accelerator.why.clone()).to_string();
        (crate::decided(&plan)[0].clone(), why)
    };
    for framework in FRAMEWORKS {
        let (build, _) = decided("2.28", framework, Manager::Conda);
        assert!(build.starts_with("cuda"), "{framework}: {build}");
        let (build, why) = decided("2.17", framework, Manager::Conda);
        assert_eq!(build, "cpu", "{framework}");
        assert!(why.contains("needs glibc 2.28, and 2.17 is here"), "{framework}: {why}");
        assert_eq!(decided("2.17", framework, Manager::Venv).0, "blocked", "{framework}");
        assert_eq!(decided("2.16", framework, Manager::Conda).0, "blocked", "{framework}");
    }
}

#[test]
fn a_row_of_the_users_own_counts_before_the_programs() {
    let machine = &machines()["rtx3060-driver-580"];
    let overlay = "[[frameworks.build]]\nframework = \"pytorch\"\nmanager = \"venv\"\nname = \"cu140\"\n\
        kind = \"cuda\"\narch = [\"x86_64\"]\nrequirements = [\"torch\"]\ntorch_backend = \"cu140\"\n\
        driver = \"580\"\ncuda = \"14.0\"\nestimate = { download = \"1 MB\" }\nsource = \"me\"\nas_of = \"2027-01-01\"";
    let tables = aitk_detect::Tables::with(toml::from_str(overlay).unwrap()).unwrap();
    let catalog = Catalog::with(tables).unwrap();
    let profile = Profile::builtin("low").unwrap();
    let plan = plan(machine, &profile, &Choices::default(), Manager::Venv, &catalog);
    assert_eq!(plan.framework.unwrap().build, "cu140");
    let wrong = overlay.replace("kind", "sort");
    let tables = aitk_detect::Tables::with(toml::from_str(&wrong).unwrap()).unwrap();
    assert!(Catalog::with(tables).unwrap_err().to_string().contains("sort"));
}

#[test]
fn a_newer_driver_is_no_reason_to_build_an_environment_anew() {
    let machine = &machines()["rtx5090-driver-595"];
    let build = |has: Option<&str>, machine: &Machine| {
        let choices = Choices { build: has.map(str::to_owned), ..Choices::default() };
        planned(machine, &choices, Manager::Venv).framework.unwrap().build
    };
    assert_eq!(build(None, machine), "cu132");
    assert_eq!(build(Some("cu130"), machine), "cu130");
    // A GPU that can be used now is one, and so is a newer version of the framework.
    assert_eq!(build(Some("cpu"), machine), "cu132");
    assert_eq!(build(Some("cu128"), machine), "cu132");
    // What does not run any more is not kept.
    assert_eq!(build(Some("cu132"), &machines()["rtx3060-driver-580"]), "cu130");
}

#[test]
fn a_saved_plan_is_for_the_same_machine_with_another_driver_and_for_no_other() {
    let machine = &machines()["rtx3060-driver-550"];
    let mut later = machine.clone();
    later.gpus[0].driver.as_mut().unwrap().version = Some("595.71.05".to_owned());
    assert_eq!(machine_digest(machine), machine_digest(&later));
    later.gpus[0].pci_id = Some("10de:2684".to_owned());
    assert_ne!(machine_digest(machine), machine_digest(&later));
}

#[test]
fn tables_that_are_old_are_said_to_be() {
    let mut machine = machines().remove("rtx3060-driver-580").unwrap();
    let warned = |machine: &Machine| {
        let plan = planned(machine, &Choices::default(), Manager::Venv);
        plan.warnings.iter().any(|warning| warning.code == "AITK-W14")
    };
    machine.date = "2027-05-20".to_owned();
    assert!(!warned(&machine));
    machine.date = "2027-05-31".to_owned();
    assert!(warned(&machine));
}

#[test]
fn a_single_row_that_is_old_and_decides_is_named_alone() {
    let machine = &machines()["rtx3060-driver-580"];
    let mut catalog = CATALOG.clone();
    let named = |catalog: &Catalog| {
        let plan = plan(machine, &LOW, &Choices::default(), Manager::Venv, catalog);
        let old = plan.warnings.iter().find(|warning| warning.code == "AITK-W14");
        old.map(|warning| warning.message.to_string())
    };
    assert_eq!(named(&catalog), None);
    catalog.builds.iter_mut().for_each(|row| {
        if row.name == "cu130" || row.name == "cpu" {
            row.as_of = "2026-01-01".to_owned();
        }
    });
    let said = named(&catalog).unwrap();
    assert!(said.contains("build cu130 (2026-01-01)") && said.matches('(').count() == 1, "{said}");
}

/// A build that no machine, whatever its drivers and devices, gets with any choice is a row for nobody.
#[test]
fn every_build_is_taken_somewhere() {
    let mut left: Vec<_> = CATALOG.builds.iter().collect();
    let all = variants();
    for (word, _) in AcceleratorChoice::WORDS {
        let accelerator: AcceleratorChoice = serde_json::from_value((*word).into()).unwrap();
        for (_, machine) in &all {
            if left.is_empty() {
                return;
            }
            for (framework, manager) in
                FRAMEWORKS.iter().flat_map(|name| MANAGERS.map(|manager| (*name, manager)))
            {
                if left
                    .iter()
                    .all(|row| (row.framework.as_str(), row.manager) != (framework, manager))
                {
                    continue;
                }
                let choices =
                    Choices { framework: framework.to_owned(), accelerator, ..Choices::default() };
                let plan = planned(machine, &choices, manager);
                let builds = plan.environment().map(|wanted| wanted.request.builds.clone());
                let taken = builds.unwrap_or_default();
                left.retain(|row| {
                    (row.framework.as_str(), row.manager) != (framework, manager)
                        || taken.iter().all(|build| build.name != row.name)
                });
            }
        }
    }
    let told: Vec<_> =
        left.iter().map(|row| format!("{} {} {}", row.framework, row.manager, row.name)).collect();
    assert!(told.is_empty(), "no machine gets {told:#?}");
}
