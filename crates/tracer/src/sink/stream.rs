//! A sink's queue and thread.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use exectrace_wire::Version;

use super::{
    Output, Settings, Sink, SinkError, SinkErrorKind,
    queue::{Dropped, Entry, Queue},
};
use crate::{
    crash,
    generation::{Consumer, EncodedGeneration, LostGeneration},
    stats::COUNTERS,
};

/// What has become of a trace so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Generations that the sink has taken, without those that stand for lost ones.
    pub generations: u64,
    /// Bytes that the sink has taken.
    pub bytes: u64,
    /// Generations that were dropped.
    pub lost_generations: u64,
    /// Events in them.
    pub lost_events: u64,
    /// Bytes of them.
    pub lost_bytes: u64,
    /// Bytes that wait for the sink, or that it is writing.
    pub waiting_bytes: usize,
}

/// A sink that takes a trace: from its start, generation by generation, to its end.
///
/// A dropped stream is finished; what is wrong then is not told. In the child of a fork it does
/// nothing: the trace is the parent's.
pub struct Stream {
    shared: Arc<Shared>,
    /// The process whose trace it is. A forked child has a copy of the stream, but not its thread.
    process: u32,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

struct Shared {
    state: Mutex<State>,
    /// There is something to write, or nothing will ever be again.
    work: Condvar,
    /// The thread is done.
    done: Condvar,
    settings: Settings,
}

struct State {
    queue: Queue,
    /// What the sink is writing.
    in_flight: Option<Arc<EncodedGeneration>>,
    written: Written,
    /// The first thing that went wrong.
    failure: Option<SinkErrorKind>,
    /// Nothing more can be written.
    dead: bool,
    /// There has been a generation with events.
    begun: bool,
    /// Nothing more will come.
    finished: bool,
    /// The thread has ended.
    ended: bool,
    /// Nobody waits for the thread any more.
    given_up: bool,
}

impl Stream {
    /// Opens the sink and starts its thread.
    ///
    /// # Errors
    ///
    /// [`SinkErrorKind`] if either cannot be done.
    pub fn start(sink: Sink, settings: Settings) -> Result<Self, SinkErrorKind> {
        Self::start_with(sink.open()?, settings)
    }

