//! Stopping the world: a range that begins and ends in one generation.
//!
//! Readers look the reason up when the range ends, in the strings of that generation. So generations
//! do not change while the world is stopped.

use std::{
    cell::Cell,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::control;

/// Who stops the world, and who waits for it to run.
#[derive(Debug)]
pub(crate) struct World {
    is_stopped: bool,
    /// Gates that are waited for. They go first, otherwise generations would never end in a program
    /// that stops the world again and again.
    gates: usize,
}

static WORLD: Mutex<World> = Mutex::new(World {
    is_stopped: false,
    gates: 0,
});
static CHANGED: Condvar = Condvar::new();

thread_local! {
    static STOPPED_HERE: Cell<bool> = const { Cell::new(false) };
}

fn lock() -> MutexGuard<'static, World> {
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(world: MutexGuard<'static, World>) -> MutexGuard<'static, World> {
    CHANGED.wait(world).unwrap_or_else(PoisonError::into_inner)
}

/// Keeps others from stopping the world, once it runs.
pub(crate) fn gate() -> MutexGuard<'static, World> {
    let mut world = lock();
    world.gates += 1;
    while world.is_stopped {
        world = wait(world);
    }
    world.gates -= 1;
    CHANGED.notify_all();
    world
}

/// Whether the calling thread stops the world.
pub(crate) fn is_stopped_here() -> bool {
    STOPPED_HERE.try_with(Cell::get).unwrap_or(false)
}

/// Stops the world; `false` if somebody does. Waits only while a generation is being ended.
///
/// MUST be called before the section of the event, otherwise the generation may change in between.
pub(crate) fn stop() -> bool {
    if control::is_forked() {
        return false;
    }
    let mut world = lock();
    while !world.is_stopped && world.gates > 0 {
        world = wait(world);
    }
    if world.is_stopped {
        return false;
    }
    world.is_stopped = true;
    STOPPED_HERE.set(true);
    true
}

/// MUST be called after the section of the event, on the thread that has stopped the world.
pub(crate) fn start() {
    if control::is_forked() {
        return;
    }
    lock().is_stopped = false;
    STOPPED_HERE.set(false);
    CHANGED.notify_all();
}
