//! Sessions and flight recorders: any number at once, at any time, in any order of their ends.

mod support;
#[path = "support/work.rs"]
mod work;

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use exectrace::{
    ControlError, FlightRecorder, Session, SessionError,
    flight::{Destination, SnapshotError, StartError},
    raw,
    sink::{Sink, SinkErrorKind},
};
use exectrace_wire::TaskId;
use support::{alone, checked};
use work::work;

fn rounds(count: u64) {
    let mut left = count;
    work(|| {
        left = left.saturating_sub(1);
        left > 0
    });
}

fn has_log(trace: &[u8], message: &str) -> bool {
    let wanted = format!("Message={message:?}");
    checked(trace).iter().any(|event| event.contains(&wanted))
}

/// Logs, with what it takes for that.
fn log(message: &str) {
    let proc = raw::Proc::new().start();
    let goroutine = proc.create();
    let running = proc.run(goroutine);
    raw::log(TaskId::BACKGROUND, "test", message);
    drop(running.exit().stop());
}

#[test]
fn a_session_has_all_from_start_to_stop() {
    let _alone = alone();
    log("before");
    let (sink, trace) = Sink::memory();
    let session = Session::start(sink).unwrap();
    log("first");
    assert!(session.flush(Duration::from_secs(600)).unwrap());
    assert!(has_log(&trace.bytes(), "first"));
    log("second");
    let written = session.stop().unwrap();
    log("after");
    assert_eq!(written.bytes, trace.bytes().len() as u64);
    assert_eq!(written.lost_generations, 0);
    assert!(has_log(&trace.bytes(), "second"));
    assert!(!has_log(&trace.bytes(), "before"));
    assert!(!has_log(&trace.bytes(), "after"));
}

#[test]
fn there_is_one_session_and_any_number_of_recorders() {
    let _alone = alone();
    let (sink, trace) = Sink::memory();
    let session = Session::start(sink).unwrap();
    let error = Session::start(Sink::writer(io::sink())).unwrap_err();
    assert!(
        matches!(error, SessionError::Control(ControlError::AlreadyStarted)),
        "{error}"
    );
    let recorders: Vec<_> = (0..5).map(|_| FlightRecorder::start().unwrap()).collect();
    rounds(200);
    // Snapshots at the same time, while there is work.
    thread::scope(|scope| {
        for recorder in &recorders {
            scope.spawn(|| {
                for _ in 0..3 {
                    let mut trace = Vec::new();
                    let snapshot = recorder.snapshot(&mut trace).unwrap();
                    assert_eq!(snapshot.bytes, trace.len() as u64);
                    assert!(snapshot.events > 0);
                    checked(&trace);
                }
            });
        }
        scope.spawn(|| rounds(200));
    });
    session.stop().unwrap();
    checked(&trace.bytes());
    // Recording goes on without the session.
    log("later");
    let mut trace = Vec::new();
    recorders[0].snapshot(&mut trace).unwrap();
    assert!(has_log(&trace, "later"));
    for recorder in recorders {
        recorder.stop().unwrap();
    }
    assert!(!exectrace::is_enabled());
}

#[test]
fn limits_of_zero_leave_the_newest_generation() {
    let _alone = alone();
    let recorder = FlightRecorder::builder()
        .min_age(Duration::ZERO)
        .max_bytes(0)
        .start()
        .unwrap();
    for _ in 0..3 {
        log("newest");
        let mut trace = Vec::new();
        let snapshot = recorder.snapshot(&mut trace).unwrap();
        assert_eq!(snapshot.generations, 1);
        assert!(has_log(&trace, "newest"));
    }
    let session = Session::builder()
        .max_memory(0)
        .start(Sink::writer(io::sink()))
        .unwrap();
    log("nowhere");
    let Err(SessionError::Sink(error)) = session.stop() else {
        panic!("without memory, nothing can be written");
    };
    assert!(matches!(
        error.kind,
        SinkErrorKind::TooSlow { max_memory: 0 }
    ));
    drop(recorder);
}

