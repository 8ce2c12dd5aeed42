//! The type of a row of the event table.

use crate::{EventType, Version};

/// One row of the table: everything there is to know about an event of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventSpec {
    /// The event that this row describes.
    pub event_type: EventType,
    /// The name that Go's text form uses.
    pub name: &'static str,
    /// The arguments in wire order; a timed event's first is its time delta.
    pub args: &'static [ArgSpec],
    /// Where the event may stand.
    pub class: Class,
    /// What follows the arguments.
    pub payload: Payload,
    /// The first version whose producers write the event.
    pub since: Version,
    /// The event that opens the range which this event ends or continues.
    pub range_start: Option<EventType>,
    /// The experiment that the event belongs to.
    pub experiment: Experiment,
    /// What the event means.
    pub doc: &'static str,
}

/// An argument of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArgSpec {
    /// The name that Go's text form uses.
    pub name: &'static str,
    /// What the number means.
    pub kind: ArgKind,
}

impl ArgSpec {
    pub(crate) const fn new(name: &'static str, kind: ArgKind) -> Self {
        Self { name, kind }
    }
}

/// What an argument's number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArgKind {
    /// Clock units since the previous event of the batch, or since the batch's time.
    Delta,
    /// Absolute time in clock units.
    Time,
    /// A number of a generation.
    Generation,
    /// A goroutine's id.
    Goroutine,
    /// A proc's id.
    Proc,
    /// A thread's id; `u64::MAX` for none.
    Thread,
    /// A step of the per-goroutine or per-proc sequence of the generation.
    GoroutineSeq,
    /// A step of the per-proc sequence of the generation.
    ProcSeq,
    /// A step of the global garbage collection sequence.
    GcSeq,
    /// A [`crate::GoStatus`].
    GoStatus,
    /// A [`crate::ProcStatus`].
    ProcStatus,
    /// A string id of the generation; 0 for the empty string.
    String,
    /// A stack id of the generation; 0 for no stack.
    Stack,
    /// A user task's id.
    Task,
    /// A plain number: a count, a size, a frequency or an experiment's value.
    Value,
}

/// Where an event may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// In a thread's batch, with a time delta as its first argument.
    Timed,
    /// At the top level of the file: a batch header, or the end of a generation.
    Framing,
    /// The first byte of a batch's data, which says what the records that follow are.
    Section,
    /// A record inside a section.
    Record,
}

/// What follows an event's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Payload {
    /// Nothing.
    None,
    /// A length and that many bytes.
    Data,
    /// As many frames as the last argument says, four numbers each.
    Frames,
}

/// An experiment: events and opaque batches that consumers may not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Experiment {
    /// No experiment: the event is part of the format proper.
    None,
    /// Allocations and frees of spans, objects and goroutine stacks (GODEBUG=traceallocfree=1).
    AllocFree,
}

impl Experiment {
    /// The number that an experimental batch carries.
    #[must_use]
    pub const fn to_wire(self) -> u8 {
        self as u8
    }

    /// The experiment behind the number of an experimental batch, if it is known.
    #[must_use]
    pub const fn from_wire(value: u64) -> Option<Self> {
        match value {
            0 => Some(Self::None),
            1 => Some(Self::AllocFree),
            _ => None,
        }
    }

    /// The name that Go's tools print; empty for [`Experiment::None`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::AllocFree => "AllocFree",
        }
    }
}

impl EventSpec {
    /// The index in [`EventSpec::args`] of the stack at which the event happened.
    #[must_use]
    pub const fn stack_arg(&self) -> Option<usize> {
        let mut i = self.args.len();
        // The event's own stack is the last one: GoCreate has the new goroutine's before it.
        while i > 0 {
            i -= 1;
            if matches!(self.args[i].kind, ArgKind::Stack) {
                return Some(i);
            }
        }
        None
    }

    /// Whether the event begins with a time delta. All timed events do, and so does ClockSnapshot:
    /// in a thread's batch Go's parser decodes it like an event, and only the ordering refuses it.
    #[must_use]
    pub const fn has_delta(&self) -> bool {
        !self.args.is_empty() && matches!(self.args[0].kind, ArgKind::Delta)
    }

    /// Whether the event stands in a thread's batch and carries a time delta.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        matches!(self.class, Class::Timed)
    }
}
