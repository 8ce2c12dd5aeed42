//! What an event says.

use core::fmt;

use exectrace_wire::{EventType, Experiment, Generation, GoroutineId, ProcId, TaskId, ThreadId};

use super::Stack;
use crate::{
    generation::GenerationData,
    state::{GoState, ProcState},
    text::Text,
    time::ClockSnapshot,
};

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum EventKind<'a> {
    /// A generation begins, or the trace ends.
    Sync(Sync<'a>),
    /// A metric has a new value.
    Metric(Metric),
    /// A goroutine is labelled.
    Label(Label<'a>),
    /// The CPU profiler took a sample; see [`crate::Event::stack`].
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
    pub(super) fn new(number: u64, generation: Option<&'a GenerationData>) -> Self {
        Self { number, generation }
    }

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
    pub(super) fn new(event_type: EventType, args: &'a [u64; 4]) -> Self {
        Self { event_type, args }
    }

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
