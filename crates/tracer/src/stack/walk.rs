//! The walk along the frame pointers.
//!
//! With frame pointers (`-C force-frame-pointers=yes`) each function begins by saving its caller's frame
//! pointer next to its return address and pointing the frame pointer register there. The stack is then a
//! linked list, and reading it takes about a nanosecond a frame.
//!
//! Nothing says whether the list is one: any function may use the register for something else. So no
//! address is followed that is not on the thread's own stack, aligned, and above the one before.
//! Whatever memory holds, the walk ends and does not fault; at worst a frame is wrong.
#![allow(unsafe_code, reason = "reads the stack that it is on")]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU8, Ordering};

use exectrace_wire::limits::MAX_STACK_FRAMES;

use super::bounds;

/// Addresses below belong to no code: the first page is never mapped.
const MIN_PC: usize = 4096;

/// A place in the running program, from which a walk begins: three registers.
#[derive(Clone, Copy, Debug)]
pub struct Here {
    /// An address in the function, directly after an instruction of it, as return addresses are.
    pc: usize,
    /// The frame pointer register.
    fp: usize,
    /// The stack pointer register.
    sp: usize,
    /// MUST NOT leave the thread: what was a stack pointer there may be in a guard page here.
    thread: PhantomData<*const ()>,
}

impl Here {
    /// The place of the call.
    ///
    /// Always inlined. A function that calls it and is itself always inlined into its caller gives the
    /// caller's place, so that the stack begins where the user's code is.
    #[inline(always)]
    #[must_use]
    pub fn now() -> Self {
        let (pc, fp, sp): (usize, usize, usize);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: copies three registers; touches neither memory nor flags.
        unsafe {
            core::arch::asm!("lea {}, [rip]", "mov {}, rbp", "mov {}, rsp",
                out(reg) pc, out(reg) fp, out(reg) sp, options(nomem, nostack, preserves_flags));
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        unsafe {
            core::arch::asm!("adr {}, . + 4", "mov {}, x29", "mov {}, sp",
                out(reg) pc, out(reg) fp, out(reg) sp, options(nomem, nostack, preserves_flags));
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            (pc, fp, sp) = (0, 0, 0);
        }
        Self {
            pc,
            fp,
            sp,
            thread: PhantomData,
        }
    }
}

/// A captured stack: addresses, leaf first, and their hash.
///
/// Each address is a return address: it comes directly after the instruction that the frame is at.
pub struct Captured {
    length: usize,
    hash: u64,
    addresses: [MaybeUninit<usize>; MAX_STACK_FRAMES],
}

impl Captured {
    /// An empty stack. Costs nothing: the addresses are not initialized.
    #[inline(always)]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            length: 0,
            hash: 0,
            addresses: [MaybeUninit::uninit(); MAX_STACK_FRAMES],
        }
    }

    /// A copy of addresses that came from elsewhere; of more than [`MAX_STACK_FRAMES`] the first.
    #[must_use]
    pub fn from_addresses(addresses: &[usize]) -> Self {
        let mut stack = Self::new();
        for &address in addresses.iter().take(MAX_STACK_FRAMES) {
            stack.push(address);
        }
        stack
    }

    /// The addresses, leaf first.
    #[inline]
    #[must_use]
    pub fn addresses(&self) -> &[usize] {
        // SAFETY: the first `length` elements are initialized: only `push` changes `length`, and it
        // writes the element first.
        unsafe { std::slice::from_raw_parts(self.addresses.as_ptr().cast(), self.length) }
    }

    /// A hash of the addresses. Equal stacks have equal ones.
    #[inline]
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn set_hash(&mut self, hash: u64) {
        self.hash = hash;
    }

    /// Appends an address. MUST NOT be called when the stack is full (it panics).
    #[inline(always)]
    fn push(&mut self, address: usize) {
        self.addresses[self.length].write(address);
        self.hash = hash_step(self.hash, address);
        self.length += 1;
    }
}

impl Default for Captured {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.addresses()).finish()
    }
}

/// One step of the hash: a polynomial, like that of `rustc-hash`, so that a step takes no longer than
/// fetching the next frame does. The low bits are weak; the table mixes what comes out.
#[inline(always)]
pub(super) const fn hash_step(hash: u64, address: usize) -> u64 {
    hash.wrapping_add(address as u64)
        .wrapping_mul(0xf135_7aea_2e62_a9c5)
}

