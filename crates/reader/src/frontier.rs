//! The next event of each thread, kept in a binary heap by time.
//!
//! Which of several threads with equal times comes first depends on how the heap moves its entries,
//! so it moves them exactly as Go's parser does (format specification, section 4.1): a sift down
//! prefers the left child and moves only to a strictly smaller one.

use crate::sort::sort_as_go;

/// A thread's place in the frontier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The time of the thread's next event.
    pub(crate) time: i64,
    /// The thread's cursor.
    pub(crate) cursor: u32,
}

/// The heap.
#[derive(Debug, Default)]
pub(crate) struct Frontier {
    heap: Vec<Entry>,
}

impl Frontier {
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The entry with the earliest time.
    #[inline]
    pub(crate) fn first(&self) -> Option<Entry> {
        self.heap.first().copied()
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<Entry> {
        self.heap.get(at).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.heap.iter().copied()
    }

    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.heap.push(entry);
        self.sift_up(self.heap.len() - 1);
    }

    /// Sorts by time; a sorted array is a heap too.
    pub(crate) fn sort(&mut self) {
        sort_as_go(&mut self.heap, |entry| entry.time);
    }

    /// The earliest time of all entries but the first; `i64::MAX` if there are none.
    #[inline]
    pub(crate) fn runner_up(&self) -> i64 {
        match self.heap[..] {
            [_, a, b, ..] => a.time.min(b.time),
            [_, a] => a.time,
            _ => i64::MAX,
        }
    }

    /// Gives the first entry a new time that is not later than [`Self::runner_up`].
    pub(crate) fn set_first(&mut self, time: i64) {
        if let Some(first) = self.heap.first_mut() {
            first.time = time;
        }
    }

    /// Gives the first entry a new, later time.
    #[inline]
    pub(crate) fn update_first(&mut self, time: i64) {
        self.set_first(time);
        self.sift_down(0);
    }

    /// Gives an entry a new time.
    pub(crate) fn update(&mut self, at: usize, time: i64) {
        if let Some(entry) = self.heap.get_mut(at) {
            entry.time = time;
            if self.sift_up(at) == at {
                self.sift_down(at);
            }
        }
    }

    /// Removes an entry: lifts it to the root whatever the times, then replaces the root by the
    /// last entry.
    pub(crate) fn remove(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            self.heap.swap(parent, at);
            at = parent;
        }
        if !self.heap.is_empty() {
            self.heap.swap_remove(0);
            self.sift_down(0);
        }
    }

    fn sift_up(&mut self, mut at: usize) -> usize {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.heap[parent].time <= self.heap[at].time {
                break;
            }
            self.heap.swap(parent, at);
            at = parent;
        }
        at
    }

    #[inline]
    fn sift_down(&mut self, mut at: usize) {
        let heap = &mut self.heap[..];
        let Some(&moving) = heap.get(at) else { return };
        loop {
            let left = 2 * at + 1;
            let Some(&first) = heap.get(left) else { break };
            let (child, entry) = match heap.get(left + 1) {
                Some(&second) if second.time < first.time => (left + 1, second),
                _ => (left, first),
            };
            if entry.time >= moving.time {
                break;
            }
            heap[at] = entry;
            at = child;
        }
        heap[at] = moving;
    }
}
