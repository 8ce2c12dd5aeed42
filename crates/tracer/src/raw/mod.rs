//! The scheduler API: every transition of goroutines and procs, for any runtime.
//!
//! A *goroutine* is what is scheduled: a task, a fiber, a coroutine. A *proc* is the right to run one: a
//! worker has one while it works. A *thread* is the one that calls.
//!
//! Everything is a token, and what consumes and returns tokens is the order in which things may
//! happen:
//!
//! ```text
//! Proc --start--> RunningProc --run(Runnable)--> Running --block--> RunningProc + Waiting
//!   ^------stop------'   ^                        |  |  '--stop---> RunningProc + Runnable
//!   |                    '---------exit-----------'  |
//!   |                                             syscall
//!   |                                                v
//!   '------ ProcHandle::steal ------------------- Syscall --end--> Running, or Runnable if it was stolen
//!
//! Waiting --unblock--> Runnable
//! ```
//!
//! [`RunningProc`], [`Running`] and [`Syscall`] belong to the thread that they are on and cannot be
//! sent. [`Proc`], [`Runnable`] and [`Waiting`] go where the runtime sends them; the trace brings the
//! two sides into order, whatever their clocks say. Dropping a token ends what it stands for.
//!
//! All calls work whether tracing is on or not: it may start at any time, and then the trace begins
//! with what everybody is doing.
//!
//! # What cannot be said with types
//!
//! A thread has one proc. If it starts another, the trace says that it gave up the first one, and what
//! is done with that one's tokens is not in the trace, but in
//! [`Stats::misfit_events`](crate::Stats::misfit_events). In builds with debug assertions, starting the
//! second one panics.
//!
//! A leaked token ([`std::mem::forget`]) leaves its thread with a goroutine or proc that nobody can end.
//! When the thread takes the next proc, or ends, the trace says that the goroutine has ended, too, and
//! [`Stats::leaked_tokens`](crate::Stats::leaked_tokens) counts it. In builds with debug assertions,
//! taking a proc then panics.
//!
//! # Forks, destructors, signal handlers
//!
//! In the child of a fork, in destructors of thread-local variables that run after the tracer's own, and
//! in a signal handler that has interrupted the tracer, calls do nothing but being counted: in
//! [`Stats::late_events`](crate::Stats::late_events) and
//! [`Stats::nested_events`](crate::Stats::nested_events).
//!
//! # Example
//!
//! ```
//! use exectrace::raw::Proc;
//!
//! let proc = Proc::new().start();
//! let task = proc.create();
//! let running = proc.run(task);
//! let (proc, task) = running.block("waiting for input");
//! // ... on whatever thread the input arrives:
//! let task = task.unblock();
//! let proc = proc.run(task).exit();
//! proc.stop();
//! ```

use std::{
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering},
};

use exectrace_wire::{EventType, GoroutineId};

use crate::{
    stack::Here,
    stats::{COUNTERS, misfit},
    status::{Slot, State, Word},
    writer::Writer,
};

pub(crate) mod collector;
mod goroutine;
mod memory;
pub(crate) mod park;
mod proc;
pub(crate) mod slots;
pub(crate) mod syscall;
pub(crate) mod user;
pub(crate) mod world;

pub use goroutine::{Runnable, Running, Waiting};
pub use memory::{MarkAssist, MarkPhase, StoppedWorld, Sweep};
pub use proc::{Proc, ProcHandle, RunningProc};
pub use syscall::{Returned, Syscall};
pub use user::{current_goroutine, log, region_begin, region_end, task_begin, task_end};

/// Marks tokens that belong to the thread that they are on.
type OnThread = PhantomData<*const ()>;

/// Ids that a thread takes at a time.
const IDS: u64 = 16;

static LAST_ID: AtomicU64 = AtomicU64::new(0);

/// An id that no goroutine has had.
pub(crate) fn fresh_goroutine_id() -> u64 {
    LAST_ID.fetch_add(1, Ordering::Relaxed) + 1
}

/// Stands for goroutines whose creation was dropped: nothing about them is in the trace.
static NOBODY: Slot = Slot::new();

/// A new goroutine: its slot, and, by the event, its creator's word of it.
fn create(here: Here, event: EventType, state: State) -> &'static Slot {
    create_at(here, event, state, None)
}

/// The same, for a goroutine that starts at a known address.
fn create_at(here: Here, event: EventType, state: State, start: Option<usize>) -> &'static Slot {
    let Some(mut writer) = Writer::new() else {
        return &NOBODY;
    };
    writer.claim_context();
    let phase = writer.phase();
    let own = writer.own();
    if own.ids.0 == own.ids.1 {
        let first = LAST_ID.fetch_add(IDS, Ordering::Relaxed) + 1;
        own.ids = (first, first + IDS);
    }
    let id = own.ids.0;
    own.ids.0 += 1;
    let slot = slots::take(own);
    let (start, stack) = (writer.start(start), writer.stack(here));
    writer.event(event, [id, start, stack]);
    slot.create(id, phase, Word::new(state));
    slot
}

/// The goroutine's id, as traces have it.
fn id_of(slot: &Slot) -> GoroutineId {
    GoroutineId(slot.id())
}

/// Ends a goroutine that nobody will run again.
///
/// The format lets only the running goroutine end. So it runs for an instant, on this thread: on its
/// proc if it has one, in the place of its own goroutine if it runs one.
fn end_elsewhere(slot: &'static Slot) {
    // Taken before the section (invariant 5 of the write sections): its last thread may have given it
    // up in a phase later than one that we would be in already.
    let is_bare = Writer::new().is_some_and(|mut writer| writer.own().proc.is_none());
    let borrowed = is_bare.then(slots::take_proc);
    end_with(slot, borrowed);
    if let Some(proc) = borrowed {
        slots::free_proc(proc);
    }
}

fn end_with(slot: &'static Slot, borrowed: Option<&'static Slot>) {
    let Some(mut writer) = Writer::new() else {
        return;
    };
    if !matches!(slot.word().state(), State::Runnable | State::Waiting) {
        misfit();
        return;
    }
    let phase = writer.phase();
    let own = writer.own();
    let (displaced, running) = (own.goroutine, own.running);
    if displaced.is_some() && !running {
        // In a system call it can run nothing else.
        COUNTERS.abandoned_goroutines.add(1);
        slots::free(writer.own(), slot, phase);
        return;
    }
    writer.claim_context();

    // 1. A proc, and no goroutine on it.
    if let Some(proc) = borrowed {
        writer.claim_proc(proc);
        writer.event(EventType::ProcStart, [proc.id(), proc.next_sequence(phase)]);
    }
    if let Some(displaced) = displaced {
        let reason = writer.name("ending another goroutine");
        writer.event(EventType::GoStop, [reason, 0]);
        displaced.set(displaced.word().to(State::Runnable));
    }

    // 2. It runs and ends.
    writer.claim_goroutine(slot);
    if slot.word().state() == State::Waiting {
        let unblock = [slot.id(), slot.next_sequence(phase), 0];
        writer.event(EventType::GoUnblock, unblock);
    }
    writer.event(EventType::GoStart, [slot.id(), slot.next_sequence(phase)]);
    writer.event(EventType::GoDestroy, []);
    slots::free(writer.own(), slot, phase);

    // 3. As before.
    if let Some(displaced) = displaced {
        let start = [displaced.id(), displaced.next_sequence(phase)];
        writer.event(EventType::GoStart, start);
        let thread = writer.own().thread;
        displaced.set(displaced.word().on(State::Running, thread));
    }
    if borrowed.is_some() {
        writer.event(EventType::ProcStop, []);
    }
}
