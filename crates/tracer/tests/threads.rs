//! Threads as goroutines, used well and badly.

mod support;

use std::{sync::Barrier, time::Duration};

use exectrace::thread::{self, Builder};
use support::{alone, ask_go, checked, count, traced};

/// The goroutine that an event is about.
fn goroutine(event: &str) -> &str {
    let id = event.split("GoID=").nth(1).unwrap();
    id.split_whitespace().next().unwrap()
}

/// The goroutine that an event happens on.
fn context(event: &str) -> &str {
    let id = event.split("G=").nth(1).unwrap();
    id.split_whitespace().next().unwrap()
}

fn find<'a>(events: &'a [String], whats: &[&str]) -> &'a String {
    let mut found = events
        .iter()
        .filter(|event| whats.iter().all(|what| event.contains(what)));
    let event = found.next();
    event.unwrap_or_else(|| panic!("no {whats:?} in {}", events.concat()))
}

#[test]
fn a_thread_is_created_runs_and_ends() {
    let _turn = alone();
    let trace = traced(|| {
        let creator = Builder::new().name("creator".to_owned());
        let creator = creator.spawn(|| {
            let created = Builder::new().name("created".to_owned());
            let created = created.stack_size(256 << 10).spawn(|| {
                thread::sleep(Duration::from_millis(5));
                7
            });
            created.unwrap().join().unwrap()
        });
        assert_eq!(creator.unwrap().join().unwrap(), 7);
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    let [creator, created] = ["creator", "created"].map(|name| {
        let label = find(&events, &[&format!("Label=\"{name}\"")]);
        context(label).to_owned()
    });
    assert_ne!(creator, created);
    let about = format!("GoID={created} ");
    let creation = find(&events, &[&about, "NotExist->Runnable"]);
    assert_eq!(context(creation), creator);
    let start = "threads::a_thread_is_created_runs_and_ends::{{closure}}::{{closure}}";
    assert!(
        creation.contains(&format!("TransitionStack=\n\t{start}")),
        "{creation}"
    );
    find(&events, &[&about, "Running->Waiting", "Reason=\"sleep\""]);
    find(&events, &[&about, "Running->NotExist"]);
    // It unblocks who joins it.
    let joins = format!("GoID={creator} ");
    find(
        &events,
        &[&joins, "Running->Waiting", "Reason=\"sync.JoinHandle\""],
    );
    let unblock = find(&events, &[&joins, "Waiting->Runnable"]);
    assert_eq!(context(unblock), created);
    assert_eq!(goroutine(unblock), creator);
}

#[test]
fn scopes_wait_for_their_threads() {
    let _turn = alone();
    let trace = traced(|| {
        let spawned = thread::spawn(|| {
            let numbers = [1, 2, 3, 4];
            let sum = thread::scope(|scope| {
                let handle = scope.spawn(|| numbers.iter().sum::<i32>());
                scope.spawn(|| thread::sleep(Duration::from_millis(5)));
                let nested = scope.clone();
                scope.spawn(move || {
                    nested.spawn(|| thread::sleep(Duration::from_millis(10)));
                });
                handle.join().unwrap()
            });
            assert_eq!(sum, 10);
        });
        spawned.join().unwrap();
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    assert_eq!(count(&events, "NotExist->Runnable"), 5);
    assert_eq!(count(&events, "Running->NotExist"), 5);
    let wait = find(&events, &["Reason=\"sync.scope\""]);
    let about = format!("GoID={} ", goroutine(wait));
    find(&events, &[&about, "Waiting->Runnable"]);
}

#[test]
fn panics_are_told_to_who_joins() {
    let _turn = alone();
    let trace = traced(|| {
        assert!(thread::spawn(|| panic!("on purpose")).join().is_err());
        let caught = std::panic::catch_unwind(|| {
            thread::scope(|scope| {
                scope.spawn(|| panic!("on purpose"));
            });
        });
        assert!(caught.is_err());
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    assert_eq!(count(&events, "Running->NotExist"), 2);
}

#[test]
fn foreign_threads_can_be_registered_once() {
    let _turn = alone();
    let homeless = exectrace::stats().homeless_events;
    let leaked = exectrace::stats().leaked_tokens;
    let trace = traced(|| {
        std::thread::spawn(|| {
            exectrace::log!("too", "early");
            assert!(thread::register_current("foreign"));
            assert!(!thread::register_current("again"));
            exectrace::log!("in", "time");
        })
        .join()
        .unwrap();
        // A thread with a proc of its own runtime.
        std::thread::spawn(|| {
            let proc = exectrace::raw::Proc::new().start();
            assert!(!thread::register_current("has a proc"));
            let task = proc.create();
            let running = proc.run(task);
            assert!(!thread::register_current("has a goroutine"));
            running.exit().stop();
        })
        .join()
        .unwrap();
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    assert_eq!(count(&events, "Label=\"foreign\""), 1);
    assert_eq!(count(&events, "Running->NotExist"), 2);
    assert_eq!(exectrace::stats().homeless_events - homeless, 1);
    assert_eq!(exectrace::stats().leaked_tokens, leaked);
}

#[test]
fn tracing_may_start_and_stop_while_threads_live() {
    let _turn = alone();
    let started = &Barrier::new(5);
    let over = &Barrier::new(5);
    thread::scope(|scope| {
        for n in 0..4 {
            let builder = Builder::new().name(format!("thread {n}"));
            let work = move || {
                started.wait();
                for _ in 0..10 {
                    thread::sleep(Duration::from_micros(300));
                }
                over.wait();
            };
            builder.spawn_scoped(scope, work).unwrap();
        }
        started.wait();
        for _ in 0..5 {
            let trace = traced(|| std::thread::sleep(Duration::from_micros(500)));
            ask_go(&trace, &checked(&trace));
        }
        over.wait();
    });
}
