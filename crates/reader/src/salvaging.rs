//! Ordering in salvage mode: drops what cannot be right and goes on.
//!
//! An event is delivered only if it passes every rule against what was delivered before it. Where
//! the context of a thread cannot be known any more, it is forgotten rather than guessed: after
//! bytes were lost, and after an event of the thread was dropped that would have changed it. Events
//! that need a context are then dropped until an event proves one: a start with the sequence number
//! that is due. After a damaged generation the whole state is forgotten, and the statuses with
//! which every generation begins rebuild it.

use std::collections::BTreeMap;

use exectrace_wire::{EventType, Generation, ThreadId};

use crate::{
    error::{Error, ErrorKind},
    load::LoadedGeneration,
    order::{Ordering, ThreadSlot},
    salvage::{Loss, LossKind, SalvageReport},
};

/// What salvage mode keeps while it orders.
#[derive(Debug, Default)]
pub(crate) struct Salvaging {
    pub(crate) report: SalvageReport,
    generation: Option<Generation>,
    /// Something of the current generation was lost.
    damaged: bool,
    /// What was dropped of the current generation, by thread.
    dropped: BTreeMap<u64, Dropped>,
    /// Events of the current generation that name strings or stacks which are not there.
    nameless: u64,
}

#[derive(Debug)]
struct Dropped {
    events: u64,
    /// Of the first event.
    offset: Option<u64>,
    cause: ErrorKind,
}

impl Salvaging {
    /// Whether an error costs an event and not the trace.
    pub(crate) fn can_drop(error: &Error) -> bool {
        matches!(
            error.kind(),
            ErrorKind::Order(_) | ErrorKind::Stuck(_) | ErrorKind::TooManyStalls
        )
    }

    /// Notes a dropped event, and forgets the context of its thread if the event shows that it is
    /// wrong or would have changed it.
    pub(crate) fn drop_event(
        &mut self,
        order: &mut Ordering,
        thread: Option<ThreadId>,
        slot: ThreadSlot,
        event_type: EventType,
        error: &Error,
    ) {
        self.damaged = true;
        let dropped = self
            .dropped
            .entry(ThreadId::to_wire(thread))
            .or_insert_with(|| Dropped {
                events: 0,
                offset: error.place().offset,
                cause: cause_to_keep(error.kind()),
            });
        dropped.events += 1;
        let binds = matches!(
            event_type,
            EventType::GoStart
                | EventType::GoSwitch
                | EventType::GoSwitchDestroy
                | EventType::GoSyscallEndBlocked
                | EventType::ProcStart
        );
        if binds || matches!(error.kind(), ErrorKind::Order(_)) {
            order.forget_context(slot);
        }
    }

    /// Notes that an event names something that is not there.
    pub(crate) fn count_nameless(&mut self) {
        self.damaged = true;
        self.nameless += 1;
    }

    /// Notes a loss of the current generation.
    pub(crate) fn note(&mut self, offset: u64, kind: LossKind) {
        self.damaged = true;
        self.report.add(Loss {
            offset: Some(offset),
            generation: self.generation,
            kind,
        });
    }

    /// Begins a generation; returns whether the state before it is unknown.
    pub(crate) fn begin(&mut self, generation: &mut LoadedGeneration) -> bool {
        let is_first = self.generation.is_none();
        let forgets = self.damaged || generation.after_loss;
        self.generation = Some(generation.data.number);
        self.damaged = !generation.losses.is_empty();
        for loss in generation.losses.drain(..) {
            self.report.add(loss);
        }
        if forgets && !is_first {
            let generation = self.generation;
            self.report.add(Loss {
                offset: None,
                generation,
                kind: LossKind::ForgottenState,
            });
        }
        forgets
    }

    /// Ends the current generation: reports what was dropped of it.
    pub(crate) fn end(&mut self) {
        let generation = self.generation;
        for (thread, dropped) in std::mem::take(&mut self.dropped) {
            let Dropped {
                events,
                offset,
                cause,
            } = dropped;
            let thread = ThreadId::from_wire(thread);
            let kind = LossKind::DroppedEvents {
                thread,
                events,
                cause,
            };
            self.report.add(Loss {
                offset,
                generation,
                kind,
            });
        }
        let events = std::mem::take(&mut self.nameless);
        if events > 0 {
            let kind = LossKind::NamelessEvents { events };
            self.report.add(Loss {
                offset: None,
                generation,
                kind,
            });
        }
        self.report.damaged_generations += u64::from(self.damaged);
    }

    /// Ends the trace.
    pub(crate) fn finish(&mut self, losses: Vec<Loss>) {
        self.report.damaged_generations += u64::from(
            losses
                .iter()
                .any(|loss| matches!(loss.kind, LossKind::IncompleteGeneration)),
        );
        losses.into_iter().for_each(|loss| self.report.add(loss));
        self.generation = None;
        self.damaged = false;
    }
}

/// What is kept of an error about a dropped event. One that lists all threads which wait MUST be
/// cut short, otherwise very many threads that wait claim memory that grows with their square.
fn cause_to_keep(kind: &ErrorKind) -> ErrorKind {
    const KEPT: usize = 3;
    match kind {
        ErrorKind::Stuck(stalled) => ErrorKind::Stuck(stalled.iter().take(KEPT).cloned().collect()),
        other => other.clone(),
    }
}
