//! The first pass over a trace: where the batches are, and everything that is not an event of a
//! proc.

use std::{
    collections::{BTreeMap, HashSet},
    io::Read,
    sync::Arc,
};

use exectrace_wire::{
    HEADER_LEN, RawFrame, Version,
    v1::{EventType, Layouts, Payload, Record, decode_record, limits::MAX_NUMBERS},
};

use super::{V1Error, lane::Event, losses::Losses};
use crate::{
    error::{Error, ErrorKind},
    limits::MAX_TABLE_ENTRIES,
    salvage::LossKind,
    sort::sort_as_go,
    tables::{StackTableBuilder, StringTableBuilder, Tables},
};

/// A trace in memory, with an index of it.
pub(super) struct Trace {
    pub(super) layouts: Layouts,
    /// The whole file, header included, so that a place in it is an offset in the trace.
    pub(super) data: Vec<u8>,
    /// In order of procs, then of the file.
    pub(super) batches: Vec<BatchPlace>,
    pub(super) procs: Vec<Proc>,
    /// In order of time.
    pub(super) samples: Vec<Sample>,
    pub(super) timer_goroutines: HashSet<u64>,
    /// Clock units per second.
    pub(super) frequency: i64,
    pub(super) tables: Arc<Tables>,
    /// The lowest id that no string of the trace has, and which is followed by free ones only.
    pub(super) own_strings: u64,
}

/// A batch in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchPlace {
    /// The batch's header.
    pub(super) start: u64,
    /// The end of its last record.
    pub(super) end: u64,
}

/// What wrote events.
#[derive(Clone, Debug)]
pub(super) struct Proc {
    /// The proc's id; -1 for events of no proc.
    pub(super) id: i32,
    /// Its part of [`Trace::batches`].
    pub(super) batches: std::ops::Range<usize>,
}

/// A CPU sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) time: i64,
    pub(super) goroutine: u64,
    pub(super) proc: i32,
    pub(super) stack: u32,
}

impl Sample {
    /// The sample as an event: its arguments are those of the format.
    pub(super) fn event(&self) -> Event {
        let (time, proc) = (self.time as u64, self.proc as u64);
        Event {
            time: self.time,
            goroutine: self.goroutine,
            event_type: EventType::CPUSample,
            numbers: [0, time, proc, self.goroutine, u64::from(self.stack)],
            ..Event::BLANK
        }
    }
}

/// Clock units per second of a trace that does not say: those of a processor of 2.5 GHz.
const USUAL_FREQUENCY: i64 = 2_500_000_000 / 64;

/// Strings that the reader adds to those of the trace.
pub(super) const OWN_STRINGS: u64 = 64;

/// Reads the rest of a file behind what was read of it.
pub(super) fn read_all(
    version: Version,
    start: Vec<u8>,
    mut source: impl Read,
) -> Result<Vec<u8>, Error> {
    let mut data = version.header().to_vec();
    data.extend(start);
    match source.read_to_end(&mut data) {
        Ok(_) => Ok(data),
        Err(error) => Err(Error::at(data.len() as u64, error)),
    }
}

impl Trace {
    /// Indexes a file. In salvage mode nothing but a lack of batches keeps it from that.
    pub(super) fn index(
        version: Version,
        data: Vec<u8>,
        mut losses: Option<&mut Losses>,
    ) -> Result<Self, Error> {
        let layouts = Layouts::new(version);
        let mut indexer = Indexer::default();
        let mut at = HEADER_LEN;
        let mut numbers = [0; MAX_NUMBERS];
        while at < data.len() {
            // 1. Events of procs, nearly all there is, are only skipped.
            if let Some((event_type, length)) = layouts.decode(&data[at..], &mut numbers)
                && event_type != EventType::CPUSample
                && !indexer.batches.is_empty()
            {
                at += length;
                continue;
            }
            // 2. All else is noted.
            let error = match decode_record(&data[at..], version) {
                Ok(record) => {
                    let length = record.bytes().len();
                    let error = indexer.add(&record, at, version).err();
                    at += length;
                    match (error, &mut losses) {
                        (None, _) => continue,
                        (Some(error), None) => {
                            return Err(Error::at((at - length) as u64, error));
                        }
                        (Some(cause), Some(losses)) => {
                            losses.note(at - length, LossKind::DroppedRecord { cause });
                            continue;
                        }
                    }
                }
                Err(error) => ErrorKind::from(V1Error::from(error)),
            };
            // 3. Damage costs the rest of the batch.
            let Some(losses) = &mut losses else {
                return Err(Error::at(at as u64, error));
            };
            let next = resync(&data, at, version, &indexer);
            indexer.end_batch(at);
            indexer.has_gap = true;
            losses.note(
                at,
                LossKind::SkippedBytes {
                    bytes: (next - at) as u64,
                    cause: error,
                },
            );
            at = next;
        }
        indexer.finish(layouts, data, losses)
    }
}

