//! `exectrace gc`: garbage collections, and what they cost the program.

use clap::Args;
use exectrace_analysis::{Cycle, Distribution, RangeKind, cycles};
use serde::Serialize;

use crate::{
    analysis::{
        self, AnalysisArgs, DISTRIBUTION, FormArgs, Head, Loaded,
        csv::Csv,
        distribution_cells, nanos, nanos_or_dash,
        page::{Page, Top},
    },
    args::Global,
    error::{Failure, Outcome},
    output,
    terminal::{Paint, Table, harmless},
    units,
};

/// Show garbage collections: how long they take, who has to help, and the heap
#[derive(Debug, Args)]
#[command(after_help = "\
A collection is shown as a whole even if only a part of it lies between --from and --to. Restrictions to
goroutines or functions do not apply. `exectrace stw` shows the stops of the world.

Examples:
  exectrace gc trace.out
  exectrace gc trace.out --top 0 --from 1s --to 2s
  exectrace gc trace.out --csv > gc.csv

The exit status is 1 if the trace is damaged: the output then has what was read before the damage.")]
pub(crate) struct GcArgs {
    #[command(flatten)]
    form: FormArgs,
    /// How many collections to list at most; 0 for all. JSON and CSV have all
    #[arg(long, value_name = "N", default_value = "20")]
    top: Top,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: &'a Head,
    cycles: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// Of the concurrent mark phase; `null` if it began before the trace.
    start_ns: Option<i64>,
    /// `null` if it went on after the trace.
    end_ns: Option<i64>,
    nanos: u64,
    stopped_ns: u64,
    stops: Vec<StopRow>,
    assists: u64,
    assist_ns: u64,
    assists_by_function: Vec<AssistRow>,
    workers_ns: u64,
    heap_before: Option<u64>,
    heap_after: Option<u64>,
    goal: Option<u64>,
}

#[derive(Debug, Serialize)]
struct StopRow {
    reason: String,
    start_ns: i64,
    nanos: u64,
}

#[derive(Debug, Serialize)]
struct AssistRow {
    function: Option<String>,
    assists: u64,
    nanos: u64,
}

pub(crate) fn run(args: &GcArgs, global: &Global) -> Result<Outcome, Failure> {
    let loaded = analysis::load(&args.analysis, global)?;
    let found = cycles(&loaded.store, &loaded.selection);
    if args.form.json || args.form.csv {
        let rows: Vec<Row> = found.iter().map(|cycle| row(&loaded, cycle)).collect();
        if args.form.csv {
            output::print(&csv(&rows))?;
        } else {
            let head = &loaded.head;
            analysis::print_json(&Report { head, cycles: rows })?;
        }
    } else {
        let paint = Paint::for_stdout(global.color);
        output::print(&text(&loaded, &found, args.top, paint))?;
    }
    Ok(loaded.outcome())
}

fn stopped(loaded: &Loaded, cycle: &Cycle) -> u64 {
    let stops = cycle.stops.iter();
    stops
        .map(|stop| loaded.store.range(*stop).seen.span.nanos())
        .sum()
}

fn row(loaded: &Loaded, cycle: &Cycle) -> Row {
    let stop = |stop| {
        let range = loaded.store.range(stop);
        StopRow {
            reason: match range.kind {
                RangeKind::StopTheWorld(reason) => loaded.text(reason),
                _ => String::new(),
            },
            start_ns: loaded.relative(range.seen.span.start),
            nanos: range.seen.span.nanos(),
        }
    };
    let by_function = cycle.assists_by_function.iter();
    Row {
        start_ns: cycle.mark.start().map(|time| loaded.relative(time)),
        end_ns: cycle.mark.end().map(|time| loaded.relative(time)),
        nanos: cycle.mark.span.nanos(),
        stopped_ns: stopped(loaded, cycle),
        stops: cycle.stops.iter().map(|at| stop(*at)).collect(),
        assists: cycle.assists.count,
        assist_ns: cycle.assists.nanos,
        assists_by_function: by_function
            .map(|(function, spells)| AssistRow {
                function: function.map(|name| loaded.text(name)),
                assists: spells.count,
                nanos: spells.nanos,
            })
            .collect(),
        workers_ns: cycle.workers_nanos,
        heap_before: cycle.heap_before,
        heap_after: cycle.heap_after,
        goal: cycle.goal,
    }
}

