//! The transitions that most of a trace consists of, without branches.
//!
//! Starts, stops, blocks and unblocks of goroutines are three quarters of a busy program's events,
//! and which of them comes next is hard to predict for a processor. So one piece of code does all
//! four, with a table instead of branches. It does so only if every condition of the event's rule
//! holds, and otherwise nothing: then the rule itself says what is wrong.

use exectrace_wire::{EventType, GoStatus};

use super::{Goroutine, Ordering, Sequence, Standing, Thread, ThreadSlot};
use crate::{
    dense::IdMap,
    record::{KeptText, NONE, Record, What},
    state::GoState,
    stream::Decoded,
};

/// A transition of a goroutine. Masks are [`YES`] or [`NO`].
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Transition {
    /// The event names the goroutine and the next step of its sequence; otherwise it is about the
    /// goroutine that the thread runs.
    names: u64,
    /// The thread must run no goroutine.
    needs_idle: u64,
    /// The thread must have a proc.
    needs_proc: u64,
    /// Afterwards the thread runs the goroutine that the event names.
    begins: u64,
    /// Afterwards the thread runs no goroutine.
    ends: u64,
    /// Whether there is a transition at all.
    exists: bool,
    from: Standing,
    to: Standing,
    what: What,
}

const YES: u64 = u64::MAX;
const NO: u64 = 0;

const START: Transition = Transition {
    names: YES,
    needs_idle: YES,
    needs_proc: YES,
    begins: YES,
    ends: NO,
    exists: true,
    from: Standing::new(GoStatus::Runnable),
    to: Standing::new(GoStatus::Running),
    what: What::Goroutine(EventType::GoStart, GoState::Runnable, GoState::Running),
};

const BLOCK: Transition = Transition {
    names: NO,
    needs_idle: NO,
    needs_proc: YES,
    begins: NO,
    ends: YES,
    exists: true,
    from: Standing::new(GoStatus::Running),
    to: Standing::new(GoStatus::Waiting),
    what: What::Goroutine(EventType::GoBlock, GoState::Running, GoState::Waiting),
};

const STOP: Transition = Transition {
    to: Standing::new(GoStatus::Runnable),
    what: What::Goroutine(EventType::GoStop, GoState::Running, GoState::Runnable),
    ..BLOCK
};

const UNBLOCK: Transition = Transition {
    names: YES,
    needs_idle: NO,
    needs_proc: NO,
    begins: NO,
    ends: NO,
    exists: true,
    from: Standing::new(GoStatus::Waiting),
    to: Standing::new(GoStatus::Runnable),
    what: What::Goroutine(EventType::GoUnblock, GoState::Waiting, GoState::Runnable),
};

/// By wire byte.
static TRANSITIONS: [Transition; 256] = {
    let none = Transition {
        exists: false,
        ..BLOCK
    };
    let mut transitions = [none; 256];
    transitions[EventType::GoStart as usize] = START;
    transitions[EventType::GoBlock as usize] = BLOCK;
    transitions[EventType::GoStop as usize] = STOP;
    transitions[EventType::GoUnblock as usize] = UNBLOCK;
    transitions
};

/// What transitions of one thread's events need and change.
pub(crate) struct Transitions<'o> {
    thread: &'o mut Thread,
    goroutines: &'o mut IdMap<Goroutine>,
    generation: u64,
    /// The record of the last transition, without its arguments: these are the event's.
    pub(crate) record: &'o mut Record,
    pub(crate) kept: &'o KeptText,
}

impl Ordering {
    /// Transitions of a thread's events, until something else changes the ordering.
    #[inline(always)]
    pub(crate) fn transitions(&mut self, slot: ThreadSlot) -> Transitions<'_> {
        let thread = &mut self.threads[slot.0 as usize];
        let record = &mut self.records[0];
        // No transition changes these.
        record.thread = thread.id;
        record.proc = thread.proc;
        Transitions {
            thread,
            goroutines: &mut self.goroutines,
            generation: self.generation,
            record,
            kept: &self.kept,
        }
    }

    /// As [`Transitions::advance`], with the event's arguments in the record too.
    #[inline(always)]
    pub(super) fn transit(&mut self, slot: ThreadSlot, event: &Decoded) -> bool {
        let mut transitions = self.transitions(slot);
        transitions.record.args = event.args();
        transitions.advance(event)
    }
}

impl Transitions<'_> {
    /// Lets the event come next if it is one of these transitions and all its conditions hold.
    /// Returns whether it did.
    #[inline(always)]
    pub(crate) fn advance(&mut self, event: &Decoded) -> bool {
        // 1. The thread and the goroutine.
        let transition = &TRANSITIONS[event.event_type as usize];
        if !transition.exists {
            return false;
        }
        let (thread, record) = (&mut *self.thread, &mut *self.record);
        let current = thread.goroutine;
        let difference = current ^ event.arg::<0>();
        let id = current ^ (difference & transition.names);
        // A goroutine of an unusual id counts as missing here: the rule finds it.
        let Some(goroutine) = self.goroutines.get_dense_mut(id) else {
            return false;
        };
        // 2. The conditions: all zeros if they hold. A step of another generation's sequence never
        //    is the next one.
        let Sequence { generation, number } = goroutine.sequence;
        let step = (generation ^ self.generation) | (number.wrapping_add(1) ^ event.arg::<1>());
        let status = u64::from(goroutine.standing.0 ^ transition.from.0);
        let idle = !current & transition.needs_idle;
        if (step & transition.names) | status | idle != 0
            || thread.proc & transition.needs_proc == NONE
        {
            return false;
        }
        // 3. The change: to the next step, if the event has one; a mask is minus one.
        goroutine.standing = transition.to;
        goroutine.sequence.number = number.wrapping_sub(transition.names);
        // MUST NOT change the context of events without a thread: these have no proc, so the
        // transition neither begins nor ends.
        thread.goroutine = (current ^ (difference & transition.begins)) | transition.ends;
        record.goroutine = current;
        record.time = event.time();
        record.resource = id;
        record.what = transition.what;
        true
    }
}
