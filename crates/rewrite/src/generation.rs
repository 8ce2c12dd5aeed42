//! A generation that is being written.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use exectrace_reader::{Stack, Sync, Text};
use exectrace_wire::{
    BatchHeader, EventType as E, Generation, ThreadId, Ticks, Version,
    limits::{
        MAX_BATCH_BYTES, MAX_BATCH_HEADER_BYTES, MAX_STACK_FRAMES, MAX_STRING_BYTES,
        MAX_TIMED_EVENT_BYTES,
    },
    section::{Section, push_batch, push_header, push_number},
};

/// Clock units are nanoseconds: all times of a reader are whole ones, and converted times add up
/// without rounding, so that a thread's batches are as long as they may be.
const FREQUENCY: u64 = 1_000_000_000;

/// Beyond this, readers round absolute times, which they convert in floating point, but not the
/// differences within a batch.
const EXACT: u64 = 1 << 53;

/// All multiples of it have a floating point number of their own: times are below 2^63.
const ROUND: u64 = 1 << 11;

/// The batches of a generation, as far as they are not written yet, and its tables.
#[derive(Debug)]
pub(crate) struct OpenGeneration {
    number: Generation,
    /// The time of its sync, at which batches without a time of their own begin.
    start: u64,
    batches: BTreeMap<u64, OpenBatch>,
    strings: Section,
    string_ids: HashMap<Vec<u8>, u64>,
    /// By the ids of the trace that is read.
    known_strings: HashMap<u64, u64>,
    stacks: Section,
    known_stacks: HashMap<u64, u64>,
    samples: Section,
    frames: Vec<u8>,
}

#[derive(Debug, Default)]
struct OpenBatch {
    start: u64,
    last: u64,
    data: Vec<u8>,
}

impl OpenGeneration {
    /// Begins a generation with its clocks and the batches of experiments. `is_raised` says that its
    /// sync is at `start` only because events of the generation before are later than its own.
    pub(crate) fn begin(
        out: &mut impl Write,
        version: Version,
        number: Generation,
        start: u64,
        is_raised: bool,
        sync: &Sync<'_>,
    ) -> io::Result<Self> {
        let mut bytes = Vec::new();
        // 1. The clocks. The snapshot's time is a difference to the batch's.
        let mut time = start;
        let mut data = Vec::new();
        if version.has_clock_snapshot() {
            data.push(E::Sync.to_wire());
        }
        data.push(E::Frequency.to_wire());
        push_number(&mut data, FREQUENCY);
        if version.has_clock_snapshot() {
            let (at, monotonic, seconds, nanos) = match sync.clock() {
                Some(clock) => (
                    u64::try_from(clock.trace.nanos()).unwrap_or(start),
                    clock.monotonic_nanos,
                    clock.wall.seconds() as u64,
                    u64::from(clock.wall.nanos()),
                ),
                None => (start, start, start / FREQUENCY, start % FREQUENCY),
            };
            // A reader raises the sync's time again; otherwise, the difference wraps around.
            if is_raised {
                time = time.min(at);
            }
            data.push(E::ClockSnapshot.to_wire());
            for number in [at.wrapping_sub(time), monotonic, seconds, nanos] {
                push_number(&mut data, number);
            }
        }
        push_batch(&mut bytes, number, None, time, &data);
        // 2. The experiments.
        if E::ExperimentalBatch.available_in(version) {
            for batch in sync.experimental_batches() {
                let header = BatchHeader {
                    experiment: batch.experiment,
                    generation: number,
                    thread: batch.thread,
                    time: Ticks(start),
                    size: batch.data.len(),
                };
                push_header(&mut bytes, &header);
                bytes.extend_from_slice(batch.data);
            }
        }
        out.write_all(&bytes)?;
        Ok(Self {
            number,
            start,
            batches: BTreeMap::new(),
            strings: Section::new(E::Strings),
            string_ids: HashMap::new(),
            known_strings: HashMap::new(),
            stacks: Section::new(E::Stacks),
            known_stacks: HashMap::new(),
            samples: Section::new(E::CPUSamples),
            frames: Vec::new(),
        })
    }

