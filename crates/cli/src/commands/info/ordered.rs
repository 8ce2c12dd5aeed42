//! What the ordered events say: times, generations, goroutines, procs.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use exectrace_mend::{LOSS_CATEGORY, Loss};
use exectrace_reader::{
    ClockSnapshot, Error, Event, EventKind, EventType, Generation, GoState, GoroutineId, ProcId,
    Reader, StateTransition, ThreadId, Time, WallTime,
};

use super::footprint::MAX_GENERATIONS;

/// A generation as its events tell it.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderedGeneration {
    pub(super) number: Generation,
    pub(super) start: Time,
    pub(super) end: Time,
    pub(super) events: u64,
    pub(super) clock: Option<ClockSnapshot>,
}

impl OrderedGeneration {
    pub(super) fn wall_time_of(&self, time: Time) -> Option<WallTime> {
        self.clock.map(|clock| clock.wall_time_of(time))
    }
}

/// The summary of the events, as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    pub(super) events: u64,
    pub(super) span: Option<(Time, Time)>,
    pub(super) wall: Option<(WallTime, WallTime)>,
    pub(super) generations: Vec<OrderedGeneration>,
    /// Generations past [`MAX_GENERATIONS`].
    pub(super) more_generations: u64,
    pub(super) goroutines: u64,
    pub(super) procs: BTreeSet<ProcId>,
    /// Threads that events name which another thread wrote: statuses and CPU samples.
    pub(super) named_threads: BTreeSet<ThreadId>,
    /// What the tracer says that it had to drop, and when; the first of them.
    pub(super) dropped: Vec<(Time, Loss)>,
    /// What ended the reading before the trace did.
    pub(super) error: Option<Error>,
    /// The generation that is being read; its `events` count from the start of the trace.
    open: Option<OrderedGeneration>,
    /// Goroutines that may look new again: those of C threads, which come back under the same id,
    /// and in salvage mode, which may forget the state of the program, all.
    seen: HashSet<GoroutineId>,
    remember_all: bool,
}

impl Ordered {
    /// Reads all events. An error ends the reading and is a part of the result.
    pub(super) fn read(reader: &mut Reader<'_>, salvage: bool) -> Self {
        let mut ordered = Self {
            remember_all: salvage,
            ..Self::default()
        };
        let read = reader.try_for_each(|event| {
            ordered.add(&event);
            ControlFlow::<()>::Continue(())
        });
        ordered.error = read.err();
        ordered.close_generation();
        ordered
    }

    #[inline]
    fn add(&mut self, event: &Event<'_>) {
        // Only the events that can name something new are looked at.
        match event.event_type() {
            None => {
                self.named_threads.extend(event.thread());
                if let EventKind::Sync(sync) = event.kind() {
                    self.close_generation();
                    if let Some(number) = sync.generation() {
                        self.open = Some(OrderedGeneration {
                            number,
                            start: event.time(),
                            end: event.time(),
                            events: self.events,
                            clock: sync.clock(),
                        });
                    }
                }
            }
            Some(
                EventType::GoCreate
                | EventType::GoCreateBlocked
                | EventType::GoCreateSyscall
                | EventType::GoStatus
                | EventType::GoStatusStack
                | EventType::GoDestroySyscall
                | EventType::ProcStatus,
            ) => self.resource(event),
            Some(EventType::UserLog) => self.log(event),
            Some(_) => {}
        }
        self.events += 1;
        let start = self.span.map_or(event.time(), |(start, _)| start);
        self.span = Some((start, event.time()));
    }

    /// Notes what the tracer says of itself.
    fn log(&mut self, event: &Event<'_>) {
        /// More are not listed, whatever they say.
        const MOST: usize = 1000;
        if let EventKind::Log(log) = event.kind()
            && log.category == *LOSS_CATEGORY
            && self.dropped.len() < MOST
            && let Some(loss) = Loss::parse(&log.message.to_string())
        {
            self.dropped.push((event.time(), loss));
        }
    }

    /// Ends the generation, if one is open, with the last event that was read.
    fn close_generation(&mut self) {
        let (Some(mut generation), Some((_, end))) = (self.open.take(), self.span) else {
            return;
        };
        generation.end = end;
        generation.events = self.events - generation.events;
        if let (Some(start), Some(end)) = (
            generation.wall_time_of(generation.start),
            generation.wall_time_of(end),
        ) {
            let first = self.wall.map_or(start, |(first, _)| first);
            self.wall = Some((first, end));
        }
        if self.generations.len() < MAX_GENERATIONS {
            self.generations.push(generation);
        } else {
            self.more_generations += 1;
        }
    }

    fn resource(&mut self, event: &Event<'_>) {
        self.named_threads.extend(event.thread());
        let EventKind::StateTransition(transition) = event.kind() else {
            return;
        };
        match transition {
            StateTransition::Goroutine { id, from, .. } => {
                let is_new = matches!(from, GoState::Undetermined | GoState::NotExist)
                    && !self.seen.contains(&id);
                self.goroutines += u64::from(is_new);
                let of_c_thread = event.event_type() == Some(EventType::GoDestroySyscall);
                if of_c_thread || (is_new && self.remember_all) {
                    self.seen.insert(id);
                }
            }
            StateTransition::Proc { id, .. } => {
                self.procs.insert(id);
            }
        }
    }
}
