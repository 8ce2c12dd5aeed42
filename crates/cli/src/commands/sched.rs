//! `exectrace sched`: how long goroutines wait for a proc, and what procs do.

use clap::Args;
use exectrace_analysis::{Latencies, Origin, ProcStats, Wait, latencies, procs};
use serde::Serialize;

use crate::{
    analysis::{
        self, AnalysisArgs, DISTRIBUTION, DISTRIBUTION_FIELDS, FormArgs, Head, Loaded, Nanoseconds,
        csv::Csv,
        distribution_cells, distribution_fields, nanos, nanos_or_dash,
        page::{Page, Top},
    },
    args::Global,
    error::{Failure, Outcome},
    output,
    terminal::{Paint, Table, harmless},
    units,
};

/// Show how long goroutines wait for a proc, the longest waits, and what procs do
#[derive(Debug, Args)]
#[command(after_help = "\
A wait begins when a goroutine is ready to run and ends when it runs. For the longest waits, what ran
meanwhile is shown by function; times of several procs add up.

Examples:
  exectrace sched trace.out
  exectrace sched trace.out --function '=main.worker' --worst 20
  exectrace sched trace.out --from 1.5s --to 1.6s --json
  exectrace sched trace.out --csv

The exit status is 1 if the trace is damaged: the output then has what was read before the damage.")]
pub(crate) struct SchedArgs {
    #[command(flatten)]
    form: FormArgs,
    /// How many of the longest waits to look into
    #[arg(long, value_name = "N", default_value_t = 5)]
    worst: usize,
    /// How many functions to list at most; 0 for all. JSON and CSV have all
    #[arg(long, value_name = "N", default_value = "10")]
    top: Top,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: &'a Head,
    waits: Nanoseconds,
    histogram: Vec<ClassRow>,
    by_origin: Vec<OriginRow>,
    by_function: Vec<FunctionRow>,
    worst: Vec<WaitRow>,
    procs: Vec<ProcRow>,
}

#[derive(Debug, Serialize)]
struct ClassRow {
    from_ns: u64,
    to_ns: u64,
    count: u64,
}

#[derive(Debug, Serialize)]
struct OriginRow {
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    waits: Nanoseconds,
}

#[derive(Debug, Serialize)]
struct FunctionRow {
    function: Option<String>,
    waits: Nanoseconds,
}

#[derive(Debug, Serialize)]
struct WaitRow {
    goroutine: u64,
    function: Option<String>,
    start_ns: i64,
    nanos: u64,
    /// Whether it still waited when the trace ended.
    open: bool,
    origin: &'static str,
    ran_meanwhile: Vec<RanRow>,
    idle_ns: u64,
}

#[derive(Debug, Serialize)]
struct RanRow {
    function: Option<String>,
    nanos: u64,
}

#[derive(Debug, Serialize)]
struct ProcRow {
    proc: u64,
    total_ns: u64,
    running_ns: u64,
    syscall_ns: u64,
    scheduling_ns: u64,
    idle_ns: u64,
    unknown_ns: u64,
    runs: u64,
    migrations: u64,
}

pub(crate) fn run(args: &SchedArgs, global: &Global) -> Result<Outcome, Failure> {
    let loaded = analysis::load(&args.analysis, global)?;
    let found = latencies(&loaded.store, &loaded.selection, args.worst);
    let procs = procs(&loaded.store, &loaded.selection);
    if args.form.json {
        analysis::print_json(&report(&loaded, &found, &procs))?;
    } else if args.form.csv {
        output::print(&csv(&loaded, &found))?;
    } else {
        let paint = Paint::for_stdout(global.color);
        output::print(&text(&loaded, &found, &procs, args.top, paint))?;
    }
    Ok(loaded.outcome())
}

fn origin_key(origin: Origin) -> &'static str {
    match origin {
        Origin::Created => "created",
        Origin::Woken => "woken",
        Origin::Stopped(_) => "stopped",
        Origin::Syscall => "syscall",
        Origin::Unknown => "unknown",
    }
}

