//! The generations that a flight recorder keeps.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::generation::{EncodedGeneration, LostGeneration};

/// A generation, and what was lost right before it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) generation: Arc<EncodedGeneration>,
    pub(super) lost_generations: u64,
    pub(super) lost_events: u64,
}

/// The newest generations, as many as are wanted.
#[derive(Debug)]
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    /// Lost after the newest.
    lost: (u64, u64),
    bytes: usize,
    min_age: Duration,
    max_bytes: usize,
}

impl Ring {
    pub(super) const fn new(min_age: Duration, max_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            lost: (0, 0),
            bytes: 0,
            min_age,
            max_bytes,
        }
    }

    /// Adds the newest generation and drops old ones: those that the rest is old enough without, and
    /// those that are too many bytes. The newest stays, whatever its size: a recorder that has
    /// nothing is of no use (as in Go: format specification, section 7.9).
    pub(super) fn push(&mut self, generation: Arc<EncodedGeneration>) {
        self.bytes += generation.bytes.len();
        let (lost_generations, lost_events) = std::mem::take(&mut self.lost);
        self.entries.push_back(Entry {
            generation,
            lost_generations,
            lost_events,
        });
        while self.entries.len() > 1
            && (self.bytes > self.max_bytes || self.age_from(1) >= self.min_age)
        {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.generation.bytes.len();
            }
        }
    }

    /// Notes that the newest generation is one that nobody has.
    pub(super) const fn push_lost(&mut self, lost: &LostGeneration) {
        self.lost.0 += 1;
        self.lost.1 += lost.events;
    }

    /// From the beginning of a generation to the end of the newest.
    fn age_from(&self, index: usize) -> Duration {
        match (self.entries.get(index), self.entries.back()) {
            (Some(first), Some(last)) => {
                let (first, last) = (&first.generation, &last.generation);
                let ticks = last.ended.0.saturating_sub(first.started.0);
                ticks_to_duration(ticks, last.ticks_per_second)
            }
            _ => Duration::ZERO,
        }
    }

    /// The time that all of it spans.
    pub(super) fn age(&self) -> Duration {
        self.age_from(0)
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of it, oldest first.
    pub(super) fn contents(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }
}

fn ticks_to_duration(ticks: u64, per_second: u64) -> Duration {
    let per_second = u128::from(per_second.max(1));
    let nanoseconds = u128::from(ticks) * 1_000_000_000 / per_second;
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use exectrace_wire::{Generation, Ticks};

    /// A generation that lasts a second.
    fn generation(number: u64, bytes: usize) -> Arc<EncodedGeneration> {
        Arc::new(EncodedGeneration {
            number: Generation(number),
            started: Ticks(number * 1000),
            ended: Ticks(number * 1000 + 1000),
            ticks_per_second: 1000,
            events: 1,
            bytes: vec![0; bytes],
        })
    }

    fn kept(ring: &Ring) -> Vec<u64> {
        ring.contents()
            .iter()
            .map(|entry| entry.generation.number.0)
            .collect()
    }

    #[test]
    fn the_ring_is_as_old_as_wanted_and_no_older() {
        let mut ring = Ring::new(Duration::from_secs(3), usize::MAX);
        for number in 1..=10 {
            ring.push(generation(number, 10));
            assert!(ring.age() >= Duration::from_secs(number.min(3)));
        }
        assert_eq!(kept(&ring), [8, 9, 10]);
        assert_eq!(ring.bytes(), 30);
    }

    #[test]
    fn bytes_limit_age() {
        let mut ring = Ring::new(Duration::MAX, 25);
        for number in 1..=10 {
            ring.push(generation(number, 10));
        }
        assert_eq!(kept(&ring), [9, 10]);
    }

    #[test]
    fn the_newest_stays_whatever_the_limits() {
        for (age, bytes) in [
            (Duration::ZERO, 0),
            (Duration::ZERO, 100),
            (Duration::MAX, 0),
        ] {
            let mut ring = Ring::new(age, bytes);
            for number in 1..=3 {
                ring.push(generation(number, 10));
                assert_eq!(kept(&ring), [number]);
            }
        }
    }
}
