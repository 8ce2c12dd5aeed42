//! Rules, broken one by one.
//!
//! Most cannot be broken by an event of the reader, which refuses the trace: so these tests speak
//! in the facts of events.

mod scene;

use exectrace_reader::{
    ClockSnapshot, EventType, Generation, GoState, GoroutineId, Label, Log, MetricKind, ProcId,
    ProcState, Range, RangeEnd, RangeKind, Scope, Swept, TaskId, Text, ThreadId, Time, Version,
    WallTime,
};

use crate::{
    Rule, Severity, Validator,
    facts::{Facts, GoTransition, Sync, What},
};
use scene::{ASSIST, ON_1, SWEEP, Scene, go, metric, region, stop, sync, task};

use GoState as G;
use ProcState as P;

#[test]
fn a_sound_life() {
    Scene::running()
        .go(2, G::NotExist, G::Runnable)
        .go(1, G::Running, G::Waiting)
        .holding(Some(0), None)
        .go(2, G::Runnable, G::Running)
        .holding(Some(0), Some(2))
        .go(1, G::Waiting, G::Runnable)
        .go(2, G::Running, G::Syscall)
        .go(2, G::Syscall, G::Running)
        .go(2, G::Running, G::NotExist)
        .holding(Some(0), None)
        .sync(2)
        // Statuses of the next generation confirm what is known.
        .go(1, G::Runnable, G::Runnable)
        .go(1, G::Runnable, G::Running)
        .holding(Some(0), Some(1))
        // An id may be used again.
        .go(2, G::NotExist, G::Waiting)
        .is_sound();
}

#[test]
fn times_increase() {
    let mut scene = Scene::running();
    scene.now -= 10;
    scene.event(What::Metric(metric(MetricKind::HeapGoal, 1)));
    // Later than the one out of order but not than the latest.
    scene.now -= 10;
    scene.event(What::Metric(metric(MetricKind::HeapGoal, 1)));
    scene.breaks(&[Rule::TimeOrder, Rule::TimeOrder]);
}

#[test]
fn syncs() {
    let mut scene = Scene::running();
    scene.sync(3);
    scene.breaks(&[Rule::SyncNumber]);

    let mut scene = Scene::empty(Version::Go126);
    scene.sync_of(Sync {
        generation: Some(Generation(1)),
        frequency: Some(0),
        ..sync(2, 2000)
    });
    scene.breaks(&[Rule::GenerationOrder, Rule::Frequency]);
}

#[test]
fn clocks() {
    let none = |number| Sync {
        clock: None,
        ..sync(number, 0)
    };
    let first = |version, sync| {
        let mut validator = Scene::empty(version);
        validator.validator = Validator::new(version);
        validator.sync_of(sync);
        validator
    };
    first(Version::Go125, none(1)).breaks(&[Rule::ClockMissing]);
    first(Version::Go123, none(1)).is_sound();
    // The sync at the end has none.
    Scene::empty(Version::Go126).sync_of(none(2)).is_sound();

    first(
        Version::Go126,
        Sync {
            clock: Some(ClockSnapshot {
                trace: Time(0),
                monotonic_nanos: 0,
                wall: WallTime::new(-62_135_596_800, 0),
            }),
            ..sync(1, 0)
        },
    )
    .breaks(&[Rule::ClockZero, Rule::ClockZero, Rule::ClockZero]);

    let mut scene = Scene::empty(Version::Go126);
    let before = scene.now;
    scene
        .sync_of(Sync {
            clock: sync(1, before - 10).clock,
            ..sync(2, 0)
        })
        .breaks(&[Rule::ClockOrder, Rule::ClockOrder, Rule::ClockOrder]);
}

