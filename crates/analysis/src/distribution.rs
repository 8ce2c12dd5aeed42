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
    /// Of these values, whose order it changes. Time is linear.
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

    /// Of these values, whose order it changes, and so many zeros.
    #[must_use]
    pub fn with_zeros(values: &mut [u64], zeros: u64) -> Self {
        let count = zeros + values.len() as u64;
        let total = values
            .iter()
            .fold(0, |sum: u64, value| sum.saturating_add(*value));
        let min = if zeros > 0 {
            0
        } else {
            values.iter().copied().min().unwrap_or(0)
        };
        let max = values.iter().copied().max().unwrap_or(0);
        // From the largest percentile down, each among the values that are not above the one before.
        let mut rest = values;
        let mut percentile = |percent: u128| {
            // The number of values that are not larger, rounded up, less one.
            let rank = (u128::from(count) * percent).div_ceil(100) as u64;
            let at = rank.saturating_sub(1).checked_sub(zeros)? as usize;
            if at >= rest.len() {
                return None;
            }
            let (_, value, _) = rest.select_nth_unstable(at);
            let value = *value;
            rest = &mut std::mem::take(&mut rest)[..=at];
            Some(value)
        };
        let [p99, p95, p50] = [99, 95, 50].map(|percent| percentile(percent).unwrap_or(0));
        Self {
            count,
            total,
            min,
            p50,
            p95,
            p99,
            max,
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
    fn percentiles_are_those_of_the_sorted_values() {
        let mut state = 1u64;
        for count in [1usize, 2, 3, 19, 20, 21, 99, 100, 101, 257] {
            for zeros in [0u64, 1, 60] {
                let mut values: Vec<u64> = (0..count)
                    .map(|_| {
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1);
                        state >> 56
                    })
                    .collect();
                let mut sorted = vec![0; zeros as usize];
                sorted.extend(&values);
                sorted.sort_unstable();
                let at = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100) - 1];
                let found = Distribution::with_zeros(&mut values, zeros);
                assert_eq!((found.min, found.max), (sorted[0], *sorted.last().unwrap()));
                assert_eq!((found.p50, found.p95, found.p99), (at(50), at(95), at(99)));
            }
        }
    }

    #[test]
    fn sums_do_not_overflow() {
        let found = Distribution::of(&mut [u64::MAX, u64::MAX]);
        assert_eq!((found.total, found.p50), (u64::MAX, u64::MAX));
    }
}
