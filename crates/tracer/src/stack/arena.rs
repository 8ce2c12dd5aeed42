//! Memory that only grows, in blocks of the pool, until all of it is given back at once.
//!
//! Allocating is one atomic addition, without a lock; only when a block is full does a thread get
//! another. How many there may be is limited.
#![allow(
    unsafe_code,
    reason = "memory that several threads divide among themselves"
)]
#![cfg_attr(loom, allow(dead_code, reason = "models have nodes of their own"))]

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::block::{Block, DATA_BYTES, Kind, Pool};

/// Bytes that every allocation is a multiple of, and aligned to.
pub(super) const WORD: usize = 8;

/// The blocks. See the module's documentation.
#[derive(Debug)]
pub(super) struct Arena {
    pool: &'static Pool,
    /// The block that is being filled; those before it are linked from it.
    current: AtomicPtr<Chunk>,
    blocks: AtomicUsize,
    max_blocks: usize,
}

/// What stands at the beginning of a block's data.
#[derive(Debug)]
struct Chunk {
    /// The block that this is in.
    block: Block,
    /// The block that was filled before, or null.
    previous: *mut Chunk,
    /// Bytes of data in use, this among them. Grows past the end when the block is full.
    used: AtomicUsize,
}

/// Bytes of a block that are left for allocations, if they have no gaps.
pub(super) const ROOM: usize = DATA_BYTES - size_of::<Chunk>();

const _: () = assert!(size_of::<Chunk>().is_multiple_of(WORD) && align_of::<Chunk>() <= WORD);

impl Arena {
    pub(super) const fn new(pool: &'static Pool, max_blocks: usize) -> Self {
        Self {
            pool,
            current: AtomicPtr::new(ptr::null_mut()),
            blocks: AtomicUsize::new(0),
            max_blocks,
        }
    }

    /// Memory for `bytes` bytes, a multiple of [`WORD`] and at most a quarter of a block; `None` when
    /// there are no more blocks. The memory is the caller's until [`Arena::clear`]; what it holds is
    /// anything. A block that is taken for it belongs to `generation`.
    #[inline]
    pub(super) fn allocate(&self, bytes: usize, generation: u64) -> Option<NonNull<u8>> {
        debug_assert!(bytes.is_multiple_of(WORD) && bytes <= ROOM / 4);
        loop {
            let chunk = self.current.load(Ordering::Acquire);
            if !chunk.is_null() {
                // SAFETY: a chunk in `current` is initialized (Acquire) and lives until `clear`, which
                // nobody calls while somebody allocates.
                let used = unsafe { &(*chunk).used };
                let start = used.fetch_add(bytes, Ordering::Relaxed);
                if start + bytes <= DATA_BYTES {
                    // SAFETY: from `start` on, `bytes` bytes are inside the block's data, at whose
                    // beginning the chunk is, and by the addition nobody else's. `chunk` was made
                    // from a pointer to all of the data.
                    return NonNull::new(unsafe { chunk.cast::<u8>().add(start) });
                }
            }
            if !self.grow(chunk, generation) {
                return None;
            }
        }
    }

    /// Puts a new block in the place of `full`, unless somebody has done so. `false` if there may be
    /// no more.
    #[cold]
    fn grow(&self, full: *mut Chunk, generation: u64) -> bool {
        if self.blocks.fetch_add(1, Ordering::Relaxed) >= self.max_blocks {
            self.blocks.fetch_sub(1, Ordering::Relaxed);
            return self.current.load(Ordering::Acquire) != full;
        }
        let Some(block) = self.pool.take(Kind::Stacks, generation, u64::MAX) else {
            self.blocks.fetch_sub(1, Ordering::Relaxed);
            return self.current.load(Ordering::Acquire) != full;
        };
        // What is a whole stack in there says so itself.
        block.publish(DATA_BYTES);
        let chunk: *mut Chunk = block.data().as_ptr().cast();
        // SAFETY: the data is ours, aligned to a block's header, and longer than a chunk.
        unsafe {
            chunk.write(Chunk {
                block,
                previous: full,
                used: AtomicUsize::new(size_of::<Chunk>()),
            });
        }
        // Release, with the Acquire loads of `current`: who sees the chunk sees it initialized.
        let placed =
            self.current
                .compare_exchange(full, chunk, Ordering::Release, Ordering::Relaxed);
        if placed.is_err() {
            // SAFETY: written above, and nobody else has seen it.
            drop(unsafe { chunk.read() });
            self.blocks.fetch_sub(1, Ordering::Relaxed);
        }
        true
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.load(Ordering::Relaxed) * crate::block::BLOCK_BYTES
    }

    /// Gives all memory back.
    ///
    /// # Safety
    ///
    /// Nobody MUST be in [`Arena::allocate`], and nobody MUST use memory from it any more.
    pub(super) unsafe fn clear(&self) {
        let mut chunk = self.current.swap(ptr::null_mut(), Ordering::AcqRel);
        while !chunk.is_null() {
            // SAFETY: each chunk is in the list once, and was written by `grow`; it is moved out here,
            // and with it goes its block, which nobody uses any more.
            let Chunk {
                block, previous, ..
            } = unsafe { chunk.read() };
            drop(block);
            chunk = previous;
        }
        self.blocks.store(0, Ordering::Relaxed);
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: there is no other reference to the arena, and memory from it ends with it.
        unsafe { self.clear() };
    }
}

// SAFETY: chunks are reached only through atomics, each piece of them is one allocation's, and their
// blocks, which are `Send`, are given back only under the conditions of `clear`.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

#[cfg(all(test, not(loom)))]
pub(super) mod tests {
    use super::*;

    /// A pool that is never freed.
    pub(in crate::stack) fn pool() -> &'static Pool {
        Box::leak(Box::new(Pool::new(usize::MAX)))
    }

    #[test]
    fn pieces_are_aligned_apart_limited_and_come_back() {
        let pool = pool();
        let arena = Arena::new(pool, 2);
        let mut pieces: Vec<usize> = vec![];
        while let Some(piece) = arena.allocate(1024, 1) {
            pieces.push(piece.as_ptr().addr());
        }
        assert_eq!(pieces.len(), 2 * (ROOM / 1024));
        assert_eq!((arena.bytes(), pool.in_use()), (2 << 16, 2));
        pieces.sort_unstable();
        assert!(pieces.iter().all(|p| p % WORD == 0));
        assert!(pieces.windows(2).all(|w| w[1] - w[0] >= 1024));
        // SAFETY: nobody else has the arena, and its memory is not used any more.
        unsafe { arena.clear() };
        assert_eq!((arena.bytes(), pool.in_use()), (0, 0));
        assert!(arena.allocate(8, 2).is_some());
        drop(arena);
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn without_blocks_there_is_nothing() {
        assert!(Arena::new(pool(), 0).allocate(8, 1).is_none());
        let pool = pool();
        pool.set_limit(1);
        let arena = Arena::new(pool, 5);
        while arena.allocate(1024, 1).is_some() {}
        assert_eq!((arena.bytes(), pool.in_use()), (1 << 16, 1));
    }
}