#[test]
fn bad_sinks_do_not_hold_up_the_program() {
    struct Stuck;
    impl Write for Stuck {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            loop {
                thread::park();
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    struct Panicking;
    impl Write for Panicking {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("a sink that panics")
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let _alone = alone();
    let patient = Duration::from_secs(600);
    let end = |sink: Sink, patience: Duration| {
        let session = Session::builder().patience(patience).start(sink).unwrap();
        rounds(100);
        match session.stop() {
            Err(SessionError::Sink(error)) => {
                assert!(error.written.lost_events > 0, "{error}");
                error.kind
            }
            other => panic!("{other:?}"),
        }
    };
    // Who is stuck is given up. All others end by themselves, however long that takes on a machine that
    // has other things to do.
    let kind = end(Sink::writer(Stuck), Duration::from_millis(20));
    assert!(matches!(kind, SinkErrorKind::Stuck(_)), "{kind}");
    let kind = end(Sink::writer(Panicking), patient);
    assert!(matches!(kind, SinkErrorKind::Panicked(_)), "{kind}");
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let kind = end(Sink::writer(writer), patient);
    assert!(matches!(kind, SinkErrorKind::Write(_)), "{kind}");
    #[cfg(target_os = "linux")]
    {
        let kind = end(Sink::path("/dev/full"), patient);
        assert!(matches!(kind, SinkErrorKind::Write(_)), "{kind}");
    }
    // And the next session is none the worse for it.
    let (sink, trace) = Sink::memory();
    let session = Session::builder().patience(patient).start(sink).unwrap();
    log("still here");
    session.stop().unwrap();
    assert!(has_log(&trace.bytes(), "still here"));
}

#[test]
fn snapshots_while_recorders_and_sessions_come_and_go() {
    let _alone = alone();
    let stop = AtomicBool::new(false);
    let snapshots = AtomicU64::new(0);
    let recorder = FlightRecorder::builder()
        .min_age(Duration::from_millis(50))
        .start()
        .unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                work(|| {
                    thread::sleep(Duration::from_micros(100));
                    !stop.load(Ordering::Relaxed)
                });
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let mut trace = Vec::new();
                recorder.snapshot(&mut trace).unwrap();
                checked(&trace);
                snapshots.fetch_add(1, Ordering::Relaxed);
            }
        });
        for i in 0..10 {
            let (sink, trace) = Sink::memory();
            let session = Session::start(sink).unwrap();
            let other = FlightRecorder::start().unwrap();
            thread::sleep(Duration::from_millis(5));
            // Either order of their ends.
            if i % 2 == 0 {
                session.stop().unwrap();
                drop(other);
            } else {
                drop(other);
                drop(session);
            }
            checked(&trace.bytes());
        }
        while snapshots.load(Ordering::Relaxed) < 3 {
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
    });
    recorder.stop().unwrap();
}

#[test]
fn a_failing_writer_fails_its_snapshot_only() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let _alone = alone();
    let recorder = FlightRecorder::start().unwrap();
    log("kept");
    let error = recorder.snapshot(&mut Full).unwrap_err();
    assert!(matches!(error, SnapshotError::Write(_)), "{error}");
    let mut trace = Vec::new();
    recorder.snapshot(&mut trace).unwrap();
    assert!(has_log(&trace, "kept"));
}

/// A destination in memory, and what got there.
fn destination() -> (Destination, Arc<std::sync::Mutex<Vec<Vec<u8>>>>) {
    struct Into(Arc<std::sync::Mutex<Vec<Vec<u8>>>>, Vec<u8>);
    impl Write for Into {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.lock().unwrap().push(std::mem::take(&mut self.1));
            Ok(())
        }
    }
    let traces: Arc<std::sync::Mutex<Vec<Vec<u8>>>> = Arc::default();
    let to = Arc::clone(&traces);
    let destination = Destination::writers(move |_| Ok(Box::new(Into(Arc::clone(&to), vec![]))));
    (destination.apart(Duration::ZERO).at_most(2), traces)
}

#[test]
fn panics_signals_and_slowness_trigger_snapshots() {
    let _alone = alone();
    let (on_panic, panics) = destination();
    let (on_slow, slow_ones) = destination();
    let (on_signal, signals) = destination();
    let recorder = FlightRecorder::builder()
        .on_panic(on_panic)
        .on_slow(Duration::from_millis(100), on_slow)
        .on_signal(libc::SIGUSR2, on_signal)
        .start()
        .unwrap();
    // 1. A panic.
    log("before the panic");
    let panicked = thread::spawn(|| panic!("on purpose")).join();
    assert!(panicked.is_err());
    assert!(has_log(&panics.lock().unwrap()[0], "before the panic"));
    // 2. Something slow; what is fast enough is not.
    let slow = recorder.slow().unwrap();
    slow.check(Duration::from_millis(99));
    assert_eq!(slow_ones.lock().unwrap().len(), 0);
    for _ in 0..3 {
        log("slow");
        slow.check(Duration::from_millis(101));
    }
    assert_eq!(slow_ones.lock().unwrap().len(), 2);
    assert!(has_log(&slow_ones.lock().unwrap()[1], "slow"));
    // 3. A signal.
    log("before the signal");
    let pid = std::process::id();
    let sent = std::process::Command::new("kill")
        .args(["-USR2", &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
    while signals.lock().unwrap().is_empty() {
        thread::yield_now();
    }
    assert!(has_log(&signals.lock().unwrap()[0], "before the signal"));
    let stats = recorder.trigger_stats();
    assert_eq!((stats.failed, stats.skipped), (0, 1));
    recorder.stop().unwrap();
    // 4. Without a recorder, nothing happens.
    assert!(thread::spawn(|| panic!("on purpose")).join().is_err());
    assert_eq!(panics.lock().unwrap().len(), 1);
}

#[test]
fn signals_that_are_taken_are_told() {
    let _alone = alone();
    for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGSEGV, 0, -1, 1000] {
        let (destination, _) = destination();
        let error = FlightRecorder::builder()
            .on_signal(signal, destination)
            .start()
            .unwrap_err();
        assert!(
            matches!(error, StartError::Signal(s) if s == signal),
            "{error}"
        );
    }
    assert!(!exectrace::is_enabled());
}
