//! Memory that is a file.
#![allow(unsafe_code, reason = "maps a file and hands out its memory")]

use std::{
    fs::File,
    io,
    os::fd::AsRawFd as _,
    ptr::{self, NonNull},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use exectrace_mend::layout::{BLOCK_BYTES, MAGIC, file};

use crate::block::Source;

/// A file in memory, a whole number of blocks, the first of which is its header. Stays mapped for as
/// long as there is one; the file may be removed meanwhile.
#[derive(Debug)]
pub(super) struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it is a place and a length; what may be done there by whom is the business of its methods.
unsafe impl Send for Mapping {}
// SAFETY: as above; the header is touched through atomics, and blocks are each one owner's.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps a new, empty file with a size of its own.
    pub(super) fn new(storage: &File, bytes: usize) -> io::Result<Self> {
        let length = libc::off_t::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        // The place MUST be reserved now, otherwise a full disk kills the process at a store.
        // SAFETY: the descriptor is open during the call.
        let error = unsafe { libc::posix_fallocate(storage.as_raw_fd(), 0, length) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        // SAFETY: a new mapping at a place of the system's choice touches no memory that exists; the
        // descriptor is open during the call.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                storage.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, bytes })
    }

    /// A number of the header.
    pub(super) fn field(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= BLOCK_BYTES);
        // SAFETY: within the first block (checked), which is mapped for as long as `self` is there,
        // zeroed and so initialized; aligned, since the mapping begins at a page (checked). Nobody
        // touches these eight bytes but through atomics: `put_header` is checked to be elsewhere.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }

    /// Writes bytes of the header behind its numbers. MUST be called by who created it only, before
    /// others know it.
    pub(super) fn put_header(&self, offset: usize, bytes: &[u8]) {
        assert!(offset >= file::PATHS && offset + bytes.len() <= BLOCK_BYTES);
        // SAFETY: within the first block (checked), behind what `field` gives out, and no place for
        // blocks; what is copied is elsewhere.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.as_ptr().add(offset), bytes.len());
        }
    }

    /// Makes the file one: whoever finds it may believe what is in the header.
    pub(super) fn finish_header(&self) {
        let (head, tail) = MAGIC.split_at(8);
        let number = |bytes: &[u8]| bytes.first_chunk().copied().map_or(0, u64::from_le_bytes);
        self.field(file::MAGIC + 8)
            .store(number(tail), Ordering::Release);
        self.field(file::MAGIC)
            .store(number(head), Ordering::Release);
    }

    const fn blocks(&self) -> usize {
        self.bytes / BLOCK_BYTES
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`; with the last owner gone, nobody has a block or a field.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// The blocks of a mapping, for a pool.
#[derive(Debug)]
pub(crate) struct Memory {
    mapping: Arc<Mapping>,
    /// Blocks that were given back.
    free: Vec<NonNull<u8>>,
    /// The first block that was never taken.
    next: usize,
}

// SAFETY: the pointers are of blocks that nobody uses.
unsafe impl Send for Memory {}

impl Memory {
    /// MUST be called once for a mapping: each block has one owner.
    pub(super) const fn new(mapping: Arc<Mapping>) -> Self {
        Self {
            mapping,
            free: Vec::new(),
            next: 1,
        }
    }
}

// SAFETY: blocks lie behind each other in a mapping that lives for as long as the source, from a page's
// beginning on, so they are aligned; a new file is zeros. A block is given out once until it is given
// back: `next` only grows, and what is in `free` was given back.
unsafe impl Source for Memory {
    fn take(&mut self) -> Option<NonNull<u8>> {
        if let Some(block) = self.free.pop() {
            return Some(block);
        }
        if self.next >= self.mapping.blocks() {
            return None;
        }
        let offset = self.next * BLOCK_BYTES;
        self.next += 1;
        // SAFETY: within the mapping.
        Some(unsafe { self.mapping.base.add(offset) })
    }

    fn give(&mut self, block: NonNull<u8>) {
        self.free.push(block);
    }
}
