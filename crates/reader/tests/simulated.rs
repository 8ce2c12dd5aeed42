//! Simulated programs: whatever the simulator's threads wrote down, with clocks that agree or not
//! and batches in any order, the reader must find what happened.
//!
//! `EXECTRACE_SEEDS=N` tries N times as many seeds.

mod support;

use std::{fs, path::PathBuf};

use exectrace_reader::Reader;
use exectrace_testkit::{
    Freedom, Layout,
    sim::{Fact, Simulated, Size, histories, simulate},
};
use exectrace_validate::{Severity, Validator};
use exectrace_wire::{Family, Version, parse_header};
use support::{parsed_text, parsed_text_overlapped, parsed_text_visiting};

/// Sizes to test: of each version, with clocks that agree and that do not.
fn sizes() -> impl Iterator<Item = Size> {
    Version::V2.into_iter().flat_map(|version| {
        [0, 1, 30].map(|skew| Size {
            skew,
            ..Size::small(version)
        })
    })
}

/// Seeds from `first` on.
fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    let times =
        std::env::var("EXECTRACE_SEEDS").map_or(1, |times| times.parse().expect("a number"));
    first..first + count * times
}

/// A busy program: many threads that take turns, many generations.
const BUSY: Size = Size {
    version: Version::Go126,
    threads: 30,
    procs: 20,
    goroutines: 60,
    steps: 5000,
    generation_steps: 500,
    skew: 200,
};

/// Fails with the smallest simulation that has an objection.
fn check(seed: u64, size: Size, objection: impl Fn(&Simulated) -> Option<String>) {
    if objection(&simulate(seed, size)).is_some() {
        let size = size.shrunk(|size| objection(&simulate(seed, size)).is_some());
        let objection = objection(&simulate(seed, size)).unwrap_or_default();
        panic!("seed {seed}, {size:?}: {objection}");
    }
}

/// What the reader finds is not what happened.
fn untrue(simulated: &Simulated, bytes: &[u8], exact: bool) -> Option<String> {
    let outcome = parsed_text(bytes);
    if let Some(error) = outcome.error {
        return Some(error);
    }
    let found = Fact::parse(&outcome.events);
    let (expected, found) = if exact {
        (simulated.facts.clone(), found)
    } else {
        // One subject after the other.
        let by_subject = |facts| histories(facts).into_values().flatten().collect();
        (by_subject(&simulated.facts), by_subject(&found))
    };
    let at = std::iter::zip(&expected, &found)
        .take_while(|(a, b)| a == b)
        .count();
    (expected != found).then(|| {
        format!(
            "after {at} facts expected\n{:?}, found\n{:?}",
            expected.get(at),
            found.get(at)
        )
    })
}

#[test]
fn the_reader_finds_the_truth() {
    for seed in seeds(0, 40) {
        for size in sizes() {
            check(seed, size, |simulated| {
                let exact = size.skew == 0;
                untrue(simulated, &simulated.layout.to_bytes(), exact)
            });
        }
    }
}

#[test]
fn the_reader_finds_the_truth_about_busy_programs() {
    for seed in seeds(0, 1) {
        for version in Version::V2 {
            let size = Size { version, ..BUSY };
            check(seed, size, |simulated| {
                untrue(simulated, &simulated.layout.to_bytes(), false)
            });
        }
    }
}

#[test]
fn the_validator_has_no_objection() {
    for seed in seeds(100, 20) {
        for size in sizes() {
            check(seed, size, |simulated| {
                let bytes = simulated.layout.to_bytes();
                let mut reader = Reader::new(&bytes[..]).ok()?;
                let mut validator = Validator::new(reader.version());
                while let Ok(Some(event)) = reader.next_event() {
                    validator.check(&event);
                }
                let report = validator.finish();
                (report.worst() >= Some(Severity::Strict)).then(|| report.to_string())
            });
        }
    }
}

#[test]
fn batches_may_come_in_any_order() {
    for seed in seeds(200, 30) {
        for size in sizes() {
            check(seed, size, |simulated| {
                let expected = parsed_text(&simulated.layout.to_bytes());
                let permuted = simulated.layout.permuted(seed, Freedom::Unnoticeable);
                if parsed_text(&permuted.to_bytes()) != expected {
                    return Some("a permutation is noticed".to_owned());
                }
                // Threads appear in another order too, which decides ties only.
                let permuted = simulated.layout.permuted(seed, Freedom::Format);
                untrue(simulated, &permuted.to_bytes(), size.skew == 0)
            });
        }
    }
}

#[test]
fn batches_of_real_traces_may_come_in_any_order() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus");
    let mut checked = 0;
    for entry in fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("an entry of the corpus").path();
        let bytes = match path.extension() {
            Some(extension) if extension == "trace" => fs::read(&path).expect("a trace"),
            _ => continue,
        };
        if parse_header(&bytes).is_ok_and(|version| version.family() == Family::V1) {
            continue;
        }
        let expected = parsed_text(&bytes);
        if bytes.len() > 100_000 || expected.error.is_some() {
            continue;
        }
        let layout = Layout::parse(&bytes).expect("a whole trace");
        for seed in 0..3 {
            let permuted = layout.permuted(seed, Freedom::Unnoticeable);
            assert!(
                parsed_text(&permuted.to_bytes()) == expected,
                "{path:?}, seed {seed}"
            );
        }
        checked += 1;
    }
    assert!(checked >= 40, "only {checked} traces");
}

#[test]
fn the_overlapped_reader_finds_the_same() {
    for seed in seeds(300, 10) {
        for size in sizes() {
            check(seed, size, |simulated| {
                let bytes = simulated.layout.to_bytes();
                let alone = parsed_text(&bytes);
                if parsed_text_overlapped(&bytes) != alone {
                    return Some("the overlapped reader differs".to_owned());
                }
                let visited = parsed_text_visiting(&bytes, 1 + seed as usize % 50);
                (visited != alone).then(|| "visiting differs".to_owned())
            });
        }
    }
}
