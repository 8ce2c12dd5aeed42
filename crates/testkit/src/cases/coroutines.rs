//! Coroutine switches, since Go 1.23 (section 4.3).

use exectrace_wire::{EventType as E, GoStatus as G, ProcStatus as P};

use super::{NONE, cases, in_syscall, running};
use crate::Stack;

cases! {
    /// A coroutine is created, switched to, and switches back: each switch is three events.
    fn switch_there_and_back(trace: Go123) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoCreateBlocked, (2, Stack::calls(["main.iterate"])))
            .event(E::GoSwitch, (2, 1))
            .event(E::GoSwitch, (1, 1))
            .event(E::GoBlock, ("sleep",));
    }

    /// A coroutine ends by switching back for good.
    fn switch_and_destroy(trace: Go123) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoCreateBlocked, (2, 0))
            .event(E::GoSwitch, (2, 1))
            .event(E::GoSwitchDestroy, (1, 1))
            .event(E::GoCreateBlocked, (2, 0));
    }

    /// One coroutine is resumed on two threads in turn, whose clocks disagree with its sequence.
    fn switch_waits_for_the_coroutine(trace: Go123) {
        let generation = trace.generation(1);
        running(generation, 1, 1, 3);
        generation.on(1).event(E::GoSwitch, (2, 2));
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoCreateBlocked, (2, 0))
            .event(E::GoSwitch, (2, 1))
            .event(E::GoSwitch, (1, 1));
    }

    /// A switch to a coroutine that runs elsewhere for ever.
    fn switch_to_a_running_goroutine(trace: Go123) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        running(generation, 1, 1, 2);
        generation.on(1).event(E::GoSwitch, (1, 1));
    }

    /// A thread that runs no goroutine cannot switch; that is wrong at once, although the
    /// coroutine is unknown and could be waited for.
    fn switch_without_a_goroutine(trace: Go123) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoSwitch, (2, 1));
    }

    /// A goroutine in a system call cannot switch.
    fn switch_in_a_syscall(trace: Go126) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on_no_thread().event(E::GoStatus, (2, NONE, G::Waiting));
        generation.on(0).event(E::GoSwitchDestroy, (2, 1));
    }

    /// A coroutine is left in one generation and resumed in the next.
    fn switch_across_generations(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoCreateBlocked, (2, 0))
            .event(E::GoSwitch, (2, 1))
            .event(E::GoSwitch, (1, 1));
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoStatus, (2, NONE, G::Waiting))
            .event(E::GoSwitch, (2, 1))
            .event(E::GoSwitchDestroy, (1, 1));
    }

    /// A coroutine cannot be created by a goroutine in a system call.
    fn go_create_blocked_in_a_syscall(trace: Go123) {
        let generation = trace.generation(1);
        in_syscall(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreateBlocked, (2, 0));
    }
}
