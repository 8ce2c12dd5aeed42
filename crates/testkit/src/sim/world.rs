//! The state of the simulated program.

use std::collections::BTreeMap;

use exectrace_wire::{GoStatus, ProcStatus, Version};

use super::{Fact, Size};
use crate::{Rng, TraceBuilder};

/// The program, its tracer, and what a reader knows of them.
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) size: Size,
    pub(super) trace: TraceBuilder,
    pub(super) facts: Vec<Fact>,
    pub(super) now: u64,
    /// Steps are numbered over the whole run, generations as the trace numbers them.
    pub(super) generation: u64,
    pub(super) first_generation: u64,
    pub(super) threads: Vec<Thread>,
    /// Ids of threads that are gone, each with the time of its last event.
    pub(super) free_ids: Vec<(u64, u64)>,
    pub(super) next_thread_id: u64,
    pub(super) procs: Vec<Proc>,
    pub(super) goroutines: BTreeMap<u64, Goroutine>,
    pub(super) next_goroutine: u64,
    pub(super) next_task: u64,
    pub(super) gc_sequence: u64,
    pub(super) gc_running: bool,
    pub(super) heap: u64,
}

/// An index into [`World::threads`].
pub(super) type T = usize;
/// An index into [`World::procs`], and the proc's id.
pub(super) type P = usize;
/// A goroutine's id.
pub(super) type G = u64;

pub(super) struct Thread {
    pub(super) id: u64,
    /// The proc that it holds, in a system call too, unless it was taken.
    pub(super) proc: Option<P>,
    pub(super) goroutine: Option<G>,
    /// What a reader believes that it holds and runs.
    pub(super) known_proc: Option<P>,
    pub(super) known_goroutine: Option<G>,
    /// Whether a reader has heard of it.
    pub(super) known: bool,
    /// The time of its last event.
    pub(super) last: u64,
    /// Whether its next event goes into the batch of its last one.
    pub(super) batch_open: bool,
    pub(super) gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcPlace {
    Idle,
    Running(T),
    /// In a system call, and free to be stolen.
    Syscall(T),
    /// Left behind by a thread from C.
    Left,
}

pub(super) struct Proc {
    pub(super) place: ProcPlace,
    pub(super) sequence: u64,
    /// The generation in which it was last stated.
    pub(super) stated: u64,
    /// The id of the thread of its last system call.
    pub(super) syscall_thread: Option<u64>,
    pub(super) sweeping: bool,
    /// What a reader believes; `None` before it is mentioned.
    pub(super) known: Option<ProcStatus>,
}

pub(super) struct Goroutine {
    pub(super) status: GoStatus,
    /// The thread of a running goroutine or one in a system call.
    pub(super) thread: Option<T>,
    pub(super) sequence: u64,
    /// The generation in which it was last stated or created.
    pub(super) stated: u64,
    pub(super) known: bool,
    /// Whether it was there before the trace.
    pub(super) old: bool,
    /// Whether it waits to be switched to, rather than to be unblocked.
    pub(super) coroutine: bool,
    /// Whether it belongs to a thread from C.
    pub(super) from_c: bool,
    pub(super) assisting: bool,
    pub(super) regions: Vec<(u64, String)>,
    /// Open tasks: id, parent, type.
    pub(super) tasks: Vec<(u64, u64, String)>,
}

impl Goroutine {
    pub(super) const fn new(status: GoStatus) -> Self {
        Self {
            status,
            thread: None,
            sequence: 0,
            stated: 0,
            known: false,
            old: true,
            coroutine: false,
            from_c: false,
            assisting: false,
            regions: Vec::new(),
            tasks: Vec::new(),
        }
    }
}

impl World {
    /// A program that has been running for a while when tracing begins: some threads run, some
    /// are in system calls with or without a proc, some are idle; goroutines are in all states.
    pub(super) fn new(seed: u64, size: Size) -> Self {
        let mut rng = Rng::new(seed);
        let mut trace = TraceBuilder::new(size.version);
        trace.batch_limit(64 + rng.index(1000)).step(1);
        let first_generation = 1 + rng.below(3);
        let mut world = Self {
            trace,
            size,
            facts: Vec::new(),
            now: 10_000 + rng.below(1000) + 10 * size.skew,
            generation: first_generation,
            first_generation,
            threads: Vec::new(),
            free_ids: Vec::new(),
            next_thread_id: rng.below(3),
            procs: Vec::new(),
            goroutines: BTreeMap::new(),
            next_goroutine: 1,
            next_task: 1,
            gc_sequence: rng.below(5),
            gc_running: rng.one_in(3),
            heap: 4 << 20,
            rng,
        };
        for _ in 0..size.procs {
            let sweeping = false;
            world.procs.push(Proc {
                place: ProcPlace::Idle,
                sequence: 0,
                stated: 0,
                syscall_thread: None,
                sweeping,
                known: None,
            });
        }
        for t in 0..size.threads {
            world.new_thread();
            world.set_up_thread(t);
        }
        for _ in 0..size.goroutines {
            let status = *world
                .rng
                .pick(&[GoStatus::Runnable, GoStatus::Waiting])
                .expect("two");
            let g = world.new_goroutine(status);
            world.goroutine(g).assisting = world.rng.one_in(8);
        }
        world
    }

