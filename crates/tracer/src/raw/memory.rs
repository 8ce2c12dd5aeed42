//! Ranges of garbage collectors: the world stopped, marking, assisting, sweeping.

use std::mem;

use exectrace_wire::EventType;

use super::{Running, collector, goroutine::runs, world};
use crate::{control, stack::Here, status::Slot, writer::Writer};

/// The world is stopped, until it is dropped. While it is, no generation ends.
#[derive(Debug)]
#[must_use = "when it is dropped, the world runs"]
pub struct StoppedWorld<'a> {
    running: &'a Running,
    /// It is this one that the world waits for.
    is_first: bool,
    began: bool,
}

/// The goroutine assists the mark phase, until it is dropped.
#[derive(Debug)]
#[must_use = "when it is dropped, the assist is over"]
pub struct MarkAssist<'a> {
    running: &'a Running,
    began: bool,
}

/// The goroutine's proc sweeps.
#[derive(Debug)]
#[must_use = "when it is dropped, the sweep is over"]
pub struct Sweep<'a> {
    running: &'a Running,
    began: bool,
    swept: (u64, u64),
}

/// A concurrent mark phase. It ends when it is dropped on a thread that runs a goroutine; on another
/// one it cannot, and goes on until the next one is over.
#[derive(Debug)]
#[must_use = "when it is dropped, the phase is over"]
pub struct MarkPhase {
    /// Nobody else can make one.
    _private: (),
}

impl Running {
    /// Stops the world. The reason is one of the texts that Go has, or any other. If the world is
    /// stopped already, the trace does not tell that it is so twice.
    #[inline(always)]
    pub fn stop_the_world(&self, reason: &'static str) -> StoppedWorld<'_> {
        self.stop_the_world_at(Here::now(), reason)
    }

    fn stop_the_world_at(&self, here: Here, reason: &'static str) -> StoppedWorld<'_> {
        let is_first = world::stop();
        let mut began = false;
        if is_first
            && let Some(mut writer) = Writer::new()
            && runs(&mut writer, self.slot)
        {
            writer.claim_context();
            let reason = writer.name(reason);
            let stack = writer.stack(here);
            writer.event(EventType::STWBegin, [reason, stack]);
            began = true;
        }
        StoppedWorld {
            running: self,
            is_first,
            began,
        }
    }

    /// Assists the mark phase, unless it does already.
    #[inline(always)]
    pub fn mark_assist(&self) -> MarkAssist<'_> {
        self.mark_assist_at(Here::now())
    }

    fn mark_assist_at(&self, here: Here) -> MarkAssist<'_> {
        let began = range(self, self.slot, true, |writer| {
            let stack = writer.stack(here);
            writer.event(EventType::GCMarkAssistBegin, [stack]);
        });
        MarkAssist {
            running: self,
            began,
        }
    }

    /// Sweeps, unless it does already.
    #[inline(always)]
    pub fn sweep(&self) -> Sweep<'_> {
        self.sweep_at(Here::now())
    }

    fn sweep_at(&self, here: Here) -> Sweep<'_> {
        let began = range(self, self.proc, true, |writer| {
            let stack = writer.stack(here);
            writer.event(EventType::GCSweepBegin, [stack]);
        });
        Sweep {
            running: self,
            began,
            swept: (0, 0),
        }
    }

    /// Begins a mark phase; `None` while there is one.
    #[must_use]
    #[inline(always)]
    pub fn mark(&self) -> Option<MarkPhase> {
        self.mark_at(Here::now())
    }

    fn mark_at(&self, here: Here) -> Option<MarkPhase> {
        if control::is_forked() {
            return None;
        }
        let mut collector = collector::lock();
        if collector.is_active {
            // Not made in vain: dropping one takes the lock.
            let is_orphan = mem::take(&mut collector.is_orphan);
            return is_orphan.then(|| MarkPhase { _private: () });
        }
        let mut writer = Writer::new()?;
        if !runs(&mut writer, self.slot) {
            return None;
        }
        writer.claim_context();
        let stack = writer.stack(here);
        let begin = [collector.next_sequence(), stack];
        writer.event(EventType::GCBegin, begin);
        collector.is_active = true;
        Some(MarkPhase { _private: () })
    }
}

/// Begins or ends a range of a goroutine or proc, if the thread runs the goroutine and the range is not
/// what it shall be already; whether it did.
fn range(
    running: &Running,
    slot: &'static Slot,
    begin: bool,
    event: impl FnOnce(&mut Writer),
) -> bool {
    if let Some(mut writer) = Writer::new()
        && runs(&mut writer, running.slot)
        && slot.word().is_in_range() != begin
    {
        writer.claim_context();
        event(&mut writer);
        slot.set(slot.word().in_range(begin));
        return true;
    }
    false
}

impl Drop for StoppedWorld<'_> {
    fn drop(&mut self) {
        if self.began
            && let Some(mut writer) = Writer::new()
            && runs(&mut writer, self.running.slot)
        {
            writer.claim_context();
            writer.event(EventType::STWEnd, []);
        }
        if self.is_first {
            world::start();
        }
    }
}

impl Drop for MarkAssist<'_> {
    fn drop(&mut self) {
        if self.began {
            range(self.running, self.running.slot, false, |writer| {
                writer.event(EventType::GCMarkAssistEnd, []);
            });
        }
    }
}

impl Sweep<'_> {
    /// It is over: so many bytes were examined, so many freed.
    pub fn end(mut self, swept: u64, reclaimed: u64) {
        self.swept = (swept, reclaimed);
    }
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        let (swept, reclaimed) = self.swept;
        if self.began {
            range(self.running, self.running.proc, false, |writer| {
                writer.event(EventType::GCSweepEnd, [swept, reclaimed]);
            });
        }
    }
}

impl Drop for MarkPhase {
    fn drop(&mut self) {
        if control::is_forked() {
            return;
        }
        let mut collector = collector::lock();
        if let Some(mut writer) = Writer::new()
            && writer.own().running
        {
            writer.claim_context();
            let end = [collector.next_sequence()];
            writer.event(EventType::GCEnd, end);
            collector.is_active = false;
        } else {
            collector.is_orphan = true;
        }
    }
}
