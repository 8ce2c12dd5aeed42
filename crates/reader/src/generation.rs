//! A generation: what was read of it, as plain data.

use std::sync::Arc;

use exectrace_wire::{Generation, ThreadId};

use crate::{tables::Tables, time::ClockSnapshot};

/// What the events of a generation refer to. Plain data: no cursor, no parse state.
#[derive(Debug)]
pub(crate) struct GenerationData {
    pub(crate) number: Generation,
    /// Clock units per second.
    pub(crate) frequency: u64,
    pub(crate) clock: Option<ClockSnapshot>,
    pub(crate) tables: Arc<Tables>,
    /// Bytes of the generation's batches, headers included.
    pub(crate) bytes: u64,
    /// Threads with a batch of events.
    pub(crate) threads: usize,
    /// In file order.
    pub(crate) experimental: Vec<ExperimentalData>,
}

/// A batch of an experiment.
#[derive(Debug)]
pub(crate) struct ExperimentalData {
    pub(crate) experiment: u8,
    pub(crate) thread: Option<ThreadId>,
    pub(crate) data: Vec<u8>,
}
