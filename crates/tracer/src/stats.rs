//! What the tracer counts of itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the tracer has done since the process began.
///
/// Events are counted when their generation ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events in finished generations, statuses included.
    pub events: u64,
    /// Bytes of finished generations.
    pub bytes: u64,
    /// Finished generations.
    pub generations: u64,
    /// Generations that were lost.
    pub lost_generations: u64,
    /// Events in lost generations, or that would have been.
    pub lost_events: u64,
    /// Finished generations that sinks could not take, or not fast enough. They are not in the trace,
    /// which says so.
    pub dropped_generations: u64,
    /// Events in them.
    pub dropped_events: u64,
    /// Events from inside the tracer: a signal handler that interrupted it, an allocator that is
    /// traced. They are not in the trace.
    pub nested_events: u64,
    /// Events on threads whose thread-local state is gone: from destructors that run late; and in
    /// forked children. They are not in the trace.
    pub late_events: u64,
    /// Events that need a goroutine, on threads that run none. They are not in the trace.
    pub homeless_events: u64,
    /// Calls that do not fit what the trace knows of the thread, goroutine or proc: the token is of a
    /// proc that its thread has left for another, or something that came before was dropped. They are
    /// not in the trace.
    pub misfit_events: u64,
    /// Goroutines that were dropped where no thread could end them. They stay as they are in the
    /// trace, to its end.
    pub abandoned_goroutines: u64,
    /// Tokens of goroutines or procs that were leaked while their thread went on. The trace says that
    /// the goroutine ended.
    pub leaked_tokens: u64,
    /// Consumers that panicked and get nothing any more.
    pub failed_consumers: u64,
    /// Bytes of trace memory in use.
    pub memory: u64,
}

/// Counts a call that does not fit what the trace knows, and cannot be in it.
#[cold]
pub(crate) fn misfit() {
    COUNTERS.misfit_events.add(1);
}

/// A counter that any thread may increment at any time.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        #[derive(Debug)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter),* }

        pub(crate) static COUNTERS: Counters = Counters { $($name: Counter::new()),* };

        pub(crate) fn counted() -> Stats {
            Stats { $($name: COUNTERS.$name.get(),)* ..Stats::default() }
        }
    };
}

counters! {
    events, bytes, generations, lost_generations, lost_events, dropped_generations, dropped_events, nested_events, late_events,
    homeless_events, misfit_events, abandoned_goroutines, leaked_tokens, failed_consumers,
}
