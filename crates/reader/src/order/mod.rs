//! Checks events against the state of the program and decides which may come next.
//!
//! The state machine is the one that the format prescribes (format specification, section 4;
//! Go: `internal/trace/order.go`). Each rule checks everything before it changes anything, so an
//! event that is refused leaves no trace in the state. Three answers never mix:
//! it advanced, [`Refusal::NotYet`] (something on another thread must come first; whether it ever
//! does, only the other threads can tell) and [`Refusal::Wrong`] (no order of events makes this one
//! right).

mod goroutines;
mod names;
mod procs;
mod ranges;
mod tasks;
mod transitions;

use std::{collections::HashMap, ops::Range};

use exectrace_wire::{EventType, GoStatus, GoroutineId, ProcStatus};

use crate::{
    dense::{IdMap, Slab, Vacant},
    error::OrderError,
    record::{KeptText, NONE, Record, What},
    state::{GoState, ProcState},
    stream::Decoded,
    tables::Tables,
};

use names::{NameId, Names};

/// Why an event did not advance.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It cannot come before something on another thread.
    NotYet,
    /// It contradicts the state; behind a pointer so that results on the hot path fit in registers.
    Wrong(Box<OrderError>),
}

#[cold]
fn wrong(error: OrderError) -> Refusal {
    Refusal::Wrong(Box::new(error))
}

#[cold]
fn refuse<T>(error: OrderError) -> Result<T, Refusal> {
    Err(wrong(error))
}

/// A place in the sequence that a resource's transitions have within a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sequence {
    generation: u64,
    number: u64,
}

impl Sequence {
    /// Whether this is the next place after `previous`. A place of another generation never is: an
    /// event cannot advance before its resource has a status in the event's own generation.
    #[inline]
    fn succeeds(self, previous: Self) -> bool {
        self.generation == previous.generation && self.number == previous.number.wrapping_add(1)
    }
}

#[derive(Clone, Copy, Debug)]
struct Goroutine {
    sequence: Sequence,
    /// Slot of the goroutine's open ranges and regions, or [`NO_SLOT`].
    open: u32,
    standing: Standing,
}

/// A goroutine's status, or that there is no goroutine: one byte, for comparisons without branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing(u8);

impl Standing {
    const ABSENT: Self = Self(u8::MAX);

    #[inline(always)]
    const fn new(status: GoStatus) -> Self {
        Self(status as u8)
    }
}

impl Vacant for Goroutine {
    const VACANT: Self = Self {
        sequence: Sequence {
            generation: 0,
            number: 0,
        },
        open: NO_SLOT,
        standing: Standing::ABSENT,
    };

    #[inline(always)]
    fn is_vacant(&self) -> bool {
        self.standing == Standing::ABSENT
    }
}

impl Goroutine {
    /// The status of a goroutine that exists.
    fn status(&self) -> GoStatus {
        GoStatus::from_wire(u64::from(self.standing.0)).unwrap_or(GoStatus::Bad)
    }
}

#[derive(Debug)]
struct Proc {
    sequence: Sequence,
    status: ProcStatus,
    sweeping: bool,
}

/// What is bound to a thread; ids as on the wire, [`NONE`] for none.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Thread {
    id: u64,
    proc: u64,
    /// Slot of the proc, valid if there is one: procs are never removed.
    proc_slot: u32,
    goroutine: u64,
}

const NO_SLOT: u32 = u32::MAX;

/// The context of an event that no thread emitted.
const NO_THREAD: Thread = Thread {
    id: NONE,
    proc: NONE,
    goroutine: NONE,
    proc_slot: NO_SLOT,
};

/// Where an event comes from: a place in [`Ordering::threads`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadSlot(u32);

