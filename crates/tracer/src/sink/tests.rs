//! Good sinks, and bad ones: none blocks or crashes the program, and all losses are known.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use exectrace_mend::{LOSS_CATEGORY, Loss};
use exectrace_reader::{EventKind, Reader};
use exectrace_testkit::TraceBuilder;
use exectrace_validate::{Severity, Validator};
use exectrace_wire::{
    EventType as E, Generation, GoStatus, HEADER_LEN, ProcStatus, Ticks, Version,
};

use super::{Output, Settings, Sink, SinkErrorKind, Stream, Target, Written};
use crate::generation::{Consumer, EncodedGeneration, LossCause, LostGeneration};

/// Events in the first of the generations below, and in each of the others.
const FIRST_EVENTS: u64 = 6;
const EVENTS: u64 = 9;

/// A program of which no generation can be left out: in each, a goroutine is created that is
/// stated in the next and ends there.
pub(crate) fn generations(count: u64) -> Vec<Arc<EncodedGeneration>> {
    let mut trace = TraceBuilder::new(Version::Go126);
    for n in 1..=count {
        let generation = trace.generation(n);
        generation
            .on(1)
            .event(E::ProcStatus, (0, ProcStatus::Running))
            .event(E::GoStatus, (1, 1, GoStatus::Running))
            .event(E::UserRegionBegin, (0, format!("step {n}").as_str(), 0))
            .event(E::GoCreate, (100 + n, 0, 0));
        if n > 1 {
            generation
                .on(1)
                .event(E::GoStatus, (99 + n, u64::MAX, GoStatus::Runnable));
        }
        let on = generation.on(1).event(E::GoStop, ("test", 0));
        if n > 1 {
            on.event(E::GoStart, (99 + n, 1)).event(E::GoDestroy, ());
        }
        generation.on(1).event(E::GoStart, (1, 1));
    }
    let bytes = trace.layout().generations().into_iter();
    bytes
        .zip(1..)
        .map(|(bytes, number)| {
            Arc::new(EncodedGeneration {
                number: Generation(number),
                started: Ticks(number * 100),
                ended: Ticks(number * 100 + 99),
                ticks_per_second: 15_625_000,
                events: if number == 1 { FIRST_EVENTS } else { EVENTS },
                bytes,
            })
        })
        .collect()
}

/// Reads a trace, which MUST be valid, and returns what it says is lost.
pub(crate) fn losses(trace: &[u8]) -> Vec<Loss> {
    let mut reader = Reader::new(trace).unwrap();
    let mut validator = Validator::new(reader.version());
    let mut losses = Vec::new();
    while let Some(event) = reader
        .next_event()
        .unwrap_or_else(|error| panic!("{error}"))
    {
        if let EventKind::Log(log) = event.kind()
            && log.category == *LOSS_CATEGORY
        {
            losses.extend(Loss::parse(&log.message.to_string()));
        }
        validator.check(&event);
    }
    let report = validator.finish();
    assert!(report.worst() < Some(Severity::Strict), "{report}");
    losses
}

fn impatient(max_memory: usize) -> Settings {
    Settings {
        max_memory,
        patience: Duration::from_millis(30),
    }
}

fn patient(max_memory: usize) -> Settings {
    Settings {
        max_memory,
        patience: Duration::from_secs(600),
    }
}

fn bytes_of(generations: &[Arc<EncodedGeneration>]) -> usize {
    generations.iter().map(|g| g.bytes.len()).sum()
}

/// A sink that the test lets write, write by write.
struct Gated {
    permits: mpsc::Receiver<()>,
    memory: super::Memory,
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Without a test there is nothing to wait for.
        let _ = self.permits.recv();
        self.memory.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gated() -> (Sink, mpsc::Sender<()>, super::Memory) {
    let (permit, permits) = mpsc::channel();
    let memory = super::Memory::default();
    let sink = Sink::writer(Gated {
        permits,
        memory: memory.clone(),
    });
    (sink, permit, memory)
}

/// A file whose disk is full now and then.
struct Flaky {
    memory: super::Memory,
    full: Arc<AtomicBool>,
    calls: mpsc::Sender<()>,
}

impl Output for Flaky {
    fn write(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let full = self.full.load(Ordering::SeqCst);
        self.calls.send(()).unwrap();
        if full {
            return Err(ErrorKind::StorageFull.into());
        }
        self.memory.write_all(&parts.concat())
    }

