//! The table: every event of the v2 formats, declared once.
//!
//! Source of the rows: format specification, section 2.2 (Go: `internal/trace/tracev2/events.go`).

use crate::{ArgKind, ArgSpec, Class, EventSpec, Experiment, Payload, Version};

/// Expands to the enum, its rows, and the lookup from a wire byte.
///
/// A row reads
/// `/// what it means` `Name = id, since version, class [, ends Start] [, payload P] [, experiment E] { arg: Kind, … }`.
macro_rules! events {
    ($(
        #[doc = $first:literal] $(#[doc = $doc:literal])*
        $name:ident = $id:literal, $since:ident, $class:ident
        $(, ends $start:ident)? $(, payload $payload:ident)? $(, experiment $experiment:ident)?
        { $($arg:ident: $kind:ident),* $(,)? }
    )*) => {
        /// An event of the format: the first byte of its encoding.
        ///
        /// Variants are spelled as Go's text form spells them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum EventType {
            $(#[doc = $first] $(#[doc = $doc])* $name = $id,)*
        }

        /// The table, in order of event ids.
        pub const SPECS: &[EventSpec] = &[$(EventSpec {
            event_type: EventType::$name,
            name: stringify!($name),
            args: &[$(ArgSpec::new(stringify!($arg), ArgKind::$kind)),*],
            class: Class::$class,
            payload: events!(@payload $($payload)?),
            since: Version::$since,
            range_start: events!(@start $($start)?),
            experiment: events!(@experiment $($experiment)?),
            doc: concat!($first $(, "\n", $doc)*),
        }),*];
    };
    (@payload) => { Payload::None };
    (@payload $payload:ident) => { Payload::$payload };
    (@start) => { None };
    (@start $start:ident) => { Some(EventType::$start) };
    (@experiment) => { Experiment::None };
    (@experiment $experiment:ident) => { Experiment::$experiment };
}

