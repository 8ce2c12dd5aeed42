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
    limits::MAX_TABLE_ENTRIES,
    pool::BufferPool,
    record::NONE,
    salvage::{Loss, LossKind},
    sort::sort_as_go,
    stream::{DecodeContext, EventBatch, ThreadStream},
    tables::{MissingFrameString, StackTableBuilder, StringTableBuilder, Tables},
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
    /// In salvage mode: what was lost in it, or before it.
    pub(crate) losses: Vec<Loss>,
    /// In salvage mode: something was lost before it, so the state at its start is unknown.
    pub(crate) after_loss: bool,
}

/// Clock units per second of Go on all systems but Windows: 64 ns a unit.
pub(crate) const USUAL_FREQUENCY: u64 = 15_625_000;

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
    /// In salvage mode: what was lost so far.
    losses: Option<Vec<Loss>>,
    /// In salvage mode: how often bytes were lost so far.
    gaps: u32,
    /// In salvage mode: the state before the generation cannot be known.
    after_loss: bool,
    /// In salvage mode: the frequency to assume if the generation has none.
    fallback_frequency: u64,
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
            losses: None,
            gaps: 0,
            after_loss: false,
            fallback_frequency: USUAL_FREQUENCY,
        }
    }

    /// Switches to salvage mode: what is wrong becomes a loss instead of an error. `losses` came
    /// up before the generation's first batch.
    pub(crate) fn salvaging(mut self, losses: Vec<Loss>, fallback_frequency: u64) -> Self {
        self.after_loss = !losses.is_empty();
        self.losses = Some(losses);
        self.fallback_frequency = fallback_frequency;
        self
    }

    /// In salvage mode, notes a loss.
    pub(crate) fn lose(&mut self, offset: u64, kind: LossKind) {
        let generation = Some(self.number);
        if let Some(losses) = &mut self.losses {
            losses.push(Loss {
                offset: Some(offset),
                generation,
                kind,
            });
        }
    }

    /// In salvage mode, notes a loss that came up elsewhere.
    pub(crate) fn note(&mut self, loss: Loss) {
        if let Some(losses) = &mut self.losses {
            losses.push(loss);
        }
    }

    /// In salvage mode, what was lost so far.
    pub(crate) fn take_losses(&mut self) -> Vec<Loss> {
        self.losses.take().unwrap_or_default()
    }

    /// Bytes before the batch that comes next were lost, perhaps with batches of any thread.
    pub(crate) fn begin_gap(&mut self) {
        self.gaps += 1;
    }

    /// In salvage mode a wrong record costs only itself.
    fn drop_record(&mut self, offset: u64, cause: ErrorKind) -> Result<(), ErrorKind> {
        if self.losses.is_none() {
            return Err(cause);
        }
        self.lose(offset, LossKind::DroppedRecord { cause });
        Ok(())
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
    pub(crate) fn add(&mut self, batch: Batch, pool: &BufferPool) -> Result<(), Error> {
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
                let gaps = self.gaps;
                let stream = self.stream(batch.header.thread);
                stream.push(
                    EventBatch {
                        time,
                        data: batch.data,
                        data_offset,
                    },
                    gaps,
                );
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
            BatchKind::Strings => self.add_strings(&batch),
            BatchKind::Stacks => self.add_stacks(&batch),
            BatchKind::CpuSamples => self.add_samples(&batch),
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

    fn add_strings(&mut self, batch: &Batch) -> Result<(), ErrorKind> {
        for record in Strings::new(&batch.data)? {
            let record = record?;
            if self.strings.len() > MAX_TABLE_ENTRIES {
                return Err(too_large("strings"));
            }
            if self.strings.insert(record.id, record.data).is_err() {
                let cause = ErrorKind::RepeatedString { id: record.id };
                self.drop_record(batch.data_offset, cause)?;
            }
        }
        Ok(())
    }

    fn add_stacks(&mut self, batch: &Batch) -> Result<(), ErrorKind> {
        for record in Stacks::new(&batch.data)? {
            let record = record?;
            if self.stacks.len() > MAX_TABLE_ENTRIES {
                return Err(too_large("stacks"));
            }
            if !self.stacks.insert(record.id, record.frames) {
                let cause = ErrorKind::RepeatedStack { id: record.id };
                self.drop_record(batch.data_offset, cause)?;
            }
        }
        Ok(())
    }

    fn add_samples(&mut self, batch: &Batch) -> Result<(), ErrorKind> {
        for record in CpuSamples::new(&batch.data)? {
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
                SyncRecord::Frequency(_) if self.frequency.is_some() => {
                    self.drop_record(batch.data_offset, ErrorKind::RepeatedFrequency)?;
                }
                SyncRecord::Frequency(frequency) => self.frequency = Some(frequency),
                SyncRecord::ClockSnapshot { .. } if self.snapshot.is_some() => {
                    self.drop_record(batch.data_offset, ErrorKind::RepeatedClockSnapshot)?;
                }
                SyncRecord::ClockSnapshot {
                    dt,
                    mono,
                    sec,
                    nsec,
                } => {
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
    /// stack's frames; never in salvage mode.
    pub(crate) fn finish(mut self, pool: &BufferPool) -> Result<LoadedGeneration, Error> {
        let frequency = match self.frequency {
            Some(frequency) => frequency,
            None => {
                let frequency = self.fallback_frequency;
                let loss = LossKind::AssumedFrequency { frequency };
                self.lack(ErrorKind::NoFrequency, loss)?;
                frequency
            }
        };
        if self.version.has_clock_snapshot() && self.snapshot.is_none() {
            self.lack(ErrorKind::NoClockSnapshot, LossKind::NoClockSnapshot)?;
        }
        let strings = std::mem::take(&mut self.strings).finish(self.losses.is_some());
        if let Some(MissingFrameString {
            stack,
            string,
            what,
        }) = self.stacks.find_missing_string(&strings)
        {
            let error = ErrorKind::MissingFrameString {
                stack,
                string,
                what,
            };
            self.lack(error, LossKind::NamelessStacks)?;
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
            bytes: self.bytes,
            threads: self
                .streams
                .iter()
                .filter(|stream| stream.thread.is_some())
                .count(),
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
            losses: self.losses.unwrap_or_default(),
            after_loss: self.after_loss,
        })
    }

    /// Something that the generation must have is not there.
    fn lack(&mut self, error: ErrorKind, loss: LossKind) -> Result<(), Error> {
        if self.losses.is_some() {
            self.lose(self.offset, loss);
            return Ok(());
        }
        let place = Place {
            offset: Some(self.offset),
            generation: Some(self.number),
            ..Place::default()
        };
        Err(Error::new(error, place))
    }
}

fn too_large(table: &'static str) -> ErrorKind {
    ErrorKind::TableTooLarge {
        table,
        limit: MAX_TABLE_ENTRIES as u64,
    }
}
