//! Spans of time, and what is seen of something that may have begun before the trace or go on after
//! it.

use exectrace_reader::Time;

/// A span of time: from its start, included, to its end, excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The start, included.
    pub start: Time,
    /// The end, excluded; not before the start.
    pub end: Time,
}

impl Span {
    /// Its length in nanoseconds.
    #[inline]
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.end.nanos().abs_diff(self.start.nanos())
    }

    /// Whether it has no length.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start.nanos() >= self.end.nanos()
    }

    /// The part that it shares with another; empty, at one of its own ends, if there is none.
    #[inline]
    #[must_use]
    pub fn clip(self, to: Self) -> Self {
        let start = self.start.max(to.start).min(self.end);
        let end = self.end.min(to.end).max(start);
        Self { start, end }
    }

    /// Whether a time lies in it.
    #[inline]
    #[must_use]
    pub fn contains(self, time: Time) -> bool {
        self.start <= time && time < self.end
    }
}

/// What a trace saw of something that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The part within the trace.
    pub span: Span,
    /// Whether it had begun before that part.
    pub open_start: bool,
    /// Whether it went on after that part.
    pub open_end: bool,
}

impl Seen {
    /// When it began; `None` if that was before the trace (or before the part of it that is known,
    /// after damage).
    #[must_use]
    pub fn start(self) -> Option<Time> {
        (!self.open_start).then_some(self.span.start)
    }

    /// When it ended; `None` if it had not when the trace did.
    #[must_use]
    pub fn end(self) -> Option<Time> {
        (!self.open_end).then_some(self.span.end)
    }

    /// Whether both ends are known, so that its length is.
    #[must_use]
    pub fn is_complete(self) -> bool {
        !self.open_start && !self.open_end
    }
}
