//! Starting, stopping, and going on to the next generation.

use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use exectrace_wire::Generation;

use crate::{
    block::{BLOCK_BYTES, Pool},
    clock::{self, Snapshot},
    generation::{Closing, Consumer, LossCause, LostGeneration, close, discard},
    os,
    raw::{collector, slots, world},
    stats::{COUNTERS, Stats, counted},
    thread_state::{self, CLOCKWORK},
    ticker, writer,
};

/// How the tracer uses memory and time. What was set last holds for all who trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How long a generation lasts at most. At least a millisecond.
    pub period: Duration,
    /// How many bytes of it may be finished before it is ended early.
    pub generation_bytes: usize,
    /// How much trace memory may be in use, in bytes. If that is not enough, generations are lost.
    pub max_memory: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(1),
            generation_bytes: 16 << 20,
            max_memory: 64 << 20,
        }
    }
}

/// Why tracing could not be started, stopped or advanced.
#[derive(Debug)]
#[non_exhaustive]
pub enum ControlError {
    /// There is a session already. Stop it first, or take a flight recorder.
    AlreadyStarted,
    /// The background thread could not be started.
    Thread(std::io::Error),
    /// Called by a [`Consumer`], or on a thread that stops the world, which would wait for itself.
    WouldDeadlock,
    /// The process is a forked child. Tracing ends at a fork: only one thread goes on.
    Forked,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyStarted => {
                f.write_str("tracing is on already; stop the session before starting another")
            }
            Self::Thread(error) => write!(f, "cannot start the tracer's thread: {error}"),
            Self::WouldDeadlock => f.write_str(
                "tracing cannot be controlled from a consumer or while the caller stops the world; \
                 do it from another thread",
            ),
            Self::Forked => f.write_str(
                "this process was forked from one that traced, and cannot trace; start a new program",
            ),
        }
    }
}

impl std::error::Error for ControlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            _ => None,
        }
    }
}

/// A consumer and the generations that it gets.
struct Subscriber {
    id: u64,
    from: u64,
    consumer: Arc<dyn Consumer>,
}

struct Control {
    subscribers: Vec<Subscriber>,
    last_id: u64,
    has_session: bool,
    /// When the phase began.
    started: Option<Snapshot>,
}

static CONTROL: Mutex<Control> = Mutex::new(Control {
    subscribers: Vec::new(),
    last_id: 0,
    has_session: false,
    started: None,
});

static FORKED: AtomicBool = AtomicBool::new(false);

/// Blocks that a generation may have finished before it is ended early.
static GENERATION_BLOCKS: AtomicUsize = AtomicUsize::new(usize::MAX);

