//! Traces with lost generations: bridged, they are valid, and all that was kept is still there.

use std::collections::BTreeSet;

use exectrace_mend::{Gap, LOSS_CATEGORY, Loss};
use exectrace_reader::{EventKind, Reader};
use exectrace_testkit::{
    Rng,
    go::{Question, ask},
    sim::{Size, simulate},
};
use exectrace_validate::{Rule, Severity, Validator};
use exectrace_wire::{BatchKind, EventType, Frame, Version, decode_event, parse_frame};

/// Events of a generation by type, with their first number that is no time.
fn events(generation: &[u8]) -> BTreeSet<(EventType, u64)> {
    let mut events = BTreeSet::new();
    let mut rest = generation;
    while let Ok(Some((Frame::Batch(header), length))) = parse_frame(rest) {
        let data = &rest[length..length + header.size];
        rest = &rest[length + header.size..];
        if header.classify(Version::Go126, data) == BatchKind::Events {
            let mut data = data;
            while let Ok((event, length)) = decode_event(data) {
                events.insert((event.event_type, event.padded_args()[1]));
                data = &data[length..];
            }
        }
    }
    events
}

/// Whether a generation states all procs, as ours do. Go's leaves out those in system calls that
/// nobody came by.
fn states_all_procs(generation: &[u8]) -> bool {
    let events = events(generation);
    let stated = |event: &&(EventType, u64)| event.0 == EventType::ProcStatus;
    events.iter().filter(stated).count() == SIZE.procs
}

/// Whether garbage was collected: collections are counted, and nobody can count what was not seen.
fn collects(generation: &[u8]) -> bool {
    use EventType::{GCActive, GCBegin, GCEnd};
    let mut events = events(generation).into_iter();
    events.any(|(event_type, _)| [GCActive, GCBegin, GCEnd].contains(&event_type))
}

/// A trace without the generations that `lost` names by index, bridged; and the losses.
fn bridged(generations: &[Vec<u8>], lost: impl Fn(usize) -> bool) -> (Vec<u8>, Vec<Loss>) {
    let mut trace = Version::Go126.header().to_vec();
    let mut losses = Vec::new();
    let mut gap: Option<Gap> = None;
    for (i, generation) in generations.iter().enumerate() {
        if lost(i) {
            match &mut gap {
                Some(gap) => gap.widen(generation).unwrap(),
                None => gap = Some(Gap::new(generation).unwrap()),
            }
            continue;
        }
        if let Some(gap) = gap.take() {
            losses.push(gap.loss("test"));
            trace.extend(gap.bridge(Some(generation), "test").unwrap());
        }
        trace.extend(generation);
    }
    if let Some(gap) = gap {
        losses.push(gap.loss("test"));
        trace.extend(gap.bridge(None, "test").unwrap());
    }
    (trace, losses)
}

/// What a trace says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    losses: Vec<Loss>,
    /// The rules of validation that it breaks, but for mere notices.
    broken: BTreeSet<Rule>,
}

/// Reads a trace to its end.
fn read(trace: &[u8]) -> Result<Verdict, Box<dyn std::error::Error>> {
    let mut reader = Reader::new(trace)?;
    let mut validator = Validator::new(reader.version());
    let mut verdict = Verdict::default();
    while let Some(event) = reader.next_event()? {
        if let EventKind::Log(log) = event.kind()
            && log.category == *LOSS_CATEGORY
        {
            verdict.losses.extend(Loss::parse(&log.message.to_string()));
        }
        validator.check(&event);
    }
    let report = validator.finish();
    let broken = report.violations().iter().map(|violation| violation.rule);
    verdict.broken = broken
        .filter(|rule| rule.severity() >= Severity::Strict)
        .collect();
    Ok(verdict)
}

const SIZE: Size = Size {
    version: Version::Go126,
    threads: 5,
    procs: 4,
    goroutines: 8,
    steps: 600,
    generation_steps: 60,
    skew: 0,
};

#[test]
fn bridged_traces_are_valid() {
    let mut bridges = 0;
    for seed in 0..400 {
        let generations = simulate(seed, SIZE).layout.generations();
        let mut rng = Rng::new(seed);
        let mut lost = vec![false; generations.len()];
        for i in 1..lost.len() {
            let change = rng.one_in(2) && states_all_procs(&generations[i]);
            lost[i] = lost[i - 1] ^ change;
        }
        let (trace, losses) = bridged(&generations, |i| lost[i]);
        let found = read(&trace).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(found.losses, losses, "seed {seed}");
        bridges += losses.len();
        // Some that Go can write break a rule as they are.
        let whole = read(&bridged(&generations, |_| false).0).unwrap();
        let new: Vec<_> = found.broken.difference(&whole.broken).collect();
        assert_eq!(new, Vec::<&Rule>::new(), "seed {seed}");
    }
    assert!(bridges > 500, "{bridges} bridges prove too little");
}

#[test]
fn gaps_that_nobody_has_seen_are_bridged() {
    let mut bridges = 0;
    for seed in 0..400 {
        let generations = simulate(seed, SIZE).layout.generations();
        let mut rng = Rng::new(seed);
        let mut trace = Version::Go126.header().to_vec();
        let mut last: Option<&[u8]> = None;
        let mut gap: Option<Gap> = None;
        for generation in &generations {
            let sound = states_all_procs(generation) && !collects(generation);
            let lost = sound && last.is_none_or(states_all_procs) && rng.one_in(2);
            match (&mut gap, lost) {
                (None, true) => gap = Some(Gap::unseen(last, 1, 7).unwrap()),
                (Some(gap), true) if rng.one_in(2) => gap.widen(generation).unwrap(),
                (Some(gap), true) => gap.widen_unseen(1, 7),
                (Some(_), false) if !states_all_procs(generation) => {
                    // It cannot come after a gap, and nothing can that comes after it.
                    break;
                }
                (_, false) => {
                    if let Some(gap) = gap.take() {
                        bridges += 1;
                        trace.extend(gap.bridge(Some(generation), "test").unwrap());
                    }
                    trace.extend(generation);
                    last = Some(generation);
                }
            }
        }
        if last.is_none() {
            continue;
        }
        let found = read(&trace).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(
            found
                .broken
                .iter()
                .all(|rule| rule.severity() < Severity::Go),
            "seed {seed}: {:?}",
            found.broken
        );
    }
    assert!(bridges > 150, "{bridges} bridges prove too little");
}

#[test]
fn a_gap_without_anything_around_it_is_empty() {
    let gap = Gap::unseen(None, 3, 100).unwrap();
    assert_eq!(gap.bridge(None, "test").unwrap(), []);
}

#[test]
#[ignore = "asks Go, which it may have to install; continuous integration runs it"]
fn go_agrees() {
    for seed in 0..5 {
        let generations = simulate(seed, SIZE).layout.generations();
        let mut lost = vec![false; generations.len()];
        for i in 1..lost.len() {
            lost[i] = lost[i - 1] ^ states_all_procs(&generations[i]);
        }
        let (trace, losses) = bridged(&generations, |i| lost[i]);
        assert!(!losses.is_empty(), "seed {seed}");
        for question in [Question::Parsed, Question::Validate] {
            assert_eq!(ask(question, &trace).unwrap().error, None, "seed {seed}");
        }
    }
}
