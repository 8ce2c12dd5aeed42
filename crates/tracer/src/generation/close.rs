//! The end of a generation: from what the threads have written to the bytes of a trace.

use std::collections::BTreeMap;

use exectrace_wire::{
    BatchHeader, EventType, Generation, GoroutineId, ProcId, ThreadId, Ticks,
    limits::{MAX_BATCH_HEADER_BYTES, MAX_TIMED_EVENT_BYTES},
};

use super::{EncodedGeneration, stacks};
use crate::{
    block::Block,
    clock::{self, Snapshot},
    raw::{collector, slots},
    status::{State, Word},
    strings::Table,
    thread_state::{self, Over},
};

/// A batch is cut when its data is this long.
const CUT_BYTES: usize = 60_000;

/// What the end of a generation needs to know.
#[derive(Debug)]
pub(crate) struct Closing<'a> {
    pub(crate) over: &'a Over,
    pub(crate) started: Snapshot,
    pub(crate) ended: Ticks,
}

/// Takes what was written in a generation; every section of it is over.
///
/// The bytes are those of the whole generation. The statuses of who had no event stand at the end:
/// nothing in the generation depends on them. The blocks that all was written to come along.
pub(crate) fn close(closing: &Closing<'_>) -> (EncodedGeneration, Vec<Block>) {
    let mut out = Output::new(closing);

    // 1. The clocks.
    out.sync(&closing.started);

    // 2. What threads have finished, then what they have begun. In this order, since the events of one
    //    thread stand in the order of its batches.
    let (blocks, mut events) = take_all(closing);
    out.bytes
        .reserve(blocks.iter().map(|block| block.bytes().len()).sum());
    for block in &blocks {
        out.bytes.extend_from_slice(block.bytes());
    }

    // 3. Who had no event.
    out.statuses(closing);
    events += out.events;

    // 4. Stacks, and the strings that they need.
    let strings = Table::of(closing.over.phase());
    for data in stacks::encode(&closing.over.stacks(), strings) {
        out.batch(None, closing.ended, &data);
    }

    // 5. The end. String batches stand among the others.
    strings.clear();
    out.bytes.push(EventType::EndOfGeneration.to_wire());
    let generation = EncodedGeneration {
        number: out.generation,
        started: closing.started.time,
        ended: closing.ended,
        ticks_per_second: clock::TICKS_PER_SECOND,
        events,
        bytes: out.bytes,
    };
    (generation, blocks)
}

/// Takes what was written in a generation that is lost, and says how many events that were.
pub(crate) fn discard(closing: &Closing<'_>) -> u64 {
    let (_, events) = take_all(closing);
    Table::of(closing.over.phase()).clear();
    events
}

fn take_all(closing: &Closing<'_>) -> (Vec<Block>, u64) {
    closing.over.flush();
    let mut collected = thread_state::collected(closing.over.phase());
    let events = std::mem::take(&mut collected.events);
    (std::mem::take(&mut collected.blocks), events)
}

struct Output {
    generation: Generation,
    time: Ticks,
    bytes: Vec<u8>,
    events: u64,
}

impl Output {
    fn new(closing: &Closing<'_>) -> Self {
        Self {
            generation: Generation(closing.over.phase()),
            time: closing.ended,
            bytes: Vec::new(),
            events: 0,
        }
    }

    fn batch(&mut self, thread: Option<ThreadId>, time: Ticks, data: &[u8]) {
        let header = BatchHeader {
            experiment: 0,
            generation: self.generation,
            thread,
            time,
            size: data.len(),
        };
        let mut buffer = [0; MAX_BATCH_HEADER_BYTES];
        // The buffer has room for every header.
        let length = header.write(&mut buffer).unwrap_or(0);
        self.bytes.extend_from_slice(&buffer[..length]);
        self.bytes.extend_from_slice(data);
    }

    fn sync(&mut self, snapshot: &Snapshot) {
        let mut data = vec![EventType::Sync.to_wire()];
        record(&mut data, EventType::Frequency, &[clock::TICKS_PER_SECOND]);
        let wall = snapshot.wall;
        record(
            &mut data,
            EventType::ClockSnapshot,
            &[
                0,
                snapshot.monotonic_ns,
                wall.as_secs(),
                wall.subsec_nanos().into(),
            ],
        );
        self.batch(None, snapshot.time, &data);
    }

    /// Whoever executes on a thread has its status in a batch of that thread, the others in batches of
    /// none.
    fn statuses(&mut self, closing: &Closing<'_>) {
        let mut by_thread: BTreeMap<Option<ThreadId>, Vec<Vec<u8>>> = BTreeMap::new();
        let mut add = |word: Word, event: EventType, arguments: &[u64], range: EventType| {
            let executing = !matches!(word.state(), State::Runnable | State::Waiting | State::Idle);
            let thread = executing.then_some(ThreadId(word.thread().into()));
            let batches = by_thread.entry(thread).or_default();
            if batches.last().is_none_or(|data| data.len() > CUT_BYTES) {
                batches.push(Vec::new());
            }
            let Some(data) = batches.last_mut() else {
                return;
            };
            record(data, event, arguments);
            self.events += 1;
            if word.is_in_range() {
                record(data, range, &arguments[..2]);
                self.events += 1;
            }
        };
        for proc in slots::all_procs() {
            if let Some(word) = proc.at_end_of(closing.over.phase())
                && let Some(status) = word.proc_status()
            {
                let arguments = [1, ProcId(proc.id()).0, status.to_wire()];
                add(
                    word,
                    EventType::ProcStatus,
                    &arguments,
                    EventType::GCSweepActive,
                );
            }
        }
        for goroutine in slots::all_goroutines() {
            if let Some(word) = goroutine.at_end_of(closing.over.phase())
                && let Some(status) = word.goroutine_status()
            {
                let executing = matches!(word.state(), State::Running | State::Syscall);
                let thread = executing.then_some(ThreadId(word.thread().into()));
                let id = GoroutineId(goroutine.id()).0;
                let arguments = [1, id, ThreadId::to_wire(thread), status.to_wire()];
                add(
                    word,
                    EventType::GoStatus,
                    &arguments,
                    EventType::GCMarkAssistActive,
                );
            }
        }
        for (thread, batches) in by_thread {
            // The end of the generation, so that nothing looks later than it was; but the collector's
            // thread is there from the beginning.
            let time = match thread {
                Some(collector::THREAD) => closing.started.time,
                _ => self.time,
            };
            for data in batches {
                self.batch(thread, time, &data);
            }
        }
        if let Some((data, events)) = collector::batch(closing.over.phase()) {
            self.events += events;
            self.batch(Some(collector::THREAD), closing.started.time, &data);
        }
    }
}

/// Appends a record to a batch's data.
pub(crate) fn record(data: &mut Vec<u8>, record: EventType, numbers: &[u64]) {
    let mut buffer = [0; MAX_TIMED_EVENT_BYTES];
    let length = exectrace_wire::encode_event(&mut buffer, record, numbers);
    debug_assert!(length.is_ok(), "the numbers do not fit the record");
    data.extend_from_slice(&buffer[..length.unwrap_or(0)]);
}
