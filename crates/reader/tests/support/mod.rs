//! What the tests share.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Read;
use std::ops::ControlFlow;

use exectrace_export::ParsedWriter;
use exectrace_reader::{Error, Options, Reader};

/// What reading a trace to its end gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The events, as `go tool trace -d=parsed` prints them, but for names that are no UTF-8.
    pub(crate) events: String,
    /// The error that ends it, if it is one.
    pub(crate) error: Option<String>,
}

/// Reads a trace on this thread.
pub(crate) fn parsed_text(bytes: &[u8]) -> Outcome {
    parsed_text_from(bytes)
}

/// Reads a trace from any source on this thread.
pub(crate) fn parsed_text_from(source: impl Read) -> Outcome {
    match Reader::new(source) {
        Ok(reader) => outcome(reader),
        Err(error) => Outcome {
            events: String::new(),
            error: Some(error.to_string()),
        },
    }
}

/// Reads a trace with the overlapped reader.
pub(crate) fn parsed_text_overlapped(bytes: &[u8]) -> Outcome {
    let source = std::io::Cursor::new(bytes.to_vec());
    match Reader::overlapped(source, Options::default()) {
        Ok(reader) => outcome(reader),
        Err(error) => Outcome {
            events: String::new(),
            error: Some(error.to_string()),
        },
    }
}

/// Reads a trace on this thread with [`Reader::try_for_each`], breaking off after every `stride`
/// events to read one with [`Reader::next_event`].
pub(crate) fn parsed_text_visiting(bytes: &[u8], stride: usize) -> Outcome {
    let mut writer = ParsedWriter::new();
    let mut out = Vec::new();
    let mut read = || -> Result<(), Error> {
        let mut reader = Reader::new(bytes)?;
        loop {
            let mut left = stride;
            let end = reader.try_for_each(|event| {
                writer.write_event(&mut out, &event);
                left -= 1;
                if left == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            assert_eq!(end.is_break(), left == 0);
            match reader.next_event()? {
                Some(event) => writer.write_event(&mut out, &event),
                None => return Ok(()),
            }
        }
    };
    let error = read().err().map(|error| error.to_string());
    Outcome {
        events: String::from_utf8_lossy(&out).into_owned(),
        error,
    }
}

fn outcome(mut reader: Reader<'_>) -> Outcome {
    let mut writer = ParsedWriter::new();
    let mut out = Vec::new();
    let error = loop {
        match reader.next_event() {
            Ok(Some(event)) => writer.write_event(&mut out, &event),
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    Outcome {
        events: String::from_utf8_lossy(&out).into_owned(),
        error,
    }
}