#[test]
fn clocks_are_read_in_their_generation() {
    let late = |events: usize| {
        let mut scene = Scene::empty(Version::Go126);
        scene.sync_of(sync(2, 9000));
        for _ in 0..events {
            scene.event(What::Metric(metric(MetricKind::HeapGoal, 1)));
        }
        scene
    };
    late(1).breaks(&[Rule::ClockPlacement]);
    late(0).is_sound();
    let mut scene = late(2);
    scene.now = 9100;
    scene.sync(3);
    scene.breaks(&[Rule::ClockPlacement]);
}

#[test]
fn labels() {
    let label = |label, goroutine| {
        What::Label(Label {
            label: Text::from(label),
            goroutine: GoroutineId(goroutine),
        })
    };
    Scene::running().event(label("GC (idle)", 1)).is_sound();
    Scene::running()
        .event(label("", 1))
        .breaks(&[Rule::LabelEmpty]);
    Scene::running()
        .event(label("GC (idle)", 2))
        .breaks(&[Rule::LabelUnknown]);
}

#[test]
fn states_of_goroutines() {
    Scene::running()
        .go(2, G::Undetermined, G::Undetermined)
        .breaks(&[Rule::ToUndetermined]);
    Scene::running()
        .go(2, G::Undetermined, G::Waiting)
        .is_sound();
    Scene::running()
        .sync(2)
        .go(2, G::Undetermined, G::Waiting)
        .breaks(&[Rule::LateUndetermined]);
    Scene::running()
        .go(2, G::NotExist, G::Waiting)
        .go(2, G::Runnable, G::Runnable)
        .breaks(&[Rule::StateChain]);
    Scene::running()
        .go(2, G::Waiting, G::Runnable)
        .breaks(&[Rule::StateUnknown]);
    // One that has ended is known, in the first generation, as not existing.
    Scene::running()
        .go(1, G::Running, G::NotExist)
        .holding(Some(0), None)
        .go(1, G::Undetermined, G::Waiting)
        .breaks(&[Rule::StateChain]);
    Scene::running()
        .go(0, G::NotExist, G::Waiting)
        .go(u64::MAX, G::NotExist, G::Waiting)
        .breaks(&[Rule::GoroutineId, Rule::GoroutineId]);
}

#[test]
fn states_of_procs() {
    Scene::running()
        .proc(1, P::Undetermined, P::Undetermined)
        .breaks(&[Rule::ToUndetermined]);
    Scene::running()
        .sync(2)
        .proc(1, P::Undetermined, P::Idle)
        .breaks(&[Rule::LateUndetermined]);
    Scene::running()
        .sync(2)
        .proc(1, P::NotExist, P::Idle)
        .is_sound();
    Scene::running()
        .proc(1, P::NotExist, P::Idle)
        .proc(1, P::Running, P::Running)
        .breaks(&[Rule::StateChain, Rule::ThreadBusy]);
    Scene::running()
        .proc(1, P::Idle, P::Idle)
        .breaks(&[Rule::StateUnknown]);
}

#[test]
fn threads() {
    let mut scene = Scene::running();
    scene.thread = None;
    scene
        .holding(None, None)
        .go(2, G::NotExist, G::Syscall)
        .proc(1, P::NotExist, P::Running)
        .breaks(&[Rule::NoThread, Rule::NoThread]);

    Scene::running()
        .go(2, G::NotExist, G::Running)
        .breaks(&[Rule::ThreadBusy]);
    Scene::running()
        .proc(1, P::NotExist, P::Running)
        .breaks(&[Rule::ThreadBusy]);

    let mut scene = Scene::running();
    scene.thread = None;
    scene
        .holding(None, None)
        .go(2, G::NotExist, G::Syscall)
        .go(2, G::Syscall, G::Runnable)
        .proc(1, P::NotExist, P::Running)
        .proc(1, P::Running, P::Idle)
        .breaks(&[
            Rule::NoThread,
            Rule::NotOnThread,
            Rule::NoThread,
            Rule::NotOnThread,
        ]);

    // The intruder is one offence, that it drove the other away is the next.
    Scene::running()
        .go(2, G::NotExist, G::Running)
        .holding(Some(0), Some(2))
        .go(1, G::Running, G::Waiting)
        .breaks(&[Rule::ThreadBusy, Rule::Displaced]);
    Scene::running()
        .proc(1, P::NotExist, P::Running)
        .holding(Some(1), Some(1))
        .proc(0, P::Running, P::Idle)
        .breaks(&[Rule::ThreadBusy, Rule::Displaced, Rule::ProcLost]);
}

