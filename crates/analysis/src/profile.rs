//! Profiles: where goroutines were when they spent their time.

use std::collections::HashMap;

use exectrace_reader::GoroutineId;

use crate::{
    Interval,
    ids::{GoroutineIx, StackIx, StringIx},
    selection::Selection,
    span::Span,
    state::State,
    store::{RangeKind, Store},
};

/// What a profile counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProfileKind {
    /// Blocked on the network.
    Net,
    /// Blocked on channels, `select` and the package `sync`: with a reason that contains `chan`,
    /// `select` or `sync`.
    Sync,
    /// In system calls and C code.
    Syscall,
    /// Ready to run, waiting for a proc. The stack of a goroutine that was woken or created is that of
    /// the goroutine which did it.
    Sched,
    /// Blocked, for whatever reason.
    Block,
    /// Not running, for whatever reason: blocked, waiting for a proc, in system calls. Stacks are
    /// always the goroutine's own.
    OffCpu,
    /// All of the time. Stacks are always the goroutine's own; of the time in which it ran, the one
    /// with which it stopped running.
    Wall,
    /// In mark assists and sweeping, and with the world stopped.
    Gc,
    /// Samples of the CPU profiler; they have no durations.
    Cpu,
}

impl ProfileKind {
    /// Whether `go tool trace -pprof` has it.
    #[must_use]
    pub const fn is_of_go(self) -> bool {
        matches!(self, Self::Net | Self::Sync | Self::Syscall | Self::Sched)
    }

    /// Whether stacks are the goroutine's own even where another one changed its state.
    const fn wants_own_stacks(self) -> bool {
        matches!(self, Self::OffCpu | Self::Wall)
    }
}

/// What tells the samples of a profile apart, beside their stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProfileLabels {
    /// The goroutine's id.
    pub goroutine: bool,
    /// The function that the goroutine began with.
    pub function: bool,
    /// The state that the goroutine was in.
    pub state: bool,
    /// Why the goroutine was blocked, or what the range was.
    pub reason: bool,
}

/// How to make a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProfileOptions {
    /// Leave out what `go tool trace -pprof` leaves out: what had not ended when the trace did, and
    /// what was before the goroutine first ran.
    pub like_go: bool,
    /// What tells samples apart.
    pub labels: ProfileLabels,
}

/// A part of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileSample {
    /// Where; `None` if that is not known.
    pub stack: Option<StackIx>,
    /// The goroutine's id, if that is a label.
    pub goroutine: Option<GoroutineId>,
    /// The function that the goroutine began with, if that is a label and known.
    pub function: Option<StringIx>,
    /// The state that the goroutine was in, if that is a label.
    pub state: Option<State>,
    /// Why, if that is a label.
    pub reason: Option<Reason>,
    /// How often.
    pub count: u64,
    /// For how long; 0 for CPU samples.
    pub nanos: u64,
}

/// Why a goroutine did not get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It was blocked for this reason, or stopped for it.
    Blocked(StringIx),
    /// It was in such a range.
    Range(RangeKind),
}

/// Where goroutines spent their time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What it counts.
    pub kind: ProfileKind,
    /// The time that it is about.
    pub span: Option<Span>,
    /// Its parts, the longest first; of equal ones those first that occurred more often.
    pub samples: Vec<ProfileSample>,
}

impl Profile {
    /// Makes a profile of what is selected.
    ///
    /// Time is linear in the changes of state.
    #[must_use]
    pub fn new(
        store: &Store,
        selection: &Selection,
        kind: ProfileKind,
        options: ProfileOptions,
    ) -> Self {
        let mut builder = Builder {
            store,
            selection,
            kind,
            options,
            by_stack: vec![(0, 0); store.symbols().stack_count() + 1],
            by_key: HashMap::new(),
            intervals: Vec::new(),
        };
        match kind {
            ProfileKind::Cpu => builder.add_cpu_samples(),
            ProfileKind::Gc => builder.add_ranges(),
            _ => {
                for goroutine in selection.goroutines(store) {
                    builder.add_goroutine(goroutine);
                }
            }
        }
        Self {
            kind,
            span: selection.window.or(store.span()),
            samples: builder.finish(),
        }
    }

