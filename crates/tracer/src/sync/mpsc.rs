//! Channels with many senders and one receiver, as [`std::sync::mpsc`].

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use crate::stack::Here;

use super::queue::{Order, Outcome, Queue};

const RECEIVE: &str = "chan receive";
const SEND: &str = "chan send";

/// A channel that takes any number of messages.
///
/// ```
/// use exectrace::{sync::mpsc, thread};
///
/// let (sender, receiver) = mpsc::channel();
/// let producer = thread::spawn(move || (0..10).try_for_each(|n| sender.send(n)));
/// assert_eq!(receiver.iter().sum::<i32>(), 45);
/// producer.join().unwrap().unwrap();
/// ```
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Shared::new(None);
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// A channel that takes so many messages before senders wait. With 0, they wait until their message has
/// been received.
#[must_use]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let shared = Shared::new(Some(bound));
    (SyncSender(Arc::clone(&shared)), Receiver(shared))
}

/// The sending side of [`channel`].
pub struct Sender<T>(Arc<Shared<T>>);

/// The sending side of [`sync_channel`].
pub struct SyncSender<T>(Arc<Shared<T>>);

/// The receiving side.
pub struct Receiver<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Receivers: one at most.
    receivers: Queue,
    senders: Queue,
}

struct State<T> {
    messages: VecDeque<T>,
    /// How many messages may wait; `None` for any number.
    bound: Option<usize>,
    /// How many messages were ever sent, and received.
    sent: u64,
    received: u64,
    senders: usize,
    has_receiver: bool,
    /// The receiver waits.
    is_receiving: bool,
}

impl<T> Shared<T> {
    fn new(bound: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                messages: VecDeque::new(),
                bound,
                sent: 0,
                received: 0,
                senders: 1,
                has_receiver: true,
                is_receiving: false,
            }),
            receivers: Queue::new(),
            senders: Queue::new(),
        })
    }

    /// Nothing of the program's own runs while it is held, so nothing can panic.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives if there is a message; an error if there will be none.
    fn take(&self) -> Option<Result<T, RecvError>> {
        let mut state = self.lock();
        let Some(message) = state.messages.pop_front() else {
            return (state.senders == 0).then_some(Err(RecvError));
        };
        state.received += 1;
        let bound = state.bound;
        drop(state);
        match bound {
            None => {}
            // Some wait for a place, and one for its message to be received.
            Some(0) => self.senders.wake_all(),
            Some(_) => self.senders.wake_one(),
        }
        Some(Ok(message))
    }

    /// Receives, waiting until there is something to receive or the time is over.
    fn receive(&self, here: Here, deadline: Option<Instant>) -> Option<Result<T, RecvError>> {
        if let Some(received) = self.take() {
            return Some(received);
        }
        self.lock().is_receiving = true;
        let received = loop {
            match self
                .receivers
                .wait(here, Order::Lock, RECEIVE, deadline, || self.take())
            {
                Outcome::Done(received) => break Some(received),
                Outcome::TimedOut if deadline.is_some() => break None,
                Outcome::TimedOut | Outcome::Starved => {}
            }
        };
        self.lock().is_receiving = false;
        received
    }

    /// Puts the message into the channel if there is room: its number. An error with the message if
    /// there is no receiver any more.
    fn put(&self, message: &mut Option<T>) -> Option<Result<u64, SendError<T>>> {
        let mut state = self.lock();
        let room = state.bound.is_none_or(|n| state.messages.len() < n.max(1));
        if state.has_receiver && !room {
            return None;
        }
        let message = message.take()?;
        if !state.has_receiver {
            drop(state);
            return Some(Err(SendError(message)));
        }
        state.messages.push_back(message);
        state.sent += 1;
        let number = state.sent;
        drop(state);
        self.receivers.wake_one();
        Some(Ok(number))
    }

    /// What has become of message `number`, if that is known: received, or given back since nobody will.
    fn outcome(&self, number: u64) -> Option<Result<(), Option<T>>> {
        let mut state = self.lock();
        if state.received >= number {
            return Some(Ok(()));
        }
        if state.has_receiver {
            return None;
        }
        // A channel without room has one message at most.
        let message = state.messages.pop_front();
        drop(state);
        Some(Err(message))
    }

    fn send_at(&self, here: Here, message: T) -> Result<(), SendError<T>> {
        // 1. Into the channel.
        let mut message = Some(message);
        let number = match self.put(&mut message) {
            Some(put) => put?,
            None => self.until(here, || self.put(&mut message))?,
        };

        // 2. To the receiver, if there is no room in between.
        if self.lock().bound != Some(0) {
            return Ok(());
        }
        match self.until(here, || self.outcome(number)) {
            Ok(()) | Err(None) => Ok(()),
            Err(Some(message)) => Err(SendError(message)),
        }
    }

    fn until<R>(&self, here: Here, mut attempt: impl FnMut() -> Option<R>) -> R {
        loop {
            if let Outcome::Done(done) =
                self.senders
                    .wait(here, Order::Lock, SEND, None, &mut attempt)
            {
                return done;
            }
        }
    }

    fn add_sender(&self) {
        self.lock().senders += 1;
    }

    fn remove_sender(&self) {
        let mut state = self.lock();
        state.senders -= 1;
        let is_last = state.senders == 0;
        drop(state);
        if is_last {
            self.receivers.wake_all();
        }
    }
}

