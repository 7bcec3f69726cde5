//! `notebook`: cells that say where they run, install from the lock what is missing there, train, save and track. For a
//! platform of hosted notebooks it has that platform's metadata, and what the platform wants beside it.

use aitk_plan::step::Environment;
use aitk_plan::{BuildRequest, LayerRequest, Platform, PlatformFile, Texts};
use serde_json::{Map, Value, json};

use crate::quote::quoted;
use crate::{Export, ExportError, File, Source};

/// The name of the notebook: its title in small letters with hyphens, as Kaggle wants it.
pub const NAME: &str = "aitk-starter-notebook";
const TITLE: &str = "aitk starter notebook";

/// Stands for the owner of a notebook who is not known, as Kaggle's client has it in its own templates.
const NOBODY: &str = "INSERT_USERNAME_HERE";

/// A cell with code, and a text above it. «holes» are filled in: words that are read with the text of that name below
/// `notebook`, capitals with data.
struct Cell {
    name: &'static str,
    code: &'static str,
    /// What the lock must hold for it.
    needs: &'static [&'static str],
    /// Whether it is folded: it is long, and nobody reads it.
    folded: bool,
}

impl Cell {
    const fn new(name: &'static str, code: &'static str) -> Self {
        Self { name, code, needs: &[], folded: false }
    }

    const fn with(name: &'static str, code: &'static str, needs: &'static [&'static str]) -> Self {
        Self { needs, ..Self::new(name, code) }
    }
}

const CELLS: [Cell; 7] = [
    Cell::new("platform", include_str!("../../../profiles/notebook/platform.py")),
    Cell { folded: true, ..Cell::new("lock", include_str!("../../../profiles/notebook/lock.py")) },
    Cell::new("packages", include_str!("../../../profiles/notebook/packages.py")),
    Cell::new("storage", include_str!("../../../profiles/notebook/storage.py")),
    Cell::with("train", include_str!("../../../profiles/notebook/train.py"), &["scikit-learn"]),
    Cell::with("save", include_str!("../../../profiles/notebook/save.py"), &["scikit-learn"]),
    Cell::with(
        "track",
        include_str!("../../../profiles/notebook/track.py"),
        &["scikit-learn", "mlflow"],
    ),
];

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let metadata = json!({
        "kernelspec": { "display_name": "Python 3", "language": "python", "name": "python3" },
        "language_info": { "name": "python" },
    });
    let framework = source.plan.framework.is_some().then_some("framework");
    Ok(Export {
        files: vec![File::new(format!("{NAME}.ipynb"), notebook(source, metadata))],
        without: framework.into_iter().chain(["host"]).collect(),
    })
}

/// The notebook for a platform, with what goes beside it. `owner` is the user's name there, where it is known.
///
/// # Errors
/// Where the lock has what no list of packages can hold.
pub fn hosted(
    source: &Source<'_>,
    platform: &Platform,
    gpu: bool,
    owner: Option<&str>,
) -> Result<Export, ExportError> {
    source.fits()?;
    let laid = |base: &Map<String, Value>, over: &Map<String, Value>| {
        let mut all = Value::Object(base.clone());
        if gpu {
            lay(&mut all, over);
        }
        all
    };
    let named = |text: &str| {
        text.replace("«name»", NAME)
            .replace("«title»", TITLE)
            .replace("«owner»", owner.unwrap_or(NOBODY))
            .replace("«python»", &platform.python)
    };
    let mut metadata = laid(&platform.notebook, &platform.notebook_gpu);
    metadata["language_info"] = json!({ "name": "python" });
    let beside = |file: &PlatformFile| {
        let text = match &file.text {
            Some(text) => text.clone(),
            None => pretty(&laid(&file.json, &file.json_gpu)),
        };
        File::new(&file.path, named(&text))
    };
    let notebook = named(&notebook(source, metadata));
    let notebook = File::new(format!("{NAME}.ipynb"), notebook);
    let files = [notebook].into_iter().chain(platform.files.iter().map(beside)).collect();
    Ok(Export { files, without: Vec::new() })
}

