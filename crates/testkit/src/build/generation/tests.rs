//! What the builder puts on the wire.

use exectrace_wire::{
    BatchKind, EventType as E, GoStatus, ProcStatus, RawFrame, StackFrames, Stacks, Strings,
    SyncRecord, SyncRecords, Version, decode_event,
};

use crate::{Arg, Batch, Layout, Piece, Sample, Stack, TraceBuilder, named};

fn batches(trace: &TraceBuilder) -> Vec<Batch> {
    let layout = Layout::parse(&trace.build()).expect("the framing is sound");
    layout
        .pieces
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Batch(batch) => Some(batch),
            _ => None,
        })
        .collect()
}

/// Times and numbers of a batch's events.
fn events(batch: &Batch) -> Vec<(u64, E, Vec<u64>)> {
    let (mut rest, mut time) = (&batch.data[..], batch.time);
    let mut events = Vec::new();
    while !rest.is_empty() {
        let (event, n) = decode_event(rest).expect("an event");
        time += event.args()[0];
        events.push((time, event.event_type, event.args()[1..].to_vec()));
        rest = &rest[n..];
    }
    events
}

#[test]
fn one_clock_ticks_for_all_threads() {
    let mut trace = TraceBuilder::new(Version::Go122);
    let g = trace.generation(1);
    g.on(5).event(E::ProcStatus, (0, ProcStatus::Running));
    g.on(6).event(
        E::GoStatus,
        named! { gstatus: GoStatus::Waiting, g: 9, m: 6 },
    );
    g.set_now(100).on(5).event(E::ProcStop, ());
    let batches = batches(&trace);
    assert_eq!(
        events(&batches[0]),
        [(2, E::ProcStatus, vec![0, 1]), (101, E::ProcStop, vec![])]
    );
    assert_eq!(events(&batches[1]), [(3, E::GoStatus, vec![9, 6, 4])]);
    let kinds: Vec<_> = batches.iter().map(|b| b.kind(Version::Go122)).collect();
    assert_eq!(
        kinds,
        [
            BatchKind::Events,
            BatchKind::Events,
            BatchKind::Sync,
            BatchKind::Stacks,
            BatchKind::Strings
        ]
    );
}

#[test]
fn strings_and_stacks_are_shared_within_a_generation_only() {
    let stack = Stack::calls(["main.f", "main.main"]);
    let mut trace = TraceBuilder::new(Version::Go126);
    for number in [1, 2] {
        let g = trace.generation(number);
        g.on(0)
            .event(E::GoBlock, ("sleep", &stack))
            .event(E::GoBlock, ("", &stack))
            .event(E::GoBlock, ("sleep",));
        g.sample(Sample {
            time: None,
            thread: Some(0),
            proc: None,
            goroutine: None,
            stack: Arg::Text(b"main.f".to_vec()),
        });
    }
    let batches = batches(&trace);
    for batches in batches.chunks(5) {
        let [sync, thread, samples, stacks, strings] = batches else {
            panic!("five batches a generation");
        };
        assert_eq!(sync.kind(Version::Go126), BatchKind::Sync);
        let args: Vec<_> = events(thread).into_iter().map(|event| event.2).collect();
        assert_eq!(args, [[1, 1], [0, 1], [1, 0]]);
        assert_eq!(samples.kind(Version::Go126), BatchKind::CpuSamples);
        let strings: Vec<_> = Strings::new(&strings.data)
            .unwrap()
            .map(|record| record.map(|r| (r.id, r.data)).unwrap())
            .collect();
        assert_eq!(
            strings,
            [
                (1, &b"sleep"[..]),
                (2, b"main.f"),
                (3, b"main.go"),
                (4, b"main.main")
            ]
        );
        let stacks: Vec<_> = Stacks::new(&stacks.data)
            .unwrap()
            .map(|record| record.map(|r| (r.id, frames(r.frames))).unwrap())
            .collect();
        assert_eq!(
            stacks,
            [(1, vec![(0x40_1000, 2, 3, 10), (0x40_1010, 4, 3, 20)])]
        );
    }
}

fn frames(frames: StackFrames<'_>) -> Vec<(u64, u64, u64, u64)> {
    frames
        .map(
            |RawFrame {
                 pc,
                 func,
                 file,
                 line,
                 ..
             }| (pc, func, file, line),
        )
        .collect()
}

#[test]
fn clock_records_depend_on_the_version() {
    for version in Version::V2 {
        let mut trace = TraceBuilder::new(version);
        let generation = trace.frequency(77).step(3).generation(1);
        if version.has_clock_snapshot() {
            generation.clock(1, 2, 3, 4);
        }
        let layout = trace.layout();
        let Some(Piece::Batch(sync)) = layout.pieces.first() else {
            panic!("a batch");
        };
        let records: Vec<_> = SyncRecords::new(version, &sync.data)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let frequency = SyncRecord::Frequency(77);
        let snapshot = SyncRecord::ClockSnapshot {
            dt: 1,
            mono: 2,
            sec: 3,
            nsec: 4,
        };
        if version.has_clock_snapshot() {
            assert_eq!(records, [frequency, snapshot]);
        } else {
            assert_eq!(records, [frequency]);
        }
        assert_eq!(
            layout.pieces.last() == Some(&Piece::EndOfGeneration),
            version.has_end_of_generation()
        );
    }
}

#[test]
fn full_batches_are_continued() {
    let mut trace = TraceBuilder::new(Version::Go123);
    trace.batch_limit(10);
    let g = trace.generation(1);
    for proc in 0..5 {
        g.on(1).event(E::ProcStatus, (proc, ProcStatus::Idle));
    }
    let batches = batches(&trace);
    let times: Vec<_> = batches[..3]
        .iter()
        .flat_map(events)
        .map(|(time, _, args)| (time, args[0]))
        .collect();
    assert_eq!(times, [(2, 0), (3, 1), (4, 2), (5, 3), (6, 4)]);
    assert!(batches[..3].iter().all(|batch| batch.data.len() <= 10));
}

#[test]
fn whatever_is_left_out_is_left_out() {
    let mut trace = TraceBuilder::new(Version::Go126);
    trace
        .generation(1)
        .without_frequency()
        .without_clock()
        .without_tables()
        .without_end()
        .on(0)
        .raw(&[200])
        .event_after(9, E::ProcStop, ());
    let pieces = trace.layout().pieces;
    assert_eq!(
        pieces,
        [Piece::Batch(Batch::new(1, 0, 1, vec![200, 11, 9]))]
    );
}

#[test]
#[should_panic(expected = "the clock went back inside a batch")]
fn a_batch_cannot_go_back() {
    let mut trace = TraceBuilder::new(Version::Go126);
    let g = trace.generation(1);
    g.on(0).event(E::ProcStop, ());
    g.set_now(0).on(0).event(E::ProcStop, ());
    let _ = trace.build();
}

#[test]
#[should_panic(expected = "Stack carries no time")]
fn structural_records_are_no_events() {
    TraceBuilder::new(Version::Go126)
        .generation(1)
        .on(0)
        .event(E::Stack, (1, 2));
}
