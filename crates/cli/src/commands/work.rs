//! `aitk run`, `aitk shell`, `aitk lab`: work in the environment.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_detect::{VirtualizationKind, folders};
use aitk_env::Environments;
use aitk_system::{Command, Real, System, free_port, replace};

use crate::args::{Common, Lab, Run, Which};
use crate::error::CliError;
use crate::output::{HEAD, Output, styled};

/// The folder of an environment that is there.
fn environment(which: &Which) -> Result<PathBuf, CliError> {
    let environments = Environments::new(&folders(&Real).data, &which.env);
    match environments.current(&Real) {
        Some(_) => Ok(environments.current_path()),
        None => Err(CliError::NoEnvironment { name: which.env.clone() }),
    }
}

/// A command with the environment in front of everything else, as its `activate` script would have it.
fn inside(path: &Path, command: Command) -> Command {
    let bin = path.join("bin");
    let before = Real.env("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    command
        .env("VIRTUAL_ENV", path.to_string_lossy())
        .env("PATH", format!("{}:{before}", bin.display()))
        .env("PYTHONHOME", "")
        .env("PYTHONNOUSERSITE", "1")
}

/// Lets the command take this program's place.
fn become_it(command: &Command) -> Result<ExitCode, CliError> {
    let error = replace(command);
    Err(CliError::Other(format!("`{}` could not be started: {error}", command.argv[0])))
}

pub fn run(_: &Common, args: &Run) -> Result<ExitCode, CliError> {
    let path = environment(&args.which)?;
    let mut words = args.command.clone();
    // The search for the program happens on this program's PATH, so what is in the environment is named by its place.
    let own = path.join("bin").join(&words[0]);
    if !words[0].contains('/') && Real.stat(&own).is_ok() {
        words[0] = own.to_string_lossy().into_owned();
    }
    become_it(&inside(&path, Command::changes(words)))
}

pub fn shell(_: &Common, args: &Which) -> Result<ExitCode, CliError> {
    let path = environment(args)?;
    let shell = Real.env("SHELL").unwrap_or_else(|| "/bin/sh".to_owned());
    let activate = path.join("bin/activate");
    let name = Path::new(&shell).file_name().map(|name| name.to_string_lossy().into_owned());
    let command = match name.as_deref() {
        // The user's own file is read first, so that what it does to PATH does not hide the environment.
        Some("bash") => {
            let rc = folders(&Real).cache.join("shell.bash");
            let text = format!(
                "[ -f /etc/bash.bashrc ] && . /etc/bash.bashrc\n[ -f ~/.bashrc ] && . ~/.bashrc\n. '{}'\n",
                activate.to_string_lossy().replace('\'', r"'\''")
            );
            Real.write(&rc, text.as_bytes(), 0o600).map_err(CliError::io(&rc))?;
            Command::changes([shell.as_str(), "--rcfile", &rc.to_string_lossy(), "-i"])
        }
        Some("fish") => Command::changes([
            shell.as_str(),
            "-C",
            &format!("source '{}.fish'", activate.display()),
        ]),
        _ => Command::changes([shell.as_str(), "-i"]),
    };
    become_it(&inside(&path, command))
}

pub fn lab(_: &Common, args: &Lab, output: &Output) -> Result<ExitCode, CliError> {
    let path = environment(&args.which)?;
    let port = free_port(args.port).map_err(|_| {
        CliError::Other(format!("the hundred ports from {} on are all taken", args.port))
    })?;
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::Other(format!("no random numbers: {error}")))?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let machine = aitk_detect::detect(&Real).machine;
    let on_wsl = machine.virtualization.kind == VirtualizationKind::Wsl2;
    let host = if on_wsl { "localhost" } else { "127.0.0.1" };
    let mut words = vec![path.join("bin/jupyter-lab").to_string_lossy().into_owned()];
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
    become_it(&inside(&path, Command::changes(words).env("JUPYTER_TOKEN", token)))
}
