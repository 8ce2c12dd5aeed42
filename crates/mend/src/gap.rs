//! Generations that were lost, and the generation that stands for them.
//!
//! The state of goroutines, procs and threads goes on from generation to generation, so a trace
//! from which one is left out is no trace: goroutines would be in states that no event led to. A
//! bridge is a small generation of our own that leads there: it takes the program from the state at
//! the beginning of the first lost generation to the state at the beginning of the next one that is
//! kept. In between, what ran is shown as blocked for [`LOSS_REASON`], so that no analysis takes the
//! gap for running, or for waiting for a proc.
//!
//! Both states are in the generations themselves, see [`Standing`].

use std::collections::{BTreeMap, BTreeSet};

use exectrace_wire::{EventType as E, GoStatus, GoroutineId, ProcId, ProcStatus, ThreadId, Ticks};

use crate::{
    changes::Changes,
    emit::Emitter,
    error::MendError,
    loss::{LOSS_CATEGORY, LOSS_REASON, Loss},
    standing::{Proc, Standing},
};

/// The goroutine that stands for the gap: no program has as many.
const STAND_IN: GoroutineId = GoroutineId(i64::MAX as u64);

/// The thread that writes what no thread of the program did.
const WRITER: Option<ThreadId> = Some(ThreadId(i64::MAX as u64));

const NO_THREAD: u64 = ThreadId::WIRE_NONE;

/// One or more consecutive generations that will not be in the trace.
///
/// Holds what a bridge needs to know of them, not their bytes: memory for what is alive in the
/// program.
#[derive(Clone, Debug)]
pub struct Gap {
    /// None before the first generation of the trace.
    before: Option<Standing>,
    changes: Changes,
    generations: u64,
    /// Some of the lost generations were never seen: what they changed is not known.
    unseen: bool,
}

impl Gap {
    /// Begins with the first generation that is lost, given whole.
    ///
    /// # Errors
    ///
    /// [`MendError`] if the bytes are not one whole generation.
    pub fn new(generation: &[u8]) -> Result<Self, MendError> {
        let mut changes = Changes::default();
        let before = changes.add(generation)?;
        Ok(Self {
            before: Some(before),
            changes,
            generations: 1,
            unseen: false,
        })
    }

    /// Begins with a number of generations that nobody has seen, with a number of events, after the
    /// last one that is in the trace, if there is one.
    ///
    /// All goroutines end in such a gap and begin again: nobody knows which regions they left.
    ///
    /// # Errors
    ///
    /// [`MendError`] if the bytes are not one whole generation.
    pub fn unseen(last: Option<&[u8]>, generations: u64, events: u64) -> Result<Self, MendError> {
        let mut gap = Self {
            before: last.map(Standing::at_end).transpose()?,
            changes: Changes::default(),
            generations: 0,
            unseen: true,
        };
        gap.widen_unseen(generations, events);
        Ok(gap)
    }

    /// Adds the generation after the last one that was lost.
    ///
    /// # Errors
    ///
    /// As [`Gap::new`]; the generation is counted all the same.
    pub fn widen(&mut self, generation: &[u8]) -> Result<(), MendError> {
        self.generations += 1;
        let began = self.changes.add(generation)?;
        self.before.get_or_insert_with(|| began.just_before());
        Ok(())
    }

    /// Adds generations that nobody has seen.
    pub fn widen_unseen(&mut self, generations: u64, events: u64) {
        self.generations += generations;
        self.changes.events += events;
        self.unseen = true;
    }

    /// Adds a gap that begins where this one ends.
    pub fn join(&mut self, later: Self) {
        self.generations += later.generations;
        self.unseen |= later.unseen;
        if let Some(before) = &later.before {
            self.changes.prune(before);
            self.before.get_or_insert_with(|| before.just_before());
        }
        self.changes.join(later.changes);
    }

    /// What is lost.
    #[must_use]
    pub fn loss(&self, cause: &str) -> Loss {
        Loss {
            generations: self.generations,
            events: self.changes.events,
            bytes: self.changes.bytes,
            cause: cause.to_owned(),
        }
    }

