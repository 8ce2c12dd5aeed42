//! Why a trace cannot be read.

mod order;

pub use order::OrderError;

use core::fmt;
use std::{io, sync::Arc};

use exectrace_wire::{
    DecodeError, EventType, FramingError, Generation, HeaderError, StructuralError, ThreadId,
};

use crate::v1::V1Error;

/// Why a trace cannot be read, and where.
///
/// The text names the cause, then the place, then what can be done.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

/// Behind a pointer, so that results on the hot path fit in registers.
#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    place: Place,
}

/// Where an error is, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Offset in the (uncompressed) trace, in bytes.
    pub offset: Option<u64>,
    /// The generation.
    pub generation: Option<Generation>,
    /// The thread whose event it is.
    pub thread: Option<ThreadId>,
    /// The event.
    pub event: Option<EventType>,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: impl Into<ErrorKind>, place: Place) -> Self {
        Self(Box::new(Inner {
            kind: kind.into(),
            place,
        }))
    }

    #[cold]
    pub(crate) fn at(offset: u64, kind: impl Into<ErrorKind>) -> Self {
        Self::new(
            kind,
            Place {
                offset: Some(offset),
                ..Place::default()
            },
        )
    }

    /// The cause.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        self.0.place
    }

    /// Whether what was read up to here is sound and the trace merely ends too early.
    #[must_use]
    pub fn is_truncation(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::TruncatedBatch { .. }
                | ErrorKind::TruncatedHeader
                | ErrorKind::IncompleteGeneration
                | ErrorKind::Header(HeaderError::Short(_))
        ) || matches!(&self.0.kind, ErrorKind::V1(error) if error.is_truncation())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)?;
        // A header is at the start, and says itself where it ends.
        if matches!(self.0.kind, ErrorKind::Header(_)) {
            return Ok(());
        }
        let mut separator = " (at ";
        let mut item = |f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>| {
            f.write_str(separator)?;
            separator = ", ";
            f.write_fmt(text)
        };
        let Place {
            offset,
            generation,
            thread,
            event,
        } = self.0.place;
        if let Some(offset) = offset {
            item(f, format_args!("byte {offset}"))?;
        }
        if let Some(generation) = generation {
            item(f, format_args!("generation {generation}"))?;
        }
        if let Some(thread) = thread {
            item(f, format_args!("thread {thread}"))?;
        }
        if let Some(event) = event {
            item(f, format_args!("event {event}"))?;
        }
        if self.0.place != Place::default() {
            f.write_str(")")?;
        }
        if let Some(advice) = self.0.kind.advice() {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Io(error) => Some(&**error),
            ErrorKind::Header(error) => Some(error),
            ErrorKind::Framing(error) => Some(error),
            ErrorKind::Structural(error) => Some(error),
            ErrorKind::Decode(error) => Some(error),
            ErrorKind::Order(error) => Some(error),
            ErrorKind::V1(error) => Some(error),
            _ => None,
        }
    }
}

/// The cause of an [`Error`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The source could not be read.
    Io(Arc<io::Error>),
    /// The file does not begin as a trace does.
    Header(HeaderError),
    /// A trace of Go 1.5 to 1.21 is broken.
    V1(V1Error),
    /// The bytes where a batch should begin are none.
    Framing(FramingError),
    /// The trace ends inside the header of a batch.
    TruncatedHeader,
    /// The trace ends inside the data of a batch.
    TruncatedBatch {
        /// Bytes that the batch's header announces.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// A batch has generation number 0, or an end-of-generation record stands in a version that
    /// has none.
    ZeroGeneration,
    /// A batch belongs to neither the current nor the next generation.
    GenerationOutOfOrder {
        /// The current generation.
        current: Generation,
        /// The batch's.
        found: Generation,
    },
    /// A batch of another generation comes before the current one has ended (from Go 1.26).
    UnfinishedGeneration {
        /// The current generation.
        current: Generation,
        /// The batch's.
        found: Generation,
    },
    /// The trace ends before the generation does (from Go 1.26).
    IncompleteGeneration,
    /// A batch holds an end-of-generation record.
    EndOfGenerationInBatch,
    /// The generation does not say how long a clock unit is.
    NoFrequency,
    /// The generation says more than once how long a clock unit is.
    RepeatedFrequency,
    /// The generation has no clock snapshot (from Go 1.25).
    NoClockSnapshot,
    /// The generation has more than one clock snapshot.
    RepeatedClockSnapshot,
    /// Two strings of a generation have one id, or a string has id 0.
    RepeatedString {
        /// The id.
        id: u64,
    },
    /// Two stacks of a generation have one id, or a stack has id 0.
    RepeatedStack {
        /// The id.
        id: u64,
    },
    /// A stack's frame names a string that the generation does not have.
    MissingFrameString {
        /// The stack.
        stack: u64,
        /// The string.
        string: u64,
        /// What it should be the name of.
        what: &'static str,
    },
    /// A table of the generation is too large to be real.
    TableTooLarge {
        /// Which table.
        table: &'static str,
        /// How large it may be, in entries.
        limit: u64,
    },
    /// A structural batch is malformed.
    Structural(StructuralError),
    /// A thread's batch is malformed.
    Decode(DecodeError),
    /// The event contradicts what came before it.
    Order(OrderError),
    /// No thread's next event can come next: something that they wait for is missing.
    Stuck(Vec<Stalled>),
    /// Events wait for each other too often for a real trace.
    TooManyStalls,
    /// The event names a string that the generation does not have.
    MissingString(u64),
    /// The event names a stack that the generation does not have.
    MissingStack(u64),
}

