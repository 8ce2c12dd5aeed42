//! System calls, and goroutines of threads that come from C (section 4.3).

use exectrace_wire::{EventType as E, GoStatus as G, ProcStatus as P};

use super::{cases, in_syscall, running};
use crate::Stack;

cases! {
    /// A system call that nobody notices: the goroutine keeps its proc.
    fn syscall_keeps_the_proc(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoSyscallBegin, (1, Stack::calls(["syscall.Read"])))
            .event(E::GoSyscallEnd, ())
            .event(E::GoSyscallBegin, (2,))
            .event(E::GoSyscallEnd, ());
    }

    /// The number of a system call is not the proc's next. It is the thread's own event, so
    /// nothing can be waited for.
    fn syscall_begin_out_of_sequence(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoSyscallBegin, (2,));
    }

    /// A goroutine without a proc cannot enter a system call.
    fn syscall_begin_without_a_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoStatus, (1, 0, G::Running))
            .event(E::GoSyscallBegin, (1,));
    }

    /// A goroutine in a system call cannot enter another one.
    fn syscall_begin_in_a_syscall(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(0).event(E::GoSyscallBegin, (1,));
    }

    /// A system call ends that did not begin.
    fn syscall_end_of_a_running_goroutine(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoSyscallEnd, ());
    }

    /// A system call ends as if the proc had been kept, but it was stolen.
    fn syscall_end_after_a_steal(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(1).event(E::ProcSteal, (0, 1, 0));
        generation.on(0).event(E::GoSyscallEnd, ());
    }

    /// A system call ends as if the proc had been kept, but the thread started another one.
    fn syscall_end_with_a_running_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoStatus, (1, 0, G::Syscall))
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoSyscallEnd, ());
    }

    /// A goroutine returns from a system call without its proc before the theft by the clock.
    fn syscall_end_blocked_waits_for_the_steal(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(0).event(E::GoSyscallEndBlocked, ());
        generation.on(1).event(E::ProcSteal, (0, 1, 0));
    }

    /// A goroutine returns from a system call without its proc, but nobody took it.
    fn syscall_end_blocked_without_a_steal(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(0).event(E::GoSyscallEndBlocked, ());
    }

    /// A goroutine returns from a system call on a thread that already started another proc.
    fn syscall_end_blocked_with_a_new_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoStatus, (1, 0, G::Syscall))
            .event(E::ProcStatus, (3, P::Idle))
            .event(E::ProcStart, (3, 1))
            .event(E::GoSyscallEndBlocked, ())
            .event(E::GoStart, (1, 1));
    }

    /// A goroutine that runs cannot return from a system call.
    fn syscall_end_blocked_of_a_running_goroutine(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoSyscallEndBlocked, ());
    }

    /// A thread without a goroutine cannot return from a system call.
    fn syscall_end_blocked_without_a_goroutine(trace: Go126) {
        trace.generation(1).on(0).event(E::GoSyscallEndBlocked, ());
    }

    /// A proc is stolen in the generation after the one in which the system call began, and the
    /// thread that lost it comes back with another proc.
    fn syscall_across_generations(trace: Go122) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoSyscallBegin, (1,));
        generation.on(1).event(E::ProcStatus, (1, P::Idle));
        let generation = trace.generation(2);
        generation
            .on(0)
            .event(E::ProcStatus, (1, P::Idle))
            .event(E::ProcStart, (1, 1))
            .event(E::GoStatus, (1, 0, G::Syscall))
            .event(E::GoSyscallEndBlocked, ())
            .event(E::GoStart, (1, 1));
        generation
            .on(1)
            .event(E::ProcStatus, (0, P::SyscallAbandoned))
            .event(E::ProcSteal, (0, 1, 0))
            .event(E::ProcStart, (0, 2));
    }

    /// A thread from C calls Go: its goroutine begins and ends in a system call.
    fn go_create_syscall(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoCreateSyscall, (4,))
            .event(E::ProcStatus, (0, P::Idle))
            .event(E::ProcStart, (0, 1))
            .event(E::GoSyscallEndBlocked, ())
            .event(E::GoStart, (4, 1))
            .event(E::GoSyscallBegin, (2,))
            .event(E::ProcStop, ())
            .event(E::GoDestroySyscall, ());
    }

    /// A thread that runs a goroutine is no thread that comes from C.
    fn go_create_syscall_while_another_runs(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreateSyscall, (4,));
    }

    /// A goroutine with that id exists.
    fn go_create_syscall_of_an_existing_goroutine(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 4);
        generation.on(1).event(E::GoCreateSyscall, (4,));
    }

    /// The goroutine of a thread from C ends while its proc is in the system call. The proc is
    /// reported lost before that, and once more when somebody really takes it.
    fn go_destroy_syscall_abandons_the_proc(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 4);
        generation.on(0).event(E::GoDestroySyscall, ());
        generation.on(1).event(E::ProcSteal, (0, 1, 0)).event(E::ProcStart, (0, 2));
    }

    /// The goroutine of a thread from C ends after somebody took its proc: nothing is left to
    /// abandon.
    fn go_destroy_syscall_after_the_steal(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 4);
        generation.on(1).event(E::ProcSteal, (0, 1, 0)).event(E::ProcStart, (0, 2));
        generation.on(0).event(E::GoDestroySyscall, ());
    }

    /// A running goroutine does not end in a system call.
    fn go_destroy_syscall_of_a_running_goroutine(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 4);
        generation.on(0).event(E::GoDestroySyscall, ());
    }

    /// The thread's proc runs, although the goroutine is in a system call.
    fn go_destroy_syscall_with_a_running_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoStatus, (4, 0, G::Syscall))
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoDestroySyscall, ());
    }

    /// A thread from C is gone and another one has its id. The proc that the old one left is
    /// stolen from the id, but the new one keeps its own.
    fn thread_id_is_used_again(trace: Go122) {
        let generation = trace.generation(1);
        generation
            .on(0)
            .event(E::GoCreateSyscall, (4,))
            .event(E::ProcStatus, (0, P::Idle))
            .event(E::ProcStart, (0, 1))
            .event(E::GoSyscallEndBlocked, ())
            .event(E::GoStart, (4, 1))
            .event(E::GoSyscallBegin, (2,))
            .event(E::GoDestroySyscall, ());
        let now = generation.now();
        generation
            .batch_at(0, now)
            .on(0)
            .event(E::GoCreateSyscall, (5,))
            .event(E::ProcStatus, (1, P::Idle))
            .event(E::ProcStart, (1, 1))
            .event(E::GoSyscallEndBlocked, ())
            .event(E::GoStart, (5, 1));
        generation.on(1).event(E::ProcSteal, (0, 3, 0));
        generation.on(0).event(E::GoBlock, ("sleep",));
    }

    /// A thread from C comes back, and its new goroutine ends its system call as if it still had
    /// the proc that the old one left.
    fn go_create_syscall_has_no_proc(trace: Go122) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 4);
        generation
            .on(0)
            .event(E::GoDestroySyscall, ())
            .event(E::GoCreateSyscall, (5,))
            .event(E::GoSyscallEnd, ());
    }
}
