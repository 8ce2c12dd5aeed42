//! What goroutines spend their time on, one by one and in groups.
//!
//! The states of a goroutine partition its life, so its measures sum to it exactly. Ranges (stopped
//! worlds, mark assists, sweeping) overlap with states and are counted apart.

use std::collections::BTreeMap;

use exectrace_reader::Time;

use crate::{
    Interval,
    distribution::Distribution,
    ids::{GoroutineIx, RangeIx, StringIx},
    selection::Selection,
    span::Seen,
    state::State,
    store::{RangeKind, Scope, Store},
};

/// What time can be spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Running.
    Execution,
    /// Ready to run, waiting for a proc.
    SchedulerWait,
    /// Blocked, for this reason; the empty string if it blocked before the trace began.
    Blocked(StringIx),
    /// In a system call or in C code, with its proc.
    Syscall,
    /// In a system call or in C code, its proc gone: when it returns, it has to wait for another.
    SyscallWithoutProc,
    /// Not known, since it was lost.
    Unknown,
}

impl Measure {
    /// What an interval is spent on.
    #[must_use]
    pub fn of(interval: &Interval) -> Self {
        Self::of_state(interval.state, interval.reason)
    }

    pub(crate) fn of_state(state: State, reason: StringIx) -> Self {
        match state {
            State::Running => Self::Execution,
            State::Runnable => Self::SchedulerWait,
            State::Waiting => Self::Blocked(reason),
            State::Syscall => Self::Syscall,
            State::SyscallWithoutProc => Self::SyscallWithoutProc,
            State::Unknown => Self::Unknown,
        }
    }

    /// A name for people.
    #[must_use]
    pub fn name(self, store: &Store) -> String {
        match self {
            Self::Execution => "execution".to_owned(),
            Self::SchedulerWait => "scheduler wait".to_owned(),
            Self::Blocked(reason) => match store.symbols().string(reason) {
                reason if reason.is_empty() => "blocked (since before the trace)".to_owned(),
                reason => format!("blocked ({reason})"),
            },
            Self::Syscall => "syscall".to_owned(),
            Self::SyscallWithoutProc => "syscall without proc".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

/// The times that something took, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spells {
    /// How many.
    pub count: u64,
    /// Their sum in nanoseconds.
    pub nanos: u64,
    /// The longest in nanoseconds.
    pub longest: u64,
}

impl Spells {
    pub(crate) fn add(&mut self, nanos: u64) {
        self.count += 1;
        self.nanos = self.nanos.saturating_add(nanos);
        self.longest = self.longest.max(nanos);
    }

    pub(crate) fn add_all(&mut self, other: Self) {
        self.count += other.count;
        self.nanos = self.nanos.saturating_add(other.nanos);
        self.longest = self.longest.max(other.longest);
    }
}

/// What a goroutine spent its time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoroutineStats {
    /// The goroutine.
    pub goroutine: GoroutineIx,
    /// Its life, as far as it is selected.
    pub seen: Seen,
    /// When it began to run first, in the whole trace; `None` if it never did.
    pub first_run: Option<Time>,
    /// The parts of its life, by measure. They sum to it.
    pub times: Vec<(Measure, Spells)>,
    /// The time that it spent in ranges, by kind.
    pub ranges: Vec<(RangeKind, Spells)>,
}

impl GoroutineStats {
    /// What it spent on something.
    #[must_use]
    pub fn time(&self, measure: Measure) -> Spells {
        let mut times = self.times.iter();
        let found = times.find(|(other, _)| *other == measure);
        found.map_or_else(Spells::default, |(_, spells)| *spells)
    }

    /// The sum of all times that it was blocked, for whatever reason.
    #[must_use]
    pub fn blocked(&self) -> Spells {
        let mut sum = Spells::default();
        for (measure, spells) in &self.times {
            if let Measure::Blocked(_) = measure {
                sum.add_all(*spells);
            }
        }
        sum
    }
}

/// Goroutines that began with the same function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The function; `None` if no stack of the goroutines was seen.
    pub function: Option<StringIx>,
    /// Their lives, as far as they are selected.
    pub lives: Distribution,
    /// What they spent their time on.
    pub times: BTreeMap<Measure, GroupTimes>,
    /// What they spent in ranges.
    pub ranges: BTreeMap<RangeKind, GroupTimes>,
}

