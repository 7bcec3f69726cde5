//! `devcontainer`: the container image for editors that know dev containers, to be laid into a project.

use serde_json::{Map, Value, json};

use crate::{Export, ExportError, File, Source, dockerfile};

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let mut export = dockerfile::render(source)?;
    let settings = json!({ "python.defaultInterpreterPath": "/home/aitk/env/bin/python" });
    let extensions = ["ms-python.python", "ms-toolsai.jupyter"];
    let mut all = Map::from_iter([
        ("name".to_owned(), format!("aitk: {}", source.name()).into()),
        ("build".to_owned(), json!({ "dockerfile": "Dockerfile" })),
        ("remoteUser".to_owned(), "aitk".into()),
        // The editor's own command takes the place of JupyterLab, so there is nothing to look after.
        ("runArgs".to_owned(), json!(["--init", "--no-healthcheck"])),
        ("forwardPorts".to_owned(), json!([8888])),
        ("portsAttributes".to_owned(), json!({ "8888": { "label": "JupyterLab" } })),
        (
            "customizations".to_owned(),
            json!({ "vscode": { "extensions": extensions, "settings": settings } }),
        ),
    ]);
    if dockerfile::gpu(source)?.is_some() {
        all.insert("hostRequirements".to_owned(), json!({ "gpu": true }));
    }
    let mut text = serde_json::to_string_pretty(&Value::Object(all)).unwrap_or_default();
    text.push('\n');
    export.files.retain(|file| file.path != "README.md");
    export.files.insert(0, File::new("devcontainer.json", text));
    export.files.insert(1, File::new("README.md", dockerfile::readme(source, "devcontainer")?));
    for file in &mut export.files {
        file.path.insert_str(0, ".devcontainer/");
    }
    Ok(export)
}
