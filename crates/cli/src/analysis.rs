//! What the analyses have in common: their arguments, the store that they ask, the head of their
//! outputs.

pub(crate) mod csv;
pub(crate) mod durations;
pub(crate) mod page;
pub(crate) mod times;
mod window;

use clap::Args;
use exectrace_analysis::{
    Distribution, FunctionPattern, Selection, Span, StackIx, Store, StringIx, Waker,
};
use exectrace_export::filter::TimeBound;
use exectrace_reader::{GoroutineId, Options, Reader, Time};
use serde::Serialize;

use crate::{
    args::{Global, TraceArgs},
    commands::{open, salvage},
    error::{Failure, Outcome, is_trouble_on_the_way},
    progress::Progress,
    terminal::{Paint, harmless},
    units,
};

/// What all analyses take.
#[derive(Debug, Args)]
pub(crate) struct AnalysisArgs {
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
    #[command(flatten, next_help_heading = "Restrictions")]
    pub(crate) restrictions: RestrictionArgs,
}

/// The form of the output.
#[derive(Debug, Args)]
pub(crate) struct FormArgs {
    /// Print JSON, which has everything
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// Print comma-separated values with a heading, one fact a line
    #[arg(long)]
    pub(crate) csv: bool,
}

/// What an analysis is restricted to. All must hold; of several values of one, any will do.
#[derive(Debug, Args)]
pub(crate) struct RestrictionArgs {
    /// Only what happens from this time on: after the first event (1.5s), nanoseconds on the trace's
    /// own clock, or a wall clock time (2026-11-22T00:43:01.5Z)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<TimeBound>,
    /// Only what happens before this time. What lasts longer counts as far as it lies between
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<TimeBound>,
    /// Only these goroutines
    #[arg(long, short, value_name = "ID", value_delimiter = ',', value_parser = goroutine_id)]
    pub(crate) goroutine: Vec<GoroutineId>,
    /// Only goroutines that began with a function whose name contains this; with `=` before it, whose
    /// name is this
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Vec<FunctionPattern>,
}

fn goroutine_id(text: &str) -> Result<GoroutineId, std::num::ParseIntError> {
    text.parse::<u64>().map(GoroutineId)
}

/// A trace that was read, and what of it is asked for.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) head: Head,
    pub(crate) store: Store,
    pub(crate) selection: Selection,
}

/// What every output begins with.
#[derive(Debug, Serialize)]
pub(crate) struct Head {
    file: String,
    /// What is wrong with the trace, and what was lost.
    problems: Vec<String>,
    /// The time of the first event on the trace's clock. All other times count from there.
    start_ns: i64,
    duration_ns: u64,
    events: u64,
    /// What the output is restricted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Window {
    from_ns: i64,
    to_ns: i64,
}

/// Reads a trace.
pub(crate) fn load(args: &AnalysisArgs, global: &Global) -> Result<Loaded, Failure> {
    // 1. The events into the store.
    let file = args.trace.source.to_string();
    let input = open(&args.trace, global)?;
    let progress = Progress::start(!global.quiet, "reading", input.stored.clone(), input.total);
    let options = Options::default().salvage(args.trace.salvage);
    let mut reader =
        Reader::overlapped(input.bytes, options).map_err(|error| Failure::trace(&file, error))?;
    let store = Store::read(&mut reader).map_err(|error| Failure::open(&file, error))?;
    drop(progress);

    // 2. What is wrong with it.
    let mut problems = salvage::losses(&reader, &input.cut);
    let error = reader.next_event().err();
    if let Some(error) = error {
        if is_trouble_on_the_way(&error) {
            return Err(Failure::trace(&file, error));
        }
        problems.insert(0, error.to_string());
    }

    // 3. What is asked for.
    let span = store.span();
    let window = window::resolve(&store, args.restrictions.from, args.restrictions.to)?;
    let start = span.map_or(Time(0), |span| span.start);
    let head = Head {
        file,
        problems,
        start_ns: start.nanos(),
        duration_ns: span.map_or(0, Span::nanos),
        events: store.events(),
        window: window.map(|window| Window {
            from_ns: window.start.since(start),
            to_ns: window.end.since(start),
        }),
    };
    let selection = Selection {
        window,
        goroutines: args.restrictions.goroutine.clone(),
        functions: args.restrictions.function.clone(),
    };
    Ok(Loaded {
        head,
        store,
        selection,
    })
}

impl Loaded {
    /// Nanoseconds after the first event.
    pub(crate) fn relative(&self, time: Time) -> i64 {
        time.since(Time(self.head.start_ns))
    }

    /// A function's name.
    pub(crate) fn function(&self, function: Option<StringIx>) -> String {
        match function {
            Some(name) => self.text(name),
            None => "(unknown: no stack was recorded)".to_owned(),
        }
    }

    /// A string of the trace.
    pub(crate) fn text(&self, string: StringIx) -> String {
        self.store.symbols().string(string).to_string()
    }

    /// The function that goroutines began with, as a waker.
    pub(crate) fn waker(&self, waker: Waker) -> String {
        match waker {
            Waker::Goroutine(function) => self.function(function),
            Waker::Runtime => "(runtime: network, timer or scheduler)".to_owned(),
        }
    }

