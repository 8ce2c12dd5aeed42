//! Stacks: where an event was, at the cost of a few nanoseconds.
//!
//! # Design
//!
//! 1. [`walk`]: [`Here::now`] notes where the program is, [`walk::capture`] follows the frame pointers from
//!    there and hashes the addresses on the way. Memory outside the thread's stack is never touched.
//! 2. [`table`]: equal stacks of a generation share an id. Lock-free; a stack that is known already costs a
//!    comparison.
//! 3. [`symbolise`], at a generation's end and off the hot path: addresses become functions, files
//!    and lines; calls that the compiler inlined get frames of their own.
//!
//! What a build without frame pointers gets, and the two lines that give it full stacks, is in
//! `docs/stacks.md`; [`walk::method`] tells at run time.

pub(crate) mod arena;
pub mod bounds;
pub mod modules;
#[cfg(not(loom))]
pub(crate) mod named;
#[cfg(not(loom))]
mod node;
#[cfg(loom)]
mod node_model;
pub mod symbolise;
pub mod table;
pub mod walk;

pub use bounds::{StackGuard, StackRange, enter_stack, prepare_thread};
#[cfg(not(loom))]
pub use node::scan;
pub use symbolise::{Frame, NameId, Own, Symboliser};
pub use table::Table;
pub use walk::{Captured, Here, Method};
