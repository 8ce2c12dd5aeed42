//! Flight recorders: the last seconds, when something has happened.
//!
//! A [`FlightRecorder`] keeps the newest generations in memory and nothing else. When the program, or
//! a trigger, finds that something is worth a look, [`FlightRecorder::snapshot`] writes them out: a
//! trace that ends now. There may be any number of recorders, beside one [`crate::Session`]; they
//! share the generations.

mod destination;
mod ring;

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use exectrace_mend::{Gap, MendError};

pub use destination::Destination;

use crate::{
    ControlError, Subscription, advance, crash,
    generation::{Consumer, EncodedGeneration, LostGeneration, VERSION},
};
use ring::Ring;

/// Keeps the last seconds of the trace.
///
/// ```
/// use std::time::Duration;
/// use exectrace::FlightRecorder;
///
/// let recorder = FlightRecorder::builder().min_age(Duration::from_secs(5)).start()?;
/// // ... something has happened ...
/// let mut trace = Vec::new();
/// let snapshot = recorder.snapshot(&mut trace)?;
/// assert_eq!(snapshot.bytes, trace.len() as u64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "when it is dropped, it ends"]
pub struct FlightRecorder {
    shared: Arc<Shared>,
    /// Kept so that triggers act for as long as there is a recorder.
    triggers: Triggers,
    subscription: Option<Subscription>,
}

#[derive(Default)]
struct Triggers {
    watched: Vec<Arc<dyn Fn() + Send + Sync>>,
    slow: Option<Slow>,
}

impl fmt::Debug for Triggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Triggers")
            .field("watched", &self.watched.len())
            .field("slow", &self.slow)
            .finish()
    }
}

/// How a [`FlightRecorder`] is to be; see [`FlightRecorder::builder`].
#[derive(Debug)]
#[must_use = "nothing happens before it is started"]
pub struct Builder {
    min_age: Duration,
    max_bytes: usize,
    on_panic: Option<Destination>,
    on_signal: Vec<(i32, Destination)>,
    on_slow: Option<(Duration, Destination)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            min_age: Duration::from_secs(10),
            max_bytes: 10 << 20,
            on_panic: None,
            on_signal: Vec::new(),
            on_slow: None,
        }
    }
}

/// Why a flight recorder could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Tracing could not be started.
    Control(ControlError),
    /// The signal is none, ends the process, or is somebody else's.
    Signal(i32),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(error) => error.fmt(f),
            Self::Signal(signal) => write!(
                f,
                "signal {signal} cannot trigger a snapshot: the program handles it, or it ends the \
                 process; take another, such as SIGUSR1"
            ),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Control(error) => Some(error),
            Self::Signal(_) => None,
        }
    }
}

/// What a snapshot has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Generations, without those that stand for lost ones.
    pub generations: u64,
    /// Generations that were lost in between; the trace says so.
    pub lost_generations: u64,
    /// Events.
    pub events: u64,
    /// Bytes written.
    pub bytes: u64,
    /// The time that it spans.
    pub age: Duration,
}

/// Why a snapshot could not be written.
#[derive(Debug)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The generation could not be ended, so that the newest events are not there.
    Control(ControlError),
    /// The writer failed. What it has may end in the middle of a generation.
    Write(io::Error),
    /// A generation was malformed. That is a mistake of this library.
    Malformed(MendError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(error) => error.fmt(f),
            Self::Write(error) => write!(f, "the snapshot could not be written: {error}"),
            Self::Malformed(error) => write!(f, "a malformed generation, please report: {error}"),
        }
    }
}

impl std::error::Error for SnapshotError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Control(error) => Some(error),
            Self::Write(error) => Some(error),
            Self::Malformed(error) => Some(error),
        }
    }
}

/// What triggers have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TriggerStats {
    /// Snapshots that were written.
    pub written: u64,
    /// Snapshots that could not be written.
    pub failed: u64,
    /// Occasions that came too soon after another one, or too often.
    pub skipped: u64,
}

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    written: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
}

