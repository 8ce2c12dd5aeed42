//! The reader: generations in, ordered events out.

use std::{io::Read, sync::Arc};

use exectrace_wire::{Generation, ThreadId, Version};

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

/// How to read a trace.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Whether to go on after damage and keep what is sound; see [`Reader::salvage_report`].
    pub salvage: bool,
}

impl Options {
    /// Sets [`Options::salvage`].
    #[must_use]
    pub fn salvage(mut self, salvage: bool) -> Self {
        self.salvage = salvage;
        self
    }
}

/// Reads a trace: yields its events in order, checked and resolved.
///
/// The order is that of Go's own parser, ties included. Memory is bounded by two generations of the
/// trace (one, without [`Reader::overlapped`]) and the live goroutines, procs, threads and tasks.
///
/// ```
/// # let trace = exectrace_wire::Version::Go126.header();
/// use exectrace_reader::{EventKind, Reader};
///
/// let mut reader = Reader::new(&trace[..])?;
/// while let Some(event) = reader.next_event()? {
///     if let EventKind::Log(log) = event.kind() {
///         println!("{} {}: {}", event.time(), log.category, log.message);
///     }
/// }
/// # Ok::<(), exectrace_reader::Error>(())
/// ```
pub struct Reader<'s> {
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

impl<'s> Reader<'s> {
    /// Reads the header of a trace. Everything happens on the calling thread.
    ///
    /// `source` is read in large pieces; it needs no buffer of its own.
    ///
    /// # Errors
    ///
    /// If the source cannot be read or does not begin as a trace does.
    pub fn new(source: impl Read + 's) -> Result<Self, Error> {
        Self::with_options(source, Options::default())
    }

    /// As [`Reader::new`], with options.
    ///
    /// # Errors
    ///
    /// As [`Reader::new`].
    pub fn with_options(source: impl Read + 's, options: Options) -> Result<Self, Error> {
        let source = GenerationReader::new(Box::new(source) as Box<dyn Read + 's>, &options)?;
        let version = source.version();
        Ok(Self::from_input(
            version,
            Input::Inline {
                source: Box::new(source),
                streams: Vec::new(),
            },
            &options,
        ))
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

    /// The version that the trace's header names.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// What was read so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let bytes = match &self.input {
            Input::Inline { source, .. } => source.offset(),
            Input::Overlapped(pipeline) => pipeline.offset(),
        };
        Stats {
            bytes,
            ..self.stats
        }
    }

    /// What salvage mode lost so far; `None` in strict mode. Complete when the trace has ended.
    #[must_use]
    pub fn salvage_report(&self) -> Option<&SalvageReport> {
        self.salvaging.as_ref().map(|salvaging| &salvaging.report)
    }

