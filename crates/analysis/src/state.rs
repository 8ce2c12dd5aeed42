//! The states of goroutines, as the store tells them apart.

use core::fmt;

use exectrace_reader::GoState;

/// What a goroutine does for a while.
///
/// These are the states of the reader, except that a system call is split where its goroutine loses
/// its proc: up to then it would go on at once, from then on it has to wait for a proc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Running on a thread.
    Running,
    /// Ready to run, waiting for a proc.
    Runnable,
    /// Blocked.
    Waiting,
    /// In a system call or in C code, with its proc.
    Syscall,
    /// In a system call or in C code, its proc gone.
    SyscallWithoutProc,
    /// Not known: what could tell was lost.
    Unknown,
}

impl State {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::Runnable,
        Self::Waiting,
        Self::Syscall,
        Self::SyscallWithoutProc,
        Self::Unknown,
    ];

    /// A name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Runnable => "runnable",
            Self::Waiting => "waiting",
            Self::Syscall => "syscall",
            Self::SyscallWithoutProc => "syscall without proc",
            Self::Unknown => "unknown",
        }
    }

    /// The state of the reader that it is a part of.
    #[must_use]
    pub const fn go_state(self) -> GoState {
        match self {
            Self::Running => GoState::Running,
            Self::Runnable => GoState::Runnable,
            Self::Waiting => GoState::Waiting,
            Self::Syscall | Self::SyscallWithoutProc => GoState::Syscall,
            Self::Unknown => GoState::Undetermined,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
