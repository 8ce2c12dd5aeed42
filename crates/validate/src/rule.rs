//! What a trace must keep to, rule by rule.

use core::fmt;

/// How bad it is to break a rule, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Unusual, but sound in some programs, or in traces that begin in the middle of things.
    Notice,
    /// No sound producer writes it, though Go's validator lets it pass.
    Strict,
    /// Go's validator objects as well.
    Go,
}

impl Severity {
    /// A word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Strict => "strict",
            Self::Go => "go",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $variant:ident = $severity:ident, $name:literal;)*) => {
        /// A rule that a trace must keep to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Rule {
            /// All rules, in the order of this enum.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// A short name that stays the same, such as `time-order`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// How bad it is to break it.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// What it says, in a sentence or two.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii()),* }
            }
        }
    };
}

rules! {
    // Go's rules (`internal/trace/testtrace`). Two of them are not here because the types of the
    // event model leave no way to break them: that metrics have a name with a unit and a value,
    // and that labels are on something.

    /// Times strictly increase from event to event.
    TimeOrder = Go, "time-order";
    /// All frames of a stack but the leaf have a function, file, line and program counter.
    StackFrame = Go, "stack-frame";
    /// Syncs are numbered from 1 without a gap.
    SyncNumber = Go, "sync-number";
    /// The first sync of a trace of Go 1.25 or later has a clock snapshot.
    ClockMissing = Go, "clock-missing";
    /// No clock of a snapshot is zero.
    ClockZero = Go, "clock-zero";
    /// Every clock of a snapshot is later than in the snapshot before.
    ClockOrder = Go, "clock-order";
    /// Labels are not empty.
    LabelEmpty = Go, "label-empty";
    /// Labels are put on goroutines that exist.
    LabelUnknown = Go, "label-unknown";
    /// No transition leads to an undetermined state.
    ToUndetermined = Go, "to-undetermined";
    /// Only in the first generation a state before may be undetermined.
    LateUndetermined = Go, "late-undetermined";
    /// What ends has no open range.
    RangeOpenAtExit = Go, "range-open-at-exit";
    /// A transition begins in the state in which the one before left the goroutine or proc. So the
    /// times that it spends in its states add up to its lifetime.
    StateChain = Go, "state-chain";
    /// What was not mentioned before begins as undetermined or not existing.
    StateUnknown = Go, "state-unknown";
    /// What executes does so on a thread.
    NoThread = Go, "no-thread";
    /// A thread executes one goroutine and one proc at a time.
    ThreadBusy = Go, "thread-busy";
    /// What stops executing was executing on a thread.
    NotOnThread = Go, "not-on-thread";
    /// What stops executing is still what its thread executes.
    Displaced = Go, "displaced";
    /// A goroutine that stops executing does so at the event's own stack.
    TransitionStack = Go, "transition-stack";
    /// A range that begins is not open.
    RangeOpen = Go, "range-open";
    /// A range that ends is open.
    RangeNotOpen = Go, "range-not-open";
    /// Tasks that begin have an id of their own.
    TaskId = Go, "task-id";
    /// No task is a part of the background task.
    TaskParent = Go, "task-parent";
    /// A task ends with the type with which it began.
    TaskType = Go, "task-type";

    // What no sound producer writes.

    /// Events are not newer than the version of the format that the header names.
    EventTooNew = Strict, "event-too-new";
    /// Generations are numbered in ascending order.
    GenerationOrder = Strict, "generation-order";
    /// The trace clock has a frequency.
    Frequency = Strict, "frequency";
    /// A generation's clock snapshot is not later than its last event, if it has any.
    ClockPlacement = Strict, "clock-placement";
    /// Goroutines have ids other than those that stand for none.
    GoroutineId = Strict, "goroutine-id";
    /// An event's proc and goroutine are those that its thread held after the event before.
    ThreadContext = Strict, "thread-context";
    /// A running goroutine's thread holds a proc.
    RunningWithoutProc = Strict, "running-without-proc";
    /// A thread keeps its proc while its goroutine is running.
    ProcLost = Strict, "proc-lost";
    /// No more procs are held by threads than there are.
    ProcLimit = Strict, "proc-limit";
    /// Of the ranges of one goroutine or proc, the innermost ends first.
    RangeNesting = Strict, "range-nesting";
    /// The world is stopped by one goroutine at a time.
    StopOverlap = Strict, "stop-overlap";
    /// A proc that sweeps is held by a thread.
    SweepWithoutThread = Strict, "sweep-without-thread";
    /// A region that ends is the innermost one of its goroutine.
    RegionNesting = Strict, "region-nesting";
    /// A goroutine that was created in the trace ends no region that it did not begin.
    RegionNotOpen = Strict, "region-not-open";
    /// A task that begins is not active.
    TaskActive = Strict, "task-active";
    /// No task is a part of itself.
    TaskOwnParent = Strict, "task-own-parent";
    /// There is at least one proc, and no number of bytes is negative.
    MetricValue = Strict, "metric-value";
    /// A sweep frees no more bytes than it examines.
    SweptBytes = Strict, "swept-bytes";
    /// A CPU sample of a goroutine that executes is from the thread on which it does.
    SampleThread = Strict, "sample-thread";
    /// Spans have pages and stacks have a size (AllocFree).
    AllocSize = Strict, "alloc-size";

    // Unusual.

    /// Tasks that end, or have parts, regions and messages, began in the trace and have not ended.
    TaskUnknown = Notice, "task-unknown";
    /// A goroutine ends its regions before it ends.
    RegionOpenAtExit = Notice, "region-open-at-exit";
    /// What is allocated, or exists when tracing starts, is not live yet (AllocFree). Go's tracer
    /// itself does not keep to it: it shows tiny objects as allocated at the place of the block
    /// that they share, and misses frees of stacks.
    AllocLive = Notice, "alloc-live";
    /// What is freed is live, if the trace says what was live when it began (AllocFree). Go's
    /// tracer misses allocations of stacks.
    FreeUnknown = Notice, "free-unknown";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
