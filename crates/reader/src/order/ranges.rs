//! The rules of ranges: stop-the-world, mark phase, sweep, mark assist.

use exectrace_wire::{EventType, GoroutineId, ProcId};

use super::{
    GcPhase, NO_SLOT, NameId, Ordering, Refusal, ThreadSlot, refuse, tasks::OpenRegion, wrong,
};
use crate::{
    error::OrderError, limits::MAX_OPEN_RANGES, record::What, stream::Decoded, tables::Tables,
};

/// The open ranges and regions of a goroutine.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) ranges: Vec<OpenRange>,
    pub(super) regions: Vec<OpenRegion>,
}

impl Open {
    pub(super) fn clear(&mut self) {
        self.ranges.clear();
        self.regions.clear();
    }
}

/// A range that is open on a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenRange {
    start: EventType,
    /// The reason of a stop-the-world: its string id tells ranges apart, as in Go, and its text is
    /// kept, since the id means nothing in the next generation.
    kind: u64,
    pub(super) name: Option<NameId>,
}

impl OpenRange {
    fn is_same_as(&self, other: &Self) -> bool {
        self.start == other.start && self.kind == other.kind
    }
}

const ASSIST: OpenRange = OpenRange {
    start: EventType::GCMarkAssistBegin,
    kind: 0,
    name: None,
};

impl Ordering {
    /// The open ranges and regions of a goroutine, and its slot, which exists from now on.
    #[inline]
    pub(super) fn open(&mut self, goroutine: u64) -> Result<&mut Open, Refusal> {
        let Some(goroutine) = self.goroutines.get_mut(goroutine) else {
            return refuse(OrderError::UnknownGoroutine(GoroutineId(goroutine)));
        };
        if goroutine.open == NO_SLOT {
            goroutine.open = self.open.reuse_or_insert_with(Open::default);
        }
        Ok(&mut self.open[goroutine.open])
    }

    pub(super) fn goroutine_range_begin(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        tables: &Tables,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        let range = match event.event_type {
            EventType::STWBegin => OpenRange {
                start: EventType::STWBegin,
                kind: event.arg::<0>(),
                name: self.names.of_string(event.arg::<0>(), &tables.strings),
            },
            _ => ASSIST,
        };
        self.open_range(at.goroutine, range)?;
        self.emit(at, event, What::Plain(event.event_type));
        Ok(())
    }

    fn open_range(&mut self, goroutine: u64, range: OpenRange) -> Result<(), Refusal> {
        let ranges = &mut self.open(goroutine)?.ranges;
        if ranges.iter().any(|open| open.is_same_as(&range)) {
            return refuse(OrderError::RangeOpen);
        }
        if ranges.len() == MAX_OPEN_RANGES {
            return refuse(OrderError::TooManyRanges(GoroutineId(goroutine)));
        }
        ranges.push(range);
        Ok(())
    }

    pub(super) fn goroutine_range_end(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        let start = event.event_type.spec().range_start;
        let ranges = &mut self.open(at.goroutine)?.ranges;
        let Some(index) = ranges.iter().position(|open| Some(open.start) == start) else {
            return refuse(OrderError::RangeNotOpen);
        };
        let range = ranges.swap_remove(index);
        if event.event_type == EventType::STWEnd {
            self.kept.0.clear();
            if let Some(name) = range.name {
                self.kept.0.extend_from_slice(self.names.text(name));
            }
            self.emit(at, event, What::Kept(event.event_type));
        } else {
            self.emit(at, event, What::Plain(event.event_type));
        }
        Ok(())
    }

    /// May come from any context: the goroutine need not be the one that runs.
    pub(super) fn assist_active(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        let id = event.arg::<0>();
        if self.initial {
            self.open_range(id, ASSIST)?;
        } else {
            let ranges = &self.open(id)?.ranges;
            if !ranges.iter().any(|open| open.is_same_as(&ASSIST)) {
                return refuse(OrderError::RangeNotOpen);
            }
        }
        self.emit(at, event, What::Plain(event.event_type));
        Ok(())
    }

    pub(super) fn sweep_begin(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_proc()?;
        let proc = &mut self.procs[at.proc_slot];
        if proc.sweeping {
            return refuse(OrderError::RangeOpen);
        }
        proc.sweeping = true;
        self.emit(at, event, What::Plain(event.event_type));
        Ok(())
    }

    pub(super) fn sweep_end(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_proc()?;
        let proc = &mut self.procs[at.proc_slot];
        if !proc.sweeping {
            return refuse(OrderError::RangeNotOpen);
        }
        proc.sweeping = false;
        self.emit(at, event, What::Plain(event.event_type));
        Ok(())
    }

    /// May come from any context, like [`Self::assist_active`].
    pub(super) fn sweep_active(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        let id = event.arg::<0>();
        let slot = self
            .proc_slots
            .get(id)
            .ok_or_else(|| wrong(OrderError::UnknownProc(ProcId(id))))?;
        let proc = &mut self.procs[slot];
        if self.initial == proc.sweeping {
            return refuse(if proc.sweeping {
                OrderError::RangeOpen
            } else {
                OrderError::RangeNotOpen
            });
        }
        proc.sweeping = true;
        self.emit(at, event, What::Plain(event.event_type));
        Ok(())
    }

    /// The mark phase goes on from an earlier generation. Its sequence is global: begin and end may
    /// be on different threads, and only the sequence tells one cycle from the next if times are
    /// wrong.
    pub(super) fn gc_active(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        let number = event.arg::<0>();
        if self.initial {
            if self.gc_phase != GcPhase::Undetermined {
                let expected = "an ongoing mark phase to be the first GC event of the trace";
                return refuse(OrderError::GcPhase { expected });
            }
        } else {
            if number != self.gc_sequence.wrapping_add(1) {
                return Err(Refusal::NotYet);
            }
            if self.gc_phase != GcPhase::Running {
                return refuse(OrderError::GcPhase {
                    expected: "a mark phase to be in progress",
                });
            }
            at.require_user()?;
        }
        self.enter_gc_phase(slot, event, GcPhase::Running)
    }

    pub(super) fn gc_begin(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        if self.gc_phase != GcPhase::Undetermined {
            if event.arg::<0>() != self.gc_sequence.wrapping_add(1) {
                return Err(Refusal::NotYet);
            }
            if self.gc_phase == GcPhase::Running {
                return refuse(OrderError::GcPhase {
                    expected: "no mark phase to be in progress",
                });
            }
            at.require_user()?;
        }
        self.enter_gc_phase(slot, event, GcPhase::Running)
    }

    pub(super) fn gc_end(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        if event.arg::<0>() != self.gc_sequence.wrapping_add(1) {
            return Err(Refusal::NotYet);
        }
        if self.gc_phase != GcPhase::Running {
            return refuse(OrderError::GcPhase {
                expected: "a mark phase to be in progress",
            });
        }
        at.require_user()?;
        self.enter_gc_phase(slot, event, GcPhase::NotRunning)
    }

    fn enter_gc_phase(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        phase: GcPhase,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        self.gc_phase = phase;
        self.gc_sequence = event.arg::<0>();
        self.emit(at, event, What::Plain(event.event_type));
        Ok(())
    }
}
