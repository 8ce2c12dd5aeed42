//! Records as they stand in the file.

use std::io::Read;

use exectrace_wire::{
    Family, HEADER_LEN, Version, decode_record,
    limits::MAX_RAW_RECORD_BYTES,
    parse_header,
    text::{Style, Writer},
};

use crate::{
    error::{Failure, Outcome},
    input::Input,
    output::{Pipelined, STDOUT},
};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;
const _: () = assert!(BUFFER > 2 * MAX_RAW_RECORD_BYTES);

pub(super) fn dump(
    name: &str,
    input: Input,
    lossless: bool,
    out: &mut Pipelined,
) -> Result<Outcome, Failure> {
    let mut window = Window::new(name, input.bytes);
    let version = header(&mut window)?;
    let mut writer = Writer::new(if lossless { Style::Lossless } else { Style::Go });
    if lossless {
        writer.header(version, out.buffer());
    }
    loop {
        // 1. Print the records that are whole.
        let failed = print_whole(&mut window, version, &mut writer, out)?;
        // 2. Stop at damage and at the end, or get more.
        if let Some(error) = failed {
            return Err(window.malformed(error));
        }
        if !window.refill()? {
            return match window.rest() {
                [] => Ok(Outcome::Fine),
                _ => Err(window.malformed(exectrace_wire::RecordError::Truncated)),
            };
        }
    }
}

/// Prints until the window has no whole record any more, or until damage.
fn print_whole(
    window: &mut Window<'_>,
    version: Version,
    writer: &mut Writer,
    out: &mut Pipelined,
) -> Result<Option<exectrace_wire::RecordError>, Failure> {
    let mut rest = window.rest();
    let stopped = loop {
        match decode_record(rest, version) {
            Ok(Some(record)) => {
                writer.record(&record, out.buffer());
                out.pass_on()
                    .map_err(|error| Failure::output(STDOUT, error))?;
                rest = &rest[record.bytes().len()..];
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let left = rest.len();
    window.keep(left);
    Ok(stopped)
}

fn header(window: &mut Window<'_>) -> Result<Version, Failure> {
    while window.rest().len() < HEADER_LEN && window.refill()? {}
    let version = parse_header(window.rest()).map_err(|error| window.malformed(error))?;
    if version.family() == Family::V1 {
        return Err(window.malformed(format!(
            "trace of Go {version}, expected Go 1.22 or later: traces before that have no text form; \
             the other forms of `dump` read them"
        )));
    }
    window.keep(window.rest().len() - HEADER_LEN);
    Ok(version)
}

/// The part of the file that is looked at.
struct Window<'a> {
    name: &'a str,
    source: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Where `start` is in the file.
    offset: u64,
}

impl<'a> Window<'a> {
    fn new(name: &'a str, source: Box<dyn Read + Send>) -> Self {
        Self {
            name,
            source,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            offset: 0,
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Moves forward, so that so many bytes are left.
    fn keep(&mut self, left: usize) {
        let start = self.end - left;
        self.offset += (start - self.start) as u64;
        self.start = start;
    }

    /// Reads more behind what is left; false at the end of the file.
    ///
    /// What is left MUST be less than a record can have, otherwise there might be no room.
    fn refill(&mut self) -> Result<bool, Failure> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(n) => {
                    self.end += n;
                    return Ok(n > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::read(self.name, error)),
            }
        }
    }

    fn malformed(&self, error: impl std::fmt::Display) -> Failure {
        Failure::Malformed {
            name: self.name.to_owned(),
            reason: format!("{error} (at byte {})", self.offset),
        }
    }
}
