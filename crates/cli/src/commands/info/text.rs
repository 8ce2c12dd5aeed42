//! The report as text for a person.

use super::report::{Finding, GenerationReport, Report, Severity};
use crate::{
    terminal::{Paint, Table, harmless},
    units,
};

/// Findings and generations that are listed; the JSON has all.
const LISTED: usize = 20;

/// What the text shows beyond the summary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    /// The table of events and bytes by type.
    pub(super) footprint: bool,
    /// Damage was read over.
    pub(super) salvaged: bool,
}

pub(super) fn render(report: &Report, detail: Detail, paint: Paint) -> String {
    let mut text = Text {
        out: String::new(),
        paint,
    };
    text.title(report);
    text.findings(report, detail);
    text.summary(report);
    text.generations(report);
    if detail.footprint {
        text.footprint(report);
    }
    text.out
}

struct Text {
    out: String,
    paint: Paint,
}

impl Text {
    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn title(&mut self, report: &Report) {
        let size = match report.compression {
            None => units::bytes(report.bytes),
            Some(compression) => format!(
                "{}, {} as {}{}",
                units::bytes(report.bytes),
                units::bytes(report.stored_bytes),
                compression.name(),
                ratio(report.bytes, report.stored_bytes),
            ),
        };
        let title = self.paint.strong(&harmless(&report.file));
        let version = format!("format {} ({})", report.version, report.written_by);
        self.line(&format!("{title}: trace of {version}, {size}"));
        self.line("");
    }

    fn findings(&mut self, report: &Report, detail: Detail) {
        if report.findings.is_empty() {
            let fine = self.paint.good("No problems found.");
            self.line(&fine);
        }
        for Finding { severity, message } in report.findings.iter().take(LISTED) {
            let label = match severity {
                Severity::Error => self.paint.bad("damaged:"),
                Severity::Warning => self.paint.warning("warning:"),
                Severity::Note => self.paint.faint("note:"),
            };
            self.line(&format!("{label} {}", harmless(message)));
        }
        self.more(report.findings.len(), "more, see --json");
        if report.is_damaged() && !detail.salvaged {
            self.line(
                "Times, events and goroutines below are of what comes before; --salvage reads on.",
            );
        }
        self.line("");
    }

    fn more(&mut self, all: usize, what: &str) {
        if let Some(more @ 1..) = all.checked_sub(LISTED) {
            self.line(&format!("… and {} {what}", units::count(more as u64)));
        }
    }

    fn summary(&mut self, report: &Report) {
        let mut rows: Vec<(&str, String)> = Vec::new();
        if let Some(nanos) = report.duration_ns {
            rows.push(("duration", units::duration(nanos)));
        }
        match (&report.start_wall, &report.end_wall) {
            (Some(start), Some(end)) => {
                rows.push(("from", start.clone()));
                rows.push(("to", end.clone()));
            }
            _ => rows.push(("from, to", "not in the trace (since Go 1.25)".to_owned())),
        }
        rows.push(("events", self.rate(report)));
        rows.push(("goroutines", units::count(report.goroutines)));
        rows.push(("procs", units::count(report.procs)));
        rows.push(("threads", units::count(report.threads)));
        rows.push(("contains", contents(report)));
        for experiment in &report.experiments {
            let name = experiment.name.unwrap_or("unknown");
            rows.push((
                "experiment",
                format!(
                    "{name} (number {}): {}, {} of {}",
                    experiment.number,
                    units::counted(experiment.events, "event", "events"),
                    units::counted(experiment.batches, "batch", "batches"),
                    units::bytes(experiment.batch_bytes),
                ),
            ));
        }
        let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        for (label, value) in rows {
            let label = self.paint.faint(&format!("{label:<width$}"));
            self.line(&format!("{label}  {value}"));
        }
        self.line("");
    }

    fn rate(&self, report: &Report) -> String {
        let events = units::count(report.events);
        match report.duration_ns {
            Some(nanos @ 1..) => {
                let per_second = |n: u64| (n as f64 * 1e9 / nanos as f64) as u64;
                // Bytes whose events could not be read took time that is not known.
                let bytes = report
                    .generations
                    .iter()
                    .filter(|generation| generation.events.is_some())
                    .filter_map(|generation| generation.bytes)
                    .sum();
                format!(
                    "{events} ({} a second, {}/s)",
                    units::count(per_second(report.events)),
                    units::bytes(per_second(bytes)),
                )
            }
            _ => events,
        }
    }

