//! Tasks, regions and logs, used well and badly.

mod support;

use std::{
    cell::{Cell, RefCell},
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use exectrace::{Region, Task, log, raw::Proc, region, thread};
use support::{alone, ask_go, checked, count, traced};

/// Runs `work` on a thread that has a goroutine.
fn on_a_thread(work: impl FnOnce() + Send + 'static) {
    thread::spawn(work).join().unwrap();
}

#[test]
fn tasks_go_from_thread_to_thread() {
    let _turn = alone();
    let trace = traced(|| {
        on_a_thread(|| {
            let request = Arc::new(Task::new("request"));
            let query = request.child("query");
            let theirs = Arc::clone(&request);
            let worker = thread::spawn(move || {
                let _region = query.region("parse");
                query.log("statement", "select 1");
                theirs.in_region("plan", || log!(task: theirs, "rows", "{}", 7));
                drop(query);
            });
            worker.join().unwrap();
        });
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    let id = |name: &str| {
        let event = events
            .iter()
            .find(|e| e.contains("TaskBegin") && e.contains(&format!("Type=\"{name}\"")));
        let event = event.unwrap();
        let id = event.split("ID=").nth(1).unwrap();
        id.split_whitespace().next().unwrap().to_owned()
    };
    let (request, query) = (id("request"), id("query"));
    assert_eq!(
        count(&events, &format!("Parent={request}")),
        2,
        "{events:?}"
    );
    let log = format!("Task={query} Category=\"statement\" Message=\"select 1\"");
    assert_eq!(count(&events, &log), 1, "{events:?}");
    let log = format!("Task={request} Category=\"rows\" Message=\"7\"");
    assert_eq!(count(&events, &log), 1);
    assert_eq!(count(&events, "TaskEnd"), 2);
    assert_eq!(count(&events, "RegionBegin"), 2);
    assert_eq!(count(&events, "RegionEnd"), 2);
}

#[test]
fn a_task_may_end_anywhere_and_its_end_may_be_said_twice() {
    let _turn = alone();
    let trace = traced(|| {
        on_a_thread(|| {
            let task = Task::new("task");
            let id = task.id();
            task.end();
            exectrace::raw::task_end(id);
            let late = Region::of_task(id, "of a task that is over");
            exectrace::advance().unwrap();
            exectrace::raw::task_end(id);
            drop(late);
            // Never ended.
            mem::forget(Task::part_of(id, "child"));
        });
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    assert_eq!(count(&events, "TaskEnd"), 3);
}

#[test]
fn regions_end_from_the_inside_whatever_the_order() {
    let _turn = alone();
    let trace = traced(|| {
        on_a_thread(|| {
            let (a, b, c) = (Region::new("a"), Region::new("b"), Region::new("c"));
            drop(a);
            drop(b);
            drop(c);
            // One that is leaked ends with the next one around it.
            let d = Region::new("d");
            mem::forget(Region::new("e"));
            drop(d);
            let in_panic = catch_unwind(|| {
                region!("f");
                Region::run("g", || panic!("on purpose"))
            });
            assert!(in_panic.is_err());
            region!("h");
            assert_eq!(Region::run("i", || 5), 5);
        });
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    let ends: Vec<_> = events
        .iter()
        .filter(|event| event.contains("RegionEnd"))
        .map(|event| event.split("Type=\"").nth(1).unwrap()[..1].to_owned())
        .collect();
    assert_eq!(ends.concat(), "cbaedgfih");
}

#[test]
fn a_guard_that_is_dropped_on_another_goroutine_ends_nothing() {
    let _turn = alone();
    let trace = traced(|| {
        let proc = Proc::new().start();
        let (one, other) = (proc.create(), proc.create());
        let running = proc.run(one);
        let region = Region::new("of the first");
        let (proc, one) = running.stop("next");
        let running = proc.run(other);
        drop(region);
        let inner = Region::new("of the second");
        let (proc, other) = running.stop("next");
        let running = proc.run(one);
        // On the first one again, with regions of the second one in between.
        let region = Region::new("of the first");
        drop(inner);
        drop(region);
        running.exit().run(other).exit().stop();
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    assert_eq!(count(&events, "RegionBegin"), 3);
    assert_eq!(count(&events, "RegionEnd"), 1, "{}", events.concat());
}

#[test]
fn tracing_may_start_and_stop_inside_a_region() {
    let _turn = alone();
    on_a_thread(|| {
        let off = Region::new("begun while it was off");
        let mut first = Vec::new();
        let mut on = None;
        let trace = traced(|| {
            on = Some(Region::new("begun while it was on"));
            drop(off);
        });
        first.extend(checked(&trace));
        ask_go(&trace, &first);
        assert_eq!(
            (count(&first, "RegionBegin"), count(&first, "RegionEnd")),
            (1, 0)
        );
        let task = Task::new("begun while it was off");
        let trace = traced(|| {
            let inner = Region::new("inner");
            drop(on.take());
            drop(inner);
            task.log("task", "is known by its number");
            task.end();
        });
        let second = checked(&trace);
        ask_go(&trace, &second);
        assert_eq!(
            (count(&second, "RegionBegin"), count(&second, "RegionEnd")),
            (1, 2)
        );
    });
}

#[test]
fn logs_are_formatted_only_when_somebody_reads_them() {
    let _turn = alone();
    let evaluated = Cell::new(0);
    let number = || evaluated.replace(evaluated.get() + 1);
    log!("category", "{}", number());
    assert_eq!(evaluated.get(), 0);

    /// Traces while it is formatted.
    struct Nested;
    impl fmt::Display for Nested {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            log!("inner", "formatting");
            f.write_str("nested")
        }
    }
    /// Fails, after a part.
    struct Fails;
    impl fmt::Display for Fails {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }
    struct Panics;
    impl fmt::Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("on purpose")
        }
    }
    let trace = traced(|| {
        on_a_thread(|| {
            log!("literal", "as it is");
            log!("formatted", "{:>4}", 7);
            log!("outer", "{}", Nested);
            log!("broken", "{}", Fails);
            let panicked = catch_unwind(AssertUnwindSafe(|| log!("panics", "{}", Panics)));
            assert!(panicked.is_err());
            log!("long", "{}{}", "x".repeat(1023), "ä".repeat(5));
        });
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    for message in [
        "Category=\"literal\" Message=\"as it is\"",
        "Category=\"formatted\" Message=\"   7\"",
        "Category=\"inner\" Message=\"formatting\"",
        "Category=\"outer\" Message=\"nested\"",
        "Category=\"broken\" Message=\"half\"",
        &format!("Category=\"long\" Message=\"{}\"", "x".repeat(1023)),
    ] {
        assert_eq!(count(&events, message), 1, "{message}");
    }
    assert_eq!(count(&events, "panics"), 0);
}

#[test]
fn destructors_of_thread_locals_may_trace() {
    let _turn = alone();
    /// Does everything when its thread ends.
    struct Late(RefCell<Option<Region>>);
    impl Drop for Late {
        fn drop(&mut self) {
            log!("late", "{}", 1);
            region!("late");
            let task = Task::new("late");
            task.log("late", "2");
            thread::register_current("late");
            drop(self.0.take());
            log!("late", "{}", 3);
            let lock = exectrace::sync::Mutex::new(());
            drop(lock.lock());
            exectrace::sync::blocking("late", || ());
        }
    }
    thread_local! {
        static FIRST: Late = const { Late(RefCell::new(None)) };
        static SECOND: Late = const { Late(RefCell::new(None)) };
    }
    let trace = traced(|| {
        // The destructors run in an order that depends on who was there first.
        for first in [true, false] {
            std::thread::spawn(move || {
                if first {
                    FIRST.with(|_| ());
                }
                thread::register_current("registered");
                SECOND.with(|late| *late.0.borrow_mut() = Some(Region::new("open")));
            })
            .join()
            .unwrap();
            on_a_thread(|| FIRST.with(|late| *late.0.borrow_mut() = Some(Region::new("open"))));
        }
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    assert!(count(&events, "RegionBegin") >= 4);
}
