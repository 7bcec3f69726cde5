//! Lists of packages for other tools, of small plans.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use aitk_detect::{Libc, Machine};
use aitk_export::{Export, Source, TargetList};
use aitk_plan::{
    Catalog, Language, Lock, LockTarget, Locked, LockedLayer, Locks, Manager, Plan, Profile,
};
use insta::assert_snapshot;
use serde_json::{Value, json};

fn step(id: &str, phase: &str, title: &str, action: Value, packages: Value) -> Value {
    let mut step = json!({
        "id": id, "phase": phase, "title": title, "status": "needed", "why": [], "needs": [], "root": false,
        "commands": [], "packages": packages, "download": null, "disk": null, "estimated": false,
    });
    step.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
    step
}

fn of_environment(kind: &str) -> Value {
    json!({ "kind": kind, "spec": { "env": "ai" } })
}

fn layer(step: &str, role: &str, requirements: Value) -> Value {
    json!({ "step": step, "role": role, "requirements": requirements })
}

fn plan(manager: &str, layers: Value, added: Value, steps: Value) -> Plan {
    let request = json!({
        "manager": manager, "python": "3.12", "interpreter": null, "layers": layers, "builds": [], "added": added,
        "cuda": null,
    });
    let plan = json!({
        "budget": "low", "machine": "", "choices": {}, "manager": manager,
        "accelerator": { "kind": "none", "gpus": [], "why": [] }, "framework": null,
        "environments": [{ "name": "ai", "request": request, "lock": null }], "steps": steps,
        "totals": { "download": 0, "disk": 0, "steps": 0, "estimated": false }, "warnings": [],
    });
    serde_json::from_value(plan).unwrap()
}

fn export(target: &str, plan: &Plan) -> Export {
    let machine = Machine {
        arch: "x86_64".to_owned(),
        libc: Some(Libc { family: "glibc".to_owned(), version: Some("2.36".to_owned()) }),
        ..Machine::default()
    };
    let catalog = Catalog::builtin().unwrap();
    let memory = Profile::builtin("low").unwrap().memory;
    let locks = locks(plan.manager);
    let source = Source {
        locks: Some(&locks),
        channels: &[
            "https://our.example/own/".to_owned(),
            "https://channels.example/conda-forge/".to_owned(),
        ],
        ..Source::unresolved(plan, &machine, &catalog, Language::ENGLISH, memory)
    };
    let targets = TargetList::builtin().unwrap();
    let render = || targets.render(targets.named(target).unwrap(), &source).unwrap();
    let export = render();
    assert_eq!(export, render());
    export
}

/// The lock of an environment with one package, and for conda that of a conda with another.
fn locks(manager: Manager) -> Locks {
    let lock = |name: &str| {
        let mut package = archive(name, "1.0", "channels.example/conda-forge", json!([]));
        let file = format!("{name}-1.0-h1_0.conda");
        package["record"] = json!({
            "name": name, "version": "1.0", "build": "h1_0", "build_number": 0, "subdir": "linux-64", "size": 10,
            "depends": [], "sha256": "ab".repeat(32), "fn": file, "url": package["url"],
            "channel": "https://channels.example/conda-forge/",
        });
        let package: Locked = serde_json::from_value(package).unwrap();
        let target =
            LockTarget { python: "3.12".to_owned(), arch: "x86_64".to_owned(), glibc: None };
        let layers = vec![LockedLayer { step: "libraries".to_owned(), packages: vec![package] }];
        Lock { manager, target, build: None, layers }
    };
    Locks { environment: lock("numpy"), base: (manager == Manager::Conda).then(|| lock("conda")) }
}

fn text(target: &str, plan: &Plan) -> String {
    export(target, plan).files.remove(0).content
}

fn wheel(name: &str, version: &str, index: &str) -> Value {
    let url =
        format!("https://{index}.example/{name}-{}-py3-none-any.whl", version.replace('+', "%2B"));
    json!({ "name": name, "version": version, "size": 10, "sha256": "ab".repeat(32), "url": url })
}

fn venv(framework: Value) -> Plan {
    let mut plan = plan(
        "venv",
        json!([
            layer("libraries", "libraries", json!(["numpy"])),
            layer("framework", "framework", json!(["torch"])),
        ]),
        json!([]),
        json!([
            step(
                "manager.environment",
                "manager",
                "Create it",
                of_environment("environment"),
                json!([])
            ),
            step(
                "libraries",
                "libraries",
                "Install the libraries",
                of_environment("layer"),
                json!([wheel("numpy", "2.4.6", "general")]),
            ),
            step(
                "framework",
                "accelerator",
                "Install the framework",
                of_environment("layer"),
                json!([wheel("torch", "2.15.0+cpu", "own")]),
            ),
        ]),
    );
    plan.framework = serde_json::from_value(framework).unwrap();
    plan
}

