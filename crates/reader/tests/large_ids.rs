//! Goroutines of unusual ids go another way through the reader than those of usual ones: every
//! transition of theirs is left to the rules, and they are looked up by hash. Both ways MUST give
//! the same events.

use std::{fs, path::PathBuf};

use exectrace_reader::{Event, EventKind, Reader, StateTransition};
use exectrace_testkit::{Batch, Layout};
use exectrace_wire::{
    ArgKind, BatchKind, decode_event, encode_event,
    limits::{MAX_BATCH_BYTES, MAX_TIMED_EVENT_BYTES},
};

/// Too far apart for a table that is indexed by id.
const SHIFT: u32 = 40;

/// The batch with all goroutine ids shifted; `None` if it does not decode or becomes too large.
fn shifted(batch: &Batch) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    let mut rest = &batch.data[..];
    while !rest.is_empty() {
        let (event, length) = decode_event(rest).ok()?;
        rest = &rest[length..];
        let specs = event.event_type.spec().args;
        let args: Vec<u64> = specs
            .iter()
            .zip(event.args())
            .map(|(spec, arg)| match spec.kind {
                ArgKind::Goroutine => arg << SHIFT,
                _ => *arg,
            })
            .collect();
        let mut buffer = [0; MAX_TIMED_EVENT_BYTES];
        let n = encode_event(&mut buffer, event.event_type, &args).ok()?;
        data.extend(&buffer[..n]);
    }
    (data.len() <= MAX_BATCH_BYTES).then_some(data)
}

/// All of an event but what names strings and stacks, with goroutine ids shifted back.
fn describe(event: &Event<'_>, shift: u32) -> String {
    let (kind, goroutine) = match event.kind() {
        // The ids of samples were not shifted.
        EventKind::StackSample => ("sample".to_owned(), event.goroutine().map(|g| g.0)),
        EventKind::StateTransition(StateTransition::Goroutine {
            id,
            from,
            to,
            reason,
            ..
        }) => (
            format!("{} {from} {to} {reason}", id.0 >> shift),
            event.goroutine().map(|g| g.0 >> shift),
        ),
        kind => (
            kind.name().to_owned(),
            event.goroutine().map(|g| g.0 >> shift),
        ),
    };
    let (time, thread, proc) = (event.time(), event.thread(), event.proc());
    let event_type = event.event_type();
    format!("{time} {thread:?} {proc:?} {goroutine:?} {event_type:?} {kind}")
}

fn read(bytes: &[u8], shift: u32) -> (Vec<String>, bool) {
    let mut reader = Reader::new(bytes).unwrap();
    let mut events = Vec::new();
    loop {
        match reader.next_event() {
            Ok(Some(event)) => events.push(describe(&event, shift)),
            Ok(None) => return (events, true),
            Err(_) => return (events, false),
        }
    }
}

#[test]
fn ids_far_apart_make_no_difference() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus");
    let mut compared = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|found| found != "trace") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let Ok(mut layout) = Layout::parse(&bytes) else {
            continue;
        };
        let version = layout.version;
        let is_whole = layout
            .batches_mut()
            .filter(|batch| batch.kind(version) == BatchKind::Events)
            .all(|batch| {
                let data = shifted(batch);
                batch.data = data.clone().unwrap_or_default();
                data.is_some()
            });
        if !is_whole || Reader::new(&bytes[..]).is_err() {
            continue;
        }
        assert_eq!(
            read(&layout.to_bytes(), SHIFT),
            read(&bytes, 0),
            "{}",
            path.display()
        );
        compared += 1;
    }
    assert!(compared >= 50, "only {compared} traces were compared");
}
