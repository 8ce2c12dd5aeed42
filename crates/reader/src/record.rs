//! How an ordered event is kept between the ordering and its user.

use exectrace_wire::EventType;

use crate::state::{GoState, ProcState};

/// An ordered event in the wire's terms, with what the ordering found out about it.
///
/// Ids are kept as they stand on the wire; [`NONE`] is "none" in the three context fields. The
/// public view of it is [`crate::Event`].
///
/// The order of the fields matters: the goroutine of a thread has often just been written when the
/// next event of the thread copies its context. If it stood between fields that are copied too, the
/// compiler would load them together, and such a load has to wait until the write is in the cache.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Record {
    /// The goroutine that the thread ran before the event.
    pub(crate) goroutine: u64,
    /// Nanoseconds on the trace clock, strictly increasing over delivered records.
    pub(crate) time: i64,
    /// The thread.
    pub(crate) thread: u64,
    /// The proc that the thread held before the event.
    pub(crate) proc: u64,
    /// The event's arguments without its time delta.
    pub(crate) args: [u64; 4],
    /// The goroutine or proc of a transition, [`NONE`] elsewhere.
    pub(crate) resource: u64,
    pub(crate) what: What,
}

/// Text of a record that is [`What::Kept`]. A type of its own so that an event points to it with one
/// word.
#[derive(Debug, Default)]
pub(crate) struct KeptText(pub(crate) Vec<u8>);

/// No thread, proc or goroutine in a [`Record`]'s context.
pub(crate) const NONE: u64 = u64::MAX;

/// What a record is, beyond its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A sync; `args[0]` is its number.
    Sync,
    /// A CPU sample; `args[0]` is its stack.
    CpuSample,
    /// An event without a state transition.
    Plain(EventType),
    /// An event whose text is not in the generation's string table but kept aside by the ordering,
    /// because it began in an earlier generation: the type of a task that ends, the kind of a
    /// stop-the-world that ends. In traces of the v1 formats also the message of a log.
    Kept(EventType),
    /// A goroutine's transition.
    Goroutine(EventType, GoState, GoState),
    /// A proc's transition.
    Proc(EventType, ProcState, ProcState),
}

impl What {
    /// The event of the format that the record comes from.
    #[inline]
    pub(crate) const fn event_type(self) -> Option<EventType> {
        match self {
            Self::Sync | Self::CpuSample => None,
            Self::Plain(event_type)
            | Self::Kept(event_type)
            | Self::Goroutine(event_type, ..)
            | Self::Proc(event_type, ..) => Some(event_type),
        }
    }
}