    /// The next event; `None` at the end of the trace.
    ///
    /// # Errors
    ///
    /// If the trace cannot be read or is broken. The same error comes again with each later call.
    #[inline]
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        match self.step() {
            Ok(Some(at)) => {
                let (record, kept) = self.order.delivered(at);
                Ok(Some(Event::new(record, &self.generation, kept)))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        self.run = Run::NONE;
        self.frontier.clear();
        self.next_sample = i64::MAX;
        self.samples = Vec::new().into_iter();
        self.order.clear_queue();
        self.phase = Phase::Failed(error.clone());
        error
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

    /// What is not simply the run's next event:
    ///
    /// 1. a CPU sample;
    /// 2. when nothing is left of the generation, the sync that begins the next;
    /// 3. the first event that can advance, in order of time, when the run's cannot.
    #[cold]
    fn step_aside(&mut self) -> Result<Option<usize>, Error> {
        let time = self.run_event().map(Decoded::time);
        if time.is_none_or(|time| self.next_sample < time)
            && let Some(sample) = self.take_sample()
        {
            return self.deliver_sample(sample).map(Some);
        }
        if time.is_none() {
            return self.next_generation();
        }
        if self.advance_any()? {
            return Ok(Some(self.deliver(0)));
        }
        // Salvage mode has dropped all that was left of the generation.
        match self.take_sample() {
            Some(sample) => self.deliver_sample(sample).map(Some),
            None => self.next_generation(),
        }
    }

    fn run_event(&self) -> Option<&Decoded> {
        let cursor = self.cursors.get(self.run.cursor)?;
        cursor.chunk.events.get(cursor.at)
    }

    /// Tries the thread at the top of the frontier, then the others in order of time. Returns
    /// whether an event has advanced: in salvage mode perhaps none is left.
    fn advance_any(&mut self) -> Result<bool, Error> {
        if let Some(time) = self.run_event().map(Decoded::time) {
            // The frontier still has the time with which the run began.
            self.frontier.set_first(time);
        }
        let mut advanced = false;
        while !advanced && !self.frontier.is_empty() {
            match self.advance_first_ready() {
                Ok(()) => advanced = true,
                Err(error) => self.drop_event(error)?,
            }
        }
        self.start_run();
        Ok(advanced)
    }

    fn advance_first_ready(&mut self) -> Result<(), Error> {
        if self.try_advance(0)? {
            return Ok(());
        }
        self.tries += self.frontier.len() as u64;
        if self.tries > FREE_TRIES + TRIES_PER_EVENT * self.stats.events {
            self.culprit = 0;
            let first = self
                .frontier
                .first()
                .map_or(0, |entry| entry.cursor as usize);
            return Err(self.error_at(first, ErrorKind::TooManyStalls));
        }
        self.frontier.sort();
        for place in 1..self.frontier.len() {
            if self.try_advance(place)? {
                return Ok(());
            }
        }
        self.culprit = 0;
        Err(self.stuck_error())
    }

    /// In salvage mode, drops the event that an error is about.
    fn drop_event(&mut self, error: Error) -> Result<(), Error> {
        let Some(salvaging) = &mut self.salvaging else {
            return Err(error);
        };
        let Some(entry) = self.frontier.get(self.culprit) else {
            return Err(error);
        };
        let cursor = &mut self.cursors[entry.cursor as usize];
        let Some(event) = cursor.chunk.events.get(cursor.at) else {
            return Err(error);
        };
        if !Salvaging::can_drop(&error) {
            return Err(error);
        }
        let slot = cursor.slot.unwrap_or(ThreadSlot::NONE);
        salvaging.drop_event(
            &mut self.order,
            cursor.thread,
            slot,
            event.event_type,
            &error,
        );
        cursor.at += 1;
        self.move_on(self.culprit, entry.cursor as usize)
    }

    /// Tries the next event of the thread at a place in the frontier, and on success moves the
    /// thread on. Returns whether the event has advanced.
    fn try_advance(&mut self, place: usize) -> Result<bool, Error> {
        let Some(entry) = self.frontier.get(place) else {
            return Ok(false);
        };
        let at = entry.cursor as usize;
        let slot = self.slot_of(at);
        let cursor = &mut self.cursors[at];
        let Some(event) = cursor.chunk.events.get(cursor.at) else {
            return Ok(false);
        };
        match self.order.advance(slot, event, &self.tables) {
            Err(Refusal::NotYet) => return Ok(false),
            Ok(()) => {}
            Err(Refusal::Wrong(error)) => {
                self.culprit = place;
                return Err(self.error_at(at, error));
            }
        }
        let dangling = event.dangling;
        cursor.at += 1;
        self.move_on(place, at)?;
        if dangling {
            self.note_dangling(at)?;
        }
        Ok(true)
    }

    /// Gives a thread that has advanced its new place in the frontier.
    fn move_on(&mut self, place: usize, at: usize) -> Result<(), Error> {
        let cursor = &self.cursors[at];
        let time = match cursor.chunk.events.get(cursor.at) {
            Some(next) => Some(next.time()),
            None => self.load_chunk(at)?,
        };
        match time {
            Some(time) => self.frontier.update(place, time),
            None => self.frontier.remove(place),
        }
        Ok(())
    }

    /// The time of a thread's next event after its chunk is used up; `None` if that was the last.
    fn load_chunk(&mut self, at: usize) -> Result<Option<i64>, Error> {
        loop {
            let cursor = &mut self.cursors[at];
            if let Some((offset, error)) = cursor.chunk.error {
                let offset = cursor.chunk.data_offset + u64::from(offset);
                let place = Place {
                    offset: Some(offset),
                    generation: Some(self.generation.number),
                    thread: cursor.thread,
                    event: None,
                };
                let Some(salvaging) = &mut self.salvaging else {
                    return Err(Error::new(error, place));
                };
                salvaging.note(
                    offset,
                    LossKind::DroppedRecord {
                        cause: error.into(),
                    },
                );
            }
            match &mut self.input {
                Input::Inline { streams, .. } => {
                    streams[at].decode(&mut cursor.chunk, &self.decode_context);
                }
                Input::Overlapped(pipeline) => pipeline.next_chunk(at, &mut cursor.chunk)?,
            }
            cursor.at = 0;
            if cursor.chunk.after_gap
                && let Some(slot) = cursor.slot
            {
                self.order.forget_context(slot);
            }
            if let Some(event) = cursor.chunk.events.first() {
                return Ok(Some(event.time()));
            }
            if cursor.chunk.error.is_none() {
                return Ok(None);
            }
        }
    }

    fn take_sample(&mut self) -> Option<CpuSample> {
        let sample = self.samples.next()?;
        self.next_sample = self
            .samples
            .as_slice()
            .first()
            .map_or(i64::MAX, |next| next.time);
        self.limit_run();
        Some(sample)
    }

    #[cold]
    fn deliver_sample(&mut self, sample: CpuSample) -> Result<usize, Error> {
        if let Some(salvaging) = &mut self.salvaging {
            if !self.tables.stacks.contains(sample.stack) {
                salvaging.count_nameless();
            }
        } else if !self.tables.stacks.contains(sample.stack) {
            let place = Place {
                generation: Some(self.generation.number),
                thread: ThreadId::from_wire(sample.thread),
                ..Place::default()
            };
            return Err(Error::new(ErrorKind::MissingStack(sample.stack), place));
        }
        let record = Record {
            time: sample.time,
            thread: sample.thread,
            proc: sample.proc,
            goroutine: sample.goroutine,
            what: What::CpuSample,
            resource: NONE,
            args: [sample.stack, 0, 0, 0],
        };
        let at = self.order.enqueue_alone(record);
        Ok(self.deliver(at))
    }

    /// Gives the record its final time: times of delivered events strictly increase.
    #[inline]
    fn deliver(&mut self, at: usize) -> usize {
        let record = self.order.record(at);
        if record.time <= self.last_time {
            record.time = self.last_time.wrapping_add(1);
            self.stats.raised_times += 1;
        }
        self.last_time = record.time;
        self.stats.events += 1;
        at
    }

    fn deliver_sync(&mut self, time: i64, begins_generation: bool) -> usize {
        self.syncs += 1;
        let record = Record {
            time,
            thread: NONE,
            proc: NONE,
            goroutine: NONE,
            what: What::Sync,
            resource: NONE,
            args: [self.syncs, u64::from(begins_generation), 0, 0],
        };
        let at = self.order.enqueue_alone(record);
        self.deliver(at)
    }

    /// Goes on to the next generation: yields the sync that begins it, or the last one of the
    /// trace.
    #[cold]
    fn next_generation(&mut self) -> Result<Option<usize>, Error> {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ended => return Ok(None),
            Phase::Failed(error) => return Err(error),
            Phase::Failing(error) => {
                self.phase = Phase::Failed(error);
                return Ok(Some(self.deliver_sync(self.last_time, false)));
            }
            Phase::Reading => {}
        }
        if self.stats.generations > 0
            && let Some(salvaging) = &mut self.salvaging
        {
            salvaging.end();
        }
        let next = match &mut self.input {
            Input::Inline { source, .. } => source.next(),
            Input::Overlapped(pipeline) => pipeline.next_generation(),
        };
        match next {
            Next::Generation(generation, behind) => {
                self.phase = behind.map_or(Phase::Reading, Phase::Failing);
                self.install(*generation).map(Some)
            }
            Next::End(losses) => {
                if let Some(salvaging) = &mut self.salvaging {
                    salvaging.finish(losses);
                }
                Ok(Some(self.deliver_sync(self.last_time, false)))
            }
            Next::Broken(error) => {
                self.phase = Phase::Failed(error);
                Ok(Some(self.deliver_sync(self.last_time, false)))
            }
        }
    }

    /// Makes a generation the current one.
    fn install(&mut self, mut generation: LoadedGeneration) -> Result<usize, Error> {
        let number = generation.data.number.0;
        self.stats.generations += 1;
        if let Some(salvaging) = &mut self.salvaging
            && salvaging.begin(&mut generation)
        {
            self.order.forget_state();
            self.first_number = Some(number);
        }
        self.cursors.clear();
        self.cursors
            .extend(generation.streams.iter().map(|stream| Cursor {
                thread: stream.thread,
                slot: None,
                chunk: Chunk::default(),
                at: 0,
            }));
        self.samples = std::mem::take(&mut generation.samples).into_iter();
        self.next_sample = self
            .samples
            .as_slice()
            .first()
            .map_or(i64::MAX, |sample| sample.time);
        self.tables = Arc::clone(&generation.data.tables);
        self.generation = Arc::clone(&generation.data);
        match &mut self.input {
            Input::Inline { streams, .. } => *streams = std::mem::take(&mut generation.streams),
            Input::Overlapped(pipeline) => pipeline.begin(&mut generation),
        }
        self.decode_context = generation.decode;
        for at in 0..self.cursors.len() {
            if let Some(time) = self.load_chunk(at)? {
                self.frontier.push(Entry {
                    time,
                    cursor: at as u32,
                });
            }
        }
        if !self.frontier.is_empty() {
            let first = *self.first_number.get_or_insert(number);
            self.order.begin_generation(number, first);
            self.start_run();
        }
        Ok(self.deliver_sync(generation.start, true))
    }

    #[cold]
    fn place_of(&self, at: usize, before: usize) -> Place {
        let cursor = &self.cursors[at];
        let event = cursor
            .at
            .checked_sub(before)
            .and_then(|at| cursor.chunk.events.get(at));
        Place {
            offset: event.map(|event| cursor.chunk.data_offset + u64::from(event.at)),
            generation: Some(self.generation.number),
            thread: cursor.thread,
            event: event.map(|event| event.event_type),
        }
    }

    #[cold]
    fn error_at(&self, at: usize, kind: impl Into<ErrorKind>) -> Error {
        Error::new(kind, self.place_of(at, 0))
    }

    /// An event that has advanced names a string or stack that is not there.
    #[cold]
    fn note_dangling(&mut self, at: usize) -> Result<(), Error> {
        match &mut self.salvaging {
            Some(salvaging) => {
                salvaging.count_nameless();
                Ok(())
            }
            None => Err(self.dangling_error(at)),
        }
    }

    #[cold]
    fn dangling_error(&self, at: usize) -> Error {
        let (record, _) = self.order.delivered(0);
        let kind = record
            .what
            .event_type()
            .and_then(|event_type| find_dangling(event_type, &record.args, &self.tables))
            .unwrap_or(ErrorKind::MissingString(0));
        Error::new(kind, self.place_of(at, 1))
    }

    #[cold]
    fn stuck_error(&self) -> Error {
        let mut stalled = Vec::new();
        let mut place = Place {
            generation: Some(self.generation.number),
            ..Place::default()
        };
        for entry in self.frontier.iter() {
            let cursor = &self.cursors[entry.cursor as usize];
            let Some(event) = cursor.chunk.events.get(cursor.at) else {
                continue;
            };
            if stalled.is_empty() {
                place = self.place_of(entry.cursor as usize, 0);
            }
            let arity = event.event_type.spec().args.len() - 1;
            stalled.push(Stalled {
                thread: cursor.thread,
                event: event.event_type,
                time: event.time(),
                args: event.args()[..arity].to_vec(),
            });
        }
        Error::new(ErrorKind::Stuck(stalled), place)
    }
}

impl Reader<'static> {
    /// As [`Reader::with_options`], with reading, framing and decoding on a second thread, ahead of
    /// the ordering. For a source on which a read may block, events that have arrived are not held
    /// up.
    ///
    /// When the reader is dropped, the second thread ends as soon as its current read returns.
    ///
    /// # Errors
    ///
    /// As [`Reader::new`], or if the thread cannot be started.
    pub fn overlapped(source: impl Read + Send + 'static, options: Options) -> Result<Self, Error> {
        let source = GenerationReader::new(source, &options)?;
        let version = source.version();
        Ok(Self::from_input(
            version,
            Input::Overlapped(Pipeline::spawn(source)?),
            &options,
        ))
    }
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("version", &self.version)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
