//! Steps of system calls: procs that are kept, lost, stolen and left behind.

use exectrace_wire::{EventType as E, GoStatus, ProcStatus, ThreadId, Version};

use super::{
    emit::both_stacks,
    world::{Goroutine, P, ProcPlace, T, World},
};

impl World {
    pub(super) fn try_syscall_begin(&mut self) {
        let Some(t) = self.running_thread() else {
            return;
        };
        let g = self.running_goroutine(t);
        let p = self.threads[t].proc.expect("a running thread holds a proc");
        let sequence = self.next_proc_sequence(p);
        let stack = self.random_stack();
        self.emit(t, E::GoSyscallBegin, (sequence, &stack));
        let context = self.context(t);
        let stacks = both_stacks(&stack);
        self.fact(
            context,
            &format!("StateTransition GoID={g} Running->Syscall Reason=\"\"{stacks}"),
        );
        self.goroutine(g).status = GoStatus::Syscall;
        self.procs[p].place = ProcPlace::Syscall(t);
        self.procs[p].known = Some(ProcStatus::Syscall);
        self.procs[p].syscall_thread = Some(self.threads[t].id);
        // Somebody wants to stop the world: the proc is given up at once.
        if self.rng.one_in(5) {
            if self.has(Version::Go126) {
                self.stop_proc(t);
            } else {
                self.steal(t, p);
            }
        }
    }

    pub(super) fn try_syscall_end(&mut self) {
        let thread =
            self.thread_where(|world, thread| world.in_syscall(thread) && thread.proc.is_some());
        let Some(t) = thread else { return };
        self.state_before(t, GoStatus::Syscall, ProcStatus::Syscall);
        self.emit(t, E::GoSyscallEnd, ());
        let context = self.context(t);
        let (g, p) = (self.threads[t].goroutine, self.threads[t].proc);
        let (Some(g), Some(p)) = (g, p) else { return };
        self.go_fact(context, g, "Syscall->Running", "");
        self.goroutine(g).status = GoStatus::Running;
        self.procs[p].place = ProcPlace::Running(t);
        self.procs[p].known = Some(ProcStatus::Running);
    }

    pub(super) fn try_steal(&mut self) {
        let stealable =
            self.proc_where(|proc| matches!(proc.place, ProcPlace::Syscall(_) | ProcPlace::Left));
        let Some(p) = stealable else { return };
        let holder = match self.procs[p].place {
            ProcPlace::Syscall(t) => Some(t),
            _ => None,
        };
        let thief = self.thread_where(|world, thread| {
            world.runs(thread) && !thread.proc.is_some_and(|p| world.procs[p].sweeping)
                || thread.goroutine.is_none() && thread.proc.is_none()
        });
        let thief = if self.rng.one_in(8) { holder } else { thief };
        if let Some(t) = thief {
            self.steal(t, p);
        }
    }

    /// A thread takes a proc that is in a system call, which may be its own.
    pub(super) fn steal(&mut self, t: T, p: P) {
        let holder = match self.procs[p].place {
            ProcPlace::Syscall(holder) => Some(holder),
            _ => None,
        };
        // From here on the proc is nobody's: the holder must not state it as its own.
        if let Some(holder) = holder {
            self.threads[holder].proc = None;
        }
        let status = if self.in_syscall(&self.threads[t]) {
            GoStatus::Syscall
        } else {
            GoStatus::Running
        };
        self.state_before(t, status, ProcStatus::Running);
        if self.procs[p].stated != self.generation {
            self.state_proc(t, p, ProcStatus::SyscallAbandoned);
        }
        let sequence = self.next_proc_sequence(p);
        let from = self.procs[p].syscall_thread.take().map(ThreadId);
        self.emit(t, E::ProcSteal, (p as u64, sequence, from));
        let context = self.context(t);
        if self.procs[p].known == Some(ProcStatus::SyscallAbandoned) {
            self.proc_fact(context, p, "Idle->Idle");
        } else {
            self.proc_fact(context, p, "Running->Idle");
            if let Some(holder) = holder {
                self.threads[holder].known_proc = None;
            }
        }
        self.procs[p].known = Some(ProcStatus::Idle);
        self.procs[p].place = ProcPlace::Idle;
    }

    pub(super) fn try_syscall_end_blocked(&mut self) {
        let thread =
            self.thread_where(|world, thread| world.in_syscall(thread) && thread.proc.is_none());
        let Some(t) = thread else { return };
        let idle = self.proc_where(|proc| proc.place == ProcPlace::Idle);
        let new_proc = if self.rng.one_in(2) { idle } else { None };
        if let Some(p) = new_proc {
            self.start_proc(t, p);
        }
        self.state_before(t, GoStatus::Syscall, ProcStatus::Running);
        self.emit(t, E::GoSyscallEndBlocked, ());
        let g = self.threads[t].goroutine.expect("it is in a system call");
        let context = self.context(t);
        self.go_fact(context, g, "Syscall->Runnable", "");
        let goroutine = self.goroutine(g);
        goroutine.status = GoStatus::Runnable;
        goroutine.thread = None;
        // One from C never runs anywhere else: its thread waits for a proc.
        self.threads[t].goroutine = None;
        self.threads[t].known_goroutine = None;
        if new_proc.is_some() {
            self.start_goroutine(t, g);
        }
    }

    /// A thread from C calls Go: it gets a goroutine in a system call.
    pub(super) fn try_call_from_c(&mut self) {
        let bare =
            self.thread_where(|_, thread| thread.proc.is_none() && thread.goroutine.is_none());
        let Some(t) = bare else { return };
        let g = self.new_goroutine(GoStatus::Syscall);
        let generation = self.generation;
        *self.goroutine(g) = Goroutine {
            stated: generation,
            known: true,
            old: false,
            from_c: true,
            thread: Some(t),
            ..Goroutine::new(GoStatus::Syscall)
        };
        self.emit(t, E::GoCreateSyscall, (g,));
        let context = self.context(t);
        self.go_fact(context, g, "NotExist->Syscall", "");
        self.threads[t].goroutine = Some(g);
        self.threads[t].known_goroutine = Some(g);
    }

    /// A thread returns to C. Its proc, if it has not lost it, stays in the system call.
    pub(super) fn try_return_to_c(&mut self) {
        let thread = self.thread_where(|world, thread| {
            world.in_syscall(thread)
                && thread.goroutine.is_some_and(|g| {
                    let goroutine = &world.goroutines[&g];
                    goroutine.from_c && !goroutine.assisting
                })
        });
        let Some(t) = thread else { return };
        // Whether the proc is lost before or by this event shows in the trace but is not ordered
        // by it, so the simulation does not let the clocks decide.
        self.barrier();
        let p = self.threads[t].proc;
        if self.has(Version::Go126) {
            self.threads[t].proc = None;
        }
        self.state_before(t, GoStatus::Syscall, ProcStatus::Syscall);
        self.emit(t, E::GoDestroySyscall, ());
        let context = self.context(t);
        if let Some(known) = self.threads[t].known_proc.take() {
            self.proc_fact(context, known, "Running->Idle");
            self.procs[known].known = Some(ProcStatus::SyscallAbandoned);
        }
        let g = self.threads[t].goroutine.expect("it is in a system call");
        self.go_fact(context, g, "Syscall->NotExist", "");
        self.forget_goroutine(t, g);
        if let Some(p) = p {
            self.procs[p].place = ProcPlace::Left;
            self.threads[t].proc = None;
        }
        self.barrier();
    }
}