#[test]
fn contexts() {
    let goal = What::Metric(metric(MetricKind::HeapGoal, 1));
    Scene::running().event(goal).is_sound();
    Scene::running()
        .holding(Some(1), Some(1))
        .event(goal)
        .breaks(&[Rule::ThreadContext]);
    Scene::running()
        .holding(None, Some(2))
        .event(goal)
        .breaks(&[Rule::ThreadContext, Rule::ThreadContext]);
    Scene::running()
        .on(101)
        .event(goal)
        .breaks(&[Rule::ThreadContext, Rule::ThreadContext]);
    // Statuses of what another thread holds mix two contexts.
    Scene::running()
        .on(101)
        .event_of(Some(EventType::GoStatus), go(1, G::Running, G::Running))
        .breaks(&[Rule::RunningWithoutProc]);
    // A thread that returns to C leaves its proc, which the event before shows.
    Scene::running()
        .go(1, G::Running, G::Syscall)
        .proc(0, P::Running, P::Idle)
        .event_of(
            Some(EventType::GoDestroySyscall),
            go(1, G::Syscall, G::NotExist),
        )
        .is_sound();
}

#[test]
fn running_takes_a_proc() {
    Scene::running()
        .on(101)
        .holding(None, None)
        .go(2, G::NotExist, G::Running)
        .breaks(&[Rule::RunningWithoutProc]);
    Scene::running()
        .proc(0, P::Running, P::Idle)
        .breaks(&[Rule::ProcLost]);
    // But system calls do not.
    Scene::running()
        .go(1, G::Running, G::Syscall)
        .proc(0, P::Running, P::Idle)
        .holding(None, Some(1))
        .go(1, G::Syscall, G::Runnable)
        .is_sound();
}

#[test]
fn there_are_so_many_procs() {
    let mut scene = Scene::running();
    for thread in 1..4 {
        scene
            .on(100 + thread)
            .holding(None, None)
            .proc(thread, P::NotExist, P::Running);
    }
    scene.is_sound();

    let mut scene = Scene::running();
    scene.event(What::Metric(metric(MetricKind::Procs, 1)));
    scene
        .on(101)
        .holding(None, None)
        .proc(1, P::NotExist, P::Running);
    scene.breaks(&[Rule::ProcLimit]);

    // A proc that moves to another thread is still one proc.
    let mut scene = Scene::running();
    scene.event(What::Metric(metric(MetricKind::Procs, 1)));
    scene.event_of(
        Some(EventType::ProcStatus),
        What::Proc {
            id: ProcId(0),
            from: P::Running,
            to: P::Running,
        },
    );
    scene.is_sound();
}

#[test]
fn metrics() {
    Scene::running()
        .event(What::Metric(metric(MetricKind::HeapGoal, 0)))
        .event(What::Metric(metric(
            MetricKind::HeapObjects,
            i64::MAX as u64,
        )))
        .is_sound();
    Scene::running()
        .event(What::Metric(metric(MetricKind::HeapObjects, 1 << 63)))
        .breaks(&[Rule::MetricValue]);
    Scene::running()
        .event(What::Metric(metric(MetricKind::Procs, 0)))
        .breaks(&[Rule::MetricValue, Rule::ProcLimit]);
}

