//! The arguments: one definition, from which parsing, help, completions and man pages derive.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args, Parser, Subcommand, ValueHint,
    builder::{OsStringValueParser, TypedValueParser as _},
};

use crate::{
    commands::{
        assemble, blocking, completions, demo, dump, flame, gc, goroutines, info, man, pprof,
        recover, regions, rewrite, sched, stw, tasks, timeline, validate, wakes,
    },
    input::Source,
    terminal::ColorChoice,
};

const EXIT_STATUS: &str = "\
Exit status:
  0  all is well
  1  a trace is damaged or invalid
  2  the command could not do its work: wrong arguments, a file that cannot be read or written";

const EXAMPLES: &str = "\
Examples:
  exectrace info trace.out
  exectrace dump trace.out --goroutine 17 --kind StateTransition
  exectrace goroutines trace.out
  curl -s 'localhost:6060/debug/pprof/trace?seconds=5' | exectrace info -
  exectrace validate *.trace";

/// Opens, checks, analyses and converts Go execution traces.
#[derive(Debug, Parser)]
#[command(
    name = "exectrace",
    version,
    max_term_width = 100,
    after_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"),
    subcommand_required = true,
    arg_required_else_help = true,
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of all commands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Show no progress and no remarks, only results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Info(info::InfoArgs),
    Dump(Box<dump::DumpArgs>),
    Goroutines(goroutines::GoroutinesArgs),
    Sched(sched::SchedArgs),
    Blocking(blocking::BlockingArgs),
    Wakes(wakes::WakesArgs),
    Regions(regions::RegionsArgs),
    Tasks(tasks::TasksArgs),
    Gc(gc::GcArgs),
    Stw(stw::StwArgs),
    Timeline(timeline::TimelineArgs),
    Pprof(pprof::PprofArgs),
    Flame(flame::FlameArgs),
    Assemble(assemble::AssembleArgs),
    Recover(recover::RecoverArgs),
    Rewrite(rewrite::RewriteArgs),
    Validate(validate::ValidateArgs),
    Demo(demo::DemoArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// A trace and how to read it.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The trace: a file, `-` for standard input, or the http:// address of a running program's
    /// /debug/pprof/trace?seconds=N. May be compressed with gzip or zstd
    #[arg(value_name = "FILE", value_parser = source_parser(), value_hint = ValueHint::AnyPath)]
    pub(crate) source: Source,
    /// Read on after damage and keep what is sound; what was lost is reported at the end
    #[arg(long)]
    pub(crate) salvage: bool,
    /// Keep the trace that an http:// address sends in this file
    #[arg(long, short = 'o', value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) record: Option<PathBuf>,
}

/// Parses where a trace is; never fails.
pub(crate) fn source_parser() -> impl clap::builder::TypedValueParser<Value = Source> {
    OsStringValueParser::new().map(|arg: OsString| Source::from_arg(&arg))
}
