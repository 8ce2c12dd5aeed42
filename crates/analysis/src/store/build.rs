//! Fills a store: one pass over the reader's events.

use exectrace_reader::{
    Event, EventKind, GoState, GoroutineId, ProcState as GoProcState, RangeKind as ReadRangeKind,
    Scope as ReadScope, StateTransition, Time,
};

use super::{
    StoreError,
    log::{Cause, Code, GoroutineLog, NewRow},
    metrics::MetricLog,
    places::{Holders, Places, slot},
    procs::ProcLog,
    ranges::{self, Ranges},
    tables::{
        GoroutineRow, Label, Log, Metric, ProcChange, ProcState, RangeKind, Sample, Scope, Sync,
    },
    user::{self, UserTables},
};
use crate::{
    ids::{GoroutineIx, MAX_ENTRIES, ProcIx, StackIx, StringIx, TaskIx},
    index::IdIndex,
    state::State,
    symbols::{EMPTY, Interner},
};

/// The tables while they are filled.
///
/// What the first mention of a goroutine or proc says holds since the generation began, so such rows
/// belong before all others of the generation. They are collected and inserted when it ends.
#[derive(Debug, Default)]
pub(super) struct Builder {
    pub(super) interner: Interner,
    pub(super) places: Places,
    pub(super) goroutines: Vec<GoroutineRow>,
    pub(super) log: GoroutineLog,
    pub(super) procs: ProcLog,
    pub(super) metrics: MetricLog,
    pub(super) ranges: Ranges,
    pub(super) user: UserTables,
    pub(super) logs: Vec<Log>,
    pub(super) labels: Vec<Label>,
    pub(super) samples: Vec<Sample>,
    pub(super) syncs: Vec<Sync>,
    pub(super) events: u64,
    pub(super) experimental: u64,
    pub(super) first_time: Option<Time>,
    pub(super) last_time: Time,
    goroutine_ids: IdIndex,
    generation: GenerationStart,
    holders: Holders,
    /// By proc: the goroutine that is in a system call with it, and where.
    in_syscall: Vec<Option<(GoroutineIx, Option<StackIx>)>>,
    /// By goroutine: the proc with which it is in a system call.
    syscall_proc: Vec<Option<ProcIx>>,
    forgotten: super::forget::Forgotten,
}

/// Where a generation begins in the tables.
#[derive(Debug, Default)]
pub(super) struct GenerationStart {
    pub(super) time: Time,
    first_row: usize,
    first_proc_change: usize,
    /// How many procs were known by then.
    pub(super) known_procs: usize,
    /// Rows that belong there.
    pub(super) rows: Vec<NewRow>,
    pub(super) proc_changes: Vec<(ProcIx, ProcState)>,
}

impl Builder {
    /// Adds an event.
    ///
    /// # Errors
    ///
    /// If a table is full.
    #[inline]
    pub(super) fn add(&mut self, event: &Event<'_>) -> Result<(), StoreError> {
        self.events += 1;
        self.last_time = event.time();
        match event.kind() {
            EventKind::StateTransition(StateTransition::Goroutine {
                id,
                from,
                to,
                reason,
                stack,
            }) => {
                if self.log.len() >= MAX_ENTRIES || self.goroutines.len() >= MAX_ENTRIES {
                    return Err(StoreError::TooLarge);
                }
                let reason = self.interner.string(reason);
                let own_stack = stack.and_then(|stack| self.interner.stack(stack));
                self.goroutine_changes(event, id, (from, to), reason, own_stack);
            }
            kind => {
                if self.first_time.is_none() {
                    self.first_time = Some(event.time());
                    self.begin_generation(event.time());
                }
                self.add_other(event, kind);
            }
        }
        Ok(())
    }

