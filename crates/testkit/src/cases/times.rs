//! Times, and who comes first when they are equal (sections 2.4 and 4.1).

use exectrace_wire::{EventType as E, GoStatus as G, ProcStatus as P};

use super::{NONE, cases, running};
use crate::{Rng, TraceBuilder};

/// Threads whose events have few different times. Each thread's first event waits until another
/// thread, chosen at random, states a proc; three statuses are free.
fn crowd(trace: &mut TraceBuilder, threads: u64, times: u64, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut order: Vec<u64> = (0..threads).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, rng.index(i + 1));
    }
    let generation = trace.step(0).generation(1);
    for thread in 0..threads {
        generation.set_now(100);
        let on = generation.on(1000 + thread);
        let wait = rng.below(times);
        let on = if order[thread as usize] < 3 {
            on
        } else {
            on.event_after(wait, E::ProcStart, (thread, 1))
        };
        // The threads that come next in the order wait for this one.
        let rank = order[thread as usize];
        let mut on = on;
        for next in [3 * rank + 3, 3 * rank + 4, 3 * rank + 5] {
            if let Some(waiting) = order.iter().position(|o| *o == next) {
                on = on.event_after(rng.below(times), E::ProcStatus, (waiting as u64, P::Idle));
            }
        }
        on.event_after(
            rng.below(times),
            E::GoStatus,
            (1 + thread, NONE, G::Waiting),
        );
    }
}

cases! {
    /// A clock unit is 64 ns; times are exact.
    fn times_of_nanotime(trace: Go126) {
        let generation = trace.generation(1);
        generation.set_now(1_000_000_000_000_000);
        running(generation, 0, 0, 1);
        generation.on(0).event_after(123_456_789, E::GoStop, ("preempted",));
    }

    /// A clock unit is no whole number of nanoseconds: each difference is truncated on its own,
    /// and the loss adds up.
    fn times_with_a_fraction(trace: Go126) {
        let generation = trace.frequency(2_999_000_000).step(0).generation(1);
        generation.start(1001);
        generation.set_now(1_000_000_007);
        generation.on(0).event(E::ProcStatus, (0, P::Running));
        for dt in [1, 2, 3, 5, 7, 100, 1000, 12_345_678_901] {
            generation.on(0).event_after(dt, E::HeapAlloc, (dt,));
        }
    }

    /// The loss is forgotten at the start of each batch, whose time counts from 0.
    fn times_with_a_fraction_in_two_batches(trace: Go122) {
        let generation = trace.frequency(3_000_000_000).step(5).generation(1);
        running(generation, 0, 0, 1);
        for i in 0..6 {
            generation.on(0).event(E::HeapAlloc, (i,));
        }
        let now = generation.now();
        generation.batch_at(0, now);
        for i in 0..6 {
            generation.on(0).event(E::HeapAlloc, (i,));
        }
    }

    /// A slow clock: a unit is many nanoseconds.
    fn times_of_a_slow_clock(trace: Go122) {
        running(trace.frequency(999).generation(1), 0, 0, 1);
    }

    /// All events have one time: each is raised by a nanosecond above the one before.
    fn equal_times_are_raised(trace: Go126) {
        let generation = trace.step(0).generation(1);
        generation.set_now(10);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::HeapAlloc, (1,))
            .event_after(1, E::HeapAlloc, (2,));
    }

    /// All times are zero; the first event is at one.
    fn time_zero(trace: Go122) {
        running(trace.step(0).generation(1), 0, 0, 1);
    }

    /// A thread's second batch goes back in time. Batches are never sorted by time.
    fn time_goes_back_on_a_thread(trace: Go126) {
        let generation = trace.generation(1);
        generation.set_now(100);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::HeapAlloc, (1,));
        generation.set_now(20).batch_at(0, 20);
        generation.on(0).event(E::HeapAlloc, (2,)).event(E::HeapAlloc, (3,));
        generation.set_now(50).on(1).event(E::ProcStatus, (1, P::Running));
    }

    /// The second generation is earlier than the first by the clock.
    fn time_goes_back_in_a_generation(trace: Go126) {
        let generation = trace.generation(1);
        generation.set_now(100);
        running(generation, 0, 0, 1);
        let generation = trace.generation(2);
        generation.start(10).set_now(10).clock(0, 1, 1, 1);
        running(generation, 0, 0, 1);
    }

    /// A generation begins at the least time of its batches; times of 0 do not count.
    fn generation_begins_at_its_least_batch_time(trace: Go125) {
        let generation = trace.generation(1);
        generation.start(30).set_now(40);
        running(generation, 0, 0, 1);
        generation.batch_at(1, 0);
        generation.set_now(20).batch_at(2, 20);
    }

    /// Events that are hours apart.
    fn long_times(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event_after(1 << 40, E::HeapAlloc, (1,))
            .event_after(1 << 41, E::HeapAlloc, (2,));
    }

    /// Three threads have events at the same times. The one that came first in the file comes
    /// first, then the heap's order.
    fn ties_of_three_threads(trace: Go126) {
        let generation = trace.step(0).generation(1);
        generation.set_now(9);
        for i in 0..3 {
            for thread in [7, 3, 5] {
                generation
                    .on(thread)
                    .event(E::ProcStatus, (10 * thread + i, P::Idle));
            }
        }
    }

    /// Nine threads with equal and different times, none of which waits.
    fn ties_of_nine_threads(trace: Go126) {
        let generation = trace.step(0).generation(1);
        generation.set_now(9);
        for thread in 0..9 {
            for i in 0..4 {
                let dt = (thread * 5 + i * 3) % 4 / 2;
                generation
                    .on(thread)
                    .event_after(dt, E::ProcStatus, (10 * thread + i, P::Idle));
            }
        }
    }

    /// Twelve threads that wait for each other, all at one time: when the first is stuck, the
    /// others are sorted by insertion.
    fn ties_of_twelve_threads_that_wait(trace: Go126) {
        crowd(trace, 12, 1, 1);
    }

    /// Thirteen threads that wait for each other, all at one time: Go sorts them with an algorithm
    /// that does not keep the order of equal elements.
    fn ties_of_thirteen_threads_that_wait(trace: Go126) {
        crowd(trace, 13, 1, 2);
    }

    /// Forty threads that wait for each other, at few different times.
    fn ties_of_forty_threads_that_wait(trace: Go126) {
        crowd(trace, 40, 3, 3);
    }

    /// Eighty threads that wait for each other, all at one time.
    fn ties_of_eighty_threads_that_wait(trace: Go126) {
        crowd(trace, 80, 1, 4);
    }
}
