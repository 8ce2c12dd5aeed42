//! What is wrong with a text trace.

use core::fmt;

use crate::{
    EventType, Version,
    limits::{MAX_BATCH_BYTES, MAX_RAW_FRAMES, MAX_RAW_RECORD_BYTES, MAX_TEXT_LINE_BYTES},
    quote::{UnquoteError, quote},
};

/// Why a line of text is no part of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// The number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub kind: TextErrorKind,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextErrorKind {
    /// The first line is not `Trace Go1.N`.
    Header(Excerpt),
    /// The header names a version that has no text form.
    UnsupportedVersion(Excerpt),
    /// The line begins with a word that is no event's name.
    UnknownEvent(Excerpt),
    /// The header's version does not have the event.
    NotInVersion {
        /// The event.
        event_type: EventType,
        /// The header's version.
        version: Version,
    },
    /// An argument is missing or another one stands in its place.
    Argument {
        /// The argument that belongs here.
        expected: &'static str,
        /// What stands here; empty at the end of the line.
        found: Excerpt,
    },
    /// An argument's value is no decimal number of 64 bits.
    Value {
        /// The argument.
        arg: &'static str,
        /// Its value.
        found: Excerpt,
    },
    /// Something follows the last argument or the header.
    Trailing(Excerpt),
    /// The line is indented as a data line is, but is none.
    Data(Excerpt),
    /// The data is no string literal of Go.
    Literal(UnquoteError),
    /// More data than fits a batch.
    DataTooLong(usize),
    /// More frames than fit a batch.
    TooManyFrames(u64),
    /// More bytes in a record than fit a batch.
    RecordTooLong,
    /// The text ends before the frames of a stack do.
    MissingFrames(u64),
    /// The text ends before its header.
    MissingHeader,
    /// The line is too long.
    LineTooLong(usize),
    /// A comment on the widths of numbers is malformed.
    Widths(Excerpt),
    /// A comment gives a width for a number that the record does not have.
    WidthUnused(u32),
    /// A comment gives a width that is too small for its number.
    WidthTooSmall {
        /// The value of the number.
        value: u64,
        /// The width in bytes that the comment gives.
        width: u8,
    },
}

/// The beginning of what was found, made fit to show.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt {
    start: Box<[u8]>,
    cut: bool,
}

impl Excerpt {
    /// Enough to recognise the place, little enough for one line of a terminal.
    const BYTES: usize = 60;

    pub(super) fn new(found: &[u8]) -> Self {
        let cut = found.len() > Self::BYTES;
        let start = found.get(..Self::BYTES).unwrap_or(found).into();
        Self { start, cut }
    }

    /// The first bytes of what was found.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.start
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start.is_empty() {
            return f.write_str("the end of the line");
        }
        quote(&self.start).fmt(f)?;
        f.write_str(if self.cut { "..." } else { "" })
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TextErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(found) => write!(
                f,
                "expected the header `Trace Go1.N`, found {found}; \
                 the output of `go tool trace -d=wire` has none and needs its version given"
            ),
            Self::UnsupportedVersion(found) => write!(
                f,
                "expected a version with a text form (Go1.22, Go1.23, Go1.25 or Go1.26), \
                 found {found}"
            ),
            Self::UnknownEvent(found) => {
                write!(f, "expected the name of an event, found {found}")
            }
            Self::NotInVersion {
                event_type,
                version,
            } => write!(
                f,
                "expected an event of version {version}, found {event_type}, which exists since \
                 {}; raise the version in the header",
                event_type.spec().since
            ),
            Self::Argument { expected, found } => {
                write!(f, "expected argument {expected}=..., found {found}")
            }
            Self::Value { arg, found } => write!(
                f,
                "expected a decimal number below 2^64 as the value of {arg}, found {found}"
            ),
            Self::Trailing(found) => write!(
                f,
                "expected the end of the line, found {found}; \
                 comments need a line of their own"
            ),
            Self::Data(found) => write!(
                f,
                "expected a line `data=\"...\"` or an event that is not indented, found {found}"
            ),
            Self::Literal(error) => write!(f, "malformed data: {error}"),
            Self::DataTooLong(n) => {
                write!(f, "{n} bytes of data, expected at most {MAX_BATCH_BYTES}")
            }
            Self::TooManyFrames(n) => write!(
                f,
                "stack of {n} frames, expected at most the {MAX_RAW_FRAMES} that fit a batch"
            ),
            Self::RecordTooLong => write!(
                f,
                "record of more than the {MAX_RAW_RECORD_BYTES} bytes that fit a batch"
            ),
            Self::MissingFrames(n) => {
                write!(f, "expected {n} more frames, found the end of the text")
            }
            Self::MissingHeader => {
                f.write_str("expected the header `Trace Go1.N`, found the end of the text")
            }
            Self::LineTooLong(n) => {
                write!(
                    f,
                    "line of {n} bytes, expected at most {MAX_TEXT_LINE_BYTES}"
                )
            }
            Self::Widths(found) => write!(
                f,
                "expected `NUMBER:BYTES` with ascending numbers from 1 and at most 10 bytes, \
                 found {found}"
            ),
            Self::WidthUnused(slot) => write!(
                f,
                "a comment gives a width for number {slot} of the record, which has fewer numbers"
            ),
            Self::WidthTooSmall { value, width } => write!(
                f,
                "a comment gives {width} bytes to the number {value}, which needs more"
            ),
        }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

impl core::error::Error for TextError {}