fn origin_name(loaded: &Loaded, origin: Origin) -> String {
    match origin {
        Origin::Created => "it was created".to_owned(),
        Origin::Woken => "it was woken".to_owned(),
        Origin::Stopped(reason) => match loaded.text(reason) {
            reason if reason.is_empty() => "it stopped".to_owned(),
            reason => format!("it stopped ({})", harmless(&reason)),
        },
        Origin::Syscall => "its system call returned".to_owned(),
        Origin::Unknown => "unknown, before the trace".to_owned(),
    }
}

fn report<'a>(loaded: &'a Loaded, found: &Latencies, procs: &[ProcStats]) -> Report<'a> {
    let name = |function: Option<_>| function.map(|name| loaded.text(name));
    let classes = found.histogram.classes().map(|class| ClassRow {
        from_ns: class.from,
        to_ns: class.to,
        count: class.count,
    });
    let by_origin = found.by_origin.iter().map(|(origin, waits)| OriginRow {
        origin: origin_key(*origin),
        reason: match origin {
            Origin::Stopped(reason) => Some(loaded.text(*reason)),
            _ => None,
        },
        waits: (*waits).into(),
    });
    let by_function = found
        .by_function
        .iter()
        .map(|(function, waits)| FunctionRow {
            function: name(*function),
            waits: (*waits).into(),
        });
    let worst = found.worst.iter().map(|wait| {
        let goroutine = loaded.store.goroutine(wait.goroutine);
        let ran = wait.ran_meanwhile.iter().map(|(function, nanos)| RanRow {
            function: name(*function),
            nanos: *nanos,
        });
        WaitRow {
            goroutine: goroutine.id.0,
            function: name(goroutine.function),
            start_ns: loaded.relative(wait.seen.span.start),
            nanos: wait.seen.span.nanos(),
            open: wait.seen.open_end,
            origin: origin_key(wait.origin),
            ran_meanwhile: ran.collect(),
            idle_ns: wait.idle_nanos,
        }
    });
    let procs = ids(loaded).into_iter().map(|(at, proc)| ProcRow {
        proc,
        total_ns: procs[at].total,
        running_ns: procs[at].running,
        syscall_ns: procs[at].syscall,
        scheduling_ns: procs[at].scheduling,
        idle_ns: procs[at].idle,
        unknown_ns: procs[at].unknown,
        runs: procs[at].runs,
        migrations: procs[at].migrations,
    });
    Report {
        head: &loaded.head,
        waits: found.all.into(),
        histogram: classes.collect(),
        by_origin: by_origin.collect(),
        by_function: by_function.collect(),
        worst: worst.collect(),
        procs: procs.collect(),
    }
}

/// The procs' places in the store and their ids, by id.
fn ids(loaded: &Loaded) -> Vec<(usize, u64)> {
    let ids = loaded.store.procs().iter().map(|id| id.0);
    let mut ids: Vec<(usize, u64)> = ids.enumerate().collect();
    ids.sort_unstable_by_key(|(_, id)| *id);
    ids
}

fn csv(loaded: &Loaded, found: &Latencies) -> String {
    let heading = ["by", "function", "origin", "reason"];
    let mut csv = Csv::new(heading.into_iter().chain(DISTRIBUTION_FIELDS));
    for (origin, waits) in &found.by_origin {
        let reason = match origin {
            Origin::Stopped(reason) => loaded.text(*reason),
            _ => String::new(),
        };
        let cells = [
            "origin".to_owned(),
            String::new(),
            origin_key(*origin).to_owned(),
            reason,
        ];
        csv.line(cells.into_iter().chain(distribution_fields(waits)));
    }
    for (function, waits) in &found.by_function {
        let cells = [
            "function".to_owned(),
            function.map_or_else(String::new, |name| loaded.text(name)),
            String::new(),
            String::new(),
        ];
        csv.line(cells.into_iter().chain(distribution_fields(waits)));
    }
    csv.finish()
}

