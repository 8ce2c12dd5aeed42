//! The pattern-defeating quicksort that Go's `slices.SortFunc` uses, for orders that must tie as
//! Go's do.
//!
//! When no thread at the top of the frontier can advance, Go sorts the frontier by time with an
//! unstable sort and tries one thread after the other. With more than twelve threads and equal
//! times, the delivered order then depends on how that sort permutes equal elements (format
//! specification, section 4.1), so any other sort would deliver another order than Go's. The same
//! holds for CPU samples with equal times.
//!
//! The algorithm is pdqsort by Orson Peters ("Pattern-defeating Quicksort", arXiv:2106.05123) with
//! the choices of pivot, thresholds and pseudo-random swaps that Go's standard library makes.

/// Slices up to this length are sorted by insertion, which is stable.
const MAX_INSERTION: usize = 12;
/// From this length the pivot is the median of nine elements instead of three.
const SHORTEST_NINTHER: usize = 50;
/// Slices shorter than this are not repaired by shifting.
const SHORTEST_SHIFTING: usize = 50;
/// Out-of-order pairs that shifting repairs before it gives up.
const MAX_SHIFTS: usize = 5;
/// Swaps after which a choice of pivot says that the slice is in descending order.
const MAX_SWAPS: usize = 12;

/// Sorts by an integer key, permuting equal elements exactly as Go does.
///
/// Comparisons: O(n log n) in the worst case.
pub(crate) fn sort_as_go<T>(data: &mut [T], key: impl Fn(&T) -> i64) {
    let end = data.len();
    let bad_choices = (usize::BITS - end.leading_zeros()) as usize;
    Sorter { data, key }.quick(0, end, bad_choices);
}

struct Sorter<'a, T, K> {
    data: &'a mut [T],
    key: K,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hint {
    Unknown,
    Ascending,
    Descending,
}

