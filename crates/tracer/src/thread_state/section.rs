//! Write sections: how threads write into a phase's buffers while others come and take them, with no
//! lock and without stopping anybody.
//!
//! # Phases
//!
//! Time is cut into phases. A phase in which events are written is a generation; in the other phases
//! tracing is off. Both have a number from one sequence, and there is one way to get from a phase to
//! the next, whether that starts tracing, stops it, or goes on to another generation:
//!
//! 1. The advancing thread stores the new phase, and calls the [heavy fence](super::fence::heavy).
//! 2. It waits until every member has left the section in which it was, if any.
//! 3. It takes what members have written in the old phase.
//!
//! Members never wait: from 1 on they write to their other half.
//!
//! # Invariants
//!
//! 1. A half of phase n is touched by its member inside a section of phase n, and by the advancing
//!    thread after it has waited for all sections of phase n. *Otherwise both write to it.*
//! 2. Phase n+2 MUST NOT begin before everything of phase n is taken. *Otherwise the members write to
//!    the half that is being taken.*
//! 3. A member is in the list of members before its first section. *Otherwise nobody waits for it.*
//! 4. The state of a goroutine or proc changes inside the section in which the event that says so is
//!    written. *Otherwise what the advancing thread finds contradicts the event.*
//! 5. What one thread did to another's goroutine or proc is looked at before the section, never inside.
//!    So a section that reacts to something is of the same phase as what it reacts to, or of a later
//!    one: the thread has synchronized with the other before it loads the phase. *Otherwise the effect
//!    stands in an earlier generation than the cause, and no reader can bring them into order.*
//!
//! # Why it is correct
//!
//! A member makes its sequence odd, calls the light fence and loads the phase. If it loads the old one,
//! the advancing thread's load of the sequence sees the odd number or a later one (fences); and once it
//! sees a later one, it has synchronized with the end of the section (Release, Acquire). If the
//! advancing thread sees an even number, every later section of the member loads the new phase.
//!
//! A signal handler that interrupts a section finds the sequence odd and writes nothing. One that
//! interrupts between the load and the store of the sequence runs a section of its own; the sequence
//! then repeats two numbers, which makes the advancing thread wait for one section too many at worst.
#![allow(
    unsafe_code,
    reason = "a member and the advancing thread take turns at the same memory"
)]

#[cfg(loom)]
use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU64, Ordering},
};
#[cfg(not(loom))]
use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU64, Ordering},
};

use super::fence;

/// A phase: its number, and whether events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phase(u64);

impl Phase {
    pub(crate) const fn new(number: u64, on: bool) -> Self {
        Self(number << 1 | on as u64)
    }

    #[inline(always)]
    pub(crate) const fn number(self) -> u64 {
        self.0 >> 1
    }

    #[inline(always)]
    pub(crate) const fn is_on(self) -> bool {
        self.0 & 1 != 0
    }
}

/// The phase that it is.
#[derive(Debug)]
pub(crate) struct Clockwork(AtomicU64);

impl Clockwork {
    #[cfg(not(loom))]
    pub(crate) const fn new(phase: Phase) -> Self {
        Self(AtomicU64::new(phase.0))
    }

    #[cfg(loom)]
    pub(crate) fn new(phase: Phase) -> Self {
        Self(AtomicU64::new(phase.0))
    }

    /// A hint: it may be another phase by now.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn glance(&self) -> Phase {
        Phase(self.0.load(Ordering::Relaxed))
    }

    /// Begins `phase`. There MUST be one caller at a time, and of the phase before the last everything
    /// MUST have been taken (invariant 2).
    pub(crate) fn set(&self, phase: Phase) {
        self.0.store(phase.0, Ordering::SeqCst);
        fence::heavy();
    }
}

/// In a forked child, which has one thread.
#[cfg(not(loom))]
impl Clockwork {
    /// Ends all writing, without a new phase and without waiting.
    pub(crate) fn turn_off(&self) {
        self.0.fetch_and(!1, Ordering::SeqCst);
    }
}

/// A thread's part of the protocol: what it owns, `O`, and what it writes in even and in odd phases,
/// `H`.
#[repr(align(64))]
pub(crate) struct Member<O, H> {
    /// Odd inside a section.
    sequence: AtomicU64,
    own: UnsafeCell<O>,
    halves: [UnsafeCell<H>; 2],
}

