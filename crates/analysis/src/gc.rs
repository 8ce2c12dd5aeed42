//! Garbage collections, and times in which the world is stopped.

use std::collections::{BTreeMap, HashMap};

use exectrace_reader::MetricKind;

use crate::{
    distribution::Distribution,
    goroutines::Spells,
    ids::{GoroutineIx, RangeIx, StackIx, StringIx},
    selection::Selection,
    span::{Seen, Span},
    state::State,
    store::{RangeKind, Scope, Store},
};

/// Stops of the world for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stops {
    /// The reason.
    pub reason: StringIx,
    /// How long the world was stopped, or being stopped.
    pub durations: Distribution,
    /// How many are not seen as a whole.
    pub open: u64,
}

/// A time in which the world was stopped, or being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The reason.
    pub reason: StringIx,
    /// When, as far as it is selected.
    pub seen: Seen,
    /// The goroutine that stopped the world.
    pub goroutine: Option<GoroutineIx>,
    /// Where it did so.
    pub stack: Option<StackIx>,
}

/// The times in which selected goroutines had stopped the world, in the order in which they began.
#[must_use]
pub fn stops(store: &Store, selection: &Selection) -> Vec<Stop> {
    let mut selected = vec![false; store.goroutine_indices().len()];
    for goroutine in selection.goroutines(store) {
        selected[goroutine.index()] = true;
    }
    let ranges = store.ranges().iter();
    ranges
        .filter_map(|range| {
            let RangeKind::StopTheWorld(reason) = range.kind else {
                return None;
            };
            let goroutine = match range.scope {
                Scope::Goroutine(goroutine) => Some(goroutine),
                _ => None,
            };
            let wanted = match goroutine {
                Some(goroutine) => selected[goroutine.index()],
                None => !selection.restricts_goroutines(),
            };
            (wanted && selection.touches(range.seen.span)).then(|| Stop {
                reason,
                seen: selection.clip(range.seen),
                goroutine,
                stack: range.stack,
            })
        })
        .collect()
}

/// Stops of the world by reason; first the reason for which it was stopped longest in all.
#[must_use]
pub fn stops_by_reason(stops: &[Stop]) -> Vec<Stops> {
    let mut by_reason: BTreeMap<StringIx, (Vec<u64>, u64)> = BTreeMap::new();
    for stop in stops {
        let (durations, open) = by_reason.entry(stop.reason).or_default();
        durations.push(stop.seen.span.nanos());
        *open += u64::from(!stop.seen.is_complete());
    }
    let mut found: Vec<Stops> = by_reason
        .into_iter()
        .map(|(reason, (mut durations, open))| Stops {
            reason,
            durations: Distribution::of(&mut durations),
            open,
        })
        .collect();
    found.sort_by_key(|stops| std::cmp::Reverse(stops.durations.total));
    found
}

/// A garbage collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// Its concurrent mark phase, as a whole.
    pub mark: Seen,
    /// Stops of the world that overlap with the beginning or the end of the mark phase.
    pub stops: Vec<RangeIx>,
    /// Mark assists in it: how often goroutines had to help, and for how long.
    pub assists: Spells,
    /// The same by the function that these goroutines began with; the longest first.
    pub assists_by_function: Vec<(Option<StringIx>, Spells)>,
    /// How long background workers ran in it, all of them added up.
    pub workers_nanos: u64,
    /// Bytes of heap objects when it began; `None` if the trace has not said so by then.
    pub heap_before: Option<u64>,
    /// Bytes of heap objects when it ended.
    pub heap_after: Option<u64>,
    /// The heap size in bytes that the collector aimed at.
    pub goal: Option<u64>,
}

