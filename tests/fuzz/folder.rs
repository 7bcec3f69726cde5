//! What came with a folder: its own `aitk.toml`, and what a project in it notes of itself.
#![no_main]

mod common;

use std::path::Path;
use std::sync::OnceLock;

use aitk::FolderFile;
use aitk_env::Settings;
use aitk_exec::{
    Context, ProjectRecord, Receipt, conflicts, project_age, project_removal, project_state, survey,
};
use aitk_export::{File, TargetList};
use aitk_plan::step::ProjectFiles;
use aitk_plan::{Action, Choices, Manager, Phase, Plan, Profile, Step};
use aitk_system::{Replay, System};
use libfuzzer_sys::fuzz_target;

const RECORD: &str = include_str!("seeds/folder/made.toml");

/// What a project is written from.
fn targets() -> &'static TargetList {
    static TARGETS: OnceLock<TargetList> = OnceLock::new();
    let target = "schema = 1\nbudgets = [\"sme\"]\nsource = \"made for this\"\nas_of = \"2026-11-29\"\n\
                  [[file]]\npath = \"README.md\"\n[[file]]\npath = \"data.py\"\nowner = \"yours\"\n";
    let own = [("tiny/target.toml", target), ("tiny/files/README.md", "one\n\ntwo\n"), ("tiny/files/data.py", "x = 1\n")];
    TARGETS.get_or_init(|| {
        let own = own.map(|(path, text)| (path.to_owned(), text.to_owned()));
        TargetList::with(own.into()).expect("the targets")
    })
}

/// A plan that writes the project, and nothing else.
fn plan() -> Plan {
    let choices = Choices { platform: Some("tiny".into()), folder: Some("/work".into()), ..Choices::default() };
    let profile = Profile::builtin("sme").expect("a profile");
    let mut plan = aitk_plan::plan(common::machine(), &profile, &choices, Manager::Venv, common::catalog());
    plan.project = Some(targets().project("sme", &choices).expect("a project"));
    let files = ProjectFiles { folder: "/work".into(), files: Vec::new() };
    plan.steps = vec![Step::new("project", Phase::Project, "", Action::ProjectFiles(files))];
    plan
}

fn project(system: &dyn System) {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    let folder = Path::new("/work");
    let new = [File { path: "README.md".into(), content: "a = 1.1\n".into(), executable: false, yours: false, private: false }];
    if let Ok(Some(record)) = ProjectRecord::read(folder, system) {
        let _ = project_age(folder, &record, &new, system);
    }
    let _ = (project_state(folder, system), project_removal(folder, system), conflicts(folder, system));
    let settings = Settings::default();
    let (machine, catalog) = (common::machine(), common::catalog());
    let mut cx = Context::new(system, system, machine, catalog, &settings, Receipt::default());
    cx.targets = Some(targets());
    let _ = survey(&cx, &mut PLAN.get_or_init(plan).clone(), false);
}

fuzz_target!(|data: &[u8]| {
    let [which, content @ ..] = data else { return };
    // Each kind in a root of its own: nothing of an input before it is left.
    let which = which % 5;
    let lay = |path: &str, content: &[u8]| common::lay(&format!("{which}/work/{path}"), content);
    let system: &dyn System = &Replay::tree(&common::folder().join(which.to_string()));
    match which {
        0 => {
            lay("aitk.toml", content);
            let Ok(file) = FolderFile::open(system, Path::new("/work")) else { return };
            let _ = (file.asks(), file.standing(system), file.env());
            let six = ["six<2".to_owned()];
            if let Ok(other) = file.with_packages(&six) {
                assert_eq!(other.packages(), six);
            }
        }
        1 => {
            lay("aitk.toml", b"budget = \"low\"\n");
            lay("aitk.lock", content);
            let Ok(file) = FolderFile::open(system, Path::new("/work")) else { return };
            let _ = (file.asks(), file.locks(Some("x86_64")));
        }
        2 => {
            lay(".aitk/made.toml", content);
            project(system);
        }
        3 => {
            let packed = zstd::stream::encode_all(content, 1).expect("an archive");
            lay(".aitk/made.toml", RECORD.trim_start_matches('4').as_bytes());
            lay(".aitk/base-0123456789abcdef.tar.zst", &packed);
            project(system);
        }
        _ => {
            lay(".aitk/begun", content);
            lay("README.md", b"one\n\nmine\n");
            lay("data.py", b"x = 2\n");
            project(system);
        }
    }
});
