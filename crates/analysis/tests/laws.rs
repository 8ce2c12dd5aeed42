//! What must hold between the numbers of any trace.

mod support;

use std::collections::BTreeMap;

use exectrace_analysis::{
    Distribution, FunctionPattern, GoroutineAnalysis, GoroutineStats, Group, Measure, Moment,
    RangeKind, Selection, Span, State, Store, blocking, cycles, latencies, procs, region_groups,
    regions, stops, stops_by_reason, timeline,
};
use exectrace_reader::Time;
use exectrace_wire::Version;

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

#[test]
fn waits_are_those_of_the_goroutines() {
    for (name, store) in stores() {
        let Some(span) = store.span() else { continue };
        let cuts = cuts(span);
        let mut windows = vec![Selection::default()];
        windows.extend(cuts.windows(2).map(|window| within(window[0], window[1])));
        for selection in windows {
            let found = latencies(&store, &selection, 3);
            let expected = totals(&stats(&store, &selection));
            let of = |measure| expected.get(&measure).copied().unwrap_or(0);
            assert_eq!(found.all.total, of(Measure::SchedulerWait), "{name}");
            let by_origin: u64 = found.by_origin.values().map(|waits| waits.total).sum();
            let by_function: u64 = found.by_function.iter().map(|(_, waits)| waits.total).sum();
            assert_eq!((by_origin, by_function), (found.all.total, found.all.total));
            let in_classes: u64 = found.histogram.classes().map(|class| class.count).sum();
            assert_eq!(in_classes, found.all.count);
            let worst: Vec<u64> = found
                .worst
                .iter()
                .map(|wait| wait.seen.span.nanos())
                .collect();
            assert!(worst.is_sorted_by(|a, b| a >= b), "{name}: {worst:?}");
            assert_eq!(worst.first().copied().unwrap_or(0), found.all.max, "{name}");
            let blocked: u64 = expected
                .iter()
                .filter(|(measure, _)| matches!(measure, Measure::Blocked(_)))
                .map(|(_, nanos)| nanos)
                .sum();
            let places = blocking(&store, &selection);
            let found: u64 = places.iter().map(|place| place.durations.total).sum();
            assert_eq!(found, blocked, "{name}");
            for place in &places {
                let woken: u64 = place.wakers.iter().map(|(_, count)| count).sum();
                assert_eq!(
                    woken + place.open,
                    place.durations.count,
                    "{name}: {place:?}"
                );
            }
        }
    }
}

#[test]
fn procs_are_always_doing_one_thing() {
    let mut runs = 0;
    for (name, bytes) in support::corpus().into_iter().chain(support::simulated()) {
        let Some(store) = support::store(&bytes, false) else {
            continue;
        };
        // Before Go 1.22, goroutines count as running while the world is stopped and procs idle.
        if !Version::V2.contains(&store.version()) {
            continue;
        }
        let all = stats(&store, &Selection::default());
        let found = procs(&store, &Selection::default());
        for proc in &found {
            let parts = proc.running + proc.syscall + proc.scheduling + proc.idle + proc.unknown;
            assert_eq!(parts, proc.total, "{name}: {proc:?}");
            assert!(proc.migrations <= proc.runs);
            runs += proc.runs;
        }
        // What runs, runs on a proc.
        let running: u64 = found.iter().map(|proc| proc.running).sum();
        let expected = totals(&all);
        assert_eq!(
            running,
            expected.get(&Measure::Execution).copied().unwrap_or(0),
            "{name}"
        );
        let syscall: u64 = found.iter().map(|proc| proc.syscall).sum();
        assert_eq!(
            syscall,
            expected.get(&Measure::Syscall).copied().unwrap_or(0),
            "{name}"
        );
    }
    assert!(runs > 10_000);
}

#[test]
fn what_ran_during_a_wait_and_what_was_idle_fit_on_the_procs() {
    for (name, bytes) in support::simulated() {
        let store = support::store(&bytes, false).unwrap();
        let found = latencies(&store, &Selection::default(), 5);
        for wait in found.worst {
            let ran: u64 = wait.ran_meanwhile.iter().map(|(_, nanos)| nanos).sum();
            let room = wait.seen.span.nanos() * store.procs().len() as u64;
            assert!(ran + wait.idle_nanos <= room, "{name}: {wait:?}");
        }
    }
}

