//! Generations: the pieces that a trace is made of, and who gets them.

use std::sync::Arc;

use exectrace_wire::{Generation, Ticks, Version};

#[cfg(not(loom))]
mod close;
#[cfg(not(loom))]
mod stacks;

#[cfg(not(loom))]
pub(crate) use close::{Closing, close, discard, record};

/// The version of the format that the tracer writes.
pub const VERSION: Version = Version::Go126;

/// One generation as it stands in a file: complete, and on its own.
///
/// A trace is [`Version::header`] of [`VERSION`], followed by the bytes of generations in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodedGeneration {
    /// Its number. Numbers ascend by one within a session.
    pub number: Generation,
    /// When it began, on the trace's clock.
    pub started: Ticks,
    /// When the next one began, or tracing stopped.
    pub ended: Ticks,
    /// What the clock counts in a second.
    pub ticks_per_second: u64,
    /// Events of threads in it, statuses included.
    pub events: u64,
    /// All its batches, its tables, and the end marker.
    pub bytes: Vec<u8>,
}

/// Why events or generations are not in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LossCause {
    /// No memory for them: the limit was reached or the system has none.
    OutOfMemory,
}

/// A generation that was traced, but that nobody gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostGeneration {
    /// Its number.
    pub number: Generation,
    /// When it began, on the trace's clock.
    pub started: Ticks,
    /// When the next one began, or tracing stopped.
    pub ended: Ticks,
    /// Events that would have been in it.
    pub events: u64,
    /// Why it was lost.
    pub cause: LossCause,
}

/// Someone who gets generations.
///
/// The calls come from the thread that ended the generation, one after another and in order, and the
/// next generation cannot end before they return. So they MUST be quick and never wait, otherwise
/// memory fills up; they may not start, advance or stop anything.
pub trait Consumer: Send + Sync {
    /// A generation is complete.
    fn generation(&self, generation: &Arc<EncodedGeneration>);

    /// A generation is lost. The next one begins in a state that the consumer has not seen.
    fn lost(&self, generation: &LostGeneration);
}
