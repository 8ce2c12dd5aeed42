//! System calls: what takes a thread, and may cost it its proc.

use std::{marker::PhantomData, mem::ManuallyDrop};

use exectrace_wire::{EventType, GoroutineId};

use super::{
    OnThread, Proc, ProcHandle, Runnable, Running, fresh_goroutine_id, goroutine::runs, id_of,
    proc, slots,
};
use crate::{
    stack::Here,
    stats::misfit,
    status::{Slot, State, Word},
    writer::Writer,
};

/// A goroutine that is in a system call on the thread, with a proc that others may steal. Dropping it
/// ends the goroutine.
#[derive(Debug)]
#[must_use = "when it is dropped, the goroutine ends"]
pub struct Syscall {
    slot: &'static Slot,
    /// The proc with which the call began, and the word that it got; nobody has had it since if it
    /// still has that.
    proc: Option<(&'static Slot, Word)>,
    here: OnThread,
}

/// What a system call comes back to.
#[derive(Debug)]
#[must_use = "it has a goroutine"]
pub enum Returned {
    /// The thread still has its proc, and goes on.
    Running(Running),
    /// The proc was stolen: the goroutine waits for another one.
    Lost(Runnable),
}

impl Syscall {
    pub(super) fn begin(here: Here, proc: &'static Slot, slot: &'static Slot) -> Self {
        let mut word = proc.word();
        if let Some(mut writer) = Writer::new()
            && runs(&mut writer, slot)
        {
            writer.claim_context();
            let stack = writer.stack(here);
            let number = proc.next_sequence(writer.phase());
            writer.event(EventType::GoSyscallBegin, [number, stack]);
            let own = writer.own();
            own.running = false;
            slot.set(slot.word().on(State::Syscall, own.thread));
            word = word.next_call().on(State::Syscall, own.thread);
            // From here on somebody may steal it.
            proc.set(word);
        }
        Self::of(slot, Some((proc, word)))
    }

    /// A thread that was not known calls in: its goroutine is new, and has no proc. `None` if the
    /// thread has a goroutine or a proc already.
    #[must_use]
    pub fn create() -> Option<Self> {
        let mut writer = Writer::new()?;
        let own = writer.own();
        if own.goroutine.is_some() || own.proc.is_some() {
            return None;
        }
        let thread = own.thread;
        let slot = slots::take(own);
        writer.claim_context();
        let id = fresh_goroutine_id();
        writer.event(EventType::GoCreateSyscall, [id]);
        let phase = writer.phase();
        slot.create(
            id,
            phase,
            Word::new(State::Syscall).on(State::Syscall, thread),
        );
        writer.own().goroutine = Some(slot);
        Some(Self::of(slot, None))
    }

    const fn of(slot: &'static Slot, proc: Option<(&'static Slot, Word)>) -> Self {
        Self {
            slot,
            proc,
            here: PhantomData,
        }
    }

    /// Its id in traces.
    #[must_use]
    pub fn id(&self) -> GoroutineId {
        id_of(self.slot)
    }

    /// A name for the proc with which the call began.
    #[must_use]
    pub fn proc_handle(&self) -> Option<ProcHandle> {
        self.proc.map(|(proc, _)| ProcHandle::of(proc))
    }

    /// Gives the proc up before the call is over; `None` if somebody has stolen it.
    #[must_use]
    pub fn hand_off(&mut self) -> Option<Proc> {
        let (slot, word) = self.proc.take()?;
        // Looked at before the section (invariant 5 of the write sections).
        if slot.word() != word {
            return None;
        }
        let mut writer = Writer::new()?;
        let own = writer.own();
        if own.running {
            return None;
        }
        writer.claim_context();
        if !proc::steal(&mut writer, slot, word) {
            return None;
        }
        writer.own().proc = None;
        Some(Proc { slot })
    }

