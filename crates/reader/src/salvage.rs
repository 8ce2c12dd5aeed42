//! What salvage mode lost, assumed or repaired.

use core::fmt;

use exectrace_wire::{Generation, ThreadId};

use crate::{error::ErrorKind, limits::MAX_LISTED_LOSSES};

/// What salvage mode lost, assumed or repaired, in the order in which it came up.
///
/// Every byte that was skipped and every event that was dropped is counted here.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Single losses; after [`MAX_LISTED_LOSSES`] of them only the totals go on.
    pub losses: Vec<Loss>,
    /// Losses that are not in the list.
    pub unlisted_losses: u64,
    /// Bytes of the trace that were skipped.
    pub skipped_bytes: u64,
    /// Events that could be decoded but contradict what is known, or wait for something lost.
    pub dropped_events: u64,
    /// Records of strings, stacks, CPU samples and clocks that were dropped.
    pub dropped_records: u64,
    /// Events that are delivered without the text or stack that they name.
    pub nameless_events: u64,
    /// Generations that are not whole.
    pub damaged_generations: u64,
    /// States of goroutines and procs that were assumed (traces up to Go 1.21).
    pub assumed_states: u64,
    /// Events whose time was raised to that of an event which must have come before (traces up to
    /// Go 1.21).
    pub bent_times: u64,
}

impl SalvageReport {
    /// Whether nothing was lost, assumed or repaired.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.losses.is_empty()
    }

    pub(crate) fn add(&mut self, loss: Loss) {
        match &loss.kind {
            LossKind::SkippedBytes { bytes, .. } => self.skipped_bytes += bytes,
            LossKind::DroppedEvents { events, .. } => self.dropped_events += events,
            LossKind::DroppedRecord { .. } => self.dropped_records += 1,
            LossKind::NamelessEvents { events } => self.nameless_events += events,
            LossKind::DroppedProcEvents { events, .. } => self.dropped_events += events,
            LossKind::AssumedStates { states, .. } => self.assumed_states += states,
            LossKind::BentTimes { events, .. } => self.bent_times += events,
            _ => {}
        }
        if self.losses.len() < MAX_LISTED_LOSSES {
            self.losses.push(loss);
        } else {
            self.unlisted_losses += 1;
        }
    }
}

impl fmt::Display for SalvageReport {
    /// A line of totals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("nothing was lost");
        }
        write!(
            f,
            "{} generations damaged: {} bytes skipped, {} events dropped, {} records dropped, \
             {} events without their names, {} states assumed, {} times bent",
            self.damaged_generations,
            self.skipped_bytes,
            self.dropped_events,
            self.dropped_records,
            self.nameless_events,
            self.assumed_states,
            self.bent_times
        )
    }
}

/// A single loss.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loss {
    /// Where in the trace, in bytes; of dropped events, where the first one is.
    pub offset: Option<u64>,
    /// In which generation, if that is known.
    pub generation: Option<Generation>,
    /// What was lost.
    pub kind: LossKind,
}

/// What was lost, assumed or repaired.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LossKind {
    /// Bytes in which no batch could be made out.
    SkippedBytes {
        /// How many.
        bytes: u64,
        /// Why reading had to stop at the first of them.
        cause: ErrorKind,
    },
    /// A record of a table is malformed or contradicts another one.
    DroppedRecord {
        /// Why.
        cause: ErrorKind,
    },
    /// Events of a thread that contradict what is known, or wait for something that was lost.
    DroppedEvents {
        /// The thread.
        thread: Option<ThreadId>,
        /// How many.
        events: u64,
        /// Why the first one was dropped.
        cause: ErrorKind,
    },
    /// Events of a trace up to Go 1.21 that contradict what is known and could not be explained.
    DroppedProcEvents {
        /// How many.
        events: u64,
        /// Why the first one was dropped.
        cause: ErrorKind,
    },
    /// States of goroutines and procs in a trace up to Go 1.21 that no event told, but without which
    /// the events that follow could not have happened. Each is told by a status of its own.
    AssumedStates {
        /// How many.
        states: u64,
        /// Why the first one had to be assumed.
        cause: ErrorKind,
    },
    /// Events of a trace up to Go 1.21 that are earlier than events which must have come before, or
    /// ends of system calls that are earlier than their beginnings. The order is right, the times
    /// were raised.
    BentTimes {
        /// How many.
        events: u64,
        /// Of the first one.
        cause: ErrorKind,
    },
    /// Events that name a string or stack which is not in the generation's tables. They are
    /// delivered, with a placeholder for the string and without the stack.
    NamelessEvents {
        /// How many.
        events: u64,
    },
    /// Stacks with frames whose names are not in the string table.
    NamelessStacks,
    /// The generation has no end, or the trace ends inside it.
    IncompleteGeneration,
    /// The generation does not say how long a clock unit is; this frequency was assumed, that of
    /// the generation before or Go's usual one. Times may be wrong by a factor.
    AssumedFrequency {
        /// Clock units per second.
        frequency: u64,
    },
    /// The generation has no clock snapshot: its events have no wall time.
    NoClockSnapshot,
    /// The state of the program was forgotten, since it could not be known any more: the
    /// generation's own statuses rebuild it.
    ForgottenState,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(generation) = self.generation {
            write!(f, "generation {generation}: ")?;
        }
        match &self.kind {
            LossKind::SkippedBytes { bytes: 0, cause } => {
                write!(f, "something is missing: {cause}")?;
            }
            LossKind::SkippedBytes { bytes, cause } => {
                write!(f, "skipped {bytes} bytes: {cause}")?;
            }
            LossKind::DroppedRecord { cause } => write!(f, "dropped a record: {cause}")?,
            LossKind::DroppedEvents {
                thread,
                events,
                cause,
            } => {
                write!(f, "dropped {events} events of ")?;
                match thread {
                    Some(thread) => write!(f, "thread {thread}: {cause}")?,
                    None => write!(f, "no thread: {cause}")?,
                }
            }
            LossKind::DroppedProcEvents { events, cause } => {
                write!(f, "dropped {events} events, the first since: {cause}")?;
            }
            LossKind::AssumedStates { states, cause } => write!(
                f,
                "assumed {states} states of goroutines and procs, the first since: {cause}"
            )?,
            LossKind::BentTimes { events, cause } => {
                write!(
                    f,
                    "raised the times of {events} events, the first since: {cause}"
                )?;
            }
            LossKind::NamelessEvents { events } => {
                write!(
                    f,
                    "{events} events name strings or stacks that are not there"
                )?;
            }
            LossKind::NamelessStacks => {
                f.write_str("stacks have frames whose names are not there")?;
            }
            LossKind::IncompleteGeneration => f.write_str("it has no end")?,
            LossKind::AssumedFrequency { frequency } => {
                write!(
                    f,
                    "it has no frequency, assumed {frequency} clock units a second"
                )?;
            }
            LossKind::NoClockSnapshot => f.write_str("it has no clock snapshot")?,
            LossKind::ForgottenState => {
                f.write_str("the state before it is unknown and was forgotten")?;
            }
        }
        match self.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}
