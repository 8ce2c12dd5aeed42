//! Reading, framing and decoding on a second thread, ahead of the ordering.
//!
//! The reading thread reads the next generation while the current one is ordered, and between two
//! batches decodes chunks that the ordering will want: each thread of the trace has one chunk that
//! is being ordered and one in preparation. Whoever wants a chunk that nobody has begun to decode
//! decodes it himself, so a source that blocks (a pipe, a socket) never holds up the events that
//! have arrived, and neither side waits while there is work.
//!
//! The threads share one mutex, taken once a chunk, never once an event.

use std::{
    collections::VecDeque,
    io::Read,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::{
    error::{Error, ErrorKind},
    load::LoadedGeneration,
    source::{GenerationReader, Next},
    stream::{Chunk, DecodeContext, ThreadStream},
};

/// The ordering's end of the pipeline.
pub(crate) struct Pipeline {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// The reading thread waits here for work.
    work: Condvar,
    /// The ordering waits here for a chunk or a generation.
    done: Condvar,
}

#[derive(Default)]
struct State {
    /// What was read ahead; at most one generation, which bounds the memory.
    ahead: Option<Next>,
    /// Nothing comes behind `ahead`.
    read_all: bool,
    /// Bytes of the trace consumed.
    offset: u64,
    slots: Vec<Slot>,
    /// Indexes of slots to decode, oldest first; an index may be stale.
    jobs: VecDeque<usize>,
    decode: Option<DecodeContext>,
    worker_waits: bool,
    consumer_waits: bool,
    /// The ordering is gone.
    abandoned: bool,
    /// The reading thread is gone.
    worker_gone: bool,
}

/// The chunk of one of the trace's threads that is in preparation.
enum Slot {
    /// Waits to be decoded, into a used chunk.
    Queued(ThreadStream, Chunk),
    /// The reading thread decodes it.
    Working,
    Ready(ThreadStream, Chunk),
    Exhausted,
}

impl Pipeline {
    pub(crate) fn spawn<R: Read + Send + 'static>(
        source: GenerationReader<R>,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                offset: source.offset(),
                ..State::default()
            }),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let worker = Worker {
            shared: Arc::clone(&shared),
        };
        thread::Builder::new()
            .name("exectrace-read".into())
            .spawn(move || worker.run(source))
            .map_err(|error| Error::at(0, error))?;
        Ok(Self { shared })
    }

    /// Waits for the next generation.
    pub(crate) fn next_generation(&mut self) -> Next {
        let mut state = self.shared.lock();
        loop {
            if let Some(next) = state.ahead.take() {
                self.shared.wake_worker(&mut state);
                return next;
            }
            if state.worker_gone {
                return Next::Broken(lost_worker(state.offset));
            }
            state = self.shared.wait_done(state);
        }
    }

    /// Starts to decode a generation: its first chunks are wanted next.
    pub(crate) fn begin(&mut self, generation: &mut LoadedGeneration) {
        let mut state = self.shared.lock();
        state.decode = Some(generation.decode.clone());
        state.jobs.clear();
        state.slots.clear();
        for stream in generation.streams.drain(..) {
            let slot = state.slots.len();
            state.jobs.push_back(slot);
            state.slots.push(Slot::Queued(stream, Chunk::default()));
        }
        self.shared.wake_worker(&mut state);
    }

    /// Replaces a used chunk by the next one of the same thread; empty when it is exhausted.
    pub(crate) fn next_chunk(&mut self, at: usize, chunk: &mut Chunk) -> Result<(), Error> {
        let mut state = self.shared.lock();
        while let Some(slot) = state.slots.get_mut(at) {
            match std::mem::replace(slot, Slot::Exhausted) {
                Slot::Exhausted => break,
                Slot::Working => {
                    *slot = Slot::Working;
                    if state.worker_gone {
                        return Err(lost_worker(state.offset));
                    }
                    state = self.shared.wait_done(state);
                }
                Slot::Ready(stream, ready) => {
                    let used = std::mem::replace(chunk, ready);
                    self.enqueue(&mut state, at, stream, used);
                    return Ok(());
                }
                Slot::Queued(mut stream, spare) => {
                    *slot = Slot::Working;
                    let decode = state.decode.clone();
                    drop(state);
                    if let Some(decode) = decode {
                        stream.decode(chunk, &decode);
                    }
                    let mut state = self.shared.lock();
                    self.enqueue(&mut state, at, stream, spare);
                    return Ok(());
                }
            }
        }
        chunk.clear();
        Ok(())
    }

    fn enqueue(&self, state: &mut State, at: usize, stream: ThreadStream, spare: Chunk) {
        if stream.is_exhausted() {
            state.slots[at] = Slot::Exhausted;
            return;
        }
        state.slots[at] = Slot::Queued(stream, spare);
        state.jobs.push_back(at);
        self.shared.wake_worker(state);
    }

    /// Bytes of the trace consumed so far, read-ahead included.
    pub(crate) fn offset(&self) -> u64 {
        self.shared.lock().offset
    }
}

impl Drop for Pipeline {
    /// Tells the reading thread to stop. It does so when its current read returns; waiting for it
    /// here could take forever.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.abandoned = true;
        self.shared.wake_worker(&mut state);
    }
}

fn lost_worker(offset: u64) -> Error {
    let error = std::io::Error::other("the reading thread panicked");
    Error::at(offset, ErrorKind::from(error))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_done<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.consumer_waits = true;
        self.done
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waking costs a system call, so it is done only if someone sleeps.
    fn wake_worker(&self, state: &mut State) {
        if std::mem::take(&mut state.worker_waits) {
            self.work.notify_one();
        }
    }

    fn wake_consumer(&self, state: &mut State) {
        if std::mem::take(&mut state.consumer_waits) {
            self.done.notify_one();
        }
    }
}

/// The reading thread's end of the pipeline.
struct Worker {
    shared: Arc<Shared>,
}

impl Worker {
    fn run<R: Read>(self, mut source: GenerationReader<R>) {
        let mut state = self.shared.lock();
        while !state.abandoned {
            // 1. What the ordering wants soon.
            if let Some(at) = state.jobs.pop_front() {
                state = self.decode(state, at);
                continue;
            }
            // 2. The next generation, batch by batch.
            if state.ahead.is_none() && !state.read_all {
                drop(state);
                let next = source.poll();
                state = self.shared.lock();
                state.offset = source.offset();
                if let Some(next) = next {
                    state.read_all = !matches!(next, Next::Generation(_, None));
                    state.ahead = Some(next);
                    self.shared.wake_consumer(&mut state);
                }
                continue;
            }
            // 3. Nothing to do.
            state.worker_waits = true;
            state = self
                .shared
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn decode<'a>(&'a self, mut state: MutexGuard<'a, State>, at: usize) -> MutexGuard<'a, State> {
        let Some(decode) = state.decode.clone() else {
            return state;
        };
        let Some(slot) = state.slots.get_mut(at) else {
            return state;
        };
        match std::mem::replace(slot, Slot::Working) {
            Slot::Queued(mut stream, mut chunk) => {
                drop(state);
                stream.decode(&mut chunk, &decode);
                state = self.shared.lock();
                // MUST still be this generation's slot: the ordering begins the next generation
                // only when every slot is exhausted, and waits for one that is being worked on.
                state.slots[at] = Slot::Ready(stream, chunk);
                self.shared.wake_consumer(&mut state);
            }
            // The ordering took the job itself.
            other => *slot = other,
        }
        state
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.worker_gone = true;
        self.shared.wake_consumer(&mut state);
    }
}
