//! The events of one thread in one generation, decoded in chunks.

use std::{collections::VecDeque, sync::Arc};

use exectrace_wire::{DecodeError, EventType, ThreadId, limits::MAX_ARGS};

use crate::{
    clock::Clock,
    pool::BufferPool,
    shape::{self, Args, Ids, Words},
    tables::Tables,
};

/// A decoded event that waits to be ordered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    /// The time in nanoseconds on the trace clock (in place of the time delta), then the arguments.
    /// Numbers that the event does not have are arbitrary.
    words: Words,
    /// Offset in the batch's data.
    pub(crate) at: u32,
    pub(crate) event_type: EventType,
    /// Whether a string or stack that the event names is not in the generation's tables.
    pub(crate) dangling: bool,
}

impl Decoded {
    const BLANK: Self = Self {
        words: [0; MAX_ARGS],
        at: 0,
        event_type: EventType::ProcStop,
        dangling: false,
    };

    #[inline(always)]
    pub(crate) fn time(&self) -> i64 {
        self.words[0] as i64
    }

    #[inline(always)]
    pub(crate) fn args(&self) -> Args {
        let [_, a, b, c, d] = self.words;
        [a, b, c, d]
    }

    /// As [`Self::args`], in place.
    #[inline(always)]
    pub(crate) fn args_in_place(&self) -> &Args {
        let [_, args @ ..] = &self.words;
        args
    }

    /// The argument at `N`, without a copy of the others.
    #[inline(always)]
    pub(crate) fn arg<const N: usize>(&self) -> u64 {
        const { assert!(N + 1 < MAX_ARGS) };
        self.words[N + 1]
    }

    /// Another event at the same time and place.
    pub(crate) fn derive(&self, event_type: EventType, [a, b, c, d]: Args) -> Self {
        Self {
            words: [self.words[0], a, b, c, d],
            event_type,
            ..*self
        }
    }
}

/// Decoded events of one batch, a part of it or all.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) events: Vec<Decoded>,
    /// See [`Self::plain_events`].
    plain: usize,
    /// Offset of the batch's data in the trace.
    pub(crate) data_offset: u64,
    /// Why the events end before the batch does.
    pub(crate) error: Option<(u32, DecodeError)>,
    /// In salvage mode: bytes were lost before this chunk, perhaps with batches of this thread.
    pub(crate) after_gap: bool,
}

impl Chunk {
    /// The events from `at` on up to, but without, the first that needs more care: one that names
    /// something missing, or the last, behind which an error may be.
    #[inline(always)]
    pub(crate) fn plain_events(&self, at: usize) -> &[Decoded] {
        self.events.get(at..self.plain).unwrap_or_default()
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.plain = 0;
        self.error = None;
        self.after_gap = false;
    }
}

/// Events in a chunk: so many that a used chunk has left the other core's cache before it is filled
/// again, and that to decode one takes longer than to wake a thread. Measured: a quarter of it makes
/// two threads a third slower, and one thread no faster.
pub(crate) const CHUNK_EVENTS: usize = 4096;

/// Bytes of the shortest event: its type and its time delta.
const MIN_EVENT_BYTES: usize = 2;

/// The data of a batch of events.
#[derive(Debug)]
pub(crate) struct EventBatch {
    /// In clock units.
    pub(crate) time: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) data_offset: u64,
}

/// The batches of one thread in one generation, in file order, and how far they are decoded.
///
/// Batch times are not to be trusted and never sorted by (format specification, section 2.1).
#[derive(Debug)]
pub(crate) struct ThreadStream {
    pub(crate) thread: Option<ThreadId>,
    /// With each, whether batches of the thread may have been lost before it.
    batches: VecDeque<(EventBatch, bool)>,
    /// In salvage mode: the gaps in the generation before the last batch.
    gaps: u32,
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
            gaps: 0,
            decoded: 0,
            time: 0,
        }
    }

    /// Adds a batch. `gaps` is how often bytes of the generation were lost before it.
    pub(crate) fn push(&mut self, batch: EventBatch, gaps: u32) {
        // Empty batches are legal and hold nothing.
        if !batch.data.is_empty() {
            let after_gap = self.gaps != gaps;
            self.gaps = gaps;
            self.batches.push_back((batch, after_gap));
        }
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.batches.is_empty()
    }

    /// Decodes the next events into `chunk`, replacing what is in it. The chunk stays empty, with
    /// no error, only if the stream is exhausted.
    pub(crate) fn decode(&mut self, chunk: &mut Chunk, context: &DecodeContext) {
        let Some((batch, after_gap)) = self.batches.front() else {
            chunk.clear();
            return;
        };
        // The events are overwritten: to clear them would mean to fill them twice.
        chunk.error = None;
        chunk.data_offset = batch.data_offset;
        chunk.after_gap = *after_gap && self.decoded == 0;
        let data = &batch.data[..];
        let mut at = self.decoded;
        let mut time = self.time;
        if time == 0 {
            time = context.clock.nanos(batch.time);
        }
        let ids = Ids::new(&context.tables);
        // No more room than the data can fill: a hostile trace may have very many short batches.
        let room = CHUNK_EVENTS.min((data.len() - at).div_ceil(MIN_EVENT_BYTES));
        if chunk.events.len() < room {
            chunk.events.resize(room, Decoded::BLANK);
        }
        let room = chunk.events.len();
        let mut blank = chunk.events.iter_mut();
        let mut unused = 0;
        let mut any_dangling = false;
        for event in blank.by_ref() {
            if at >= data.len() {
                unused = 1;
                break;
            }
            let rest = &data[at..];
            let found = match rest.first_chunk() {
                Some(window) => shape::decode_in_window(window, &mut event.words, ids),
                None => None,
            };
            // MUST be taken apart here, otherwise both ways meet in memory.
            let (event_type, length, dangling) = match found {
                Some(found) => (found.event_type, found.length, found.dangling),
                None => match shape::decode_any(rest, &mut event.words, ids) {
                    Ok(found) => (found.event_type, found.length, found.dangling),
                    Err(error) => {
                        chunk.error = Some((at as u32, error));
                        unused = 1;
                        break;
                    }
                },
            };
            time = time.wrapping_add(context.clock.nanos(event.words[0]));
            event.words[0] = time as u64;
            event.at = at as u32;
            event.event_type = event_type;
            event.dangling = dangling;
            any_dangling |= dangling;
            at += length;
            if time == 0 {
                time = context.clock.nanos(batch.time);
            }
        }
        let used = room - blank.len() - unused;
        chunk.events.truncate(used);
        chunk.plain = used.saturating_sub(1);
        if any_dangling && let Some(at) = chunk.events.iter().position(|e| e.dangling) {
            chunk.plain = chunk.plain.min(at);
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
        if let Some((batch, _)) = self.batches.pop_front() {
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
