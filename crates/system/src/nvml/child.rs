//! This program once more, to ask NVIDIA's library: a driver that hangs holds its caller inside of the kernel, where
//! nothing ends it, and a library that crashes takes its process along.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command as Process, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use super::{Nvml, NvmlFailure, library};
use crate::{Command, children, message};

/// What the program is called then, and how it knows.
const NAME: &str = "aitk-nvml";
/// The program itself, also where its file was replaced or deleted meanwhile.
const ITSELF: &str = "/proc/self/exe";
/// How often it is looked whether the process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Whether this program answers where it is started so.
static ANSWERS: OnceLock<()> = OnceLock::new();

type Answer = Result<Nvml, NvmlFailure>;

/// Answers what the process was started for, where it was: then it is to end. To be called first of all, for only a
/// program that has done so is started anew to ask NVIDIA's library.
pub fn answers_for_nvml() -> bool {
    let _ = ANSWERS.set(());
    let is_asked = std::env::args_os().next().is_some_and(|name| name == NAME);
    if is_asked {
        // Nobody reads the answer of a process whose parent is gone, nor what a crash leaves of it.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        if let Ok(answer) = serde_json::to_string(&library::ask()) {
            let _ = writeln!(std::io::stdout(), "{answer}");
        }
    }
    is_asked
}

/// Asks the library, for as long as `patience`.
pub(crate) fn ask(patience: Duration) -> Answer {
    if ANSWERS.get().is_none() {
        return Err(NvmlFailure::Other(message!("this program does not ask it").to_string()));
    }
    let mut process = Process::new(ITSELF);
    process.arg0(NAME);
    ask_by(process, patience)
}

fn ask_by(mut process: Process, patience: Duration) -> Answer {
    let since = Instant::now();
    children::surround(&mut process, &Command::reads([ITSELF]));
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let failed = |error: std::io::Error| NvmlFailure::Other(error.to_string());
    let mut child = process.spawn().map_err(failed)?;
    let pipe = child.stdout.take();
    let (sender, answer) = mpsc::channel();
    let reads = thread::Builder::new().spawn(move || {
        // What the library itself may print is no answer.
        let lines = pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).lines());
        let mut answers = lines.map_while(Result::ok).filter_map(|line| read(&line));
        let _ = answers.next().map(|answer| sender.send(answer));
    });
    let answer = match reads {
        Ok(_) => answer.recv_timeout(patience),
        Err(_) => Err(RecvTimeoutError::Timeout),
    };
    match answer {
        Ok(answer) => {
            // It has nothing more to say, and what the library does at its end concerns nobody.
            let _ = child.kill();
            answer
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err(end_of(child, patience.saturating_sub(since.elapsed())))
        }
        Err(RecvTimeoutError::Timeout) => {
            // Where it hangs inside of the kernel this ends it later or never: it is not waited for.
            let _ = child.kill();
            Err(NvmlFailure::TimedOut)
        }
    }
}

fn read(line: &str) -> Option<Answer> {
    serde_json::from_str(line).ok()
}

/// How a process ended that has said nothing.
fn end_of(mut child: Child, patience: Duration) -> NvmlFailure {
    let since = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return NvmlFailure::Crashed(status.signal()),
            Ok(None) if since.elapsed() < patience => thread::sleep(POLL_INTERVAL),
            _ => return NvmlFailure::TimedOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str, patience: Duration) -> Answer {
        let mut process = Process::new("sh");
        process.args(["-c", line]);
        ask_by(process, patience)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn an_answer_is_taken_whatever_else_is_printed_and_however_it_ends() {
        let said =
            r#"echo loading; echo '{"Ok":{"driver":"580.95.05","cuda":13000,"devices":[]}}'; "#;
        for end in ["", "exit 3", "kill -SEGV $$", "exec sleep 60"] {
            let since = Instant::now();
            let answer = shell(&format!("{said}{end}"), LONG).unwrap();
            assert_eq!(answer.driver.as_deref(), Some("580.95.05"), "{end}");
            assert!(since.elapsed() < LONG, "{end}: its end was waited for");
        }
        let refused = shell(r#"echo '{"Err":"mismatch"}'"#, LONG);
        assert_eq!(refused, Err(NvmlFailure::Mismatch));
    }

    #[test]
    fn a_crash_is_told_by_its_signal() {
        assert_eq!(shell("kill -SEGV $$", LONG), Err(NvmlFailure::Crashed(Some(11))));
        assert_eq!(shell("echo nothing; exit 1", LONG), Err(NvmlFailure::Crashed(None)));
    }

    #[test]
    fn what_hangs_is_ended_and_not_waited_for() {
        let since = Instant::now();
        for hangs in ["exec sleep 60", "exec >&-; exec sleep 60"] {
            let answer = shell(hangs, Duration::from_millis(300));
            assert_eq!(answer, Err(NvmlFailure::TimedOut), "{hangs}");
        }
        assert!(since.elapsed() < LONG);
    }

    #[test]
    fn a_program_that_does_not_answer_so_is_never_started_anew() {
        assert!(matches!(ask(LONG), Err(NvmlFailure::Other(_))));
    }
}
