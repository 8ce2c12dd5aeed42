//! What goroutines and procs do, and what the trace has said of it.
//!
//! Every goroutine and proc has a [`Slot`]. Its word is what it does now; its two marks are what the
//! bookkeeping of generations needs, one for even and one for odd phases:
//!
//! - In each phase, before the first change or event, the phase is *claimed*: the mark gets the
//!   phase's number and the word as it was. If tracing is on, the claim is written as a status. So a
//!   status stands in each generation before the first other event, exactly once.
//! - Who has no event in a generation gets a status when it ends: the word at that time. If the slot
//!   has moved on by then, the next phase's mark has the word as it was ([`Slot::at_end_of`]).
//!
//! Marks carry numbers of phases, so nothing needs to be cleared for a phase to come; Go's tracer has
//! flags and keeps three of them, since it has to clear one ahead.
//!
//! Phases in which tracing is off are no exception: the state at the end of a generation can be told
//! even if tracing has stopped by then.

use std::sync::atomic::{AtomicU64, Ordering};

use exectrace_wire::{GoStatus, ProcStatus};

/// What a goroutine or proc does: the lowest bits of a [`Word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum State {
    /// There is none.
    Free = 0,
    /// A goroutine that waits for a proc.
    Runnable = 1,
    /// Running on a thread.
    Running = 2,
    /// In a system call on a thread; a proc may be stolen from it.
    Syscall = 3,
    /// A goroutine that is blocked.
    Waiting = 4,
    /// A proc that nobody has.
    Idle = 5,
    /// A proc whose thread is back from the system call, but has not said so yet.
    Returning = 6,
    /// A proc that was stolen from a thread in a system call, by one that has not said so yet.
    Taken = 7,
}

/// A state with what belongs to it, in one atomic.
///
/// Bits 0 to 2: the [`State`]; bit 3: in a range (a goroutine that assists the mark phase, a proc that
/// sweeps); bits 4 to 31: counts system calls; bits 32 to 63: the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

const IN_RANGE: u64 = 1 << 3;
const CALL: u64 = 1 << 4;
const CALLS: u64 = (1 << 32) - CALL;

impl Word {
    pub(crate) const FREE: Self = Self(0);

    pub(crate) const fn new(state: State) -> Self {
        Self(state as u64)
    }

    pub(crate) const fn state(self) -> State {
        match self.0 & 7 {
            1 => State::Runnable,
            2 => State::Running,
            3 => State::Syscall,
            4 => State::Waiting,
            5 => State::Idle,
            6 => State::Returning,
            7 => State::Taken,
            _ => State::Free,
        }
    }

    /// The thread that a running state belongs to.
    pub(crate) const fn thread(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) const fn is_in_range(self) -> bool {
        self.0 & IN_RANGE != 0
    }

    /// Another state on no thread; all else stays.
    pub(crate) const fn to(self, state: State) -> Self {
        Self(self.0 & (IN_RANGE | CALLS) | state as u64)
    }

    /// Another state on a thread; all else stays.
    pub(crate) const fn on(self, state: State, thread: u32) -> Self {
        Self(self.to(state).0 | (thread as u64) << 32)
    }

    /// Another system call, so that two of them never look the same.
    pub(crate) const fn next_call(self) -> Self {
        Self(self.0 & !CALLS | self.0.wrapping_add(CALL) & CALLS)
    }

    pub(crate) const fn in_range(self, is: bool) -> Self {
        Self(if is {
            self.0 | IN_RANGE
        } else {
            self.0 & !IN_RANGE
        })
    }

    /// A goroutine's status on the wire; `None` if there is none.
    pub(crate) const fn goroutine_status(self) -> Option<GoStatus> {
        match self.state() {
            State::Runnable => Some(GoStatus::Runnable),
            State::Running => Some(GoStatus::Running),
            State::Syscall => Some(GoStatus::Syscall),
            State::Waiting => Some(GoStatus::Waiting),
            _ => None,
        }
    }

    /// A proc's status on the wire; `None` if there is none.
    pub(crate) const fn proc_status(self) -> Option<ProcStatus> {
        match self.state() {
            State::Running => Some(ProcStatus::Running),
            State::Syscall | State::Returning | State::Taken => Some(ProcStatus::Syscall),
            State::Idle => Some(ProcStatus::Idle),
            _ => None,
        }
    }
}

/// What one phase has to do with a slot.
#[derive(Debug)]
struct Mark {
    /// The phase's number.
    phase: AtomicU64,
    /// The word when the phase was claimed.
    before: AtomicU64,
    /// The last sequence number given away.
    sequence: AtomicU64,
}

impl Mark {
    const fn new() -> Self {
        Self {
            phase: AtomicU64::new(0),
            before: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
        }
    }
}

/// A goroutine or a proc. One cache line; never freed, but used again.
///
/// All methods that change something MUST be called inside a section of `phase`, by the thread that has
/// the goroutine or proc at that time. They need no exchange with others but the hand-over itself.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Slot {
    id: AtomicU64,
    word: AtomicU64,
    marks: [Mark; 2],
}

