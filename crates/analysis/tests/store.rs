//! The store against a plain model that keeps every transition of every goroutine and proc.

mod support;

use std::collections::BTreeMap;

use exectrace_analysis::{GoroutineIx, State, Store};
use exectrace_reader::{
    EventKind, GoState, GoroutineId, ProcId, ProcState, Reader, StateTransition, Time,
};
use exectrace_testkit::damage;

/// The lives of a goroutine: when each state began, up to the end if there is one.
type Life = Vec<(Time, GoState)>;

#[derive(Debug, Default)]
struct Model {
    goroutines: BTreeMap<GoroutineId, Vec<Life>>,
    procs: BTreeMap<ProcId, Vec<(Time, ProcState)>>,
    end: Time,
}

impl Model {
    fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader::new(bytes).unwrap();
        let mut model = Self::default();
        let mut sync = None;
        while let Ok(Some(event)) = reader.next_event() {
            let time = event.time();
            model.end = time;
            let sync = sync.get_or_insert(time);
            match event.kind() {
                EventKind::Sync(_) => *sync = time,
                EventKind::StateTransition(StateTransition::Goroutine { id, from, to, .. }) => {
                    let lives = model.goroutines.entry(id).or_default();
                    match from {
                        _ if from == to => {}
                        GoState::Undetermined => lives.push(vec![(*sync, to)]),
                        GoState::NotExist => lives.push(vec![(time, to)]),
                        _ => lives.last_mut().unwrap().push((time, to)),
                    }
                }
                EventKind::StateTransition(StateTransition::Proc { id, from, to }) => {
                    let states = model.procs.entry(id).or_default();
                    match from {
                        _ if from == to => {}
                        ProcState::Undetermined => states.push((*sync, to)),
                        _ => states.push((time, to)),
                    }
                }
                _ => {}
            }
        }
        model
    }

    fn compare(&self, store: &Store, name: &str) {
        let mut lives: BTreeMap<GoroutineId, Vec<GoroutineIx>> = BTreeMap::new();
        for goroutine in store.goroutine_indices() {
            let id = store.goroutine(goroutine).id;
            lives.entry(id).or_default().push(goroutine);
        }
        assert_eq!(
            lives.keys().collect::<Vec<_>>(),
            self.goroutines.keys().collect::<Vec<_>>(),
            "{name}"
        );
        for (id, lives) in lives {
            let found: Vec<Life> = lives
                .into_iter()
                .map(|life| self.life(store, life))
                .collect();
            assert_eq!(found, self.goroutines[&id], "{name}: goroutine {id}");
        }
        let mut procs: BTreeMap<ProcId, Vec<(Time, ProcState)>> = BTreeMap::new();
        for change in store.proc_changes() {
            let state = match change.state {
                exectrace_analysis::ProcState::Running(_) => ProcState::Running,
                exectrace_analysis::ProcState::Idle => ProcState::Idle,
                exectrace_analysis::ProcState::Unknown => ProcState::Undetermined,
            };
            let id = store.proc_id(change.proc);
            procs.entry(id).or_default().push((change.time, state));
        }
        assert_eq!(procs, self.procs, "{name}");
    }

    /// A life as the store has it, its system calls whole again.
    fn life(&self, store: &Store, goroutine: GoroutineIx) -> Life {
        let mut life = Life::new();
        let mut last = None;
        for interval in store.intervals(goroutine) {
            let split = interval.state == State::SyscallWithoutProc
                && interval.before == Some(State::Syscall);
            if !split {
                life.push((interval.seen.span.start, interval.state.go_state()));
            }
            last = Some(interval);
        }
        let seen = store.goroutine(goroutine).seen;
        assert_eq!(last.unwrap().seen.open_end, seen.open_end);
        if let Some(end) = seen.end() {
            life.push((end, GoState::NotExist));
        } else {
            assert_eq!(seen.span.end, self.end);
        }
        life
    }
}

