//! `aitk status`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use aitk_env::{Environments, Generation, GenerationRecord, Usage};
use aitk_exec::{
    ExecError, Interrupted, ProjectState, ServiceState, brought, env_flag, interrupted_run,
    project_state, service_states,
};
use aitk_plan::{Bytes, FrameworkPlan, Manager, Request, Warning};
use aitk_system::{Explain, Message, System, ToMessage, message};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Common, StatusArgs};
use crate::commands::history::{History, HistoryInfo};
use crate::error::{CliError, making};
use crate::output::{BAD, CARE, Console, DIM, Diagnostic, GOOD, HEAD, one_line, styled};
use crate::places::here;
use crate::session::{Ask, Local, Session};
use crate::upkeep::Upkeep;
use crate::words::{said, worded};

/// How many generations beside the one in use are named.
const NAMED: usize = 4;

/// What is here because of aitk.
#[derive(Serialize, JsonSchema)]
pub struct StatusReport<'a> {
    /// The project of the current folder; null where there is none.
    project: Option<ProjectInfo<'a>>,
    /// The environment in use; null where there is none.
    environment: Option<EnvironmentInfo<'a>>,
    /// What runs as long as the machine is on.
    services: Vec<ServiceInfo<'a>>,
    /// What was last asked for; null where nothing was.
    wish: Option<Request>,
    /// How many packages of the system came by aitk.
    system_packages: usize,
    /// The step at which a run did not come to its end; null where none is open.
    interrupted: Option<&'a Message>,
    /// What was before, with `--history`.
    history: Option<HistoryInfo<'a>>,
}

/// A project in its folder.
#[derive(Serialize, JsonSchema)]
struct ProjectInfo<'a> {
    /// The platform that it is for.
    platform: &'a str,
    /// Its folder.
    path: &'a Path,
    /// The parts that were chosen.
    parts: &'a [String],
    /// The version of aitk that has written it.
    aitk: &'a str,
    /// How many files that were.
    files: usize,
    /// Those that were changed since.
    changed: &'a [String],
    /// Those that were taken away since.
    away: &'a [String],
    /// Those that wait for the person.
    conflicts: &'a [PathBuf],
    /// The day on which it was written.
    written: Option<&'a str>,
    /// What has aged.
    aged: &'a [Message],
    /// The files that are newer in this aitk; null where only the sources can tell.
    newer: Option<&'a [String]>,
    /// The pins that are newer in this aitk, before and now.
    pins: Option<&'a [(String, String)]>,
}

/// An environment in use.
#[derive(Serialize, JsonSchema)]
struct EnvironmentInfo<'a> {
    name: &'a str,
    /// Where it is.
    path: &'a Path,
    /// The generation that it leads to.
    generation: &'a str,
    /// The version of Python.
    python: &'a str,
    /// The framework's build.
    build: Option<&'a String>,
    /// The framework, with its version.
    framework: Option<&'a Message>,
    /// How many packages it has.
    packages: usize,
    /// Who has installed it.
    manager: Manager,
    /// What is wrong with it as a whole, as far as a glance shows.
    faults: Vec<String>,
    /// What the user has put into it.
    added: &'a [String],
    /// Bytes that come free with it.
    own: u64,
    /// Bytes that it shares with other generations and with the cache.
    shared: u64,
    /// How many other generations stand beside it.
    others: usize,
    /// Bytes that come free with all of those.
    others_own: u64,
    /// Each of those.
    beside: Vec<BesideInfo<'a>>,
}

/// A generation that is not in use.
#[derive(Serialize, JsonSchema)]
struct BesideInfo<'a> {
    /// Its name.
    generation: &'a str,
    /// Bytes that come free with it alone.
    own: u64,
}

