//! `aitk run`, `aitk shell`, `aitk lab`: work in the environment.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_detect::{VirtualizationKind, folders};
use aitk_env::{Environments, Fault, Inside, inside};
use aitk_exec::Receipt;
use aitk_system::{Command, Real, System, free_port, replace};

use crate::args::{Common, Lab, Run, Which};
use crate::error::CliError;
use crate::output::{HEAD, Output, styled};

/// An environment that is there.
struct Environment {
    path: PathBuf,
    inside: Inside,
}

impl Environment {
    fn open(which: &Which) -> Result<Self, CliError> {
        let folders = folders(&Real);
        let environments = Environments::new(&folders.data, &which.env);
        let missing = || CliError::NoEnvironment { name: which.env.clone() };
        let (generation, record) = environments.current(&Real).ok_or_else(missing)?;
        let stops = generation.faults(&Real).into_iter().find(Fault::stops_programs);
        if let Some(fault) = stops {
            return Err(CliError::Broken { name: which.env.clone(), fault });
        }
        let receipt = Receipt::load(&folders.state, &Real)?;
        let adopted =
            receipt.environments.get(&which.env).and_then(|wish| wish["choices"]["base"].as_str());
        let base = adopted
            .map_or_else(|| Environments::new(&folders.data, "base").current_path(), PathBuf::from);
        let path = environments.current_path();
        let inside = inside(record.manager, &which.env, &path, &base);
        Ok(Self { path, inside })
    }

    /// A command in the environment.
    fn enter(&self, command: Command) -> Command {
        self.inside.enter(&Real, command)
    }
}

/// Lets the command take this program's place.
fn become_it(command: &Command) -> Result<ExitCode, CliError> {
    let error = replace(command);
    Err(CliError::Other(format!("`{}` could not be started: {error}", command.argv[0])))
}

pub fn run(_: &Common, args: &Run) -> Result<ExitCode, CliError> {
    let environment = Environment::open(&args.which)?;
    let mut words = args.command.clone();
    // The search for the program happens on this program's PATH, so what is in the environment is named by its place.
    let folders = environment.inside.folders.iter();
    let own = folders.map(|folder| folder.join(&words[0])).find(|own| Real.stat(own).is_ok());
    if let Some(own) = own.filter(|_| !words[0].contains('/')) {
        words[0] = own.to_string_lossy().into_owned();
    }
    let command = Command::changes(words);
    become_it(&environment.enter(command))
}

pub fn shell(_: &Common, args: &Which) -> Result<ExitCode, CliError> {
    let environment = Environment::open(args)?;
    let shell = Real.env("SHELL").unwrap_or_else(|| "/bin/sh".to_owned());
    let name = Path::new(&shell).file_name().map(|name| name.to_string_lossy().into_owned());
    let command = match (name.as_deref(), environment.inside.fish()) {
        // The user's own file is read first, so that what it does to PATH does not hide the environment.
        (Some("bash"), _) => {
            let rc = folders(&Real).cache.join("shell.bash");
            let text = format!(
                "[ -f /etc/bash.bashrc ] && . /etc/bash.bashrc\n[ -f ~/.bashrc ] && . ~/.bashrc\n{}",
                environment.inside.bash()
            );
            Real.write(&rc, text.as_bytes(), 0o600).map_err(CliError::io(&rc))?;
            Command::changes([shell.as_str(), "--rcfile", &rc.to_string_lossy(), "-i"])
        }
        (Some("fish"), Some(activation)) => Command::changes([shell.as_str(), "-C", &activation]),
        _ => Command::changes([shell.as_str(), "-i"]),
    };
    become_it(&environment.enter(command))
}

pub fn lab(_: &Common, args: &Lab, output: &Output) -> Result<ExitCode, CliError> {
    let environment = Environment::open(&args.which)?;
    let port = free_port(args.port).map_err(|_| {
        CliError::Other(format!("the hundred ports from {} on are all taken", args.port))
    })?;
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::Other(format!("no random numbers: {error}")))?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let machine = aitk_detect::detect(&Real, &aitk_detect::Tables::default()).machine;
    let on_wsl = machine.virtualization.kind == VirtualizationKind::Wsl2;
    let host = if on_wsl { "localhost" } else { "127.0.0.1" };
    let mut words = vec![environment.path.join("bin/jupyter-lab").to_string_lossy().into_owned()];
    words.extend(["--ServerApp.ip=127.0.0.1".to_owned(), format!("--ServerApp.port={port}")]);
    words.push("--ServerApp.port_retries=0".to_owned());
    let no_screen = Real.env("DISPLAY").is_none() && Real.env("WAYLAND_DISPLAY").is_none();
    if args.no_browser || on_wsl || no_screen {
        words.push("--no-browser".to_owned());
    }
    if machine.privilege.root {
        words.push("--allow-root".to_owned());
    }
    words.extend(args.more.iter().cloned());
    output.say(format!("{} http://{host}:{port}/lab?token={token}", styled(HEAD, "JupyterLab:")));
    if on_wsl {
        output.say("Open this address in the browser on Windows. Ctrl-C ends it.");
    } else {
        output.say("Only this computer can open it. Ctrl-C ends it.");
    }
    // In the environment and not among the arguments: every user can read those.
    let command = Command::changes(words).env("JUPYTER_TOKEN", token);
    become_it(&environment.enter(command))
}
