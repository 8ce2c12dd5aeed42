//! What is said of damage that was read over.

use std::io::{self, Write as _};

use exectrace_reader::{Reader, SalvageReport};

use crate::{
    analysis::Loaded,
    args::Global,
    input::Cut,
    terminal::{Paint, harmless},
    units,
};

/// What was lost, a line an item, the totals first; empty if the trace is whole or salvage was not
/// asked for.
pub(crate) fn losses(reader: &Reader<'_>, cut: &Cut) -> Vec<String> {
    let mut lines: Vec<String> = cut.reason().into_iter().collect();
    let Some(report) = reader.salvage_report().filter(|report| !report.is_clean()) else {
        return lines;
    };
    lines.push(totals(report));
    lines.extend(report.losses.iter().map(ToString::to_string));
    if report.unlisted_losses > 0 {
        lines.push(format!(
            "{} that are not listed",
            units::counted(report.unlisted_losses, "more loss", "more losses")
        ));
    }
    lines
}

/// One line with everything that is not zero.
fn totals(report: &SalvageReport) -> String {
    let generations = match report.damaged_generations {
        0 => "the trace is not whole".to_owned(),
        1 => "1 generation is not whole".to_owned(),
        n => format!("{} generations are not whole", units::count(n)),
    };
    let lost: Vec<String> = [
        (report.skipped_bytes, "byte skipped", "bytes skipped"),
        (report.dropped_events, "event dropped", "events dropped"),
        (report.dropped_records, "record dropped", "records dropped"),
        (
            report.nameless_events,
            "event without its name or stack",
            "events without their names or stacks",
        ),
        (report.assumed_states, "state assumed", "states assumed"),
        (report.bent_times, "time raised", "times raised"),
    ]
    .into_iter()
    .filter(|(n, ..)| *n > 0)
    .map(|(n, one, many)| units::counted(n, one, many))
    .collect();
    if lost.is_empty() {
        return generations;
    }
    format!("{generations}: {}", lost.join(", "))
}

/// Says on standard error what was lost.
pub(super) fn remark(name: &str, losses: &[String], global: &Global) {
    /// The rest is for `info --json`.
    const SHOWN: usize = 20;
    if global.quiet {
        return;
    }
    // Nobody can be told if standard error is closed.
    let mut stderr = io::stderr().lock();
    for loss in losses.iter().take(SHOWN) {
        let _ = writeln!(stderr, "exectrace: {name}: salvage: {}", harmless(loss));
    }
    if let Some(more @ 1..) = losses.len().checked_sub(SHOWN) {
        let _ = writeln!(
            stderr,
            "exectrace: {name}: salvage: {more} more; `exectrace info --salvage --json` has all"
        );
    }
}

/// Says on standard error what is wrong with a trace, where the output has no place for that.
pub(super) fn remark_problems(loaded: &Loaded, global: &Global) {
    if global.quiet {
        return;
    }
    for line in loaded.head.problem_lines(Paint::plain()) {
        // Nobody can be told if standard error is closed.
        let _ = writeln!(io::stderr(), "exectrace: {}: {line}", loaded.head.file());
    }
}
