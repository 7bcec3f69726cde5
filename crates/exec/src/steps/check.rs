//! A proof succeeds: a script that computes something whose answer is known, run by the environment's own Python.

use std::time::Duration;

use aitk_env::Depth;
use aitk_plan::{Action, CHECKS, Plan, Step, digest_of};
use aitk_system::Command;

use super::{Check, Exact, Kind, Made, Work};
use crate::context::{Context, environment, no_log};
use crate::error::ExecError;
use crate::report::Event;

pub(super) struct Proof;

/// How long a proof may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(300);

fn script(step: &Step) -> Result<&'static str, ExecError> {
    let Action::Check { script } = &step.action else { return Ok("") };
    let known = CHECKS.iter().find(|(name, _)| name == script);
    known
        .map(|(_, text)| *text)
        .ok_or_else(|| ExecError::StillMissing { reason: format!("there is no script `{script}`") })
}

/// What a success would prove: this script, on this generation and what computes there.
fn claim(cx: &Context<'_>, plan: &Plan, step: &Step) -> Option<String> {
    let (generation, _) = cx.environments(&environment(plan)?).current(cx.system)?;
    let claim = format!("{} {}", generation.name(), digest_of(&script(step).ok()?));
    Some(match plan.accelerator.kind.as_str() {
        "none" => claim,
        kind => format!("{claim} {kind}"),
    })
}

/// Runs the script; `Ok` holds what it says was proven.
fn prove(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    log: std::path::PathBuf,
    keep_bytecode: bool,
) -> Result<String, ExecError> {
    let Some(spec) = environment(plan) else { return Ok(String::new()) };
    let python = cx.environments(&spec).current_path().join("bin/python");
    let kernel = plan.steps.iter().find_map(|step| match &step.action {
        Action::Kernelspec { name, .. } => Some(name.as_str()),
        _ => None,
    });
    // The script is handed over in a variable: a file would have to be written, which a verification must not.
    let mut command = Command::reads([python.to_string_lossy().as_ref(), "-c"])
        .arg("import os; exec(compile(os.environ['AITK_CHECK'], 'check', 'exec'))")
        .env("AITK_CHECK", script(step)?)
        .env("AITK_KERNEL", kernel.unwrap_or_default())
        .env("AITK_ACCELERATOR_KIND", &plan.accelerator.kind)
        .env("PYTHONNOUSERSITE", "1")
        .env("PYTHONPATH", "")
        .env("PYTHONHOME", "")
        .env("PYTHONUTF8", "1")
        .env("TF_CPP_MIN_LOG_LEVEL", "3")
        .timeout(LIMIT);
    for (name, value) in chosen_devices(cx, plan) {
        command = command.env(name, &value);
    }
    if !keep_bytecode {
        command = command.env("PYTHONDONTWRITEBYTECODE", "1");
    }
    let output = cx.system.run(&command.log(&log))?;
    if output.success() {
        // A line for each device.
        let said = output.stdout.trim().to_owned();
        cx.memo().said.insert(step.id.clone(), said.clone());
        Ok(said)
    } else {
        let log = (log != no_log()).then_some(log);
        Err(ExecError::CheckFailed { reason: output.tail(3), log })
    }
}

/// What makes programs see the devices that were chosen and no other one of their maker; nothing where all were.
fn chosen_devices(cx: &Context<'_>, plan: &Plan) -> Vec<(&'static str, String)> {
    let (maker, variable) = match plan.accelerator.kind.as_str() {
        "cuda" => ("nvidia", "CUDA_VISIBLE_DEVICES"),
        "rocm" => ("amd", "HIP_VISIBLE_DEVICES"),
        _ => return Vec::new(),
    };
    // Both are in the order of the PCI bus.
    let gpus = cx.machine.gpus.iter().enumerate().filter(|(_, gpu)| gpu.vendor == maker);
    let chosen: Vec<bool> = gpus.map(|(index, _)| plan.accelerator.gpus.contains(&index)).collect();
    if chosen.iter().all(|is_it| *is_it) || !chosen.contains(&true) {
        return Vec::new();
    }
    let numbers = chosen.iter().enumerate().filter(|(_, is_it)| **is_it);
    let numbers: Vec<_> = numbers.map(|(number, _)| number.to_string()).collect();
    vec![("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned()), (variable, numbers.join(","))]
}

impl Kind for Proof {
    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Check, ExecError> {
        let claim = claim(cx, plan, step);
        let proven = cx.memo().receipt.proofs.get(&step.id).cloned();
        Ok(if claim.is_some() && claim == proven {
            Check::Holds
        } else {
            Check::missing("it has not been proven for this environment")
        })
    }

    fn resolve(&self, _: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Action::Check { script } = &step.action else { return Ok(Exact::one(step.clone())) };
        let commands = vec![format!("aitk run -- python {script}")];
        Ok(Exact::one(Step { commands, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        if cx.dry {
            return Ok(Vec::new());
        }
        // The first run leaves bytecode behind, so that the user's first start is fast.
        let said = prove(cx, work.plan, work.step, work.log.clone(), true)?;
        work.reporter.event(&Event::Message { step: &work.step.id, text: &said });
        if let Some(claim) = claim(cx, work.plan, work.step) {
            cx.memo().receipt.proofs.insert(work.step.id.clone(), claim);
        }
        Ok(Vec::new())
    }

    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        _: Depth,
    ) -> Result<Check, ExecError> {
        match prove(cx, plan, step, no_log(), false) {
            Ok(_) => Ok(Check::Holds),
            Err(ExecError::CheckFailed { reason, .. }) => Ok(Check::missing(reason)),
            Err(ExecError::Run(error)) => Ok(Check::missing(error.to_string())),
            Err(error) => Err(error),
        }
    }
}
