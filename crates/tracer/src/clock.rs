//! The trace's clock: the system's monotonic clock in units of 8 ns.

use std::time::{Duration, Instant, SystemTime};

use exectrace_wire::Ticks;

/// The unit of trace time, in nanoseconds.
pub const UNIT_NS: u64 = 8;

/// Units of trace time a second: what a generation's Frequency record says, always.
pub const TICKS_PER_SECOND: u64 = 1_000_000_000 / UNIT_NS;

/// One moment on three clocks: what a generation's ClockSnapshot record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Trace time.
    pub time: Ticks,
    /// The system's monotonic clock, in nanoseconds.
    pub monotonic_ns: u64,
    /// The wall clock, since the beginning of 1970. May go back when somebody sets it.
    pub wall: Duration,
}

/// The time. Never goes back on one thread, but may stay the same.
#[inline]
#[must_use]
pub fn now() -> Ticks {
    Ticks(monotonic_ns() / UNIT_NS)
}

/// Reads the three clocks.
#[must_use]
pub fn snapshot() -> Snapshot {
    let monotonic_ns = monotonic_ns();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Snapshot {
        time: Ticks(monotonic_ns / UNIT_NS),
        monotonic_ns,
        wall: wall.unwrap_or_default(),
    }
}

/// Counted from a second before the first use, so that no time is 0.
fn monotonic_ns() -> u64 {
    static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let since = ORIGIN.get_or_init(Instant::now).elapsed();
    since.as_nanos() as u64 + 1_000_000_000
}
