//! Builds one generation.

use std::collections::BTreeMap;

use exectrace_wire::{EventType, ThreadId, Version};

use super::{
    args::{Arg, Args},
    tables::{Sections, Tables},
};
use crate::layout::{Batch, Piece, push_number};

const NO_THREAD: u64 = ThreadId::WIRE_NONE;

/// Builds one generation; see [`super::TraceBuilder::generation`].
///
/// Unless told otherwise, it is complete: clock records, tables and, from Go 1.26, the end record
/// are added around the events.
#[derive(Clone, Debug)]
pub struct GenerationBuilder {
    version: Version,
    number: u64,
    start: u64,
    now: u64,
    step: u64,
    frequency: Option<u64>,
    clock: Option<Clock>,
    tables: bool,
    end: bool,
    /// Thread batches and raw pieces, in file order.
    entries: Vec<Entry>,
    /// The index in `entries` of the batch that each thread writes to.
    open: BTreeMap<u64, usize>,
    samples: Vec<Sample>,
}

/// A clock snapshot's numbers.
#[derive(Clone, Copy, Debug)]
struct Clock {
    dt: u64,
    mono: u64,
    sec: u64,
    nsec: u64,
}

#[derive(Clone, Debug)]
enum Entry {
    Events {
        thread: u64,
        time: u64,
        records: Vec<Record>,
    },
    Piece(Piece),
}

#[derive(Clone, Debug)]
enum Record {
    Event {
        event_type: EventType,
        when: When,
        args: Vec<Arg>,
    },
    Raw(Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
enum When {
    /// At this time of the clock.
    At(u64),
    /// This long after the batch's previous event.
    After(u64),
}

/// A CPU profile sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When, in clock units; `None` for one step of the clock.
    pub time: Option<u64>,
    /// The thread.
    pub thread: Option<u64>,
    /// The proc.
    pub proc: Option<u64>,
    /// The goroutine.
    pub goroutine: Option<u64>,
    /// The stack.
    pub stack: Arg,
}

impl GenerationBuilder {
    pub(super) fn new(version: Version, number: u64, now: u64, step: u64, frequency: u64) -> Self {
        // Validators want each generation's clocks to be later than the last one's and not zero,
        // even where the clock stands still.
        let start = now + if step == 0 { 1 } else { step };
        let clock = Clock {
            dt: 0,
            mono: 64 * start,
            sec: 1_700_000_000 + start,
            nsec: 0,
        };
        Self {
            version,
            number,
            start,
            now: now + step,
            step,
            frequency: Some(frequency),
            clock: version.has_clock_snapshot().then_some(clock),
            tables: true,
            end: version.has_end_of_generation(),
            entries: Vec::new(),
            open: BTreeMap::new(),
            samples: Vec::new(),
        }
    }

    /// The clock.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Sets the clock; the next event comes one step later. It may go back.
    pub const fn set_now(&mut self, now: u64) -> &mut Self {
        self.now = now;
        self
    }

    /// Moves the time of the batch that holds the clock records.
    pub const fn start(&mut self, time: u64) -> &mut Self {
        self.start = time;
        self
    }

    /// Leaves the frequency record out.
    pub const fn without_frequency(&mut self) -> &mut Self {
        self.frequency = None;
        self
    }

    /// Sets the clock snapshot: clock units after the generation's start, nanoseconds of the
    /// monotonic clock, and the wall clock.
    pub const fn clock(&mut self, dt: u64, mono: u64, sec: u64, nsec: u64) -> &mut Self {
        self.clock = Some(Clock {
            dt,
            mono,
            sec,
            nsec,
        });
        self
    }

    /// Leaves the clock snapshot out.
    pub const fn without_clock(&mut self) -> &mut Self {
        self.clock = None;
        self
    }

    /// Leaves the batches of stacks and strings out.
    pub const fn without_tables(&mut self) -> &mut Self {
        self.tables = false;
        self
    }

    /// Leaves the end record out.
    pub const fn without_end(&mut self) -> &mut Self {
        self.end = false;
        self
    }

