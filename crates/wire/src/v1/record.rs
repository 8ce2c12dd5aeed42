//! The records of a file one after another, as they stand there.

use core::fmt;

use super::{
    EventType, PayloadKind,
    limits::{
        MAX_NUMBERS, MAX_NUMBERS_BYTES, MAX_PROC, MAX_RECORD_BYTES, MAX_STACK_FRAMES,
        MAX_STRING_BYTES,
    },
};
use crate::{
    RawFrame, Version,
    varint::{self, VarintError},
};

/// The upper two bits of a record's first byte: how many numbers follow the first one, or this if
/// their length in bytes is given instead.
pub(super) const LENGTH_GIVEN: u8 = 3;

/// How many numbers a record has beyond those that the first byte counts.
pub(super) const fn uncounted_numbers(version: Version) -> usize {
    // The time delta, and in Go 1.5 the sequence delta.
    if version as u8 == Version::Go105 as u8 {
        2
    } else {
        1
    }
}

/// A record as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    event_type: EventType,
    numbers: [u64; MAX_NUMBERS],
    count: u8,
    /// Where in `bytes` the payload begins; frames go up to the end.
    payload: u32,
    has_wide_frames: bool,
    bytes: &'a [u8],
}

/// What follows the numbers of a record.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// Nothing.
    None,
    /// The bytes of a string or a log message.
    Data(&'a [u8]),
    /// The frames of a stack.
    Frames(Frames<'a>),
}

impl<'a> Record<'a> {
    /// The record's type.
    #[inline]
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        self.event_type
    }

    /// The record's numbers without those of its payload; [`super::EventSpec::numbers`] names them.
    #[inline]
    #[must_use]
    pub fn numbers(&self) -> &[u64] {
        &self.numbers[..usize::from(self.count)]
    }

    /// The record's numbers, padded with zeros.
    #[inline]
    #[must_use]
    pub const fn padded_numbers(&self) -> &[u64; MAX_NUMBERS] {
        &self.numbers
    }

    /// What follows the numbers.
    #[must_use]
    pub fn payload(&self) -> Payload<'a> {
        let payload = &self.bytes[self.payload as usize..];
        match self.event_type.spec().payload {
            PayloadKind::None => Payload::None,
            PayloadKind::Data => Payload::Data(payload),
            PayloadKind::Frames => Payload::Frames(Frames {
                rest: payload,
                count: self.numbers[FRAME_COUNT] as usize,
                wide: self.has_wide_frames,
            }),
        }
    }

    /// The whole record, its payload included.
    #[inline]
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The number of a record with frames that says how many there are.
const FRAME_COUNT: usize = 1;

/// The frames of a stack, leaf first. In Go 1.5 they have a program counter and nothing else.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    /// Checked when the record was decoded: `count` frames of numbers, and nothing else.
    rest: &'a [u8],
    count: usize,
    wide: bool,
}

impl Frames<'_> {
    fn number(&mut self) -> u64 {
        let (value, n) = varint::read(self.rest).unwrap_or((0, self.rest.len()));
        self.rest = &self.rest[n..];
        value
    }
}

