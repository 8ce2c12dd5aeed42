//! Traces with lost generations: bridged, they are valid, and all that was kept is still there.

use std::collections::BTreeSet;

use exectrace_mend::{Gap, LOSS_CATEGORY, Loss};
use exectrace_reader::{EventKind, Reader};
use exectrace_testkit::{
    Layout, Piece, Rng,
    go::{Question, ask},
    sim::{Size, simulate},
};
use exectrace_validate::{Rule, Severity, Validator};
use exectrace_wire::{BatchKind, EventType, Frame, HEADER_LEN, Version, decode_event, parse_frame};

/// The generations of a trace, each whole.
fn generations(layout: &Layout) -> Vec<Vec<u8>> {
    let mut generations = vec![Vec::new()];
    for piece in &layout.pieces {
        let one = Layout {
            version: layout.version,
            pieces: vec![piece.clone()],
        };
        let last = generations.last_mut().unwrap();
        last.extend_from_slice(&one.to_bytes()[HEADER_LEN..]);
        if matches!(piece, Piece::EndOfGeneration) {
            generations.push(Vec::new());
        }
    }
    generations.retain(|generation| !generation.is_empty());
    generations
}

/// Whether a generation states all procs, as ours do. Go's leaves out those in system calls that
/// nobody came by.
fn states_all_procs(generation: &[u8]) -> bool {
    let mut procs = BTreeSet::new();
    let mut rest = generation;
    while let Ok(Some((Frame::Batch(header), length))) = parse_frame(rest) {
        let data = &rest[length..length + header.size];
        rest = &rest[length + header.size..];
        if header.classify(Version::Go126, data) == BatchKind::Events {
            let mut data = data;
            while let Ok((event, length)) = decode_event(data) {
                if event.event_type == EventType::ProcStatus {
                    procs.insert(event.args()[1]);
                }
                data = &data[length..];
            }
        }
    }
    procs.len() == SIZE.procs
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
        let generations = generations(&simulate(seed, SIZE).layout);
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
#[ignore = "asks Go, which it may have to install; continuous integration runs it"]
fn go_agrees() {
    for seed in 0..5 {
        let generations = generations(&simulate(seed, SIZE).layout);
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
