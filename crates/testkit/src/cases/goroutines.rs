//! Creation, start, end, stop, block and unblock of goroutines (section 4.3).

use exectrace_wire::{EventType as E, GoStatus as G, ProcStatus as P};

use super::{NONE, cases, in_syscall, running};
use crate::{Stack, named};

cases! {
    /// A goroutine creates another one, which another thread starts. Creation has two stacks.
    fn go_create(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreate, named! {
            new_g: 2,
            new_stack: Stack::calls(["main.worker"]),
            stack: Stack::calls(["main.spawn", "main.main"]),
        });
        generation
            .on(1)
            .event(E::ProcStatus, (1, P::Running))
            .event(E::GoStart, (2, 1))
            .event(E::GoDestroy, ());
    }

    /// A goroutine is created without stacks: its own is there without frames, the creator's is
    /// not there.
    fn go_create_without_stacks(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreate, (2, 0, 0));
    }

    /// A thread that holds a proc but runs no goroutine creates one: a timer fired.
    fn go_create_on_a_bare_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoCreate, (2, 0));
    }

    /// A goroutine with that id exists.
    fn go_create_of_an_existing_goroutine(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreate, (1, 0));
    }

    /// A thread without a proc cannot create a goroutine.
    fn go_create_without_a_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoStatus, (1, 0, G::Running))
            .event(E::GoCreate, (2, 0));
    }

    /// A goroutine in a system call cannot create another one.
    fn go_create_in_a_syscall(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreate, (2, 0));
    }

    /// A goroutine starts before it is created by the clock.
    fn go_start_waits_for_the_creation(trace: Go126) {
        let generation = trace.generation(1);
        generation
            .on(1)
            .event(E::ProcStatus, (1, P::Running))
            .event(E::GoStart, (2, 1))
            .event(E::GoDestroy, ());
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreate, (2, 0));
    }

    /// A goroutine starts before it is unblocked by the clock, and that comes before it blocks.
    fn go_start_waits_for_the_unblock(trace: Go126) {
        let generation = trace.generation(1);
        generation.on(2).event(E::ProcStatus, (2, P::Running)).event(E::GoStart, (1, 2));
        running(generation, 1, 1, 2);
        generation.on(1).event(E::GoUnblock, (1, 1, Stack::calls(["main.wake"])));
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoBlock, ("chan receive", Stack::calls(["main.wait"])));
    }

    /// The goroutine was never mentioned.
    fn go_start_of_an_unknown_goroutine(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoStart, (2, 1));
    }

    /// A thread that runs a goroutine cannot start another one.
    fn go_start_while_another_runs(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreate, (2, 0)).event(E::GoStart, (2, 1));
    }

    /// A thread without a proc cannot start a goroutine.
    fn go_start_without_a_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoStatus, (1, NONE, G::Runnable))
            .event(E::GoStart, (1, 1));
    }

    /// The start belongs to the second generation, where the goroutine's status is on another
    /// thread. Its number would fit the first generation's sequence too: it must wait.
    fn go_start_waits_for_the_status_of_its_generation(trace: Go122) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoStop, ("runtime.Gosched",)).event(E::GoStart, (1, 1));
        generation.on(0).event(E::GoStop, ("runtime.Gosched",));
        generation.on(1).event(E::ProcStatus, (1, P::Running));
        let generation = trace.generation(2);
        generation.on(1).event(E::ProcStatus, (1, P::Running)).event(E::GoStart, (1, 2));
        generation
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoStatus, (1, 0, G::Runnable))
            .event(E::GoStart, (1, 1))
            .event(E::GoStop, ("runtime.Gosched",));
    }

    /// The three ways to stop running, with their reasons and stacks.
    fn go_stop_block_destroy(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoStop, ("preempted", Stack::calls(["main.spin"])))
            .event(E::GoStart, (1, 1))
            .event(E::GoBlock, ("select", Stack::calls(["main.wait"])))
            .event(E::GoUnblock, (1, 2))
            .event(E::GoStart, (1, 3))
            .event(E::GoDestroy, ())
            .event(E::GoCreate, (1, 0));
    }

    /// Only a running goroutine stops.
    fn go_stop_without_a_goroutine(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoStop, ("preempted",));
    }

    /// A goroutine that runs without a proc cannot end.
    fn go_destroy_without_a_proc(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoStatus, (1, 0, G::Running))
            .event(E::GoDestroy, ());
    }

    /// A goroutine in a system call cannot block.
    fn go_block_in_a_syscall(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(0).event(E::GoBlock, ("sleep",));
    }

    /// A goroutine is made runnable by a thread that holds nothing, and by nobody in particular.
    fn go_unblock_without_anything(trace: Go126) {
        let generation = trace.generation(1);
        generation
            .on(9)
            .event(E::GoStatus, (1, NONE, G::Waiting))
            .event(E::GoUnblock, (1, 1));
        generation
            .on_no_thread()
            .event(E::GoStatus, (2, NONE, G::Waiting))
            .event(E::GoUnblock, (2, 1, Stack::calls(["runtime.netpoll"])));
    }

    /// A goroutine is made runnable that already is: one of two unblocks waits for ever.
    fn go_unblock_twice(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::GoStatus, (1, NONE, G::Waiting))
            .event(E::GoUnblock, (1, 1))
            .event(E::GoUnblock, (1, 2));
    }

    /// A goroutine is made runnable that nobody ever mentioned.
    fn go_unblock_of_an_unknown_goroutine(trace: Go126) {
        trace.generation(1).on(0).event(E::GoUnblock, (1, 1));
    }

    /// A goroutine id that ended may be created again, without what the old one had open.
    fn go_destroy_forgets_what_was_open(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserRegionBegin, (0, "outer"))
            .event(E::GCMarkAssistBegin, ())
            .event(E::GoDestroy, ())
            .event(E::GoCreate, (1, 0))
            .event(E::GoStart, (1, 1))
            .event(E::GCMarkAssistBegin, ())
            .event(E::GCMarkAssistEnd, ())
            .event(E::UserRegionEnd, (0, "other"));
    }
}