impl Iterator for Frames<'_> {
    type Item = RawFrame;

    fn next(&mut self) -> Option<RawFrame> {
        self.count = self.count.checked_sub(1)?;
        let pc = self.number();
        if !self.wide {
            return Some(RawFrame {
                pc,
                func: 0,
                file: 0,
                line: 0,
            });
        }
        Some(RawFrame {
            pc,
            func: self.number(),
            file: self.number(),
            line: self.number(),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Frames<'_> {}

/// Why the bytes at a place in a file are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The byte begins no record of any version.
    UnknownType(u8),
    /// The byte begins a record that the file's version does not have.
    NotInVersion {
        /// The record's type.
        event_type: EventType,
        /// The file's version.
        version: Version,
    },
    /// A number has more than 64 bits, or does not end where the length of the numbers says.
    Number {
        /// The record's type.
        event_type: EventType,
    },
    /// The record has more or fewer numbers than its type.
    Count {
        /// The record's type.
        event_type: EventType,
        /// How many numbers its type has.
        expected: usize,
        /// How many it has; [`MAX_NUMBERS`] + 1 stands for more.
        found: usize,
    },
    /// The numbers have too many bytes.
    TooLong {
        /// The record's type.
        event_type: EventType,
        /// How many bytes.
        length: u64,
    },
    /// The id of a batch's proc is too large.
    Proc(u64),
    /// A string has id 0.
    StringId,
    /// A string or message has a length that it cannot have: strings are never empty.
    StringLength {
        /// The record's type.
        event_type: EventType,
        /// The length in bytes.
        length: u64,
    },
    /// A stack has too many frames.
    TooManyFrames(u64),
    /// A stack's numbers are not those of its frames.
    FrameCount {
        /// How many frames the stack claims.
        frames: u64,
        /// How many numbers there are for them.
        numbers: u64,
    },
    /// The file ends inside a record.
    Truncated,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(byte) => write!(
                f,
                "expected a record, found byte {byte:#04x}, which begins none; the file is damaged \
                 before this place or here"
            ),
            Self::NotInVersion {
                event_type,
                version,
            } => write!(
                f,
                "expected a record of version {version}, found {event_type}, which exists since {}; \
                 the file is damaged or its header is wrong",
                event_type.spec().since
            ),
            Self::Number { event_type } => {
                write!(f, "a number of the {event_type} record is malformed")
            }
            Self::Count {
                event_type,
                expected,
                found,
            } => write!(
                f,
                "expected {expected} numbers in the {event_type} record, found {found}{}",
                if *found > MAX_NUMBERS { " or more" } else { "" }
            ),
            Self::TooLong { event_type, length } => write!(
                f,
                "expected at most {MAX_NUMBERS_BYTES} bytes of numbers in the {event_type} record, \
                 found {length}"
            ),
            Self::Proc(id) => write!(f, "expected a proc id up to {MAX_PROC}, found {id}"),
            Self::StringId => f.write_str("expected a string with an id, found id 0"),
            Self::StringLength { event_type, length } => write!(
                f,
                "expected 1 to {MAX_STRING_BYTES} bytes in the {event_type} record, found {length}"
            ),
            Self::TooManyFrames(count) => write!(
                f,
                "expected at most {MAX_STACK_FRAMES} frames in a stack, found {count}"
            ),
            Self::FrameCount { frames, numbers } => write!(
                f,
                "expected the numbers of {frames} frames in a stack, found {numbers} numbers"
            ),
            Self::Truncated => f.write_str("the file ends inside a record; it was cut off"),
        }
    }
}

impl core::error::Error for RecordError {}

