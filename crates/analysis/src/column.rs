//! Columns: append-only sequences of numbers, each as narrow as its values allow.
//!
//! They hand out values, never slices or references: so that a column may later keep the part of it
//! that exceeds a limit of memory in a file, without a change to its users.

use exectrace_reader::Time;

/// Unsigned numbers that are stored in 1, 2 or 4 bytes each, as the largest of them needs.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
    Words(Vec<u32>),
}

impl Default for Column {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Column {
    #[inline]
    pub(crate) fn push(&mut self, value: u32) {
        match self {
            Self::Words(words) => return words.push(value),
            Self::Shorts(shorts) => {
                if let Ok(short) = u16::try_from(value) {
                    return shorts.push(short);
                }
            }
            Self::Bytes(bytes) => {
                if let Ok(byte) = u8::try_from(value) {
                    return bytes.push(byte);
                }
            }
        }
        self.widen(value);
        self.push(value);
    }

    /// The value at an index.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> u32 {
        match self {
            Self::Bytes(bytes) => u32::from(bytes[at]),
            Self::Shorts(shorts) => u32::from(shorts[at]),
            Self::Words(words) => words[at],
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Shorts(shorts) => shorts.len(),
            Self::Words(words) => words.len(),
        }
    }

    /// Inserts values before the one at an index, in time linear in what follows it.
    pub(crate) fn insert(&mut self, at: usize, values: impl ExactSizeIterator<Item = u32> + Clone) {
        if let Some(largest) = values.clone().max() {
            self.widen(largest);
        }
        // Wide enough: no value is cut.
        match self {
            Self::Bytes(bytes) => drop(bytes.splice(at..at, values.map(|value| value as u8))),
            Self::Shorts(shorts) => drop(shorts.splice(at..at, values.map(|value| value as u16))),
            Self::Words(words) => drop(words.splice(at..at, values)),
        }
    }

    /// Makes room for a value of this size.
    #[cold]
    fn widen(&mut self, value: u32) {
        let widened = match self {
            Self::Bytes(bytes) if value > u32::from(u16::MAX) => {
                Self::Words(bytes.iter().map(|byte| u32::from(*byte)).collect())
            }
            Self::Bytes(bytes) if value > u32::from(u8::MAX) => {
                Self::Shorts(bytes.iter().map(|byte| u16::from(*byte)).collect())
            }
            Self::Shorts(shorts) if value > u32::from(u16::MAX) => {
                Self::Words(shorts.iter().map(|short| u32::from(*short)).collect())
            }
            _ => return,
        };
        *self = widened;
    }

    /// Bytes that the values take up.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Shorts(shorts) => 2 * shorts.len(),
            Self::Words(words) => 4 * words.len(),
        }
    }
}

/// Times that do not decrease, in 4 bytes each: as distances from the start of an epoch, of which
/// there is a new one every 4.3 seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeColumn {
    distances: Vec<u32>,
    epochs: Vec<Epoch>,
    /// The epoch of the first time of each block; empty while the column grows.
    epoch_of_block: Vec<u32>,
}

/// How many times have their epoch looked up together.
const BLOCK: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Epoch {
    first: usize,
    start: i64,
}

impl TimeColumn {
    #[inline]
    pub(crate) fn push(&mut self, time: Time) {
        if let Some(epoch) = self.epochs.last()
            && let Some(distance) = time.nanos().checked_sub(epoch.start)
            && let Ok(distance) = u32::try_from(distance)
        {
            self.distances.push(distance);
        } else {
            self.begin_epoch(time);
            self.distances.push(0);
        }
    }

    /// Begins an epoch with the next time, which is not before this one.
    #[cold]
    pub(crate) fn begin_epoch(&mut self, time: Time) {
        let first = self.distances.len();
        let start = time.nanos();
        match self.epochs.last_mut() {
            // An epoch without times.
            Some(last) if last.first == first => last.start = start,
            _ => self.epochs.push(Epoch { first, start }),
        }
    }

