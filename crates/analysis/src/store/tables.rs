//! The rows of the smaller tables.

use exectrace_reader::{
    ClockSnapshot, Generation, GoroutineId, MetricKind, ProcId, Swept, TaskId, ThreadId, Time,
};

use crate::{
    ids::{GoroutineIx, PlaceIx, ProcIx, RegionIx, StackIx, StringIx, TaskIx, ThreadIx},
    span::Seen,
};

/// A goroutine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goroutine {
    /// Its id. Several lives may share one, one after the other.
    pub id: GoroutineId,
    /// From its creation to its end. A goroutine that existed before the trace is seen from the
    /// generation's start at which it is first known.
    pub seen: Seen,
    /// The function that it began with; `None` if no stack of it was seen.
    pub function: Option<StringIx>,
    /// The goroutine that created it, where one did, in the trace.
    pub creator: Option<GoroutineIx>,
    /// Where it was created: the creator's stack.
    pub creation_stack: Option<StackIx>,
    /// The task of the region in which it was created.
    pub inherited_task: Option<TaskIx>,
}

/// A row of the table of goroutines. Indices are packed: see [`GoroutineIx::pack`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct GoroutineRow {
    pub(crate) id: u64,
    pub(crate) start: i64,
    /// Meaningless unless `ended`.
    pub(crate) end: i64,
    pub(crate) function: u32,
    pub(crate) creator: u32,
    pub(crate) creation_stack: u32,
    pub(crate) inherited_task: u32,
    pub(crate) existed: bool,
    pub(crate) ended: bool,
}

/// A user task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The task that it is a part of, if it is one, and if that is known.
    pub parent: Option<TaskIx>,
    /// Its type, as given by the user; empty if it began before the trace.
    pub kind: StringIx,
    /// When it began; `None` if that was before the trace, or if the task is only mentioned.
    pub start: Option<Time>,
    /// When it ended; `None` if it did not within the trace.
    pub end: Option<Time>,
    /// The goroutine that began it.
    pub begun_by: Option<GoroutineIx>,
    /// The goroutine that ended it.
    pub ended_by: Option<GoroutineIx>,
    /// Where it began.
    pub begin_stack: Option<StackIx>,
}

/// A user region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its type, as given by the user.
    pub name: StringIx,
    /// The goroutine that it is a part of.
    pub goroutine: GoroutineIx,
    /// The task that it is a part of; `None` for the background task.
    pub task: Option<TaskIx>,
    /// The region around it, of the same goroutine.
    pub parent: Option<RegionIx>,
    /// When it began; `None` if that was before the trace.
    pub start: Option<Time>,
    /// When it ended; `None` if it did not before its goroutine or the trace did.
    pub end: Option<Time>,
    /// Where it began.
    pub begin_stack: Option<StackIx>,
    /// Where it ended.
    pub end_stack: Option<StackIx>,
}

/// What happens in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RangeKind {
    /// The concurrent mark phase of a garbage collection.
    GcConcurrentMark,
    /// A proc sweeps before it allocates.
    GcIncrementalSweep,
    /// A goroutine helps to mark before it allocates.
    GcMarkAssist,
    /// The world is stopped, or being stopped, for this reason.
    StopTheWorld(StringIx),
}

/// What a range belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole process.
    Global,
    /// A goroutine.
    Goroutine(GoroutineIx),
    /// A proc.
    Proc(ProcIx),
}

/// A span of time that belongs to a goroutine, a proc or the whole process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// What happens in it.
    pub kind: RangeKind,
    /// What it belongs to.
    pub scope: Scope,
    /// What the trace saw of it.
    pub seen: Seen,
    /// The goroutine that was running where it began, if any. Of a range that was open already, where
    /// that was reported.
    pub begun_on: Option<GoroutineIx>,
    /// The goroutine that was running where it ended, if it did.
    pub ended_on: Option<GoroutineIx>,
    /// Where it began.
    pub stack: Option<StackIx>,
    /// What an incremental sweep did, if it ended.
    pub swept: Option<Swept>,
}

/// A log message of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// When.
    pub time: Time,
    /// The goroutine that logged.
    pub goroutine: Option<GoroutineIx>,
    /// The task that it is a part of; `None` for the background task.
    pub task: Option<TaskIx>,
    /// The message's category.
    pub category: StringIx,
    /// The message.
    pub message: StringIx,
    /// Where.
    pub stack: Option<StackIx>,
}

/// A label that a goroutine got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// When.
    pub time: Time,
    /// The goroutine.
    pub goroutine: Option<GoroutineIx>,
    /// The label.
    pub label: StringIx,
}

/// A sample of the CPU profiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub time: Time,
    /// The goroutine that was running, if any.
    pub goroutine: Option<GoroutineIx>,
    /// The thread and the proc.
    pub place: PlaceIx,
    /// The stack; `None` if it has no frames.
    pub stack: Option<StackIx>,
}

/// A metric's new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// When.
    pub time: Time,
    /// Which metric.
    pub kind: MetricKind,
    /// Its value, in the unit that the metric's name ends in.
    pub value: u64,
}

/// A thread together with the proc that it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The thread.
    pub thread: Option<ThreadIx>,
    /// The proc.
    pub proc: Option<ProcIx>,
}

/// The start of a generation, or the end of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sync {
    /// When.
    pub time: Time,
    /// The generation that begins; `None` at the end of the trace.
    pub generation: Option<Generation>,
    /// The clocks at that time, where the trace has them.
    pub clock: Option<ClockSnapshot>,
}

/// What a proc begins to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcChange {
    /// When.
    pub time: Time,
    /// The proc.
    pub proc: ProcIx,
    /// What it does from now on.
    pub state: ProcState,
}

/// What a proc does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcState {
    /// It is held by a thread; `None` if the trace does not say by which.
    Running(Option<ThreadIx>),
    /// It is held by nobody.
    Idle,
    /// Not known: what could tell was lost.
    Unknown,
}

/// Ids of procs and threads by index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    pub(crate) procs: Vec<ProcId>,
    pub(crate) threads: Vec<ThreadId>,
}
