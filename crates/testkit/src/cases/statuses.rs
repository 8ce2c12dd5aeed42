//! ProcStatus, GoStatus and GoStatusStack (section 4.3).

use exectrace_wire::{EventType as E, GoStatus as G, ProcStatus as P};

use super::{NONE, cases, in_syscall, running};
use crate::{Stack, named};

cases! {
    /// A proc's first status in the first generation: whatever it was before is undetermined.
    /// Status 0 is accepted; Running and Syscall bind the proc to the thread, the others do not.
    fn proc_status_in_first_generation(trace: Go126) {
        let generation = trace.generation(1);
        for (proc, status) in P::ALL.iter().enumerate() {
            generation.on(proc as u64).event(E::ProcStatus, (proc as u64, *status));
        }
        for thread in [1, 3] {
            generation.on(thread).event(E::HeapAlloc, (7,));
        }
    }

    /// A proc that is first mentioned in a later generation did not exist before: GOMAXPROCS rose.
    fn proc_status_in_later_generation(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        generation.on(1).event(E::ProcStatus, (7, P::Idle));
        generation.on(2).event(E::ProcStatus, (8, P::Running));
        generation.on(3).event(E::ProcStatus, (9, P::SyscallAbandoned));
    }

    /// Each generation states each proc again; the status must be what is known, and the
    /// sequence starts again from 0.
    fn proc_status_repeated(trace: Go126) {
        let generation = trace.generation(1);
        generation.on(0).event(E::ProcStatus, (0, P::Idle)).event(E::ProcStart, (0, 1));
        generation.on(1).event(E::ProcStatus, (1, P::Idle));
        let generation = trace.generation(2);
        generation.on(0).event(E::ProcStatus, (0, P::Running)).event(E::ProcStop, ());
        generation.on(1).event(E::ProcStatus, (1, P::Idle)).event(E::ProcStart, (1, 1));
        generation.on(0).event(E::ProcStart, (0, 1));
    }

    /// A running proc cannot be idle in the next generation without having stopped.
    fn proc_status_inconsistent(trace: Go126) {
        trace.generation(1).on(0).event(E::ProcStatus, (0, P::Running));
        trace.generation(2).on(0).event(E::ProcStatus, (0, P::Idle));
    }

    /// A proc in a system call since the last generation is about to be stolen: its status comes
    /// from the thief, but is reported for the thread that holds the proc, and the thief goes on
    /// with its own proc.
    fn proc_status_abandoned_of_a_known_holder(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        running(generation, 1, 1, 2);
        let generation = trace.generation(2);
        running(generation, 1, 1, 2);
        generation
            .on(1)
            .event(E::ProcStatus, (0, P::SyscallAbandoned))
            .event(E::ProcSteal, (0, 1, 0))
            .event(E::HeapAlloc, (1,));
        generation
            .on(0)
            .event(E::GoStatus, (1, 0, G::Syscall))
            .event(E::GoSyscallEndBlocked, ());
    }

    /// A proc that lost its thread stays abandoned into the next generation: reported as idle.
    fn proc_status_abandoned_twice(trace: Go125) {
        trace.generation(1).on(1).event(E::ProcStatus, (0, P::SyscallAbandoned));
        trace
            .generation(2)
            .on(1)
            .event(E::ProcStatus, (0, P::SyscallAbandoned))
            .event(E::ProcSteal, (0, 1, NONE))
            .event(E::ProcStart, (0, 2));
    }

    /// A proc is about to be stolen from a system call, but the thread that held it took another
    /// one without giving it up.
    fn proc_status_abandoned_without_a_holder(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(0).event(E::ProcStatus, (1, P::Running));
        trace.generation(2).on(1).event(E::ProcStatus, (0, P::SyscallAbandoned));
    }

    /// There is no proc status 5.
    fn proc_status_out_of_range(trace: Go126) {
        trace.generation(1).on(0).event(E::ProcStatus, (0, 5));
    }

    /// A goroutine's first status in the first generation: whatever it was before is
    /// undetermined. Status 0 is accepted; Running and Syscall bind the goroutine to the thread.
    fn go_status_in_first_generation(trace: Go126) {
        let generation = trace.generation(1);
        for (thread, status) in (0..).zip(G::ALL) {
            generation
                .on(thread)
                .event(E::ProcStatus, (thread, P::Running))
                .event(E::GoStatus, (10 + thread, thread, *status))
                .event(E::HeapAlloc, (1,));
        }
    }

    /// Each generation states each goroutine again; the status must be what is known.
    fn go_status_repeated(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreate, (2, 0)).event(E::GoBlock, ("sleep",));
        let generation = trace.generation(2);
        generation
            .on(0)
            .event(E::GoStatus, (1, NONE, G::Waiting))
            .event(E::GoUnblock, (1, 1))
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoStatus, (2, 0, G::Runnable))
            .event(E::GoStart, (2, 1));
    }

    /// A goroutine that blocked cannot be runnable in the next generation without an unblock.
    fn go_status_inconsistent(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoBlock, ("sleep",));
        trace.generation(2).on(0).event(E::GoStatus, (1, NONE, G::Runnable));
    }

    /// All goroutines are known after the first generation: they were stated there or created.
    fn go_status_unknown_in_later_generation(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoStatus, (9, NONE, G::Waiting));
    }

    /// A goroutine in a system call is on a thread.
    fn go_status_syscall_without_a_thread(trace: Go126) {
        trace.generation(1).on(0).event(E::GoStatus, (1, NONE, G::Syscall));
    }

    /// Statuses of goroutines that sat in system calls all the time are written by nobody in
    /// particular: they are reported for the goroutine's thread, known or not.
    fn go_status_syscall_from_no_thread(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on_no_thread().event(E::GoStatus, (2, 5, G::Syscall));
        let generation = trace.generation(2);
        generation
            .on_no_thread()
            .event(E::GoStatus, (1, 0, G::Syscall))
            .event(E::GoStatus, (2, 5, G::Syscall));
        trace
            .generation(3)
            .on(5)
            .event(E::GoStatus, (2, 5, G::Syscall))
            .event(E::GoSyscallEndBlocked, ());
    }

    /// A thread states the system call of another thread's goroutine and keeps its own bindings.
    fn go_status_syscall_from_another_thread(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoStatus, (2, 7, G::Syscall))
            .event(E::GoBlock, ("select",));
        generation.on(7).event(E::GoSyscallEndBlocked, ());
    }

    /// The thread that the status names runs another goroutine.
    fn go_status_syscall_on_a_busy_thread(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on_no_thread().event(E::GoStatus, (2, 0, G::Syscall));
    }

    /// In a later generation the thread itself says that its goroutine is in a system call, as
    /// is known.
    fn go_status_syscall_own_thread_later(trace: Go126) {
        in_syscall(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        in_syscall(generation, 0, 0, 1);
        generation.on(0).event(E::GoSyscallEnd, ());
    }

    /// In a later generation a thread claims a goroutine in a system call that is known to be on
    /// another thread.
    fn go_status_syscall_own_thread_later_wrong(trace: Go126) {
        in_syscall(trace.generation(1), 0, 0, 1);
        trace.generation(2).on(3).event(E::GoStatus, (1, 3, G::Syscall));
    }

    /// There is no goroutine status 5.
    fn go_status_out_of_range(trace: Go126) {
        trace.generation(1).on(0).event(E::GoStatus, (1, NONE, 5));
    }

    /// A status within the generation of the creation starts the sequence again.
    fn go_status_restarts_the_sequence(trace: Go122) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoCreateSyscall, (4,))
            .event(E::GoSyscallEndBlocked, ())
            .event(E::ProcStatus, (0, P::Idle))
            .event(E::ProcStart, (0, 1))
            .event(E::GoStart, (4, 1))
            .event(E::GoStop, ("preempted",))
            .event(E::GoStatus, (4, NONE, G::Runnable))
            .event(E::GoStart, (4, 1));
    }

    /// Since Go 1.23 a status may carry the stack at which the goroutine waits. It is the
    /// goroutine's stack and the event's.
    fn go_status_with_stack(trace: Go123) {
        let stack = Stack::calls(["time.Sleep", "main.worker"]);
        trace.generation(1).on_no_thread().event(
            E::GoStatusStack,
            named! { g: 1, m: NONE, gstatus: G::Waiting, stack: &stack },
        );
        trace
            .generation(2)
            .on_no_thread()
            .event(E::GoStatusStack, (1, NONE, G::Waiting, &stack))
            .event(E::GoUnblock, (1, 1));
    }
}