/// A service of systemd's.
#[derive(Serialize, JsonSchema)]
struct ServiceInfo<'a> {
    name: &'a str,
    /// What it is.
    what: &'a str,
    /// Its unit.
    unit: String,
    /// Where it is found.
    address: &'a str,
    /// Its version.
    version: Option<&'a str>,
    /// Whether its unit is active.
    runs: bool,
    /// Whether it answers.
    answers: bool,
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &StatusArgs,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let session = Session::open(local, common)?;
    let system = Arc::clone(&session.system);
    let system = &*system;
    let env = &args.which.env;
    let environments = Environments::new(&session.settings.data, env);
    let current = environments.current(system);
    let interrupted = interrupted_run(&session.machine.folders.state, system);
    let request = session.applied(env).ok();
    let brought = brought(&session.receipt, system);
    let plan = request
        .clone()
        .and_then(|request| Some(session.prepare(request.into(), None, Ask::Nobody).ok()?.1));
    let framework = current.as_ref().and_then(|(generation, record)| {
        framework(generation, record, plan.as_ref()?.framework.as_ref()?, system)
    });
    let project = plan.as_ref().and_then(|plan| plan.project.as_ref());
    let services = project.map(|project| service_states(project, &session.receipt, system));
    let services = services.unwrap_or_default();
    let shown = current.as_ref().map(|(generation, record)| ShownEnvironment {
        framework,
        ..ShownEnvironment::of(env, &environments, (generation, record), system)
    });
    let history = match args.history {
        true => Some(History::read(system, &session.settings.data, env)?),
        false => None,
    };
    // In a folder that is gone there is no project.
    let here = here().unwrap_or_default();
    let (project, warnings) = project_at(&here, &**local)?;
    let upkeep = project.as_ref().map(|project| Upkeep::of(&session, &here, &project.record));
    let upkeep = upkeep.transpose()?.unwrap_or_default();
    let make = making(env, request.is_some());
    let data = StatusReport {
        project: project.as_ref().map(|project| project_info(project, &here, &upkeep)),
        environment: shown.as_ref().map(ShownEnvironment::to_info),
        services: services.iter().map(service_info).collect(),
        wish: request,
        system_packages: brought.len(),
        interrupted: interrupted.as_ref().map(|run| &run.at),
        history: history.as_ref().map(History::to_info),
    };
    let none =
        || said(message!("There is no environment `{}` here. Make it with `{make}`.\n", env));
    output.warn(&warnings);
    output.result(&data, warnings.iter().map(Diagnostic::from).collect(), || {
        let mut text =
            project.as_ref().map(|project| page_of(project, &upkeep)).unwrap_or_default();
        text += &shown.as_ref().map_or_else(none, |shown| shown.page(brought.len()));
        text += &services.iter().map(service_line).collect::<String>();
        text += &history.as_ref().map(History::page).unwrap_or_default();
        text += &interrupted.as_ref().map(|run| unfinished(run, env)).unwrap_or_default();
        text
    });
    Ok(ExitCode::SUCCESS)
}

/// The project of a folder. Where what it says of itself is damaged that is a warning: the rest is as it is, and told.
fn project_at(
    folder: &Path,
    system: &dyn System,
) -> Result<(Option<ProjectState>, Vec<Warning>), CliError> {
    match project_state(folder, system) {
        Err(error @ ExecError::BadProject { .. }) => {
            let (code, hint) = (error.code().to_owned(), error.hint());
            Ok((None, vec![Warning { code, message: error.message(), hint }]))
        }
        project => Ok((project?, Vec::new())),
    }
}

fn project_info<'a>(
    project: &'a ProjectState,
    folder: &'a Path,
    upkeep: &'a Upkeep,
) -> ProjectInfo<'a> {
    let record = &project.record;
    ProjectInfo {
        platform: &record.platform,
        path: folder,
        parts: &record.parts,
        aitk: &record.aitk,
        files: record.file.len(),
        changed: &project.changed,
        away: &project.away,
        conflicts: &project.conflicts,
        written: record.written.as_deref(),
        aged: &upkeep.aged,
        newer: upkeep.newer.as_ref().map(|newer| newer.files.as_slice()),
        pins: upkeep.newer.as_ref().map(|newer| newer.pins.as_slice()),
    }
}

