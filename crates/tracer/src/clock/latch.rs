//! One mapping that is replaced now and then, and read all the time.
//!
//! There are two places for it. A writer fills the one that is not in use, then says that it is; so
//! readers never wait for a writer, not even one that a signal handler of theirs has interrupted.
//! They start again if the mapping was replaced while they read it. (Linux calls the scheme a
//! sequence counter latch.)

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering, fence};

use exectrace_wire::Ticks;

use super::mapping::Mapping;

/// Set in the sequence when the processor's counter is the mapping's input, not the OS's clock.
const COUNTER: u64 = 1;
/// One replacement.
const STEP: u64 = 2;

/// A [`Mapping`] in use. All of it is in one cache line, which is written about once a second.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Latch {
    /// Counts replacements; the lowest bit of their number says which place is in use.
    sequence: AtomicU64,
    places: [Place; 2],
}

#[derive(Debug)]
struct Place {
    base_raw: AtomicU64,
    base_time: AtomicU64,
    slope: AtomicU64,
}

macro_rules! constructors {
    ($($const:ident)?) => {
        impl Latch {
            /// A mapping of the OS's clock.
            pub(super) $($const)? fn new(mapping: Mapping) -> Self {
                Self {
                    sequence: AtomicU64::new(0),
                    places: [Place::new(mapping), Place::new(mapping)],
                }
            }
        }

        impl Place {
            $($const)? fn new(mapping: Mapping) -> Self {
                Self {
                    base_raw: AtomicU64::new(mapping.base_raw),
                    base_time: AtomicU64::new(mapping.base_time),
                    slope: AtomicU64::new(mapping.slope),
                }
            }
        }
    };
}

#[cfg(not(loom))]
constructors!(const);
#[cfg(loom)]
constructors!();

impl Latch {
    /// The time that the mapping has for what `read` reads; it is told whether to read the counter.
    #[inline]
    pub(super) fn now(&self, read: impl Fn(bool) -> u64) -> Ticks {
        loop {
            let sequence = self.sequence.load(Ordering::Acquire);
            let place = &self.places[(sequence / STEP % 2) as usize];
            let mapping = Mapping {
                base_raw: place.base_raw.load(Ordering::Relaxed),
                base_time: place.base_time.load(Ordering::Relaxed),
                slope: place.slope.load(Ordering::Relaxed),
            };
            let raw = read(sequence & COUNTER != 0);
            // With the fence in `set`: had one of the loads above seen a value of a later
            // replacement, the load below would see that replacement's predecessor announced.
            fence(Ordering::Acquire);
            if self.sequence.load(Ordering::Relaxed) == sequence {
                return Ticks(mapping.at(raw));
            }
        }
    }

    /// Whether the processor's counter is the mapping's input.
    #[inline]
    pub(super) fn is_of_counter(&self) -> bool {
        self.sequence.load(Ordering::Relaxed) & COUNTER != 0
    }

    /// Replaces the mapping. There MUST be one writer at a time, otherwise two fill the same place.
    pub(super) fn set(&self, mapping: Mapping, counter: bool) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        let number = sequence / STEP + 1;
        fence(Ordering::Release);
        let place = &self.places[(number % 2) as usize];
        place.base_raw.store(mapping.base_raw, Ordering::Relaxed);
        place.base_time.store(mapping.base_time, Ordering::Relaxed);
        place.slope.store(mapping.slope, Ordering::Relaxed);
        let next = number * STEP + if counter { COUNTER } else { 0 };
        self.sequence.store(next, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod model {
    use loom::{sync::Arc, thread};

    use super::*;

    /// Readers see whole mappings: here one whose three numbers belong together.
    #[test]
    fn no_mapping_is_torn() {
        loom::model(|| {
            let mapping = |n: u64| Mapping {
                base_raw: n,
                base_time: n << 32,
                slope: 1 << 48,
            };
            let latch = Arc::new(Latch::new(mapping(0)));
            let writer = {
                let latch = Arc::clone(&latch);
                thread::spawn(move || {
                    for n in 1..=2 {
                        latch.set(mapping(n), false);
                    }
                })
            };
            let time = latch.now(|_| 10).0;
            let n = time >> 32;
            assert!(n <= 2);
            assert_eq!(time & 0xffff_ffff, 10 - n);
            writer.join().unwrap();
            assert_eq!(latch.now(|_| 10).0, (2 << 32) + 8);
        });
    }
}
