//! Threads of the operating system as goroutines.
//!
//! # What the trace shows
//!
//! - A thread is a **goroutine** from its start to its end. [`spawn`] records who created it and where;
//!   the thread's name is the goroutine's label.
//! - A thread has a **proc** of its own while it runs, always the same one: in a timeline of procs each
//!   row is a thread. Numbers of procs are used again, the lowest first, when threads have ended.
//! - While it waits in [`crate::sync`], in [`sleep`] or in [`blocking`], the
//!   goroutine is blocked with a reason and a stack, and the proc is stopped. Who ends the wait unblocks
//!   the goroutine; until the operating system lets the thread run, the goroutine is runnable: that is
//!   the scheduling latency in Go's tools.
//! - Whether the operating system really runs it on a processor is not in the trace, nor waits that
//!   this crate knows nothing of: locks of other libraries, and system calls.
//!
//! A goroutine belongs to a thread for life, so Go's rule that it may change threads is not made use
//! of.
//!
//! Threads that were not started here ([`std::thread::spawn`], a thread of another language, the main
//! thread) have no goroutine until [`register_current`] gives them one. What they write before is counted
//! in [`Stats::homeless_events`](crate::Stats::homeless_events).
//!
//! [`spawn`], [`Builder`] and [`scope`] have the methods of their namesakes in [`std::thread`].

use std::{
    cell::RefCell,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    raw::{Proc, Runnable, Running, park},
    stack::{Here, named::Place},
    sync::{
        blocking,
        queue::{Order, Outcome, Queue},
    },
};

mod scope;

pub use scope::{Scope, ScopedJoinHandle, scope};
pub use std::thread::{
    Result, Thread, ThreadId, available_parallelism, current, panicking, yield_now,
};

thread_local! {
    /// The goroutine of a thread that was registered. It ends with the thread.
    static REGISTERED: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// Gives the calling thread a goroutine with this label until the thread ends; whether it did. It does
/// not if the thread has one, or a proc, or is ending.
///
/// ```
/// exectrace::thread::register_current("main");
/// ```
pub fn register_current(name: &str) -> bool {
    if !park::is_vacant() {
        return false;
    }
    // The tracer's own destructor was registered just now, at the latest, so this one runs before.
    let stored = REGISTERED.try_with(|registered| {
        let Ok(mut registered) = registered.try_borrow_mut() else {
            return false;
        };
        // One that is left over has had its goroutine ended by who took its proc.
        *registered = Some(begin(None, None, Some(name)));
        true
    });
    stored.unwrap_or(false)
}

/// As [`std::thread::spawn`], for a thread with a goroutine.
///
/// # Panics
///
/// If there can be no further thread; [`Builder::spawn`] returns an error.
#[track_caller]
#[inline(always)]
pub fn spawn<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match Builder::new().spawn(work) {
        Ok(handle) => handle,
        Err(error) => panic!("failed to spawn thread: {error}"),
    }
}

/// As [`std::thread::sleep`]; the goroutine is blocked, with the reason `sleep`.
#[inline(always)]
pub fn sleep(duration: Duration) {
    blocking("sleep", || std::thread::sleep(duration));
}

/// As [`std::thread::Builder`].
#[derive(Debug, Default)]
#[must_use = "nothing happens before it spawns"]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
}

impl Builder {
    /// A thread without a name, with the usual stack.
    pub const fn new() -> Self {
        Self {
            name: None,
            stack_size: None,
        }
    }

    /// The thread's name, and the goroutine's label.
    pub fn name(mut self, name: String) -> Self {
        self.name = Some(name);
        self
    }

    /// How many bytes the thread's stack has.
    pub const fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the operating system allows no further thread.
    #[track_caller]
    #[inline(always)]
    pub fn spawn<F, T>(self, work: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (builder, start, done) = self.prepare(Here::now(), Place::of::<F>());
        let inner = builder.spawn(move || start.run(work))?;
        Ok(JoinHandle { inner, done })
    }

    /// Starts a thread of a [`scope`].
    ///
    /// # Errors
    ///
    /// If the operating system allows no further thread.
    #[track_caller]
    #[inline(always)]
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: &Scope<'scope, '_>,
        work: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let (builder, start, done) = self.prepare(Here::now(), Place::of::<F>());
        scope.start(builder, move || start.run(work), done)
    }

    /// What starts it, what it does first and last, and how one learns of its end.
    fn prepare(self, here: Here, place: Place) -> (std::thread::Builder, Start, Arc<Done>) {
        let mut builder = std::thread::Builder::new();
        if let Some(name) = &self.name {
            builder = builder.name(name.clone());
        }
        if let Some(bytes) = self.stack_size {
            builder = builder.stack_size(bytes);
        }
        let done = Arc::new(Done::default());
        let start = Start {
            goroutine: park::create_runnable(here, place),
            place,
            name: self.name,
            done: Ended(Arc::clone(&done)),
        };
        (builder, start, done)
    }
}

/// What a new thread gets from its creator.
struct Start {
    /// Its goroutine, if its creator had a proc to create it on.
    goroutine: Option<Runnable>,
    place: Place,
    name: Option<String>,
    done: Ended,
}

impl Start {
    fn run<T>(self, work: impl FnOnce() -> T) -> T {
        let Self {
            goroutine,
            place,
            name,
            done,
        } = self;
        // In this order: who joins is unblocked by the goroutine, which ends last.
        let _running = begin(goroutine, Some(place), name.as_deref());
        let _done = done;
        work()
    }
}

/// The calling thread, which has nothing, takes a proc and runs a goroutine on it.
fn begin(goroutine: Option<Runnable>, place: Option<Place>, name: Option<&str>) -> Running {
    let proc = Proc::new().start();
    let goroutine = goroutine
        .or_else(|| park::create_runnable(Here::now(), place?))
        .unwrap_or_else(|| proc.create());
    let running = proc.run(goroutine);
    if let Some(name) = name {
        running.label(name);
    }
    running
}

/// Whether a thread is done, and who waits for that.
#[derive(Debug, Default)]
struct Done {
    is_done: AtomicBool,
    queue: Queue,
}

impl Done {
    fn wait(&self, here: Here, reason: &'static str) {
        let is_done = || self.is_done.load(Ordering::SeqCst).then_some(());
        if is_done().is_some() {
            return;
        }
        while !matches!(
            self.queue.wait(here, Order::Fence, reason, None, is_done),
            Outcome::Done(())
        ) {}
    }
}

/// Says that the thread is done when it is dropped, whatever became of it.
struct Ended(Arc<Done>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.is_done.store(true, Ordering::SeqCst);
        self.0.queue.wake_all();
    }
}

/// As [`std::thread::JoinHandle`].
#[derive(Debug)]
pub struct JoinHandle<T> {
    inner: std::thread::JoinHandle<T>,
    done: Arc<Done>,
}

impl<T> JoinHandle<T> {
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
