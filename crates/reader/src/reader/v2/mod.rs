//! The reader of the v2 formats: generations in, ordered events out.

mod aside;
mod failure;
mod generations;
mod visit;

use std::{io::Read, sync::Arc};

use exectrace_wire::{Generation, ThreadId, Version};

use super::Options;
use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Place, Stalled},
    event::Event,
    frontier::{Entry, Frontier},
    generation::GenerationData,
    limits::{FREE_TRIES, TRIES_PER_EVENT},
    load::{CpuSample, LoadedGeneration},
    order::{Ordering, Refusal, ThreadSlot},
    pipeline::Pipeline,
    pool::BufferPool,
    record::{NONE, Record, What},
    salvage::{LossKind, SalvageReport},
    salvaging::Salvaging,
    shape::find_dangling,
    source::{GenerationReader, Next},
    stats::Stats,
    stream::{Chunk, DecodeContext, Decoded, ThreadStream},
    tables::Tables,
};

/// Reads a trace of the v2 formats; see [`crate::Reader`].
pub(crate) struct V2Reader<'s> {
    version: Version,
    input: Input<'s>,
    generation: Arc<GenerationData>,
    tables: Arc<Tables>,
    decode_context: DecodeContext,
    /// The number of the first generation with an event.
    first_number: Option<u64>,
    cursors: Vec<Cursor>,
    frontier: Frontier,
    /// The run of the thread at the top of the frontier, which has the time with which it began.
    run: Run,
    samples: std::vec::IntoIter<CpuSample>,
    /// The time of the next CPU sample; `i64::MAX` if there is none.
    next_sample: i64,
    order: Ordering,
    /// Attempts to advance an event out of the order of time.
    tries: u64,
    /// The place in the frontier of the event that the last error is about.
    culprit: usize,
    salvaging: Option<Box<Salvaging>>,
    /// The time of the last delivered event.
    last_time: i64,
    syncs: u64,
    phase: Phase,
    stats: Stats,
}

/// What follows when the current generation is used up.
enum Phase {
    /// Another generation, or the end.
    Reading,
    /// A sync, then an error.
    Failing(Error),
    /// The error, again and again.
    Failed(Error),
    /// Nothing.
    Ended,
}

/// Where generations and chunks come from.
enum Input<'s> {
    Inline {
        source: Box<GenerationReader<Box<dyn Read + 's>>>,
        streams: Vec<ThreadStream>,
    },
    Overlapped(Pipeline),
}

/// The place of one of the trace's threads in its events.
struct Cursor {
    thread: Option<ThreadId>,
    slot: Option<ThreadSlot>,
    chunk: Chunk,
    at: usize,
}

/// Consecutive events of one thread that are earlier than every other thread's next event and the
/// next CPU sample: the frontier need not be asked between them.
struct Run {
    /// The cursor at the top of the frontier; it has a next event. [`NO_CURSOR`] if there is none.
    cursor: usize,
    slot: ThreadSlot,
    /// The last time at which the run goes on. At the time of another thread's next event it still
    /// does, since Go's heap moves an entry down only below a strictly earlier one.
    until: i64,
}

const NO_CURSOR: usize = usize::MAX;

impl Run {
    const NONE: Self = Self {
        cursor: NO_CURSOR,
        slot: ThreadSlot::NONE,
        until: i64::MIN,
    };
}

impl<'s> V2Reader<'s> {
    /// Everything happens on the calling thread.
    pub(crate) fn inline(source: GenerationReader<Box<dyn Read + 's>>, options: &Options) -> Self {
        let version = source.version();
        Self::from_input(
            version,
            Input::Inline {
                source: Box::new(source),
                streams: Vec::new(),
            },
            options,
        )
    }