/// Lays a value over another: what both have counts as the upper one has it.
fn lay(base: &mut Value, over: &Map<String, Value>) {
    for (key, value) in over {
        match value {
            Value::Object(inner) if base[key].is_object() => lay(&mut base[key], inner),
            value => base[key] = value.clone(),
        }
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The notebook in the form of nbformat 4.5. Its cells have names for ids, so the same plan gives the same bytes.
fn notebook(source: &Source<'_>, metadata: Value) -> String {
    let (texts, data) = (source.texts, data(source));
    let holds = |name: &&str| source.packages().any(|package| package.name == **name);
    let mut cells = vec![text("title", texts)];
    for cell in CELLS.iter().filter(|cell| cell.needs.iter().all(holds)) {
        let folded = json!({ "cellView": "form", "jupyter": { "source_hidden": true } });
        cells.push(text(cell.name, texts));
        cells.push(json!({
            "cell_type": "code",
            "execution_count": null,
            "id": cell.name,
            "metadata": if cell.folded { folded } else { json!({}) },
            "outputs": [],
            "source": lines(&filled(cell.code, texts, &data)),
        }));
    }
    pretty(&json!({ "cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5 }))
}

/// A cell with a text.
fn text(name: &str, texts: &Texts) -> Value {
    json!({
        "cell_type": "markdown",
        "id": format!("{name}-text"),
        "metadata": {},
        "source": lines(texts.text(&format!("notebook.text.{name}"))),
    })
}

/// Lines with their ends, without the last end.
fn lines(text: &str) -> Vec<&str> {
    text.trim_end().split_inclusive('\n').collect()
}

/// The code of a cell with its holes filled.
fn filled(code: &str, texts: &Texts, data: &[(&str, String)]) -> String {
    let mut parts = code.split('«');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (hole, rest) = part.split_once('»').unwrap_or_default();
        match data.iter().find(|(name, _)| *name == hole) {
            Some((_, value)) => filled += value,
            None => filled += texts.text(&format!("notebook.{hole}")),
        }
        filled += rest;
    }
    filled
}

/// What the cells are filled with besides words. Lists of texts look the same in JSON and in Python.
fn data(source: &Source<'_>) -> [(&'static str, String); 7] {
    let platforms = &source.catalog.platforms;
    let rows = platforms.all.iter().map(|platform| {
        let mount = platform.mount.as_deref().unwrap_or_default();
        let Platform { name, sign, folder, keeps, .. } = platform;
        json!({ "name": name, "sign": sign, "folder": folder, "mount": mount, "keeps": keeps })
    });
    let rows: Vec<_> = rows.map(|row| format!("{row},")).collect();
    let steps: Vec<_> = layers(source).map(|layer| layer.step.as_str()).collect();
    let packages = source.layers().filter(|step| steps.contains(&step.id.as_str()));
    let mut lock: Vec<_> = packages
        .flat_map(|step| &step.packages)
        .map(|package| {
            let hash = package.sha256.as_deref().map(|hash| format!(" --hash=sha256:{hash}"));
            format!("{}=={}{}", package.name, package.version, hash.unwrap_or_default())
        })
        .collect();
    lock.sort();
    let wanted = layers(source).flat_map(|layer| &layer.requirements).map(|one| project(one));
    let wanted: Vec<_> = wanted.filter(|name| !platforms.kernel.keeps.contains(name)).collect();
    [
        ("NAME", NAME.to_owned()),
        ("PLATFORMS", rows.join("\n    ")),
        ("WANTED", json!(wanted).to_string()),
        ("KEEPS", json!(platforms.kernel.keeps).to_string()),
        ("PYTHON", quoted(source.python())),
        ("MACHINE", quoted(&source.machine.arch)),
        ("LOCK", lock.join("\n")),
    ]
}

/// What the layers ask for, but for the framework's: which build fits depends on where the notebook runs.
fn layers<'a>(source: &Source<'a>) -> impl Iterator<Item = &'a LayerRequest> {
    source.plan.find::<Environment>().into_iter().flat_map(|(_, environment)| {
        let Environment { layers, builds, .. } = environment;
        let is_framework = |layer: &LayerRequest| {
            builds.iter().any(|build: &BuildRequest| build.requirements == layer.requirements)
        };
        layers.iter().filter(move |layer| !is_framework(layer))
    })
}

/// The project that a requirement names, as PEP 503 compares names.
fn project(requirement: &str) -> String {
    let is_name = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name: String = requirement.chars().take_while(is_name).collect();
    name.to_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aitk_detect::Machine;
    use aitk_plan::step::Layer;
    use aitk_plan::{Action, Catalog, Choices, Language, Manager, Package, Plan, Profile, plan};

    use super::*;

    /// The plan of hosted notebooks with its packages, each in the layer that asks for it.
    fn planned(catalog: &Catalog, machine: &Machine) -> Plan {
        let profile = Profile::builtin("free").unwrap();
        let choices = Choices { python: Some("3.12".to_owned()), ..Choices::default() };
        let mut plan = plan(machine, &profile, &choices, Manager::Venv, catalog);
        for step in &mut plan.steps {
            if let Action::Layer(Layer { requirements }) = &step.action {
                let package = |name: &String| Package {
                    name: project(name),
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
        let catalog = Catalog::builtin().unwrap();
        let platform = catalog.platform(name).unwrap();
        let machine = platform.machine();
        let texts = Texts::of_files(language).unwrap();
        let memory = Profile::builtin("free").unwrap().memory;
        let plan = planned(&catalog, &machine);
        let source = Source::unresolved(&plan, &machine, &catalog, &texts, memory);
        hosted(&source, platform, gpu, owner).unwrap()
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
    fn every_hole_is_filled_in_every_language_and_every_word_stands_somewhere() {
        for language in Language::ALL {
            let texts = Texts::of_files(language).unwrap();
            let export = exported("kaggle", language, true, None);
            for file in &export.files {
                assert!(!file.content.contains(['«', '»']), "{}", file.content);
            }
            let holes = |cell: &Cell| -> Vec<String> {
                let parts = cell.code.split('«').skip(1);
                parts.map(|part| part.split('»').next().unwrap().to_owned()).collect()
            };
            let used: Vec<_> = CELLS.iter().flat_map(holes).collect();
            for hole in used.iter().filter(|hole| hole.contains('.')) {
                let words = texts.text(&format!("notebook.{hole}"));
                assert!(!words.is_empty(), "{language:?}: {hole}");
                // They stand in texts of Python's.
                assert!(!words.contains(['"', '\\', '{', '\n']), "{language:?}: {words}");
            }
            let names: Vec<_> = CELLS.iter().map(|cell| cell.name).chain(["title"]).collect();
            for key in texts.all().keys().filter_map(|key| key.strip_prefix("notebook.")) {
                let stands = match key.strip_prefix("text.") {
                    Some(name) => names.contains(&name),
                    None => used.iter().any(|hole| hole == key),
                };
                assert!(stands, "nothing says {key}");
            }
        }
    }

    #[test]
    fn the_notebook_pins_what_is_wanted_and_its_ids_are_names() {
        let export = exported("colab", Language::English, true, None);
        assert_eq!(export, exported("colab", Language::English, true, None));
        let notebook = json_of(&export, "aitk-starter-notebook.ipynb");
        let code = code(&notebook);
        let hash = "ab".repeat(32);
        assert!(code.contains(&format!("\nmlflow==1.0 --hash=sha256:{hash}\n")), "{code}");
        let wanted =
            "WANTED = [\"numpy\",\"pandas\",\"scipy\",\"scikit-learn\",\"matplotlib\",\"mlflow\"]";
        assert!(code.contains(wanted), "{code}");
        assert!(code.contains("PYTHON, MACHINE = \"3.12\", \"x86_64\""), "{code}");
        assert_eq!((&notebook["nbformat"], &notebook["nbformat_minor"]), (&4.into(), &5.into()));
        let cells = notebook["cells"].as_array().unwrap();
        let ids: BTreeSet<_> = cells.iter().map(|cell| cell["id"].as_str().unwrap()).collect();
        assert_eq!((cells.len(), ids.len()), (15, 15));
    }

    #[test]
    fn a_platform_gets_its_own_metadata_with_a_gpu_and_without() {
        let colab = |gpu| {
            let export = exported("colab", Language::English, gpu, None);
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
            let export = exported("kaggle", Language::English, gpu, owner);
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
        let lab = exported("studio-lab", Language::French, true, None);
        let environment = lab.files.iter().find(|file| file.path == "environment.yml").unwrap();
        assert!(environment.content.contains("  - python=3.12\n  - ipykernel\n"));
    }

    #[test]
    fn names_of_requirements_are_compared_as_indexes_do() {
        assert_eq!(project("Scikit_Learn[alldeps]>=1.5 ; python_version > '3'"), "scikit-learn");
    }
}
