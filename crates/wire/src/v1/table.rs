//! The table: every event of the v1 formats, declared once.
//!
//! Source of the rows: format specification, section 6.1 (Go 1.21: `internal/trace/parser.go`,
//! `runtime/trace.go`).

use crate::{ArgKind, Version};

/// One row of the table: everything there is to know about an event of the v1 formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventSpec {
    /// The event that this row describes.
    pub event_type: EventType,
    /// The name that Go 1.21's tools print.
    pub name: &'static str,
    /// What precedes the arguments.
    pub class: Class,
    /// The arguments in the order of their encoding.
    pub args: &'static [ArgSpec],
    /// What follows the arguments.
    pub payload: PayloadKind,
    /// The first version that has the event.
    pub since: Version,
    /// What the event means.
    pub doc: &'static str,
}

/// An argument of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArgSpec {
    /// The name that Go 1.21's tools print.
    pub name: &'static str,
    /// What the number means.
    pub kind: ArgKind,
    /// The first version that has the argument.
    pub since: Version,
    /// The last version that has it.
    pub until: Version,
}

impl ArgSpec {
    /// Whether records of `version` have the argument.
    #[must_use]
    pub const fn is_in(&self, version: Version) -> bool {
        self.since as u8 <= version as u8 && version as u8 <= self.until as u8
    }
}

/// What precedes the arguments of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Clock units since the event before in the batch; in Go 1.5, before that, the difference of
    /// the sequence number.
    Timed,
    /// Nothing.
    Untimed,
}

/// What follows the arguments of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PayloadKind {
    /// Nothing.
    None,
    /// A length and that many bytes.
    Data,
    /// As many frames as the last argument says: four numbers each, in Go 1.5 one.
    Frames,
}

/// The names of the numbers that precede the arguments of a timed event.
pub(super) const SEQ_DELTA: &str = "dseq";
pub(super) const TIME_DELTA: &str = "dt";

impl EventSpec {
    /// The names of the event's numbers in the order of their encoding.
    pub fn numbers(&self, version: Version) -> impl Iterator<Item = &'static str> + use<> {
        let timed = self.class == Class::Timed;
        let prefix = [
            (timed && version == Version::Go105).then_some(SEQ_DELTA),
            timed.then_some(TIME_DELTA),
        ];
        let args = self.args.iter().filter(move |arg| arg.is_in(version));
        let names = args.map(|arg| arg.name);
        prefix.into_iter().flatten().chain(names)
    }

    /// How many numbers the event has, frames apart.
    #[must_use]
    pub const fn number_count(&self, version: Version) -> usize {
        let mut count = match self.class {
            Class::Timed => 1 + (version as u8 == Version::Go105 as u8) as usize,
            Class::Untimed => 0,
        };
        let mut i = 0;
        while i < self.args.len() {
            count += self.args[i].is_in(version) as usize;
            i += 1;
        }
        count
    }

    /// Whether the last argument is the stack at which the event happened.
    #[must_use]
    pub const fn has_stack(&self) -> bool {
        match self.args.last() {
            Some(arg) => matches!(arg.kind, ArgKind::Stack),
            None => false,
        }
    }
}

/// Expands to the enum, its rows, and the lookup from an id.
///
/// A row reads `/// what it means` `Name = id, since version, class [, payload P] { arg: Kind
/// [since version] [until version], … }`.
macro_rules! events {
    ($(
        #[doc = $first:literal] $(#[doc = $doc:literal])*
        $name:ident = $id:literal, $since:ident, $class:ident $(, payload $payload:ident)?
        { $($arg:ident: $kind:ident $(since $from:ident)? $(until $until:ident)?),* $(,)? }
    )*) => {
        /// An event of the v1 formats: the low six bits of the first byte of its encoding.
        ///
        /// Variants are spelled as Go 1.21's tools print them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum EventType {
            $(#[doc = $first] $(#[doc = $doc])* $name = $id,)*
        }

        /// The table, in order of event ids, which begin at 1 and have no gap.
        pub const SPECS: &[EventSpec] = &[$(EventSpec {
            event_type: EventType::$name,
            name: stringify!($name),
            class: Class::$class,
            args: &[$(ArgSpec {
                name: stringify!($arg),
                kind: ArgKind::$kind,
                since: events!(@version Go105 $($from)?),
                until: events!(@version Go121 $($until)?),
            }),*],
            payload: events!(@payload $($payload)?),
            since: Version::$since,
            doc: concat!($first $(, "\n", $doc)*),
        }),*];
    };
    (@version $default:ident) => { Version::$default };
    (@version $default:ident $version:ident) => { Version::$version };
    (@payload) => { PayloadKind::None };
    (@payload $payload:ident) => { PayloadKind::$payload };
}

