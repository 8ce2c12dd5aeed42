//! From lines to the bytes of a file.

use super::{
    WIDTHS,
    error::{Excerpt, TextError, TextErrorKind},
    token::{number, trim, trim_start, word},
};
use crate::{
    ArgSpec, EventSpec, EventType, Family, Payload, Version,
    limits::{
        MAX_ARGS, MAX_BATCH_BYTES, MAX_RAW_FRAMES, MAX_RAW_RECORD_BYTES, MAX_TEXT_LINE_BYTES,
        MAX_VARINT_BYTES,
    },
    quote::unquote_into,
    record::{FRAME_COUNT, FRAME_FIELDS},
    varint,
};

/// The bytes of the file that `text` describes, header line included.
///
/// # Errors
///
/// [`TextError`] at the first line that does not fit.
pub fn parse(text: &[u8]) -> Result<Vec<u8>, TextError> {
    let mut parser = Parser::new();
    let mut out = Vec::new();
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    for line in text.split(|byte| *byte == b'\n') {
        parser.line(line, &mut out)?;
    }
    parser.finish(&mut out)?;
    Ok(out)
}

/// Turns text into the bytes of a file, one line at a time.
///
/// The caller splits the text at line breaks, passes each line to [`Parser::line`], which appends
/// to the output whatever the line completes, and calls [`Parser::finish`] at the end. After an
/// error the output ends inside a record and the parser must not be used again.
///
/// The parser holds no text, and of a record only the widths of its numbers: at most
/// 512 KiB.
#[derive(Clone, Debug)]
pub struct Parser {
    line: u64,
    state: State,
    version: Version,
    /// Bytes of the current record so far.
    record_bytes: usize,
    /// Numbers of the current record so far.
    numbers: u32,
    /// Widths that comments gave for numbers of the current record, by ascending number from 1.
    widths: Vec<(u32, u8)>,
    /// How many of `widths` have been used.
    widths_used: usize,
}

/// What the next line may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Record,
    /// So many frames.
    Frames(u64),
    /// The data of a record, or a record.
    Data,
}

