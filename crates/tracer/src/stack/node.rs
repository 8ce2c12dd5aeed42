//! A stack in the table's memory.
//!
//! ```text
//! header   id << 16 | frames << 8 | state     written last, with Release
//! check    hash of generation and addresses
//! next     the next node of the bucket, or null
//! address  x frames
//! ```
//!
//! All are 8 bytes in the machine's byte order. A node describes itself, so that a program that finds the
//! memory after its owner died can read the stacks out of it ([`scan`]); `next` then means nothing. Memory
//! is not cleared when it is used again: what makes words a node is that the check fits, which also
//! tells nodes of different generations apart.
#![allow(
    unsafe_code,
    reason = "nodes of different lengths in memory that threads share"
)]

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use exectrace_wire::limits::MAX_STACK_FRAMES;

use super::arena::{Arena, WORD};
use super::walk::hash_step;

/// The node is one, whether or not it is in the table yet.
const PUBLISHED: u64 = 0xa5;
/// The node lost a race against an equal one and is not in the table.
const ABANDONED: u64 = 0x5a;

/// Words before the addresses.
const HEAD_WORDS: usize = 3;

/// The node's fixed part; the addresses follow it.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Node {
    header: AtomicU64,
    check: u64,
    next: AtomicPtr<Node>,
}

const _: () = assert!(size_of::<Node>() == HEAD_WORDS * WORD && align_of::<Node>() <= WORD);

const fn header(id: u64, frames: usize, state: u64) -> u64 {
    id << 16 | (frames as u64) << 8 | state
}

/// Mixes a stack's hash with its generation. All bits of the result are good.
#[inline]
pub(super) const fn check(generation: u64, hash: u64) -> u64 {
    let seeded = hash ^ generation.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let product = seeded as u128 * 0xa076_1d64_78bd_642f;
    product as u64 ^ (product >> 64) as u64
}

/// A node that others may see. Lives until its arena is cleared.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeRef<'a> {
    // A pointer, as a reference to the head would not reach the addresses.
    node: NonNull<Node>,
    arena: PhantomData<&'a Arena>,
}

impl<'a> NodeRef<'a> {
    /// Writes a node; `None` when the arena is full.
    pub(super) fn create(
        arena: &'a Arena,
        generation: u64,
        id: u64,
        check: u64,
        addresses: &[usize],
    ) -> Option<Self> {
        let memory = arena.allocate((HEAD_WORDS + addresses.len()) * WORD, generation)?;
        let node: NonNull<Node> = memory.cast();
        let place = node.as_ptr();
        // SAFETY: the memory is big enough for the head and the addresses, aligned for both, and
        // nobody else's. The header's place is only ever read as an atomic from now on.
        unsafe {
            (&raw mut (*place).check).write(check);
            (&raw mut (*place).next).write(AtomicPtr::default());
            std::ptr::copy_nonoverlapping(
                addresses.as_ptr(),
                place.add(1).cast::<usize>(),
                addresses.len(),
            );
            // Release: who reads the memory of a dead process sees no header before the rest.
            AtomicU64::from_ptr((&raw mut (*place).header).cast())
                .store(header(id, addresses.len(), PUBLISHED), Ordering::Release);
        }
        Some(Self {
            node,
            arena: PhantomData,
        })
    }

    /// The node that a pointer leads to, if it leads to one.
    ///
    /// # Safety
    ///
    /// `node` MUST be null or come from [`NodeRef::as_ptr`], of a node whose arena is not cleared
    /// during `'a`, and MUST have been passed on with Release and Acquire.
    #[inline]
    pub(super) unsafe fn from_ptr(node: *mut Node) -> Option<Self> {
        Some(Self {
            node: NonNull::new(node)?,
            arena: PhantomData,
        })
    }

    pub(super) const fn as_ptr(self) -> *mut Node {
        self.node.as_ptr()
    }

    #[inline]
    fn head(self) -> &'a Node {
        // SAFETY: the head is initialized before there is a `NodeRef`, changes only through atomics,
        // and lives for 'a.
        unsafe { self.node.as_ref() }
    }

    #[inline]
    pub(super) fn id(self) -> u64 {
        self.head().header.load(Ordering::Relaxed) >> 16
    }

    /// The node after this one in its bucket.
    #[inline]
    pub(super) fn next(self) -> *mut Node {
        // Relaxed: it does not change after publication, and who has this node got it with Acquire,
        // and with it all that was published before.
        self.head().next.load(Ordering::Relaxed)
    }

    /// Sets the node after this one. Only before the node is published.
    pub(super) fn set_next(self, next: *mut Node) {
        self.head().next.store(next, Ordering::Relaxed);
    }

    /// Says that the node is not in the table, so that [`scan`] leaves it out.
    pub(super) fn abandon(self) {
        let header = &self.head().header;
        let abandoned = header.load(Ordering::Relaxed) & !0xff | ABANDONED;
        header.store(abandoned, Ordering::Relaxed);
    }

    /// Whether this is the node of a stack.
    #[inline]
    pub(super) fn is(self, check: u64, addresses: &[usize]) -> bool {
        self.head().check == check && self.addresses() == addresses
    }

    /// The stack's addresses.
    #[inline]
    pub(super) fn addresses(self) -> &'a [usize] {
        let frames = (self.head().header.load(Ordering::Relaxed) >> 8 & 0xff) as usize;
        // SAFETY: `create` wrote so many addresses after the head before there was a `NodeRef`;
        // nobody changes them, and the pointer is to all of the node's memory, which lives for 'a.
        unsafe { std::slice::from_raw_parts(self.node.as_ptr().add(1).cast(), frames) }
    }
}

/// Stacks found in memory that a table of `generation` used, as `(id, addresses)`: for memory of a process
/// that is gone. Both may be in any order; words that are no node of this generation are left out.
///
/// `memory` is as the dead process had it, beginning at a multiple of 8 bytes of its own; addresses
/// are 8 bytes in this machine's byte order.
pub fn scan(memory: &[u8], generation: u64) -> impl Iterator<Item = (u64, Vec<usize>)> {
    let (words, _) = memory.as_chunks::<WORD>();
    let mut rest = words;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            if let Some((id, addresses)) = scan_one(rest, generation) {
                rest = rest.get(HEAD_WORDS + addresses.len()..)?;
                return Some((id, addresses));
            }
            rest = rest.get(1..)?;
        }
        None
    })
}

/// The node at the beginning of some words, if one is there.
fn scan_one(words: &[[u8; WORD]], generation: u64) -> Option<(u64, Vec<usize>)> {
    let word = |at: usize| words.get(at).map(|bytes| u64::from_ne_bytes(*bytes));
    let header = word(0)?;
    let (id, frames) = (header >> 16, (header >> 8 & 0xff) as usize);
    if header & 0xff != PUBLISHED || id == 0 || frames == 0 || frames > MAX_STACK_FRAMES {
        return None;
    }
    let addresses: Vec<usize> = words
        .get(HEAD_WORDS..HEAD_WORDS + frames)?
        .iter()
        .map(|bytes| u64::from_ne_bytes(*bytes) as usize)
        .collect();
    let hash = addresses.iter().fold(0, |hash, &pc| hash_step(hash, pc));
    (word(1)? == check(generation, hash)).then_some((id, addresses))
}
