//! Threads, procs, and which thread holds which proc.

use std::collections::HashMap;

use exectrace_reader::{ProcId, ThreadId};

use super::tables::{Ids, Place};
use crate::{
    ids::{PlaceIx, ProcIx, ThreadIx},
    index::IdIndex,
};

/// Gives threads, procs and places their indices.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) ids: Ids,
    pub(super) places: Vec<Place>,
    threads: IdIndex,
    procs: IdIndex,
    numbers: HashMap<Place, PlaceIx>,
    /// The ids that were asked for last, by a few of their bits.
    recent: Recent,
}

type Context = (Option<ThreadId>, Option<ProcId>);

#[derive(Debug)]
struct Recent([Option<(Context, PlaceIx)>; 256]);

impl Default for Recent {
    fn default() -> Self {
        Self([None; 256])
    }
}

impl Places {
    #[inline]
    pub(super) fn place(&mut self, thread: Option<ThreadId>, proc: Option<ProcId>) -> PlaceIx {
        let thread_bits = thread.map_or(0, |thread| thread.0);
        let proc_bits = proc.map_or(!0, |proc| proc.0);
        let slot = (thread_bits << 3 ^ proc_bits) as usize % self.recent.0.len();
        if let Some((context, place)) = self.recent.0[slot]
            && context == (thread, proc)
        {
            return place;
        }
        let place = self.find_place(thread, proc);
        self.recent.0[slot] = Some(((thread, proc), place));
        place
    }

    #[cold]
    fn find_place(&mut self, thread: Option<ThreadId>, proc: Option<ProcId>) -> PlaceIx {
        let place = Place {
            thread: thread.map(|thread| self.thread(thread)),
            proc: proc.map(|proc| self.proc(proc)),
        };
        *self.numbers.entry(place).or_insert_with(|| {
            self.places.push(place);
            PlaceIx::new(self.places.len() - 1)
        })
    }

    pub(super) fn thread(&mut self, id: ThreadId) -> ThreadIx {
        match self.threads.get(id.0) {
            Some(thread) => ThreadIx(thread),
            None => {
                let thread = ThreadIx::new(self.ids.threads.len());
                self.ids.threads.push(id);
                self.threads.set(id.0, thread.0);
                thread
            }
        }
    }

    #[inline]
    pub(super) fn proc(&mut self, id: ProcId) -> ProcIx {
        match self.procs.get(id.0) {
            Some(proc) => ProcIx(proc),
            None => {
                let proc = ProcIx::new(self.ids.procs.len());
                self.ids.procs.push(id);
                self.procs.set(id.0, proc.0);
                proc
            }
        }
    }
}

/// Which thread holds which proc.
#[derive(Debug, Default)]
pub(super) struct Holders {
    of_proc: Vec<Option<ThreadIx>>,
    of_thread: Vec<Option<ProcIx>>,
}

impl Holders {
    pub(super) fn take(&mut self, thread: Option<ThreadIx>, proc: ProcIx) {
        self.give_up(proc);
        *slot(&mut self.of_proc, proc.index()) = thread;
        if let Some(thread) = thread {
            *slot(&mut self.of_thread, thread.index()) = Some(proc);
        }
    }

    pub(super) fn give_up(&mut self, proc: ProcIx) {
        if let Some(thread) = slot(&mut self.of_proc, proc.index()).take() {
            let held = slot(&mut self.of_thread, thread.index());
            if *held == Some(proc) {
                *held = None;
            }
        }
    }

    pub(super) fn held_by(&self, thread: ThreadIx) -> Option<ProcIx> {
        self.of_thread.get(thread.index()).copied().flatten()
    }

    pub(super) fn clear(&mut self) {
        self.of_proc.clear();
        self.of_thread.clear();
    }
}

/// The entry at an index, made if there is none.
pub(super) fn slot<T: Default + Clone>(entries: &mut Vec<T>, index: usize) -> &mut T {
    if entries.len() <= index {
        entries.resize(index + 1, T::default());
    }
    &mut entries[index]
}
