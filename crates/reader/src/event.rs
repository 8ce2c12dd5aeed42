//! The public view of an ordered event.

use core::fmt;

use exectrace_wire::{
    EventType, Experiment, Generation, GoroutineId, ProcId, RawFrame, TaskId, ThreadId,
};

use crate::{
    generation::GenerationData,
    record::{NONE, Record, What},
    state::{GoState, ProcState},
    text::Text,
    time::{ClockSnapshot, Time, WallTime},
};

/// An event of a trace, in order, checked and resolved.
///
/// The view is cheap to copy and resolves strings and stacks only when asked; it borrows from the
/// reader until the next event is read.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    record: &'a Record,
    generation: &'a GenerationData,
    /// Text that the ordering kept for this event, see [`What::Kept`].
    kept: &'a [u8],
}

impl<'a> Event<'a> {
    pub(crate) fn new(record: &'a Record, generation: &'a GenerationData, kept: &'a [u8]) -> Self {
        Self {
            record,
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

    /// The stack at which it happened. A CPU sample always has one, possibly without frames.
    #[must_use]
    pub fn stack(&self) -> Option<Stack<'a>> {
        let id = match self.record.what {
            What::Sync => return None,
            What::CpuSample => return Some(self.stack_of(self.record.args[0])),
            What::Plain(event_type)
            | What::Kept(event_type)
            | What::Goroutine(event_type, ..)
            | What::Proc(event_type, ..) => {
                // Arguments of a record lack the time delta, which is the row's first.
                self.record.args[event_type.spec().stack_arg()? - 1]
            }
        };
        // In salvage mode a stack may be missing.
        let is_there = id != 0 && self.generation.tables.stacks.contains(id);
        is_there.then(|| self.stack_of(id))
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> EventKind<'a> {
        match self.record.what {
            What::Sync => EventKind::Sync(Sync {
                number: self.record.args[0],
                generation: self.has_generation().then_some(self.generation),
            }),
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
        self.record.args[1] != 0
    }

    fn goroutine_transition(
        &self,
        event_type: EventType,
        from: GoState,
        to: GoState,
    ) -> StateTransition<'a> {
        let args = &self.record.args;
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
        let args = &self.record.args;
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
            T::STWEnd => end(stopping(Text::new(self.kept))),
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
            T::UserTaskEnd => EventKind::TaskEnd(self.task(args[2], Text::new(self.kept))),
            T::UserRegionBegin => EventKind::RegionBegin(region()),
            T::UserRegionEnd => EventKind::RegionEnd(region()),
            T::UserLog => EventKind::Log(Log {
                task: TaskId(args[0]),
                category: self.text(args[1]),
                message: self.text(args[2]),
            }),
            _ => EventKind::Experimental(Experimental {
                event_type,
                args: &self.record.args,
            }),
        }
    }

    fn task(&self, parent: u64, kind: Text<'a>) -> Task<'a> {
        let parent = TaskId(parent);
        Task {
            id: TaskId(self.record.args[0]),
            parent: (parent != TaskId::NONE).then_some(parent),
            kind,
        }
    }

    /// Ids were checked when the event was ordered, so an unknown one cannot occur.
    fn text(&self, id: u64) -> Text<'a> {
        self.generation.tables.strings.get(id).unwrap_or_default()
    }

