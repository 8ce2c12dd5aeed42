//! How long goroutines wait for a proc, what runs meanwhile, and what the procs do.

use std::collections::{BTreeMap, HashMap};

use crate::{
    Interval,
    distribution::Distribution,
    histogram::Histogram,
    ids::{GoroutineIx, ProcIx, StringIx},
    selection::Selection,
    span::{Seen, Span},
    state::State,
    store::{Cause, ProcState, Store},
};

/// What made a goroutine ready to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// It was created.
    Created,
    /// It was blocked and another goroutine, the scheduler, a timer or the network woke it.
    Woken,
    /// It was running and stopped for this reason: it was preempted or let others run.
    Stopped(StringIx),
    /// It came back from a system call or C code, and had lost its proc.
    Syscall,
    /// It was ready when the trace began, or nobody knows what it was before.
    Unknown,
}

impl Origin {
    /// What made a goroutine ready whose runnable interval this is.
    #[must_use]
    pub fn of(interval: &Interval) -> Self {
        match interval.before {
            None if !interval.seen.open_start => Self::Created,
            None | Some(State::Unknown | State::Runnable) => Self::Unknown,
            Some(State::Waiting) => Self::Woken,
            Some(State::Running) => Self::Stopped(interval.reason),
            Some(State::Syscall | State::SyscallWithoutProc) => Self::Syscall,
        }
    }
}

/// A goroutine's wait for a proc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The goroutine.
    pub goroutine: GoroutineIx,
    /// When, as far as it is selected.
    pub seen: Seen,
    /// What made it ready.
    pub origin: Origin,
    /// Who or what made it ready.
    pub cause: Cause,
    /// What ran meanwhile on all procs, by the functions that the goroutines began with; the longest
    /// first. Times of several procs add up.
    pub ran_meanwhile: Vec<(Option<StringIx>, u64)>,
    /// How long procs were idle meanwhile, all added up.
    pub idle_nanos: u64,
}

/// How long goroutines wait for a proc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// All waits.
    pub all: Distribution,
    /// How many waits were how long.
    pub histogram: Histogram,
    /// Waits by what made the goroutine ready.
    pub by_origin: BTreeMap<Origin, Distribution>,
    /// Waits by the function that the goroutine began with; first those that waited longest in all.
    pub by_function: Vec<(Option<StringIx>, Distribution)>,
    /// The longest waits, the longest first.
    pub worst: Vec<Wait>,
}

/// Computes how long the selected goroutines wait for a proc, and looks into the `worst` longest waits.
///
/// Time is linear in the changes of state, times `worst` for those of running goroutines.
#[must_use]
pub fn latencies(store: &Store, selection: &Selection, worst: usize) -> Latencies {
    // 1. The waits.
    let mut by_origin: BTreeMap<Origin, Vec<u64>> = BTreeMap::new();
    let mut by_function: HashMap<Option<StringIx>, Vec<u64>> = HashMap::new();
    let mut histogram = Histogram::default();
    let mut longest = Longest::new(worst);
    for goroutine in selection.goroutines(store) {
        let function = store.goroutine(goroutine).function;
        let of_function = by_function.entry(function).or_default();
        for phase in store.phases(goroutine) {
            if phase.state != State::Runnable || !selection.touches(phase.seen.span) {
                continue;
            }
            let interval = store.interval(goroutine, phase);
            let seen = selection.clip(interval.seen);
            let nanos = seen.span.nanos();
            let origin = Origin::of(&interval);
            by_origin.entry(origin).or_default().push(nanos);
            of_function.push(nanos);
            histogram.add(nanos);
            longest.add(nanos, || Wait {
                goroutine,
                seen,
                origin,
                cause: interval.cause,
                ran_meanwhile: Vec::new(),
                idle_nanos: 0,
            });
        }
    }
    let mut worst = longest.finish();
    look_into(store, &mut worst);

    // 2. Their distributions.
    let mut all: Vec<u64> = by_function.values().flatten().copied().collect();
    let mut by_function: Vec<(Option<StringIx>, Distribution)> = by_function
        .into_iter()
        .filter(|(_, waits)| !waits.is_empty())
        .map(|(function, mut waits)| (function, Distribution::of(&mut waits)))
        .collect();
    let name = |function: Option<StringIx>| function.map(|name| store.symbols().string(name));
    by_function.sort_unstable_by(|(f, a), (g, b)| {
        b.total.cmp(&a.total).then_with(|| name(*f).cmp(&name(*g)))
    });
    Latencies {
        all: Distribution::of(&mut all),
        histogram,
        by_origin: by_origin
            .into_iter()
            .map(|(origin, mut waits)| (origin, Distribution::of(&mut waits)))
            .collect(),
        by_function,
        worst,
    }
}

/// Keeps the longest of many; of equal ones those that came first.
struct Longest {
    most: usize,
    found: Vec<(u64, Wait)>,
    /// What is not longer than this is not among them.
    threshold: u64,
}

impl Longest {
    fn new(most: usize) -> Self {
        Self {
            most,
            found: Vec::new(),
            threshold: 0,
        }
    }

    fn add(&mut self, nanos: u64, wait: impl FnOnce() -> Wait) {
        if self.most == 0 || nanos <= self.threshold {
            return;
        }
        self.found.push((nanos, wait()));
        if self.found.len() >= 4 * self.most.saturating_add(8) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.found
            .sort_by_key(|(nanos, _)| std::cmp::Reverse(*nanos));
        self.found.truncate(self.most);
        if self.found.len() == self.most {
            self.threshold = self.found.last().map_or(0, |(nanos, _)| *nanos);
        }
    }

