//! How an event contradicts what came before it.

use core::fmt;

use exectrace_wire::{EventType, GoroutineId, ProcId, ProcStatus, TaskId, ThreadId};

use crate::{limits::MAX_OPEN_RANGES, state::GoState};

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
        found: ProcStatus,
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
        expected: ProcStatus,
        /// The status.
        found: ProcStatus,
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
    /// More ranges are open on the goroutine than any program opens.
    TooManyRanges(GoroutineId),
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
            Self::TooManyRanges(id) => write!(
                f,
                "expected at most {MAX_OPEN_RANGES} open ranges on goroutine {id}"
            ),
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
