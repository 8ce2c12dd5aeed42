//! Reads Go execution traces: bytes to ordered, checked events.
#![forbid(unsafe_code)]

mod clock;
mod dense;
mod error;
mod event;
mod framing;
mod frontier;
mod generation;
mod load;
mod order;
mod pipeline;
mod pool;
mod reader;
mod record;
mod resync;
mod salvage;
mod salvaging;
mod sort;
mod source;
mod state;
mod stats;
mod stream;
mod tables;
mod text;
mod time;

pub use error::{Error, ErrorKind, OrderError, Place, Stalled};
pub use event::{
    Event, EventKind, Experimental, ExperimentalBatch, Frame, Label, Log, Metric, MetricKind,
    Range, RangeEnd, RangeKind, Region, Scope, Stack, StateTransition, Swept, Sync, Task,
};
pub use exectrace_wire::{
    EventType, Experiment, Generation, GoroutineId, ProcId, TaskId, ThreadId, Version,
};
pub use reader::{Options, Reader};
pub use salvage::{Loss, LossKind, SalvageReport};
pub use state::{GoState, ProcState};
pub use stats::Stats;
pub use text::Text;
pub use time::{ClockSnapshot, Time, WallTime};
