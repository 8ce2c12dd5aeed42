//! Properties of the reader.

use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;

use exectrace_export::ParsedWriter;
use exectrace_reader::{Error, ErrorKind, Event, Options, Reader};

/// Most events that an input may have to be printed in full; those after it are only counted.
const PRINTED_EVENTS: usize = 20_000;

/// Reading ends, with the same events and the same error whether the bytes arrive at once or in
/// small pieces.
pub fn order(data: &[u8]) {
    let whole = read(Reader::new(data));
    let pieces = read(Reader::new(Pieces(data, 1 + data.len() % 97)));
    assert_same(&whole, &pieces, "in one piece, and in pieces");
    let visited = visit(Reader::new(data), 1 + data.len() % 13);
    assert_same(&whole, &visited, "one by one, and visited");
}

/// A second thread changes nothing. A target of its own, since starting threads makes it slow.
pub fn overlap(data: &[u8]) {
    let alone = read(Reader::new(data));
    let source = Cursor::new(data.to_vec());
    let overlapped = read(Reader::overlapped(source, Options::default()));
    assert_same(&alone, &overlapped, "on one thread, and on two");
}

/// Salvage reads on after everything but a wrong header, changes nothing about a trace that strict
/// reading takes, and never keeps silent about one that it does not.
pub fn salvage(data: &[u8]) {
    let strict = read(Reader::new(data));
    let Ok(mut reader) = Reader::with_options(data, Options::default().salvage(true)) else {
        assert!(strict.error.is_some(), "only salvage refuses the header");
        return;
    };
    let salvaged = events(&mut reader);
    assert!(
        salvaged.error.is_none(),
        "salvage gives up: {:?}",
        salvaged.error
    );
    let report = reader.salvage_report().expect("salvage reports");
    assert!(report.skipped_bytes <= data.len() as u64, "{report}");
    match &strict.error {
        None => assert_same(&strict, &salvaged, "without salvage, and with it"),
        // An empty generation has no frequency, and nothing to lose either.
        Some(error) if report.is_clean() => {
            assert!(
                matches!(error.kind(), ErrorKind::NoFrequency),
                "clean, but: {error}"
            );
            assert_eq!(strict.text, salvaged.text, "clean, but events differ");
        }
        Some(_) => {}
    }
}

/// What a reader gave.
struct Outcome {
    /// The first events, as Go prints them: names of functions as they are, UTF-8 or not.
    text: Vec<u8>,
    events: u64,
    error: Option<Error>,
}

fn read(reader: Result<Reader<'_>, Error>) -> Outcome {
    match reader {
        Ok(mut reader) => events(&mut reader),
        Err(error) => Outcome {
            text: Vec::new(),
            events: 0,
            error: Some(error),
        },
    }
}

fn events(reader: &mut Reader<'_>) -> Outcome {
    let mut outcome = Outcome {
        text: Vec::new(),
        events: 0,
        error: None,
    };
    let mut writer = ParsedWriter::new();
    loop {
        match reader.next_event() {
            Ok(Some(event)) => {
                outcome.events += 1;
                if outcome.events <= PRINTED_EVENTS as u64 {
                    writer.write_event(&mut outcome.text, &event);
                }
            }
            Ok(None) => break,
            Err(error) => {
                outcome.error = Some(error);
                break;
            }
        }
    }
    // The end is the end, and an error stays.
    match (reader.next_event(), &outcome.error) {
        (Ok(None), None) => {}
        (Err(again), Some(error)) if again.to_string() == error.to_string() => {}
        (again, first) => panic!("at first {first:?}, then {again:?}"),
    }
    outcome
}

/// As [`read`], but visits the events, and breaks off after every few to read one.
fn visit(reader: Result<Reader<'_>, Error>, few: usize) -> Outcome {
    let mut outcome = Outcome {
        text: Vec::new(),
        events: 0,
        error: None,
    };
    let mut writer = ParsedWriter::new();
    let mut note = |outcome: &mut Outcome, event: &Event<'_>| {
        outcome.events += 1;
        if outcome.events <= PRINTED_EVENTS as u64 {
            writer.write_event(&mut outcome.text, event);
        }
    };
    let run = || -> Result<(), Error> {
        let mut reader = reader?;
        loop {
            let mut left = few;
            let _ = reader.try_for_each(|event| {
                note(&mut outcome, &event);
                left -= 1;
                if left == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            match reader.next_event()? {
                Some(event) => note(&mut outcome, &event),
                None => return Ok(()),
            }
        }
    };
    let error = run().err();
    Outcome { error, ..outcome }
}

/// Shows the first lines that differ, not all of them.
fn assert_same(a: &Outcome, b: &Outcome, how: &str) {
    let lines = |outcome: &Outcome| {
        let lines = outcome
            .text
            .split(|b| *b == b'\n')
            .map(|line| line.to_vec());
        lines.collect::<Vec<_>>()
    };
    if a.text != b.text {
        let (a, b) = (lines(a), lines(b));
        let at = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        let shown = |lines: &[Vec<u8>]| lines.get(at).map(|l| l.escape_ascii().to_string());
        panic!("{how}: line {at}: {:?}, {:?}", shown(&a), shown(&b));
    }
    let end = |outcome: &Outcome| (outcome.events, outcome.error.as_ref().map(Error::to_string));
    assert_eq!(end(a), end(b), "{how}");
}

/// A source that yields a few bytes at a time and is interrupted in between.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // A short read of each size, then an interruption: both are ordinary for pipes.
        self.1 = self.1 % 97 + 1;
        if self.1 == 50 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let (piece, rest) = self.0.split_at(self.0.len().min(self.1));
        let length = piece.len().min(out.len());
        out[..length].copy_from_slice(&piece[..length]);
        self.0 = if length == piece.len() {
            rest
        } else {
            &self.0[length..]
        };
        Ok(length)
    }
}
