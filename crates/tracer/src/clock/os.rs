//! The clocks of the operating system.
#![allow(unsafe_code, reason = "the system's clock")]

use std::time::{Duration, SystemTime};

/// `CLOCK_MONOTONIC` in nanoseconds: what Go's `nanotime` reads, so times compare between processes.
#[cfg(unix)]
#[inline]
pub(super) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a timespec that lives through the call. CLOCK_MONOTONIC exists on every unix,
    // so the call cannot fail; if it did, the time would be 0 and `now` would stand still.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

/// Nanoseconds since the first call: the standard library keeps the clock's own zero to itself.
#[cfg(not(unix))]
pub(super) fn monotonic_ns() -> u64 {
    use std::{sync::OnceLock, time::Instant};
    static FIRST: OnceLock<Instant> = OnceLock::new();
    // Not 0: a trace's snapshot must not be.
    let elapsed = FIRST.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// The wall clock, since the beginning of 1970; 0 before.
pub(super) fn wall() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
