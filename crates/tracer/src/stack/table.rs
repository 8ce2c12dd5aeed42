//! The stacks of a generation and their ids.
//!
//! A hash table with chains, into which threads insert without locks and from which nothing is ever
//! removed, until the generation is over and all of it goes at once.
//!
//! # Invariants
//!
//! 1. A node MUST be complete before a bucket leads to it, and never changes after. Otherwise a thread
//!    could compare half a stack. *Release at the exchange that publishes, Acquire at the load.*
//! 2. Equal stacks have one node. *A thread that loses the exchange looks at what came in between before
//!    it tries again; both would be at the same bucket's head.*
//! 3. [`Table::reset`] MUST NOT run while anybody puts or reads. Otherwise memory is used after it was
//!    freed. *The caller's: a generation's table is reset when its writers are gone.*
#![allow(unsafe_code, reason = "chains of nodes in memory that threads share")]

#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use exectrace_wire::StackId;

#[cfg(not(loom))]
use super::node::{Node, NodeRef, check};
#[cfg(loom)]
use super::node_model::{Node, NodeRef, check};

use super::arena::Arena;
use super::walk::Captured;
use crate::block::{BLOCK_BYTES, Pool};

/// The logarithm of the number of buckets. Buckets take 64 KiB; 10 000 stacks of 10 frames take 1 MiB and
/// make chains that are one node long.
const BUCKET_BITS: u32 = if cfg!(loom) { 1 } else { 13 };

/// Stacks to ids, for one generation at a time.
#[derive(Debug)]
pub struct Table {
    buckets: Box<[AtomicPtr<Node>]>,
    arena: Arena,
    generation: AtomicU64,
    /// The last id that was given out. Ids are dense but for races lost, so that they stay short.
    last_id: AtomicU64,
    /// Set when the arena was full once: from then on stacks that are not known get no id.
    full: AtomicBool,
    overflowed: AtomicU64,
}

/// What is in a [`Table`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableStats {
    /// Different stacks.
    pub stacks: u64,
    /// Addresses of all stacks.
    pub frames: u64,
    /// Stacks of one frame. If it is most of them, the program has no frame pointers.
    pub of_one_frame: u64,
    /// How often a stack got no id because the memory was full.
    pub overflowed: u64,
    /// Memory, in bytes.
    pub bytes: usize,
}

impl Table {
    /// An empty table for generation 0, which takes 64 KiB now, and of the pool up to `max_bytes` (in
    /// whole blocks) for stacks. A stack of `n` frames takes `24 + 8 n` bytes.
    #[must_use]
    pub fn new(pool: &'static Pool, max_bytes: usize) -> Self {
        Self {
            buckets: (0..1 << BUCKET_BITS)
                .map(|_| AtomicPtr::default())
                .collect(),
            arena: Arena::new(pool, max_bytes / BLOCK_BYTES),
            generation: AtomicU64::new(0),
            last_id: AtomicU64::new(0),
            full: AtomicBool::new(false),
            overflowed: AtomicU64::new(0),
        }
    }

    /// The stack's id in this generation. `None` if the stack is empty or the table is full; the latter
    /// is counted.
    #[inline]
    pub fn put(&self, stack: &Captured) -> Option<StackId> {
        let addresses = stack.addresses();
        if addresses.is_empty() {
            return None;
        }
        let check = check(self.generation.load(Ordering::Relaxed), stack.hash());
        let bucket = &self.buckets[(check >> (u64::BITS - BUCKET_BITS)) as usize];
        let head = bucket.load(Ordering::Acquire);
        match self.find(head, std::ptr::null_mut(), check, addresses) {
            Some(id) => Some(StackId(id)),
            None => self.insert(bucket, head, check, addresses),
        }
    }

