//! Signals: a handler that only wakes a thread, waits for it for a while, and passes the signal on.
//!
//! What a handler may do is next to nothing (signal-safety(7)): it may have interrupted an allocation,
//! or an event. So it writes the signal's number to a pipe. A thread that was started long before
//! reads it and does what has to be done, with all means; when it is done, it writes to another pipe,
//! for which the handler of a fatal signal waits. Should the thread not get anywhere, because the
//! signal came while somebody held what it needs, the handler goes on after a while.
#![allow(unsafe_code, reason = "signal handlers and pipes")]

use std::{
    io,
    mem::MaybeUninit,
    ptr,
    sync::atomic::{AtomicI32, AtomicPtr, Ordering},
};

/// Numbers above this are no signals.
const SIGNALS: usize = 65;

/// How long the handler of a fatal signal waits, in milliseconds.
const PATIENCE_MS: libc::c_int = 2000;

/// The ends of the pipes that the handlers use; -1 before there are pipes.
static WAKE: AtomicI32 = AtomicI32::new(-1);
static DONE: AtomicI32 = AtomicI32::new(-1);

/// The thread that a fatal signal came on first, or 0. It goes first, others wait for the end.
static FATAL: AtomicI32 = AtomicI32::new(0);

/// What was done at a signal before us; null where we do nothing.
static BEFORE: [AtomicPtr<libc::sigaction>; SIGNALS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS];

/// Signals that end the process because it did wrong.
pub(crate) const CRASHES: &[libc::c_int] = &[
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGTRAP,
];

/// Signals with which somebody ends the process.
pub(crate) const ENDS: &[libc::c_int] = &[
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGXCPU,
];

/// The other ends of the pipes, for the thread.
#[derive(Debug)]
pub(crate) struct Pipes {
    wake: libc::c_int,
    done: libc::c_int,
}

impl Pipes {
    /// Makes the pipes. MUST be called once.
    pub(crate) fn new() -> io::Result<Self> {
        let wake = pipe()?;
        let done = pipe()?;
        DONE.store(done[0], Ordering::Release);
        WAKE.store(wake[1], Ordering::Release);
        Ok(Self {
            wake: wake[0],
            done: done[1],
        })
    }

