//! Where the slots of goroutines and procs are.
//!
//! Slots are never freed, so nothing that looks at one can find it gone. A slot whose goroutine has
//! ended is used again as soon as no generation's end will ask for it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    control,
    status::{Slot, State, Word},
    thread_state::{self, Own},
};

/// Slots that are made at a time, and that a thread takes or gives back at a time.
const CHUNK: usize = 64;

/// Spare slots that a thread keeps.
const KEPT: usize = 4 * CHUNK;

#[derive(Debug)]
struct Goroutines {
    chunks: Vec<&'static [Slot; CHUNK]>,
    spare: VecDeque<(&'static Slot, u64)>,
}

static GOROUTINES: Mutex<Goroutines> = Mutex::new(Goroutines {
    chunks: Vec::new(),
    spare: VecDeque::new(),
});

static PROCS: Mutex<Procs> = Mutex::new(Procs {
    all: Vec::new(),
    unused: Vec::new(),
});

#[derive(Debug)]
struct Procs {
    all: Vec<&'static Slot>,
    unused: Vec<&'static Slot>,
}

fn goroutines() -> MutexGuard<'static, Goroutines> {
    GOROUTINES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn procs() -> MutexGuard<'static, Procs> {
    PROCS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A slot for a new goroutine.
#[inline]
pub(crate) fn take(own: &mut Own) -> &'static Slot {
    loop {
        if let Some((slot, ended)) = own.spare.front().copied()
            && thread_state::is_closed_before(ended)
        {
            own.spare.pop_front();
            return slot;
        }
        fetch(own);
    }
}

/// A slot for a new goroutine, for who is not in a section.
pub(crate) fn new_goroutine() -> &'static Slot {
    let chunk: &'static [Slot; CHUNK] = Box::leak(Box::new([const { Slot::new() }; CHUNK]));
    let mut goroutines = goroutines();
    goroutines.chunks.push(chunk);
    let [first, others @ ..] = chunk;
    goroutines.spare.extend(others.iter().map(|slot| (slot, 0)));
    first
}

/// Gets a thread slots that can be used at once.
#[cold]
fn fetch(own: &mut Own) {
    let mut goroutines = goroutines();
    for _ in 0..CHUNK {
        match goroutines.spare.front() {
            Some((_, ended)) if thread_state::is_closed_before(*ended) => {}
            _ => break,
        }
        // What is usable at once goes before what is not.
        if let Some(usable) = goroutines.spare.pop_front() {
            own.spare.push_front(usable);
        }
    }
    if own
        .spare
        .front()
        .is_none_or(|(_, ended)| !thread_state::is_closed_before(*ended))
    {
        let chunk: &'static [Slot; CHUNK] = Box::leak(Box::new([const { Slot::new() }; CHUNK]));
        goroutines.chunks.push(chunk);
        for slot in chunk {
            own.spare.push_front((slot, 0));
        }
    }
}

/// Takes the slot of a goroutine that ended in `phase`.
pub(crate) fn free(own: &mut Own, slot: &'static Slot, phase: u64) {
    slot.set(Word::FREE);
    own.spare.push_back((slot, phase));
    if own.spare.len() > KEPT {
        let mut goroutines = goroutines();
        goroutines.spare.extend(own.spare.drain(..CHUNK));
    }
}

/// Takes the spare slots of a thread that ends.
pub(crate) fn give_back(spare: &mut VecDeque<(&'static Slot, u64)>) {
    goroutines().spare.append(spare);
}

/// A proc that nobody has. Its number stays the same, whoever uses it.
pub(crate) fn take_proc() -> &'static Slot {
    static NONE: Slot = Slot::new();
    if control::is_forked() {
        // The lock may be held for ever, by a thread that this process does not have.
        return &NONE;
    }
    let unused = procs().unused.pop();
    unused.unwrap_or_else(new_proc)
}

/// Makes a proc unless there is one, so that every generation has an event: a reader takes as its first
/// generation the first one that has any, a validator the first one.
pub(crate) fn ensure_proc() {
    let is_first = procs().all.is_empty();
    if is_first {
        free_proc(new_proc());
    }
}

/// A proc that nobody has had.
pub(crate) fn new_proc() -> &'static Slot {
    let mut procs = procs();
    let slot: &'static Slot = Box::leak(Box::new(Slot::new()));
    slot.set_id(procs.all.len() as u64);
    slot.set(Word::new(State::Idle));
    procs.all.push(slot);
    slot
}

/// Takes an idle proc that nobody wants any more. One that is not idle, as the trace knows, stays with
/// who has it.
pub(crate) fn free_proc(slot: &'static Slot) {
    if control::is_forked() || slot.word().state() != State::Idle {
        return;
    }
    procs().unused.push(slot);
}

/// All slots of goroutines, in order of their making.
pub(crate) fn all_goroutines() -> Vec<&'static Slot> {
    let chunks = goroutines().chunks.clone();
    chunks.into_iter().flatten().collect()
}

/// All procs, in order of their numbers.
pub(crate) fn all_procs() -> Vec<&'static Slot> {
    procs().all.clone()
}