    /// The call is over.
    pub fn end(self) -> Returned {
        let this = ManuallyDrop::new(self);
        let slot = this.slot;
        let Some((proc, word)) = this.proc else {
            lose(slot);
            return Returned::Lost(Runnable::of(slot));
        };
        // 1. Whose the proc is, is decided before the section (invariant 5 of the write sections). If
        //    the call's beginning was dropped, so is its end.
        let began = word.state() == State::Syscall;
        let returning = word.on(State::Returning, word.thread());
        if began && !proc.exchange(word, returning) {
            lose(slot);
            return Returned::Lost(Runnable::of(slot));
        }

        // 2. It goes on.
        if began
            && let Some(mut writer) = Writer::new()
            && in_syscall(&mut writer, slot)
        {
            writer.claim_proc(proc);
            writer.claim_goroutine(slot);
            writer.event(EventType::GoSyscallEnd, []);
            let own = writer.own();
            own.running = true;
            let thread = own.thread;
            proc.set(returning.on(State::Running, thread));
            slot.set(slot.word().on(State::Running, thread));
        }
        Returned::Running(Running::of(proc, slot))
    }

    /// The call is over and the goroutine goes on with another proc. The one with which it began is
    /// given up, unless somebody has stolen it.
    pub fn end_on(mut self, proc: Proc) -> Running {
        drop(self.hand_off());
        let slot = ManuallyDrop::new(self).slot;
        let proc = ManuallyDrop::new(proc).slot;
        if let Some(mut writer) = Writer::new()
            && in_syscall(&mut writer, slot)
            && is_idle(proc)
        {
            let phase = writer.phase();
            writer.own().proc = None;
            writer.claim_goroutine(slot);
            proc::start(&mut writer, proc);
            writer.event(EventType::GoSyscallEndBlocked, []);
            writer.event(EventType::GoStart, [slot.id(), slot.next_sequence(phase)]);
            let own = writer.own();
            own.running = true;
            slot.set(slot.word().on(State::Running, own.thread));
        }
        Running::of(proc, slot)
    }

    /// The goroutine ends: the thread goes back to where it is not known.
    pub fn exit(self) {
        drop(self);
    }
}

impl Drop for Syscall {
    fn drop(&mut self) {
        drop(self.hand_off());
        if let Some(mut writer) = Writer::new()
            && in_syscall(&mut writer, self.slot)
        {
            let phase = writer.phase();
            destroy(&mut writer, self.slot);
            slots::free(writer.own(), self.slot, phase);
        }
    }
}

/// Whether nobody has a proc, as the trace knows. If somebody does, the call is counted as a misfit.
fn is_idle(proc: &'static Slot) -> bool {
    let is = proc.word().state() == State::Idle;
    if !is {
        misfit();
    }
    is
}

/// Whether the thread's goroutine is this one, and in a system call, as the trace knows. If not, the
/// call is counted as a misfit.
fn in_syscall(writer: &mut Writer, slot: &'static Slot) -> bool {
    let own = writer.own();
    let is = !own.running && own.goroutine.is_some_and(|g| std::ptr::eq(g, slot));
    if !is {
        misfit();
    }
    is
}

/// The proc is somebody else's; the goroutine waits for another.
fn lose(slot: &'static Slot) {
    if let Some(mut writer) = Writer::new()
        && in_syscall(&mut writer, slot)
    {
        writer.own().proc = None;
        writer.claim_goroutine(slot);
        writer.event(EventType::GoSyscallEndBlocked, []);
        writer.own().goroutine = None;
        slot.set(slot.word().to(State::Runnable));
    }
}

/// The goroutine of the thread, which is in a system call and has no proc, ends.
pub(crate) fn destroy(writer: &mut Writer, slot: &'static Slot) {
    writer.own().proc = None;
    writer.claim_goroutine(slot);
    writer.event(EventType::GoDestroySyscall, []);
    slot.set(Word::FREE);
    writer.own().goroutine = None;
}

/// Takes the thread's proc from its own system call, unless somebody has stolen it.
pub(crate) fn give_up_proc(writer: &mut Writer) {
    let own = writer.own();
    let thread = own.thread;
    if let Some(slot) = own.proc.take() {
        let word = slot.word();
        if word.thread() == thread {
            proc::steal(writer, slot, word);
        }
    }
}
