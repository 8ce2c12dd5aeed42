//! Pull iterators, used well and badly.

mod support;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use exectrace::{
    Region,
    iter::{Pull, SendPull, pull, try_pull},
    region,
    sync::{Mutex, mpsc},
    thread,
};
use support::{alone, ask_go, checked, count, traced};

fn range(n: u64) -> Pull<u64> {
    pull(move |yielder| {
        for i in 0..n {
            if !yielder.give(i) {
                return;
            }
        }
    })
}

/// As [`range`], for who moves it.
fn moving_range(n: u64) -> SendPull<u64> {
    // SAFETY: there are numbers on its stack.
    unsafe { range(n).into_send() }
}

/// A trace of what `work` does on a thread with a goroutine.
fn on_a_thread(work: impl FnOnce() + Send + 'static) -> Vec<String> {
    let trace = traced(|| thread::spawn(work).join().unwrap());
    let events = checked(&trace);
    ask_go(&trace, &events);
    events
}

#[test]
fn values_come_one_by_one() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let mut iterator = range(100);
        assert!(iterator.by_ref().eq(0..100));
        assert_eq!(iterator.next(), None);
    });
    // Created blocked by the thread; a switch there and back for each value; a switch at the end that
    // destroys it.
    assert_eq!(count(&events, "NotExist->Waiting"), 1);
    let name = "TransitionStack=\n\titerators::range::{{closure}}";
    assert_eq!(count(&events, name), 1, "{}", events.concat());
    assert_eq!(count(&events, "Running->Waiting Reason=\"\""), 201);
    assert_eq!(count(&events, "Running->NotExist"), 2);
}

/// The test program of Go's change: an iterator that bounces between two threads.
#[test]
fn iterators_move_between_threads() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let (to_first, first) = mpsc::sync_channel::<SendPull<u64>>(0);
        let (to_second, second) = mpsc::sync_channel(0);
        thread::scope(|scope| {
            scope.spawn(move || {
                to_second.send(moving_range(100)).unwrap();
                for mut iterator in first {
                    if iterator.next().is_none() || to_second.send(iterator).is_err() {
                        break;
                    }
                }
            });
            scope.spawn(move || {
                for mut iterator in second {
                    if iterator.next().is_none() || to_first.send(iterator).is_err() {
                        break;
                    }
                }
            });
        });
    });
    assert_eq!(count(&events, "NotExist->Waiting"), 1);
    assert_eq!(count(&events, "Running->Waiting Reason=\"\""), 201);
}

#[test]
fn iterators_nest_and_block() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let (sender, receiver) = mpsc::channel();
        let outer = pull(move |yielder| {
            region!("outer");
            for received in receiver.iter() {
                let _region = Region::new("inner");
                for n in range(received) {
                    if !yielder.give(n) {
                        return;
                    }
                }
            }
        });
        let producer = thread::spawn(move || {
            for n in [1, 2, 3] {
                thread::sleep(std::time::Duration::from_millis(5));
                sender.send(n).unwrap();
            }
        });
        region!("around");
        assert_eq!(outer.collect::<Vec<_>>(), [0, 0, 1, 0, 1, 2]);
        producer.join().unwrap();
    });
    assert_eq!(count(&events, "NotExist->Waiting"), 4);
    assert_eq!(count(&events, "RegionBegin"), 5);
    assert_eq!(count(&events, "RegionEnd"), 5);
    assert!(count(&events, "Reason=\"chan receive\"") >= 1);
}

#[test]
fn regions_travel_with_their_iterator() {
    let _turn = alone();
    on_a_thread(|| {
        let numbers = pull(|yielder| {
            let outer = Region::new("outer");
            let inner = Region::new("inner");
            if yielder.give(1) {
                drop(outer);
                drop(inner);
                let _ = yielder.give(2);
            }
        });
        // SAFETY: regions on the stack of a suspended iterator are names and numbers.
        let mut numbers = unsafe { numbers.into_send() };
        let here = Region::new("here");
        assert_eq!(numbers.next(), Some(1));
        let there = thread::spawn(move || {
            region!("there");
            numbers.next()
        });
        assert_eq!(there.join().unwrap(), Some(2));
        drop(here);
    });
}