    /// Waits for a signal that is caught.
    pub(crate) fn wait(&self) -> io::Result<libc::c_int> {
        let mut signal = 0u8;
        loop {
            // SAFETY: the descriptor is ours and never closed; one byte fits.
            let n = unsafe { libc::read(self.wake, (&raw mut signal).cast(), 1) };
            match n {
                1 => return Ok(signal.into()),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Lets the handler go on that waits for the end of what had to be done.
    pub(crate) fn release(&self) {
        // SAFETY: as in `wait`. If it fails, the handler's patience ends sooner or later.
        unsafe { libc::write(self.done, [1u8].as_ptr().cast(), 1) };
    }
}

fn pipe() -> io::Result<[libc::c_int; 2]> {
    let mut ends = [-1; 2];
    // SAFETY: there is room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(ends)
}

/// Catches a fatal signal; what was done at it before is done afterwards. Where the signal is ignored,
/// or (unless it is one of [`CRASHES`]) somebody else handles it, it is left alone.
pub(crate) fn catch_fatal(signal: libc::c_int) {
    let is_crash = CRASHES.contains(&signal);
    install(signal, on_fatal, |before| {
        before == libc::SIG_DFL || (is_crash && before != libc::SIG_IGN)
    });
}

/// Has the thread woken at a signal, which is then over. Whether that could be.
pub(crate) fn catch_request(signal: libc::c_int) -> bool {
    if CRASHES.contains(&signal) || ENDS.contains(&signal) {
        return false;
    }
    install(signal, on_request, |before| before == libc::SIG_DFL)
}

type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

fn install(
    signal: libc::c_int,
    handler: Handler,
    over: impl Fn(libc::sighandler_t) -> bool,
) -> bool {
    let Some(place) = usize::try_from(signal).ok().and_then(|s| BEFORE.get(s)) else {
        return false;
    };
    if !place.load(Ordering::Acquire).is_null() {
        return true;
    }
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asking for the action writes one; zeros are one, too (the default, without flags), so it
    // is initialized whatever the call does.
    let before = unsafe {
        if libc::sigaction(signal, ptr::null(), before.as_mut_ptr()) != 0 {
            return false;
        }
        before.assume_init()
    };
    if !over(before.sa_sigaction) {
        return false;
    }
    // Never freed: a handler may look at it at any time.
    place.store(Box::into_raw(Box::new(before)), Ordering::Release);
    // SAFETY: zeros are an action without flags and with an empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler as *const () as libc::sighandler_t;
    // On the stack that the standard library has for it: the thread's own may be what overflowed.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler has the signature that SA_SIGINFO asks for, and does what handlers may do.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
        place.store(ptr::null_mut(), Ordering::Release);
        return false;
    }
    true
}

/// Wakes the thread. Async-signal-safe.
fn wake(signal: libc::c_int) -> bool {
    let number = [signal as u8];
    // SAFETY: one byte is there to be read; `write` is async-signal-safe. A descriptor of -1 is an
    // error and no more.
    unsafe { libc::write(WAKE.load(Ordering::Acquire), number.as_ptr().cast(), 1) == 1 }
}

extern "C" fn on_request(signal: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let saved = errno();
    wake(signal);
    set_errno(saved);
}

extern "C" fn on_fatal(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let saved = errno();
    // 1. Have the trace brought to its end. A forked child has not the thread that could.
    if !super::is_foreign() {
        // SAFETY: the call takes nothing, cannot fail, and is async-signal-safe.
        let this = unsafe { libc::gettid() };
        match FATAL.compare_exchange(0, this, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                if wake(signal) {
                    wait_until_done();
                }
            }
            // What was done at the first signal before us ends the process with another.
            Err(first) if first == this => {}
            // Somebody else is ending the process. Should that fail, this thread goes on.
            Err(_) => sleep(),
        }
    }
    // 2. Have done what would have been done without us: put it back, and let the signal come again.
    if let Some(place) = usize::try_from(signal).ok().and_then(|s| BEFORE.get(s)) {
        let before = place.load(Ordering::Acquire);
        if !before.is_null() {
            // SAFETY: an action that is never freed; `sigaction` is async-signal-safe.
            unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
        }
    }
    // SAFETY: the system gives a handler with SA_SIGINFO a valid one.
    let is_fault = !info.is_null() && unsafe { (*info).si_code } > 0 && signal != libc::SIGABRT;
    if !is_fault || !CRASHES.contains(&signal) {
        // It was sent: it comes again when this handler has returned. A fault comes again by itself,
        // with where it was, which whoever handles it may want to know.
        // SAFETY: `raise` is async-signal-safe.
        unsafe { libc::raise(signal) };
    }
    set_errno(saved);
}

fn wait_until_done() {
    let mut descriptor = libc::pollfd {
        fd: DONE.load(Ordering::Acquire),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one descriptor is there; `poll` is async-signal-safe.
    unsafe { libc::poll(&raw mut descriptor, 1, PATIENCE_MS) };
}

fn sleep() {
    // SAFETY: no descriptor is looked at; `poll` is async-signal-safe.
    unsafe { libc::poll(ptr::null_mut(), 0, PATIENCE_MS) };
}

fn errno() -> libc::c_int {
    // SAFETY: the place of the thread's own error number.
    unsafe { *libc::__errno_location() }
}

fn set_errno(number: libc::c_int) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = number };
}

/// Has `last` called when the process exits; whether it will be.
pub(crate) fn at_exit(last: extern "C" fn()) -> bool {
    // SAFETY: the function stays where it is.
    unsafe { libc::atexit(last) == 0 }
}
