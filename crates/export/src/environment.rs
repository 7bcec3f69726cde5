//! `environment.yml`: the packages of a conda environment at their exact versions and builds, for conda and mamba.

use aitk_plan::Package;

use crate::conda::subdir;
use crate::quote::{comment, quoted, yaml};
use crate::{Export, ExportError, File, Source};

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let mut text = format!(
        "# The environment `{}` for {}:\n\
         #     conda env create -f environment.yml\n\
         # This form has no place for hashes; `aitk export pixi.toml` writes a lock that has them.\n\
         name: {}\nchannels:\n",
        comment(source.name()),
        comment(&subdir(source)),
        quoted(source.name()),
    );
    for channel in source.channels {
        text += &format!("  - {}\n", yaml(channel.trim_end_matches('/')));
    }
    // No channel of the reader's own configuration comes between.
    text += "  - nodefaults\ndependencies:\n";
    for step in source.layers() {
        text += &format!("  # {}\n", comment(&step.title.to_string()));
        for Package { name, version, build, .. } in &step.packages {
            let build = build.as_deref().unwrap_or("*");
            text += &format!("  - {}\n", yaml(&format!("{name}={version}={build}")));
        }
    }
    Ok(Export {
        files: vec![File::new("environment.yml", text)],
        without: vec!["system", "hashes"],
    })
}
