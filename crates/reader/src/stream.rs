//! The events of one thread in one generation, decoded in chunks.

use std::{collections::VecDeque, sync::Arc};

use exectrace_wire::{ArgKind, DecodeError, EventType, SPECS, ThreadId, decode_event};

use crate::{clock::Clock, pool::BufferPool, tables::Tables};

/// A decoded event that waits to be ordered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    /// Nanoseconds on the trace clock.
    pub(crate) time: i64,
    /// The arguments without the time delta.
    pub(crate) args: [u64; 4],
    /// Offset in the batch's data.
    pub(crate) at: u32,
    pub(crate) event_type: EventType,
    /// Whether a string or stack that the event names is not in the generation's tables.
    pub(crate) dangling: bool,
}

/// Decoded events of one batch, a part of it or all.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) events: Vec<Decoded>,
    /// Offset of the batch's data in the trace.
    pub(crate) data_offset: u64,
    /// Why the events end before the batch does.
    pub(crate) error: Option<(u32, DecodeError)>,
    /// In salvage mode: bytes were lost before this chunk, perhaps with batches of this thread.
    pub(crate) after_gap: bool,
}

/// Events in a chunk: large enough to make the hand-over between threads cheap, small enough that
/// the chunks of a dozen threads stay in a core's cache.
pub(crate) const CHUNK_EVENTS: usize = 1024;

/// The data of a batch of events.
#[derive(Debug)]
pub(crate) struct EventBatch {
    /// In clock units.
    pub(crate) time: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) data_offset: u64,
    pub(crate) after_gap: bool,
}

/// The batches of one thread in one generation, in file order, and how far they are decoded.
///
/// Batch times are not to be trusted and never sorted by (format specification, section 2.1).
#[derive(Debug)]
pub(crate) struct ThreadStream {
    pub(crate) thread: Option<ThreadId>,
    batches: VecDeque<EventBatch>,
    /// Decoded bytes of the first batch.
    decoded: usize,
    /// The time of the last decoded event of the first batch, in nanoseconds; 0 before the first
    /// (and, as in Go, after an event at 0).
    time: i64,
}

impl ThreadStream {
    pub(crate) fn new(thread: Option<ThreadId>) -> Self {
        Self {
            thread,
            batches: VecDeque::new(),
            decoded: 0,
            time: 0,
        }
    }

    pub(crate) fn push(&mut self, batch: EventBatch) {
        // Empty batches are legal and hold nothing.
        if !batch.data.is_empty() {
            self.batches.push_back(batch);
        }
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.batches.is_empty()
    }

    /// Bytes that are not decoded yet.
    pub(crate) fn remaining_bytes(&self) -> u64 {
        self.batches
            .iter()
            .map(|batch| batch.data.len() as u64)
            .sum::<u64>()
            - self.decoded as u64
    }

    /// Decodes the next events into `chunk`, replacing what is in it. The chunk stays empty, with
    /// no error, only if the stream is exhausted.
    pub(crate) fn decode(&mut self, chunk: &mut Chunk, context: &DecodeContext) {
        chunk.events.clear();
        chunk.error = None;
        let Some(batch) = self.batches.front() else {
            return;
        };
        chunk.data_offset = batch.data_offset;
        chunk.after_gap = batch.after_gap && self.decoded == 0;
        let data = &batch.data[..];
        let mut at = self.decoded;
        let mut time = self.time;
        if time == 0 {
            time = context.clock.nanos(batch.time);
        }
        let tables = &*context.tables;
        chunk.events.reserve(CHUNK_EVENTS);
        while at < data.len() && chunk.events.len() < CHUNK_EVENTS {
            let (event, length) = match decode_event(&data[at..]) {
                Ok(decoded) => decoded,
                Err(error) => {
                    chunk.error = Some((at as u32, error));
                    break;
                }
            };
            let &[delta, ref args @ ..] = event.padded_args();
            time = time.wrapping_add(context.clock.nanos(delta));
            chunk.events.push(Decoded {
                time,
                args: *args,
                at: at as u32,
                event_type: event.event_type,
                dangling: is_dangling(event.event_type, args, tables),
            });
            at += length;
            if time == 0 {
                time = context.clock.nanos(batch.time);
            }
        }
        self.decoded = at;
        self.time = time;
        if at == data.len() {
            self.finish_batch(&context.pool);
        } else if chunk.error.is_some() {
            // Nothing behind a malformed event can be decoded: its length is unknown.
            self.finish_batch(&context.pool);
        }
    }

    fn finish_batch(&mut self, pool: &BufferPool) {
        if let Some(batch) = self.batches.pop_front() {
            pool.give(batch.data);
        }
        self.decoded = 0;
        self.time = 0;
    }
}

/// What decoding needs of the generation.
#[derive(Clone, Debug)]
pub(crate) struct DecodeContext {
    pub(crate) clock: Clock,
    pub(crate) tables: Arc<Tables>,
    pub(crate) pool: BufferPool,
}

/// For each wire byte, which arguments (without the time delta) are string ids (low four bits) and
/// stack ids (high four bits).
const REFERENCES: [u8; 256] = {
    let mut references = [0; 256];
    let mut row = 0;
    while row < SPECS.len() {
        let spec = &SPECS[row];
        if spec.is_timed() {
            let mut arg = 1;
            while arg < spec.args.len() {
                references[spec.event_type as usize] |= match spec.args[arg].kind {
                    ArgKind::String => 1 << (arg - 1),
                    ArgKind::Stack => 16 << (arg - 1),
                    _ => 0,
                };
                arg += 1;
            }
        }
        row += 1;
    }
    references
};

/// Whether an event names a string or stack that is not there.
#[inline(always)]
fn is_dangling(event_type: EventType, args: &[u64; 4], tables: &Tables) -> bool {
    let references = REFERENCES[event_type as usize];
    let mut dangling = false;
    for (i, &arg) in args.iter().enumerate() {
        if references & (1 << i) != 0 {
            dangling |= !tables.strings.contains(arg);
        }
        if references & (16 << i) != 0 {
            dangling |= !tables.stacks.contains(arg);
        }
    }
    dangling
}

/// The first string or stack that an event names and that is not there.
#[cold]
pub(crate) fn find_dangling(
    event_type: EventType,
    args: &[u64; 4],
    tables: &Tables,
) -> Option<crate::error::ErrorKind> {
    use crate::error::ErrorKind;
    let specs = event_type.spec().args.iter().skip(1);
    specs.zip(args).find_map(|(spec, &arg)| match spec.kind {
        ArgKind::String if !tables.strings.contains(arg) => Some(ErrorKind::MissingString(arg)),
        ArgKind::Stack if !tables.stacks.contains(arg) => Some(ErrorKind::MissingStack(arg)),
        _ => None,
    })
}