    /// The generation to write instead of the lost ones: between the one before the gap, which MUST
    /// be in the trace, and `next`, if there is one. Its number is that of the first lost one. Empty
    /// if nothing is known of any time: neither what was before nor what comes next.
    ///
    /// # Errors
    ///
    /// [`MendError`] if `next` is not one whole generation.
    pub fn bridge(mut self, next: Option<&[u8]>, cause: &str) -> Result<Vec<u8>, MendError> {
        let message = self.loss(cause).to_string();
        let after = next
            .map(|bytes| Standing::read(bytes, |_| Ok(())))
            .transpose()?;
        let before = self.before.take();
        let Some(before) = before.or_else(|| after.as_ref().map(Standing::just_before)) else {
            return Ok(Vec::new());
        };
        let procs = after.iter().flat_map(|after| after.procs.keys());
        let stage = before.procs.keys().chain(procs).next().copied();
        let mut play = Play::new(&before, stage.unwrap_or(ProcId(0)));
        play.halt(&before);
        play.give_notice(&message);
        if let Some(after) = &after {
            self.changes.prune(after);
            play.emitter
                .advance_to(after.start.0, play.events_to(after));
            play.catch_up(&self.changes);
            play.bury(after, &self.changes, self.unseen);
            play.raise(after, &self.changes);
            play.dispatch(after, &self.changes);
        }
        Ok(play.emitter.finish())
    }
}

/// A goroutine in the play: its status, and how far its sequence is.
#[derive(Clone, Copy, Debug)]
struct Actor {
    status: GoStatus,
    seq: u64,
}

/// Plays the scheduler between two states.
#[derive(Debug)]
struct Play {
    emitter: Emitter,
    goroutines: BTreeMap<GoroutineId, Actor>,
    /// How far the procs' sequences are.
    procs: BTreeMap<ProcId, u64>,
    /// The proc that the writer takes.
    stage: ProcId,
    reason: u64,
    /// Goroutines with an open mark assist.
    assisting: BTreeSet<GoroutineId>,
}

impl Play {
    fn new(before: &Standing, stage: ProcId) -> Self {
        let mut emitter = Emitter::new(before.generation, before.clock);
        emitter.advance_to(before.start.0, 0);
        let reason = emitter.string(LOSS_REASON.as_bytes());
        Self {
            emitter,
            goroutines: BTreeMap::new(),
            procs: BTreeMap::new(),
            stage,
            reason,
            assisting: before
                .goroutines
                .iter()
                .filter(|(_, goroutine)| goroutine.assisting)
                .map(|(g, _)| *g)
                .collect(),
        }
    }

    /// Events that it takes to get to a state, at most.
    fn events_to(&self, after: &Standing) -> u64 {
        let goroutines = self.goroutines.len() + after.goroutines.len();
        8 * (goroutines + self.procs.len() + after.procs.len()) as u64
    }

    /// States everything as it is, and brings it to a rest: no thread has a proc or a goroutine, all
    /// procs are idle, goroutines are runnable or waiting.
    fn halt(&mut self, before: &Standing) {
        let running = before.on_threads(GoStatus::Running);
        let calling = before.on_threads(GoStatus::Syscall);
        // 1. Procs, with the goroutines that hold them.
        for (&p, proc) in &before.procs {
            match (proc.status, proc.thread) {
                (ProcStatus::Running, Some(m)) => {
                    self.state_proc(Some(m), p, proc.status);
                    if proc.sweeping {
                        self.emitter.event(Some(m), E::GCSweepEnd, &[0, 0]);
                    }
                    if let Some(&g) = running.get(&m) {
                        self.state(Some(m), g, m.0, GoStatus::Running);
                        self.block(Some(m), g);
                    }
                    self.emitter.event(Some(m), E::ProcStop, &[]);
                }
                (ProcStatus::Syscall, Some(m)) => {
                    self.state_proc(Some(m), p, proc.status);
                    if let Some(&g) = calling.get(&m) {
                        self.state(Some(m), g, m.0, GoStatus::Syscall);
                        self.emitter.event(Some(m), E::GoSyscallEnd, &[]);
                        self.block(Some(m), g);
                        self.emitter.event(Some(m), E::ProcStop, &[]);
                    } else {
                        self.steal(Some(m), p, m);
                    }
                }
                (ProcStatus::SyscallAbandoned, thread) => {
                    self.state_proc(WRITER, p, proc.status);
                    self.steal(WRITER, p, thread.unwrap_or(ThreadId(NO_THREAD)));
                }
                (status, _) => self.state_proc(WRITER, p, status),
            }
        }
        // 2. The other goroutines.
        for (&g, goroutine) in &before.goroutines {
            if self.goroutines.contains_key(&g) {
                continue;
            }
            match (goroutine.status, goroutine.thread) {
                (GoStatus::Syscall, Some(m)) => {
                    self.state(Some(m), g, m.0, GoStatus::Syscall);
                    self.emitter.event(Some(m), E::GoSyscallEndBlocked, &[]);
                    self.set(g, GoStatus::Runnable);
                }
                (status, _) => self.state(WRITER, g, NO_THREAD, status),
            }
        }
    }