impl<T> Sender<T> {
    /// Sends a message. Never waits.
    ///
    /// # Errors
    ///
    /// If there is no receiver any more; the message is in the error.
    #[inline(always)]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.0.send_at(Here::now(), message)
    }
}

impl<T> SyncSender<T> {
    /// Sends a message, waiting until there is room for it.
    ///
    /// # Errors
    ///
    /// If there is no receiver any more; the message is in the error.
    #[inline(always)]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.0.send_at(Here::now(), message)
    }

    /// Sends a message if there is room for it; if the channel has no room at all, if the receiver waits.
    ///
    /// # Errors
    ///
    /// If there is none, or no receiver any more; the message is in the error.
    #[inline(always)]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        {
            let state = self.0.lock();
            let nobody = !state.is_receiving || !state.messages.is_empty();
            if state.bound == Some(0) && state.has_receiver && nobody {
                return Err(TrySendError::Full(message));
            }
        }
        let mut message = Some(message);
        match (self.0.put(&mut message), message) {
            (Some(Err(SendError(message))), _) => Err(TrySendError::Disconnected(message)),
            (None, Some(message)) => Err(TrySendError::Full(message)),
            _ => Ok(()),
        }
    }
}

impl<T> Receiver<T> {
    /// Receives a message, waiting until there is one.
    ///
    /// # Errors
    ///
    /// If there are neither messages nor senders.
    #[inline(always)]
    pub fn recv(&self) -> Result<T, RecvError> {
        // Without a deadline no time is over.
        self.0.receive(Here::now(), None).unwrap_or(Err(RecvError))
    }

    /// Receives a message, waiting at most so long.
    ///
    /// # Errors
    ///
    /// If there was none, or there are neither messages nor senders.
    #[inline(always)]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        match self
            .0
            .receive(Here::now(), Instant::now().checked_add(timeout))
        {
            Some(Ok(message)) => Ok(message),
            Some(Err(RecvError)) => Err(RecvTimeoutError::Disconnected),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// Receives a message if there is one.
    ///
    /// # Errors
    ///
    /// If there is none, now or for ever.
    #[inline(always)]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.0.take() {
            Some(Ok(message)) => Ok(message),
            Some(Err(RecvError)) => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Messages until there are neither messages nor senders.
    #[inline(always)]
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.recv().ok())
    }

    /// Messages that are there.
    #[inline(always)]
    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.try_recv().ok())
    }
}

impl<T> Iterator for Receiver<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.recv().ok()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.add_sender();
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> Self {
        self.0.add_sender();
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.remove_sender();
    }
}

impl<T> Drop for SyncSender<T> {
    fn drop(&mut self) {
        self.0.remove_sender();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_receiver = false;
        // A sender that waits for its message to be received gets it back.
        let messages = if state.bound == Some(0) {
            VecDeque::new()
        } else {
            std::mem::take(&mut state.messages)
        };
        drop(state);
        self.0.senders.wake_all();
        drop(messages);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
