//! The memory that traces are written into: blocks of 64 KiB, all from one pool.
//!
//! A block has one owner, who alone writes to it. Others may look at what the owner has published: the
//! header says what the data is, and how much of it is whole. The layout is that of a block file
//! (`exectrace recover` reads it from what a dead process has left), so it MUST only change together
//! with it:
//!
//! - `kind` is stored last when a block is taken, and first (0) when it is given back: a block whose
//!   kind is not 0 has a header that can be believed;
//! - `used` is stored after the bytes that it counts: bytes below it are whole events.
#![allow(unsafe_code, reason = "one writes while others look on")]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    fmt,
    ptr::NonNull,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// Bytes of a block, its header included.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// Bytes of a block's header.
pub const HEADER_BYTES: usize = 64;

/// Bytes of data that a block has room for.
pub const DATA_BYTES: usize = BLOCK_BYTES - HEADER_BYTES;

/// How many free blocks the pool keeps; the others go back to where they came from.
const KEPT: usize = 32;

const LAYOUT: Layout = match Layout::from_size_align(BLOCK_BYTES, HEADER_BYTES) {
    Ok(layout) => layout,
    Err(_) => panic!("the size of a block is a multiple of its alignment"),
};

/// What a block's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Kind {
    /// One batch: its header, whose size is not filled in yet, and its data.
    Batch = 1,
    /// Stacks that have not been symbolised.
    Stacks = 2,
    /// Memory that means nothing without its process.
    Scratch = 3,
    /// A part of a finished generation.
    Finished = 4,
}

#[repr(C, align(64))]
struct Header {
    kind: AtomicU64,
    generation: AtomicU64,
    thread: AtomicU64,
    sequence: AtomicU64,
    used: AtomicU64,
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES);

/// Where blocks come from.
///
/// # Safety
///
/// What `take` returns MUST be [`BLOCK_BYTES`] long, aligned to [`HEADER_BYTES`], readable and
/// writable, initialized, and nobody else's until it is given back.
pub unsafe trait Source: Send {
    /// Another block; `None` if there is no more memory.
    fn take(&mut self) -> Option<NonNull<u8>>;
    /// Takes a block back that this source has given.
    fn give(&mut self, block: NonNull<u8>);
}

/// Blocks from the heap.
#[derive(Debug)]
struct Heap;

// SAFETY: the layout is that of a block, zeroed memory is initialized, and an allocation is nobody
// else's until it is freed.
unsafe impl Source for Heap {
    fn take(&mut self) -> Option<NonNull<u8>> {
        // SAFETY: the layout has a size.
        NonNull::new(unsafe { alloc_zeroed(LAYOUT) })
    }

    fn give(&mut self, block: NonNull<u8>) {
        // SAFETY: it comes from `take`, with this layout, and is not used any more.
        unsafe { dealloc(block.as_ptr(), LAYOUT) }
    }
}

/// Where the tracer takes its memory from.
pub struct Pool {
    inner: Mutex<Inner>,
    in_use: AtomicUsize,
    limit: AtomicUsize,
}

struct Inner {
    source: Box<dyn Source>,
    free: Vec<NonNull<Header>>,
    /// How many blocks were ever taken: their numbers.
    taken: u64,
}

// SAFETY: the pointers are of blocks that the pool owns alone.
unsafe impl Send for Inner {}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("in_use", &self.in_use)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool on the heap that has at most `limit` blocks in use.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::with_source(limit, Box::new(Heap))
    }

    /// A pool that takes its memory elsewhere.
    #[must_use]
    pub fn with_source(limit: usize, source: Box<dyn Source>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                source,
                free: Vec::new(),
                taken: 0,
            }),
            in_use: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
        }
    }

    /// Changes how many blocks may be in use. Those that are stay so.
    pub fn set_limit(&self, blocks: usize) {
        self.limit.store(blocks, Ordering::Relaxed);
    }

    /// How many blocks are in use.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }

    /// A block without data; `None` if the limit is reached or the memory has run out.
    ///
    /// `thread` is as on the wire, `u64::MAX` for none.
    #[must_use]
    pub fn take(&'static self, kind: Kind, generation: u64, thread: u64) -> Option<Block> {
        let mut inner = self.lock();
        if self.in_use() >= self.limit.load(Ordering::Relaxed) {
            return None;
        }
        let header = match inner.free.pop() {
            Some(header) => header,
            None => inner.source.take()?.cast(),
        };
        self.in_use.fetch_add(1, Ordering::Relaxed);
        inner.taken += 1;
        let sequence = inner.taken;
        drop(inner);

        let block = Block { header, pool: self };
        let header = block.header();
        header.used.store(0, Ordering::Relaxed);
        header.generation.store(generation, Ordering::Relaxed);
        header.thread.store(thread, Ordering::Relaxed);
        header.sequence.store(sequence, Ordering::Relaxed);
        header.kind.store(kind as u64, Ordering::Release);
        Some(block)
    }

    fn give(&self, header: NonNull<Header>) {
        let mut inner = self.lock();
        self.in_use.fetch_sub(1, Ordering::Relaxed);
        if inner.free.len() < KEPT {
            inner.free.push(header);
        } else {
            inner.source.give(header.cast());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics in between, and if a source does, the list is sound.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for header in std::mem::take(&mut self.free) {
            self.source.give(header.cast());
        }
    }
}

