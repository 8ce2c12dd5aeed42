//! Bad input: cut, flipped, spliced and forged traces, in both modes. Whatever the bytes, the
//! reader must not panic, must come to an end, must repeat an error, and must not claim more memory
//! than a constant and a multiple of the input.

mod support;

use std::{
    alloc::{GlobalAlloc, Layout as Allocation, System},
    cell::Cell,
    fs,
    path::PathBuf,
};

use exectrace_export::ParsedWriter;
use exectrace_reader::limits::{BASE_MEMORY_BYTES, MAX_OPEN_RANGES, MEMORY_PER_TRACE_BYTE};
use exectrace_reader::{Error, Options, Reader};
use exectrace_testkit::{
    TraceBuilder,
    damage::{Damaged, bit_flips, gigantic_numbers, splices, truncations},
    sim::{Size, simulate},
};
use exectrace_wire::{EventType as E, GoStatus, ProcStatus, Version, varint};
use support::{parsed_text, parsed_text_overlapped, parsed_text_visiting};

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Counts the bytes that each thread has allocated and not freed.
struct Counting;

impl Counting {
    fn add(size: usize) {
        // Memory may be freed by another thread than allocated it, so the count may be off where
        // threads share; the tests below measure only what one thread does.
        let live = LIVE.get().wrapping_add(size);
        LIVE.set(live);
        if live > PEAK.get() && live < usize::MAX / 2 {
            PEAK.set(live);
        }
    }