    fn add_other(&mut self, event: &Event<'_>, kind: EventKind<'_>) {
        let time = event.time();
        match kind {
            EventKind::StateTransition(StateTransition::Goroutine { .. }) => {}
            EventKind::StateTransition(StateTransition::Proc { id, from, to }) => {
                let proc = self.places.proc(id);
                self.proc_changes(event, proc, from, to);
            }
            EventKind::Sync(sync) => {
                self.end_generation();
                self.begin_generation(time);
                self.syncs.push(Sync {
                    time,
                    generation: sync.generation(),
                    clock: sync.clock(),
                });
            }
            EventKind::Metric(metric) => self.metrics.push(Metric {
                time,
                kind: metric.kind,
                value: metric.value,
            }),
            EventKind::Label(label) => {
                let goroutine = self.known(label.goroutine);
                let label = self.interner.string(label.label);
                self.labels.push(Label {
                    time,
                    goroutine,
                    label,
                });
            }
            EventKind::StackSample => {
                let goroutine = event.goroutine().and_then(|id| self.known(id));
                let place = self.places.place(event.thread(), event.proc());
                let stack = event.stack().and_then(|stack| self.interner.stack(stack));
                self.samples.push(Sample {
                    time,
                    goroutine,
                    place,
                    stack,
                });
            }
            EventKind::RangeBegin(range) => {
                let (scope, kind) = self.range(range.scope, range.kind);
                let edge = self.range_edge(event);
                self.ranges.begin(scope, kind, edge);
            }
            EventKind::RangeActive(range) => {
                let (scope, kind) = self.range(range.scope, range.kind);
                let edge = self.range_edge(event);
                self.ranges.active(scope, kind, edge, self.generation.time);
            }
            EventKind::RangeEnd(end) => {
                let (scope, kind) = self.range(end.range.scope, end.range.kind);
                let edge = self.range_edge(event);
                self.ranges
                    .end(scope, kind, edge, end.swept, self.generation.time);
            }
            EventKind::Experimental(_) => self.experimental += 1,
            kind => self.add_user(event, kind),
        }
    }

    /// Tasks, regions and logs.
    fn add_user(&mut self, event: &Event<'_>, kind: EventKind<'_>) {
        let time = event.time();
        let goroutine = event.goroutine().and_then(|id| self.known(id));
        let stack = event.stack().and_then(|stack| self.interner.stack(stack));
        let edge = user::Edge { time, stack };
        match kind {
            EventKind::TaskBegin(task) => {
                let kind = self.interner.string(task.kind);
                self.user
                    .begin_task(task.id, task.parent, kind, goroutine, edge);
            }
            EventKind::TaskEnd(task) => {
                let kind = self.interner.string(task.kind);
                self.user
                    .end_task(task.id, task.parent, kind, goroutine, time);
            }
            EventKind::RegionBegin(region) => {
                let name = self.interner.string(region.name);
                if let Some(goroutine) = goroutine {
                    self.user.begin_region(goroutine, region.task, name, edge);
                }
            }
            EventKind::RegionEnd(region) => {
                let name = self.interner.string(region.name);
                if let Some(goroutine) = goroutine {
                    self.user.end_region(goroutine, region.task, name, edge);
                }
            }
            EventKind::Log(log) => {
                let row = Log {
                    time,
                    goroutine,
                    task: self.user.task(log.task),
                    category: self.interner.string(log.category),
                    message: self.interner.string(log.message),
                    stack,
                };
                self.logs.push(row);
            }
            _ => {}
        }
    }

    #[inline]
    fn known(&mut self, id: GoroutineId) -> Option<GoroutineIx> {
        self.goroutine_ids.get(id.0).map(GoroutineIx)
    }

    /// A goroutine's change of state:
    ///
    /// 1. which goroutine it is, perhaps a new one;
    /// 2. what caused the change;
    /// 3. the new state, in which a system call counts as with or without a proc;
    /// 4. the row, or the end of the goroutine.
    #[inline]
    fn goroutine_changes(
        &mut self,
        event: &Event<'_>,
        id: GoroutineId,
        (from, to): (GoState, GoState),
        reason: StringIx,
        own_stack: Option<StackIx>,
    ) {
        if self.first_time.is_none() {
            self.first_time = Some(event.time());
            self.begin_generation(event.time());
        }
        if from == to && !self.forgotten.may_matter() {
            // The status of what is known already, in a later generation.
            return;
        }
        // 1. The goroutine.
        let known = self.known(id);
        let (goroutine, first_seen) = match (known, from) {
            (_, GoState::NotExist) => (self.create(event, id), false),
            (None, _) => (self.first_seen(id), true),
            (Some(goroutine), GoState::Undetermined) => {
                // The id of a goroutine that has ended was used again where the trace is lost.
                let ended = self.goroutines[goroutine.index()].ended;
                let goroutine = if ended {
                    self.first_seen(id)
                } else {
                    goroutine
                };
                (goroutine, true)
            }
            (Some(goroutine), _) => (goroutine, false),
        };
        if from == to && !self.forgotten.is_unknown(goroutine) {
            return;
        }
        // Every transition's own stack has the same root, where the goroutine began.
        if self.goroutines[goroutine.index()].function == 0
            && let Some(stack) = own_stack
        {
            // A stack that could not be walked has one frame without a function.
            let root = self.interner.symbols().root(stack);
            let root = root.filter(|function| *function != EMPTY);
            self.goroutines[goroutine.index()].function = StringIx::pack(root);
        }
        // 2. The cause.
        let by_other = matches!(from, GoState::Waiting | GoState::NotExist);
        let other = match event.goroutine() {
            Some(other) if by_other => self.known(other),
            _ => None,
        };
        let cause = match other {
            Some(other) => Cause::Goroutine(other),
            None => Cause::Place(self.places.place(event.thread(), event.proc())),
        };
        // 3. The state.
        let stack = match from {
            // Another goroutine's: of its creator or waker.
            GoState::NotExist | GoState::Waiting => {
                event.stack().and_then(|stack| self.interner.stack(stack))
            }
            _ => own_stack,
        };
        let before = self.state_before(goroutine, from);
        let state = match to {
            GoState::Running => Some(State::Running),
            GoState::Runnable => Some(State::Runnable),
            GoState::Waiting => Some(State::Waiting),
            GoState::Syscall => Some(self.enter_syscall(event, goroutine, from, stack)),
            GoState::Undetermined => Some(State::Unknown),
            GoState::NotExist => None,
        };
        // 4. The row.
        let code = Code {
            state,
            before,
            reason,
        };
        let row = NewRow {
            goroutine,
            code,
            stack,
            cause,
        };
        if first_seen {
            self.generation.rows.push(row);
            return;
        }
        self.forgotten.is_known_again(goroutine);
        self.log.push(event.time(), row);
        if state.is_none() {
            let ended = &mut self.goroutines[goroutine.index()];
            ended.end = event.time().nanos();
            ended.ended = true;
        }
    }

