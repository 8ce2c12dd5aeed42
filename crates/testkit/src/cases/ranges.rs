//! Stops of the world, garbage collection, metrics and labels (section 4.3).

use exectrace_wire::{EventType as E, GoStatus as G, ProcStatus as P};

use super::{NONE, cases, running};
use crate::Stack;

cases! {
    /// A goroutine stops the world and starts it again. The end has the kind of the begin.
    fn stw(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::STWBegin, ("GC sweep termination", Stack::calls(["runtime.GC"])))
            .event(E::ProcsChange, (8,))
            .event(E::STWEnd, ());
    }

    /// Two stops of different kinds may be open at once; an end closes the first of them.
    fn stw_nested(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::STWBegin, ("start trace",))
            .event(E::STWBegin, ("read mem stats",))
            .event(E::STWEnd, ())
            .event(E::STWEnd, ());
    }

    /// Three stops and an assist are open at once. An end closes the first of its kind, and the
    /// last one takes its place in the order.
    fn ranges_end_in_an_odd_order(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::STWBegin, ("first",))
            .event(E::GCMarkAssistBegin, ())
            .event(E::STWBegin, ("second",))
            .event(E::STWBegin, ("third",))
            .event(E::STWEnd, ())
            .event(E::GCMarkAssistEnd, ())
            .event(E::STWEnd, ())
            .event(E::STWEnd, ());
    }

    /// A stop ends in a later generation, where its kind has another id or none.
    fn stw_across_generations(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::UserRegionBegin, (0, "first string"))
            .event(E::STWBegin, ("GOMAXPROCS",));
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::UserRegionBegin, (0, "other string")).event(E::STWEnd, ());
    }

    /// The same stop begins twice.
    fn stw_begin_twice(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::STWBegin, ("start trace",))
            .event(E::STWBegin, ("start trace",));
    }

    /// A stop ends that did not begin.
    fn stw_end_without_begin(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::STWEnd, ());
    }

    /// Only goroutines stop the world.
    fn stw_without_a_goroutine(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::STWBegin, ("start trace",));
    }

    /// Marking begins, is assisted, and ends; the events are on two threads whose clocks disagree
    /// with the collector's sequence, which goes on over generations.
    fn gc_waits_for_its_sequence(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        running(generation, 1, 1, 2);
        generation.on(1).event(E::GCEnd, (2,));
        generation.on(0).event(E::GCBegin, (1, Stack::calls(["runtime.GC"])));
        generation.on(0).event(E::GCBegin, (3,));
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        running(generation, 1, 1, 2);
        generation.on(1).event(E::GCEnd, (5,));
        generation.on(0).event(E::GCActive, (4,));
    }

    /// The trace begins while marking is active: any number begins the sequence, and no proc or
    /// goroutine is needed.
    fn gc_active_at_the_start(trace: Go126) {
        let generation = trace.generation(1);
        generation.on(0).event(E::GCActive, (7,));
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCEnd, (8,)).event(E::GCBegin, (9,));
    }

    /// In the first generation "active" can only be the first that is heard of the collector.
    fn gc_active_after_gc_began(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCBegin, (1,)).event(E::GCActive, (2,));
    }

    /// In a later generation marking can be active only if it began.
    fn gc_active_later_without_begin(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCBegin, (1,)).event(E::GCEnd, (2,));
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCActive, (3,));
    }

    /// The first that is heard of the collector may be a begin with any number, without a
    /// goroutine.
    fn gc_begin_with_any_sequence(trace: Go126) {
        trace.generation(1).on(0).event(E::GCBegin, (5,));
    }

    /// Marking begins while it is active.
    fn gc_begin_twice(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCBegin, (1,)).event(E::GCBegin, (2,));
    }

    /// Marking ends that is not known to be active.
    fn gc_end_without_begin(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCEnd, (1,));
    }

    /// Marking ends twice.
    fn gc_end_twice(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GCBegin, (1,))
            .event(E::GCEnd, (2,))
            .event(E::GCEnd, (3,));
    }

    /// A number of the collector's sequence is missing.
    fn gc_end_after_a_gap(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCBegin, (1,)).event(E::GCEnd, (3,));
    }

    /// A proc sweeps, with and without a goroutine on it; the range is the proc's.
    fn sweep(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GCSweepBegin, (Stack::calls(["runtime.mallocgc"]),))
            .event(E::GoBlock, ("preempted",))
            .event(E::GCSweepEnd, (8192, 4096))
            .event(E::GCSweepBegin, ());
    }

    /// The trace begins while procs sweep, one of them elsewhere; in a later generation the range
    /// must be known.
    fn sweep_active(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(1)
            .event(E::ProcStatus, (5, P::Idle))
            .event(E::GCSweepActive, (5,));
        generation.on(0).event(E::GCSweepActive, (0,)).event(E::GCSweepEnd, (1, 2));
        trace
            .generation(2)
            .on(1)
            .event(E::ProcStatus, (5, P::Idle))
            .event(E::GCSweepActive, (5,));
    }

    /// In a later generation a sweep is said to be active that never began.
    fn sweep_active_later_without_begin(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCSweepActive, (0,));
    }

    /// A sweep is active on a proc that nobody mentioned.
    fn sweep_active_of_an_unknown_proc(trace: Go126) {
        trace.generation(1).on(0).event(E::GCSweepActive, (3,));
    }

    /// A sweep begins twice on one proc.
    fn sweep_begin_twice(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCSweepBegin, ()).event(E::GCSweepBegin, ());
    }

    /// A sweep ends on a thread without a proc.
    fn sweep_end_without_a_proc(trace: Go126) {
        trace.generation(1).on(0).event(E::GCSweepEnd, (1, 1));
    }

    /// A sweep ends that did not begin.
    fn sweep_end_without_begin(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCSweepEnd, (1, 1));
    }

    /// A goroutine assists the collector, is preempted, and goes on elsewhere.
    fn assist(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GCMarkAssistBegin, (Stack::calls(["runtime.mallocgc"]),))
            .event(E::GoStop, ("preempted",));
        generation
            .on(1)
            .event(E::ProcStatus, (1, P::Running))
            .event(E::GoStart, (1, 1))
            .event(E::GCMarkAssistEnd, ());
    }

    /// The trace begins while goroutines assist; in a later generation the range must be known.
    fn assist_active(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCMarkAssistActive, (1,));
        generation
            .on_no_thread()
            .event(E::GoStatus, (2, NONE, G::Waiting))
            .event(E::GCMarkAssistActive, (2,));
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCMarkAssistActive, (1,)).event(E::GCMarkAssistEnd, ());
        generation
            .on_no_thread()
            .event(E::GoStatus, (2, NONE, G::Waiting))
            .event(E::GCMarkAssistActive, (2,));
    }

    /// An assist is said to be active at the start, but it began after the start.
    fn assist_active_after_begin(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GCMarkAssistBegin, ())
            .event(E::GCMarkAssistActive, (1,));
    }

    /// In a later generation an assist is said to be active that never began.
    fn assist_active_later_without_begin(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCMarkAssistActive, (1,));
    }

    /// An assist is active on a goroutine that nobody mentioned.
    fn assist_active_of_an_unknown_goroutine(trace: Go126) {
        trace.generation(1).on(0).event(E::GCMarkAssistActive, (3,));
    }

    /// An assist begins twice on one goroutine.
    fn assist_begin_twice(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GCMarkAssistBegin, ()).event(E::GCMarkAssistBegin, ());
    }

    /// An assist ends that did not begin, although a stop of the world did.
    fn assist_end_without_begin(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::STWBegin, ("GOMAXPROCS",))
            .event(E::GCMarkAssistEnd, ());
    }

    /// The three metrics. Heap metrics need a proc only, the number of procs a goroutine too.
    fn metrics(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::ProcsChange, (4, Stack::calls(["runtime.GOMAXPROCS"])))
            .event(E::HeapGoal, (0,))
            .event(E::HeapAlloc, (u64::MAX,));
        generation
            .on(1)
            .event(E::ProcStatus, (1, P::Running))
            .event(E::HeapAlloc, (1,));
    }

    /// A heap metric without a proc.
    fn metric_without_a_proc(trace: Go126) {
        trace.generation(1).on(0).event(E::HeapAlloc, (1,));
    }

    /// The number of procs changes without a goroutine.
    fn procs_change_without_a_goroutine(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::ProcsChange, (4,));
    }

    /// A mark worker is labelled; quotes and bytes that are no UTF-8 are escaped as Go does.
    fn labels(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoLabel, ("GC (dedicated)",))
            .event(E::GoLabel, (&b"\"\\\x07\n\xff\xc3\xa9\xe2\x80\xa8"[..],))
            .event(E::GoLabel, ("",));
    }

    /// A label without a goroutine to put it on.
    fn label_without_a_goroutine(trace: Go126) {
        trace
            .generation(1)
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoLabel, ("GC (idle)",));
    }
}
