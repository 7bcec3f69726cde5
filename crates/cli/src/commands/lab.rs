//! `aitk lab`: JupyterLab, on this computer only.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use aitk_detect::{Folders, Tables, VirtualizationKind, detect, folders};
use aitk_plan::names;
use aitk_system::{
    Command, Failure, Message, Server, System, asked, free_port, interrupted,
    listen_for_interrupts, listens, message, quote,
};
use serde::Deserialize;

use crate::args::{Common, Lab};
use crate::commands::work::{OpenEnvironment, may_start};
use crate::error::CliError;
use crate::output::{CARE, Console, DIM, HEAD, show, styled};
use crate::session::Local;
use crate::words::said;

/// How often the server is looked after.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long it has until it answers.
const PATIENCE: Duration = Duration::from_secs(300);
/// How many of its last lines tell why it has ended.
const LAST_LINES: usize = 8;

pub fn lab(local: &Local, _: &Common, args: &Lab, output: &Console) -> Result<ExitCode, CliError> {
    let local = &**local;
    let environment = OpenEnvironment::open(local, &args.which)?;
    listen_for_interrupts().map_err(CliError::io_of(message!("the signals")))?;
    let folders = folders(local);
    let folder = begins_in(local, args, &folders)?;
    let runtime = runtime(local, &folders)?;
    let port = free_port(args.port).map_err(|error| {
        CliError::Other(match error.kind() {
            ErrorKind::PermissionDenied => message!(
                "only root may open the port {}: name one from 1024 on with --port",
                args.port
            ),
            _ => message!("the hundred ports from {} on are all taken", args.port),
        })
    })?;
    let seat = Seat::look(local);
    let token = token()?;
    let words = words(local, args, &environment, &folder, port, &seat);
    // In the environment and not among the arguments: every user can read those.
    let command = environment.enter(Command::changes(words)).env("JUPYTER_TOKEN", &token);
    let log = folders.state.join(log_name(port));
    if !may_start(local, &command)? {
        return Ok(ExitCode::SUCCESS);
    }
    let mut server =
        Server::start(&command, &folder, &log).map_err(CliError::io(&command.argv[0]))?;
    output.say(styled(DIM, said(message!("JupyterLab starts; its log is {}", log.display()))));
    let Some(running) = wait(local, &mut server, &runtime, &log)? else {
        // It was asked for its help or its version.
        show(&local.text(&log).unwrap_or_default());
        return Ok(ExitCode::SUCCESS);
    };
    notes(local, &running, &log, output);
    seat.guide(running.info.port, output);
    output.say(message!("Ctrl-C ends it."));
    output.say(format!("{} {}", styled(HEAD, "JupyterLab:"), running.info.address(seat.host())));
    while !interrupted() {
        if let Some(status) = server.ended().map_err(CliError::io(&log))? {
            return match status {
                Some(0) => Ok(ExitCode::SUCCESS),
                _ => Err(ended(local, &log)),
            };
        }
        thread::sleep(POLL_INTERVAL);
    }
    server.stop();
    Ok(ExitCode::SUCCESS)
}

/// What the server on a port writes to, in the state's folder.
fn log_name(port: u16) -> String {
    format!("lab-{port}.log")
}

/// Whether a file in the state's folder is such a log.
pub(super) fn is_log(name: &str) -> bool {
    let port = name.strip_prefix("lab-").and_then(|rest| rest.strip_suffix(".log"));
    port.and_then(|port| port.parse().ok()).is_some_and(|port| log_name(port) == name)
}

/// Where the person sits.
struct Seat {
    wsl: bool,
    root: bool,
    /// The line that brings the port to the computer in front of the person.
    ssh: Option<Ssh>,
}

struct Ssh {
    server: String,
    port: String,
    user: String,
}

impl Seat {
    fn look(local: &dyn System) -> Self {
        let machine = detect(local, &Tables::default()).machine;
        Self {
            wsl: machine.virtualization.kind == VirtualizationKind::Wsl2,
            root: machine.privilege.root,
            ssh: local.env("SSH_CONNECTION").and_then(|said| Ssh::read(&said, local.env("USER"))),
        }
    }

