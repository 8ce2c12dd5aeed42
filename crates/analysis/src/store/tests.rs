//! Single rules of the store, each on a small trace.

use exectrace_reader::{Options, Reader};
use exectrace_testkit::{Stack, TraceBuilder, named};
use exectrace_wire::{EventType as E, GoStatus, ProcStatus, Version};

use super::*;

fn read(bytes: &[u8]) -> Store {
    Store::read(&mut Reader::with_options(bytes, Options::default()).unwrap()).unwrap()
}

/// State and reason of each interval of a goroutine's only life.
fn states(store: &Store, id: u64) -> Vec<(State, String)> {
    let goroutine = only(store, id);
    let reason = |interval: &Interval| store.symbols().string(interval.reason).to_string();
    store
        .intervals(goroutine)
        .map(|interval| (interval.state, reason(&interval)))
        .collect()
}

fn only(store: &Store, id: u64) -> GoroutineIx {
    let mut lives = store
        .goroutine_indices()
        .filter(|goroutine| store.goroutine(*goroutine).id == GoroutineId(id));
    let only = lives.next().unwrap();
    assert_eq!(lives.next(), None);
    only
}

fn text(store: &Store, string: StringIx) -> String {
    store.symbols().string(string).to_string()
}

#[test]
fn nothing_is_no_trouble() {
    let store = read(&Version::Go126.header());
    // The sync that ends every trace.
    assert_eq!((store.events(), store.syncs().len()), (1, 1));
    assert!(store.span().unwrap().is_empty());
    assert_eq!(store.goroutine_indices().len(), 0);
    assert_eq!(store.proc_changes().len(), 0);
}

#[test]
fn what_existed_before_counts_from_the_start_of_the_generation() {
    let mut trace = TraceBuilder::new(Version::Go126);
    let generation = trace.generation(1);
    generation
        .on(0)
        .event(E::ProcStatus, (0, ProcStatus::Running))
        .event(E::GoStatus, (1, 0, GoStatus::Running))
        .event(
            E::GoStatusStack,
            (
                2,
                u64::MAX,
                GoStatus::Waiting,
                Stack::calls(["f", "main.g"]),
            ),
        )
        .event(
            E::GoBlock,
            ("sleep", Stack::calls(["time.Sleep", "main.main"])),
        );
    let store = read(&trace.build());
    let span = store.span().unwrap();
    for (id, function) in [(1, "main.main"), (2, "main.g")] {
        let goroutine = store.goroutine(only(&store, id));
        assert_eq!(goroutine.seen.span, span);
        assert!(goroutine.seen.open_start && goroutine.seen.open_end);
        assert_eq!(text(&store, goroutine.function.unwrap()), function);
    }
    let none = String::new();
    assert_eq!(states(&store, 2), [(State::Waiting, none.clone())]);
    let expected = [(State::Running, none), (State::Waiting, "sleep".to_owned())];
    assert_eq!(states(&store, 1), expected);
}

#[test]
fn a_created_goroutine_knows_its_creator_and_its_task() {
    let mut trace = TraceBuilder::new(Version::Go126);
    let generation = trace.generation(1);
    generation
        .on(0)
        .event(E::ProcStatus, (0, ProcStatus::Running))
        .event(E::GoStatus, (1, 0, GoStatus::Running))
        .event(
            E::UserTaskBegin,
            (7, 0, "request", Stack::calls(["main.main"])),
        )
        .event(E::UserRegionBegin, (7, "work", Stack::calls(["main.main"])))
        .event(
            E::GoCreate,
            (
                2,
                Stack::calls(["main.worker"]),
                Stack::calls(["main.main"]),
            ),
        )
        .event(E::UserRegionEnd, (7, "work", Stack::calls(["main.main"])))
        .event(E::UserTaskEnd, (7, Stack::calls(["main.main"])));
    let store = read(&trace.build());
    let created = store.goroutine(only(&store, 2));
    assert_eq!(created.creator, Some(only(&store, 1)));
    assert_eq!(text(&store, created.function.unwrap()), "main.worker");
    let root = store
        .symbols()
        .root(created.creation_stack.unwrap())
        .unwrap();
    assert_eq!(text(&store, root), "main.main");
    let task = store.task(created.inherited_task.unwrap());
    assert_eq!(text(&store, task.kind), "request");
    assert!(task.start < task.end);
    let region = store.regions()[0];
    assert_eq!(region.task, created.inherited_task);
    assert!(region.start < region.end);
    let [interval] = store.intervals(only(&store, 2)).collect::<Vec<_>>()[..] else {
        panic!("one interval");
    };
    assert_eq!(interval.cause, Cause::Goroutine(only(&store, 1)));
    assert!(!interval.seen.open_start && interval.seen.open_end);
}