events! {
    /// Begins a batch: what one proc wrote follows, up to the next batch. `p` is 2^64-1 for no proc;
    /// `ticks` is the time from which the batch's time deltas count.
    Batch = 1, Go105, Untimed { p: Proc, seq: Value until Go105, ticks: Time }
    /// Clock units per second. Stands behind the last event.
    Frequency = 2, Go105, Untimed { freq: Value, unused: Value until Go105 }
    /// A stack, leaf first. Each frame is four numbers: pc, function and file (strings), line; in
    /// Go 1.5 only the pc.
    Stack = 3, Go105, Untimed, payload Frames { id: Value, siz: Value }
    /// The number of procs (GOMAXPROCS). The first one ends the statuses at the start of the trace.
    Gomaxprocs = 4, Go105, Timed { procs: Value, stack: Stack }
    /// The proc starts running goroutines on a thread.
    ProcStart = 5, Go105, Timed { thread: Thread }
    /// The proc stops.
    ProcStop = 6, Go105, Timed {}
    /// A garbage collection began.
    GCStart = 7, Go105, Timed { seq: GcSeq since Go107, stack: Stack }
    /// The garbage collection ended.
    GCDone = 8, Go105, Timed {}
    /// The world is being stopped: up to Go 1.19 `kindid` is 0 for mark termination and 1 for sweep
    /// termination, in Go 1.21 the number of one of 17 reasons.
    STWStart = 9, Go105, Timed { kindid: Value since Go110 }
    /// The world runs again.
    STWDone = 10, Go105, Timed {}
    /// The proc began to sweep.
    GCSweepStart = 11, Go105, Timed { stack: Stack }
    /// The proc ended its sweep: bytes examined and bytes freed.
    GCSweepDone = 12, Go105, Timed { swept: Value since Go109, reclaimed: Value since Go109 }
    /// A goroutine was created, or exists when tracing starts; it will start at `new_stack`, which in
    /// Go 1.5 and 1.6 is no stack but a pc.
    GoCreate = 13, Go105, Timed { g: Goroutine, new_stack: Stack, stack: Stack }
    /// The proc starts running goroutine `g`.
    GoStart = 14, Go105, Timed { g: Goroutine, seq: GoroutineSeq since Go107 }
    /// The running goroutine ended.
    GoEnd = 15, Go105, Timed {}
    /// The running goroutine stopped for ever, as in `select {}`.
    GoStop = 16, Go105, Timed { stack: Stack }
    /// The running goroutine called `runtime.Gosched`.
    GoSched = 17, Go105, Timed { stack: Stack }
    /// The running goroutine was preempted.
    GoPreempt = 18, Go105, Timed { stack: Stack }
    /// The running goroutine called `time.Sleep`.
    GoSleep = 19, Go105, Timed { stack: Stack }
    /// The running goroutine blocked.
    GoBlock = 20, Go105, Timed { stack: Stack }
    /// Goroutine `g` was made runnable.
    GoUnblock = 21, Go105, Timed { g: Goroutine, seq: GoroutineSeq since Go107, stack: Stack }
    /// The running goroutine blocked while sending on a channel.
    GoBlockSend = 22, Go105, Timed { stack: Stack }
    /// The running goroutine blocked while receiving from a channel.
    GoBlockRecv = 23, Go105, Timed { stack: Stack }
    /// The running goroutine blocked in a `select`.
    GoBlockSelect = 24, Go105, Timed { stack: Stack }
    /// The running goroutine blocked on a mutex.
    GoBlockSync = 25, Go105, Timed { stack: Stack }
    /// The running goroutine blocked on a condition variable.
    GoBlockCond = 26, Go105, Timed { stack: Stack }
    /// The running goroutine blocked on the network.
    GoBlockNet = 27, Go105, Timed { stack: Stack }
    /// The running goroutine entered a system call.
    GoSysCall = 28, Go105, Timed { stack: Stack }
    /// Goroutine `g` returned from a system call that had blocked, and is runnable. `ts` is when, or
    /// 0; the event itself is written later.
    GoSysExit = 29, Go105, Timed { g: Goroutine, seq: GoroutineSeq, ts: Time }
    /// The system call blocked: the goroutine lost its proc.
    GoSysBlock = 30, Go105, Timed {}
    /// Goroutine `g` is blocked when tracing starts.
    GoWaiting = 31, Go105, Timed { g: Goroutine }
    /// Goroutine `g` is in a system call when tracing starts.
    GoInSyscall = 32, Go105, Timed { g: Goroutine }
    /// Bytes of live heap objects.
    HeapAlloc = 33, Go105, Timed { mem: Value }
    /// The heap size that the collector aims at.
    HeapGoal = 34, Go105, Timed { mem: Value }
    /// Goroutine `g` runs timers.
    TimerGoroutine = 35, Go105, Untimed { g: Goroutine, unused: Value until Go105 }
    /// The last wakeup of the running goroutine was in vain.
    FutileWakeup = 36, Go105, Timed {}
    /// A string.
    String = 37, Go107, Untimed, payload Data { id: Value }
    /// As GoStart, of a goroutine that last ran on this proc.
    GoStartLocal = 38, Go107, Timed { g: Goroutine }
    /// As GoUnblock, of a goroutine that last ran on this proc.
    GoUnblockLocal = 39, Go107, Timed { g: Goroutine, stack: Stack }
    /// As GoSysExit, of a goroutine that last ran on this proc.
    GoSysExitLocal = 40, Go107, Timed { g: Goroutine, ts: Time }
    /// As GoStart, with a label for the goroutine, such as `GC (dedicated)`.
    GoStartLabel = 41, Go108, Timed { g: Goroutine, seq: GoroutineSeq, labelid: String }
    /// The running goroutine blocked because it has to help the garbage collection.
    GoBlockGC = 42, Go108, Timed { stack: Stack }
    /// The running goroutine began to assist the mark phase.
    GCMarkAssistStart = 43, Go109, Timed { stack: Stack }
    /// The running goroutine ended its assist.
    GCMarkAssistDone = 44, Go109, Timed {}
    /// A user task began; `pid` is the task that it is a part of, 0 for none.
    UserTaskCreate = 45, Go111, Timed { taskid: Task, pid: Task, typeid: String, stack: Stack }
    /// A user task ended.
    UserTaskEnd = 46, Go111, Timed { taskid: Task, stack: Stack }
    /// A user region began (`mode` 0) or ended (`mode` 1) on the running goroutine.
    UserRegion = 47, Go111, Timed { taskid: Task, mode: Value, typeid: String, stack: Stack }
    /// A log message of the user, which follows.
    UserLog = 48, Go111, Timed, payload Data { id: Task, keyid: String, stack: Stack }
    /// A CPU profile sample. `ts` is its time; `p` is 2^64-1 and `g` is 0 for none.
    CPUSample = 49, Go119, Timed { ts: Time, p: Proc, g: Goroutine, stack: Stack }
}