    fn stack_of(&self, id: u64) -> Stack<'a> {
        Stack {
            id,
            generation: self.generation,
        }
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

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum EventKind<'a> {
    /// A generation begins, or the trace ends.
    Sync(Sync<'a>),
    /// A metric has a new value.
    Metric(Metric),
    /// A goroutine is labelled.
    Label(Label<'a>),
    /// The CPU profiler took a sample; see [`Event::stack`].
    StackSample,
    /// A range begins.
    RangeBegin(Range<'a>),
    /// A range was open already when the generation began.
    RangeActive(Range<'a>),
    /// A range ends.
    RangeEnd(RangeEnd<'a>),
    /// A user task begins.
    TaskBegin(Task<'a>),
    /// A user task ends.
    TaskEnd(Task<'a>),
    /// A user region begins on the event's goroutine.
    RegionBegin(Region<'a>),
    /// The innermost user region of the event's goroutine ends.
    RegionEnd(Region<'a>),
    /// A log message of the user.
    Log(Log<'a>),
    /// A goroutine or a proc changes its state.
    StateTransition(StateTransition<'a>),
    /// An event of an experiment.
    Experimental(Experimental<'a>),
}

impl EventKind<'_> {
    /// The name that Go's tools print.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sync(_) => "Sync",
            Self::Metric(_) => "Metric",
            Self::Label(_) => "Label",
            Self::StackSample => "StackSample",
            Self::RangeBegin(_) => "RangeBegin",
            Self::RangeActive(_) => "RangeActive",
            Self::RangeEnd(_) => "RangeEnd",
            Self::TaskBegin(_) => "TaskBegin",
            Self::TaskEnd(_) => "TaskEnd",
            Self::RegionBegin(_) => "RegionBegin",
            Self::RegionEnd(_) => "RegionEnd",
            Self::Log(_) => "Log",
            Self::StateTransition(_) => "StateTransition",
            Self::Experimental(_) => "Experimental",
        }
    }
}

/// The start of a generation, or the end of the trace.
#[derive(Clone, Copy)]
pub struct Sync<'a> {
    number: u64,
    generation: Option<&'a GenerationData>,
}

impl<'a> Sync<'a> {
    /// Counts the syncs of the trace from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The generation that begins; `None` at the end of the trace and before a deferred error.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        self.generation.map(|generation| generation.number)
    }

    /// Clock units per second in the generation that begins.
    #[must_use]
    pub fn frequency(&self) -> Option<u64> {
        self.generation.map(|generation| generation.frequency)
    }

    /// Bytes of the trace that the generation takes up.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.generation.map(|generation| generation.bytes)
    }

    /// Threads that have events in the generation.
    #[must_use]
    pub fn threads(&self) -> Option<usize> {
        self.generation.map(|generation| generation.threads)
    }

    /// The clocks at the start of the generation (since Go 1.25).
    #[must_use]
    pub fn clock(&self) -> Option<ClockSnapshot> {
        self.generation.and_then(|generation| generation.clock)
    }

    /// The generation's experimental batches in file order, of experiments known and unknown.
    pub fn experimental_batches(&self) -> impl Iterator<Item = ExperimentalBatch<'a>> + use<'a> {
        self.generation.into_iter().flat_map(|generation| {
            generation
                .experimental
                .iter()
                .map(|batch| ExperimentalBatch {
                    experiment: batch.experiment,
                    thread: batch.thread,
                    data: &batch.data,
                })
        })
    }
}

impl fmt::Debug for Sync<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sync")
            .field("number", &self.number)
            .field("generation", &self.generation())
            .field("clock", &self.clock())
            .finish_non_exhaustive()
    }
}

/// Opaque data of an experiment.
#[derive(Clone, Copy, Debug)]
pub struct ExperimentalBatch<'a> {
    /// The number of the experiment; see [`Experiment::from_wire`].
    pub experiment: u8,
    /// The thread that wrote the data, if it is tied to one.
    pub thread: Option<ThreadId>,
    /// The data.
    pub data: &'a [u8],
}

/// A metric's new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Which metric.
    pub kind: MetricKind,
    /// Its value, in the unit that the metric's name ends in.
    pub value: u64,
}

/// The metrics of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// The number of procs (GOMAXPROCS).
    Procs,
    /// Bytes of heap objects, live or not yet swept.
    HeapObjects,
    /// The heap size in bytes that the collector aims at; 0 when it is disabled.
    HeapGoal,
}

impl MetricKind {
    /// The name in Go's `runtime/metrics`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Procs => "/sched/gomaxprocs:threads",
            Self::HeapObjects => "/memory/classes/heap/objects:bytes",
            Self::HeapGoal => "/gc/heap/goal:bytes",
        }
    }
}

/// A goroutine's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// The label.
    pub label: Text<'a>,
    /// The goroutine that it is put on.
    pub goroutine: GoroutineId,
}

/// A span of time that belongs to a goroutine, a proc or the whole process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range<'a> {
    /// What happens in it.
    pub kind: RangeKind<'a>,
    /// What it belongs to.
    pub scope: Scope,
}

/// What happens in a range. `Display` prints the names of Go's tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeKind<'a> {
    /// The concurrent mark phase of a garbage collection.
    GcConcurrentMark,
    /// A proc sweeps before it allocates.
    GcIncrementalSweep,
    /// A goroutine helps to mark before it allocates.
    GcMarkAssist,
    /// The world is stopped or being stopped.
    StopTheWorld {
        /// What for, such as `GC mark termination`.
        reason: Text<'a>,
    },
}