    /// The same with an output that is open.
    pub(super) fn start_with(
        output: Box<dyn Output>,
        settings: Settings,
    ) -> Result<Self, SinkErrorKind> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: Queue::new(settings.max_memory),
                in_flight: None,
                written: Written::default(),
                failure: None,
                dead: false,
                begun: false,
                finished: false,
                ended: false,
                given_up: false,
            }),
            work: Condvar::new(),
            done: Condvar::new(),
            settings,
        });
        let theirs = Arc::clone(&shared);
        thread::Builder::new()
            .name("exectrace-sink".to_owned())
            .spawn(move || theirs.run(output))
            .map_err(SinkErrorKind::Spawn)?;
        Ok(Self {
            shared,
            process: process::id(),
        })
    }

    /// Takes a generation. Never waits for the sink.
    fn accept(&self, generation: Arc<EncodedGeneration>) {
        if self.is_foreign() {
            return;
        }
        let mut state = self.shared.lock();
        // Readers take the state before the first generation for unknown, and after it for known: what
        // comes after an empty one would be neither.
        if generation.events == 0 && !state.begun {
            return;
        }
        state.begun = true;
        if state.dead || state.finished {
            let mut dropped = Dropped::default();
            dropped.add(&generation);
            state.count(dropped);
        } else {
            let (dropped, result) = state.queue.push(generation);
            if dropped.generations > 0 {
                let max_memory = self.shared.settings.max_memory;
                state.fail(SinkErrorKind::TooSlow { max_memory });
            }
            state.count(dropped);
            if let Err(error) = result {
                state.die(SinkErrorKind::Malformed(error));
            }
        }
        drop(state);
        self.shared.work.notify_one();
    }

    /// Takes note of a generation that nobody has.
    fn accept_lost(&self, lost: &LostGeneration) {
        if self.is_foreign() {
            return;
        }
        let mut state = self.shared.lock();
        state.begun = true;
        state.written.lost_generations += 1;
        state.written.lost_events += lost.events;
        state.fail(SinkErrorKind::Untraced(lost.cause));
        if !state.dead
            && !state.finished
            && let Err(error) = state.queue.push_unseen(lost)
        {
            state.die(SinkErrorKind::Malformed(error));
        }
    }

    /// How it goes. Takes a lock that is never held for long.
    #[must_use]
    pub fn written(&self) -> Written {
        if self.is_foreign() {
            return Written::default();
        }
        let state = self.shared.lock();
        Written {
            waiting_bytes: state.queue.bytes(),
            ..state.written
        }
    }

    /// Waits until the sink has taken all that it was given, or cannot any more, or until the
    /// deadline; whether it has.
    #[must_use]
    pub fn drain(&self, deadline: Instant) -> bool {
        self.is_foreign()
            || self.shared.wait(self.shared.lock(), deadline, |state| {
                state.dead || state.ended || state.is_settled()
            })
    }

    /// Ends the trace: waits for the sink as long as [`Settings::patience`] lasts. What comes later
    /// is lost.
    ///
    /// # Errors
    ///
    /// [`SinkError`] if not all is in the trace. It is told once: the next call has news only.
    pub fn finish(&self) -> Result<Written, SinkError> {
        let patience = self.shared.settings.patience;
        self.finish_by(Instant::now() + patience)
    }

    pub(crate) fn finish_by(&self, deadline: Instant) -> Result<Written, SinkError> {
        if self.is_foreign() {
            // The lock may be held for ever, by a thread that this process does not have.
            return Err(SinkError {
                kind: SinkErrorKind::Forked,
                written: Written::default(),
            });
        }
        let mut state = self.shared.lock();
        state.finished = true;
        self.shared.work.notify_one();
        self.shared
            .wait(state, deadline, |state| state.ended || state.given_up);
        let mut state = self.shared.lock();
        if !state.ended {
            // What is being written may yet arrive whole, but nobody will know.
            state.lose_in_flight();
            state.given_up = true;
            state.failure = None;
            state.die(SinkErrorKind::Stuck(self.shared.settings.patience));
        }
        let written = state.written;
        match state.failure.take() {
            None => Ok(written),
            Some(kind) => Err(SinkError { kind, written }),
        }
    }

    fn is_foreign(&self) -> bool {
        process::id() != self.process
    }
}

impl Consumer for Stream {
    fn generation(&self, generation: &Arc<EncodedGeneration>) {
        self.accept(Arc::clone(generation));
    }

