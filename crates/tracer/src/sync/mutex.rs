//! Mutual exclusion.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync,
};

use crate::stack::Here;

use super::{LockResult, TryLockError, TryLockResult, contended, mapped, queue::Queue, tried};

/// [`std::sync::Mutex`], with who waits for whom in the trace.
///
/// ```
/// use exectrace::sync::Mutex;
///
/// let count = Mutex::new(0);
/// *count.lock().unwrap() += 1;
/// assert_eq!(count.into_inner().unwrap(), 1);
/// ```
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    pub(super) queue: Queue,
    inner: sync::Mutex<T>,
}

/// The lock on a [`Mutex`], until it is dropped.
#[must_use = "when it is dropped, the mutex is unlocked"]
pub struct MutexGuard<'a, T: ?Sized> {
    // In this order: who waits is woken when the mutex is unlocked.
    inner: sync::MutexGuard<'a, T>,
    unlocked: Unlocked<'a, T>,
}

struct Unlocked<'a, T: ?Sized>(&'a Mutex<T>);

impl<T: ?Sized> Drop for Unlocked<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.queue.wake_one();
    }
}

impl<T> Mutex<T> {
    /// An unlocked mutex.
    pub const fn new(value: T) -> Self {
        Self {
            queue: Queue::new(),
            inner: sync::Mutex::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock; the value is in the error.
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks it, waiting until it is free.
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock; the lock is in the error.
    #[inline(always)]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let locked = match tried(self.inner.try_lock()) {
            Some(locked) => locked,
            None => contended(
                Here::now(),
                &self.queue,
                "sync.Mutex",
                || tried(self.inner.try_lock()),
                || self.inner.lock(),
            ),
        };
        mapped(locked, |guard| self.guard(guard))
    }

    /// Locks it if it is free.
    ///
    /// # Errors
    ///
    /// If it is not, or a thread panicked with the lock.
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let locked = tried(self.inner.try_lock()).ok_or(TryLockError::WouldBlock)?;
        Ok(mapped(locked, |guard| self.guard(guard))?)
    }

    /// Whether a thread panicked with the lock.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// Forgets that a thread panicked with the lock.
    pub fn clear_poison(&self) {
        self.inner.clear_poison();
    }

    /// The value, without locking: nobody else has the mutex.
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock; the value is in the error.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }

    fn guard<'a>(&'a self, inner: sync::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        MutexGuard {
            inner,
            unlocked: Unlocked(self),
        }
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The mutex that it locks.
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.unlocked.0
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
