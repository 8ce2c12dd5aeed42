//! What is said of damage that was read over.

use std::io::{self, Write as _};

use exectrace_reader::Reader;

use crate::{args::Global, input::Cut};

/// What was lost, a line an item; empty if the trace is whole or salvage was not asked for.
pub(super) fn findings(reader: &Reader<'_>, cut: &Cut) -> Vec<String> {
    let _ = reader;
    cut.reason().into_iter().collect()
}

/// Says on standard error what was lost.
pub(super) fn remark(name: &str, findings: &[String], global: &Global) {
    if global.quiet {
        return;
    }
    for finding in findings {
        // Nobody can be told if standard error is closed.
        let _ = writeln!(io::stderr(), "exectrace: {name}: lost: {finding}");
    }
}