type Result1<T> = Result<T, TextErrorKind>;

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser of text that begins with a header line.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            line: 0,
            state: State::Header,
            version: Version::Go126,
            record_bytes: 0,
            numbers: 0,
            widths: Vec::new(),
            widths_used: 0,
        }
    }

    /// A parser of text without a header line, as `go tool trace -d=wire` prints it. The file's
    /// 16-byte header is appended to `out`.
    #[must_use]
    pub fn headerless(version: Version, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&version.header());
        Self {
            state: State::Record,
            version,
            ..Self::new()
        }
    }

    /// The version of the file, if the header line has been read or was not needed.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        (self.state != State::Header).then_some(self.version)
    }

    /// Takes the next line, without its line break, and appends what it says to `out`.
    ///
    /// # Errors
    ///
    /// [`TextError`] if the line cannot stand here.
    pub fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), TextError> {
        self.line += 1;
        let result = self.accept(line.strip_suffix(b"\r").unwrap_or(line), out);
        result.map_err(|kind| self.error(kind))
    }

    /// Ends the text.
    ///
    /// # Errors
    ///
    /// [`TextError`] if it cannot end here.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), TextError> {
        let result = match self.state {
            State::Header => Err(TextErrorKind::MissingHeader),
            State::Frames(left) => Err(TextErrorKind::MissingFrames(left)),
            State::Data => self.data(&[], out),
            State::Record => self.expect_widths_used(),
        };
        result.map_err(|kind| self.error(kind))
    }

    fn error(&self, kind: TextErrorKind) -> TextError {
        TextError {
            line: self.line,
            kind,
        }
    }

    fn accept(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result1<()> {
        if line.len() > MAX_TEXT_LINE_BYTES {
            return Err(TextErrorKind::LineTooLong(line.len()));
        }
        // 1. A missing data line is empty data. It MUST be found out before a comment on the
        //    widths of the next record, which would otherwise count for this one.
        if self.state == State::Data && line.starts_with(WIDTHS.as_bytes()) {
            self.data(&[], out)?;
        }
        // 2. Blank lines and comments.
        let (first, rest) = word(line);
        if first.is_empty() {
            return match line.strip_prefix(WIDTHS.as_bytes()) {
                Some(widths) => self.comment(widths),
                None => Ok(()),
            };
        }
        // 3. What the line is depends on the lines before.
        match self.state {
            State::Header => self.header(first, rest, out),
            State::Record => self.record(first, rest, out),
            State::Frames(left) => self.frame(line, left, out),
            State::Data => match data_literal(line) {
                Some(literal) => {
                    let mut data = Vec::new();
                    unquote_into(&mut data, literal).map_err(TextErrorKind::Literal)?;
                    self.data(&data, out)
                }
                None if trim_start(line).len() < line.len() => {
                    Err(TextErrorKind::Data(Excerpt::new(line)))
                }
                None => {
                    self.data(&[], out)?;
                    self.record(first, rest, out)
                }
            },
        }
    }

    fn header(&mut self, first: &[u8], rest: &[u8], out: &mut Vec<u8>) -> Result1<()> {
        let (second, rest) = word(rest);
        let minor = match (first, second.strip_prefix(b"Go1.")) {
            (b"Trace", Some(minor)) => minor,
            (b"Trace", None) => return Err(TextErrorKind::Header(Excerpt::new(second))),
            _ => return Err(TextErrorKind::Header(Excerpt::new(first))),
        };
        self.version = number(minor)
            .and_then(Version::from_minor)
            .filter(|version| version.family() == Family::V2)
            .ok_or_else(|| TextErrorKind::UnsupportedVersion(Excerpt::new(second)))?;
        expect_end(rest)?;
        out.extend_from_slice(&self.version.header());
        self.state = State::Record;
        Ok(())
    }

    /// The first line of a record: its name and arguments.
    fn record(&mut self, name: &[u8], rest: &[u8], out: &mut Vec<u8>) -> Result1<()> {
        let spec = self.spec(name)?;
        let mut args = [0; MAX_ARGS];
        arguments(rest, spec.args, &mut args)?;
        self.numbers = 0;
        self.record_bytes = 1;
        out.push(spec.event_type.to_wire());
        for &arg in &args[..spec.args.len()] {
            self.number(arg, out)?;
        }
        match spec.payload {
            Payload::None => self.end_record(),
            Payload::Data => {
                self.state = State::Data;
                Ok(())
            }
            Payload::Frames => {
                let count = args[FRAME_COUNT];
                if count > MAX_RAW_FRAMES as u64 {
                    return Err(TextErrorKind::TooManyFrames(count));
                }
                self.state = State::Frames(count);
                self.end_frames(count)
            }
        }
    }

    fn spec(&self, name: &[u8]) -> Result1<&'static EventSpec> {
        let event_type = core::str::from_utf8(name)
            .ok()
            .and_then(EventType::from_name)
            .ok_or_else(|| TextErrorKind::UnknownEvent(Excerpt::new(name)))?;
        if !event_type.available_in(self.version) {
            return Err(TextErrorKind::NotInVersion {
                event_type,
                version: self.version,
            });
        }
        Ok(event_type.spec())
    }

    fn frame(&mut self, line: &[u8], left: u64, out: &mut Vec<u8>) -> Result1<()> {
        let mut numbers = [0; FRAME_FIELDS.len()];
        arguments(line, &FRAME_ARGS, &mut numbers)?;
        for value in numbers {
            self.number(value, out)?;
        }
        self.end_frames(left - 1)
    }

    fn end_frames(&mut self, left: u64) -> Result1<()> {
        if left > 0 {
            self.state = State::Frames(left);
            return Ok(());
        }
        self.end_record()
    }

    /// The data of a record whose arguments have been written.
    fn data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result1<()> {
        if data.len() > MAX_BATCH_BYTES {
            return Err(TextErrorKind::DataTooLong(data.len()));
        }
        self.number(data.len() as u64, out)?;
        out.extend_from_slice(data);
        self.end_record()
    }

    fn end_record(&mut self) -> Result1<()> {
        self.expect_widths_used()?;
        self.widths.clear();
        self.widths_used = 0;
        self.state = State::Record;
        Ok(())
    }

    fn expect_widths_used(&self) -> Result1<()> {
        match self.widths.get(self.widths_used) {
            Some((slot, _)) => Err(TextErrorKind::WidthUnused(*slot)),
            None => Ok(()),
        }
    }

    /// Appends a number, shortest or as wide as a comment wants it.
    fn number(&mut self, value: u64, out: &mut Vec<u8>) -> Result1<()> {
        self.numbers += 1;
        let shortest = varint::len(value);
        let width = match self.widths.get(self.widths_used) {
            Some((slot, width)) if *slot == self.numbers => {
                self.widths_used += 1;
                let width = *width;
                if usize::from(width) < shortest {
                    return Err(TextErrorKind::WidthTooSmall { value, width });
                }
                usize::from(width)
            }
            _ => shortest,
        };
        self.record_bytes += width;
        if self.record_bytes > MAX_RAW_RECORD_BYTES {
            return Err(TextErrorKind::RecordTooLong);
        }
        if width == 1 {
            out.push(value as u8);
            return Ok(());
        }
        let mut bytes = varint::padded(value);
        bytes[width - 1] &= 0x7f;
        out.extend_from_slice(&bytes[..width]);
        Ok(())
    }

    /// A comment on the widths of the next record's numbers.
    fn comment(&mut self, mut rest: &[u8]) -> Result1<()> {
        if self.state != State::Record {
            return Err(TextErrorKind::Widths(Excerpt::new(WIDTHS.as_bytes())));
        }
        loop {
            let (entry, after) = word(rest);
            if entry.is_empty() {
                return expect_end(rest);
            }
            rest = after;
            let last = self.widths.last().map_or(0, |(slot, _)| *slot);
            let (slot, width) = width_entry(entry)
                .filter(|(slot, _)| *slot > last)
                .ok_or_else(|| TextErrorKind::Widths(Excerpt::new(entry)))?;
            self.widths.push((slot, width));
        }
    }
}

