//! `exectrace wakes`: who wakes whom.

use core::fmt::Write as _;

use clap::Args;
use exectrace_analysis::{Wake, wakes};
use serde::Serialize;

use crate::{
    analysis::{
        self, AnalysisArgs, FormArgs, Head, Loaded, Nanoseconds,
        csv::Csv,
        distribution_fields, nanos,
        page::{Page, Top},
    },
    args::Global,
    error::{Failure, Outcome},
    output,
    terminal::{Paint, Table, harmless},
    units,
};

/// Show who wakes whom, by the functions that goroutines began with
#[derive(Debug, Args)]
#[command(after_help = "\
Restrictions are about the goroutines that are woken. `(runtime)` wakes what waits for the network or
for a timer.

Examples:
  exectrace wakes trace.out
  exectrace wakes trace.out --function '=main.worker' --csv
  exectrace wakes trace.out --dot --top 40 | dot -Tsvg > wakes.svg

The exit status is 1 if the trace is damaged: the output then has what was read before the damage.")]
pub(crate) struct WakesArgs {
    #[command(flatten)]
    form: FormArgs,
    /// Print a graph for Graphviz
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    dot: bool,
    /// How many pairs to list at most; 0 for all. JSON and CSV have all
    #[arg(long, value_name = "N", default_value = "30")]
    top: Top,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: &'a Head,
    wakes: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    waker: String,
    woken: String,
    blocked: Nanoseconds,
    wait: Nanoseconds,
}

pub(crate) fn run(args: &WakesArgs, global: &Global) -> Result<Outcome, Failure> {
    let loaded = analysis::load(&args.analysis, global)?;
    let found = wakes(&loaded.store, &loaded.selection);
    if args.form.json {
        let row = |wake: &Wake| Row {
            waker: loaded.waker(wake.waker),
            woken: loaded.function(wake.woken),
            blocked: wake.blocked.into(),
            wait: wake.wait.into(),
        };
        analysis::print_json(&Report {
            head: &loaded.head,
            wakes: found.iter().map(row).collect(),
        })?;
    } else if args.form.csv {
        output::print(&csv(&loaded, &found))?;
    } else if args.dot {
        super::salvage::remark_problems(&loaded, global);
        output::print(&dot(&loaded, &found, args.top))?;
    } else {
        let paint = Paint::for_stdout(global.color);
        output::print(&text(&loaded, &found, args.top, paint))?;
    }
    Ok(loaded.outcome())
}

fn csv(loaded: &Loaded, found: &[Wake]) -> String {
    let mut csv = Csv::new([
        "waker",
        "woken",
        "count",
        "blocked_total_ns",
        "blocked_mean_ns",
        "blocked_p99_ns",
        "wait_total_ns",
        "wait_mean_ns",
        "wait_p99_ns",
    ]);
    for wake in found {
        let [count, blocked, _, blocked_mean, _, _, blocked_p99, _] =
            distribution_fields(&wake.blocked);
        let [_, wait, _, wait_mean, _, _, wait_p99, _] = distribution_fields(&wake.wait);
        csv.line([
            loaded.waker(wake.waker),
            loaded.function(wake.woken),
            count,
            blocked,
            blocked_mean,
            blocked_p99,
            wait,
            wait_mean,
            wait_p99,
        ]);
    }
    csv.finish()
}

fn dot(loaded: &Loaded, found: &[Wake], top: Top) -> String {
    let quoted = |name: String| {
        let name = harmless(&name);
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    };
    let mut out = "digraph wakes {\n  node [shape=box];\n".to_owned();
    for wake in found.iter().take(top.shown(found.len())) {
        let _ = writeln!(
            out,
            "  {} -> {} [label=\"{}\", weight={}];",
            quoted(loaded.waker(wake.waker)),
            quoted(loaded.function(wake.woken)),
            units::count(wake.blocked.count),
            wake.blocked.count,
        );
    }
    out += "}\n";
    out
}

fn text(loaded: &Loaded, found: &[Wake], top: Top, paint: Paint) -> String {
    let mut page = Page::new(&loaded.head, paint);
    let all: u64 = found.iter().map(|wake| wake.blocked.count).sum();
    if all == 0 {
        page.line("No goroutine was woken.");
        return page.finish();
    }
    page.line(&format!(
        "Goroutines were woken {}",
        units::counted(all, "time", "times")
    ));
    page.line("");
    let mut table = Table::with_text_last(2);
    table.row(
        [
            "count",
            "of all",
            "blocked p50",
            "p99",
            "then waited p50",
            "p99",
            "waker",
            "woken",
        ]
        .map(str::to_owned),
    );
    for wake in found.iter().take(top.shown(found.len())) {
        table.row([
            units::count(wake.blocked.count),
            units::percent(wake.blocked.count, all),
            nanos(wake.blocked.p50),
            nanos(wake.blocked.p99),
            nanos(wake.wait.p50),
            nanos(wake.wait.p99),
            harmless(&loaded.waker(wake.waker)),
            harmless(&loaded.function(wake.woken)),
        ]);
    }
    page.table(&table);
    page.more(top, found.len(), "pairs");
    page.finish()
}
