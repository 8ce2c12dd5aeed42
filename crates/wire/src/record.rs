//! The records of a file one after another, without regard to framing: what Go's `raw` tools see.
//!
//! Batch headers, section markers, table entries and events are all records here; nothing checks
//! that a batch's size fits what follows it. That makes this the view for dumps, for statistics of
//! bytes, and for looking into a damaged file.

use core::fmt;

use crate::{
    EventType, Payload, RawEvent, SPECS, StackFrames, Version,
    decode::{TIMED_TYPES, decode_in_window, decode_window_then},
    limits::{MAX_ARGS, MAX_BATCH_BYTES, MAX_RAW_FRAMES, MAX_RAW_RECORD_BYTES},
    varint::{self, VarintError},
};

/// A record as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord<'a> {
    event: RawEvent,
    bytes: &'a [u8],
    /// Where in `bytes` the payload begins.
    payload: usize,
}

/// What follows the numbers of a record.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RecordPayload<'a> {
    /// Nothing.
    None,
    /// The bytes of a String or of an ExperimentalBatch.
    Data(&'a [u8]),
    /// The frames of a Stack.
    Frames(StackFrames<'a>),
}

impl<'a> RawRecord<'a> {
    /// The record's type.
    #[inline]
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        self.event.event_type
    }

    /// The record's numbers, as many as its row of the table has.
    #[inline]
    #[must_use]
    pub fn args(&self) -> &[u64] {
        self.event.args()
    }

    /// The record's type and numbers.
    #[inline]
    #[must_use]
    pub const fn event(&self) -> &RawEvent {
        &self.event
    }

    /// What follows the numbers.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> RecordPayload<'a> {
        let payload = &self.bytes[self.payload..];
        match self.event_type().spec().payload {
            Payload::None => RecordPayload::None,
            Payload::Data => RecordPayload::Data(payload),
            Payload::Frames => RecordPayload::Frames(StackFrames::checked(
                payload,
                self.event.padded_args()[FRAME_COUNT] as usize,
            )),
        }
    }

    /// The whole record, its payload included.
    #[inline]
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The argument of a record with frames that says how many there are.
pub(crate) const FRAME_COUNT: usize = 1;

/// The numbers of a frame, as Go's text form names them.
pub(crate) const FRAME_FIELDS: [&str; 4] = ["pc", "func", "file", "line"];

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
    /// A number has more than 64 bits.
    Number {
        /// The record's type.
        event_type: EventType,
        /// What the number is.
        field: &'static str,
    },
    /// More data than fits a batch.
    DataTooLong {
        /// The record's type.
        event_type: EventType,
        /// The length that the record gives.
        length: u64,
    },
    /// More frames than fit a batch.
    TooManyFrames(u64),
    /// More bytes than fit a batch.
    RecordTooLong(EventType),
    /// The file ends inside a record.
    Truncated,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(byte) => write!(
                f,
                "expected a record, found byte {byte} ({byte:#04x}), which begins none; \
                 the file is damaged before this place or here"
            ),
            Self::NotInVersion {
                event_type,
                version,
            } => write!(
                f,
                "expected a record of version {version}, found {event_type}, which exists since \
                 {}; the file is damaged or its header is wrong",
                event_type.spec().since
            ),
            Self::Number { event_type, field } => write!(
                f,
                "malformed {event_type} record: {field}: {}",
                VarintError::Overflow
            ),
            Self::DataTooLong { event_type, length } => write!(
                f,
                "{event_type} record with {length} bytes of data, expected at most \
                 {MAX_BATCH_BYTES}"
            ),
            Self::TooManyFrames(count) => write!(
                f,
                "stack of {count} frames, expected at most the {MAX_RAW_FRAMES} that fit a batch"
            ),
            Self::RecordTooLong(event_type) => write!(
                f,
                "{event_type} record of more than the {MAX_RAW_RECORD_BYTES} bytes that fit a batch"
            ),
            Self::Truncated => f.write_str("the file ends inside a record; it was cut off"),
        }
    }
}

impl core::error::Error for RecordError {}

/// Decodes the record at the start of `bytes`, the rest of a file of `version` after its header.
///
/// `Ok(None)` means that `bytes` is empty or ends inside a record: call again with more, if there
/// is more. With [`MAX_RAW_RECORD_BYTES`] bytes it is never the answer. The record's length is
/// that of [`RawRecord::bytes`].
///
/// A record that `version` does not have ([`EventType::available_in`]) is an error, as in Go's
/// `raw` tools, except that events of experiments are read since Go 1.23, which wrote them; Go's
/// tools refuse them before Go 1.26.
///
/// # Errors
///
/// [`RecordError`] if no continuation of `bytes` begins with a record.
///
/// # Example
///
/// ```
/// use exectrace_wire::{EventType, HEADER_LEN, Version, decode_record, parse_header};
///
/// let file = [&Version::Go126.header()[..], &[16, 9, 7, 1, 17, 3]].concat();
/// let version = parse_header(&file)?;
/// let mut rest = &file[HEADER_LEN..];
/// let mut found = Vec::new();
/// while let Some(record) = decode_record(rest, version)? {
///     found.push((record.event_type(), record.args().to_vec()));
///     rest = &rest[record.bytes().len()..];
/// }
/// assert_eq!(found, [
///     (EventType::GoStart, vec![9, 7, 1]),
///     (EventType::GoDestroy, vec![3]),
/// ]);
/// assert!(rest.is_empty(), "the file ends with a whole record");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline(always)]
pub fn decode_record(bytes: &[u8], version: Version) -> Result<Option<RawRecord<'_>>, RecordError> {
    // 1. Timed events, nearly all there is; and nearly all of them are of the first version.
    if let Some(window) = bytes.first_chunk()
        && let Some((event, length)) = decode_in_window(window)
        && (window[0] <= LAST_OF_FIRST_VERSION || event.event_type.available_in(version))
    {
        return Ok(Some(RawRecord {
            event,
            bytes: &bytes[..length],
            payload: length,
        }));
    }
    // 2. All others. The copy MUST be field by field, otherwise the compiler makes the fast path
    //    meet this one in memory, at twice the cost of the whole loop.
    match decode_any(bytes, version)? {
        Some(RawRecord {
            event,
            bytes,
            payload,
        }) => {
            let [a, b, c, d, e] = *event.padded_args();
            Ok(Some(RawRecord {
                event: RawEvent::new(event.event_type, [a, b, c, d, e]),
                bytes,
                payload,
            }))
        }
        None => Ok(None),
    }
}

