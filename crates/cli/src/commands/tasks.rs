//! `exectrace tasks`: how long user tasks take, and what happens in them.

mod report;
mod text;

use core::cmp::Reverse;

use clap::Args;
use exectrace_analysis::{TaskAnalysis, TaskStats, task_groups};

use crate::{
    analysis::{
        self, AnalysisArgs, FormArgs, Loaded,
        durations::LengthArgs,
        page::{Page, Top},
    },
    args::Global,
    error::{Failure, Outcome},
    output,
    terminal::Paint,
};

/// Show how long user tasks (runtime/trace.NewTask) take, and what happens in them
#[derive(Debug, Args)]
#[command(after_help = "\
Tasks are grouped by type. Durations are those of tasks whose beginning and end are in the trace; others
count as open. What goroutines did is that of the tasks' regions.

Examples:
  exectrace tasks trace.out
  exectrace tasks trace.out --each --min 10ms --search error
  exectrace tasks trace.out --task 17
  exectrace tasks trace.out --each --csv > tasks.csv

The exit status is 1 if the trace is damaged: the output then has what was read before the damage.")]
pub(crate) struct TasksArgs {
    #[command(flatten)]
    form: FormArgs,
    /// List tasks, not groups; the longest first
    #[arg(long)]
    each: bool,
    /// Show how many tasks of each group took how long
    #[arg(long, conflicts_with = "each")]
    histogram: bool,
    /// Show these tasks event by event
    #[arg(long, short, value_name = "ID", value_delimiter = ',')]
    task: Vec<u64>,
    /// Only tasks whose type contains this
    #[arg(long, short, value_name = "TEXT")]
    name: Vec<String>,
    /// Only tasks with this text in their type, in the types of their regions, or in the categories or
    /// messages of their logs
    #[arg(long, value_name = "TEXT")]
    search: Vec<String>,
    #[command(flatten)]
    length: LengthArgs,
    /// How many lines a list has at most; 0 for all. JSON and CSV have all
    #[arg(long, value_name = "N", default_value = "30")]
    top: Top,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

pub(crate) fn run(args: &TasksArgs, global: &Global) -> Result<Outcome, Failure> {
    let loaded = analysis::load(&args.analysis, global)?;
    let analysis = TaskAnalysis::new(&loaded.store, &loaded.selection);
    let mut found: Vec<TaskStats> = analysis
        .each()
        .filter(|stats| is_wanted(args, &loaded, &analysis, stats))
        .collect();
    found.sort_by_key(|stats| Reverse(stats.seen.span.nanos()));
    let groups = task_groups(&loaded.store, &found);
    if args.form.csv {
        let csv = match args.each || !args.task.is_empty() {
            true => report::tasks_csv(&loaded, &found),
            false => report::groups_csv(&loaded, &groups),
        };
        output::print(&csv)?;
    } else if args.form.json {
        let rows = if !args.task.is_empty() {
            report::with_events(&loaded, &analysis, &found)
        } else if args.each {
            report::tasks(&loaded, &found)
        } else {
            report::groups(&loaded, &groups)
        };
        analysis::print_json(&report::Report::new(&loaded, rows))?;
    } else {
        let mut page = Page::new(&loaded.head, Paint::for_stdout(global.color));
        if found.is_empty() {
            page.line(match loaded.store.tasks() {
                [] => "No tasks. Programs make them with runtime/trace.NewTask.",
                _ => "No such task.",
            });
        } else if !args.task.is_empty() {
            text::in_full(&mut page, &loaded, &analysis, &found);
        } else if args.each {
            text::each(&mut page, &loaded, &found, args.top);
        } else if args.histogram {
            text::histograms(&mut page, &loaded, &groups, args.top);
        } else {
            text::groups(&mut page, &loaded, &groups, args.top);
        }
        output::print(&page.finish())?;
    }
    Ok(loaded.outcome())
}

fn is_wanted(
    args: &TasksArgs,
    loaded: &Loaded,
    analysis: &TaskAnalysis<'_>,
    stats: &TaskStats,
) -> bool {
    let row = loaded.store.task(stats.task);
    let kind = loaded.text(row.kind);
    let has = |text: &String| {
        let region_has = || {
            let mut regions = analysis.regions(stats.task).iter();
            regions.any(|stats| {
                let name = loaded.store.region(stats.region).name;
                loaded.text(name).contains(text)
            })
        };
        let log_has = || {
            let mut logs = analysis.logs(stats.task).iter();
            logs.any(|log| {
                loaded.text(log.category).contains(text) || loaded.text(log.message).contains(text)
            })
        };
        kind.contains(text) || region_has() || log_has()
    };
    (args.task.is_empty() || args.task.contains(&row.id.0))
        && (args.name.is_empty() || args.name.iter().any(|text| kind.contains(text)))
        && (args.search.is_empty() || args.search.iter().any(has))
        && args.length.fits(stats.seen)
}
