//! The rules of goroutines.

use exectrace_wire::{GoStatus, GoroutineId, ProcId, ProcStatus};

use super::{
    Goroutine, NO_SLOT, Ordering, Refusal, Sequence, Standing, Thread, ThreadSlot, go_state, refuse,
};
use crate::{
    dense::IdMap,
    error::OrderError,
    record::NONE,
    state::{GoState, ProcState},
    stream::Decoded,
};

impl Ordering {
    #[inline(always)]
    pub(super) fn go_create(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        status: GoStatus,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_proc()?;
        if let Some(current) = self.goroutines.get_mut(at.goroutine) {
            current.require_status(at.goroutine, GoStatus::Running)?;
        }
        let id = event.arg::<0>();
        self.add_goroutine(id, status)?;
        self.emit_goroutine(at, event, id, GoState::NotExist, go_state(status));
        Ok(())
    }

    /// A thread that was created by C code calls Go: a goroutine appears, in a system call.
    pub(super) fn go_create_syscall(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_thread()?;
        at.forbid_goroutine()?;
        let id = event.arg::<0>();
        self.add_goroutine(id, GoStatus::Syscall)?;
        self.bind_goroutine(slot, id);
        self.emit_goroutine(at, event, id, GoState::NotExist, GoState::Syscall);
        Ok(())
    }

    /// The goroutine of a thread that returns to C goes away.
    ///
    /// The thread's proc must be forgotten too: the operating system may give the thread's id to a
    /// new thread, which would then seem to hold the proc, and could even steal it from itself
    /// (Go's test go122-create-syscall-reuse-thread-id). So a steal that the trace does not contain
    /// comes first, and the real one finds the proc abandoned.
    pub(super) fn go_destroy_syscall(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_goroutine()?;
        existing(&mut self.goroutines, at)?.require_status(at.goroutine, GoStatus::Syscall)?;
        if at.proc != NONE {
            let proc = &mut self.procs[at.proc_slot];
            if proc.status != ProcStatus::Syscall {
                return refuse(OrderError::ProcState {
                    id: ProcId(at.proc),
                    expected: "in a system call",
                    found: proc.status,
                });
            }
            proc.status = ProcStatus::SyscallAbandoned;
            self.bind_proc(slot, NONE, NO_SLOT);
            let steal = event.derive(exectrace_wire::EventType::ProcSteal, [at.proc, 0, 0, 0]);
            self.emit_proc(at, &steal, at.proc, ProcState::Running, ProcState::Idle);
        }
        self.remove_goroutine(at.goroutine);
        self.bind_goroutine(slot, NONE);
        let (from, to) = (GoState::Syscall, GoState::NotExist);
        if at.proc != NONE {
            self.emit_goroutine_next(at, event, at.goroutine, from, to);
        } else {
            self.emit_goroutine(at, event, at.goroutine, from, to);
        }
        Ok(())
    }

    pub(super) fn go_start(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        let (id, number) = (event.arg::<0>(), event.arg::<1>());
        let sequence = self.sequence(number);
        let Some(goroutine) = self.ready(id, GoStatus::Runnable, sequence) else {
            // It may be created, or have its status reported, on a thread that we have not come to.
            return Err(Refusal::NotYet);
        };
        at.require_proc()?;
        at.forbid_goroutine()?;
        goroutine.standing = Standing::new(GoStatus::Running);
        goroutine.sequence = sequence;
        self.bind_goroutine(slot, id);
        self.emit_goroutine(at, event, id, GoState::Runnable, GoState::Running);
        Ok(())
    }

    pub(super) fn go_stop(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        status: GoStatus,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        let goroutine = existing(&mut self.goroutines, at)?;
        goroutine.require_status(at.goroutine, GoStatus::Running)?;
        goroutine.standing = Standing::new(status);
        self.bind_goroutine(slot, NONE);
        self.emit_goroutine(at, event, at.goroutine, GoState::Running, go_state(status));
        Ok(())
    }

    #[inline(always)]
    pub(super) fn go_destroy(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        existing(&mut self.goroutines, at)?.require_status(at.goroutine, GoStatus::Running)?;
        self.remove_goroutine(at.goroutine);
        self.bind_goroutine(slot, NONE);
        self.emit_goroutine(at, event, at.goroutine, GoState::Running, GoState::NotExist);
        Ok(())
    }

