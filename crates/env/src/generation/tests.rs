//! Tests of the life of a generation.

use std::collections::BTreeMap;
use std::path::Path;

use aitk_plan::{Lock, Locked, LockedLayer, Manager};
use aitk_system::{Real, System};

use super::record::RECORD;
use super::*;
use crate::error::EnvError;
use crate::files::Depth;

const SITE: &str = "lib/python3.12/site-packages";

/// A generation of a manager, built with `a` 1.0 and `b` 1.0.
fn generation(folder: &Path, manager: Manager) -> Generation {
    let generation = Environments::new(folder, "ai").generation("0123");
    let version = if manager == Manager::Conda { "1.0=py_0" } else { "1.0" };
    let layer = ["a", "b"].map(|name| (name.to_owned(), version.to_owned()));
    let layers: BTreeMap<_, BTreeMap<_, _>> = [("libraries".to_owned(), layer.into())].into();
    let record = serde_json::json!({
        "schema": 1, "manager": manager, "request": "", "added": [], "python": "3.12", "layers": layers,
    });
    put(&generation, RECORD, &record.to_string());
    generation
}

/// The lock of such a generation of venv's.
fn lock_of_both() -> Lock {
    let locked = |name: &str| Locked {
        package: aitk_plan::Package {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            url: Some(format!("https://example.org/{name}-1.0-py3-none-any.whl")),
            sha256: Some("00".repeat(32)),
            ..aitk_plan::Package::default()
        },
        ..Locked::default()
    };
    let packages = ["a", "b"].map(locked).into();
    let layers = vec![LockedLayer { step: "libraries".to_owned(), packages }];
    let target =
        aitk_plan::LockTarget { python: "3.12".to_owned(), arch: "x86_64".to_owned(), glibc: None };
    Lock { manager: Manager::Venv, target, build: None, layers }
}

fn put(generation: &Generation, file: &str, text: &str) {
    Real.write(&generation.path.join(file), text.as_bytes(), 0o644).unwrap();
}

fn by_pip(generation: &Generation, name: &str, version: &str) {
    put(generation, &format!("{SITE}/{name}-{version}.dist-info/RECORD"), "");
    put(generation, &format!("{SITE}/{name}-{version}.dist-info/INSTALLER"), "pip\n");
}

fn by_conda(generation: &Generation, name: &str, version: &str, asked: &[&str]) {
    let record = serde_json::json!({ "requested_specs": asked });
    let file = format!("conda-meta/{name}-{version}-py_0.json");
    put(generation, &file, &record.to_string());
}

fn lost(generation: &Generation, other: &[(&str, &str)], carried: &[&str]) -> Vec<String> {
    let other = other.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let carried: Vec<_> = carried.iter().map(|spec| (*spec).to_owned()).collect();
    let lost = generation.lost(&Real, &other, &carried);
    lost.iter().map(ToString::to_string).collect()
}

#[test]
fn a_version_that_was_changed_by_hand_is_not_lost_unsaid() {
    let folder = tempfile::tempdir().unwrap();
    let venv = generation(folder.path(), Manager::Venv);
    by_pip(&venv, "a", "0.9");
    by_pip(&venv, "b", "1.0");
    by_pip(&venv, "new_one", "3.0");
    assert_eq!(lost(&venv, &[("a", "1.1"), ("b", "1.1")], &[]), ["a==0.9", "new-one==3.0"]);
    assert_eq!(lost(&venv, &[("a", "0.9"), ("new-one", "3.0")], &[]), [""; 0]);
}

#[test]
fn what_conda_was_asked_for_is_carried_or_not_lost_unsaid() {
    let folder = tempfile::tempdir().unwrap();
    let conda = generation(folder.path(), Manager::Conda);
    by_conda(&conda, "a", "0.9", &["a=0.9"]);
    by_conda(&conda, "b", "0.8", &[]);
    by_conda(&conda, "new", "3.0", &["new"]);
    let other = [("a", "1.1=py_0"), ("b", "1.1=py_0"), ("new", "3.1=py_0")];
    assert_eq!(lost(&conda, &other, &["a=0.9", "new"]), [""; 0]);
    assert_eq!(lost(&conda, &other, &["new"]), ["a=0.9=py_0"]);
    assert_eq!(lost(&conda, &other[..2], &["a=0.9"]), ["new=3.0=py_0"]);
}

#[test]
fn what_another_program_has_built_is_looked_at_and_a_package_without_a_record_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let venv = generation(folder.path(), Manager::Venv);
    let lock = lock_of_both();
    venv.keep_lock(&Real, &lock).unwrap();
    put(&venv, &format!("{SITE}/a.py"), "");
    put(&venv, &format!("{SITE}/a-1.0.dist-info/RECORD"), "a.py,,\n");
    put(&venv, &format!("{SITE}/b-1.0.dist-info/RECORD"), "");
    let damage = || venv.damage(&Real, Some("libraries"), Depth::Sizes).unwrap();
    assert_eq!(damage(), []);
    Real.remove(&venv.path.join(SITE).join("a.py")).unwrap();
    Real.remove(&venv.path.join(SITE).join("b-1.0.dist-info")).unwrap();
    let found: Vec<_> = damage().iter().map(Damage::describe).collect();
    assert_eq!(
        found,
        [format!("a: {SITE}/a.py is gone"), "b: b-1.0-py3-none-any.whl is gone".to_owned()]
    );
}