    fn create(&mut self, event: &Event<'_>, id: GoroutineId) -> GoroutineIx {
        let creator = event.goroutine().and_then(|id| self.known(id));
        let creation_stack = event.stack().and_then(|stack| self.interner.stack(stack));
        let inherited_task = creator.and_then(|creator| self.task_of(creator));
        self.add_goroutine(GoroutineRow {
            id: id.0,
            start: event.time().nanos(),
            end: 0,
            function: 0,
            creator: GoroutineIx::pack(creator),
            creation_stack: StackIx::pack(creation_stack),
            inherited_task: TaskIx::pack(inherited_task),
            existed: false,
            ended: false,
        })
    }

    /// A goroutine that existed before the trace.
    #[cold]
    fn first_seen(&mut self, id: GoroutineId) -> GoroutineIx {
        self.add_goroutine(GoroutineRow {
            id: id.0,
            start: self.generation.time.nanos(),
            end: 0,
            function: 0,
            creator: 0,
            creation_stack: 0,
            inherited_task: 0,
            existed: true,
            ended: false,
        })
    }

    fn add_goroutine(&mut self, row: GoroutineRow) -> GoroutineIx {
        let goroutine = GoroutineIx::new(self.goroutines.len());
        self.goroutine_ids.set(row.id, goroutine.0);
        self.goroutines.push(row);
        goroutine
    }

    /// The task for which a goroutine works: that of its innermost region, or else the one that it
    /// got from its creator.
    fn task_of(&self, goroutine: GoroutineIx) -> Option<TaskIx> {
        match self.user.innermost(goroutine) {
            Some(region) => region.task,
            None => TaskIx::unpack(self.goroutines[goroutine.index()].inherited_task),
        }
    }

    #[inline]
    fn state_before(&mut self, goroutine: GoroutineIx, from: GoState) -> Option<State> {
        match from {
            GoState::Undetermined | GoState::NotExist => None,
            GoState::Running => Some(State::Running),
            GoState::Runnable => Some(State::Runnable),
            GoState::Waiting => Some(State::Waiting),
            GoState::Syscall => {
                let Some(proc) = slot(&mut self.syscall_proc, goroutine.index()).take() else {
                    return Some(State::SyscallWithoutProc);
                };
                *slot(&mut self.in_syscall, proc.index()) = None;
                Some(State::Syscall)
            }
        }
    }

    /// A system call that begins has the proc of its thread. The proc of the event is that of the
    /// thread that reports it, which may be another one if the call began before the trace.
    fn enter_syscall(
        &mut self,
        event: &Event<'_>,
        goroutine: GoroutineIx,
        from: GoState,
        stack: Option<StackIx>,
    ) -> State {
        let proc = match (from, event.thread()) {
            (GoState::Running, _) => event.proc().map(|proc| self.places.proc(proc)),
            (_, Some(thread)) => {
                let thread = self.places.thread(thread);
                self.holders.held_by(thread)
            }
            (_, None) => None,
        };
        match proc {
            // It is free, unless the trace lies about where it is.
            Some(proc) if slot(&mut self.in_syscall, proc.index()).is_none() => {
                self.in_syscall[proc.index()] = Some((goroutine, stack));
                *slot(&mut self.syscall_proc, goroutine.index()) = Some(proc);
                State::Syscall
            }
            _ => State::SyscallWithoutProc,
        }
    }

