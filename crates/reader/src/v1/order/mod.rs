//! The second pass: in which order the events of different procs happened.
//!
//! The events of one proc are in order. Between procs, events that change a goroutine's state carry
//! how many of its transitions must have happened before (Go 1.7 and later), so of the procs' next
//! events some can come next and some cannot. The earliest of those that can comes next. An event
//! that could come next once is held to that, even if its goroutine has changed since: that is an
//! error, as in Go.
//!
//! In Go 1.5 all events have a number that says in which order they come.
//!
//! Of events at one tick, Go takes whichever its hash map yields first. Here the one of the lowest
//! proc comes first, those of no proc before, and CPU samples last.
//!
//! The order is kept as runs of procs, a few bits an event, rather than as events: those are decoded
//! again when they are delivered.

mod transition;
mod trouble;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

use exectrace_wire::{GoroutineId, Version, v1::EventType, varint};

use self::transition::Transition;
use super::{
    V1Error,
    check::Checker,
    goroutines::{Goroutines, NOBODY, Slot},
    index::{Sample, Trace},
    lane::{Event, Lane},
    losses::Losses,
};
use crate::error::Error;

/// In which order the events come.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Runs: a place in the index, and how many events, each an unsigned LEB128 number.
    pub(super) runs: Vec<u8>,
    /// How many events there are.
    pub(super) events: u64,
    /// Ends of system calls that are not where they were written, in order of time.
    pub(super) exits: Vec<Exit>,
    /// Of each system call in order whether it blocked.
    pub(super) blocked: BitSet,
    /// Threads that have run a proc.
    pub(super) threads: HashSet<u64>,
    /// Whether it must be checked once more what the events say, in their final order.
    pub(super) is_doubtful: bool,
    /// Ends of system calls that stay where they were written although they tell another time, by
    /// their places in that order. Only in salvage mode.
    pub(super) unmoved: Vec<u64>,
    /// Whether events tell of wakeups in vain.
    pub(super) has_futile: bool,
    /// Events that are left out since they belong to wakeups in vain, by their final places.
    pub(super) futile: Vec<u64>,
}

/// The end of a system call, when it happened rather than when it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    /// What orders it: its time, in Go 1.5 its sequence number.
    pub(super) key: i64,
    pub(super) time: i64,
    /// Its place in the order in which events were written.
    pub(super) index: u64,
    pub(super) goroutine: u64,
    pub(super) at: usize,
}

/// A set of small numbers.
#[derive(Debug, Default)]
pub(super) struct BitSet(Vec<u64>);

impl BitSet {
    pub(super) fn insert(&mut self, n: u64) {
        let word = (n / 64) as usize;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (n % 64);
    }

    pub(super) fn contains(&self, n: u64) -> bool {
        let word = self.0.get((n / 64) as usize).copied().unwrap_or(0);
        word >> (n % 64) & 1 != 0
    }
}

/// A proc while it is merged with the others.
struct Source {
    lane: Lane,
    /// The next event, if there is one.
    head: Event,
    has_head: bool,
    /// The next proc that waits for the same goroutine.
    next_waiter: u32,
}

/// Merges the procs' events.
pub(super) struct Merge<'t> {
    trace: &'t Trace,
    sources: Vec<Source>,
    samples: std::slice::Iter<'t, Sample>,
    goroutines: Goroutines,
    checker: Checker,
    /// The procs whose next event can come next, but for the one that is at hand.
    ready: BinaryHeap<Reverse<(i64, u32)>>,
    order: Order,
    run: (u32, u64),
    last_time: i64,
    system_calls: u64,
    /// Events have numbers that order them.
    is_numbered: bool,
    disorder: Option<Error>,
    tries: u64,
    /// The goroutine whose state the event at hand contradicts.
    conflict: Option<u64>,
    /// In salvage mode: what events need is not looked at any more, only their times.
    gave_up: bool,
    /// The proc whose event is taken.
    at_hand: Option<u32>,
    /// In salvage mode.
    losses: Option<&'t mut Losses>,
}

impl<'t> Merge<'t> {
    pub(super) fn new(trace: &'t Trace, losses: Option<&'t mut Losses>) -> Self {
        let source = |proc: &super::index::Proc| Source {
            lane: Lane::new(proc.batches.clone()),
            head: Event::BLANK,
            has_head: false,
            next_waiter: NOBODY,
        };
        let mut sources: Vec<_> = trace.procs.iter().map(source).collect();
        // CPU samples are the last proc, so to speak.
        sources.push(Source {
            lane: Lane::new(0..0),
            head: Event::BLANK,
            has_head: false,
            next_waiter: NOBODY,
        });
        let checker = Checker::new(trace.layouts.version(), sources.len());
        Self {
            trace,
            sources,
            samples: trace.samples.iter(),
            goroutines: Goroutines::new(),
            checker,
            ready: BinaryHeap::new(),
            order: Order::default(),
            run: (NOBODY, 0),
            last_time: i64::MIN,
            system_calls: 0,
            is_numbered: trace.version() == Version::Go105,
            disorder: None,
            tries: 0,
            conflict: None,
            gave_up: false,
            at_hand: None,
            losses,
        }
    }

