//! Threads that may borrow from who starts them.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, Thread},
};

use super::{Builder, Done, Result};
use crate::{
    stack::Here,
    sync::queue::{Order, Outcome, Queue},
};

/// As [`std::thread::scope`], for threads with goroutines. A thread of the scope that starts others takes
/// a clone of the scope along.
///
/// ```
/// use exectrace::thread;
///
/// let numbers = [1, 2, 3, 4];
/// let (low, high) = numbers.split_at(2);
/// let sum = thread::scope(|scope| {
///     let low = scope.spawn(|| low.iter().sum::<i32>());
///     high.iter().sum::<i32>() + low.join().unwrap()
/// });
/// assert_eq!(sum, 10);
/// ```
///
/// # Panics
///
/// If a thread panicked that nobody joined.
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&Scope<'scope, 'env>) -> T,
{
    thread::scope(|inner| {
        let threads = Arc::new(Threads::default());
        let scope = Scope { inner, threads };
        let result = f(&scope);
        scope.threads.wait();
        result
    })
}

/// The threads of a scope that run.
#[derive(Debug, Default)]
struct Threads {
    running: AtomicUsize,
    queue: Queue,
}

impl Threads {
    fn wait(&self) {
        let is_over = || (self.running.load(Ordering::SeqCst) == 0).then_some(());
        if is_over().is_some() {
            return;
        }
        while !matches!(
            self.queue
                .wait(Here::now(), Order::Fence, "sync.scope", None, is_over),
            Outcome::Done(())
        ) {}
    }
}

/// A thread of a scope. It is over when this is dropped.
struct Counted(Arc<Threads>);

impl Counted {
    fn new(threads: &Arc<Threads>) -> Self {
        threads.running.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(threads))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.queue.wake_all();
        }
    }
}

/// As [`std::thread::Scope`].
#[derive(Clone, Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    inner: &'scope thread::Scope<'scope, 'env>,
    threads: Arc<Threads>,
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a thread that may borrow what lives longer than the scope.
    ///
    /// # Panics
    ///
    /// If there can be no further thread; [`Builder::spawn_scoped`] returns an error.
    #[track_caller]
    #[inline(always)]
    pub fn spawn<F, T>(&self, work: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match Builder::new().spawn_scoped(self, work) {
            Ok(handle) => handle,
            Err(error) => panic!("failed to spawn thread: {error}"),
        }
    }

    pub(super) fn start<F, T>(
        &self,
        builder: thread::Builder,
        work: F,
        done: Arc<Done>,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let counted = Counted::new(&self.threads);
        let inner = builder.spawn_scoped(self.inner, move || {
            let _counted = counted;
            work()
        })?;
        Ok(ScopedJoinHandle { inner, done })
    }
}

/// As [`std::thread::ScopedJoinHandle`].
#[derive(Debug)]
pub struct ScopedJoinHandle<'scope, T> {
    inner: thread::ScopedJoinHandle<'scope, T>,
    done: Arc<Done>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// The thread.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.inner.thread()
    }

    /// Whether its work is done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// Waits for its end. The goroutine is blocked meanwhile, with the reason `sync.JoinHandle`.
    ///
    /// # Errors
    ///
    /// What the thread panicked with.
    #[inline(always)]
    pub fn join(self) -> Result<T> {
        self.done.wait(Here::now(), "sync.JoinHandle");
        self.inner.join()
    }
}
