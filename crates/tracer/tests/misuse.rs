//! Bad use: the trace stays valid, what cannot be in it is counted, and the program goes on.

mod support;

use std::{
    cell::RefCell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use exectrace::{
    Memory, Session, SessionError, Settings, Stats, Subscription, configure,
    raw::{self, Proc, Returned, Running, Syscall},
    sink::{Sink, SinkErrorKind},
    stats,
};
use exectrace_wire::TaskId;
use support::{alone, ask_go, checked, count, traced};

fn log(message: &str) {
    raw::log(TaskId::BACKGROUND, "test", message);
}

fn logs(events: &[String]) -> usize {
    count(events, "Category=\"test\"")
}

fn run() -> Running {
    let proc = Proc::new().start();
    let task = proc.create();
    proc.run(task)
}

/// What was counted during `work`, and its trace.
fn counted(work: impl FnOnce()) -> (Stats, Stats, Vec<u8>) {
    let before = stats();
    let trace = traced(work);
    (before, stats(), trace)
}

#[test]
fn a_second_proc_ends_what_the_first_one_did() {
    let _turn = alone();
    let (before, after, trace) = counted(|| {
        let first = run();
        let id = first.id();
        let second = catch_unwind(|| Proc::new().start());
        if cfg!(debug_assertions) {
            // It is a mistake; the thread goes on with what it had.
            let panic = second.unwrap_err();
            let message = panic.downcast_ref::<&str>().unwrap();
            assert!(message.contains("has a proc or a goroutine"), "{message}");
            assert_eq!(raw::current_goroutine(), Some(id));
            drop(first.exit().stop());
            return;
        }
        // Nothing that the first one's tokens say is in the trace.
        let second = second.unwrap();
        assert_eq!(raw::current_goroutine(), None);
        first.label("misfit");
        first.procs_changed(3);
        drop(first.mark_assist());
        drop(first.sweep());
        drop(first.mark());
        drop(first.stop_the_world("misfit"));
        let (first, waiting) = first.block("misfit");
        let (first, waiting) = first.run(waiting.unblock()).switch(waiting_of(&second));
        let Returned::Running(first) = first.syscall().end() else {
            panic!("nobody can steal what is not there");
        };
        // The second one's are, on its own proc.
        let task = second.create();
        let second = second.run(task);
        log("fits");
        let first = first.exit().stop().start_elsewhere();
        drop((first, waiting));
        drop(second.exit().stop());
    });
    let events = checked(&trace);
    assert_eq!(count(&events, "misfit"), 0);
    assert_eq!(logs(&events), usize::from(!cfg!(debug_assertions)));
    let leaked = after.leaked_tokens - before.leaked_tokens;
    let misfits = after.misfit_events - before.misfit_events;
    if cfg!(debug_assertions) {
        assert_eq!((leaked, misfits), (0, 0));
    } else {
        assert_eq!(leaked, 1);
        assert!(misfits >= 12, "{misfits}");
    }
    ask_go(&trace, &events);
}

/// A goroutine that waits.
fn waiting_of(proc: &raw::RunningProc) -> raw::Waiting {
    proc.create_blocked()
}

trait Elsewhere {
    /// Starts and stops it on another thread.
    fn start_elsewhere(self) -> Self;
}

impl Elsewhere for Proc {
    fn start_elsewhere(self) -> Self {
        thread::spawn(|| self.start().stop()).join().unwrap()
    }
}

#[test]
fn a_thread_with_a_proc_cannot_call_in() {
    let _turn = alone();
    let trace = traced(|| {
        let proc = Proc::new().start();
        assert!(Syscall::create().is_none());
        let task = proc.create();
        let running = proc.run(task);
        assert!(Syscall::create().is_none());
        running.exit().stop();
        Syscall::create().unwrap().end_on(Proc::new()).exit().stop();
    });
    checked(&trace);
}

/// All orders in which these tokens of one thread can be dropped.
#[test]
fn tokens_are_dropped_in_any_order() {
    type Token = Option<Box<dyn std::any::Any>>;
    fn orders(of: usize) -> Vec<Vec<usize>> {
        let Some(last) = of.checked_sub(1) else {
            return vec![vec![]];
        };
        let longer = |order: Vec<usize>| {
            (0..of).map(move |at| {
                let mut order = order.clone();
                order.insert(at, last);
                order
            })
        };
        orders(last).into_iter().flat_map(longer).collect()
    }
    let _turn = alone();
    let (before, after, trace) = counted(|| {
        for order in orders(5) {
            for in_syscall in [false, true] {
                let running = run();
                let (runnable, waiting) = (running.create(), running.create_blocked());
                let mark = running.mark();
                let idle = Proc::new();
                let main: Token = if in_syscall {
                    Some(Box::new(running.syscall()))
                } else {
                    Some(Box::new(running))
                };
                let mut tokens: [Token; 5] = [
                    main,
                    Some(Box::new(runnable)),
                    Some(Box::new(waiting)),
                    Some(Box::new(mark)),
                    Some(Box::new(idle)),
                ];
                for at in &order {
                    tokens[*at] = None;
                }
                assert_eq!(raw::current_goroutine(), None);
            }
        }
        // A mark phase that could end nowhere goes on until the next one ends.
        let running = run();
        drop(running.mark().unwrap());
        drop(running.exit().stop());
    });
    let events = checked(&trace);
    let abandoned = after.abandoned_goroutines - before.abandoned_goroutines;
    // Half of the time, a goroutine is dropped before the one that is in a system call.
    assert_eq!(abandoned, 2 * 120 / 2);
    assert_eq!(after.misfit_events, before.misfit_events);
    assert_eq!(after.leaked_tokens, before.leaked_tokens);
    let marks = |what| {
        let name = "Name=\"GC concurrent mark phase\"";
        let is = |event: &&String| event.contains(what) && event.contains(name);
        events.iter().filter(is).count()
    };
    assert_eq!(marks("RangeBegin"), marks("RangeEnd"));
    let born = count(&events, "NotExist->") as u64;
    assert_eq!(count(&events, "->NotExist") as u64, born - abandoned);
}

#[test]
fn destructors_of_thread_locals_may_trace() {
    struct Late(&'static AtomicU64);
    impl Drop for Late {
        fn drop(&mut self) {
            let running = run();
            log("late");
            drop(running.syscall());
            drop(Proc::new().start());
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    thread_local! {
        static EARLY: RefCell<Option<Late>> = const { RefCell::new(None) };
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    static DROPPED: AtomicU64 = AtomicU64::new(0);
    let _turn = alone();
    let (before, after, trace) = counted(|| {
        for leaves_a_goroutine in [false, true] {
            let work = move || {
                // One is destroyed before the tracer's own, one after it, in whatever order the system has.
                EARLY.set(Some(Late(&DROPPED)));
                let running = run();
                log("in time");
                LATE.set(Some(Late(&DROPPED)));
                if leaves_a_goroutine {
                    mem::forget(running);
                }
            };
            // With debug assertions, the destructor that is in time finds a proc that was leaked.
            if !(leaves_a_goroutine && cfg!(debug_assertions)) {
                thread::spawn(work).join().unwrap();
            }
        }
    });
    let events = checked(&trace);
    let threads = if cfg!(debug_assertions) { 1 } else { 2 };
    assert_eq!(DROPPED.load(Ordering::Relaxed), 2 * threads);
    assert_eq!(count(&events, "\"in time\""), threads as usize);
    // Each event of a destructor is in the trace or counted.
    assert!(after.late_events > before.late_events);
    let written = count(&events, "Message=\"late\"") as u64;
    assert!(written <= 2 * threads);
    assert_eq!(count(&events, "NotExist->"), count(&events, "->NotExist"));
}

#[test]
fn without_memory_generations_are_lost_and_counted() {
    let _turn = alone();
    let mut settings = Settings::default();
    settings.max_memory = 0;
    configure(&settings);
    let before = stats();
    let (sink, trace) = Sink::memory();
    let session = Session::start(sink).unwrap();
    let running = run();
    log("nowhere");
    exectrace::advance().unwrap();
    log("nowhere");
    // There is memory again: the trace goes on with what everybody is doing.
    configure(&Settings::default());
    exectrace::advance().unwrap();
    log("somewhere");
    let Err(SessionError::Sink(error)) = session.stop() else {
        panic!("generations were lost");
    };
    drop(running.exit().stop());
    let after = stats();
    assert!(matches!(error.kind, SinkErrorKind::Untraced(_)), "{error}");
    let lost = error.written;
    assert!(lost.lost_events >= 4, "{lost:?}");
    assert_eq!(after.lost_events - before.lost_events, lost.lost_events);
    let generations = after.lost_generations - before.lost_generations;
    assert_eq!(generations, lost.lost_generations);
    let events = checked(&trace.bytes());
    assert_eq!((logs(&events), count(&events, "\"somewhere\"")), (1, 1));
}

#[cfg(target_os = "linux")]
mod unix {
    use super::*;

    /// What the handler of a signal did.
    static HANDLED: AtomicU64 = AtomicU64::new(0);

    extern "C" fn handler(_: libc::c_int) {
        log("handler");
        let _ = exectrace::is_enabled();
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn signal_handlers_may_log() {
        let _turn = alone();
        let action: extern "C" fn(libc::c_int) = handler;
        // SAFETY: the handler has the type that the system calls it with.
        unsafe { libc::signal(libc::SIGUSR1, action as libc::sighandler_t) };
        HANDLED.store(0, Ordering::Relaxed);
        let (before, after, trace) = counted(|| {
            let (ready, wait) = std::sync::mpsc::channel();
            let interrupted = thread::spawn(move || {
                let running = run();
                // SAFETY: asks for the calling thread's own name.
                ready.send(unsafe { libc::pthread_self() }).unwrap();
                // Sections of the tracer, without an event, are most of what it does, so that is what
                // most signals interrupt.
                while HANDLED.load(Ordering::Relaxed) < 200 {
                    for _ in 0..1000 {
                        assert_eq!(raw::current_goroutine(), Some(running.id()));
                    }
                    log("interrupted");
                    thread::yield_now();
                }
                drop(running.exit().stop());
            });
            let thread = wait.recv().unwrap();
            for sent in 1..=200 {
                // SAFETY: the thread goes on until it has had the last signal.
                unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
                while HANDLED.load(Ordering::Relaxed) < sent {
                    thread::yield_now();
                }
            }
            interrupted.join().unwrap();
        });
        // Each call of the handler's is in the trace or counted.
        let events = checked(&trace);
        let written = count(&events, "Message=\"handler\"") as u64;
        let nested = after.nested_events - before.nested_events;
        assert_eq!(written + nested, 200);
        assert_eq!(
            written + count(&events, "interrupted\"") as u64,
            logs(&events) as u64
        );
        assert_eq!(after.misfit_events, before.misfit_events);
    }

    /// What a forked child does with what it got from its parent, and with what it makes itself.
    fn child(running: Running, tracing: Subscription) {
        assert!(!exectrace::is_enabled());
        let late = stats().late_events;
        log("child");
        let extra = running.create();
        let (proc, waiting) = running.block("child");
        let proc = proc.run(waiting.unblock()).exit();
        drop(extra);
        drop(proc.stop());
        let other = run();
        let mark = other.mark();
        drop(other.stop_the_world("child"));
        drop((mark, other.syscall()));
        assert!(Syscall::create().is_none());
        thread::spawn(|| drop(run())).join().unwrap();
        assert!(stats().late_events > late);

        let forked = |error| matches!(error, exectrace::ControlError::Forked);
        configure(&Settings::default());
        assert!(forked(exectrace::advance().unwrap_err()));
        assert!(forked(tracing.end().unwrap_err()));
        let again = Subscription::new(Arc::new(Memory::new()));
        assert!(forked(again.unwrap_err()));
    }

    #[test]
    fn forked_children_do_not_write_into_the_trace() {
        let _turn = alone();
        for _ in 0..5 {
            let memory = Arc::new(Memory::new());
            let tracing = Subscription::session(memory.clone()).unwrap();
            // Others have the tracer's locks now and then.
            let stop = Arc::new(AtomicU64::new(0));
            let theirs = Arc::clone(&stop);
            let busy = thread::spawn(move || {
                while theirs.load(Ordering::Relaxed) == 0 {
                    drop(run());
                }
            });
            let running = run();
            log("parent");
            // SAFETY: the child ends with `_exit`; of what other threads may have held, it uses the
            // allocator, which the C library makes usable in children.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                let ended = catch_unwind(AssertUnwindSafe(|| child(running, tracing)));
                // SAFETY: ends the process.
                unsafe { libc::_exit(i32::from(ended.is_err())) };
            }
            assert!(pid > 0);
            log("parent");
            let mut status = -1;
            // SAFETY: waits for the child that was just made.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert_eq!(status, 0, "how the child ended");
            stop.store(1, Ordering::Relaxed);
            busy.join().unwrap();
            drop(running.exit().stop());
            tracing.end().unwrap();
            let events = checked(&memory.trace());
            assert_eq!(count(&events, "\"parent\""), 2);
            assert_eq!(count(&events, "child\""), 0);
        }
    }
}