    /// A stack with places in the source, a frame a line, leaf first.
    pub(crate) fn stack_lines(&self, stack: StackIx) -> Vec<String> {
        let symbols = self.store.symbols();
        let frames = symbols.stack(stack).iter();
        frames
            .map(|frame| {
                let frame = symbols.frame(*frame);
                let function = self.text(frame.function);
                let file = self.text(frame.file);
                harmless(&format!("{function} {file}:{}", frame.line))
            })
            .collect()
    }

    /// The functions of a stack, leaf first.
    pub(crate) fn stack_functions(&self, stack: Option<StackIx>) -> Vec<String> {
        let symbols = self.store.symbols();
        let frames = stack.map_or(&[][..], |stack| symbols.stack(stack));
        let functions = frames.iter().map(|frame| symbols.frame(*frame).function);
        functions.map(|function| self.text(function)).collect()
    }

    /// The functions at the leaf of a stack on a line, the runtime's own left out.
    pub(crate) fn short_stack(&self, stack: Option<StackIx>) -> String {
        const SHOWN: usize = 3;
        let all = self.stack_functions(stack);
        let own: Vec<&str> = all
            .iter()
            .map(String::as_str)
            .skip_while(|name| name.starts_with("runtime."))
            .collect();
        let shown = match own.as_slice() {
            [] => all.iter().map(String::as_str).collect(),
            own => own.to_vec(),
        };
        match shown.len() {
            0 => "(no stack was recorded)".to_owned(),
            n if n > SHOWN => harmless(&format!("{} < ...", shown[..SHOWN].join(" < "))),
            _ => harmless(&shown.join(" < ")),
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::with_findings(!self.head.problems.is_empty())
    }
}

impl Head {
    /// The trace's name.
    pub(crate) fn file(&self) -> String {
        harmless(&self.file)
    }

    /// What is wrong with the trace, a line each.
    pub(crate) fn problem_lines(&self, paint: Paint) -> Vec<String> {
        const SHOWN: usize = 5;
        let damaged = paint.bad("damaged");
        let shown = self.problems.iter().take(SHOWN);
        let mut lines: Vec<String> = shown
            .map(|problem| format!("{damaged}: {}", harmless(problem)))
            .collect();
        if let Some(more @ 1..) = self.problems.len().checked_sub(SHOWN) {
            lines.push(format!(
                "{damaged}: {more} more; `exectrace info --salvage --json` has all"
            ));
        }
        lines
    }

    /// The first lines of a text: what this is, what is wrong with it, what is left out.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![format!(
            "{}: {}, {}",
            paint.strong(&self.file()),
            nanos(self.duration_ns),
            units::counted(self.events, "event", "events"),
        )];
        lines.extend(self.problem_lines(paint));
        if let Some(window) = self.window {
            lines.push(format!(
                "only from {} to {}",
                units::duration(window.from_ns),
                units::duration(window.to_ns)
            ));
        }
        lines
    }
}

/// A duration in nanoseconds for people.
pub(crate) fn nanos(nanos: u64) -> String {
    units::duration(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// A duration for people, `–` for none at all: so that what matters stands out in a table.
pub(crate) fn nanos_or_dash(duration: u64) -> String {
    match duration {
        0 => "–".to_owned(),
        duration => nanos(duration),
    }
}

/// A distribution of durations as JSON has it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Nanoseconds {
    count: u64,
    total_ns: u64,
    min_ns: u64,
    mean_ns: u64,
    p50_ns: u64,
    p95_ns: u64,
    p99_ns: u64,
    max_ns: u64,
}

impl From<Distribution> for Nanoseconds {
    fn from(distribution: Distribution) -> Self {
        Self {
            count: distribution.count,
            total_ns: distribution.total,
            min_ns: distribution.min,
            mean_ns: distribution.mean(),
            p50_ns: distribution.p50,
            p95_ns: distribution.p95,
            p99_ns: distribution.p99,
            max_ns: distribution.max,
        }
    }
}

/// The names of the columns that [`distribution_cells`] fills.
pub(crate) const DISTRIBUTION: [&str; 8] =
    ["count", "total", "min", "mean", "p50", "p95", "p99", "max"];

/// A distribution of durations as cells of a table.
pub(crate) fn distribution_cells(distribution: &Distribution) -> [String; 8] {
    [
        units::count(distribution.count),
        nanos(distribution.total),
        nanos(distribution.min),
        nanos(distribution.mean()),
        nanos(distribution.p50),
        nanos(distribution.p95),
        nanos(distribution.p99),
        nanos(distribution.max),
    ]
}

/// The names of the fields that [`distribution_fields`] fills.
pub(crate) const DISTRIBUTION_FIELDS: [&str; 8] = [
    "count", "total_ns", "min_ns", "mean_ns", "p50_ns", "p95_ns", "p99_ns", "max_ns",
];

/// A distribution as fields of comma-separated values.
pub(crate) fn distribution_fields(distribution: &Distribution) -> [String; 8] {
    [
        distribution.count,
        distribution.total,
        distribution.min,
        distribution.mean(),
        distribution.p50,
        distribution.p95,
        distribution.p99,
        distribution.max,
    ]
    .map(|number| number.to_string())
}

/// Prints JSON.
pub(crate) fn print_json(report: &impl Serialize) -> Result<(), Failure> {
    // Strings and numbers only: this cannot fail.
    let mut json = serde_json::to_string_pretty(report).unwrap_or_default();
    json.push('\n');
    crate::output::print(&json)
}
