//! Writing events: a section with what every event needs.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use exectrace_wire::{EventType, Generation, GoStatus, ProcStatus, StackId, ThreadId, Ticks};

use crate::{
    buffer::Batch,
    clock, control,
    raw::syscall,
    stack::{Captured, Here, walk},
    stats::COUNTERS,
    status::{Slot, State, Word},
    strings::{self, Table},
    thread_state::{self, Half, Own, Section},
};

/// The numbers of the last even and the last odd phase whose events cannot all be kept: while one
/// ends, some threads may lose events of it and others of the next.
static LOST: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Whether not all events of a phase could be kept. It MUST not be older than the one before the last.
pub(crate) fn is_lost(phase: u64) -> bool {
    LOST[(phase % 2) as usize].load(Ordering::Relaxed) == phase
}

/// How many procs there are, and the phase in which that was told.
#[derive(Debug)]
pub(crate) struct Procs {
    pub(crate) count: u64,
    pub(crate) told: u64,
}

pub(crate) static PROCS: Mutex<Procs> = Mutex::new(Procs { count: 0, told: 0 });

/// A section in which events are written, or, while tracing is off, only what goroutines do is kept.
pub(crate) struct Writer {
    section: Section,
    phase: u64,
    on: bool,
}

impl Writer {
    /// Enters a section; `None` where there can be none.
    #[inline(always)]
    pub(crate) fn new() -> Option<Self> {
        let section = thread_state::enter()?;
        let phase = section.phase();
        Some(Self {
            section,
            phase: phase.number(),
            on: phase.is_on(),
        })
    }

    /// The number of the section's phase.
    #[inline(always)]
    pub(crate) fn phase(&self) -> u64 {
        self.phase
    }

    /// Whether events are written.
    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    #[inline(always)]
    pub(crate) fn parts(&mut self) -> (&mut Own, &mut Half) {
        self.section.parts()
    }

    #[inline(always)]
    pub(crate) fn own(&mut self) -> &mut Own {
        self.section.parts().0
    }

    /// Writes an event, if tracing is on.
    #[inline(always)]
    pub(crate) fn event<const N: usize>(&mut self, event: EventType, arguments: [u64; N]) {
        if !self.on {
            return;
        }
        let now = clock::now().0;
        let (own, half) = self.section.parts();
        half.count += 1;
        loop {
            // Times of a thread strictly increase.
            let time = now.max(own.last + 1);
            if let Some(batch) = &mut half.events
                && batch.event(event, time - own.last, arguments)
            {
                own.last = time;
                return;
            }
            if !refill(own, half, self.phase) {
                return;
            }
        }
    }

    /// The id of a text that repeats and stays where it is; 0 for no text.
    #[inline]
    pub(crate) fn name(&mut self, text: &'static str) -> u64 {
        if !self.on {
            return 0;
        }
        let phase = self.phase;
        match self.own().cache.get(text, phase) {
            Some(id) => id,
            None => self.new_name(text),
        }
    }

    #[cold]
    fn new_name(&mut self, text: &'static str) -> u64 {
        let id = self.text(text);
        let phase = self.phase;
        self.own().cache.put(text, phase, id);
        id
    }

    /// The id of a text that repeats; 0 for no text. Takes a lock.
    pub(crate) fn text(&mut self, text: &str) -> u64 {
        if !self.on || text.is_empty() {
            return 0;
        }
        let text = strings::cut(text);
        let phase = self.phase;
        let (own, half) = self.section.parts();
        let written = |id| write_string(own, half, phase, id, text);
        Table::of(phase).intern(text, written).unwrap_or(0)
    }

    /// The id of a text that does not repeat; 0 for no text.
    pub(crate) fn message(&mut self, text: &str) -> u64 {
        if !self.on || text.is_empty() {
            return 0;
        }
        let text = strings::cut(text);
        let phase = self.phase;
        let (own, half) = self.section.parts();
        let id = half.ids.next(Table::of(phase));
        if write_string(own, half, phase, id, text) {
            id
        } else {
            0
        }
    }

    /// MUST come before an event that is about the thread's proc or goroutine: says what they do,
    /// unless that was said in this generation.
    #[inline(always)]
    pub(crate) fn claim_context(&mut self) {
        let phase = self.phase;
        if self.own().claimed != phase {
            self.claim_context_anew();
        }
    }

    #[cold]
    fn claim_context_anew(&mut self) {
        let own = self.own();
        let (proc, goroutine) = (own.proc, own.goroutine);
        let in_syscall = goroutine.is_some() && !own.running;
        // While the goroutine is in a system call, somebody else may be claiming the proc.
        if let Some(proc) = proc.filter(|_| !in_syscall) {
            self.claim_proc(proc);
        }
        if let Some(goroutine) = goroutine {
            self.claim_goroutine(goroutine);
        }
        let phase = self.phase;
        self.own().claimed = phase;
    }