impl ThreadSlot {
    /// Events of batches that are not tied to a thread.
    pub(crate) const NONE: Self = Self(0);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GcPhase {
    Undetermined,
    NotRunning,
    Running,
}

/// Records that one event may turn into: a coroutine switch is three.
const MAX_RECORDS: usize = 3;

/// The state of the program at the current place of the trace.
#[derive(Debug)]
pub(crate) struct Ordering {
    generation: u64,
    /// Whether resources may still turn up without having been created.
    initial: bool,
    goroutines: IdMap<Goroutine>,
    open: Slab<ranges::Open>,
    proc_slots: IdMap<u32>,
    procs: Slab<Proc>,
    thread_slots: HashMap<u64, u32>,
    /// The first is [`NO_THREAD`] and stays so.
    threads: Vec<Thread>,
    task_slots: IdMap<u32>,
    tasks: Slab<tasks::ActiveTask>,
    gc_phase: GcPhase,
    gc_sequence: u64,
    names: Names,
    /// The records of the last advance. The first one is handed out with the advance itself.
    records: [Record; MAX_RECORDS],
    /// The records that are still to be popped. MUST be none when an event advances, otherwise they
    /// are mistaken for its own; nearly all events make one record and never touch this.
    more: Range<u8>,
    /// Text of the record whose kind is [`What::Kept`].
    kept: KeptText,
}

impl Ordering {
    pub(crate) fn new() -> Self {
        let blank = Record {
            time: 0,
            thread: NONE,
            proc: NONE,
            goroutine: NONE,
            what: What::Sync,
            resource: NONE,
            args: [0; 4],
        };
        Self {
            generation: 0,
            initial: true,
            goroutines: IdMap::default(),
            open: Slab::default(),
            proc_slots: IdMap::default(),
            procs: Slab::default(),
            thread_slots: HashMap::new(),
            threads: vec![NO_THREAD],
            task_slots: IdMap::default(),
            tasks: Slab::default(),
            gc_phase: GcPhase::Undetermined,
            gc_sequence: 0,
            names: Names::default(),
            records: [blank; MAX_RECORDS],
            more: 0..0,
            kept: KeptText::default(),
        }
    }

    /// Begins a generation. The first one with an event is the initial one; as in Go, one with the
    /// same number still counts as initial.
    pub(crate) fn begin_generation(&mut self, number: u64, first_number: u64) {
        self.generation = number;
        self.initial = number == first_number;
        self.forget_dead_names();
    }

    /// Forgets what is bound to a thread.
    #[cold]
    pub(crate) fn forget_context(&mut self, slot: ThreadSlot) {
        self.bind_goroutine(slot, NONE);
        self.bind_proc(slot, NONE, NO_SLOT);
    }

    /// Forgets everything but the active tasks, whose types no later generation repeats.
    #[cold]
    pub(crate) fn forget_state(&mut self) {
        let mut fresh = Self::new();
        std::mem::swap(&mut fresh.task_slots, &mut self.task_slots);
        std::mem::swap(&mut fresh.tasks, &mut self.tasks);
        std::mem::swap(&mut fresh.names, &mut self.names);
        *self = fresh;
    }

    /// The slot of a thread, which exists from now on. Go creates it with the first *attempt* to
    /// advance an event of the thread, and some rules ask whether it exists.
    pub(crate) fn thread_slot(&mut self, id: u64) -> ThreadSlot {
        let threads = &mut self.threads;
        ThreadSlot(*self.thread_slots.entry(id).or_insert_with(|| {
            threads.push(Thread { id, ..NO_THREAD });
            (threads.len() - 1) as u32
        }))
    }

    /// The next record of the last advance, if it made more than the first, which is handed out by
    /// the advance itself.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<usize> {
        self.more.next().map(usize::from)
    }

    /// Whether no records of the last advance are left to be popped.
    #[inline(always)]
    pub(crate) fn has_delivered_all(&self) -> bool {
        self.more.is_empty()
    }

    /// A record that [`Self::pop`] named.
    #[inline]
    pub(crate) fn record(&mut self, at: usize) -> &mut Record {
        &mut self.records[at]
    }

    /// A record that [`Self::pop`] named, and the text that is kept for it.
    #[inline]
    pub(crate) fn delivered(&self, at: usize) -> (&Record, &KeptText) {
        (&self.records[at], &self.kept)
    }

    /// Makes a record that needs no ordering the only one, and names it.
    pub(crate) fn enqueue_alone(&mut self, record: Record) -> usize {
        self.clear_queue();
        self.records[0] = record;
        0
    }

    /// Forgets records that were not delivered.
    pub(crate) fn clear_queue(&mut self) {
        self.more = 0..0;
    }

