//! CPU profile samples (sections 2.3, 4.1 and 4.3).

use exectrace_wire::{EventType as E, ProcStatus as P};

use super::{cases, running};
use crate::{Arg, Rng, Sample, Stack};

fn sample(time: u64, thread: u64, stack: &str) -> Sample {
    Sample {
        time: Some(time),
        thread: Some(thread),
        proc: Some(0),
        goroutine: Some(1),
        stack: Stack::calls([stack]).into(),
    }
}

cases! {
    /// Samples before, at, between and after the times of events. An event goes before a sample
    /// of its time.
    fn samples_among_events(trace: Go126) {
        let generation = trace.generation(1);
        generation.set_now(10);
        running(generation, 0, 0, 1);
        generation.on(0).event_after(5, E::HeapAlloc, (1,));
        for time in [16, 12, 11, 5, 30, 17] {
            generation.sample(sample(time, 0, "main.f"));
        }
    }

    /// A sample waits for nothing: it is delivered while the event that comes next by the clock
    /// waits for a later one.
    fn sample_while_an_event_waits(trace: Go126) {
        let generation = trace.generation(1);
        generation.set_now(10);
        generation.on(1).event(E::ProcStart, (0, 1));
        generation.set_now(20);
        generation.on(0).event(E::ProcStatus, (0, P::Idle));
        generation.sample(sample(15, 0, "main.f"));
    }

    /// Samples without a thread, a proc, a goroutine or a stack.
    fn samples_without_anything(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.sample(Sample {
            time: Some(50),
            thread: None,
            proc: None,
            goroutine: None,
            stack: Arg::Number(0),
        });
        generation.sample(sample(51, 99, "main.f"));
    }

    /// A generation of samples only.
    fn samples_only(trace: Go122) {
        let generation = trace.generation(1);
        generation.sample(sample(5, 0, "main.f"));
        generation.sample(sample(3, 0, "main.g"));
    }

    /// Twelve samples of few different times: sorted by insertion.
    fn samples_of_equal_times(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        for i in 0..12 {
            generation.sample(sample(20 - i % 3, i, "main.f"));
        }
    }

    /// Sixty samples of few different times: Go sorts them with an algorithm that does not keep
    /// the order of equal elements.
    fn many_samples_of_equal_times(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        let mut rng = Rng::new(7);
        for i in 0..60 {
            generation.sample(sample(20 + rng.below(3), i, "main.f"));
        }
    }

    /// A sample's stack is missing from the table. Go does not check it and crashes when the stack
    /// is used.
    fn sample_with_an_unknown_stack(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.sample(Sample {
            stack: Arg::Number(9),
            ..sample(5, 0, "")
        });
    }

    /// A batch of samples holds something else.
    fn foreign_record_among_samples(trace: Go126) {
        let generation = trace.generation(1);
        generation.raw_batch(&[E::CPUSamples as u8, E::String as u8, 1, 1, b'a']);
        running(generation, 0, 0, 1);
    }

    /// A sample is cut off at the end of its batch. Go takes that for the end of the trace.
    fn sample_cut_off(trace: Go126) {
        let generation = trace.generation(1);
        generation.raw_batch(&[E::CPUSamples as u8, E::CPUSample as u8, 1, 1]);
        running(generation, 0, 0, 1);
    }
}
