//! Containers can use NVIDIA's GPUs: Docker knows NVIDIA's runtime, and the devices are described (CDI).

use std::io;
use std::path::Path;
use std::time::Duration;

use aitk_plan::step::ContainerGpu;
use aitk_plan::{Plan, Step};
use aitk_system::{Command, Message, Permit, System, message};
use serde_json::{Value, json};

use super::root::{self, RootAction};
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, TakenBack, Work, may_change};
use crate::context::Context;
use crate::error::ExecError;
use crate::places::{CDI, Thing};

const DAEMON: &str = "/etc/docker/daemon.json";
/// Where NVIDIA's own service describes them, after each start of the machine.
const OTHER_CDI: &str = "/var/run/cdi/nvidia.yaml";
const RUNTIME: &str = "runtime:nvidia";
/// Noted with the runtime where there was no configuration of Docker's before.
const WHOLE: &str = "the whole file";
/// What describes the devices, on standard output.
const DESCRIBE: [&str; 3] = ["/usr/bin/nvidia-ctk", "cdi", "generate"];
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(60);

struct DockerState {
    /// Docker's configuration, where there is any.
    daemon: Option<Vec<u8>>,
    runtime: bool,
    described: bool,
}

fn state(cx: &Context<'_>) -> Result<DockerState, ExecError> {
    let daemon = root::content_of(cx, Path::new(DAEMON))?;
    let json = daemon.as_deref().and_then(|json| serde_json::from_slice::<Value>(json).ok());
    Ok(DockerState {
        runtime: json.is_some_and(|json| json.pointer("/runtimes/nvidia").is_some()),
        described: cx.system.exists(CDI) || cx.system.exists(OTHER_CDI),
        daemon,
    })
}

/// What Docker is told of NVIDIA's runtime, as NVIDIA's own tool writes it.
fn runtime() -> Value {
    json!({ "args": [], "path": "nvidia-container-runtime" })
}

/// Docker's configuration with the runtime in it; what else stands there stays.
fn with_runtime(daemon: Option<&[u8]>) -> Result<String, ExecError> {
    let unfit = |reason: Message| {
        let told = message!("it is no configuration of Docker's: {reason}");
        ExecError::io(DAEMON)(io::Error::new(io::ErrorKind::InvalidData, told))
    };
    let text = daemon.unwrap_or_default();
    let mut json: Value = match text.trim_ascii().is_empty() {
        true => json!({}),
        false => serde_json::from_slice(text).map_err(|error| unfit(Message::plain(error)))?,
    };
    let runtimes = json.as_object_mut().map(|all| all.entry("runtimes").or_insert(json!({})));
    let Some(runtimes) = runtimes.and_then(Value::as_object_mut) else {
        return Err(unfit(Message::plain("runtimes")));
    };
    runtimes.insert("nvidia".to_owned(), runtime());
    Ok(format!("{json:#}\n"))
}

/// What root does, where the devices are described so.
fn deeds(
    cx: &Context<'_>,
    state: &DockerState,
    description: String,
) -> Result<Vec<RootAction>, ExecError> {
    let mut deeds = Vec::new();
    if !state.runtime {
        let mode = cx.system.stat(Path::new(DAEMON)).map_or(root::MODE, |stat| stat.mode);
        let daemon = with_runtime(state.daemon.as_deref())?;
        deeds.push(RootAction::put_as(Path::new(DAEMON), daemon, mode));
    }
    if !state.described {
        deeds.push(RootAction::put(Path::new(CDI), description));
    }
    // Docker reads its configuration when it starts.
    if !state.runtime && cx.machine.systemd {
        deeds.push(RootAction::Run(Command::as_root(["systemctl", "restart", "docker"])));
    }
    Ok(deeds)
}

/// The same as it is shown. What else Docker is told may be a password for a proxy, and is kept out of plans.
fn shown(state: &DockerState, deed: RootAction) -> RootAction {
    match &deed {
        RootAction::Put(write, _) if write.path == CDI => {
            deed.later(message!("what `{}` says of the devices here", DESCRIBE.join(" ")))
        }
        RootAction::Put(write, _) if write.path == DAEMON && state.daemon.is_some() => {
            let told = json!({ "runtimes": { "nvidia": runtime() } });
            deed.later(message!("what it says now, and with it {told}"))
        }
        _ => deed,
    }
}