fn text(loaded: &Loaded, found: &Latencies, procs: &[ProcStats], top: Top, paint: Paint) -> String {
    let mut page = Page::new(&loaded.head, paint);
    if found.all.count == 0 {
        page.line("No goroutine waited for a proc.");
    } else {
        latencies_text(&mut page, loaded, found, top);
    }
    if !procs.is_empty() {
        page.heading("What procs did");
        page.table(&procs_table(loaded, procs));
    }
    page.finish()
}

fn latencies_text(page: &mut Page, loaded: &Loaded, found: &Latencies, top: Top) {
    page.line(&format!(
        "Goroutines waited for a proc {}, {} in all",
        units::counted(found.all.count, "time", "times"),
        nanos(found.all.total)
    ));
    page.line("");
    page.histogram(&found.histogram, "wait");

    page.heading("By what made the goroutine ready");
    let mut table = Table::default();
    let heading = |first: &str| {
        let mut cells = [const { String::new() }; 9];
        first.clone_into(&mut cells[0]);
        cells[1..].clone_from_slice(&DISTRIBUTION.map(str::to_owned));
        cells
    };
    let row = |name: String, distribution| {
        let mut cells = [const { String::new() }; 9];
        cells[0] = name;
        cells[1..].clone_from_slice(&distribution_cells(distribution));
        cells
    };
    table.row(heading(""));
    for (origin, waits) in &found.by_origin {
        table.row(row(origin_name(loaded, *origin), waits));
    }
    table.row(row("all".to_owned(), &found.all));
    page.table(&table);

    page.heading("By the function that the goroutine began with");
    let mut table = Table::with_text_last(1);
    let mut cells = heading("function");
    cells.rotate_left(1);
    table.row(cells);
    let shown = top.shown(found.by_function.len());
    for (function, waits) in found.by_function.iter().take(shown) {
        let mut cells = row(harmless(&loaded.function(*function)), waits);
        cells.rotate_left(1);
        table.row(cells);
    }
    page.table(&table);
    page.more(top, found.by_function.len(), "functions");

    if !found.worst.is_empty() {
        page.heading("The longest waits, and what ran meanwhile");
    }
    for wait in &found.worst {
        wait_text(page, loaded, wait);
    }
}

fn wait_text(page: &mut Page, loaded: &Loaded, wait: &Wait) {
    const SHOWN: usize = 4;
    let goroutine = loaded.store.goroutine(wait.goroutine);
    let still = if wait.seen.open_end { ", and on" } else { "" };
    page.line(&format!(
        "{} from {} on{still}: goroutine {}, {}; {}",
        nanos(wait.seen.span.nanos()),
        units::duration(loaded.relative(wait.seen.span.start)),
        goroutine.id,
        harmless(&loaded.function(goroutine.function)),
        origin_name(loaded, wait.origin),
    ));
    for (function, ran) in wait.ran_meanwhile.iter().take(SHOWN) {
        let name = harmless(&loaded.function(*function));
        page.line(&format!("    {:>8}  {name}", nanos(*ran)));
    }
    if let Some(more @ 1..) = wait.ran_meanwhile.len().checked_sub(SHOWN) {
        let rest = wait.ran_meanwhile.iter().skip(SHOWN);
        let rest: u64 = rest.map(|(_, nanos)| nanos).sum();
        let others = units::counted(more as u64, "other function", "other functions");
        page.line(&format!("    {:>8}  {others}", nanos(rest)));
    }
    page.line(&format!(
        "    {:>8}  procs idle",
        nanos_or_dash(wait.idle_nanos)
    ));
}

fn procs_table(loaded: &Loaded, procs: &[ProcStats]) -> Table {
    let mut table = Table::default();
    table.row(
        [
            "proc",
            "goroutines ran",
            "in syscalls",
            "scheduling",
            "idle",
            "unknown",
            "runs",
            "migrations",
        ]
        .map(str::to_owned),
    );
    for (at, id) in ids(loaded) {
        let stats = &procs[at];
        let share = |nanos| units::percent(nanos, stats.total);
        table.row([
            id.to_string(),
            share(stats.running),
            share(stats.syscall),
            share(stats.scheduling),
            share(stats.idle),
            share(stats.unknown),
            units::count(stats.runs),
            units::count(stats.migrations),
        ]);
    }
    table
}
