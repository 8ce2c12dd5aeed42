//! Every byte is counted once, whatever the chunks and the damage.

use exectrace_testkit::{Stack, TraceBuilder};
use exectrace_wire::{EventType as E, GoStatus, ProcStatus, Version};

use super::*;

fn two_generations() -> Vec<u8> {
    let mut trace = TraceBuilder::new(Version::Go126);
    for number in [7, 8] {
        let generation = trace.generation(number);
        generation
            .on(1)
            .event(E::ProcStatus, (0, ProcStatus::Running))
            .event(E::GoStatus, (1, 1, GoStatus::Running))
            .event(
                E::GoBlock,
                ("chan receive", Stack::calls(["main.f", "main.main"])),
            );
        generation
            .on(2)
            .event(E::GoUnblock, (1, 1, Stack::calls(["main.g"])));
        generation.experimental(9, 2, b"opaque");
    }
    trace.build()
}

fn count(pieces: impl IntoIterator<Item = Vec<u8>>) -> Footprint {
    let mut footprint = Footprint::new();
    for piece in pieces {
        footprint.push(&piece);
    }
    footprint.finish();
    footprint
}

/// Everything that the counts say, for comparisons.
fn figures(footprint: &Footprint) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        footprint.types().collect::<Vec<_>>(),
        footprint.generations.clone(),
        footprint.experiments.clone(),
        footprint.threads.clone(),
        (footprint.bytes, footprint.uncounted),
    )
}

#[test]
fn every_byte_is_counted_once() {
    let trace = two_generations();
    let footprint = count([trace.clone()]);
    let in_types: u64 = footprint.types().map(|(_, tally)| tally.bytes).sum();
    assert_eq!(footprint.bytes, trace.len() as u64);
    assert_eq!(in_types + HEADER_LEN as u64, footprint.bytes);
    assert_eq!(footprint.uncounted, 0);
    let in_generations: u64 = footprint.generations.iter().map(|g| g.bytes).sum();
    assert_eq!(in_generations + HEADER_LEN as u64, footprint.bytes);
}

#[test]
fn the_counts_are_those_of_the_trace() {
    let footprint = count([two_generations()]);
    assert_eq!(footprint.tally(E::GoBlock).count, 2);
    assert_eq!(footprint.tally(E::Stack).count, 4);
    assert_eq!(
        footprint.tally(E::EndOfGeneration),
        Tally { count: 2, bytes: 2 }
    );
    assert_eq!(
        footprint.experiments[&9],
        Tally {
            count: 2,
            bytes: 12
        }
    );
    assert_eq!(footprint.threads, [ThreadId(1), ThreadId(2)].into());
    let generations: Vec<_> = footprint
        .generations
        .iter()
        .map(|generation| (generation.number.0, generation.threads))
        .collect();
    assert_eq!(generations, [(7, 2), (8, 2)]);
}

#[test]
fn chunking_changes_nothing() {
    let trace = two_generations();
    let whole = figures(&count([trace.clone()]));
    for size in [1, 2, 3, 7, 17, 100] {
        let pieces = trace.chunks(size).map(<[u8]>::to_vec);
        assert_eq!(figures(&count(pieces)), whole, "chunks of {size}");
    }
}

#[test]
fn a_cut_leaves_less_than_a_batch_uncounted() {
    let trace = two_generations();
    for cut in 0..trace.len() {
        let footprint = count([trace[..cut].to_vec()]);
        let in_types: u64 = footprint.types().map(|(_, tally)| tally.bytes).sum();
        let header = if cut < HEADER_LEN {
            0
        } else {
            HEADER_LEN as u64
        };
        assert_eq!(
            in_types + footprint.uncounted + header,
            cut as u64,
            "cut at {cut}"
        );
    }
}

#[test]
fn damage_is_counted_as_such_and_never_panics() {
    let trace = two_generations();
    for at in HEADER_LEN..trace.len() {
        let mut damaged = trace.clone();
        damaged[at] ^= 0x84;
        let pieces = damaged.chunks(11).map(<[u8]>::to_vec);
        let footprint = count(pieces);
        let in_types: u64 = footprint.types().map(|(_, tally)| tally.bytes).sum();
        let sum = in_types + footprint.uncounted + HEADER_LEN as u64;
        assert_eq!(sum, trace.len() as u64, "damage at {at}");
    }
}

#[test]
fn what_is_no_trace_is_not_counted() {
    let footprint = count([b"hello, this is not a trace".to_vec()]);
    assert_eq!(footprint.uncounted, footprint.bytes);
    assert_eq!(footprint.types().count(), 0);
}
