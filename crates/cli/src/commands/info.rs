//! `exectrace info`: what a trace is and whether it is sound.

mod footprint;
mod ordered;
mod report;
mod tap;
mod text;

use clap::Args;
use exectrace_reader::{Options, Reader};

use self::{
    ordered::Ordered,
    report::{Finding, Origin, Report},
    tap::tap,
    text::Detail,
};
use super::salvage;
use crate::{
    args::{Global, TraceArgs},
    error::{Failure, Outcome, is_trouble_on_the_way},
    input::Source,
    output,
    progress::Progress,
    terminal::Paint,
};

/// Show what a trace is: problems, times, generations, events by type
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  exectrace info trace.out
  exectrace info --footprint trace.out.zst
  exectrace info --json trace.out | jq .duration_ns
  exectrace info -o slow.trace 'http://localhost:6060/debug/pprof/trace?seconds=5'

The exit status is 1 if the trace is damaged.")]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    trace: TraceArgs,
    /// Print JSON, which has everything
    #[arg(long)]
    json: bool,
    /// Add a table of events and bytes by type
    #[arg(long)]
    footprint: bool,
}

impl InfoArgs {
    /// Of a trace, as if nothing else were said.
    pub(crate) fn of(source: Source) -> Self {
        Self {
            trace: TraceArgs {
                source,
                salvage: false,
                record: None,
            },
            json: false,
            footprint: false,
        }
    }
}

pub(crate) fn run(args: &InfoArgs, global: &Global) -> Result<Outcome, Failure> {
    let name = args.trace.source.to_string();
    let input = super::open(&args.trace, global)?;
    let progress = Progress::start(!global.quiet, "reading", input.stored.clone(), input.total);

    // 1. Read the events, while every byte passes by the footprint.
    let (tap, rest) = tap(input.bytes);
    let options = Options::default().salvage(args.trace.salvage);
    let mut reader =
        Reader::overlapped(tap, options).map_err(|error| Failure::trace(&name, error))?;
    let version = reader.version();
    let mut ordered = Ordered::read(&mut reader, args.trace.salvage);
    let mut findings = salvage::losses(&reader, &input.cut);
    drop(reader);

    // 2. Read on where the reader stopped, for the figures of the whole file.
    if let Some(error) = ordered.error.take_if(|error| is_trouble_on_the_way(error)) {
        return Err(Failure::trace(&name, error));
    }
    let (footprint, unreadable) = rest.drain();
    drop(progress);

    // 3. Report.
    findings.extend(ordered.error.iter().map(ToString::to_string));
    findings.extend(unreadable.map(|error| error.to_string()));
    let origin = Origin {
        file: name,
        version,
        compression: input.compression,
        stored_bytes: input.stored.get(),
    };
    let findings = findings.into_iter().map(Finding::error).collect();
    let report = Report::new(origin, &footprint, &ordered, findings);
    output::print(&render(&report, args, global))?;
    Ok(Outcome::with_findings(report.is_damaged()))
}

fn render(report: &Report, args: &InfoArgs, global: &Global) -> String {
    if args.json {
        // Strings and numbers only: this cannot fail.
        let mut json = serde_json::to_string_pretty(report).unwrap_or_default();
        json.push('\n');
        return json;
    }
    let detail = Detail {
        footprint: args.footprint,
        salvaged: args.trace.salvage,
    };
    text::render(report, detail, Paint::for_stdout(global.color))
}
