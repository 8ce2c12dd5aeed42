//! A validator and the events to show it.

use exectrace_reader::{
    ClockSnapshot, EventType, Generation, GoState, GoroutineId, Metric, MetricKind, ProcId,
    ProcState, Range, RangeEnd, RangeKind, Region, Scope, Task, TaskId, Text, ThreadId, Time,
    Version, WallTime,
};

use crate::{
    Report, Rule, Validator,
    facts::{Facts, GoTransition, Sync, What},
};

use GoState as G;
use ProcState as P;

/// Feeds a validator events of one thread, whose context it keeps as a sound producer would.
pub(super) struct Scene {
    pub(super) validator: Validator,
    pub(super) now: i64,
    pub(super) thread: Option<u64>,
    proc: Option<u64>,
    goroutine: Option<u64>,
}

impl Scene {
    /// Nothing but a sync.
    pub(super) fn empty(version: Version) -> Self {
        let mut scene = Self {
            validator: Validator::new(version),
            now: 1000,
            thread: None,
            proc: None,
            goroutine: None,
        };
        scene.sync(1);
        scene
    }

    /// Goroutine 1 runs with proc 0 on thread 100.
    pub(super) fn running() -> Self {
        let mut scene = Self::empty(Version::Go126);
        scene.thread = Some(100);
        scene
            .event(What::Metric(metric(MetricKind::Procs, 4)))
            .proc(0, P::Undetermined, P::Running)
            .holding(Some(0), None)
            .go(1, G::Undetermined, G::Running)
            .holding(Some(0), Some(1));
        scene
    }

    /// The context of the events that follow.
    pub(super) fn holding(&mut self, proc: Option<u64>, goroutine: Option<u64>) -> &mut Self {
        self.proc = proc;
        self.goroutine = goroutine;
        self
    }

    pub(super) fn on(&mut self, thread: u64) -> &mut Self {
        self.thread = Some(thread);
        self
    }

    pub(super) fn event(&mut self, what: What<'_>) -> &mut Self {
        self.event_of(None, what)
    }

    pub(super) fn event_of(&mut self, event_type: Option<EventType>, what: What<'_>) -> &mut Self {
        self.now += 10;
        self.facts(&Facts {
            time: Time(self.now),
            thread: self.thread.map(ThreadId),
            proc: self.proc.map(ProcId),
            goroutine: self.goroutine.map(GoroutineId),
            event_type,
            stack: None,
            what,
        })
    }

    pub(super) fn facts(&mut self, facts: &Facts<'_>) -> &mut Self {
        self.validator.check_facts(facts);
        self
    }

    pub(super) fn sync(&mut self, number: u64) -> &mut Self {
        self.now += 10;
        let sync = sync(number, self.now);
        self.sync_of(sync)
    }

    pub(super) fn sync_of(&mut self, sync: Sync) -> &mut Self {
        self.now += 10;
        self.facts(&Facts {
            time: Time(self.now),
            thread: None,
            proc: None,
            goroutine: None,
            event_type: None,
            stack: None,
            what: What::Sync(sync),
        })
    }

    pub(super) fn go(&mut self, id: u64, from: G, to: G) -> &mut Self {
        self.event(go(id, from, to))
    }

    pub(super) fn proc(&mut self, id: u64, from: P, to: P) -> &mut Self {
        self.event(What::Proc {
            id: ProcId(id),
            from,
            to,
        })
    }

    pub(super) fn begin(&mut self, kind: RangeKind<'_>, scope: Scope) -> &mut Self {
        self.event(What::RangeBegin(Range { kind, scope }))
    }

    pub(super) fn active(&mut self, kind: RangeKind<'_>, scope: Scope) -> &mut Self {
        self.event(What::RangeActive(Range { kind, scope }))
    }

    pub(super) fn end(&mut self, kind: RangeKind<'_>, scope: Scope) -> &mut Self {
        self.event(What::RangeEnd(RangeEnd {
            range: Range { kind, scope },
            swept: None,
        }))
    }

    pub(super) fn task(&mut self, id: u64, parent: Option<u64>, kind: &str) -> &mut Self {
        self.event(What::TaskBegin(task(id, parent, kind)))
    }

    pub(super) fn alloc(&mut self, event_type: EventType, id: u64, size: u64) -> &mut Self {
        self.event_of(Some(event_type), What::Experimental(Some(id), Some(size)))
    }

    pub(super) fn report(&mut self) -> Report {
        std::mem::replace(&mut self.validator, Validator::new(Version::Go126)).finish()
    }

    #[track_caller]
    pub(super) fn breaks(&mut self, rules: &[Rule]) {
        let report = self.report();
        let found: Vec<Rule> = report.violations().iter().map(|found| found.rule).collect();
        assert_eq!(found, rules, "\n{report}");
    }

    #[track_caller]
    pub(super) fn is_sound(&mut self) {
        self.breaks(&[]);
    }
}

pub(super) fn sync(number: u64, time: i64) -> Sync {
    Sync {
        number,
        generation: Some(Generation(number)),
        frequency: Some(15_625_000),
        clock: Some(ClockSnapshot {
            trace: Time(time),
            monotonic_nanos: time as u64,
            wall: WallTime::new(time, 0),
        }),
    }
}

pub(super) fn go(id: u64, from: G, to: G) -> What<'static> {
    What::Goroutine(GoTransition {
        id: GoroutineId(id),
        from,
        to,
        stack: None,
    })
}

pub(super) fn metric(kind: MetricKind, value: u64) -> Metric {
    Metric { kind, value }
}

pub(super) fn task(id: u64, parent: Option<u64>, kind: &str) -> Task<'_> {
    Task {
        id: TaskId(id),
        parent: parent.map(TaskId),
        kind: Text::from(kind),
    }
}

pub(super) fn region(task: u64, name: &str) -> Region<'_> {
    Region {
        task: TaskId(task),
        name: Text::from(name),
    }
}

pub(super) const ASSIST: RangeKind<'static> = RangeKind::GcMarkAssist;
pub(super) const SWEEP: RangeKind<'static> = RangeKind::GcIncrementalSweep;
pub(super) const ON_1: Scope = Scope::Goroutine(GoroutineId(1));

pub(super) fn stop(reason: &str) -> RangeKind<'_> {
    RangeKind::StopTheWorld {
        reason: Text::from(reason),
    }
}
