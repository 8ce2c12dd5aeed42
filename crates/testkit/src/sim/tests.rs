//! What the simulator promises without a reader.

use std::collections::BTreeSet;

use exectrace_wire::{BatchKind, EventType, Version, decode_event};

use super::*;
use crate::Piece;

#[test]
fn a_seed_makes_one_trace_and_fewer_steps_a_beginning_of_it() {
    let size = Size::small(Version::Go126);
    let long = simulate(7, size);
    assert_eq!(long.layout, simulate(7, size).layout);
    assert_ne!(long.layout, simulate(8, size).layout);
    let short = simulate(
        7,
        Size {
            steps: 100,
            generation_steps: usize::MAX,
            ..size
        },
    );
    let longer = simulate(
        7,
        Size {
            steps: 150,
            generation_steps: usize::MAX,
            ..size
        },
    );
    // The last facts are those of the trace's end.
    let common = std::iter::zip(&short.facts, &longer.facts)
        .take_while(|(a, b)| a == b)
        .count();
    assert!(common + 20 > short.facts.len() && common > 50);
}

#[test]
fn every_event_of_the_format_happens() {
    for version in Version::V2 {
        let mut seen = BTreeSet::new();
        for seed in 0..60 {
            let simulated = simulate(seed, Size::small(version));
            for piece in &simulated.layout.pieces {
                if let Piece::Batch(batch) = piece
                    && batch.kind(version) == BatchKind::Events
                {
                    let mut rest = &batch.data[..];
                    while !rest.is_empty() {
                        let (event, n) = decode_event(rest).expect("an event");
                        seen.insert(event.event_type);
                        rest = &rest[n..];
                    }
                }
            }
        }
        let missing: Vec<_> = exectrace_wire::SPECS
            .iter()
            .filter(|spec| {
                happens(spec.event_type)
                    && spec.since <= version
                    && !seen.contains(&spec.event_type)
            })
            .map(|spec| spec.name)
            .collect();
        assert_eq!(missing, [""; 0], "{version}");
    }
}

/// Events of the experiment are all alike to readers, and a clock snapshot has its own place.
fn happens(event_type: EventType) -> bool {
    event_type.spec().is_timed()
        && event_type != EventType::ClockSnapshot
        && event_type.to_wire() < 128
}

#[test]
fn shrinking_ends_at_the_smallest_size_that_fails() {
    let size = Size::small(Version::Go126);
    let shrunk = size.shrunk(|size| size.steps >= 13 && size.procs >= 2);
    assert_eq!((shrunk.steps, shrunk.procs, shrunk.threads), (13, 2, 1));
}
