//! The events of one thread in one generation, decoded in chunks.

use std::{collections::VecDeque, sync::Arc};

use exectrace_wire::{
    ArgKind, DecodeError, EventType, SPECS, ThreadId, decode_event_into, limits::MAX_ARGS,
};

use crate::{clock::Clock, pool::BufferPool, tables::Tables};

/// A decoded event that waits to be ordered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    /// The time in nanoseconds on the trace clock (in place of the time delta), then the arguments.
    /// Numbers that the event does not have are arbitrary.
    words: [u64; MAX_ARGS],
    /// Offset in the batch's data.
    pub(crate) at: u32,
    pub(crate) event_type: EventType,
    /// Whether a string or stack that the event names is not in the generation's tables.
    pub(crate) dangling: bool,
}

/// Arguments of an event, without its time.
pub(crate) type Args = [u64; MAX_ARGS - 1];

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
    /// Room for events, of which the first `len` hold some.
    room: Vec<Decoded>,
    len: usize,
    /// Offset of the batch's data in the trace.
    pub(crate) data_offset: u64,
    /// Why the events end before the batch does.
    pub(crate) error: Option<(u32, DecodeError)>,
    /// In salvage mode: bytes were lost before this chunk, perhaps with batches of this thread.
    pub(crate) after_gap: bool,
}

impl Chunk {
    #[inline(always)]
    pub(crate) fn events(&self) -> &[Decoded] {
        &self.room[..self.len]
    }

    #[inline(always)]
    pub(crate) fn get(&self, at: usize) -> Option<&Decoded> {
        // Not by way of a slice: its bounds would be checked too.
        if at < self.len {
            self.room.get(at)
        } else {
            None
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.error = None;
        self.after_gap = false;
    }
}

/// Events in a chunk: large enough to make the hand-over between threads cheap, small enough that
/// the chunks of a dozen threads stay in a core's cache.
pub(crate) const CHUNK_EVENTS: usize = 1024;

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
        chunk.clear();
        let Some((batch, after_gap)) = self.batches.front() else {
            return;
        };
        chunk.data_offset = batch.data_offset;
        chunk.after_gap = *after_gap && self.decoded == 0;
        let data = &batch.data[..];
        let mut at = self.decoded;
        let mut time = self.time;
        if time == 0 {
            time = context.clock.nanos(batch.time);
        }
        let tables = &*context.tables;
        // No more room than the data can fill: a hostile trace may have very many short batches.
        let room = CHUNK_EVENTS.min((data.len() - at).div_ceil(MIN_EVENT_BYTES));
        if chunk.room.len() < room {
            chunk.room.resize(room, Decoded::BLANK);
        }
        let mut decoded = 0;
        for event in &mut chunk.room {
            if at >= data.len() {
                break;
            }
            let (event_type, length) = match decode_event_into(&data[at..], &mut event.words) {
                Ok(decoded) => decoded,
                Err(error) => {
                    chunk.error = Some((at as u32, error));
                    break;
                }
            };
            event.dangling = is_dangling(event_type, &event.words, tables);
            time = time.wrapping_add(context.clock.nanos(event.words[0]));
            event.words[0] = time as u64;
            event.at = at as u32;
            event.event_type = event_type;
            at += length;
            decoded += 1;
            if time == 0 {
                time = context.clock.nanos(batch.time);
            }
        }
        chunk.len = decoded;
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

/// Which of an event's numbers are ids of the generation's tables, as places in
/// [`Decoded::words`].
#[derive(Clone, Copy)]
struct References {
    string: u8,
    stack: u8,
    /// Whether there are more: they are looked for one by one.
    more: bool,
}

/// The place of the time, which refers to nothing: what stands there is masked to 0.
const NO_REFERENCE: u8 = 0;

/// The references of each timed event, by wire byte.
const REFERENCES: [References; 256] = {
    let none = References {
        string: NO_REFERENCE,
        stack: NO_REFERENCE,
        more: false,
    };
    let mut references = [none; 256];
    let mut row = 0;
    while row < SPECS.len() {
        let spec = &SPECS[row];
        if spec.is_timed() {
            let entry = &mut references[spec.event_type as usize];
            let mut arg = 0;
            while arg < spec.args.len() {
                match spec.args[arg].kind {
                    ArgKind::String => {
                        entry.more |= entry.string != NO_REFERENCE;
                        entry.string = arg as u8;
                    }
                    ArgKind::Stack => {
                        entry.more |= entry.stack != NO_REFERENCE;
                        entry.stack = arg as u8;
                    }
                    _ => {}
                }
                arg += 1;
            }
        }
        row += 1;
    }
    references
};

/// Whether an event names a string or stack that is not there. `words` still has the time delta.
#[inline(always)]
fn is_dangling(event_type: EventType, words: &[u64; MAX_ARGS], tables: &Tables) -> bool {
    let References {
        string,
        stack,
        more,
    } = REFERENCES[event_type as usize];
    let id = |place: u8| {
        let mask = u64::from(place == NO_REFERENCE).wrapping_sub(1);
        words.get(place as usize).copied().unwrap_or(0) & mask
    };
    // Without short-circuits: ids are hardly ever missing, so one branch is enough.
    let sound = tables.strings.is_contiguous_to(id(string))
        & tables.stacks.is_contiguous_to(id(stack))
        & !more;
    !sound && find_dangling_words(event_type, words, tables)
}

#[cold]
fn find_dangling_words(event_type: EventType, words: &[u64; MAX_ARGS], tables: &Tables) -> bool {
    let &[_, a, b, c, d] = words;
    find_dangling(event_type, &[a, b, c, d], tables).is_some()
}

/// The first string or stack that an event names and that is not there.
#[cold]
pub(crate) fn find_dangling(
    event_type: EventType,
    args: &Args,
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