/// The garbage collections that are seen in the window, in order of time.
///
/// A collection is shown as a whole, also if the window has a part of it only. Time is linear in the
/// changes of state of background workers, ranges and metrics.
#[must_use]
pub fn cycles(store: &Store, selection: &Selection) -> Vec<Cycle> {
    // 1. The mark phases: one at a time, so that they are in order of their ends, too.
    let ranges = || store.ranges().iter().zip(0..);
    let mut cycles: Vec<Cycle> = ranges()
        .filter(|(range, _)| range.kind == RangeKind::GcConcurrentMark)
        .filter(|(range, _)| selection.touches(range.seen.span))
        .map(|(range, _)| Cycle {
            mark: range.seen,
            stops: Vec::new(),
            assists: Spells::default(),
            assists_by_function: Vec::new(),
            workers_nanos: 0,
            heap_before: None,
            heap_after: None,
            goal: None,
        })
        .collect();
    cycles.sort_by_key(|cycle| (cycle.mark.span.start, cycle.mark.span.end));

    // 2. What overlaps with them.
    let mut by_function: Vec<HashMap<Option<StringIx>, Spells>> =
        vec![HashMap::new(); cycles.len()];
    for (range, at) in ranges() {
        match range.kind {
            RangeKind::StopTheWorld(_) => {
                for cycle in overlapping(&cycles, range.seen.span) {
                    let mark = cycles[cycle].mark.span;
                    let at_an_end = [mark.start, mark.end]
                        .iter()
                        .any(|end| range.seen.span.start <= *end && *end <= range.seen.span.end);
                    if at_an_end {
                        cycles[cycle].stops.push(RangeIx(at));
                    }
                }
            }
            RangeKind::GcMarkAssist => {
                let function = match range.scope {
                    Scope::Goroutine(goroutine) => store.goroutine(goroutine).function,
                    _ => None,
                };
                for cycle in overlapping(&cycles, range.seen.span) {
                    let nanos = range.seen.span.clip(cycles[cycle].mark.span).nanos();
                    cycles[cycle].assists.add(nanos);
                    by_function[cycle].entry(function).or_default().add(nanos);
                }
            }
            RangeKind::GcConcurrentMark | RangeKind::GcIncrementalSweep => {}
        }
    }
    for (cycle, by_function) in cycles.iter_mut().zip(by_function) {
        cycle.assists_by_function = by_function.into_iter().collect();
        cycle
            .assists_by_function
            .sort_unstable_by_key(|(function, spells)| {
                (std::cmp::Reverse(spells.nanos), *function)
            });
    }
    add_workers(store, &mut cycles);
    add_heap(store, &mut cycles);
    cycles
}

/// The collections whose mark phases share time, or an end, with a span.
fn overlapping(cycles: &[Cycle], span: Span) -> std::ops::Range<usize> {
    let first = cycles.partition_point(|cycle| cycle.mark.span.end < span.start);
    let end = cycles.partition_point(|cycle| cycle.mark.span.start <= span.end);
    first..end.max(first)
}

fn add_workers(store: &Store, cycles: &mut [Cycle]) {
    for goroutine in store.goroutine_indices() {
        let function = store.goroutine(goroutine).function;
        let is_worker =
            function.is_some_and(|name| store.symbols().string(name) == "runtime.gcBgMarkWorker");
        if !is_worker {
            continue;
        }
        for phase in store.phases(goroutine) {
            if phase.state == State::Running {
                for cycle in overlapping(cycles, phase.seen.span) {
                    let mark = cycles[cycle].mark.span;
                    cycles[cycle].workers_nanos += phase.seen.span.clip(mark).nanos();
                }
            }
        }
    }
}

/// The last values of metrics at the beginnings and ends of collections.
fn add_heap(store: &Store, cycles: &mut [Cycle]) {
    let (mut begun, mut ended) = (0, 0);
    let (mut heap, mut goal) = (None, None);
    let mut pass = |until: Option<exectrace_reader::Time>, heap: Option<u64>, goal: Option<u64>| {
        let is_past = |time| until.is_none_or(|until| time < until);
        while cycles
            .get(begun)
            .is_some_and(|cycle| is_past(cycle.mark.span.start))
        {
            cycles[begun].heap_before = heap;
            cycles[begun].goal = goal;
            begun += 1;
        }
        while cycles
            .get(ended)
            .is_some_and(|cycle| is_past(cycle.mark.span.end))
        {
            cycles[ended].heap_after = heap;
            ended += 1;
        }
    };
    for metric in store.metrics() {
        pass(Some(metric.time), heap, goal);
        match metric.kind {
            MetricKind::HeapObjects => heap = Some(metric.value),
            MetricKind::HeapGoal => goal = Some(metric.value),
            MetricKind::Procs => {}
        }
    }
    pass(None, heap, goal);
}
