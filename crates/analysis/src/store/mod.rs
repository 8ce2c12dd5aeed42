//! The store: everything that analyses ask of a trace, in memory, in columns.

mod build;
mod forget;
mod log;
mod metrics;
mod places;
mod procs;
mod ranges;
mod tables;
#[cfg(test)]
mod tests;
mod user;

use core::fmt;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use exectrace_reader::{
    ClockSnapshot, Error, GoroutineId, LossKind, ProcId, Reader, SalvageReport, ThreadId, Time,
    Version, WallTime,
};

pub use log::Cause;
pub use tables::{
    Goroutine, Label, Log, Metric, Place, ProcChange, ProcState, Range, RangeKind, Region, Sample,
    Scope, Sync, Task,
};

use self::{
    build::Builder,
    log::{GoroutineLog, Histories},
    metrics::MetricLog,
    procs::ProcLog,
    tables::{GoroutineRow, Ids},
};
use crate::{
    ids::{
        GoroutineIx, PlaceIx, ProcIx, RangeIx, RegionIx, RowIx, StackIx, StringIx, TaskIx, ThreadIx,
    },
    span::{Seen, Span},
    state::State,
    symbols::Symbols,
};

/// A trace, ready to be asked.
///
/// One pass over the reader fills it. It has what happened to goroutines, procs, ranges, tasks and
/// regions, logs, labels, metrics and CPU samples, and each string and stack once. Of experimental
/// events it has the number only.
///
/// ```
/// # let trace = exectrace_wire::Version::Go126.header();
/// use exectrace_analysis::{State, Store};
/// use exectrace_reader::Reader;
///
/// let store = Store::read(&mut Reader::new(&trace[..])?)?;
/// for goroutine in store.goroutine_indices() {
///     let waits = store.intervals(goroutine).filter(|i| i.state == State::Runnable);
///     let nanos: u64 = waits.map(|interval| interval.seen.span.nanos()).sum();
///     println!("goroutine {} waited {nanos} ns for a proc", store.goroutine(goroutine).id);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Store {
    version: Version,
    span: Option<Span>,
    symbols: Symbols,
    goroutines: Vec<GoroutineRow>,
    log: GoroutineLog,
    histories: OnceLock<Histories>,
    procs: ProcLog,
    ids: Ids,
    places: Vec<Place>,
    metrics: MetricLog,
    ranges: Vec<Range>,
    tasks: Vec<Task>,
    regions: Vec<Region>,
    logs: Vec<Log>,
    labels: Vec<Label>,
    samples: Vec<Sample>,
    syncs: Vec<Sync>,
    events: u64,
    experimental: u64,
    damage: Option<Error>,
    salvage: Option<SalvageReport>,
}

/// Why a trace cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// It has more goroutines or changes of their states than a store can number.
    TooLarge,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str(
                "the trace has more than 2,147,483,646 goroutines or changes of their states: \
                 analyse a part of it",
            ),
        }
    }
}

impl std::error::Error for StoreError {}

/// A goroutine in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Where it begins.
    pub row: RowIx,
    /// The goroutine.
    pub goroutine: GoroutineIx,
    /// The state.
    pub state: State,
    /// The state before; `None` at the start of a life or after damage.
    pub before: Option<State>,
    /// Why the goroutine stopped or blocked; the empty string if it did neither.
    pub reason: StringIx,
    /// Where the state began. If another goroutine made this one runnable, that is its stack.
    pub stack: Option<StackIx>,
    /// Who or what began the state.
    pub cause: Cause,
    /// When.
    pub seen: Seen,
}

/// An [`Interval`] without what takes more lookups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) row: RowIx,
    pub(crate) state: State,
    pub(crate) before: Option<State>,
    pub(crate) reason: StringIx,
    pub(crate) seen: Seen,
}

