//! Other orders of a trace's batches that mean the same.

use exectrace_wire::BatchKind;

use crate::{
    layout::{Batch, Layout, Piece},
    rng::Rng,
};

/// What a permutation may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freedom {
    /// Nothing that a reader may notice: threads keep their order of first appearance in each
    /// generation, which decides between events of equal time.
    Unnoticeable,
    /// All that the format allows: events of equal time may change places.
    Format,
}

impl Layout {
    /// Shuffles the batches of each generation, by a seed.
    ///
    /// Batches of one thread stay in order, for they are one sequence of events, and so do batches
    /// of one structural kind: among frames of one pc the first definition wins, and experimental
    /// data is delivered in file order. All else is free (format specification, section 3.1).
    ///
    /// Meant for traces that are sound: in a broken one it depends on the order what is lost.
    #[must_use]
    pub fn permuted(&self, seed: u64, freedom: Freedom) -> Self {
        let mut rng = Rng::new(seed);
        let mut pieces = Vec::with_capacity(self.pieces.len());
        let mut rest = &self.pieces[..];
        while let Some(first) = rest.first() {
            let Piece::Batch(first) = first else {
                pieces.push(first.clone());
                rest = &rest[1..];
                continue;
            };
            let length = rest
                .iter()
                .take_while(
                    |piece| matches!(piece, Piece::Batch(b) if b.generation == first.generation),
                )
                .count();
            let (generation, after) = rest.split_at(length);
            let batches = generation.iter().filter_map(|piece| match piece {
                Piece::Batch(batch) => Some(batch),
                _ => None,
            });
            let shuffled = merge(self.streams(batches), freedom, &mut rng);
            pieces.extend(shuffled.into_iter().cloned().map(Piece::Batch));
            rest = after;
        }
        Self {
            version: self.version,
            pieces,
        }
    }

    /// The sequences that must stay in order, in order of first appearance.
    fn streams<'a>(&self, batches: impl Iterator<Item = &'a Batch>) -> Vec<Stream<'a>> {
        let mut streams: Vec<Stream<'a>> = Vec::new();
        for batch in batches {
            let kind = batch.kind(self.version);
            let key = match kind {
                BatchKind::Events => (kind, batch.thread),
                _ => (kind, 0),
            };
            match streams.iter_mut().find(|stream| stream.key == key) {
                Some(stream) => stream.batches.push(batch),
                None => streams.push(Stream {
                    key,
                    next: 0,
                    batches: vec![batch],
                }),
            }
        }
        streams
    }
}

struct Stream<'a> {
    key: (BatchKind, u64),
    next: usize,
    batches: Vec<&'a Batch>,
}

/// Interleaves streams at random.
fn merge<'a>(mut streams: Vec<Stream<'a>>, freedom: Freedom, rng: &mut Rng) -> Vec<&'a Batch> {
    let mut merged = Vec::new();
    loop {
        // A thread that is still to appear holds back those behind it.
        let mut unseen = false;
        let ready: Vec<usize> = (0..streams.len())
            .filter(|&i| {
                let stream = &streams[i];
                if stream.next == stream.batches.len() {
                    return false;
                }
                let appears = stream.next == 0 && stream.key.0 == BatchKind::Events;
                let held = appears && unseen && freedom == Freedom::Unnoticeable;
                unseen |= appears;
                !held
            })
            .collect();
        let Some(&i) = rng.pick(&ready) else {
            return merged;
        };
        let stream = &mut streams[i];
        merged.push(stream.batches[stream.next]);
        stream.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use exectrace_wire::{EventType as E, Version};

    use super::*;

    fn layout() -> Layout {
        let event = |thread, n| Piece::Batch(Batch::new(1, thread, n, vec![E::ProcStop as u8, 1]));
        let strings = |n| Piece::Batch(Batch::new(1, u64::MAX, n, vec![E::Strings as u8]));
        let pieces = vec![
            event(1, 1),
            event(2, 2),
            strings(3),
            event(1, 4),
            event(3, 5),
            event(2, 6),
            strings(7),
            Piece::EndOfGeneration,
            Piece::Batch(Batch::new(2, 1, 8, vec![])),
        ];
        Layout {
            version: Version::Go126,
            pieces,
        }
    }

    fn times(layout: &Layout) -> Vec<u64> {
        let time = |piece: &Piece| match piece {
            Piece::Batch(batch) => batch.time,
            _ => 0,
        };
        layout.pieces.iter().map(time).collect()
    }

    fn position(times: &[u64], time: u64) -> usize {
        times.iter().position(|t| *t == time).expect("a batch")
    }

    #[test]
    fn permutations_keep_what_must_stay() {
        let mut different = std::collections::BTreeSet::new();
        let mut appearances = std::collections::BTreeSet::new();
        for seed in 0..200 {
            for freedom in [Freedom::Unnoticeable, Freedom::Format] {
                let times = times(&layout().permuted(seed, freedom));
                let at = |time| position(&times, time);
                assert!(at(1) < at(4) && at(2) < at(6) && at(3) < at(7));
                assert_eq!((at(0), at(8)), (7, 8));
                let appearance = at(1) < at(2) && at(2) < at(5);
                if freedom == Freedom::Unnoticeable {
                    assert!(appearance);
                } else {
                    appearances.insert(appearance);
                }
                different.insert(times);
            }
        }
        assert!(different.len() > 50);
        assert_eq!(appearances.len(), 2);
    }
}
