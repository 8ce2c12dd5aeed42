//! User tasks: how long they take, what was done for them, and what happened in them.

use std::collections::{BTreeMap, BTreeSet};

use exectrace_reader::Time;

use crate::{
    distribution::Distribution,
    goroutines::{Measure, Spells, spells_of},
    histogram::Histogram,
    ids::{GoroutineIx, RegionIx, StringIx, TaskIx},
    regions::{RegionStats, regions},
    selection::Selection,
    span::{Seen, Span},
    store::{Log, Store},
};

/// Tasks and what belongs to them.
#[derive(Debug)]
pub struct TaskAnalysis<'a> {
    store: &'a Store,
    /// What goroutines did in regions, by task.
    regions: BTreeMap<TaskIx, Vec<RegionStats>>,
    logs: BTreeMap<TaskIx, Vec<Log>>,
    children: BTreeMap<TaskIx, Vec<TaskIx>>,
    selection: &'a Selection,
}

/// A task and what was done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStats {
    /// The task.
    pub task: TaskIx,
    /// When. A task that began before the trace is seen from its start, one that does not end up to
    /// its end.
    pub seen: Seen,
    /// Its regions.
    pub regions: u64,
    /// Its log messages.
    pub logs: u64,
    /// The goroutines that began or ended it, had regions or logged for it.
    pub goroutines: BTreeSet<GoroutineIx>,
    /// What goroutines did in its regions. Regions within regions of the same task count once.
    pub times: Vec<(Measure, Spells)>,
}

/// Tasks of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskGroup {
    /// The type, as given by the user; empty for tasks that began before the trace.
    pub kind: StringIx,
    /// How long those took whose beginning and end are known.
    pub durations: Distribution,
    /// How many of these took how long.
    pub histogram: Histogram,
    /// How many had begun before the trace, or had not ended when it did.
    pub open: u64,
    /// What goroutines did in the regions of all of them.
    pub times: BTreeMap<Measure, Spells>,
}

/// What happened in a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// It began.
    Begin,
    /// It ended.
    End,
    /// A part of it began.
    ChildBegin(TaskIx),
    /// A part of it ended.
    ChildEnd(TaskIx),
    /// One of its regions began.
    RegionBegin(RegionIx),
    /// One of its regions ended.
    RegionEnd(RegionIx),
    /// A message was logged for it.
    Log(Log),
}

impl<'a> TaskAnalysis<'a> {
    /// Time is linear in the changes of state within regions, each as often as regions are nested.
    #[must_use]
    pub fn new(store: &'a Store, selection: &'a Selection) -> Self {
        let mut analysis = Self {
            store,
            regions: BTreeMap::new(),
            logs: BTreeMap::new(),
            children: BTreeMap::new(),
            selection,
        };
        // Of each task all regions, whoever's they are: what is selected is the task.
        for stats in regions(store, &Selection::default()) {
            if let Some(task) = store.region(stats.region).task {
                analysis.regions.entry(task).or_default().push(stats);
            }
        }
        for log in store.logs() {
            if let Some(task) = log.task {
                analysis.logs.entry(task).or_default().push(*log);
            }
        }
        for (task, at) in store.tasks().iter().zip(0..) {
            if let Some(parent) = task.parent {
                analysis
                    .children
                    .entry(parent)
                    .or_default()
                    .push(TaskIx(at));
            }
        }
        analysis
    }

    /// The parts of a task, in the order in which they began.
    #[must_use]
    pub fn children(&self, task: TaskIx) -> &[TaskIx] {
        self.children.get(&task).map_or(&[], Vec::as_slice)
    }

    /// The log messages of a task, in order of time.
    #[must_use]
    pub fn logs(&self, task: TaskIx) -> &[Log] {
        self.logs.get(&task).map_or(&[], Vec::as_slice)
    }

    /// The regions of a task, by goroutine.
    #[must_use]
    pub fn regions(&self, task: TaskIx) -> &[RegionStats] {
        self.regions.get(&task).map_or(&[], Vec::as_slice)
    }

    /// What was done for a task.
    #[must_use]
    pub fn stats(&self, task: TaskIx) -> TaskStats {
        let row = self.store.task(task);
        let whole = self.store.span().unwrap_or(Span {
            start: Time(0),
            end: Time(0),
        });
        let start = row.start.unwrap_or(whole.start);
        let end = row.end.unwrap_or(whole.end).max(start);
        let own_logs = self.logs(task);
        let regions = self.regions(task);
        let mut goroutines: BTreeSet<GoroutineIx> =
            row.begun_by.into_iter().chain(row.ended_by).collect();
        goroutines.extend(own_logs.iter().filter_map(|log| log.goroutine));
        let mut times: Vec<(Measure, Spells)> = Vec::new();
        for stats in regions {
            let region = self.store.region(stats.region);
            goroutines.insert(region.goroutine);
            if !self.is_within_own(task, region.parent) {
                for (measure, spells) in &stats.times {
                    spells_of(&mut times, *measure).add_all(*spells);
                }
            }
        }
        times.sort_unstable_by_key(|(measure, _)| *measure);
        TaskStats {
            task,
            seen: Seen {
                span: Span { start, end },
                open_start: row.start.is_none(),
                open_end: row.end.is_none(),
            },
            regions: regions.len() as u64,
            logs: own_logs.len() as u64,
            goroutines,
            times,
        }
    }

