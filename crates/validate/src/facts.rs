//! Events as plain data.
//!
//! Rules work on these rather than on the reader's views, so that tests can break rules that no
//! event of the reader breaks.

use exectrace_reader::{
    ClockSnapshot, Event, EventKind, EventType, Generation, GoState, GoroutineId, Label, Log,
    Metric, ProcId, ProcState, Range, RangeEnd, Region, StateTransition, Task, ThreadId, Time,
};

/// What rules look at in an event, but the frames of its stacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) time: Time,
    pub(crate) thread: Option<ThreadId>,
    pub(crate) proc: Option<ProcId>,
    pub(crate) goroutine: Option<GoroutineId>,
    pub(crate) event_type: Option<EventType>,
    /// The id of the event's stack.
    pub(crate) stack: Option<u64>,
    pub(crate) what: What<'a>,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'a> {
    Sync(Sync),
    Metric(Metric),
    Label(Label<'a>),
    Sample,
    RangeBegin(Range<'a>),
    RangeActive(Range<'a>),
    RangeEnd(RangeEnd<'a>),
    TaskBegin(Task<'a>),
    TaskEnd(Task<'a>),
    RegionBegin(Region<'a>),
    RegionEnd(Region<'a>),
    Log(Log<'a>),
    Goroutine(GoTransition),
    Proc {
        id: ProcId,
        from: ProcState,
        to: ProcState,
    },
    /// With the first two arguments, as far as there are so many.
    Experimental(Option<u64>, Option<u64>),
}

/// A sync.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    pub(crate) number: u64,
    pub(crate) generation: Option<Generation>,
    pub(crate) frequency: Option<u64>,
    pub(crate) clock: Option<ClockSnapshot>,
}

/// A goroutine's transition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GoTransition {
    pub(crate) id: GoroutineId,
    pub(crate) from: GoState,
    pub(crate) to: GoState,
    /// The id of the goroutine's own stack.
    pub(crate) stack: Option<u64>,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(event: &Event<'a>) -> Self {
        Self {
            time: event.time(),
            thread: event.thread(),
            proc: event.proc(),
            goroutine: event.goroutine(),
            event_type: event.event_type(),
            stack: event.stack().map(|stack| stack.id()),
            what: What::of(event.kind()),
        }
    }
}

impl<'a> What<'a> {
    fn of(kind: EventKind<'a>) -> Self {
        match kind {
            EventKind::Sync(sync) => Self::Sync(Sync {
                number: sync.number(),
                generation: sync.generation(),
                frequency: sync.frequency(),
                clock: sync.clock(),
            }),
            EventKind::Metric(metric) => Self::Metric(metric),
            EventKind::Label(label) => Self::Label(label),
            EventKind::StackSample => Self::Sample,
            EventKind::RangeBegin(range) => Self::RangeBegin(range),
            EventKind::RangeActive(range) => Self::RangeActive(range),
            EventKind::RangeEnd(end) => Self::RangeEnd(end),
            EventKind::TaskBegin(task) => Self::TaskBegin(task),
            EventKind::TaskEnd(task) => Self::TaskEnd(task),
            EventKind::RegionBegin(region) => Self::RegionBegin(region),
            EventKind::RegionEnd(region) => Self::RegionEnd(region),
            EventKind::Log(log) => Self::Log(log),
            EventKind::StateTransition(StateTransition::Goroutine {
                id,
                from,
                to,
                stack,
                ..
            }) => Self::Goroutine(GoTransition {
                id,
                from,
                to,
                stack: stack.map(|stack| stack.id()),
            }),
            EventKind::StateTransition(StateTransition::Proc { id, from, to }) => {
                Self::Proc { id, from, to }
            }
            EventKind::Experimental(experimental) => {
                let mut args = experimental.args().map(|(_, value)| value);
                Self::Experimental(args.next(), args.next())
            }
        }
    }
}
