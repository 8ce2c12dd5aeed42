//! Makes traces for tests: by hand, at random, and damaged.
//!
//! - [`TraceBuilder`] builds a trace event by event, with strings and stacks given as values. It
//!   builds invalid traces as willingly as valid ones.
//! - [`Layout`] is a trace cut at its top level. Both the builder and the parser of bytes yield it,
//!   so that a test can move, drop or falsify whole batches; [`Layout::permuted`] shuffles them.
//! - [`cases`] and [`golden`] are the golden tests: a case's trace as text with what Go makes of it.
//! - [`sim`] simulates a Go program: random valid traces, with the truth about what happened.
//! - [`damage`] yields damaged inputs for tests of what must never panic, hang or run out of memory.
//!
//! The crate knows the wire format only, never the rules that order events: it must not agree with
//! the reader by construction. For the same reason, expected outputs come from Go's own parser.
//!
//! Misuse panics: the crate is for tests, where a panic is the report.
//!
//! # Example
//!
//! ```
//! use exectrace_testkit::{Stack, TraceBuilder, named};
//! use exectrace_wire::{EventType as E, GoStatus, ProcStatus, Version};
//!
//! let mut trace = TraceBuilder::new(Version::Go126);
//! let generation = trace.generation(1);
//! generation
//!     .on(0)
//!     .event(E::ProcStatus, (0, ProcStatus::Running))
//!     .event(E::GoStatus, (1, 0, GoStatus::Running))
//!     .event(E::GoBlock, ("chan receive", Stack::calls(["main.f", "main.main"])));
//! generation.on(1).event(E::GoUnblock, named! { g: 1, g_seq: 1 });
//! let bytes = trace.build();
//! assert!(bytes.starts_with(b"go 1.26 trace"));
//! ```
#![forbid(unsafe_code)]

mod build;
pub mod cases;
pub mod damage;
pub mod go;
pub mod golden;
mod layout;
mod permute;
mod rng;
pub mod sim;

pub use build::{Arg, Args, FrameSpec, GenerationBuilder, On, Sample, Stack, TraceBuilder};
pub use layout::{Batch, Layout, LayoutError, Piece};
pub use permute::Freedom;
pub use rng::Rng;
