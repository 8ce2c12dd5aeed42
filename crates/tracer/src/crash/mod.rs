//! What is done when the process ends without stopping its trace.
//!
//! | end | the trace has everything up to |
//! |---|---|
//! | `main` returns, `exit` | the exit |
//! | a panic that is caught or ends a thread | the panic; and it goes on |
//! | a panic that ends the process, `abort` | the panic, the abort |
//! | SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS | the fault |
//! | SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGXCPU, unless the program handles them | the signal |
//! | SIGKILL, `_exit`, a power failure of the process's own | the last whole generation; with mapped memory ([`crate::mapped`]) the kill, after `exectrace recover` |
//!
//! None of this is certain: a fault may have come while somebody held a lock that is needed. Each waits
//! two seconds at most; then what is there are whole generations up to the last one that was
//! written, about a second before.

#[cfg(target_os = "linux")]
mod signal;
#[cfg(not(target_os = "linux"))]
#[path = "no_signal.rs"]
mod signal;

use std::{
    cell::Cell,
    panic, process,
    sync::{
        Arc, Mutex, Once, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{advance, sink::Stream};

/// How long the end of the process, or a panic, may be held up.
const PATIENCE: Duration = Duration::from_secs(2);

/// A program that panics all the time is not to end a generation each time.
const BETWEEN_PANICS: Duration = Duration::from_millis(100);

/// Who wants to be told when the process ends.
static WATCHED: Mutex<Vec<Weak<Stream>>> = Mutex::new(Vec::new());

/// Callbacks for signals and panics, of flight recorders.
static TRIGGERS: Mutex<Vec<Trigger>> = Mutex::new(Vec::new());

/// The process whose ends are watched. A forked child is another one.
static PROCESS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The thread is the tracer's: a panic on it is not the program's, and it cannot wait for itself.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

/// What somebody does at an end.
#[derive(Clone)]
pub(crate) struct Trigger {
    pub(crate) at: At,
    /// Whether there is still somebody to do it.
    pub(crate) act: Weak<dyn Fn() + Send + Sync>,
}

/// When a [`Trigger`] acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Panic,
    Signal(i32),
}

/// Says that the calling thread is the tracer's.
pub(crate) fn this_thread_is_ours() {
    IS_OURS.set(true);
}

/// Watches over a stream until it is forgotten.
pub(crate) fn watch(stream: &Arc<Stream>, signals: bool) {
    watch_process();
    if signals {
        catch_signals();
    }
    lock(&WATCHED).push(Arc::downgrade(stream));
}

/// The stream has come to its end in peace.
pub(crate) fn forget(stream: &Arc<Stream>) {
    lock(&WATCHED).retain(|watched| watched.as_ptr() != Arc::as_ptr(stream));
}

/// Adds a trigger; whether its signal, if it has one, could be caught.
pub(crate) fn add_trigger(trigger: Trigger) -> bool {
    watch_process();
    let caught = match trigger.at {
        At::Panic => true,
        At::Signal(signal) => signal::catch_request(signal) && wake_thread(),
    };
    if caught {
        let mut triggers = lock(&TRIGGERS);
        triggers.retain(|trigger| trigger.act.strong_count() > 0);
        triggers.push(trigger);
    }
    caught
}

/// Panics and exits.
fn watch_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        PROCESS.store(process::id(), Ordering::Relaxed);
        signal::at_exit(on_exit);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            before(info);
            on_panic();
        }));
    });
}

fn catch_signals() {
    static ONCE: Once = Once::new();
    if wake_thread() {
        ONCE.call_once(|| {
            for signal in signal::CRASHES.iter().chain(signal::ENDS) {
                signal::catch_fatal(*signal);
            }
        });
    }
}

/// Starts the thread that handlers wake; whether there is one.
fn wake_thread() -> bool {
    static STARTED: Mutex<Option<bool>> = Mutex::new(None);
    *lock(&STARTED).get_or_insert_with(|| {
        let Ok(pipes) = signal::Pipes::new() else {
            return false;
        };
        let thread = thread::Builder::new().name("exectrace-signals".to_owned());
        let run = move || {
            this_thread_is_ours();
            while let Ok(signal) = pipes.wait() {
                trigger(At::Signal(signal));
                if signal::CRASHES.contains(&signal) || signal::ENDS.contains(&signal) {
                    save(Instant::now() + PATIENCE);
                    pipes.release();
                }
            }
        };
        thread.spawn(run).is_ok()
    })
}

/// Whether this is a child that was forked from the process that is watched.
fn is_foreign() -> bool {
    PROCESS.load(Ordering::Relaxed) != process::id()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn on_panic() {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    if is_foreign() || IS_OURS.get() {
        return;
    }
    {
        // Not while another thread panics: that one does it.
        let Ok(mut last) = LAST.try_lock() else {
            return;
        };
        if last.is_some_and(|last| last.elapsed() < BETWEEN_PANICS) {
            return;
        }
        *last = Some(Instant::now());
    }
    // A panic in here would be one in a panic.
    let _ = panic::catch_unwind(|| {
        trigger(At::Panic);
        save(Instant::now() + PATIENCE);
    });
}

extern "C" fn on_exit() {
    if is_foreign() {
        return;
    }
    let _ = panic::catch_unwind(|| {
        let deadline = Instant::now() + PATIENCE;
        save(deadline);
        for stream in watched() {
            let _ = stream.finish_by(deadline);
        }
    });
}

fn trigger(at: At) {
    let triggers: Vec<Trigger> = lock(&TRIGGERS)
        .iter()
        .filter(|trigger| trigger.at == at)
        .cloned()
        .collect();
    for trigger in triggers {
        if let Some(act) = trigger.act.upgrade() {
            act();
        }
    }
}

/// Has sinks take everything up to now.
fn save(deadline: Instant) {
    let watched = watched();
    // If tracing is being stopped right here, everything is on its way.
    if !watched.is_empty() && advance().is_ok() {
        for stream in watched {
            let _ = stream.drain(deadline);
        }
    }
}

fn watched() -> Vec<Arc<Stream>> {
    lock(&WATCHED).iter().filter_map(Weak::upgrade).collect()
}
