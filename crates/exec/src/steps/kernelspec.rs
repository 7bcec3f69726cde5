//! Jupyter knows the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aitk_env::inside;
use aitk_plan::{Action, Plan, Step};
use serde_json::json;

use super::{Check, Exact, Kind, Made, Work, base};
use crate::context::{Context, environment};
use crate::error::ExecError;

pub(super) struct Kernelspec;

/// Where the kernel's file is and what it says: it starts the environment by way of the link to the one in use.
fn wanted(cx: &Context<'_>, plan: &Plan, step: &Step) -> Option<(PathBuf, Vec<u8>)> {
    let Action::Kernelspec { name, .. } = &step.action else { return None };
    let prefix = cx.environments(&environment(plan)?).current_path();
    let path = cx.machine.folders.jupyter.join("kernels").join(name).join("kernel.json");
    Some((path, content(cx, plan, step, &prefix)?))
}

/// What the kernel's file says for the environment at this place; Jupyter's own format.
pub(super) fn content(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    prefix: &Path,
) -> Option<Vec<u8>> {
    let Action::Kernelspec { display, .. } = &step.action else { return None };
    let spec = environment(plan)?;
    let inside = inside(spec.manager, spec.name, prefix, &base::folder(cx, plan));
    let env: BTreeMap<_, _> = inside.kernel().collect();
    let kernel = json!({
        "argv": [prefix.join("bin/python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": display,
        "language": "python",
        "metadata": { "debugger": true },
        "env": env,
    });
    let mut bytes = serde_json::to_vec_pretty(&kernel).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

/// Whether a kernel's file is aitk's: it starts the environment's own Python, by way of the link that only aitk makes.
fn is_ours(found: &[u8], wanted: &[u8]) -> bool {
    let python = |bytes: &[u8]| {
        let kernel: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        kernel["argv"][0].as_str().map(str::to_owned)
    };
    python(wanted).is_some() && python(found) == python(wanted)
}

/// Where somebody's own kernel is kept while aitk's has its place.
pub fn kept_kernel(path: &Path) -> PathBuf {
    path.with_extension("json.before-aitk")
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
        // Somebody's own file of the same name is kept beside ours, and `remove` puts it back.
        match cx.system.read(&path) {
            Ok(old) if !is_ours(&old, &bytes) => {
                let kept = kept_kernel(&path);
                cx.system.write(&kept, &old, 0o644).map_err(ExecError::io(&kept))?;
            }
            _ => {}
        }
        cx.system.write(&path, &bytes, 0o644).map_err(ExecError::io(&path))?;
        Ok(vec![Made::path(&path, None)])
    }

    fn own(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Vec<Made> {
        let Some((path, bytes)) = wanted(cx, plan, step) else { return Vec::new() };
        let ours = cx.system.read(&path).is_ok_and(|found| is_ours(&found, &bytes));
        ours.then(|| Made::path(&path, None)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_told_to_be_aitks_by_the_python_that_it_starts() {
        let ours =
            br#"{"argv": ["/data/envs/ai/current/bin/python", "-m"], "display_name": "new"}"#;
        let before = br#"{"argv": ["/data/envs/ai/current/bin/python"], "display_name": "old"}"#;
        assert!(is_ours(before, ours));
        for other in [&br#"{"argv": ["/usr/bin/python3"]}"#[..], b"{}", b"no kernel"] {
            assert!(!is_ours(other, ours));
        }
    }
}
