//! Salvage mode: what is whole is delivered as in strict mode, what is damaged costs no more than
//! it must, and every loss is counted.

use std::{collections::HashSet, fs, path::PathBuf};

use exectrace_reader::{EventKind, EventType, LossKind, Options, Reader, SalvageReport};
use exectrace_testkit::{Layout, Piece};
use exectrace_wire::Family;

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus");
    let mut traces: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "trace")
        })
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        })
        .filter(|(_, bytes)| {
            Reader::new(&bytes[..]).is_ok_and(|reader| reader.version().family() == Family::V2)
        })
        .collect();
    traces.sort();
    traces
}

fn trace(name: &str) -> Vec<u8> {
    let (_, bytes) = corpus()
        .into_iter()
        .find(|(found, _)| found == name)
        .unwrap();
    bytes
}

/// The events of a trace as text, and whether it could be read to its end.
fn strict(bytes: &[u8]) -> (Vec<String>, bool) {
    let mut reader = Reader::new(bytes).unwrap();
    let mut events = Vec::new();
    loop {
        match reader.next_event() {
            Ok(Some(event)) => events.push(format!("{event:?}")),
            Ok(None) => return (events, true),
            Err(_) => return (events, false),
        }
    }
}

fn salvage(bytes: &[u8]) -> (Vec<String>, SalvageReport) {
    let options = Options::default().salvage(true);
    let mut reader = Reader::with_options(bytes, options).unwrap();
    let mut events = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        events.push(format!("{event:?}"));
    }
    (events, reader.salvage_report().unwrap().clone())
}

/// Events that are not about the beginning or end of a generation.
fn count_events(bytes: &[u8]) -> usize {
    count_events_and_synthesized(bytes).0
}

/// The same, and how many of them at most are not in the trace but made up by the ordering: two for
/// a switch of coroutines, one for a thread that returns to C with a proc.
fn count_events_and_synthesized(bytes: &[u8]) -> (usize, usize) {
    let options = Options::default().salvage(true);
    let mut reader = Reader::with_options(bytes, options).unwrap();
    let (mut count, mut synthesized) = (0, 0);
    while let Some(event) = reader.next_event().unwrap() {
        count += usize::from(!matches!(event.kind(), EventKind::Sync(_)));
        synthesized += match event.event_type() {
            Some(EventType::GoSwitch | EventType::GoSwitchDestroy) => 2,
            Some(EventType::GoDestroySyscall) => 1,
            _ => 0,
        };
    }
    (count, synthesized)
}

#[test]
fn a_whole_trace_is_read_as_in_strict_mode() {
    let mut whole = 0;
    for (name, bytes) in corpus() {
        let (expected, is_whole) = strict(&bytes);
        if !is_whole {
            continue;
        }
        let (events, report) = salvage(&bytes);
        // A generation that has only tables when the program dies is dropped without a word in
        // strict mode, as in Go; salvage mode drops it too, but says so.
        let is_only_remains = report
            .losses
            .iter()
            .all(|loss| matches!(loss.kind, LossKind::IncompleteGeneration));
        let died = name.contains("crash") || name.contains("exit");
        assert!(
            report.is_clean() || died && is_only_remains,
            "{name}: {report}"
        );
        assert_eq!(expected, events, "{name}");
        whole += 1;
    }
    assert!(whole > 50, "only {whole} traces");
}

/// Strict mode delivers what is right up to the damage; salvage mode delivers it too.
#[test]
fn nothing_before_the_damage_is_lost() {
    let mut damaged = 0;
    for (name, bytes) in corpus() {
        let (mut expected, is_whole) = strict(&bytes);
        if is_whole || bytes.len() == exectrace_wire::HEADER_LEN {
            continue;
        }
        // Strict mode ends with a sync before a deferred error.
        if expected
            .last()
            .is_some_and(|event| event.contains("generation: None"))
        {
            expected.pop();
        }
        let (events, report) = salvage(&bytes);
        assert!(!report.is_clean(), "{name}");
        assert!(
            events.len() >= expected.len(),
            "{name}: {} < {}",
            events.len(),
            expected.len()
        );
        for (i, (expected, event)) in expected.iter().zip(&events).enumerate() {
            // The time of a sync is that of the earliest batch, which may be the damaged one, and
            // names come from tables at the end of the generation, which may be damaged too.
            assert_eq!(nameless(expected), nameless(event), "{name}: event {i}");
        }
        damaged += 1;
    }
    assert!(damaged > 10, "only {damaged} damaged traces");
}

/// The pieces of a trace from its generation's first batch to the next one's.
fn piece_of_generation(layout: &Layout, index: usize) -> usize {
    let mut generations = Vec::new();
    for (at, piece) in layout.pieces.iter().enumerate() {
        if let Piece::Batch(batch) = piece
            && generations
                .last()
                .is_none_or(|(_, number)| *number != batch.generation)
        {
            generations.push((at, batch.generation));
        }
    }
    generations[index].0
}

