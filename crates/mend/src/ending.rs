//! How the program stood when a generation ended, from its events.
//!
//! Still without an order of all events: what happens to one goroutine, or one proc, is a chain, and
//! each hand-over from thread to thread carries its step of the chain. The last step, and what the
//! thread that took it wrote after it, says where the chain ends.

use std::collections::BTreeMap;

use exectrace_wire::{
    BatchKind, EventType as E, GoStatus, GoroutineId, ProcId, ProcStatus, RawEvent, ThreadId, Ticks,
};

use crate::{
    error::MendError,
    standing::{Goroutine, Proc, Standing},
    walk::events,
};

/// The last that is known of a goroutine or a proc.
#[derive(Clone, Copy, Debug)]
struct Last<S> {
    /// The step of the chain.
    seq: u64,
    /// None once it is gone.
    state: Option<S>,
    /// Whether it assists or sweeps, and the step at which that changed.
    busy: (u64, bool),
}

/// What a thread has at a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Holding {
    goroutine: Option<(GoroutineId, u64)>,
    proc: Option<(ProcId, u64)>,
}

#[derive(Clone, Debug, Default)]
struct Chains {
    goroutines: BTreeMap<GoroutineId, Last<Goroutine>>,
    procs: BTreeMap<ProcId, Last<Proc>>,
    threads: BTreeMap<Option<ThreadId>, Holding>,
}

impl Standing {
    /// Reads how the program stood at the end of a whole generation. What the generation did not
    /// state is not known.
    pub(crate) fn at_end(bytes: &[u8]) -> Result<Self, MendError> {
        let beginning = Self::read(bytes, |_| Ok(()))?;
        let mut chains = Chains::default();
        for (&g, &state) in &beginning.goroutines {
            let busy = (0, state.assisting);
            chains.goroutines.insert(g, Last::new(Some(state), busy));
        }
        for (&p, &state) in &beginning.procs {
            let busy = (0, state.sweeping);
            chains.procs.insert(p, Last::new(Some(state), busy));
        }
        let mut end = beginning.start;
        Self::read(bytes, |batch| {
            if batch.kind != BatchKind::Events {
                return Ok(());
            }
            let mut time = batch.header.time.0;
            events(batch, |event| {
                time = time.saturating_add(event.padded_args()[0]);
                chains.event(batch.header.thread, event);
            })?;
            end = end.max(Ticks(time));
            Ok(())
        })?;
        // The clocks of the generation that is made of this MUST be later than this one's.
        let end = end.max(Ticks(
            beginning
                .clock
                .time
                .0
                .saturating_add(beginning.clock.microsecond()),
        ));
        Ok(Self {
            generation: beginning.generation + 1,
            start: end,
            clock: beginning.clock.at(end),
            goroutines: states(chains.goroutines, |goroutine, assisting| Goroutine {
                assisting,
                ..goroutine
            }),
            procs: states(chains.procs, |proc, sweeping| Proc { sweeping, ..proc }),
        })
    }
}

impl<S> Last<S> {
    const fn new(state: Option<S>, busy: (u64, bool)) -> Self {
        let seq = 0;
        Self { seq, state, busy }
    }

    /// Notes a step, unless a later one is known.
    fn set(&mut self, seq: u64, state: Option<S>) {
        if seq >= self.seq {
            self.seq = seq;
            self.state = state;
        }
    }

    const fn set_busy(&mut self, seq: u64, busy: bool) {
        if seq >= self.busy.0 {
            self.busy = (seq, busy);
        }
    }
}

fn states<K: Ord, S>(chains: BTreeMap<K, Last<S>>, with: impl Fn(S, bool) -> S) -> BTreeMap<K, S> {
    let left = chains
        .into_iter()
        .filter_map(|(key, last)| Some((key, with(last.state?, last.busy.1))));
    left.collect()
}

