//! Jupyter knows the environment.

use aitk_system::{Explain, Message, message};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aitk_plan::step::Kernelspec;
use aitk_plan::{Plan, Step};
use serde_json::json;

use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Remedy, Work, base, hash_of, not_ours};
use crate::context::{Context, backend_of};
use crate::error::ExecError;

/// Where the kernel's file is and what it says: it starts the environment by way of the link to the one in use.
fn wanted(cx: &Context<'_>, plan: &Plan, kernel: &Kernelspec) -> Option<(PathBuf, Vec<u8>)> {
    let prefix = cx.environments(plan.environment()?).current_path();
    let path = cx.machine.folders.jupyter.join("kernels").join(&kernel.name).join("kernel.json");
    Some((path, content(cx, plan, kernel, &prefix)?))
}

/// What the kernel's file says for the environment at this place; Jupyter's own format.
pub(super) fn content(
    cx: &Context<'_>,
    plan: &Plan,
    kernel: &Kernelspec,
    prefix: &Path,
) -> Option<Vec<u8>> {
    let wanted = plan.environment()?;
    let inside = backend_of(wanted).inside(&wanted.name, prefix, &base::folder(cx, plan));
    let env: BTreeMap<_, _> = inside.kernel().collect();
    let json = json!({
        "argv": [prefix.join("bin/python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": kernel.display,
        "language": "python",
        "metadata": { "debugger": true },
        "env": env,
    });
    let mut bytes = serde_json::to_vec_pretty(&json).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

/// The Python that a kernel's file starts.
pub(crate) fn kernel_python(bytes: &[u8]) -> Option<String> {
    let kernel: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    kernel["argv"][0].as_str().map(str::to_owned)
}

/// Whether a kernel's file is aitk's: it starts the environment's own Python, by way of the link that only aitk makes.
fn is_ours(found: &[u8], wanted: &[u8]) -> bool {
    kernel_python(wanted).is_some() && kernel_python(found) == kernel_python(wanted)
}

/// Whose the file of a kernel is.
enum Whose {
    /// There is none.
    Nobodys,
    /// aitk's, as it shall be.
    Ours,
    /// aitk's, of an earlier run or damaged.
    Stale,
    /// aitk's, with changes of the user's, which stay.
    Edited,
    /// Somebody else's.
    Foreign,
}

fn whose(cx: &Context<'_>, path: &Path, wanted: &[u8]) -> Result<Whose, ExecError> {
    let there = match cx.system.read(path) {
        Ok(there) => there,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Whose::Nobodys),
        Err(error) => return Err(ExecError::io(path)(error)),
    };
    let receipt = cx.receipt();
    let made = receipt.has_made(&ReceiptEntry::path(path, None).key);
    let noted = receipt.objects.get(&ReceiptEntry::path(path, None).key);
    let noted = noted.and_then(|object| object.detail.as_deref()).filter(|_| made);
    let is_link = cx.system.read_link(path).is_ok();
    Ok(match is_ours(&there, wanted) {
        _ if there == wanted => Whose::Ours,
        _ if is_link => Whose::Foreign,
        _ if noted == Some(&hash_of(&there)) => Whose::Stale,
        true if noted.is_some() => Whose::Edited,
        true => Whose::Stale,
        false if made && kernel_python(&there).is_none() => Whose::Stale,
        false => Whose::Foreign,
    })
}

/// Where an earlier aitk has kept somebody's own kernel while its own had the place.
pub fn kept_kernel(path: &Path) -> PathBuf {
    path.with_extension("json.before-aitk")
}

/// What a person does where a kernel of this name is somebody else's.
fn way_out() -> Message {
    message!(
        "move it away, or name the environment otherwise with --env; then run the same command again"
    )
}

impl Ensure for Kernelspec {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("Jupyter knows the environment as a kernel")
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let Some((path, bytes)) = wanted(cx, plan, self) else { return Ok(CheckOutcome::Holds) };
        let whose = match (whose(cx, &path, &bytes), not_ours(cx, &path)) {
            (Err(error), Some(remedy)) => {
                return Ok(CheckOutcome::missing(error.message()).helped_by(remedy));
            }
            (whose, _) => whose?,
        };
        Ok(match whose {
            Whose::Ours | Whose::Edited => CheckOutcome::Holds,
            Whose::Nobodys => CheckOutcome::missing(message!("{} is not there", path.display()))
                .helped_by(not_ours(cx, &path)),
            Whose::Stale => {
                CheckOutcome::missing(message!("{} says something else", path.display()))
                    .helped_by(not_ours(cx, &path))
            }
            // It would not be written over.
            Whose::Foreign => {
                CheckOutcome::missing(message!("{} says something else", path.display()))
                    .helped_by(Remedy::Do(way_out()))
            }
        })
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let wanted = wanted(cx, plan, self);
        let commands = wanted.map(|(path, _)| message!("write {}", path.display()));
        Ok(Exact::one(Step { commands: commands.into_iter().collect(), ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let Some((path, bytes)) = wanted(cx, work.plan, self) else { return Ok(Vec::new()) };
        if let Whose::Foreign = whose(cx, &path, &bytes)? {
            return Err(ExecError::Yours {
                path,
                reason: message!("it is another kernel of this name"),
                remedy: way_out(),
            });
        }
        cx.system.write(&path, &bytes, 0o644).map_err(ExecError::io(&path))?;
        Ok(vec![ReceiptEntry::path(&path, Some(hash_of(&bytes)))])
    }

    fn own(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let Some((path, bytes)) = wanted(cx, plan, self) else { return Vec::new() };
        let found = cx.system.read(&path).unwrap_or_default();
        // What it was when aitk wrote it is known only where nobody has changed it since.
        let detail = (found == bytes).then(|| hash_of(&bytes));
        is_ours(&found, &bytes).then(|| ReceiptEntry::path(&path, detail)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use aitk_plan::step::Environment;
    use aitk_plan::{EnvironmentPlan, EnvironmentRequest, Manager};
    use aitk_system::Failure;

    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::testing::{Machine, step};

    const PATH: &str = "/home/user/.local/share/jupyter/kernels/aitk-ai/kernel.json";

    /// What the step makes of a kernel that is there, of which this was noted.
    fn apply(there: Option<&str>, noted: Option<&str>) -> Result<bool, ExecError> {
        let machine = Machine::new("{}");
        if let Some(there) = there {
            machine.file(PATH, there);
        }
        let mut receipt = Receipt::default();
        if let Some(noted) = noted {
            receipt = machine.receipt_of(&[&format!("path:{PATH}")]);
            let object = receipt.objects.values_mut().next().unwrap();
            object.detail = Some(hash_of(noted.as_bytes()));
        }
        let kernel = Kernelspec { name: "aitk-ai".to_owned(), display: "AI".to_owned() };
        let environment = Environment { env: "ai".to_owned() };
        let mut plan = machine.plan(vec![step(environment), step(kernel.clone())]);
        plan.manager = Manager::Venv;
        let request = EnvironmentRequest { manager: plan.manager, ..EnvironmentRequest::default() };
        plan.environments = vec![EnvironmentPlan { name: "ai".to_owned(), request, lock: None }];
        machine.with(receipt, |cx| {
            let step = &plan.steps[1];
            match kernel.check(cx, &plan, step)? {
                CheckOutcome::Holds => Ok(false),
                CheckOutcome::Missing(_) => {
                    let (path, bytes) = wanted(cx, &plan, &kernel).unwrap();
                    match whose(cx, &path, &bytes)? {
                        Whose::Foreign => Err(ExecError::System(Failure::Interrupted)),
                        _ => Ok(true),
                    }
                }
            }
        })
    }

    #[test]
    fn a_kernel_of_somebody_elses_is_never_overwritten_and_an_edited_one_stays() {
        let ours = r#"{"argv": ["/home/user/.local/share/aitk/envs/ai/current/bin/python"]}"#;
        let edited = ours.replace("]}", r#"], "display_name": "MINE"}"#);
        let foreign = r#"{"argv": ["/usr/bin/python3"]}"#;
        assert!(apply(None, None).unwrap(), "it is written");
        assert!(apply(Some(ours), Some(ours)).unwrap(), "an earlier one is replaced");
        assert!(apply(Some(ours), None).unwrap(), "so is one of which nothing is noted");
        assert!(!apply(Some(&edited), Some(ours)).unwrap(), "an edited one holds");
        assert!(apply(Some("{\"argv\""), Some(ours)).unwrap(), "a damaged one is mended");
        for noted in [None, Some(ours)] {
            apply(Some(foreign), noted).unwrap_err();
        }
        apply(Some("not a kernel"), None).unwrap_err();
    }

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
