//! `exectrace flame`: where goroutines spent their time, as a flame graph.

mod speedscope;
mod svg;

use clap::{Args, ValueEnum};
use exectrace_analysis::{fold, to_folded_text};

use super::{pprof::ProfileArgs, salvage};
use crate::{
    analysis::{self, AnalysisArgs},
    args::Global,
    error::{Failure, Outcome},
    output,
};

/// Write where goroutines spent their time as a flame graph
#[derive(Debug, Args)]
#[command(after_help = "\
The kinds are those of `exectrace pprof`. Weights are nanoseconds, or for --kind cpu samples. Labels
become frames above the leaf.

Examples:
  exectrace flame trace.out --kind offcpu > offcpu.svg
  exectrace flame trace.out --kind wall --label state --format speedscope > wall.speedscope.json
  exectrace flame trace.out --kind block --format folded | sort -t' ' -k2 -n | tail

The exit status is 1 if the trace is damaged: the graph then has what was read before the damage.")]
pub(crate) struct FlameArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    /// The form of the output
    #[arg(long, short, value_name = "FORM", default_value = "svg")]
    format: Format,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A picture for browsers; it needs nothing else
    Svg,
    /// A line a stack: frames, root first, with semicolons between them, and the weight
    Folded,
    /// A file for speedscope (speedscope.app)
    Speedscope,
}

pub(crate) fn run(args: &FlameArgs, global: &Global) -> Result<Outcome, Failure> {
    let loaded = analysis::load(&args.analysis, global)?;
    salvage::remark_problems(&loaded, global);
    let profile = args.profile.profile(&loaded);
    let folded = fold(&loaded.store, &profile);
    let title = format!("{} of {}", args.profile.name(), loaded.head.file());
    match args.format {
        Format::Folded => output::print(&to_folded_text(&folded))?,
        Format::Speedscope => {
            let json = speedscope::json(&title, profile.kind, &folded);
            output::print(&json)?;
        }
        Format::Svg => output::print(&svg::render(&title, profile.kind, &folded))?,
    }
    Ok(loaded.outcome())
}
