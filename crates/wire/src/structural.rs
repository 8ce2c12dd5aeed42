//! The payloads of structural batches: strings, stacks, CPU samples and clock records.
//!
//! Each is an iterator over the data of a batch of the matching [`crate::BatchKind`]. An error
//! ends the iteration and carries the offset of the record at fault in that data.

use core::fmt;

use crate::{
    EventType,
    limits::{MAX_STACK_FRAMES, MAX_STRING_BYTES},
    varint::{self, VarintError},
};

/// Why a structural batch is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructuralError {
    /// Offset of the record at fault in the batch's data, in bytes.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: StructuralErrorKind,
}

/// What is wrong with a structural record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StructuralErrorKind {
    /// The data does not begin with the section's marker, or a record has another type.
    Unexpected {
        /// The record or marker that belongs here.
        expected: EventType,
        /// The byte that stands here.
        found: u8,
    },
    /// A number is malformed or cut off.
    Number(VarintError),
    /// The data ends before the string does.
    CutString,
    /// A string is longer than [`MAX_STRING_BYTES`].
    StringTooLong(u64),
    /// A stack has more frames than [`MAX_STACK_FRAMES`].
    StackTooDeep(u64),
}

impl fmt::Display for StructuralErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected, found } => match EventType::from_wire(*found) {
                Some(event) => write!(f, "expected a {expected} record, found a {event} record"),
                None => write!(f, "expected a {expected} record, found byte {found:#04x}"),
            },
            Self::Number(error) => error.fmt(f),
            Self::CutString => f.write_str("the batch ends inside a string"),
            Self::StringTooLong(n) => {
                write!(
                    f,
                    "string of {n} bytes, expected at most {MAX_STRING_BYTES}"
                )
            }
            Self::StackTooDeep(n) => {
                write!(
                    f,
                    "stack of {n} frames, expected at most {MAX_STACK_FRAMES}"
                )
            }
        }
    }
}

impl fmt::Display for StructuralError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl core::error::Error for StructuralError {}

/// A cursor over records: the rest of the data and how much came before it.
#[derive(Clone, Debug)]
struct Cursor<'a> {
    rest: &'a [u8],
    offset: usize,
    record: usize,
}

impl<'a> Cursor<'a> {
    fn section(data: &'a [u8], marker: EventType) -> Result<Self, StructuralError> {
        let mut cursor = Self {
            rest: data,
            offset: 0,
            record: 0,
        };
        cursor.tag(marker)?;
        Ok(cursor)
    }

    fn error<T>(&self, kind: StructuralErrorKind) -> Result<T, StructuralError> {
        Err(StructuralError {
            offset: self.record,
            kind,
        })
    }

    fn advance(&mut self, n: usize) {
        self.rest = &self.rest[n..];
        self.offset += n;
    }

    fn tag(&mut self, expected: EventType) -> Result<(), StructuralError> {
        self.record = self.offset;
        match self.rest.first() {
            Some(&found) if found == expected.to_wire() => {
                self.advance(1);
                Ok(())
            }
            found => self.error(StructuralErrorKind::Unexpected {
                expected,
                found: found.copied().unwrap_or(0),
            }),
        }
    }

    fn number(&mut self) -> Result<u64, StructuralError> {
        match varint::read(self.rest) {
            Ok((value, n)) => {
                self.advance(n);
                Ok(value)
            }
            Err(error) => self.error(StructuralErrorKind::Number(error)),
        }
    }

    /// Ends the iteration after an error: what follows cannot be trusted.
    fn fuse<T>(&mut self, result: Result<T, StructuralError>) -> Result<T, StructuralError> {
        if result.is_err() {
            self.rest = &[];
        }
        result
    }
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident, $marker:ident, $item:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<'a>(Cursor<'a>);

        impl<'a> $name<'a> {
            /// Starts at the section marker of a batch's data.
            ///
            /// # Errors
            ///
            /// [`StructuralError`] if the marker is missing.
            pub fn new(data: &'a [u8]) -> Result<Self, StructuralError> {
                Cursor::section(data, EventType::$marker).map(Self)
            }
        }

        impl<'a> Iterator for $name<'a> {
            type Item = Result<$item, StructuralError>;

            fn next(&mut self) -> Option<Self::Item> {
                if self.0.rest.is_empty() {
                    return None;
                }
                let record = self.record();
                Some(self.0.fuse(record))
            }
        }
    };
}

/// An entry of the string table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringRecord<'a> {
    /// The string's id in its generation.
    pub id: u64,
    /// The string's bytes, not necessarily UTF-8.
    pub data: &'a [u8],
}

section!(
    /// The strings of a batch.
    Strings,
    Strings,
    StringRecord<'a>
);

impl<'a> Strings<'a> {
    fn record(&mut self) -> Result<StringRecord<'a>, StructuralError> {
        let cursor = &mut self.0;
        cursor.tag(EventType::String)?;
        let id = cursor.number()?;
        let length = cursor.number()?;
        if length > MAX_STRING_BYTES as u64 {
            return cursor.error(StructuralErrorKind::StringTooLong(length));
        }
        let Some(data) = cursor.rest.get(..length as usize) else {
            return cursor.error(StructuralErrorKind::CutString);
        };
        cursor.advance(data.len());
        Ok(StringRecord { id, data })
    }
}