#[test]
fn bytes_between_generations_cost_nothing_but_themselves() {
    for name in ["go1.22-genscgo", "go1.25-genscgo", "go1.27-genscgo"] {
        let clean = trace(name);
        for garbage in [
            vec![0xff; 1000],
            vec![0; 70_000],
            b"go 1.26 trace\0\0\0".to_vec(),
        ] {
            let mut layout = Layout::parse(&clean).unwrap();
            let at = piece_of_generation(&layout, 2);
            layout.pieces.insert(at, Piece::Raw(garbage.clone()));
            let bytes = layout.to_bytes();
            let (_, report) = salvage(&bytes);
            assert_eq!(
                report.skipped_bytes,
                garbage.len() as u64,
                "{name}: {report}"
            );
            assert_eq!(report.dropped_events, 0, "{name}: {report}");
            assert_eq!(count_events(&bytes), count_events(&clean), "{name}");
        }
    }
}

#[test]
fn a_lost_generation_costs_no_other() {
    for name in ["go1.22-genscgo", "go1.25-genscgo", "go1.27-genscgo"] {
        let clean = trace(name);
        let mut layout = Layout::parse(&clean).unwrap();
        let (start, end) = (
            piece_of_generation(&layout, 1),
            piece_of_generation(&layout, 2),
        );
        let lost = layout
            .pieces
            .splice(start..end, [Piece::Raw(vec![0xee; 500])]);
        let lost_events: usize = lost.map(|piece| timed_events(&piece)).sum();
        assert!(lost_events > 0);
        let bytes = layout.to_bytes();
        let (_, report) = salvage(&bytes);
        assert_eq!(report.skipped_bytes, 500, "{name}: {report}");
        assert_eq!(report.dropped_events, 0, "{name}: {report}");
        // A switch of coroutines and a lost proc are more events than records, never fewer.
        assert!(
            count_events(&bytes) + lost_events <= count_events(&clean),
            "{name}"
        );
        assert!(
            count_events(&bytes) + lost_events + 100 >= count_events(&clean),
            "{name}"
        );
    }
}

fn timed_events(piece: &Piece) -> usize {
    let Piece::Batch(batch) = piece else { return 0 };
    let mut rest = &batch.data[..];
    let mut count = 0;
    while let Ok((_, length)) = exectrace_wire::decode_event(rest) {
        count += 1;
        rest = &rest[length..];
    }
    count
}

/// Every event of the trace is delivered, dropped or in a skipped byte.
#[test]
fn every_event_is_accounted_for() {
    for name in ["go1.22-genscgo", "go1.25-genscgo", "go1.27-genscgo"] {
        let clean = trace(name);
        let layout = Layout::parse(&clean).unwrap();
        let records: usize = layout.pieces.iter().map(timed_events).sum();
        for (at, piece) in layout.pieces.iter().enumerate() {
            let lost = timed_events(piece);
            if lost == 0 {
                continue;
            }
            let mut damaged = layout.clone();
            damaged.pieces[at] = Piece::Raw(vec![0xff; 333]);
            let bytes = damaged.to_bytes();
            let (_, report) = salvage(&bytes);
            assert_eq!(report.skipped_bytes, 333, "{name}, piece {at}: {report}");
            let (delivered, synthesized) = count_events_and_synthesized(&bytes);
            let accounted = delivered + report.dropped_events as usize + lost;
            assert!(
                (records..=records + synthesized).contains(&accounted),
                "{name}, piece {at}: {delivered} delivered, {lost} lost of {records}: {report}"
            );
            assert!(
                report
                    .losses
                    .iter()
                    .all(|loss| !loss.to_string().is_empty()),
                "{name}, piece {at}"
            );
        }
    }
}

/// After damage the reader must not attribute events to a goroutine that may not run any more.
#[test]
fn contexts_are_forgotten_rather_than_guessed() {
    let clean = trace("go1.27-genscgo");
    let layout = Layout::parse(&clean).unwrap();
    let (expected, _) = strict(&clean);
    let mut checked = 0;
    for (at, piece) in layout.pieces.iter().enumerate() {
        if timed_events(piece) == 0 {
            continue;
        }
        let mut damaged = layout.clone();
        damaged.pieces[at] = Piece::Raw(vec![0xff; 10]);
        let (events, _) = salvage(&damaged.to_bytes());
        // What is delivered says of each event what the whole trace says of it. Only statuses
        // after a gap differ, since the state before them is unknown, and events that need no
        // context may have none where it was forgotten.
        let whole: HashSet<&str> = expected.iter().map(|event| essence(event)).collect();
        let kinds: HashSet<&str> = expected.iter().map(|event| kind(event)).collect();
        for event in &events {
            if event.contains("Undetermined") || event.contains("Sync(") {
                continue;
            }
            let is_true = if event.contains("proc: None") {
                kinds.contains(kind(event))
            } else {
                whole.contains(essence(event))
            };
            assert!(is_true, "piece {at}: {event}");
            checked += 1;
        }
    }
    assert!(checked > 1000);
}

/// An event without its time, which may have been raised past that of another event.
fn essence(event: &str) -> &str {
    &event[event.find("thread:").unwrap()..]
}

/// An event without its time, up to the first name.
fn nameless(event: &str) -> &str {
    let event = essence(event);
    event.split('"').next().unwrap_or(event)
}

fn kind(event: &str) -> &str {
    &event[event.find("kind:").unwrap()..]
}

#[test]
fn a_trace_without_a_sound_batch_ends_quietly() {
    for version in exectrace_wire::Version::V2 {
        let mut bytes = version.header().to_vec();
        bytes.extend([0x77; 10_000]);
        let (events, report) = salvage(&bytes);
        assert_eq!(events.len(), 1, "the last sync");
        assert_eq!(report.skipped_bytes, 10_000);
    }
}