/// A thread's next event, which cannot come next.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stalled {
    /// The thread.
    pub thread: Option<ThreadId>,
    /// Its next event.
    pub event: EventType,
    /// The event's time in nanoseconds on the trace clock.
    pub time: i64,
    /// The event's arguments without its time delta.
    pub args: Vec<u64>,
}

impl ErrorKind {
    fn advice(&self) -> Option<&'static str> {
        const SALVAGE: &str = "salvage mode keeps what is sound around it";
        match self {
            Self::Io(_) | Self::Header(_) => None,
            Self::V1(error) => Some(error.advice()),
            Self::TruncatedHeader | Self::TruncatedBatch { .. } | Self::IncompleteGeneration => {
                Some(
                    "the trace was cut off: was the program stopped before it closed the trace? \
                 Salvage mode keeps what is there",
                )
            }
            _ => Some(SALVAGE),
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read: {error}"),
            Self::Header(error) => error.fmt(f),
            Self::V1(error) => error.fmt(f),
            Self::Framing(error) => error.fmt(f),
            Self::TruncatedHeader => {
                f.write_str("expected a batch header, found the end of the trace inside one")
            }
            Self::TruncatedBatch { expected, found } => {
                write!(
                    f,
                    "expected {expected} bytes of batch data, found {found} and the end"
                )
            }
            Self::ZeroGeneration => {
                f.write_str("expected a batch of a generation, found generation number 0")
            }
            Self::GenerationOutOfOrder { current, found } => write!(
                f,
                "generations out of order: expected a batch of generation {current} or the next, \
                 found one of generation {found}"
            ),
            Self::UnfinishedGeneration { current, found } => write!(
                f,
                "expected the end of generation {current}, found a batch of generation {found}"
            ),
            Self::IncompleteGeneration => {
                f.write_str("expected the end of the generation, found the end of the trace")
            }
            Self::EndOfGenerationInBatch => {
                f.write_str("expected events, found an end-of-generation record as a batch's data")
            }
            Self::NoFrequency => f.write_str("the generation has no frequency record"),
            Self::RepeatedFrequency => {
                f.write_str("the generation has more than one frequency record")
            }
            Self::NoClockSnapshot => f.write_str("the generation has no clock snapshot"),
            Self::RepeatedClockSnapshot => {
                f.write_str("the generation has more than one clock snapshot")
            }
            Self::RepeatedString { id: 0 } => f.write_str("string id 0 is reserved"),
            Self::RepeatedString { id } => write!(f, "two strings have id {id}"),
            Self::RepeatedStack { id: 0 } => f.write_str("stack id 0 is reserved"),
            Self::RepeatedStack { id } => write!(f, "two stacks have id {id}"),
            Self::MissingFrameString {
                stack,
                string,
                what,
            } => {
                write!(
                    f,
                    "a {what} name of stack {stack} is string {string}, which is not there"
                )
            }
            Self::TableTooLarge { table, limit } => {
                write!(f, "the generation's {table} have more than {limit} bytes")
            }
            Self::Structural(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::Order(error) => error.fmt(f),
            Self::Stuck(stalled) => {
                f.write_str("no thread's next event can come next, for something is missing:")?;
                const SHOWN: usize = 5;
                for stalled in stalled.iter().take(SHOWN) {
                    write!(f, " {stalled};")?;
                }
                match stalled.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::TooManyStalls => {
                f.write_str("events wait for other threads more often than in any real trace")
            }
            Self::MissingString(id) => write!(f, "string {id} is not in the generation's table"),
            Self::MissingStack(id) => write!(f, "stack {id} is not in the generation's table"),
        }
    }
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.thread {
            Some(thread) => write!(f, "thread {thread} {}", self.event)?,
            None => write!(f, "no thread {}", self.event)?,
        }
        write!(f, " at {}", self.time)?;
        for (spec, arg) in self.event.spec().args.iter().skip(1).zip(&self.args) {
            write!(f, " {}={arg}", spec.name)?;
        }
        Ok(())
    }
}

macro_rules! from_kind {
    ($($error:ty => $variant:ident),* $(,)?) => {
        $(impl From<$error> for ErrorKind {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}
from_kind!(
    HeaderError => Header,
    FramingError => Framing,
    StructuralError => Structural,
    DecodeError => Decode,
    OrderError => Order,
    V1Error => V1,
);

impl From<Box<OrderError>> for ErrorKind {
    fn from(error: Box<OrderError>) -> Self {
        Self::Order(*error)
    }
}

impl From<io::Error> for ErrorKind {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
