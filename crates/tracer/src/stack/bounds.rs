//! The bounds of the stack that a thread runs on.
//!
//! They are what makes walking a stack safe: memory between the stack pointer and the stack's upper end
//! is mapped, whatever it holds.
#![allow(
    unsafe_code,
    reason = "what the system knows of a thread, and what only the caller knows of other stacks"
)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;

/// The addresses of a stack, from the lowest to the end after the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackRange {
    low: usize,
    high: usize,
}

impl StackRange {
    /// No stack: nothing is in it.
    pub(super) const NONE: Self = Self { low: 0, high: 0 };

    /// Whether an address is on the stack.
    #[inline]
    #[must_use]
    pub const fn contains(&self, address: usize) -> bool {
        self.low <= address && address < self.high
    }

    /// The end after the highest address.
    #[inline]
    #[must_use]
    pub const fn high(&self) -> usize {
        self.high
    }
}

thread_local! {
    // Has no destructor, so it can be used up to a thread's very end.
    static CURRENT: Cell<StackRange> = const { Cell::new(StackRange::NONE) };
}

/// The stack of the calling thread: [`StackRange::NONE`] before [`prepare_thread`].
#[inline]
pub(super) fn current() -> StackRange {
    CURRENT.get()
}

/// Finds the bounds of the calling thread's stack (and, the first time, how stacks can be captured at all).
/// To be called once on each thread before it captures stacks, which are otherwise one frame deep; later
/// calls do nothing.
///
/// May take locks, allocate, and, on Linux's main thread, read a file.
pub fn prepare_thread() {
    find();
    super::walk::method();
}

/// Finds the bounds of the calling thread's stack, if they are not known.
pub(super) fn find() {
    if CURRENT.get() == StackRange::NONE {
        CURRENT.set(of_thread().unwrap_or(StackRange::NONE));
    }
}

/// Says that the calling thread is about to run on another stack, a coroutine's for example, until the
/// guard is dropped. On a stack that the tracer does not know, stacks are one frame deep.
///
/// # Safety
///
/// From now until the guard is dropped, whenever this thread's stack pointer is in `stack`, all memory
/// from there to `stack.end` MUST be readable: otherwise the capture of a stack may fault.
///
/// # Example
///
/// ```
/// # let mut memory = vec![0u8; 64 * 1024];
/// # let mut resume = || {};
/// let range = memory.as_ptr_range();
/// // SAFETY: `memory` outlives the guard.
/// let guard = unsafe { exectrace::stack::enter_stack(range.start as usize..range.end as usize) };
/// resume(); // runs on `memory`
/// drop(guard);
/// ```
#[must_use = "the stack is known until the guard is dropped"]
pub unsafe fn enter_stack(stack: Range<usize>) -> StackGuard {
    let range = StackRange {
        low: stack.start,
        high: stack.end,
    };
    StackGuard {
        previous: CURRENT.replace(range),
        thread: PhantomData,
    }
}

/// Restores the bounds of the stack that the thread ran on before. See [`enter_stack`].
#[derive(Debug)]
pub struct StackGuard {
    previous: StackRange,
    /// The bounds are the thread's: the guard MUST NOT go to another.
    thread: PhantomData<*const ()>,
}

impl Drop for StackGuard {
    fn drop(&mut self) {
        CURRENT.set(self.previous);
    }
}

/// What the system says about the calling thread's stack.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn of_thread() -> Option<StackRange> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut address = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: `attributes` is initialized by the first call if that returns 0 (by `init` on FreeBSD,
    // where the other only fills in), and not used otherwise; it is destroyed exactly once. The
    // calls write only through the pointers that they are given, all of which are valid.
    unsafe {
        let attributes = attributes.as_mut_ptr();
        #[cfg(target_os = "freebsd")]
        let found = libc::pthread_attr_init(attributes) == 0
            && libc::pthread_attr_get_np(libc::pthread_self(), attributes) == 0;
        #[cfg(not(target_os = "freebsd"))]
        let found = libc::pthread_getattr_np(libc::pthread_self(), attributes) == 0;
        if !found {
            return None;
        }
        let found = libc::pthread_attr_getstack(attributes, &raw mut address, &raw mut size) == 0;
        libc::pthread_attr_destroy(attributes);
        if !found {
            return None;
        }
    }
    range(address.addr(), size)
}

/// What the system says about the calling thread's stack.
#[cfg(target_vendor = "apple")]
fn of_thread() -> Option<StackRange> {
    // SAFETY: `pthread_self` is always a valid thread, and these only read what is recorded of it.
    let (high, size) = unsafe {
        let thread = libc::pthread_self();
        (
            libc::pthread_get_stackaddr_np(thread).addr(),
            libc::pthread_get_stacksize_np(thread),
        )
    };
    range(high.checked_sub(size)?, size)
}

/// No way is known to ask this system.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
)))]
fn of_thread() -> Option<StackRange> {
    None
}

/// A range, if it is one.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
))]
fn range(low: usize, size: usize) -> Option<StackRange> {
    let high = low.checked_add(size)?;
    (low > 0 && size > 0).then_some(StackRange { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_runs_on_its_own_stack() {
        let check = || {
            let local = 0u8;
            let address = (&raw const local).addr();
            assert!(!current().contains(address));
            prepare_thread();
            let range = current();
            assert!(range.contains(address), "{address:#x} {range:?}");
            prepare_thread();
            assert_eq!(current(), range);
            address
        };
        let one = std::thread::spawn(check).join().unwrap();
        assert!(!current().contains(one));
    }

    #[test]
    fn a_guard_changes_the_stack_until_it_is_dropped() {
        prepare_thread();
        let own = current();
        // SAFETY: this thread's stack pointer is not in the range.
        let outer = unsafe { enter_stack(4096..8192) };
        // SAFETY: as above.
        let inner = unsafe { enter_stack(8192..9000) };
        assert!(current().contains(8999) && !current().contains(9000));
        drop(inner);
        assert!(current().contains(8191) && !current().contains(8192));
        drop(outer);
        assert_eq!(current(), own);
    }
}