#[test]
fn what_happens_in_regions_sums_to_their_length() {
    let mut found = 0;
    for (name, store) in stores() {
        let Some(span) = store.span() else { continue };
        let cuts = cuts(span);
        let mut windows = vec![Selection::default()];
        windows.extend(cuts.windows(2).map(|window| within(window[0], window[1])));
        let mut of_windows = 0;
        for (at, selection) in windows.iter().enumerate() {
            let stats: Vec<_> = regions(&store, selection).collect();
            for stats in &stats {
                let sum: u64 = stats.times.iter().map(|(_, spells)| spells.nanos).sum();
                assert_eq!(sum, stats.seen.span.nanos(), "{name}: {stats:?}");
            }
            let length: u64 = stats.iter().map(|stats| stats.seen.span.nanos()).sum();
            let groups = region_groups(&store, &stats);
            let count: u64 = groups
                .iter()
                .map(|group| group.durations.count + group.open)
                .sum();
            assert_eq!(count, stats.len() as u64);
            let times = groups.iter().flat_map(|group| group.times.values());
            assert_eq!(
                times.map(|times| times.spells.nanos).sum::<u64>(),
                length,
                "{name}"
            );
            match at {
                0 => of_windows = length,
                _ => of_windows -= length,
            }
            found += stats.len();
        }
        assert_eq!(of_windows, 0, "{name}: windows do not sum to the whole");
    }
    assert!(found > 1_000);
}

#[test]
fn collections_and_stops_are_the_ranges_of_the_trace() {
    let (mut found, mut assisted, mut worked) = (0, 0, 0);
    for (name, store) in stores() {
        let whole = Selection::default();
        let of_kind = |fits: &dyn Fn(RangeKind) -> bool| {
            let ranges = store.ranges().iter().filter(|range| fits(range.kind));
            ranges.map(|range| range.seen.span).collect::<Vec<Span>>()
        };
        let marks = of_kind(&|kind| kind == RangeKind::GcConcurrentMark);
        let cycles = cycles(&store, &whole);
        assert_eq!(cycles.len(), marks.len(), "{name}");
        let assists = of_kind(&|kind| kind == RangeKind::GcMarkAssist);
        for cycle in &cycles {
            let mark = cycle.mark.span;
            // By brute force.
            let expected: u64 = assists.iter().map(|assist| assist.clip(mark).nanos()).sum();
            assert_eq!(cycle.assists.nanos, expected, "{name}: {cycle:?}");
            let by_function = cycle.assists_by_function.iter();
            let by_function: u64 = by_function.map(|(_, spells)| spells.nanos).sum();
            assert_eq!(by_function, expected);
            assert!(
                cycle.workers_nanos <= mark.nanos() * store.procs().len() as u64,
                "{name}"
            );
            for stop in &cycle.stops {
                assert!(matches!(
                    store.range(*stop).kind,
                    RangeKind::StopTheWorld(_)
                ));
            }
            found += 1;
            assisted += cycle.assists.count;
            worked += cycle.workers_nanos;
        }
        let stopped: u64 = of_kind(&|kind| matches!(kind, RangeKind::StopTheWorld(_)))
            .iter()
            .map(|span| span.nanos())
            .sum();
        let by_reason = stops_by_reason(&stops(&store, &whole));
        let by_reason: u64 = by_reason.iter().map(|stops| stops.durations.total).sum();
        assert_eq!(by_reason, stopped, "{name}");
    }
    assert!(
        found > 50 && assisted > 50 && worked > 0,
        "{found}, {assisted}, {worked}"
    );
}

#[test]
fn a_timeline_has_each_state_once_and_in_order() {
    let mut found = 0;
    for (name, bytes) in support::simulated() {
        let store = support::store(&bytes, false).unwrap();
        let moments = timeline(&store, &Selection::default());
        assert!(moments.is_sorted_by_key(|(time, ..)| *time), "{name}");
        let states = moments.iter().filter_map(|(_, _, moment)| match moment {
            Moment::State(interval) => Some(interval.seen.span.nanos()),
            _ => None,
        });
        let of_goroutines = stats(&store, &Selection::default());
        let lives: u64 = of_goroutines
            .iter()
            .map(|stats| stats.seen.span.nanos())
            .sum();
        assert_eq!(states.sum::<u64>(), lives, "{name}");
        let count = |fits: &dyn Fn(&Moment) -> bool| {
            moments.iter().filter(|(_, _, moment)| fits(moment)).count()
        };
        let begun = store
            .regions()
            .iter()
            .filter(|region| region.start.is_some());
        let begins = count(&|moment| matches!(moment, Moment::RegionBegin(_)));
        assert_eq!(begins, begun.count(), "{name}");
        let ended = store
            .goroutine_indices()
            .map(|at| store.goroutine(at).seen.end());
        assert_eq!(
            count(&|moment| *moment == Moment::End),
            ended.flatten().count()
        );
        found += moments.len();
    }
    assert!(found > 10_000);
}
