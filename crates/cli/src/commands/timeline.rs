//! `exectrace timeline`: what happens to goroutines, one thing after the other.

use clap::Args;
use exectrace_analysis::{
    Cause, GoroutineIx, Interval, Moment, Origin, PlaceIx, RangeKind, State, timeline,
};
use exectrace_reader::Time;

use crate::{
    analysis::{
        self, AnalysisArgs, Loaded, nanos,
        page::{Page, Top},
    },
    args::Global,
    error::{Failure, Outcome},
    output,
    terminal::{Paint, Table, harmless},
    units,
};

/// Show what happens to goroutines, one thing after the other
#[derive(Debug, Args)]
#[command(after_help = "\
States with their durations, regions, stops of the world and mark assists, logs, labels and CPU samples.
Name the goroutines with --goroutine or --function; `exectrace dump` prints all events of a trace.

Examples:
  exectrace timeline trace.out --goroutine 17
  exectrace timeline trace.out --goroutine 17,23 --from 1.5s --to 1.6s --top 0

The exit status is 1 if the trace is damaged: the output then has what was read before the damage.")]
pub(crate) struct TimelineArgs {
    /// How many lines to print at most; 0 for all
    #[arg(long, value_name = "N", default_value = "200")]
    top: Top,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

pub(crate) fn run(args: &TimelineArgs, global: &Global) -> Result<Outcome, Failure> {
    let restrictions = &args.analysis.restrictions;
    if restrictions.goroutine.is_empty() && restrictions.function.is_empty() {
        return Err(Failure::Usage(
            "whose timeline? Name goroutines with --goroutine or --function; `exectrace dump` prints \
             all events"
                .to_owned(),
        ));
    }
    let loaded = analysis::load(&args.analysis, global)?;
    let moments = timeline(&loaded.store, &loaded.selection);
    let mut page = Page::new(&loaded.head, Paint::for_stdout(global.color));
    if moments.is_empty() {
        page.line("No such goroutine.");
    } else {
        page.table(&table(&loaded, &moments[..args.top.shown(moments.len())]));
        page.more(args.top, moments.len(), "moments");
    }
    output::print(&page.finish())?;
    Ok(loaded.outcome())
}

fn table(loaded: &Loaded, moments: &[(Time, GoroutineIx, Moment)]) -> Table {
    let mut table = Table::with_text_last(1);
    table.row(["at (ns)", "goroutine", "for", "what"].map(str::to_owned));
    for (time, goroutine, moment) in moments {
        let lasts = match moment {
            Moment::State(interval) => nanos(interval.seen.span.nanos()),
            _ => String::new(),
        };
        table.row([
            grouped(loaded.relative(*time)),
            loaded.store.goroutine(*goroutine).id.to_string(),
            lasts,
            harmless(&describe(loaded, moment)),
        ]);
    }
    table
}

/// Nanoseconds to the last digit: what happens close together must be told apart.
fn grouped(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    format!("{sign}{}", units::count(nanos.unsigned_abs()))
}

fn describe(loaded: &Loaded, moment: &Moment) -> String {
    let region = |at| loaded.text(loaded.store.region(at).name);
    let range = |at| match loaded.store.range(at).kind {
        RangeKind::GcConcurrentMark => "GC mark".to_owned(),
        RangeKind::GcIncrementalSweep => "GC sweep".to_owned(),
        RangeKind::GcMarkAssist => "GC assist".to_owned(),
        RangeKind::StopTheWorld(reason) => format!("stop-the-world ({})", loaded.text(reason)),
    };
    match moment {
        Moment::State(interval) => state(loaded, interval),
        Moment::End => "ends".to_owned(),
        Moment::RegionBegin(at) => format!("region {} begins", region(*at)),
        Moment::RegionEnd(at) => format!("region {} ends", region(*at)),
        Moment::RangeBegin(at) => format!("{} begins", range(*at)),
        Moment::RangeEnd(at) => format!("{} ends", range(*at)),
        Moment::Log(log) => {
            format!(
                "log [{}]: {}",
                loaded.text(log.category),
                loaded.text(log.message)
            )
        }
        Moment::Label(label) => format!("label {}", loaded.text(*label)),
        Moment::Sample(stack) => format!("CPU sample at {}", loaded.short_stack(*stack)),
    }
}

fn state(loaded: &Loaded, interval: &Interval) -> String {
    let other = match interval.cause {
        Cause::Goroutine(other) => {
            let other = loaded.store.goroutine(other);
            let name = loaded.function(other.function);
            Some(format!("goroutine {} ({name})", other.id))
        }
        Cause::Place(_) => None,
    };
    let at = || match interval.stack {
        Some(_) => format!(" at {}", loaded.short_stack(interval.stack)),
        None => String::new(),
    };
    let reason = loaded.text(interval.reason);
    match interval.state {
        State::Running => match interval.cause {
            Cause::Place(place) => format!("running{}", place_name(loaded, place)),
            Cause::Goroutine(_) => "running".to_owned(),
        },
        State::Runnable => match (Origin::of(interval), other) {
            (Origin::Created, Some(other)) => format!("created by {other}{}", at()),
            (Origin::Created, None) => "created".to_owned(),
            (Origin::Woken, Some(other)) => format!("woken by {other}{}", at()),
            (Origin::Woken, None) => "woken by the runtime".to_owned(),
            (Origin::Stopped(_), _) => format!("stopped ({reason}){}", at()),
            (Origin::Syscall, _) => "back from the system call, waits for a proc".to_owned(),
            (Origin::Unknown, _) => "ready to run".to_owned(),
        },
        State::Waiting if reason.is_empty() => format!("blocked{}", at()),
        State::Waiting => format!("blocked ({reason}){}", at()),
        State::Syscall => format!("system call{}", at()),
        State::SyscallWithoutProc => "system call, without a proc".to_owned(),
        State::Unknown => "unknown: that part of the trace is lost".to_owned(),
    }
}

fn place_name(loaded: &Loaded, place: PlaceIx) -> String {
    let place = loaded.store.place(place);
    let proc = place.proc.map(|proc| loaded.store.proc_id(proc));
    let thread = place.thread.map(|thread| loaded.store.thread_id(thread));
    match (proc, thread) {
        (Some(proc), Some(thread)) => format!(" on proc {proc}, thread {thread}"),
        (Some(proc), None) => format!(" on proc {proc}"),
        (None, Some(thread)) => format!(" on thread {thread}"),
        (None, None) => String::new(),
    }
}