    /// Tries to let an event come next. On success its first record is at 0; the rest is to be
    /// popped.
    ///
    /// # Errors
    ///
    /// [`OrderError`] if the event contradicts the state. The state is unchanged.
    #[inline(always)]
    pub(crate) fn advance(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        tables: &Tables,
    ) -> Result<(), Refusal> {
        debug_assert!(self.more.is_empty());
        if self.transit(slot, event) {
            return Ok(());
        }
        self.advance_by_rule(slot, event, tables)
    }

    /// As [`Self::advance`], for an event that is no plain transition.
    #[inline(always)]
    pub(crate) fn advance_by_rule(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        tables: &Tables,
    ) -> Result<(), Refusal> {
        use EventType as T;
        match event.event_type {
            T::GoStart => self.go_start(slot, event),
            T::GoStop => self.go_stop(slot, event, GoStatus::Runnable),
            T::GoBlock => self.go_stop(slot, event, GoStatus::Waiting),
            T::GoUnblock => self.go_unblock(slot, event),
            T::GoSyscallBegin => self.go_syscall_begin(slot, event),
            T::GoSyscallEnd => self.go_syscall_end(slot, event),
            T::GoCreate => self.go_create(slot, event, GoStatus::Runnable),
            T::GoDestroy => self.go_destroy(slot, event),
            T::HeapAlloc | T::HeapGoal => self.plain(slot, event, Thread::require_proc),
            T::ProcsChange | T::GoLabel | T::UserLog => {
                self.plain(slot, event, Thread::require_user)
            }
            T::ProcStart => self.proc_start(slot, event),
            T::ProcStop => self.proc_stop(slot, event),
            T::ProcSteal => self.proc_steal(slot, event),
            T::ProcStatus => self.proc_status(slot, event),
            T::GoCreateBlocked => self.go_create(slot, event, GoStatus::Waiting),
            T::GoCreateSyscall => self.go_create_syscall(slot, event),
            T::GoDestroySyscall => self.go_destroy_syscall(slot, event),
            T::GoSyscallEndBlocked => self.go_syscall_end_blocked(slot, event),
            T::GoStatus | T::GoStatusStack => self.go_status(slot, event),
            T::GoSwitch => self.go_switch(slot, event, false),
            T::GoSwitchDestroy => self.go_switch(slot, event, true),
            T::STWBegin => self.goroutine_range_begin(slot, event, tables),
            T::STWEnd => self.goroutine_range_end(slot, event),
            T::GCActive => self.gc_active(slot, event),
            T::GCBegin => self.gc_begin(slot, event),
            T::GCEnd => self.gc_end(slot, event),
            T::GCSweepActive => self.sweep_active(slot, event),
            T::GCSweepBegin => self.sweep_begin(slot, event),
            T::GCSweepEnd => self.sweep_end(slot, event),
            T::GCMarkAssistActive => self.assist_active(slot, event),
            T::GCMarkAssistBegin => self.goroutine_range_begin(slot, event, tables),
            T::GCMarkAssistEnd => self.goroutine_range_end(slot, event),
            T::UserTaskBegin => self.task_begin(slot, event, tables),
            T::UserTaskEnd => self.task_end(slot, event),
            T::UserRegionBegin => self.region_begin(slot, event, tables),
            T::UserRegionEnd => self.region_end(slot, event, tables),
            T::Span
            | T::SpanAlloc
            | T::SpanFree
            | T::HeapObject
            | T::HeapObjectAlloc
            | T::HeapObjectFree
            | T::GoroutineStack
            | T::GoroutineStackAlloc
            | T::GoroutineStackFree => self.plain(slot, event, Thread::require_thread),
            other => refuse(OrderError::NotOrdered(other)),
        }
    }

    /// An event that needs something of its context and changes nothing.
    #[inline(always)]
    fn plain(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        require: impl FnOnce(&Thread) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        require(&at)?;
        self.emit(at, event, What::Plain(event.event_type));
        Ok(())
    }

    #[inline(always)]
    fn emit(&mut self, at: Thread, event: &Decoded, what: What) {
        self.records[0] = record(at, event, what, NONE);
    }