    /// Claims a proc that is the thread's, or that nobody has.
    pub(crate) fn claim_proc(&mut self, proc: &'static Slot) {
        if let Some(before) = proc.claim(self.phase)
            && let Some(status) = before.proc_status()
        {
            self.event(EventType::ProcStatus, [proc.id(), status.to_wire()]);
            if before.is_in_range() {
                self.event(EventType::GCSweepActive, [proc.id()]);
            }
        }
    }

    /// Claims a proc that was stolen.
    pub(crate) fn claim_stolen(&mut self, proc: &'static Slot) {
        if proc.claim(self.phase).is_some() {
            let status = ProcStatus::SyscallAbandoned.to_wire();
            self.event(EventType::ProcStatus, [proc.id(), status]);
        }
    }

    /// Claims a goroutine that is the thread's, or that waits.
    pub(crate) fn claim_goroutine(&mut self, goroutine: &'static Slot) {
        let Some(before) = goroutine.claim(self.phase) else {
            return;
        };
        let Some(status) = before.goroutine_status() else {
            return;
        };
        let is_ours = matches!(status, GoStatus::Running | GoStatus::Syscall);
        let thread = is_ours.then_some(ThreadId(self.own().thread.into()));
        let arguments = [goroutine.id(), ThreadId::to_wire(thread), status.to_wire()];
        self.event(EventType::GoStatus, arguments);
        if before.is_in_range() {
            self.event(EventType::GCMarkAssistActive, [goroutine.id()]);
        }
        if self.on && status == GoStatus::Running {
            self.tell_procs();
        }
    }

    /// Says how many procs there are, unless that was said in this generation.
    fn tell_procs(&mut self) {
        // Who else has the lock is telling, or will tell soon: the calling thread, perhaps.
        let Ok(mut procs) = PROCS.try_lock() else {
            return;
        };
        if procs.count != 0 && procs.told < self.phase {
            procs.told = self.phase;
            self.event(EventType::ProcsChange, [procs.count, 0]);
        }
    }

    /// The stack at a place, for the event that comes next.
    #[inline(always)]
    pub(crate) fn stack(&mut self, here: Here) -> u64 {
        if !self.on {
            return 0;
        }
        let mut stack = Captured::new();
        walk::capture(here, &mut stack);
        StackId::to_wire(thread_state::stacks(self.phase).put(&stack))
    }

    /// A stack of one address; 0 for none.
    pub(crate) fn start(&mut self, address: Option<usize>) -> u64 {
        let Some(address) = address.filter(|_| self.on) else {
            return 0;
        };
        let stack = Captured::from_addresses(&[address]);
        StackId::to_wire(thread_state::stacks(self.phase).put(&stack))
    }

    /// Ends what the thread runs and gives its proc up: it goes away, or its tokens have leaked.
    #[cold]
    pub(crate) fn leave_everything(&mut self) {
        let own = self.own();
        let (proc, goroutine) = (own.proc, own.goroutine);
        if proc.is_none() && goroutine.is_none() {
            return;
        }
        COUNTERS.leaked_tokens.add(1);
        self.claim_context();
        match goroutine {
            Some(goroutine) if goroutine.word().state() == State::Syscall => {
                syscall::give_up_proc(self);
                syscall::destroy(self, goroutine);
            }
            Some(goroutine) => {
                self.event(EventType::GoDestroy, []);
                goroutine.set(Word::FREE);
            }
            None => {}
        }
        if let Some(proc) = self.own().proc.take() {
            self.event(EventType::ProcStop, []);
            proc.set(proc.word().to(State::Idle));
        }
        let own = self.own();
        own.goroutine = None;
        own.running = false;
    }
}

/// Gives the thread a new batch for events; `false` if there is no memory.
#[cold]
fn refill(own: &mut Own, half: &mut Half, phase: u64) -> bool {
    if let Some(full) = half.events.take() {
        collect(full, phase);
    }
    let time = clock::now().0.max(own.last + 1);
    let thread = ThreadId(own.thread.into());
    half.events = new_batch(phase, Some(thread), time);
    own.last = time;
    half.events.is_some()
}

fn write_string(own: &mut Own, half: &mut Half, phase: u64, id: u64, text: &str) -> bool {
    loop {
        if let Some(batch) = &mut half.strings
            && batch.string(id, text.as_bytes())
        {
            return true;
        }
        if let Some(full) = half.strings.take() {
            collect(full, phase);
        }
        half.strings = new_batch(phase, None, clock::now().0.max(own.last));
        match &mut half.strings {
            Some(batch) => batch.section(EventType::Strings),
            None => return false,
        };
    }
}

/// A batch; `None` if there is no memory, and then the whole generation is lost.
fn new_batch(phase: u64, thread: Option<ThreadId>, time: u64) -> Option<Batch> {
    if is_lost(phase) {
        return None;
    }
    let batch = Batch::new(control::pool(), Generation(phase), thread, Ticks(time));
    if batch.is_none() {
        LOST[(phase % 2) as usize].store(phase, Ordering::Relaxed);
        control::request_advance();
    }
    batch
}

fn collect(batch: Batch, phase: u64) {
    let blocks = {
        let mut collected = thread_state::collected(phase);
        collected.blocks.push(batch.finish());
        collected.blocks.len()
    };
    control::collected(blocks);
}