#[test]
fn samples() {
    Scene::running().event(What::Sample).is_sound();
    // Of a goroutine that is not known, or not executing, from anywhere.
    Scene::running()
        .on(101)
        .holding(None, Some(7))
        .event(What::Sample)
        .holding(None, None)
        .event(What::Sample)
        .is_sound();
    Scene::running()
        .on(101)
        .event(What::Sample)
        .breaks(&[Rule::SampleThread]);
}

#[test]
fn a_goroutine_stops_at_the_events_stack() {
    let mut scene = Scene::running();
    scene.now += 10;
    let facts = Facts {
        time: Time(scene.now),
        thread: Some(ThreadId(100)),
        proc: Some(ProcId(0)),
        goroutine: Some(GoroutineId(1)),
        event_type: Some(EventType::GoBlock),
        stack: Some(3),
        what: What::Goroutine(GoTransition {
            id: GoroutineId(1),
            from: G::Running,
            to: G::Waiting,
            stack: Some(4),
        }),
    };
    scene.facts(&facts);
    scene.breaks(&[Rule::TransitionStack]);
}

#[test]
fn ranges_begin_and_end() {
    Scene::running()
        .begin(ASSIST, ON_1)
        .end(ASSIST, ON_1)
        .begin(ASSIST, ON_1)
        .active(ASSIST, ON_1)
        .end(ASSIST, ON_1)
        .active(ASSIST, ON_1)
        .end(ASSIST, ON_1)
        .begin(ASSIST, Scope::Goroutine(GoroutineId(2)))
        .is_sound();
    Scene::running()
        .begin(ASSIST, ON_1)
        .begin(ASSIST, ON_1)
        .breaks(&[Rule::RangeOpen]);
    Scene::running()
        .end(ASSIST, ON_1)
        .breaks(&[Rule::RangeNotOpen]);
    Scene::running()
        .begin(stop("a"), ON_1)
        .end(stop("b"), ON_1)
        .breaks(&[Rule::RangeNotOpen]);
    Scene::running()
        .begin(ASSIST, ON_1)
        .go(1, G::Running, G::NotExist)
        .breaks(&[Rule::RangeOpenAtExit]);
}

#[test]
fn ranges_nest() {
    let mark = RangeKind::GcConcurrentMark;
    Scene::running()
        .begin(ASSIST, ON_1)
        .begin(stop("x"), ON_1)
        .begin(mark, Scope::Global)
        .end(stop("x"), ON_1)
        .end(ASSIST, ON_1)
        .end(mark, Scope::Global)
        .is_sound();
    Scene::running()
        .begin(ASSIST, ON_1)
        .begin(stop("x"), ON_1)
        .end(ASSIST, ON_1)
        // What is left is innermost.
        .end(stop("x"), ON_1)
        .begin(ASSIST, ON_1)
        .end(ASSIST, ON_1)
        .breaks(&[Rule::RangeNesting]);
    // One that began again took its place anew.
    Scene::running()
        .begin(ASSIST, ON_1)
        .begin(stop("x"), ON_1)
        .begin(ASSIST, ON_1)
        .end(ASSIST, ON_1)
        .end(stop("x"), ON_1)
        .breaks(&[Rule::RangeOpen]);
}

#[test]
fn the_world_stops_once_at_a_time() {
    Scene::running()
        .begin(stop("x"), ON_1)
        .begin(stop("y"), Scope::Goroutine(GoroutineId(2)))
        .breaks(&[Rule::StopOverlap]);
    Scene::running()
        .begin(stop("x"), ON_1)
        .end(stop("x"), ON_1)
        .begin(stop("y"), Scope::Goroutine(GoroutineId(2)))
        .is_sound();
    // A goroutine that is gone stops nothing.
    Scene::running()
        .begin(stop("x"), ON_1)
        .go(1, G::Running, G::NotExist)
        .holding(Some(0), None)
        .begin(stop("y"), Scope::Goroutine(GoroutineId(2)))
        .breaks(&[Rule::RangeOpenAtExit]);
}