    fn recovers(&self) -> bool {
        true
    }
}

#[test]
fn a_good_sink_takes_all() {
    let generations = generations(20);
    let (sink, memory) = Sink::memory();
    let stream = Stream::start(sink, Settings::default()).unwrap();
    for generation in &generations {
        stream.generation(generation);
    }
    let written = stream.finish().unwrap();
    assert_eq!(
        written,
        Written {
            generations: 20,
            bytes: (HEADER_LEN + bytes_of(&generations)) as u64,
            ..Written::default()
        }
    );
    assert_eq!(written.bytes, memory.bytes().len() as u64);
    assert_eq!(losses(&memory.bytes()), []);
}

#[test]
fn a_slow_sink_loses_the_oldest_and_says_so() {
    let generations = generations(40);
    let (sink, permit, memory) = gated();
    let max_memory = bytes_of(&generations[10..20]);
    let stream = Stream::start(sink, patient(max_memory)).unwrap();
    // 1. The sink takes the header and waits with the first generation: then it is given all.
    permit.send(()).unwrap();
    for generation in &generations {
        stream.generation(generation);
    }
    let lost = stream.written().lost_generations;
    assert!(lost >= 29, "{lost} lost");
    assert!(stream.written().waiting_bytes <= max_memory);
    // 2. It is let go.
    drop(permit);
    let error = stream.finish().unwrap_err();
    assert!(
        matches!(error.kind, SinkErrorKind::TooSlow { .. }),
        "{error}"
    );
    assert_eq!(error.written.lost_generations, lost);
    assert_eq!(error.written.generations, 40 - lost);
    // 3. The trace is valid, has the newest and says what it has not.
    let losses = losses(&memory.bytes());
    let total = losses.iter().map(|loss| loss.generations).sum::<u64>();
    assert_eq!(total, lost, "{losses:?}");
    let newest = &generations[39].bytes;
    assert!(memory.bytes().ends_with(newest));
}

#[test]
fn a_failing_sink_loses_the_rest() {
    let generations = generations(5);
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let stream = Stream::start(Sink::writer(writer), patient(1 << 20)).unwrap();
    for generation in &generations {
        stream.generation(generation);
    }
    let error = stream.finish().unwrap_err();
    let SinkErrorKind::Write(why) = &error.kind else {
        panic!("{error}");
    };
    assert_eq!(why.kind(), ErrorKind::BrokenPipe);
    assert_eq!(error.written.lost_generations, 5);
    assert_eq!(error.written.lost_events, FIRST_EVENTS + 4 * EVENTS);
    assert_eq!(error.written.lost_bytes, bytes_of(&generations) as u64);
    assert_eq!(error.written.waiting_bytes, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let stream = Stream::start(Sink::path("/dev/full"), patient(1 << 20)).unwrap();
    stream.generation(&generations(1)[0]);
    let error = stream.finish().unwrap_err();
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(error.written.lost_generations, 1);
}

#[test]
fn a_panicking_sink_is_contained() {
    struct Panicking(usize);
    impl Write for Panicking {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            assert!(self.0 < 3, "I do not like it");
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Drop for Panicking {
        fn drop(&mut self) {
            panic!("nor this");
        }
    }
    let stream = Stream::start(Sink::writer(Panicking(0)), patient(1 << 20)).unwrap();
    for generation in generations(5) {
        stream.generation(&generation);
    }
    let error = stream.finish().unwrap_err();
    assert!(
        matches!(&error.kind, SinkErrorKind::Panicked(message) if message == "I do not like it"),
        "{error}"
    );
    let Written {
        generations,
        lost_generations,
        ..
    } = error.written;
    assert_eq!((generations, lost_generations), (1, 4));
}

#[test]
fn a_stuck_sink_is_left_behind() {
    let (sink, permit, memory) = gated();
    let stream = Stream::start(sink, impatient(1 << 20)).unwrap();
    permit.send(()).unwrap();
    for generation in generations(5) {
        stream.generation(&generation);
    }
    let error = stream.finish().unwrap_err();
    assert!(matches!(error.kind, SinkErrorKind::Stuck(_)), "{error}");
    assert_eq!(error.written.lost_generations, 5);
    // What comes later is lost, too.
    stream.generation(&generations(1)[0]);
    let error = stream.finish().unwrap_err();
    assert_eq!(error.written.lost_generations, 6);
    drop(stream);
    assert_eq!(memory.bytes().len(), HEADER_LEN);
}

#[test]
fn without_memory_there_is_but_the_news() {
    let (sink, memory) = Sink::memory();
    let stream = Stream::start(sink, patient(0)).unwrap();
    for generation in generations(7) {
        stream.generation(&generation);
    }
    let error = stream.finish().unwrap_err();
    assert_eq!(error.written.lost_generations, 7);
    let losses = losses(&memory.bytes());
    assert_eq!(losses.len(), 1);
    assert_eq!(
        (losses[0].generations, losses[0].events),
        (7, FIRST_EVENTS + 6 * EVENTS)
    );
    assert!(losses[0].cause.contains("too slow"), "{losses:?}");
}

#[test]
fn a_file_goes_on_when_there_is_space_again() {
    for first_full in 0..4 {
        let memory = super::Memory::default();
        let full = Arc::new(AtomicBool::new(first_full == 0));
        let (calls, called) = mpsc::channel();
        let output = Flaky {
            memory: memory.clone(),
            full: Arc::clone(&full),
            calls,
        };
        let stream = Stream::start_with(Box::new(output), patient(1 << 20)).unwrap();
        called.recv().unwrap();
        let generations = generations(9);
        for (i, generation) in generations.iter().enumerate() {
            full.store((first_full..first_full + 3).contains(&i), Ordering::SeqCst);
            stream.generation(generation);
            called.recv().unwrap();
        }
        let error = stream.finish().unwrap_err();
        assert!(matches!(error.kind, SinkErrorKind::Write(_)), "{error}");
        assert_eq!(error.written.generations, 6);
        assert_eq!(error.written.lost_generations, 3);
        assert_eq!(error.written.bytes, memory.bytes().len() as u64);
        let losses = losses(&memory.bytes());
        assert_eq!(losses.len(), 1, "{losses:?}");
        assert_eq!(losses[0].generations, 3);
    }
}

#[test]
fn generations_that_nobody_has_are_bridged() {
    // Every third is lost by the tracer; and with a slow sink, some others, too.
    for max_generations in [usize::MAX, 9, 4, 1] {
        let generations = generations(30);
        let (sink, permit, memory) = gated();
        let max_memory = bytes_of(&generations[..max_generations.min(30)]);
        let stream = Stream::start(sink, patient(max_memory)).unwrap();
        for (i, generation) in generations.iter().enumerate() {
            if i % 3 == 0 {
                stream.lost(&LostGeneration {
                    number: generation.number,
                    started: generation.started,
                    ended: generation.ended,
                    events: generation.events,
                    cause: LossCause::OutOfMemory,
                });
            } else {
                stream.generation(generation);
            }
        }
        drop(permit);
        let error = stream.finish().unwrap_err();
        assert_eq!(
            error.written.generations + error.written.lost_generations,
            30
        );
        assert!(error.written.lost_generations >= 10);
        let losses = losses(&memory.bytes());
        let total = losses.iter().map(|loss| loss.generations).sum::<u64>();
        assert_eq!(total, error.written.lost_generations, "{losses:?}");
        let events = losses.iter().map(|loss| loss.events).sum::<u64>();
        assert_eq!(events, error.written.lost_events);
    }
}

/// A folder of its own for a test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn new() -> Self {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("exectrace-sink-{}-{number}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_replaces_an_older_one_whole() {
    let folder = Folder::new();
    let path = folder.0.join("out.trace");
    fs::write(&path, "older").unwrap();
    let older = fs::File::open(&path).unwrap();
    let one = Stream::start(Sink::path(&path), patient(1 << 20)).unwrap();
    let other = Stream::start(Sink::path(&path), patient(1 << 20)).unwrap();
    for generation in generations(3) {
        one.generation(&generation);
        other.generation(&generation);
    }
    one.finish().unwrap();
    other.finish().unwrap();
    assert_eq!(io::read_to_string(older).unwrap(), "older");
    assert_eq!(losses(&fs::read(&path).unwrap()), []);
    // Nothing else is left.
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[test]
fn a_file_that_cannot_be_is_told_at_once() {
    let folder = Folder::new();
    let path = folder.0.join("no such folder/out.trace");
    let error = Stream::start(Sink::path(&path), Settings::default()).unwrap_err();
    assert!(matches!(error, SinkErrorKind::Open { .. }), "{error}");
    let error = Stream::start(Sink::path(&folder.0), Settings::default()).unwrap_err();
    assert!(matches!(error, SinkErrorKind::Open { .. }), "{error}");
}

#[test]
fn a_busy_output_is_asked_again() {
    struct Busy(Arc<Mutex<Vec<u8>>>, usize);
    impl Write for Busy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            match self.1 % 3 {
                0 => Err(ErrorKind::WouldBlock.into()),
                1 => Err(ErrorKind::Interrupted.into()),
                _ => {
                    let n = bytes.len().min(50);
                    self.0.lock().unwrap().extend_from_slice(&bytes[..n]);
                    Ok(n)
                }
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let bytes = Arc::default();
    let sink = Sink::writer(Busy(Arc::clone(&bytes), 0));
    let stream = Stream::start(sink, patient(1 << 20)).unwrap();
    for generation in generations(2) {
        stream.generation(&generation);
    }
    stream.finish().unwrap();
    assert_eq!(losses(&bytes.lock().unwrap()), []);
}

#[test]
fn sinks_can_be_named() {
    assert_eq!(format!("{:?}", Sink::path("x")), "Sink::path(\"x\")");
    assert!(matches!(Sink::writer(io::sink()).0, Target::Writer(_)));
}
