//! Times of events and how they relate to other clocks.

use core::fmt;

/// A time on the trace clock, in nanoseconds.
///
/// The zero is the trace clock's own (on most systems that of the monotonic clock); differences
/// are meaningful, and a [`ClockSnapshot`] ties it to the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Nanoseconds on the trace clock.
    #[inline]
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Nanoseconds since `earlier`; negative if `earlier` is later, saturating at the ends of
    /// `i64`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A time on the wall clock: seconds since the Unix epoch and nanoseconds of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime {
    seconds: i64,
    nanos: u32,
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl WallTime {
    /// Builds a wall time; nanoseconds beyond a second are carried over, as Go's `time.Unix` does.
    #[must_use]
    pub const fn new(seconds: i64, nanos: i64) -> Self {
        Self {
            seconds: seconds.wrapping_add(nanos.div_euclid(NANOS_PER_SECOND)),
            nanos: nanos.rem_euclid(NANOS_PER_SECOND) as u32,
        }
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds of the second, 0 to 999,999,999.
    #[must_use]
    pub const fn nanos(self) -> u32 {
        self.nanos
    }

    /// The wall time `nanos` nanoseconds later (earlier if negative).
    #[must_use]
    pub const fn plus_nanos(self, nanos: i64) -> Self {
        let seconds = self
            .seconds
            .wrapping_add(nanos.div_euclid(NANOS_PER_SECOND));
        Self::new(
            seconds,
            self.nanos as i64 + nanos.rem_euclid(NANOS_PER_SECOND),
        )
    }
}

/// RFC 3339 in UTC with the fraction's trailing zeros trimmed, as Go's `time.RFC3339Nano` prints.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SECONDS_PER_DAY: i64 = 86_400;
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(SECONDS_PER_DAY));
        let second = self.seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        if year < 0 {
            f.write_str("-")?;
        }
        write!(
            f,
            "{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}",
            year.unsigned_abs()
        )?;
        if self.nanos != 0 {
            let digits = format!("{:09}", self.nanos);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// The proleptic Gregorian date `days` after 1970-01-01 (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms").
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    const DAYS_PER_ERA: i64 = 146_097;
    let shifted = days + 719_468;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    } as u32;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Three clocks read at one instant, at the start of a generation (since Go 1.25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSnapshot {
    /// The trace clock.
    pub trace: Time,
    /// The operating system's monotonic clock, in nanoseconds.
    pub monotonic_nanos: u64,
    /// The wall clock.
    pub wall: WallTime,
}

impl ClockSnapshot {
    /// The wall time of an event of the same generation.
    #[must_use]
    pub const fn wall_time_of(&self, time: Time) -> WallTime {
        self.wall.plus_nanos(time.since(self.trace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_times_print_as_go_prints_them() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_795_308_178, 502_059_355, "2026-11-22T00:42:58.502059355Z"),
            (1_795_308_178, 500_000_000, "2026-11-22T00:42:58.5Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (-1, 0, "1969-12-31T23:59:59Z"),
            (0, -1, "1969-12-31T23:59:59.999999999Z"),
            (0, 2_000_000_001, "1970-01-01T00:00:02.000000001Z"),
            (-62_135_596_801, 0, "0000-12-31T23:59:59Z"),
        ];
        for (seconds, nanos, expected) in cases {
            assert_eq!(WallTime::new(seconds, nanos).to_string(), expected);
        }
    }

    #[test]
    fn wall_time_of_an_event_counts_from_the_snapshot() {
        let clock = ClockSnapshot {
            trace: Time(5_000),
            monotonic_nanos: 1,
            wall: WallTime::new(10, 999_999_999),
        };
        assert_eq!(clock.wall_time_of(Time(5_001)), WallTime::new(11, 0));
        assert_eq!(
            clock.wall_time_of(Time(4_000)),
            WallTime::new(10, 999_998_999)
        );
        assert_eq!(
            clock.wall_time_of(Time(i64::MIN)),
            WallTime::new(-9_223_372_026, 145_224_191)
        );
    }
}
