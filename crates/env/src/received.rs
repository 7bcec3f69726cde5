//! How much this process has had from the network: measured, for what is said at the end of a run.

use std::sync::atomic::{AtomicU64, Ordering};

static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// Bytes that came in so far: files that were fetched here, and what other programs said that they fetched.
pub fn received() -> u64 {
    RECEIVED.load(Ordering::Relaxed)
}

/// Notes that so many bytes came in.
pub fn note_received(bytes: u64) {
    RECEIVED.fetch_add(bytes, Ordering::Relaxed);
}
