//! Every transition of the scheduler API, in traces that the reader and the validator accept.

mod support;

use std::{mem, thread};

use exectrace::raw::{self, Proc, Returned, Syscall};
use exectrace_wire::TaskId;
use support::{alone, checked, count, traced};

#[test]
fn a_life_from_creation_to_exit() {
    let _turn = alone();
    let trace = traced(|| {
        let proc = Proc::new().start();
        let task = proc.create();
        let running = proc.run(task);
        let child = running.create();
        let (proc, task) = running.block("network");
        let (proc, child) = proc.run(child).stop("preempted");
        let task = thread::spawn(|| task.unblock()).join().unwrap();
        let proc = proc.run(task).exit();
        let proc = proc.run(child).exit();
        proc.stop();
    });
    let events = checked(&trace);
    assert_eq!(count(&events, "NotExist->Runnable"), 2, "{events:?}");
    assert_eq!(count(&events, "Runnable->Running"), 4);
    assert_eq!(count(&events, "Running->Waiting Reason=\"network\""), 1);
    assert_eq!(count(&events, "Running->Runnable Reason=\"preempted\""), 1);
    assert_eq!(count(&events, "Waiting->Runnable"), 1);
    assert_eq!(count(&events, "Running->NotExist"), 2);
}

#[test]
fn system_calls_keep_or_lose_their_proc() {
    let _turn = alone();
    let trace = traced(|| {
        let proc = Proc::new().start();
        let task = proc.create();
        let handle = proc.handle();

        // Kept.
        let Returned::Running(running) = proc.run(task).syscall().end() else {
            panic!("nobody has stolen it");
        };
        // Stolen by another thread, which runs something on it.
        let syscall = running.syscall();
        let proc = thread::spawn(move || {
            let proc = handle.steal().unwrap().start();
            let task = proc.create();
            proc.run(task).exit().stop()
        });
        let proc = proc.join().unwrap();
        let Returned::Lost(task) = syscall.end() else {
            panic!("it was stolen");
        };
        // Handed off.
        let mut syscall = proc.start().run(task).syscall();
        let proc = syscall.hand_off().unwrap();
        assert!(syscall.hand_off().is_none());
        let Returned::Lost(task) = syscall.end() else {
            panic!("it was handed off");
        };
        // Continued on another proc.
        let syscall = proc.start().run(task).syscall();
        let running = syscall.end_on(Proc::new());
        // Ended in the call.
        running.syscall().exit();
        // A thread that calls in.
        let syscall = Syscall::create().unwrap();
        assert!(Syscall::create().is_none());
        syscall.end_on(Proc::new()).exit().stop();
        Syscall::create().unwrap().exit();
    });
    let events = checked(&trace);
    assert_eq!(count(&events, "Running->Syscall"), 5);
    assert_eq!(count(&events, "Syscall->Running"), 1);
    assert_eq!(count(&events, "Syscall->Runnable"), 4);
    assert_eq!(count(&events, "NotExist->Syscall"), 2);
    assert_eq!(count(&events, "Syscall->NotExist"), 2);
}

#[test]
fn coroutines_switch() {
    let _turn = alone();
    let trace = traced(|| {
        let proc = Proc::new().start();
        let task = proc.create();
        let running = proc.run(task);
        let coroutine = running.create_blocked();
        let (running, task) = running.switch(coroutine);
        let (running, coroutine) = running.switch(task);
        let (running, task) = running.switch(coroutine);
        running.switch_exit(task).exit().stop();
    });
    let events = checked(&trace);
    assert_eq!(count(&events, "NotExist->Waiting"), 1);
    assert_eq!(count(&events, "Running->Waiting"), 3);
    assert_eq!(count(&events, "Running->NotExist"), 2);
}

#[test]
fn what_is_dropped_ends() {
    let _turn = alone();
    let trace = traced(|| {
        let proc = Proc::new().start();
        // On a proc.
        drop(proc.create());
        drop(proc.create_blocked());
        let task = proc.create();
        let running = proc.run(task);
        // On a goroutine.
        drop(running.create());
        drop(running.create_blocked());
        // On a thread without anything.
        let (runnable, waiting) = (running.create(), running.create_blocked());
        thread::spawn(move || drop((runnable, waiting)))
            .join()
            .unwrap();
        // In a system call, with its goroutine.
        drop(running.syscall());
        let proc = Proc::new().start();
        let task = proc.create();
        drop(proc.run(task));
        drop(Proc::new().start());
    });
    let events = checked(&trace);
    assert_eq!(count(&events, "NotExist->"), 8, "{}", events.concat());
    assert_eq!(count(&events, "->NotExist"), 8);
}

