//! Waiting for a thing that another thread has to do, with both named in the trace.
//!
//! What is waited for is decided elsewhere, by an *attempt* that succeeds or not: a lock of the standard
//! library that is tried, a channel that has a message. The queue knows who waits, and lets who has made
//! an attempt worth another one wake exactly one of them, or all.
//!
//! # Why no wake-up is lost
//!
//! Who waits is in the queue before its last attempt before it sleeps. Who changes something looks at
//! the queue afterwards. If the attempt does not see the change, the look sees who waits. The two are
//! ordered by a lock that attempt and change share, or, where there is none, by a pair of fences
//! ([`Order`]).

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use crate::{
    raw::{
        Runnable, Waiting,
        park::{self, Woken},
    },
    stack::Here,
    thread_state::fence,
};

/// Wake-ups without success after which it is up to the thing itself to be fair.
pub(super) const PATIENCE: u32 = 32;

/// What orders a change and a look at the queue after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Attempt and change happen under one lock.
    Lock,
    /// Nothing. The fence is on the side of who waits, where it costs next to nothing in comparison.
    Fence,
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Outcome<R> {
    /// An attempt succeeded.
    Done(R),
    /// The time was over.
    TimedOut,
    /// There were [`PATIENCE`] wake-ups without success.
    Starved,
}

/// Who waits.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// How many wait: a hint that needs no lock.
    length: AtomicUsize,
    waiters: Mutex<VecDeque<Arc<Waiter>>>,
}

/// A thread that waits.
#[derive(Debug)]
struct Waiter {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Debug)]
enum State {
    /// In the queue, not yet asleep.
    Awake,
    /// Asleep, with its goroutine if it has one.
    Asleep(Option<Waiting>),
    /// Woken, with its goroutine if that was asleep and has been unblocked.
    Woken(Option<Runnable>),
}

impl Waiter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes it. The trace says who did it, if it was asleep.
    fn wake(&self, here: Here) {
        let mut state = self.lock();
        let runnable = match &mut *state {
            State::Asleep(waiting) => waiting.take().map(|w| w.unblock_at(here)),
            State::Awake => None,
            State::Woken(_) => return,
        };
        *state = State::Woken(runnable);
        self.woken.notify_one();
    }

    /// Sleeps until it is woken or the time is over.
    fn sleep(&self, here: Here, reason: &'static str, deadline: Option<Instant>) {
        // 1. The trace says why; unless it was woken in the meantime.
        let mut state = self.lock();
        if matches!(*state, State::Woken(_)) {
            return;
        }
        let (parked, waiting) = park::park(here, reason).unzip();
        *state = State::Asleep(waiting);

        // 2. Sleep.
        while matches!(*state, State::Asleep(_)) {
            let Some(deadline) = deadline else {
                let woken = self.woken.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.woken.wait_timeout(state, left);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }

        // 3. Go on.
        let goroutine = match &mut *state {
            State::Woken(runnable) => runnable.take().map(Woken::Runnable),
            State::Asleep(waiting) => waiting.take().map(Woken::Waiting),
            State::Awake => None,
        };
        if matches!(*state, State::Asleep(_)) {
            *state = State::Awake;
        }
        drop(state);
        if let Some((parked, goroutine)) = parked.zip(goroutine) {
            park::unpark(&parked, goroutine);
        }
    }
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            length: AtomicUsize::new(0),
            waiters: Mutex::new(VecDeque::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Waiter>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `attempt` succeeds.
    pub(crate) fn wait<R>(
        &self,
        here: Here,
        order: Order,
        reason: &'static str,
        deadline: Option<Instant>,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Outcome<R> {
        for try_number in 0..PATIENCE {
            // 1. In the queue, and then another attempt: see above. Who has waited already comes first.
            let place = self.enter(try_number > 0);
            if order == Order::Fence {
                fence::prepare();
                fence::heavy();
            }
            if let Some(done) = attempt() {
                return Outcome::Done(done);
            }

            // 2. Sleep.
            let was_woken = place.sleep(here, reason, deadline);
            drop(place);
            if let Some(done) = attempt() {
                return Outcome::Done(done);
            }
            if !was_woken {
                return Outcome::TimedOut;
            }
        }
        Outcome::Starved
    }

    /// Takes a place in the queue now, to sleep later.
    pub(crate) fn enter(&self, first: bool) -> Place<'_> {
        let waiter = Arc::new(Waiter {
            state: Mutex::new(State::Awake),
            woken: Condvar::new(),
        });
        let mut waiters = self.lock();
        if first {
            waiters.push_front(Arc::clone(&waiter));
        } else {
            waiters.push_back(Arc::clone(&waiter));
        }
        self.length.store(waiters.len(), Ordering::SeqCst);
        Place {
            queue: self,
            waiter,
        }
    }

    /// Whether somebody waits. MUST come after the change that makes an attempt worth it.
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        fence::light();
        self.length.load(Ordering::Relaxed) != 0
    }

    /// Wakes who has waited longest. MUST come after the change that makes an attempt worth it.
    #[inline(always)]
    pub(crate) fn wake_one(&self) {
        if self.has_waiters() {
            self.wake(Here::now(), 1);
        }
    }

    /// Wakes all. MUST come after the change that makes attempts worth it.
    #[inline(always)]
    pub(crate) fn wake_all(&self) {
        if self.has_waiters() {
            self.wake(Here::now(), usize::MAX);
        }
    }

    #[cold]
    fn wake(&self, here: Here, at_most: usize) {
        let woken: Vec<_> = {
            let mut waiters = self.lock();
            let count = at_most.min(waiters.len());
            let woken = waiters.drain(..count).collect();
            self.length.store(waiters.len(), Ordering::SeqCst);
            woken
        };
        for waiter in woken {
            waiter.wake(here);
        }
    }
}

/// A place in a queue. It is given up when this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    queue: &'a Queue,
    waiter: Arc<Waiter>,
}

impl Place<'_> {
    /// Sleeps until it is woken or the time is over; whether it was woken.
    pub(crate) fn sleep(
        &self,
        here: Here,
        reason: &'static str,
        deadline: Option<Instant>,
    ) -> bool {
        self.waiter.sleep(here, reason, deadline);
        matches!(*self.waiter.lock(), State::Woken(_))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if matches!(*self.waiter.lock(), State::Woken(_)) {
            // Whoever woke it has taken it out of the queue.
            return;
        }
        let mut waiters = self.queue.lock();
        if let Some(at) = waiters.iter().position(|w| Arc::ptr_eq(w, &self.waiter)) {
            waiters.remove(at);
            self.queue.length.store(waiters.len(), Ordering::SeqCst);
        } else {
            // Somebody is about to wake it, and it does not wait any more: another one may.
            drop(waiters);
            self.queue.wake_one();
        }
    }
}