#[test]
fn sweeps() {
    let on_0 = Scope::Proc(ProcId(0));
    let swept = |swept_bytes, reclaimed_bytes| {
        What::RangeEnd(RangeEnd {
            range: Range {
                kind: SWEEP,
                scope: on_0,
            },
            swept: Some(Swept {
                swept_bytes,
                reclaimed_bytes,
            }),
        })
    };
    Scene::running()
        .begin(SWEEP, on_0)
        .event(swept(8192, 8192))
        .is_sound();
    Scene::running()
        .begin(SWEEP, on_0)
        .event(swept(8192, 8193))
        .breaks(&[Rule::SweptBytes]);
    Scene::running()
        .go(1, G::Running, G::Waiting)
        .holding(Some(0), None)
        .begin(SWEEP, on_0)
        .proc(0, P::Running, P::Idle)
        .breaks(&[Rule::SweepWithoutThread]);
    Scene::running()
        .begin(SWEEP, Scope::Proc(ProcId(1)))
        .proc(1, P::NotExist, P::NotExist)
        .breaks(&[Rule::RangeOpenAtExit]);
}

#[test]
fn tasks() {
    Scene::running()
        .task(1, None, "a")
        .task(2, Some(1), "b")
        .event(What::TaskEnd(task(1, None, "a")))
        .event(What::TaskEnd(task(2, Some(1), "b")))
        .task(1, None, "again")
        .is_sound();
    for id in [0, u64::MAX] {
        Scene::running().task(id, None, "a").breaks(&[Rule::TaskId]);
    }
    Scene::running()
        .task(1, Some(0), "a")
        .breaks(&[Rule::TaskParent]);
    Scene::running()
        .task(1, Some(1), "a")
        .breaks(&[Rule::TaskOwnParent]);
    Scene::running()
        .task(1, None, "a")
        .task(1, None, "a")
        .breaks(&[Rule::TaskActive]);
    Scene::running()
        .task(1, None, "a")
        .event(What::TaskEnd(task(1, None, "b")))
        .breaks(&[Rule::TaskType]);
}

#[test]
fn unknown_tasks_are_noticed() {
    let log = |task| {
        What::Log(Log {
            task: TaskId(task),
            category: Text::from("c"),
            message: Text::from("m"),
        })
    };
    let mut scene = Scene::running();
    scene
        .event(log(0))
        .event(What::RegionBegin(region(0, "r")))
        .event(log(9))
        .event(What::RegionBegin(region(9, "s")))
        .event(What::RegionEnd(region(9, "s")))
        .event(What::TaskEnd(task(9, None, "")))
        .task(10, Some(9), "a");
    let report = scene.report();
    assert_eq!(report.count(Rule::TaskUnknown), 5);
    assert_eq!(report.worst(), Some(Severity::Notice));
}

#[test]
fn regions() {
    let begin = |name| What::RegionBegin(region(0, name));
    let end = |name| What::RegionEnd(region(0, name));
    Scene::running()
        .event(begin("a"))
        .event(begin("b"))
        .event(end("b"))
        .event(end("a"))
        // It may have begun before the trace, as the goroutine did.
        .event(end("c"))
        .is_sound();
    Scene::running()
        .event(begin("a"))
        .event(begin("b"))
        .event(end("a"))
        .breaks(&[Rule::RegionNesting]);
    Scene::running()
        .event(begin("a"))
        .go(1, G::Running, G::NotExist)
        .breaks(&[Rule::RegionOpenAtExit]);
    Scene::running()
        .go(2, G::NotExist, G::Runnable)
        .go(1, G::Running, G::Waiting)
        .holding(Some(0), None)
        .go(2, G::Runnable, G::Running)
        .holding(Some(0), Some(2))
        .event(end("a"))
        .breaks(&[Rule::RegionNotOpen]);
}

