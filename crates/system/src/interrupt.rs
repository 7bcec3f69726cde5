//! Ctrl-C and a polite kill: noted here, obeyed between steps and by commands that may be stopped.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// Set by each signal, and taken back by whoever answers it.
static UNANSWERED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on an interrupt ends the run in good order instead of ending the program at once.
///
/// # Errors
/// Where the operating system does not take the signal handlers.
pub fn listen() -> io::Result<()> {
    for flag in [&FLAG, &UNANSWERED] {
        let flag = flag.get_or_init(|| Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(flag))?;
        }
    }
    Ok(())
}

/// Whether the user has asked to stop since this was last called: each time that he does, he may be told why it waits.
pub fn asked_to_stop() -> bool {
    UNANSWERED.get().is_some_and(|flag| flag.swap(false, Ordering::Relaxed))
}

/// Whether the user has asked to stop.
pub fn interrupted() -> bool {
    FLAG.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}