impl<T, K: Fn(&T) -> i64> Sorter<'_, T, K> {
    fn less(&self, a: usize, b: usize) -> bool {
        (self.key)(&self.data[a]) < (self.key)(&self.data[b])
    }

    /// Sorts `start..end`; falls back to heap sort after `bad_choices` unbalanced partitions.
    fn quick(&mut self, mut start: usize, mut end: usize, mut bad_choices: usize) {
        let mut balanced = true;
        let mut partitioned = true;
        loop {
            let len = end - start;
            if len <= MAX_INSERTION {
                return self.insertion(start, end);
            }
            if bad_choices == 0 {
                return self.heap(start, end);
            }
            if !balanced {
                self.break_patterns(start, end);
                bad_choices -= 1;
            }
            let (mut pivot, mut hint) = self.choose_pivot(start, end);
            if hint == Hint::Descending {
                self.data[start..end].reverse();
                pivot = (end - 1) - (pivot - start);
                hint = Hint::Ascending;
            }
            if balanced
                && partitioned
                && hint == Hint::Ascending
                && self.shift_into_order(start, end)
            {
                return;
            }
            if start > 0 && !self.less(start - 1, pivot) {
                // Everything left of `start` is at most the pivot, so the pivot is a minimum.
                start = self.partition_equal(start, end, pivot);
                continue;
            }
            let middle;
            (middle, partitioned) = self.partition(start, end, pivot);
            let (left, right) = (middle - start, end - middle);
            balanced = left.min(right) >= len / 8;
            if left < right {
                self.quick(start, middle, bad_choices);
                start = middle + 1;
            } else {
                self.quick(middle + 1, end, bad_choices);
                end = middle;
            }
        }
    }

    fn insertion(&mut self, start: usize, end: usize) {
        for i in start + 1..end {
            let mut j = i;
            while j > start && self.less(j, j - 1) {
                self.data.swap(j, j - 1);
                j -= 1;
            }
        }
    }

    fn heap(&mut self, start: usize, end: usize) {
        let len = end - start;
        for root in (0..=(len - 1) / 2).rev() {
            self.sift_down(start, root, len);
        }
        for last in (0..len).rev() {
            self.data.swap(start, start + last);
            self.sift_down(start, 0, last);
        }
    }

    fn sift_down(&mut self, start: usize, mut root: usize, len: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= len {
                return;
            }
            if child + 1 < len && self.less(start + child, start + child + 1) {
                child += 1;
            }
            if !self.less(start + root, start + child) {
                return;
            }
            self.data.swap(start + root, start + child);
            root = child;
        }
    }

    /// Moves elements below the pivot to its left. Returns where the pivot went and whether
    /// nothing had to move.
    fn partition(&mut self, start: usize, end: usize, pivot: usize) -> (usize, bool) {
        self.data.swap(start, pivot);
        let (mut i, mut j) = (start + 1, end - 1);
        let mut moved = false;
        loop {
            while i <= j && self.less(i, start) {
                i += 1;
            }
            while i <= j && !self.less(j, start) {
                j -= 1;
            }
            if i > j {
                self.data.swap(j, start);
                return (j, !moved);
            }
            self.data.swap(i, j);
            moved = true;
            i += 1;
            j -= 1;
        }
    }

    /// Moves elements equal to the pivot, a minimum, to the left. Returns where the others start.
    fn partition_equal(&mut self, start: usize, end: usize, pivot: usize) -> usize {
        self.data.swap(start, pivot);
        let (mut i, mut j) = (start + 1, end - 1);
        loop {
            while i <= j && !self.less(start, i) {
                i += 1;
            }
            while i <= j && self.less(start, j) {
                j -= 1;
            }
            if i > j {
                return i;
            }
            self.data.swap(i, j);
            i += 1;
            j -= 1;
        }
    }

    /// Tries to sort a nearly sorted slice by a few shifts. Returns whether it is sorted.
    fn shift_into_order(&mut self, start: usize, end: usize) -> bool {
        let mut i = start + 1;
        for _ in 0..MAX_SHIFTS {
            while i < end && !self.less(i, i - 1) {
                i += 1;
            }
            if i == end {
                return true;
            }
            if end - start < SHORTEST_SHIFTING {
                return false;
            }
            self.data.swap(i, i - 1);
            if i - start >= 2 {
                let mut j = i - 1;
                while j >= 1 && self.less(j, j - 1) {
                    self.data.swap(j, j - 1);
                    j -= 1;
                }
            }
            if end - i >= 2 {
                let mut j = i + 1;
                while j < end && self.less(j, j - 1) {
                    self.data.swap(j, j - 1);
                    j += 1;
                }
            }
        }
        false
    }

    /// Swaps three elements with pseudo-random ones, so that no pattern stays unbalanced.
    fn break_patterns(&mut self, start: usize, end: usize) {
        let len = end - start;
        let mut random = len as u64;
        let mask = (1u64 << (usize::BITS - len.leading_zeros())) - 1;
        let middle = start + len / 4 * 2;
        for index in middle - 1..=middle + 1 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut other = (random & mask) as usize;
            if other >= len {
                other -= len;
            }
            self.data.swap(index, start + other);
        }
    }

    fn choose_pivot(&self, start: usize, end: usize) -> (usize, Hint) {
        let quarter = (end - start) / 4;
        let mut candidates = [start + quarter, start + 2 * quarter, start + 3 * quarter];
        let mut swaps = 0;
        if end - start >= SHORTEST_NINTHER {
            for candidate in &mut candidates {
                let at = *candidate;
                *candidate = self.median([at - 1, at, at + 1], &mut swaps);
            }
        }
        let pivot = self.median(candidates, &mut swaps);
        let hint = match swaps {
            0 => Hint::Ascending,
            MAX_SWAPS => Hint::Descending,
            _ => Hint::Unknown,
        };
        (pivot, hint)
    }

    fn median(&self, [mut a, mut b, mut c]: [usize; 3], swaps: &mut usize) -> usize {
        let mut order = |low: &mut usize, high: &mut usize| {
            if self.less(*high, *low) {
                std::mem::swap(low, high);
                *swaps += 1;
            }
        };
        order(&mut a, &mut b);
        order(&mut b, &mut c);
        order(&mut a, &mut b);
        b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys and what Go 1.27.3's `slices.SortFunc` makes of them, as the original indexes in
    /// sorted order folded into a number; see `go_fold`.
    #[test]
    fn permutes_equal_elements_as_go_does() {
        for line in include_str!("sort_golden.txt").lines() {
            let fields: Vec<u64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
            let [len, modulus, shape, expected] = fields[..] else {
                panic!("malformed golden")
            };
            let mut data: Vec<(i64, u64)> =
                (0..len).map(|i| (key(i, len, modulus, shape), i)).collect();
            sort_as_go(&mut data, |(key, _)| *key);
            assert!(data.is_sorted_by_key(|(key, _)| *key));
            let fold = data
                .iter()
                .fold(0u64, |h, (_, i)| h.wrapping_mul(31).wrapping_add(i + 1));
            assert_eq!(
                fold, expected,
                "length {len}, modulus {modulus}, shape {shape}"
            );
        }
    }

    fn key(i: u64, len: u64, modulus: u64, shape: u64) -> i64 {
        let mixed = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let key = match shape {
            0 => mixed % modulus,
            1 => i / modulus,
            2 => (len - i) / modulus,
            _ if i.is_multiple_of(17) => mixed % modulus,
            _ => i,
        };
        key as i64
    }
}