/// An entry of the stack table.
#[derive(Clone, Debug)]
pub struct StackRecord<'a> {
    /// The stack's id in its generation.
    pub id: u64,
    /// The stack's frames, leaf first, all decodable.
    pub frames: StackFrames<'a>,
}

/// A frame as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// The program counter.
    pub pc: u64,
    /// The function's name, a string id.
    pub func: u64,
    /// The source file's name, a string id.
    pub file: u64,
    /// The line in the source file.
    pub line: u64,
}

/// The frames of one stack.
#[derive(Clone, Debug)]
pub struct StackFrames<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> StackFrames<'a> {
    /// The frames in `bytes`, which MUST hold `count` of them and no more, otherwise the iterator
    /// ends early and its length is wrong.
    pub(crate) const fn checked(bytes: &'a [u8], count: usize) -> Self {
        Self {
            rest: bytes,
            left: count,
        }
    }
}

impl Iterator for StackFrames<'_> {
    type Item = RawFrame;

    fn next(&mut self) -> Option<RawFrame> {
        self.left = self.left.checked_sub(1)?;
        let mut numbers = [0; 4];
        for number in &mut numbers {
            let (value, n) = varint::read(self.rest).ok()?;
            *number = value;
            self.rest = &self.rest[n..];
        }
        let [pc, func, file, line] = numbers;
        Some(RawFrame {
            pc,
            func,
            file,
            line,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for StackFrames<'_> {}

section!(
    /// The stacks of a batch.
    Stacks,
    Stacks,
    StackRecord<'a>
);

impl<'a> Stacks<'a> {
    fn record(&mut self) -> Result<StackRecord<'a>, StructuralError> {
        let cursor = &mut self.0;
        cursor.tag(EventType::Stack)?;
        let id = cursor.number()?;
        let depth = cursor.number()?;
        if depth > MAX_STACK_FRAMES as u64 {
            return cursor.error(StructuralErrorKind::StackTooDeep(depth));
        }
        let rest = cursor.rest;
        for _ in 0..4 * depth {
            cursor.number()?;
        }
        let length = rest.len() - cursor.rest.len();
        Ok(StackRecord {
            id,
            frames: StackFrames::checked(&rest[..length], depth as usize),
        })
    }
}

/// A CPU profile sample as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuSampleRecord {
    /// Absolute time in clock units.
    pub time: u64,
    /// The sampled thread, `u64::MAX` for none.
    pub m: u64,
    /// The thread's proc, `u64::MAX` for none.
    pub p: u64,
    /// The running goroutine, 0 for none.
    pub g: u64,
    /// The sampled stack's id.
    pub stack: u64,
}

section!(
    /// The CPU samples of a batch.
    CpuSamples,
    CPUSamples,
    CpuSampleRecord
);

impl CpuSamples<'_> {
    fn record(&mut self) -> Result<CpuSampleRecord, StructuralError> {
        let cursor = &mut self.0;
        cursor.tag(EventType::CPUSample)?;
        Ok(CpuSampleRecord {
            time: cursor.number()?,
            m: cursor.number()?,
            p: cursor.number()?,
            g: cursor.number()?,
            stack: cursor.number()?,
        })
    }
}

/// A clock record of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncRecord {
    /// Clock units per second.
    Frequency(u64),
    /// The clocks at one instant.
    ClockSnapshot {
        /// Clock units since the previous record of the batch, or since the batch's time.
        dt: u64,
        /// The monotonic clock, in nanoseconds.
        mono: u64,
        /// The wall clock: seconds since the Unix epoch.
        sec: u64,
        /// The wall clock: nanoseconds of the second.
        nsec: u64,
    },
}

/// The clock records of a batch: a lone Frequency before Go 1.25, a Sync section since.
#[derive(Clone, Debug)]
pub struct SyncRecords<'a> {
    cursor: Cursor<'a>,
    snapshots: bool,
}

impl<'a> SyncRecords<'a> {
    /// Starts at the beginning of a batch's data.
    ///
    /// # Errors
    ///
    /// [`StructuralError`] if the section marker is missing (versions from Go 1.25 only).
    pub fn new(version: crate::Version, data: &'a [u8]) -> Result<Self, StructuralError> {
        let snapshots = version.has_clock_snapshot();
        let cursor = if snapshots {
            Cursor::section(data, EventType::Sync)?
        } else {
            Cursor {
                rest: data,
                offset: 0,
                record: 0,
            }
        };
        Ok(Self { cursor, snapshots })
    }

    fn record(&mut self) -> Result<SyncRecord, StructuralError> {
        let cursor = &mut self.cursor;
        if self.snapshots && cursor.rest.first() == Some(&EventType::ClockSnapshot.to_wire()) {
            cursor.tag(EventType::ClockSnapshot)?;
            return Ok(SyncRecord::ClockSnapshot {
                dt: cursor.number()?,
                mono: cursor.number()?,
                sec: cursor.number()?,
                nsec: cursor.number()?,
            });
        }
        cursor.tag(EventType::Frequency)?;
        Ok(SyncRecord::Frequency(cursor.number()?))
    }
}

impl Iterator for SyncRecords<'_> {
    type Item = Result<SyncRecord, StructuralError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.rest.is_empty() {
            return None;
        }
        let record = self.record();
        Some(self.cursor.fuse(record))
    }
}
