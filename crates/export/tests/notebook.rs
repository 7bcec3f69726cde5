//! Notebooks for platforms: what they pin, and what each platform gets of its own.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use aitk_detect::Machine;
use aitk_export::{Export, Source, TargetList};
use aitk_plan::{
    Action, Catalog, Choices, Language, LayerRequest, Manager, Package, Plan, Profile, plan,
};
use aitk_system::{Exit, Explain};
use serde_json::{Value, json};

/// The plan of hosted notebooks with its packages, each in the layer that asks for it.
fn planned(catalog: &Catalog, machine: &Machine) -> Plan {
    let profile = Profile::builtin("free").unwrap();
    let choices = Choices::default();
    let mut plan = plan(machine, &profile, &choices, Manager::Venv, catalog);
    for step in &mut plan.steps {
        let request = plan.environments.iter().find_map(|it| it.request.layer(&step.id));
        if let (Action::Layer(_), Some(LayerRequest { requirements, .. })) = (&step.action, request)
        {
            let package = |name: &String| Package {
                name: name.clone(),
                version: "1.0".to_owned(),
                sha256: Some("ab".repeat(32)),
                ..Package::default()
            };
            step.packages = requirements.iter().map(package).collect();
        }
    }
    plan
}

fn exported(name: &str, language: Language, gpu: bool, owner: Option<&str>) -> Export {
    let (catalog, targets) = (Catalog::builtin().unwrap(), TargetList::builtin().unwrap());
    let (target, platform) = targets.platform(name).unwrap();
    let machine = platform.machine();
    let memory = Profile::builtin("free").unwrap().memory;
    let plan = planned(&catalog, &machine);
    let gpu = ("gpu".to_owned(), if gpu { "yes" } else { "no" }.to_owned());
    let owner = owner.map(|owner| ("owner".to_owned(), owner.to_owned()));
    let source = Source {
        parameters: [gpu]
            .into_iter()
            .chain(owner)
            .filter(|(name, _)| target.parameter.contains_key(name))
            .collect(),
        ..Source::unresolved(&plan, &machine, &catalog, language, memory)
    };
    targets.render(target, &source).unwrap()
}

fn json_of(export: &Export, path: &str) -> Value {
    let file = export.files.iter().find(|file| file.path == path).unwrap();
    serde_json::from_str(&file.content).unwrap()
}

/// All code of a notebook.
fn code(notebook: &Value) -> String {
    let cells = notebook["cells"].as_array().unwrap().iter();
    let code = cells.filter(|cell| cell["cell_type"] == "code");
    let lines = code.flat_map(|cell| cell["source"].as_array().unwrap());
    lines.map(|line| line.as_str().unwrap()).collect()
}

#[test]
fn the_notebook_pins_what_is_wanted_and_its_ids_are_names() {
    let export = exported("colab", Language::ENGLISH, true, None);
    assert_eq!(export, exported("colab", Language::ENGLISH, true, None));
    let notebook = json_of(&export, "aitk-starter-notebook.ipynb");
    let code = code(&notebook);
    let hash = "ab".repeat(32);
    assert!(code.contains(&format!("\nmlflow==1.0 --hash=sha256:{hash}\n")), "{code}");
    let wanted =
        "WANTED = [\"numpy\",\"pandas\",\"scipy\",\"scikit-learn\",\"matplotlib\",\"mlflow\"]";
    assert!(code.contains(wanted), "{code}");
    assert!(code.contains("PYTHON, MACHINE = \"3.13\", \"x86_64\""), "{code}");
    assert_eq!((&notebook["nbformat"], &notebook["nbformat_minor"]), (&4.into(), &5.into()));
    let cells = notebook["cells"].as_array().unwrap();
    let ids: BTreeSet<_> = cells.iter().map(|cell| cell["id"].as_str().unwrap()).collect();
    assert_eq!((cells.len(), ids.len()), (17, 17));
}