    /// Writes to the batch of a thread, which begins now unless it exists.
    pub fn on(&mut self, thread: u64) -> On<'_> {
        if !self.open.contains_key(&thread) {
            self.batch_at(thread, self.now);
        }
        let entry = self.open[&thread];
        On {
            generation: self,
            entry,
        }
    }

    /// Writes to the batch that is tied to no thread.
    pub fn on_no_thread(&mut self) -> On<'_> {
        self.on(NO_THREAD)
    }

    /// Begins another batch of the thread, for what [`GenerationBuilder::on`] writes from here on.
    pub fn batch_at(&mut self, thread: u64, time: u64) -> &mut Self {
        self.open.insert(thread, self.entries.len());
        self.entries.push(Entry::Events {
            thread,
            time,
            records: Vec::new(),
        });
        self
    }

    /// Adds a CPU profile sample.
    pub fn sample(&mut self, sample: Sample) -> &mut Self {
        let time = sample.time.unwrap_or_else(|| self.tick());
        self.samples.push(Sample {
            time: Some(time),
            ..sample
        });
        self
    }

    /// Adds a batch of an experiment.
    pub fn experimental(&mut self, experiment: u8, thread: u64, data: &[u8]) -> &mut Self {
        let mut batch = Batch::new(self.number, thread, self.now, data.to_vec());
        batch.experiment = experiment;
        self.piece(Piece::Batch(batch))
    }

    /// Adds a batch of no thread with the given data.
    pub fn raw_batch(&mut self, data: &[u8]) -> &mut Self {
        let batch = Batch::new(self.number, NO_THREAD, self.now, data.to_vec());
        self.piece(Piece::Batch(batch))
    }

    /// Adds anything.
    pub fn piece(&mut self, piece: Piece) -> &mut Self {
        self.entries.push(Entry::Piece(piece));
        self
    }

    const fn tick(&mut self) -> u64 {
        self.now += self.step;
        self.now
    }

    /// Encodes the generation:
    ///
    /// 1. from Go 1.25, the clock records;
    /// 2. threads' batches and raw pieces in the order in which they were begun;
    /// 3. before Go 1.25, the frequency;
    /// 4. CPU samples, stacks and then strings, for each may need the next;
    /// 5. from Go 1.26, the end record.
    pub(super) fn pieces(&self, limit: usize) -> Vec<Piece> {
        let mut tables = Tables::default();
        let mut pieces = Vec::new();
        let structural = |time, data| Piece::Batch(Batch::new(self.number, NO_THREAD, time, data));
        if self.version.has_clock_snapshot() {
            pieces.extend(self.sync().map(|data| structural(self.start, data)));
        }
        for entry in &self.entries {
            match entry {
                Entry::Events {
                    thread,
                    time,
                    records,
                } => {
                    let batches = encode_events(records, *time, limit, &mut tables);
                    pieces.extend(batches.into_iter().map(|(time, data)| {
                        Piece::Batch(Batch::new(self.number, *thread, time, data))
                    }));
                }
                Entry::Piece(piece) => pieces.push(piece.clone()),
            }
        }
        let now = self.now;
        if !self.version.has_clock_snapshot() {
            pieces.extend(self.sync().map(|data| structural(now, data)));
        }
        let mut data = Vec::new();
        if !self.samples.is_empty() {
            data.extend(self.sample_batches(limit, &mut tables));
        }
        if self.tables {
            data.extend(tables.stack_batches(limit));
            data.extend(tables.string_batches(limit));
        }
        pieces.extend(data.into_iter().map(|data| structural(now, data)));
        if self.end {
            pieces.push(Piece::EndOfGeneration);
        }
        pieces
    }

    /// The data of the batch of clock records, if there are any.
    fn sync(&self) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        if self.version.has_clock_snapshot() {
            data.push(EventType::Sync.to_wire());
        }
        if let Some(frequency) = self.frequency {
            data.push(EventType::Frequency.to_wire());
            push_number(&mut data, frequency);
        }
        if let Some(clock) = self.clock {
            data.push(EventType::ClockSnapshot.to_wire());
            for number in [clock.dt, clock.mono, clock.sec, clock.nsec] {
                push_number(&mut data, number);
            }
        }
        (self.frequency.is_some() || self.clock.is_some()).then_some(data)
    }

    fn sample_batches(&self, limit: usize, tables: &mut Tables) -> Vec<Vec<u8>> {
        let mut batches = Sections::new(EventType::CPUSamples, limit);
        for sample in &self.samples {
            let mut record = vec![EventType::CPUSample.to_wire()];
            let numbers = [
                sample.time.unwrap_or(self.now),
                sample.thread.unwrap_or(u64::MAX),
                sample.proc.unwrap_or(u64::MAX),
                sample.goroutine.unwrap_or(0),
                tables.number_of(&sample.stack),
            ];
            for number in numbers {
                push_number(&mut record, number);
            }
            batches.push(&record);
        }
        batches.finish()
    }
}

