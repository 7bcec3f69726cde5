//! Work beside other work, where the system has a thread for it.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

/// As many things are looked at at the same time: each may start a program.
const MOST: usize = 8;

/// Work that is done beside other work, or has been done at once because no thread could be had.
#[derive(Debug)]
pub struct Beside<'scope, T>(Way<'scope, T>);

#[derive(Debug)]
enum Way<'scope, T> {
    Running(ScopedJoinHandle<'scope, Option<T>>),
    Done(Option<T>),
}

impl<T> Beside<'_, T> {
    /// Waits for what it gives.
    ///
    /// # Errors
    /// Where it panicked.
    pub fn join(self) -> thread::Result<T> {
        let value = match self.0 {
            Way::Running(thread) => thread.join()?,
            Way::Done(value) => value,
        };
        value.ok_or_else(|| Box::new("taken") as Box<dyn Any + Send>)
    }
}

/// Begins work in a thread of its own. Where the user may have no more threads it is done before this comes back.
pub fn beside<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Beside<'scope, T> {
    // A thread that cannot be started takes its work with it.
    let work = Arc::new(Mutex::new(Some(work)));
    let shared = Arc::clone(&work);
    let done = move || {
        let work = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.map(|work| work())
    };
    match Builder::new().spawn_scoped(scope, done) {
        Ok(thread) => Beside(Way::Running(thread)),
        Err(_) => {
            let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            Beside(Way::Done(work.map(|work| work())))
        }
    }
}

/// Does the same with each of these, some at the same time, and gives what comes of it in their order.
pub fn with_each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let hand = || {
        while let Some((at, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
        {
            let result = work(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    thread::scope(|scope| {
        let hands: Vec<_> = (1..items.len().min(MOST)).map(|_| beside(scope, hand)).collect();
        hand();
        for one in hands {
            if let Err(panic) = one.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_and_in_order() {
        let all: Vec<usize> = (0..1000).collect();
        assert_eq!(
            with_each(&all, |one| one * 2),
            all.iter().map(|one| one * 2).collect::<Vec<_>>()
        );
        assert_eq!(with_each(&[], |one: &usize| *one), [0; 0]);
    }

    #[test]
    fn work_beside_gives_its_value() {
        let value = thread::scope(|scope| beside(scope, || 7).join().unwrap());
        assert_eq!(value, 7);
    }
}