events! {
    /// Header of a batch: `size` bytes of data of one thread and generation follow.
    EventBatch = 1, Go122, Framing { gen: Generation, m: Thread, time: Time, size: Value }
    /// Section of stacks: the generation's stack table, or a part of it.
    Stacks = 2, Go122, Section {}
    /// A stack, leaf first. Each frame is four numbers: pc, function and file (strings), line.
    Stack = 3, Go122, Record, payload Frames { id: Value, nframes: Value }
    /// Section of strings: the generation's string table, or a part of it.
    Strings = 4, Go122, Section {}
    /// A string: raw bytes, possibly cut inside a UTF-8 sequence.
    String = 5, Go122, Record, payload Data { id: Value }
    /// Section of CPU profile samples.
    CPUSamples = 6, Go122, Section {}
    /// A CPU profile sample. `time` is absolute; `p` is `u64::MAX` and `g` is 0 for none.
    CPUSample = 7, Go122, Record { time: Time, m: Thread, p: Proc, g: Goroutine, stack: Stack }
    /// Clock units per second in this generation.
    Frequency = 8, Go122, Record { freq: Value }
    /// The number of procs (GOMAXPROCS) changed.
    ProcsChange = 9, Go122, Timed { dt: Delta, procs_value: Value, stack: Stack }
    /// The thread took proc `p` and starts running goroutines.
    ProcStart = 10, Go122, Timed { dt: Delta, p: Proc, p_seq: ProcSeq }
    /// The thread gave its proc up.
    ProcStop = 11, Go122, Timed { dt: Delta }
    /// The thread took proc `p` away from thread `m`, which is in a system call.
    ProcSteal = 12, Go122, Timed { dt: Delta, p: Proc, p_seq: ProcSeq, m: Thread }
    /// What proc `p` does when it is first mentioned in the generation.
    ProcStatus = 13, Go122, Timed { dt: Delta, p: Proc, pstatus: ProcStatus }
    /// A goroutine was created, runnable, to start at `new_stack`.
    GoCreate = 14, Go122, Timed { dt: Delta, new_g: Goroutine, new_stack: Stack, stack: Stack }
    /// A goroutine appeared on a thread that called Go from C; it is in a system call.
    GoCreateSyscall = 15, Go122, Timed { dt: Delta, new_g: Goroutine }
    /// The thread starts running goroutine `g`.
    GoStart = 16, Go122, Timed { dt: Delta, g: Goroutine, g_seq: GoroutineSeq }
    /// The running goroutine ended.
    GoDestroy = 17, Go122, Timed { dt: Delta }
    /// The goroutine of a thread that returns to C ended; it was in a system call.
    GoDestroySyscall = 18, Go122, Timed { dt: Delta }
    /// The running goroutine yielded and is runnable.
    GoStop = 19, Go122, Timed { dt: Delta, reason_string: String, stack: Stack }
    /// The running goroutine blocked.
    GoBlock = 20, Go122, Timed { dt: Delta, reason_string: String, stack: Stack }
    /// Goroutine `g` was made runnable.
    GoUnblock = 21, Go122, Timed { dt: Delta, g: Goroutine, g_seq: GoroutineSeq, stack: Stack }
    /// The running goroutine entered a system call; `p_seq` says which, should the proc be stolen.
    GoSyscallBegin = 22, Go122, Timed { dt: Delta, p_seq: ProcSeq, stack: Stack }
    /// The system call returned and the goroutine kept its proc.
    GoSyscallEnd = 23, Go122, Timed, ends GoSyscallBegin { dt: Delta }
    /// The system call returned but the proc was lost: the goroutine is runnable.
    GoSyscallEndBlocked = 24, Go122, Timed, ends GoSyscallBegin { dt: Delta }
    /// What goroutine `g` does when it is first mentioned in the generation.
    GoStatus = 25, Go122, Timed { dt: Delta, g: Goroutine, m: Thread, gstatus: GoStatus }
    /// The world is being stopped.
    STWBegin = 26, Go122, Timed { dt: Delta, kind_string: String, stack: Stack }
    /// The world runs again.
    STWEnd = 27, Go122, Timed, ends STWBegin { dt: Delta }
    /// The concurrent mark phase was active when the generation began.
    GCActive = 28, Go122, Timed, ends GCBegin { dt: Delta, gc_seq: GcSeq }
    /// The concurrent mark phase began.
    GCBegin = 29, Go122, Timed { dt: Delta, gc_seq: GcSeq, stack: Stack }
    /// The concurrent mark phase ended.
    GCEnd = 30, Go122, Timed, ends GCBegin { dt: Delta, gc_seq: GcSeq }
    /// Proc `p` was sweeping when the generation began.
    GCSweepActive = 31, Go122, Timed, ends GCSweepBegin { dt: Delta, p: Proc }
    /// The proc began to sweep incrementally.
    GCSweepBegin = 32, Go122, Timed { dt: Delta, stack: Stack }
    /// The proc ended its sweep: bytes examined and bytes freed.
    GCSweepEnd = 33, Go122, Timed, ends GCSweepBegin { dt: Delta, swept_value: Value, reclaimed_value: Value }
    /// Goroutine `g` was assisting the mark phase when the generation began.
    GCMarkAssistActive = 34, Go122, Timed, ends GCMarkAssistBegin { dt: Delta, g: Goroutine }
    /// The goroutine began to assist the mark phase.
    GCMarkAssistBegin = 35, Go122, Timed { dt: Delta, stack: Stack }
    /// The goroutine ended its assist.
    GCMarkAssistEnd = 36, Go122, Timed, ends GCMarkAssistBegin { dt: Delta }
    /// Bytes of heap objects, live or not yet swept.
    HeapAlloc = 37, Go122, Timed { dt: Delta, heapalloc_value: Value }
    /// The heap size that the collector aims at; 0 when it is disabled.
    HeapGoal = 38, Go122, Timed { dt: Delta, heapgoal_value: Value }
    /// A label for the running goroutine, such as `GC (dedicated)`.
    GoLabel = 39, Go122, Timed { dt: Delta, label_string: String }
    /// A user task began.
    UserTaskBegin = 40, Go122, Timed { dt: Delta, task: Task, parent_task: Task, name_string: String, stack: Stack }
    /// A user task ended.
    UserTaskEnd = 41, Go122, Timed { dt: Delta, task: Task, stack: Stack }
    /// A user region began on the running goroutine.
    UserRegionBegin = 42, Go122, Timed { dt: Delta, task: Task, name_string: String, stack: Stack }
    /// The innermost user region of the running goroutine ended.
    UserRegionEnd = 43, Go122, Timed, ends UserRegionBegin { dt: Delta, task: Task, name_string: String, stack: Stack }
    /// A log message of the user.
    UserLog = 44, Go122, Timed { dt: Delta, task: Task, key_string: String, value_string: String, stack: Stack }
    /// The running coroutine blocked and `g` runs in its place.
    GoSwitch = 45, Go123, Timed { dt: Delta, g: Goroutine, g_seq: GoroutineSeq }
    /// The running coroutine ended and `g` runs in its place.
    GoSwitchDestroy = 46, Go123, Timed { dt: Delta, g: Goroutine, g_seq: GoroutineSeq }
    /// A goroutine was created, blocked: a coroutine.
    GoCreateBlocked = 47, Go123, Timed { dt: Delta, new_g: Goroutine, new_stack: Stack, stack: Stack }
    /// As GoStatus, with the stack at which the goroutine is.
    GoStatusStack = 48, Go123, Timed { dt: Delta, g: Goroutine, m: Thread, gstatus: GoStatus, stack: Stack }
    /// Header of a batch of an experiment; its data is opaque to the format.
    ExperimentalBatch = 49, Go123, Framing, payload Data { exp: Value, gen: Generation, m: Thread, time: Time }
    /// Section of the generation's clock records.
    Sync = 50, Go125, Section {}
    /// The trace clock, the monotonic clock (ns) and the wall clock read at one instant.
    ClockSnapshot = 51, Go125, Record { dt: Delta, mono: Value, sec: Value, nsec: Value }
    /// The generation is complete.
    EndOfGeneration = 52, Go126, Framing {}
    /// A heap span exists when tracing starts.
    Span = 128, Go123, Timed, experiment AllocFree { dt: Delta, id: Value, npages_value: Value, kindclass: Value }
    /// A heap span was allocated.
    SpanAlloc = 129, Go123, Timed, experiment AllocFree { dt: Delta, id: Value, npages_value: Value, kindclass: Value }
    /// A heap span was freed.
    SpanFree = 130, Go123, Timed, experiment AllocFree { dt: Delta, id: Value }
    /// A heap object exists when tracing starts.
    HeapObject = 131, Go123, Timed, experiment AllocFree { dt: Delta, id: Value, type: Value }
    /// A heap object was allocated.
    HeapObjectAlloc = 132, Go123, Timed, experiment AllocFree { dt: Delta, id: Value, type: Value }
    /// A heap object was freed.
    HeapObjectFree = 133, Go123, Timed, experiment AllocFree { dt: Delta, id: Value }
    /// A goroutine's stack exists when tracing starts.
    GoroutineStack = 134, Go123, Timed, experiment AllocFree { dt: Delta, id: Value, order: Value }
    /// A goroutine's stack was allocated.
    GoroutineStackAlloc = 135, Go123, Timed, experiment AllocFree { dt: Delta, id: Value, order: Value }
    /// A goroutine's stack was freed.
    GoroutineStackFree = 136, Go123, Timed, experiment AllocFree { dt: Delta, id: Value }
}

