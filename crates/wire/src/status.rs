//! The two enumerations that arguments of status events take.

macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $(#[doc = $vdoc:literal] $variant:ident = $value:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $(#[doc = $vdoc] $variant = $value),* }

        impl $name {
            /// Every value of the enumeration, in wire order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The status behind a wire value, or `None` if there is none.
            #[inline]
            #[must_use]
            pub const fn from_wire(value: u64) -> Option<Self> {
                match value {
                    $($value => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// What the status means.
            pub(crate) const fn doc(self) -> &'static str {
                match self {
                    $(Self::$variant => $vdoc,)*
                }
            }

            /// The wire value of the status.
            #[inline]
            #[must_use]
            pub const fn to_wire(self) -> u64 {
                self as u64
            }
        }
    };
}

status!(
    /// What a goroutine does, in GoStatus and GoStatusStack (Go: `tracev2.GoStatus`).
    GoStatus {
        /// Undetermined. Never written on purpose, but readers accept it.
        Bad = 0,
        /// Ready to run, waiting for a proc.
        Runnable = 1,
        /// Running on a thread.
        Running = 2,
        /// In a system call or in C code.
        Syscall = 3,
        /// Blocked.
        Waiting = 4,
    }
);
status!(
    /// What a proc does, in ProcStatus (Go: `tracev2.ProcStatus`).
    ProcStatus {
        /// Undetermined. Never written on purpose, but readers accept it.
        Bad = 0,
        /// Held by a thread that runs goroutines.
        Running = 1,
        /// Held by nobody.
        Idle = 2,
        /// Held by a thread in a system call, and free to be stolen.
        Syscall = 3,
        /// As `Syscall`, but the thread that held it is gone or unknown.
        SyscallAbandoned = 4,
    }
);
