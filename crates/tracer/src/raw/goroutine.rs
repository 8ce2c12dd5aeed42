//! Goroutines: runnable, running, waiting.

use std::{marker::PhantomData, mem::ManuallyDrop, sync::PoisonError};

use exectrace_wire::{EventType, GoroutineId, ProcId};

use super::{
    OnThread, ProcHandle, RunningProc, Syscall, create, end_elsewhere, id_of, proc, slots,
};
use crate::{
    control,
    stack::Here,
    stats::misfit,
    status::{Slot, State},
    writer::{PROCS, Writer},
};

/// A goroutine that waits for a proc. Dropping it ends it.
#[derive(Debug)]
#[must_use = "when it is dropped, it ends"]
pub struct Runnable {
    pub(super) slot: &'static Slot,
}

/// A goroutine that is blocked. Dropping it ends it.
#[derive(Debug)]
#[must_use = "when it is dropped, it ends"]
pub struct Waiting {
    pub(super) slot: &'static Slot,
}

/// A goroutine that runs on the thread, and the proc that it runs on. Dropping it ends the goroutine
/// and stops the proc.
#[derive(Debug)]
#[must_use = "when it is dropped, the goroutine ends and the proc stops"]
pub struct Running {
    pub(super) proc: &'static Slot,
    pub(super) slot: &'static Slot,
    here: OnThread,
}

impl Runnable {
    pub(super) const fn of(slot: &'static Slot) -> Self {
        Self { slot }
    }

    /// Its id in traces.
    #[must_use]
    pub fn id(&self) -> GoroutineId {
        id_of(self.slot)
    }
}

impl Runnable {
    pub(super) fn into_slot(self) -> &'static Slot {
        ManuallyDrop::new(self).slot
    }
}

impl Drop for Runnable {
    fn drop(&mut self) {
        end_elsewhere(self.slot);
    }
}

impl Waiting {
    pub(super) const fn of(slot: &'static Slot) -> Self {
        Self { slot }
    }

    /// Its id in traces.
    #[must_use]
    pub fn id(&self) -> GoroutineId {
        id_of(self.slot)
    }

    /// Makes it runnable, on any thread, whatever that runs.
    #[inline(always)]
    pub fn unblock(self) -> Runnable {
        let slot = ManuallyDrop::new(self).slot;
        unblock(Here::now(), slot);
        Runnable { slot }
    }
}

fn unblock(here: Here, slot: &'static Slot) {
    if let Some(mut writer) = Writer::new() {
        let word = slot.word();
        if word.state() == State::Waiting {
            writer.claim_context();
            writer.claim_goroutine(slot);
            let stack = writer.stack(here);
            let unblock = [slot.id(), slot.next_sequence(writer.phase()), stack];
            writer.event(EventType::GoUnblock, unblock);
            slot.set(word.to(State::Runnable));
        } else {
            misfit();
        }
    }
}

impl Waiting {
    pub(super) fn into_slot(self) -> &'static Slot {
        ManuallyDrop::new(self).slot
    }

    /// As [`Waiting::unblock`], at a place that the caller knows.
    pub(crate) fn unblock_at(self, here: Here) -> Runnable {
        let slot = self.into_slot();
        unblock(here, slot);
        Runnable { slot }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        end_elsewhere(self.slot);
    }
}

impl Running {
    pub(super) const fn of(proc: &'static Slot, slot: &'static Slot) -> Self {
        Self {
            proc,
            slot,
            here: PhantomData,
        }
    }

    /// Its id in traces.
    #[must_use]
    pub fn id(&self) -> GoroutineId {
        id_of(self.slot)
    }

    /// The number of its proc.
    #[must_use]
    pub fn proc_id(&self) -> ProcId {
        ProcId(self.proc.id())
    }

    /// A name for its proc.
    #[must_use]
    pub fn proc_handle(&self) -> ProcHandle {
        ProcHandle::of(self.proc)
    }

    /// Creates a goroutine.
    #[inline(always)]
    pub fn create(&self) -> Runnable {
        Runnable::of(create(Here::now(), EventType::GoCreate, State::Runnable))
    }

    /// Creates a goroutine that is blocked: a coroutine that waits for its first turn.
    #[inline(always)]
    pub fn create_blocked(&self) -> Waiting {
        Waiting::of(create(
            Here::now(),
            EventType::GoCreateBlocked,
            State::Waiting,
        ))
    }

    /// It blocks. The reason is a text that repeats, such as `sync` or `network`.
    #[inline(always)]
    pub fn block(self, reason: &'static str) -> (RunningProc, Waiting) {
        let (proc, slot) = self.into_parts();
        cease(
            Here::now(),
            slot,
            EventType::GoBlock,
            State::Waiting,
            reason,
        );
        (RunningProc::of(proc), Waiting { slot })
    }

    /// It lets others run, or is made to.
    #[inline(always)]
    pub fn stop(self, reason: &'static str) -> (RunningProc, Runnable) {
        let (proc, slot) = self.into_parts();
        cease(
            Here::now(),
            slot,
            EventType::GoStop,
            State::Runnable,
            reason,
        );
        (RunningProc::of(proc), Runnable { slot })
    }

