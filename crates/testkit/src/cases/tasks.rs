//! User tasks, regions and logs (section 4.3).

use exectrace_wire::{EventType as E, ProcStatus as P};

use super::{cases, running};
use crate::Stack;

cases! {
    /// A task with a child. The ends repeat parent and type, and have stacks of their own.
    fn tasks(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserTaskBegin, (1, 0, "request", Stack::calls(["main.serve"])))
            .event(E::UserTaskBegin, (2, 1, "query"))
            .event(E::UserTaskEnd, (2, Stack::calls(["main.query"])))
            .event(E::UserTaskEnd, (1,));
    }

    /// A task ends in a later generation, where string ids mean something else.
    fn task_across_generations(trace: Go122) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::UserTaskBegin, (2, 0, "the task"));
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserLog, (2, "another", "string"))
            .event(E::UserTaskEnd, (2,));
    }

    /// A task ends that began before the trace.
    fn task_end_of_an_unknown_task(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::UserTaskEnd, (9,));
    }

    /// A task id is used again after the task's end.
    fn task_id_is_used_again(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserTaskBegin, (3, 0, "first"))
            .event(E::UserTaskEnd, (3,))
            .event(E::UserTaskBegin, (3, 7, "second"))
            .event(E::UserTaskEnd, (3,));
    }

    /// A task begins that is active.
    fn task_begin_twice(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserTaskBegin, (3, 0, "first"))
            .event(E::UserTaskBegin, (3, 0, "second"));
    }

    /// The name of the task is missing from the string table.
    fn task_begin_with_an_unknown_name(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::UserTaskBegin, (3, 0, 77));
    }

    /// Tasks belong to goroutines.
    fn task_without_a_goroutine(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::UserTaskEnd, (1,));
    }

    /// Regions nest, and a goroutine takes its open ones along to other threads.
    fn regions(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserRegionBegin, (0, "outer", Stack::calls(["main.f"])))
            .event(E::UserRegionBegin, (5, "inner"))
            .event(E::UserRegionEnd, (5, "inner", Stack::calls(["main.g"])))
            .event(E::GoStop, ("preempted",));
        generation
            .on(1)
            .event(E::ProcStatus, (1, P::Running))
            .event(E::GoStart, (1, 1))
            .event(E::UserRegionEnd, (0, "outer"));
    }

    /// A region ends in a later generation, where its name has another id.
    fn region_across_generations(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::UserRegionBegin, (0, "a")).event(E::UserRegionBegin, (0, "b"));
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::UserRegionEnd, (0, "b")).event(E::UserRegionEnd, (0, "a"));
    }

    /// A region ends that began before the trace.
    fn region_end_without_begin(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::UserRegionEnd, (4, "before"));
    }

    /// A region ends that is not the innermost one.
    fn region_end_of_the_outer_region(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserRegionBegin, (0, "outer"))
            .event(E::UserRegionBegin, (0, "inner"))
            .event(E::UserRegionEnd, (0, "outer"));
    }

    /// A region ends with the right name in another task.
    fn region_end_in_another_task(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserRegionBegin, (1, "work"))
            .event(E::UserRegionEnd, (2, "work"));
    }

    /// Regions belong to goroutines.
    fn region_without_a_goroutine(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::UserRegionBegin, (0, "work"));
    }

    /// Log messages with and without a task, a category and a text.
    fn logs(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserLog, (0, "cat", "a message", Stack::calls(["main.log"])))
            .event(E::UserLog, (8, "", ""));
    }

    /// Log messages belong to goroutines.
    fn log_without_a_goroutine(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::UserLog, (0, "cat", "message"));
    }
}