/// Index into [`SPECS`] plus one for each wire byte; 0 where there is no event.
const ROW: [u8; 256] = {
    let mut rows = [0; 256];
    let mut i = 0;
    while i < SPECS.len() {
        rows[SPECS[i].event_type as usize] = i as u8 + 1;
        i += 1;
    }
    rows
};

/// The event with a time delta behind each wire byte.
const TIMED: [Option<EventType>; 256] = {
    let mut timed = [None; 256];
    let mut i = 0;
    while i < SPECS.len() {
        if SPECS[i].has_delta() {
            timed[SPECS[i].event_type as usize] = Some(SPECS[i].event_type);
        }
        i += 1;
    }
    timed
};

/// How many numbers each event with a time delta has, the delta included; 0 for all other bytes.
pub(crate) const TIMED_ARITY: [u8; 256] = {
    let mut arity = [0; 256];
    let mut i = 0;
    while i < SPECS.len() {
        if SPECS[i].has_delta() {
            arity[SPECS[i].event_type as usize] = SPECS[i].args.len() as u8;
        }
        i += 1;
    }
    arity
};

/// A hash table of names: rows of [`SPECS`] plus one, open addressing, 0 for a free place.
static BY_NAME: [u8; NAME_PLACES] = {
    let mut places = [0; NAME_PLACES];
    let mut i = 0;
    while i < SPECS.len() {
        let mut at = name_place(SPECS[i].name.as_bytes());
        while places[at] != 0 {
            at = (at + 1) % NAME_PLACES;
        }
        i += 1;
        places[at] = i as u8;
    }
    places
};

