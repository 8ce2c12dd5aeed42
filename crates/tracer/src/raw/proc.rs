//! Procs: idle, running, stolen.

use std::{marker::PhantomData, mem::ManuallyDrop};

use exectrace_wire::{EventType, ProcId};

use super::{OnThread, Runnable, Running, create, slots};
use crate::{
    stack::Here,
    stats::misfit,
    status::{Slot, State, Word},
    writer::Writer,
};

/// A proc that nobody has. Its number may be used again when it is dropped.
#[derive(Debug)]
pub struct Proc {
    pub(super) slot: &'static Slot,
}

/// A proc that the thread has. Dropping it stops it.
#[derive(Debug)]
#[must_use = "when it is dropped, it stops"]
pub struct RunningProc {
    pub(super) slot: &'static Slot,
    here: OnThread,
}

/// A name for a proc, to steal it with.
#[derive(Clone, Copy, Debug)]
pub struct ProcHandle {
    slot: &'static Slot,
}

impl Default for Proc {
    fn default() -> Self {
        Self::new()
    }
}

impl Proc {
    /// Another proc, with the lowest number that is free or close to it.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slot: slots::take_proc(),
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> ProcId {
        ProcId(self.slot.id())
    }

    /// A name for it.
    #[must_use]
    pub fn handle(&self) -> ProcHandle {
        ProcHandle::of(self.slot)
    }

    /// The thread takes it. If it has another one, it gives that up, and the goroutine on it ends: a
    /// thread has one proc at a time.
    ///
    /// # Panics
    ///
    /// With debug assertions: if the thread has one, whose token was leaked or is still held.
    pub fn start(self) -> RunningProc {
        let slot = ManuallyDrop::new(self).slot;
        if let Some(mut writer) = Writer::new() {
            debug_assert!(
                writer.own().proc.is_none() && writer.own().goroutine.is_none(),
                "the thread has a proc or a goroutine already: stop it before, and do not leak its \
                 token"
            );
            writer.leave_everything();
            start(&mut writer, slot);
        }
        RunningProc::of(slot)
    }
}

/// The thread, which has none, takes an idle proc. It may be in a system call.
pub(super) fn start(writer: &mut Writer, slot: &'static Slot) {
    if slot.word().state() != State::Idle {
        misfit();
        return;
    }
    let phase = writer.phase();
    writer.claim_proc(slot);
    let start = [slot.id(), slot.next_sequence(phase)];
    writer.event(EventType::ProcStart, start);
    let own = writer.own();
    own.proc = Some(slot);
    slot.set(slot.word().on(State::Running, own.thread));
}

impl Drop for Proc {
    fn drop(&mut self) {
        slots::free_proc(self.slot);
    }
}

impl ProcHandle {
    pub(super) const fn of(slot: &'static Slot) -> Self {
        Self { slot }
    }

    /// The proc's number.
    #[must_use]
    pub fn id(&self) -> ProcId {
        ProcId(self.slot.id())
    }

    /// Takes it away from the thread that is in a system call with it; `None` if there is no such
    /// thread, or it is back already.
    #[must_use]
    pub fn steal(&self) -> Option<Proc> {
        let slot = self.slot;
        // Looked at before the section (invariant 5 of the write sections).
        let word = slot.word();
        if word.state() != State::Syscall {
            return None;
        }
        let mut writer = Writer::new()?;
        writer.claim_context();
        steal(&mut writer, slot, word).then(|| Proc { slot })
    }
}

/// Steals a proc from the system call in which it had this word, unless that is over; whether it did.
pub(super) fn steal(writer: &mut Writer, slot: &'static Slot, word: Word) -> bool {
    let taken = word.on(State::Taken, word.thread());
    if word.state() != State::Syscall || !slot.exchange(word, taken) {
        return false;
    }
    let phase = writer.phase();
    writer.claim_stolen(slot);
    let thread = u64::from(word.thread());
    let steal = [slot.id(), slot.next_sequence(phase), thread];
    writer.event(EventType::ProcSteal, steal);
    slot.set(taken.to(State::Idle));
    true
}

