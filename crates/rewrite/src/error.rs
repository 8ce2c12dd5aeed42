//! What can go wrong.

use core::fmt;
use std::io;

use exectrace_reader::Time;
use exectrace_wire::Version;

/// Why a trace was not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum RewriteError {
    /// The trace that is read is broken or cannot be read.
    Read(exectrace_reader::Error),
    /// What receives the trace failed.
    Write(io::Error),
    /// The version to write is not of the v2 family.
    Target(Version),
    /// The trace that is read is not of the v2 family.
    Source(Version),
    /// A trace without a generation, which there is from 1.26 on only.
    Empty(Version),
    /// An event before the trace clock's zero, which the format cannot express.
    Time(Time),
    /// An event before the first sync that begins a generation, at this time.
    NoGeneration(Time),
}

impl fmt::Display for RewriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Write(error) => error.fmt(f),
            Self::Target(version) => write!(
                f,
                "cannot write a trace of Go {version}: expected 1.22, 1.23, 1.25 or 1.26"
            ),
            Self::Source(version) => write!(
                f,
                "cannot rewrite a trace of Go {version}: expected one of Go 1.22 or later; \
                 `exectrace dump` reads this one"
            ),
            Self::Empty(version) => write!(
                f,
                "the trace has no events, and a trace of Go {version} must have some; 1.26 need not"
            ),
            Self::Time(time) => write!(
                f,
                "the event at {time} ns is before the trace clock's zero; the trace's clock is \
                 broken, and it cannot be rewritten"
            ),
            Self::NoGeneration(time) => write!(
                f,
                "the event at {time} ns belongs to no generation: events must be written from the \
                 first of a trace on, syncs included"
            ),
        }
    }
}

impl std::error::Error for RewriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Write(error) => Some(error),
            _ => None,
        }
    }
}

impl From<exectrace_reader::Error> for RewriteError {
    fn from(error: exectrace_reader::Error) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for RewriteError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}
