//! Reading, framing and decoding on a second thread, ahead of the ordering.
//!
//! The reading thread reads the next generation while the current one is ordered, and between two
//! batches decodes chunks that the ordering will want: for each thread of the trace there are up to
//! [`CHUNKS_AHEAD`] chunks beside the one that is being ordered. Whoever wants a chunk that nobody
//! has begun to decode decodes it himself, so a source that blocks (a pipe, a socket) never holds up
//! the events that have arrived, and neither side waits while there is work.
//!
//! Locks are taken once a chunk, never once an event. A thread that finds nothing to do looks again
//! for some microseconds before it sleeps: to be woken takes longer than to decode a chunk.

use std::{
    collections::VecDeque,
    io::Read,
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use crate::{
    error::{Error, ErrorKind},
    load::LoadedGeneration,
    source::{GenerationReader, Next},
    stream::{Chunk, DecodeContext, ThreadStream},
};

/// Decoded chunks of one of the trace's threads that wait to be ordered.
const CHUNKS_AHEAD: usize = 2;

/// How often a thread looks again for something to do before it sleeps, and how often of that
/// before it lets other threads of its processor run.
const LOOKS: u32 = 20;
const SPINS: u32 = 2000;

/// The ordering's end of the pipeline.
pub(crate) struct Pipeline {
    shared: Arc<Shared>,
    /// The current generation's threads.
    slots: Arc<Vec<Mutex<Slot>>>,
    decode: Option<DecodeContext>,
}

struct Shared {
    state: Mutex<State>,
    /// The reading thread waits here for work.
    work: Condvar,
    /// The ordering waits here for a chunk or a generation.
    done: Condvar,
    /// Jobs in the queue, and the wish for another generation: to be looked at without a lock. It
    /// is a hint; the state behind the lock decides.
    wanted: AtomicUsize,
    /// What the ordering may wait for has changed; a hint too.
    finished: AtomicUsize,
    worker_sleeps: AtomicBool,
    consumer_sleeps: AtomicBool,
    /// Bytes of the trace consumed.
    offset: AtomicU64,
}

#[derive(Default)]
struct State {
    /// What was read ahead; at most one generation, which bounds the memory.
    ahead: Option<Next>,
    /// Nothing comes behind `ahead`.
    read_all: bool,
    /// The threads of the generation that is being ordered.
    slots: Arc<Vec<Mutex<Slot>>>,
    decode: Option<DecodeContext>,
    /// Indexes of slots in which there may be something to decode, oldest first.
    jobs: VecDeque<usize>,
    /// The ordering is gone.
    abandoned: bool,
    /// The reading thread is gone.
    worker_gone: bool,
}

/// One of the trace's threads.
struct Slot {
    /// What is not decoded yet; `None` while someone decodes a part of it, and at the end.
    stream: Option<ThreadStream>,
    exhausted: bool,
    /// Whether the slot is in the queue of jobs.
    queued: bool,
    ready: VecDeque<Chunk>,
    /// Used chunks, to be filled again.
    spare: Vec<Chunk>,
}

impl Slot {
    fn new(stream: ThreadStream) -> Self {
        let exhausted = stream.is_exhausted();
        Self {
            stream: (!exhausted).then_some(stream),
            exhausted,
            queued: false,
            ready: VecDeque::with_capacity(CHUNKS_AHEAD),
            spare: Vec::with_capacity(CHUNKS_AHEAD + 1),
        }
    }

    /// Takes the stream back after a part of it was decoded.
    fn put_back(&mut self, stream: ThreadStream) {
        self.exhausted = stream.is_exhausted();
        if !self.exhausted {
            self.stream = Some(stream);
        }
    }

    /// Whether there is something to decode ahead.
    fn wants_decoding(&self) -> bool {
        self.stream.is_some() && self.ready.len() < CHUNKS_AHEAD
    }
}

/// What the ordering finds when it wants a chunk.
enum Found {
    Chunk(Chunk),
    /// Nobody decodes it, so the ordering does.
    Undecoded(ThreadStream),
    /// The reading thread is decoding it.
    Soon,
    Nothing,
}

impl Pipeline {
    pub(crate) fn spawn<R: Read + Send + 'static>(
        source: GenerationReader<R>,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            work: Condvar::new(),
            done: Condvar::new(),
            wanted: AtomicUsize::new(1),
            finished: AtomicUsize::new(0),
            worker_sleeps: AtomicBool::new(false),
            consumer_sleeps: AtomicBool::new(false),
            offset: AtomicU64::new(source.offset()),
        });
        let worker = Worker {
            shared: Arc::clone(&shared),
        };
        thread::Builder::new()
            .name("exectrace-read".into())
            .spawn(move || worker.run(source))
            .map_err(|error| Error::at(0, error))?;
        Ok(Self {
            shared,
            slots: Arc::default(),
            decode: None,
        })
    }

    /// Waits for the next generation.
    pub(crate) fn next_generation(&mut self) -> Next {
        loop {
            let seen = self.shared.finished.load(Relaxed);
            let mut state = self.shared.lock();
            if let Some(next) = state.ahead.take() {
                self.shared.wake_worker(state);
                return next;
            }
            if state.worker_gone {
                return Next::Broken(self.lost_worker());
            }
            self.shared.await_change(state, seen);
        }
    }

    /// Starts to decode a generation: its first chunks are wanted next.
    pub(crate) fn begin(&mut self, generation: &mut LoadedGeneration) {
        let streams = mem::take(&mut generation.streams);
        self.slots = Arc::new(
            streams
                .into_iter()
                .map(|s| Mutex::new(Slot::new(s)))
                .collect(),
        );
        self.decode = Some(generation.decode.clone());
        let mut state = self.shared.lock();
        state.slots = Arc::clone(&self.slots);
        state.decode = self.decode.clone();
        state.jobs.clear();
        for (at, slot) in self.slots.iter().enumerate() {
            lock(slot).queued = true;
            state.jobs.push_back(at);
        }
        self.shared.wake_worker(state);
    }

    /// Replaces a used chunk by the next one of the same thread; empty when it is exhausted.
    pub(crate) fn next_chunk(&mut self, at: usize, chunk: &mut Chunk) -> Result<(), Error> {
        loop {
            let seen = self.shared.finished.load(Relaxed);
            match self.find_chunk(at) {
                Found::Chunk(next) => {
                    self.give_back(at, Some(mem::replace(chunk, next)), None);
                    return Ok(());
                }
                Found::Undecoded(mut stream) => {
                    if let Some(decode) = &self.decode {
                        stream.decode(chunk, decode);
                    }
                    self.give_back(at, None, Some(stream));
                    return Ok(());
                }
                Found::Nothing => {
                    chunk.clear();
                    return Ok(());
                }
                Found::Soon => {
                    let state = self.shared.lock();
                    if state.worker_gone {
                        return Err(self.lost_worker());
                    }
                    self.shared.await_change(state, seen);
                }
            }
        }
    }

    fn find_chunk(&self, at: usize) -> Found {
        let Some(slot) = self.slots.get(at) else {
            return Found::Nothing;
        };
        let mut slot = lock(slot);
        if let Some(chunk) = slot.ready.pop_front() {
            return Found::Chunk(chunk);
        }
        match slot.stream.take() {
            Some(stream) => Found::Undecoded(stream),
            None if slot.exhausted => Found::Nothing,
            None => Found::Soon,
        }
    }

    /// Gives a used chunk, and a stream that was taken, back to their slot, and asks for more.
    fn give_back(&self, at: usize, used: Option<Chunk>, stream: Option<ThreadStream>) {
        let Some(slot) = self.slots.get(at) else {
            return;
        };
        let mut slot = lock(slot);
        slot.spare.extend(used);
        if let Some(stream) = stream {
            slot.put_back(stream);
        }
        if slot.wants_decoding() && !slot.queued {
            slot.queued = true;
            drop(slot);
            let mut state = self.shared.lock();
            state.jobs.push_back(at);
            self.shared.wake_worker(state);
        }
    }

    /// Bytes of the trace consumed so far, read-ahead included.
    pub(crate) fn offset(&self) -> u64 {
        self.shared.offset.load(Relaxed)
    }

    fn lost_worker(&self) -> Error {
        let error = std::io::Error::other("the reading thread panicked");
        Error::at(self.offset(), ErrorKind::from(error))
    }
}

