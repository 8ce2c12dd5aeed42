//! The rules of procs.

use exectrace_wire::{ProcId, ProcStatus, ThreadId};

use super::{NO_SLOT, Ordering, Proc, Refusal, Thread, ThreadSlot, proc_state, refuse, wrong};
use crate::{error::OrderError, record::NONE, state::ProcState, stream::Decoded};

impl Ordering {
    pub(super) fn proc_start(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        let (id, number) = (event.arg::<0>(), event.arg::<1>());
        let sequence = self.sequence(number);
        let proc = match self.proc_slots.get(id) {
            // A thread that still has a proc is in a system call, and we have not come to the
            // steal that takes it away.
            Some(proc)
                if at.proc == NONE
                    && self.procs[proc].status == ProcStatus::Idle
                    && sequence.succeeds(self.procs[proc].sequence) =>
            {
                proc
            }
            // Its status may be reported on a thread that we have not come to.
            _ => return Err(Refusal::NotYet),
        };
        // A goroutine may be there: it is leaving a system call.
        at.require_thread()?;
        let state = &mut self.procs[proc];
        state.status = ProcStatus::Running;
        state.sequence = sequence;
        self.bind_proc(slot, id, proc);
        self.emit_proc(at, event, id, ProcState::Idle, ProcState::Running);
        Ok(())
    }

    /// A thread gives up its own proc, so it cannot be early and needs no sequence number.
    pub(super) fn proc_stop(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_proc()?;
        let proc = &mut self.procs[at.proc_slot];
        if !matches!(proc.status, ProcStatus::Running | ProcStatus::Syscall) {
            return refuse(OrderError::ProcState {
                id: ProcId(at.proc),
                expected: "running or in a system call",
                found: proc.status,
            });
        }
        proc.status = ProcStatus::Idle;
        self.bind_proc(slot, NONE, NO_SLOT);
        self.emit_proc(at, event, at.proc, ProcState::Running, ProcState::Idle);
        Ok(())
    }

    pub(super) fn proc_steal(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        let [id, number, thread, _] = event.args();
        let sequence = self.sequence(number);
        let proc = match self.proc_slots.get(id) {
            Some(proc)
                if matches!(
                    self.procs[proc].status,
                    ProcStatus::Syscall | ProcStatus::SyscallAbandoned
                ) && sequence.succeeds(self.procs[proc].sequence) =>
            {
                proc
            }
            // The system call that it interrupts may be on a thread that we have not come to.
            _ => return Err(Refusal::NotYet),
        };
        at.require_thread()?;
        let abandoned = self.procs[proc].status == ProcStatus::SyscallAbandoned;
        // Of an abandoned proc we do not know the thread any more: it may be another by now.
        if !abandoned {
            let victim = self.steal_victim(slot, at, id, thread)?;
            self.bind_proc(victim, NONE, NO_SLOT);
        }
        let state = &mut self.procs[proc];
        state.status = ProcStatus::Idle;
        state.sequence = sequence;
        let from = if abandoned {
            ProcState::Idle
        } else {
            ProcState::Running
        };
        self.emit_proc(at, event, id, from, ProcState::Idle);
        Ok(())
    }

    /// The thread that loses the proc; perhaps the stealing one itself.
    fn steal_victim(
        &self,
        slot: ThreadSlot,
        at: Thread,
        id: u64,
        thread: u64,
    ) -> Result<ThreadSlot, Refusal> {
        let victim = if thread == at.id {
            slot
        } else {
            let known = self.thread_slots.get(&thread).copied();
            ThreadSlot(
                known
                    .ok_or_else(|| wrong(OrderError::StolenFromUnknownThread(ThreadId(thread))))?,
            )
        };
        let holds = self
            .threads
            .get(victim.0 as usize)
            .map_or(NONE, |thread| thread.proc);
        if holds != id {
            return refuse(OrderError::StolenFromWrongThread {
                id: ProcId(id),
                thread: ThreadId(thread),
                found: (holds != NONE).then_some(ProcId(holds)),
            });
        }
        Ok(victim)
    }

    /// What a proc does when the generation first mentions it. Any thread may report it.
    pub(super) fn proc_status(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let mut at = self.context(slot);
        let (id, status) = (event.arg::<0>(), event.arg::<1>());
        let Some(status) = ProcStatus::from_wire(status) else {
            return refuse(OrderError::BadStatus(status));
        };
        let sequence = self.sequence(0);
        let (from, to, proc) = match self.proc_slots.get(id) {
            Some(proc) => {
                let tracked = self.procs[proc].status;
                let (from, to) = match (tracked, status) {
                    // The reporter does not know whose proc it is. We do, so nothing is lost, and
                    // the event belongs into the context of the thread that holds it.
                    (ProcStatus::Syscall, ProcStatus::SyscallAbandoned) => {
                        let holder = self.threads.iter().skip(1).find(|thread| thread.proc == id);
                        at = *holder.ok_or_else(|| wrong(OrderError::NoHolder(ProcId(id))))?;
                        (ProcState::Running, ProcState::Running)
                    }
                    _ if tracked == status => (proc_state(status), proc_state(status)),
                    _ => {
                        return refuse(OrderError::InconsistentProc {
                            id: ProcId(id),
                            expected: tracked,
                            found: status,
                        });
                    }
                };
                self.procs[proc].sequence = sequence;
                (from, to, proc)
            }
            None => {
                let proc = self.procs.insert(Proc {
                    sequence,
                    status,
                    sweeping: false,
                });
                self.proc_slots.insert(id, proc);
                // New procs may turn up later: GOMAXPROCS can grow.
                let from = if self.initial {
                    ProcState::Undetermined
                } else {
                    ProcState::NotExist
                };
                (from, proc_state(status), proc)
            }
        };
        if matches!(status, ProcStatus::Running | ProcStatus::Syscall) {
            self.bind_proc(slot, id, proc);
        }
        self.emit_proc(at, event, id, from, to);
        Ok(())
    }
}
