//! Counts the records of a trace as its bytes pass by: how many of each type, of how many bytes.
//!
//! This is a second, much simpler look at the bytes that the reader reads: no order, no tables, no
//! judgement. It stops counting by type where framing is lost, and says how much it did not count.

use std::collections::{BTreeMap, BTreeSet};

use exectrace_reader::{EventType, Generation, ThreadId, Version};
use exectrace_wire::{
    BatchHeader, BatchKind, Class, Family, Frame, HEADER_LEN, decode_record, parse_frame,
    parse_header, v1,
};

/// Generations whose figures are kept one by one. A real trace has one a second; hostile bytes can
/// begin one every few bytes.
pub(super) const MAX_GENERATIONS: usize = 100_000;

/// How many records of a type there are, of how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes as u64;
    }
}

/// A generation as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawGeneration {
    pub(super) number: Generation,
    pub(super) batches: u64,
    pub(super) bytes: u64,
    pub(super) threads: u64,
}

/// The counts.
#[derive(Debug)]
pub(super) struct Footprint {
    /// Bytes seen.
    pub(super) bytes: u64,
    /// Bytes that are no whole record: after lost framing, at a cut, or malformed.
    pub(super) uncounted: u64,
    pub(super) generations: Vec<RawGeneration>,
    /// Opaque batches and their bytes, by the number of the experiment.
    pub(super) experiments: BTreeMap<u8, Tally>,
    /// All threads that wrote a batch.
    pub(super) threads: BTreeSet<ThreadId>,
    types: Box<[Tally; 256]>,
    /// Of a trace of the v1 formats, by the ids of its events.
    v1_types: Box<[Tally; 64]>,
    /// Beginnings of regions in such a trace: their ends have the same type.
    pub(super) v1_regions: u64,
    version: Option<Version>,
    /// The beginning of a record of the file's top level that has not arrived whole.
    pending: Vec<u8>,
    /// Bytes that `pending` must have before it is worth another look.
    wanted: usize,
    lost: bool,
    /// The threads of the last generation.
    generation_threads: BTreeSet<ThreadId>,
    /// Whether the last generation has ended, so that its number may come again.
    ended: bool,
}

/// What the start of some bytes is.
enum Step {
    /// A whole record of that many bytes, now counted.
    Counted(usize),
    /// The start of a record; it takes at least that many bytes to go on.
    Wants(usize),
    /// Nothing that can be followed.
    Lost,
}

impl Footprint {
    pub(super) fn new() -> Self {
        Self {
            bytes: 0,
            uncounted: 0,
            generations: Vec::new(),
            experiments: BTreeMap::new(),
            threads: BTreeSet::new(),
            types: Box::new([Tally::default(); 256]),
            v1_types: Box::new([Tally::default(); 64]),
            v1_regions: 0,
            version: None,
            pending: Vec::new(),
            wanted: HEADER_LEN,
            lost: false,
            generation_threads: BTreeSet::new(),
            ended: false,
        }
    }

    /// The types that occur, in order of their numbers.
    pub(super) fn types(&self) -> impl Iterator<Item = (EventType, Tally)> {
        (0..=u8::MAX)
            .zip(self.types.iter())
            .filter(|(_, tally)| tally.count > 0)
            .filter_map(|(byte, tally)| Some((EventType::from_wire(byte)?, *tally)))
    }

    /// The same for a trace of the v1 formats.
    pub(super) fn v1_types(&self) -> impl Iterator<Item = (v1::EventType, Tally)> {
        (0..=u8::MAX)
            .zip(self.v1_types.iter())
            .filter(|(_, tally)| tally.count > 0)
            .filter_map(|(id, tally)| Some((v1::EventType::from_wire(id)?, *tally)))
    }

    /// The tally of one type of the v1 formats.
    pub(super) fn v1_tally(&self, event_type: v1::EventType) -> Tally {
        self.v1_types[usize::from(event_type.to_wire()) % self.v1_types.len()]
    }

    /// The tally of one type.
    pub(super) fn tally(&self, event_type: EventType) -> Tally {
        self.types[usize::from(event_type.to_wire())]
    }

