//! Whatever is left of a process, what is made of it is a valid trace.

use exectrace_reader::{EventKind, Reader};
use exectrace_testkit::{Layout, Piece, TraceBuilder};
use exectrace_validate::{Severity, Validator};
use exectrace_wire::{BatchKind, EventType as E, GoStatus, HEADER_LEN, ProcStatus, Version};

use super::*;
use crate::{
    layout::{BLOCK_BYTES, BLOCK_HEADER_BYTES, Kind, MAGIC, block, file},
    loss::LOSS_CATEGORY,
};

/// A block file under construction.
struct File {
    bytes: Vec<u8>,
    blocks: u64,
}

impl File {
    fn new() -> Self {
        let mut bytes = vec![0; BLOCK_BYTES];
        bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
        let mut put = |offset: usize, number: u64| {
            bytes[offset..offset + 8].copy_from_slice(&number.to_le_bytes());
        };
        put(file::FREQUENCY, 15_625_000);
        put(file::CLOCK, 1);
        put(file::CLOCK + 8, 64);
        put(file::CLOCK + 16, 1_700_000_000);
        Self { bytes, blocks: 0 }
    }

    fn block(&mut self, kind: u64, generation: u64, data: &[u8], used: usize) {
        let start = self.bytes.len();
        self.blocks += 1;
        self.bytes.resize(start + BLOCK_BYTES, 0xab);
        let mut put = |offset: usize, number: u64| {
            self.bytes[start + offset..start + offset + 8].copy_from_slice(&number.to_le_bytes());
        };
        put(block::KIND, kind);
        put(block::GENERATION, generation);
        put(block::THREAD, 1);
        put(block::SEQUENCE, self.blocks);
        put(block::USED, used as u64);
        let data_start = start + BLOCK_HEADER_BYTES;
        self.bytes[data_start..data_start + data.len()].copy_from_slice(data);
    }
}

/// Stacks of which nothing is known.
struct NoStacks;

impl StackSource for NoStacks {
    fn scan(&mut self, _: &[u8], _: Generation) -> Vec<(u64, Vec<u64>)> {
        vec![(1, vec![0x1000, 0x2000])]
    }

    fn frames(&mut self, addresses: &[u64]) -> Vec<NamedFrame> {
        let frame = |address: &u64| NamedFrame {
            pc: *address,
            function: (*address == 0x1000).then(|| "main::work".to_owned()),
            file: "main.rs".to_owned(),
            line: 7,
        };
        addresses.iter().map(frame).collect()
    }
}

/// A program with one thread and goroutines that outlive generations; goroutine 2 has no event but
/// its statuses.
fn layout(count: u64) -> Layout {
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
        generation
            .on_no_thread()
            .event(E::GoStatus, (2, u64::MAX, GoStatus::Waiting));
    }
    trace.layout()
}

/// What the tracer has of a generation that is not finished: a block of events and one of strings.
fn unfinished(layout: &Layout, generation: u64) -> [Vec<u8>; 2] {
    let piece = |wanted: &dyn Fn(&exectrace_testkit::Batch) -> bool| {
        let found = layout.pieces.iter().find(
            |piece| matches!(piece, Piece::Batch(batch) if batch.generation == generation && wanted(batch)),
        );
        let layout = Layout {
            version: layout.version,
            pieces: vec![found.unwrap().clone()],
        };
        layout.to_bytes().split_off(HEADER_LEN)
    };
    [
        piece(&|batch| batch.thread == 1),
        piece(&|batch| batch.kind(Version::Go126) == BatchKind::Strings),
    ]
}

/// Events and losses of a trace that MUST be valid.
fn read(trace: &[u8]) -> (u64, u64) {
    let mut reader = Reader::new(trace).unwrap();
    let mut validator = Validator::new(reader.version());
    let (mut events, mut losses) = (0, 0);
    while let Some(event) = reader
        .next_event()
        .unwrap_or_else(|error| panic!("{error}"))
    {
        events += u64::from(event.event_type().is_some());
        if let EventKind::Log(log) = event.kind()
            && log.category == *LOSS_CATEGORY
        {
            losses += 1;
        }
        validator.check(&event);
    }
    let report = validator.finish();
    assert!(report.worst() < Some(Severity::Strict), "{report}");
    (events, losses)
}

fn recovered(file: &File, output: &[u8]) -> (Vec<u8>, Report) {
    let image = Image::parse(&file.bytes).unwrap();
    let mut trace = Vec::new();
    let report = recover(&image, Some(&mut &output[..]), &mut NoStacks, &mut trace).unwrap();
    (trace, report)
}

#[test]
fn every_cut_of_an_unfinished_generation_is_recovered() {
    let layout = layout(4);
    let generations = layout.generations();
    let output = [
        &Version::Go126.header()[..],
        &generations[0],
        &generations[1][..50],
    ]
    .concat();
    let [events, strings] = unfinished(&layout, 4);
    let mut most = 0;
    for cut in 0..=events.len() {
        let mut file = File::new();
        file.block(Kind::Finished as u64, 2, &generations[1][..30], 30);
        file.block(
            Kind::Finished as u64,
            2,
            &generations[1][30..],
            generations[1].len() - 30,
        );
        file.block(
            Kind::Finished as u64,
            3,
            &generations[2],
            generations[2].len(),
        );
        file.block(Kind::Batch as u64, 4, &strings, strings.len());
        file.block(Kind::Batch as u64, 4, &events, cut);
        file.block(0, 9, b"free", 4);
        let (trace, report) = recovered(&file, &output);
        assert_eq!(
            (report.written, report.cut_bytes, report.finished),
            (1, 50, 2)
        );
        assert_eq!((report.missing, report.lost_strings), (0, 0));
        assert_eq!(read(&trace).1, 0);
        assert!(report.recovered_events >= most);
        most = report.recovered_events;
    }
    assert_eq!(most, 9);
}

