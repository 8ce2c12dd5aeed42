//! The trace's clock: `CLOCK_MONOTONIC` in units of 8 ns, read at the cost of the processor's counter.
//!
//! # Design
//!
//! A trace's time is not the raw counter. Go's reader multiplies times by `1e9 / frequency` and cuts
//! each product to whole nanoseconds (format specification, section 2.4), so with the frequency of
//! a counter, which divides nothing evenly, the events of a batch fall behind by up to a nanosecond
//! each, and a frequency that is measured better later moves every absolute time of the trace. Here
//! the counter is mapped to units of exactly 8 ns first: one subtraction, one multiplication, one
//! shift. The published frequency is [`TICKS_PER_SECOND`], the same in every generation of every trace,
//! and readers convert without any loss. 8 ns is finer than the fastest event, so that strictly
//! increasing times do not run ahead of the clock, and coarse enough that the time since the last
//! event fits one byte for a microsecond and two for 131.
//!
//! The mapping is a line, and [`refine`] bends it: at the end of each generation the counter is
//! compared with `CLOCK_MONOTONIC` and the slope chosen so that what they differ by goes away. Where
//! the old line ends the new one begins, so time has no step. Trace time follows the OS clock to well
//! below a microsecond, whatever NTP does to it, and other tools' events on `CLOCK_MONOTONIC` line up.
//!
//! Before [`start`], and where the counter is missing or the kernel does not trust it, the mapping's
//! input is `clock_gettime` instead. The time line is the same one, so [`now`] is right at any time.
//!
//! # Corner cases
//!
//! - **The counter goes back or stands still** (a resume from suspend to RAM, migration of a virtual
//!   machine): time stands still, and threads count on by one unit an event, until the next [`refine`]
//!   moves it forward.
//! - **The counter jumps forward** (migration; suspend where the counter runs on and
//!   `CLOCK_MONOTONIC` does not): the trace shows the gap, and keeps the distance from `CLOCK_MONOTONIC`
//!   from then on; each generation's [`Snapshot`] says how large it is.
//! - **Counters of cores that differ**: kernels check, and take another clock source; so do we.
//! - **Reordering**: [`now`] may be executed some nanoseconds early or late, as it waits for no other
//!   instruction. What happened first between threads is the business of sequence numbers.
//! - **A signal handler** may call [`now`] at any time, even when it interrupts [`refine`].
//! - **fork**: both processes go on with their own copies.

mod counter;
mod latch;
mod mapping;
mod os;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use exectrace_wire::Ticks;

use latch::Latch;
use mapping::{Discipline, Mapping, Reading};

/// The unit of trace time, in nanoseconds.
pub const UNIT_NS: u64 = 8;

/// Units of trace time a second: what a generation's Frequency record says, always.
pub const TICKS_PER_SECOND: u64 = 1_000_000_000 / UNIT_NS;

/// Between the readings that measure the counter's frequency at the start. Each is exact to some 20 ns,
/// so the first second may drift by some 20 us; then [`refine`] knows better.
const CALIBRATION: Duration = Duration::from_millis(1);

/// How much two measurements may differ, in millionths, before the counter counts as unusable.
const MAX_DISAGREEMENT_PPM: u64 = 500;

/// How often it is tried to get two measurements that agree: one may be spoilt by an interruption.
const CALIBRATION_TRIES: usize = 4;

/// How often the clocks are read for one reading; the narrowest counts.
const READING_TRIES: usize = 8;

/// What the clock reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The processor's counter: the invariant TSC of x86-64, the virtual counter of AArch64.
    Counter,
    /// `clock_gettime(CLOCK_MONOTONIC)` or what the system has in its place. Some 10 ns slower.
    Os,
}

/// One moment on three clocks: what a generation's ClockSnapshot record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Trace time.
    pub time: Ticks,
    /// The OS's monotonic clock, in nanoseconds.
    pub monotonic_ns: u64,
    /// The wall clock, since the beginning of 1970. May go back when somebody sets it.
    pub wall: Duration,
    /// How far apart the clocks may have been read, in nanoseconds.
    pub uncertainty_ns: u64,
}

#[cfg(not(loom))]
static LATCH: Latch = Latch::new(Mapping::OS);
#[cfg(loom)]
static LATCH: std::sync::LazyLock<Latch> = std::sync::LazyLock::new(|| Latch::new(Mapping::OS));

