//! Records what the threads and tasks of a Rust program do, as a Go execution trace.
#![deny(unsafe_code)]

pub mod block;
pub mod clock;
pub mod generation;
pub mod sink;
pub mod stack;
