//! The threads that write events: what each has, who they are, how they come and go.
#![allow(
    unsafe_code,
    reason = "a thread enters sections of its own member only"
)]

use std::{
    cell::Cell,
    collections::VecDeque,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use exectrace_wire::StackId;

use crate::{
    block::Block,
    buffer::Batch,
    os,
    stack::{self, Table},
    stats::COUNTERS,
    status::Slot,
    strings::{Cache, Ids},
    writer::Writer,
};

use super::{
    fence,
    section::{self, Clockwork, Member, Phase},
};

/// The phase that it is. Phase 1, in which nothing is written, is the first.
pub(crate) static CLOCKWORK: Clockwork = Clockwork::new(Phase::new(1, false));

/// The number of the last phase of which everything has been taken.
pub(crate) static CLOSED: AtomicU64 = AtomicU64::new(0);

/// How often the end of a section is looked for before the advancing thread sleeps in between.
const PATIENCE: u32 = 100;
const PAUSE: Duration = Duration::from_micros(50);

/// How much memory the stacks of a generation may take.
const STACK_BYTES: usize = 8 << 20;

/// The stacks of even and odd phases.
static STACKS: [LazyLock<Table>; 2] = [const { LazyLock::new(new_table) }; 2];

fn new_table() -> Table {
    Table::new(crate::control::pool(), STACK_BYTES)
}

/// The stacks of a phase. To be used in a section of it.
#[inline(always)]
pub(crate) fn stacks(phase: u64) -> &'static Table {
    &STACKS[(phase % 2) as usize]
}

/// What a thread has that nobody else touches.
#[derive(Debug)]
pub(crate) struct Own {
    /// The thread's number.
    pub(crate) thread: u32,
    /// The time of its last event.
    pub(crate) last: u64,
    /// The phase in which its proc and goroutine have been claimed; 0 for none.
    pub(crate) claimed: u64,
    /// The proc that it has, unless it is in a system call and somebody has stolen it.
    pub(crate) proc: Option<&'static Slot>,
    /// The goroutine that it runs or that is in a system call on it.
    pub(crate) goroutine: Option<&'static Slot>,
    /// The goroutine runs: there is one, it is not in a system call, and it has the proc.
    pub(crate) running: bool,
    /// Ids of goroutines that it may give away: the next one, and the end.
    pub(crate) ids: (u64, u64),
    /// Slots of goroutines that are no more, and the phase in which they ended.
    pub(crate) spare: VecDeque<(&'static Slot, u64)>,
    pub(crate) cache: Cache,
}

/// What a thread writes in one phase.
#[derive(Debug, Default)]
pub(crate) struct Half {
    pub(crate) events: Option<Batch>,
    pub(crate) strings: Option<Batch>,
    pub(crate) ids: Ids,
    /// How many events there are, those that found no room included.
    pub(crate) count: u64,
}

/// A thread's part in tracing. Never freed, but used again for another thread.
pub(crate) type Thread = Member<Own, Half>;

pub(crate) type Section = section::Section<'static, Own, Half>;

impl Own {
    fn new() -> Self {
        Self {
            thread: 0,
            last: 0,
            claimed: 0,
            proc: None,
            goroutine: None,
            running: false,
            ids: (0, 0),
            spare: VecDeque::new(),
            cache: Cache::new(),
        }
    }
}

/// All threads.
#[derive(Debug)]
struct Registry {
    live: Vec<&'static Thread>,
    /// Threads that have ended, and in which phase. What they wrote in the phase before it may still
    /// have to be taken.
    ended: VecDeque<(&'static Thread, u64)>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    live: Vec::new(),
    ended: VecDeque::new(),
});

thread_local! {
    /// Without a destructor, so that looking at it is one load.
    static CURRENT: Cell<Option<&'static Thread>> = const { Cell::new(None) };
    /// The thread is being registered, or has ended.
    static CLOSED_TO_EVENTS: Cell<bool> = const { Cell::new(false) };
    static EXIT: Exit = const { Exit };
}

/// Enters a section of the calling thread; `None`, and the event is counted as dropped, where there
/// can be none.
#[inline(always)]
pub(crate) fn enter() -> Option<Section> {
    let thread = match CURRENT.get() {
        Some(thread) => thread,
        None => register()?,
    };
    // SAFETY: `CURRENT` is the member of this thread, from its registration to its end.
    let section = unsafe { thread.enter(&CLOCKWORK) };
    if section.is_none() {
        nested();
    }
    section
}

#[cold]
fn nested() {
    COUNTERS.nested_events.add(1);
}

/// Whether everything of the phases before `phase` has been taken.
pub(crate) fn is_closed_before(phase: u64) -> bool {
    // Acquire: what was taken is not touched any more.
    CLOSED.load(Ordering::Acquire) + 1 >= phase
}

/// Whether somebody is between two phases.
static SWITCHING: AtomicBool = AtomicBool::new(false);

/// A phase that is over: nobody writes anything of it any more, and it may be taken. When this is
/// dropped, the phase counts as closed.
#[derive(Debug)]
pub(crate) struct Over {
    phase: u64,
    threads: Vec<&'static Thread>,
}

/// Begins the next phase and waits until nobody is in a section of the one before.
///
/// # Panics
///
/// If the phase before that is not closed: there MUST be one caller at a time, and it MUST drop what it
/// got before it calls again.
pub(crate) fn switch(on: bool) -> Over {
    assert!(
        !SWITCHING.swap(true, Ordering::AcqRel),
        "two switches at once"
    );
    fence::prepare();
    let phase = CLOCKWORK.glance().number();
    // SAFETY: the phase that used this table is closed, and the one that will has not begun: nobody
    // puts anything, and what `Over::stacks` has lent of it has ended with that phase's `Over`.
    unsafe { stacks(phase + 1).reset(phase + 1) };
    CLOCKWORK.set(Phase::new(phase + 1, on));
    let threads = {
        let registry = registry();
        let ended = registry.ended.iter().map(|(thread, _)| *thread);
        registry.live.iter().copied().chain(ended).collect()
    };
    let over = Over { phase, threads };
    for thread in &over.threads {
        let Some(section) = thread.section() else {
            continue;
        };
        let mut tries = 0;
        while !thread.has_left(section) {
            tries += 1;
            if tries < PATIENCE {
                std::thread::yield_now();
            } else {
                std::thread::sleep(PAUSE);
            }
        }
    }
    over
}

impl Over {
    pub(crate) const fn phase(&self) -> u64 {
        self.phase
    }

