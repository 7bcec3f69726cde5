//! `aitk run`, `aitk shell`: work in the environment.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_detect::folders;
use aitk_env::{EnvironmentFault, Environments, Inside, backend};
use aitk_exec::{ExecError, Receipt};
use aitk_system::{Command, Permit, System, message, quote, replace};

use crate::args::{Common, RunArgs};
use crate::error::CliError;
use crate::given::Which;
use crate::session::Local;

/// An environment that is there.
pub(super) struct OpenEnvironment<'a> {
    local: &'a dyn System,
    pub(super) path: PathBuf,
    inside: Inside,
}

impl<'a> OpenEnvironment<'a> {
    pub(super) fn open(local: &'a dyn System, which: &Which) -> Result<Self, CliError> {
        let folders = folders(local);
        let environments = Environments::new(&folders.data, &which.env);
        let receipt = Receipt::load(&folders.state, local)?;
        let known = receipt.environments.contains_key(&which.env);
        let missing = || CliError::no_environment(&which.env, known);
        if environments.is_taken(local) {
            return Err(ExecError::Foreign { path: environments.current_path() }.into());
        }
        let generation = environments.linked(local).ok_or_else(missing)?;
        let stops = generation.faults(local).into_iter().find(EnvironmentFault::stops_programs);
        if let Some(fault) = stops {
            return Err(CliError::Broken { name: which.env.clone(), fault });
        }
        let record = generation.record(local).ok_or_else(missing)?;
        let wish = receipt.request(&which.env, Some(&record));
        let adopted = wish.and_then(|request| request["choices"]["base"].as_str());
        let base = adopted
            .map_or_else(|| Environments::new(&folders.data, "base").current_path(), PathBuf::from);
        let path = environments.current_path();
        let inside = backend(record.manager).inside(&which.env, &path, &base);
        Ok(Self { local, path, inside })
    }

    /// A command in the environment.
    pub(super) fn enter(&self, command: Command) -> Command {
        self.inside.enter(self.local, command)
    }
}

/// Asks the system before a program starts that [`System`] does not run to its end.
pub(super) fn may_start(local: &dyn System, command: &Command) -> Result<bool, CliError> {
    // Its variables may hold what nobody is to read.
    let command = command.argv.join(" ");
    let permit = local.permit(&message!("run {command}"));
    Ok(permit.map_err(CliError::io(command))? == Permit::Granted)
}

/// Lets the command take this program's place.
fn become_it(local: &dyn System, command: &Command) -> Result<ExitCode, CliError> {
    if !may_start(local, command)? {
        return Ok(ExitCode::SUCCESS);
    }
    let (error, program) = (replace(command), &command.argv[0]);
    Err(CliError::Other(match error.kind() {
        ErrorKind::NotFound => {
            message!("there is no program `{program}`, neither in the environment nor on the PATH")
        }
        _ => message!("`{program}` could not be started: {error}"),
    }))
}

pub fn run(local: &Local, _: &Common, args: &RunArgs) -> Result<ExitCode, CliError> {
    let environment = OpenEnvironment::open(&**local, &args.which)?;
    let mut words = args.command.clone();
    // The search for the program happens on this program's PATH, so what is in the environment is named by its place.
    let folders = environment.inside.folders.iter();
    let own = folders.map(|folder| folder.join(&words[0])).find(|own| local.stat(own).is_ok());
    if let Some(own) = own.filter(|_| !words[0].contains('/')) {
        words[0] = own.to_string_lossy().into_owned();
    }
    let command = Command::changes(words);
    become_it(&**local, &environment.enter(command))
}

pub fn shell(local: &Local, _: &Common, args: &Which) -> Result<ExitCode, CliError> {
    let environment = OpenEnvironment::open(&**local, args)?;
    let shell = local.env("SHELL").unwrap_or_else(|| "/bin/sh".to_owned());
    let name = Path::new(&shell).file_name().map(|name| name.to_string_lossy().into_owned());
    let starts = Starts {
        local: &**local,
        shell: &shell,
        inside: &environment.inside,
        folder: folders(&**local).cache,
    };
    let command = match (name.as_deref(), environment.inside.fish()) {
        (Some("bash"), _) => starts.bash()?,
        (Some("zsh"), _) => starts.zsh()?,
        (Some("fish"), Some(activation)) => Command::changes([shell.as_str(), "-C", &activation]),
        (Some("sh" | "dash" | "ash" | "ksh" | "ksh93" | "mksh" | "yash"), _) => starts.posix()?,
        _ => Command::changes([shell.as_str(), "-i"]),
    };
    become_it(&**local, &environment.enter(command))
}

/// How a shell is started so that the user's own file is read first, and what it does to PATH does not hide the
/// environment.
struct Starts<'a> {
    local: &'a dyn System,
    shell: &'a str,
    inside: &'a Inside,
    /// Where the files are that shells read.
    folder: PathBuf,
}

impl Starts<'_> {
    fn bash(&self) -> Result<Command, CliError> {
        let own =
            "[ -f /etc/bash.bashrc ] && . /etc/bash.bashrc\n[ -f ~/.bashrc ] && . ~/.bashrc\n";
        let rc = self.write("shell.bash", &format!("{own}{}", self.inside.bash()))?;
        Ok(Command::changes([self.shell, "--rcfile", &rc, "-i"]))
    }

    /// zsh reads all of its files in one folder: it is led to ours, and each of them to the user's.
    fn zsh(&self) -> Result<Command, CliError> {
        let before = match self.local.env("ZDOTDIR") {
            Some(folder) => format!("ZDOTDIR={}\n", quote(&folder)),
            None => "unset ZDOTDIR\n".to_owned(),
        };
        let own = |name: &str| {
            format!("[ -f \"${{ZDOTDIR:-$HOME}}/{name}\" ] && . \"${{ZDOTDIR:-$HOME}}/{name}\"\n")
        };
        let folder = self.folder.join("zsh");
        let ours = quote(&folder.to_string_lossy());
        let env = format!("{before}{}aitk_zdotdir=${{ZDOTDIR-}}\nZDOTDIR={ours}\n", own(".zshenv"));
        let rc = format!(
            "ZDOTDIR=$aitk_zdotdir\n[ -n \"$ZDOTDIR\" ] || unset ZDOTDIR\nunset aitk_zdotdir\n{}{}",
            own(".zshrc"),
            self.inside.bash()
        );
        self.write("zsh/.zshenv", &env)?;
        self.write("zsh/.zshrc", &rc)?;
        let folder = folder.to_string_lossy().into_owned();
        Ok(Command::changes([self.shell, "-i"]).env("ZDOTDIR", folder))
    }

    /// The file of a plain shell is the one that `ENV` names.
    fn posix(&self) -> Result<Command, CliError> {
        let before = match self.local.env("ENV") {
            Some(file) => {
                format!("ENV={}\n[ -f \"$ENV\" ] && . \"$ENV\"\n", quote(&file))
            }
            None => "unset ENV\n".to_owned(),
        };
        let rc = self.write("shell.sh", &format!("{before}{}", self.inside.bash()))?;
        Ok(Command::changes([self.shell, "-i"]).env("ENV", rc))
    }

    fn write(&self, name: &str, text: &str) -> Result<String, CliError> {
        let path = self.folder.join(name);
        self.local.write(&path, text.as_bytes(), 0o600).map_err(CliError::io(&path))?;
        Ok(path.to_string_lossy().into_owned())
    }
}
