//! Buffers that are used again instead of being freed.

use std::sync::{Arc, Mutex, PoisonError};

/// Batch buffers, shared between the thread that reads and the thread that orders.
///
/// Real batches are nearly all full, so a generation's buffers serve the next one. Only large ones
/// are kept: a hostile trace of tiny batches must not claim 64 KiB for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct BufferPool(Arc<Mutex<Vec<Vec<u8>>>>);

/// Smaller data gets a buffer of its own size.
const MIN_POOLED_BYTES: usize = 32 * 1024;
/// Buffers kept: 64 MiB of them, about four generations of a busy program.
const MAX_POOLED: usize = 1024;

impl BufferPool {
    /// An empty buffer with room for `size` bytes.
    pub(crate) fn take(&self, size: usize) -> Vec<u8> {
        if size < MIN_POOLED_BYTES {
            return Vec::with_capacity(size);
        }
        let pooled = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        pooled.unwrap_or_else(|| Vec::with_capacity(exectrace_wire::limits::MAX_BATCH_BYTES))
    }

    /// Gives a buffer back.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() >= exectrace_wire::limits::MAX_BATCH_BYTES {
            buffer.clear();
            let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.len() < MAX_POOLED {
                pool.push(buffer);
            }
        }
    }
}
