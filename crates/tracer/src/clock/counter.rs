//! The processor's counter of constant rate, where there is one.
#![allow(unsafe_code, reason = "instructions that read a counter")]

/// The counter. Waits for no other instruction.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn read() -> u64 {
    // SAFETY: every x86-64 has the instruction. Where the kernel forbids it to processes
    // (PR_SET_TSC), libc's own clocks do not work either.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The counter, after every instruction before and before every instruction after.
#[cfg(target_arch = "x86_64")]
pub(super) fn read_ordered() -> u64 {
    use core::arch::x86_64::_mm_lfence;
    // SAFETY: LFENCE is part of SSE2, which x86-64 has.
    unsafe { _mm_lfence() };
    let counter = read();
    // SAFETY: as above.
    unsafe { _mm_lfence() };
    counter
}

/// Whether the counter has one rate in all states of the processor, on all cores.
///
/// The processor promises the first (CPUID 8000_0007, EDX bit 8; AMD and Intel). Only the kernel
/// knows the second: it compares the cores, and takes another clock source if they differ.
#[cfg(target_arch = "x86_64")]
pub(super) fn is_trustworthy() -> bool {
    use core::arch::x86_64::__cpuid;
    const POWER_MANAGEMENT: u32 = 0x8000_0007;
    const INVARIANT: u32 = 1 << 8;
    #[allow(unused_unsafe, reason = "unsafe up to Rust 1.88 only")]
    // SAFETY: every x86-64 has CPUID, and the second call is made only if the leaf exists.
    let invariant = unsafe {
        __cpuid(0x8000_0000).eax >= POWER_MANAGEMENT
            && __cpuid(POWER_MANAGEMENT).edx & INVARIANT != 0
    };
    invariant && kernel_trusts(&["tsc", "kvm-clock", "hyperv_clocksource_tsc_page"])
}

/// The counter. Waits for no other instruction.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) fn read() -> u64 {
    let counter: u64;
    // SAFETY: reads a register that Linux, macOS and Windows let processes read; touches no memory.
    unsafe {
        core::arch::asm!("mrs {}, cntvct_el0", out(reg) counter,
            options(nomem, nostack, preserves_flags));
    }
    counter
}

/// The counter, after every instruction before and before every instruction after.
#[cfg(target_arch = "aarch64")]
pub(super) fn read_ordered() -> u64 {
    let counter: u64;
    // SAFETY: as in `read`, between two instruction barriers.
    unsafe {
        core::arch::asm!("isb", "mrs {}, cntvct_el0", "isb", out(reg) counter,
            options(nomem, nostack, preserves_flags));
    }
    counter
}

/// Whether the counter has one rate on all cores: the architecture promises it, and kernels that run
/// on processors with errata take another clock source.
#[cfg(target_arch = "aarch64")]
pub(super) fn is_trustworthy() -> bool {
    kernel_trusts(&["arch_sys_counter"])
}

/// No counter is known for this architecture: the OS's clock in its place.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline]
pub(super) fn read() -> u64 {
    super::os::monotonic_ns()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn read_ordered() -> u64 {
    read()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn is_trustworthy() -> bool {
    false
}

/// Whether the kernel's own clock is one that reads the counter. If it does not say (another system
/// than Linux, a container without sysfs), what the processor promises must do.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn kernel_trusts(sources: &[&str]) -> bool {
    const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    std::fs::read_to_string(CURRENT).map_or(true, |name| sources.contains(&name.trim()))
}