    /// The first thread runs a goroutine: it begins the trace.
    fn set_up_thread(&mut self, t: T) {
        let free = (t < self.procs.len()).then_some(t);
        let what = if t == 0 { 0 } else { self.rng.below(4) };
        let status = match what {
            0 => GoStatus::Running,
            1 | 2 => GoStatus::Syscall,
            _ => return,
        };
        if status == GoStatus::Running && free.is_none() {
            return;
        }
        let g = self.new_goroutine(status);
        self.threads[t].goroutine = Some(g);
        self.goroutine(g).thread = Some(t);
        let Some(p) = free else { return };
        if what == 0 {
            self.threads[t].proc = Some(p);
            self.procs[p].place = ProcPlace::Running(t);
            self.procs[p].sweeping = self.rng.one_in(5);
            self.goroutine(g).assisting = self.rng.one_in(5);
        } else if what == 1 {
            self.threads[t].proc = Some(p);
            self.procs[p].place = ProcPlace::Syscall(t);
            let id = self.threads[t].id;
            self.procs[p].syscall_thread = self.rng.one_in(2).then_some(id);
        }
    }

    /// Adds a thread, with an id that was used before or a new one.
    pub(super) fn new_thread(&mut self) -> T {
        let (id, last) = if !self.free_ids.is_empty() && self.rng.one_in(2) {
            let i = self.rng.index(self.free_ids.len());
            self.free_ids.swap_remove(i)
        } else {
            self.next_thread_id += 1 + self.rng.below(3);
            (self.next_thread_id, 0)
        };
        self.threads.push(Thread {
            id,
            proc: None,
            goroutine: None,
            known_proc: None,
            known_goroutine: None,
            known: last != 0,
            last,
            batch_open: false,
            gone: false,
        });
        self.threads.len() - 1
    }

    pub(super) fn new_goroutine(&mut self, status: GoStatus) -> G {
        let g = self.next_goroutine;
        self.next_goroutine += 1 + self.rng.below(2);
        self.goroutines.insert(g, Goroutine::new(status));
        g
    }

    pub(super) fn goroutine(&mut self, g: G) -> &mut Goroutine {
        self.goroutines.get_mut(&g).expect("the goroutine lives")
    }

    /// A random thread that fulfils a condition.
    pub(super) fn thread_where(&mut self, condition: impl Fn(&Self, &Thread) -> bool) -> Option<T> {
        let fitting: Vec<T> = (0..self.threads.len())
            .filter(|&t| !self.threads[t].gone && condition(self, &self.threads[t]))
            .collect();
        self.rng.pick(&fitting).copied()
    }

    /// A random thread that runs a goroutine and does not sweep: it may do anything.
    pub(super) fn running_thread(&mut self) -> Option<T> {
        self.thread_where(|world, thread| {
            world.runs(thread) && !thread.proc.is_some_and(|p| world.procs[p].sweeping)
        })
    }

    pub(super) fn runs(&self, thread: &Thread) -> bool {
        thread
            .goroutine
            .is_some_and(|g| self.goroutines[&g].status == GoStatus::Running)
    }

    pub(super) fn in_syscall(&self, thread: &Thread) -> bool {
        thread
            .goroutine
            .is_some_and(|g| self.goroutines[&g].status == GoStatus::Syscall)
    }

    pub(super) fn goroutine_where(&mut self, condition: impl Fn(&Goroutine) -> bool) -> Option<G> {
        let fitting: Vec<G> = self
            .goroutines
            .iter()
            .filter(|(_, goroutine)| condition(goroutine))
            .map(|(g, _)| *g)
            .collect();
        self.rng.pick(&fitting).copied()
    }

    pub(super) fn proc_where(&mut self, condition: impl Fn(&Proc) -> bool) -> Option<P> {
        let fitting: Vec<P> = (0..self.procs.len())
            .filter(|&p| condition(&self.procs[p]))
            .collect();
        self.rng.pick(&fitting).copied()
    }

    pub(super) fn has(&self, version: Version) -> bool {
        self.size.version >= version
    }
}
