//! Newtypes for the ids and units of the format.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<u64> for $name {
            fn from(value: u64) -> Self {
                Self(value)
            }
        }
    };
}

macro_rules! optional_id {
    ($(#[$doc:meta])* $name:ident, $none:expr) => {
        id!($(#[$doc])* $name);

        impl $name {
            /// How the wire spells "none" where this id is optional.
            pub const WIRE_NONE: u64 = $none;

            /// The id behind a wire value, or `None` for the wire's "none".
            #[inline]
            #[must_use]
            pub const fn from_wire(value: u64) -> Option<Self> {
                if value == Self::WIRE_NONE { None } else { Some(Self(value)) }
            }

            /// The wire value of an optional id.
            #[inline]
            #[must_use]
            pub const fn to_wire(id: Option<Self>) -> u64 {
                match id {
                    Some(id) => id.0,
                    None => Self::WIRE_NONE,
                }
            }
        }
    };
}

optional_id!(
    /// An operating-system thread (Go's M).
    ThreadId,
    u64::MAX
);
optional_id!(
    /// A proc (Go's P): the right to run goroutines.
    ProcId,
    u64::MAX
);
optional_id!(
    /// A goroutine. Never 0: the wire uses 0 for "none" in CPU samples.
    GoroutineId,
    0
);
optional_id!(
    /// A stack of one generation. 0 on the wire is "no stack".
    StackId,
    0
);
id!(
    /// A string of one generation. 0 is the empty string and is never defined.
    StringId
);
id!(
    /// A user task. 0 is the background task, `u64::MAX` is "no task".
    TaskId
);
id!(
    /// The number of a generation. Never 0.
    Generation
);
id!(
    /// A time or a time difference in clock units of the trace (see the Frequency record).
    Ticks
);

impl TaskId {
    /// The task of regions and logs outside any task (Go: `trace.BackgroundTask`).
    pub const BACKGROUND: Self = Self(0);
    /// A task's parent when it has none (Go: `trace.NoTask`).
    pub const NONE: Self = Self(u64::MAX);
}
