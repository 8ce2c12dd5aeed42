//! The public view of an ordered event.

mod kind;
mod stack;

use core::fmt;

use exectrace_wire::{EventType, GoroutineId, ProcId, TaskId, ThreadId};

pub use kind::{
    EventKind, Experimental, ExperimentalBatch, Label, Log, Metric, MetricKind, Range, RangeEnd,
    RangeKind, Region, Scope, StateTransition, Swept, Sync, Task,
};
pub use stack::{Frame, Stack};

use crate::{
    generation::GenerationData,
    record::{KeptText, NONE, Record, What},
    shape::Args,
    state::GoState,
    text::Text,
    time::{Time, WallTime},
};

/// An event of a trace, in order, checked and resolved.
///
/// The view is cheap to copy and resolves strings and stacks only when asked; it borrows from the
/// reader until the next event is read.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    record: &'a Record,
    /// Apart from the record: those of most events stay where they were decoded.
    args: &'a Args,
    generation: &'a GenerationData,
    /// Text that the ordering kept for this event, see [`What::Kept`].
    kept: &'a KeptText,
}

impl<'a> Event<'a> {
    #[inline(always)]
    pub(crate) fn new(
        record: &'a Record,
        args: &'a Args,
        generation: &'a GenerationData,
        kept: &'a KeptText,
    ) -> Self {
        Self {
            record,
            args,
            generation,
            kept,
        }
    }

    /// When it happened. Strictly increasing from event to event.
    #[inline]
    #[must_use]
    pub fn time(&self) -> Time {
        Time(self.record.time)
    }

    /// When it happened on the wall clock, if the generation has a clock snapshot (since Go 1.25).
    #[must_use]
    pub fn wall_time(&self) -> Option<WallTime> {
        self.generation
            .clock
            .map(|clock| clock.wall_time_of(self.time()))
    }

    /// The thread on which it happened.
    #[inline]
    #[must_use]
    pub fn thread(&self) -> Option<ThreadId> {
        (self.record.thread != NONE).then_some(ThreadId(self.record.thread))
    }

    /// The proc that the thread held before the event.
    #[inline]
    #[must_use]
    pub fn proc(&self) -> Option<ProcId> {
        (self.record.proc != NONE).then_some(ProcId(self.record.proc))
    }

    /// The goroutine that the thread ran before the event.
    #[inline]
    #[must_use]
    pub fn goroutine(&self) -> Option<GoroutineId> {
        (self.record.goroutine != NONE).then_some(GoroutineId(self.record.goroutine))
    }

    /// The event of the format that it comes from; `None` for syncs and CPU samples.
    ///
    /// A coroutine switch is one event of the format and three of these: an unblock with the type
    /// of the switch, a block or destroy, and a start.
    #[inline]
    #[must_use]
    pub fn event_type(&self) -> Option<EventType> {
        self.record.what.event_type()
    }

