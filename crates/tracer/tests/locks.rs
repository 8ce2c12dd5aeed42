//! Locks, channels and barriers: as the standard library's, with who waits for whom in the trace.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use exectrace::{
    sync::{
        Barrier, Condvar, Mutex, RwLock, TryLockError, blocking,
        mpsc::{self, RecvTimeoutError, SendError, TryRecvError, TrySendError},
    },
    thread,
};
use support::{alone, ask_go, checked, count, traced};

/// Waits until the trace has somebody who waits: there is no other way to see that a thread sleeps.
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// The goroutines that block for a reason, and those that unblock them: as many, and never the same.
fn check_blocked(events: &[String], reason: &str) -> usize {
    let reason = format!("Reason=\"{reason}\"");
    let field = |event: &str, name: &str| {
        let value = event.split(name).nth(1).unwrap();
        value.split_whitespace().next().unwrap().to_owned()
    };
    let mut blocked = 0;
    for (at, event) in events.iter().enumerate() {
        if !event.contains("Running->Waiting") || !event.contains(&reason) {
            continue;
        }
        blocked += 1;
        let about = format!("GoID={} ", field(event, "GoID="));
        let unblock = events[at..]
            .iter()
            .find(|e| e.contains(&about) && e.contains("Waiting->Runnable"));
        let unblock = unblock.unwrap_or_else(|| panic!("nobody unblocks it: {event}"));
        let who = field(unblock, " G=");
        assert_ne!(who, "-1", "{unblock}");
        assert_ne!(who, field(event, "GoID="), "{unblock}");
    }
    blocked
}

/// A trace of what `work` does on a thread with a goroutine.
fn on_a_thread(work: impl FnOnce() + Send + 'static) -> Vec<String> {
    let trace = traced(|| thread::spawn(work).join().unwrap());
    let events = checked(&trace);
    ask_go(&trace, &events);
    events
}

#[test]
fn who_unlocks_a_mutex_unblocks_who_waits() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let count = Mutex::new(0);
        thread::scope(|scope| {
            let guard = count.lock().unwrap();
            for _ in 0..3 {
                scope.spawn(|| *count.lock().unwrap() += 1);
            }
            pause();
            drop(guard);
        });
        assert_eq!(count.into_inner().unwrap(), 3);
    });
    assert!(
        check_blocked(&events, "sync.Mutex") >= 3,
        "{}",
        events.concat()
    );
}

#[test]
fn locks_that_are_free_write_nothing() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let (mutex, lock) = (Mutex::new(0), RwLock::new(0));
        for _ in 0..100 {
            *mutex.lock().unwrap() += 1;
            *mutex.try_lock().unwrap() += 1;
            let read = *lock.read().unwrap();
            *lock.write().unwrap() += read;
            drop((lock.try_read().unwrap(), lock.read().unwrap()));
        }
    });
    assert_eq!(count(&events, "Reason=\"sync.Mutex"), 0);
    assert_eq!(count(&events, "Reason=\"sync.RwLock"), 0);
}

#[test]
fn readers_and_writers_wait_for_each_other() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let lock = RwLock::new(0);
        thread::scope(|scope| {
            let writing = lock.write().unwrap();
            for _ in 0..2 {
                scope.spawn(|| *lock.read().unwrap());
            }
            pause();
            drop(writing);
        });
        thread::scope(|scope| {
            let reading = (lock.read().unwrap(), lock.read().unwrap());
            for _ in 0..2 {
                scope.spawn(|| *lock.write().unwrap() += 1);
            }
            pause();
            assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
            drop(reading);
        });
        assert_eq!(*lock.read().unwrap(), 2);
    });
    assert!(check_blocked(&events, "sync.RwLock.read") >= 2);
    assert!(check_blocked(&events, "sync.RwLock.write") >= 2);
}

#[test]
fn condition_variables_wake_whom_they_should() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let (value, changed) = (Mutex::new(0), Condvar::new());
        thread::scope(|scope| {
            for n in 1..=3 {
                let (value, changed) = (&value, &changed);
                scope.spawn(move || {
                    let guard = value.lock().unwrap();
                    drop(changed.wait_while(guard, |value| *value < n));
                });
            }
            pause();
            for _ in 0..3 {
                *value.lock().unwrap() += 1;
                changed.notify_all();
            }
        });
        // Nobody notifies.
        let guard = value.lock().unwrap();
        let short = Duration::from_millis(1);
        let (guard, timeout) = changed.wait_timeout(guard, short).unwrap();
        assert!(timeout.timed_out());
        let (guard, timeout) = changed.wait_timeout_while(guard, short, |_| true).unwrap();
        assert!(timeout.timed_out());
        let (guard, timeout) = changed.wait_timeout(guard, Duration::ZERO).unwrap();
        assert!(timeout.timed_out());
        drop(guard);
        changed.notify_one();
    });
    assert!(count(&events, "Running->Waiting Reason=\"sync.Condvar\"") >= 6);
}

