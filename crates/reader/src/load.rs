//! Collects the batches of one generation.

use std::{collections::HashMap, sync::Arc};

use exectrace_wire::{
    BatchKind, CpuSamples, Generation, Stacks, Strings, SyncRecord, SyncRecords, ThreadId, Version,
};

use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Place},
    framing::Batch,
    generation::{ExperimentalData, GenerationData},
    pool::BufferPool,
    record::NONE,
    sort::sort_as_go,
    stream::{DecodeContext, EventBatch, ThreadStream},
    tables::{StackTableBuilder, StringTableBuilder, Tables},
    time::{ClockSnapshot, Time, WallTime},
};

/// A CPU sample that waits to be delivered; ids as on the wire, [`NONE`] for none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuSample {
    pub(crate) time: i64,
    pub(crate) thread: u64,
    pub(crate) proc: u64,
    pub(crate) goroutine: u64,
    pub(crate) stack: u64,
}

/// A generation that is ready to be ordered.
#[derive(Debug)]
pub(crate) struct LoadedGeneration {
    pub(crate) data: Arc<GenerationData>,
    pub(crate) decode: DecodeContext,
    /// One for each thread, in order of first appearance in the file.
    pub(crate) streams: Vec<ThreadStream>,
    /// Sorted by time.
    pub(crate) samples: Vec<CpuSample>,
    /// The earliest time of a batch, in nanoseconds.
    pub(crate) start: i64,
    /// Bytes of the generation's batches, headers included.
    pub(crate) bytes: u64,
}

/// Bytes that the strings of a generation may have in all, and entries that its stacks may have:
/// offsets into the tables are 32 bits. Real tables have some hundred kilobytes.
const MAX_TABLE: usize = u32::MAX as usize - exectrace_wire::limits::MAX_BATCH_BYTES;

/// A generation while its batches come in.
#[derive(Debug)]
pub(crate) struct GenerationBuilder {
    version: Version,
    pub(crate) number: Generation,
    pub(crate) offset: u64,
    /// In clock units; 0 counts as unset, as in Go.
    min_time: u64,
    frequency: Option<u64>,
    snapshot: Option<Snapshot>,
    strings: StringTableBuilder,
    stacks: StackTableBuilder,
    samples: Vec<CpuSample>,
    experimental: Vec<ExperimentalData>,
    streams: Vec<ThreadStream>,
    stream_of: HashMap<Option<ThreadId>, usize>,
    pub(crate) bytes: u64,
}

/// A clock snapshot whose trace time is still in clock units.
#[derive(Clone, Copy, Debug)]
struct Snapshot {
    trace: u64,
    monotonic_nanos: u64,
    wall: WallTime,
}

impl GenerationBuilder {
    pub(crate) fn new(version: Version, number: Generation, offset: u64) -> Self {
        Self {
            version,
            number,
            offset,
            min_time: 0,
            frequency: None,
            snapshot: None,
            strings: StringTableBuilder::default(),
            stacks: StackTableBuilder::default(),
            samples: Vec::new(),
            experimental: Vec::new(),
            streams: Vec::new(),
            stream_of: HashMap::new(),
            bytes: 0,
        }
    }

    /// Whether a batch of events has come in: such a generation cannot be dropped silently.
    pub(crate) fn has_events(&self) -> bool {
        !self.streams.is_empty()
    }

    pub(crate) fn frequency(&self) -> Option<u64> {
        self.frequency
    }

    /// Takes a batch in.
    ///
    /// # Errors
    ///
    /// If the batch is structural and malformed. What came before the malformed record is kept.
    pub(crate) fn add(
        &mut self,
        batch: Batch,
        after_gap: bool,
        pool: &BufferPool,
    ) -> Result<(), Error> {
        let (offset, data_offset) = (batch.offset, batch.data_offset);
        self.bytes += data_offset - offset + batch.data.len() as u64;
        let time = batch.header.time.0;
        if self.min_time == 0 || time < self.min_time {
            self.min_time = time;
        }
        let place = |offset| Place {
            offset: Some(offset),
            generation: Some(batch.header.generation),
            thread: batch.header.thread,
            event: None,
        };
        let result = match batch.kind(self.version) {
            BatchKind::Events => {
                let stream = self.stream(batch.header.thread);
                stream.push(EventBatch {
                    time,
                    data: batch.data,
                    data_offset,
                    after_gap,
                });
                return Ok(());
            }
            BatchKind::Experimental => {
                self.experimental.push(ExperimentalData {
                    experiment: batch.header.experiment,
                    thread: batch.header.thread,
                    data: batch.data,
                });
                return Ok(());
            }
            BatchKind::Strings => self.add_strings(&batch.data),
            BatchKind::Stacks => self.add_stacks(&batch.data),
            BatchKind::CpuSamples => self.add_samples(&batch.data),
            BatchKind::Sync => self.add_clocks(&batch),
            BatchKind::EndOfGeneration => Err(ErrorKind::EndOfGenerationInBatch),
        };
        let result = result.map_err(|kind| {
            let record = match &kind {
                ErrorKind::Structural(error) => error.offset as u64,
                _ => 0,
            };
            Error::new(kind, place(data_offset + record))
        });
        pool.give(batch.data);
        result
    }