/// Captures the stack at a place, at most [`MAX_STACK_FRAMES`] frames.
///
/// Takes no lock, allocates nothing, and may be called from a signal handler. On a stack that the
/// thread has not announced (see [`bounds`]) there is one frame, `here`.
///
/// [`Method::UnwindTables`] keeps none of these promises.
#[inline]
pub fn capture(here: Here, stack: &mut Captured) {
    stack.length = 0;
    stack.hash = 0;
    const FRAME_POINTERS: u8 = Method::FramePointers as u8;
    const UNWIND_TABLES: u8 = Method::UnwindTables as u8;
    match METHOD.load(Ordering::Relaxed) {
        FRAME_POINTERS => follow(here, stack),
        UNWIND_TABLES => unwind::capture(here, stack),
        // A walk would find frames here and there, and leave out what is between them.
        _ => leaf(here, stack),
    }
}

/// Where we are is always known.
#[inline(always)]
fn leaf(here: Here, stack: &mut Captured) {
    if here.pc >= MIN_PC {
        stack.push(here.pc);
    }
}

/// The walk. A window begins at the lowest address that may still be a frame and ends with the stack.
#[inline(always)]
fn follow(here: Here, stack: &mut Captured) {
    /// A saved frame pointer and a return address.
    const FRAME: usize = 2 * size_of::<usize>();

    // 1. The leaf.
    leaf(here, stack);

    // 2. Is this a stack that we know, and how far up does it go?
    let range = bounds::current();
    if !range.contains(here.sp) {
        return;
    }
    let Some(last) = range.high().checked_sub(FRAME) else {
        return;
    };

    let (mut lowest, mut frame) = (here.sp, here.fp);
    while stack.length < MAX_STACK_FRAMES {
        // 3. Frames lie above one another, inside the stack.
        if frame < lowest || frame > last || !frame.is_multiple_of(align_of::<usize>()) {
            return;
        }
        // SAFETY: here.sp <= lowest <= frame <= high - FRAME, and the memory from the stack pointer
        // to the end of the stack is mapped and readable: `here.sp` was this thread's stack pointer,
        // and is on the stack that it runs on. `frame` is aligned.
        let (next, pc) = unsafe { (load(frame), load(frame + size_of::<usize>())) };
        // 4. A frame without code: the outermost, or none at all.
        let pc = strip(pc);
        if pc < MIN_PC {
            return;
        }
        stack.push(pc);
        lowest = frame + FRAME;
        frame = next;
    }
}