/// Asks NVIDIA's tool for the description of the devices, with the rights of the user.
fn description(cx: &Context<'_>, work: &Work<'_>) -> Result<String, ExecError> {
    let command = Command::reads(DESCRIBE).timeout(PATIENCE);
    if may_change(cx, &message!("ask `{command}`"))? == Permit::Reported {
        return Ok(String::new());
    }
    let output = cx.system.run(&command)?;
    if output.success() && output.stdout.contains("cdiVersion") {
        return Ok(output.stdout);
    }
    let (command, output) = (command.to_string(), output.tail(8));
    Err(ExecError::Failed { command, output, log: Some(work.log.clone()) })
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
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("Docker knows NVIDIA's runtime, and {CDI} describes the GPUs")
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let DockerState { runtime, described, .. } = state(cx)?;
        let mut missing = Vec::new();
        if !runtime {
            missing.push(message!("{DAEMON} does not name the runtime `nvidia`"));
        }
        if !described {
            missing.push(message!("there is no {CDI}"));
        }
        Ok(CheckOutcome::of(missing))
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let state = state(cx)?;
        let deeds = deeds(cx, &state, String::new())?;
        let deeds: Vec<_> = deeds.into_iter().map(|deed| shown(&state, deed)).collect();
        Ok(Exact::one(root::shown(cx, step, &deeds)))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let before = state(cx)?;
        let mut made = Vec::new();
        if !before.runtime {
            let detail = before.daemon.is_none().then(|| WHOLE.to_owned());
            made.push(ReceiptEntry::created(RUNTIME.to_owned(), detail));
        }
        if !before.described {
            made.push(ReceiptEntry::created(format!("file:{CDI}"), None));
        }
        let there = || state(cx).is_ok_and(|now| now.runtime || now.described);
        let description = match before.described {
            true => String::new(),
            false => description(cx, work)?,
        };
        let deeds = deeds(cx, &before, description)?;
        cx.about_to(&work.step.id, &made, there, || root::carry_out(cx, work, &deeds))?;
        Ok(made)
    }

    /// What aitk has made is noted before it is there, so the rest was there before.
    fn own(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let runtime = state(cx).is_ok_and(|state| state.runtime);
        let runtime = runtime.then(|| ReceiptEntry::found(RUNTIME.to_owned(), None));
        let cdi = cx.system.exists(CDI).then(|| ReceiptEntry::found(format!("file:{CDI}"), None));
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
    const INSTALL: &str = "sudo install -D -m 644 -o root -g root -T /dev/stdin";

    fn ran(machine: &Machine) -> crate::steps::testing::Ran {
        machine.apply(ContainerGpu {}, Receipt::default()).unwrap()
    }

    fn commands(machine: &Machine) -> Vec<Message> {
        ran(machine).shown.commands
    }

    #[test]
    fn only_what_is_missing_is_done() {
        let machine = Machine::new("{}");
        let (configure, describe) = (format!("{INSTALL} {DAEMON}"), format!("{INSTALL} {CDI}"));
        assert_eq!(commands(&machine), [configure.as_str(), &describe]);
        machine.file("/run/systemd/system/x", "");
        let restart = "sudo systemctl restart docker";
        assert_eq!(commands(&machine), [configure.as_str(), &describe, restart]);
        machine.file(DAEMON, r#"{"log-driver": "local"}"#);
        assert_eq!(commands(&machine).len(), 3);
        machine.file(DAEMON, NVIDIA);
        assert_eq!(commands(&machine), [describe.as_str()]);
        machine.file(OTHER_CDI, "");
        let step = step(ContainerGpu {});
        assert_eq!(machine.check(&step).unwrap(), CheckOutcome::Holds);
    }

    #[test]
    fn what_is_shown_of_a_configuration_is_what_is_added_to_it() {
        let machine = Machine::new("{}");
        let shown = ran(&machine).shown;
        let whole: Value = serde_json::from_str(&shown.writes[0].content).unwrap();
        assert_eq!(whole, serde_json::from_str::<Value>(NVIDIA).unwrap());
        assert!(shown.writes[1].later.is_some(), "nobody knows it before the tool is there");
        let before =
            r#"{"proxies": {"http-proxy": "http://me:s3cret@proxy"}, "runtimes": {"x": {}}}"#;
        machine.file(DAEMON, before);
        let shown = serde_json::to_string(&ran(&machine).shown).unwrap();
        assert!(shown.contains("nvidia-container-runtime") && !shown.contains("s3cret"), "{shown}");
        let after: Value =
            serde_json::from_str(&with_runtime(Some(before.as_bytes())).unwrap()).unwrap();
        assert_eq!(after["proxies"]["http-proxy"], "http://me:s3cret@proxy");
        assert_eq!(
            (&after["runtimes"]["x"], &after["runtimes"]["nvidia"]),
            (&json!({}), &runtime())
        );
        for unfit in ["[]", "{", r#"{"runtimes": 1}"#] {
            assert!(with_runtime(Some(unfit.as_bytes())).is_err(), "{unfit}");
        }
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