    /// Whether a region around this one is of the same task.
    fn is_within_own(&self, task: TaskIx, mut around: Option<RegionIx>) -> bool {
        while let Some(region) = around {
            let region = self.store.region(region);
            if region.task == Some(task) {
                return true;
            }
            around = region.parent;
        }
        false
    }

    /// A task and all of its parts, each before its own parts.
    #[must_use]
    pub fn descendants(&self, task: TaskIx) -> Vec<TaskIx> {
        // A trace can claim that two tasks are parts of each other.
        let mut seen = BTreeSet::from([task]);
        let mut found = vec![task];
        let mut next = 0;
        while let Some(task) = found.get(next).copied() {
            next += 1;
            for child in self.children(task) {
                if seen.insert(*child) {
                    found.push(*child);
                }
            }
        }
        found
    }

    /// The tasks that are seen in the window and for which a selected goroutine did something.
    pub fn each(&self) -> impl Iterator<Item = TaskStats> + use<'_> {
        let restricted = self.selection.restricts_goroutines();
        let selected: BTreeSet<GoroutineIx> = match restricted {
            true => self.selection.goroutines(self.store).collect(),
            false => BTreeSet::new(),
        };
        (0..self.store.tasks().len())
            .map(|at| self.stats(TaskIx::new(at)))
            .filter(move |stats| {
                self.selection.touches(stats.seen.span)
                    && (!restricted || !stats.goroutines.is_disjoint(&selected))
            })
    }

    /// What happened in a task, in order of time.
    #[must_use]
    pub fn events(&self, task: TaskIx) -> Vec<(Time, Option<GoroutineIx>, TaskEvent)> {
        let mut events = Vec::new();
        let row = self.store.task(task);
        events.extend(row.start.map(|time| (time, row.begun_by, TaskEvent::Begin)));
        events.extend(row.end.map(|time| (time, row.ended_by, TaskEvent::End)));
        for child in self.children(task) {
            let row = self.store.task(*child);
            let begin = TaskEvent::ChildBegin(*child);
            events.extend(row.start.map(|time| (time, row.begun_by, begin)));
            let end = TaskEvent::ChildEnd(*child);
            events.extend(row.end.map(|time| (time, row.ended_by, end)));
        }
        for stats in self.regions(task) {
            let region = self.store.region(stats.region);
            let goroutine = Some(region.goroutine);
            let begin = TaskEvent::RegionBegin(stats.region);
            events.extend(region.start.map(|time| (time, goroutine, begin)));
            let end = TaskEvent::RegionEnd(stats.region);
            events.extend(region.end.map(|time| (time, goroutine, end)));
        }
        let logs = self.logs(task).iter();
        events.extend(logs.map(|log| (log.time, log.goroutine, TaskEvent::Log(*log))));
        // Times of events differ.
        events.sort_by_key(|(time, ..)| *time);
        events
    }
}

/// Tasks by type; first those that took longest in all.
#[must_use]
pub fn task_groups<'a>(
    store: &Store,
    tasks: impl IntoIterator<Item = &'a TaskStats>,
) -> Vec<TaskGroup> {
    #[derive(Default)]
    struct Collected {
        durations: Vec<u64>,
        histogram: Histogram,
        open: u64,
        times: BTreeMap<Measure, Spells>,
    }
    let mut groups: BTreeMap<StringIx, Collected> = BTreeMap::new();
    for stats in tasks {
        let group = groups.entry(store.task(stats.task).kind).or_default();
        if stats.seen.is_complete() {
            group.durations.push(stats.seen.span.nanos());
            group.histogram.add(stats.seen.span.nanos());
        } else {
            group.open += 1;
        }
        for (measure, spells) in &stats.times {
            group.times.entry(*measure).or_default().add_all(*spells);
        }
    }
    let mut groups: Vec<TaskGroup> = groups
        .into_iter()
        .map(|(kind, mut collected)| TaskGroup {
            kind,
            durations: Distribution::of(&mut collected.durations),
            histogram: collected.histogram,
            open: collected.open,
            times: collected.times,
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.durations.total));
    groups
}