    fn proc_changes(
        &mut self,
        event: &Event<'_>,
        proc: ProcIx,
        from: GoProcState,
        to: GoProcState,
    ) {
        if from == to {
            return;
        }
        let time = event.time();
        let thread = event.thread().map(|thread| self.places.thread(thread));
        let state = match to {
            GoProcState::Running => {
                self.holders.take(thread, proc);
                ProcState::Running(thread)
            }
            GoProcState::Idle => {
                self.holders.give_up(proc);
                self.lose_proc(event, proc);
                ProcState::Idle
            }
            GoProcState::Undetermined | GoProcState::NotExist => ProcState::Unknown,
        };
        if from == GoProcState::Undetermined {
            self.generation.proc_changes.push((proc, state));
        } else {
            self.procs.push(ProcChange { time, proc, state });
        }
    }

    /// The goroutine that is in a system call with this proc goes on without.
    fn lose_proc(&mut self, event: &Event<'_>, proc: ProcIx) {
        let Some((goroutine, stack)) = slot(&mut self.in_syscall, proc.index()).take() else {
            return;
        };
        *slot(&mut self.syscall_proc, goroutine.index()) = None;
        let cause = Cause::Place(self.places.place(event.thread(), event.proc()));
        let code = Code {
            state: Some(State::SyscallWithoutProc),
            before: Some(State::Syscall),
            reason: EMPTY,
        };
        let row = NewRow {
            goroutine,
            code,
            stack,
            cause,
        };
        self.log.push(event.time(), row);
    }

    fn range(&mut self, scope: ReadScope, kind: ReadRangeKind<'_>) -> (Scope, RangeKind) {
        let scope = match scope {
            ReadScope::Global => Scope::Global,
            // A range of a goroutine that was not mentioned otherwise: only after damage.
            ReadScope::Goroutine(id) => match self.known(id) {
                Some(goroutine) => Scope::Goroutine(goroutine),
                None => Scope::Global,
            },
            ReadScope::Proc(id) => Scope::Proc(self.places.proc(id)),
        };
        let kind = match kind {
            ReadRangeKind::GcConcurrentMark => RangeKind::GcConcurrentMark,
            ReadRangeKind::GcIncrementalSweep => RangeKind::GcIncrementalSweep,
            ReadRangeKind::GcMarkAssist => RangeKind::GcMarkAssist,
            ReadRangeKind::StopTheWorld { reason } => {
                RangeKind::StopTheWorld(self.interner.string(reason))
            }
        };
        (scope, kind)
    }

    fn range_edge(&mut self, event: &Event<'_>) -> ranges::Edge {
        ranges::Edge {
            time: event.time(),
            goroutine: event.goroutine().and_then(|id| self.known(id)),
            stack: event.stack().and_then(|stack| self.interner.stack(stack)),
        }
    }

    fn begin_generation(&mut self, time: Time) {
        self.log.begin_epoch(time);
        self.procs.begin_epoch(time);
        self.generation.time = time;
        self.generation.first_row = self.log.len();
        self.generation.first_proc_change = self.procs.len();
        self.generation.known_procs = self.places.ids.procs.len();
        self.first_time.get_or_insert(time);
    }

    /// Inserts what the generation has found out about its beginning.
    pub(super) fn end_generation(&mut self) {
        self.settle();
        let start = &mut self.generation;
        if !start.rows.is_empty() {
            self.log.insert(start.first_row, &start.rows);
            start.rows.clear();
        }
        if !start.proc_changes.is_empty() {
            self.procs
                .insert(start.first_proc_change, &start.proc_changes);
            start.proc_changes.clear();
        }
    }

    /// No more events will come.
    pub(super) fn end(&mut self) {
        self.end_generation();
        self.log.seal();
        self.procs.seal();
        self.metrics.seal();
    }

    /// The state of the program is not known any more, since the generation began: what was known
    /// before counts only as far as the generation reports it.
    pub(super) fn forget(&mut self) {
        self.ranges.forget();
        self.holders.clear();
        self.in_syscall.clear();
        self.syscall_proc.clear();
        self.forgotten.begin();
    }

    /// What was forgotten and not reported by the generation is unknown since it began.
    fn settle(&mut self) {
        self.ranges.settle(self.generation.time);
        let place = self.places.place(None, None);
        self.forgotten
            .settle(&self.goroutines, &mut self.generation, place);
        self.forgotten.settle_procs(&mut self.generation);
    }
}
