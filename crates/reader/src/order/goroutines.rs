//! The rules of goroutines.

use exectrace_wire::{GoStatus, GoroutineId, ProcId, ProcStatus};

use super::{Goroutine, NO_SLOT, Ordering, Refusal, Thread, ThreadSlot, go_state, refuse};
use crate::{
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
        if let Some(slot) = self.goroutine_slots.get(at.goroutine) {
            self.require_status(slot, GoStatus::Running)?;
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
        let goroutine = self.existing(at)?;
        self.require_status(goroutine, GoStatus::Syscall)?;
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
        self.remove_goroutine(goroutine);
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
        let Some(goroutine) = self.ready(id, GoStatus::Runnable, number) else {
            // It may be created, or have its status reported, on a thread that we have not come to.
            return Err(Refusal::NotYet);
        };
        at.require_proc()?;
        at.forbid_goroutine()?;
        let sequence = self.sequence(number);
        let state = &mut self.goroutines[goroutine];
        state.status = GoStatus::Running;
        state.sequence = sequence;
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
        let goroutine = self.existing(at)?;
        self.require_status(goroutine, GoStatus::Running)?;
        self.goroutines[goroutine].status = status;
        self.bind_goroutine(slot, NONE);
        self.emit_goroutine(at, event, at.goroutine, GoState::Running, go_state(status));
        Ok(())
    }

    #[inline(always)]
    pub(super) fn go_destroy(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        let goroutine = self.existing(at)?;
        self.require_status(goroutine, GoStatus::Running)?;
        self.remove_goroutine(goroutine);
        self.bind_goroutine(slot, NONE);
        self.emit_goroutine(at, event, at.goroutine, GoState::Running, GoState::NotExist);
        Ok(())
    }

    pub(super) fn go_unblock(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        let (id, number) = (event.arg::<0>(), event.arg::<1>());
        let Some(goroutine) = self.ready(id, GoStatus::Waiting, number) else {
            // As in `go_start`. There is no context to check: anything can unblock a goroutine,
            // also a thread without a proc.
            return Err(Refusal::NotYet);
        };
        let sequence = self.sequence(number);
        let state = &mut self.goroutines[goroutine];
        state.status = GoStatus::Runnable;
        state.sequence = sequence;
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
        let current = self.existing(at)?;
        self.require_status(current, GoStatus::Running)?;
        let (id, number) = (event.arg::<0>(), event.arg::<1>());
        let Some(next) = self.ready(id, GoStatus::Waiting, number) else {
            // As in `go_start`.
            return Err(Refusal::NotYet);
        };
        let sequence = self.sequence(number);
        let state = &mut self.goroutines[next];
        state.status = GoStatus::Running;
        state.sequence = sequence;
        self.emit_goroutine(at, event, id, GoState::Waiting, GoState::Runnable);

        let leave = event.derive(if destroy { T::GoDestroy } else { T::GoBlock }, [0; 4]);
        let to = if destroy {
            GoState::NotExist
        } else {
            GoState::Waiting
        };
        self.emit_goroutine_next(at, &leave, at.goroutine, GoState::Running, to);
        if destroy {
            self.remove_goroutine(current);
        } else {
            self.goroutines[current].status = GoStatus::Waiting;
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
        let goroutine = self.existing(at)?;
        self.require_status(goroutine, GoStatus::Running)?;
        // The proc's sequence only tells which system call a later steal interrupts. It is on this
        // thread, so it cannot be early: a wrong number is an error.
        let sequence = self.sequence(event.arg::<0>());
        let proc = &mut self.procs[at.proc_slot];
        if !sequence.succeeds(proc.sequence) {
            return refuse(OrderError::ProcSequence {
                id: ProcId(at.proc),
                found: event.arg::<0>(),
            });
        }
        proc.sequence = sequence;
        proc.status = ProcStatus::Syscall;
        self.goroutines[goroutine].status = GoStatus::Syscall;
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
        let goroutine = self.existing(at)?;
        self.require_status(goroutine, GoStatus::Syscall)?;
        let proc = &mut self.procs[at.proc_slot];
        if proc.status != ProcStatus::Syscall {
            return refuse(OrderError::ProcState {
                id: ProcId(at.proc),
                expected: "in a system call",
                found: proc.status,
            });
        }
        proc.status = ProcStatus::Running;
        self.goroutines[goroutine].status = GoStatus::Running;
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
        let goroutine = self.existing(at)?;
        self.require_status(goroutine, GoStatus::Syscall)?;
        self.goroutines[goroutine].status = GoStatus::Runnable;
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
        let known = self.goroutine_slots.get(id);
        match known {
            Some(known) if self.goroutines[known].status != status => {
                return refuse(OrderError::InconsistentGoroutine {
                    id: GoroutineId(id),
                    expected: go_state(self.goroutines[known].status),
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
        match known {
            Some(known) => self.goroutines[known].sequence = sequence,
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

    /// The slot of a goroutine in this state whose next sequence number is this.
    #[inline(always)]
    fn ready(&self, id: u64, status: GoStatus, number: u64) -> Option<u32> {
        let slot = self.goroutine_slots.get(id)?;
        let goroutine = &self.goroutines[slot];
        (goroutine.status == status && self.sequence(number).succeeds(goroutine.sequence))
            .then_some(slot)
    }

    /// The slot of the context's goroutine.
    #[inline(always)]
    pub(super) fn existing(&self, at: Thread) -> Result<u32, Refusal> {
        match self.goroutine_slots.get(at.goroutine) {
            Some(slot) => Ok(slot),
            None => refuse(OrderError::UnknownGoroutine(GoroutineId(at.goroutine))),
        }
    }

    #[inline(always)]
    fn require_status(&self, slot: u32, expected: GoStatus) -> Result<(), Refusal> {
        let goroutine = &self.goroutines[slot];
        if goroutine.status == expected {
            return Ok(());
        }
        refuse(OrderError::GoroutineState {
            id: GoroutineId(goroutine.id),
            expected: go_state(expected),
            found: go_state(goroutine.status),
        })
    }

    #[inline]
    fn add_goroutine(&mut self, id: u64, status: GoStatus) -> Result<(), Refusal> {
        if self.goroutine_slots.get(id).is_some() {
            return refuse(OrderError::GoroutineExists(GoroutineId(id)));
        }
        self.insert_goroutine(id, status);
        Ok(())
    }

    #[inline]
    fn insert_goroutine(&mut self, id: u64, status: GoStatus) {
        let sequence = self.sequence(0);
        let slot = self.goroutines.insert(Goroutine {
            id,
            sequence,
            status,
            open: NO_SLOT,
        });
        self.goroutine_slots.insert(id, slot);
    }

    /// Forgets a goroutine with its open ranges and regions.
    fn remove_goroutine(&mut self, slot: u32) {
        let goroutine = &mut self.goroutines[slot];
        self.goroutine_slots.remove(goroutine.id);
        let open = std::mem::replace(&mut goroutine.open, NO_SLOT);
        goroutine.id = NONE;
        self.goroutines.free(slot);
        if open != NO_SLOT {
            self.open[open].clear();
            self.open.free(open);
        }
    }
}
