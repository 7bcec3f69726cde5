//! A proof succeeds: a script that computes something whose answer is known, run by the environment's own Python.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aitk_env::Depth;
use aitk_plan::step::{self, Kernelspec};
use aitk_plan::{CHECKS, Plan, Step, digest_of};
use aitk_system::{Command, Failure, Fault, Message, message};

use super::kernelspec::content;
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Remedy, Work, base};
use serde::Deserialize;

use crate::context::{Context, backend_of, no_log};
use crate::error::ExecError;
use crate::report::Event;

/// How long a proof may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(300);

fn script(proof: &step::Check) -> Result<&'static str, ExecError> {
    let script = &proof.script;
    let known = CHECKS.iter().find(|(name, _)| name == script);
    known.map(|(_, text)| *text).ok_or_else(|| ExecError::StillMissing {
        reason: message!("there is no script `{script}`"),
    })
}

/// The environment that a plan means, which is proven before it is the one in use.
pub(super) struct Proven {
    /// Where it is reached: by the link that its user takes, once that leads to it.
    pub prefix: PathBuf,
    /// Whether it is the one in use.
    in_use: bool,
}

pub(super) fn proven(cx: &Context<'_>, plan: &Plan) -> Option<Proven> {
    let wanted = plan.environment()?;
    let (generation, _) = cx.built(wanted)?;
    let environments = cx.environments(wanted);
    let in_use = environments.in_use(cx.system, &generation);
    let prefix = if in_use { environments.current_path() } else { generation.path().to_owned() };
    Some(Proven { prefix, in_use })
}

/// What a success would prove: this script, on the files that stand in the environment, and what computes there.
fn claim(cx: &Context<'_>, plan: &Plan, proof: &step::Check) -> Option<String> {
    let (generation, _) = cx.built(plan.environment()?)?;
    let standing = cx.standing(&generation)?;
    let claim = format!("{} {standing} {}", generation.folder(), digest_of(&script(proof).ok()?));
    Some(match plan.accelerator.kind.as_str() {
        "none" => claim,
        kind => format!("{claim} {kind}"),
    })
}

/// Runs the script as its user will run programs there; `Ok` holds what it says was proven.
fn prove(
    cx: &Context<'_>,
    plan: &Plan,
    (step, proof): (&Step, &step::Check),
    log: PathBuf,
    keep_bytecode: bool,
) -> Result<Message, ExecError> {
    let there = plan.environment().zip(proven(cx, plan));
    let Some((wanted, Proven { prefix, in_use, .. })) = there else {
        let reason = message!("there is no environment to prove it on");
        return Err(ExecError::CheckFailed { reason, fault: None, log: None });
    };
    // The script is handed over in a variable: a file would have to be written, which a verification must not.
    let mut command = Command::reads([prefix.join("bin/python").to_string_lossy(), "-c".into()])
        .arg("import os; exec(compile(os.environ['AITK_CHECK'], 'check', 'exec'))")
        .env("AITK_CHECK", script(proof)?)
        .env("AITK_ACCELERATOR_KIND", &plan.accelerator.kind)
        .env("AITK_SAY", "json")
        .env("PYTHONUTF8", "1")
        .env("TF_CPP_MIN_LOG_LEVEL", "3")
        .timeout(LIMIT);
    for (name, value) in
        kernel(cx, plan, &prefix, in_use)?.into_iter().chain(chosen_devices(cx, plan))
    {
        command = command.env(name, &value);
    }
    if !keep_bytecode {
        command = command.env("PYTHONDONTWRITEBYTECODE", "1");
    }
    let inside = backend_of(wanted).inside(&wanted.name, &prefix, &base::folder(cx, plan));
    let output = cx.system.run(&inside.enter(cx.system, command).log(&log))?;
    if output.success() {
        // A line for each device.
        let said = Message::lines(output.stdout.trim().lines().map(said));
        cx.memo().said.insert(step.id.clone(), said.clone());
        Ok(said)
    } else {
        let log = (log != no_log()).then_some(log);
        Err(ExecError::CheckFailed {
            reason: Message::lines(output.tail(3).lines().map(said)),
            fault: Fault::in_words(&output.stderr).or_else(|| Fault::in_words(&output.stdout)),
            log,
        })
    }
}

/// A line that a script has printed: a message where it is one (see `profiles/checks/say.py`), else what others say.
fn said(line: &str) -> Message {
    #[derive(Deserialize)]
    struct Said {
        say: String,
        held: BTreeMap<String, String>,
    }
    match serde_json::from_str::<Said>(line) {
        Ok(Said { say, held }) => {
            let held = held.into_iter().map(|(name, text)| (name.into(), Message::plain(text)));
            Message::said(say, held.collect())
        }
        Err(_) => Message::plain(line),
    }
}

/// What a script is told of the environment's kernel: its name, and what its file will say as long as it does not stand
/// where Jupyter looks for it.
fn kernel(
    cx: &Context<'_>,
    plan: &Plan,
    prefix: &Path,
    in_use: bool,
) -> Result<Vec<(&'static str, String)>, ExecError> {
    let Some((step, kernel)) = plan.find::<Kernelspec>() else { return Ok(Vec::new()) };
    let mut told = vec![("AITK_KERNEL", kernel.name.clone())];
    if !in_use || kernel.check(cx, plan, step)? != CheckOutcome::Holds {
        let content = content(cx, plan, kernel, prefix).unwrap_or_default();
        told.push(("AITK_KERNELSPEC", String::from_utf8_lossy(&content).into_owned()));
    }
    Ok(told)
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
    if chosen.iter().all(|is_match| *is_match) || !chosen.contains(&true) {
        return Vec::new();
    }
    let numbers = chosen.iter().enumerate().filter(|(_, is_match)| **is_match);
    let numbers: Vec<_> = numbers.map(|(number, _)| number.to_string()).collect();
    vec![("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned()), (variable, numbers.join(","))]
}

impl Ensure for step::Check {
    fn verified(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Message {
        // What it has said tells more than what it is called.
        cx.said().remove(&step.id).unwrap_or_else(|| step.title.clone())
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<CheckOutcome, ExecError> {
        let claim = claim(cx, plan, self);
        let proven = cx.memo().receipt.proofs.get(&step.id).cloned();
        Ok(if claim.is_some() && claim == proven {
            CheckOutcome::Holds
        } else {
            CheckOutcome::missing(message!("it has not been proven for this environment"))
        })
    }

    fn resolve(&self, _: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let commands = vec![Message::plain(format!("aitk run -- python {}", self.script))];
        Ok(Exact::one(Step { commands, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        if cx.dry {
            return Ok(Vec::new());
        }
        // The first run leaves bytecode behind, so that the user's first start is fast.
        let said = prove(cx, work.plan, (work.step, self), work.log.clone(), true)?;
        work.reporter.event(&Event::Message { step: &work.step.id, text: &said });
        if let Some(claim) = claim(cx, work.plan, self) {
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
    ) -> Result<CheckOutcome, ExecError> {
        let failed = match prove(cx, plan, (step, self), no_log(), false) {
            Ok(_) => return Ok(CheckOutcome::Holds),
            Err(ExecError::CheckFailed { reason, .. }) => reason,
            Err(ExecError::System(Failure::Run(error))) => Message::plain(error),
            Err(error) => return Err(error),
        };
        // Everything stands as it was installed, and still does not work.
        Ok(CheckOutcome::missing(failed).helped_by(Remedy::Doctor))
    }
}