#[test]
fn channels_hand_messages_over() {
    let _turn = alone();
    let events = on_a_thread(|| {
        for bound in [None, Some(0), Some(1), Some(7)] {
            let (sum, sent) = thread::scope(|scope| {
                let (send, receiver): (Box<dyn Fn(u64) -> bool + Send>, _) = match bound {
                    None => {
                        let (sender, receiver) = mpsc::channel();
                        (Box::new(move |n| sender.send(n).is_ok()), receiver)
                    }
                    Some(bound) => {
                        let (sender, receiver) = mpsc::sync_channel(bound);
                        let other = sender.clone();
                        let send =
                            move |n| if n % 2 == 0 { &sender } else { &other }.send(n).is_ok();
                        (Box::new(send), receiver)
                    }
                };
                let sender = scope.spawn(move || {
                    pause();
                    (0..200).filter(|n| send(*n)).count()
                });
                (receiver.iter().sum::<u64>(), sender.join().unwrap())
            });
            assert_eq!((sum, sent), (19900, 200), "{bound:?}");
        }
    });
    assert!(check_blocked(&events, "chan receive") >= 4);
}

#[test]
fn senders_wait_for_room() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        let producer = thread::spawn(move || (0..3).all(|n| sender.send(n).is_ok()));
        pause();
        assert_eq!(receiver.collect::<Vec<_>>(), [0, 1, 2]);
        assert!(producer.join().unwrap());
    });
    assert!(check_blocked(&events, "chan send") >= 1);
}

#[test]
fn channels_end_when_one_side_is_gone() {
    let _turn = alone();
    on_a_thread(|| {
        let (sender, receiver) = mpsc::channel::<u8>();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        let short = Duration::from_millis(1);
        assert_eq!(receiver.recv_timeout(short), Err(RecvTimeoutError::Timeout));
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(
            receiver.recv_timeout(short),
            Err(RecvTimeoutError::Disconnected)
        );

        let (sender, receiver) = mpsc::channel();
        drop(receiver);
        assert_eq!(sender.send(1), Err(SendError(1)));

        for bound in [0, 1] {
            let (sender, receiver) = mpsc::sync_channel(bound);
            if bound == 1 {
                assert_eq!(sender.try_send(0), Ok(()));
            }
            assert_eq!(sender.try_send(7), Err(TrySendError::Full(7)));
            // Who waits gets the message back.
            let waiting = thread::spawn(move || (sender.send(8), sender.try_send(9)));
            pause();
            drop(receiver);
            let (sent, tried) = waiting.join().unwrap();
            assert_eq!(sent, Err(SendError(8)), "{bound}");
            assert_eq!(tried, Err(TrySendError::Disconnected(9)));

            // Who waits learns that there will be nothing.
            let (sender, receiver) = mpsc::sync_channel::<u8>(bound);
            let waiting = thread::spawn(move || receiver.recv());
            pause();
            drop(sender);
            assert!(waiting.join().unwrap().is_err());
        }
    });
}

#[test]
fn barriers_let_all_go_at_once() {
    let _turn = alone();
    let events = on_a_thread(|| {
        let (barrier, leaders) = (Barrier::new(4), Mutex::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        if barrier.wait().is_leader() {
                            *leaders.lock().unwrap() += 1;
                        }
                    }
                });
            }
        });
        assert_eq!(leaders.into_inner().unwrap(), 50);
        assert!(Barrier::new(0).wait().is_leader());
    });
    assert!(check_blocked(&events, "sync.Barrier") >= 50);
}

#[test]
fn poisoned_locks_are_as_in_the_standard_library() {
    let _turn = alone();
    on_a_thread(|| {
        let mutex = Mutex::new(1);
        let lock = RwLock::new(1);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guards = (mutex.lock(), lock.write());
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert!(mutex.is_poisoned() && lock.is_poisoned());
        assert_eq!(**mutex.lock().unwrap_err().get_ref(), 1);
        assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
        assert!(matches!(lock.try_read(), Err(TryLockError::Poisoned(_))));
        assert!(lock.read().is_err() && lock.write().is_err());

        // One who waits for a lock that is being poisoned.
        mutex.clear_poison();
        lock.clear_poison();
        let changed = Condvar::new();
        thread::scope(|scope| {
            let (locked, written) = (mutex.lock(), lock.write());
            let waiting = scope.spawn(|| mutex.lock().is_err());
            let reading = scope.spawn(|| lock.read().is_err());
            pause();
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _guards = (locked, written);
                panic!("on purpose");
            }));
            assert!(panicked.is_err());
            assert!(waiting.join().unwrap() && reading.join().unwrap());
        });
        let guard = mutex
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        assert!(changed.wait_timeout(guard, Duration::ZERO).is_err());
        mutex.clear_poison();
        assert_eq!(mutex.into_inner().unwrap(), 1);
    });
}