/// Records that must follow each other for a place to be taken for the start of a batch.
const SOUND_RECORDS: usize = 8;

/// The next place at which a batch seems to begin: a header with a time that is not absurd, and
/// sound records behind it.
fn resync(data: &[u8], damage: usize, version: Version, indexer: &Indexer) -> usize {
    let header = EventType::Batch.to_wire() | 1 << 6;
    let mut from = damage + 1;
    while let Some(found) = data
        .get(from..)
        .and_then(|rest| rest.iter().position(|byte| *byte == header))
    {
        let place = from + found;
        if is_batch(&data[place..], version, indexer) {
            return place;
        }
        from = place + 1;
    }
    data.len()
}

fn is_batch(mut rest: &[u8], version: Version, indexer: &Indexer) -> bool {
    /// Some weeks at the highest rate of ticks that clocks have had.
    const ABSURD: u64 = 1 << 46;
    for n in 0..SOUND_RECORDS {
        if rest.is_empty() {
            return n > 0;
        }
        let Ok(record) = decode_record(rest, version) else {
            return false;
        };
        if record.event_type() == EventType::Batch {
            let time = record.numbers().last().map_or(0, |time| *time as i64);
            if indexer
                .time
                .is_some_and(|known| known.abs_diff(time) > ABSURD)
            {
                return false;
            }
        }
        rest = &rest[record.bytes().len()..];
    }
    true
}

/// What the first pass has found so far.
#[derive(Default)]
struct Indexer {
    /// In file order, with the proc's id.
    batches: Vec<(i32, BatchPlace)>,
    samples: Vec<Sample>,
    timer_goroutines: HashSet<u64>,
    frequency: Option<i64>,
    strings: StringTableBuilder,
    max_string: u64,
    stacks: StackTableBuilder,
    /// The time of some batch.
    time: Option<i64>,
    /// The last batch has ended before the next one.
    has_gap: bool,
}

