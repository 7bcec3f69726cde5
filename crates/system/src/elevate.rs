//! The one place that knows how root is got.

use std::io;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::command::{Command, RunError};
use crate::exec::is_terminal;
use crate::message;
use crate::programs::{self, OF_ROOT};

/// How often the password's ticket is renewed; sudo forgets it after 5 to 15 minutes.
const RENEWAL: Duration = Duration::from_secs(60);

/// What prepares root's commands, whatever the user's session and sudo's rules have set: modes that others can read,
/// no folder of the user's, and the variables that hold secrets, which come ahead of the command's own input, so that
/// no list of processes shows them.
const PREPARE: &str = r#"umask 022; cd /; while IFS= read -r line && [ -n "$line" ]; do export "$line"; done; exec "$0" "$@""#;

/// The words that run, with root's rights, for a user of this id: a program of the system's own, named whole, with an
/// environment of which every variable is listed. `sudo -n` never asks: [`authenticate`] has asked before.
///
/// # Errors
/// Where one of the programs is not there.
pub(crate) fn words(command: &Command, uid: u32) -> Result<Vec<String>, RunError> {
    let found = |program: &str, path: Option<PathBuf>| {
        let path = path.ok_or_else(|| RunError::NotFound { program: program.to_owned() })?;
        Ok(path.to_string_lossy().into_owned())
    };
    let mut words = Vec::new();
    if uid != 0 {
        words.extend([found("sudo", programs::find("sudo"))?, "-n".to_owned()]);
    }
    words.extend([found("env", programs::of_root("env"))?, "-i".to_owned()]);
    words.extend([format!("PATH={OF_ROOT}"), "HOME=/root".to_owned()]);
    let set = command.env.iter().filter(|(_, value)| !value.is_empty());
    words.extend(set.map(|(name, value)| format!("{name}={value}")));
    let program = &command.argv[0];
    words.extend(["/bin/sh", "-c", PREPARE].map(str::to_owned));
    words.push(found(program, programs::of_root(program))?);
    words.extend(command.argv.iter().skip(1).cloned());
    Ok(words)
}

/// What those words read: the variables that are passed on, an empty line, and the command's own input.
pub(crate) fn input(
    command: &Command,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<Vec<u8>> {
    let secrets = command.pass.iter().filter_map(|name| Some((name, variable(name)?)));
    // A value of two lines would be two variables.
    let secrets = secrets.filter(|(_, value)| !value.contains('\n'));
    let lines: String = secrets.map(|(name, value)| format!("{name}={value}\n")).collect();
    if lines.is_empty() && command.input.is_none() {
        return None;
    }
    let own = command.input.iter().flatten().copied();
    Some(lines.into_bytes().into_iter().chain([b'\n']).chain(own).collect())
}

/// The program that sudo asks for the password by where there is no terminal, as the user has set it.
fn askpass() -> Option<std::ffi::OsString> {
    std::env::var_os("SUDO_ASKPASS").filter(|program| !program.is_empty())
}

/// Whether sudo can ask somebody for a password.
pub fn can_ask() -> bool {
    is_terminal() || askpass().is_some()
}

/// Asks for sudo's password, once, on the terminal or by the user's own program for that, and keeps the ticket alive
/// until the result is dropped.
///
/// Call it before any progress bar is drawn.
///
/// # Errors
/// `PermissionDenied` where sudo refuses; any other error where it cannot be run.
pub fn authenticate() -> io::Result<KeepAlive> {
    let sudo = programs::find("sudo").ok_or(io::ErrorKind::NotFound)?;
    let ways: &[&str] = if is_terminal() { &["-v"] } else { &["-A", "-v"] };
    let status = Process::new(&sudo).args(ways).status()?;
    if !status.success() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message!("sudo refused")));
    }
    Ok(KeepAlive::start(sudo))
}

/// Keeps sudo's ticket alive while it exists.
#[derive(Debug)]
pub struct KeepAlive {
    stop: Arc<(Mutex<()>, Condvar, AtomicBool)>,
}

impl KeepAlive {
    fn start(sudo: PathBuf) -> Self {
        let stop = Arc::new((Mutex::new(()), Condvar::new(), AtomicBool::new(false)));
        let shared = Arc::clone(&stop);
        thread::spawn(move || {
            let (lock, wake, stopped) = &*shared;
            let mut guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
            while !stopped.load(Ordering::SeqCst) {
                (guard, _) =
                    wake.wait_timeout(guard, RENEWAL).unwrap_or_else(PoisonError::into_inner);
                if !stopped.load(Ordering::SeqCst) {
                    let _ = Process::new(&sudo)
                        .args(["-n", "-v"])
                        .stdin(Stdio::null())
                        .stdout(Stdio::null())
                        .stderr(Stdio::null())
                        .status();
                }
            }
        });
        Self { stop }
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.stop.2.store(true, Ordering::SeqCst);
        self.stop.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Write;

    #[test]
    fn roots_programs_are_named_whole_and_their_environment_is_listed() {
        let command = Command::as_root(["true", "a"]).env("LC_ALL", "C").pass("http_proxy");
        let words = words(&command, 0).unwrap();
        let program = programs::of_root("true").unwrap().to_string_lossy().into_owned();
        assert!(words[0].ends_with("/env") && words[0].starts_with('/'), "{words:?}");
        let listed = ["-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"];
        assert_eq!(words[1..5], listed);
        assert_eq!(words[5..], ["/bin/sh", "-c", PREPARE, &program, "a"]);
        let missing = super::words(&Command::as_root(["./true"]), 0);
        assert!(matches!(missing, Err(RunError::NotFound { .. })));
    }

    /// What a program of root's sees, started as root would start it.
    fn seen(command: &Command, variable: impl Fn(&str) -> Option<String>) -> String {
        let words = words(command, 0).unwrap();
        let mut child = Process::new(&words[0])
            .args(&words[1..])
            .env("APT_CONFIG", "/tmp/evil")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = input(command, variable).unwrap_or_default();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn secrets_come_ahead_of_the_input_and_everything_else_stays_behind() {
        let command = Command::as_root(["sh", "-c", "pwd; umask; env | sort; cat"])
            .pass("http_proxy")
            .pass("no_proxy")
            .input("one\n\ntwo");
        let secret = "http://me:it's \"$HOME\"@proxy";
        assert!(!words(&command, 0).unwrap().concat().contains("proxy"));
        let said = seen(&command, |name| (name == "http_proxy").then(|| secret.to_owned()));
        assert!(said.starts_with("/\n0022\nHOME=/root\n"), "{said}");
        assert!(said.contains(&format!("\nhttp_proxy={secret}\n")), "{said}");
        assert!(said.ends_with("one\n\ntwo") && !said.contains("APT_CONFIG"), "{said}");
        let nothing = Command::as_root(["cat"]);
        assert_eq!(input(&nothing, |_| None), None);
        assert_eq!(seen(&nothing, |_| None), "");
    }
}
