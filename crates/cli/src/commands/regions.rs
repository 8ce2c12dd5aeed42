//! `exectrace regions`: how long user regions take, and what goroutines do meanwhile.

use core::cmp::Reverse;

use clap::Args;
use exectrace_analysis::{
    FrameIx, Measure, RegionGroup, RegionStats, Spells, call_site, region_groups, regions,
};
use serde::Serialize;

use crate::{
    analysis::{
        self, AnalysisArgs, DISTRIBUTION_FIELDS, FormArgs, Head, Loaded, Nanoseconds,
        csv::Csv,
        distribution_fields,
        durations::{COLUMNS, LengthArgs, SHARES, cells, shares},
        nanos,
        page::{Page, Top},
        times::{Time, times},
    },
    args::Global,
    error::{Failure, Outcome},
    output,
    terminal::{Paint, Table, harmless},
    units,
};

/// Show how long user regions (runtime/trace.WithRegion) take, and what goroutines do meanwhile
#[derive(Debug, Args)]
#[command(after_help = "\
Regions are grouped by type and by the place in the code where they begin. Durations are those of
regions whose beginning and end are in the trace; others count as open. Of single regions (--each),
open ones are shown as far as they are seen.

Examples:
  exectrace regions trace.out
  exectrace regions trace.out --name parse --histogram
  exectrace regions trace.out --each --min 10ms
  exectrace regions trace.out --each --csv > regions.csv

The exit status is 1 if the trace is damaged: the output then has what was read before the damage.")]
pub(crate) struct RegionsArgs {
    #[command(flatten)]
    form: FormArgs,
    /// List regions, not groups; the longest first
    #[arg(long)]
    each: bool,
    /// Show how many regions of each group took how long
    #[arg(long, conflicts_with = "each")]
    histogram: bool,
    /// Only regions whose type contains this
    #[arg(long, short, value_name = "TEXT")]
    name: Vec<String>,
    #[command(flatten)]
    length: LengthArgs,
    /// How many lines a list has at most; 0 for all. JSON and CSV have all
    #[arg(long, value_name = "N", default_value = "30")]
    top: Top,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: &'a Head,
    #[serde(flatten)]
    rows: Rows,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Rows {
    Groups(Vec<GroupRow>),
    Regions(Vec<RegionRow>),
}

#[derive(Debug, Serialize)]
struct GroupRow {
    name: String,
    /// Function and line; `null` if the place is not known.
    site: Option<String>,
    durations: Nanoseconds,
    open: u64,
    times: Vec<Time>,
}

#[derive(Debug, Serialize)]
struct RegionRow {
    name: String,
    site: Option<String>,
    goroutine: u64,
    /// `null` for the background task.
    task: Option<u64>,
    /// `null` if it began before the trace.
    start_ns: Option<i64>,
    /// `null` if it did not end.
    end_ns: Option<i64>,
    nanos: u64,
    times: Vec<Time>,
}

pub(crate) fn run(args: &RegionsArgs, global: &Global) -> Result<Outcome, Failure> {
    let loaded = analysis::load(&args.analysis, global)?;
    let named = |stats: &RegionStats| {
        let name = loaded.text(loaded.store.region(stats.region).name);
        args.name.is_empty() || args.name.iter().any(|text| name.contains(text))
    };
    let mut found: Vec<RegionStats> = regions(&loaded.store, &loaded.selection)
        .filter(|stats| named(stats) && args.length.fits(stats.seen))
        .collect();
    found.sort_by_key(|stats| Reverse(stats.seen.span.nanos()));
    let groups = region_groups(&loaded.store, &found);
    if args.form.json || args.form.csv {
        let rows = if args.each {
            Rows::Regions(
                found
                    .iter()
                    .map(|stats| region_row(&loaded, stats))
                    .collect(),
            )
        } else {
            Rows::Groups(
                groups
                    .iter()
                    .map(|group| group_row(&loaded, group))
                    .collect(),
            )
        };
        if args.form.csv {
            output::print(&csv(&rows, &groups))?;
        } else {
            let head = &loaded.head;
            analysis::print_json(&Report { head, rows })?;
        }
    } else {
        let mut page = Page::new(&loaded.head, Paint::for_stdout(global.color));
        if found.is_empty() {
            page.line(match loaded.store.regions() {
                [] => "No regions. Programs make them with runtime/trace.WithRegion.",
                _ => "No such region.",
            });
        } else if args.each {
            each_text(&mut page, &loaded, &found, args.top);
        } else {
            groups_text(&mut page, &loaded, &groups, args);
        }
        output::print(&page.finish())?;
    }
    Ok(loaded.outcome())
}

/// The place of a frame for people: function and line.
fn site(loaded: &Loaded, frame: Option<FrameIx>) -> Option<String> {
    let frame = loaded.store.symbols().frame(frame?);
    let function = loaded.text(frame.function);
    let file = loaded.text(frame.file);
    let file = file.rsplit('/').next().unwrap_or_default();
    Some(format!("{function} {file}:{}", frame.line))
}

/// What goroutines did in all regions of a group.
fn sums(group: &RegionGroup) -> impl Iterator<Item = (Measure, Spells)> + use<'_> {
    let times = group.times.iter();
    times.map(|(measure, times)| (*measure, times.spells))
}

