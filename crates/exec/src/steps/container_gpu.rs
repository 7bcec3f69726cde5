//! Containers can use NVIDIA's GPUs: Docker knows NVIDIA's runtime, and the devices are described (CDI).

use std::path::Path;

use aitk_plan::step::ContainerGpu;
use aitk_plan::{Plan, Step};
use aitk_system::{Command, Message, System, message};
use serde_json::Value;

use super::root::{self, Deed};
use super::{Check, Ensure, Exact, Made, TakenBack, Work};
use crate::context::Context;
use crate::error::ExecError;
use crate::places::{CDI, Thing};

const DAEMON: &str = "/etc/docker/daemon.json";
/// Where NVIDIA's own service describes them, after each start of the machine.
const OTHER_CDI: &str = "/var/run/cdi/nvidia.yaml";
const RUNTIME: &str = "runtime:nvidia";
/// Noted with the runtime where there was no configuration of Docker's before.
const WHOLE: &str = "the whole file";

struct State {
    /// Docker's configuration, where there is any.
    daemon: bool,
    runtime: bool,
    described: bool,
}

fn state(cx: &Context<'_>) -> Result<State, ExecError> {
    let daemon = root::content_of(cx, Path::new(DAEMON))?;
    let json = daemon.as_deref().and_then(|json| serde_json::from_slice::<Value>(json).ok());
    Ok(State {
        daemon: daemon.is_some(),
        runtime: json.is_some_and(|json| json.pointer("/runtimes/nvidia").is_some()),
        described: cx.system.exists(CDI) || cx.system.exists(OTHER_CDI),
    })
}

fn deeds(cx: &Context<'_>, state: &State) -> Vec<Deed> {
    let mut commands = Vec::new();
    if !state.runtime {
        let words = ["nvidia-ctk", "runtime", "configure", "--runtime=docker"];
        commands.push(Command::as_root(words));
    }
    if !state.described {
        let output = format!("--output={CDI}");
        commands.push(Command::as_root(["nvidia-ctk", "cdi", "generate", &output]));
    }
    // Docker reads its configuration when it starts.
    if !state.runtime && cx.machine.systemd {
        commands.push(Command::as_root(["systemctl", "restart", "docker"]));
    }
    commands.into_iter().map(Deed::Run).collect()
}

/// What takes the runtime out of Docker's configuration again: its tool cannot, so only a file goes that has nothing
/// else in it.
fn undo(detail: Option<&str>, system: &dyn System) -> Vec<Command> {
    let only = |json: Value| {
        let runtimes = json.get("runtimes").and_then(Value::as_object);
        let alone = json.as_object().is_some_and(|json| json.len() == 1);
        alone && runtimes.is_some_and(|all| all.len() == 1 && all.contains_key("nvidia"))
    };
    let json = system.read(Path::new(DAEMON)).ok();
    let json = json.and_then(|json| serde_json::from_slice(&json).ok());
    let whole = detail == Some(WHOLE) && json.is_some_and(only);
    if whole { vec![root::delete([DAEMON])] } else { Vec::new() }
}

/// What to say of a runtime that stays.
fn stays(system: &dyn System) -> Option<Message> {
    let json = system.text(DAEMON).ok()?;
    let json: Value = serde_json::from_str(&json).ok()?;
    json.pointer("/runtimes/nvidia")?;
    Some(message!(
        "{DAEMON} still names the runtime `nvidia`; take it out by hand if nothing needs it"
    ))
}

impl Ensure for ContainerGpu {
    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<Check, ExecError> {
        let State { runtime, described, .. } = state(cx)?;
        let mut missing = Vec::new();
        if !runtime {
            missing.push(message!("{DAEMON} does not name the runtime `nvidia`"));
        }
        if !described {
            missing.push(message!("there is no {CDI}"));
        }
        Ok(if missing.is_empty() { Check::Holds } else { Check::Missing(missing) })
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        Ok(Exact::one(root::shown(cx, step, &deeds(cx, &state(cx)?))))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let before = state(cx)?;
        let mut made = Vec::new();
        if !before.runtime {
            let detail = (!before.daemon).then(|| WHOLE.to_owned());
            made.push(Made::created(RUNTIME.to_owned(), detail));
        }
        if !before.described {
            made.push(Made::created(format!("file:{CDI}"), None));
        }
        let there = || state(cx).is_ok_and(|now| now.runtime || now.described);
        let deeds = deeds(cx, &before);
        cx.about_to(&work.step.id, &made, there, || root::carry_out(cx, work, &deeds))?;
        Ok(made)
    }

    /// What aitk has made is noted before it is there, so the rest was there before.
    fn own(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Vec<Made> {
        let runtime = state(cx).is_ok_and(|state| state.runtime);
        let runtime = runtime.then(|| Made::found(RUNTIME.to_owned(), None));
        let cdi = cx.system.exists(CDI).then(|| Made::found(format!("file:{CDI}"), None));
        runtime.into_iter().chain(cdi).collect()
    }

    fn undo(thing: &Thing, detail: Option<&str>, system: &dyn System) -> Option<TakenBack> {
        match thing {
            // What NVIDIA's tool writes is the tool's.
            Thing::SystemFile(path) if path == Path::new(CDI) => {
                let there = system.exists(path).then(|| root::delete([path]));
                Some((there.into_iter().collect(), None))
            }
            Thing::Runtime => {
                let commands = undo(detail, system);
                let stays = if commands.is_empty() { stays(system) } else { None };
                Some((commands, stays))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::testing::{Machine, step};

    const NVIDIA: &str =
        r#"{"runtimes": {"nvidia": {"args": [], "path": "nvidia-container-runtime"}}}"#;
    const CONFIGURE: &str = "sudo nvidia-ctk runtime configure --runtime=docker";
    const GENERATE: &str = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml";

    fn commands(machine: &Machine) -> Vec<Message> {
        machine.apply(ContainerGpu {}, Receipt::default()).unwrap().shown.commands
    }

    #[test]
    fn only_what_is_missing_is_done() {
        let machine = Machine::new("{}");
        assert_eq!(commands(&machine), [CONFIGURE, GENERATE]);
        machine.file("/run/systemd/system/x", "");
        assert_eq!(commands(&machine), [CONFIGURE, GENERATE, "sudo systemctl restart docker"]);
        machine.file(DAEMON, r#"{"log-driver": "local"}"#);
        assert_eq!(commands(&machine).len(), 3);
        machine.file(DAEMON, NVIDIA);
        assert_eq!(commands(&machine), [GENERATE]);
        machine.file(OTHER_CDI, "");
        let step = step(ContainerGpu {});
        assert_eq!(machine.check(&step).unwrap(), Check::Holds);
    }

    #[test]
    fn a_configuration_with_anything_else_in_it_stays() {
        let machine = Machine::new("{}");
        let ran = machine.apply(ContainerGpu {}, Receipt::default()).unwrap();
        let detail = ran.receipt.objects[RUNTIME].detail.clone();
        machine.file(DAEMON, NVIDIA);
        let whole = undo(detail.as_deref(), machine.system());
        assert_eq!(whole[0].to_string(), "sudo rm -f -- /etc/docker/daemon.json");
        assert!(undo(None, machine.system()).is_empty(), "it was there before");
        assert!(stays(machine.system()).is_some());
        machine.file(DAEMON, &NVIDIA.replacen('{', r#"{"debug": true, "#, 1));
        assert!(undo(detail.as_deref(), machine.system()).is_empty());
        machine.file(DAEMON, "{}");
        assert_eq!(stays(machine.system()), None);
    }
}
