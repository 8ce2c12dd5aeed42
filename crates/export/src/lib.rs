//! Execution trace events as text: Go's own form ([`ParsedWriter`]) and JSON ([`JsonWriter`]), and
//! the [`filter`] that says which events.
//!
//! Writers append to a byte vector which the caller empties, so one buffer serves a whole trace.
//! Their output depends on the events only: the same trace gives the same bytes.
#![forbid(unsafe_code)]

pub mod filter;
mod json;
mod line;
mod parsed;
mod stacks;

pub use json::JsonWriter;
pub use parsed::ParsedWriter;
