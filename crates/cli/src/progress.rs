//! A progress line on standard error, for a person who waits.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::units;

/// Bytes that have been read so far; shared with the thread that reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByteCount(Arc<AtomicU64>);

impl ByteCount {
    pub(crate) fn add(&self, n: usize) {
        // A mere count: nothing else is published with it.
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Shows how far the work is until it is dropped, which also wipes the line.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Dropped first, which ends the thread.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Work shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_millis(400);
const INTERVAL: Duration = Duration::from_millis(100);

impl Progress {
    /// Starts to show progress if `wanted` and standard error is a terminal. `total` is the number
    /// of bytes that `done` will reach, if known.
    pub(crate) fn start(wanted: bool, label: &str, done: ByteCount, total: Option<u64>) -> Self {
        if !wanted || !io::stderr().is_terminal() {
            return Self {
                stop: None,
                thread: None,
            };
        }
        let (stop, stopped) = mpsc::channel();
        let label = label.to_owned();
        let thread = std::thread::spawn(move || show(&label, &done, total, &stopped));
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has printed itself and concerns nobody else.
            let _ = thread.join();
        }
    }
}

fn show(label: &str, done: &ByteCount, total: Option<u64>, stopped: &mpsc::Receiver<()>) {
    let begun = Instant::now();
    let mut wait = PATIENCE;
    let mut shown = false;
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        wait = INTERVAL;
        shown = true;
        let line = line(label, done.get(), total, begun.elapsed());
        // Return to the line's start and wipe what is left of the previous text.
        let _ = write!(io::stderr(), "\r{line}\x1b[K");
    }
    if shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

/// Less than 80 columns, so that it never wraps.
fn line(label: &str, done: u64, total: Option<u64>, elapsed: Duration) -> String {
    const BAR: u64 = 20;
    let seconds = elapsed.as_secs_f64();
    let speed = done as f64 / seconds;
    let rate = units::bytes(speed as u64);
    match total {
        Some(total) if total > 0 => {
            let filled =
                (u128::from(done.min(total)) * u128::from(BAR) / u128::from(total)) as usize;
            let bar = "#".repeat(filled) + &".".repeat(BAR as usize - filled);
            let left = total.saturating_sub(done) as f64 / speed;
            let eta = if left.is_finite() {
                format!(", {} left", seconds_text(left.ceil()))
            } else {
                String::new()
            };
            let (done, total) = (units::bytes(done), units::bytes(total));
            format!("{label} [{bar}] {done} of {total}, {rate}/s{eta}")
        }
        _ if done == 0 => format!("{label}, {}", seconds_text(seconds.floor())),
        _ => {
            let elapsed = seconds_text(seconds.floor());
            format!("{label} {}, {rate}/s, {elapsed}", units::bytes(done))
        }
    }
}

fn seconds_text(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds} s")
    } else {
        units::duration((seconds * 1e9) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_how_fast_and_how_long() {
        let two_seconds = Duration::from_secs(2);
        assert_eq!(
            line("reading", 25_000_000, Some(100_000_000), two_seconds),
            "reading [#####...............] 25.0 MB of 100 MB, 12.5 MB/s, 6 s left"
        );
        assert_eq!(
            line("reading", 0, Some(10), two_seconds),
            "reading [....................] 0 B of 10 B, 0 B/s"
        );
        assert_eq!(
            line("waiting for the program", 0, None, two_seconds),
            "waiting for the program, 2 s"
        );
        assert_eq!(
            line("receiving", 3_000, None, two_seconds),
            "receiving 3.00 kB, 1.50 kB/s, 2 s"
        );
    }

    #[test]
    fn a_file_that_grows_does_not_overfill_the_bar() {
        let line = line("reading", 30, Some(20), Duration::from_secs(1));
        assert!(line.contains("[####################]"), "{line}");
    }
}
