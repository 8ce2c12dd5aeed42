//! `exectrace goroutines`: what goroutines spend their time on.

mod report;
mod text;

use clap::{Args, ValueEnum};
use exectrace_analysis::GoroutineAnalysis;

use self::report::Report;
use crate::{
    analysis::{self, AnalysisArgs, FormArgs, page::Top},
    args::Global,
    error::{Failure, Outcome},
    output,
    terminal::Paint,
};

/// Show what goroutines spend their time on: running, waiting to run, blocked, in system calls
#[derive(Debug, Args)]
#[command(after_help = "\
Without restrictions, goroutines are grouped by the function that they began with. With --function,
each group that fits is shown in full, with --goroutine each goroutine. Times sum exactly to the
lives of the goroutines; what was going on when the trace began or ended counts up to there.

Examples:
  exectrace goroutines trace.out
  exectrace goroutines trace.out --function '=main.worker' --each --sort wait
  exectrace goroutines trace.out --goroutine 17 --from 1.5s --to 1.6s
  exectrace goroutines trace.out --each --csv > goroutines.csv

The exit status is 1 if the trace is damaged: the output then has what was read before the damage.")]
pub(crate) struct GoroutinesArgs {
    #[command(flatten)]
    form: FormArgs,
    /// List goroutines, not groups
    #[arg(long)]
    each: bool,
    /// What to begin with
    #[arg(long, value_name = "KEY", default_value = "execution")]
    sort: SortKey,
    /// How many lines a list has at most; 0 for all. JSON and CSV have all
    #[arg(long, value_name = "N", default_value = "30")]
    top: Top,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

/// What groups and goroutines are sorted by, the largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortKey {
    /// Time running
    Execution,
    /// Time ready to run, waiting for a proc
    Wait,
    /// Time blocked, for whatever reason
    Blocked,
    /// Time in system calls
    Syscall,
    /// Length of life
    Total,
    /// How many goroutines; of single ones, the order of their creation
    Count,
}

pub(crate) fn run(args: &GoroutinesArgs, global: &Global) -> Result<Outcome, Failure> {
    let loaded = analysis::load(&args.analysis, global)?;
    let analysis = GoroutineAnalysis::new(&loaded.store, &loaded.selection);
    let form = &args.form;
    let single = !loaded.selection.goroutines.is_empty();
    if form.csv || form.json {
        let report = Report::new(&loaded, &analysis, args.each || single, args.sort);
        if form.csv {
            output::print(&report.csv())?;
        } else {
            analysis::print_json(&report)?;
        }
    } else {
        let paint = Paint::for_stdout(global.color);
        output::print(&text::render(&loaded, &analysis, args, paint))?;
    }
    Ok(loaded.outcome())
}
