//! `requirements.txt`: exactly the wheels of the lock, each with its hash, for pip and uv.

use aitk_plan::{Package, Phase, Plan, Step};

use crate::quote::comment;
use crate::{Export, ExportError, File, Source};

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let libc = source.machine.libc.as_ref();
    let libc = libc.map_or_else(String::new, |libc| {
        format!(" with {} {}", libc.family, libc.version.as_deref().unwrap_or_default())
    });
    let mut text = format!(
        "# The environment `{}` for Python {} on {}{}:\n\
         #     pip install --require-hashes -r requirements.txt\n\
         #     uv pip install --require-hashes -r requirements.txt\n\
         --only-binary :all:\n",
        comment(source.name()),
        comment(source.python()),
        comment(&source.machine.arch),
        comment(&libc),
    );
    for step in source.layers() {
        text += &format!("\n# {}\n", comment(&step.title.to_string()));
        for package in &step.packages {
            text += &line(package, by_address(source.plan, step));
        }
    }
    Ok(Export { files: vec![File::new("requirements.txt", text)], without: vec!["system"] })
}

fn line(package: &Package, by_address: bool) -> String {
    let Package { name, version, .. } = package;
    let what = match &package.url {
        Some(url) if by_address => format!("{name} @ {url}"),
        _ => format!("{name}=={version}"),
    };
    let hash = package.sha256.as_deref().unwrap_or_default();
    format!("{what} \\\n    --hash=sha256:{hash}\n")
}

/// Whether the packages of a step may come from an index of the framework's own. These are named by their addresses: of
/// two indexes, pip takes a version from either and uv looks for it in the first alone, which need not have it.
fn by_address(plan: &Plan, step: &Step) -> bool {
    match plan.framework.as_ref().map(|framework| framework.source.as_str()) {
        None | Some("index") => false,
        // uv takes nothing but the framework and what it computes with from PyTorch's.
        Some(source) if source.starts_with("torch-backend ") => step.phase == Phase::Accelerator,
        Some(_) => true,
    }
}
