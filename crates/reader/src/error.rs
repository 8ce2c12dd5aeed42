//! Why a trace cannot be read.

use core::fmt;
use std::{io, sync::Arc};

use exectrace_wire::{
    DecodeError, EventType, FramingError, Generation, GoroutineId, HeaderError, ProcId,
    StructuralError, TaskId, ThreadId, Version,
};

use crate::state::GoState;

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
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)?;
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
    /// The trace has a format of the v1 family.
    UnsupportedVersion(Version),
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
            Self::UnsupportedVersion(_) => {
                Some("this version of exectrace reads traces of Go 1.22 and later")
            }
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
            Self::UnsupportedVersion(version) => {
                write!(f, "trace of Go {version}, expected Go 1.22 or later")
            }
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

/// How an event contradicts what came before it (format specification, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderError {
    /// The event must be on a thread.
    NoThread,
    /// The thread must hold a proc.
    NoProc,
    /// The thread must run a goroutine.
    NoGoroutine,
    /// The thread must not run a goroutine.
    UnexpectedGoroutine(GoroutineId),
    /// The goroutine was never created.
    UnknownGoroutine(GoroutineId),
    /// The proc was never mentioned.
    UnknownProc(ProcId),
    /// The goroutine exists already.
    GoroutineExists(GoroutineId),
    /// The goroutine is in the wrong state.
    GoroutineState {
        /// The goroutine.
        id: GoroutineId,
        /// The state that the event needs.
        expected: GoState,
        /// The state that it is in.
        found: GoState,
    },
    /// The proc is in the wrong state.
    ProcState {
        /// The proc.
        id: ProcId,
        /// The states that the event needs, in words.
        expected: &'static str,
        /// The state that it is in.
        found: exectrace_wire::ProcStatus,
    },
    /// The event's sequence number is not the proc's next.
    ProcSequence {
        /// The proc.
        id: ProcId,
        /// The number that it carries.
        found: u64,
    },
    /// The status is not one of the format's.
    BadStatus(u64),
    /// A goroutine's status contradicts its tracked state.
    InconsistentGoroutine {
        /// The goroutine.
        id: GoroutineId,
        /// The tracked state.
        expected: GoState,
        /// The status.
        found: GoState,
    },
    /// A proc's status contradicts its tracked state.
    InconsistentProc {
        /// The proc.
        id: ProcId,
        /// The tracked state.
        expected: exectrace_wire::ProcStatus,
        /// The status.
        found: exectrace_wire::ProcStatus,
    },
    /// A goroutine that nobody created has a status after the first generation.
    LateGoroutine(GoroutineId),
    /// A goroutine in a system call must be on a thread.
    SyscallWithoutThread(GoroutineId),
    /// A goroutine's status names a thread that runs another goroutine.
    SyscallOnOtherThread {
        /// The goroutine.
        id: GoroutineId,
        /// The goroutine that the thread runs.
        found: Option<GoroutineId>,
    },
    /// The proc is said to be held by a thread, but no thread holds it.
    NoHolder(ProcId),
    /// The proc is stolen from a thread that was never mentioned.
    StolenFromUnknownThread(ThreadId),
    /// The proc is stolen from a thread that does not hold it.
    StolenFromWrongThread {
        /// The proc.
        id: ProcId,
        /// The thread that should hold it.
        thread: ThreadId,
        /// What that thread holds.
        found: Option<ProcId>,
    },
    /// The range is open already.
    RangeOpen,
    /// The range is not open.
    RangeNotOpen,
    /// The garbage collector cannot be in this phase.
    GcPhase {
        /// What the event needs.
        expected: &'static str,
    },
    /// The task is active already.
    TaskActive(TaskId),
    /// The region that ends is not the goroutine's innermost one.
    RegionMismatch(GoroutineId),
    /// The event has a time but cannot stand in a thread's batch.
    NotOrdered(EventType),
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoThread => f.write_str("expected a thread, found none"),
            Self::NoProc => f.write_str("expected the thread to hold a proc, found none"),
            Self::NoGoroutine => f.write_str("expected the thread to run a goroutine, found none"),
            Self::UnexpectedGoroutine(id) => {
                write!(
                    f,
                    "expected the thread to run no goroutine, found goroutine {id}"
                )
            }
            Self::UnknownGoroutine(id) => write!(f, "goroutine {id} was never created"),
            Self::UnknownProc(id) => write!(f, "proc {id} was never mentioned"),
            Self::GoroutineExists(id) => write!(f, "goroutine {id} exists already"),
            Self::GoroutineState {
                id,
                expected,
                found,
            } => {
                write!(
                    f,
                    "expected goroutine {id} to be {expected}, found it {found}"
                )
            }
            Self::ProcState {
                id,
                expected,
                found,
            } => {
                write!(f, "expected proc {id} to be {expected}, found it {found:?}")
            }
            Self::ProcSequence { id, found } => {
                write!(f, "sequence number {found} is not the next of proc {id}")
            }
            Self::BadStatus(status) => write!(f, "expected a status from 0 to 4, found {status}"),
            Self::InconsistentGoroutine {
                id,
                expected,
                found,
            } => {
                write!(
                    f,
                    "expected goroutine {id} to be {expected}, found the status {found}"
                )
            }
            Self::InconsistentProc {
                id,
                expected,
                found,
            } => {
                write!(
                    f,
                    "expected proc {id} to be {expected:?}, found the status {found:?}"
                )
            }
            Self::LateGoroutine(id) => write!(
                f,
                "goroutine {id} was never created, but has a status after the first generation"
            ),
            Self::SyscallWithoutThread(id) => {
                write!(f, "goroutine {id} is in a system call without a thread")
            }
            Self::SyscallOnOtherThread {
                id,
                found: Some(found),
            } => write!(
                f,
                "goroutine {id} is said to be in a system call on a thread that runs goroutine \
                 {found}"
            ),
            Self::SyscallOnOtherThread { id, found: None } => write!(
                f,
                "goroutine {id} is said to be in a system call on a thread that runs none"
            ),
            Self::NoHolder(id) => {
                write!(f, "proc {id} is about to be stolen, but no thread holds it")
            }
            Self::StolenFromUnknownThread(id) => {
                write!(
                    f,
                    "a proc is stolen from thread {id}, which was never mentioned"
                )
            }
            Self::StolenFromWrongThread {
                id,
                thread,
                found: Some(found),
            } => {
                write!(
                    f,
                    "proc {id} is stolen from thread {thread}, which holds proc {found}"
                )
            }
            Self::StolenFromWrongThread {
                id,
                thread,
                found: None,
            } => {
                write!(
                    f,
                    "proc {id} is stolen from thread {thread}, which holds none"
                )
            }
            Self::RangeOpen => f.write_str("the range that begins is open already"),
            Self::RangeNotOpen => f.write_str("the range that ends or goes on is not open"),
            Self::GcPhase { expected } => write!(f, "expected {expected}"),
            Self::TaskActive(id) => write!(f, "task {id} begins, but it is active already"),
            Self::RegionMismatch(id) => write!(
                f,
                "the region that ends is not the innermost one of goroutine {id}"
            ),
            Self::NotOrdered(event) => write!(f, "{event} cannot stand in a thread's batch"),
        }
    }
}

impl std::error::Error for OrderError {}
