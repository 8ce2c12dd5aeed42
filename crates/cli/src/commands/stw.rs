//! `exectrace stw`: times in which the world is stopped.

use core::cmp::Reverse;

use clap::Args;
use exectrace_analysis::{Stop, Stops, stops, stops_by_reason};
use serde::Serialize;

use crate::{
    analysis::{
        self, AnalysisArgs, FormArgs, Head, Loaded, Nanoseconds,
        csv::Csv,
        durations::{COLUMNS, cells},
        nanos,
        page::{Page, Top},
    },
    args::Global,
    error::{Failure, Outcome},
    output,
    terminal::{Paint, Table, harmless},
    units,
};

/// Show when the world is stopped, for how long, what for and by whom
#[derive(Debug, Args)]
#[command(after_help = "\
A stop begins when a goroutine begins to stop the world and ends when the world goes on. Restrictions to
goroutines and functions are about the goroutine that stops the world.

Examples:
  exectrace stw trace.out
  exectrace stw trace.out --stacks --top 3
  exectrace stw trace.out --csv > stw.csv

The exit status is 1 if the trace is damaged: the output then has what was read before the damage.")]
pub(crate) struct StwArgs {
    #[command(flatten)]
    form: FormArgs,
    /// Show whole stacks of the longest stops
    #[arg(long)]
    stacks: bool,
    /// How many of the longest stops to list at most; 0 for all. JSON and CSV have all
    #[arg(long, value_name = "N", default_value = "10")]
    top: Top,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: &'a Head,
    by_reason: Vec<ReasonRow>,
    stops: Vec<StopRow>,
}

#[derive(Debug, Serialize)]
struct ReasonRow {
    reason: String,
    durations: Nanoseconds,
    open: u64,
}

#[derive(Debug, Serialize)]
struct StopRow {
    reason: String,
    /// `null` if it began before the trace.
    start_ns: Option<i64>,
    /// `null` if it went on after the trace.
    end_ns: Option<i64>,
    nanos: u64,
    goroutine: Option<u64>,
    function: Option<String>,
    /// Leaf first.
    stack: Vec<String>,
}

pub(crate) fn run(args: &StwArgs, global: &Global) -> Result<Outcome, Failure> {
    let loaded = analysis::load(&args.analysis, global)?;
    let mut found = stops(&loaded.store, &loaded.selection);
    let by_reason = stops_by_reason(&found);
    found.sort_by_key(|stop| Reverse(stop.seen.span.nanos()));
    if args.form.json || args.form.csv {
        let rows: Vec<StopRow> = found.iter().map(|stop| row(&loaded, stop)).collect();
        if args.form.csv {
            output::print(&csv(&rows))?;
        } else {
            let reason = |stops: &Stops| ReasonRow {
                reason: loaded.text(stops.reason),
                durations: stops.durations.into(),
                open: stops.open,
            };
            analysis::print_json(&Report {
                head: &loaded.head,
                by_reason: by_reason.iter().map(reason).collect(),
                stops: rows,
            })?;
        }
    } else {
        let paint = Paint::for_stdout(global.color);
        output::print(&text(&loaded, &found, &by_reason, args, paint))?;
    }
    Ok(loaded.outcome())
}

fn row(loaded: &Loaded, stop: &Stop) -> StopRow {
    let goroutine = stop.goroutine.map(|at| loaded.store.goroutine(at));
    StopRow {
        reason: loaded.text(stop.reason),
        start_ns: stop.seen.start().map(|time| loaded.relative(time)),
        end_ns: stop.seen.end().map(|time| loaded.relative(time)),
        nanos: stop.seen.span.nanos(),
        goroutine: goroutine.map(|goroutine| goroutine.id.0),
        function: goroutine
            .and_then(|goroutine| goroutine.function)
            .map(|name| loaded.text(name)),
        stack: stop
            .stack
            .map_or_else(Vec::new, |stack| loaded.stack_lines(stack)),
    }
}

fn csv(rows: &[StopRow]) -> String {
    fn optional<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let mut csv = Csv::new([
        "reason",
        "start_ns",
        "end_ns",
        "nanos",
        "goroutine",
        "function",
        "stack",
    ]);
    for row in rows {
        csv.line([
            row.reason.clone(),
            optional(row.start_ns),
            optional(row.end_ns),
            row.nanos.to_string(),
            optional(row.goroutine),
            row.function.clone().unwrap_or_default(),
            row.stack.join(";"),
        ]);
    }
    csv.finish()
}

fn text(
    loaded: &Loaded,
    found: &[Stop],
    by_reason: &[Stops],
    args: &StwArgs,
    paint: Paint,
) -> String {
    let mut page = Page::new(&loaded.head, paint);
    if found.is_empty() {
        page.line("The world was never stopped.");
        return page.finish();
    }
    let all: u64 = found.iter().map(|stop| stop.seen.span.nanos()).sum();
    let times = units::counted(found.len() as u64, "time", "times");
    page.line(&format!(
        "The world was stopped {times}, {} in all",
        nanos(all)
    ));
    page.line("");
    let mut table = Table::with_text_last(1);
    let mut heading = [const { String::new() }; 9];
    heading[..8].clone_from_slice(&COLUMNS.map(str::to_owned));
    "reason".clone_into(&mut heading[8]);
    table.row(heading);
    for stops in by_reason {
        let mut row = [const { String::new() }; 9];
        row[..8].clone_from_slice(&cells(&stops.durations, stops.open));
        row[8] = harmless(&loaded.text(stops.reason));
        table.row(row);
    }
    page.table(&table);

    page.heading("The longest stops");
    let shown = &found[..args.top.shown(found.len())];
    let mut table = Table::with_text_last(2);
    table.row(["duration", "begin", "goroutine", "reason", "where"].map(str::to_owned));
    for stop in shown {
        table.row([
            nanos(stop.seen.span.nanos()),
            match stop.seen.start() {
                Some(start) => units::duration(loaded.relative(start)),
                None => "before".to_owned(),
            },
            match stop.goroutine {
                Some(goroutine) => loaded.store.goroutine(goroutine).id.to_string(),
                None => "–".to_owned(),
            },
            harmless(&loaded.text(stop.reason)),
            loaded.short_stack(stop.stack),
        ]);
    }
    page.table(&table);
    page.more(args.top, found.len(), "stops");
    if args.stacks {
        for stop in shown {
            page.line("");
            let length = nanos(stop.seen.span.nanos());
            page.line(&format!(
                "{length}, {}",
                harmless(&loaded.text(stop.reason))
            ));
            for line in stop
                .stack
                .map_or_else(Vec::new, |stack| loaded.stack_lines(stack))
            {
                page.line(&format!("    {line}"));
            }
        }
    }
    page.finish()
}
