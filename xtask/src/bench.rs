//! Comparison with Go's tools.

use crate::Outcome;

/// Times our loops and Go's.
///
/// # Errors
///
/// There are none yet.
pub fn run(_args: &[String]) -> Outcome {
    Err("there are no benchmarks yet".to_owned())
}
