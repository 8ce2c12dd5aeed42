//! What the version of the format that is written could not express.

/// What is lost or made up, counted. All zero if the trace that was written says what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Losses {
    /// Clock snapshots, before 1.25: the trace has no wall clock times any more.
    pub clocks: u64,
    /// Clock snapshots that are made up, from 1.25: the trace had none, and wall clock times count
    /// from 1970 as the trace clock counts from its zero.
    pub made_up_clocks: u64,
    /// Events of experiments, before 1.23.
    pub experimental_events: u64,
    /// Batches of experiments, before 1.23.
    pub experimental_batches: u64,
    /// Stacks of goroutines' statuses, before 1.23.
    pub status_stacks: u64,
    /// Coroutines that are created blocked, before 1.23: they are created runnable.
    pub blocked_creations: u64,
    /// Unblocks of such coroutines, and statuses that say that they wait: there they are runnable
    /// already.
    pub early_runnable: u64,
}

impl Losses {
    /// Each that is not zero: its number and what it counts, in the singular and the plural.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &'static str, &'static str)> {
        [
            (
                self.clocks,
                "clock snapshot is lost",
                "clock snapshots are lost: no wall clock times",
            ),
            (
                self.made_up_clocks,
                "clock snapshot is made up: wall clock times count from 1970",
                "clock snapshots are made up: wall clock times count from 1970",
            ),
            (
                self.experimental_events,
                "event of an experiment is lost",
                "events of experiments are lost",
            ),
            (
                self.experimental_batches,
                "batch of an experiment is lost",
                "batches of experiments are lost",
            ),
            (
                self.status_stacks,
                "stack of a goroutine's status is lost",
                "stacks of goroutines' statuses are lost",
            ),
            (
                self.blocked_creations,
                "coroutine is created runnable instead of blocked",
                "coroutines are created runnable instead of blocked",
            ),
            (
                self.early_runnable,
                "unblock or status of such a coroutine is lost or says runnable",
                "unblocks or statuses of such coroutines are lost or say runnable",
            ),
        ]
        .into_iter()
        .filter(|(n, ..)| *n > 0)
    }
}