fn group_row(loaded: &Loaded, group: &RegionGroup) -> GroupRow {
    GroupRow {
        name: loaded.text(group.name),
        site: site(loaded, group.site),
        durations: group.durations.into(),
        open: group.open,
        times: times(loaded, sums(group)),
    }
}

fn region_row(loaded: &Loaded, stats: &RegionStats) -> RegionRow {
    let region = loaded.store.region(stats.region);
    RegionRow {
        name: loaded.text(region.name),
        site: site(loaded, call_site(&loaded.store, region.begin_stack)),
        goroutine: loaded.store.goroutine(region.goroutine).id.0,
        task: region.task.map(|task| loaded.store.task(task).id.0),
        start_ns: region.start.map(|time| loaded.relative(time)),
        end_ns: region.end.map(|time| loaded.relative(time)),
        nanos: stats.seen.span.nanos(),
        times: times(loaded, stats.times.iter().copied()),
    }
}

fn csv(rows: &Rows, groups: &[RegionGroup]) -> String {
    let optional = |number: Option<i64>| number.map_or_else(String::new, |n| n.to_string());
    match rows {
        Rows::Groups(rows) => {
            let heading = ["name", "site", "open"];
            let mut csv = Csv::new(heading.into_iter().chain(DISTRIBUTION_FIELDS));
            for (row, group) in rows.iter().zip(groups) {
                let cells = [
                    row.name.clone(),
                    row.site.clone().unwrap_or_default(),
                    row.open.to_string(),
                ];
                csv.line(
                    cells
                        .into_iter()
                        .chain(distribution_fields(&group.durations)),
                );
            }
            csv.finish()
        }
        Rows::Regions(rows) => {
            let mut csv = Csv::new([
                "name",
                "site",
                "goroutine",
                "task",
                "start_ns",
                "end_ns",
                "nanos",
                "what",
                "reason",
                "spells",
                "total_ns",
                "longest_ns",
            ]);
            for row in rows {
                for time in &row.times {
                    let cells = [
                        row.name.clone(),
                        row.site.clone().unwrap_or_default(),
                        row.goroutine.to_string(),
                        row.task.map_or_else(String::new, |task| task.to_string()),
                        optional(row.start_ns),
                        optional(row.end_ns),
                        row.nanos.to_string(),
                    ];
                    csv.line(cells.into_iter().chain(time.fields()));
                }
            }
            csv.finish()
        }
    }
}

fn groups_text(page: &mut Page, loaded: &Loaded, groups: &[RegionGroup], args: &RegionsArgs) {
    let shown = &groups[..args.top.shown(groups.len())];
    if args.histogram {
        for (at, group) in shown.iter().enumerate() {
            if at > 0 {
                page.line("");
            }
            let name = harmless(&loaded.text(group.name));
            let place = site(loaded, group.site).unwrap_or_default();
            let count = units::counted(group.durations.count, "region", "regions");
            let title = page.paint.strong(&name);
            page.line(&format!("{title} {}: {count}", harmless(&place)));
            page.line("");
            page.histogram(&group.histogram, "duration");
        }
    } else {
        let mut table = Table::with_text_last(2);
        let mut heading = [const { String::new() }; 14];
        let names = COLUMNS
            .iter()
            .chain(&SHARES)
            .chain(&["region", "begins at"]);
        for (cell, name) in heading.iter_mut().zip(names) {
            (*name).clone_into(cell);
        }
        table.row(heading);
        for group in shown {
            let mut row = [const { String::new() }; 14];
            row[..8].clone_from_slice(&cells(&group.durations, group.open));
            row[8..12].clone_from_slice(&shares(sums(group)));
            row[12] = harmless(&loaded.text(group.name));
            row[13] = site(loaded, group.site).map_or_else(|| "–".to_owned(), |s| harmless(&s));
            table.row(row);
        }
        page.table(&table);
    }
    page.more(args.top, groups.len(), "groups");
    if !args.histogram {
        page.next(
            "--histogram",
            "shows how durations are distributed, --each single regions",
        );
    }
}

fn each_text(page: &mut Page, loaded: &Loaded, found: &[RegionStats], top: Top) {
    page.line(&units::counted(found.len() as u64, "region", "regions"));
    page.line("");
    let mut table = Table::with_text_last(1);
    table.row(
        [
            "duration",
            "begin",
            "end",
            SHARES[0],
            SHARES[1],
            SHARES[2],
            SHARES[3],
            "goroutine",
            "task",
            "region",
        ]
        .map(str::to_owned),
    );
    for stats in &found[..top.shown(found.len())] {
        let region = loaded.store.region(stats.region);
        let at = |time: Option<_>, none: &str| match time {
            Some(time) => units::duration(loaded.relative(time)),
            None => none.to_owned(),
        };
        let [ran, wait, blocked, syscall] = shares(stats.times.iter().copied());
        table.row([
            nanos(stats.seen.span.nanos()),
            at(region.start, "before"),
            at(region.end, "–"),
            ran,
            wait,
            blocked,
            syscall,
            loaded.store.goroutine(region.goroutine).id.to_string(),
            match region.task {
                Some(task) => loaded.store.task(task).id.to_string(),
                None => "–".to_owned(),
            },
            harmless(&loaded.text(region.name)),
        ]);
    }
    page.table(&table);
    page.more(top, found.len(), "regions");
}
