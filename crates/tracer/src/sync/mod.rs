//! The locks and channels of the standard library, with who waits, why, and who ends the wait in the
//! trace.
//!
//! Each type has the methods of its namesake in [`std::sync`] and behaves like it; poisoning included.
//! Excluding others is left to the standard library ([`Mutex`] and [`RwLock`] are its locks); what is
//! done here is the waiting, once a lock is taken or a channel is empty:
//!
//! - The goroutine blocks, with the stack of the call and a reason: `sync.Mutex`, `sync.RwLock.read`,
//!   `sync.RwLock.write`, `sync.Condvar`, `sync.Barrier`, `chan receive`, `chan send`. Go's tools take
//!   those with `sync` and `chan` for their *synchronization blocking profile*.
//! - Its thread gives its proc up, so the timeline of procs shows when threads run.
//! - Who lets it go on unblocks it, with a stack: the thread that unlocked, sent or notified.
//!
//! What does not wait writes nothing and costs what it costs in the standard library, and a load. While
//! tracing is off, locks that are taken are waited for as the standard library does.
//!
//! A thread without a goroutine (see [`crate::thread`]) waits all the same, and nothing is written
//! of it. Inside an executor that uses [`crate::raw`], it is the executor's goroutine that blocks.
//!
//! Locks are not handed over: who comes at the right moment may take a lock before the one who was
//! woken for it, who then blocks again, at the head of the queue. After 32 times it waits in the
//! standard library's own way.

use crate::{
    raw::park::{self, Parked, Woken},
    stack::Here,
};

mod barrier;
mod condvar;
pub mod mpsc;
mod mutex;
pub(crate) mod queue;
mod rwlock;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use mutex::{Mutex, MutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

/// Times that a lock is tried before its thread goes to sleep.
const SPINS: u32 = 16;

/// Runs `work`, which waits for something that this crate knows nothing of: for a child process, a
/// device, a lock of another library. In the trace the goroutine is blocked meanwhile, for this reason,
/// and unblocks itself.
///
/// The reason is a text that repeats; if it contains `sync`, `chan` or `select`, Go's tools count the
/// time as synchronization. What `work` itself tries to write is not in the trace.
///
/// ```
/// let status = exectrace::sync::blocking("child process", || {
///     std::process::Command::new("true").status()
/// });
/// # let _ = status;
/// ```
#[inline(always)]
pub fn blocking<R>(reason: &'static str, work: impl FnOnce() -> R) -> R {
    blocking_at(Here::now(), reason, work)
}

fn blocking_at<R>(here: Here, reason: &'static str, work: impl FnOnce() -> R) -> R {
    let _blocked = Blocked(park::park(here, reason));
    work()
}

/// The thread's goroutine is blocked until this is dropped.
struct Blocked(Option<(Parked, crate::raw::Waiting)>);

impl Drop for Blocked {
    fn drop(&mut self) {
        if let Some((parked, waiting)) = self.0.take() {
            park::unpark(&parked, Woken::Waiting(waiting));
        }
    }
}

/// Waits for a lock of the standard library, which has been found taken.
///
/// `attempt` tries it, `wait` waits for it as the standard library does.
#[cold]
fn contended<R>(
    here: Here,
    queue: &queue::Queue,
    reason: &'static str,
    mut attempt: impl FnMut() -> Option<R>,
    wait: impl FnOnce() -> R,
) -> R {
    // 1. It may be a matter of nanoseconds.
    for spin in 0..SPINS {
        for _ in 0..1 << (spin / 4) {
            std::hint::spin_loop();
        }
        if let Some(done) = attempt() {
            return done;
        }
    }

    // 2. With tracing off nobody wants to know.
    if !crate::is_enabled() {
        return wait();
    }

    // 3. In the queue; or, if others are always faster, with who is fair.
    match queue.wait(here, queue::Order::Fence, reason, None, attempt) {
        queue::Outcome::Done(done) => done,
        queue::Outcome::TimedOut | queue::Outcome::Starved => blocking_at(here, reason, wait),
    }
}

/// The result of trying a lock of the standard library: `None` if it is taken.
fn tried<G>(result: TryLockResult<G>) -> Option<LockResult<G>> {
    match result {
        Ok(guard) => Some(Ok(guard)),
        Err(TryLockError::Poisoned(guard)) => Some(Err(guard)),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// The same with another guard.
fn mapped<A, B>(result: LockResult<A>, f: impl FnOnce(A) -> B) -> LockResult<B> {
    match result {
        Ok(guard) => Ok(f(guard)),
        Err(poisoned) => Err(PoisonError::new(f(poisoned.into_inner()))),
    }
}
