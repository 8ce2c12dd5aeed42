//! Waiting for each other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::stack::Here;

use super::queue::{Order, Outcome, Queue};

/// As [`std::sync::Barrier`], with who waits and who comes last in the trace.
///
/// ```
/// use exectrace::{sync::Barrier, thread};
///
/// let barrier = Barrier::new(3);
/// thread::scope(|scope| {
///     for _ in 0..3 {
///         scope.spawn(|| barrier.wait());
///     }
/// });
/// ```
#[derive(Debug)]
pub struct Barrier {
    parties: usize,
    state: Mutex<State>,
    queue: Queue,
}

#[derive(Debug)]
struct State {
    arrived: usize,
    round: u64,
}

/// Who came last.
#[derive(Clone, Copy, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether it was this one.
    #[must_use]
    pub const fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// Nobody has arrived of so many. With 0, nobody waits.
    #[must_use]
    pub const fn new(parties: usize) -> Self {
        Self {
            parties,
            state: Mutex::new(State {
                arrived: 0,
                round: 0,
            }),
            queue: Queue::new(),
        }
    }

    /// Waits until all have arrived.
    #[inline(always)]
    pub fn wait(&self) -> BarrierWaitResult {
        let round = {
            let mut state = self.lock();
            state.arrived += 1;
            if state.arrived >= self.parties {
                state.arrived = 0;
                state.round += 1;
                drop(state);
                self.queue.wake_all();
                return BarrierWaitResult(true);
            }
            state.round
        };
        let is_over = || (self.lock().round != round).then_some(());
        // Whoever wakes it has made a new round, so it starves only if it waits again.
        while !matches!(
            self.queue
                .wait(Here::now(), Order::Lock, "sync.Barrier", None, is_over),
            Outcome::Done(())
        ) {}
        BarrierWaitResult(false)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
