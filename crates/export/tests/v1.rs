//! Our text of traces of Go 1.11 to 1.21 against Go's.
//!
//! Events at one tick of the trace's clock have no order of their own, and Go takes them in that of a
//! hash map, so both texts are brought into one form before they are compared. Delivered times
//! always increase, by a nanosecond where the clock stood still: a run of events a nanosecond apart
//! is sorted by its text without the times.

mod common;

use common::{Case, cases_of, read, traces};
use exectrace_export::ParsedWriter;
use exectrace_reader::{Error, Options, Reader, Version};
use exectrace_wire::{Family, parse_header};

/// The text of each event up to the end or an error.
fn events(mut reader: Reader<'_>) -> (Vec<Vec<u8>>, Option<Error>) {
    let mut writer = ParsedWriter::new();
    let mut events = Vec::new();
    loop {
        let mut text = Vec::new();
        match reader.next_event() {
            Ok(Some(event)) => writer.write_event(&mut text, &event),
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(error)),
        }
        events.push(text);
    }
}

/// Cuts Go's text into events: each begins with its thread, and a stack's lines do not.
fn split(text: &[u8]) -> Vec<Vec<u8>> {
    let mut events: Vec<Vec<u8>> = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match events.last_mut() {
            Some(event) if !line.starts_with(b"M=") => event.extend_from_slice(line),
            _ => events.push(line.to_vec()),
        }
    }
    events
}

/// An event's time, and its text without it.
fn without_time(event: &[u8]) -> (i64, String) {
    let event = String::from_utf8_lossy(event);
    let (before, rest) = event.split_once(" Time=").expect("every event has a time");
    let end = rest.find([' ', '\n']).unwrap();
    (
        rest[..end].parse().unwrap(),
        format!("{before}{}", &rest[end..]),
    )
}

/// Runs of events a nanosecond apart, each with the time of its first event and in order of text.
fn normal(events: &[Vec<u8>]) -> Vec<(i64, Vec<String>)> {
    let mut runs: Vec<(i64, Vec<String>)> = Vec::new();
    let mut last = None;
    for event in events {
        let (time, text) = without_time(event);
        match runs.last_mut() {
            Some((_, run)) if last == Some(time - 1) => run.push(text),
            _ => runs.push((time, vec![text])),
        }
        last = Some(time);
    }
    for (_, run) in &mut runs {
        run.sort();
    }
    runs
}

/// The traces whose versions Go 1.27 reads, as far as headers are whole.
fn read_by_go() -> Vec<Case> {
    let mut cases = cases_of(Family::V1, &traces().join("corpus"), ".parsed.gz");
    cases.retain(|case| parse_header(&case.trace).is_ok_and(|version| version >= Version::Go111));
    assert!(cases.len() >= 4);
    cases
}

#[test]
fn real_and_damaged_traces_read_as_go_prints_them() {
    let mut failures = Vec::new();
    for case in read_by_go() {
        let go = split(&read(&case.golden));
        let (ours, error) = events(Reader::new(&case.trace[..]).unwrap());
        // 1. Go prints nothing when it refuses a trace, and so do we.
        if go.is_empty() != error.is_some() && !case.name.ends_with("-cutpanic") {
            failures.push(format!(
                "{}: {} of Go's events, {error:?}",
                case.name,
                go.len()
            ));
        }
        // 2. The same events.
        let (ours, go) = (normal(&ours), normal(&go));
        if let Some((ours, go)) = ours.iter().zip(&go).find(|(ours, go)| ours != go) {
            failures.push(format!("{}: ours {ours:#?}, Go's {go:#?}", case.name));
        } else if ours.len() != go.len() {
            let (ours, go) = (ours.len(), go.len());
            failures.push(format!("{}: {ours} runs of events, Go has {go}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Go crashes when it prints the creation of a goroutine whose stack was cut off; we say so.
#[test]
fn a_cut_table_of_stacks_is_an_error() {
    for case in read_by_go() {
        if case.name.ends_with("-cutpanic") {
            let (_, error) = events(Reader::new(&case.trace[..]).unwrap());
            let error = error.expect("an error").to_string();
            assert!(error.contains("stack 10 is not"), "{error}");
        }
    }
}

/// How a trace is read changes nothing.
#[test]
fn overlapped_reading_gives_the_same_text() {
    for case in cases_of(Family::V1, &traces().join("corpus"), ".parsed.gz") {
        let (inline, error) = events(Reader::new(&case.trace[..]).unwrap());
        let source = std::io::Cursor::new(case.trace);
        let overlapped = Reader::overlapped(source, Options::default()).unwrap();
        let (ours, again) = events(overlapped);
        assert!(inline == ours, "{}", case.name);
        let text = |error: Option<Error>| error.map(|error| error.to_string());
        assert_eq!(text(error), text(again), "{}", case.name);
    }
}