#[test]
fn an_unfinished_generation_states_those_whom_only_the_next_states() {
    let layout = layout(2);
    let mut file = File::new();
    for n in [1, 2] {
        for data in unfinished(&layout, n) {
            file.block(Kind::Batch as u64, n, &data, data.len());
        }
    }
    // Goroutine 2 is stated in neither, and nobody misses it.
    let (trace, report) = recovered(&file, &[]);
    assert_eq!(report.rebuilt, 2);
    assert_eq!(read(&trace).0, report.recovered_events);
    // Here it is stated in the second.
    let second = &layout.generations()[1];
    file.block(Kind::Finished as u64, 2, second, second.len());
    let (trace, report) = recovered(&file, &[]);
    assert_eq!((report.rebuilt, report.finished), (1, 1));
    read(&trace);
}

#[test]
fn missing_generations_are_bridged_and_counted() {
    let layout = layout(5);
    let generations = layout.generations();
    let output = [&Version::Go126.header()[..], &generations[0]].concat();
    for raw in [false, true] {
        let mut file = File::new();
        file.block(
            Kind::Finished as u64,
            3,
            &generations[2],
            generations[2].len(),
        );
        if raw {
            for data in unfinished(&layout, 5) {
                file.block(Kind::Batch as u64, 5, &data, data.len());
            }
        } else {
            file.block(
                Kind::Finished as u64,
                5,
                &generations[4],
                generations[4].len(),
            );
        }
        let (trace, report) = recovered(&file, &output);
        assert_eq!(report.missing, 2);
        assert_eq!(read(&trace).1, 2);
        assert!(report.to_string().contains("2 generations are lost"));
    }
}

#[test]
fn stacks_are_named_or_raw_or_lost() {
    let mut trace = TraceBuilder::new(Version::Go126);
    let on = trace.generation(1).on(1);
    on.event(E::ProcStatus, (0, ProcStatus::Running))
        .event(E::GoStatus, (1, 1, GoStatus::Running))
        .event(E::UserLog, (0, 5, 6, 1))
        .event(E::UserLog, (0, 5, 6, 2));
    let [events, _] = {
        let layout = trace.layout();
        let mut pieces = layout.pieces.iter();
        let batch = pieces.find(|p| matches!(p, Piece::Batch(batch) if batch.thread == 1));
        let layout = Layout {
            version: layout.version,
            pieces: vec![batch.unwrap().clone()],
        };
        [layout.to_bytes().split_off(HEADER_LEN), vec![]]
    };
    let mut file = File::new();
    file.block(Kind::Batch as u64, 1, &events, events.len());
    file.block(Kind::Stacks as u64, 1, b"", 0);
    let (trace, report) = recovered(&file, &[]);
    assert_eq!((report.lost_stacks, report.lost_strings), (1, 2));
    assert_eq!(report.raw_addresses, 1);
    let mut reader = Reader::new(&trace[..]).unwrap();
    let mut functions = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        functions.extend(event.stack().map(|stack| {
            let frames = stack.frames();
            frames
                .map(|frame| frame.function.to_string())
                .collect::<Vec<_>>()
        }));
    }
    assert_eq!(functions[0], ["main::work", "0x2000"]);
}

#[test]
fn what_is_no_block_file_is_told() {
    assert_eq!(
        Image::parse(b"go 1.26 trace").unwrap_err(),
        ImageError::NotABlockFile
    );
    let error = Image::parse(&MAGIC).unwrap_err();
    assert!(matches!(error, ImageError::Truncated { found: 16, .. }));
    let file = File::new();
    let image = Image::parse(&file.bytes).unwrap();
    let mut trace = Vec::new();
    let error = recover(
        &image,
        Some(&mut &b"not a trace at all"[..]),
        &mut NoStacks,
        &mut trace,
    );
    assert!(matches!(error, Err(RecoverError::NotATrace)));
    let (trace, report) = recovered(&file, &[]);
    assert_eq!(trace, Version::Go126.header());
    assert_eq!(report.to_string(), "there was nothing");
}

#[test]
fn damaged_block_files_do_no_harm() {
    let layout = layout(3);
    let generations = layout.generations();
    let mut file = File::new();
    file.block(
        Kind::Finished as u64,
        1,
        &generations[0],
        generations[0].len(),
    );
    for data in unfinished(&layout, 2) {
        file.block(Kind::Batch as u64, 2, &data, data.len());
    }
    let mut rng = exectrace_testkit::Rng::new(1);
    for _ in 0..300 {
        let mut damaged = File {
            bytes: file.bytes.clone(),
            blocks: file.blocks,
        };
        for _ in 0..1 + rng.below(8) {
            // Where something is: headers and the beginnings of data.
            let at = rng.index(4) * BLOCK_BYTES + rng.index(300);
            damaged.bytes[at] = rng.next_u64() as u8;
        }
        let end = BLOCK_BYTES + rng.index(damaged.bytes.len() - BLOCK_BYTES);
        if rng.one_in(2) {
            damaged.bytes.truncate(end);
        }
        if let Ok(image) = Image::parse(&damaged.bytes) {
            let _ = recover(&image, None, &mut NoStacks, &mut Vec::new());
        }
    }
}