    /// The id of a string; 0 for the empty one.
    pub(crate) fn string(&mut self, text: Text<'_>) -> u64 {
        let text = text.as_bytes();
        let text = &text[..text.len().min(MAX_STRING_BYTES)];
        if text.is_empty() {
            return 0;
        }
        if let Some(id) = self.string_ids.get(text) {
            return *id;
        }
        let id = self.string_ids.len() as u64 + 1;
        self.string_ids.insert(text.to_vec(), id);
        self.strings.push(E::String, &[id, text.len() as u64], text);
        id
    }

    /// The id of a string that the trace that is read calls `id`.
    pub(crate) fn string_of<'a>(&mut self, id: u64, text: impl FnOnce() -> Text<'a>) -> u64 {
        if id == 0 {
            return 0;
        }
        match self.known_strings.get(&id) {
            Some(known) => *known,
            None => {
                let own = self.string(text());
                self.known_strings.insert(id, own);
                own
            }
        }
    }

    /// The id of a stack; 0 for none.
    pub(crate) fn stack(&mut self, stack: Option<Stack<'_>>) -> u64 {
        let Some(stack) = stack.filter(|stack| stack.id() != 0) else {
            return 0;
        };
        if let Some(known) = self.known_stacks.get(&stack.id()) {
            return *known;
        }
        let id = self.known_stacks.len() as u64 + 1;
        self.known_stacks.insert(stack.id(), id);
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        let count = stack.frames().len().min(MAX_STACK_FRAMES);
        for frame in stack.frames().take(count) {
            let numbers = [
                frame.pc,
                self.string(frame.function),
                self.string(frame.file),
                frame.line,
            ];
            for number in numbers {
                push_number(&mut frames, number);
            }
        }
        self.stacks.push(E::Stack, &[id, count as u64], &frames);
        self.frames = frames;
        id
    }

    /// Adds an event. The first of `numbers`, its time delta, is filled in.
    pub(crate) fn event(
        &mut self,
        out: &mut impl Write,
        thread: Option<ThreadId>,
        time: u64,
        event_type: E,
        numbers: &mut [u64],
    ) -> io::Result<()> {
        let number = self.number;
        let first = self.batch_start(time);
        let key = ThreadId::to_wire(thread);
        let batch = self.batches.entry(key).or_default();
        if batch.data.len() + MAX_TIMED_EVENT_BYTES > MAX_BATCH_BYTES {
            write_batch(out, number, thread, batch)?;
        }
        if batch.data.is_empty() {
            batch.start = first;
            batch.last = first;
        }
        if let Some(delta) = numbers.first_mut() {
            *delta = time.saturating_sub(batch.last);
        }
        batch.last = time;
        batch.data.push(event_type.to_wire());
        for number in numbers {
            push_number(&mut batch.data, *number);
        }
        Ok(())
    }

    /// Where a batch whose first event is at `time` begins.
    const fn batch_start(&self, time: u64) -> u64 {
        // A reader takes 0 for a time that is not set: if the generation begins there, no batch may
        // have another, otherwise the generation begins at that. And a time that readers round is
        // reached with a difference from one that they do not.
        if self.start == 0 {
            0
        } else if time < EXACT {
            time
        } else {
            time - time % ROUND
        }
    }

    /// Adds a CPU sample: time, thread, proc, goroutine and stack, as on the wire.
    pub(crate) fn sample(&mut self, numbers: &[u64; 5]) {
        self.samples.push(E::CPUSample, numbers, &[]);
    }

    /// Writes what is left.
    pub(crate) fn finish(mut self, out: &mut impl Write, version: Version) -> io::Result<()> {
        for (thread, batch) in &mut self.batches {
            write_batch(out, self.number, ThreadId::from_wire(*thread), batch)?;
        }
        let mut bytes = Vec::new();
        for section in [self.stacks, self.strings, self.samples] {
            for data in section.finish() {
                push_batch(&mut bytes, self.number, None, self.start, &data);
            }
        }
        if version.has_end_of_generation() {
            bytes.push(E::EndOfGeneration.to_wire());
        }
        out.write_all(&bytes)
    }
}

fn write_batch(
    out: &mut impl Write,
    generation: Generation,
    thread: Option<ThreadId>,
    batch: &mut OpenBatch,
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(MAX_BATCH_HEADER_BYTES + batch.data.len());
    push_batch(&mut bytes, generation, thread, batch.start, &batch.data);
    out.write_all(&bytes)?;
    batch.data.clear();
    Ok(())
}