/// That a run did not come to its end, and what continues it.
pub(super) fn unfinished(run: &Interrupted, env: &str) -> String {
    let Interrupted { at: step, env: about } = run;
    let flag = env_flag(about.as_deref().unwrap_or(env));
    said(message!(
        "{} the last run did not come to its end (at {step}): `aitk apply{flag}` continues\n",
        styled(CARE, "!")
    ))
}

/// The project of the current folder as it is shown.
fn page_of(project: &ProjectState, upkeep: &Upkeep) -> String {
    let ProjectState { record, changed, away, conflicts } = project;
    let row = |label: Message, value: Message| {
        format!("{} {}\n", styled(HEAD, format!("{:12}", said(label))), one_line(said(value)))
    };
    let parts = record.parts.join(", ");
    let what = match parts.is_empty() {
        true => Message::plain(&record.platform),
        false => message!("{} with {parts}", record.platform),
    };
    let (count, changed, away) = (record.file.len(), changed.len(), away.len());
    let mut text = row(message!("Project"), what);
    text += &row(
        message!("Files"),
        message!(
            "{count} written by aitk {}: you have changed {changed} and taken away {away}",
            record.aitk
        ),
    );
    let aged = upkeep.messages();
    for what in &aged {
        text += &row(message!("Aged"), what.clone());
    }
    if let Some(command) = upkeep.brings().filter(|_| !aged.is_empty()) {
        text +=
            &row(Message::default(), message!("`{command}` here shows what is newer, and asks"));
    }
    for path in conflicts {
        let path = path.display();
        text += &format!("{} {}\n", styled(CARE, "!"), said(message!("{path} waits for you")));
    }
    text
}

fn service_info(state: &ServiceState) -> ServiceInfo<'_> {
    let ServiceState { service, version, runs, astray } = state;
    ServiceInfo {
        name: &service.name,
        what: service.what.english(),
        unit: service.unit(),
        address: &service.address,
        version: version.as_deref(),
        runs: *runs,
        answers: astray.is_none(),
    }
}

/// A service as it is shown: where it is, which, and whether it is well.
fn service_line(state: &ServiceState) -> String {
    let ServiceState { service, version, runs, astray } = state;
    let what = worded(&service.what);
    let version = version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
    let (sign, health) = match (runs, astray) {
        (true, None) => (styled(GOOD, "✓"), message!("answers")),
        (true, Some(astray)) => {
            (styled(BAD, "✗"), message!("runs and does not answer as it should: {astray}"))
        }
        (false, _) => (styled(BAD, "✗"), message!("does not run")),
    };
    let (unit, name) = (service.unit(), styled(HEAD, format!("{:14}", service.name)));
    let line = format!("{sign} {name} {}{version}: {what}; {}", service.address, said(health));
    let more = match astray {
        None => String::new(),
        Some(_) => said(message!("; `journalctl --unit {unit}` says why")),
    };
    one_line(line + &more) + "\n"
}

/// The environment as it is shown.
struct ShownEnvironment<'a> {
    name: &'a str,
    path: PathBuf,
    generation: String,
    record: &'a GenerationRecord,
    framework: Option<Message>,
    packages: usize,
    /// What the user has put into it, as they would ask for it.
    added: Vec<String>,
    usage: Usage,
    /// The generations beside it, each with the bytes that come free with it alone.
    beside: Vec<(String, u64)>,
    /// What they take together.
    others: Usage,
    /// What is wrong with it as a whole.
    faults: Vec<Message>,
}