impl Indexer {
    fn add(&mut self, record: &Record<'_>, at: usize, version: Version) -> Result<(), ErrorKind> {
        let numbers = record.padded_numbers();
        let start_pc = (version == Version::Go105).then_some(numbers[3]);
        let event_type = record.event_type();
        match event_type {
            EventType::Batch => {
                self.end_batch(at);
                self.has_gap = false;
                self.time = record.numbers().last().map(|time| *time as i64);
                let place = BatchPlace {
                    start: at as u64,
                    end: at as u64,
                };
                // Beyond the limit of the format there is only the wire's "none".
                let proc = i32::try_from(numbers[0]).unwrap_or(NO_PROC);
                self.batches.push((proc, place));
            }
            EventType::String => return self.add_string(record),
            _ if self.batches.is_empty() => return Err(V1Error::NoBatch(event_type).into()),
            EventType::Frequency => {
                let frequency = numbers[0] as i64;
                if frequency <= 0 {
                    return Err(V1Error::BadFrequency(frequency).into());
                }
                self.frequency = Some(frequency);
            }
            EventType::TimerGoroutine => {
                self.timer_goroutines.insert(numbers[0]);
            }
            EventType::Stack => return self.add_stack(record),
            EventType::GoCreate => {
                if let Some(pc) = start_pc {
                    self.add_start(pc)?;
                }
            }
            EventType::CPUSample => {
                let [_, time, proc, goroutine, stack] = *numbers;
                self.samples.push(Sample {
                    time: time as i64,
                    goroutine,
                    proc: proc as i32,
                    stack: stack as u32,
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn add_string(&mut self, record: &Record<'_>) -> Result<(), ErrorKind> {
        let Payload::Data(data) = record.payload() else {
            return Ok(());
        };
        let id = record.padded_numbers()[0];
        if self.strings.len() + data.len() > MAX_TABLE_ENTRIES {
            return Err(ErrorKind::TableTooLarge {
                table: "strings",
                limit: MAX_TABLE_ENTRIES as u64,
            });
        }
        if id.checked_add(OWN_STRINGS).is_none_or(|id| id == u64::MAX) {
            return Err(V1Error::NoFreeStringId.into());
        }
        self.max_string = self.max_string.max(id);
        match self.strings.insert(id, data) {
            Ok(()) => Ok(()),
            Err(_) => Err(V1Error::RepeatedString { id }.into()),
        }
    }

    fn add_stack(&mut self, record: &Record<'_>) -> Result<(), ErrorKind> {
        let Payload::Frames(frames) = record.payload() else {
            return Ok(());
        };
        if self.stacks.len() + frames.len() > MAX_TABLE_ENTRIES {
            return Err(ErrorKind::TableTooLarge {
                table: "stacks",
                limit: MAX_TABLE_ENTRIES as u64,
            });
        }
        // Ids have 32 bits in Go's parser, and a stack without frames is none.
        let id = record.padded_numbers()[0] as u32;
        if id != 0 && frames.len() > 0 {
            self.stacks.replace(u64::from(id), frames);
        }
        Ok(())
    }

    /// Makes a stack of where a goroutine starts.
    fn add_start(&mut self, pc: u64) -> Result<(), ErrorKind> {
        if self.stacks.len() >= MAX_TABLE_ENTRIES {
            return Err(ErrorKind::TableTooLarge {
                table: "stacks",
                limit: MAX_TABLE_ENTRIES as u64,
            });
        }
        let frame = RawFrame {
            // Program counters of frames are those of return addresses.
            pc: pc.wrapping_add(1),
            func: 0,
            file: 0,
            line: 0,
        };
        // One that is there already is the same.
        let _ = self
            .stacks
            .insert(super::convert::start_stack(pc), [frame].into_iter());
        Ok(())
    }

    fn end_batch(&mut self, at: usize) {
        // Bytes in a gap belong to no batch.
        if !self.has_gap
            && let Some((_, last)) = self.batches.last_mut()
        {
            last.end = at as u64;
        }
    }

    fn finish(
        mut self,
        layouts: Layouts,
        data: Vec<u8>,
        mut losses: Option<&mut Losses>,
    ) -> Result<Trace, Error> {
        let end = data.len();
        self.end_batch(end);
        let frequency = match (self.frequency, &mut losses) {
            (Some(frequency), _) => frequency,
            (None, None) => return Err(Error::at(end as u64, V1Error::NoFrequency)),
            (None, Some(losses)) => {
                let frequency = USUAL_FREQUENCY as u64;
                losses.note(end, LossKind::AssumedFrequency { frequency });
                USUAL_FREQUENCY
            }
        };

        // 1. Procs by id, each with its batches in file order.
        let mut counts = BTreeMap::new();
        for (proc, _) in &self.batches {
            *counts.entry(*proc).or_insert(0) += 1;
        }
        let mut procs = Vec::with_capacity(counts.len());
        let mut begin = 0;
        for (id, count) in counts {
            procs.push(Proc {
                id,
                batches: begin..begin + count,
            });
            begin += count;
        }
        self.batches.sort_by_key(|(proc, _)| *proc);
        let batches = self.batches.into_iter().map(|(_, place)| place).collect();

        // 2. Samples come from a buffer of their own, in the order in which it was read.
        sort_as_go(&mut self.samples, |sample| sample.time);

        // 3. Tables.
        let own_strings = self.max_string + 1;
        super::convert::add_own_strings(&mut self.strings, own_strings);
        let strings = self.strings.finish(losses.is_some());
        if let Some(missing) = self.stacks.find_missing_string(&strings) {
            let Some(losses) = &mut losses else {
                let kind = ErrorKind::MissingFrameString {
                    stack: missing.stack,
                    string: missing.string,
                    what: missing.what,
                };
                return Err(Error::at(end as u64, kind));
            };
            losses.note(end, LossKind::NamelessStacks);
        }
        let stacks = self.stacks.finish();
        Ok(Trace {
            layouts,
            data,
            batches,
            procs,
            samples: self.samples,
            timer_goroutines: self.timer_goroutines,
            frequency,
            tables: Arc::new(Tables { strings, stacks }),
            own_strings,
        })
    }
}

/// The id of no proc.
pub(super) const NO_PROC: i32 = -1;