impl Group {
    /// How many goroutines.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.lives.count
    }

    /// What they spent on something.
    #[must_use]
    pub fn time(&self, measure: Measure) -> Spells {
        self.times
            .get(&measure)
            .map_or_else(Spells::default, |times| times.spells)
    }

    /// The sum of all times that they were blocked, for whatever reason.
    #[must_use]
    pub fn blocked(&self) -> Spells {
        let mut sum = Spells::default();
        for (measure, times) in &self.times {
            if let Measure::Blocked(_) = measure {
                sum.add_all(times.spells);
            }
        }
        sum
    }
}

/// What the goroutines of a group spent on something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupTimes {
    /// All spells of all goroutines.
    pub spells: Spells,
    /// What each goroutine spent in all, those included that spent nothing.
    pub per_goroutine: Distribution,
}

/// Computes [`GoroutineStats`], of as many goroutines as are asked for.
#[derive(Debug)]
pub struct GoroutineAnalysis<'a> {
    store: &'a Store,
    selection: &'a Selection,
    /// Ranges that belong to goroutines, by goroutine.
    ranges: Vec<(GoroutineIx, RangeIx)>,
}

impl<'a> GoroutineAnalysis<'a> {
    /// Time linear in the ranges.
    #[must_use]
    pub fn new(store: &'a Store, selection: &'a Selection) -> Self {
        let mut ranges: Vec<(GoroutineIx, RangeIx)> = (0..store.ranges().len())
            .map(RangeIx::new)
            .filter_map(|range| Some((owner(store, range)?, range)))
            .collect();
        ranges.sort_unstable();
        Self {
            store,
            selection,
            ranges,
        }
    }

    /// What a goroutine spent its time on, in the window.
    ///
    /// Time is linear in the goroutine's changes of state.
    #[must_use]
    pub fn stats(&self, goroutine: GoroutineIx) -> GoroutineStats {
        let mut stats = GoroutineStats {
            goroutine,
            seen: self.selection.clip(self.store.goroutine(goroutine).seen),
            first_run: None,
            times: Vec::new(),
            ranges: Vec::new(),
        };
        for phase in self.store.phases(goroutine) {
            if phase.state == State::Running && stats.first_run.is_none() {
                stats.first_run = Some(phase.seen.span.start);
            }
            if self.selection.touches(phase.seen.span) {
                let nanos = self.selection.clip(phase.seen).span.nanos();
                let measure = Measure::of_state(phase.state, phase.reason);
                spells_of(&mut stats.times, measure).add(nanos);
            }
        }
        for range in self.ranges_of(goroutine) {
            let range = self.store.range(range);
            if self.selection.touches(range.seen.span) {
                let nanos = range.seen.span.clip(stats.seen.span).nanos();
                spells_of(&mut stats.ranges, range.kind).add(nanos);
            }
        }
        stats.times.sort_unstable_by_key(|(measure, _)| *measure);
        stats.ranges.sort_unstable_by_key(|(kind, _)| *kind);
        stats
    }

    /// How the spells of a goroutine are distributed, in the window, by measure.
    #[must_use]
    pub fn spells(&self, goroutine: GoroutineIx) -> BTreeMap<Measure, Distribution> {
        let phases = self.store.phases(goroutine);
        distributions(
            phases
                .filter(|phase| self.selection.touches(phase.seen.span))
                .map(|phase| {
                    let nanos = self.selection.clip(phase.seen).span.nanos();
                    (Measure::of_state(phase.state, phase.reason), nanos)
                }),
        )
    }

    /// How the ranges of a goroutine are distributed, in the window, by kind.
    #[must_use]
    pub fn range_spells(&self, goroutine: GoroutineIx) -> BTreeMap<RangeKind, Distribution> {
        let life = self.store.goroutine(goroutine).seen;
        let life = self.selection.clip(life).span;
        let ranges = self.ranges_of(goroutine);
        distributions(
            ranges
                .map(|range| self.store.range(range))
                .filter(|range| self.selection.touches(range.seen.span))
                .map(|range| (range.kind, range.seen.span.clip(life).nanos())),
        )
    }