    /// The time at an index.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Time {
        let block = at / BLOCK;
        let low = self
            .epoch_of_block
            .get(block)
            .map_or(0, |epoch| *epoch as usize);
        let high = match self.epoch_of_block.get(block + 1) {
            Some(epoch) => *epoch as usize,
            None => self.epochs.len() - 1,
        };
        let epoch = if low == high {
            low
        } else {
            let later = &self.epochs[low + 1..=high];
            low + later.partition_point(|epoch| epoch.first <= at)
        };
        Time(self.epochs[epoch].start + i64::from(self.distances[at]))
    }

    /// Makes looking up faster, when no more times will come.
    pub(crate) fn seal(&mut self) {
        let mut epoch = 0;
        for first in (0..self.distances.len()).step_by(BLOCK) {
            while self
                .epochs
                .get(epoch + 1)
                .is_some_and(|next| next.first <= first)
            {
                epoch += 1;
            }
            self.epoch_of_block.push(epoch as u32);
        }
    }

    /// Inserts `count` times that are the start of the epoch which begins at the index.
    ///
    /// MUST be called with an index at which [`Self::begin_epoch`] was: otherwise the times are
    /// those of another epoch's start.
    pub(crate) fn insert_at_epoch(&mut self, at: usize, count: usize) {
        debug_assert!(self.epochs.iter().any(|epoch| epoch.first == at));
        self.distances.splice(at..at, std::iter::repeat_n(0, count));
        for epoch in self.epochs.iter_mut().rev() {
            if epoch.first <= at {
                break;
            }
            epoch.first += count;
        }
    }

    /// Bytes that the times take up.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.distances[..])
            + size_of_val(&self.epochs[..])
            + size_of_val(&self.epoch_of_block[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_widens_as_values_grow() {
        let mut column = Column::default();
        let values = [0, 255, 3, 256, 65_535, 7, 65_536, u32::MAX, 1];
        for (count, value) in values.into_iter().enumerate() {
            column.push(value);
            let found: Vec<u32> = (0..column.len()).map(|at| column.get(at)).collect();
            assert_eq!(found, values[..=count]);
        }
        assert_eq!(column.bytes(), 4 * values.len());
    }

    #[test]
    fn a_column_widens_for_what_is_inserted() {
        for wide in [1, 256, 65_536] {
            let mut column = Column::default();
            column.push(10);
            column.push(20);
            column.insert(1, [wide, 5].into_iter());
            let found: Vec<u32> = (0..column.len()).map(|at| column.get(at)).collect();
            assert_eq!(found, [10, wide, 5, 20]);
        }
    }

    #[test]
    fn times_survive_any_distance() {
        let times = [
            i64::MIN,
            -5,
            0,
            4_294_967_295,
            4_294_967_296,
            8_589_934_591,
            8_589_934_592,
            i64::MAX - 1,
            i64::MAX,
        ];
        let mut column = TimeColumn::default();
        for time in times {
            column.push(Time(time));
        }
        for (at, time) in times.into_iter().enumerate() {
            assert_eq!(column.get(at), Time(time));
        }
    }

    #[test]
    fn a_sealed_column_has_the_same_times() {
        let mut column = TimeColumn::default();
        let mut time = 0i64;
        let times: Vec<Time> = (0..5 * BLOCK as i64)
            .map(|at| {
                // Blocks with no, one and many starts of epochs.
                let step = if at % 700 == 0 || (3000..3100).contains(&at) {
                    5_000_000_000
                } else {
                    at
                };
                time += step;
                Time(time)
            })
            .collect();
        times.iter().for_each(|time| column.push(*time));
        let found = |column: &TimeColumn| (0..times.len()).map(|at| column.get(at)).collect();
        let unsealed: Vec<Time> = found(&column);
        assert_eq!(unsealed, times);
        column.seal();
        let sealed: Vec<Time> = found(&column);
        assert_eq!(sealed, times);
    }

    #[test]
    fn times_are_inserted_at_the_start_of_an_epoch() {
        let mut column = TimeColumn::default();
        column.push(Time(1));
        column.begin_epoch(Time(10));
        column.push(Time(12));
        column.push(Time(10_000_000_000));
        column.insert_at_epoch(1, 2);
        let found: Vec<i64> = (0..column.distances.len())
            .map(|at| column.get(at).nanos())
            .collect();
        assert_eq!(found, [1, 10, 10, 12, 10_000_000_000]);
    }
}