    /// Says what is lost, by a goroutine that lasts as long as the gap.
    fn give_notice(&mut self, message: &str) {
        self.enter();
        let function = self.emitter.stack(LOSS_CATEGORY);
        self.create(WRITER, STAND_IN, E::GoCreate, function);
        self.start(WRITER, STAND_IN);
        let key = self.emitter.string(LOSS_CATEGORY.as_bytes());
        let value = self.emitter.string(message.as_bytes());
        self.emitter
            .event(WRITER, E::UserLog, &[0, key, value, function]);
        self.block(WRITER, STAND_IN);
        self.leave();
    }

    /// Repeats what has happened to tasks and garbage collections.
    fn catch_up(&mut self, changes: &Changes) {
        self.enter();
        self.wake(STAND_IN);
        self.start(WRITER, STAND_IN);
        for (&seq, &event_type) in &changes.collections {
            match event_type {
                E::GCBegin => self.emitter.event(WRITER, event_type, &[seq, 0]),
                _ => self.emitter.event(WRITER, event_type, &[seq]),
            }
        }
        for id in &changes.tasks_ended {
            self.emitter.event(WRITER, E::UserTaskEnd, &[id.0, 0]);
        }
        for (id, task) in &changes.tasks_begun {
            let name = self.emitter.string(&task.name);
            self.emitter
                .event(WRITER, E::UserTaskBegin, &[id.0, task.parent.0, name, 0]);
        }
        self.emitter.event(WRITER, E::GoDestroy, &[]);
        self.leave();
    }

    /// Ends the goroutines that ended in the gap.
    fn bury(&mut self, after: &Standing, changes: &Changes, all: bool) {
        self.enter();
        let goroutines: Vec<GoroutineId> = self.goroutines.keys().copied().collect();
        for g in goroutines {
            if g != STAND_IN && (all || !after.goroutines.contains_key(&g)) {
                self.wake(g);
                self.start(WRITER, g);
                self.perform(WRITER, g, false, changes);
                self.emitter.event(WRITER, E::GoDestroy, &[]);
                self.goroutines.remove(&g);
            }
        }
        self.leave();
    }

    /// Creates the goroutines that began in the gap, and lets those wait, or not, that do after it.
    fn raise(&mut self, after: &Standing, changes: &Changes) {
        self.enter();
        for (&g, goroutine) in &after.goroutines {
            if !self.goroutines.contains_key(&g) {
                let waits = goroutine.status == GoStatus::Waiting;
                let event_type = if waits {
                    E::GoCreateBlocked
                } else {
                    E::GoCreate
                };
                self.create(WRITER, g, event_type, 0);
            }
            let assists = self.assisting.contains(&g) != goroutine.assisting;
            let has_part = changes.regions.contains_key(&g) || assists;
            let status = self.goroutines.get(&g).map(|actor| actor.status);
            match goroutine.status {
                // These get their part where they run.
                GoStatus::Running | GoStatus::Syscall => self.wake(g),
                target
                    if has_part
                        || (target, status) == (GoStatus::Waiting, Some(GoStatus::Runnable)) =>
                {
                    self.wake(g);
                    self.start(WRITER, g);
                    self.perform(WRITER, g, goroutine.assisting, changes);
                    if target == GoStatus::Waiting {
                        self.block(WRITER, g);
                    } else {
                        self.emitter.event(WRITER, E::GoStop, &[self.reason, 0]);
                        self.set(g, GoStatus::Runnable);
                    }
                }
                GoStatus::Runnable => self.wake(g),
                _ => {}
            }
        }
        // Procs that are new.
        for &p in after.procs.keys() {
            if !self.procs.contains_key(&p) {
                self.state_proc(WRITER, p, ProcStatus::Idle);
            }
        }
        self.leave();
    }