impl EventType {
    /// The event with this id, if there is one.
    #[inline]
    #[must_use]
    pub const fn from_wire(id: u8) -> Option<Self> {
        if id == 0 || id as usize > SPECS.len() {
            return None;
        }
        Some(SPECS[id as usize - 1].event_type)
    }

    /// The event's id.
    #[inline]
    #[must_use]
    pub const fn to_wire(self) -> u8 {
        self as u8
    }

    /// The event's row of the table.
    #[inline]
    #[must_use]
    pub const fn spec(self) -> &'static EventSpec {
        &SPECS[self as usize - 1]
    }

    /// The name that Go 1.21's tools print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The event with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let spec = SPECS.iter().find(|spec| spec.name == name)?;
        Some(spec.event_type)
    }

    /// Whether traces of `version` have the event.
    #[must_use]
    pub const fn available_in(self, version: Version) -> bool {
        self.spec().since as u8 <= version as u8
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
        assert!(
            spec.event_type as usize == i + 1,
            "ids must begin at 1 and have no gap"
        );
        let mut version = 0;
        while version < Version::V1.len() {
            assert!(
                !spec.event_type.available_in(Version::V1[version])
                    || spec.number_count(Version::V1[version]) <= super::limits::MAX_NUMBERS,
                "a record has more numbers than MAX_NUMBERS"
            );
            version += 1;
        }
        i += 1;
    }
    assert!(SPECS.len() < 1 << 6, "an id must fit six bits");
};