thread_local! {
    /// The thread holds [`CONTROL`].
    static HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether events are written. One load and a comparison: what is only done for the trace's sake goes
/// behind it.
#[inline(always)]
#[must_use]
pub fn is_enabled() -> bool {
    CLOCKWORK.glance().is_on()
}

/// What the tracer has done so far.
#[must_use]
pub fn stats() -> Stats {
    Stats {
        memory: (pool().in_use() * BLOCK_BYTES) as u64,
        ..counted()
    }
}

/// Changes the settings from now on.
pub fn configure(settings: &Settings) {
    if is_forked() {
        return;
    }
    pool().set_limit(settings.max_memory / BLOCK_BYTES);
    let blocks = (settings.generation_bytes / BLOCK_BYTES).max(1);
    GENERATION_BLOCKS.store(blocks, Ordering::Relaxed);
    ticker::set_period(settings.period.max(Duration::from_millis(1)));
}

/// Ends the generation, so that everything up to now gets to the consumers before this returns.
/// Does nothing while tracing is off.
///
/// # Errors
///
/// [`ControlError::WouldDeadlock`], [`ControlError::Forked`].
pub fn advance() -> Result<(), ControlError> {
    let mut control = Locked::new()?;
    if is_enabled() {
        control.switch(true);
    }
    Ok(())
}

/// Gets generations from its beginning to its end. The last one to end stops tracing.
#[derive(Debug)]
#[must_use = "when it is dropped, it ends"]
pub struct Subscription {
    id: u64,
    is_session: bool,
}

impl Subscription {
    /// Gives `consumer` all generations from now on. If nobody has traced so far, tracing starts;
    /// otherwise a new generation begins. There may be any number.
    ///
    /// # Errors
    ///
    /// [`ControlError`], without [`ControlError::AlreadyStarted`].
    pub fn new(consumer: Arc<dyn Consumer>) -> Result<Self, ControlError> {
        Self::start(consumer, false)
    }

    /// As [`Subscription::new`], but there may be one only.
    ///
    /// # Errors
    ///
    /// [`ControlError`].
    pub fn session(consumer: Arc<dyn Consumer>) -> Result<Self, ControlError> {
        Self::start(consumer, true)
    }

    fn start(consumer: Arc<dyn Consumer>, is_session: bool) -> Result<Self, ControlError> {
        static AT_FORK: std::sync::Once = std::sync::Once::new();
        let mut control = Locked::new()?;
        if is_session && control.has_session {
            return Err(ControlError::AlreadyStarted);
        }
        clock::start();
        slots::ensure_proc();
        AT_FORK.call_once(|| os::at_fork(in_forked_child));
        ticker::start().map_err(ControlError::Thread)?;
        control.has_session |= is_session;
        control.last_id += 1;
        let id = control.last_id;
        let from = CLOCKWORK.glance().number() + 1;
        control.subscribers.push(Subscriber { id, from, consumer });
        control.switch(true);
        Ok(Self { id, is_session })
    }

    /// Ends it: the consumer has got everything up to now when this returns.
    ///
    /// # Errors
    ///
    /// [`ControlError::WouldDeadlock`], and then it goes on; [`ControlError::Forked`].
    pub fn end(mut self) -> Result<(), ControlError> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(), ControlError> {
        if self.id == 0 {
            return Ok(());
        }
        let mut control = Locked::new()?;
        let is_last = !control.subscribers.iter().any(|s| s.id != self.id);
        if is_enabled() {
            control.switch(!is_last);
        }
        control.subscribers.retain(|s| s.id != self.id);
        control.has_session &= !self.is_session;
        self.id = 0;
        if is_last {
            ticker::stop();
        }
        Ok(())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // There is nobody to tell that it goes on for ever, and nothing else to be done.
        let _ = self.finish();
    }
}

/// The lock on starting, stopping and advancing.
struct Locked(MutexGuard<'static, Control>);

impl Locked {
    fn new() -> Result<Self, ControlError> {
        if is_forked() {
            return Err(ControlError::Forked);
        }
        if HERE.get() || world::is_stopped_here() {
            return Err(ControlError::WouldDeadlock);
        }
        let control = CONTROL.lock().unwrap_or_else(PoisonError::into_inner);
        HERE.set(true);
        Ok(Self(control))
    }

    /// Begins the next phase, and hands out the generation that ends with it.
    fn switch(&mut self, on: bool) {
        // 1. Not while the world is stopped: that has to begin and end in one generation.
        let gate = world::gate();

        // 2. The clocks, before the first event of the phase; never the same twice.
        let was_on = is_enabled();
        let started = self.started.take();
        let snapshot = later_than(started);
        let phase = CLOCKWORK.glance().number();
        let over = {
            let mut collector = collector::lock();
            collector.begin_phase(phase + 1);
            thread_state::switch(on)
        };
        drop(gate);
        clock::refine();

        // 3. What the phase before has left.
        if let Some(started) = started
            && was_on
        {
            self.finish(&Closing {
                over: &over,
                started,
                ended: snapshot.time,
            });
        }
        drop(over);
        self.started = Some(snapshot);
    }

    fn finish(&mut self, closing: &Closing<'_>) {
        let phase = closing.over.phase();
        if writer::is_lost(phase) {
            let lost = LostGeneration {
                number: Generation(phase),
                started: closing.started.time,
                ended: closing.ended,
                events: discard(closing),
                cause: LossCause::OutOfMemory,
            };
            COUNTERS.lost_generations.add(1);
            COUNTERS.lost_events.add(lost.events);
            self.tell(phase, |consumer| consumer.lost(&lost));
        } else {
            let (generation, blocks) = close(closing);
            let generation = Arc::new(generation);
            // What is in mapped memory MUST be there until the whole generation is, otherwise it is
            // lost if the process is killed right now.
            #[cfg(target_os = "linux")]
            crate::mapped::keep(&generation);
            drop(blocks);
            COUNTERS.generations.add(1);
            COUNTERS.events.add(generation.events);
            COUNTERS.bytes.add(generation.bytes.len() as u64);
            self.tell(phase, |consumer| consumer.generation(&generation));
        }
    }

    /// A consumer that panics is not called again; the others are.
    fn tell(&mut self, phase: u64, tell: impl Fn(&dyn Consumer)) {
        self.subscribers.retain(|subscriber| {
            if subscriber.from > phase {
                return true;
            }
            let consumer = &*subscriber.consumer;
            let told = catch_unwind(AssertUnwindSafe(|| tell(consumer)));
            if told.is_err() {
                COUNTERS.failed_consumers.add(1);
            }
            told.is_ok()
        });
    }
}

impl std::ops::Deref for Locked {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.0
    }
}

impl std::ops::DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut Control {
        &mut self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        HERE.set(false);
    }
}

/// A snapshot of which every clock is later than in the one before, as readers demand, even if
/// somebody has set the wall clock back.
fn later_than(before: Option<Snapshot>) -> Snapshot {
    let mut snapshot = clock::snapshot();
    if let Some(before) = before {
        snapshot.time.0 = snapshot.time.0.max(before.time.0 + 1);
        snapshot.monotonic_ns = snapshot.monotonic_ns.max(before.monotonic_ns + 1);
        snapshot.wall = snapshot.wall.max(before.wall + Duration::from_nanos(1));
    }
    snapshot
}

static POOL: OnceLock<Pool> = OnceLock::new();

/// Whether there has been a need for trace memory.
#[cfg(target_os = "linux")]
pub(crate) fn has_pool() -> bool {
    POOL.get().is_some()
}

/// Decides where trace memory comes from; none if that is decided already.
#[cfg(target_os = "linux")]
pub(crate) fn set_pool(pool: Pool) -> Option<&'static Pool> {
    POOL.set(pool).ok()?;
    POOL.get()
}

/// Where trace memory comes from.
pub(crate) fn pool() -> &'static Pool {
    POOL.get_or_init(|| Pool::new(Settings::default().max_memory / BLOCK_BYTES))
}

/// A generation has that many finished blocks.
pub(crate) fn collected(blocks: usize) {
    if blocks >= GENERATION_BLOCKS.load(Ordering::Relaxed) {
        request_advance();
    }
}

/// Has the generation ended soon, without waiting for it. May be called anywhere.
pub(crate) fn request_advance() {
    ticker::request();
}

pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

extern "C" fn in_forked_child() {
    FORKED.store(true, Ordering::Relaxed);
    CLOCKWORK.turn_off();
    thread_state::forget_current();
}