#[test]
fn iterators_may_be_left_before_their_end() {
    let _turn = alone();
    struct Told(Rc<Cell<u32>>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let events = on_a_thread(|| {
        let dropped = Rc::new(Cell::new(0));
        let told = || Told(Rc::clone(&dropped));

        // Never asked.
        let on_stack = told();
        drop(pull::<u8, _>(move |_| drop(on_stack)));
        assert_eq!(dropped.get(), 1);
        // Told that nobody wants more.
        let on_stack = told();
        let polite = pull(move |yielder| {
            let _on_stack = on_stack;
            while yielder.give(1) {}
        });
        assert_eq!(polite.take(3).sum::<i32>(), 3);
        assert_eq!(dropped.get(), 2);
        // Does not listen.
        let on_stack = told();
        let deaf = pull(move |yielder| {
            let _on_stack = on_stack;
            loop {
                let _ = yielder.give(1);
            }
        });
        assert_eq!(deaf.take(3).sum::<i32>(), 3);
        assert_eq!(dropped.get(), 3);
        // Left in the middle of a panic.
        let on_stack = told();
        let left = pull(move |yielder| {
            let _on_stack = on_stack;
            while yielder.give(1) {}
        });
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let mut left = left;
            left.next();
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(dropped.get(), 4);
    });
    assert_eq!(count(&events, "NotExist->Waiting"), 4);
    assert_eq!(
        count(&events, "Running->NotExist"),
        5,
        "{}",
        events.concat()
    );
}

#[test]
fn panics_reach_who_asks() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let mut broken = pull(|yielder| {
            let _ = yielder.give(1);
            panic!("on purpose");
        });
        assert_eq!(broken.next(), Some(1));
        let panicked = catch_unwind(AssertUnwindSafe(|| broken.next()));
        assert!(panicked.is_err());
        assert_eq!(broken.next(), None);
        exectrace::log!("still", "traced");
    });
    assert_eq!(count(&events, "Running->NotExist"), 2);
    assert_eq!(count(&events, "Category=\"still\""), 1);
}

#[test]
fn iterators_work_where_nothing_can_be_traced() {
    let _turn = alone();
    // While tracing is off, and on threads without a goroutine.
    assert!(range(3).eq(0..3));
    let trace = traced(|| {
        assert!(range(3).eq(0..3));
        let mut moved = thread::spawn(|| {
            let mut moved = moving_range(4);
            assert_eq!(moved.next(), Some(0));
            moved
        })
        .join()
        .unwrap();
        assert_eq!(moved.next(), Some(1));
        let moved = thread::spawn(move || {
            assert_eq!(moved.next(), Some(2));
            moved
        });
        drop(moved.join().unwrap());
    });
    ask_go(&trace, &checked(&trace));
    assert!(try_pull(usize::MAX / 2, |y| while y.give(1) {}).is_err());
}

#[test]
fn tracing_may_start_and_stop_between_values() {
    let _turn = alone();
    thread::spawn(|| {
        let shared = Mutex::new(0);
        let mut numbers = range(40);
        for round in 0..4 {
            let trace = traced(|| {
                *shared.lock().unwrap() += numbers.by_ref().take(5).sum::<u64>();
                exectrace::advance().unwrap();
                *shared.lock().unwrap() += numbers.next().unwrap();
            });
            ask_go(&trace, &checked(&trace));
            *shared.lock().unwrap() += numbers.by_ref().take(4).sum::<u64>();
            assert_eq!(*shared.lock().unwrap(), (0..(round + 1) * 10).sum::<u64>());
        }
    })
    .join()
    .unwrap();
}
