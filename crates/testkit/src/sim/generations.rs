//! Starting a trace, and going from one generation to the next (format specification, sections
//! 7.6 and 7.7).

use exectrace_wire::{EventType as E, GoStatus, ProcStatus, Version};

use super::{
    emit::{Context, both_stacks},
    world::{G, ProcPlace, T, World},
};

impl World {
    /// Begins the first generation in a stopped world.
    pub(super) fn start_trace(&mut self) {
        let (now, number) = (self.now, self.generation);
        self.begin_generation(now, number);
        self.barrier();
        // The first thread was set up to run.
        let g = self.running_goroutine(0);
        self.procs_change(0);
        self.stw(0, g, "start trace", |world| {
            if world.gc_running {
                world.gc_active(0);
            }
        });
        if !self.has(Version::Go126) {
            self.state_idle_procs(0);
        }
        self.barrier();
    }

    fn begin_generation(&mut self, now: u64, number: u64) {
        let generation = self.trace.generation(number).start(now).set_now(now);
        if self.size.version.has_clock_snapshot() {
            generation.clock(0, now * 64, 1_700_000_000 + now, 0);
        }
        for thread in &mut self.threads {
            thread.batch_open = false;
        }
    }

    fn state_idle_procs(&mut self, t: T) {
        for p in 0..self.procs.len() {
            let proc = &self.procs[p];
            if proc.place == ProcPlace::Idle && proc.stated != self.generation {
                self.state_proc(t, p, ProcStatus::Idle);
            }
        }
    }

    /// Ends a generation and begins the next:
    ///
    /// 1. whatever runs is stated by its own thread;
    /// 2. from Go 1.26, procs are stated;
    /// 3. all other goroutines are stated by nobody in particular;
    /// 4. the next generation begins, with what it must hold;
    /// 5. before Go 1.26, idle procs are stated in the next generation.
    pub(super) fn next_generation(&mut self) {
        let Some(t) = self.running_thread() else {
            return;
        };
        self.preempt_unstated();
        if self.has(Version::Go126) {
            self.running_goroutine(t);
            self.state_idle_procs(t);
            self.steal_unstated(t);
        }
        self.state_the_rest();

        self.now += 5;
        self.generation += if self.has(Version::Go126) {
            1 + self.rng.below(2)
        } else {
            1
        };
        let (now, number) = (self.now, self.generation);
        self.begin_generation(now, number);
        self.running_goroutine(t);
        self.procs_change(t);
        if self.gc_running {
            self.gc_active(t);
        }
        if !self.has(Version::Go126) {
            self.state_idle_procs(t);
        }
    }

    /// States what has to be before the trace ends.
    pub(super) fn stop_trace(&mut self) {
        self.preempt_unstated();
        self.state_the_rest();
    }

    /// A goroutine that runs without a word is stopped to be looked at.
    fn preempt_unstated(&mut self) {
        for t in 0..self.threads.len() {
            let thread = &self.threads[t];
            let Some(g) = thread.goroutine else { continue };
            if thread.gone || !self.runs(thread) || self.goroutines[&g].stated == self.generation {
                continue;
            }
            self.running_goroutine(t);
            self.cease(t, E::GoStop, GoStatus::Runnable, "preempted");
            self.start_goroutine(t, g);
        }
    }

    /// Procs in system calls are taken from their threads to be looked at, or are not.
    fn steal_unstated(&mut self, t: T) {
        for p in 0..self.procs.len() {
            let proc = &self.procs[p];
            let stealable = matches!(proc.place, ProcPlace::Syscall(_) | ProcPlace::Left);
            if stealable && proc.stated != self.generation && self.rng.one_in(2) {
                self.steal(t, p);
            }
        }
    }

    /// Goroutines without a status in this generation get one in a batch of no thread.
    fn state_the_rest(&mut self) {
        let rest: Vec<G> = self
            .goroutines
            .iter()
            .filter(|(_, goroutine)| goroutine.stated != self.generation)
            .map(|(g, _)| *g)
            .collect();
        for g in rest {
            self.now += 1;
            let (status, thread) = (self.goroutines[&g].status, self.thread_id_of(g));
            let stack = self.random_stack();
            let with_stack = self.has(Version::Go123) && self.rng.one_in(2);
            let now = self.now;
            let on = self.trace.current().set_now(now).on_no_thread();
            let stacks = if with_stack {
                on.event_at(now, E::GoStatusStack, (g, thread, status, &stack));
                both_stacks(&stack)
            } else {
                on.event_at(now, E::GoStatus, (g, thread, status));
                String::new()
            };
            let on = self.goroutines[&g].thread;
            let context = match on {
                Some(t) if status == GoStatus::Syscall => {
                    let context = self.foreign_context(t, g);
                    self.threads[t].known = true;
                    self.threads[t].known_goroutine = Some(g);
                    context
                }
                _ => Context::NOWHERE,
            };
            self.goroutine_stated(context, g, status, &stacks);
            if self.goroutine(g).assisting {
                self.now += 1;
                let now = self.now;
                let generation = self.trace.current();
                generation
                    .on_no_thread()
                    .event_at(now, E::GCMarkAssistActive, (g,));
                self.assist_active_fact(Context::NOWHERE, g);
            }
        }
    }
}