    fn generations(&mut self, report: &Report) {
        if report.generations.is_empty() {
            self.line("No generations.");
            return;
        }
        let mut table = Table::default();
        table.row(
            [
                "generation",
                "starts at",
                "duration",
                "events",
                "bytes",
                "threads",
            ]
            .map(String::from),
        );
        for generation in report.generations.iter().take(LISTED) {
            table.row(generation_row(generation, report.start_ns));
        }
        self.table(&table);
        if let Some(more @ 1..) = report.generation_count.checked_sub(LISTED as u64) {
            self.line(&format!("… and {} more, see --json", units::count(more)));
        }
    }

    fn footprint(&mut self, report: &Report) {
        self.line("");
        let all_bytes: u64 = report.types.iter().map(|row| row.bytes).sum();
        let all_count: u64 = report.types.iter().map(|row| row.count).sum();
        let mut rows: Vec<_> = report.types.iter().collect();
        rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.name.cmp(b.name)));
        let mut table = Table::default();
        table.row(["type", "count", "of all", "bytes", "of all", "bytes each"].map(String::from));
        for row in rows {
            table.row([
                row.name.to_owned(),
                units::count(row.count),
                units::percent(row.count, all_count),
                units::count(row.bytes),
                units::percent(row.bytes, report.bytes),
                format!("{:.1}", row.bytes as f64 / row.count.max(1) as f64),
            ]);
        }
        let blank = String::new;
        let mut rest = |label: &str, bytes: u64| {
            table.row([
                label.to_owned(),
                blank(),
                blank(),
                units::count(bytes),
                units::percent(bytes, report.bytes),
                blank(),
            ]);
        };
        let header = report.bytes - all_bytes - report.uncounted_bytes;
        rest("(file header)", header);
        if report.uncounted_bytes > 0 {
            rest("(not readable)", report.uncounted_bytes);
        }
        table.row([
            "all".to_owned(),
            units::count(all_count),
            blank(),
            units::count(report.bytes),
            blank(),
            blank(),
        ]);
        self.table(&table);
    }

    fn table(&mut self, table: &Table) {
        for line in table.lines(self.paint) {
            self.line(&line);
        }
    }
}

fn ratio(bytes: u64, stored: u64) -> String {
    if stored == 0 {
        return String::new();
    }
    format!(" ({:.1}:1)", bytes as f64 / stored as f64)
}

fn generation_row(generation: &GenerationReport, start_of_trace: Option<i64>) -> [String; 6] {
    let unknown = || "–".to_owned();
    let starts_at = generation.start_ns.zip(start_of_trace);
    let duration = generation.start_ns.zip(generation.end_ns);
    [
        generation.number.to_string(),
        starts_at.map_or_else(unknown, |(start, first)| {
            units::duration(start.saturating_sub(first))
        }),
        duration.map_or_else(unknown, |(start, end)| {
            units::duration(end.saturating_sub(start))
        }),
        generation.events.map_or_else(unknown, units::count),
        generation.bytes.map_or_else(unknown, units::bytes),
        generation.threads.map_or_else(unknown, units::count),
    ]
}

/// What people look for, if it is there.
fn contents(report: &Report) -> String {
    let contents = &report.contents;
    let parts: Vec<String> = [
        (contents.gc_cycles, "GC cycle", "GC cycles"),
        (
            contents.stop_the_worlds,
            "stop-the-world",
            "stop-the-worlds",
        ),
        (contents.tasks, "task", "tasks"),
        (contents.regions, "region", "regions"),
        (contents.logs, "log message", "log messages"),
        (contents.cpu_samples, "CPU sample", "CPU samples"),
        (contents.stacks, "stack", "stacks"),
    ]
    .into_iter()
    .filter(|(n, ..)| *n > 0)
    .map(|(n, one, many)| units::counted(n, one, many))
    .collect();
    if parts.is_empty() {
        return "nothing but scheduling".to_owned();
    }
    parts.join(", ")
}
