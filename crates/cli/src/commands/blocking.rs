//! `exectrace blocking`: where goroutines block, for how long, and who wakes them.

use clap::Args;
use exectrace_analysis::{Blocking, blocking};
use serde::Serialize;

use crate::{
    analysis::{
        self, AnalysisArgs, DISTRIBUTION_FIELDS, FormArgs, Head, Loaded, Nanoseconds,
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

/// Show where goroutines block, for how long, and who wakes them
#[derive(Debug, Args)]
#[command(after_help = "\
Blocking is grouped by reason and stack. What had not ended when the trace did counts up to there,
and is listed as open. With --stacks, whole stacks and all wakers are shown.

Examples:
  exectrace blocking trace.out
  exectrace blocking trace.out --reason sync --stacks --top 3
  exectrace blocking trace.out --function '=main.worker' --csv

The exit status is 1 if the trace is damaged: the output then has what was read before the damage.")]
pub(crate) struct BlockingArgs {
    #[command(flatten)]
    form: FormArgs,
    /// Only blocking with a reason that contains this
    #[arg(long, short, value_name = "TEXT")]
    reason: Vec<String>,
    /// Show whole stacks and all wakers
    #[arg(long)]
    stacks: bool,
    /// How many places to list at most; 0 for all. JSON and CSV have all
    #[arg(long, value_name = "N", default_value = "20")]
    top: Top,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: &'a Head,
    places: Vec<Place>,
}

#[derive(Debug, Serialize)]
struct Place {
    /// Empty if the goroutines were blocked when the trace began.
    reason: String,
    durations: Nanoseconds,
    open: u64,
    goroutines: u64,
    /// Leaf first.
    stack: Vec<String>,
    wakers: Vec<Waker>,
}

#[derive(Debug, Serialize)]
struct Waker {
    function: String,
    count: u64,
}

pub(crate) fn run(args: &BlockingArgs, global: &Global) -> Result<Outcome, Failure> {
    let loaded = analysis::load(&args.analysis, global)?;
    let mut places = blocking(&loaded.store, &loaded.selection);
    places.retain(|place| {
        let reason = loaded.text(place.reason);
        args.reason.is_empty() || args.reason.iter().any(|text| reason.contains(text))
    });
    if args.form.json {
        analysis::print_json(&report(&loaded, &places))?;
    } else if args.form.csv {
        output::print(&csv(&loaded, &places))?;
    } else {
        let paint = Paint::for_stdout(global.color);
        output::print(&text(&loaded, &places, args, paint))?;
    }
    Ok(loaded.outcome())
}

fn report<'a>(loaded: &'a Loaded, places: &[Blocking]) -> Report<'a> {
    let place = |place: &Blocking| Place {
        reason: loaded.text(place.reason),
        durations: place.durations.into(),
        open: place.open,
        goroutines: place.goroutines,
        stack: place
            .stack
            .map_or_else(Vec::new, |stack| loaded.stack_lines(stack)),
        wakers: place
            .wakers
            .iter()
            .map(|(waker, count)| Waker {
                function: loaded.waker(*waker),
                count: *count,
            })
            .collect(),
    };
    Report {
        head: &loaded.head,
        places: places.iter().map(place).collect(),
    }
}

fn csv(loaded: &Loaded, places: &[Blocking]) -> String {
    let heading = ["reason", "open", "goroutines", "woken_by", "stack"];
    let mut csv = Csv::new(heading.into_iter().chain(DISTRIBUTION_FIELDS));
    for place in places {
        let waker = place.wakers.first();
        let cells = [
            loaded.text(place.reason),
            place.open.to_string(),
            place.goroutines.to_string(),
            waker.map_or_else(String::new, |(waker, _)| loaded.waker(*waker)),
            loaded.stack_functions(place.stack).join(";"),
        ];
        csv.line(
            cells
                .into_iter()
                .chain(distribution_fields(&place.durations)),
        );
    }
    csv.finish()
}

/// A reason for people. There is none for what began before the trace, nor for coroutines.
fn reason_name(loaded: &Loaded, place: &Blocking) -> String {
    match loaded.text(place.reason) {
        reason if reason.is_empty() => "(none recorded)".to_owned(),
        reason => harmless(&reason),
    }
}

fn text(loaded: &Loaded, places: &[Blocking], args: &BlockingArgs, paint: Paint) -> String {
    let mut page = Page::new(&loaded.head, paint);
    let all = places.iter().map(|place| place.durations.total);
    let all: u64 = all.fold(0, u64::saturating_add);
    let count: u64 = places.iter().map(|place| place.durations.count).sum();
    if count == 0 {
        page.line("No goroutine was blocked.");
        return page.finish();
    }
    page.line(&format!(
        "Goroutines were blocked {}, {} in all",
        units::counted(count, "time", "times"),
        nanos(all)
    ));
    page.line("");
    let shown = &places[..args.top.shown(places.len())];
    if args.stacks {
        for place in shown {
            in_full(&mut page, loaded, place, all);
        }
    } else {
        let mut table = Table::with_text_last(3);
        table.row(
            [
                "total",
                "of all",
                "count",
                "open",
                "mean",
                "p50",
                "p95",
                "p99",
                "max",
                "reason",
                "most woken by",
                "where",
            ]
            .map(str::to_owned),
        );
        for place in shown {
            let durations = &place.durations;
            let waker = place.wakers.first();
            table.row([
                nanos(durations.total),
                units::percent(durations.total, all),
                units::count(durations.count),
                units::count(place.open),
                nanos(durations.mean()),
                nanos(durations.p50),
                nanos(durations.p95),
                nanos(durations.p99),
                nanos(durations.max),
                reason_name(loaded, place),
                waker.map_or_else(
                    || "–".to_owned(),
                    |(waker, _)| harmless(&loaded.waker(*waker)),
                ),
                loaded.short_stack(place.stack),
            ]);
        }
        page.table(&table);
    }
    page.more(args.top, places.len(), "places");
    if !args.stacks {
        page.next("--stacks", "shows whole stacks and all wakers");
    }
    page.finish()
}

fn in_full(page: &mut Page, loaded: &Loaded, place: &Blocking, all: u64) {
    let durations = &place.durations;
    page.line(&format!(
        "{}: {} ({} of all), {} by {}, {} open",
        page.paint.strong(&reason_name(loaded, place)),
        nanos(durations.total),
        units::percent(durations.total, all),
        units::counted(durations.count, "time", "times"),
        units::counted(place.goroutines, "goroutine", "goroutines"),
        units::count(place.open),
    ));
    page.line(&format!(
        "    mean {}, p50 {}, p95 {}, p99 {}, max {}",
        nanos(durations.mean()),
        nanos(durations.p50),
        nanos(durations.p95),
        nanos(durations.p99),
        nanos(durations.max),
    ));
    for (waker, count) in &place.wakers {
        let name = harmless(&loaded.waker(*waker));
        let times = units::counted(*count, "time", "times");
        page.line(&format!("    woken by {name} {times}"));
    }
    if let Some(stack) = place.stack {
        for line in loaded.stack_lines(stack) {
            page.line(&format!("        {line}"));
        }
    }
    page.line("");
}
