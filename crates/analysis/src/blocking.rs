//! Where goroutines block, for how long, and who wakes them.

use std::collections::{BTreeMap, HashMap};

use crate::{
    distribution::Distribution,
    ids::{GoroutineIx, StackIx, StringIx},
    selection::Selection,
    state::State,
    store::{Cause, Store},
};

/// Who woke a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Waker {
    /// A goroutine that began with this function; `None` if it is not known.
    Goroutine(Option<StringIx>),
    /// No goroutine: the scheduler, on behalf of the network, of a timer or of the collector.
    Runtime,
}

/// Blocking for one reason at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// The reason; the empty string if the goroutines were blocked already when the trace began.
    pub reason: StringIx,
    /// Where; `None` if it is not known.
    pub stack: Option<StackIx>,
    /// How long.
    pub durations: Distribution,
    /// How many had not ended when the trace, or what is selected of it, did.
    pub open: u64,
    /// How many goroutines blocked there.
    pub goroutines: u64,
    /// Who woke them how often; the most frequent first.
    pub wakers: Vec<(Waker, u64)>,
}

#[derive(Debug, Default)]
struct Collected {
    durations: Vec<u64>,
    open: u64,
    goroutines: u64,
    last: Option<GoroutineIx>,
    wakers: BTreeMap<Waker, u64>,
}

/// Where the selected goroutines block; first where it took longest in all.
///
/// Time is linear in the changes of state.
#[must_use]
pub fn blocking(store: &Store, selection: &Selection) -> Vec<Blocking> {
    let mut places: HashMap<(StringIx, Option<StackIx>), Collected> = HashMap::new();
    for goroutine in selection.goroutines(store) {
        let mut phases = store.phases(goroutine).peekable();
        while let Some(phase) = phases.next() {
            if phase.state != State::Waiting || !selection.touches(phase.seen.span) {
                continue;
            }
            let interval = store.interval(goroutine, phase);
            let seen = selection.clip(interval.seen);
            let place = places.entry((interval.reason, interval.stack)).or_default();
            place.durations.push(seen.span.nanos());
            if place.last.replace(goroutine) != Some(goroutine) {
                place.goroutines += 1;
            }
            if seen.open_end {
                place.open += 1;
            } else if let Some(next) = phases.peek() {
                let waker = waker_of(store, store.interval(goroutine, *next).cause);
                *place.wakers.entry(waker).or_default() += 1;
            }
        }
    }
    let mut places: Vec<Blocking> = places
        .into_iter()
        .map(|((reason, stack), mut collected)| Blocking {
            reason,
            stack,
            durations: Distribution::of(&mut collected.durations),
            open: collected.open,
            goroutines: collected.goroutines,
            wakers: most_frequent(collected.wakers),
        })
        .collect();
    places.sort_unstable_by_key(|place| {
        (
            std::cmp::Reverse(place.durations.total),
            place.reason,
            place.stack,
        )
    });
    places
}

pub(crate) fn waker_of(store: &Store, cause: Cause) -> Waker {
    match cause {
        Cause::Goroutine(waker) => Waker::Goroutine(store.goroutine(waker).function),
        Cause::Place(_) => Waker::Runtime,
    }
}

fn most_frequent(wakers: BTreeMap<Waker, u64>) -> Vec<(Waker, u64)> {
    let mut wakers: Vec<(Waker, u64)> = wakers.into_iter().collect();
    wakers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    wakers
}

/// Goroutines of one function that woke those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Who woke.
    pub waker: Waker,
    /// The function with which those began that were woken; `None` if it is not known.
    pub woken: Option<StringIx>,
    /// How long they had been blocked.
    pub blocked: Distribution,
    /// How long they then waited for a proc.
    pub wait: Distribution,
}

/// Who wakes whom, by function; the most frequent first.
///
/// A goroutine counts if it is selected as the one that is woken, and it is woken in the window.
/// Time is linear in the changes of state.
#[must_use]
pub fn wakes(store: &Store, selection: &Selection) -> Vec<Wake> {
    /// How long goroutines were blocked, and how long they waited then.
    type Times = (Vec<u64>, Vec<u64>);
    let mut edges: HashMap<(Waker, Option<StringIx>), Times> = HashMap::new();
    for goroutine in selection.goroutines(store) {
        let woken = store.goroutine(goroutine).function;
        let mut before = None;
        for phase in store.phases(goroutine) {
            let woken_after = match before.replace(phase) {
                Some(before) if phase.before == Some(State::Waiting) => before,
                _ => continue,
            };
            let inside = selection
                .window
                .is_none_or(|window| window.contains(phase.seen.span.start));
            if phase.state == State::Runnable && inside {
                let waker = waker_of(store, store.interval(goroutine, phase).cause);
                let (blocked, wait) = edges.entry((waker, woken)).or_default();
                blocked.push(woken_after.seen.span.nanos());
                wait.push(selection.clip(phase.seen).span.nanos());
            }
        }
    }
    let mut wakes: Vec<Wake> = edges
        .into_iter()
        .map(|((waker, woken), (mut blocked, mut wait))| Wake {
            waker,
            woken,
            blocked: Distribution::of(&mut blocked),
            wait: Distribution::of(&mut wait),
        })
        .collect();
    wakes.sort_unstable_by_key(|wake| {
        (
            std::cmp::Reverse(wake.blocked.count),
            wake.waker,
            wake.woken,
        )
    });
    wakes
}
