//! Runs asynchronous work, and leaves it where it is once the user wants to stop.

use std::pin::pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use aitk_system::{Failure, interrupted, message};
use futures_util::future::{Either, select};
use tokio::runtime::Builder;

use crate::error::EnvError;

/// How often it is looked whether the user wants to stop.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Runs asynchronous work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, EnvError> {
    block_in(Builder::new_current_thread(), work)
}

/// Runs asynchronous work that computes as well, on all processors, to its end.
pub(crate) fn block_on_threads<T>(work: impl Future<Output = T>) -> Result<T, EnvError> {
    block_in(Builder::new_multi_thread(), work)
}

fn block_in<T>(mut runtime: Builder, work: impl Future<Output = T>) -> Result<T, EnvError> {
    let runtime = runtime.enable_all().build().map_err(EnvError::io_of(message!("the runtime")))?;
    runtime.block_on(unless_interrupted(work))
}

/// Leaves work where it is once the user wants to stop: what is half-built or half-downloaded is told from what is
/// whole.
async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Result<T, EnvError> {
    let stop = async {
        while !interrupted() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    match select(pin!(work), pin!(stop)).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(EnvError::System(Failure::Interrupted)),
    }
}

/// Runs work that computes and does not look up by itself; `stop` makes it end early, once the user wants to.
pub(crate) fn once_interrupted<T>(stop: impl FnOnce() + Send, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        // Its other end goes when the work is done.
        let (working, ended) = mpsc::channel::<()>();
        // Without a thread to spare it ends when it is done.
        let _ = thread::Builder::new().spawn_scoped(scope, move || {
            while ended.recv_timeout(POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if interrupted() {
                    return stop();
                }
            }
        });
        let done = work();
        drop(working);
        done
    })
}
