//! Why a trace of Go 1.5 to 1.21 cannot be read.

use core::fmt;

use exectrace_wire::{
    GoroutineId, ProcId,
    v1::{EventType, RecordError},
};

/// Why a trace of Go 1.5 to 1.21 cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum V1Error {
    /// The bytes at a place are no record.
    Record(RecordError),
    /// A record stands before the first batch.
    NoBatch(EventType),
    /// Two strings have one id.
    RepeatedString {
        /// The id.
        id: u64,
    },
    /// The strings take up so many ids that none are left for the reader's own.
    NoFreeStringId,
    /// The trace does not say how long a clock unit is.
    NoFrequency,
    /// The trace says that a second has no clock units: the clocks of its processors disagree.
    BadFrequency(i64),
    /// No proc's next event can come next.
    Stuck(Vec<V1Stalled>),
    /// Events wait for each other too often for a real trace.
    TooManyStalls,
    /// Two procs have events of one goroutine of which only one can come next.
    Conflict {
        /// The event that cannot come any more.
        event: EventType,
        /// The goroutine.
        goroutine: GoroutineId,
    },
    /// In the order in which events must have happened, times run backwards.
    TimeOrder {
        /// The event that is earlier than one that must have come before it.
        event: EventType,
        /// By how many clock units.
        ticks: u64,
    },
    /// A system call returns that was never seen to block.
    StraySyscallExit(GoroutineId),
    /// The event contradicts what came before it.
    Invalid {
        /// The event.
        event: EventType,
        /// What it contradicts.
        violation: V1Violation,
    },
    /// The event is one that no tracer of the trace's version writes.
    Unexpected(EventType),
    /// The event names a string that the trace does not have.
    MissingString(u64),
}

/// A proc's next event, which cannot come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct V1Stalled {
    /// The proc that has the event; `None` for events of no proc.
    pub proc: Option<ProcId>,
    /// The event.
    pub event: EventType,
    /// The goroutine whose state it waits for.
    pub goroutine: GoroutineId,
}

/// What an event contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum V1Violation {
    /// The proc runs already.
    ProcRuns,
    /// The proc does not run.
    ProcStopped,
    /// The proc still runs this goroutine.
    ProcBusy(GoroutineId),
    /// The proc does not run the goroutine.
    NotOnProc(GoroutineId),
    /// No goroutine runs.
    NoGoroutine,
    /// The goroutine exists already.
    Exists(GoroutineId),
    /// The goroutine is not running.
    NotRunning(GoroutineId),
    /// The goroutine is not runnable.
    NotRunnable(GoroutineId),
    /// The goroutine is not waiting.
    NotWaiting(GoroutineId),
    /// What begins has begun already.
    Begun,
    /// What ends has not begun.
    NotBegun,
    /// A task with this id exists already.
    TaskExists(u64),
    /// The region that ends is not the innermost one of its goroutine.
    NotInnermost,
    /// The mode of a region is neither 0 nor 1.
    RegionMode(u64),
}

impl V1Error {
    /// Whether the trace merely ends too early.
    pub(crate) fn is_truncation(&self) -> bool {
        matches!(
            self,
            Self::NoFrequency | Self::Record(RecordError::Truncated)
        )
    }

    pub(crate) fn advice(&self) -> &'static str {
        match self {
            _ if self.is_truncation() => {
                "the trace was cut off: was the program stopped before it closed the trace? \
                 Salvage mode keeps what is there"
            }
            Self::Stuck(_) => {
                "tracers up to Go 1.21 lose track of goroutines that C code calls; salvage mode \
                 assumes what is missing"
            }
            Self::TimeOrder { .. } | Self::BadFrequency(_) => {
                "the clocks of the machine's processors disagreed; salvage mode bends the times"
            }
            _ => "salvage mode keeps what is sound around it",
        }
    }
}

impl fmt::Display for V1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(error) => error.fmt(f),
            Self::NoBatch(event) => {
                write!(f, "expected a batch, found a {event} record outside of one")
            }
            Self::RepeatedString { id } => write!(f, "two strings have id {id}"),
            Self::NoFreeStringId => {
                f.write_str("the trace's strings use up all ids, expected some to be free")
            }
            Self::NoFrequency => f.write_str("the trace has no frequency record, which ends it"),
            Self::BadFrequency(frequency) => write!(
                f,
                "expected a positive number of clock units a second, found {frequency}"
            ),
            Self::Stuck(stalled) => {
                f.write_str("no proc's next event can come next, for something is missing:")?;
                const SHOWN: usize = 5;
                for V1Stalled {
                    proc,
                    event,
                    goroutine,
                } in stalled.iter().take(SHOWN)
                {
                    match proc {
                        Some(proc) => write!(f, " proc {proc}")?,
                        None => f.write_str(" no proc")?,
                    }
                    write!(f, " {event} of goroutine {goroutine};")?;
                }
                match stalled.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::TooManyStalls => {
                f.write_str("events wait for other procs more often than in any real trace")
            }
            Self::Conflict { event, goroutine } => write!(
                f,
                "{event} of goroutine {goroutine} could come next, but another proc's event of the \
                 goroutine was earlier"
            ),
            Self::TimeOrder { event, ticks } => write!(
                f,
                "time stamps out of order: {event} is {ticks} clock units earlier than an event \
                 that must have come before it"
            ),
            Self::StraySyscallExit(goroutine) => write!(
                f,
                "goroutine {goroutine} returns from a system call that did not block"
            ),
            Self::Invalid { event, violation } => write!(f, "{event}: {violation}"),
            Self::Unexpected(event) => {
                write!(
                    f,
                    "{event} is an event that no tracer of this version writes"
                )
            }
            Self::MissingString(id) => write!(f, "string {id} is not in the trace's table"),
        }
    }
}

impl fmt::Display for V1Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProcRuns => f.write_str("the proc runs already"),
            Self::ProcStopped => f.write_str("the proc does not run"),
            Self::ProcBusy(g) => write!(f, "the proc still runs goroutine {g}"),
            Self::NotOnProc(g) => write!(f, "the proc does not run goroutine {g}"),
            Self::NoGoroutine => f.write_str("the proc runs no goroutine"),
            Self::Exists(g) => write!(f, "goroutine {g} exists already"),
            Self::NotRunning(g) => write!(f, "goroutine {g} is not running"),
            Self::NotRunnable(g) => write!(f, "goroutine {g} is not runnable"),
            Self::NotWaiting(g) => write!(f, "goroutine {g} is not waiting"),
            Self::Begun => f.write_str("what it begins has begun already"),
            Self::NotBegun => f.write_str("what it ends has not begun"),
            Self::TaskExists(id) => write!(f, "task {id} exists already"),
            Self::NotInnermost => f.write_str("the innermost region is another one"),
            Self::RegionMode(mode) => {
                write!(f, "expected 0 or 1 as the mode of a region, found {mode}")
            }
        }
    }
}

impl std::error::Error for V1Error {}

impl From<RecordError> for V1Error {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
