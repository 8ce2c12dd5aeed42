//! Records what the threads and tasks of a Rust program do, as a Go execution trace.
//!
//! The trace is in the format of Go 1.26, so every tool for Go's traces opens it.
//!
//! - [`thread`], [`sync`] and [`iter`] are what the standard library has, traced. [`Task`], [`Region`] and
//!   [`log!`] say what the program works on. [`init_from_env`] starts it all.
//! - [`raw`] has every event: what runtimes, schedulers and garbage collectors report.
//! - [`Session`] records into a file or any other [`sink`]; a [`FlightRecorder`] keeps the last seconds.
//!   What is left when the process dies is the business of [`crash`], `mapped` and [`recover`].
//! - [`Subscription`] starts and ends tracing; a [`generation::Consumer`] gets what was traced, a
//!   *generation* at a time, about every second. [`Memory`] is one that keeps everything.
//! - [`stats`] says what was traced and what was lost.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use exectrace::{Memory, Subscription, raw::{self, Proc}};
//! use exectrace_wire::TaskId;
//!
//! let memory = Arc::new(Memory::new());
//! let tracing = Subscription::session(memory.clone())?;
//!
//! let proc = Proc::new().start();
//! let task = proc.create();
//! let running = proc.run(task);
//! raw::log(TaskId::BACKGROUND, "greeting", "hello");
//! running.exit().stop();
//!
//! tracing.end()?;
//! std::fs::write(std::env::temp_dir().join("app.trace"), memory.trace())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(unsafe_code)]

// The models run the lock-free parts alone, with loom's atomics.
pub mod block;
#[cfg(not(loom))]
mod buffer;
#[cfg(not(loom))]
mod build_id;
pub mod clock;
#[cfg(not(loom))]
mod control;
#[cfg(not(loom))]
pub mod crash;
#[cfg(not(loom))]
mod env;
#[cfg(not(loom))]
pub mod flight;
pub mod generation;
#[cfg(not(loom))]
pub mod iter;
#[cfg(not(loom))]
pub mod log;
#[cfg(all(target_os = "linux", not(loom)))]
pub mod mapped;
#[cfg(not(loom))]
mod memory;
#[cfg(not(loom))]
mod os;
#[cfg(not(loom))]
pub mod raw;
#[cfg(not(loom))]
pub mod recover;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
pub mod session;
#[cfg(not(loom))]
pub mod sink;
pub mod stack;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
mod status;
#[cfg(not(loom))]
mod strings;
#[cfg(not(loom))]
pub mod sync;
#[cfg(not(loom))]
mod task;
#[cfg(not(loom))]
pub mod thread;
mod thread_state;
#[cfg(not(loom))]
mod ticker;
#[cfg(not(loom))]
mod writer;

pub use exectrace_wire::TaskId;

#[cfg(not(loom))]
pub use control::{ControlError, Settings, Subscription, advance, configure, is_enabled, stats};
#[cfg(not(loom))]
pub use env::{InitError, Request, Tracing, init_from_env};
#[cfg(not(loom))]
pub use flight::FlightRecorder;
#[cfg(not(loom))]
pub use memory::Memory;
#[cfg(not(loom))]
pub use region::Region;
#[cfg(not(loom))]
pub use session::{Session, SessionError};
#[cfg(not(loom))]
pub use stats::Stats;
#[cfg(not(loom))]
pub use task::{AsTask, Task};