fn framework(source: &str) -> Value {
    json!({ "name": "pytorch", "build": "cpu", "requirement": "torch", "source": source, "why": [] })
}

#[test]
fn wheels_of_an_index_of_their_own_are_named_by_their_addresses() {
    assert_snapshot!(text("requirements.txt", &venv(framework("torch-backend cpu"))));
    let addresses = |source: &str| {
        text("requirements.txt", &venv(framework(source))).matches(" @ https://").count()
    };
    assert_eq!(addresses("index"), 0);
    // All of them may come from a vendor's index.
    assert_eq!(addresses("https://vendor.example/whl/"), 2);
    assert_eq!(text("requirements.txt", &venv(Value::Null)).matches(" @ https://").count(), 0);
}

fn archive(name: &str, version: &str, channel: &str, needs: Value) -> Value {
    let url = format!("https://{channel}/linux-64/{name}-{version}-h1_0.conda");
    json!({
        "name": name, "version": version, "build": "h1_0", "size": 10, "sha256": "ab".repeat(32), "url": url,
        "record": { "depends": needs, "license": "MIT" },
    })
}

fn conda() -> Plan {
    let forge = |name: &str, version: &str| {
        archive(
            name,
            version,
            "channels.example/conda-forge",
            json!(["python", "__glibc >=2.17,<3.0.a0"]),
        )
    };
    let base = json!({ "kind": "base", "spec": { "env": "ai", "adopt": null } });
    let layers = json!([
        layer("manager.environment", "libraries", json!(["python 3.12.*"])),
        layer("framework", "framework", json!(["pytorch >=2"])),
    ]);
    let mut plan = plan(
        "conda",
        layers,
        json!(["own::mine"]),
        json!([
            step(
                "manager.base",
                "manager",
                "Install conda",
                base,
                json!([forge("conda", "25.9.1"), forge("python", "3.12.3")])
            ),
            step(
                "manager.environment",
                "manager",
                "Create it",
                of_environment("environment"),
                json!([forge("python", "3.12.3"), forge("libzlib", "1!1.3")]),
            ),
            step(
                "framework",
                "accelerator",
                "Install the framework",
                of_environment("layer"),
                json!([
                    archive("mine", "1.0", "our.example/own", json!([])),
                    archive(
                        "pytorch",
                        "2.10.0",
                        "channels.example/conda-forge",
                        json!(["__cuda", "__glibc >=2.34"])
                    ),
                ]),
            ),
        ]),
    );
    plan.accelerator.cuda = Some("12.9".to_owned());
    plan
}

#[test]
fn conda_gets_versions_and_builds_and_the_channels_in_their_order() {
    assert_snapshot!(text("environment.yml", &conda()));
}

#[test]
fn pixi_gets_what_was_asked_for_and_the_lock_of_just_that() {
    let export = export("pixi.toml", &conda());
    assert_snapshot!(export.files[0].content);
    assert_eq!(export.files[1].path, "pixi.lock");
    let lock = &export.files[1].content;
    let read = Locks::parse(lock, Path::new("pixi.lock"), Manager::Conda, None).unwrap();
    let names: Vec<_> = read.environment.packages().map(Locked::key).collect();
    assert_eq!((names, read.base), (vec!["numpy".to_owned()], None));
    assert!(lock.find("our.example").is_none(), "{lock}");
}

#[test]
fn a_bill_of_materials_has_every_package_once() {
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let sbom = text("sbom", &conda()).replacen(&version, "\"version\": \"OURS\"", 1);
    let generation = locks(Manager::Conda).environment.digest();
    assert_snapshot!(sbom.replacen(&generation, "0123456789abcdef", 1));
    let venv: Value = serde_json::from_str(&text("sbom", &venv(Value::Null))).unwrap();
    let purls: Vec<_> =
        venv["components"].as_array().unwrap().iter().map(|one| &one["purl"]).collect();
    assert_eq!(purls, ["pkg:pypi/numpy@2.4.6", "pkg:pypi/torch@2.15.0%2Bcpu"]);
}