#[test]
fn memory() {
    use EventType as E;
    Scene::running()
        .alloc(E::SpanAlloc, 1, 1)
        .alloc(E::SpanFree, 1, 0)
        .alloc(E::SpanAlloc, 1, 1)
        // The type of an object may be unknown, its number is that of a span.
        .alloc(E::HeapObjectAlloc, 1, 0)
        // It may have been there before.
        .alloc(E::GoroutineStackFree, 5, 0)
        .is_sound();
    Scene::running()
        .alloc(E::SpanAlloc, 1, 0)
        .alloc(E::GoroutineStackAlloc, 1, 0)
        .breaks(&[Rule::AllocSize, Rule::AllocSize]);
    Scene::running()
        .alloc(E::HeapObject, 1, 0)
        .alloc(E::HeapObjectAlloc, 1, 0)
        .alloc(E::HeapObjectFree, 2, 0)
        .breaks(&[Rule::AllocLive, Rule::FreeUnknown]);
}

#[test]
fn events_have_their_version() {
    let switch = go(1, G::Running, G::Running);
    let with = |version| {
        let mut scene = Scene::running();
        scene.validator = Validator::new(version);
        scene.thread = None;
        scene
            .holding(None, None)
            .event_of(Some(EventType::GoStatusStack), switch)
            .report()
            .count(Rule::EventTooNew)
    };
    assert_eq!(with(Version::Go122), 1);
    assert_eq!(with(Version::Go123), 0);
}

#[test]
fn reports_are_bounded_and_counts_are_exact() {
    let mut validator = Validator::with_limit(Version::Go126, 3);
    let stop = |time| Facts {
        time: Time(time),
        thread: None,
        proc: None,
        goroutine: None,
        event_type: None,
        stack: None,
        what: What::RangeEnd(RangeEnd {
            range: Range {
                kind: stop("x"),
                scope: ON_1,
            },
            swept: None,
        }),
    };
    for time in 0..1000 {
        validator.check_facts(&stop(time));
    }
    validator.check_facts(&stop(999));
    let report = validator.finish();
    assert_eq!(report.events(), 1001);
    assert_eq!(report.count(Rule::RangeNotOpen), 1001);
    assert_eq!(report.count_of(Severity::Go), 1002);
    assert_eq!(report.count_of(Severity::Strict), 0);
    assert_eq!(
        report.to_string(),
        "event 0 at 0: expected stop-the-world (x) of goroutine 1 to be open, found it not open \
         [range-not-open]\n\
         event 1 at 1: expected stop-the-world (x) of goroutine 1 to be open, found it not open \
         [range-not-open]\n\
         event 2 at 2: expected stop-the-world (x) of goroutine 1 to be open, found it not open \
         [range-not-open]\n\
         event 1000 at 999: expected a time after 999, found 999 [time-order]\n\
         998 more [range-not-open]: A range that ends is open.\n"
    );
}

#[test]
fn nothing_is_kept_of_what_is_gone() {
    let mut scene = Scene::running();
    scene.go(1, G::Running, G::Waiting).holding(Some(0), None);
    scene.sync(2);
    for id in 2..1000 {
        scene
            .go(id, G::NotExist, G::Runnable)
            .go(id, G::Runnable, G::Running)
            .holding(Some(0), Some(id))
            .event(What::RegionBegin(region(0, "r")))
            .event(What::RegionEnd(region(0, "r")))
            .begin(ASSIST, Scope::Goroutine(GoroutineId(id)))
            .end(ASSIST, Scope::Goroutine(GoroutineId(id)))
            .go(id, G::Running, G::NotExist)
            .holding(Some(0), None);
    }
    assert_eq!(scene.validator.live(), (1, 1, 0, 0));
    scene.is_sound();
}

#[test]
fn rules_have_names_of_their_own() {
    let mut names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        assert!(rule.text().ends_with('.'), "{rule}: {}", rule.text());
    }
}