    /// Finds the order:
    ///
    /// 1. look at the first event of each proc;
    /// 2. take the earliest event that can come next, and look at its proc's next one;
    /// 3. put ends of system calls where they happened.
    pub(super) fn order(mut self) -> Result<Order, Error> {
        let mut at_hand = None;
        for proc in 0..self.sources.len() as u32 {
            if let Some(time) = self.advance(proc) {
                self.ready.push(Reverse((time, proc)));
            }
        }
        loop {
            let proc = match (at_hand, self.ready.peek()) {
                (Some(next), Some(Reverse(first))) if *first < next => {
                    // Puts it in the place of the one that is taken out.
                    let mut first = match self.ready.peek_mut() {
                        Some(first) => first,
                        None => break,
                    };
                    let Reverse((_, proc)) = std::mem::replace(&mut *first, Reverse(next));
                    proc
                }
                (Some((_, proc)), _) => proc,
                (None, Some(_)) => match self.ready.pop() {
                    Some(Reverse((_, proc))) => proc,
                    None => break,
                },
                (None, None) => match self.find_stalled() {
                    Some(stalled) => {
                        self.force(stalled)?;
                        continue;
                    }
                    None => break,
                },
            };
            self.at_hand = Some(proc);
            self.take(proc)?;
            self.at_hand = None;
            at_hand = self.advance(proc).map(|time| (time, proc));
        }
        self.end_run();
        if let Some(error) = self.disorder {
            return Err(error);
        }
        self.order.exits.sort_by_key(|exit| (exit.key, exit.index));
        // Checks that depend on the final order.
        self.order.is_doubtful |= self.is_numbered || self.order.has_futile;
        Ok(self.order)
    }

    /// Looks at a proc's next event. Returns its time if it can come next; otherwise the proc waits
    /// for the event's goroutine, or has no event any more.
    #[inline(always)]
    fn advance(&mut self, proc: u32) -> Option<i64> {
        let source = &mut self.sources[proc as usize];
        source.has_head = source.lane.next(self.trace, &mut source.head);
        if !source.has_head {
            return self.advance_samples(proc);
        }
        let event = &source.head;
        if self.is_numbered {
            return Some(event.seq);
        }
        let time = event.time;
        if !self.gave_up
            && let Some(transition) = Transition::of(event)
        {
            let slot = self.goroutines.slot(transition.goroutine);
            let g = &mut self.goroutines[slot];
            if !transition.can_happen(g) {
                source.next_waiter = std::mem::replace(&mut g.waiter, proc);
                return None;
            }
        }
        Some(time)
    }

    #[cold]
    fn advance_samples(&mut self, proc: u32) -> Option<i64> {
        if proc as usize + 1 < self.sources.len() {
            return None;
        }
        let sample = self.samples.next()?;
        let source = &mut self.sources[proc as usize];
        source.has_head = true;
        source.head = sample.event();
        Some(sample.time)
    }

    /// Makes a proc's event the next one of the order.
    #[inline(always)]
    fn take(&mut self, proc: u32) -> Result<(), Error> {
        // The event stays where it was decoded.
        let event = &self.sources[proc as usize].head;
        let (event_type, time) = (event.event_type, event.time);
        let mut is_cold = false;

        // 1. What happened to its goroutine last.
        let mut own = None;
        if event.goroutine != 0 {
            let slot = self.goroutines.slot(event.goroutine);
            own = Some(slot);
            if let Some(call) = self.goroutines[slot].syscall.take()
                && event_type == EventType::GoSysBlock
            {
                self.order.blocked.insert(call);
            }
        }

        // 2. Its transition.
        let mut woken = None;
        if !self.is_numbered
            && !self.gave_up
            && let Some(transition) = Transition::of(event)
        {
            let slot = match own {
                Some(slot) if transition.goroutine == event.goroutine => slot,
                _ => self.goroutines.slot(transition.goroutine),
            };
            let g = &mut self.goroutines[slot];
            if !transition.can_happen(g) {
                is_cold = true;
                self.conflict = Some(transition.goroutine);
            }
            transition.happen(g);
            if g.waiter != NOBODY {
                woken = Some(slot);
            }
        }

        // 3. System calls, threads, and whether it makes sense.
        match event_type {
            EventType::GoSysCall => {
                if let Some(slot) = own {
                    self.goroutines[slot].syscall = Some(self.system_calls);
                }
                self.system_calls += 1;
            }
            EventType::GoSysBlock | EventType::GoInSyscall => {
                if let Some(slot) = own {
                    self.goroutines[slot].blocked_at = time;
                    self.goroutines[slot].in_syscall = true;
                }
            }
            EventType::ProcStart => {
                self.order.threads.insert(event.arg::<0>());
            }
            EventType::GoSysExit | EventType::FutileWakeup => is_cold = true,
            _ => {}
        }
        if !self.order.is_doubtful && !self.is_numbered {
            let by_timer = self.trace.is_by_timer(event);
            let checked = self
                .checker
                .check(proc as usize, event, by_timer, &mut self.goroutines);
            self.order.is_doubtful |= checked.is_err();
        }

        // 4. What is not common.
        if is_cold || time < self.last_time {
            let event = *event;
            self.take_uncommon(&event, woken)?;
        } else if let Some(slot) = woken {
            self.wake(slot)?;
        }
        self.last_time = time;

        // 5. Its place.
        if self.run.0 == proc {
            self.run.1 += 1;
        } else {
            self.end_run();
            self.run = (proc, 1);
        }
        self.order.events += 1;
        Ok(())
    }