    /// Makes the transition of a goroutine the record of the advance.
    #[inline(always)]
    fn emit_goroutine(&mut self, at: Thread, event: &Decoded, id: u64, from: GoState, to: GoState) {
        let what = What::Goroutine(event.event_type, from, to);
        self.records[0] = record(at, event, what, id);
    }

    /// Makes the transition of a proc the record of the advance.
    #[inline(always)]
    fn emit_proc(&mut self, at: Thread, event: &Decoded, id: u64, from: ProcState, to: ProcState) {
        let what = What::Proc(event.event_type, from, to);
        self.records[0] = record(at, event, what, id);
    }

    /// Queues the transition of a goroutine behind the records that the advance made already.
    fn emit_goroutine_next(
        &mut self,
        at: Thread,
        event: &Decoded,
        id: u64,
        from: GoState,
        to: GoState,
    ) {
        if self.more.is_empty() {
            self.more = 1..1;
        }
        let what = What::Goroutine(event.event_type, from, to);
        self.records[usize::from(self.more.end)] = record(at, event, what, id);
        self.more.end += 1;
    }

    #[inline]
    fn sequence(&self, number: u64) -> Sequence {
        Sequence {
            generation: self.generation,
            number,
        }
    }

    /// What is bound to a thread.
    #[inline(always)]
    fn context(&self, slot: ThreadSlot) -> Thread {
        self.threads[slot.0 as usize]
    }

    /// Binds a goroutine, or none, to a thread. Batches without a thread keep no context.
    #[inline(always)]
    fn bind_goroutine(&mut self, slot: ThreadSlot, id: u64) {
        if slot != ThreadSlot::NONE {
            self.threads[slot.0 as usize].goroutine = id;
        }
    }

    /// Binds a proc, or none, to a thread.
    fn bind_proc(&mut self, slot: ThreadSlot, id: u64, proc_slot: u32) {
        if slot != ThreadSlot::NONE {
            let thread = &mut self.threads[slot.0 as usize];
            thread.proc = id;
            thread.proc_slot = proc_slot;
        }
    }
}

#[inline(always)]
fn record(at: Thread, event: &Decoded, what: What, resource: u64) -> Record {
    Record {
        time: event.time(),
        thread: at.id,
        proc: at.proc,
        goroutine: at.goroutine,
        what,
        resource,
        args: event.args(),
    }
}

impl Thread {
    #[inline]
    fn require_thread(&self) -> Result<(), Refusal> {
        if self.id == NONE {
            refuse(OrderError::NoThread)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn require_proc(&self) -> Result<(), Refusal> {
        self.require_thread()?;
        if self.proc == NONE {
            refuse(OrderError::NoProc)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn require_goroutine(&self) -> Result<(), Refusal> {
        self.require_thread()?;
        if self.goroutine == NONE {
            refuse(OrderError::NoGoroutine)
        } else {
            Ok(())
        }
    }

    /// The context of user code: a goroutine that runs on a proc.
    #[inline]
    fn require_user(&self) -> Result<(), Refusal> {
        self.require_proc()?;
        if self.goroutine == NONE {
            refuse(OrderError::NoGoroutine)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn forbid_goroutine(&self) -> Result<(), Refusal> {
        if self.goroutine == NONE {
            Ok(())
        } else {
            refuse(OrderError::UnexpectedGoroutine(GoroutineId(self.goroutine)))
        }
    }
}

/// The public state behind a status.
const fn go_state(status: GoStatus) -> GoState {
    match status {
        GoStatus::Bad => GoState::Undetermined,
        GoStatus::Runnable => GoState::Runnable,
        GoStatus::Running => GoState::Running,
        GoStatus::Syscall => GoState::Syscall,
        GoStatus::Waiting => GoState::Waiting,
    }
}

/// The public state behind a status: a proc that may be stolen still counts as running, unless the
/// thread that held it is gone.
const fn proc_state(status: ProcStatus) -> ProcState {
    match status {
        ProcStatus::Bad => ProcState::Undetermined,
        ProcStatus::Running | ProcStatus::Syscall => ProcState::Running,
        ProcStatus::Idle | ProcStatus::SyscallAbandoned => ProcState::Idle,
    }
}
