//! The report as text for a person.

use exectrace_analysis::{TaskAnalysis, TaskEvent, TaskGroup, TaskIx, TaskStats};

use crate::{
    analysis::{
        Loaded,
        durations::{COLUMNS, SHARES, cells, shares},
        nanos,
        page::{Page, Top},
    },
    terminal::{Table, harmless},
    units,
};

/// A task's type for people.
fn name(loaded: &Loaded, kind: exectrace_analysis::StringIx) -> String {
    match loaded.text(kind) {
        name if name.is_empty() => "(unknown: it began before the trace)".to_owned(),
        name => harmless(&name),
    }
}

pub(super) fn groups(page: &mut Page, loaded: &Loaded, groups: &[TaskGroup], top: Top) {
    let mut table = Table::with_text_last(1);
    let mut heading = [const { String::new() }; 13];
    let names = COLUMNS.iter().chain(&SHARES).chain(&["task"]);
    for (cell, name) in heading.iter_mut().zip(names) {
        (*name).clone_into(cell);
    }
    table.row(heading);
    for group in &groups[..top.shown(groups.len())] {
        let mut row = [const { String::new() }; 13];
        row[..8].clone_from_slice(&cells(&group.durations, group.open));
        let times = group.times.iter().map(|(what, spells)| (*what, *spells));
        row[8..12].clone_from_slice(&shares(times));
        row[12] = name(loaded, group.kind);
        table.row(row);
    }
    page.table(&table);
    page.more(top, groups.len(), "groups");
    page.next(
        "--histogram",
        "shows how durations are distributed, --each single tasks",
    );
}

pub(super) fn histograms(page: &mut Page, loaded: &Loaded, groups: &[TaskGroup], top: Top) {
    for (at, group) in groups[..top.shown(groups.len())].iter().enumerate() {
        if at > 0 {
            page.line("");
        }
        let count = units::counted(group.durations.count, "task", "tasks");
        let title = page.paint.strong(&name(loaded, group.kind));
        page.line(&format!("{title}: {count}"));
        page.line("");
        page.histogram(&group.histogram, "duration");
    }
    page.more(top, groups.len(), "groups");
}

pub(super) fn each(page: &mut Page, loaded: &Loaded, tasks: &[TaskStats], top: Top) {
    page.line(&units::counted(tasks.len() as u64, "task", "tasks"));
    page.line("");
    let mut table = Table::with_text_last(1);
    table.row(
        [
            "id",
            "duration",
            "begin",
            "end",
            "parent",
            "goroutines",
            "regions",
            "logs",
            "task",
        ]
        .map(str::to_owned),
    );
    for stats in &tasks[..top.shown(tasks.len())] {
        let task = loaded.store.task(stats.task);
        let at = |time: Option<_>, none: &str| match time {
            Some(time) => units::duration(loaded.relative(time)),
            None => none.to_owned(),
        };
        table.row([
            task.id.to_string(),
            nanos(stats.seen.span.nanos()),
            at(task.start, "before"),
            at(task.end, "–"),
            match task.parent {
                Some(parent) => loaded.store.task(parent).id.to_string(),
                None => "–".to_owned(),
            },
            units::count(stats.goroutines.len() as u64),
            units::count(stats.regions),
            units::count(stats.logs),
            name(loaded, task.kind),
        ]);
    }
    page.table(&table);
    page.more(top, tasks.len(), "tasks");
    if let Some(first) = tasks.first() {
        let id = loaded.store.task(first.task).id;
        page.next(&format!("--task {id}"), "shows a task event by event");
    }
}

pub(super) fn in_full(
    page: &mut Page,
    loaded: &Loaded,
    analysis: &TaskAnalysis<'_>,
    tasks: &[TaskStats],
) {
    for (at, stats) in tasks.iter().enumerate() {
        if at > 0 {
            page.line("");
        }
        task(page, loaded, analysis, stats);
    }
}

fn task(page: &mut Page, loaded: &Loaded, analysis: &TaskAnalysis<'_>, stats: &TaskStats) {
    let row = loaded.store.task(stats.task);
    let title = format!("task {}: {}", row.id, name(loaded, row.kind));
    let title = page.paint.strong(&title);
    let open = match (stats.seen.open_start, stats.seen.open_end) {
        (false, false) => "",
        (true, false) => ", since before the trace",
        (false, true) => ", and on",
        (true, true) => ", neither its beginning nor its end is in the trace",
    };
    let length = nanos(stats.seen.span.nanos());
    page.line(&format!("{title}, {length}{open}"));
    if let Some(parent) = row.parent {
        let parent = loaded.store.task(parent);
        page.line(&format!(
            "part of task {} ({})",
            parent.id,
            name(loaded, parent.kind)
        ));
    }
    if !stats.times.is_empty() {
        let [ran, wait, blocked, syscall] = shares(stats.times.iter().copied());
        page.line(&format!(
            "in its regions, goroutines ran {ran}, waited for a proc {wait}, were blocked {blocked}, \
             were in syscalls {syscall}"
        ));
    }
    page.line("");
    let mut table = Table::with_text_last(1);
    table.row(["at", "after", "goroutine", "event"].map(str::to_owned));
    let mut last = None;
    for (time, goroutine, event) in analysis.events(stats.task) {
        let elapsed = last.replace(time).map_or(0, |last| time.since(last));
        table.row([
            units::duration(loaded.relative(time)),
            units::duration(elapsed),
            match goroutine {
                Some(goroutine) => loaded.store.goroutine(goroutine).id.to_string(),
                None => "–".to_owned(),
            },
            describe(loaded, event),
        ]);
    }
    page.table(&table);
    let descendants = analysis.descendants(stats.task);
    if descendants.len() > 1 {
        page.line("");
        page.line("with its parts:");
        tree(page, loaded, analysis, stats.task);
    }
}

fn describe(loaded: &Loaded, event: TaskEvent) -> String {
    let child = |task: TaskIx| {
        let task = loaded.store.task(task);
        format!("task {} ({})", task.id, name(loaded, task.kind))
    };
    let region = |at| harmless(&loaded.text(loaded.store.region(at).name));
    match event {
        TaskEvent::Begin => "begins".to_owned(),
        TaskEvent::End => "ends".to_owned(),
        TaskEvent::ChildBegin(task) => format!("{} begins", child(task)),
        TaskEvent::ChildEnd(task) => format!("{} ends", child(task)),
        TaskEvent::RegionBegin(at) => format!("region {} begins", region(at)),
        TaskEvent::RegionEnd(at) => format!("region {} ends", region(at)),
        TaskEvent::Log(log) => {
            let message = harmless(&loaded.text(log.message));
            match loaded.text(log.category) {
                category if category.is_empty() => format!("log: {message}"),
                category => format!("log [{}]: {message}", harmless(&category)),
            }
        }
    }
}

/// The parts of a task, each under the task that it is a part of.
fn tree(page: &mut Page, loaded: &Loaded, analysis: &TaskAnalysis<'_>, root: TaskIx) {
    /// A trace can claim that tasks are parts of each other.
    const DEEPEST: usize = 20;
    let mut stack = vec![(root, 0)];
    while let Some((task, depth)) = stack.pop() {
        let stats = analysis.stats(task);
        let row = loaded.store.task(task);
        page.line(&format!(
            "{}task {}: {}, {}",
            "    ".repeat(depth + 1),
            row.id,
            name(loaded, row.kind),
            nanos(stats.seen.span.nanos()),
        ));
        if depth < DEEPEST {
            let children = analysis.children(task).iter().rev();
            stack.extend(children.map(|child| (*child, depth + 1)));
        }
    }
}
