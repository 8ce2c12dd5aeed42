//! Damaged inputs: what disks, networks, crashes and enemies do to traces.

use exectrace_wire::HEADER_LEN;

use crate::{
    layout::{Layout, Piece},
    rng::Rng,
};

/// A damaged input and what was done to it, for the message of a failing test.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// What was done.
    pub how: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// Every proper beginning of `bytes`, from the empty one.
pub fn truncations(bytes: &[u8]) -> impl Iterator<Item = Damaged> + '_ {
    (0..bytes.len()).map(|n| Damaged {
        how: format!("cut after {n} bytes"),
        bytes: bytes[..n].to_vec(),
    })
}

/// Every input that differs from `bytes` in one bit.
pub fn bit_flips(bytes: &[u8]) -> impl Iterator<Item = Damaged> + '_ {
    (0..8 * bytes.len()).map(|bit| {
        let (at, bit) = (bit / 8, bit % 8);
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << bit;
        Damaged {
            how: format!("bit {bit} of byte {at} flipped"),
            bytes,
        }
    })
}

/// `count` inputs in which a piece of `bytes` is replaced by a piece of `other`, by a seed. The
/// header stays, so that the damage is in what follows it.
pub fn splices<'a>(
    bytes: &'a [u8],
    other: &'a [u8],
    seed: u64,
    count: usize,
) -> impl Iterator<Item = Damaged> + 'a {
    let mut rng = Rng::new(seed);
    let mut piece = move |bytes: &[u8], from: usize| {
        let start = from + rng.index(bytes.len() - from);
        // Short pieces are as interesting as long ones.
        let longest = (bytes.len() - start).min(1 << rng.below(12));
        (start, start + rng.index(longest + 1))
    };
    (0..count).map(move |_| {
        let (from, to) = piece(bytes, HEADER_LEN);
        let (other_from, other_to) = piece(other, 0);
        let mut damaged = bytes[..from].to_vec();
        damaged.extend(&other[other_from..other_to]);
        damaged.extend(&bytes[to..]);
        Damaged {
            how: format!("bytes {from}..{to} replaced by {other_from}..{other_to} of the other"),
            bytes: damaged,
        }
    })
}

/// Numbers that are too large to be true: the largest one, one that would be negative as a signed
/// number, just above common sizes of fields, and two malformed ones.
const GIGANTIC: [&[u8]; 7] = [
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0x80, 0x80, 0x80, 0x80, 0x10],
    &[0x81, 0x80, 0x04],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
    &[
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
    ],
];

/// Every input in which one byte is replaced by a gigantic number: wherever the byte was a number
/// (a time, an id, a count, a length), that number is gigantic now.
///
/// Each place is damaged twice: in the file as it is, where what follows moves, and in the data of
/// the batch alone, whose stated size then fits again.
pub fn gigantic_numbers(bytes: &[u8]) -> impl Iterator<Item = Damaged> + '_ {
    let in_file = (HEADER_LEN..bytes.len()).flat_map(move |at| {
        GIGANTIC.iter().map(move |number| Damaged {
            how: format!("byte {at} replaced by {number:02x?}"),
            bytes: replaced(bytes, at, number),
        })
    });
    let layout = Layout::parse(bytes).ok();
    in_file.chain(layout.into_iter().flat_map(in_batches))
}

fn in_batches(layout: Layout) -> Vec<Damaged> {
    let mut all = Vec::new();
    for (i, piece) in layout.pieces.iter().enumerate() {
        let Piece::Batch(batch) = piece else { continue };
        for at in 0..batch.data.len() {
            for number in GIGANTIC {
                let mut damaged = layout.clone();
                let mut batch = batch.clone();
                batch.data = replaced(&batch.data, at, number);
                damaged.pieces[i] = Piece::Batch(batch);
                all.push(Damaged {
                    how: format!("byte {at} of the data of piece {i} replaced by {number:02x?}"),
                    bytes: damaged.to_bytes(),
                });
            }
        }
    }
    all
}

fn replaced(bytes: &[u8], at: usize, by: &[u8]) -> Vec<u8> {
    [&bytes[..at], by, &bytes[at + 1..]].concat()
}

#[cfg(test)]
mod tests {
    use exectrace_wire::{EventType as E, ProcStatus, Version};

    use super::*;
    use crate::TraceBuilder;

    fn trace() -> Vec<u8> {
        let mut trace = TraceBuilder::new(Version::Go126);
        trace
            .generation(1)
            .on(1)
            .event(E::ProcStatus, (0, ProcStatus::Idle));
        trace.build()
    }

    #[test]
    fn each_kind_of_damage_is_complete() {
        let bytes = trace();
        assert_eq!(truncations(&bytes).count(), bytes.len());
        let flips: Vec<_> = bit_flips(&bytes).collect();
        assert_eq!(flips.len(), 8 * bytes.len());
        for damaged in &flips {
            let changed: u32 = std::iter::zip(&bytes, &damaged.bytes)
                .map(|(a, b)| (a ^ b).count_ones())
                .sum();
            assert_eq!(changed, 1, "{}", damaged.how);
        }
        assert_eq!(splices(&bytes, &bytes, 1, 100).count(), 100);
    }

    #[test]
    fn damage_inside_a_batch_keeps_the_framing() {
        let bytes = trace();
        let framed = gigantic_numbers(&bytes)
            .filter(|damaged| damaged.how.contains("piece"))
            .inspect(|damaged| {
                let layout = Layout::parse(&damaged.bytes).expect("the framing is sound");
                assert_eq!(layout.to_bytes(), damaged.bytes);
            })
            .count();
        assert!(framed > GIGANTIC.len() * 10);
    }
}