#[test]
fn a_system_call_is_split_where_its_proc_is_taken() {
    let mut trace = TraceBuilder::new(Version::Go126);
    let generation = trace.generation(1);
    generation
        .on(0)
        .event(E::ProcStatus, (0, ProcStatus::Running))
        .event(E::GoStatus, (1, 0, GoStatus::Running))
        .event(
            E::GoSyscallBegin,
            (1, Stack::calls(["syscall.Read", "main.main"])),
        );
    generation
        .on(1)
        .event(E::ProcStatus, (1, ProcStatus::Running))
        .event(E::ProcSteal, named! { p: 0, p_seq: 2, m: 0 });
    generation.on(0).event(E::GoSyscallEndBlocked, ());
    let store = read(&trace.build());
    let found: Vec<State> = states(&store, 1)
        .into_iter()
        .map(|(state, _)| state)
        .collect();
    use State::{Runnable, Running, Syscall, SyscallWithoutProc};
    assert_eq!(found, [Running, Syscall, SyscallWithoutProc, Runnable]);
    let stacks: Vec<_> = store
        .intervals(only(&store, 1))
        .map(|interval| interval.stack)
        .collect();
    assert!(stacks[1].is_some() && stacks[1] == stacks[2]);
}

#[test]
fn equal_stacks_and_strings_of_two_generations_are_one() {
    let mut trace = TraceBuilder::new(Version::Go126);
    for number in [1, 2] {
        let generation = trace.generation(number);
        generation
            .on(0)
            .event(E::ProcStatus, (0, ProcStatus::Running))
            .event(E::GoStatus, (1, 0, GoStatus::Running))
            .event(
                E::UserLog,
                (0, "category", "message", Stack::calls(["main.main"])),
            );
    }
    let store = read(&trace.build());
    let [first, second] = store.logs() else {
        panic!("two logs: {:?}", store.logs());
    };
    assert_eq!((first.stack, first.message), (second.stack, second.message));
    assert!(first.stack.is_some());
    assert_eq!(store.symbols().stack_count(), 1);
    assert_eq!(store.syncs().len(), 3);
}

#[test]
fn ranges_are_whole_or_open() {
    let mut trace = TraceBuilder::new(Version::Go126);
    let generation = trace.generation(1);
    generation
        .on(0)
        .event(E::ProcStatus, (0, ProcStatus::Running))
        .event(E::GoStatus, (1, 0, GoStatus::Running))
        .event(E::GCActive, (1,))
        .event(
            E::STWBegin,
            ("GC mark termination", Stack::calls(["main.main"])),
        )
        .event(E::GCEnd, (2,))
        .event(E::STWEnd, ())
        .event(E::GCMarkAssistBegin, (Stack::calls(["main.main"]),));
    let store = read(&trace.build());
    let [mark, stw, assist] = store.ranges() else {
        panic!("three ranges: {:?}", store.ranges());
    };
    assert_eq!(mark.scope, Scope::Global);
    assert_eq!(mark.seen.start(), None);
    assert!(mark.seen.end().is_some());
    let RangeKind::StopTheWorld(reason) = stw.kind else {
        panic!("{stw:?}");
    };
    assert_eq!(text(&store, reason), "GC mark termination");
    assert!(stw.seen.is_complete() && stw.seen.span.nanos() > 0);
    assert_eq!(assist.kind, RangeKind::GcMarkAssist);
    assert_eq!(assist.seen.end(), None);
    assert_eq!(assist.seen.span.end, store.span().unwrap().end);
}
