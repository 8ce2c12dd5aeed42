//! Waiting for a change of what a mutex protects.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use crate::stack::Here;

use super::{LockResult, MutexGuard, queue::Queue};

const REASON: &str = "sync.Condvar";

/// As [`std::sync::Condvar`], with who waits and who notifies in the trace. It may be used with any
/// number of mutexes.
///
/// ```
/// use exectrace::{sync::{Condvar, Mutex}, thread};
///
/// let (ready, changed) = (Mutex::new(false), Condvar::new());
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         *ready.lock().unwrap() = true;
///         changed.notify_one();
///     });
///     let ready = changed.wait_while(ready.lock().unwrap(), |ready| !*ready);
///     assert!(*ready.unwrap());
/// });
/// ```
#[derive(Debug, Default)]
pub struct Condvar {
    queue: Queue,
}

/// Whether a wait ended because its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether it did.
    #[must_use]
    pub const fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queue: Queue::new(),
        }
    }

    /// Unlocks the mutex, waits until it is notified, and locks again.
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock; the lock is in the error.
    #[inline(always)]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let (locked, _) = self.sleep(Here::now(), guard, None);
        locked
    }

    /// As [`Condvar::wait`], at most so long.
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait`].
    #[inline(always)]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        // Time that a clock cannot tell is not over in the life of a process.
        let (locked, notified) =
            self.sleep(Here::now(), guard, Instant::now().checked_add(timeout));
        super::mapped(locked, |guard| (guard, WaitTimeoutResult(!notified)))
    }

    /// Waits for as long as `condition` holds.
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait`].
    #[inline(always)]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Waits for as long as `condition` holds, at most so long.
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait`].
    #[inline(always)]
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            if !condition(&mut *guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if is_over {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            let (locked, _) = self.sleep(Here::now(), guard, deadline);
            guard = locked.map_err(|poisoned| {
                PoisonError::new((poisoned.into_inner(), WaitTimeoutResult(false)))
            })?;
        }
    }

    /// Wakes who has waited longest.
    #[inline(always)]
    pub fn notify_one(&self) {
        self.queue.wake_one();
    }

    /// Wakes all who wait.
    #[inline(always)]
    pub fn notify_all(&self) {
        self.queue.wake_all();
    }

    /// The lock, and whether somebody notified.
    fn sleep<'a, T: ?Sized>(
        &self,
        here: Here,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> (LockResult<MutexGuard<'a, T>>, bool) {
        // In the queue before the mutex is free, otherwise a change could come in between.
        let place = self.queue.enter(false);
        let mutex = guard.mutex();
        drop(guard);
        let notified = place.sleep(here, REASON, deadline);
        drop(place);
        (mutex.lock(), notified)
    }
}