/// What [`refine`] remembers. `None` while the OS's clock is read directly.
static DISCIPLINE: Mutex<State> = Mutex::new(State::New);

#[derive(Debug)]
enum State {
    New,
    Os,
    Counter(Discipline),
}

/// The time. Never goes back on one thread, but may stay the same.
///
/// Lock-free; a retry happens only when [`refine`] has finished in between.
#[inline]
#[must_use]
pub fn now() -> Ticks {
    LATCH.now(|counter| {
        if counter {
            counter::read()
        } else {
            os::monotonic_ns()
        }
    })
}

/// What the clock reads, before it is mapped to trace time: what every event must pay for, and so what
/// costs are compared with.
#[inline]
#[must_use]
pub fn source() -> u64 {
    if LATCH.is_of_counter() {
        counter::read()
    } else {
        os::monotonic_ns()
    }
}

/// Switches to the processor's counter if that can be trusted. The first call takes some
/// milliseconds, later calls nothing.
pub fn start() -> Source {
    let mut state = lock();
    if matches!(*state, State::New) {
        *state = match calibrate() {
            Some(discipline) => {
                LATCH.set(discipline.mapping(), true);
                State::Counter(discipline)
            }
            None => State::Os,
        };
    }
    match *state {
        State::Counter(_) => Source::Counter,
        State::New | State::Os => Source::Os,
    }
}

/// Compares the counter with the OS's clock and corrects the mapping. Takes about a microsecond; to be
/// called at the end of each generation, and more often in a trace's first second if that shall be
/// exact, too. Does nothing where the OS's clock is read.
pub fn refine() {
    if let State::Counter(discipline) = &mut *lock() {
        let mapping = discipline.refine(read_clocks(counter::read_ordered).reading);
        LATCH.set(mapping, true);
    }
}

/// Reads the three clocks as closely together as a few tries allow.
#[must_use]
pub fn snapshot() -> Snapshot {
    // With the lock, the mapping is the one that the latch has.
    let state = lock();
    let (mapping, clocks) = match &*state {
        State::Counter(discipline) => (discipline.mapping(), read_clocks(counter::read_ordered)),
        State::New | State::Os => (Mapping::OS, read_clocks(os::monotonic_ns)),
    };
    let raw = clocks.reading.raw;
    let time = mapping.at(raw);
    Snapshot {
        time: Ticks(time),
        monotonic_ns: clocks.reading.monotonic_ns,
        wall: clocks.wall,
        uncertainty_ns: (mapping.at(raw.saturating_add(clocks.width)) - time) * UNIT_NS,
    }
}

fn lock() -> MutexGuard<'static, State> {
    // What is behind the lock is replaced as a whole, so a panic leaves it sound.
    DISCIPLINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Measures the counter's frequency; `None` if it cannot be trusted.
fn calibrate() -> Option<Discipline> {
    if !counter::is_trustworthy() {
        return None;
    }
    for _ in 0..CALIBRATION_TRIES {
        let [first, middle, last] = std::array::from_fn(|i| {
            if i > 0 {
                std::thread::sleep(CALIBRATION);
            }
            read_clocks(counter::read_ordered).reading
        });
        if let (Some(one), Some(other)) = (first.slope_to(&middle), middle.slope_to(&last))
            && one.abs_diff(other) <= one / 1_000_000 * MAX_DISAGREEMENT_PPM
        {
            return Discipline::new(first, last);
        }
    }
    None
}

/// The counter and the OS's clocks at one moment.
struct Clocks {
    reading: Reading,
    wall: Duration,
    /// From the first to the last reading, in counts.
    width: u64,
}

fn read_clocks(counter: fn() -> u64) -> Clocks {
    let read = || {
        let before = counter();
        let monotonic_ns = os::monotonic_ns();
        let wall = os::wall();
        let after = counter();
        let width = after.saturating_sub(before);
        Clocks {
            // The two OS clocks take the same time, so the first was read a quarter into the width.
            reading: Reading {
                raw: before + width / 4,
                monotonic_ns,
            },
            wall,
            width,
        }
    };
    let mut best = read();
    for _ in 1..READING_TRIES {
        let next = read();
        if next.width < best.width {
            best = next;
        }
    }
    best
}

#[cfg(test)]
mod tests;
