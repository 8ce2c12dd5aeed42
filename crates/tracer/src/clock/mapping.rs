//! The line that maps a counter to trace time, and how it is bent to follow the OS's clock.
//!
//! Only arithmetic: no clock is read here.

use super::UNIT_NS;

/// Fractional bits of a slope. With 48, slopes up to 2^16 units a count fit (a counter of 2 kHz), and
/// that of a 5 GHz counter is exact to one part in 10^12.
const SLOPE_BITS: u32 = 48;

/// What the clocks may differ by before something must have happened to the counter, in units: 1 ms.
/// Slower drift than that in a generation is steered away.
const JUMP: u64 = 1_000_000 / UNIT_NS;

/// The shortest time between two corrections, in nanoseconds: over less, the error of a reading
/// weighs more than the counter's drift.
const MIN_INTERVAL_NS: u64 = 1_000_000;

/// Over how long a correction takes effect at least, in nanoseconds.
const MIN_HORIZON_NS: u64 = 1_000_000_000;

/// How old the reading that the frequency is measured from gets, in nanoseconds. NTP changes the
/// monotonic clock's rate, so older readings say less.
const BASELINE_NS: u64 = 10_000_000_000;

/// Trace time as a function of a counter: a line through a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Where the line begins: the counter.
    pub(super) base_raw: u64,
    /// Where the line begins: trace time, in units.
    pub(super) base_time: u64,
    /// Units a count, with [`SLOPE_BITS`] fractional bits.
    pub(super) slope: u64,
}

impl Mapping {
    /// From the OS's monotonic clock in nanoseconds.
    pub(super) const OS: Self = Self {
        base_raw: 0,
        base_time: 0,
        slope: (1 << SLOPE_BITS) / UNIT_NS,
    };

    /// Trace time at a count. Before the line's beginning it stands still: a counter may have been
    /// reset, or be read on a core that is a few counts behind.
    #[inline]
    pub(super) const fn at(&self, raw: u64) -> u64 {
        let counts = raw.saturating_sub(self.base_raw) as u128;
        self.base_time
            .wrapping_add(((counts * self.slope as u128) >> SLOPE_BITS) as u64)
    }
}

/// The counter and the OS's monotonic clock at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) raw: u64,
    pub(super) monotonic_ns: u64,
}

impl Reading {
    const fn time(&self) -> u64 {
        self.monotonic_ns / UNIT_NS
    }

    /// The slope of the line from here to `later`; `None` if a clock did not move forward between, or
    /// the slope is out of range.
    pub(super) fn slope_to(&self, later: &Self) -> Option<u64> {
        let counts = later.raw.checked_sub(self.raw).filter(|&c| c > 0)?;
        let ns = later.monotonic_ns.checked_sub(self.monotonic_ns)?;
        let slope = (u128::from(ns) << SLOPE_BITS) / (u128::from(counts) * u128::from(UNIT_NS));
        u64::try_from(slope).ok().filter(|&s| s > 0)
    }
}

/// Keeps a mapping close to the OS's clock.
#[derive(Debug)]
pub(super) struct Discipline {
    mapping: Mapping,
    /// What trace time is ahead of the monotonic clock by, in units: the counter's jumps forward.
    ahead: u64,
    last: Reading,
    /// The frequency is measured from here.
    anchor: Reading,
    /// Takes the anchor's place when that gets too old.
    next_anchor: Reading,
}

impl Discipline {
    /// A line through two readings, or `None` if there is none.
    pub(super) fn new(first: Reading, last: Reading) -> Option<Self> {
        let slope = first.slope_to(&last)?;
        Some(Self {
            mapping: Mapping {
                base_raw: last.raw,
                base_time: last.time(),
                slope,
            },
            ahead: 0,
            last,
            anchor: first,
            next_anchor: last,
        })
    }

    pub(super) const fn mapping(&self) -> Mapping {
        self.mapping
    }

    /// Takes a new reading into account and returns the mapping to use from now on.
    pub(super) fn refine(&mut self, reading: Reading) -> Mapping {
        let interval = reading.monotonic_ns.saturating_sub(self.last.monotonic_ns);
        let here = self.mapping.at(reading.raw);
        let target = reading.time() + self.ahead;

        // 1. Something happened to the counter: never back, forward if need be, and measure anew.
        if reading.raw < self.last.raw || here.abs_diff(target) > JUMP {
            let base_time = here.max(target);
            self.ahead = base_time - reading.time();
            self.mapping.base_raw = reading.raw;
            self.mapping.base_time = base_time;
            (self.anchor, self.next_anchor, self.last) = (reading, reading, reading);
            return self.mapping;
        }

        // 2. Too early to know more.
        if interval < MIN_INTERVAL_NS {
            return self.mapping;
        }

        // 3. The counter's rate, and so much more or less of it that the error goes away over twice
        //    the time since the last correction: half of it until the next one. All of it at once
        //    would overshoot when the next one comes late.
        if let Some(rate) = self.anchor.slope_to(&reading) {
            let error_ns = (i128::from(target) - i128::from(here)) * i128::from(UNIT_NS);
            let horizon_ns = i128::from((2 * interval).max(MIN_HORIZON_NS));
            let slope = i128::from(rate) + i128::from(rate) * error_ns / horizon_ns;
            self.mapping = Mapping {
                base_raw: reading.raw,
                base_time: here,
                // An error is at most 1 ms here, so the slope changes by a thousandth at most.
                slope: u64::try_from(slope).unwrap_or(rate),
            };
        }

        // 4. Let go of what is too old.
        self.last = reading;
        if reading
            .monotonic_ns
            .saturating_sub(self.anchor.monotonic_ns)
            > BASELINE_NS
        {
            self.anchor = self.next_anchor;
            self.next_anchor = reading;
        }
        self.mapping
    }
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
