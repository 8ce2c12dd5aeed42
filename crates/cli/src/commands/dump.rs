//! `exectrace dump`: the events as text or JSON, or the records as they stand in the file.

mod events;
mod wire;

use clap::{Args, ValueEnum};
use exectrace_export::filter::{Criteria, Grep, KindFilter, TimeBound};
use exectrace_reader::{GoroutineId, ProcId, ThreadId};

use crate::{
    args::{Global, TraceArgs},
    error::{Failure, Outcome},
    output::{Pipelined, STDOUT},
    progress::Progress,
};

/// Print the events of a trace, all or some
#[derive(Debug, Args)]
#[command(after_help = "\
Times are relative to the first event (1.5s, 200ms, 1m30s), nanoseconds on the trace's own clock
(2029860738368, as in Time=), or wall clock times (2026-11-22T00:43:01.5Z).

Examples:
  exectrace dump trace.out | less
  exectrace dump trace.out --from 1.5s --to 1.6s --goroutine 17
  exectrace dump trace.out --kind 'Goroutine:Running->Waiting' --grep 'sync\\.\\(\\*Mutex\\)'
  exectrace dump trace.out --format json --wall | jq -c 'select(.kind == \"Log\")'
  exectrace dump trace.out --format wire --lossless > trace.txt

The output of the formats `parsed` and `wire` is that of `go tool trace -d` of Go 1.27 in UTC.
The exit status is 1 if the trace is damaged: the output then has the events before the damage.")]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    trace: TraceArgs,
    /// The form of the output
    #[arg(long, short, value_name = "FORM", default_value = "parsed")]
    format: Format,
    /// Add a field with the wall clock time (format json)
    #[arg(long)]
    wall: bool,
    /// Add what `exectrace assemble` needs to make the same bytes again (format wire)
    #[arg(long)]
    lossless: bool,
    #[command(flatten, next_help_heading = "Filters (formats parsed and json)")]
    filters: Filters,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Ordered events, as `go tool trace -d=parsed` prints them
    Parsed,
    /// Ordered events, a JSON object a line
    Json,
    /// The records as they stand in the file, as `go tool trace -d=wire` prints them
    Wire,
}

/// Which events to print. All criteria must hold; of several values of one, any will do.
#[derive(Debug, Args)]
struct Filters {
    /// The earliest time, included
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<TimeBound>,
    /// The latest time, excluded
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<TimeBound>,
    /// Events on these goroutines or about them
    #[arg(long, short, value_name = "ID", value_delimiter = ',', value_parser = id::<GoroutineId>)]
    goroutine: Vec<GoroutineId>,
    /// Events on these procs or about them
    #[arg(long, short, value_name = "ID", value_delimiter = ',', value_parser = id::<ProcId>)]
    proc: Vec<ProcId>,
    /// Events on these threads
    #[arg(long, short, value_name = "ID", value_delimiter = ',', value_parser = id::<ThreadId>)]
    thread: Vec<ThreadId>,
    /// Events of these kinds: a kind (StateTransition, Log), an event of the format (GoBlock) or a
    /// transition (`Goroutine:Running->Waiting`, `Proc:*->Idle`)
    #[arg(long, short, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<KindFilter>,
    /// Events with a text that matches this regular expression: a function or file of a stack, a
    /// reason, name, label or message
    #[arg(long, short = 'e', value_name = "PATTERN", allow_hyphen_values = true)]
    grep: Option<Grep>,
}

fn id<T: From<u64>>(text: &str) -> Result<T, std::num::ParseIntError> {
    text.parse::<u64>().map(T::from)
}

impl Filters {
    /// `None` if everything is to be printed.
    fn criteria(&self) -> Option<Criteria> {
        let none = self.from.is_none()
            && self.to.is_none()
            && self.goroutine.is_empty()
            && self.proc.is_empty()
            && self.thread.is_empty()
            && self.kind.is_empty()
            && self.grep.is_none();
        (!none).then(|| Criteria {
            from: self.from,
            to: self.to,
            goroutines: self.goroutine.clone(),
            procs: self.proc.clone(),
            threads: self.thread.clone(),
            kinds: self.kind.clone(),
            grep: self.grep.clone(),
        })
    }
}

pub(crate) fn run(args: &DumpArgs, global: &Global) -> Result<Outcome, Failure> {
    check(args)?;
    let name = args.trace.source.to_string();
    let input = super::open(&args.trace, global)?;
    // On one terminal, events and a progress line would get in each other's way.
    let show_progress = !global.quiet && !std::io::IsTerminal::is_terminal(&std::io::stdout());
    let progress = Progress::start(show_progress, "reading", input.stored.clone(), input.total);
    let mut out = Pipelined::stdout()?;
    let result = match args.format {
        Format::Wire => wire::dump(&name, input, args.lossless, &mut out),
        Format::Parsed | Format::Json => events::dump(&name, input, args, global, &mut out),
    };
    // What could be read is printed before what could not be is complained about.
    let written = out.finish().map_err(|error| Failure::output(STDOUT, error));
    drop(progress);
    let outcome = result?;
    written?;
    Ok(outcome)
}

fn check(args: &DumpArgs) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    let wire = args.format == Format::Wire;
    if wire && args.filters.criteria().is_some() {
        return usage("filters select ordered events; --format wire prints records in file order");
    }
    if wire && args.trace.salvage {
        return usage("--format wire prints all records up to damage; it has nothing to salvage");
    }
    if args.lossless && !wire {
        return usage("--lossless needs --format wire");
    }
    if args.wall && args.format != Format::Json {
        return usage("--wall needs --format json");
    }
    Ok(())
}