/// A block and the right to write to it. Goes back to its pool when it is dropped.
pub struct Block {
    header: NonNull<Header>,
    pool: &'static Pool,
}

// SAFETY: the block is its owner's alone but for the header's atomics.
unsafe impl Send for Block {}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("used", &self.used()).finish()
    }
}

impl Block {
    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: by the contract of `Source` the memory is there, aligned and initialized (zeros are
        // sound atomics) until the block goes back; others only ever load from the atomics.
        unsafe { self.header.as_ref() }
    }

    /// Where the data begins; [`DATA_BYTES`] from there on are the owner's.
    #[inline]
    pub(crate) fn data(&self) -> NonNull<u8> {
        // SAFETY: a block is longer than its header.
        unsafe { self.header.cast::<u8>().add(HEADER_BYTES) }
    }

    /// How many bytes of data are whole.
    #[inline]
    #[must_use]
    pub fn used(&self) -> usize {
        self.header().used.load(Ordering::Relaxed) as usize
    }

    /// Publishes the data up to `used`.
    #[inline]
    pub fn publish(&self, used: usize) {
        debug_assert!(used <= DATA_BYTES);
        self.header().used.store(used as u64, Ordering::Release);
    }

    /// The data that is whole.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let used = self.used().min(DATA_BYTES);
        // SAFETY: inside the block, initialized by the contract of `Source`, and the owner, who alone
        // writes, holds `self` shared.
        unsafe { std::slice::from_raw_parts(self.data().as_ptr(), used) }
    }

    /// All of the data's memory.
    pub fn memory(&mut self) -> &mut [u8] {
        // SAFETY: inside the block, initialized by the contract of `Source`, and the owner, who alone
        // writes and reads, holds `self` exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.data().as_ptr(), DATA_BYTES) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.header().kind.store(0, Ordering::Release);
        self.pool.give(self.header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(limit: usize) -> &'static Pool {
        Box::leak(Box::new(Pool::new(limit)))
    }

    #[test]
    fn blocks_are_limited_and_come_back_without_data() {
        let pool = pool(2);
        let mut one = pool.take(Kind::Batch, 1, 7).unwrap();
        let two = pool.take(Kind::Scratch, 1, u64::MAX).unwrap();
        assert!(pool.take(Kind::Batch, 1, 7).is_none());
        one.memory()[..3].copy_from_slice(b"abc");
        one.publish(2);
        assert_eq!(one.bytes(), b"ab");
        drop(one);
        assert_eq!(pool.in_use(), 1);
        let again = pool.take(Kind::Batch, 2, 7).unwrap();
        assert_eq!(again.bytes(), b"");
        drop((again, two));
        assert_eq!(pool.in_use(), 0);
        pool.set_limit(0);
        assert!(pool.take(Kind::Batch, 1, 7).is_none());
    }

    #[test]
    fn the_header_is_where_a_block_file_has_it() {
        let block = pool(1).take(Kind::Stacks, 3, 9).unwrap();
        block.publish(5);
        // SAFETY: the header is that long, and nobody writes to it now.
        let header = unsafe { block.header.cast::<[u64; 5]>().read() };
        assert_eq!(header, [2, 3, 9, 1, 5]);
    }

    #[test]
    fn surplus_blocks_go_back_to_the_source() {
        struct Counting(std::sync::Arc<AtomicUsize>);
        // SAFETY: as the heap's, which does it.
        unsafe impl Source for Counting {
            fn take(&mut self) -> Option<NonNull<u8>> {
                self.0.fetch_add(1, Ordering::Relaxed);
                Heap.take()
            }
            fn give(&mut self, block: NonNull<u8>) {
                self.0.fetch_sub(1, Ordering::Relaxed);
                Heap.give(block);
            }
        }
        let outside = std::sync::Arc::new(AtomicUsize::new(0));
        let pool = Pool::with_source(usize::MAX, Box::new(Counting(outside.clone())));
        let pool: &'static Pool = Box::leak(Box::new(pool));
        let blocks: Vec<_> = (0..KEPT + 5)
            .map(|_| pool.take(Kind::Batch, 1, 1).unwrap())
            .collect();
        assert_eq!(outside.load(Ordering::Relaxed), KEPT + 5);
        drop(blocks);
        assert_eq!(outside.load(Ordering::Relaxed), KEPT);
    }
}
