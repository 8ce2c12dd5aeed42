//! What the fuzz targets do with an input: properties that hold for any bytes whatever.
//!
//! A target in `fuzz/` is one call of a function here, so that `cargo test` can replay the saved
//! inputs with the compiler that everybody has. A property that does not hold panics.
#![forbid(unsafe_code)]

mod read;
mod v1;
mod wire;

pub use read::{order, overlap, salvage};
pub use v1::v1;
pub use wire::{decode, round_trip, text};

/// A target's body.
pub type Target = fn(&[u8]);

/// Every target, under the name of its file in `fuzz/fuzz_targets` and its folder in `fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("decode", decode),
    ("order", order),
    ("overlap", overlap),
    ("round_trip", round_trip),
    ("salvage", salvage),
    ("text", text),
    ("v1", v1),
];
