//! What the tracer asks of the operating system directly.
#![allow(
    unsafe_code,
    reason = "system calls that the standard library does not have"
)]

/// Makes later calls of [`barrier`] possible; whether it could.
#[cfg(target_os = "linux")]
pub(crate) fn register_barrier() -> bool {
    membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
}

/// Runs a full memory barrier on every thread of this process that is running, before it returns.
/// Threads that are not running have had one when they were switched away from.
#[cfg(target_os = "linux")]
pub(crate) fn barrier() {
    // A forked child may have to register anew. The global command needs no registration; it is slow.
    let done = membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
        || (register_barrier() && membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED))
        || membarrier(libc::MEMBARRIER_CMD_GLOBAL);
    // Without it, memory of other threads would be read while they write to it.
    assert!(done, "membarrier(2) worked before and does not now");
}

#[cfg(target_os = "linux")]
fn membarrier(command: libc::c_int) -> bool {
    let (flags, cpu): (libc::c_uint, libc::c_int) = (0, 0);
    // SAFETY: the call takes three numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, flags, cpu) == 0 }
}

/// The system has no such call.
#[cfg(not(target_os = "linux"))]
pub(crate) fn register_barrier() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn barrier() {}

/// The number of the calling thread, as the system's tools show it. Never 0.
#[cfg(target_os = "linux")]
pub(crate) fn thread_id() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::gettid() }.cast_unsigned()
}

/// A number for the calling thread that no other thread of the process has had. Never 0.
#[cfg(not(target_os = "linux"))]
pub(crate) fn thread_id() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Has `child` called in every process that this one forks from now on.
#[cfg(unix)]
pub(crate) fn at_fork(child: extern "C" fn()) {
    // SAFETY: the function stays where it is. Should the call fail for want of memory, a forked child
    // does not learn that it is one, and goes on as far as it can.
    unsafe {
        libc::pthread_atfork(None, None, Some(child));
    }
}

#[cfg(not(unix))]
pub(crate) fn at_fork(_child: extern "C" fn()) {}