impl Consumer for Shared {
    fn generation(&self, generation: &Arc<EncodedGeneration>) {
        self.ring().push(Arc::clone(generation));
    }

    fn lost(&self, lost: &LostGeneration) {
        self.ring().push_lost(lost);
    }
}

impl Builder {
    /// The time that a snapshot spans at least, once the recorder has run that long; ten seconds
    /// unless told otherwise. [`Builder::max_bytes`] limits it.
    pub const fn min_age(mut self, age: Duration) -> Self {
        self.min_age = age;
        self
    }

    /// Bytes to keep at most, but for the newest generation, which is always kept; 10 MiB unless told
    /// otherwise.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Writes a snapshot when any thread panics, before the panic goes on. The panic hook that there
    /// is when the first trigger of the process is set is called first.
    pub fn on_panic(mut self, destination: Destination) -> Self {
        self.on_panic = Some(destination);
        self
    }

    /// Writes a snapshot when the process gets a signal, such as SIGUSR1, which it must not use
    /// otherwise. The handler only wakes a thread.
    pub fn on_signal(mut self, signal: i32, destination: Destination) -> Self {
        self.on_signal.push((signal, destination));
        self
    }

    /// Writes a snapshot when something took longer than a threshold: whoever measures tells
    /// [`Slow::check`], which [`FlightRecorder::slow`] returns.
    pub fn on_slow(mut self, threshold: Duration, destination: Destination) -> Self {
        self.on_slow = Some((threshold, destination));
        self
    }

    /// Starts the recorder, and tracing if nobody has so far.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start(self) -> Result<FlightRecorder, StartError> {
        let shared = Arc::new(Shared {
            ring: Mutex::new(Ring::new(self.min_age, self.max_bytes)),
            written: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        });
        let subscription = Subscription::new(shared.clone()).map_err(StartError::Control)?;
        let mut triggers = Triggers::default();
        let panics = self.on_panic.map(|to| (crash::At::Panic, to));
        let signals = self.on_signal.into_iter();
        let signals = signals.map(|(signal, to)| (crash::At::Signal(signal), to));
        for (at, destination) in panics.into_iter().chain(signals) {
            let recorder = Arc::clone(&shared);
            let act: Arc<dyn Fn() + Send + Sync> = Arc::new(move || recorder.save(&destination));
            let trigger = crash::Trigger {
                at,
                act: Arc::downgrade(&act),
            };
            if let (false, crash::At::Signal(signal)) = (crash::add_trigger(trigger), at) {
                return Err(StartError::Signal(signal));
            }
            triggers.watched.push(act);
        }
        triggers.slow = self.on_slow.map(|(threshold, destination)| {
            Slow(Arc::new(SlowTrigger {
                threshold,
                destination,
                shared: Arc::clone(&shared),
                is_writing: Mutex::new(()),
            }))
        });
        Ok(FlightRecorder {
            shared,
            triggers,
            subscription: Some(subscription),
        })
    }
}

impl FlightRecorder {
    /// Starts a recorder with the usual settings: ten seconds, 10 MiB, no triggers.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// The usual settings, to be changed.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Writes what is kept, up to now: the generation is ended for it. May be called at any time, from
    /// several threads at once; each gets a trace of its own. Recording goes on meanwhile, and nobody
    /// waits for the writer.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn snapshot(&self, writer: &mut dyn Write) -> Result<Snapshot, SnapshotError> {
        advance().map_err(SnapshotError::Control)?;
        self.shared.write(writer)
    }

    /// What the trigger of [`Builder::on_slow`] is told with; none if there is no such trigger.
    #[must_use]
    pub fn slow(&self) -> Option<Slow> {
        self.triggers.slow.clone()
    }

    /// What triggers have done so far.
    #[must_use]
    pub fn trigger_stats(&self) -> TriggerStats {
        TriggerStats {
            written: self.shared.written.load(Ordering::Relaxed),
            failed: self.shared.failed.load(Ordering::Relaxed),
            skipped: self.shared.skipped.load(Ordering::Relaxed),
        }
    }

    /// Bytes that are kept, and the time that they span.
    #[must_use]
    pub fn kept(&self) -> (usize, Duration) {
        let ring = self.shared.ring();
        (ring.bytes(), ring.age())
    }

    /// Ends the recorder. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`ControlError`]: then tracing may go on.
    pub fn stop(mut self) -> Result<(), ControlError> {
        self.subscription.take().map_or(Ok(()), Subscription::end)
    }
}

