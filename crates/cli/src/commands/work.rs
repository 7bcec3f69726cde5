//! `aitk run`, `aitk shell`, `aitk lab`: work in the environment.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_detect::{VirtualizationKind, folders};
use aitk_env::Environments;
use aitk_exec::Receipt;
use aitk_plan::Manager;
use aitk_system::{Command, Real, System, free_port, quote, replace};

use crate::args::{Common, Lab, Run, Which};
use crate::error::CliError;
use crate::output::{HEAD, Output, styled};

/// An environment that is there.
struct Environment {
    path: PathBuf,
    manager: Manager,
    /// Where conda itself is, for an environment of its kind.
    conda: PathBuf,
}

impl Environment {
    fn open(which: &Which) -> Result<Self, CliError> {
        let folders = folders(&Real);
        let environments = Environments::new(&folders.data, &which.env);
        let missing = || CliError::NoEnvironment { name: which.env.clone() };
        let (_, record) = environments.current(&Real).ok_or_else(missing)?;
        let receipt = Receipt::load(&folders.state, &Real)?;
        let adopted =
            receipt.environments.get(&which.env).and_then(|wish| wish["choices"]["base"].as_str());
        Ok(Self {
            path: environments.current_path(),
            manager: record.manager,
            conda: adopted.map_or_else(
                || Environments::new(&folders.data, "base").current_path(),
                PathBuf::from,
            ),
        })
    }

    /// A command with the environment in front of everything else, as activating it would have it.
    fn inside(&self, name: &str, command: Command) -> Command {
        let before = Real.env("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
        let bin = self.path.join("bin");
        let command = command.env("PYTHONHOME", "").env("PYTHONNOUSERSITE", "1");
        match self.manager {
            Manager::Venv => command
                .env("VIRTUAL_ENV", self.path.to_string_lossy())
                .env("PATH", format!("{}:{before}", bin.display())),
            Manager::Conda => command
                .env("CONDA_PREFIX", self.path.to_string_lossy())
                .env("CONDA_DEFAULT_ENV", name)
                .env("CONDA_SHLVL", "1")
                .env(
                    "PATH",
                    format!("{}:{}:{before}", bin.display(), self.conda.join("condabin").display()),
                ),
        }
    }

    /// Lets a command run after the scripts that packages of a conda environment bring for its activation.
    fn activated(&self, words: Vec<String>) -> Vec<String> {
        let scripts = self.path.join("etc/conda/activate.d");
        let some = Real.list(&scripts).is_ok_and(|names| names.iter().any(|n| n.ends_with(".sh")));
        if self.manager == Manager::Venv || !some {
            return words;
        }
        let load = r#"for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$script"; done; exec "$@""#;
        let shell = if Real.stat(Path::new("/bin/bash")).is_ok() { "/bin/bash" } else { "/bin/sh" };
        let begin = [shell, "-c", load, "aitk"].map(str::to_owned);
        begin.into_iter().chain(words).collect()
    }

    /// What a shell reads to be in the environment.
    fn activation(&self) -> String {
        let quoted = |path: &Path| quote(&path.to_string_lossy());
        match self.manager {
            Manager::Venv => format!(". {}\n", quoted(&self.path.join("bin/activate"))),
            // Without conda's own function the variables are what there is, and they are set already.
            Manager::Conda => format!(
                "unset CONDA_SHLVL CONDA_PREFIX CONDA_DEFAULT_ENV\n[ -r {0} ] && . {0} && conda activate {1}\n",
                quoted(&self.conda.join("etc/profile.d/conda.sh")),
                quoted(&self.path)
            ),
        }
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
    let folders = [environment.path.join("bin"), environment.conda.join("condabin")];
    let folders = if environment.manager == Manager::Conda { &folders[..] } else { &folders[..1] };
    let own =
        folders.iter().map(|folder| folder.join(&words[0])).find(|own| Real.stat(own).is_ok());
    if let Some(own) = own.filter(|_| !words[0].contains('/')) {
        words[0] = own.to_string_lossy().into_owned();
    }
    let command = Command::changes(environment.activated(words));
    become_it(&environment.inside(&args.which.env, command))
}

pub fn shell(_: &Common, args: &Which) -> Result<ExitCode, CliError> {
    let environment = Environment::open(args)?;
    let shell = Real.env("SHELL").unwrap_or_else(|| "/bin/sh".to_owned());
    let name = Path::new(&shell).file_name().map(|name| name.to_string_lossy().into_owned());
    let command = match (name.as_deref(), environment.manager) {
        // The user's own file is read first, so that what it does to PATH does not hide the environment.
        (Some("bash"), _) => {
            let rc = folders(&Real).cache.join("shell.bash");
            let text = format!(
                "[ -f /etc/bash.bashrc ] && . /etc/bash.bashrc\n[ -f ~/.bashrc ] && . ~/.bashrc\n{}",
                environment.activation()
            );
            Real.write(&rc, text.as_bytes(), 0o600).map_err(CliError::io(&rc))?;
            Command::changes([shell.as_str(), "--rcfile", &rc.to_string_lossy(), "-i"])
        }
        (Some("fish"), Manager::Venv) => {
            let script = environment.path.join("bin/activate.fish");
            Command::changes([
                shell.as_str(),
                "-C",
                &format!("source {}", quote(&script.to_string_lossy())),
            ])
        }
        _ => Command::changes(environment.activated(vec![shell.clone(), "-i".to_owned()])),
    };
    become_it(&environment.inside(&args.env, command))
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
    let command = Command::changes(environment.activated(words)).env("JUPYTER_TOKEN", token);
    become_it(&environment.inside(&args.which.env, command))
}