/// Reads a word of the stack. In assembly, as the compiler must not know: the word may belong to any
/// variable of any function up the stack, or to none.
///
/// # Safety
///
/// `address` MUST be aligned, and readable.
#[inline(always)]
unsafe fn load(address: usize) -> usize {
    let word: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads 8 bytes at an address that the caller vouches for.
    unsafe {
        core::arch::asm!("mov {}, qword ptr [{}]", out(reg) word, in(reg) address,
            options(readonly, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        core::arch::asm!("ldr {}, [{}]", out(reg) word, in(reg) address,
            options(readonly, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = address;
        word = 0;
    }
    word
}

/// A return address without the signature that AArch64 may have put into its upper bits.
#[inline(always)]
const fn strip(pc: usize) -> usize {
    if cfg!(target_arch = "aarch64") {
        pc & 0x0000_ffff_ffff_ffff
    } else {
        pc
    }
}

/// How stacks are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Method {
    /// Along the frame pointers: full stacks, about a nanosecond a frame.
    FramePointers = 1,
    /// The program was built without frame pointers: stacks are one frame deep (with the calls that were
    /// inlined into it). Also before the method is known.
    LeafOnly = 2,
    /// With the unwind tables that panics use: full stacks without frame pointers, but some 100 ns a
    /// frame, and neither in a signal handler nor free of locks on old systems. Only on request.
    UnwindTables = 3,
}

impl Method {
    /// What a user should know and do about it; `None` if all is well.
    #[must_use]
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::FramePointers => None,
            Self::LeafOnly => Some(
                "the program was built without frame pointers, so its stacks are one frame deep; \
                 for full stacks add to .cargo/config.toml: \
                 [build] rustflags = [\"-C\", \"force-frame-pointers=yes\"]",
            ),
            Self::UnwindTables => Some(
                "stacks are taken with unwind tables, at about 100 ns a frame; with \
                 -C force-frame-pointers=yes they cost about 1 ns a frame",
            ),
        }
    }
}

/// The method in use as a number; 0 before it is known.
static METHOD: AtomicU8 = AtomicU8::new(0);

/// How stacks are captured. The first call finds out.
pub fn method() -> Method {
    match METHOD.load(Ordering::Relaxed) {
        1 => Method::FramePointers,
        2 => Method::LeafOnly,
        3 => Method::UnwindTables,
        _ => {
            bounds::find();
            let method = if has_frame_pointers() {
                Method::FramePointers
            } else {
                Method::LeafOnly
            };
            METHOD.store(method as u8, Ordering::Relaxed);
            method
        }
    }
}

/// Uses unwind tables from now on, or no longer. Returns the method that is then in use: unwind tables
/// are there on unix systems only.
pub fn use_unwind_tables(wanted: bool) -> Method {
    if wanted && unwind::AVAILABLE {
        METHOD.store(Method::UnwindTables as u8, Ordering::Relaxed);
    } else if method() == Method::UnwindTables {
        METHOD.store(0, Ordering::Relaxed);
    }
    method()
}

/// Whether this crate was built with frame pointers: the flag is one for all crates of a build, the
/// standard library excepted. With them a stack gets deeper by exactly the calls that are made;
/// without, calls leave the register alone and the walk finds the same frames, or none.
fn has_frame_pointers() -> bool {
    const CALLS: usize = 5;

    #[inline(never)]
    fn depth(calls: usize) -> usize {
        let deeper = if std::hint::black_box(calls) > 0 {
            depth(calls - 1)
        } else {
            let mut stack = Captured::new();
            follow(Here::now(), &mut stack);
            stack.addresses().len()
        };
        // The call above MUST NOT become a jump, otherwise no frame is added.
        std::hint::black_box(deeper)
    }

    depth(CALLS) == depth(0) + CALLS
}

/// The unwinder of the C runtime, which the standard library uses for panics and so brings along.
#[cfg(unix)]
mod unwind {
    use std::ffi::{c_int, c_void};

    use super::{Captured, Here, MIN_PC};

    pub(super) const AVAILABLE: bool = true;

    /// More frames are left out: at 100 ns each a stack of 128 would take 13 us.
    const MAX_FRAMES: usize = 64;

    type Callback = extern "C" fn(*mut c_void, *mut c_void) -> c_int;

    // Level II, section 1 of the Itanium C++ ABI for exception handling, and its extensions that
    // every unwinder has.
    unsafe extern "C" {
        fn _Unwind_Backtrace(callback: Callback, argument: *mut c_void) -> c_int;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
        fn _Unwind_GetCFA(context: *mut c_void) -> usize;
    }

    const NO_REASON: c_int = 0;
    const END_OF_STACK: c_int = 5;

    struct Walk<'a> {
        here: Here,
        stack: &'a mut Captured,
    }

    #[cold]
    pub(super) fn capture(here: Here, stack: &mut Captured) {
        super::leaf(here, stack);
        let mut walk = Walk { here, stack };
        // SAFETY: the callback has the signature that the ABI demands, does not unwind, and gets the
        // argument back, a `Walk` that lives until the call returns and that nobody else uses.
        unsafe { _Unwind_Backtrace(frame, (&raw mut walk).cast()) };
    }

    extern "C" fn frame(context: *mut c_void, argument: *mut c_void) -> c_int {
        // SAFETY: `argument` is what `capture` passed, and the only reference to it at the time.
        let walk = unsafe { &mut *argument.cast::<Walk<'_>>() };
        // SAFETY: `context` is the unwinder's and valid during this call; both functions only read.
        let (pc, sp) = unsafe { (_Unwind_GetIP(context), _Unwind_GetCFA(context)) };
        // Frames whose stack pointer is not above that of the place are inside it, or are its own.
        if sp <= walk.here.sp {
            return NO_REASON;
        }
        if pc < MIN_PC || walk.stack.length >= MAX_FRAMES {
            return END_OF_STACK;
        }
        walk.stack.push(pc);
        NO_REASON
    }
}

#[cfg(not(unix))]
mod unwind {
    pub(super) const AVAILABLE: bool = false;

    pub(super) fn capture(here: super::Here, stack: &mut super::Captured) {
        super::follow(here, stack);
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