    fn finish(mut self) -> Vec<Wait> {
        self.cut();
        self.found.into_iter().map(|(_, wait)| wait).collect()
    }
}

/// Finds out what ran during the waits, and how long procs were idle.
fn look_into(store: &Store, waits: &mut [Wait]) {
    let Some(hull) = hull(waits) else {
        return;
    };
    // 1. What ran.
    let mut ran: Vec<HashMap<Option<StringIx>, u64>> = vec![HashMap::new(); waits.len()];
    for goroutine in store.goroutine_indices() {
        let life = store.goroutine(goroutine);
        if life.seen.span.clip(hull).is_empty() {
            continue;
        }
        for phase in store.phases(goroutine) {
            if phase.state != State::Running {
                continue;
            }
            for (wait, ran) in waits.iter().zip(&mut ran) {
                let nanos = phase.seen.span.clip(wait.seen.span).nanos();
                if nanos > 0 {
                    *ran.entry(life.function).or_default() += nanos;
                }
            }
        }
    }
    for (wait, ran) in waits.iter_mut().zip(ran) {
        wait.ran_meanwhile = ran.into_iter().collect();
        wait.ran_meanwhile
            .sort_unstable_by(|(f, a), (g, b)| b.cmp(a).then(f.cmp(g)));
    }
    // 2. Which procs were idle.
    for (_, state, span) in proc_spans(store) {
        if state == ProcState::Idle {
            for wait in &mut *waits {
                wait.idle_nanos += span.clip(wait.seen.span).nanos();
            }
        }
    }
}

/// The shortest span that has all waits in it.
fn hull(waits: &[Wait]) -> Option<Span> {
    let start = waits.iter().map(|wait| wait.seen.span.start).min()?;
    let end = waits.iter().map(|wait| wait.seen.span.end).max()?;
    Some(Span { start, end })
}

/// What each proc did when.
fn proc_spans(store: &Store) -> Vec<(ProcIx, ProcState, Span)> {
    let mut spans = Vec::new();
    let mut open: Vec<Option<(ProcState, exectrace_reader::Time)>> =
        vec![None; store.procs().len()];
    for change in store.proc_changes() {
        let open = &mut open[change.proc.index()];
        if let Some((state, start)) = open.replace((change.state, change.time)) {
            let end = change.time;
            spans.push((change.proc, state, Span { start, end }));
        }
    }
    let Some(whole) = store.span() else {
        return spans;
    };
    for (at, open) in open.into_iter().enumerate() {
        if let Some((state, start)) = open {
            let end = whole.end;
            spans.push((ProcIx::new(at), state, Span { start, end }));
        }
    }
    spans
}

/// What a proc did. The parts sum to `total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcStats {
    /// From where the proc is first known to the end of the trace.
    pub total: u64,
    /// Goroutines ran on it.
    pub running: u64,
    /// It was kept for a goroutine in a system call.
    pub syscall: u64,
    /// A thread held it, and no goroutine ran: the scheduler was at work, or looked for some.
    pub scheduling: u64,
    /// Nobody held it.
    pub idle: u64,
    /// Not known.
    pub unknown: u64,
    /// How many times a goroutine began to run on it.
    pub runs: u64,
    /// How many of these goroutines ran on another proc before.
    pub migrations: u64,
}

/// What each proc did in the window, by its index.
///
/// Time is linear in the changes of state.
#[must_use]
pub fn procs(store: &Store, selection: &Selection) -> Vec<ProcStats> {
    let mut stats = vec![ProcStats::default(); store.procs().len()];
    let clipped = |span: Span| match selection.window {
        Some(window) => span.clip(window).nanos(),
        None => span.nanos(),
    };
    let mut held = vec![0; stats.len()];
    for (proc, state, span) in proc_spans(store) {
        let nanos = clipped(span);
        let stats = &mut stats[proc.index()];
        stats.total += nanos;
        match state {
            ProcState::Running(_) => held[proc.index()] += nanos,
            ProcState::Idle => stats.idle += nanos,
            ProcState::Unknown => stats.unknown += nanos,
        }
    }
    for goroutine in store.goroutine_indices() {
        let mut last = None;
        for phase in store.phases(goroutine) {
            if !matches!(phase.state, State::Running | State::Syscall) {
                continue;
            }
            let interval = store.interval(goroutine, phase);
            let Cause::Place(place) = interval.cause else {
                continue;
            };
            let Some(proc) = store.place(place).proc else {
                continue;
            };
            let stats = &mut stats[proc.index()];
            let nanos = clipped(interval.seen.span);
            if interval.state == State::Syscall {
                stats.syscall += nanos;
                continue;
            }
            stats.running += nanos;
            let begins = !matches!(
                interval.before,
                Some(State::Syscall | State::SyscallWithoutProc)
            );
            let inside = selection
                .window
                .is_none_or(|window| window.contains(interval.seen.span.start));
            if begins && inside && !interval.seen.open_start {
                stats.runs += 1;
                if last.is_some_and(|last| last != proc) {
                    stats.migrations += 1;
                }
            }
            last = Some(proc);
        }
    }
    for (stats, held) in stats.iter_mut().zip(held) {
        // Before Go 1.22 goroutines count as running while the world is stopped and procs are idle, and
        // damage may leave goroutines running on procs of which nothing is known.
        stats.scheduling = held.saturating_sub(stats.running + stats.syscall);
    }
    stats
}
