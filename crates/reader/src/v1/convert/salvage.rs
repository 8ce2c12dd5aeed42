//! Events that are repaired before they are converted.

use std::collections::{HashMap, VecDeque};

use exectrace_wire::{EventType as Out, GoStatus, Version, v1::EventType as In};

use super::{
    super::{
        index::{NO_PROC, Trace},
        losses::Losses,
        order::Order,
        repair::{Assumption, Repairer},
        replay::Placed,
    },
    Converter, Kept, wire_proc,
};
use crate::{
    record::{NONE, Record, What},
    state::GoState,
};

/// What salvage mode needs to repair events before they are converted.
pub(super) struct Salvage {
    repairer: Repairer,
    pub(super) losses: Losses,
    assumptions: Vec<Assumption>,
    /// What each goroutine does, as far as told.
    states: HashMap<u64, GoState>,
}

impl Salvage {
    pub(super) fn new(trace: &Trace, losses: Losses) -> Self {
        Self {
            repairer: Repairer::new(trace),
            losses,
            assumptions: Vec::new(),
            states: HashMap::new(),
        }
    }
}

/// Adds a record to `out`; if it is a transition from another state than was told, one to that state
/// before it.
fn chain_states(
    states: &mut HashMap<u64, GoState>,
    mut record: Record,
    kept: Kept,
    out: &mut VecDeque<(Record, Kept)>,
) {
    if let What::Goroutine(event_type, from, to) = record.what {
        let told = states.insert(record.resource, to);
        let known = told.unwrap_or(GoState::Undetermined);
        let begins = from == GoState::NotExist && matches!(known, GoState::Undetermined);
        match event_type {
            Out::GoStatus if known == to => return,
            Out::GoStatus => record.what = What::Goroutine(event_type, known, to),
            _ if known == from || begins => {}
            _ => {
                let status = match from {
                    GoState::Running => GoStatus::Running,
                    GoState::Waiting => GoStatus::Waiting,
                    GoState::Syscall => GoStatus::Syscall,
                    _ => GoStatus::Runnable,
                };
                let before = Record {
                    args: [record.resource, NONE, status.to_wire(), 0],
                    what: What::Goroutine(Out::GoStatus, known, from),
                    ..record
                };
                out.push_back((before, Kept::Nothing));
            }
        }
    }
    out.push_back((record, kept));
}

impl Converter {
    /// As [`Self::convert`], in salvage mode: what comes of the event is put into [`Self::extra`],
    /// behind the states that it presupposes.
    #[cold]
    pub(super) fn convert_salvaging(&mut self, placed: &Placed, trace: &Trace, order: &Order) {
        let Some(mut salvage) = self.salvage.take() else {
            return;
        };
        let Salvage {
            repairer,
            losses,
            assumptions,
            states,
        } = &mut *salvage;
        // 1. What the event presupposes, and whether it is kept.
        let is_kept = repairer.repair(placed, trace, losses, assumptions);
        let time = self.nanos(placed.event.time);
        let own = self.procs.get(placed.proc);
        let thread = own.and_then(|own| own.thread).unwrap_or(NONE);
        let proc = wire_proc(own.map_or(NO_PROC, |own| own.id));
        for assumption in assumptions.drain(..) {
            let is_known = self
                .procs
                .get_mut(placed.proc)
                .is_some_and(|own| std::mem::replace(&mut own.is_known, true));
            let (what, resource, args) = assumption.told(proc, is_known);
            let record = Record {
                goroutine: NONE,
                time,
                thread,
                proc,
                args,
                resource,
                what,
            };
            self.extra.push_back((record, Kept::Nothing));
        }
        // 2. The event, before what it leaves itself.
        let at = self.extra.len();
        if is_kept {
            match self.convert(placed, trace, order) {
                Ok(converted) => {
                    if let Some(converted) = converted {
                        self.extra.insert(at, converted);
                    }
                    if self.names_missing(placed, trace) {
                        losses.miss();
                    }
                }
                Err(error) => losses.drop_event(|| error),
            }
        }
        // 3. Each state follows from the one before.
        let mut chained = VecDeque::new();
        for (record, kept) in self.extra.drain(..) {
            chain_states(states, record, kept, &mut chained);
        }
        self.extra = chained;
        self.salvage = Some(salvage);
    }

    /// Whether an event names a string or a stack that is not there.
    fn names_missing(&self, placed: &Placed, trace: &Trace) -> bool {
        let event = &placed.event;
        let [_, b, c, ..] = event.args;
        let tables = &trace.tables;
        !match event.event_type {
            In::GoCreate if trace.version() == Version::Go105 => true,
            In::GoCreate => tables.stacks.contains(b),
            In::GoStartLabel | In::UserTaskCreate | In::UserRegion => tables.strings.contains(c),
            In::UserLog => tables.strings.contains(b),
            _ => true,
        }
    }
}
