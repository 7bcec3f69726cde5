//! The one place that knows how root is got.

use std::io;
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::command::{Command, Privilege};

/// How often the password's ticket is renewed; sudo forgets it after 5 to 15 minutes.
const RENEWAL: Duration = Duration::from_secs(60);

/// The words that run for a user of this id. `sudo -n` never asks: [`authenticate`] has asked before.
pub(crate) fn words(command: &Command, uid: u32) -> Vec<String> {
    let mut words = Vec::new();
    if command.privilege == Privilege::Root && uid != 0 {
        words.extend(["sudo".to_owned(), "-n".to_owned()]);
        words.extend(command.preserved());
        // sudo drops the caller's environment, so what the command needs is passed in the open.
        if !command.env.is_empty() {
            words.push("env".to_owned());
            words.extend(command.env.iter().map(|(name, value)| format!("{name}={value}")));
        }
    }
    words.extend(command.argv.iter().cloned());
    words
}

/// Asks for sudo's password on the terminal, once, and keeps the ticket alive until the result is dropped.
///
/// Call it before any progress bar is drawn.
///
/// # Errors
/// `PermissionDenied` where sudo refuses; any other error where it cannot be run.
pub fn authenticate() -> io::Result<KeepAlive> {
    let status = Process::new("sudo").arg("-v").status()?;
    if !status.success() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "sudo refused"));
    }
    Ok(KeepAlive::start())
}

/// Keeps sudo's ticket alive while it exists.
#[derive(Debug)]
pub struct KeepAlive {
    stop: Arc<(Mutex<()>, Condvar, AtomicBool)>,
}

impl KeepAlive {
    fn start() -> Self {
        let stop = Arc::new((Mutex::new(()), Condvar::new(), AtomicBool::new(false)));
        let shared = Arc::clone(&stop);
        thread::spawn(move || {
            let (lock, wake, stopped) = &*shared;
            let mut guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
            while !stopped.load(Ordering::SeqCst) {
                (guard, _) =
                    wake.wait_timeout(guard, RENEWAL).unwrap_or_else(PoisonError::into_inner);
                if !stopped.load(Ordering::SeqCst) {
                    let _ = Process::new("sudo")
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

    #[test]
    fn root_needs_no_sudo_and_a_user_passes_the_environment_in_the_open() {
        let command = Command::as_root(["apt-get", "update"]).env("LC_ALL", "C");
        assert_eq!(words(&command, 0), ["apt-get", "update"]);
        assert_eq!(words(&command, 1000), ["sudo", "-n", "env", "LC_ALL=C", "apt-get", "update"]);
        assert_eq!(words(&Command::reads(["id"]), 1000), ["id"]);
        let secret = Command::as_root(["apt-get"]).pass("http_proxy").pass("https_proxy");
        let preserve = "--preserve-env=http_proxy,https_proxy";
        assert_eq!(words(&secret, 1000), ["sudo", "-n", preserve, "apt-get"]);
    }
}