    fn from_input(version: Version, input: Input<'s>, options: &Options) -> Self {
        let tables = Arc::new(Tables::default());
        Self {
            version,
            input,
            generation: Arc::new(GenerationData {
                number: Generation(0),
                frequency: 0,
                clock: None,
                tables: Arc::clone(&tables),
                bytes: 0,
                threads: 0,
                experimental: Vec::new(),
            }),
            decode_context: DecodeContext {
                clock: Clock::new(0),
                tables: Arc::clone(&tables),
                pool: BufferPool::default(),
            },
            tables,
            first_number: None,
            cursors: Vec::new(),
            frontier: Frontier::default(),
            run: Run::NONE,
            samples: Vec::new().into_iter(),
            next_sample: i64::MAX,
            order: Ordering::new(),
            tries: 0,
            culprit: 0,
            salvaging: options.salvage.then(Box::default),
            last_time: 0,
            syncs: 0,
            phase: Phase::Reading,
            stats: Stats::default(),
        }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn stats(&self) -> Stats {
        let bytes = match &self.input {
            Input::Inline { source, .. } => source.offset(),
            Input::Overlapped(pipeline) => pipeline.offset(),
        };
        Stats {
            bytes,
            ..self.stats
        }
    }

    pub(crate) fn salvage_report(&self) -> Option<&SalvageReport> {
        self.salvaging.as_ref().map(|salvaging| &salvaging.report)
    }

    #[inline]
    pub(crate) fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        match self.step() {
            Ok(Some(at)) => {
                let (record, kept) = self.order.delivered(at);
                Ok(Some(Event::new(
                    record,
                    &record.args,
                    &self.generation,
                    kept,
                )))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Makes the next record ready, in the ordering's queue:
    ///
    /// 1. what an earlier event left in the queue;
    /// 2. the next event of the run, or of the next run if another thread's next event is earlier;
    /// 3. or else whatever [`Self::step_aside`] finds.
    #[inline]
    fn step(&mut self) -> Result<Option<usize>, Error> {
        if let Some(at) = self.order.pop() {
            return Ok(Some(self.deliver(at)));
        }
        let (events, at, event) = loop {
            let Some(cursor) = self.cursors.get_mut(self.run.cursor) else {
                return self.step_aside();
            };
            let (events, at) = (&cursor.chunk.events, &mut cursor.at);
            let Some(event) = events.get(*at) else {
                return self.step_aside();
            };
            let time = event.time();
            if time <= self.run.until {
                break (events, at, event);
            }
            if !self.switch_run(time) {
                return self.step_aside();
            }
        };
        if self
            .order
            .advance(self.run.slot, event, &self.tables)
            .is_err()
        {
            // Once more, with what can be done about it.
            return self.step_aside();
        }
        let dangling = event.dangling;
        *at += 1;
        if dangling || *at >= events.len() {
            self.end_chunk(dangling)?;
        }
        Ok(Some(self.deliver(0)))
    }

    /// Goes over to the run of the thread whose next event is the earliest, now that the current
    /// thread's is at `time`. Returns whether the new run may go on: a CPU sample may be earlier.
    #[inline(never)]
    fn switch_run(&mut self, time: i64) -> bool {
        self.frontier.update_first(time);
        self.start_run();
        self.frontier
            .first()
            .is_some_and(|first| first.time <= self.run.until)
    }

    /// After an advance that used up the run's chunk, or whose event names something missing.
    #[cold]
    fn end_chunk(&mut self, dangling: bool) -> Result<(), Error> {
        let at = self.run.cursor;
        // Should the thread's next event be undecodable, its error comes instead of this event, as
        // in Go.
        self.move_on(0, at)?;
        if dangling {
            self.note_dangling(at)?;
        }
        self.start_run();
        Ok(())
    }

    /// Begins the run of the thread at the top of the frontier.
    #[inline]
    fn start_run(&mut self) {
        match self.frontier.first() {
            Some(first) => {
                self.run.cursor = first.cursor as usize;
                self.run.slot = self.slot_of(self.run.cursor);
                self.limit_run();
            }
            None => self.run = Run::NONE,
        }
    }

    /// Sets the time until which the run may go on.
    #[inline]
    fn limit_run(&mut self) {
        self.run.until = self.frontier.runner_up().min(self.next_sample);
    }

    #[inline]
    fn slot_of(&mut self, at: usize) -> ThreadSlot {
        let cursor = &mut self.cursors[at];
        *cursor.slot.get_or_insert_with(|| match cursor.thread {
            Some(thread) => self.order.thread_slot(thread.0),
            None => ThreadSlot::NONE,
        })
    }

    /// Gives the record its final time.
    #[inline]
    fn deliver(&mut self, at: usize) -> usize {
        let mut clock = DeliveryClock::new(self.last_time);
        clock.deliver(self.order.record(at));
        self.last_time = clock.last;
        self.stats.raised_times += clock.raised;
        self.stats.events += 1;
        at
    }
}

/// Sees to it that times of delivered events strictly increase.
struct DeliveryClock {
    last: i64,
    /// How often a time had to be raised.
    raised: u64,
}

impl DeliveryClock {
    #[inline(always)]
    fn new(last: i64) -> Self {
        Self { last, raised: 0 }
    }

    /// Gives a record its final time.
    #[inline(always)]
    fn deliver(&mut self, record: &mut Record) {
        if record.time <= self.last {
            record.time = self.last.wrapping_add(1);
            self.raised += 1;
        }
        self.last = record.time;
    }
}

impl V2Reader<'static> {
    /// Reading, framing and decoding happen on a second thread.
    pub(crate) fn overlapped(
        source: GenerationReader<impl Read + Send + 'static>,
        options: &Options,
    ) -> Result<Self, Error> {
        let version = source.version();
        let pipeline = Pipeline::spawn(source)?;
        Ok(Self::from_input(
            version,
            Input::Overlapped(pipeline),
            options,
        ))
    }
}

impl std::fmt::Debug for V2Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("V2Reader")
            .field("version", &self.version)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