/// A `NUMBER:BYTES` of a comment on widths.
fn width_entry(entry: &[u8]) -> Option<(u32, u8)> {
    /// Since numbers ascend, this bounds how many widths can be given.
    const MAX_SLOT: usize = MAX_ARGS + 1 + FRAME_FIELDS.len() * MAX_RAW_FRAMES;
    let colon = entry.iter().position(|byte| *byte == b':')?;
    let slot = number(&entry[..colon])?;
    let width = number(&entry[colon + 1..])?;
    let known =
        (1..=MAX_SLOT as u64).contains(&slot) && (1..=MAX_VARINT_BYTES as u64).contains(&width);
    known.then_some((slot as u32, width as u8))
}

const FRAME_ARGS: [ArgSpec; FRAME_FIELDS.len()] = {
    let mut args = [ArgSpec::new("", crate::ArgKind::Value); FRAME_FIELDS.len()];
    let mut i = 0;
    while i < args.len() {
        args[i] = ArgSpec::new(FRAME_FIELDS[i], crate::ArgKind::Value);
        i += 1;
    }
    args
};

/// Reads `name=value` for each of `specs`, in order, and nothing else, into `values`.
fn arguments(mut rest: &[u8], specs: &[ArgSpec], values: &mut [u64]) -> Result1<()> {
    for (spec, value) in specs.iter().zip(values) {
        let (found, after) = word(rest);
        let digits = found
            .strip_prefix(spec.name.as_bytes())
            .and_then(|tail| tail.strip_prefix(b"="))
            .ok_or_else(|| TextErrorKind::Argument {
                expected: spec.name,
                found: Excerpt::new(found),
            })?;
        *value = number(digits).ok_or_else(|| TextErrorKind::Value {
            arg: spec.name,
            found: Excerpt::new(digits),
        })?;
        rest = after;
    }
    expect_end(rest)
}

fn expect_end(rest: &[u8]) -> Result1<()> {
    match trim(rest) {
        [] => Ok(()),
        found => Err(TextErrorKind::Trailing(Excerpt::new(found))),
    }
}

/// The literal of a line `data=literal`.
fn data_literal(line: &[u8]) -> Option<&[u8]> {
    let equals = line.iter().position(|byte| *byte == b'=')?;
    (trim(&line[..equals]) == b"data").then(|| trim(&line[equals + 1..]))
}
