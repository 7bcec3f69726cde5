//! `script`: a shell script that does what the plan says, for a machine without aitk. Run again it does what is missing.
//!
//! What it builds is what aitk would have built, in the same place, so aitk can verify it, carry on and take it back.

use aitk_plan::step::Check;
use aitk_plan::{Action, CHECKS, Part, SET, STRAY, Status, Step};

use crate::quote::{comment, here_document, shell};
use crate::{Export, ExportError, File, Source};

/// How things are done: the part of every script that does not depend on the plan.
const MACHINE: &str = include_str!("../../../profiles/export/machine.sh");

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let file = File::program("aitk.sh", text(source));
    Ok(Export { files: vec![file], without: without(source) })
}

/// What a script cannot do: it depends on what is found on the machine.
pub(crate) fn without(source: &Source<'_>) -> Vec<&'static str> {
    let left_out = |step: &&Step| is_wanted(step) && call(source, step).is_none();
    let found = source.plan.steps.iter().any(|step| left_out(&step));
    [(found, "drivers"), (true, "versions")]
        .into_iter()
        .filter(|row| row.0)
        .map(|row| row.1)
        .collect()
}

/// The whole script.
pub(crate) fn text(source: &Source<'_>) -> String {
    let mut text = header(source);
    text += MACHINE;
    for (name, content) in
        [("lock", source.lock), ("generation", source.record), ("receipt", source.receipt)]
    {
        text += &format!("\n{name}() {{\n{}}}\n", here_document("    cat", content));
    }
    text += "\n# --- what is done, in this order --------------------------------------------------------------------------------\n";
    text += "\nonly_one\nfits_here\n";
    let mut steps = source.plan.steps.iter().filter(|step| is_wanted(step)).peekable();
    while let Some(step) = steps.next() {
        let Some(call) = call(source, step) else { continue };
        // The layers of an environment are installed from one lock, in one go.
        let mut together = vec![step];
        while let Some(next) = steps.next_if(|next| is_layer(step) && is_layer(next)) {
            together.push(next);
        }
        text += "\n";
        for why in together.iter().filter_map(|step| step.why.first()) {
            text += &format!("# {}\n", comment(&why.to_string()));
        }
        for step in together {
            text += &format!("step {}\n", shell(&step.title.to_string()));
        }
        text += &format!("{call}\n");
    }
    text + "\nprintf '\\nEverything is there, and works. To begin: %s\\n' \"$ENVS/current/bin/jupyter lab\"\n"
}

fn header(source: &Source<'_>) -> String {
    let plan = source.plan;
    let glibc = source.machine.libc.as_ref().filter(|libc| libc.family == "glibc");
    let values = [
        ("ENVIRONMENT", source.name()),
        ("GENERATION", source.generation()),
        ("PYTHON", source.python()),
        ("INTERPRETER", source.interpreter()),
        ("ARCHITECTURE", &source.machine.arch),
        ("GLIBC", glibc.and_then(|libc| libc.version.as_deref()).unwrap_or_default()),
        ("UV_VERSION", &source.catalog.uv.version),
        ("KERNEL", source.kernel()),
        ("KERNEL_DISPLAY", source.kernel_display()),
        ("VARIABLES", &SET.map(|(name, value)| format!("{name}={value}")).join(" ")),
        ("CLEARED", &STRAY.join(" ")),
        ("ACCELERATOR", &plan.accelerator.kind),
    ];
    let values: String =
        values.iter().map(|(name, value)| format!("readonly {name}={}\n", shell(value))).collect();
    format!(
        "#!/usr/bin/env bash\n\
         # The plan of aitk for the budget `{}`, as a script: brings a machine of this kind ({}) to what the plan says.\n\
         # Run it as the user who will work in the environment; sudo is asked where root is needed. It stops at the first\n\
         # thing that fails, and does what is missing when it is run again.\n\
         set -euo pipefail\n\n{values}",
        comment(&plan.budget),
        comment(&source.system()),
    )
}

/// Whether a step is part of the plan for the machine, whatever is done of it elsewhere.
pub(crate) fn is_wanted(step: &Step) -> bool {
    step.status != Status::Skipped
}

fn is_layer(step: &Step) -> bool {
    step.part() == Part::Layer
}

/// The line, or lines, that ensure a step; nothing where a script cannot.
fn call(source: &Source<'_>, step: &Step) -> Option<String> {
    let with = |function: &str, words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| shell(word)).collect();
        Some(format!("{function} {}", words.join(" ")).trim_end().to_owned())
    };
    match &step.action {
        Action::AptRepair(_) => with("repair_packages", &[]),
        Action::AptLists(lists) => with("refresh_lists", &[&lists.max_age_hours.to_string()]),
        Action::AptUpgrade(_) => with("upgrade_packages", &[]),
        Action::AptPackages(wanted) if source.goes_along(step) => {
            let packages: Vec<_> = wanted.packages.iter().map(String::as_str).collect();
            with("install_packages", &packages)
        }
        Action::SwapFile(swap) => with("add_swap", &[&swap.path, &swap.size.to_string()]),
        Action::Uv(_) => {
            let wheels = &source.catalog.uv.wheels;
            let wheel = wheels.iter().find(|wheel| wheel.arch == source.machine.arch)?;
            with("get_uv", &[&wheel.sha256])
        }
        Action::Environment(_) => with("create_environment", &[]),
        Action::Layer(_) => with("install_libraries", &[]),
        Action::Activate(_) => with("activate", &[]),
        Action::Kernelspec(kernel) => with("register_kernel", &[&kernel.name]),
        Action::Check(Check { script }) => {
            let (_, program) = CHECKS.iter().find(|(name, _)| name == script)?;
            Some(here_document("prove", program).trim_end().to_owned())
        }
        _ => None,
    }
}
