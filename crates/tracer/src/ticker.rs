//! The thread in the background that ends generations.

use std::{
    io,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

struct Ticker {
    /// There is a thread.
    is_running: bool,
    /// It shall end.
    stop: bool,
    period: Duration,
}

static TICKER: Mutex<Ticker> = Mutex::new(Ticker {
    is_running: false,
    stop: false,
    period: Duration::from_secs(1),
});
static WAKE: Condvar = Condvar::new();
static REQUESTED: AtomicBool = AtomicBool::new(false);

fn lock() -> MutexGuard<'static, Ticker> {
    TICKER.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn set_period(period: Duration) {
    lock().period = period;
    WAKE.notify_all();
}

/// Starts the thread unless it runs.
pub(crate) fn start() -> io::Result<()> {
    let mut ticker = lock();
    ticker.stop = false;
    if !ticker.is_running {
        thread::Builder::new()
            .name("exectrace".to_owned())
            .spawn(run)?;
        ticker.is_running = true;
    }
    Ok(())
}

/// Has the thread end soon.
pub(crate) fn stop() {
    lock().stop = true;
    WAKE.notify_all();
}

/// Has the generation end soon. Takes a lock that nobody holds for long, once a generation.
pub(crate) fn request() {
    if !REQUESTED.swap(true, Ordering::AcqRel) {
        drop(lock());
        WAKE.notify_all();
    }
}

fn run() {
    let mut last = Instant::now();
    loop {
        // 1. Until it is time, or somebody cannot wait.
        let mut ticker = lock();
        loop {
            if ticker.stop {
                ticker.is_running = false;
                return;
            }
            let left = ticker.period.saturating_sub(last.elapsed());
            if left.is_zero() || REQUESTED.swap(false, Ordering::AcqRel) {
                break;
            }
            ticker = WAKE
                .wait_timeout(ticker, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        drop(ticker);

        // 2. On its own thread and in no section, it can only fail in a forked child, which does not
        //    have this thread.
        last = Instant::now();
        let _ = crate::control::advance();
    }
}