impl fmt::Display for RangeKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GcConcurrentMark => f.write_str("GC concurrent mark phase"),
            Self::GcIncrementalSweep => f.write_str("GC incremental sweep"),
            Self::GcMarkAssist => f.write_str("GC mark assist"),
            Self::StopTheWorld { reason } => write!(f, "stop-the-world ({reason})"),
        }
    }
}

/// What a range belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole process.
    Global,
    /// A goroutine.
    Goroutine(GoroutineId),
    /// A proc.
    Proc(ProcId),
}

/// The end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeEnd<'a> {
    /// The range that ends.
    pub range: Range<'a>,
    /// What an incremental sweep did; `None` for all other ranges.
    pub swept: Option<Swept>,
}

/// What an incremental sweep did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Bytes examined.
    pub swept_bytes: u64,
    /// Bytes freed.
    pub reclaimed_bytes: u64,
}

/// A user task that begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task<'a> {
    /// The task.
    pub id: TaskId,
    /// The task that it is a part of; `None` also when it began before the trace.
    pub parent: Option<TaskId>,
    /// The task's type, as given by the user; empty when it began before the trace.
    pub kind: Text<'a>,
}

/// A user region that begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region<'a> {
    /// The task that it is a part of, or [`TaskId::BACKGROUND`].
    pub task: TaskId,
    /// The region's type, as given by the user.
    pub name: Text<'a>,
}

/// A log message of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log<'a> {
    /// The task that it is a part of, or [`TaskId::BACKGROUND`].
    pub task: TaskId,
    /// The message's category.
    pub category: Text<'a>,
    /// The message.
    pub message: Text<'a>,
}

/// A change of state.
#[derive(Clone, Copy, Debug)]
pub enum StateTransition<'a> {
    /// Of a goroutine.
    Goroutine {
        /// The goroutine.
        id: GoroutineId,
        /// The state before.
        from: GoState,
        /// The state after.
        to: GoState,
        /// Why it stops or blocks; empty for all other transitions.
        reason: Text<'a>,
        /// The goroutine's own stack, where known. Of a goroutine that is created, the stack at
        /// which it will start, possibly without frames.
        stack: Option<Stack<'a>>,
    },
    /// Of a proc.
    Proc {
        /// The proc.
        id: ProcId,
        /// The state before.
        from: ProcState,
        /// The state after.
        to: ProcState,
    },
}

/// An event of an experiment.
#[derive(Clone, Copy, Debug)]
pub struct Experimental<'a> {
    event_type: EventType,
    args: &'a [u64; 4],
}

impl<'a> Experimental<'a> {
    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.event_type.name()
    }

    /// The experiment that it belongs to.
    #[must_use]
    pub fn experiment(&self) -> Experiment {
        self.event_type.spec().experiment
    }

    /// The event's arguments, names and values, without its time.
    pub fn args(&self) -> impl ExactSizeIterator<Item = (&'static str, u64)> + use<'a> {
        let specs = &self.event_type.spec().args[1..];
        specs
            .iter()
            .zip(self.args)
            .map(|(spec, value)| (spec.name, *value))
    }
}

/// A stack of a generation.
#[derive(Clone, Copy)]
pub struct Stack<'a> {
    id: u64,
    generation: &'a GenerationData,
}

impl<'a> Stack<'a> {
    /// The stack's frames, leaf first.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'a>> + use<'a> {
        let tables = &self.generation.tables;
        tables
            .stacks
            .frames(self.id)
            .map(|frame| Frame::new(frame, self.generation))
    }

    /// Whether it has no frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames().len() == 0
    }

    /// A number that identifies the stack in its generation, for caches; 0 for no frames.
    #[inline]
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The generation whose stack it is.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation.number
    }
}

impl fmt::Debug for Stack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.frames()).finish()
    }
}

/// A frame of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The program counter.
    pub pc: u64,
    /// The function's full name.
    pub function: Text<'a>,
    /// The source file.
    pub file: Text<'a>,
    /// The line in the source file.
    pub line: u64,
}

impl<'a> Frame<'a> {
    fn new(frame: RawFrame, generation: &'a GenerationData) -> Self {
        let text = |id| generation.tables.strings.get(id).unwrap_or_default();
        Self {
            pc: frame.pc,
            function: text(frame.func),
            file: text(frame.file),
            line: frame.line,
        }
    }
}
