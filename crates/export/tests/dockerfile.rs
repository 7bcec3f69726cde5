//! What a container image is made of, for machines of the gallery.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::path::Path;

use aitk_detect::Machine;
use aitk_export::{Export, ExportError, Source, TargetList};
use aitk_plan::{
    AcceleratorChoice, Action, Catalog, Choices, Language, Lock, LockTarget, Locked, LockedLayer,
    Locks, Manager, NO_FRAMEWORK, Package, Plan, Profile, Status, plan,
};

const MACHINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machines");

fn machine(name: &str) -> Machine {
    let facts = std::fs::read(Path::new(MACHINES).join(name).join("expected.json")).unwrap();
    serde_json::from_slice(&facts).unwrap()
}

/// A layer with one package, which is called as its step is.
fn layer(step: &str) -> LockedLayer {
    let package = Package {
        name: step.to_owned(),
        version: "1".to_owned(),
        sha256: Some("ab".repeat(32)),
        url: Some(format!("https://index.example/{step}-1-py3-none-any.whl")),
        ..Package::default()
    };
    LockedLayer { step: step.to_owned(), packages: vec![Locked { package, ..Locked::default() }] }
}

/// The export of a plan whose layers have one package each.
fn exported(
    target: &str,
    machine: &Machine,
    framework: &str,
    change: impl Fn(&mut Plan),
) -> Result<Export, ExportError> {
    let catalog = Catalog::builtin().unwrap();
    let profile = Profile::builtin("workstation").unwrap();
    // A GPU is used where there is one, and gets the driver that it lacks.
    let accelerator =
        if machine.gpus.is_empty() { AcceleratorChoice::Auto } else { AcceleratorChoice::Cuda };
    let choices = Choices {
        framework: framework.to_owned(),
        accelerator,
        drivers: true,
        ..Choices::default()
    };
    let mut plan = plan(machine, &profile, &choices, Manager::Venv, &catalog);
    let mut layers = Vec::new();
    for step in &mut plan.steps {
        if matches!(step.action, Action::Layer(_)) && step.status == Status::Needed {
            let layer = layer(&step.id);
            step.packages = layer.packages.iter().map(|locked| locked.package.clone()).collect();
            layers.push(layer);
        }
    }
    change(&mut plan);
    let python = "3.12".to_owned();
    let target_of = LockTarget { python, arch: machine.arch.clone(), glibc: None };
    let environment = Lock {
        manager: Manager::Venv,
        target: target_of,
        build: Some(framework.to_owned()),
        layers,
    };
    let locks = Locks { environment, base: None };
    let source = Source {
        locks: Some(&locks),
        ..Source::unresolved(&plan, machine, &catalog, Language::ENGLISH, profile.memory)
    };
    let targets = TargetList::builtin()?;
    targets.render(targets.named(target)?, &source)
}

fn file<'a>(export: &'a Export, path: &str) -> &'a str {
    let found = export.files.iter().find(|file| file.path == path);
    &found.unwrap_or_else(|| panic!("there is no {path}")).content
}

fn without(export: &Export) -> Vec<&str> {
    export.without.iter().map(|left| left.what.as_str()).collect()
}

#[test]
fn each_layer_has_its_own_part_of_the_lock() {
    let machine = machine("ubuntu-24.04-laptop");
    let export = exported("dockerfile", &machine, "jax", |_| ()).unwrap();
    for step in ["libraries", "notebook", "framework"] {
        let path = format!("pylock.{step}.toml");
        let lock = Locks::parse(file(&export, &path), Path::new(&path), Manager::Venv, None);
        assert_eq!(lock.unwrap().environment.layers, [layer(step)]);
    }
}

#[test]
fn another_framework_changes_nothing_below_it() {
    let machine = machine("ubuntu-24.04-laptop");
    let below = |framework| {
        let export = exported("dockerfile", &machine, framework, |_| ()).unwrap();
        let text = file(&export, "Dockerfile");
        let below = text[..text.find("COPY pylock.framework.toml").unwrap()].to_owned();
        (below, file(&export, "pylock.libraries.toml").to_owned())
    };
    assert_eq!(below("pytorch"), below("jax"));
}

#[test]
fn a_driver_is_the_machines_and_not_the_images() {
    let machine = machine("rtx3060-no-driver");
    let export = exported("dockerfile", &machine, "jax", |_| ()).unwrap();
    let text = file(&export, "Dockerfile");
    let installed: Vec<_> =
        text.lines().filter(|line| line.contains("apt-get -y install")).collect();
    assert_eq!(installed.len(), 2, "{installed:?}");
    assert!(!installed.concat().contains("nvidia"), "{installed:?}");
    assert!(text.contains("NVIDIA_VISIBLE_DEVICES=all"), "{text}");
    assert_eq!(without(&export), ["drivers", "versions"]);
    let readme = file(&export, "README.md");
    assert!(readme.contains("docker run --rm --gpus all aitk check"), "{readme}");
    // Nobody can prove it while the image is built.
    assert!(text.contains("\nRUN check libraries notebook lab\n"), "{text}");
    assert!(file(&export, "check").contains("set -- libraries notebook lab jax\n"));
    let project = exported("devcontainer", &machine, "jax", |_| ()).unwrap();
    let settings: serde_json::Value =
        serde_json::from_str(file(&project, ".devcontainer/devcontainer.json")).unwrap();
    assert_eq!(settings["hostRequirements"]["gpu"], true);
    assert_eq!(file(&project, ".devcontainer/Dockerfile"), text);
}

#[test]
fn without_a_gpu_everything_is_proven_at_once() {
    let machine = machine("debian-13-vps-1gb");
    let export = exported("dockerfile", &machine, NO_FRAMEWORK, |_| ()).unwrap();
    let text = file(&export, "Dockerfile");
    assert!(text.contains("\nARG BASE=debian:13-slim\n"), "{text}");
    assert!(!text.contains("NVIDIA") && !text.contains('@'), "{text}");
    let readme = file(&export, "README.md");
    assert!(readme.contains("docker run --rm aitk check"), "{readme}");
    assert_eq!(without(&export), ["swap", "versions"]);
    let project = exported("devcontainer", &machine, NO_FRAMEWORK, |_| ()).unwrap();
    assert!(!file(&project, ".devcontainer/devcontainer.json").contains("hostRequirements"));
}

#[test]
fn what_the_catalog_has_no_image_for_is_refused() {
    let of = |machine: &str, kind: &str| {
        let machine = self::machine(machine);
        let change = |plan: &mut Plan| kind.clone_into(&mut plan.accelerator.kind);
        exported("dockerfile", &machine, NO_FRAMEWORK, change).unwrap_err().to_string()
    };
    assert_eq!(
        of("fedora-43", "none"),
        "there is no container image for Fedora Linux 43 (Workstation Edition) in the catalog"
    );
    assert_eq!(
        of("ubuntu-24.04-laptop", "rocm"),
        "there is no container image for rocm in the catalog"
    );
}