#[test]
fn tracing_may_start_and_stop_while_somebody_waits() {
    let _turn = alone();
    let mutex = Arc::new(Mutex::new(0));
    let (sender, receiver) = mpsc::sync_channel(1);
    let lock = |mutex: &Arc<Mutex<i32>>| {
        let mutex = Arc::clone(mutex);
        thread::spawn(move || *mutex.lock().unwrap() += 1)
    };
    // 1. Some wait since before, some begin to wait while tracing is on, and some after it has stopped.
    let guard = mutex.lock().unwrap();
    let mut waiting = vec![lock(&mutex)];
    let receiving = thread::spawn(move || receiver.iter().count());
    pause();
    let trace = traced(|| {
        waiting.push(lock(&mutex));
        waiting.push(lock(&mutex));
        pause();
    });
    ask_go(&trace, &checked(&trace));
    waiting.push(lock(&mutex));
    pause();

    // 2. They go on, some in another trace.
    let trace = traced(|| {
        drop(guard);
        for waiting in waiting.drain(..) {
            waiting.join().unwrap();
        }
        sender.send(1).unwrap();
    });
    ask_go(&trace, &checked(&trace));
    drop(sender);
    assert_eq!(receiving.join().unwrap(), 1);
    assert_eq!(*mutex.lock().unwrap(), 4);
}

#[test]
fn a_convoy_under_changing_traces_loses_nobody() {
    let _turn = alone();
    let over = Arc::new(AtomicBool::new(false));
    let (mutex, lock, changed) = (Mutex::new(0u64), RwLock::new(0u64), Condvar::new());
    let mut rounds = 0;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..6)
            .map(|n| {
                let (mutex, lock, changed, over) = (&mutex, &lock, &changed, Arc::clone(&over));
                scope.spawn(move || {
                    let mut done = 0;
                    while !over.load(Ordering::Relaxed) {
                        *mutex.lock().unwrap() += 1;
                        if n % 3 == 0 {
                            *lock.write().unwrap() += 1;
                        } else {
                            std::hint::black_box(*lock.read().unwrap());
                        }
                        if n == 1 {
                            changed.notify_all();
                        } else if n == 2 {
                            let short = Duration::from_micros(200);
                            drop(changed.wait_timeout(mutex.lock().unwrap(), short));
                        }
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        for _ in 0..10 {
            let trace = traced(|| {
                for _ in 0..3 {
                    std::thread::sleep(Duration::from_millis(1));
                    exectrace::advance().unwrap();
                }
            });
            checked(&trace);
        }
        over.store(true, Ordering::Relaxed);
        for worker in workers {
            rounds += worker.join().unwrap();
        }
    });
    assert_eq!(*mutex.lock().unwrap(), rounds);
}

#[test]
fn what_blocks_elsewhere_is_blocked_in_the_trace() {
    let _turn = alone();
    let events = on_a_thread(|| {
        assert_eq!(blocking("device", || 7), 7);
        let nested = || blocking("inner", || exectrace::log!("not", "there"));
        blocking("outer", nested);
        let panicked = catch_unwind(|| blocking("broken", || panic!("on purpose")));
        assert!(panicked.is_err());
        exectrace::log!("after", "all");
    });
    for reason in ["device", "outer", "broken"] {
        assert_eq!(
            count(&events, &format!("Reason=\"{reason}\"")),
            1,
            "{reason}"
        );
    }
    assert_eq!(count(&events, "Reason=\"inner\""), 0);
    assert_eq!(count(&events, "Category=\"after\""), 1);
}

#[test]
fn an_executors_goroutine_blocks_in_place() {
    let _turn = alone();
    let trace = traced(|| {
        let (sender, receiver) = mpsc::channel();
        let worker = std::thread::spawn(move || {
            let proc = exectrace::raw::Proc::new().start();
            let task = proc.create();
            let running = proc.run(task);
            let received = receiver.recv();
            running.exit().stop();
            received
        });
        pause();
        thread::spawn(move || sender.send(5))
            .join()
            .unwrap()
            .unwrap();
        assert_eq!(worker.join().unwrap(), Ok(5));
    });
    let events = checked(&trace);
    ask_go(&trace, &events);
    assert_eq!(check_blocked(&events, "chan receive"), 1);
}
