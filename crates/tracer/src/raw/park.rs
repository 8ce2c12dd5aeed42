//! What runs on the calling thread, without its token: blocked in place, for who does not schedule.
//!
//! A lock does not know whether it blocks a plain thread or an executor's goroutine, and has no token
//! of either. While the goroutine waits, the thread gives its proc up, but nobody else can have it:
//! its token is where it was.

use std::marker::PhantomData;

use exectrace_wire::EventType;

use super::{
    OnThread, Runnable, Waiting, create_at, goroutine::runs, goroutine::switch, proc, slots,
};
use crate::{
    stack::{Here, named::Place},
    status::{Slot, State},
    writer::Writer,
};

/// The proc of a thread whose goroutine waits in place.
#[derive(Debug)]
pub(crate) struct Parked {
    proc: &'static Slot,
    here: OnThread,
}

/// Who goes on when the calling thread may.
#[derive(Debug)]
pub(crate) enum Woken {
    /// Somebody has unblocked it.
    Runnable(Runnable),
    /// Nobody has: it unblocks itself.
    Waiting(Waiting),
}

/// Whether the thread has neither a proc nor a goroutine, and could.
pub(crate) fn is_vacant() -> bool {
    Writer::new().is_some_and(|mut writer| {
        let own = writer.own();
        own.proc.is_none() && own.goroutine.is_none()
    })
}

/// Blocks the goroutine that runs on the thread, if one does. The event says why, and where.
pub(crate) fn park(here: Here, reason: &'static str) -> Option<(Parked, Waiting)> {
    let mut writer = Writer::new()?;
    let own = writer.own();
    let (Some(proc), Some(goroutine), true) = (own.proc, own.goroutine, own.running) else {
        return None;
    };
    writer.claim_context();
    let (reason, stack) = (writer.name(reason), writer.stack(here));
    writer.event(EventType::GoBlock, [reason, stack]);
    writer.event(EventType::ProcStop, []);
    let own = writer.own();
    (own.goroutine, own.running, own.proc) = (None, false, None);
    goroutine.set(goroutine.word().to(State::Waiting));
    proc.set(proc.word().to(State::Idle));
    let parked = Parked {
        proc,
        here: PhantomData,
    };
    Some((parked, Waiting::of(goroutine)))
}

/// Goes on.
pub(crate) fn unpark(parked: &Parked, woken: Woken) {
    let slot = match woken {
        Woken::Runnable(goroutine) => goroutine.into_slot(),
        Woken::Waiting(goroutine) => goroutine.into_slot(),
    };
    if let Some(mut writer) = Writer::new()
        && writer.own().proc.is_none()
        && writer.own().goroutine.is_none()
    {
        proc::start(&mut writer, parked.proc);
        proc::run(&mut writer, parked.proc, slot);
    }
}

/// A goroutine that is created blocked, by what has a proc on this thread.
pub(crate) fn create_blocked(here: Here, start: Place) -> Option<Waiting> {
    create(here, EventType::GoCreateBlocked, State::Waiting, start).map(Waiting::of)
}

/// A goroutine created by what has a proc on this thread.
pub(crate) fn create_runnable(here: Here, start: Place) -> Option<Runnable> {
    create(here, EventType::GoCreate, State::Runnable, start).map(Runnable::of)
}

fn create(here: Here, event: EventType, state: State, start: Place) -> Option<&'static Slot> {
    let has_proc = Writer::new()?.own().proc.is_some();
    // Before the section: it takes a lock.
    let start = has_proc.then(|| start.address())?;
    Some(create_at(here, event, state, start))
}

/// The thread's goroutine blocks and `next` runs in its place; gives `next` back if the thread runs
/// none.
pub(crate) fn switch_to(next: Waiting) -> Result<Switched, Waiting> {
    let Some(mut writer) = Writer::new() else {
        return Err(next);
    };
    let own = writer.own();
    let Some(caller) = own.goroutine.filter(|_| own.running) else {
        return Err(next);
    };
    if next.slot.word().state() != State::Waiting {
        return Err(next);
    }
    let slot = next.into_slot();
    switch(&mut writer, EventType::GoSwitch, slot);
    caller.set(caller.word().to(State::Waiting));
    Ok(Switched {
        caller: Some(Waiting::of(caller)),
        slot,
        here: PhantomData,
    })
}

/// A goroutine that runs in the place of its caller.
#[derive(Debug)]
pub(crate) struct Switched {
    caller: Option<Waiting>,
    slot: &'static Slot,
    here: OnThread,
}

impl Switched {
    /// It blocks again, and the caller goes on.
    pub(crate) fn back(mut self) -> Option<Waiting> {
        let caller = self.caller.take()?.into_slot();
        if let Some(mut writer) = Writer::new()
            && runs(&mut writer, self.slot)
        {
            switch(&mut writer, EventType::GoSwitch, caller);
            self.slot.set(self.slot.word().to(State::Waiting));
        }
        Some(Waiting::of(self.slot))
    }
}

impl Drop for Switched {
    /// It ends, and the caller goes on.
    fn drop(&mut self) {
        let Some(caller) = self.caller.take() else {
            return;
        };
        let caller = caller.into_slot();
        if let Some(mut writer) = Writer::new()
            && runs(&mut writer, self.slot)
        {
            switch(&mut writer, EventType::GoSwitchDestroy, caller);
            let phase = writer.phase();
            slots::free(writer.own(), self.slot, phase);
        }
    }
}
