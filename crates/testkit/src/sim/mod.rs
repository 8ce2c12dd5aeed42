//! A simulated Go program: random but valid traces, with the truth about what happened.
//!
//! The simulator plays Go's scheduler and its tracer (format specification, section 7): threads
//! take, lose and steal procs, run goroutines, enter system calls and come back, switch coroutines,
//! collect garbage; threads from C call in and leave; ids of threads are used again; generations
//! end whenever they like. Each step is atomic, so the steps' order is the truth. The trace is what
//! the threads wrote down about it, with clocks that may disagree.
//!
//! A reader must find the same facts, and of each [`Subject`] in the same order. If the clocks
//! agree ([`Size::skew`] is 0), it must find all facts in the same order.

mod emit;
mod fact;
mod generations;
mod steps;
mod syscalls;
mod user;
mod world;

pub use fact::{Fact, Subject, histories};

use exectrace_wire::Version;

use crate::layout::Layout;
use world::World;

/// How large a simulation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The version of the trace.
    pub version: Version,
    /// Threads at the start; more come and go.
    pub threads: usize,
    /// Procs.
    pub procs: usize,
    /// Goroutines at the start; more come and go.
    pub goroutines: usize,
    /// Steps of the simulation; each is one event or a few.
    pub steps: usize,
    /// Steps between ends of generations, on average.
    pub generation_steps: usize,
    /// By how many clock units threads' clocks may disagree.
    pub skew: u64,
}

impl Size {
    /// A size that makes a trace of a few kilobytes.
    #[must_use]
    pub const fn small(version: Version) -> Self {
        Self {
            version,
            threads: 4,
            procs: 3,
            goroutines: 6,
            steps: 200,
            generation_steps: 60,
            skew: 20,
        }
    }

    /// Sizes with less of one thing each, largest step first. With fewer steps and else the same,
    /// the simulation is a beginning of the larger one.
    pub fn smaller(&self) -> impl Iterator<Item = Self> + use<> {
        let size = *self;
        let steps = [
            size.steps / 2,
            size.steps - size.steps / 8,
            size.steps.saturating_sub(1),
        ];
        let steps = steps.into_iter().map(move |steps| Self { steps, ..size });
        let others = [
            Self {
                threads: (size.threads - 1).max(1),
                ..size
            },
            Self {
                procs: (size.procs - 1).max(1),
                ..size
            },
            Self {
                goroutines: (size.goroutines - 1).max(1),
                ..size
            },
            Self { skew: 0, ..size },
            Self {
                generation_steps: usize::MAX,
                ..size
            },
        ];
        steps.chain(others).filter(move |smaller| *smaller != size)
    }

    /// The smallest size that can be reached from this one and still fails.
    pub fn shrunk(self, fails: impl Fn(Self) -> bool) -> Self {
        let mut size = self;
        while let Some(smaller) = size.smaller().find(|smaller| fails(*smaller)) {
            size = smaller;
        }
        size
    }
}

/// A simulated trace and the truth.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The trace.
    pub layout: Layout,
    /// What happened, in the order in which it happened.
    pub facts: Vec<Fact>,
}

/// Simulates a program. The result depends on the seed and the size only.
#[must_use]
pub fn simulate(seed: u64, size: Size) -> Simulated {
    let mut world = World::new(seed, size);
    world.start_trace();
    for _ in 0..size.steps {
        world.step();
    }
    world.stop_trace();
    Simulated {
        layout: world.trace.layout(),
        facts: world.facts,
    }
}

#[cfg(test)]
mod tests;
