//! Golden tests: small traces, each for one side of one rule, with what Go's parser makes of them.
//!
//! The files are `testdata/golden/*.test`; `exectrace_testkit::cases` makes them and says how to
//! add one. `UPDATE_GOLDEN=1` writes the text of our errors, and nothing else unless a file says
//! that we differ from Go on purpose.

mod support;

use std::{
    fs,
    io::{self, Read},
};

use exectrace_testkit::golden::{self, Golden};
use support::{
    Outcome, parsed_text, parsed_text_from, parsed_text_overlapped, parsed_text_visiting,
};

#[test]
fn golden_files_hold() {
    let mut failures = Vec::new();
    let files = golden::files().expect("the folder of golden files");
    assert!(files.len() > 200, "golden files are missing");
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = fs::read_to_string(&path).expect("a golden file");
        let golden = Golden::parse(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let outcome = parsed_text(&golden.trace.bytes());
        if golden::updating() {
            let updated = update(golden, outcome);
            fs::write(&path, updated.to_string()).expect("the file is writable");
            continue;
        }
        failures.extend(check(&golden, &outcome).map(|failure| format!("{name}: {failure}")));
        let overlapped = parsed_text_overlapped(&golden.trace.bytes());
        if overlapped != outcome {
            failures.push(format!("{name}: overlapped {overlapped:?}"));
        }
        for stride in [1, 7, usize::MAX] {
            let visited = parsed_text_visiting(&golden.trace.bytes(), stride);
            if visited != outcome {
                failures.push(format!("{name}: visited by {stride} {visited:?}"));
            }
        }
        let trickling = parsed_text_from(Trickle(&golden.trace.bytes()));
        if trickling != outcome {
            failures.push(format!("{name}: byte by byte {trickling:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// A source that gives one byte at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(1);
        self.0.read(&mut buffer[..n])
    }
}

/// Says what is not as expected.
fn check(golden: &Golden, outcome: &Outcome) -> Option<String> {
    if golden.events != outcome.events {
        return Some(format!(
            "expected the events\n{}found\n{}with the error {:?}",
            golden.events, outcome.events, outcome.error
        ));
    }
    if golden.success != outcome.error.is_none() || golden.our_error != outcome.error {
        return Some(format!(
            "expected {:?} as Go says {:?}, found {:?}",
            golden.our_error, golden.go_error, outcome.error
        ));
    }
    None
}

fn update(golden: Golden, outcome: Outcome) -> Golden {
    let differs = golden.differs.is_some();
    Golden {
        success: if differs {
            outcome.error.is_none()
        } else {
            golden.success
        },
        events: if differs {
            outcome.events
        } else {
            golden.events
        },
        our_error: outcome.error,
        ..golden
    }
}