/// Decodes the record at the start of `bytes`, the rest of a file of `version` after its header.
///
/// With [`MAX_RECORD_BYTES`] bytes, [`RecordError::Truncated`] is never the answer; with fewer, more
/// may help. The record's length is that of [`Record::bytes`].
///
/// # Errors
///
/// [`RecordError`] if `bytes` does not begin with a whole record.
pub fn decode_record(bytes: &[u8], version: Version) -> Result<Record<'_>, RecordError> {
    // 1. The type, and whether the version has it.
    let first = *bytes.first().ok_or(RecordError::Truncated)?;
    let (id, form) = (first & 0x3f, first >> 6);
    let event_type = EventType::from_wire(id).ok_or(RecordError::UnknownType(first))?;
    if !event_type.available_in(version) {
        return Err(RecordError::NotInVersion {
            event_type,
            version,
        });
    }
    let mut record = Record {
        event_type,
        numbers: [0; MAX_NUMBERS],
        count: 0,
        payload: 0,
        has_wide_frames: version != Version::Go105,
        bytes,
    };
    let mut numbers = Numbers {
        bytes,
        at: 1,
        event_type,
    };

    // 2. Strings have a shape of their own.
    if event_type == EventType::String {
        record.push(numbers.next()?);
        let length = numbers.next()?;
        if record.numbers[0] == 0 {
            return Err(RecordError::StringId);
        }
        if length == 0 {
            return Err(RecordError::StringLength { event_type, length });
        }
        return record.finish_data(numbers.at, length);
    }

    // 3. The numbers: so many, or as many as fit so many bytes.
    if form < LENGTH_GIVEN {
        for _ in 0..usize::from(form) + uncounted_numbers(version) {
            record.push(numbers.next()?);
        }
        record.payload = numbers.at as u32;
    } else {
        let length = numbers.next()?;
        if length > MAX_NUMBERS_BYTES {
            return Err(RecordError::TooLong { event_type, length });
        }
        let end = numbers.at + length as usize;
        numbers.bytes = bytes.get(..end).ok_or(RecordError::Truncated)?;
        let limit = match event_type.spec().payload {
            PayloadKind::Frames => event_type.spec().number_count(version),
            _ => usize::MAX,
        };
        let mut found = 0;
        while numbers.at < end && found < limit {
            // A number that goes on behind the others is malformed, not cut.
            record.push(
                numbers
                    .next()
                    .map_err(|_| RecordError::Number { event_type })?,
            );
            found += 1;
        }
        record.payload = numbers.at as u32;
        numbers.at = end;
    }

    // 4. What must hold of them.
    let expected = event_type.spec().number_count(version);
    let found = usize::from(record.count);
    if found != expected {
        return Err(RecordError::Count {
            event_type,
            expected,
            found,
        });
    }
    if event_type == EventType::Batch {
        if form != 1 {
            return Err(RecordError::Count {
                event_type,
                expected,
                found,
            });
        }
        let proc = record.numbers[0];
        if proc > MAX_PROC && proc != u64::MAX {
            return Err(RecordError::Proc(proc));
        }
    }

    // 5. What follows them.
    match event_type.spec().payload {
        PayloadKind::None => {}
        PayloadKind::Data => {
            numbers.bytes = bytes;
            let length = numbers.next()?;
            return record.finish_data(numbers.at, length);
        }
        PayloadKind::Frames => check_frames(&record, &bytes[record.payload as usize..numbers.at])?,
    }
    record.bytes = &bytes[..numbers.at];
    Ok(record)
}

/// Checks that the frames of a stack are as many as it says, and nothing else.
fn check_frames(record: &Record<'_>, frames: &[u8]) -> Result<(), RecordError> {
    let count = record.numbers[FRAME_COUNT];
    if count > MAX_STACK_FRAMES {
        return Err(RecordError::TooManyFrames(count));
    }
    let mut numbers = Numbers {
        bytes: frames,
        at: 0,
        event_type: record.event_type,
    };
    let mut found = 0;
    while numbers.at < frames.len() {
        numbers.next().map_err(|_| RecordError::Number {
            event_type: record.event_type,
        })?;
        found += 1;
    }
    if found != count * if record.has_wide_frames { 4 } else { 1 } {
        return Err(RecordError::FrameCount {
            frames: count,
            numbers: found,
        });
    }
    Ok(())
}

impl<'a> Record<'a> {
    fn push(&mut self, number: u64) {
        match self.numbers.get_mut(usize::from(self.count)) {
            Some(slot) => {
                *slot = number;
                self.count += 1;
            }
            // One too many tells enough.
            None => self.count = MAX_NUMBERS as u8 + 1,
        }
    }

    fn finish_data(mut self, at: usize, length: u64) -> Result<Self, RecordError> {
        if length > MAX_STRING_BYTES {
            let event_type = self.event_type;
            return Err(RecordError::StringLength { event_type, length });
        }
        self.payload = at as u32;
        let whole: &'a [u8] = self.bytes;
        self.bytes = whole
            .get(..at + length as usize)
            .ok_or(RecordError::Truncated)?;
        Ok(self)
    }
}

/// A cursor over the numbers of one record.
struct Numbers<'a> {
    bytes: &'a [u8],
    at: usize,
    event_type: EventType,
}

impl Numbers<'_> {
    fn next(&mut self) -> Result<u64, RecordError> {
        match varint::read(&self.bytes[self.at..]) {
            Ok((value, n)) => {
                self.at += n;
                Ok(value)
            }
            Err(VarintError::Truncated) => Err(RecordError::Truncated),
            Err(VarintError::Overflow) => Err(RecordError::Number {
                event_type: self.event_type,
            }),
        }
    }
}

const _: () = assert!(MAX_RECORD_BYTES < u32::MAX as usize);