    /// The sum of the samples' durations in nanoseconds.
    #[must_use]
    pub fn total_nanos(&self) -> u64 {
        let nanos = self.samples.iter().map(|sample| sample.nanos);
        nanos.fold(0, u64::saturating_add)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    stack: Option<StackIx>,
    goroutine: Option<GoroutineIx>,
    function: Option<StringIx>,
    state: Option<State>,
    reason: Option<Reason>,
}

impl Key {
    /// Without labels.
    fn of_stack(stack: Option<StackIx>) -> Self {
        Self {
            stack,
            goroutine: None,
            function: None,
            state: None,
            reason: None,
        }
    }
}

struct Builder<'a> {
    store: &'a Store,
    selection: &'a Selection,
    kind: ProfileKind,
    options: ProfileOptions,
    /// Counts and sums of samples without labels, by packed stack: most profiles have no labels.
    by_stack: Vec<(u64, u64)>,
    by_key: HashMap<Key, (u64, u64)>,
    /// Those of a goroutine, kept for their room.
    intervals: Vec<Interval>,
}

impl Builder<'_> {
    /// Adds what a goroutine did:
    ///
    /// 1. a system call is one, whether or not it loses its proc on the way;
    /// 2. only what the profile counts;
    /// 3. only what Go counts, if that is asked for;
    /// 4. with the stack that belongs to it.
    fn add_goroutine(&mut self, goroutine: GoroutineIx) {
        let mut intervals = std::mem::take(&mut self.intervals);
        intervals.clear();
        self.collect(goroutine, &mut intervals);
        let first_run = intervals
            .iter()
            .find(|interval| interval.state == State::Running)
            .map(|interval| interval.seen.span.start);
        let mut own_stack = None;
        for (at, interval) in intervals.iter().enumerate() {
            if is_own(interval) {
                own_stack = interval.stack.or(own_stack);
            }
            let span = interval.seen.span;
            let is_before_first_run = first_run.is_some_and(|first| span.end <= first);
            let left_out = self.options.like_go && (interval.seen.open_end || is_before_first_run);
            if left_out || !self.counts_state(interval) || !self.selection.touches(span) {
                continue;
            }
            let stack = match interval.state {
                _ if !self.kind.wants_own_stacks() => interval.stack,
                State::Running => match intervals.get(at + 1).filter(|next| is_own(next)) {
                    Some(next) => next.stack.or(own_stack),
                    None => own_stack,
                },
                _ => own_stack,
            };
            let reason = (!self.store.symbols().string(interval.reason).is_empty())
                .then_some(Reason::Blocked(interval.reason));
            let nanos = self.selection.clip(interval.seen).span.nanos();
            if nanos > 0 || !self.options.like_go {
                self.add(stack, goroutine, Some(interval.state), reason, nanos);
            }
        }
        self.intervals = intervals;
    }

    /// The intervals of a goroutine, system calls whole unless states are told apart.
    fn collect(&self, goroutine: GoroutineIx, intervals: &mut Vec<Interval>) {
        for interval in self.store.intervals(goroutine) {
            match intervals.last_mut() {
                Some(last)
                    if !self.options.labels.state
                        && last.state == State::Syscall
                        && interval.state == State::SyscallWithoutProc =>
                {
                    last.seen.span.end = interval.seen.span.end;
                    last.seen.open_end = interval.seen.open_end;
                }
                _ => intervals.push(interval),
            }
        }
    }

    fn counts_state(&self, interval: &Interval) -> bool {
        let is_syscall = matches!(interval.state, State::Syscall | State::SyscallWithoutProc);
        let blocked_by = |test: &dyn Fn(&str) -> bool| {
            interval.state == State::Waiting
                && test(
                    &self
                        .store
                        .symbols()
                        .string(interval.reason)
                        .to_string_lossy(),
                )
        };
        match self.kind {
            ProfileKind::Net => blocked_by(&|reason| reason == "network"),
            ProfileKind::Sync => blocked_by(&|reason| {
                ["chan", "sync", "select"]
                    .iter()
                    .any(|word| reason.contains(word))
            }),
            ProfileKind::Syscall => is_syscall,
            ProfileKind::Sched => interval.state == State::Runnable,
            ProfileKind::Block => interval.state == State::Waiting,
            ProfileKind::OffCpu => {
                is_syscall || matches!(interval.state, State::Waiting | State::Runnable)
            }
            ProfileKind::Wall => true,
            ProfileKind::Gc | ProfileKind::Cpu => false,
        }
    }

    fn add_cpu_samples(&mut self) {
        let selected = self.selected();
        for sample in self.store.samples() {
            let inside = self
                .selection
                .window
                .is_none_or(|window| window.contains(sample.time));
            let chosen = match sample.goroutine {
                Some(goroutine) => selected[goroutine.index()],
                None => !self.selection.restricts_goroutines(),
            };
            if inside && chosen {
                self.add_for(sample.stack, sample.goroutine, None, None, 0);
            }
        }
    }

    fn add_ranges(&mut self) {
        let selected = self.selected();
        for range in self.store.ranges() {
            // The concurrent mark phase belongs to nobody.
            let Some(goroutine) = range.begun_on else {
                continue;
            };
            let counts = range.kind != RangeKind::GcConcurrentMark
                && selected[goroutine.index()]
                && self.selection.touches(range.seen.span);
            if counts {
                let nanos = self.selection.clip(range.seen).span.nanos();
                let reason = Some(Reason::Range(range.kind));
                self.add(range.stack, goroutine, None, reason, nanos);
            }
        }
    }

    /// Whether each goroutine is selected.
    fn selected(&self) -> Vec<bool> {
        let mut selected = vec![false; self.store.goroutine_indices().len()];
        for goroutine in self.selection.goroutines(self.store) {
            selected[goroutine.index()] = true;
        }
        selected
    }

    fn add(
        &mut self,
        stack: Option<StackIx>,
        goroutine: GoroutineIx,
        state: Option<State>,
        reason: Option<Reason>,
        nanos: u64,
    ) {
        self.add_for(stack, Some(goroutine), state, reason, nanos);
    }

    fn add_for(
        &mut self,
        stack: Option<StackIx>,
        goroutine: Option<GoroutineIx>,
        state: Option<State>,
        reason: Option<Reason>,
        nanos: u64,
    ) {
        let labels = self.options.labels;
        let function = |goroutine| self.store.goroutine(goroutine).function;
        let key = Key {
            stack: stack.filter(|stack| self.was_walked(*stack)),
            goroutine: goroutine.filter(|_| labels.goroutine),
            function: goroutine.filter(|_| labels.function).and_then(function),
            state: state.filter(|_| labels.state),
            reason: reason.filter(|_| labels.reason),
        };
        let unlabelled = key == Key::of_stack(key.stack);
        let (count, sum) = match self.by_stack.get_mut(StackIx::pack(key.stack) as usize) {
            Some(counts) if unlabelled => counts,
            _ => self.by_key.entry(key).or_default(),
        };
        *count += 1;
        *sum = sum.saturating_add(nanos);
    }

    /// A stack that could not be walked has one frame without an address.
    fn was_walked(&self, stack: StackIx) -> bool {
        let symbols = self.store.symbols();
        match symbols.stack(stack) {
            [only] => symbols.frame(*only).pc != 0,
            _ => true,
        }
    }

    fn finish(self) -> Vec<ProfileSample> {
        let by_stack = self.by_stack.into_iter().zip(0..);
        let unlabelled = by_stack
            .filter(|((count, _), _)| *count > 0)
            .map(|(counts, packed)| (Key::of_stack(StackIx::unpack(packed)), counts));
        let mut samples: Vec<ProfileSample> = unlabelled
            .chain(self.by_key)
            .map(|(key, (count, nanos))| ProfileSample {
                stack: key.stack,
                goroutine: key.goroutine.map(|at| self.store.goroutine(at).id),
                function: key.function,
                state: key.state,
                reason: key.reason,
                count,
                nanos,
            })
            .collect();
        samples.sort_unstable_by(|a, b| {
            let rest = |s: &ProfileSample| (s.stack, s.goroutine, s.function, s.state, s.reason);
            (b.nanos, b.count)
                .cmp(&(a.nanos, a.count))
                .then_with(|| rest(a).cmp(&rest(b)))
        });
        samples
    }
}

/// Whether an interval's stack is the goroutine's own.
fn is_own(interval: &Interval) -> bool {
    let by_other = interval.state == State::Runnable
        && matches!(interval.before, Some(State::Waiting) | None)
        && !interval.seen.open_start;
    interval.stack.is_some() && !by_other
}
