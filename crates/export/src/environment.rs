//! `environment.yml`: the packages of a conda environment at their exact versions and builds, for conda and mamba.

use aitk_plan::Package;

use crate::conda::{channels, quoted, subdir};
use crate::{Export, ExportError, File, Source};

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let mut text = format!(
        "# The environment `{}` for {}:\n\
         #     conda env create -f environment.yml\n\
         # This form has no place for hashes; `aitk export pixi.toml` writes a lock that has them.\n\
         name: {}\nchannels:\n",
        source.name(),
        subdir(source),
        quoted(source.name()),
    );
    let mut channels = channels(source);
    channels.sort_by_key(|channel| preference(source, channel));
    for channel in channels {
        text += &format!("  - {channel}\n");
    }
    // No channel of the reader's own configuration comes between.
    text += "  - nodefaults\ndependencies:\n";
    for step in source.layers() {
        text += &format!("  # {}\n", step.title);
        for Package { name, version, build, .. } in &step.packages {
            text += &format!("  - {name}={version}={}\n", build.as_deref().unwrap_or("*"));
        }
    }
    Ok(Export {
        files: vec![File::new("environment.yml", text)],
        without: vec!["system", "hashes"],
    })
}

/// Where a channel stands among those that were asked for, by name or by address.
fn preference(source: &Source<'_>, channel: &str) -> usize {
    let asked_for = &source.plan.choices.channels;
    let is_it = |name: &String| {
        let name = name.trim_end_matches('/');
        channel == name || channel.ends_with(&format!("/{name}"))
    };
    asked_for.iter().position(is_it).unwrap_or(asked_for.len())
}
