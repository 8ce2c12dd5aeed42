//! Makes execution traces whole again.
//!
//! - [`Gap`]: a tracer that had to drop whole generations bridges them, so that the rest is one valid
//!   trace, and the trace itself says what is missing ([`Loss`]).
//! - [`recover`]: the trace of a process that died, from what it has written and the memory that it
//!   left.
//! - [`layout`]: how a tracer's memory looks in a mapped file, which outlives the process.
//!
//! The crate knows the wire format only. It brings no events into order: what it needs to know of
//! the program's state is in the statuses that each generation has.
#![forbid(unsafe_code)]

mod changes;
mod clock;
mod emit;
mod ending;
mod error;
mod gap;
pub mod layout;
mod loss;
pub mod recover;
mod standing;
mod walk;

pub use error::{MendError, MendErrorKind};
pub use gap::Gap;
pub use loss::{LOSS_CATEGORY, Loss};
