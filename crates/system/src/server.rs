//! A server that this program starts, and that runs no longer than it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::command::Command;
use crate::{Real, System, private, real};

/// How long it has to end in good order.
const GRACE: Duration = Duration::from_secs(10);
/// How often it is looked after.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long it has to answer one question.
const PATIENCE: Duration = Duration::from_secs(5);

/// Becomes the server, beside a watcher who ends the whole group once this program is gone, however that came about: its
/// end of the pipe is closed then.
const WATCHED: &str =
    r#"exec 3<&0 </dev/null; (read -r _ <&3; kill -TERM 0) >/dev/null 2>&1 & exec "$@" 3<&-"#;

/// A server under way; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Its standard input is the pipe that the watcher reads, and nothing is ever written to it.
    child: Child,
}

impl Server {
    /// Starts a command, whose first word is a path, as the user's own program: with what this one got, in a folder, and everything that it prints in a
    /// new log. The terminal's Ctrl-C reaches this program alone.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(command: &Command, folder: &Path, log: &Path) -> io::Result<Self> {
        Real.stat(Path::new(&command.argv[0]))?;
        Real.remove(log)?;
        let log = real::open_to_append(log)?;
        private::restore_umask();
        let mut process = Process::new("/bin/sh");
        process
            .args(["-c", WATCHED, "aitk"])
            .args(&command.argv)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        for (name, value) in &command.env {
            match value.as_str() {
                "" => process.env_remove(name),
                value => process.env(name, value),
            };
        }
        Ok(Self { child: process.spawn()? })
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended: with this status, or by a signal.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn ended(&mut self) -> io::Result<Option<Option<i32>>> {
        Ok(self.child.try_wait()?.map(|status| status.code()))
    }

    /// Ends it, and what it has started: in good order, and if that takes too long, at once.
    pub fn stop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let Some(group) = group.filter(|_| matches!(self.ended(), Ok(None))) else { return };
        let asked = Instant::now();
        // It may have ended meanwhile, which is what is wanted.
        let _ = kill_process_group(group, Signal::TERM);
        while matches!(self.ended(), Ok(None)) {
            if asked.elapsed() > GRACE {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = self.child.wait();
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a web server on a port of this computer answers when it is asked for a path with this header: the status of its
/// answer; `None` where there is none, or none of HTTP's.
pub fn asked(port: u16, path: &str, header: &str) -> Option<u16> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let question = format!("GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n{header}\r\n\r\n");
    stream.write_all(question.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(12).read_to_end(&mut answer).ok()?;
    let answer = std::str::from_utf8(&answer).ok()?;
    answer.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

/// Whether anything listens on a port of this computer.
pub fn listens(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, PATIENCE).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_ends_with_what_has_started_it_and_leaves_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script =
            "echo \"$WORD in $PWD\"; trap 'echo ended; exit 3' TERM; while :; do sleep 0.05; done";
        let command = Command::changes(["/bin/sh", "-c", script]).env("WORD", "here");
        let mut server = Server::start(&command, folder.path(), &log).unwrap();
        let said = || String::from_utf8(Real.read(&log).unwrap()).unwrap();
        while said().is_empty() {
            thread::sleep(POLL_INTERVAL);
        }
        assert_eq!(server.ended().unwrap(), None);
        server.stop();
        assert_eq!(server.ended().unwrap(), Some(Some(3)));
        // In between a shell may tell that what it waited for was ended as well.
        let (begin, said) = (format!("here in {}\n", folder.path().display()), said());
        assert!(said.starts_with(&begin) && said.ends_with("ended\n"), "{said}");
    }

    #[test]
    fn a_server_ends_even_where_what_has_started_it_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "echo up; trap 'exit 3' TERM; while :; do sleep 0.05; done";
        let command = Command::changes(["/bin/sh", "-c", script]);
        let mut server = Server::start(&command, folder.path(), &log).unwrap();
        while Real.read(&log).unwrap().is_empty() {
            thread::sleep(POLL_INTERVAL);
        }
        assert_eq!(server.ended().unwrap(), None);
        // All that is left of a killed program is that its pipes are closed.
        drop(server.child.stdin.take());
        while server.ended().unwrap().is_none() {
            thread::sleep(POLL_INTERVAL);
        }
        assert_eq!(server.ended().unwrap(), Some(Some(3)));
        let missing = Command::changes(["/nowhere/server"]);
        let error = Server::start(&missing, folder.path(), &log).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_status_of_an_answer_is_read() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = ["HTTP/1.1 403 Forbidden\r\n\r\n", "\u{15}\u{3}"];
        let serving = thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut question = [0; 7];
                stream.read_exact(&mut question).unwrap();
                assert_eq!(&question, b"GET /x ");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        assert_eq!(asked(port, "/x", "A: b"), Some(403));
        assert_eq!(asked(port, "/x", "A: b"), None);
        serving.join().unwrap();
        assert_eq!(asked(port, "/x", "A: b"), None, "nobody listens any more");
        assert!(!listens(port));
    }
}
