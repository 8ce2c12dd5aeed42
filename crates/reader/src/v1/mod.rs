//! Traces of Go 1.5 to 1.21: what a reader makes of the v1 formats.
//!
//! The events are those of the public model, converted as Go's own parser converts them. A trace is
//! read in three passes, since its end says what its beginning means: how long a clock unit is and
//! what the stacks are.
//!
//! 1. The file is read into memory and indexed: batches, strings, stacks, CPU samples.
//! 2. The events of all procs are brought into one order and checked. Only the order is kept, in some
//!    bits an event.
//! 3. The events are decoded once more, in that order, converted and delivered.
//!
//! So nothing is delivered of a trace whose events contradict each other, as in Go; in salvage mode
//! the contradictions are resolved and reported.
//!
//! # Order
//!
//! The order is that of Go's parser. Where Go leaves it to chance, it is this: of events at one tick
//! of the clock that may come in any order, the one of the lowest proc comes first, those of no proc
//! before all, CPU samples last; the statuses of goroutines that are runnable when tracing starts
//! come in the order of their ids.
//!
//! # Memory
//!
//! The file itself; about a quarter of it for the order; and its strings, stacks, CPU samples and
//! goroutines once more, which in real traces are small.

mod check;
mod convert;
mod error;
mod futile;
mod goroutines;
mod index;
mod lane;
mod losses;
mod order;
mod repair;
mod replay;

use std::io::Read;

use exectrace_wire::Version;

pub use error::{V1Error, V1Stalled, V1Violation};

use self::{
    check::Checker,
    convert::{Converted, Converter, Kept},
    goroutines::Goroutines,
    index::Trace,
    losses::Losses,
    order::{BitSet, Merge, Order, disorder},
    replay::Replay,
};
use crate::{
    error::Error, event::Event, generation::GenerationData, record::KeptText,
    salvage::SalvageReport, stats::Stats,
};
use exectrace_wire::v1::EventType;

/// Reads a trace of the v1 formats; see [`crate::Reader`].
pub(crate) struct V1Reader<'s> {
    version: Version,
    salvage: bool,
    phase: Phase<'s>,
    stats: Stats,
    /// What is told as long as no trace is delivered.
    empty_report: SalvageReport,
}

enum Phase<'s> {
    /// Nothing but the header was read, and perhaps some bytes behind it.
    Unread(Vec<u8>, Box<dyn Read + 's>),
    Delivering(Box<Delivery>),
    Failed(Error),
}

/// A trace whose events are delivered.
struct Delivery {
    trace: Trace,
    order: Order,
    replay: Replay,
    converter: Converter,
    /// The event that is delivered.
    event: Converted,
    /// Its text, should it be [`crate::record::What::Kept`].
    text: KeptText,
    last_time: i64,
    syncs: u64,
    /// The event that is delivered is the last one.
    is_last: bool,
    ended: bool,
}

impl<'s> V1Reader<'s> {
    /// `start` is what was read behind the header.
    pub(crate) fn new(
        version: Version,
        start: Vec<u8>,
        rest: Box<dyn Read + 's>,
        salvage: bool,
    ) -> Self {
        Self {
            version,
            salvage,
            phase: Phase::Unread(start, rest),
            stats: Stats::default(),
            empty_report: SalvageReport::default(),
        }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn stats(&self) -> Stats {
        self.stats
    }

    pub(crate) fn salvage_report(&self) -> Option<&SalvageReport> {
        match &self.phase {
            Phase::Delivering(delivery) => delivery.converter.report(),
            _ => self.salvage.then_some(&self.empty_report),
        }
    }

    #[inline]
    pub(crate) fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        if !matches!(self.phase, Phase::Delivering(_)) {
            self.begin()?;
        }
        let step = match &mut self.phase {
            Phase::Delivering(delivery) => delivery.step(&mut self.stats),
            _ => Ok(false),
        };
        if let Err(error) = step {
            self.phase = Phase::Failed(error.clone());
            return Err(error);
        }
        // Looked at again, since the borrow of above would last as long as the event.
        match &self.phase {
            Phase::Delivering(delivery) if !delivery.ended => Ok(Some(delivery.event())),
            _ => Ok(None),
        }
    }

    /// Reads the trace if that is to be done; repeats the error if it has failed.
    #[cold]
    fn begin(&mut self) -> Result<(), Error> {
        let (start, rest) = match &mut self.phase {
            Phase::Unread(start, rest) => (
                std::mem::take(start),
                std::mem::replace(rest, Box::new(std::io::empty())),
            ),
            Phase::Failed(error) => return Err(error.clone()),
            Phase::Delivering(_) => return Ok(()),
        };
        match self.load(start, rest) {
            Ok(delivery) => {
                self.phase = Phase::Delivering(Box::new(delivery));
                Ok(())
            }
            Err(error) => {
                self.phase = Phase::Failed(error.clone());
                Err(error)
            }
        }
    }

