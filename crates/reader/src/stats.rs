//! What was read.

/// What a reader has read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes of the trace, read ahead or not.
    pub bytes: u64,
    /// Delivered events, syncs and CPU samples included.
    pub events: u64,
    /// Generations begun.
    pub generations: u64,
    /// Events whose time was raised, since it was not later than that of the event before.
    pub raised_times: u64,
}