    fn remove(size: usize) {
        LIVE.set(LIVE.get().wrapping_sub(size));
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor
// unwinds, for the thread-local cells are constant-initialised and need no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Allocation) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Allocation) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Allocation) {
        Self::remove(layout.size());
        // SAFETY: the caller's promise is ours.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Allocation, size: usize) -> *mut u8 {
        Self::add(size);
        Self::remove(layout.size());
        // SAFETY: the caller's promise is ours.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes that `work` held at once, beyond what was held before.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    work();
    PEAK.get().saturating_sub(before)
}

/// Reads everything, looks at everything, and says how it ended.
fn read_all(bytes: &[u8], salvage: bool) -> Result<u64, Error> {
    let options = Options::default().salvage(salvage);
    let mut reader = Reader::with_options(bytes, options)?;
    let mut writer = ParsedWriter::new();
    let mut text = Vec::new();
    let mut events = 0;
    // A switch of coroutines takes 4 bytes and is three events; a generation of Go 1.26 takes more
    // than one byte and has a sync.
    let most = bytes.len() as u64 + 10;
    let error = loop {
        match reader.next_event() {
            Ok(Some(event)) => {
                writer.write_event(&mut text, &event);
                text.clear();
                events += 1;
                assert!(events <= most, "{events} events in {} bytes", bytes.len());
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let Some(error) = error else {
        assert!(reader.next_event().is_ok_and(|event| event.is_none()));
        return Ok(events);
    };
    let again = reader.next_event().expect_err("an error stays");
    assert_eq!(error.to_string(), again.to_string());
    Err(error)
}

/// Reads a bad input in both modes.
fn survive(damaged: &Damaged) {
    let Damaged { how, bytes } = damaged;
    for salvage in [false, true] {
        let mut result = Ok(0);
        let peak = peak(|| result = read_all(bytes, salvage));
        let allowed = BASE_MEMORY_BYTES + MEMORY_PER_TRACE_BYTE * bytes.len();
        assert!(
            peak <= allowed,
            "{how}: {peak} bytes of memory for {} of input",
            bytes.len()
        );
        if let (true, Err(error)) = (salvage, result) {
            let header = exectrace_wire::parse_header(bytes);
            assert!(
                header.is_err() || header.is_ok_and(|version| version < Version::Go122),
                "{how}: salvage mode gave up: {error}"
            );
        }
    }
}

fn corpus(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus");
    fs::read(folder.join(name)).expect("a trace of the corpus")
}

/// A simulated trace of a kilobyte or two, with everything in it.
fn small(version: Version, seed: u64) -> Vec<u8> {
    let size = Size {
        steps: 60,
        generation_steps: 30,
        ..Size::small(version)
    };
    simulate(seed, size).layout.to_bytes()
}

#[test]
fn every_truncation() {
    let traces = [
        corpus("go1.22-idle.trace"),
        small(Version::Go123, 1),
        small(Version::Go126, 2),
    ];
    for trace in traces {
        for damaged in truncations(&trace) {
            survive(&damaged);
        }
    }
}

/// From Go 1.26 on, what comes before the cut generation is not touched by the cut.
#[test]
fn truncations_keep_whole_generations() {
    let trace = small(Version::Go126, 3);
    let whole = parsed_text(&trace);
    assert_eq!(whole.error, None);
    for damaged in truncations(&trace).skip(exectrace_wire::HEADER_LEN) {
        let cut = parsed_text(&damaged.bytes);
        // The last event is a sync at the place of the cut.
        let lines: Vec<_> = cut.events.lines().collect();
        let (last, before) = lines.split_last().expect("a sync");
        assert!(last.contains(" Sync "), "{}: {last}", damaged.how);
        let before = before.join("\n");
        assert!(whole.events.starts_with(&before), "{}", damaged.how);
    }
}

#[test]
fn every_bit_flip() {
    for damaged in bit_flips(&small(Version::Go126, 4)) {
        survive(&damaged);
    }
}

#[test]
fn random_splices() {
    let traces = [
        small(Version::Go122, 5),
        small(Version::Go125, 6),
        small(Version::Go126, 7),
        corpus("go1.27-idle.trace"),
    ];
    for (seed, trace) in (0..).zip(&traces) {
        for other in &traces {
            for damaged in splices(trace, other, seed, 250) {
                survive(&damaged);
            }
        }
    }
}

#[test]
fn gigantic_numbers_everywhere() {
    let size = Size {
        steps: 15,
        generation_steps: 10,
        ..Size::small(Version::Go126)
    };
    let trace = simulate(9, size).layout.to_bytes();
    for damaged in gigantic_numbers(&trace) {
        survive(&damaged);
    }
}

#[test]
fn wrong_beginnings() {
    let trace = small(Version::Go126, 8);
    let with_header = |header: &[u8]| [header, &trace[header.len()..]].concat();
    let inputs = [
        ("nothing", Vec::new()),
        ("another magic", with_header(b"go 1.26 tracE\0\0\0")),
        ("a version to come", with_header(b"go 1.27 trace\0\0\0")),
        (
            "a version that never was",
            with_header(b"go 1.12 trace\0\0\0"),
        ),
        ("a huge version", with_header(b"go 1.99999999999")),
        ("only zeros", vec![0; 1000]),
        ("only ones", vec![0xff; 1000]),
        ("text", b"<!DOCTYPE html><html><body>Not found".to_vec()),
    ];
    for (how, bytes) in inputs {
        assert!(read_all(&bytes, false).is_err(), "{how}");
        assert!(read_all(&bytes, true).is_err(), "{how}");
        survive(&Damaged {
            how: how.to_owned(),
            bytes,
        });
    }
    let bytes = [&trace[..], &trace].concat();
    assert!(read_all(&bytes, false).is_err());
    survive(&Damaged {
        how: "two traces".to_owned(),
        bytes,
    });
}

/// The second thread must end too, and give the same, even if nobody waits for it.
#[test]
fn the_overlapped_reader_survives_too() {
    let trace = small(Version::Go126, 10);
    let flips = bit_flips(&trace).step_by(17);
    for Damaged { how, bytes } in flips.chain(truncations(&trace).step_by(13)) {
        let alone = parsed_text(&bytes);
        assert_eq!(parsed_text_overlapped(&bytes), alone, "{how}");
        assert_eq!(parsed_text_visiting(&bytes, 100), alone, "{how}");
        let source = std::io::Cursor::new(bytes);
        if let Ok(mut reader) = Reader::overlapped(source, Options::default()) {
            let _ = reader.next_event();
        }
    }
}

/// An input that is made to claim memory: many times the same few bytes with other numbers.
struct Forged {
    how: &'static str,
    bytes: Vec<u8>,
}

/// A trace of Go 1.22 with one generation: a frequency, then `batches` as they are.
fn forged(how: &'static str, batches: Vec<u8>) -> Forged {
    let mut bytes = Version::Go122.header().to_vec();
    push_batch(&mut bytes, 0, &[8, 100]);
    bytes.extend(batches);
    Forged { how, bytes }
}

/// A batch of generation 1 with the shortest header.
fn push_batch(bytes: &mut Vec<u8>, thread: u64, data: &[u8]) {
    bytes.extend([1, 1]);
    push_number(bytes, thread);
    bytes.push(1);
    push_number(bytes, data.len() as u64);
    bytes.extend(data);
}

fn push_number(bytes: &mut Vec<u8>, number: u64) {
    let mut buffer = [0; 10];
    let n = varint::write(&mut buffer, number).expect("ten bytes hold any number");
    bytes.extend(&buffer[..n]);
}

/// Records of a section, or events of a thread, in full batches. `record` gets numbers that are
/// far apart.
fn batches_of(section: Option<E>, thread: u64, record: impl Fn(&mut Vec<u8>, u64)) -> Vec<u8> {
    const RECORDS: u64 = 60_000;
    let mut batches = Vec::new();
    let mut data: Vec<u8> = section.map(|section| section as u8).into_iter().collect();
    let marker = data.clone();
    for i in 0..RECORDS {
        record(&mut data, 1 + i * 4099);
        if data.len() > 65_000 {
            push_batch(&mut batches, thread, &data);
            data.clone_from(&marker);
        }
    }
    push_batch(&mut batches, thread, &data);
    batches
}

/// Thread 1 runs goroutine 1 on proc 1, and there is a long string 1.
fn running() -> Vec<u8> {
    let mut batches = Vec::new();
    let mut strings = vec![E::Strings as u8, E::String as u8, 1];
    push_number(&mut strings, 1024);
    strings.extend([b'x'; 1024]);
    push_batch(&mut batches, 0, &strings);
    let statuses = [E::ProcStatus as u8, 1, 1, 1, E::GoStatus as u8, 1, 1, 1, 2];
    push_batch(&mut batches, 1, &statuses);
    batches
}

/// Events of the running goroutine.
fn events_of(event: impl Fn(&mut Vec<u8>, u64)) -> Vec<u8> {
    [running(), batches_of(None, 1, event)].concat()
}

fn with_number(bytes: &mut Vec<u8>, before: &[u8], number: u64, after: &[u8]) {
    bytes.extend(before);
    push_number(bytes, number);
    bytes.extend(after);
}

/// Threads that wait for each other in vain. What is said about each of them must not be said
/// again for each event that is dropped.
fn waiting_threads() -> Vec<u8> {
    const THREADS: u64 = 1500;
    let mut batches = Vec::new();
    for thread in 0..THREADS {
        let mut data = vec![E::GoUnblock as u8, 1, 1];
        push_number(&mut data, 2 + thread);
        data.push(0);
        push_batch(&mut batches, thread, &data);
    }
    push_batch(&mut batches, THREADS, &[E::GoStatus as u8, 127, 1, 0, 4]);
    batches
}

fn forgeries() -> Vec<Forged> {
    let threads = |data: &[u8]| {
        let mut batches = Vec::new();
        for thread in 0..60_000 {
            push_batch(&mut batches, thread * 4099, data);
        }
        batches
    };
    let mut experiments = Vec::new();
    for thread in 0..60_000 {
        experiments.extend([E::ExperimentalBatch as u8, 1, 1]);
        push_number(&mut experiments, thread);
        experiments.extend([1, 1, 0]);
    }
    vec![
        forged("threads without events", threads(&[])),
        forged("threads with an event", threads(&[E::ProcStop as u8, 1])),
        forged("threads that all wait", waiting_threads()),
        forged("experimental batches", experiments),
        forged(
            "empty strings",
            batches_of(Some(E::Strings), 0, |bytes, id| {
                with_number(bytes, &[E::String as u8], id, &[0]);
            }),
        ),
        forged(
            "empty stacks",
            batches_of(Some(E::Stacks), 0, |bytes, id| {
                with_number(bytes, &[E::Stack as u8], id, &[0]);
            }),
        ),
        forged(
            "frames",
            batches_of(Some(E::Stacks), 0, |bytes, id| {
                with_number(bytes, &[E::Stack as u8], id, &[4]);
                for frame in 0..4 {
                    with_number(bytes, &[], 4 * id + frame, &[0, 0, 1]);
                }
            }),
        ),
        forged(
            "samples",
            batches_of(Some(E::CPUSamples), 0, |bytes, _| {
                bytes.extend([E::CPUSample as u8, 1, 1, 1, 1, 0]);
            }),
        ),
        forged(
            "procs",
            events_of(|bytes, id| with_number(bytes, &[E::ProcStatus as u8, 1], id, &[2])),
        ),
        forged(
            "goroutines",
            events_of(|bytes, id| with_number(bytes, &[E::GoCreate as u8, 1], id + 1, &[0, 0])),
        ),
        forged(
            "goroutines that assist",
            events_of(|bytes, id| {
                with_number(bytes, &[E::GoCreate as u8, 1], id + 1, &[0, 0]);
                with_number(bytes, &[E::GCMarkAssistActive as u8, 1], id + 1, &[]);
            }),
        ),
        forged(
            "tasks with long names",
            events_of(|bytes, id| {
                with_number(bytes, &[E::UserTaskBegin as u8, 1], id, &[0, 1, 0]);
            }),
        ),
        forged(
            "regions with long names",
            events_of(|bytes, _| bytes.extend([E::UserRegionBegin as u8, 1, 0, 1, 0])),
        ),
    ]
}

#[test]
fn forged_inputs_claim_a_multiple_of_their_size() {
    for Forged { how, bytes } in forgeries() {
        survive(&Damaged {
            how: how.to_owned(),
            bytes,
        });
    }
}

/// Go has no such limit: there, a trace in which very many stops of the world are open takes time
/// that grows with their square.
#[test]
fn open_ranges_are_limited() {
    let nested = |count: usize| {
        let mut trace = TraceBuilder::new(Version::Go126);
        let generation = trace.generation(1);
        generation
            .on(1)
            .event(E::ProcStatus, (0, ProcStatus::Running))
            .event(E::GoStatus, (7, 1, GoStatus::Running));
        for kind in 0..count {
            generation
                .on(1)
                .event(E::STWBegin, (kind.to_string().as_str(),));
        }
        read_all(&trace.build(), false).map_err(|error| error.to_string())
    };
    assert!(nested(MAX_OPEN_RANGES).is_ok());
    let error = nested(MAX_OPEN_RANGES + 1).expect_err("too many");
    assert!(
        error.starts_with("expected at most 64 open ranges on goroutine 7"),
        "{error}"
    );
}
