//! Reads Go execution traces: bytes to ordered, checked events.
//!
//! [`Reader`] takes any [`std::io::Read`] and yields [`Event`]s in the order of Go's own parser,
//! ties included. It reads the traces of Go 1.5 to 1.27 and what `exectrace` writes.
//!
//! What you get:
//!
//! - every event once, at a strictly increasing time, with its context (thread, proc, goroutine),
//!   its strings and stacks resolved, and its kind as a closed enum;
//! - the certainty that the events make sense: what contradicts the rules of the format is an
//!   [`Error`] with its place, not an event;
//! - or, with [`Options::salvage`], everything that still makes sense after damage, and a
//!   [`SalvageReport`] that counts what does not.
//!
//! What it costs: memory for one generation of the trace (about a second of the program's life; two
//! with [`Reader::overlapped`]) and for what is alive in the program. A byte of a hostile trace can
//! claim a bounded multiple of itself and no more; see [`limits`].
//!
//! What it is not for: looking back. Keep what you need, or read again. Statistics, timelines and
//! profiles are built on top of it.
//!
//! # Example
//!
//! How long was each goroutine runnable before it ran?
//!
//! ```
//! use std::collections::HashMap;
//! use exectrace_reader::{EventKind, GoState, Reader, StateTransition};
//!
//! # let trace = exectrace_wire::Version::Go126.header();
//! let mut reader = Reader::new(&trace[..])?;
//! let mut runnable_since = HashMap::new();
//! while let Some(event) = reader.next_event()? {
//!     if let EventKind::StateTransition(StateTransition::Goroutine { id, from, to, .. }) = event.kind() {
//!         if to == GoState::Runnable {
//!             runnable_since.insert(id, event.time());
//!         } else if from == GoState::Runnable
//!             && let Some(since) = runnable_since.remove(&id)
//!         {
//!             println!("goroutine {id} waited {} ns", event.time().since(since));
//!         }
//!     }
//! }
//! # Ok::<(), exectrace_reader::Error>(())
//! ```
//!
//! The crate does no I/O of its own, reads no clock and has no dependency but the format.
#![forbid(unsafe_code)]

mod clock;
mod dense;
mod error;
mod event;
mod framing;
mod frontier;
mod generation;
mod id_hash;
pub mod limits;
mod load;
mod order;
mod pipeline;
mod pool;
mod reader;
mod record;
mod resync;
mod salvage;
mod salvaging;
mod shape;
mod sort;
mod source;
mod state;
mod stats;
mod stream;
mod tables;
mod text;
mod time;
pub mod v1;

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
pub use v1::V1Error;
