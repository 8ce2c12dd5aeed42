//! Indices into the tables of a store.

macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u32);

        impl $name {
            /// The index as a number, from 0.
            #[inline]
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// From an index that is known to be one of a table's.
            #[inline]
            #[allow(dead_code, reason = "not every table is walked by index")]
            pub(crate) const fn new(index: usize) -> Self {
                Self(index as u32)
            }

            /// As one number: 0 for none.
            #[inline]
            #[allow(dead_code, reason = "not every index is optional somewhere")]
            pub(crate) const fn pack(index: Option<Self>) -> u32 {
                match index {
                    Some(index) => index.0 + 1,
                    None => 0,
                }
            }

            /// The inverse of [`Self::pack`].
            #[inline]
            #[allow(dead_code, reason = "as pack")]
            pub(crate) const fn unpack(packed: u32) -> Option<Self> {
                match packed {
                    0 => None,
                    packed => Some(Self(packed - 1)),
                }
            }
        }
    )*};
}

indices! {
    /// A goroutine's life. A goroutine's id may have several, since C code that calls Go uses ids
    /// again.
    GoroutineIx;
    /// A proc.
    ProcIx;
    /// A thread.
    ThreadIx;
    /// A string. The same text has the same index throughout a trace.
    StringIx;
    /// A frame of stacks.
    FrameIx;
    /// A stack. The same frames have the same index throughout a trace.
    StackIx;
    /// A user task.
    TaskIx;
    /// A user region.
    RegionIx;
    /// A range.
    RangeIx;
    /// The start of an interval of a goroutine's state.
    RowIx;
    /// A thread together with the proc that it held.
    PlaceIx;
}

/// The most entries that a table may have: indices are 31 bits wide, so that one bit is left to tell
/// two tables apart.
pub(crate) const MAX_ENTRIES: usize = (1 << 31) - 2;