    fn lost(&self, generation: &LostGeneration) {
        self.accept_lost(generation);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl State {
    fn count(&mut self, dropped: Dropped) {
        COUNTERS.dropped_generations.add(dropped.generations);
        COUNTERS.dropped_events.add(dropped.events);
        self.written.lost_generations += dropped.generations;
        self.written.lost_events += dropped.events;
        self.written.lost_bytes += dropped.bytes;
    }

    fn is_settled(&self) -> bool {
        self.in_flight.is_none() && self.queue.is_empty()
    }

    fn lose_in_flight(&mut self) {
        if let Some(generation) = self.in_flight.take() {
            self.queue.settle(&generation);
            let mut dropped = Dropped::default();
            dropped.add(&generation);
            self.count(dropped);
        }
    }

    fn fail(&mut self, kind: SinkErrorKind) {
        self.failure.get_or_insert(kind);
    }

    fn die(&mut self, kind: SinkErrorKind) {
        self.fail(kind);
        self.dead = true;
        let dropped = self.queue.abandon();
        self.count(dropped);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` or the deadline; whether it is ready.
    fn wait(
        &self,
        mut state: MutexGuard<'_, State>,
        deadline: Instant,
        ready: impl Fn(&State) -> bool,
    ) -> bool {
        loop {
            if ready(&state) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self
                .done
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The sink's thread: writes what comes until the end or a failure.
    fn run(&self, mut output: Box<dyn Output>) {
        crash::this_thread_is_ours();
        let header = Version::Go126.header();
        let mut head: &[u8] = &header;
        // A trace without a generation has a header, too.
        if self.attempt(&mut output, &[head], |_| {}) {
            head = &[];
        }
        while let Some(entry) = self.next() {
            if self.write(&mut output, head, entry) {
                head = &[];
            }
        }
        self.write_trailing(&mut output, head);
        // The output may flush when it is dropped, and do everything else that it may not.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(output)));
        let mut state = self.lock();
        if let Err(panic) = dropped {
            state.fail(SinkErrorKind::Panicked(message(&*panic)));
        }
        state.ended = true;
        drop(state);
        self.done.notify_all();
    }

    /// The next generation; none if there will not be one.
    fn next(&self) -> Option<Entry> {
        let mut state = self.lock();
        loop {
            if state.dead {
                return None;
            }
            if let Some(entry) = state.queue.pop() {
                state.in_flight = Some(Arc::clone(&entry.generation));
                return Some(entry);
            }
            if state.finished {
                return None;
            }
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes a generation, over the gap before it; whether that succeeded.
    fn write(&self, output: &mut Box<dyn Output>, head: &[u8], entry: Entry) -> bool {
        let Entry { gap, generation } = &entry;
        let bridge = gap
            .clone()
            .map(|gap| gap.bridge(Some(&generation.bytes), &self.cause()))
            .transpose();
        let written = match bridge {
            Ok(bridge) => {
                let bridge = bridge.unwrap_or_default();
                self.attempt(output, &[head, &bridge, &generation.bytes], |state| {
                    state.written.generations += 1;
                    if let Some(generation) = state.in_flight.take() {
                        state.queue.settle(&generation);
                    }
                })
            }
            Err(error) => {
                self.lock().die(SinkErrorKind::Malformed(error));
                false
            }
        };
        let mut state = self.lock();
        if !written && state.dead {
            state.lose_in_flight();
        } else if !written {
            state.in_flight = None;
            state.queue.settle(generation);
            let (dropped, result) = state.queue.lose(entry);
            state.count(dropped);
            if let Err(error) = result {
                state.die(SinkErrorKind::Malformed(error));
            }
        }
        drop(state);
        self.done.notify_all();
        written
    }

    /// Says what was lost at the very end.
    fn write_trailing(&self, output: &mut Box<dyn Output>, head: &[u8]) {
        let gap = self.lock().queue.take_trailing();
        let cause = self.cause();
        if let Some(Ok(bridge)) = gap.map(|gap| gap.bridge(None, &cause)) {
            self.attempt(output, &[head, &bridge], |_| {});
        }
    }

    /// Why generations were lost, as far as is known.
    fn cause(&self) -> String {
        match &self.lock().failure {
            Some(kind) => kind.to_string(),
            None => String::new(),
        }
    }

    /// Has the output write, and notes the outcome; whether it succeeded.
    fn attempt(
        &self,
        output: &mut Box<dyn Output>,
        parts: &[&[u8]],
        note: impl FnOnce(&mut State),
    ) -> bool {
        if self.lock().dead {
            return false;
        }
        let result = catch_unwind(AssertUnwindSafe(|| output.write(parts)));
        let mut state = self.lock();
        let kind = match result {
            // Who was given up as stuck does not count any more.
            Ok(Ok(())) if !state.dead => {
                state.written.bytes += parts.iter().map(|part| part.len() as u64).sum::<u64>();
                note(&mut state);
                return true;
            }
            Ok(Ok(())) => return false,
            Ok(Err(error)) if output.recovers() => {
                state.fail(SinkErrorKind::Write(error));
                return false;
            }
            Ok(Err(error)) => SinkErrorKind::Write(error),
            Err(panic) => SinkErrorKind::Panicked(message(&*panic)),
        };
        state.die(kind);
        false
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no message)".to_owned())
}