    fn host(&self) -> &'static str {
        if self.wsl { "localhost" } else { "127.0.0.1" }
    }

    /// What to do first, before the address is opened.
    fn guide(&self, port: u16, output: &Console) {
        if let Some(ssh) = &self.ssh {
            output.say(message!("This computer is reached by SSH. On the one in front of you, type this, then open the address there:"));
            output.say(format!("  {}", ssh.tunnel(port)));
        } else if self.wsl {
            output.say(message!("Open this address in the browser on Windows."));
        } else {
            output.say(message!("Only this computer can open it."));
        }
    }
}

impl Ssh {
    /// From `SSH_CONNECTION`: the client's address and port, then the server's.
    fn read(connection: &str, user: Option<String>) -> Option<Self> {
        let words: Vec<_> = connection.split_whitespace().collect();
        let [_, _, server, port] = words[..] else { return None };
        let plain = |c: char| c.is_ascii_alphanumeric() || ".:%-_".contains(c);
        let fits = server.chars().all(plain) && port.parse::<u16>().is_ok();
        fits.then(|| Self {
            server: server.to_owned(),
            port: port.to_owned(),
            user: user.unwrap_or_default(),
        })
    }

    fn tunnel(&self, port: u16) -> String {
        let at = if self.port == "22" { String::new() } else { format!("-p {} ", self.port) };
        let user = if self.user.is_empty() { String::new() } else { format!("{}@", self.user) };
        format!("ssh {at}-L {port}:127.0.0.1:{port} {}", quote(&format!("{user}{}", self.server)))
    }
}

/// The folder that it begins in.
fn begins_in(local: &dyn System, args: &Lab, folders: &Folders) -> Result<PathBuf, CliError> {
    let Some(folder) = &args.dir else { return Ok(folders.home.clone()) };
    let folder = std::path::absolute(folder).map_err(CliError::io(folder))?;
    local.list(&folder).map_err(CliError::io(&folder))?;
    Ok(folder)
}

/// The folder where Jupyter notes its servers and kernels, if it can be written.
fn runtime(local: &dyn System, folders: &Folders) -> Result<PathBuf, CliError> {
    let set = local.env("JUPYTER_RUNTIME_DIR").map(PathBuf::from);
    let folder = set.unwrap_or_else(|| folders.jupyter.join("runtime"));
    let there = folder.ancestors().find(|path| local.stat(path).is_ok());
    match there.map(|path| (path, local.access(path))) {
        Some((path, Err(source))) => Err(CliError::NotYours { path: path.to_owned(), source }),
        _ => Ok(folder),
    }
}

fn token() -> Result<String, CliError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::Other(message!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The server's words. What a configuration of the user's might say otherwise and would lead elsewhere is said here.
fn words(
    local: &dyn System,
    args: &Lab,
    environment: &OpenEnvironment<'_>,
    folder: &Path,
    port: u16,
    seat: &Seat,
) -> Vec<String> {
    let mut words = vec![environment.path.join("bin/jupyter-lab").to_string_lossy().into_owned()];
    words.push("--ServerApp.ip=127.0.0.1".to_owned());
    words.push(format!("--ServerApp.port={port}"));
    words.push("--ServerApp.port_retries=0".to_owned());
    words.push("--ServerApp.sock=".to_owned());
    words.push(format!("--ServerApp.root_dir={}", folder.display()));
    let no_screen = local.env("DISPLAY").is_none() && local.env("WAYLAND_DISPLAY").is_none();
    if args.no_browser || seat.wsl || seat.ssh.is_some() || no_screen {
        words.push("--no-browser".to_owned());
    }
    if seat.root {
        words.push("--allow-root".to_owned());
    }
    words.extend(args.more.iter().cloned());
    words
}

/// What a server of Jupyter's notes of itself once it listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Info {
    #[serde(default)]
    base_url: String,
    port: u16,
    #[serde(default)]
    token: String,
    #[serde(default)]
    secure: bool,
}

impl Info {
    fn address(&self, host: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        let token = match self.token.as_str() {
            "" => String::new(),
            token => format!("?token={token}"),
        };
        format!("{scheme}://{host}:{}{}lab{token}", self.port, self.base())
    }

    /// The path that all of its addresses begin with.
    fn base(&self) -> String {
        let base = self.base_url.trim_matches('/');
        if base.is_empty() { "/".to_owned() } else { format!("/{base}/") }
    }

    /// What it answers when it is asked how it is.
    fn status(&self) -> Option<u16> {
        if self.secure {
            return listens(self.port).then_some(200);
        }
        asked(
            self.port,
            &format!("{}api/status", self.base()),
            &format!("Authorization: token {}", self.token),
        )
    }
}