    /// It ends.
    pub fn exit(self) -> RunningProc {
        let (proc, slot) = self.into_parts();
        exit(slot);
        RunningProc::of(proc)
    }

    /// It enters a system call, or anything else that takes its thread.
    #[inline(always)]
    pub fn syscall(self) -> Syscall {
        let (proc, slot) = self.into_parts();
        Syscall::begin(Here::now(), proc, slot)
    }

    /// It blocks, and `next` runs in its place: a coroutine that resumes another, or yields to it.
    pub fn switch(self, next: Waiting) -> (Self, Waiting) {
        let (proc, slot) = self.into_parts();
        let next = ManuallyDrop::new(next).slot;
        if let Some(mut writer) = Writer::new()
            && runs(&mut writer, slot)
            && waits(next)
        {
            switch(&mut writer, EventType::GoSwitch, next);
            slot.set(slot.word().to(State::Waiting));
        }
        (Self::of(proc, next), Waiting { slot })
    }

    /// It ends, and `next` runs in its place.
    pub fn switch_exit(self, next: Waiting) -> Self {
        let (proc, slot) = self.into_parts();
        let next = ManuallyDrop::new(next).slot;
        if let Some(mut writer) = Writer::new()
            && runs(&mut writer, slot)
            && waits(next)
        {
            switch(&mut writer, EventType::GoSwitchDestroy, next);
            let phase = writer.phase();
            slots::free(writer.own(), slot, phase);
        }
        Self::of(proc, next)
    }

    /// Puts a label on it. No label if the text is empty.
    pub fn label(&self, label: &str) {
        if crate::is_enabled()
            && !label.is_empty()
            && let Some(mut writer) = Writer::new()
            && runs(&mut writer, self.slot)
        {
            writer.claim_context();
            let label = writer.text(label);
            writer.event(EventType::GoLabel, [label]);
        }
    }

    /// There are another number of procs from now on.
    #[inline(always)]
    pub fn procs_changed(&self, count: u64) {
        self.procs_changed_at(Here::now(), count);
    }

    fn procs_changed_at(&self, here: Here, count: u64) {
        if control::is_forked() {
            return;
        }
        // Locked before the section, so that the last number told is the last one set.
        let mut procs = PROCS.lock().unwrap_or_else(PoisonError::into_inner);
        procs.count = count;
        if let Some(mut writer) = Writer::new()
            && runs(&mut writer, self.slot)
        {
            procs.told = writer.phase();
            writer.claim_context();
            let stack = writer.stack(here);
            writer.event(EventType::ProcsChange, [count, stack]);
        }
    }

    /// Reports how many bytes the heap has, live or not yet swept.
    #[inline]
    pub fn heap_alloc(&self, bytes: u64) {
        proc::heap_alloc(bytes);
    }

    /// Reports the size that the collector aims at; 0 when it is disabled.
    #[inline]
    pub fn heap_goal(&self, bytes: u64) {
        proc::heap_goal(bytes);
    }

    fn into_parts(self) -> (&'static Slot, &'static Slot) {
        let this = ManuallyDrop::new(self);
        (this.proc, this.slot)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        exit(self.slot);
        drop(RunningProc::of(self.proc));
    }
}

/// Whether a goroutine is blocked, as the trace knows. If not, the call is counted as a misfit.
fn waits(slot: &'static Slot) -> bool {
    let waits = slot.word().state() == State::Waiting;
    if !waits {
        misfit();
    }
    waits
}

/// Whether the thread runs this goroutine, as the trace knows. If not, the call is counted as a misfit.
pub(super) fn runs(writer: &mut Writer, slot: &'static Slot) -> bool {
    let own = writer.own();
    let runs = own.running && own.goroutine.is_some_and(|g| std::ptr::eq(g, slot));
    if !runs {
        misfit();
    }
    runs
}

fn cease(here: Here, slot: &'static Slot, event: EventType, state: State, reason: &'static str) {
    if let Some(mut writer) = Writer::new()
        && runs(&mut writer, slot)
    {
        writer.claim_context();
        let reason = writer.name(reason);
        let stack = writer.stack(here);
        writer.event(event, [reason, stack]);
        leave(&mut writer);
        slot.set(slot.word().to(state));
    }
}

fn exit(slot: &'static Slot) {
    if let Some(mut writer) = Writer::new()
        && runs(&mut writer, slot)
    {
        writer.claim_context();
        writer.event(EventType::GoDestroy, []);
        leave(&mut writer);
        let phase = writer.phase();
        slots::free(writer.own(), slot, phase);
    }
}

fn leave(writer: &mut Writer) {
    let own = writer.own();
    own.goroutine = None;
    own.running = false;
}

/// Runs `next`, which waits, in the place of the thread's goroutine.
pub(super) fn switch(writer: &mut Writer, event: EventType, next: &'static Slot) {
    let phase = writer.phase();
    writer.claim_context();
    writer.claim_goroutine(next);
    writer.event(event, [next.id(), next.next_sequence(phase)]);
    let own = writer.own();
    own.goroutine = Some(next);
    next.set(next.word().on(State::Running, own.thread));
}
