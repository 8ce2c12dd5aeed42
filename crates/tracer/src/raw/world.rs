//! Stopping the world: a range that begins and ends in one generation.
//!
//! Readers look the reason up when the range ends, in the strings of that generation. So generations
//! do not change while the world is stopped.

use std::{
    cell::Cell,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// How many stop the world.
static STOPPED: Mutex<usize> = Mutex::new(0);
static RUNS: Condvar = Condvar::new();

thread_local! {
    static STOPPED_HERE: Cell<usize> = const { Cell::new(0) };
}

fn lock() -> MutexGuard<'static, usize> {
    STOPPED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps others from stopping the world, once it runs.
pub(crate) fn gate() -> MutexGuard<'static, usize> {
    let mut stopped = lock();
    while *stopped > 0 {
        stopped = RUNS.wait(stopped).unwrap_or_else(PoisonError::into_inner);
    }
    stopped
}

/// Whether the calling thread stops the world.
pub(crate) fn is_stopped_here() -> bool {
    STOPPED_HERE
        .try_with(|here| here.get() > 0)
        .unwrap_or(false)
}

/// MUST be called before the section of the event, otherwise the generation may change in between.
pub(crate) fn stop() {
    *lock() += 1;
    STOPPED_HERE.set(STOPPED_HERE.get() + 1);
}

/// MUST be called after the section of the event, on the same thread.
pub(crate) fn start() {
    *lock() -= 1;
    STOPPED_HERE.set(STOPPED_HERE.get() - 1);
    RUNS.notify_all();
}