impl RunningProc {
    pub(super) const fn of(slot: &'static Slot) -> Self {
        Self {
            slot,
            here: PhantomData,
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> ProcId {
        ProcId(self.slot.id())
    }

    /// A name for it.
    #[must_use]
    pub fn handle(&self) -> ProcHandle {
        ProcHandle::of(self.slot)
    }

    /// The thread gives it up.
    pub fn stop(self) -> Proc {
        let slot = ManuallyDrop::new(self).slot;
        stop(slot);
        Proc { slot }
    }

    /// A goroutine that nobody in particular creates.
    #[inline(always)]
    pub fn create(&self) -> Runnable {
        Runnable::of(create(Here::now(), EventType::GoCreate, State::Runnable))
    }

    /// As [`RunningProc::create`], but blocked: a coroutine that waits for its first turn.
    #[inline(always)]
    pub fn create_blocked(&self) -> super::Waiting {
        super::Waiting::of(create(
            Here::now(),
            EventType::GoCreateBlocked,
            State::Waiting,
        ))
    }

    /// Runs a goroutine.
    pub fn run(self, goroutine: Runnable) -> Running {
        let proc = ManuallyDrop::new(self).slot;
        let goroutine = ManuallyDrop::new(goroutine).slot;
        if let Some(mut writer) = Writer::new() {
            run(&mut writer, proc, goroutine);
        }
        Running::of(proc, goroutine)
    }

    /// Reports how many bytes the heap has, live or not yet swept.
    #[inline]
    pub fn heap_alloc(&self, bytes: u64) {
        metric(EventType::HeapAlloc, bytes);
    }

    /// Reports the size that the collector aims at; 0 when it is disabled.
    #[inline]
    pub fn heap_goal(&self, bytes: u64) {
        metric(EventType::HeapGoal, bytes);
    }
}

/// The thread runs a goroutine on this proc, if that is the one it has and it runs none.
pub(super) fn run(writer: &mut Writer, proc: &'static Slot, goroutine: &'static Slot) {
    let own = writer.own();
    let word = goroutine.word();
    let is_ready = matches!(word.state(), State::Runnable | State::Waiting);
    let has_proc = own.proc.is_some_and(|own| std::ptr::eq(own, proc));
    if !has_proc || own.goroutine.is_some() || !is_ready {
        misfit();
        return;
    }
    let phase = writer.phase();
    writer.claim_context();
    writer.claim_goroutine(goroutine);
    if word.state() == State::Waiting {
        // Its unblocking was dropped.
        let unblock = [goroutine.id(), goroutine.next_sequence(phase), 0];
        writer.event(EventType::GoUnblock, unblock);
    }
    let start = [goroutine.id(), goroutine.next_sequence(phase)];
    writer.event(EventType::GoStart, start);
    let own = writer.own();
    own.goroutine = Some(goroutine);
    own.running = true;
    goroutine.set(word.on(State::Running, own.thread));
}

#[inline(always)]
fn metric(event: EventType, value: u64) {
    if crate::is_enabled() {
        enabled_metric(event, value);
    }
}

fn enabled_metric(event: EventType, value: u64) {
    if let Some(mut writer) = Writer::new()
        && writer.own().proc.is_some()
    {
        writer.claim_context();
        writer.event(event, [value]);
    }
}

fn stop(slot: &'static Slot) {
    if let Some(mut writer) = Writer::new() {
        let own = writer.own();
        if own.goroutine.is_some() || own.proc.is_none_or(|p| !std::ptr::eq(p, slot)) {
            misfit();
            return;
        }
        writer.claim_context();
        writer.event(EventType::ProcStop, []);
        writer.own().proc = None;
        slot.set(slot.word().to(State::Idle));
    }
}

impl Drop for RunningProc {
    fn drop(&mut self) {
        stop(self.slot);
        slots::free_proc(self.slot);
    }
}

#[inline(always)]
pub(super) fn heap_alloc(bytes: u64) {
    metric(EventType::HeapAlloc, bytes);
}

#[inline(always)]
pub(super) fn heap_goal(bytes: u64) {
    metric(EventType::HeapGoal, bytes);
}
