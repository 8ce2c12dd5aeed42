//! ProcStart, ProcStop and ProcSteal (section 4.3).

use exectrace_wire::{EventType as E, GoStatus as G, ProcStatus as P};

use super::{NONE, cases, in_syscall, running};

cases! {
    /// A proc starts before its status by the clock. The start waits for the status.
    fn proc_start_waits_for_the_status(trace: Go126) {
        let generation = trace.generation(1);
        generation.on(1).event(E::ProcStart, (0, 1));
        generation.on(0).event(E::ProcStatus, (0, P::Idle));
    }

    /// Two threads start one proc in turn; their clocks disagree with its sequence.
    fn proc_start_waits_for_its_sequence(trace: Go126) {
        let generation = trace.generation(1);
        generation.on(1).event(E::ProcStart, (0, 2)).event(E::ProcStop, ());
        generation
            .on(0)
            .event(E::ProcStatus, (0, P::Idle))
            .event(E::ProcStart, (0, 1))
            .event(E::ProcStop, ());
    }

    /// A proc starts on one thread before it stops on another one by the clock.
    fn proc_start_waits_for_the_stop(trace: Go126) {
        let generation = trace.generation(1);
        generation.on(0).event(E::ProcStatus, (0, P::Running));
        generation.on(1).event(E::ProcStart, (0, 1));
        generation.on(0).event(E::ProcStop, ());
    }

    /// A thread that returns from a system call starts another proc before the thief of its old
    /// one reports the theft.
    fn proc_start_waits_until_the_old_proc_is_stolen(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::ProcStatus, (2, P::Idle))
            .event(E::ProcStart, (2, 1))
            .event(E::GoSyscallEndBlocked, ())
            .event(E::GoStart, (1, 1));
        generation.on(1).event(E::ProcSteal, (0, 1, 0));
    }

    /// A proc starts that nobody ever mentioned.
    fn proc_start_of_an_unknown_proc(trace: Go126) {
        trace.generation(1).on(0).event(E::ProcStart, (0, 1));
    }

    /// A number of the proc's sequence is missing: another thread's batch was lost.
    fn proc_start_after_a_gap(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Idle))
            .event(E::ProcStart, (0, 3));
    }

    /// Only threads start procs.
    fn proc_start_on_no_thread(trace: Go126) {
        trace
            .generation(1)
            .on_no_thread()
            .event(E::ProcStatus, (0, P::Idle))
            .event(E::ProcStart, (0, 1));
    }

    /// A thread stops its proc, which runs.
    fn proc_stop(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::ProcStop, ());
    }

    /// A thread gives its proc up right after its goroutine entered a system call, for somebody
    /// wants to stop the world (since Go 1.26).
    fn proc_stop_in_a_syscall(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoSyscallBegin, (1,))
            .event(E::ProcStop, ())
            .event(E::GoSyscallEndBlocked, ());
    }

    /// A thread without a proc cannot stop it.
    fn proc_stop_without_a_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Idle))
            .event(E::ProcStop, ());
    }

    /// A running goroutine steals the proc of a thread in a system call and goes on.
    fn proc_steal_by_a_goroutine(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        running(generation, 1, 1, 2);
        generation.on(1).event(E::ProcSteal, (0, 1, 0)).event(E::GoBlock, ("sleep",));
        generation.on(0).event(E::GoSyscallEndBlocked, ());
    }

    /// A thread without a proc steals one from a thread in a system call and starts it.
    fn proc_steal_by_a_bare_thread(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(1).event(E::ProcSteal, (0, 1, 0)).event(E::ProcStart, (0, 2));
        generation.on(0).event(E::GoSyscallEndBlocked, ());
    }

    /// A thread steals its own proc in a system call, which is how it stopped one before Go 1.26.
    fn proc_steal_from_oneself(trace: Go125) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::ProcSteal, (0, 1, 0))
            .event(E::ProcStart, (0, 2))
            .event(E::GoSyscallEndBlocked, ())
            .event(E::GoStart, (1, 1));
    }

    /// A thread claims to steal from itself a proc that another thread holds.
    fn proc_steal_from_oneself_of_another_proc(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(1).event(E::ProcSteal, (0, 1, 1));
    }

    /// A proc is stolen before the system call begins by the clock.
    fn proc_steal_waits_for_the_syscall(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(1).event(E::ProcSteal, (0, 2, 0));
        generation.on(0).event(E::GoSyscallBegin, (1,));
    }

    /// All events have one time, and the proc could be stolen from either of two system calls.
    /// The sequence says that it is the second.
    fn proc_steal_hits_the_right_syscall(trace: Go126) {
        let generation = trace.step(0).generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoSyscallBegin, (1,))
            .event(E::GoSyscallEnd, ())
            .event(E::GoSyscallBegin, (2,))
            .event(E::GoSyscallEndBlocked, ());
        generation.on(1).event(E::ProcSteal, (0, 3, 0));
    }

    /// The thread that the proc is stolen from was never mentioned.
    fn proc_steal_from_an_unknown_thread(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(1).event(E::ProcSteal, (0, 1, 9));
    }

    /// The thread that the proc is stolen from holds another one.
    fn proc_steal_from_a_thread_with_another_proc(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        in_syscall(generation, 1, 1, 2);
        generation.on(2).event(E::ProcSteal, (0, 1, 1));
    }

    /// The thread that the proc is stolen from holds none.
    fn proc_steal_from_a_thread_without_a_proc(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(1).event(E::GoStatus, (2, 1, G::Waiting));
        generation.on(2).event(E::ProcSteal, (0, 1, 1));
    }

    /// An idle proc cannot be stolen, and nobody makes it stealable.
    fn proc_steal_of_an_idle_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Idle))
            .event(E::ProcSteal, (0, 1, NONE));
    }

    /// An abandoned proc is stolen: no thread loses it, not even the one that the event names
    /// and that holds another one.
    fn proc_steal_of_an_abandoned_proc(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 1, 1);
        generation
            .on(2)
            .event(E::ProcStatus, (0, P::SyscallAbandoned))
            .event(E::ProcSteal, (0, 1, 0));
        generation.on(0).event(E::HeapAlloc, (1,));
    }

    /// Only threads steal.
    fn proc_steal_on_no_thread(trace: Go126) {
        trace
            .generation(1)
            .on_no_thread()
            .event(E::ProcStatus, (0, P::SyscallAbandoned))
            .event(E::ProcSteal, (0, 1, NONE));
    }
}
