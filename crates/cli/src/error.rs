//! What can go wrong, and the exit status that says so.

use core::fmt;
use std::{io, process::ExitCode};

use exectrace_reader::ErrorKind;

/// How a command ended that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// All is well.
    Fine,
    /// A trace is damaged or invalid, and the command has said so.
    Findings,
    /// A part of the work could not be done, and the command has said so.
    Trouble,
}

impl Outcome {
    pub(crate) fn with_findings(found: bool) -> Self {
        if found { Self::Findings } else { Self::Fine }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Fine => Self::SUCCESS,
            Outcome::Findings => Self::from(TRACE_AT_FAULT),
            Outcome::Trouble => Self::from(COMMAND_AT_FAULT),
        }
    }
}

const TRACE_AT_FAULT: u8 = 1;
const COMMAND_AT_FAULT: u8 = 2;

/// Why a command could not do its work, or had to stop.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments make no sense together.
    Usage(String),
    /// A source cannot be opened.
    Open {
        /// The source.
        name: String,
        /// Why, as a phrase.
        reason: String,
    },
    /// A trace cannot be read to its end.
    Trace {
        /// The source.
        name: String,
        /// Why.
        error: exectrace_reader::Error,
    },
    /// Bytes are not what they should be, found by something else than the reader.
    Malformed {
        /// The source.
        name: String,
        /// Why, as a phrase.
        reason: String,
    },
    /// Results cannot be written.
    Output {
        /// The file, or `standard output`.
        name: String,
        /// Why.
        error: io::Error,
    },
}

impl Failure {
    pub(crate) fn open(name: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Open {
            name: name.to_string(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn output(name: impl fmt::Display, error: io::Error) -> Self {
        Self::Output {
            name: name.to_string(),
            error,
        }
    }

    pub(crate) fn trace(name: impl fmt::Display, error: exectrace_reader::Error) -> Self {
        Self::Trace {
            name: name.to_string(),
            error,
        }
    }

    /// A source that broke while it was read.
    pub(crate) fn read(name: impl fmt::Display, error: io::Error) -> Self {
        let name = name.to_string();
        let reason = io_reason(&error);
        if is_corrupt(&error) {
            Self::Malformed { name, reason }
        } else {
            Self::Open { name, reason }
        }
    }

    /// Whether the reader of our output went away, which is its right.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether the trace is at fault, rather than the way to it or the command.
    pub(crate) fn is_about_the_trace(&self) -> bool {
        match self {
            Self::Trace { error, .. } => !is_trouble_on_the_way(error),
            Self::Malformed { .. } => true,
            _ => false,
        }
    }

    /// Why, without the name of what it happened to.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Usage(reason) | Self::Open { reason, .. } | Self::Malformed { reason, .. } => {
                reason.clone()
            }
            Self::Trace { error, .. } => error.to_string(),
            Self::Output { error, .. } => io_reason(error),
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        if failure.is_about_the_trace() {
            Self::Findings
        } else {
            Self::Trouble
        }
    }
}

/// Whether the bytes could not be had, as opposed to being wrong.
pub(crate) fn is_trouble_on_the_way(error: &exectrace_reader::Error) -> bool {
    match error.kind() {
        ErrorKind::Io(error) => !is_corrupt(error),
        _ => false,
    }
}

/// An error's text without its number, which says nothing to people.
pub(crate) fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

fn is_corrupt(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Corrupt>())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(_) => {}
            Self::Open { name, .. } | Self::Malformed { name, .. } | Self::Trace { name, .. } => {
                write!(f, "{name}: ")?;
            }
            Self::Output { name, .. } => write!(f, "cannot write {name}: ")?,
        }
        f.write_str(&self.reason())
    }
}

/// Compressed data that does not decompress: the trace is at fault, not the way to it.
///
/// Travels inside an [`io::Error`] through whatever reads.
#[derive(Debug)]
pub(crate) struct Corrupt(pub(crate) String);

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Corrupt {}