    /// Puts procs and goroutines on threads.
    fn dispatch(&mut self, after: &Standing, changes: &Changes) {
        let running = after.on_threads(GoStatus::Running);
        let calling = after.on_threads(GoStatus::Syscall);
        let mut held: Vec<ThreadId> = Vec::new();
        for proc in after.procs.values() {
            if proc.status == ProcStatus::Syscall {
                held.extend(proc.thread);
            }
        }
        // 1. System calls of threads whose proc was taken away.
        for (&m, &g) in &calling {
            if !held.contains(&m) {
                let p = self.stage;
                self.take(Some(m), p);
                self.run(Some(m), g, after, changes);
                self.call(Some(m), g, p);
                self.steal(WRITER, p, m);
            }
        }
        // 2. Procs, with the goroutines that hold them.
        for (&p, proc) in &after.procs {
            let Proc { status, thread, .. } = *proc;
            match status {
                ProcStatus::Running => {
                    let Some(m) = thread else { continue };
                    self.take(Some(m), p);
                    if proc.sweeping {
                        self.emitter.event(Some(m), E::GCSweepBegin, &[0]);
                    }
                    if let Some(&g) = running.get(&m) {
                        self.run(Some(m), g, after, changes);
                    }
                }
                ProcStatus::Syscall => {
                    let Some((m, g)) = thread.and_then(|m| Some((m, *calling.get(&m)?))) else {
                        continue;
                    };
                    self.take(Some(m), p);
                    self.run(Some(m), g, after, changes);
                    self.call(Some(m), g, p);
                }
                // Whether its thread still thinks that it has it does not matter: it is going to be
                // stolen from whoever that is. So nobody has it.
                ProcStatus::SyscallAbandoned => {
                    self.take(WRITER, p);
                    self.create(WRITER, STAND_IN, E::GoCreate, 0);
                    self.start(WRITER, STAND_IN);
                    self.call(WRITER, STAND_IN, p);
                    self.emitter.event(WRITER, E::GoDestroySyscall, &[]);
                }
                _ => {}
            }
        }
    }

    /// Starts a goroutine where it belongs, with its part in what changed.
    fn run(&mut self, m: Option<ThreadId>, g: GoroutineId, after: &Standing, changes: &Changes) {
        self.start(m, g);
        if let Some(goroutine) = after.goroutines.get(&g) {
            self.perform(m, g, goroutine.assisting, changes);
        }
    }

    /// What a goroutine does that runs, of what changed in the gap.
    fn perform(&mut self, m: Option<ThreadId>, g: GoroutineId, assists: bool, changes: &Changes) {
        match (self.assisting.contains(&g), assists) {
            (true, false) => {
                self.assisting.remove(&g);
                self.emitter.event(m, E::GCMarkAssistEnd, &[]);
            }
            (false, true) => {
                self.assisting.insert(g);
                self.emitter.event(m, E::GCMarkAssistBegin, &[0]);
            }
            _ => {}
        }
        let Some(regions) = changes.regions.get(&g) else {
            return;
        };
        for (event_type, regions) in [
            (E::UserRegionEnd, &regions.ended),
            (E::UserRegionBegin, &regions.begun),
        ] {
            for region in regions {
                let name = self.emitter.string(&region.name);
                self.emitter.event(m, event_type, &[region.task.0, name, 0]);
            }
        }
    }

    // Single steps.

