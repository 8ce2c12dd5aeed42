//! Salvage mode: what must have happened between events that contradict each other.
//!
//! A tracer up to Go 1.21 forgets things: goroutines that C code calls, mostly. What it does write is
//! seldom wrong, so an event is believed, and the state that it presupposes is assumed and told by a
//! status of its own. Only events for which no state would do are dropped.

use exectrace_wire::{EventType as Out, GoStatus, GoroutineId, ProcStatus, v1::EventType as In};

use super::{
    V1Error, V1Violation,
    check::Checker,
    goroutines::{Goroutines, Status},
    index::Trace,
    losses::Losses,
    replay::Placed,
};
use crate::{
    error::Error,
    record::{NONE, What},
    state::{GoState, ProcState},
};

/// A state to be told before an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assumption {
    Goroutine(GoroutineId, GoStatus),
    /// Of the event's proc.
    Proc(ProcStatus),
}

/// States that one event may presuppose. MUST be limited, otherwise an event could ask for ever.
const MAX_ASSUMPTIONS: usize = 4;

/// Follows the events and repairs them.
pub(super) struct Repairer {
    checker: Checker,
    goroutines: Goroutines,
}

impl Repairer {
    pub(super) fn new(trace: &Trace) -> Self {
        Self {
            checker: Checker::new(trace.version(), trace.procs.len() + 1),
            goroutines: Goroutines::new(),
        }
    }

    /// Finds the states that an event presupposes and adds them to `assumptions`. False if the event
    /// is to be dropped.
    pub(super) fn repair(
        &mut self,
        placed: &Placed,
        trace: &Trace,
        losses: &mut Losses,
        assumptions: &mut Vec<Assumption>,
    ) -> bool {
        let event = &placed.event;
        let by_timer = trace.is_by_timer(event);
        for _ in 0..=MAX_ASSUMPTIONS {
            let checked = self
                .checker
                .check(placed.proc, event, by_timer, &mut self.goroutines);
            let Err(violation) = checked else {
                return true;
            };
            let error = || {
                let error = V1Error::Invalid {
                    event: event.event_type,
                    violation,
                };
                Error::at(event.at as u64, error)
            };
            let Some(assumed) = self.explain(placed, violation) else {
                losses.drop_event(error);
                return false;
            };
            losses.assume(error);
            assumptions.extend(assumed);
        }
        losses.drop_event(|| Error::at(event.at as u64, V1Error::Unexpected(event.event_type)));
        false
    }

    /// Makes the state such that an event does not contradict it in this way any more, and says how
    /// that is to be told, if it is not by the event itself. `None` if no state would do.
    fn explain(&mut self, placed: &Placed, violation: V1Violation) -> Option<Option<Assumption>> {
        use V1Violation as V;
        let event_type = placed.event.event_type;
        let on_proc = placed.proc;
        Some(Some(match violation {
            V::ProcRuns => {
                self.checker.set_runs(on_proc, false);
                Assumption::Proc(ProcStatus::Idle)
            }
            V::ProcStopped => {
                self.checker.set_runs(on_proc, true);
                Assumption::Proc(ProcStatus::Running)
            }
            V::ProcBusy(g) => {
                self.set(g, Status::Waiting);
                Assumption::Goroutine(g, GoStatus::Waiting)
            }
            V::NotOnProc(g) | V::NotRunning(g) if g.0 != 0 => {
                let busy = self.checker.running_on(on_proc);
                if busy != 0 {
                    // First the one that is in the way; then this one.
                    self.set(GoroutineId(busy), Status::Waiting);
                    return Some(Some(Assumption::Goroutine(
                        GoroutineId(busy),
                        GoStatus::Waiting,
                    )));
                }
                self.set(g, Status::Running);
                self.checker.set_running_on(on_proc, g.0);
                let slot = self.goroutines.slot(g.0);
                self.goroutines[slot].proc = on_proc as u32;
                Assumption::Goroutine(g, GoStatus::Running)
            }
            V::NotRunnable(g) if g.0 != 0 => {
                self.set(g, Status::Runnable);
                if matches!(event_type, In::GoWaiting | In::GoInSyscall) {
                    return Some(None);
                }
                Assumption::Goroutine(g, GoStatus::Runnable)
            }
            V::NotWaiting(g) if g.0 != 0 => {
                self.set(g, Status::Waiting);
                let status = match event_type {
                    In::GoSysExit | In::GoSysExitLocal => GoStatus::Syscall,
                    _ => GoStatus::Waiting,
                };
                Assumption::Goroutine(g, status)
            }
            _ => return None,
        }))
    }

    /// Sets what a goroutine does; it runs on no proc then.
    fn set(&mut self, id: GoroutineId, state: Status) {
        let slot = self.goroutines.slot(id.0);
        let g = &mut self.goroutines[slot];
        g.exists = true;
        if std::mem::replace(&mut g.state, state) == Status::Running {
            self.checker.take_off(g.proc, id.0);
        }
    }
}

impl Assumption {
    /// The transition that tells it, its resource and its arguments. `proc` is the event's, and
    /// `is_known` whether its state was told before.
    pub(super) fn told(self, proc: u64, is_known: bool) -> (What, u64, [u64; 4]) {
        match self {
            Self::Goroutine(id, status) => {
                let to = match status {
                    GoStatus::Running => GoState::Running,
                    GoStatus::Waiting => GoState::Waiting,
                    GoStatus::Syscall => GoState::Syscall,
                    _ => GoState::Runnable,
                };
                let what = What::Goroutine(Out::GoStatus, GoState::Undetermined, to);
                (what, id.0, [id.0, NONE, status.to_wire(), 0])
            }
            Self::Proc(status) => {
                let (before, to) = match status {
                    ProcStatus::Running => (ProcState::Idle, ProcState::Running),
                    _ => (ProcState::Running, ProcState::Idle),
                };
                let from = if is_known {
                    before
                } else {
                    ProcState::Undetermined
                };
                let what = What::Proc(Out::ProcStatus, from, to);
                (what, proc, [proc, status.to_wire(), 0, 0])
            }
        }
    }
}