fn csv(rows: &[Row]) -> String {
    fn optional<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let mut csv = Csv::new([
        "start_ns",
        "end_ns",
        "nanos",
        "stopped_ns",
        "assists",
        "assist_ns",
        "workers_ns",
        "heap_before",
        "heap_after",
        "goal",
    ]);
    for row in rows {
        csv.line([
            optional(row.start_ns),
            optional(row.end_ns),
            row.nanos.to_string(),
            row.stopped_ns.to_string(),
            row.assists.to_string(),
            row.assist_ns.to_string(),
            row.workers_ns.to_string(),
            optional(row.heap_before),
            optional(row.heap_after),
            optional(row.goal),
        ]);
    }
    csv.finish()
}

fn text(loaded: &Loaded, found: &[Cycle], top: Top, paint: Paint) -> String {
    let mut page = Page::new(&loaded.head, paint);
    if found.is_empty() {
        page.line("No garbage collection.");
        return page.finish();
    }
    let count = units::counted(
        found.len() as u64,
        "garbage collection",
        "garbage collections",
    );
    page.line(&count);

    // 1. Sums.
    page.line("");
    let of = |value: &dyn Fn(&Cycle) -> u64| {
        let mut values: Vec<u64> = found.iter().map(value).collect();
        Distribution::of(&mut values)
    };
    let mut table = Table::default();
    let mut heading = [const { String::new() }; 9];
    "per collection".clone_into(&mut heading[0]);
    heading[1..].clone_from_slice(&DISTRIBUTION.map(str::to_owned));
    table.row(heading);
    let measures: [(&str, Distribution); 4] = [
        (
            "concurrent mark phase",
            of(&|cycle| cycle.mark.span.nanos()),
        ),
        ("world stopped", of(&|cycle| stopped(loaded, cycle))),
        ("background workers", of(&|cycle| cycle.workers_nanos)),
        ("assists", of(&|cycle| cycle.assists.nanos)),
    ];
    for (name, distribution) in measures {
        let mut row = [const { String::new() }; 9];
        name.clone_into(&mut row[0]);
        row[1..].clone_from_slice(&distribution_cells(&distribution));
        table.row(row);
    }
    page.table(&table);

    // 2. Who had to help.
    let mut helpers = std::collections::BTreeMap::new();
    for (function, spells) in found.iter().flat_map(|cycle| &cycle.assists_by_function) {
        let (count, sum) = helpers.entry(*function).or_insert((0u64, 0u64));
        *count += spells.count;
        *sum = sum.saturating_add(spells.nanos);
    }
    if !helpers.is_empty() {
        page.heading("Who had to help");
        let mut helpers: Vec<_> = helpers.into_iter().collect();
        helpers.sort_by_key(|(_, (_, sum))| std::cmp::Reverse(*sum));
        let mut table = Table::with_text_last(1);
        table.row(["time", "assists", "function"].map(str::to_owned));
        for (function, (count, sum)) in helpers.iter().take(top.shown(helpers.len())) {
            table.row([
                nanos(*sum),
                units::count(*count),
                harmless(&loaded.function(*function)),
            ]);
        }
        page.table(&table);
    }

    // 3. The collections.
    page.heading("Collections");
    let mut table = Table::default();
    table.row(
        [
            "begin",
            "mark phase",
            "stopped",
            "workers",
            "assists",
            "heap before",
            "after",
            "goal",
        ]
        .map(str::to_owned),
    );
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), units::bytes);
    for cycle in &found[..top.shown(found.len())] {
        table.row([
            match cycle.mark.start() {
                Some(start) => units::duration(loaded.relative(start)),
                None => "before".to_owned(),
            },
            nanos(cycle.mark.span.nanos()),
            nanos_or_dash(stopped(loaded, cycle)),
            nanos_or_dash(cycle.workers_nanos),
            nanos_or_dash(cycle.assists.nanos),
            bytes(cycle.heap_before),
            bytes(cycle.heap_after),
            bytes(cycle.goal),
        ]);
    }
    page.table(&table);
    page.more(top, found.len(), "collections");
    page.finish()
}
