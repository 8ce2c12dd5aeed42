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
    Converted, Converter, wire_proc,
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
    mut converted: Converted,
    is_sound: bool,
    out: &mut VecDeque<Converted>,
) {
    let record = &mut converted.record;
    if let What::Goroutine(event_type, from, to) = record.what {
        let told = states.insert(record.resource, to);
        let known = told.unwrap_or(GoState::Undetermined);
        let begins = from == GoState::NotExist && matches!(known, GoState::Undetermined);
        match event_type {
            _ if is_sound => {}
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
                    ..*record
                };
                out.push_back(Converted::plain(before));
            }
        }
    }
    out.push_back(converted);
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
            self.extra.push_back(Converted::plain(record));
        }
        // 2. The event, before what it leaves itself.
        let at = self.extra.len();
        if is_kept {
            let mut converted = Converted::sync(0, 0, false);
            match self.convert(placed, trace, order, &mut converted) {
                Ok(is_some) => {
                    if is_some {
                        self.extra.insert(at, converted);
                        if self.names_missing(placed, trace) {
                            losses.miss();
                        }
                    }
                }
                Err(error) => losses.drop_event(|| error),
            }
        }
        // 3. Each state follows from the one before. What strict reading takes stays as it is, though
        //    Go's conversion has its gaps.
        let is_sound = losses.is_clean();
        let mut chained = VecDeque::new();
        for converted in self.extra.drain(..) {
            chain_states(states, converted, is_sound, &mut chained);
        }
        self.extra = chained;
        self.salvage = Some(salvage);
    }

    /// Whether an event names a string or a stack that is not there.
    fn names_missing(&self, placed: &Placed, trace: &Trace) -> bool {
        let event = &placed.event;
        let (b, c) = (event.arg::<1>(), event.arg::<2>());
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