    /// What may have to be done about an event beyond what [`Self::take`] does.
    #[cold]
    fn take_uncommon(&mut self, event: &Event, woken: Option<Slot>) -> Result<(), Error> {
        if event.time < self.last_time && !self.is_numbered {
            self.note_disorder(event);
        }
        if let Some(conflict) = self.conflict.take() {
            self.note_conflict(event, conflict)?;
        }
        if let Some(slot) = woken {
            self.wake(slot)?;
        }
        match event.event_type {
            EventType::GoSysExit if self.is_numbered => self.order.exits.push(Exit {
                key: event.arg::<1>() as i64,
                time: match event.arg::<2>() as i64 {
                    0 => event.time,
                    time => time,
                },
                index: self.order.events,
                goroutine: event.goroutine,
                at: event.at,
            }),
            EventType::GoSysExit => self.exit(event)?,
            EventType::FutileWakeup => {
                self.order.has_futile = self.trace.version() < Version::Go111;
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes when a system call ended.
    fn exit(&mut self, event: &Event) -> Result<(), Error> {
        let slot = self.goroutines.slot(event.goroutine);
        let g = &mut self.goroutines[slot];
        let time = event.arg::<2>() as i64;
        let in_syscall = std::mem::replace(&mut g.in_syscall, false);
        if time == 0 {
            return Ok(());
        }
        let error = if g.blocked_at == 0 {
            let error = V1Error::StraySyscallExit(GoroutineId(event.goroutine));
            Some(Error::at(event.at as u64, error))
        } else if time < g.blocked_at {
            Some(disorder(event, g.blocked_at.abs_diff(time)))
        } else {
            None
        };
        if let Some(error) = error {
            let Some(losses) = &mut self.losses else {
                return Err(error);
            };
            losses.bend(|| error);
            self.order.unmoved.push(self.order.events);
            self.order.is_doubtful = true;
            return Ok(());
        }
        // Between the call and the place where its end is written nothing happens to the goroutine,
        // so what holds in the order of writing holds in the final order: but only if the end is
        // moved within these bounds.
        self.order.is_doubtful |= !in_syscall || time > event.time;
        self.order.exits.push(Exit {
            key: time,
            time,
            index: self.order.events,
            goroutine: event.goroutine,
            at: event.at,
        });
        Ok(())
    }

    /// Looks again at the procs that wait for a goroutine which has changed.
    #[cold]
    fn wake(&mut self, slot: Slot) -> Result<(), Error> {
        let mut proc = std::mem::replace(&mut self.goroutines[slot].waiter, NOBODY);
        while proc != NOBODY {
            self.tries += 1;
            let source = &mut self.sources[proc as usize];
            let next = std::mem::replace(&mut source.next_waiter, NOBODY);
            let event = &source.head;
            if let Some(transition) = Transition::of(event) {
                let g = &mut self.goroutines[slot];
                if transition.can_happen(g) {
                    self.ready.push(Reverse((event.time, proc)));
                } else {
                    source.next_waiter = std::mem::replace(&mut g.waiter, proc);
                }
            }
            proc = next;
        }
        self.check_tries()
    }

    fn end_run(&mut self) {
        let (proc, count) = self.run;
        if count == 0 {
            return;
        }
        for number in [u64::from(proc), count] {
            let mut buffer = [0; exectrace_wire::limits::MAX_VARINT_BYTES];
            let n = varint::write(&mut buffer, number).unwrap_or(0);
            self.order.runs.extend_from_slice(&buffer[..n]);
        }
        self.run.1 = 0;
    }
}

pub(super) fn disorder(event: &Event, ticks: u64) -> Error {
    let error = V1Error::TimeOrder {
        event: event.event_type,
        ticks,
    };
    Error::at(event.at as u64, error)
}

impl Trace {
    /// Whether an event is an unblocking by a goroutine that runs timers, which has no proc.
    #[inline(always)]
    pub(super) fn is_by_timer(&self, event: &Event) -> bool {
        !self.timer_goroutines.is_empty()
            && matches!(
                event.event_type,
                EventType::GoUnblock | EventType::GoUnblockLocal
            )
            && self.timer_goroutines.contains(&event.goroutine)
    }
}
