//! From clock units to nanoseconds, bit for bit as Go's parser converts.

/// Converts clock units of one generation to nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    nanos_per_unit: f64,
    /// The same as an integer, and the units below which multiplying by it gives what the floating
    /// point multiplication gives: 0 if the factor is no integer.
    whole_nanos_per_unit: u64,
    whole_limit: u64,
}

impl Clock {
    /// `frequency` is in clock units per second. 0 is not rejected, as in Go: times then saturate.
    pub(crate) fn new(frequency: u64) -> Self {
        // The order of the two divisions matters for the last bit.
        let nanos_per_unit = 1.0 / (frequency as f64 / 1e9);
        // Products below 2^53 are exact in floating point.
        const EXACT: u64 = 1 << 53;
        let whole = nanos_per_unit as u64;
        let is_whole = whole != 0 && whole < EXACT && whole as f64 == nanos_per_unit;
        Self {
            nanos_per_unit,
            whole_nanos_per_unit: whole,
            whole_limit: if is_whole { EXACT / whole } else { 0 },
        }
    }

    /// Nanoseconds of a time or a difference, truncated. A cursor adds up converted differences,
    /// so that truncation accumulates as in Go (format specification, section 2.4).
    #[inline]
    pub(crate) fn nanos(self, units: u64) -> i64 {
        // 64 ns a unit everywhere but on Windows.
        if units < self.whole_limit {
            return (units * self.whole_nanos_per_unit) as i64;
        }
        self.nanos_rounded(units)
    }

    #[inline(never)]
    fn nanos_rounded(self, units: u64) -> i64 {
        let units = match i64::try_from(units) {
            Ok(units) => units as f64,
            Err(_) => units as f64,
        };
        let nanos = units * self.nanos_per_unit;
        // Beyond the range, Go on amd64 yields the smallest integer; Rust would saturate.
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        if nanos < LIMIT {
            nanos as i64
        } else {
            i64::MIN
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_truncates_and_overflows_as_on_amd64() {
        let clock = Clock::new(15_625_000);
        assert_eq!(clock.nanos(3), 192);
        assert_eq!(clock.nanos(u64::MAX), i64::MIN);
        for units in [0, 1, (1 << 47) - 1, 1 << 47, (1 << 53) + 1, (1 << 57) - 1] {
            assert_eq!(clock.nanos(units), clock.nanos_rounded(units), "{units}");
        }
        let clock = Clock::new(3_000_000_000);
        assert_eq!((clock.nanos(2), clock.nanos(3), clock.nanos(4)), (0, 1, 1));
        assert_eq!(Clock::new(0).nanos(1), i64::MIN);
        assert_eq!(Clock::new(0).nanos(0), i64::MIN);
    }
}
