//! Reads Go execution traces: bytes to ordered, checked events.
#![forbid(unsafe_code)]

mod dense;
mod error;
mod event;
mod generation;
mod record;
mod state;
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
pub use state::{GoState, ProcState};
pub use text::Text;
pub use time::{ClockSnapshot, Time, WallTime};
