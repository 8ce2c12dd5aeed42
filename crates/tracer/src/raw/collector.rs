//! Garbage collection: ranges that belong to nobody.
//!
//! Each event of the mark phase has a number of one sequence, and a generation that begins during one
//! has to say so. That takes a thread that has a proc and runs a goroutine at that moment, which the
//! program may not have. So there is a thread of our own for it. It appears in the first generation
//! that begins during a mark phase, and stays.

use std::sync::{Mutex, MutexGuard, PoisonError};

use exectrace_wire::{EventType, ThreadId};

use super::slots;
use crate::{
    generation::record,
    status::{Slot, State, Word},
};

const NUMBER: u32 = u32::MAX;

/// The thread. No thread of a system has this number.
pub(crate) const THREAD: ThreadId = ThreadId(NUMBER as u64);

/// What the collector does.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) is_active: bool,
    /// The phase is over, but nobody could say so.
    pub(crate) is_orphan: bool,
    sequence: u64,
    /// The numbers of what even and odd phases have to say at their beginning.
    at_start: [Option<u64>; 2],
    /// The thread's proc and goroutine, once it has appeared.
    thread: Option<(&'static Slot, &'static Slot)>,
}

static COLLECTOR: Mutex<Collector> = Mutex::new(Collector {
    is_active: false,
    is_orphan: false,
    sequence: 0,
    at_start: [None; 2],
    thread: None,
});

/// The collector. MUST be locked before a section is entered or a phase begun, otherwise numbers of
/// later generations may be smaller than those of earlier ones.
pub(crate) fn lock() -> MutexGuard<'static, Collector> {
    COLLECTOR.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector {
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// MUST be called before a phase begins.
    pub(crate) fn begin_phase(&mut self, phase: u64) {
        let at_start = self.is_active.then(|| self.next_sequence());
        self.at_start[(phase % 2) as usize] = at_start;
    }
}

/// What the thread has to say in a phase that is over, but for statuses: the events and their number.
pub(crate) fn batch(phase: u64) -> Option<(Vec<u8>, u64)> {
    let mut collector = lock();
    let sequence = collector.at_start[(phase % 2) as usize].take()?;
    let mut data = Vec::new();
    let mut events = 1;
    if collector.thread.is_none() {
        let running = Word::new(State::Running).on(State::Running, NUMBER);
        // Both new: a used proc may be somebody's in the generation that is being closed.
        let (proc, goroutine) = (slots::new_proc(), slots::new_goroutine());
        proc.create(proc.id(), phase, running);
        goroutine.create(super::fresh_goroutine_id(), phase, running);
        let idle = exectrace_wire::ProcStatus::Idle.to_wire();
        record(&mut data, EventType::ProcStatus, &[1, proc.id(), idle]);
        record(
            &mut data,
            EventType::ProcStart,
            &[1, proc.id(), proc.next_sequence(phase)],
        );
        record(&mut data, EventType::GoCreate, &[1, goroutine.id(), 0, 0]);
        let start = [1, goroutine.id(), goroutine.next_sequence(phase)];
        record(&mut data, EventType::GoStart, &start);
        events += 4;
        collector.thread = Some((proc, goroutine));
    }
    record(&mut data, EventType::GCActive, &[1, sequence]);
    Some((data, events))
}