    /// The first two passes.
    fn load(&mut self, start: Vec<u8>, rest: Box<dyn Read + 's>) -> Result<Delivery, Error> {
        let data = index::read_all(self.version, start, rest)?;
        self.stats.bytes = data.len() as u64;
        let mut losses = self.salvage.then(Losses::default);
        let trace = Trace::index(self.version, data, losses.as_mut())?;
        let mut order = Merge::new(&trace, losses.as_mut()).order()?;
        if order.has_futile {
            order.futile = futile::wakeups(&trace, &order);
        }
        if order.is_doubtful {
            order.blocked = recheck(&trace, &order, losses.as_mut())?;
        }
        let converter = Converter::new(&trace, &order, losses);
        Ok(Delivery {
            replay: Replay::new(&trace, &order),
            trace,
            order,
            converter,
            event: Converted::sync(0, 0, false),
            text: KeptText::default(),
            // Times count from the first event, and the sync before it has a time of its own.
            last_time: -1,
            syncs: 0,
            is_last: false,
            ended: false,
        })
    }
}

/// Checks the events and their times in their final order, and finds again which system calls blocked.
#[cold]
fn recheck(trace: &Trace, order: &Order, mut losses: Option<&mut Losses>) -> Result<BitSet, Error> {
    let mut checker = Checker::new(trace.version(), trace.procs.len() + 1);
    let mut goroutines = Goroutines::new();
    let mut replay = Replay::new(trace, order);
    let mut blocked = BitSet::default();
    let mut system_calls = 0;
    let mut last_time = i64::MIN;
    while let Some(placed) = replay.next(trace, order) {
        let event = &placed.event;
        if event.time < last_time {
            let error = disorder(event, last_time.abs_diff(event.time));
            match &mut losses {
                Some(losses) => losses.bend(|| error),
                None => return Err(error),
            }
        }
        last_time = last_time.max(event.time);
        let by_timer = trace.is_by_timer(event);
        let checked = checker.check(placed.proc, event, by_timer, &mut goroutines);
        // Salvage mode repairs it when it is delivered.
        if let Err(violation) = checked
            && losses.is_none()
        {
            let error = V1Error::Invalid {
                event: event.event_type,
                violation,
            };
            return Err(Error::at(event.at as u64, error));
        }
        let slot = goroutines.slot(event.goroutine);
        let call = goroutines[slot].syscall.take();
        match event.event_type {
            EventType::GoSysBlock => {
                if let Some(call) = call {
                    blocked.insert(call);
                }
            }
            EventType::GoSysCall => {
                goroutines[slot].syscall = Some(system_calls);
                system_calls += 1;
            }
            _ => {}
        }
    }
    Ok(blocked)
}

impl Delivery {
    /// Makes the next event ready: a sync, the events, another sync. False at the end.
    #[inline]
    fn step(&mut self, stats: &mut Stats) -> Result<bool, Error> {
        if self.syncs == 0 && self.order.events > 0 {
            stats.generations = 1;
            self.sync(-1, true);
        } else if self.is_last {
            self.ended = true;
            return Ok(false);
        } else if self.converter.next(
            &mut self.replay,
            &self.trace,
            &self.order,
            &mut self.event,
        )? {
            let time = &mut self.event.record.time;
            if *time <= self.last_time {
                *time = self.last_time.wrapping_add(1);
                stats.raised_times += 1;
            }
            self.last_time = *time;
            self.keep_text();
        } else {
            self.is_last = true;
            if let Some(losses) = self.converter.losses() {
                losses.finish();
            }
            self.sync(self.last_time.wrapping_add(1), false);
        }
        stats.events += 1;
        Ok(true)
    }

    fn sync(&mut self, time: i64, begins_generation: bool) {
        self.syncs += 1;
        self.event = Converted::sync(self.syncs, time, begins_generation);
    }

    #[inline]
    fn event(&self) -> Event<'_> {
        let generation: &GenerationData = &self.converter.generation;
        let record = &self.event.record;
        Event::new(record, &record.args, generation, &self.text)
    }

    /// Copies the text of the event, if it has one that is not in its arguments.
    #[inline]
    fn keep_text(&mut self) {
        let text = match self.event.kept {
            Kept::Nothing => return,
            Kept::String(id) => {
                let strings = &self.converter.generation.tables.strings;
                strings.get(id).unwrap_or_default().as_bytes()
            }
            Kept::Bytes { start, end } => &self.trace.data[start..end],
        };
        self.text.0.clear();
        self.text.0.extend_from_slice(text);
    }
}

impl Trace {
    fn version(&self) -> Version {
        self.layouts.version()
    }
}

impl std::fmt::Debug for V1Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("V1Reader")
            .field("version", &self.version)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