/// MUST be greater than the number of rows, otherwise a search for an unknown name never ends.
const NAME_PLACES: usize = 256;
const _: () = assert!(SPECS.len() < NAME_PLACES);

/// Where the search for a name starts: it depends on the length and on three bytes, which tell
/// nearly all names apart.
const fn name_place(name: &[u8]) -> usize {
    let n = name.len();
    if n == 0 {
        return 0;
    }
    let mixed = 3 * n + 5 * name[n / 3] as usize + 17 * name[n / 2] as usize;
    (mixed + 31 * name[n - 1] as usize) % NAME_PLACES
}

impl EventType {
    /// The event whose encoding begins with `byte`, if there is one.
    #[inline]
    #[must_use]
    pub const fn from_wire(byte: u8) -> Option<Self> {
        match ROW[byte as usize] {
            0 => None,
            row => Some(SPECS[row as usize - 1].event_type),
        }
    }

    /// The event with a time delta whose encoding begins with `byte`, if there is one; see
    /// [`EventSpec::has_delta`].
    #[inline]
    #[must_use]
    pub const fn timed_from_wire(byte: u8) -> Option<Self> {
        TIMED[byte as usize]
    }

    /// The first byte of the event's encoding.
    #[inline]
    #[must_use]
    pub const fn to_wire(self) -> u8 {
        self as u8
    }

    /// The event's row of the table.
    #[inline]
    #[must_use]
    pub const fn spec(self) -> &'static EventSpec {
        &SPECS[ROW[self as usize] as usize - 1]
    }

    /// The name that Go's text form uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The event with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut at = name_place(name.as_bytes());
        loop {
            match BY_NAME[at] {
                0 => return None,
                row => {
                    let spec = &SPECS[row as usize - 1];
                    if spec.name == name {
                        return Some(spec.event_type);
                    }
                }
            }
            at = (at + 1) % NAME_PLACES;
        }
    }

    /// Whether producers of `version` write the event.
    #[must_use]
    pub fn available_in(self, version: Version) -> bool {
        self.spec().since <= version
    }
}

impl core::fmt::Display for EventType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// Guards of the table. A failure is a compile error that names the rule.
const _: () = {
    let mut i = 0;
    while i < SPECS.len() {
        let spec = &SPECS[i];
        if i > 0 {
            assert!(
                (SPECS[i - 1].event_type as u8) < spec.event_type as u8,
                "rows must be in ascending order of ids"
            );
        }
        let first_is_delta = !spec.args.is_empty() && matches!(spec.args[0].kind, ArgKind::Delta);
        if spec.is_timed() {
            assert!(
                first_is_delta,
                "a timed event's first argument must be its time delta"
            );
            assert!(
                matches!(spec.payload, Payload::None),
                "a timed event has no payload"
            );
        }
        assert!(
            matches!(spec.experiment, Experiment::None) == ((spec.event_type as u8) < 128),
            "events of experiments, and only those, have ids from 128"
        );
        if let Some(start) = spec.range_start {
            assert!(
                start.spec().is_timed(),
                "a range must start with a timed event"
            );
        }
        i += 1;
    }
};
