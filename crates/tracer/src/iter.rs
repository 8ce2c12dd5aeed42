//! From iterators that push to iterators that are pulled from, as Go's `iter.Pull`.
//!
//! A *push iterator* is a function that calls another one for each value. It is easy to write: a walk
//! over a tree is a recursion. [`pull`] runs it on a stack of its own (a coroutine) and hands out its
//! values one by one.
//!
//! In the trace the function is a goroutine. It is created blocked; each value is a switch from who asks
//! to the function and back, on the same thread and proc, without waiting for a scheduler; at the
//! function's end a switch destroys it. When it is [moved](Pull::into_send), its goroutine runs where
//! it is pulled from.
//!
//! ```
//! use exectrace::iter::pull;
//!
//! let mut squares = pull(|yielder| {
//!     for n in 1.. {
//!         if !yielder.give(n * n) {
//!             return; // nobody wants more
//!         }
//!     }
//! });
//! assert_eq!(squares.next(), Some(1));
//! assert_eq!(squares.next(), Some(4));
//! assert_eq!(squares.by_ref().skip(1).next(), Some(16));
//! ```
#![allow(
    unsafe_code,
    reason = "the bounds of a coroutine's stack, and moving it to another thread"
)]

use std::{fmt, io, iter::FusedIterator, mem};

use corosensei::{
    Coroutine, CoroutineResult, Yielder as Inner,
    stack::{DefaultStack, Stack as _},
};

use crate::{
    raw::{
        Waiting,
        park::{self, Switched},
    },
    region::{self, Regions},
    stack::{Here, enter_stack, named::Place},
};

/// Bytes of a coroutine's stack unless told otherwise. Only what is touched takes memory.
const STACK_BYTES: usize = 1 << 20;

/// What a push iterator is told when it is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resume {
    /// Somebody wants a value.
    Next,
    /// Nobody wants any more.
    Stop,
}

/// Where a push iterator puts its values.
pub struct Yielder<'a, T> {
    inner: &'a Inner<Resume, T>,
}

impl<T> fmt::Debug for Yielder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}

impl<T> Yielder<'_, T> {
    /// Hands a value out and waits until the next one is wanted. `false` if none is wanted any more:
    /// then the function should return.
    #[must_use = "when it is false, the function should return"]
    pub fn give(&self, value: T) -> bool {
        self.inner.suspend(value) == Resume::Next
    }
}

/// Runs a push iterator, step by step. Nothing of it runs before the first value is asked for.
///
/// # Panics
///
/// If there is no memory for a stack; [`try_pull`] returns an error.
#[track_caller]
pub fn pull<T, F>(push: F) -> Pull<T>
where
    F: FnOnce(&Yielder<'_, T>) + 'static,
    T: 'static,
{
    match try_pull(STACK_BYTES, push) {
        Ok(pull) => pull,
        Err(error) => panic!("no stack for a coroutine: {error}"),
    }
}

/// As [`pull`], with a stack of so many bytes (or a few pages more).
///
/// # Errors
///
/// If there is no memory for the stack.
#[track_caller]
pub fn try_pull<T, F>(stack_bytes: usize, push: F) -> io::Result<Pull<T>>
where
    F: FnOnce(&Yielder<'_, T>) + 'static,
    T: 'static,
{
    let place = Place::of::<F>();
    let stack = DefaultStack::new(stack_bytes)?;
    let bounds = (stack.limit().get(), stack.base().get());
    let coroutine = Coroutine::with_stack(stack, move |inner: &Inner<Resume, T>, first| {
        if first == Resume::Next {
            push(&Yielder { inner });
        }
    });
    Ok(Pull {
        coroutine: Some(coroutine),
        bounds,
        goroutine: park::create_blocked(Here::now(), place),
        regions: Regions::default(),
    })
}

/// The values of a push iterator, one by one; see [`pull`].
///
/// When it is dropped before the end, the push iterator is told that nobody wants more. If it goes on
/// nevertheless, it is unwound from where it is (in programs that abort on panic: left as it is, and its
/// stack is leaked). If the function panics, so does who asked for the value; there are none after that.
pub struct Pull<T> {
    /// `None` once it is over.
    coroutine: Option<Coroutine<Resume, T, ()>>,
    /// The lowest address of its stack, and the end.
    bounds: (usize, usize),
    /// While it is suspended; none if it was created where nothing could be traced.
    goroutine: Option<Waiting>,
    regions: Regions,
}

impl<T> fmt::Debug for Pull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pull")
            .field("is_over", &self.coroutine.is_none())
            .finish_non_exhaustive()
    }
}

