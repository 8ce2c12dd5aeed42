//! An executor that is traced through `exectrace::raw`: the trace tells the whole life of its tasks.

#[path = "../examples/executor.rs"]
mod executor;
mod support;

use std::collections::BTreeMap;

use exectrace_reader::{EventKind, GoState, Reader, StateTransition, Time};
use exectrace_wire::GoroutineId;
use support::{alone, ask_go, checked, traced};

/// What a goroutine has done so far.
struct Life {
    begin: Time,
    since: Time,
    state: GoState,
    /// Nanoseconds in each state, by the state's name.
    spent: BTreeMap<String, i64>,
}

#[test]
fn the_trace_tells_all() {
    let _turn = alone();
    const GAMES: u32 = 6;
    const ROUNDS: u32 = 20;
    let mut expected = vec![];
    let trace = traced(|| expected = executor::run(3, GAMES, ROUNDS));
    let events = checked(&trace);
    let count = |what: &str| events.iter().filter(|e| e.contains(what)).count();

    let mut reader = Reader::new(&trace[..]).unwrap();
    let mut lives: BTreeMap<GoroutineId, Life> = BTreeMap::new();
    let mut wakes = vec![];
    let (mut runs, mut created) = (0, BTreeMap::new());
    while let Some(event) = reader.next_event().unwrap() {
        let EventKind::StateTransition(StateTransition::Goroutine { id, from, to, .. }) =
            event.kind()
        else {
            continue;
        };
        let now = event.time();
        // 1. A life is gapless: each state begins when and where the one before ends.
        if from == GoState::NotExist {
            let life = Life {
                begin: now,
                since: now,
                state: to,
                spent: BTreeMap::new(),
            };
            assert!(lives.insert(id, life).is_none(), "{id:?} is born twice");
            *created.entry(event.goroutine()).or_insert(0) += 1;
            continue;
        }
        let life = lives.get_mut(&id).expect("nobody lives unborn");
        assert_eq!(life.state, from, "{id:?}");
        *life.spent.entry(format!("{from:?}")).or_default() += now.since(life.since);
        (life.state, life.since) = (to, now);
        runs += u32::from(to == GoState::Running && from == GoState::Runnable);
        // 2. Who woke whom.
        if from == GoState::Waiting {
            assert_eq!(to, GoState::Runnable);
            wakes.push((id, event.goroutine()));
        }
    }

    // Its states sum to its lifetime, and all have ended: tasks, the main goroutine, the timer's.
    let tasks = 2 * GAMES as usize;
    assert_eq!(lives.len(), tasks + 2);
    for (id, life) in &lives {
        assert_eq!(life.state, GoState::NotExist, "{id:?}");
        let spent: i64 = life.spent.values().sum();
        assert_eq!(spent, life.since.since(life.begin), "{id:?}");
    }
    // Half of the tasks were created by the main goroutine, the others by one task each.
    let mut creations: Vec<i32> = created
        .into_iter()
        .filter_map(|(by, n)| by.and(Some(n)))
        .collect();
    creations.sort_unstable();
    let mut by = vec![1; GAMES as usize];
    by.push(GAMES as i32);
    assert_eq!(creations, by);

    // Each wake is there once, with who it was.
    wakes.sort_unstable();
    expected.sort_unstable();
    assert_eq!(wakes, expected);
    assert!(wakes.iter().all(|(_, by)| by.is_some()), "{wakes:?}");
    // The timer wakes each first player each round, unless the time was over before it was asked.
    assert_eq!(
        count("Reason=\"channel\"") + count("Reason=\"timer\""),
        wakes.len()
    );
    // Nobody runs but who was created, woken, or has yielded; and each round somebody yields.
    let yields = count("Reason=\"yield\"");
    assert!(yields >= (GAMES * ROUNDS) as usize);
    assert_eq!(runs as usize, tasks + 1 + wakes.len() + yields);

    ask_go(&trace, &events);
}
