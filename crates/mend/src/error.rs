//! What can go wrong.

use core::fmt;

use exectrace_wire::{
    DecodeError, EventType, FramingError, Generation, HeaderError, StructuralError,
};

/// Why bytes are not the generation that they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MendError {
    /// Where, in bytes from the start of what was given.
    pub offset: usize,
    /// What is wrong there.
    pub kind: MendErrorKind,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MendErrorKind {
    /// The trace's header.
    Header(HeaderError),
    /// Neither a batch nor an end of generation.
    Framing(FramingError),
    /// A batch or its header is cut off.
    Truncated,
    /// A batch of another generation.
    Generation {
        /// The generation that goes on here.
        expected: Generation,
        /// The batch's.
        found: Generation,
    },
    /// An event.
    Event(DecodeError),
    /// A table or clock record.
    Record(StructuralError),
    /// A generation without what each must have.
    Missing(EventType),
}

impl MendErrorKind {
    pub(crate) const fn at(self, offset: usize) -> MendError {
        MendError { offset, kind: self }
    }
}

impl fmt::Display for MendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset)?;
        match &self.kind {
            MendErrorKind::Header(error) => error.fmt(f),
            MendErrorKind::Framing(error) => error.fmt(f),
            MendErrorKind::Truncated => f.write_str("expected a whole batch, found the end"),
            MendErrorKind::Generation { expected, found } => write!(
                f,
                "expected a batch of generation {expected}, found one of generation {found}"
            ),
            MendErrorKind::Event(error) => error.fmt(f),
            MendErrorKind::Record(error) => error.fmt(f),
            MendErrorKind::Missing(what) => {
                write!(f, "expected a {what} record before the generation's end")
            }
        }?;
        f.write_str("; the bytes are not what a tracer wrote: salvage them with the reader")
    }
}

impl core::error::Error for MendError {}