    pub(super) fn go_unblock(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        let (id, number) = (event.arg::<0>(), event.arg::<1>());
        let sequence = self.sequence(number);
        let Some(goroutine) = self.ready(id, GoStatus::Waiting, sequence) else {
            // As in `go_start`. There is no context to check: anything can unblock a goroutine,
            // also a thread without a proc.
            return Err(Refusal::NotYet);
        };
        goroutine.standing = Standing::new(GoStatus::Runnable);
        goroutine.sequence = sequence;
        self.emit_goroutine(at, event, id, GoState::Waiting, GoState::Runnable);
        Ok(())
    }

    /// A coroutine hands over to another: one event of the format, three of ours.
    pub(super) fn go_switch(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        destroy: bool,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        use exectrace_wire::EventType as T;
        at.require_user()?;
        existing(&mut self.goroutines, at)?.require_status(at.goroutine, GoStatus::Running)?;
        let (id, number) = (event.arg::<0>(), event.arg::<1>());
        let sequence = self.sequence(number);
        let Some(next) = self.ready(id, GoStatus::Waiting, sequence) else {
            // As in `go_start`.
            return Err(Refusal::NotYet);
        };
        next.standing = Standing::new(GoStatus::Running);
        next.sequence = sequence;
        self.emit_goroutine(at, event, id, GoState::Waiting, GoState::Runnable);

        let leave = event.derive(if destroy { T::GoDestroy } else { T::GoBlock }, [0; 4]);
        let to = if destroy {
            GoState::NotExist
        } else {
            GoState::Waiting
        };
        self.emit_goroutine_next(at, &leave, at.goroutine, GoState::Running, to);
        if destroy {
            self.remove_goroutine(at.goroutine);
        } else {
            existing(&mut self.goroutines, at)?.standing = Standing::new(GoStatus::Waiting);
        }

        let start = event.derive(T::GoStart, event.args());
        let between = Thread {
            goroutine: NONE,
            ..at
        };
        self.emit_goroutine_next(between, &start, id, GoState::Runnable, GoState::Running);
        self.bind_goroutine(slot, id);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn go_syscall_begin(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        // The proc's sequence only tells which system call a later steal interrupts. It is on this
        // thread, so it cannot be early: a wrong number is an error.
        let sequence = self.sequence(event.arg::<0>());
        let goroutine = existing(&mut self.goroutines, at)?;
        goroutine.require_status(at.goroutine, GoStatus::Running)?;
        let proc = &mut self.procs[at.proc_slot];
        if !sequence.succeeds(proc.sequence) {
            return refuse(OrderError::ProcSequence {
                id: ProcId(at.proc),
                found: event.arg::<0>(),
            });
        }
        proc.sequence = sequence;
        proc.status = ProcStatus::Syscall;
        goroutine.standing = Standing::new(GoStatus::Syscall);
        self.emit_goroutine(at, event, at.goroutine, GoState::Running, GoState::Syscall);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn go_syscall_end(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        let goroutine = existing(&mut self.goroutines, at)?;
        goroutine.require_status(at.goroutine, GoStatus::Syscall)?;
        let proc = &mut self.procs[at.proc_slot];
        if proc.status != ProcStatus::Syscall {
            return refuse(OrderError::ProcState {
                id: ProcId(at.proc),
                expected: "in a system call",
                found: proc.status,
            });
        }
        proc.status = ProcStatus::Running;
        goroutine.standing = Standing::new(GoStatus::Running);
        self.emit_goroutine(at, event, at.goroutine, GoState::Syscall, GoState::Running);
        Ok(())
    }

    pub(super) fn go_syscall_end_blocked(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        if at.proc != NONE && self.procs[at.proc_slot].status == ProcStatus::Syscall {
            // The event says that the proc was lost during the system call: the stop or the steal
            // that took it must come first. A proc in another state is a new one.
            return Err(Refusal::NotYet);
        }
        at.require_goroutine()?;
        let goroutine = existing(&mut self.goroutines, at)?;
        goroutine.require_status(at.goroutine, GoStatus::Syscall)?;
        goroutine.standing = Standing::new(GoStatus::Runnable);
        self.bind_goroutine(slot, NONE);
        self.emit_goroutine(at, event, at.goroutine, GoState::Syscall, GoState::Runnable);
        Ok(())
    }

    /// What a goroutine does when the generation first mentions it. It may be reported by any
    /// thread, or by none.
    pub(super) fn go_status(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let mut at = self.context(slot);
        let [id, thread, status, _] = event.args();
        let Some(status) = GoStatus::from_wire(status) else {
            return refuse(OrderError::BadStatus(status));
        };
        // 1. Against what is known of the goroutine.
        let known = self.goroutines.get(id);
        match known {
            Some(known) if known.status() != status => {
                return refuse(OrderError::InconsistentGoroutine {
                    id: GoroutineId(id),
                    expected: go_state(known.status()),
                    found: go_state(status),
                });
            }
            None if !self.initial => return refuse(OrderError::LateGoroutine(GoroutineId(id))),
            _ => {}
        }
        // 2. Against what is known of the thread that it is in a system call on.
        let mut elsewhere = None;
        if status == GoStatus::Syscall {
            if thread == NONE {
                return refuse(OrderError::SyscallWithoutThread(GoroutineId(id)));
            }
            let runs = if thread == at.id {
                (!self.initial).then_some(at.goroutine)
            } else {
                elsewhere = Some(thread);
                self.thread_slots
                    .get(&thread)
                    .map(|slot| self.threads[*slot as usize].goroutine)
            };
            if let Some(found) = runs
                && found != id
            {
                let found = (found != NONE).then_some(GoroutineId(found));
                return refuse(OrderError::SyscallOnOtherThread {
                    id: GoroutineId(id),
                    found,
                });
            }
        }
        // 3. Everything holds: change the state.
        let from = if known.is_some() {
            go_state(status)
        } else {
            GoState::Undetermined
        };
        let sequence = self.sequence(0);
        match self.goroutines.get_mut(id) {
            Some(known) => known.sequence = sequence,
            None => self.insert_goroutine(id, status),
        }
        match elsewhere {
            // The event is presented in the context of the thread that it is about; the reporting
            // thread keeps its own.
            Some(thread) => {
                if self.thread_slots.contains_key(&thread) {
                    at.goroutine = id;
                } else {
                    let slot = self.thread_slot(thread);
                    self.bind_goroutine(slot, id);
                }
                at.id = thread;
            }
            None if matches!(status, GoStatus::Running | GoStatus::Syscall) => {
                self.bind_goroutine(slot, id);
            }
            None => {}
        }
        self.emit_goroutine(at, event, id, from, go_state(status));
        Ok(())
    }

    /// A goroutine in this state whose next step is this.
    #[inline(always)]
    fn ready(&mut self, id: u64, status: GoStatus, step: Sequence) -> Option<&mut Goroutine> {
        let goroutine = self.goroutines.get_mut(id)?;
        (goroutine.standing == Standing::new(status) && step.succeeds(goroutine.sequence))
            .then_some(goroutine)
    }

    #[inline]
    fn add_goroutine(&mut self, id: u64, status: GoStatus) -> Result<(), Refusal> {
        if self.goroutines.get(id).is_some() {
            return refuse(OrderError::GoroutineExists(GoroutineId(id)));
        }
        self.insert_goroutine(id, status);
        Ok(())
    }

    #[inline]
    fn insert_goroutine(&mut self, id: u64, status: GoStatus) {
        let goroutine = Goroutine {
            sequence: self.sequence(0),
            open: NO_SLOT,
            standing: Standing::new(status),
        };
        self.goroutines.insert(id, goroutine);
    }

    /// Forgets a goroutine with its open ranges and regions.
    #[inline]
    fn remove_goroutine(&mut self, id: u64) {
        if let Some(goroutine) = self.goroutines.remove(id)
            && goroutine.open != NO_SLOT
        {
            self.open[goroutine.open].clear();
            self.open.free(goroutine.open);
        }
    }
}

/// The goroutine of the context.
#[inline(always)]
fn existing(goroutines: &mut IdMap<Goroutine>, at: Thread) -> Result<&mut Goroutine, Refusal> {
    match goroutines.get_mut(at.goroutine) {
        Some(goroutine) => Ok(goroutine),
        None => refuse(OrderError::UnknownGoroutine(GoroutineId(at.goroutine))),
    }
}

impl Goroutine {
    #[inline(always)]
    fn require_status(&self, id: u64, expected: GoStatus) -> Result<(), Refusal> {
        if self.standing == Standing::new(expected) {
            return Ok(());
        }
        refuse(OrderError::GoroutineState {
            id: GoroutineId(id),
            expected: go_state(expected),
            found: go_state(self.status()),
        })
    }
}