impl Slot {
    pub(crate) const fn new() -> Self {
        Self {
            id: AtomicU64::new(0),
            word: AtomicU64::new(0),
            marks: [Mark::new(), Mark::new()],
        }
    }

    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    pub(crate) fn set_id(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Changes what the goroutine or proc does. The phase MUST have been claimed, otherwise
    /// [`Slot::at_end_of`] tells the new word for the old one.
    #[inline]
    pub(crate) fn set(&self, word: Word) {
        // Release: who sees this word sees the claim before it.
        self.word.store(word.0, Ordering::Release);
    }

    /// Changes the word unless it is another one by now: for the two states that are decided between
    /// threads, and that a reader of the word takes for the state before.
    #[inline]
    pub(crate) fn exchange(&self, from: Word, to: Word) -> bool {
        self.word
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Claims a phase; the word as it was if nobody has claimed it before.
    #[inline]
    pub(crate) fn claim(&self, phase: u64) -> Option<Word> {
        let mark = &self.marks[(phase % 2) as usize];
        if mark.phase.load(Ordering::Relaxed) == phase {
            return None;
        }
        let before = self.word.load(Ordering::Acquire);
        self.mark(phase, before);
        Some(Word(before))
    }

    /// Makes it a new goroutine or proc, which the event of its creation tells about.
    pub(crate) fn create(&self, id: u64, phase: u64, word: Word) {
        self.id.store(id, Ordering::Relaxed);
        self.mark(phase, Word::FREE.0);
        self.set(word);
    }

    fn mark(&self, phase: u64, before: u64) {
        let mark = &self.marks[(phase % 2) as usize];
        mark.before.store(before, Ordering::Relaxed);
        mark.sequence.store(0, Ordering::Relaxed);
        mark.phase.store(phase, Ordering::Release);
    }

    /// The next number of the phase's sequence.
    #[inline]
    pub(crate) fn next_sequence(&self, phase: u64) -> u64 {
        let sequence = &self.marks[(phase % 2) as usize].sequence;
        let next = sequence.load(Ordering::Relaxed) + 1;
        sequence.store(next, Ordering::Relaxed);
        next
    }

    /// The word at the end of a phase in which nobody has claimed the slot; `None` if somebody has, or
    /// there was nothing. Every section of the phase MUST be over, and the second phase after it MUST
    /// NOT have begun.
    pub(crate) fn at_end_of(&self, phase: u64) -> Option<Word> {
        let [mark, next] = [phase, phase + 1].map(|phase| {
            let mark = &self.marks[(phase % 2) as usize];
            (mark, phase)
        });
        let claimed = |(mark, phase): (&Mark, u64)| mark.phase.load(Ordering::Acquire) == phase;
        // First the word: if it is of the next phase, so is the mark by now.
        let word = self.word.load(Ordering::Acquire);
        if claimed(mark) {
            return None;
        }
        let word = if claimed(next) {
            next.0.before.load(Ordering::Relaxed)
        } else {
            word
        };
        Some(Word(word)).filter(|word| word.state() != State::Free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_what_is_not_changed() {
        let word = Word::new(State::Running).on(State::Running, 7).next_call();
        let word = word.in_range(true);
        let waiting = word.to(State::Waiting);
        assert_eq!((waiting.state(), waiting.thread()), (State::Waiting, 0));
        assert!(waiting.is_in_range());
        assert_ne!(waiting.next_call(), waiting);
        let mut many = word;
        for _ in 0..1 << 20 {
            many = many.next_call();
        }
        assert_eq!((many.state(), many.thread()), (State::Running, 7));
        assert!(!many.in_range(false).is_in_range());
    }

    #[test]
    fn a_phase_is_claimed_once() {
        let slot = Slot::new();
        slot.create(5, 3, Word::new(State::Runnable));
        assert_eq!(slot.claim(3), None);
        assert_eq!((slot.next_sequence(3), slot.next_sequence(3)), (1, 2));
        assert_eq!(slot.claim(4), Some(Word::new(State::Runnable)));
        assert_eq!(slot.claim(4), None);
        assert_eq!(slot.next_sequence(4), 1);
        assert_eq!(slot.next_sequence(3), 3);
    }

    #[test]
    fn the_state_at_the_end_of_a_phase_outlives_it() {
        let slot = Slot::new();
        assert_eq!(slot.at_end_of(2), None);
        slot.create(5, 3, Word::new(State::Runnable));
        // It did not exist at the end of the phase before, and has an event in this one.
        assert_eq!((slot.at_end_of(2), slot.at_end_of(3)), (None, None));
        // Without an event in phase 4, its state is told then.
        assert_eq!(slot.at_end_of(4), Some(Word::new(State::Runnable)));
        // Even if it has another one in phase 5 by that time.
        slot.claim(5);
        slot.set(Word::new(State::Free));
        assert_eq!(slot.at_end_of(4), Some(Word::new(State::Runnable)));
        assert_eq!((slot.at_end_of(5), slot.at_end_of(6)), (None, None));
    }
}
