//! What a sink can do wrong.

use std::{fmt, io, path::PathBuf, time::Duration};

use super::Written;
use crate::generation::LossCause;

/// Why a trace is not all there, and how much of it is.
#[derive(Debug)]
#[non_exhaustive]
pub struct SinkError {
    /// The first thing that went wrong.
    pub kind: SinkErrorKind,
    /// What the sink has, and what was lost.
    pub written: Written,
}

/// What went wrong with a sink.
#[derive(Debug)]
#[non_exhaustive]
pub enum SinkErrorKind {
    /// The file could not be created or opened.
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The sink's thread could not be started.
    Spawn(io::Error),
    /// The sink refused.
    Write(io::Error),
    /// The sink panicked, with this message.
    Panicked(String),
    /// The sink was too slow for the memory that waiting generations may have.
    TooSlow {
        /// Bytes that may wait.
        max_memory: usize,
    },
    /// A generation could not be finished by the tracer itself.
    Untraced(LossCause),
    /// The sink was still writing when the patience of the trace's end was over.
    Stuck(Duration),
    /// The process is a child that was forked while its parent recorded the trace; the trace is the
    /// parent's.
    Forked,
    /// A generation was malformed. That is a mistake of this library.
    Malformed(exectrace_mend::MendError),
}

impl fmt::Display for SinkErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, error } => write!(
                f,
                "cannot create {}: {error}; name a file in a folder that can be written to",
                path.display()
            ),
            Self::Spawn(error) => write!(f, "cannot start the sink's thread: {error}"),
            Self::Write(error) if error.kind() == io::ErrorKind::StorageFull => {
                write!(f, "{error}; free some space or name a file on another disk")
            }
            Self::Write(error) => write!(f, "the sink failed: {error}"),
            Self::Panicked(message) => write!(f, "the sink panicked: {message}"),
            Self::TooSlow { max_memory } => write!(
                f,
                "the sink was too slow for the {max_memory} bytes that may wait for it; raise \
                 `max_memory`, use a faster sink, or record less"
            ),
            Self::Untraced(LossCause::OutOfMemory) => f.write_str(
                "there was no memory for a whole generation; allow more, or record less",
            ),
            Self::Stuck(patience) => write!(
                f,
                "the sink was still writing after {patience:?}; raise `patience`, or see what \
                 keeps it"
            ),
            Self::Forked => f.write_str(
                "the trace belongs to the process that this one was forked from; start another \
                 one here",
            ),
            Self::Malformed(error) => write!(f, "a malformed generation, please report: {error}"),
        }
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Written {
            generations,
            lost_generations,
            lost_events,
            ..
        } = self.written;
        write!(
            f,
            "the trace has {generations} generations and lost {lost_generations}, with \
             {lost_events} events: {}",
            self.kind
        )
    }
}

impl std::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            SinkErrorKind::Open { error, .. }
            | SinkErrorKind::Spawn(error)
            | SinkErrorKind::Write(error) => Some(error),
            SinkErrorKind::Malformed(error) => Some(error),
            _ => None,
        }
    }
}