    /// Looks for a stack in a chain, up to a node that is not looked at any more.
    #[inline]
    fn find(
        &self,
        mut at: *mut Node,
        end: *mut Node,
        check: u64,
        addresses: &[usize],
    ) -> Option<u64> {
        while at != end {
            // SAFETY: what is in a chain was published with Release (invariant 1) and read with
            // Acquire, and is not cleared during the call (invariant 3).
            let node = unsafe { NodeRef::from_ptr(at) }?;
            if node.is(check, addresses) {
                return Some(node.id());
            }
            at = node.next();
        }
        None
    }

    /// Adds a stack that was not in the chain from `head` on.
    #[cold]
    fn insert(
        &self,
        bucket: &AtomicPtr<Node>,
        mut head: *mut Node,
        check: u64,
        addresses: &[usize],
    ) -> Option<StackId> {
        // 1. A node, with an id of its own. Whatever happens to it, nobody else gets that id.
        if self.full.load(Ordering::Relaxed) {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let generation = self.generation.load(Ordering::Relaxed);
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(node) = NodeRef::create(&self.arena, generation, id, check, addresses) else {
            self.full.store(true, Ordering::Relaxed);
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        loop {
            // 2. In front of the chain, if that is still as we have seen it.
            node.set_next(head);
            let published =
                bucket.compare_exchange(head, node.as_ptr(), Ordering::Release, Ordering::Acquire);
            let Err(newer) = published else {
                return Some(StackId(id));
            };
            // 3. Others were faster. Was one of them with the same stack?
            if let Some(theirs) = self.find(newer, head, check, addresses) {
                node.abandon();
                return Some(StackId(theirs));
            }
            head = newer;
        }
    }

    /// The stacks, in the order of their ids. While others put, those that were complete when it was
    /// called, at least.
    ///
    /// What is returned MUST NOT be used any more when [`Table::reset`] is called.
    #[must_use]
    pub fn stacks(&self) -> Vec<(StackId, &[usize])> {
        let mut stacks: Vec<_> = self
            .nodes()
            .map(|n| (StackId(n.id()), n.addresses()))
            .collect();
        stacks.sort_unstable_by_key(|(id, _)| *id);
        stacks
    }

    /// What is in the table.
    #[must_use]
    pub fn stats(&self) -> TableStats {
        let mut stats = TableStats {
            overflowed: self.overflowed.load(Ordering::Relaxed),
            bytes: self.buckets.len() * size_of::<AtomicPtr<Node>>() + self.arena.bytes(),
            ..TableStats::default()
        };
        for node in self.nodes() {
            let frames = node.addresses().len();
            stats.stacks += 1;
            stats.frames += frames as u64;
            stats.of_one_frame += u64::from(frames == 1);
        }
        stats
    }

    fn nodes(&self) -> impl Iterator<Item = NodeRef<'_>> {
        self.buckets.iter().flat_map(|bucket| {
            // SAFETY: as in `find`.
            let first = unsafe { NodeRef::from_ptr(bucket.load(Ordering::Acquire)) };
            // SAFETY: as in `find`.
            std::iter::successors(first, |node| unsafe { NodeRef::from_ptr(node.next()) })
        })
    }

    /// Empties the table, gives its memory back, and begins `generation`. Ids start at 1 again.
    ///
    /// # Safety
    ///
    /// Nobody else MUST be in a method of the table, and nothing that [`Table::stacks`] returned MUST be
    /// used any more.
    pub unsafe fn reset(&self, generation: u64) {
        for bucket in &self.buckets {
            bucket.store(std::ptr::null_mut(), Ordering::Relaxed);
        }
        // SAFETY: nodes are used in the table's methods and through `stacks` only.
        unsafe { self.arena.clear() };
        self.generation.store(generation, Ordering::Relaxed);
        self.last_id.store(0, Ordering::Relaxed);
        self.full.store(false, Ordering::Relaxed);
        self.overflowed.store(0, Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
#[path = "table_model.rs"]
mod model;

#[cfg(all(test, not(loom)))]
#[path = "table_tests.rs"]
mod tests;