    /// The arguments of [`Event::event_type`], without its time: ids of strings and stacks are those
    /// of the generation. For tools that write traces; [`Event::kind`] says what they mean.
    ///
    /// Two events differ from their rows. `UserTaskEnd` has the task's parent as its third argument.
    /// And a goroutine that ends in a system call takes leave of its proc with a `ProcSteal` that is
    /// not in the trace: its `p_seq` is 0.
    #[inline]
    #[must_use]
    pub fn args(&self) -> &'a [u64; 4] {
        self.args
    }

    /// The string of the event's generation with this id.
    #[must_use]
    pub fn string(&self, id: u64) -> Option<Text<'a>> {
        self.generation.tables.strings.get(id)
    }

    /// The stack of the event's generation with this id; `None` for 0, which is no stack.
    #[must_use]
    pub fn stack_with_id(&self, id: u64) -> Option<Stack<'a>> {
        let is_there = id != 0 && self.generation.tables.stacks.contains(id);
        is_there.then(|| self.stack_of(id))
    }

    /// The stack at which it happened. A CPU sample always has one, possibly without frames.
    #[must_use]
    pub fn stack(&self) -> Option<Stack<'a>> {
        let id = match self.record.what {
            What::Sync => return None,
            What::CpuSample => return Some(self.stack_of(self.args[0])),
            What::Plain(event_type)
            | What::Kept(event_type)
            | What::Goroutine(event_type, ..)
            | What::Proc(event_type, ..) => {
                // Arguments of a record lack the time delta, which is the row's first.
                self.args[event_type.spec().stack_arg()? - 1]
            }
        };
        // In salvage mode a stack may be missing.
        self.stack_with_id(id)
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> EventKind<'a> {
        match self.record.what {
            What::Sync => EventKind::Sync(Sync::new(
                self.args[0],
                self.has_generation().then_some(self.generation),
            )),
            What::CpuSample => EventKind::StackSample,
            What::Goroutine(event_type, from, to) => {
                EventKind::StateTransition(self.goroutine_transition(event_type, from, to))
            }
            What::Proc(_, from, to) => EventKind::StateTransition(StateTransition::Proc {
                id: ProcId(self.record.resource),
                from,
                to,
            }),
            What::Plain(event_type) | What::Kept(event_type) => self.plain_kind(event_type),
        }
    }

    /// Syncs at the end of a trace belong to no generation: their second argument says so.
    fn has_generation(&self) -> bool {
        self.args[1] != 0
    }

    fn goroutine_transition(
        &self,
        event_type: EventType,
        from: GoState,
        to: GoState,
    ) -> StateTransition<'a> {
        let args = self.args;
        let reason = match event_type {
            EventType::GoStop | EventType::GoBlock => self.text(args[0]),
            _ => Text::default(),
        };
        let stack = match event_type {
            // Present even without frames, as in Go.
            EventType::GoCreate | EventType::GoCreateBlocked => Some(self.stack_of(args[1])),
            EventType::GoStop
            | EventType::GoBlock
            | EventType::GoSyscallBegin
            | EventType::GoStatusStack => self.stack(),
            _ => None,
        };
        StateTransition::Goroutine {
            id: GoroutineId(self.record.resource),
            from,
            to,
            reason,
            stack,
        }
    }

    fn plain_kind(&self, event_type: EventType) -> EventKind<'a> {
        use EventType as T;
        let args = self.args;
        let goroutine = GoroutineId(self.record.goroutine);
        let proc = ProcId(self.record.proc);
        let metric = |kind| {
            EventKind::Metric(Metric {
                kind,
                value: args[0],
            })
        };
        let range = |kind, scope| Range { kind, scope };
        let marking = range(RangeKind::GcConcurrentMark, Scope::Global);
        let sweeping = |proc| range(RangeKind::GcIncrementalSweep, Scope::Proc(proc));
        let assisting = |g| range(RangeKind::GcMarkAssist, Scope::Goroutine(g));
        let stopping = |kind| {
            range(
                RangeKind::StopTheWorld { reason: kind },
                Scope::Goroutine(goroutine),
            )
        };
        let end = |range| EventKind::RangeEnd(RangeEnd { range, swept: None });
        let region = || Region {
            task: TaskId(args[0]),
            name: self.text(args[1]),
        };
        match event_type {
            T::ProcsChange => metric(MetricKind::Procs),
            T::HeapAlloc => metric(MetricKind::HeapObjects),
            T::HeapGoal => metric(MetricKind::HeapGoal),
            T::GoLabel => EventKind::Label(Label {
                label: self.text(args[0]),
                goroutine,
            }),
            T::STWBegin => EventKind::RangeBegin(stopping(self.text(args[0]))),
            T::STWEnd => end(stopping(Text::new(&self.kept.0))),
            T::GCBegin => EventKind::RangeBegin(marking),
            T::GCActive => EventKind::RangeActive(marking),
            T::GCEnd => end(marking),
            T::GCSweepBegin => EventKind::RangeBegin(sweeping(proc)),
            T::GCSweepActive => EventKind::RangeActive(sweeping(ProcId(args[0]))),
            T::GCSweepEnd => EventKind::RangeEnd(RangeEnd {
                range: sweeping(proc),
                swept: Some(Swept {
                    swept_bytes: args[0],
                    reclaimed_bytes: args[1],
                }),
            }),
            T::GCMarkAssistBegin => EventKind::RangeBegin(assisting(goroutine)),
            T::GCMarkAssistActive => EventKind::RangeActive(assisting(GoroutineId(args[0]))),
            T::GCMarkAssistEnd => end(assisting(goroutine)),
            T::UserTaskBegin => EventKind::TaskBegin(self.task(args[1], self.text(args[2]))),
            T::UserTaskEnd => EventKind::TaskEnd(self.task(args[2], Text::new(&self.kept.0))),
            T::UserRegionBegin => EventKind::RegionBegin(region()),
            T::UserRegionEnd => EventKind::RegionEnd(region()),
            T::UserLog => EventKind::Log(Log {
                task: TaskId(args[0]),
                category: self.text(args[1]),
                message: match self.record.what {
                    What::Kept(_) => Text::new(&self.kept.0),
                    _ => self.text(args[2]),
                },
            }),
            _ => EventKind::Experimental(Experimental::new(event_type, self.args)),
        }
    }

    fn task(&self, parent: u64, kind: Text<'a>) -> Task<'a> {
        let parent = TaskId(parent);
        Task {
            id: TaskId(self.args[0]),
            parent: (parent != TaskId::NONE).then_some(parent),
            kind,
        }
    }

    /// Ids were checked when the event was ordered, so an unknown one cannot occur.
    fn text(&self, id: u64) -> Text<'a> {
        self.generation.tables.strings.get(id).unwrap_or_default()
    }

    fn stack_of(&self, id: u64) -> Stack<'a> {
        Stack::new(id, self.generation)
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("time", &self.time())
            .field("thread", &self.thread())
            .field("proc", &self.proc())
            .field("goroutine", &self.goroutine())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}