#[test]
fn leaked_tokens_end_with_their_thread() {
    let _turn = alone();
    let leaked = exectrace::stats().leaked_tokens;
    let trace = traced(|| {
        let leak = || {
            thread::spawn(|| {
                let proc = Proc::new().start();
                let task = proc.create();
                mem::forget(proc.run(task));
            })
            .join()
            .unwrap();
            thread::spawn(|| {
                let proc = Proc::new().start();
                let task = proc.create();
                mem::forget(proc.run(task).syscall());
            })
            .join()
            .unwrap();
        };
        leak();
        exectrace::advance().unwrap();
        leak();
    });
    let events = checked(&trace);
    assert_eq!(count(&events, "->NotExist"), 4);
    assert_eq!(exectrace::stats().leaked_tokens - leaked, 4);
}

#[test]
fn annotations_belong_to_the_goroutine_that_runs() {
    let _turn = alone();
    let homeless = exectrace::stats().homeless_events;
    let trace = traced(|| {
        raw::log(TaskId::BACKGROUND, "nobody", "is running");
        let proc = Proc::new().start();
        let task = proc.create();
        let running = proc.run(task);
        let outer = raw::task_begin(TaskId::BACKGROUND, "outer");
        let inner = raw::task_begin(outer, "inner");
        assert!(raw::region_begin(inner, "region"));
        raw::log(inner, "key", &"ä".repeat(1000));
        raw::region_end(inner, "region");
        running.label("label");
        running.procs_changed(4);
        running.heap_alloc(1000);
        running.heap_goal(2000);
        raw::task_end(inner);
        raw::task_end(outer);
        running.exit().stop();
    });
    let events = checked(&trace);
    assert_eq!(count(&events, "TaskBegin"), 2);
    assert_eq!(count(&events, "TaskEnd"), 2);
    assert_eq!(count(&events, "RegionBegin"), 1);
    assert_eq!(count(&events, "RegionEnd"), 1);
    assert_eq!(count(&events, "Label=\"label\""), 1);
    assert_eq!(count(&events, " Metric "), 3);
    let message = format!("Category=\"key\" Message=\"{}\"", "ä".repeat(512));
    assert_eq!(count(&events, &message), 1);
    assert_eq!(exectrace::stats().homeless_events - homeless, 1);

    // The stack begins where the program calls.
    let log = events
        .iter()
        .find(|event| event.contains("Category=\"key\""));
    let stack = log.unwrap().split_once("Stack=\n").unwrap().1;
    let mut leaf = stack.lines();
    // An inlined function has only its own name without full debug information.
    let function = leaf.next().unwrap_or_default();
    let whole = "\traw::annotations_belong_to_the_goroutine_that_runs::{{closure}} @ ";
    assert!(
        function.starts_with(whole) || function.starts_with("\t{closure#0} @ "),
        "{stack}"
    );
    assert!(
        leaf.next().unwrap_or_default().contains("tests/raw.rs:"),
        "{stack}"
    );
}

#[test]
fn ranges_reach_across_generations() {
    let _turn = alone();
    let trace = traced(|| {
        let proc = Proc::new().start();
        let task = proc.create();
        let running = proc.run(task);
        let mark = running.mark().unwrap();
        assert!(running.mark().is_none());
        {
            let sweep = running.sweep();
            let assist = running.mark_assist();
            for _ in 0..3 {
                exectrace::advance().unwrap();
            }
            drop(assist);
            exectrace::advance().unwrap();
            sweep.end(10, 5);
            let stopped = running.stop_the_world("GC mark termination");
            assert!(exectrace::advance().is_err());
            drop(stopped);
        }
        drop(mark);
        exectrace::advance().unwrap();
        running.exit().stop();
    });
    let events = checked(&trace);
    for name in [
        "GC concurrent mark phase",
        "GC incremental sweep",
        "GC mark assist",
        "stop-the-world (GC mark termination)",
    ] {
        assert_eq!(count(&events, "RangeBegin"), 4, "{name}");
        assert!(count(&events, &format!("Name=\"{name}\"")) >= 2, "{name}");
    }
    assert_eq!(count(&events, "RangeEnd"), 4);
}