    /// Puts what threads have begun to what they have finished.
    pub(crate) fn flush(&self) {
        for thread in &self.threads {
            // SAFETY: `switch` has waited for the sections of the phase, and the second phase after it
            // does not begin while `self` is there.
            unsafe { thread.take(self.phase, |half| flush(half, self.phase)) }
        }
    }
}

impl Over {
    /// The stacks of the phase.
    pub(crate) fn stacks(&self) -> Vec<(StackId, &[usize])> {
        stacks(self.phase).stacks()
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        // Release: what was taken is taken.
        CLOSED.store(self.phase, Ordering::Release);
        SWITCHING.store(false, Ordering::Release);
    }
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cold]
fn register() -> Option<&'static Thread> {
    // 1. Not twice at once (an allocator that is traced), not after the end, and not in a forked
    //    child, where another thread may have held the lock.
    if CLOSED_TO_EVENTS.replace(true) {
        COUNTERS.late_events.add(1);
        return None;
    }
    if EXIT.try_with(|_| ()).is_err() || crate::control::is_forked() {
        COUNTERS.late_events.add(1);
        return None;
    }
    fence::prepare();
    stack::prepare_thread();

    // 2. In the list before the first section.
    let thread = {
        let mut registry = registry();
        let reusable = matches!(registry.ended.front(), Some((_, n)) if is_closed_before(*n));
        let ended = reusable.then(|| registry.ended.pop_front()).flatten();
        let thread: &'static Thread = match ended {
            Some((thread, _)) => thread,
            None => Box::leak(Box::new(Thread::new(
                Own::new(),
                [Half::default(), Half::default()],
            ))),
        };
        registry.live.push(thread);
        thread
    };

    // 3. It knows who it is.
    // SAFETY: nobody else has got this member.
    if let Some(mut section) = unsafe { thread.enter(&CLOCKWORK) } {
        section.parts().0.thread = os::thread_id();
    }
    CURRENT.set(Some(thread));
    CLOSED_TO_EVENTS.set(false);
    Some(thread)
}

/// Its destructor runs when the thread ends.
#[derive(Debug)]
struct Exit;

impl Drop for Exit {
    fn drop(&mut self) {
        let Some(thread) = CURRENT.get() else {
            CLOSED_TO_EVENTS.set(true);
            return;
        };
        // 1. The trace sees it leave what it has.
        let Some(mut writer) = Writer::new() else {
            // In a section for ever: the thread is torn down in the middle of one. Nothing can be
            // taken from it.
            return;
        };
        writer.leave_everything();

        // 2. What it wrote in this phase, and no more; the phase before may be being taken.
        let phase = writer.phase();
        let (own, half) = writer.parts();
        flush(half, phase);
        crate::raw::slots::give_back(&mut own.spare);
        *own = Own::new();
        drop(writer);
        CURRENT.set(None);
        CLOSED_TO_EVENTS.set(true);

        // 3. Out of the list.
        let mut registry = registry();
        if let Some(at) = registry.live.iter().position(|t| std::ptr::eq(*t, thread)) {
            registry.live.swap_remove(at);
            registry.ended.push_back((thread, phase));
        }
    }
}

/// In a forked child: its thread is not the one that traced, and writes nothing. What that one had
/// begun is the parent's, and may be in memory that the two share.
pub(crate) fn forget_current() {
    CURRENT.set(None);
    CLOSED_TO_EVENTS.set(true);
}

/// What threads have finished in one phase, in the order of each thread.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) blocks: Vec<Block>,
    pub(crate) events: u64,
}

static COLLECTED: [Mutex<Collected>; 2] = [const {
    Mutex::new(Collected {
        blocks: Vec::new(),
        events: 0,
    })
}; 2];

/// What has been finished in a phase.
pub(crate) fn collected(phase: u64) -> MutexGuard<'static, Collected> {
    COLLECTED[(phase % 2) as usize]
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Puts a thread's half with what has been finished.
fn flush(half: &mut Half, phase: u64) {
    let half = std::mem::take(half);
    let batches = [half.strings, half.events].into_iter().flatten();
    let mut collected = collected(phase);
    collected.events += half.count;
    collected.blocks.extend(batches.map(Batch::finish));
}
