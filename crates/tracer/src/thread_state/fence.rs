//! A pair of fences, one for what happens all the time, one for what happens once a second.
//!
//! If one thread stores to A, calls [`light`] and loads from B, and another stores to B, calls
//! [`heavy`] and loads from A, then at least one of them sees the other's store. Two sequentially
//! consistent fences would do the same. Here, on Linux, the heavy one makes the kernel run a barrier
//! on all threads (membarrier(2)), so that the light one costs nothing but that the compiler MUST NOT
//! move accesses across it: wherever a thread is when the barrier runs, its store is before it, or
//! its load is after.
//!
//! Where the kernel cannot, and in the models, both are fences.

#[cfg(loom)]
use loom::sync::atomic::{Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

/// Whether the kernel runs the barriers. Goes from false to true once, in [`prepare`].
#[cfg(not(loom))]
static BY_KERNEL: AtomicBool = AtomicBool::new(false);

/// MUST have been called before [`heavy`], otherwise that may not know what [`light`] relies on.
#[cfg(not(loom))]
pub(crate) fn prepare() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| BY_KERNEL.store(crate::os::register_barrier(), Ordering::SeqCst));
}

/// The side that happens all the time.
#[inline(always)]
pub(crate) fn light() {
    #[cfg(not(loom))]
    {
        // Who still sees `false` fences once too often.
        if BY_KERNEL.load(Ordering::Relaxed) {
            compiler_fence(Ordering::SeqCst);
            return;
        }
    }
    fence(Ordering::SeqCst);
}

/// The rare side.
pub(crate) fn heavy() {
    fence(Ordering::SeqCst);
    #[cfg(not(loom))]
    if BY_KERNEL.load(Ordering::SeqCst) {
        crate::os::barrier();
        fence(Ordering::SeqCst);
    }
}