/// A server that answers.
struct RunningServer {
    info: Info,
    status: u16,
}

/// Waits until the server answers; `None` where it has ended well before, as one does that only tells its version.
fn wait(
    local: &dyn System,
    server: &mut Server,
    runtime: &Path,
    log: &Path,
) -> Result<Option<RunningServer>, CliError> {
    let file = runtime.join(format!("jpserver-{}.json", server.id()));
    let since = Instant::now();
    loop {
        if interrupted() {
            return Err(Failure::Interrupted.into());
        }
        if let Some(status) = server.ended().map_err(CliError::io(log))? {
            return if status == Some(0) { Ok(None) } else { Err(ended(local, log)) };
        }
        if since.elapsed() > PATIENCE {
            return Err(ended(local, log));
        }
        if let Some(info) = info(local, &file)
            && let Some(status) = info.status().filter(|status| *status < 500)
        {
            return Ok(Some(RunningServer { info, status }));
        }
        thread::sleep(POLL_INTERVAL);
    }
}

fn info(local: &dyn System, file: &Path) -> Option<Info> {
    let info: Info = serde_json::from_slice(&local.read(file).ok()?).ok()?;
    names::address::fits(&info.address("127.0.0.1")).then_some(info)
}

/// Why there is no server any more: its last words.
fn ended(local: &dyn System, log: &Path) -> CliError {
    let text = local.text(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
    CliError::NoLab { last, log: log.to_owned() }
}

/// What a configuration of the user's makes different.
fn notes(local: &dyn System, running: &RunningServer, log: &Path, output: &Console) {
    let care = |text: Message| output.say(format!("{} {}", styled(CARE, "!"), said(text)));
    if running.info.token.is_empty() {
        care(message!(
            "a configuration of Jupyter's turns its token off: every user of this computer can open it"
        ));
    } else if running.status >= 400 {
        care(message!(
            "a configuration of Jupyter's asks for more than the token: the page will ask for it"
        ));
    }
    for (file, reason) in unread(&local.text(log).unwrap_or_default()) {
        care(message!("Jupyter cannot read {file} and goes on without it: {reason}"));
    }
}

/// Configurations that Jupyter could not read, by what it has logged, each with the last line of the reason.
fn unread(log: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = log.lines();
    while let Some(line) = lines.next() {
        let Some((_, file)) = line.split_once("Exception while loading config file ") else {
            continue;
        };
        // The lines that follow tell where it happened, and the last of them what.
        let told = lines.clone().take_while(|line| !line.starts_with('['));
        let reason = told.map(str::trim).filter(|line| !line.is_empty()).last();
        found.push((file.trim().to_owned(), reason.unwrap_or_default().to_owned()));
    }
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_what_the_server_says_of_itself() {
        let info = |json: &str| serde_json::from_str::<Info>(json).unwrap();
        let plain = info(r#"{"port": 8890, "token": "abc", "base_url": "/", "pid": 7}"#);
        assert_eq!(plain.address("127.0.0.1"), "http://127.0.0.1:8890/lab?token=abc");
        let other = info(r#"{"port": 1, "token": "", "base_url": "/jupyter/", "secure": true}"#);
        assert_eq!(other.address("localhost"), "https://localhost:1/jupyter/lab");
    }

    #[test]
    fn the_tunnel_is_a_line_to_copy() {
        let ssh = |said: &str| Ssh::read(said, Some("ann".to_owned())).map(|ssh| ssh.tunnel(8888));
        assert_eq!(
            ssh("10.0.0.9 50412 10.0.0.1 22").as_deref(),
            Some("ssh -L 8888:127.0.0.1:8888 ann@10.0.0.1")
        );
        assert_eq!(
            ssh("::1 1 fe80::1 2222").as_deref(),
            Some("ssh -p 2222 -L 8888:127.0.0.1:8888 ann@fe80::1")
        );
        assert_eq!(ssh("10.0.0.9 1 $(id) 22"), None);
        assert_eq!(ssh(""), None);
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_named() {
        let log = "[E ServerApp] Exception while loading config file /home/ann/.jupyter/x.py\n    Traceback (most \
                   recent call last):\n      File \"x.py\", line 1\n    SyntaxError: no\n[I ServerApp] more\n";
        let found = unread(log);
        assert_eq!(found, [("/home/ann/.jupyter/x.py".to_owned(), "SyntaxError: no".to_owned())]);
    }
}