/// Visits the records at the start of `bytes`, as [`decode_record`] decodes them, up to the first
/// that is not whole, and returns where that begins. For loops over very many records: `visit` is
/// compiled for each number of arguments that a record can have.
///
/// # Errors
///
/// As [`decode_record`]; the records before the wrong one have been visited.
///
/// # Example
///
/// ```
/// use exectrace_wire::{Version, visit_records};
///
/// let bytes = [16, 9, 7, 1, 17, 3, 16, 9];
/// let mut numbers = 0;
/// let whole = visit_records(&bytes, Version::Go126, |record| numbers += record.args().len())?;
/// assert_eq!((whole, numbers), (6, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline(always)]
pub fn visit_records<'a>(
    bytes: &'a [u8],
    version: Version,
    mut visit: impl FnMut(RawRecord<'a>),
) -> Result<usize, RecordError> {
    let mut rest = bytes;
    loop {
        if let Some(window) = rest.first_chunk() {
            let event_type = TIMED_TYPES[usize::from(window[0])];
            if window[0] <= LAST_OF_FIRST_VERSION || event_type.available_in(version) {
                let length = decode_window_then(window, |args, length| {
                    visit(RawRecord {
                        event: RawEvent::new(event_type, args),
                        bytes: &rest[..length],
                        payload: length,
                    });
                    length
                });
                if let Some(length) = length {
                    rest = &rest[length..];
                    continue;
                }
            }
        }
        let Some(record) = decode_any(rest, version)? else {
            return Ok(bytes.len() - rest.len());
        };
        rest = &rest[record.bytes.len()..];
        visit(record);
    }
}

/// The highest id of the first version: every version has the events up to it.
const LAST_OF_FIRST_VERSION: u8 = {
    let mut last = 0;
    let mut i = 0;
    while i < SPECS.len() && matches!(SPECS[i].since, Version::Go122) {
        last = SPECS[i].event_type as u8;
        i += 1;
    }
    last
};

/// Why decoding stopped before the end of a record.
enum Stop {
    /// The input ended.
    Short,
    Bad(RecordError),
}

/// A cursor over the numbers of one record.
struct Numbers<'a> {
    bytes: &'a [u8],
    at: usize,
    event_type: EventType,
}

impl Numbers<'_> {
    fn next(&mut self, field: &'static str) -> Result<u64, Stop> {
        match varint::read(&self.bytes[self.at..]) {
            Ok((value, n)) => {
                self.at += n;
                Ok(value)
            }
            Err(VarintError::Truncated) => Err(Stop::Short),
            Err(VarintError::Overflow) => Err(Stop::Bad(RecordError::Number {
                event_type: self.event_type,
                field,
            })),
        }
    }
}

/// Decodes a record of any kind and version, by its row of the table.
#[cold]
#[inline(never)]
fn decode_any(bytes: &[u8], version: Version) -> Result<Option<RawRecord<'_>>, RecordError> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let event_type = EventType::from_wire(first).ok_or(RecordError::UnknownType(first))?;
    if !event_type.available_in(version) {
        return Err(RecordError::NotInVersion {
            event_type,
            version,
        });
    }
    match decode_by_spec(bytes, event_type) {
        Ok(record) if record.bytes.len() <= MAX_RAW_RECORD_BYTES => Ok(Some(record)),
        Err(Stop::Short) if bytes.len() < MAX_RAW_RECORD_BYTES => Ok(None),
        Ok(_) | Err(Stop::Short) => Err(RecordError::RecordTooLong(event_type)),
        Err(Stop::Bad(error)) => Err(error),
    }
}

fn decode_by_spec(bytes: &[u8], event_type: EventType) -> Result<RawRecord<'_>, Stop> {
    let spec = event_type.spec();
    let mut numbers = Numbers {
        bytes,
        at: 1,
        event_type,
    };
    let mut args = [0; MAX_ARGS];
    for (arg, arg_spec) in args.iter_mut().zip(spec.args) {
        *arg = numbers.next(arg_spec.name)?;
    }
    let mut payload = numbers.at;
    let mut end = payload;
    match spec.payload {
        Payload::None => {}
        Payload::Data => {
            let length = numbers.next("length of the data")?;
            if length > MAX_BATCH_BYTES as u64 {
                return Err(Stop::Bad(RecordError::DataTooLong { event_type, length }));
            }
            payload = numbers.at;
            end = payload + length as usize;
        }
        Payload::Frames => {
            let count = args[FRAME_COUNT];
            if count > MAX_RAW_FRAMES as u64 {
                return Err(Stop::Bad(RecordError::TooManyFrames(count)));
            }
            for _ in 0..count {
                for field in FRAME_FIELDS {
                    numbers.next(field)?;
                }
            }
            end = numbers.at;
        }
    }
    Ok(RawRecord {
        event: RawEvent::new(event_type, args),
        bytes: bytes.get(..end).ok_or(Stop::Short)?,
        payload,
    })
}

#[cfg(test)]
mod tests;