/// The states of each goroutine take up its life without gaps or overlaps.
fn partitions(store: &Store, name: &str) {
    let mut rows = 0;
    for goroutine in store.goroutine_indices() {
        let life = store.goroutine(goroutine);
        let mut at = life.seen.span.start;
        let mut sum = 0;
        let mut before: Option<exectrace_analysis::Interval> = None;
        for interval in store.intervals(goroutine) {
            assert_eq!(interval.goroutine, goroutine);
            assert_eq!(interval.seen.span.start, at, "{name}: {interval:?}");
            assert_eq!(
                interval.seen.open_start,
                before.is_none() && life.seen.open_start
            );
            if let Some(before) = before {
                assert!(!before.seen.open_end, "{name}: {before:?}");
                if interval.before.is_some() && before.state != State::Unknown {
                    assert_eq!(interval.before, Some(before.state), "{name}: {interval:?}");
                }
            }
            at = interval.seen.span.end;
            sum += interval.seen.span.nanos();
            before = Some(interval);
            rows += 1;
        }
        assert_eq!(at, life.seen.span.end, "{name}: {life:?}");
        assert_eq!(sum, life.seen.span.nanos());
        assert_eq!(
            before.map(|last| last.seen.open_end),
            Some(life.seen.open_end)
        );
    }
    assert!(rows >= store.goroutine_indices().len());
}

/// Ranges, regions, tasks and all else lie in the trace and name what is there.
fn is_consistent(store: &Store, name: &str) {
    let Some(span) = store.span() else {
        assert_eq!(store.events(), 0, "{name}");
        return;
    };
    let inside = |time: Time| span.start <= time && time <= span.end;
    for range in store.ranges() {
        assert!(
            inside(range.seen.span.start) && inside(range.seen.span.end),
            "{name}: {range:?}"
        );
        assert!(
            range.seen.span.start <= range.seen.span.end,
            "{name}: {range:?}"
        );
    }
    for region in store.regions() {
        if let Some(parent) = region.parent {
            let parent = store.region(parent);
            assert_eq!(parent.goroutine, region.goroutine);
            assert!(parent.start <= region.start, "{name}: {region:?}");
        }
        assert!(region.start.is_some() || region.end.is_some());
        assert!(region.end.is_none_or(|end| Some(end) >= region.start));
    }
    for task in store.tasks() {
        assert!(
            task.end.is_none_or(|end| Some(end) >= task.start),
            "{name}: {task:?}"
        );
    }
    let mut at = span.start;
    for change in store.proc_changes() {
        assert!(
            inside(change.time) && at <= change.time,
            "{name}: {change:?}"
        );
        at = change.time;
    }
}

#[test]
fn simulated_programs_are_stored_as_they_ran() {
    for (name, bytes) in support::simulated() {
        let store = support::store(&bytes, false).unwrap();
        assert!(store.damage().is_none(), "{name}");
        Model::read(&bytes).compare(&store, &name);
        partitions(&store, &name);
        is_consistent(&store, &name);
    }
}

#[test]
fn real_traces_are_stored_as_they_are_read() {
    let mut goroutines = 0;
    for (name, bytes) in support::corpus() {
        let Some(store) = support::store(&bytes, false) else {
            continue;
        };
        Model::read(&bytes).compare(&store, &name);
        partitions(&store, &name);
        is_consistent(&store, &name);
        goroutines += store.goroutine_indices().len();
    }
    assert!(goroutines > 1_000);
}

#[test]
fn damaged_traces_are_stored_as_far_as_they_can_be_read() {
    let mut unknown = 0;
    for (name, bytes) in support::corpus() {
        let Some(store) = support::store(&bytes, true) else {
            continue;
        };
        partitions(&store, &name);
        is_consistent(&store, &name);
        unknown += store
            .goroutine_indices()
            .flat_map(|goroutine| store.intervals(goroutine))
            .filter(|interval| interval.state == State::Unknown)
            .count();
    }
    assert!(unknown > 0, "no trace had its state forgotten");
}

#[test]
fn hostile_bytes_are_stored_without_a_panic() {
    let (_, bytes) = support::simulated().next().unwrap();
    let damaged = damage::truncations(&bytes)
        .chain(damage::bit_flips(&bytes).step_by(7))
        .chain(damage::gigantic_numbers(&bytes).step_by(3));
    let mut stored = 0;
    for damaged in damaged {
        for salvage in [false, true] {
            if let Some(store) = support::store(&damaged.bytes, salvage) {
                partitions(&store, &damaged.how);
                is_consistent(&store, &damaged.how);
                stored += 1;
            }
        }
    }
    assert!(stored > 1000, "only {stored}");
}
