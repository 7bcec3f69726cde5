//! `dockerfile`: a folder that a container image is built from, with the layers in the order of the plan, so that another
//! framework does not build the libraries anew.

use aitk_plan::step::{Check, Environment, SwapFile};
use aitk_plan::{Action, CHECKS, ContainerGpu, Step};

use crate::quote::{comment, docker, docker_shell, file_part, shell};
use crate::script::is_wanted;
use crate::{Export, ExportError, File, Source};

/// The folder in the image that all of this is about.
const TEMPLATE: &str = include_str!("../../../profiles/export/dockerfile/Dockerfile");
const CHECK: &str = include_str!("../../../profiles/export/dockerfile/check.sh");
/// Only what the image is made of is sent to whoever builds it.
const IGNORED: &str = "*\n!pylock.*.toml\n!uv.txt\n!check\n!checks\n";

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let layers = source.layers().map(|step| Ok((step, lock(source, step)?)));
    let layers: Vec<_> = layers.collect::<Result<_, ExportError>>()?;
    let mut files = vec![
        File::new("Dockerfile", dockerfile(source, &layers)?),
        File::new("README.md", readme(source, "dockerfile")?),
        File::new(".dockerignore", IGNORED),
        File::new("uv.txt", format!("{}\n", source.uv())),
    ];
    files.extend(layers.into_iter().map(|(step, lock)| File::new(lock_name(step), lock)));
    files.push(File::program("check", check(source)));
    let program = |(script, text): (&str, &str)| File::new(format!("checks/{script}"), text);
    files.extend(checks(source).map(program));
    Ok(Export { files, without: without(source) })
}

/// What computes in the container; `None` for the processor alone.
///
/// # Errors
/// Where it is not known how a container reaches that.
pub(crate) fn gpu<'a>(source: &Source<'a>) -> Result<Option<&'a ContainerGpu>, ExportError> {
    let kind = source.plan.accelerator.kind.as_str();
    if kind == "none" {
        return Ok(None);
    }
    let row = source.catalog.images.accelerator.iter().find(|row| row.kind == kind);
    row.map(Some).ok_or_else(|| ExportError::NoImage { what: kind.to_owned() })
}

/// What lies beside it, for whoever builds and runs it.
///
/// # Errors
/// Where it is not known how a container reaches the GPU.
pub(crate) fn readme(source: &Source<'_>, target: &str) -> Result<String, ExportError> {
    let flags = gpu(source)?.map_or_else(String::new, |gpu| format!("{} ", gpu.run));
    Ok(source.readme(target, &[("GPU", &flags)]))
}

fn dockerfile(source: &Source<'_>, layers: &[(&Step, String)]) -> Result<String, ExportError> {
    let os = &source.machine.os;
    let base = source
        .catalog
        .images
        .image
        .iter()
        .find(|row| row.os == os.id && Some(&row.version) == os.version.as_ref())
        .ok_or_else(|| ExportError::NoImage { what: os.name.clone() })?;
    let gpu = gpu(source)?;
    let environment: String = gpu.map_or_else(String::new, |gpu| {
        let lines = gpu.environment.iter().map(|(name, value)| format!("{name}={}", docker(value)));
        format!(
            "\n# NVIDIA's toolkit for containers lends the driver; the CUDA libraries come with the framework.\n\
             ENV {}\n",
            lines.collect::<Vec<_>>().join(" \\\n    ")
        )
    });
    let (first, later): (Vec<_>, Vec<_>) =
        checks(source).map(|(script, _)| script).partition(|script| {
            gpu.is_none() || source.catalog.frameworks.iter().all(|row| row.check != *script)
        });
    let title = |is: fn(&Action) -> bool| {
        let step = source.plan.steps.iter().find(|step| is(&step.action));
        step.map_or_else(String::new, told)
    };
    let display = source.plan.steps.iter().find_map(|step| match &step.action {
        Action::Kernelspec(kernel) => Some(kernel.display.as_str()),
        _ => None,
    });
    let compiler = " Whoever compiles for CUDA takes one of NVIDIA's with the compiler.";
    Ok(source.fill(
        TEMPLATE,
        &[
            ("BASES", if gpu.is_some() { compiler } else { "" }),
            ("BASE", &docker(&base.name)),
            ("ENVIRONMENT", &environment),
            ("PACKAGES", &packages(source)),
            ("UV", &title(|action| matches!(action, Action::Uv(_)))),
            ("LAYERS", &installed(source, layers)),
            ("KERNEL", &title(|action| matches!(action, Action::Kernelspec(_)))),
            ("NAME", &docker_shell(source.kernel())),
            ("DISPLAY", &docker_shell(display.unwrap_or_default())),
            (
                "LATER",
                if later.is_empty() {
                    ""
                } else {
                    " What needs a GPU is proven by a container that has one."
                },
            ),
            ("PROVEN", &names(&first)),
            ("LABEL", &label(&source.plan.budget)),
            ("GENERATION", &label(source.generation())),
        ],
    ))
}

/// What a step is and why, on one line.
fn told(step: &Step) -> String {
    let text = match step.why.first() {
        Some(why) => format!("{}: {why}.", step.title),
        None => format!("{}.", step.title),
    };
    comment(&text)
}

/// A value in the quotes that labels have.
fn label(text: &str) -> String {
    let value = docker(text);
    if value.starts_with('"') { value } else { format!("\"{value}\"") }
}

