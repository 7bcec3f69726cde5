//! Jupyter knows the environment.

use std::path::PathBuf;

use aitk_plan::{Action, Plan, Step};
use serde_json::json;

use super::{Check, Exact, Kind, Made, Work};
use crate::context::{Context, environment};
use crate::error::ExecError;
use crate::receipt::Provenance;

pub(super) struct Kernelspec;

/// Where the kernel's file is and what it says; Jupyter's own format, by way of the link to the environment in use.
fn wanted(cx: &Context<'_>, plan: &Plan, step: &Step) -> Option<(PathBuf, Vec<u8>)> {
    let Action::Kernelspec { name, display } = &step.action else { return None };
    let python = cx.environments(&environment(plan)?).current_path().join("bin/python");
    let path = cx.machine.folders.jupyter.join("kernels").join(name).join("kernel.json");
    let kernel = json!({
        "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": display,
        "language": "python",
        "metadata": { "debugger": true },
        // Packages that pip has put into the home folder must not stand in front of those of the environment.
        "env": { "PYTHONNOUSERSITE": "1" },
    });
    let mut bytes = serde_json::to_vec_pretty(&kernel).ok()?;
    bytes.push(b'\n');
    Some((path, bytes))
}

impl Kind for Kernelspec {
    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Check, ExecError> {
        let Some((path, bytes)) = wanted(cx, plan, step) else { return Ok(Check::Holds) };
        Ok(match cx.system.read(&path) {
            Ok(found) if found == bytes => Check::Holds,
            Ok(_) => Check::missing(format!("{} says something else", path.display())),
            Err(_) => Check::missing(format!("{} is not there", path.display())),
        })
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let wanted = wanted(cx, plan, step);
        let commands = wanted.map(|(path, _)| format!("write {}", path.display()));
        Ok(Exact::one(Step { commands: commands.into_iter().collect(), ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let Some((path, bytes)) = wanted(cx, work.plan, work.step) else { return Ok(Vec::new()) };
        let there = cx.system.exists(&path);
        if there {
            // Somebody's own file of the same name is kept beside ours.
            let ours = format!("path:{}", path.display());
            if !cx.memo().receipt.objects.contains_key(&ours) {
                let kept = path.with_extension("json.before-aitk");
                let old = cx.system.read(&path).map_err(ExecError::io(&path))?;
                cx.system.write(&kept, &old, 0o644).map_err(ExecError::io(&kept))?;
            }
        }
        cx.system.write(&path, &bytes, 0o644).map_err(ExecError::io(&path))?;
        let provenance = if there { Provenance::Found } else { Provenance::Created };
        Ok(vec![Made { provenance, ..Made::path(&path, None) }])
    }
}
