//! A service's unit: where it lies, how systemd is told of it, and how it is asked whether it is well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aitk_plan::ServiceSpec;
use aitk_system::{Command, System};

use super::super::root::RootAction;
use crate::error::ExecError;
use crate::places::UNITS;

/// The states of sockets in the kernel's lists: it listens.
const LISTENS: &str = "0A";
const SOCKETS: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// Asks once a second, for so many seconds, until what comes has in it what it should have; else prints what came, on a line.
const ASK: &str = r#"end=$(($(date +%s) + $0)) says=$1; shift
until said=$("$@" 2>&1 | head -c 1000000 | tr -d '\000'); printf '%s\n' "$said" | grep -Ezq -- "$says"; do
    [ "$(date +%s)" -lt "$end" ] || { printf '%s\n' "$said" | tr -s '[:space:]' ' ' | cut -c 1-300 | sed 's/ $//'; exit 1; }
    sleep 1
done"#;

pub(super) fn unit_path(unit: &str) -> PathBuf {
    Path::new(UNITS).join(unit)
}

pub(super) fn wants_path(unit: &str) -> PathBuf {
    Path::new(UNITS).join("multi-user.target.wants").join(unit)
}

pub(super) fn systemctl(words: &[&str]) -> RootAction {
    RootAction::Run(Command::as_root(["systemctl"]).args(words.iter().copied()))
}

/// Whether systemd runs it.
pub(super) fn is_active(unit: &str, system: &dyn System) -> Result<bool, ExecError> {
    let command = Command::reads(["systemctl", "is-active", "--quiet", unit]);
    Ok(system.run(&command)?.success())
}

/// Whether systemd knows it otherwise than it stands in its file.
pub(super) fn is_stale(unit: &str, system: &dyn System) -> Result<bool, ExecError> {
    let command = Command::reads(["systemctl", "show", "--property=NeedDaemonReload", unit]);
    Ok(system.run(&command)?.stdout.contains("=yes"))
}

/// Asks a service whether it is well, within so many seconds: by curl, or by a program where its first word is a path. Only
/// what says what it should is well; what came otherwise is printed.
pub(super) fn ask(service: &ServiceSpec, patience: u64) -> Command {
    let command = Command::reads(["sh", "-c", ASK, &patience.to_string(), &service.says]);
    let is_program = service.health.first().is_some_and(|word| word.starts_with('/'));
    let curl = ["curl", "--silent", "--show-error", "--include", "--max-time", "10"];
    let command = match is_program {
        true => command,
        false => command.args(curl).args(["--noproxy", "*"]),
    };
    command.args(service.health.iter().cloned())
}

/// The ports on which something listens.
pub(super) fn listening(system: &dyn System) -> BTreeSet<u16> {
    let port = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (_, port) = words.get(1)?.rsplit_once(':')?;
        (*words.get(3)? == LISTENS).then(|| u16::from_str_radix(port, 16).ok())?
    };
    let lists = SOCKETS.iter().filter_map(|path| system.text(path).ok());
    lists.flat_map(|list| list.lines().filter_map(port).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use aitk_system::Real;

    use super::*;

    /// What is said of a server that answers each question so, in turns.
    fn asked(answers: &[&str], says: &str, patience: u64) -> (bool, String) {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}/health", server.local_addr().unwrap());
        let answers: Vec<_> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        thread::spawn(move || {
            for answer in answers.iter().cycle() {
                let Ok((mut stream, _)) = server.accept() else { return };
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let (health, says) = (vec![address], says.to_owned());
        let service = ServiceSpec { health, says, ..ServiceSpec::default() };
        let said = (&Real as &dyn System).run(&ask(&service, patience)).unwrap();
        (said.success(), said.tail(1))
    }

    #[test]
    fn only_what_says_what_it_should_is_well_and_what_came_is_told() {
        let says = r#"HTTP/1[.]1 200 .*"version": "6.1.1""#;
        let well = "HTTP/1.1 200 OK\r\n\r\n{\n\"version\": \"6.1.1\"}";
        assert_eq!(asked(&[well], says, 0), (true, String::new()));
        for (answer, told) in [
            (
                "HTTP/1.1 200 OK\r\nServer: other\r\n\r\n<h1>Sorry\n</h1>",
                "Server: other <h1>Sorry </h1>",
            ),
            ("HTTP/1.1 200 OK\r\n\r\n{\"version\": \"5.4.0\"}", "5.4.0"),
            ("HTTP/1.1 503 No\r\n\r\n{\"version\": \"6.1.1\"}", "503 No"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "curl: "),
            ("", "curl: "),
        ] {
            let (is_well, said) = asked(&[answer], says, 0);
            assert!(!is_well && said.contains(told), "{answer}: {said}");
        }
        // It is waited for.
        assert_eq!(asked(&["HTTP/1.1 503 Soon\r\n\r\n", well], says, 60), (true, String::new()));
    }

    #[test]
    fn a_program_of_its_own_is_asked_as_well() {
        let ask = |words: [&str; 2]| {
            let service = ServiceSpec {
                health: words.map(str::to_owned).to_vec(),
                says: "accepting connections".to_owned(),
                ..ServiceSpec::default()
            };
            let said = (&Real as &dyn System).run(&ask(&service, 0)).unwrap();
            (said.success(), said.tail(1))
        };
        assert_eq!(ask(["/bin/echo", "/run:5432 - accepting connections"]), (true, String::new()));
        assert_eq!(ask(["/bin/echo", "no response"]), (false, "no response".to_owned()));
    }
}
