//! The project's tasks. `cargo xtask` lists them; continuous integration is `cargo xtask ci`.
//!
//! A library so that `cargo test` can run [`tidy::check`].
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task's progress and findings are its output"
)]

use std::path::PathBuf;

pub mod bench;
pub mod ci;
pub mod fuzz;
pub mod run;
pub mod tidy;

/// What a task comes to: what went wrong, in words for the person who ran it.
pub type Outcome<T = ()> = Result<T, String>;

/// The root of the workspace.
///
/// # Panics
///
/// Where the crate is not inside a folder.
#[must_use]
pub fn root() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask
        .parent()
        .expect("xtask is inside the workspace")
        .to_path_buf()
}
