//! The strings of a generation: each text that repeats once, each message as it comes.
//!
//! The tables of even and odd phases alternate. A thread asks its own cache first, then the table,
//! which has a lock; what is new is written to a batch of the thread's own.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use exectrace_wire::limits::MAX_STRING_BYTES;

/// How many ids a thread takes at a time for its messages.
const RANGE: u64 = 64;

/// How many texts a thread remembers.
const CACHED: usize = 64;

/// Strings of one phase.
#[derive(Debug)]
pub(crate) struct Table {
    /// The last id given away.
    last: AtomicU64,
    ids: Mutex<Option<HashMap<Box<str>, u64>>>,
}

/// Strings of even and odd phases.
pub(crate) static TABLES: [Table; 2] = [Table::new(), Table::new()];

impl Table {
    const fn new() -> Self {
        Self {
            last: AtomicU64::new(0),
            ids: Mutex::new(None),
        }
    }

    pub(crate) fn of(phase: u64) -> &'static Self {
        &TABLES[(phase % 2) as usize]
    }

    /// The id of a text. If it is new, `write` writes it, and if that fails there is none.
    pub(crate) fn intern(&self, text: &str, write: impl FnOnce(u64) -> bool) -> Option<u64> {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = ids.get_or_insert_default();
        if let Some(id) = ids.get(text) {
            return Some(*id);
        }
        let id = self.fresh_id();
        if !write(id) {
            return None;
        }
        ids.insert(text.into(), id);
        Some(id)
    }

    /// An id for a text that is written elsewhere.
    pub(crate) fn fresh_id(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Forgets everything. Nobody MUST use the table meanwhile: its phase is over.
    pub(crate) fn clear(&self) {
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.last.store(0, Ordering::Relaxed);
    }
}

/// Ids that a thread has taken for messages of one phase.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    next: u64,
    end: u64,
}

impl Ids {
    pub(crate) fn next(&mut self, table: &Table) -> u64 {
        if self.next == self.end {
            self.next = table.last.fetch_add(RANGE, Ordering::Relaxed) + 1;
            self.end = self.next + RANGE;
        }
        self.next += 1;
        self.next - 1
    }
}

/// The texts that a thread has used last, found by where they are: for texts that stay there.
#[derive(Debug)]
pub(crate) struct Cache {
    entries: [Entry; CACHED],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: usize,
    length: usize,
    phase: u64,
    id: u64,
}

impl Cache {
    pub(crate) const fn new() -> Self {
        let entry = Entry {
            address: 0,
            length: 0,
            phase: 0,
            id: 0,
        };
        Self {
            entries: [entry; CACHED],
        }
    }

    /// The id of a text in a phase, if the cache has it.
    #[inline]
    pub(crate) fn get(&self, text: &'static str, phase: u64) -> Option<u64> {
        let entry = &self.entries[place(text)];
        let found = entry.address == text.as_ptr().addr()
            && entry.length == text.len()
            && entry.phase == phase;
        found.then_some(entry.id)
    }

    pub(crate) fn put(&mut self, text: &'static str, phase: u64, id: u64) {
        self.entries[place(text)] = Entry {
            address: text.as_ptr().addr(),
            length: text.len(),
            phase,
            id,
        };
    }
}

fn place(text: &'static str) -> usize {
    // Texts of a program lie behind each other, a few bytes to some dozens apart.
    let address = text.as_ptr().addr();
    (address ^ address >> 6 ^ text.len()) % CACHED
}

/// The beginning of a text that fits a string record, cut between characters.
pub(crate) fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_STRING_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_interned_and_messages_are_not() {
        let table = Table::new();
        assert_eq!(table.intern("a", |_| false), None);
        let a = table.intern("a", |_| true);
        assert_eq!(table.intern("a", |_| panic!("it is known")), a);
        assert_ne!(table.intern("b", |_| true), a);
        let (mut one, mut other) = (Ids::default(), Ids::default());
        let mut all: Vec<u64> = (0..200)
            .flat_map(|_| [one.next(&table), other.next(&table)])
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 400);
        assert!(!all.contains(&a.unwrap()));
        table.clear();
        assert_eq!(table.intern("b", |_| true), Some(1));
    }

    #[test]
    fn the_cache_knows_phases() {
        let mut cache = Cache::new();
        cache.put("text", 3, 9);
        assert_eq!(cache.get("text", 3), Some(9));
        assert_eq!(cache.get("text", 4), None);
        assert_eq!(cache.get(&"text"[1..], 3), None);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "ä".repeat(600);
        assert_eq!(cut(&text).len(), 1024);
        assert_eq!(cut(&format!("x{text}")).len(), 1023);
        assert_eq!(cut("short"), "short");
    }
}