impl<T> Pull<T> {
    /// Makes it one that can be moved to other threads.
    ///
    /// # Safety
    ///
    /// Whatever the function has on its stack while it is suspended in [`Yielder::give`], and what
    /// it has captured, MUST be fit for being moved to another thread: no [`Rc`](std::rc::Rc) of which
    /// there are clones elsewhere, no guard of a lock, no reference to a thread-local. The compiler cannot
    /// know, since none of this is part of a type.
    ///
    /// ```
    /// use exectrace::iter::pull;
    ///
    /// let numbers = pull(|yielder| {
    ///     for n in 0..10 {
    ///         if !yielder.give(n) {
    ///             return;
    ///         }
    ///     }
    /// });
    /// // SAFETY: the function has a number on its stack.
    /// let numbers = unsafe { numbers.into_send() };
    /// let sum = std::thread::spawn(move || numbers.sum::<i32>()).join();
    /// assert_eq!(sum.unwrap(), 45);
    /// ```
    #[must_use]
    pub unsafe fn into_send(self) -> SendPull<T>
    where
        T: Send,
    {
        SendPull(self)
    }

    /// Resumes the function until it hands out a value, or is over.
    fn resume(&mut self, what: Resume) -> Option<T> {
        let coroutine = self.coroutine.as_mut()?;

        // 1. Its goroutine runs in the place of this one, with its own regions and stack.
        let mut switched = Turn::begin(&mut self.goroutine, &mut self.regions);
        let (low, end) = self.bounds;
        // SAFETY: the coroutine's stack is mapped from its limit to its base until `coroutine` is
        // dropped, which is after the guard.
        let stack = unsafe { enter_stack(low..end) };

        // 2. It runs. If it panics, it is over.
        let result = coroutine.resume(what);
        drop(stack);

        // 3. This one goes on, whose the regions are again.
        match result {
            CoroutineResult::Yield(value) => {
                switched.yielded = true;
                Some(value)
            }
            CoroutineResult::Return(()) => {
                drop(switched);
                self.coroutine = None;
                None
            }
        }
    }
}

/// The time in which the function runs.
struct Turn<'a> {
    switched: Option<Switched>,
    goroutine: &'a mut Option<Waiting>,
    regions: &'a mut Regions,
    /// It will run again.
    yielded: bool,
}

impl<'a> Turn<'a> {
    fn begin(goroutine: &'a mut Option<Waiting>, regions: &'a mut Regions) -> Self {
        let switched = goroutine.take().map(park::switch_to);
        // On a thread without a goroutine it stays blocked, as far as the trace knows.
        let switched = match switched {
            Some(Ok(switched)) => Some(switched),
            Some(Err(waiting)) => {
                *goroutine = Some(waiting);
                None
            }
            None => None,
        };
        region::exchange(regions);
        Self {
            switched,
            goroutine,
            regions,
            yielded: false,
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        region::exchange(self.regions);
        match self.switched.take() {
            Some(switched) if self.yielded => *self.goroutine = switched.back(),
            switched => drop(switched),
        }
    }
}

impl<T> Iterator for Pull<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.coroutine.as_ref().is_none_or(Coroutine::done) {
            return None;
        }
        self.resume(Resume::Next)
    }
}

impl<T> FusedIterator for Pull<T> {}

impl<T> Drop for Pull<T> {
    fn drop(&mut self) {
        let is_suspended = |c: &Coroutine<Resume, T, ()>| c.started() && !c.done();
        // 1. It is told, unless this is a panic already: another one would abort the program.
        if self.coroutine.as_ref().is_some_and(is_suspended) && !std::thread::panicking() {
            drop(self.resume(Resume::Stop));
        }

        // 2. It does not care: unwound, by the drop of its coroutine, if there is such a thing.
        if let Some(coroutine) = self.coroutine.take_if(|c| is_suspended(c)) {
            let _turn = Turn::begin(&mut self.goroutine, &mut self.regions);
            if cfg!(panic = "unwind") {
                drop(coroutine);
            } else {
                mem::forget(coroutine);
            }
        }
    }
}

/// A [`Pull`] that can be moved to other threads; see [`Pull::into_send`].
#[derive(Debug)]
pub struct SendPull<T>(Pull<T>);

// SAFETY: who called `into_send`, the only way to get one, has promised it. What else is in a `Pull` is
// a token that may be sent, numbers, and names of regions.
unsafe impl<T: Send> Send for SendPull<T> {}

impl<T> Iterator for SendPull<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.next()
    }
}

impl<T> FusedIterator for SendPull<T> {}