/// The system's packages, in one layer: each needs the lists of the others.
fn packages(source: &Source<'_>) -> String {
    let mut text = String::new();
    let mut commands = vec!["export DEBIAN_FRONTEND=noninteractive".to_owned()];
    for step in source.plan.steps.iter().filter(|step| source.goes_along(step)) {
        commands.push(match &step.action {
            Action::AptLists(_) => "apt-get -o APT::Update::Error-Mode=any update".to_owned(),
            Action::AptUpgrade(_) => "apt-get -y upgrade --with-new-pkgs".to_owned(),
            Action::AptPackages(wanted) => {
                let packages: Vec<_> =
                    wanted.packages.iter().map(|name| docker_shell(name)).collect();
                format!("apt-get -y install --no-install-recommends {}", packages.join(" "))
            }
            _ => continue,
        });
        text += &format!("# {}\n", told(step));
    }
    if text.is_empty() {
        return text;
    }
    commands.push("apt-get clean".to_owned());
    commands.push("rm -rf /var/lib/apt/lists/*".to_owned());
    // The archive keeps the newest versions only, so none can be named.
    format!("\n{text}# hadolint ignore=DL3008\nRUN {}\n", commands.join(" \\\n    && "))
}

/// The environment and the layers in it, each from a lock of its own.
fn installed(source: &Source<'_>, layers: &[(&Step, String)]) -> String {
    let environment = source.plan.find::<Environment>().map(|(step, _)| step);
    let mut text = format!(
        "\n# {}\nRUN uv venv --no-project --no-config --python {} --prompt {} /home/aitk/env\n",
        environment.map_or_else(String::new, told),
        docker_shell(source.python()),
        docker_shell(source.name()),
    );
    for (step, _) in layers {
        let lock = lock_name(step);
        text += &format!(
            "\n# {}\nCOPY {lock} /opt/aitk/\n\
             RUN --mount=type=cache,target=/var/cache/uv,uid=1000,gid=1000 \\\n    \
             uv pip install --cache-dir /var/cache/uv --compile-bytecode --no-deps --requirement /opt/aitk/{lock}\n",
            told(step),
        );
    }
    text
}

/// As PEP 751 allows it: there is one dot on either side of the name.
fn lock_name(step: &Step) -> String {
    format!("pylock.{}.toml", file_part(&step.id))
}

/// The part of the lock that one step installs, as it is written there.
///
/// # Errors
/// Where a text in the lock reads like another part of it.
fn lock(source: &Source<'_>, step: &Step) -> Result<String, ExportError> {
    const PACKAGE: &str = "[[packages]]\n";
    let mut parts = source.lock.split(PACKAGE);
    let head = parts.next().and_then(|head| head.split("\n\n").next()).unwrap_or_default();
    let layer = format!("\nlayer = \"{}\"\n", step.id);
    let packages: Vec<_> = parts.filter(|package| package.contains(&layer)).collect();
    let count = packages.len();
    let lock = packages.into_iter().fold(format!("{}\n", head.trim_end()), |lock, package| {
        format!("{lock}\n{PACKAGE}{}\n", package.trim_end())
    });
    let read: toml::Table = lock.parse().map_err(|_| ExportError::Layers)?;
    let listed =
        read.get("packages").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_of_it = |package: &toml::Value| {
        let layer = package.get("tool").and_then(|tool| tool.get("aitk")?.get("layer")?.as_str());
        layer == Some(&step.id)
    };
    match listed.len() == count && listed.iter().all(is_of_it) {
        true => Ok(lock),
        false => Err(ExportError::Layers),
    }
}

/// The proofs, each by the name of its file and with its text, in the order of the plan.
fn checks<'a>(source: &Source<'a>) -> impl Iterator<Item = (&'static str, &'static str)> + use<'a> {
    let steps: &'a [Step] = &source.plan.steps;
    steps.iter().filter(|step| is_wanted(step)).filter_map(|step| match &step.action {
        Action::Check(Check { script }) => CHECKS.iter().copied().find(|(name, _)| name == script),
        _ => None,
    })
}

/// The names of proofs, as `check` takes them.
fn names(scripts: &[&str]) -> String {
    let names: Vec<_> = scripts.iter().map(|script| script.trim_end_matches(".py")).collect();
    names.join(" ")
}

fn check(source: &Source<'_>) -> String {
    let scripts: Vec<_> = checks(source).map(|(script, _)| script).collect();
    source.fill(
        CHECK,
        &[
            ("KERNEL", &shell(source.kernel())),
            ("ACCELERATOR", &shell(&source.plan.accelerator.kind)),
            ("CHECKS", &names(&scripts)),
        ],
    )
}

/// What an image leaves out of a plan.
pub(crate) fn without(source: &Source<'_>) -> Vec<&'static str> {
    let has = |what: &dyn Fn(&Step) -> bool| {
        source.plan.steps.iter().any(|step| is_wanted(step) && what(step))
    };
    let is_swap = |step: &Step| step.is::<SwapFile>();
    let is_machines = |step: &Step| match &step.action {
        Action::AptPackages(_) => !source.goes_along(step),
        action => action.facts().changes_system && !is_swap(step),
    };
    [(has(&is_machines), "drivers"), (has(&is_swap), "swap"), (true, "versions")]
        .into_iter()
        .filter(|row| row.0)
        .map(|row| row.1)
        .collect()
}
