//! What the tests share: tracing is the process's, so they take turns, and every trace must be valid.
#![allow(dead_code, reason = "each test uses a part")]

use std::{
    env,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use exectrace::{Memory, Subscription};
use exectrace_export::ParsedWriter;
use exectrace_reader::Reader;
use exectrace_testkit::go::{Question, ask};
use exectrace_validate::{Severity, Validator};

/// Tests of one process take turns.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Traces what `work` does.
pub(crate) fn traced(work: impl FnOnce()) -> Vec<u8> {
    let memory = Arc::new(Memory::new());
    let tracing = Subscription::session(memory.clone()).unwrap();
    work();
    tracing.end().unwrap();
    assert_eq!(memory.lost(), []);
    memory.trace()
}

/// Reads a trace to its end, with every rule of the validator, and returns its events as text.
pub(crate) fn checked(trace: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(trace).unwrap();
    let mut validator = Validator::new(reader.version());
    let mut text = ParsedWriter::new();
    let mut events = Vec::new();
    loop {
        match reader.next_event() {
            Ok(Some(event)) => {
                validator.check(&event);
                let mut line = Vec::new();
                text.write_event(&mut line, &event);
                events.push(String::from_utf8_lossy(&line).into_owned());
            }
            Ok(None) => break,
            Err(error) => panic!("{error}\nafter {}", tail(&events)),
        }
    }
    let report = validator.finish();
    let worst = report.worst();
    assert!(
        worst < Some(Severity::Strict),
        "{report}\n{}",
        tail(&events)
    );
    events
}

/// Reads a trace to its end, with every rule of the validator, and returns how many events it has.
pub(crate) fn valid(trace: &[u8]) -> usize {
    let mut reader = Reader::new(trace).unwrap();
    let mut validator = Validator::new(reader.version());
    let mut events = 0;
    while let Some(event) = reader.next_event().unwrap() {
        validator.check(&event);
        events += 1;
    }
    let report = validator.finish();
    assert!(report.worst() < Some(Severity::Strict), "{report}");
    events
}

fn tail(events: &[String]) -> String {
    events[events.len().saturating_sub(30)..].concat()
}

/// The kinds of events and what they are about, without times and ids.
pub(crate) fn count(events: &[String], what: &str) -> usize {
    events.iter().filter(|event| event.contains(what)).count()
}

/// Whether Go's parser and validator agree with what [`checked`] says of the trace. Where Go cannot be
/// had, this says so and passes, except in continuous integration.
#[allow(
    clippy::print_stderr,
    reason = "a test that could not run has to say so"
)]
pub(crate) fn ask_go(trace: &[u8], events: &[String]) {
    let parsed = match ask(Question::Parsed, trace) {
        Ok(parsed) => parsed,
        Err(error) if env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: Go was not asked: {error}");
            return;
        }
        Err(error) => panic!("Go cannot be asked: {error}"),
    };
    assert_eq!(parsed.error, None);
    assert_eq!(parsed.output, events.concat());
    let valid = ask(Question::Validate, trace).unwrap();
    assert_eq!(valid.error, None, "{}", valid.output);
}
