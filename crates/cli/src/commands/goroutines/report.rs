//! The report as data.

use core::cmp::Reverse;

use exectrace_analysis::{
    Distribution, GoroutineAnalysis, GoroutineStats, Group, GroupTimes, Measure,
};
use serde::Serialize;

use super::SortKey;
use crate::analysis::{
    DISTRIBUTION_FIELDS, Head, Loaded, Nanoseconds,
    csv::Csv,
    distribution_fields,
    times::{Time, What, measured, ranged, times},
};

/// Groups, or goroutines.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    #[serde(flatten)]
    head: &'a Head,
    #[serde(flatten)]
    rows: Rows,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Rows {
    Groups(Vec<GroupRow>),
    Goroutines(Vec<GoroutineRow>),
}

#[derive(Debug, Serialize)]
struct GroupRow {
    /// `null` if no stack of the goroutines was recorded.
    function: Option<String>,
    goroutines: u64,
    lives: Nanoseconds,
    times: Vec<GroupTime>,
    ranges: Vec<GroupTime>,
}

#[derive(Debug, Serialize)]
struct GroupTime {
    #[serde(flatten)]
    what: What,
    spells: u64,
    longest_ns: u64,
    per_goroutine: Nanoseconds,
    #[serde(skip)]
    distribution: Distribution,
}

#[derive(Debug, Serialize)]
struct GoroutineRow {
    id: u64,
    function: Option<String>,
    /// `null` if it existed before the trace.
    start_ns: Option<i64>,
    /// `null` if it went on after the trace.
    end_ns: Option<i64>,
    /// `null` if it never ran.
    first_run_ns: Option<i64>,
    creator: Option<u64>,
    life_ns: u64,
    times: Vec<Time>,
    ranges: Vec<Time>,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        loaded: &'a Loaded,
        analysis: &GoroutineAnalysis<'_>,
        each: bool,
        sort: SortKey,
    ) -> Self {
        let rows = if each {
            let goroutines = sorted_goroutines(analysis, sort);
            let row = |stats: &GoroutineStats| goroutine_row(loaded, stats);
            Rows::Goroutines(goroutines.iter().map(row).collect())
        } else {
            let groups = sorted_groups(analysis, sort);
            Rows::Groups(
                groups
                    .iter()
                    .map(|group| group_row(loaded, group))
                    .collect(),
            )
        };
        Self {
            head: &loaded.head,
            rows,
        }
    }

    pub(super) fn csv(&self) -> String {
        match &self.rows {
            Rows::Groups(groups) => groups_csv(groups),
            Rows::Goroutines(goroutines) => goroutines_csv(goroutines),
        }
    }
}

pub(super) fn sorted_groups(analysis: &GoroutineAnalysis<'_>, sort: SortKey) -> Vec<Group> {
    let mut groups = analysis.groups();
    // They come sorted by execution and name; equal ones keep that order.
    groups.sort_by_key(|group| {
        Reverse(match sort {
            SortKey::Execution => group.time(Measure::Execution).nanos,
            SortKey::Wait => group.time(Measure::SchedulerWait).nanos,
            SortKey::Blocked => group.blocked().nanos,
            SortKey::Syscall => {
                let with = group.time(Measure::Syscall).nanos;
                with.saturating_add(group.time(Measure::SyscallWithoutProc).nanos)
            }
            SortKey::Total => group.lives.total,
            SortKey::Count => group.count(),
        })
    });
    groups
}

pub(super) fn sorted_goroutines(
    analysis: &GoroutineAnalysis<'_>,
    sort: SortKey,
) -> Vec<GoroutineStats> {
    let mut goroutines: Vec<GoroutineStats> = analysis.each().collect();
    goroutines.sort_by_key(|stats| {
        Reverse(match sort {
            SortKey::Execution => stats.time(Measure::Execution).nanos,
            SortKey::Wait => stats.time(Measure::SchedulerWait).nanos,
            SortKey::Blocked => stats.blocked().nanos,
            SortKey::Syscall => {
                let with = stats.time(Measure::Syscall).nanos;
                with.saturating_add(stats.time(Measure::SyscallWithoutProc).nanos)
            }
            SortKey::Total => stats.seen.span.nanos(),
            SortKey::Count => 0,
        })
    });
    goroutines
}

fn group_row(loaded: &Loaded, group: &Group) -> GroupRow {
    let time = |what: What, times: &GroupTimes| GroupTime {
        what,
        spells: times.spells.count,
        longest_ns: times.spells.longest,
        per_goroutine: times.per_goroutine.into(),
        distribution: times.per_goroutine,
    };
    GroupRow {
        function: group.function.map(|name| loaded.text(name)),
        goroutines: group.count(),
        lives: group.lives.into(),
        times: group
            .times
            .iter()
            .map(|(measure, times)| time(measured(loaded, *measure), times))
            .collect(),
        ranges: group
            .ranges
            .iter()
            .map(|(kind, times)| time(ranged(loaded, *kind), times))
            .collect(),
    }
}

fn goroutine_row(loaded: &Loaded, stats: &GoroutineStats) -> GoroutineRow {
    let goroutine = loaded.store.goroutine(stats.goroutine);
    GoroutineRow {
        id: goroutine.id.0,
        function: goroutine.function.map(|name| loaded.text(name)),
        start_ns: goroutine.seen.start().map(|time| loaded.relative(time)),
        end_ns: goroutine.seen.end().map(|time| loaded.relative(time)),
        first_run_ns: stats.first_run.map(|time| loaded.relative(time)),
        creator: goroutine
            .creator
            .map(|creator| loaded.store.goroutine(creator).id.0),
        life_ns: stats.seen.span.nanos(),
        times: times(loaded, stats.times.iter().copied()),
        ranges: stats
            .ranges
            .iter()
            .map(|(kind, spells)| Time::new(ranged(loaded, *kind), *spells))
            .collect(),
    }
}

fn groups_csv(groups: &[GroupRow]) -> String {
    let heading = ["function", "what", "reason", "spells", "longest_ns"];
    // The count of a distribution over the goroutines is that of the goroutines.
    let mut fields = DISTRIBUTION_FIELDS;
    fields[0] = "goroutines";
    let mut csv = Csv::new(heading.into_iter().chain(fields));
    for group in groups {
        for time in group.times.iter().chain(&group.ranges) {
            let cells = [
                group.function.clone().unwrap_or_default(),
                time.what.what.to_owned(),
                time.what.reason.clone().unwrap_or_default(),
                time.spells.to_string(),
                time.longest_ns.to_string(),
            ];
            csv.line(
                cells
                    .into_iter()
                    .chain(distribution_fields(&time.distribution)),
            );
        }
    }
    csv.finish()
}

fn goroutines_csv(goroutines: &[GoroutineRow]) -> String {
    let mut csv = Csv::new([
        "goroutine",
        "function",
        "start_ns",
        "end_ns",
        "life_ns",
        "what",
        "reason",
        "spells",
        "total_ns",
        "longest_ns",
    ]);
    let optional = |time: Option<i64>| time.map_or_else(String::new, |time| time.to_string());
    for goroutine in goroutines {
        for time in goroutine.times.iter().chain(&goroutine.ranges) {
            let cells = [
                goroutine.id.to_string(),
                goroutine.function.clone().unwrap_or_default(),
                optional(goroutine.start_ns),
                optional(goroutine.end_ns),
                goroutine.life_ns.to_string(),
            ];
            csv.line(cells.into_iter().chain(time.fields()));
        }
    }
    csv.finish()
}
