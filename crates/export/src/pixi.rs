//! `pixi.toml` and `pixi.lock`: a workspace whose lock has every package with its hash, for pixi.

use std::collections::BTreeSet;

use aitk_plan::step::{Environment, Layer};
use aitk_plan::{Action, Package};

use crate::conda::subdir;
use crate::quote::{comment, quoted, toml_key};
use crate::{Export, ExportError, File, Source};

/// The glibc that pixi takes for granted.
const GLIBC: (u32, u32) = (2, 28);

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let channels: Vec<_> = source.channels.iter().map(|channel| quoted(channel)).collect();
    let mut text = format!(
        "# The environment `{}`: what was asked for is here, and everything that it takes is in pixi.lock:\n\
         #     pixi install --locked\n\
         [workspace]\nname = {}\nchannels = [{}]\nplatforms = [{}]\n",
        comment(source.name()),
        quoted(source.name()),
        channels.join(", "),
        quoted(&subdir(source)),
    );
    text += &system_requirements(source);
    text += "\n[dependencies]\n";
    let asked_for = asked_for(source);
    for step in source.layers() {
        let is_asked_for = |package: &&Package| asked_for.contains(&package.name);
        let packages: Vec<_> = step.packages.iter().filter(is_asked_for).collect();
        if !packages.is_empty() {
            text += &format!("# {}\n", comment(&step.title.to_string()));
        }
        for Package { name, version, build, .. } in packages {
            let version = quoted(&format!("=={version}"));
            let build = quoted(build.as_deref().unwrap_or("*"));
            let name = toml_key(name);
            text += &format!("{name} = {{ version = {version}, build = {build} }}\n");
        }
    }
    let files = vec![File::new("pixi.toml", text), File::new("pixi.lock", source.environment_lock)];
    Ok(Export { files, without: vec!["system"] })
}

/// The names of what was asked for, by the budget and by hand.
fn asked_for(source: &Source<'_>) -> BTreeSet<String> {
    let steps = source.plan.steps.iter();
    let requirements = steps.flat_map(|step| match &step.action {
        Action::Layer(Layer { requirements }) => requirements.iter().collect::<Vec<_>>(),
        Action::Environment(Environment { layers, added, .. }) => {
            layers.iter().flat_map(|layer| &layer.requirements).chain(added).collect()
        }
        _ => Vec::new(),
    });
    requirements.map(|requirement| name_of(requirement)).collect()
}

/// The package that a match specification names: `python` of `conda-forge::python 3.12.*`.
fn name_of(requirement: &str) -> String {
    let name = requirement.rsplit("::").next().unwrap_or(requirement);
    let end = name.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
    name[..end.unwrap_or(name.len())].to_lowercase()
}

/// What packages need of a machine beyond what pixi takes for granted.
fn system_requirements(source: &Source<'_>) -> String {
    let needs: Vec<&str> = source
        .packages()
        .filter_map(|package| package.record.as_ref()?["depends"].as_array())
        .flatten()
        .filter_map(|need| need.as_str())
        .collect();
    let glibc = needs.iter().filter_map(|need| least(need.strip_prefix("__glibc ")?)).max();
    let has_cuda = needs.iter().any(|need| name_of(need) == "__cuda");
    let cuda = source.plan.accelerator.cuda.as_ref().filter(|_| has_cuda);
    let rows = [
        cuda.map(|cuda| format!("cuda = {}\n", quoted(cuda))),
        glibc
            .filter(|glibc| *glibc > GLIBC)
            .map(|(major, minor)| format!("libc = \"{major}.{minor}\"\n")),
    ];
    let rows: String = rows.into_iter().flatten().collect();
    if rows.is_empty() { rows } else { format!("\n[system-requirements]\n{rows}") }
}

/// The version that `>=2.28,<3.0.a0` begins with.
fn least(range: &str) -> Option<(u32, u32)> {
    let (major, minor) = range.split(',').next()?.strip_prefix(">=")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