#[test]
fn a_gpu_is_asked_for_because_a_cell_computes_on_it() {
    for name in ["kaggle", "colab", "studio-lab"] {
        let notebook =
            json_of(&exported(name, Language::ENGLISH, true, None), "aitk-starter-notebook.ipynb");
        let code = code(&notebook);
        assert!(code.contains("device = \"cuda\" if torch.cuda.is_available()"), "{name}: {code}");
        assert!(code.contains("of the quota this notebook has taken"), "{name}: {code}");
        // What the platform brings goes with its GPU.
        assert!(!code.contains("\ntorch=="), "{name}: {code}");
    }
}

#[test]
fn a_platform_gets_its_own_metadata_with_a_gpu_and_without() {
    let colab = |gpu| {
        let export = exported("colab", Language::ENGLISH, gpu, None);
        json_of(&export, "aitk-starter-notebook.ipynb")["metadata"].clone()
    };
    assert_eq!(colab(true)["accelerator"], "GPU");
    assert_eq!(colab(true)["colab"]["gpuType"], "T4");
    assert_eq!(colab(true)["colab"]["provenance"], json!([]));
    assert_eq!(
        (&colab(false)["accelerator"], &colab(false)["colab"]["gpuType"]),
        (&Value::Null, &Value::Null)
    );
    let kaggle = |gpu, owner| {
        let export = exported("kaggle", Language::ENGLISH, gpu, owner);
        json_of(&export, "kernel-metadata.json")
    };
    let mine = kaggle(true, Some("ada"));
    assert_eq!(mine["id"], "ada/aitk-starter-notebook");
    assert_eq!(mine["title"].as_str().unwrap().replace(' ', "-"), "aitk-starter-notebook");
    assert_eq!(
        (&mine["enable_gpu"], &mine["machine_shape"]),
        (&true.into(), &"NvidiaTeslaT4".into())
    );
    assert_eq!((&mine["enable_internet"], &mine["is_private"]), (&true.into(), &true.into()));
    let plain = kaggle(false, None);
    assert_eq!((&plain["enable_gpu"], &plain["machine_shape"]), (&false.into(), &Value::Null));
    assert_eq!(plain["id"], "INSERT_USERNAME_HERE/aitk-starter-notebook");
    let lab = exported("studio-lab", Language::named("fr").unwrap(), true, None);
    let environment = lab.files.iter().find(|file| file.path == "environment.yml").unwrap();
    assert!(environment.content.contains("  - python=3.12\n  - ipykernel\n"));
}

#[test]
fn a_misspelt_platform_gets_the_nearest_name_or_all_of_them() {
    let targets = TargetList::builtin().unwrap();
    let error = targets.platform("kagle").unwrap_err();
    assert_eq!((error.code(), error.exit()), ("AITK-P06", Exit::Usage));
    assert_eq!(error.hint().unwrap(), "did you mean `--platform kaggle`?");
    let error = targets.platform("zeppelin").unwrap_err();
    assert_eq!(error.hint().unwrap(), "choose among: kaggle, colab, studio-lab");
}

#[test]
fn every_platform_has_an_offer_and_can_be_advised() {
    let (catalog, targets) = (Catalog::builtin().unwrap(), TargetList::builtin().unwrap());
    let texts = aitk_plan::Texts::english().unwrap();
    for (target, _) in targets.platforms() {
        let name = &target.name;
        assert!(catalog.offers.iter().any(|offer| offer.id == *name), "{name}");
        assert_ne!(texts.text(&format!("offer.{name}.limits")), "", "{name}");
    }
    let leaves = aitk_plan::Tree::builtin().unwrap().leaves;
    for leaf in &leaves {
        let Some(platform) = &leaf.platform else { continue };
        let is_project = targets.projects(&leaf.budget).any(|target| target.name == *platform);
        assert!(targets.platform(platform).is_ok() || is_project, "{platform}");
    }
}