    /// What each selected goroutine spent its time on, in the order in which they were created.
    pub fn each(&self) -> impl Iterator<Item = GoroutineStats> + use<'_> {
        self.selection
            .goroutines(self.store)
            .map(|goroutine| self.stats(goroutine))
    }

    /// The selected goroutines, by the functions that they began with; those first that ran longest.
    ///
    /// Time is linear in the changes of state but for sorting.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: BTreeMap<Option<StringIx>, Members> = BTreeMap::new();
        for stats in self.each() {
            let function = self.store.goroutine(stats.goroutine).function;
            groups.entry(function).or_default().add(&stats);
        }
        let mut groups: Vec<Group> = groups
            .into_iter()
            .map(|(function, members)| members.finish(function))
            .collect();
        let name = |group: &Group| group.function.map(|name| self.store.symbols().string(name));
        groups.sort_by(|a, b| {
            let execution = |group: &Group| group.time(Measure::Execution).nanos;
            execution(b)
                .cmp(&execution(a))
                .then_with(|| name(a).cmp(&name(b)))
        });
        groups
    }

    fn ranges_of(&self, goroutine: GoroutineIx) -> impl Iterator<Item = RangeIx> + use<'_> {
        let first = self.ranges.partition_point(|(owner, _)| *owner < goroutine);
        self.ranges[first..]
            .iter()
            .take_while(move |(owner, _)| *owner == goroutine)
            .map(|(_, range)| *range)
    }
}

fn distributions<K: Ord>(values: impl Iterator<Item = (K, u64)>) -> BTreeMap<K, Distribution> {
    let mut lists: BTreeMap<K, Vec<u64>> = BTreeMap::new();
    for (key, nanos) in values {
        lists.entry(key).or_default().push(nanos);
    }
    lists
        .into_iter()
        .map(|(key, mut values)| (key, Distribution::of(&mut values)))
        .collect()
}

/// The goroutine that a range's time counts for: its own, or the one that began to sweep a proc,
/// unless another one finished.
fn owner(store: &Store, range: RangeIx) -> Option<GoroutineIx> {
    let range = store.range(range);
    match range.scope {
        Scope::Global => None,
        Scope::Goroutine(goroutine) => Some(goroutine),
        Scope::Proc(_) => range
            .begun_on
            .filter(|begun_on| range.seen.open_end || range.ended_on == Some(*begun_on)),
    }
}

/// The spells of a key in a short list.
pub(crate) fn spells_of<K: PartialEq + Copy>(list: &mut Vec<(K, Spells)>, key: K) -> &mut Spells {
    let at = match list.iter().position(|(other, _)| *other == key) {
        Some(at) => at,
        None => {
            list.push((key, Spells::default()));
            list.len() - 1
        }
    };
    &mut list[at].1
}

/// A group while it is collected.
#[derive(Debug, Default)]
struct Members {
    lives: Vec<u64>,
    times: Vec<(Measure, Collected)>,
    ranges: Vec<(RangeKind, Collected)>,
}

#[derive(Debug, Default)]
struct Collected {
    spells: Spells,
    per_goroutine: Vec<u64>,
}

impl Members {
    fn add(&mut self, stats: &GoroutineStats) {
        fn add_all<K: PartialEq + Copy>(to: &mut Vec<(K, Collected)>, from: &[(K, Spells)]) {
            for (key, spells) in from {
                let at = match to.iter().position(|(other, _)| other == key) {
                    Some(at) => at,
                    None => {
                        to.push((*key, Collected::default()));
                        to.len() - 1
                    }
                };
                to[at].1.spells.add_all(*spells);
                to[at].1.per_goroutine.push(spells.nanos);
            }
        }
        self.lives.push(stats.seen.span.nanos());
        add_all(&mut self.times, &stats.times);
        add_all(&mut self.ranges, &stats.ranges);
    }

    fn finish(mut self, function: Option<StringIx>) -> Group {
        fn finish_all<K: Ord>(
            list: Vec<(K, Collected)>,
            goroutines: usize,
        ) -> BTreeMap<K, GroupTimes> {
            list.into_iter()
                .map(|(key, mut collected)| {
                    let zeros = (goroutines - collected.per_goroutine.len()) as u64;
                    let times = GroupTimes {
                        spells: collected.spells,
                        per_goroutine: Distribution::with_zeros(
                            &mut collected.per_goroutine,
                            zeros,
                        ),
                    };
                    (key, times)
                })
                .collect()
        }
        let goroutines = self.lives.len();
        Group {
            function,
            lives: Distribution::of(&mut self.lives),
            times: finish_all(self.times, goroutines),
            ranges: finish_all(self.ranges, goroutines),
        }
    }
}