// SAFETY: by the protocol above, `own` is only touched by the one thread that enters sections (the
// contract of `enter`), and each half by one thread at a time.
unsafe impl<O: Send, H: Send> Sync for Member<O, H> {}

impl<O, H> std::fmt::Debug for Member<O, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").finish_non_exhaustive()
    }
}

impl<O, H> Member<O, H> {
    pub(crate) fn new(own: O, halves: [H; 2]) -> Self {
        Self {
            sequence: AtomicU64::new(0),
            own: UnsafeCell::new(own),
            halves: halves.map(UnsafeCell::new),
        }
    }

    /// Enters a section; `None` inside another one of the same member.
    ///
    /// # Safety
    ///
    /// MUST only be called by the thread that the member stands for, one thread at a time.
    #[inline(always)]
    pub(crate) unsafe fn enter(&self, clockwork: &Clockwork) -> Option<Section<'_, O, H>> {
        let sequence = self.sequence.load(Ordering::Relaxed);
        if sequence & 1 != 0 {
            return None;
        }
        // Release: who waits for the end of the section before may see this number only.
        self.sequence.store(sequence + 1, Ordering::Release);
        fence::light();
        // Acquire: what was taken before this phase began has been taken.
        let phase = Phase(clockwork.0.load(Ordering::Acquire));
        Some(Section {
            member: self,
            sequence,
            phase,
            here: std::marker::PhantomData,
        })
    }

    /// The section that the member is in, if any, as a number for [`Member::has_left`].
    pub(crate) fn section(&self) -> Option<u64> {
        let sequence = self.sequence.load(Ordering::Acquire);
        (sequence & 1 != 0).then_some(sequence)
    }

    /// Whether a section is over.
    pub(crate) fn has_left(&self, section: u64) -> bool {
        self.sequence.load(Ordering::Acquire) != section
    }

    /// Lets the advancing thread at what the member wrote in the phase with this number.
    ///
    /// # Safety
    ///
    /// All sections of that phase MUST be over and waited for, the second phase after it MUST NOT have
    /// begun, and there MUST be one caller at a time.
    pub(crate) unsafe fn take<R>(&self, phase: u64, f: impl FnOnce(&mut H) -> R) -> R {
        #[cfg(not(loom))]
        {
            let half = self.halves[(phase % 2) as usize].get();
            // SAFETY: by the caller's promise no section of the phase is left, and there will be none:
            // nobody else touches this half (invariant 1).
            f(unsafe { &mut *half })
        }
        #[cfg(loom)]
        self.halves[(phase % 2) as usize].with_mut(|half| {
            // SAFETY: as above.
            f(unsafe { &mut *half })
        })
    }
}

/// A write section. It ends when it is dropped.
pub(crate) struct Section<'a, O, H> {
    member: &'a Member<O, H>,
    sequence: u64,
    phase: Phase,
    /// Sections end on the thread on which they began.
    here: std::marker::PhantomData<*const ()>,
}

impl<O, H> Section<'_, O, H> {
    #[inline(always)]
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// What the member owns, and its half of this phase.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn parts(&mut self) -> (&mut O, &mut H) {
        let half = self.member.halves[(self.phase.number() % 2) as usize].get();
        // SAFETY: there is one section of the member at a time, borrowed exclusively; nobody else
        // touches `own`, and the advancing thread touches this half when the section is over.
        unsafe { (&mut *self.member.own.get(), &mut *half) }
    }

    /// Lets the member at its half of this phase.
    #[cfg(loom)]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&mut O, &mut H) -> R) -> R {
        let half = &self.member.halves[(self.phase.number() % 2) as usize];
        self.member.own.with_mut(|own| {
            half.with_mut(|half| {
                // SAFETY: as in `parts`.
                unsafe { f(&mut *own, &mut *half) }
            })
        })
    }
}

impl<O, H> Drop for Section<'_, O, H> {
    #[inline(always)]
    fn drop(&mut self) {
        self.member
            .sequence
            .store(self.sequence + 2, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
#[path = "section_model.rs"]
mod model;