impl Drop for Pipeline {
    /// Tells the reading thread to stop. It does so when its current read returns; waiting for it
    /// here could take forever.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.abandoned = true;
        self.shared.wake_worker(state);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Says that there is work. To wake costs a system call, so it is done only if someone sleeps.
    ///
    /// MUST be called with the state locked: a thread says that it sleeps before it unlocks the
    /// state, otherwise it could miss the call.
    fn wake_worker(&self, state: MutexGuard<'_, State>) {
        self.wanted.fetch_add(1, Relaxed);
        let sleeps = self.worker_sleeps.swap(false, Relaxed);
        drop(state);
        if sleeps {
            self.work.notify_one();
        }
    }

    /// Says that a chunk or a generation is ready; locked as in [`Self::wake_worker`].
    fn wake_consumer(&self, state: MutexGuard<'_, State>) {
        self.finished.fetch_add(1, Relaxed);
        let sleeps = self.consumer_sleeps.swap(false, Relaxed);
        drop(state);
        if sleeps {
            self.done.notify_one();
        }
    }

    /// Waits until something has finished since `seen` was read: looks for a while, then sleeps.
    fn await_change(&self, state: MutexGuard<'_, State>, seen: usize) {
        drop(state);
        if look_for_change(&self.finished, seen) {
            return;
        }
        let state = self.lock();
        if self.finished.load(Relaxed) == seen && !state.worker_gone {
            self.consumer_sleeps.store(true, Relaxed);
            drop(
                self.done
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }
}

/// Looks at a counter until it differs from what was seen; gives up after a while.
fn look_for_change(counter: &AtomicUsize, seen: usize) -> bool {
    for _ in 0..LOOKS {
        for _ in 0..SPINS {
            if counter.load(Relaxed) != seen {
                return true;
            }
            std::hint::spin_loop();
        }
        // The other thread may be waiting for this very processor.
        thread::yield_now();
    }
    false
}

/// The reading thread's end of the pipeline.
struct Worker {
    shared: Arc<Shared>,
}

impl Worker {
    fn run<R: Read>(self, mut source: GenerationReader<R>) {
        let shared = &*self.shared;
        loop {
            let seen = shared.wanted.load(Relaxed);
            let mut state = shared.lock();
            if state.abandoned {
                return;
            }
            // 1. What the ordering wants soon.
            if let Some(at) = state.jobs.pop_front() {
                let (slots, decode) = (Arc::clone(&state.slots), state.decode.clone());
                drop(state);
                if let Some(decode) = decode {
                    self.decode(&slots, at, &decode);
                }
                continue;
            }
            // 2. The next generation, batch by batch.
            if state.ahead.is_none() && !state.read_all {
                drop(state);
                let next = source.poll();
                shared.offset.store(source.offset(), Relaxed);
                if let Some(next) = next {
                    let mut state = shared.lock();
                    state.read_all = !matches!(next, Next::Generation(_, None));
                    state.ahead = Some(next);
                    shared.wake_consumer(state);
                }
                continue;
            }
            // 3. Nothing to do.
            drop(state);
            if look_for_change(&shared.wanted, seen) {
                continue;
            }
            let state = shared.lock();
            if shared.wanted.load(Relaxed) == seen {
                shared.worker_sleeps.store(true, Relaxed);
                drop(
                    shared
                        .work
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner),
                );
            }
        }
    }

    /// Decodes the next chunk of a slot, unless the ordering has taken its stream.
    fn decode(&self, slots: &[Mutex<Slot>], at: usize, decode: &DecodeContext) {
        let Some(slot) = slots.get(at) else { return };
        let (mut stream, mut chunk) = {
            let mut slot = lock(slot);
            slot.queued = false;
            if !slot.wants_decoding() {
                return;
            }
            let Some(stream) = slot.stream.take() else {
                return;
            };
            (stream, slot.spare.pop().unwrap_or_default())
        };
        stream.decode(&mut chunk, decode);
        let mut slot = lock(slot);
        slot.put_back(stream);
        slot.ready.push_back(chunk);
        slot.queued = slot.wants_decoding();
        let more = slot.queued;
        drop(slot);
        let mut state = self.shared.lock();
        // MUST still be the same generation's jobs: the ordering begins the next generation only
        // when every slot is exhausted, and then there is no more to decode here.
        if more {
            state.jobs.push_back(at);
        }
        self.shared.wake_consumer(state);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.worker_gone = true;
        self.shared.wake_consumer(state);
    }
}