impl Store {
    /// Reads a trace to its end, or to where it is broken: see [`Self::damage`].
    ///
    /// Time is linear in the events. Memory is about 20 bytes an event, and the trace's different
    /// strings and stacks.
    ///
    /// # Errors
    ///
    /// If the trace is too large.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, StoreError> {
        let mut builder = Builder::default();
        let mut losses = 0;
        let damage = loop {
            // 1. Up to where a generation begins, or a sample of the processor.
            let read = reader.try_for_each(|event| match builder.add(&event) {
                Err(error) => ControlFlow::Break(Err(error)),
                Ok(()) if event.event_type().is_none() => ControlFlow::Break(Ok(())),
                Ok(()) => ControlFlow::Continue(()),
            });
            match read {
                Ok(ControlFlow::Break(added)) => added?,
                Ok(ControlFlow::Continue(())) => break None,
                Err(error) => break Some(error),
            }
            // 2. The reader can forget the program's state only where a generation begins.
            if let Some(report) = reader.salvage_report() {
                let new = report.losses.get(losses..).unwrap_or_default();
                if new
                    .iter()
                    .any(|loss| matches!(loss.kind, LossKind::ForgottenState))
                {
                    builder.forget();
                }
                losses = report.losses.len();
            }
        };
        builder.end();
        Ok(Self::new(
            builder,
            reader.version(),
            damage,
            reader.salvage_report().cloned(),
        ))
    }

    fn new(
        builder: Builder,
        version: Version,
        damage: Option<Error>,
        salvage: Option<SalvageReport>,
    ) -> Self {
        let end = builder.last_time;
        Self {
            version,
            span: builder.first_time.map(|start| Span { start, end }),
            symbols: builder.interner.finish(),
            goroutines: builder.goroutines,
            log: builder.log,
            histories: OnceLock::new(),
            procs: builder.procs,
            ids: builder.places.ids,
            places: builder.places.places,
            metrics: builder.metrics,
            ranges: builder.ranges.finish(end),
            tasks: builder.user.tasks,
            regions: builder.user.regions,
            logs: builder.logs,
            labels: builder.labels,
            samples: builder.samples,
            syncs: builder.syncs,
            events: builder.events,
            experimental: builder.experimental,
            damage,
            salvage,
        }
    }

    /// The version that the trace's header names.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// From the first event to the last; `None` if there is no event.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.span
    }

    /// Why the trace could not be read to its end. What came before is here.
    #[must_use]
    pub fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    /// What salvage mode lost; `None` if the reader was strict.
    #[must_use]
    pub fn salvage_report(&self) -> Option<&SalvageReport> {
        self.salvage.as_ref()
    }

    /// How many events were read.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many of them were of experiments: these are not kept.
    #[must_use]
    pub fn experimental_events(&self) -> u64 {
        self.experimental
    }

    /// Strings, frames and stacks.
    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// All goroutines, in the order in which they were created or first mentioned.
    pub fn goroutine_indices(&self) -> impl ExactSizeIterator<Item = GoroutineIx> + use<> {
        (0..self.goroutines.len()).map(GoroutineIx::new)
    }

    /// A goroutine.
    #[must_use]
    pub fn goroutine(&self, goroutine: GoroutineIx) -> Goroutine {
        let row = &self.goroutines[goroutine.index()];
        Goroutine {
            id: GoroutineId(row.id),
            seen: self.seen_of(row),
            function: StringIx::unpack(row.function),
            creator: GoroutineIx::unpack(row.creator),
            creation_stack: StackIx::unpack(row.creation_stack),
            inherited_task: TaskIx::unpack(row.inherited_task),
        }
    }

    fn seen_of(&self, row: &GoroutineRow) -> Seen {
        let start = Time(row.start);
        let end = if row.ended { Time(row.end) } else { self.end() };
        Seen {
            span: Span {
                start,
                end: end.max(start),
            },
            open_start: row.existed,
            open_end: !row.ended,
        }
    }

    fn end(&self) -> Time {
        self.span.map_or(Time(0), |span| span.end)
    }

    /// A goroutine's states, in order of time. They follow each other without gaps and take up its
    /// life as far as it is seen.
    ///
    /// The first call for any goroutine sorts the table, in time linear in its length; it then takes
    /// 4 bytes more a row.
    pub fn intervals(&self, goroutine: GoroutineIx) -> impl Iterator<Item = Interval> + use<'_> {
        self.phases(goroutine)
            .map(move |phase| self.interval(goroutine, phase))
    }

    /// Looks up what a phase lacks.
    #[inline]
    pub(crate) fn interval(&self, goroutine: GoroutineIx, phase: Phase) -> Interval {
        Interval {
            row: phase.row,
            goroutine,
            state: phase.state,
            before: phase.before,
            reason: phase.reason,
            stack: self.log.stack(phase.row),
            cause: self.log.cause(phase.row),
            seen: phase.seen,
        }
    }

    /// As [`Self::intervals`], without what some analyses need not look up.
    #[inline]
    pub(crate) fn phases(&self, goroutine: GoroutineIx) -> impl Iterator<Item = Phase> + use<'_> {
        let existed = self.goroutines[goroutine.index()].existed;
        let end = self.end();
        let mut rows = self.rows_of(goroutine).iter().copied();
        let mut next = rows.next().map(|row| (row, self.log.time(row)));
        let mut is_first = true;
        std::iter::from_fn(move || {
            let (row, start) = next?;
            let code = self.log.code(row);
            // The row that ends a life is the last.
            let state = code.state?;
            next = rows.next().map(|row| (row, self.log.time(row)));
            let open_start = std::mem::replace(&mut is_first, false) && existed;
            let end = next.map_or(end, |(_, time)| time);
            Some(Phase {
                row,
                state,
                before: code.before,
                reason: code.reason,
                seen: Seen {
                    span: Span {
                        start,
                        end: end.max(start),
                    },
                    open_start,
                    open_end: next.is_none(),
                },
            })
        })
    }

    /// The starts of a goroutine's states, and its end if it has one.
    pub(crate) fn rows_of(&self, goroutine: GoroutineIx) -> &[RowIx] {
        self.histories
            .get_or_init(|| Histories::new(&self.log, self.goroutines.len()))
            .of(goroutine)
    }

    /// Changes of procs' states, in order of time.
    pub fn proc_changes(&self) -> impl ExactSizeIterator<Item = ProcChange> + use<'_> {
        (0..self.procs.len()).map(|at| self.procs.get(at))
    }

    /// The ids of the procs, by index.
    #[must_use]
    pub fn procs(&self) -> &[ProcId] {
        &self.ids.procs
    }

    /// The ids of the threads, by index.
    #[must_use]
    pub fn threads(&self) -> &[ThreadId] {
        &self.ids.threads
    }

    /// A proc's id.
    #[must_use]
    pub fn proc_id(&self, proc: ProcIx) -> ProcId {
        self.ids.procs[proc.index()]
    }

    /// A thread's id.
    #[must_use]
    pub fn thread_id(&self, thread: ThreadIx) -> ThreadId {
        self.ids.threads[thread.index()]
    }

    /// A place.
    #[must_use]
    pub fn place(&self, place: PlaceIx) -> Place {
        self.places[place.index()]
    }

    /// Values of metrics, in order of time.
    pub fn metrics(&self) -> impl ExactSizeIterator<Item = Metric> + use<'_> {
        (0..self.metrics.len()).map(|at| self.metrics.get(at))
    }

    /// Ranges, in the order in which they began or were first reported.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// A range.
    #[must_use]
    pub fn range(&self, range: RangeIx) -> &Range {
        &self.ranges[range.index()]
    }

    /// Tasks, in the order in which they began or were first mentioned.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// A task.
    #[must_use]
    pub fn task(&self, task: TaskIx) -> &Task {
        &self.tasks[task.index()]
    }

    /// Regions, in the order in which they began; those that began before the trace, in that in which
    /// they ended.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// A region.
    #[must_use]
    pub fn region(&self, region: RegionIx) -> &Region {
        &self.regions[region.index()]
    }

    /// Log messages, in order of time.
    #[must_use]
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// Labels, in order of time.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// CPU samples, in order of time.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Starts of generations and the end of the trace.
    #[must_use]
    pub fn syncs(&self) -> &[Sync] {
        &self.syncs
    }

    /// The wall clock time of a time of the trace, by the last clock snapshot before it; `None` if
    /// the trace has none (before Go 1.25).
    #[must_use]
    pub fn wall_time(&self, time: Time) -> Option<WallTime> {
        let clocks = || self.syncs.iter().filter_map(|sync| sync.clock);
        let before = clocks().take_while(|clock: &ClockSnapshot| clock.trace <= time);
        let clock = before.last().or_else(|| clocks().next())?;
        Some(clock.wall_time_of(time))
    }

    /// How many bytes each table takes up, without room to grow.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        fn of<T>(rows: &[T]) -> usize {
            size_of_val(rows)
        }
        Footprint {
            goroutines: of(&self.goroutines),
            states: self.log.bytes(),
            histories: self.histories.get().map_or(0, Histories::bytes),
            procs: self.procs.bytes(),
            metrics: self.metrics.bytes(),
            ranges: of(&self.ranges),
            tasks: of(&self.tasks),
            regions: of(&self.regions),
            other: of(&self.logs)
                + of(&self.labels)
                + of(&self.samples)
                + of(&self.syncs)
                + of(&self.places)
                + of(&self.ids.procs)
                + of(&self.ids.threads),
            symbols: self.symbols.bytes(),
        }
    }
}

/// How many bytes the tables of a store take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Footprint {
    /// Goroutines.
    pub goroutines: usize,
    /// Their states.
    pub states: usize,
    /// The order of the states by goroutine, once something has asked for it.
    pub histories: usize,
    /// Procs' states.
    pub procs: usize,
    /// Metrics.
    pub metrics: usize,
    /// Ranges.
    pub ranges: usize,
    /// Tasks.
    pub tasks: usize,
    /// Regions.
    pub regions: usize,
    /// Logs, labels, samples, syncs, places and ids.
    pub other: usize,
    /// Strings, frames and stacks.
    pub symbols: usize,
}

impl Footprint {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.goroutines
            + self.states
            + self.histories
            + self.procs
            + self.metrics
            + self.ranges
            + self.tasks
            + self.regions
            + self.other
            + self.symbols
    }
}
