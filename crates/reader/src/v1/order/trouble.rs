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
    pub(super) fn conflict(&mut self, event: &Event, goroutine: u64) -> Result<(), Error> {
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
        let stalled = self.sources.iter().zip(0..).filter_map(|(source, proc)| {
            let event = source.head.as_ref()?;
            Some((event.time, proc))
        });
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
        let Some((event, transition)) = source
            .head
            .as_ref()
            .and_then(|event| Some((event, Transition::of(event)?)))
        else {
            return Ok(());
        };
        let time = event.time;
        let at = event.at as u64;
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
        if self.tries > FREE_TRIES + TRIES_PER_EVENT * self.order.events {
            return Err(Error::at(at, V1Error::TooManyStalls));
        }
        Ok(())
    }

    #[cold]
    fn stuck(&self) -> Error {
        /// Very many procs that wait MUST NOT make an error of very many parts for each event.
        const KEPT: usize = 16;
        let mut place = 0;
        let mut stalled = Vec::new();
        for (proc, source) in self.sources.iter().enumerate() {
            let Some(event) = &source.head else {
                continue;
            };
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
