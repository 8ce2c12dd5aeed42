//! How values are distributed: sums and percentiles, all exact.

/// How some values, mostly durations in nanoseconds, are distributed.
///
/// A percentile is the smallest of the values that is not less than that share of them: one that
/// occurred, not something between two. Without values, everything is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub total: u64,
    /// The smallest.
    pub min: u64,
    /// Half of the values are not larger.
    pub p50: u64,
    /// 95 % of the values are not larger.
    pub p95: u64,
    /// 99 % of the values are not larger.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

impl Distribution {
    /// Of these values, which it sorts.
    ///
    /// ```
    /// use exectrace_analysis::Distribution;
    ///
    /// let distribution = Distribution::of(&mut [5, 1, 3]);
    /// assert_eq!((distribution.total, distribution.p50, distribution.p95), (9, 3, 5));
    /// ```
    #[must_use]
    pub fn of(values: &mut [u64]) -> Self {
        Self::with_zeros(values, 0)
    }

    /// Of these values, which it sorts, and so many zeros.
    #[must_use]
    pub fn with_zeros(values: &mut [u64], zeros: u64) -> Self {
        values.sort_unstable();
        let count = zeros + values.len() as u64;
        let at = |rank: u64| match rank.checked_sub(zeros) {
            Some(place) => values.get(place as usize).copied().unwrap_or(0),
            None => 0,
        };
        // The number of values that are not larger, rounded up, less one.
        let percentile = |percent: u128| {
            let rank = (u128::from(count) * percent).div_ceil(100);
            at((rank as u64).saturating_sub(1))
        };
        Self {
            count,
            total: values
                .iter()
                .fold(0, |sum, value| sum.saturating_add(*value)),
            min: at(0),
            p50: percentile(50),
            p95: percentile(95),
            p99: percentile(99),
            max: at(count.saturating_sub(1)),
        }
    }

    /// The mean, rounded to the nearest; 0 without values.
    #[must_use]
    pub fn mean(&self) -> u64 {
        match self.count {
            0 => 0,
            count => self.total.saturating_add(count / 2) / count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_everything_is_zero() {
        assert_eq!(Distribution::of(&mut []), Distribution::default());
        assert_eq!(Distribution::default().mean(), 0);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let mut values: Vec<u64> = (1..=1000).rev().map(|value| value * 10).collect();
        let found = Distribution::of(&mut values);
        assert_eq!((found.min, found.p50, found.p95), (10, 5000, 9500));
        assert_eq!((found.p99, found.max, found.mean()), (9900, 10_000, 5005));
    }

    #[test]
    fn zeros_count_as_values() {
        let plain = Distribution::of(&mut [0, 0, 0, 7, 9]);
        assert_eq!(Distribution::with_zeros(&mut [9, 7], 3), plain);
        let zeros = Distribution::with_zeros(&mut [], 4);
        assert_eq!((zeros.count, zeros.max, zeros.mean()), (4, 0, 0));
    }

    #[test]
    fn sums_do_not_overflow() {
        let found = Distribution::of(&mut [u64::MAX, u64::MAX]);
        assert_eq!((found.total, found.p50), (u64::MAX, u64::MAX));
    }
}
