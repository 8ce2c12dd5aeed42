//! What cannot be ordered: an error, or in salvage mode something that is assumed.

use std::cmp::Reverse;

use exectrace_wire::{GoroutineId, ProcId};

use super::{
    super::{V1Error, V1Stalled, goroutines::NOBODY, index::NO_PROC, lane::Event},
    Merge, disorder,
    transition::{ANY, Transition},
};
use crate::{
    error::Error,
    limits::{FREE_TRIES, TRIES_PER_EVENT},
};

impl Merge<'_> {
    #[cold]
    pub(super) fn note_disorder(&mut self, event: &Event) {
        let error = disorder(event, self.last_time.abs_diff(event.time));
        match &mut self.losses {
            Some(losses) => losses.bend(|| error),
            None => {
                self.disorder.get_or_insert(error);
            }
        }
    }

    /// An event could come next when it was looked at, and cannot any more.
    #[cold]
    pub(super) fn note_conflict(&mut self, event: &Event, goroutine: u64) -> Result<(), Error> {
        let error = V1Error::Conflict {
            event: event.event_type,
            goroutine: GoroutineId(goroutine),
        };
        let error = Error::at(event.at as u64, error);
        match &mut self.losses {
            Some(losses) => {
                losses.assume(|| error);
                self.order.is_doubtful = true;
                Ok(())
            }
            None => Err(error),
        }
    }

    /// The earliest event that waits, now that no event can come next.
    #[cold]
    pub(super) fn find_stalled(&mut self) -> Option<u32> {
        self.tries += self.sources.len() as u64;
        let stalled = self
            .sources
            .iter()
            .zip(0..)
            .filter_map(|(source, proc)| source.has_head.then_some((source.head.time, proc)));
        stalled.min().map(|(_, proc)| proc)
    }

    /// In salvage mode, lets a stalled event come next: its goroutine must be in the state that it
    /// waits for, though nothing tells so.
    #[cold]
    pub(super) fn force(&mut self, proc: u32) -> Result<(), Error> {
        let error = self.stuck();
        let Some(losses) = &mut self.losses else {
            return Err(error);
        };
        losses.assume(|| error);
        self.order.is_doubtful = true;
        // 1. The goroutine's state.
        let source = &self.sources[proc as usize];
        let event = &source.head;
        let Some(transition) = Transition::of(event) else {
            return Ok(());
        };
        let time = event.time;
        let slot = self.goroutines.slot(transition.goroutine);
        let g = &mut self.goroutines[slot];
        g.status = transition.status;
        if transition.seq != ANY {
            g.seq = transition.seq;
        }
        // 2. The proc does not wait any more. Others that wait for the goroutine are looked at when
        //    the event has come.
        let mut waiter = g.waiter;
        if waiter == proc {
            g.waiter = source.next_waiter;
        } else {
            while waiter != NOBODY {
                self.tries += 1;
                let next = self.sources[waiter as usize].next_waiter;
                if next == proc {
                    let behind = self.sources[proc as usize].next_waiter;
                    self.sources[waiter as usize].next_waiter = behind;
                    break;
                }
                waiter = next;
            }
        }
        self.sources[proc as usize].next_waiter = NOBODY;
        self.ready.push(Reverse((time, proc)));
        self.check_tries()
    }

    /// Ends a search for an order that takes too long. Salvage mode goes by time from there on.
    #[cold]
    pub(super) fn check_tries(&mut self) -> Result<(), Error> {
        if self.tries <= FREE_TRIES + TRIES_PER_EVENT * self.order.events || self.gave_up {
            return Ok(());
        }
        let error = self.stuck_at(V1Error::TooManyStalls);
        let Some(losses) = &mut self.losses else {
            return Err(error);
        };
        losses.assume(|| error);
        self.gave_up = true;
        self.order.is_doubtful = true;
        // What is ready is so still; all others become so. The one at hand is looked at next.
        let mut is_ready = vec![false; self.sources.len()];
        for Reverse((_, proc)) in self.ready.iter() {
            is_ready[*proc as usize] = true;
        }
        if let Some(at_hand) = self.at_hand {
            is_ready[at_hand as usize] = true;
        }
        for (source, (proc, is_ready)) in self.sources.iter().zip((0..).zip(is_ready)) {
            if source.has_head && !is_ready {
                self.ready.push(Reverse((source.head.time, proc)));
            }
        }
        Ok(())
    }

    fn stuck_at(&self, error: V1Error) -> Error {
        let stalled = self.sources.iter().find(|source| source.has_head);
        Error::at(stalled.map_or(0, |source| source.head.at as u64), error)
    }

    #[cold]
    fn stuck(&self) -> Error {
        /// Very many procs that wait MUST NOT make an error of very many parts for each event.
        const KEPT: usize = 16;
        let mut place = 0;
        let mut stalled = Vec::new();
        for (proc, source) in self.sources.iter().enumerate() {
            if !source.has_head {
                continue;
            }
            let event = &source.head;
            if stalled.is_empty() {
                place = event.at as u64;
            }
            let id = self.trace.procs.get(proc).map_or(NO_PROC, |proc| proc.id);
            let goroutine = Transition::of(event).map_or(0, |transition| transition.goroutine);
            stalled.push(V1Stalled {
                proc: (id != NO_PROC).then_some(ProcId(id as u64)),
                event: event.event_type,
                goroutine: GoroutineId(goroutine),
            });
            if stalled.len() == KEPT {
                break;
            }
        }
        Error::at(place, V1Error::Stuck(stalled))
    }
}
