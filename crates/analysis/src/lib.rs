//! Statistics of execution traces.
//!
//! [`Store::read`] takes in a trace in one pass. The analyses read the store and nothing else.
//!
//! What an analysis counts is exact: sums are sums of nanoseconds, percentiles are values that
//! occurred. States of a goroutine partition its life; what was open when the trace began or ended
//! counts up to there.
#![forbid(unsafe_code)]

mod column;
mod ids;
mod index;
mod span;
mod state;
mod store;
mod symbols;

pub use ids::{
    FrameIx, GoroutineIx, PlaceIx, ProcIx, RangeIx, RegionIx, RowIx, StackIx, StringIx, TaskIx,
    ThreadIx,
};
pub use span::{Seen, Span};
pub use state::State;
pub use store::{
    Cause, Footprint, Goroutine, Interval, Label, Log, Metric, Place, ProcChange, ProcState, Range,
    RangeKind, Region, Sample, Scope, Store, StoreError, Sync, Task,
};
pub use symbols::{FrameRow, Symbols};
