//! How the program stood when a generation began: what the generation's own statuses say.
//!
//! A tracer states every goroutine and every proc once in each generation, before anything else
//! happens to it there (format specification, section 7.3). Read together, the statuses are the
//! state at the generation's beginning, which is the state at the end of the one before. No event
//! has to be brought into order for it.

use std::collections::BTreeMap;

use exectrace_wire::{
    BatchKind, EventType as E, GoStatus, GoroutineId, ProcId, ProcStatus, RawEvent, ThreadId, Ticks,
};

use crate::{
    clock::Clock,
    error::{MendError, MendErrorKind},
    walk::{Batch, Batches, events},
};

/// A goroutine when the generation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Goroutine {
    pub(crate) status: GoStatus,
    /// Where it runs, or is in a system call.
    pub(crate) thread: Option<ThreadId>,
    pub(crate) assisting: bool,
}

/// A proc when the generation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proc {
    pub(crate) status: ProcStatus,
    /// The thread that holds it, if it is not idle.
    pub(crate) thread: Option<ThreadId>,
    pub(crate) sweeping: bool,
}

/// The state of the program when a generation begins.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) generation: u64,
    /// The generation's smallest time.
    pub(crate) start: Ticks,
    /// The generation's clock records.
    pub(crate) clock: Clock,
    pub(crate) goroutines: BTreeMap<GoroutineId, Goroutine>,
    pub(crate) procs: BTreeMap<ProcId, Proc>,
}

impl Standing {
    /// Reads the statuses of a whole generation. `also` sees each batch of events and each table.
    pub(crate) fn read<'a>(
        bytes: &'a [u8],
        mut also: impl FnMut(&Batch<'a>) -> Result<(), MendError>,
    ) -> Result<Self, MendError> {
        let mut statuses = Statuses::default();
        let mut start = None::<Ticks>;
        let mut generation = 0;
        let mut clock = None;
        for batch in Batches::new(bytes) {
            let batch = batch?;
            start = Some(start.map_or(batch.header.time, |t| t.min(batch.header.time)));
            generation = batch.header.generation.0;
            match batch.kind {
                BatchKind::Events => {
                    events(&batch, |event| statuses.event(batch.header.thread, event))?;
                }
                BatchKind::Sync => {
                    clock = Clock::read(&batch)?.or(clock);
                }
                _ => {}
            }
            also(&batch)?;
        }
        let missing = |what| MendErrorKind::Missing(what).at(bytes.len());
        Ok(Self {
            generation,
            start: start.ok_or_else(|| missing(E::EventBatch))?,
            clock: clock.ok_or_else(|| missing(E::Sync))?,
            goroutines: statuses.goroutines,
            procs: statuses.procs,
        })
    }
}

#[derive(Clone, Debug, Default)]
struct Statuses {
    goroutines: BTreeMap<GoroutineId, Goroutine>,
    procs: BTreeMap<ProcId, Proc>,
}

impl Statuses {
    fn event(&mut self, writer: Option<ThreadId>, event: &RawEvent) {
        let [_, a, b, c, _] = *event.padded_args();
        match event.event_type {
            E::GoStatus | E::GoStatusStack => {
                let Some(status) = GoStatus::from_wire(c) else {
                    return;
                };
                let named = ThreadId::from_wire(b);
                let thread = match status {
                    GoStatus::Running => named.or(writer),
                    GoStatus::Syscall => named,
                    _ => None,
                };
                self.goroutines.entry(a.into()).or_insert(Goroutine {
                    status,
                    thread,
                    assisting: false,
                });
            }
            E::ProcStatus => {
                let Some(status) = ProcStatus::from_wire(b) else {
                    return;
                };
                let holds = matches!(status, ProcStatus::Running | ProcStatus::Syscall);
                self.procs.entry(a.into()).or_insert(Proc {
                    status,
                    thread: writer.filter(|_| holds),
                    sweeping: false,
                });
            }
            // The theft that follows the status of a proc left behind names the thread.
            E::ProcSteal => {
                if let Some(proc) = self.procs.get_mut(&a.into())
                    && proc.status == ProcStatus::SyscallAbandoned
                    && proc.thread.is_none()
                {
                    proc.thread = ThreadId::from_wire(c);
                }
            }
            E::GCSweepActive => {
                if let Some(proc) = self.procs.get_mut(&a.into()) {
                    proc.sweeping = true;
                }
            }
            E::GCMarkAssistActive => {
                if let Some(goroutine) = self.goroutines.get_mut(&a.into()) {
                    goroutine.assisting = true;
                }
            }
            _ => {}
        }
    }
}
