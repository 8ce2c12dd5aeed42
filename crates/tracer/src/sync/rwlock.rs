//! Many readers or one writer.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync,
};

use crate::stack::Here;

use super::{LockResult, TryLockError, TryLockResult, contended, mapped, queue::Queue, tried};

/// [`std::sync::RwLock`], with who waits for whom in the trace.
///
/// ```
/// use exectrace::sync::RwLock;
///
/// let names = RwLock::new(vec!["a"]);
/// names.write().unwrap().push("b");
/// assert_eq!(names.read().unwrap().len(), 2);
/// ```
#[derive(Default)]
pub struct RwLock<T: ?Sized> {
    queue: Queue,
    inner: sync::RwLock<T>,
}

/// A lock for reading on a [`RwLock`], until it is dropped.
#[must_use = "when it is dropped, the lock is free"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    // In this order: who waits is woken when the lock is free.
    inner: sync::RwLockReadGuard<'a, T>,
    _unlocked: Read<'a, T>,
}

/// The lock for writing on a [`RwLock`], until it is dropped.
#[must_use = "when it is dropped, the lock is free"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    // As above.
    inner: sync::RwLockWriteGuard<'a, T>,
    _unlocked: Written<'a>,
}

struct Read<'a, T: ?Sized>(&'a RwLock<T>);

impl<T: ?Sized> Drop for Read<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        let Self(lock) = self;
        // While others read, a writer would wake up for nothing. Who reads last finds nobody; if
        // somebody has come since, it is up to them.
        if lock.queue.has_waiters() && tried(lock.inner.try_write()).is_some() {
            lock.queue.wake_all();
        }
    }
}

struct Written<'a>(&'a Queue);

impl Drop for Written<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.wake_all();
    }
}

impl<T> RwLock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self {
            queue: Queue::new(),
            inner: sync::RwLock::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// If a thread panicked while it wrote; the value is in the error.
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks it for reading, waiting until nobody writes.
    ///
    /// # Errors
    ///
    /// If a thread panicked while it wrote; the lock is in the error.
    #[inline(always)]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let locked = match tried(self.inner.try_read()) {
            Some(locked) => locked,
            None => contended(
                Here::now(),
                &self.queue,
                "sync.RwLock.read",
                || tried(self.inner.try_read()),
                || self.inner.read(),
            ),
        };
        mapped(locked, |inner| self.read_guard(inner))
    }

    /// Locks it for writing, waiting until nobody reads or writes.
    ///
    /// # Errors
    ///
    /// If a thread panicked while it wrote; the lock is in the error.
    #[inline(always)]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let locked = match tried(self.inner.try_write()) {
            Some(locked) => locked,
            None => contended(
                Here::now(),
                &self.queue,
                "sync.RwLock.write",
                || tried(self.inner.try_write()),
                || self.inner.write(),
            ),
        };
        mapped(locked, |inner| self.write_guard(inner))
    }

    /// Locks it for reading if nobody writes.
    ///
    /// # Errors
    ///
    /// If somebody does or waits for it, or a thread panicked while it wrote.
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let locked = tried(self.inner.try_read()).ok_or(TryLockError::WouldBlock)?;
        Ok(mapped(locked, |inner| self.read_guard(inner))?)
    }

    /// Locks it for writing if nobody reads or writes.
    ///
    /// # Errors
    ///
    /// If somebody does, or a thread panicked while it wrote.
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let locked = tried(self.inner.try_write()).ok_or(TryLockError::WouldBlock)?;
        Ok(mapped(locked, |inner| self.write_guard(inner))?)
    }

    /// Whether a thread panicked while it wrote.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// Forgets that a thread panicked while it wrote.
    pub fn clear_poison(&self) {
        self.inner.clear_poison();
    }

    /// The value, without locking: nobody else has the lock.
    ///
    /// # Errors
    ///
    /// If a thread panicked while it wrote; the value is in the error.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }

    fn read_guard<'a>(&'a self, inner: sync::RwLockReadGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard {
            inner,
            _unlocked: Read(self),
        }
    }

    fn write_guard<'a>(&'a self, inner: sync::RwLockWriteGuard<'a, T>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard {
            inner,
            _unlocked: Written(&self.queue),
        }
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