#[test]
fn a_file_that_two_packages_bring_is_that_of_either() {
    let folder = tempfile::tempdir().unwrap();
    let venv = generation(folder.path(), Manager::Venv);
    let lock = lock_of_both();
    for (name, hash) in [("a", crate::files::digest(b"one")), ("b", crate::files::digest(b"two"))] {
        let record = format!("both.py,sha256={hash},3\n");
        put(&venv, &format!("{SITE}/{name}-1.0.dist-info/RECORD"), &record);
    }
    for (text, damaged) in [("one", 0), ("two", 0), ("six", 2)] {
        put(&venv, &format!("{SITE}/both.py"), text);
        let _ = Real.remove(&venv.path.join("aitk-files.txt"));
        venv.note(&Real, &lock, venv.record(&Real).unwrap(), &[]).unwrap();
        let found = venv.damage(&Real, Some("libraries"), Depth::Content).unwrap();
        assert_eq!(found.len(), damaged, "{text}: {found:?}");
    }
}

#[test]
fn a_record_that_leads_elsewhere_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let venv = generation(folder.path(), Manager::Venv);
    let good: serde_json::Value =
        serde_json::from_str(&venv.record(&Real).unwrap().to_text()).unwrap();
    for (field, value) in [
        ("/python", "../3.12".into()),
        ("/python", "3.\u{e9}".into()),
        ("/build", "cu\u{1b}[31m".into()),
        ("/added", serde_json::json!(["-r /etc/passwd"])),
        ("/layers", serde_json::json!({"../x": {}})),
        ("/layers", serde_json::json!({"libraries": {"../x": "1"}})),
        ("/layers", serde_json::json!({"libraries": {"a": "1=../../x"}})),
        ("/schema", 0.into()),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(field).unwrap() = value;
        put(&venv, RECORD, &changed.to_string());
        assert_eq!(venv.record(&Real), None, "{field}");
    }
}

#[test]
fn a_link_of_somebody_elses_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let venv = generation(folder.path(), Manager::Venv);
    let environments = Environments::new(folder.path(), "ai");
    Real.symlink(Path::new("/home/ann/own"), &environments.current_path()).unwrap();
    environments.activate(&Real, &venv, None, Occasion::Apply).unwrap_err();
    let target = Real.read_link(&environments.current_path()).unwrap();
    assert_eq!(target, Path::new("/home/ann/own"));
}

#[test]
fn the_environment_in_use_is_never_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let venv = generation(folder.path(), Manager::Venv);
    let environments = Environments::new(folder.path(), "ai");
    environments.activate(&Real, &venv, None, Occasion::Apply).unwrap();
    Real.remove(&venv.path.join(RECORD)).unwrap();
    put(&venv, "mine", "");
    venv.clear(&Real).unwrap_err();
    assert!((&Real as &dyn System).exists(venv.path.join("mine")));
    let other = environments.generation("4567");
    put(&other, "half-built", "");
    other.clear(&Real).unwrap();
    assert!(!(&Real as &dyn System).exists(other.path.join("half-built")));
}

/// What version 0.1 has written.
const OLDEST: &str = include_str!("../../fixtures/record-1.json");

#[test]
fn a_record_of_every_older_form_is_read_and_written_anew_in_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let generation = Environments::new(folder.path(), "ai").generation("0123");
    put(&generation, RECORD, OLDEST);
    let old = generation.record(&Real).unwrap();
    assert_eq!((old.schema, &*old.request, old.wish.as_ref()), (1, "08d2cbbd66b78e25", None));
    assert_eq!(old.layers["libraries"]["numpy"], "2.5.1");
    assert_eq!(old.added, ["rich"]);
    generation.note_request(&Real, &serde_json::json!({ "budget": "low" })).unwrap();
    let now = generation.record(&Real).unwrap();
    assert_eq!((now.schema, now.wish.unwrap()["budget"].as_str()), (2, Some("low")));
    assert_eq!((now.layers, now.inventory, now.place), (old.layers, old.inventory, old.place));
}

#[test]
fn a_record_of_a_newer_form_is_read_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let generation = Environments::new(folder.path(), "ai").generation("0123");
    let mut newer: serde_json::Value = serde_json::from_str(OLDEST).unwrap();
    newer["schema"] = 3.into();
    newer["reason"] = "of-the-future".into();
    newer["more"] = serde_json::json!({ "x": 1 });
    put(&generation, RECORD, &newer.to_string());
    let record = generation.record(&Real).unwrap();
    assert_eq!((&*record.python, record.reason), ("3.12", Some(Reason::Other)));
    let wished = generation.note_request(&Real, &serde_json::json!({}));
    assert!(matches!(wished, Err(EnvError::Newer { .. })), "{wished:?}");
    assert_eq!(Real.read(&generation.path.join(RECORD)).unwrap(), newer.to_string().as_bytes());
}