    fn stream(&mut self, thread: Option<ThreadId>) -> &mut ThreadStream {
        let streams = &mut self.streams;
        let at = *self.stream_of.entry(thread).or_insert_with(|| {
            streams.push(ThreadStream::new(thread));
            streams.len() - 1
        });
        &mut streams[at]
    }

    fn add_strings(&mut self, data: &[u8]) -> Result<(), ErrorKind> {
        for record in Strings::new(data)? {
            let record = record?;
            if self.strings.len() > MAX_TABLE {
                return Err(ErrorKind::TableTooLarge {
                    table: "strings",
                    limit: MAX_TABLE as u64,
                });
            }
            if self.strings.insert(record.id, record.data).is_err() {
                return Err(ErrorKind::RepeatedString { id: record.id });
            }
        }
        Ok(())
    }

    fn add_stacks(&mut self, data: &[u8]) -> Result<(), ErrorKind> {
        for record in Stacks::new(data)? {
            let record = record?;
            if self.stacks.len() > MAX_TABLE {
                return Err(ErrorKind::TableTooLarge {
                    table: "stacks",
                    limit: MAX_TABLE as u64,
                });
            }
            if !self.stacks.insert(record.id, record.frames) {
                return Err(ErrorKind::RepeatedStack { id: record.id });
            }
        }
        Ok(())
    }

    fn add_samples(&mut self, data: &[u8]) -> Result<(), ErrorKind> {
        for record in CpuSamples::new(data)? {
            let record = record?;
            self.samples.push(CpuSample {
                // In clock units until the frequency is known.
                time: record.time as i64,
                thread: record.m,
                proc: record.p,
                goroutine: if record.g == 0 { NONE } else { record.g },
                stack: record.stack,
            });
        }
        Ok(())
    }

    fn add_clocks(&mut self, batch: &Batch) -> Result<(), ErrorKind> {
        let mut time = batch.header.time.0;
        for record in SyncRecords::new(self.version, &batch.data)? {
            match record? {
                SyncRecord::Frequency(frequency) => {
                    if self.frequency.is_some() {
                        return Err(ErrorKind::RepeatedFrequency);
                    }
                    self.frequency = Some(frequency);
                }
                SyncRecord::ClockSnapshot {
                    dt,
                    mono,
                    sec,
                    nsec,
                } => {
                    if self.snapshot.is_some() {
                        return Err(ErrorKind::RepeatedClockSnapshot);
                    }
                    time = time.wrapping_add(dt);
                    self.snapshot = Some(Snapshot {
                        trace: time,
                        monotonic_nanos: mono,
                        wall: WallTime::new(sec as i64, nsec as i64),
                    });
                }
            }
        }
        Ok(())
    }

    /// Checks the whole and makes it ready to be ordered.
    ///
    /// # Errors
    ///
    /// If the generation lacks a frequency, a clock snapshot (from Go 1.25) or the names of a
    /// stack's frames.
    pub(crate) fn finish(self, pool: &BufferPool) -> Result<LoadedGeneration, Error> {
        let error = |kind: ErrorKind| {
            let place = Place {
                offset: Some(self.offset),
                generation: Some(self.number),
                ..Place::default()
            };
            Error::new(kind, place)
        };
        let Some(frequency) = self.frequency else {
            return Err(error(ErrorKind::NoFrequency));
        };
        if self.version.has_clock_snapshot() && self.snapshot.is_none() {
            return Err(error(ErrorKind::NoClockSnapshot));
        }
        let strings = self.strings.finish();
        if let Some(missing) = self.stacks.find_missing_string(&strings) {
            return Err(error(ErrorKind::MissingFrameString {
                stack: missing.stack,
                string: missing.string,
                what: missing.what,
            }));
        }
        let clock = Clock::new(frequency);
        let mut samples = self.samples;
        for sample in &mut samples {
            sample.time = clock.nanos(sample.time as u64);
        }
        sort_as_go(&mut samples, |sample| sample.time);
        let tables = Arc::new(Tables {
            strings,
            stacks: self.stacks.finish(),
        });
        let data = GenerationData {
            number: self.number,
            frequency,
            clock: self.snapshot.map(|snapshot| ClockSnapshot {
                trace: Time(clock.nanos(snapshot.trace)),
                monotonic_nanos: snapshot.monotonic_nanos,
                wall: snapshot.wall,
            }),
            tables: Arc::clone(&tables),
            experimental: self.experimental,
        };
        Ok(LoadedGeneration {
            data: Arc::new(data),
            decode: DecodeContext {
                clock,
                tables,
                pool: pool.clone(),
            },
            streams: self.streams,
            samples,
            start: clock.nanos(self.min_time),
            bytes: self.bytes,
        })
    }
}