    /// Counts the next bytes of the file.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        // 1. Complete the record that the previous bytes began.
        while !self.pending.is_empty() && !bytes.is_empty() && !self.lost {
            let missing = self.wanted.saturating_sub(self.pending.len());
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            self.pending.extend_from_slice(taken);
            bytes = rest;
            if self.pending.len() < self.wanted {
                return;
            }
            let pending = std::mem::take(&mut self.pending);
            match self.step(&pending) {
                Step::Counted(n) => debug_assert_eq!(n, pending.len()),
                Step::Wants(n) => {
                    // MUST grow, otherwise this would not end.
                    self.wanted = n.max(pending.len() + 1);
                    self.pending = pending;
                }
                Step::Lost => self.lose(pending.len()),
            }
        }
        // 2. Count the records that are whole, where they are.
        while !bytes.is_empty() && !self.lost {
            match self.step(bytes) {
                Step::Counted(n) => bytes = &bytes[n..],
                Step::Wants(n) => {
                    self.wanted = n.max(bytes.len() + 1);
                    self.pending.extend_from_slice(bytes);
                    return;
                }
                Step::Lost => self.lose(0),
            }
        }
        self.uncounted += bytes.len() as u64;
    }

    /// Ends the count: what has not arrived whole never will.
    pub(super) fn finish(&mut self) {
        self.uncounted += std::mem::take(&mut self.pending).len() as u64;
    }

    fn lose(&mut self, uncounted: usize) {
        self.lost = true;
        self.uncounted += uncounted as u64;
    }

    fn step(&mut self, bytes: &[u8]) -> Step {
        let Some(version) = self.version else {
            if bytes.len() < HEADER_LEN {
                return Step::Wants(HEADER_LEN);
            }
            self.version = parse_header(bytes).ok();
            return match self.version {
                Some(_) => Step::Counted(HEADER_LEN),
                None => Step::Lost,
            };
        };
        if version.family() == Family::V1 {
            return self.v1_record(bytes, version);
        }
        match parse_frame(bytes) {
            Err(_) => Step::Lost,
            Ok(None) => Step::Wants(bytes.len() + 1),
            Ok(Some((Frame::EndOfGeneration, length))) => {
                self.types[usize::from(EventType::EndOfGeneration.to_wire())].add(length);
                if let (false, Some(last)) = (self.ended, self.generations.last_mut()) {
                    last.bytes += length as u64;
                }
                self.ended = true;
                Step::Counted(length)
            }
            Ok(Some((Frame::Batch(header), length))) => {
                let whole = length + header.size;
                match bytes.get(length..whole) {
                    Some(data) => {
                        self.batch(version, &header, length, data);
                        Step::Counted(whole)
                    }
                    None => Step::Wants(whole),
                }
            }
        }
    }

    /// Traces of the v1 formats are one generation, of nothing but records.
    fn v1_record(&mut self, bytes: &[u8], version: Version) -> Step {
        let record = match v1::decode_record(bytes, version) {
            Ok(record) => record,
            Err(v1::RecordError::Truncated) => return Step::Wants(bytes.len() + 1),
            Err(_) => return Step::Lost,
        };
        let event_type = record.event_type();
        let length = record.bytes().len();
        self.v1_types[usize::from(event_type.to_wire()) % 64].add(length);
        if self.generations.is_empty() {
            self.begin_generation(Generation(1));
        }
        let new_thread = match (event_type, record.numbers()) {
            (v1::EventType::ProcStart, [.., thread]) => self.threads.insert(ThreadId(*thread)),
            (v1::EventType::UserRegion, [_, _, 0, ..]) => {
                self.v1_regions += 1;
                false
            }
            _ => false,
        };
        if let Some(only) = self.generations.last_mut() {
            only.bytes += length as u64;
            only.batches += u64::from(event_type == v1::EventType::Batch);
            only.threads += u64::from(new_thread);
        }
        Step::Counted(length)
    }

    fn batch(&mut self, version: Version, header: &BatchHeader, length: usize, data: &[u8]) {
        match header.classify(version, data) {
            BatchKind::Experimental => {
                self.types[usize::from(EventType::ExperimentalBatch.to_wire())]
                    .add(length + data.len());
                self.experiments
                    .entry(header.experiment)
                    .or_default()
                    .add(data.len());
            }
            _ => {
                self.types[usize::from(EventType::EventBatch.to_wire())].add(length);
                self.records(data);
            }
        }
        if self.ended
            || self
                .generations
                .last()
                .is_none_or(|last| last.number != header.generation)
        {
            self.begin_generation(header.generation);
        }
        let new_thread = header.thread.is_some_and(|thread| {
            self.threads.insert(thread);
            self.generation_threads.insert(thread)
        });
        // Past the limit, the figures go to no generation.
        if let (false, Some(last)) = (self.ended, self.generations.last_mut()) {
            last.batches += 1;
            last.bytes += (length + data.len()) as u64;
            last.threads += u64::from(new_thread);
        }
    }

    fn begin_generation(&mut self, number: Generation) {
        self.generation_threads.clear();
        self.ended = self.generations.len() >= MAX_GENERATIONS;
        if !self.ended {
            self.generations.push(RawGeneration {
                number,
                batches: 0,
                bytes: 0,
                threads: 0,
            });
        }
    }

    /// Counts the records in a batch's data.
    fn records(&mut self, data: &[u8]) {
        let mut rest = data;
        // The newest version has all records: whether this one has them is another question.
        while let Ok(Some(record)) = decode_record(rest, Version::Go126) {
            let event_type = record.event_type();
            // No batch stands inside another one.
            if event_type.spec().class == Class::Framing {
                break;
            }
            let length = record.bytes().len();
            self.types[usize::from(event_type.to_wire())].add(length);
            rest = &rest[length..];
        }
        self.uncounted += rest.len() as u64;
    }
}

#[cfg(test)]
mod tests;
