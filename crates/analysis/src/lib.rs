//! Statistics of execution traces.
//!
//! [`Store::read`] takes in a trace in one pass. The analyses read the store and nothing else.
//!
//! What an analysis counts is exact: sums are sums of nanoseconds, percentiles are values that
//! occurred. States of a goroutine partition its life; what was open when the trace began or ended
//! counts up to there.
#![forbid(unsafe_code)]

mod blocking;
mod column;
mod distribution;
mod flame;
mod gc;
mod goroutines;
mod histogram;
mod ids;
mod index;
mod pprof;
mod profile;
mod regions;
mod sched;
mod selection;
mod span;
mod state;
mod store;
mod symbols;
mod tasks;
mod timeline;

pub use blocking::{Blocking, Wake, Waker, blocking, wakes};
pub use distribution::Distribution;
pub use flame::{Folded, fold, to_folded_text};
pub use gc::{Cycle, Stop, Stops, cycles, stops, stops_by_reason};
pub use goroutines::{GoroutineAnalysis, GoroutineStats, Group, GroupTimes, Measure, Spells};
pub use histogram::{Class, Histogram};
pub use ids::{
    FrameIx, GoroutineIx, PlaceIx, ProcIx, RangeIx, RegionIx, RowIx, StackIx, StringIx, TaskIx,
    ThreadIx,
};
pub use pprof::{reason_name, to_pprof};
pub use profile::{Profile, ProfileKind, ProfileLabels, ProfileOptions, ProfileSample, Reason};
pub use regions::{RegionGroup, RegionStats, call_site, region_groups, regions, seen_of};
pub use sched::{Latencies, Origin, ProcStats, Wait, latencies, procs};
pub use selection::{FunctionPattern, Selection};
pub use span::{Seen, Span};
pub use state::State;
pub use store::{
    Cause, Footprint, Goroutine, Interval, Label, Log, Metric, Place, ProcChange, ProcState, Range,
    RangeKind, Region, Sample, Scope, Store, StoreError, Sync, Task,
};
pub use symbols::{FrameRow, Symbols};
pub use tasks::{TaskAnalysis, TaskEvent, TaskGroup, TaskStats, task_groups};
pub use timeline::{Moment, timeline};
