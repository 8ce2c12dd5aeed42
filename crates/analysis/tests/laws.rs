//! What must hold between the numbers of any trace.

mod support;

use std::collections::BTreeMap;

use exectrace_analysis::{
    Distribution, FunctionPattern, GoroutineAnalysis, GoroutineStats, Group, Measure, Selection,
    Span, State, Store,
};
use exectrace_reader::Time;

/// Simulated programs, and real traces as far as they can be salvaged.
fn stores() -> impl Iterator<Item = (String, Store)> {
    support::simulated()
        .chain(support::corpus())
        .filter_map(|(name, bytes)| Some((name, support::store(&bytes, true)?)))
}

fn sum(stats: &GoroutineStats) -> u64 {
    stats.times.iter().map(|(_, spells)| spells.nanos).sum()
}

fn stats(store: &Store, selection: &Selection) -> Vec<GoroutineStats> {
    GoroutineAnalysis::new(store, selection).each().collect()
}

fn groups(store: &Store, selection: &Selection) -> Vec<Group> {
    GoroutineAnalysis::new(store, selection).groups()
}

fn within(start: Time, end: Time) -> Selection {
    Selection {
        window: Some(Span { start, end }),
        ..Selection::default()
    }
}

/// Some times at which to cut a span in pieces, its ends included.
fn cuts(span: Span) -> Vec<Time> {
    let parts = 5;
    let mut cuts: Vec<Time> = (0..parts)
        .map(|part| Time(span.start.nanos() + span.nanos() as i64 * part / parts))
        .collect();
    cuts.push(span.end);
    cuts.dedup();
    cuts
}

/// Nanoseconds by measure.
fn totals<'a>(stats: impl IntoIterator<Item = &'a GoroutineStats>) -> BTreeMap<Measure, u64> {
    let mut totals = BTreeMap::new();
    for (measure, spells) in stats.into_iter().flat_map(|stats| &stats.times) {
        *totals.entry(*measure).or_default() += spells.nanos;
    }
    totals.retain(|_, nanos| *nanos > 0);
    totals
}

#[test]
fn times_sum_to_lives() {
    let mut goroutines = 0;
    for (name, store) in stores() {
        for stats in stats(&store, &Selection::default()) {
            assert_eq!(sum(&stats), stats.seen.span.nanos(), "{name}: {stats:?}");
            goroutines += 1;
        }
    }
    assert!(goroutines > 3_000);
}

#[test]
fn windows_sum_to_the_whole() {
    for (name, store) in stores() {
        let Some(span) = store.span() else { continue };
        let whole = totals(&stats(&store, &Selection::default()));
        let mut parts: BTreeMap<Measure, u64> = BTreeMap::new();
        for window in cuts(span).windows(2) {
            let stats = stats(&store, &within(window[0], window[1]));
            for stats in &stats {
                assert_eq!(sum(stats), stats.seen.span.nanos(), "{name}: {stats:?}");
            }
            for (measure, nanos) in totals(&stats) {
                *parts.entry(measure).or_default() += nanos;
            }
        }
        assert_eq!(parts, whole, "{name}");
    }
}

#[test]
fn groups_sum_to_their_goroutines() {
    for (name, store) in stores() {
        let selection = Selection::default();
        let all = stats(&store, &selection);
        let groups = groups(&store, &selection);
        let count: u64 = groups.iter().map(Group::count).sum();
        assert_eq!(count, all.len() as u64, "{name}");
        let mut of_groups: BTreeMap<Measure, u64> = BTreeMap::new();
        for group in &groups {
            for (measure, times) in &group.times {
                *of_groups.entry(*measure).or_default() += times.spells.nanos;
                assert_eq!(times.per_goroutine.total, times.spells.nanos);
                assert_eq!(times.per_goroutine.count, group.count());
                is_ordered(&times.per_goroutine);
            }
            let times: u64 = group.times.values().map(|times| times.spells.nanos).sum();
            assert_eq!(times, group.lives.total, "{name}: {group:?}");
        }
        of_groups.retain(|_, nanos| *nanos > 0);
        assert_eq!(of_groups, totals(&all), "{name}");
    }
}

fn is_ordered(distribution: &Distribution) {
    let Distribution {
        min,
        p50,
        p95,
        p99,
        max,
        ..
    } = *distribution;
    assert!(min <= p50 && p50 <= p95 && p95 <= p99 && p99 <= max);
    assert!(min <= distribution.mean() && distribution.mean() <= max);
}

#[test]
fn a_selection_is_what_is_left_of_the_whole() {
    for (name, store) in stores() {
        let all = stats(&store, &Selection::default());
        let name_of = |stats: &GoroutineStats| {
            let function = store.goroutine(stats.goroutine).function;
            function.map_or(String::new(), |name| {
                store.symbols().string(name).to_string()
            })
        };
        for group in groups(&store, &Selection::default()) {
            let Some(function) = group.function else {
                continue;
            };
            let function = store.symbols().string(function).to_string();
            let id = store.goroutine(all[0].goroutine).id;
            let mut selection = Selection {
                functions: vec![FunctionPattern::Exactly(function.clone())],
                ..Selection::default()
            };
            let expected: Vec<_> = all.iter().filter(|g| name_of(g) == function).collect();
            assert_eq!(
                stats(&store, &selection).iter().collect::<Vec<_>>(),
                expected,
                "{name}"
            );
            selection.goroutines.push(id);
            let expected: Vec<_> = expected
                .into_iter()
                .filter(|stats| store.goroutine(stats.goroutine).id == id)
                .collect();
            assert_eq!(
                stats(&store, &selection).iter().collect::<Vec<_>>(),
                expected,
                "{name}"
            );
        }
    }
}

#[test]
fn running_goroutines_fit_on_the_procs() {
    for (name, bytes) in support::simulated() {
        let store = support::store(&bytes, false).unwrap();
        // At each start of a running interval, count those that are running.
        let mut edges: Vec<(Time, i32)> = store
            .goroutine_indices()
            .flat_map(|goroutine| store.intervals(goroutine))
            .filter(|interval| interval.state == State::Running)
            .flat_map(|interval| [(interval.seen.span.start, 1), (interval.seen.span.end, -1)])
            .collect();
        edges.sort_unstable();
        let mut running = 0;
        for (time, change) in edges {
            running += change;
            assert!(running <= store.procs().len() as i32, "{name}: {time}");
        }
    }
}