impl<'a> ShownEnvironment<'a> {
    fn of(
        name: &'a str,
        environments: &Environments,
        (generation, record): (&Generation, &'a GenerationRecord),
        system: &dyn System,
    ) -> Self {
        let (mut beside, mut others) = (Vec::new(), Usage::default());
        for other in environments.all(system).iter().filter(|other| *other != generation) {
            let usage = Usage::of(system, other.path());
            beside.push((other.folder(), usage.own()));
            others.merge(usage);
        }
        Self {
            name,
            path: environments.current_path(),
            generation: generation.name(),
            record,
            framework: None,
            packages: record.layers.values().map(|layer| layer.len()).sum(),
            faults: generation.faults(system).iter().map(ToMessage::to_message).collect(),
            added: generation.added(system).iter().map(ToString::to_string).collect(),
            usage: Usage::of(system, generation.path()),
            beside,
            others,
        }
    }

    fn to_info(&self) -> EnvironmentInfo<'_> {
        EnvironmentInfo {
            name: self.name,
            path: &self.path,
            generation: &self.generation,
            python: &self.record.python,
            build: self.framework.as_ref().and(self.record.build.as_ref()),
            framework: self.framework.as_ref(),
            packages: self.packages,
            manager: self.record.manager,
            faults: self.faults.iter().map(ToString::to_string).collect(),
            added: &self.added,
            own: self.usage.own(),
            shared: self.usage.shared(),
            others: self.beside.len(),
            others_own: self.others.own(),
            beside: self
                .beside
                .iter()
                .map(|(generation, own)| BesideInfo { generation, own: *own })
                .collect(),
        }
    }

    fn page(&self, of_system: usize) -> String {
        let row = |label: Message, value: Message| {
            format!("{} {}\n", styled(HEAD, format!("{:12}", said(label))), said(value))
        };
        let packages = self.packages;
        let place = message!("{} at {}", self.name, self.path);
        let mut text = row(message!("Environment"), place);
        text += &row(message!("Manager"), Message::plain(self.record.manager));
        text += &row(message!("Generation"), Message::plain(&self.generation));
        text += &row(Message::plain("Python"), Message::plain(&self.record.python));
        if let Some(framework) = &self.framework {
            text += &row(message!("Framework"), framework.clone());
        }
        if !self.faults.is_empty() {
            let faults = Message::list(self.faults.clone());
            text +=
                &row(message!("Broken"), message!("{faults}; `aitk verify` tells what mends it"));
        }
        let packages = message!("{packages}, and {} of the system", of_system);
        text += &row(message!("Packages"), packages);
        if !self.added.is_empty() {
            text += &row(message!("Added by you"), self.added.to_message());
        }
        let (own, shared) = (Bytes(self.usage.own()), Bytes(self.usage.shared()));
        text += &row(message!("Size"), message!("{own} of its own, {shared} shared"));
        let (count, others) = (self.beside.len(), Bytes(self.others.own()));
        if count > 0 {
            let beside = self.beside.iter();
            let named = beside.map(|(name, own)| message!("{name} ({})", Bytes(*own)));
            let mut named: Vec<_> = named.take(NAMED).collect();
            named.extend((count > NAMED).then(|| Message::plain("…")));
            let beside = message!(
                "{count} more, {others}: {}; `aitk status --history` tells more of them, `aitk clean` takes away what is not needed",
                Message::commas(named)
            );
            text += &row(message!("Beside it"), beside);
        }
        text + &styled(DIM, said(message!("`aitk verify` checks all of it"))) + "\n"
    }
}

/// The framework that stands in a generation, with its version and build; `None` where its package is not in it.
fn framework(
    generation: &Generation,
    record: &GenerationRecord,
    wanted: &FrameworkPlan,
    system: &dyn System,
) -> Option<Message> {
    let (version, whole) = generation.package(system, &wanted.requirement)?;
    let name = Message::plain(format!("{} {version}", wanted.name));
    let name = match &record.build {
        Some(build) => Message::commas([name, in_words(build)]),
        None => name,
    };
    Some(match whole {
        true => name,
        false => message!("{name}, damaged: `aitk verify` tells more"),
    })
}

/// What a build of a framework is for; the tables have its short name.
fn in_words(build: &str) -> Message {
    let is = |starts: &[&str]| starts.iter().any(|start| build.starts_with(start));
    match build {
        "cpu" => message!("for the processor"),
        "general" => message!("for NVIDIA's GPUs, from the general index"),
        "xpu" => message!("for Intel's GPUs"),
        _ if is(&["cu"]) => message!("for NVIDIA's GPUs ({build})"),
        _ if is(&["rocm"]) => message!("for AMD's GPUs ({build})"),
        _ if is(&["jp", "tegra"]) => message!("for Jetson ({build})"),
        _ => Message::plain(build),
    }
}
