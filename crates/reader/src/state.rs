//! The states that resources can be in.

use core::fmt;

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// All states, in the order of Go's numbering.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name that Go's tools print.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

states!(
    /// The state of a goroutine (Go: `trace.GoState`).
    GoState {
        /// Not known: the state before a resource is first mentioned.
        Undetermined,
        /// Not created yet, or gone.
        NotExist,
        /// Ready to run, waiting for a proc.
        Runnable,
        /// Running on a thread.
        Running,
        /// Blocked.
        Waiting,
        /// In a system call or in C code.
        Syscall,
    }
);
states!(
    /// The state of a proc (Go: `trace.ProcState`).
    ProcState {
        /// Not known: the state before a resource is first mentioned.
        Undetermined,
        /// Not created yet.
        NotExist,
        /// Held by a thread.
        Running,
        /// Held by nobody, or free to be stolen from a thread that is gone.
        Idle,
    }
);

impl GoState {
    /// Whether a goroutine in this state occupies a thread.
    #[must_use]
    pub const fn is_executing(self) -> bool {
        matches!(self, Self::Running | Self::Syscall)
    }
}

impl ProcState {
    /// Whether a proc in this state is held by a thread.
    #[must_use]
    pub const fn is_executing(self) -> bool {
        matches!(self, Self::Running)
    }
}