/// Encodes a thread's events into one or more batches, each with its time.
fn encode_events(
    records: &[Record],
    start: u64,
    limit: usize,
    tables: &mut Tables,
) -> Vec<(u64, Vec<u8>)> {
    let mut batches = Vec::new();
    let (mut time, mut now, mut data) = (start, start, Vec::new());
    for record in records {
        let mut bytes = Vec::new();
        let mut at = now;
        match record {
            Record::Raw(raw) => bytes.extend(raw),
            Record::Event {
                event_type,
                when,
                args,
            } => {
                at = match when {
                    When::At(at) => *at,
                    When::After(dt) => now.wrapping_add(*dt),
                };
                bytes.push(event_type.to_wire());
                assert!(
                    at >= now || matches!(when, When::After(_)),
                    "{event_type}: the clock went back inside a batch; begin another one"
                );
                push_number(&mut bytes, at.wrapping_sub(now));
                for arg in args {
                    push_number(&mut bytes, tables.number_of(arg));
                }
            }
        }
        if !data.is_empty() && data.len() + bytes.len() > limit {
            batches.push((time, std::mem::take(&mut data)));
            time = now;
        }
        data.extend(bytes);
        now = at;
    }
    batches.push((time, data));
    batches
}

/// Writes events to a thread's batch; see [`GenerationBuilder::on`].
#[derive(Debug)]
pub struct On<'a> {
    generation: &'a mut GenerationBuilder,
    entry: usize,
}

impl On<'_> {
    /// Adds an event one step of the clock later.
    ///
    /// # Panics
    ///
    /// If the arguments do not fit the event, or the event carries no time.
    pub fn event(self, event_type: EventType, args: impl Args) -> Self {
        let when = When::At(self.generation.tick());
        self.push(event_type, when, args)
    }

    /// Adds an event at the given time; the clock stays.
    ///
    /// # Panics
    ///
    /// As [`On::event`]; and when the trace is built, if the event is earlier than the one before
    /// it in the batch.
    pub fn event_at(self, time: u64, event_type: EventType, args: impl Args) -> Self {
        self.push(event_type, When::At(time), args)
    }

    /// Adds an event with the given time delta; the clock stays.
    ///
    /// # Panics
    ///
    /// As [`On::event`].
    pub fn event_after(self, dt: u64, event_type: EventType, args: impl Args) -> Self {
        self.push(event_type, When::After(dt), args)
    }

    /// Adds bytes to the batch that need not mean anything.
    pub fn raw(self, bytes: &[u8]) -> Self {
        self.record(Record::Raw(bytes.to_vec()))
    }

    fn push(self, event_type: EventType, when: When, args: impl Args) -> Self {
        assert!(event_type.spec().is_timed(), "{event_type} carries no time");
        let args = args.values(event_type);
        self.record(Record::Event {
            event_type,
            when,
            args,
        })
    }

    fn record(self, record: Record) -> Self {
        if let Entry::Events { records, .. } = &mut self.generation.entries[self.entry] {
            records.push(record);
        }
        self
    }
}

#[cfg(test)]
mod tests;
