//! The report as data.

use exectrace_analysis::{TaskAnalysis, TaskEvent, TaskGroup, TaskStats};
use serde::Serialize;

use crate::analysis::{
    DISTRIBUTION_FIELDS, Head, Loaded, Nanoseconds,
    csv::Csv,
    distribution_fields,
    times::{Time, times},
};

/// Groups, or tasks.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    #[serde(flatten)]
    head: &'a Head,
    #[serde(flatten)]
    rows: Rows,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rows {
    Groups(Vec<GroupRow>),
    Tasks(Vec<TaskRow>),
}

#[derive(Debug, Serialize)]
pub(super) struct GroupRow {
    name: String,
    durations: Nanoseconds,
    open: u64,
    times: Vec<Time>,
}

#[derive(Debug, Serialize)]
pub(super) struct TaskRow {
    id: u64,
    name: String,
    parent: Option<u64>,
    /// `null` if it began before the trace.
    start_ns: Option<i64>,
    /// `null` if it did not end.
    end_ns: Option<i64>,
    nanos: u64,
    regions: u64,
    logs: u64,
    goroutines: Vec<u64>,
    times: Vec<Time>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<EventRow>,
}

#[derive(Debug, Serialize)]
struct EventRow {
    time_ns: i64,
    goroutine: Option<u64>,
    event: &'static str,
    /// The other task, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl<'a> Report<'a> {
    pub(super) fn new(loaded: &'a Loaded, rows: Rows) -> Self {
        Self {
            head: &loaded.head,
            rows,
        }
    }
}

pub(super) fn groups(loaded: &Loaded, groups: &[TaskGroup]) -> Rows {
    let row = |group: &TaskGroup| GroupRow {
        name: loaded.text(group.kind),
        durations: group.durations.into(),
        open: group.open,
        times: times(
            loaded,
            group.times.iter().map(|(what, spells)| (*what, *spells)),
        ),
    };
    Rows::Groups(groups.iter().map(row).collect())
}

pub(super) fn tasks(loaded: &Loaded, tasks: &[TaskStats]) -> Rows {
    Rows::Tasks(tasks.iter().map(|stats| row(loaded, stats)).collect())
}

pub(super) fn with_events(
    loaded: &Loaded,
    analysis: &TaskAnalysis<'_>,
    tasks: &[TaskStats],
) -> Rows {
    let row = |stats: &TaskStats| TaskRow {
        events: events(loaded, analysis, stats),
        ..row(loaded, stats)
    };
    Rows::Tasks(tasks.iter().map(row).collect())
}

fn row(loaded: &Loaded, stats: &TaskStats) -> TaskRow {
    let task = loaded.store.task(stats.task);
    let goroutines = stats.goroutines.iter();
    TaskRow {
        id: task.id.0,
        name: loaded.text(task.kind),
        parent: task.parent.map(|parent| loaded.store.task(parent).id.0),
        start_ns: task.start.map(|time| loaded.relative(time)),
        end_ns: task.end.map(|time| loaded.relative(time)),
        nanos: stats.seen.span.nanos(),
        regions: stats.regions,
        logs: stats.logs,
        goroutines: goroutines
            .map(|goroutine| loaded.store.goroutine(*goroutine).id.0)
            .collect(),
        times: times(loaded, stats.times.iter().copied()),
        events: Vec::new(),
    }
}

fn events(loaded: &Loaded, analysis: &TaskAnalysis<'_>, stats: &TaskStats) -> Vec<EventRow> {
    let store = &loaded.store;
    let events = analysis.events(stats.task).into_iter();
    events
        .map(|(time, goroutine, event)| {
            let child = |task| {
                let task = store.task(task);
                (Some(task.id.0), Some(loaded.text(task.kind)), None)
            };
            let region = |region| (None, Some(loaded.text(store.region(region).name)), None);
            let (event, (task, name, message)) = match event {
                TaskEvent::Begin => ("begin", (None, None, None)),
                TaskEvent::End => ("end", (None, None, None)),
                TaskEvent::ChildBegin(task) => ("child_begin", child(task)),
                TaskEvent::ChildEnd(task) => ("child_end", child(task)),
                TaskEvent::RegionBegin(at) => ("region_begin", region(at)),
                TaskEvent::RegionEnd(at) => ("region_end", region(at)),
                TaskEvent::Log(log) => {
                    let message = Some(loaded.text(log.message));
                    ("log", (None, Some(loaded.text(log.category)), message))
                }
            };
            EventRow {
                time_ns: loaded.relative(time),
                goroutine: goroutine.map(|goroutine| store.goroutine(goroutine).id.0),
                event,
                task,
                name,
                message,
            }
        })
        .collect()
}

pub(super) fn groups_csv(loaded: &Loaded, groups: &[TaskGroup]) -> String {
    let mut csv = Csv::new(["name", "open"].into_iter().chain(DISTRIBUTION_FIELDS));
    for group in groups {
        let cells = [loaded.text(group.kind), group.open.to_string()];
        csv.line(
            cells
                .into_iter()
                .chain(distribution_fields(&group.durations)),
        );
    }
    csv.finish()
}

pub(super) fn tasks_csv(loaded: &Loaded, tasks: &[TaskStats]) -> String {
    let mut csv = Csv::new([
        "task",
        "name",
        "parent",
        "start_ns",
        "end_ns",
        "nanos",
        "regions",
        "logs",
        "goroutines",
    ]);
    fn optional<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    for stats in tasks {
        let row = row(loaded, stats);
        csv.line([
            row.id.to_string(),
            row.name,
            optional(row.parent),
            optional(row.start_ns),
            optional(row.end_ns),
            row.nanos.to_string(),
            row.regions.to_string(),
            row.logs.to_string(),
            row.goroutines.len().to_string(),
        ]);
    }
    csv.finish()
}