impl Chains {
    fn event(&mut self, m: Option<ThreadId>, event: &RawEvent) {
        let [_, a, b, c, _] = *event.padded_args();
        match event.event_type {
            // 1. Who a thread has from the start.
            E::ProcStatus => {
                let holds = [ProcStatus::Running, ProcStatus::Syscall];
                if ProcStatus::from_wire(b).is_some_and(|status| holds.contains(&status)) {
                    self.hold(m).proc = Some((a.into(), 0));
                }
            }
            E::GoStatus | E::GoStatusStack => {
                let on = ThreadId::from_wire(b);
                let on_it = matches!(
                    GoStatus::from_wire(c),
                    Some(GoStatus::Running | GoStatus::Syscall)
                );
                if on_it && on == m && m.is_some() {
                    self.hold(m).goroutine = Some((a.into(), 0));
                }
            }
            // 2. Procs.
            E::ProcStart => self.take(m, a.into(), b),
            E::ProcStop => self.let_go(m, ProcStatus::Idle),
            E::ProcSteal => {
                self.set_proc(a.into(), b, ProcStatus::Idle, None);
                let holding = self.hold(m);
                if ThreadId::from_wire(c) == m && holding.proc.is_some_and(|(p, _)| p.0 == a) {
                    holding.proc = None;
                }
            }
            E::GCSweepBegin | E::GCSweepEnd => {
                if let Some((p, seq)) = self.hold(m).proc
                    && let Some(last) = self.procs.get_mut(&p)
                {
                    last.set_busy(seq, event.event_type == E::GCSweepBegin);
                }
            }
            // 3. Goroutines.
            E::GoCreate => self.set(a.into(), 0, Some(GoStatus::Runnable), None),
            E::GoCreateBlocked => self.set(a.into(), 0, Some(GoStatus::Waiting), None),
            E::GoCreateSyscall => {
                self.hold(m).goroutine = Some((a.into(), 0));
                self.current(m, Some(GoStatus::Syscall));
            }
            E::GoUnblock => self.set(a.into(), b, Some(GoStatus::Runnable), None),
            E::GoStart => self.start(m, a.into(), b),
            E::GoSwitch | E::GoSwitchDestroy => {
                let keeps = (event.event_type == E::GoSwitch).then_some(GoStatus::Waiting);
                self.current(m, keeps);
                self.start(m, a.into(), b);
            }
            E::GoStop | E::GoSyscallEndBlocked => self.leave(m, Some(GoStatus::Runnable)),
            E::GoBlock => self.leave(m, Some(GoStatus::Waiting)),
            E::GoDestroy => self.leave(m, None),
            E::GoDestroySyscall => {
                self.leave(m, None);
                self.let_go(m, ProcStatus::SyscallAbandoned);
            }
            E::GoSyscallBegin => {
                self.current(m, Some(GoStatus::Syscall));
                if let Some((p, _)) = self.hold(m).proc {
                    self.hold(m).proc = Some((p, a));
                    self.set_proc(p, a, ProcStatus::Syscall, m);
                }
            }
            E::GoSyscallEnd => {
                self.current(m, Some(GoStatus::Running));
                if let Some((p, seq)) = self.hold(m).proc {
                    self.set_proc(p, seq, ProcStatus::Running, m);
                }
            }
            E::GCMarkAssistBegin | E::GCMarkAssistEnd => {
                if let Some((g, seq)) = self.hold(m).goroutine
                    && let Some(last) = self.goroutines.get_mut(&g)
                {
                    last.set_busy(seq, event.event_type == E::GCMarkAssistBegin);
                }
            }
            _ => {}
        }
    }

    fn hold(&mut self, m: Option<ThreadId>) -> &mut Holding {
        self.threads.entry(m).or_default()
    }

    fn start(&mut self, m: Option<ThreadId>, g: GoroutineId, seq: u64) {
        self.hold(m).goroutine = Some((g, seq));
        self.current(m, Some(GoStatus::Running));
    }

    /// Sets the status of the goroutine that a thread has.
    fn current(&mut self, m: Option<ThreadId>, status: Option<GoStatus>) {
        if let Some((g, seq)) = self.hold(m).goroutine {
            let on_it = matches!(status, Some(GoStatus::Running | GoStatus::Syscall));
            self.set(g, seq, status, m.filter(|_| on_it));
        }
    }

    fn leave(&mut self, m: Option<ThreadId>, status: Option<GoStatus>) {
        self.current(m, status);
        self.hold(m).goroutine = None;
    }

    fn set(
        &mut self,
        g: GoroutineId,
        seq: u64,
        status: Option<GoStatus>,
        thread: Option<ThreadId>,
    ) {
        let last = self.goroutines.entry(g);
        let last = last.or_insert_with(|| Last::new(None, (0, false)));
        let state = status.map(|status| Goroutine {
            status,
            thread,
            assisting: false,
        });
        last.set(seq, state);
    }

    fn take(&mut self, m: Option<ThreadId>, p: ProcId, seq: u64) {
        self.hold(m).proc = Some((p, seq));
        self.set_proc(p, seq, ProcStatus::Running, m);
    }

    fn let_go(&mut self, m: Option<ThreadId>, status: ProcStatus) {
        if let Some((p, seq)) = self.hold(m).proc.take() {
            self.set_proc(p, seq, status, None);
        }
    }

    fn set_proc(&mut self, p: ProcId, seq: u64, status: ProcStatus, thread: Option<ThreadId>) {
        let last = self.procs.entry(p);
        let last = last.or_insert_with(|| Last::new(None, (0, false)));
        let state = Proc {
            status,
            thread,
            sweeping: false,
        };
        last.set(seq, Some(state));
    }
}

#[cfg(test)]
mod tests {
    use exectrace_testkit::sim::{Size, simulate};

    use super::*;
    use crate::walk::VERSION;

    /// A proc in a system call may be stated as left behind, by who comes by: then its thread is
    /// what the one who comes by takes for it.
    fn same(end: &Proc, beginning: &Proc) -> bool {
        end == beginning
            || beginning.status == ProcStatus::SyscallAbandoned
                && [ProcStatus::Syscall, ProcStatus::SyscallAbandoned].contains(&end.status)
    }

    #[test]
    fn a_generation_ends_as_the_next_begins() {
        let size = Size {
            threads: 6,
            procs: 4,
            goroutines: 9,
            steps: 500,
            generation_steps: 70,
            skew: 20,
            ..Size::small(VERSION)
        };
        let mut compared = 0;
        for seed in 0..200 {
            let generations = simulate(seed, size).layout.generations();
            for pair in generations.windows(2) {
                let end = Standing::at_end(&pair[0]).unwrap();
                let next = Standing::read(&pair[1], |_| Ok(())).unwrap();
                assert_eq!(end.goroutines, next.goroutines, "seed {seed}");
                for (p, proc) in &next.procs {
                    // What is stated in neither cannot be known.
                    if let Some(end) = end.procs.get(p) {
                        assert!(same(end, proc), "seed {seed} proc {p}: {end:?} {proc:?}");
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 1000);
    }
}
