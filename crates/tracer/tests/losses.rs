//! What is lost of real traces: by sinks that are too slow, by a tracer without memory. What remains is
//! valid, for us and for Go, and everything that is lost is accounted for.

mod support;
#[path = "support/work.rs"]
mod work;

use std::{
    env,
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use exectrace::{
    FlightRecorder, Session, SessionError, Settings, configure,
    sink::{Sink, SinkErrorKind, Written},
};
use exectrace_mend::{LOSS_CATEGORY, Loss};
use exectrace_reader::{EventKind, Reader};
use exectrace_testkit::go::{Question, ask};
use exectrace_validate::{Severity, Validator};
use support::{alone, checked};
use work::work;

/// A sink that takes its time.
struct Slow {
    bytes: Arc<Mutex<Vec<u8>>>,
    time: Duration,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        thread::sleep(self.time);
        self.bytes.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn settings(period: Duration, max_memory: usize) -> Settings {
    let mut settings = Settings::default();
    settings.period = period;
    settings.max_memory = max_memory;
    settings
}

/// Works on a few threads for a while, some faster than others.
fn work_for(time: Duration, pause: Duration) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for n in 0..3 {
            let stop = &stop;
            scope.spawn(move || {
                work(|| {
                    thread::sleep(pause * n);
                    !stop.load(Ordering::Relaxed)
                });
            });
        }
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
}

/// What a trace says that it has lost. It MUST be valid, for Go, too.
#[allow(
    clippy::print_stderr,
    reason = "a test that could not run has to say so"
)]
fn losses(trace: &[u8]) -> Vec<Loss> {
    for question in [Question::Parsed, Question::Validate] {
        match ask(question, trace) {
            Ok(answer) => assert_eq!(answer.error, None, "{}", answer.output),
            Err(error) if env::var_os("CI").is_none() => {
                eprintln!("SKIPPED: Go was not asked: {error}");
            }
            Err(error) => panic!("Go cannot be asked: {error}"),
        }
    }
    let mut reader = Reader::new(trace).unwrap();
    let mut validator = Validator::new(reader.version());
    let mut losses = Vec::new();
    while let Some(event) = reader
        .next_event()
        .unwrap_or_else(|error| panic!("{error}"))
    {
        validator.check(&event);
        if let EventKind::Log(log) = event.kind()
            && log.category == *LOSS_CATEGORY
        {
            losses.extend(Loss::parse(&log.message.to_string()));
        }
    }
    // Stricter rules are broken where a task or a region began in a generation that nobody has seen.
    let report = validator.finish();
    assert!(report.worst() < Some(Severity::Go), "{report}");
    losses
}

/// What the session and its trace say, which MUST be the same.
fn agree(written: &Written, losses: &[Loss]) {
    let generations: u64 = losses.iter().map(|loss| loss.generations).sum();
    let events: u64 = losses.iter().map(|loss| loss.events).sum();
    assert_eq!(generations, written.lost_generations, "{losses:?}");
    assert_eq!(events, written.lost_events, "{losses:?}");
}

#[test]
fn a_slow_sink_loses_whole_generations() {
    let _alone = alone();
    configure(&settings(Duration::from_millis(2), 64 << 20));
    let before = exectrace::stats().dropped_generations;
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let sink = Sink::writer(Slow {
        bytes: Arc::clone(&bytes),
        time: Duration::from_millis(30),
    });
    let session = Session::builder()
        .max_memory(200 << 10)
        // What is queued when the session ends takes a while.
        .patience(Duration::from_secs(60))
        .start(sink)
        .unwrap();
    // Something is dropped sooner or later.
    while session.written().lost_generations < 5 {
        work_for(Duration::from_millis(50), Duration::from_micros(50));
    }
    let Err(SessionError::Sink(error)) = session.stop() else {
        panic!("what was lost is not told");
    };
    assert!(
        matches!(error.kind, SinkErrorKind::TooSlow { .. }),
        "{error}"
    );
    let trace = std::mem::take(&mut *bytes.lock().unwrap());
    agree(&error.written, &losses(&trace));
    let dropped = exectrace::stats().dropped_generations - before;
    assert_eq!(dropped, error.written.lost_generations);
    // Nothing that was dropped was unseen: tasks and regions go on over the gaps.
    checked(&trace);
    configure(&Settings::default());
}

#[test]
fn a_tracer_without_memory_loses_whole_generations() {
    let _alone = alone();
    let (sink, trace) = Sink::memory();
    let session = Session::start(sink).unwrap();
    let recorder = FlightRecorder::builder().max_bytes(1 << 30);
    let recorder = recorder.min_age(Duration::from_secs(3600));
    let recorder = recorder.start().unwrap();
    work_for(Duration::from_millis(5), Duration::from_micros(100));
    // A generation that all have: what is lost before the first one is not in a snapshot.
    exectrace::advance().unwrap();
    // 1. Three threads need more than two blocks.
    configure(&settings(Duration::from_millis(5), 128 << 10));
    while session.written().lost_generations < 2 {
        work_for(Duration::from_millis(10), Duration::from_micros(100));
    }
    // 2. There is memory again.
    configure(&settings(Duration::from_millis(5), 64 << 20));
    work_for(Duration::from_millis(20), Duration::from_micros(100));
    let mut snapshot = Vec::new();
    let kept = recorder.snapshot(&mut snapshot).unwrap();
    let Err(SessionError::Sink(error)) = session.stop() else {
        panic!("what was lost is not told");
    };
    assert!(matches!(error.kind, SinkErrorKind::Untraced(_)), "{error}");
    agree(&error.written, &losses(&trace.bytes()));
    // 3. The recorder has lost the same ones.
    let lost: u64 = losses(&snapshot).iter().map(|loss| loss.generations).sum();
    assert_eq!(lost, kept.lost_generations);
    assert!(lost > 0);
    recorder.stop().unwrap();
    configure(&Settings::default());
}