impl Shared {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, writer: &mut dyn Write) -> Result<Snapshot, SnapshotError> {
        // 1. What there is now. The writer may take its time: nobody waits for the lock.
        let (contents, age) = {
            let ring = self.ring();
            (ring.contents(), ring.age())
        };
        let mut snapshot = Snapshot {
            age,
            ..Snapshot::default()
        };
        // 2. The generations, and bridges where some are lost.
        let mut put = |bytes: &[u8]| {
            snapshot.bytes += bytes.len() as u64;
            writer.write_all(bytes).map_err(SnapshotError::Write)
        };
        put(&VERSION.header())?;
        let mut last: Option<Arc<EncodedGeneration>> = None;
        // A trace does not begin with an empty generation: see `Stream`.
        let contents = contents.into_iter();
        for entry in contents.skip_while(|entry| entry.generation.events == 0) {
            if entry.lost_generations > 0 && last.is_some() {
                let before = last.as_ref().map(|last| &*last.bytes);
                let gap = Gap::unseen(before, entry.lost_generations, entry.lost_events);
                let bridge = gap.and_then(|gap| {
                    gap.bridge(Some(&entry.generation.bytes), "there was no memory for it")
                });
                put(&bridge.map_err(SnapshotError::Malformed)?)?;
                snapshot.lost_generations += entry.lost_generations;
            }
            put(&entry.generation.bytes)?;
            snapshot.generations += 1;
            snapshot.events += entry.generation.events;
            last = Some(entry.generation);
        }
        writer.flush().map_err(SnapshotError::Write)?;
        Ok(snapshot)
    }

    /// Writes a snapshot somewhere, for a trigger.
    fn save(&self, destination: &Destination) {
        let counter = match destination.open() {
            None => &self.skipped,
            Some(Err(_)) => &self.failed,
            Some(Ok(mut writer)) => {
                // Without the newest events it is better than nothing.
                let _ = advance();
                match self.write(&mut *writer) {
                    Ok(_) => &self.written,
                    Err(_) => &self.failed,
                }
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Triggers a snapshot when something took too long; see [`Builder::on_slow`]. Clones are the same
/// trigger.
#[derive(Clone, Debug)]
pub struct Slow(Arc<SlowTrigger>);

#[derive(Debug)]
struct SlowTrigger {
    threshold: Duration,
    destination: Destination,
    shared: Arc<Shared>,
    is_writing: Mutex<()>,
}

impl Slow {
    /// Tells how long something took. Below the threshold this is a comparison; above it, the first
    /// to come writes a snapshot, on its own thread, and others go on.
    #[inline]
    pub fn check(&self, took: Duration) {
        if took > self.0.threshold {
            self.fire();
        }
    }

    /// As [`Slow::check`], for something that has begun at a time.
    #[inline]
    pub fn check_since(&self, began: Instant) {
        self.check(began.elapsed());
    }

    #[cold]
    fn fire(&self) {
        let SlowTrigger {
            shared,
            destination,
            is_writing,
            ..
        } = &*self.0;
        match is_writing.try_lock() {
            Ok(_guard) => shared.save(destination),
            Err(_) => {
                shared.skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