    /// The writer takes its proc.
    fn enter(&mut self) {
        if !self.procs.contains_key(&self.stage) {
            self.state_proc(WRITER, self.stage, ProcStatus::Idle);
        }
        self.take(WRITER, self.stage);
    }

    fn leave(&mut self) {
        self.emitter.event(WRITER, E::ProcStop, &[]);
    }

    fn set(&mut self, g: GoroutineId, status: GoStatus) {
        self.goroutines
            .entry(g)
            .or_insert(Actor { status, seq: 0 })
            .status = status;
    }

    fn next(&mut self, g: GoroutineId) -> u64 {
        self.goroutines.get_mut(&g).map_or(0, |actor| {
            actor.seq += 1;
            actor.seq
        })
    }

    fn next_proc(&mut self, p: ProcId) -> u64 {
        let seq = self.procs.entry(p).or_default();
        *seq += 1;
        *seq
    }

    fn state_proc(&mut self, m: Option<ThreadId>, p: ProcId, status: ProcStatus) {
        self.emitter
            .event(m, E::ProcStatus, &[p.0, status.to_wire()]);
        self.procs.insert(p, 0);
    }

    fn state(&mut self, m: Option<ThreadId>, g: GoroutineId, thread: u64, status: GoStatus) {
        self.emitter
            .event(m, E::GoStatus, &[g.0, thread, status.to_wire()]);
        self.set(g, status);
    }

    fn take(&mut self, m: Option<ThreadId>, p: ProcId) {
        let seq = self.next_proc(p);
        self.emitter.event(m, E::ProcStart, &[p.0, seq]);
    }

    fn steal(&mut self, by: Option<ThreadId>, p: ProcId, from: ThreadId) {
        let seq = self.next_proc(p);
        self.emitter.event(by, E::ProcSteal, &[p.0, seq, from.0]);
    }

    fn create(&mut self, m: Option<ThreadId>, g: GoroutineId, event_type: E, stack: u64) {
        self.emitter.event(m, event_type, &[g.0, stack, 0]);
        let status = if event_type == E::GoCreateBlocked {
            GoStatus::Waiting
        } else {
            GoStatus::Runnable
        };
        self.goroutines.insert(g, Actor { status, seq: 0 });
    }

    /// Makes a goroutine runnable that waits.
    fn wake(&mut self, g: GoroutineId) {
        if self
            .goroutines
            .get(&g)
            .is_some_and(|a| a.status == GoStatus::Waiting)
        {
            let seq = self.next(g);
            self.emitter.event(WRITER, E::GoUnblock, &[g.0, seq, 0]);
            self.set(g, GoStatus::Runnable);
        }
    }

    fn start(&mut self, m: Option<ThreadId>, g: GoroutineId) {
        let seq = self.next(g);
        self.emitter.event(m, E::GoStart, &[g.0, seq]);
        self.set(g, GoStatus::Running);
    }

    fn block(&mut self, m: Option<ThreadId>, g: GoroutineId) {
        self.emitter.event(m, E::GoBlock, &[self.reason, 0]);
        self.set(g, GoStatus::Waiting);
    }

    fn call(&mut self, m: Option<ThreadId>, g: GoroutineId, p: ProcId) {
        let seq = self.next_proc(p);
        self.emitter.event(m, E::GoSyscallBegin, &[seq, 0]);
        self.set(g, GoStatus::Syscall);
    }
}

impl Standing {
    /// Right before a generation, of which nothing is known but the time.
    fn just_before(&self) -> Self {
        // A time of 0 counts as none.
        let before = self.clock.microsecond().min(self.start.0 / 2);
        let start = Ticks(self.start.0 - before);
        Self {
            generation: self.generation.saturating_sub(1).max(1),
            start,
            clock: self.clock.at(start),
            goroutines: BTreeMap::new(),
            procs: BTreeMap::new(),
        }
    }

    /// The goroutines of a status by the thread that they are on.
    fn on_threads(&self, status: GoStatus) -> BTreeMap<ThreadId, GoroutineId> {
        self.goroutines
            .iter()
            .filter(|(_, goroutine)| goroutine.status == status)
            .filter_map(|(g, goroutine)| Some((goroutine.thread?, *g)))
            .collect()
    }
}
