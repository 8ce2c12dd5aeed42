//! JSON lines against an independent parser and against the events that they are of.

mod common;

use std::collections::BTreeSet;

use common::{cases, traces};
use exectrace_export::JsonWriter;
use exectrace_reader::{Event, EventKind, Reader, Stack, StateTransition};
use exectrace_testkit::{Stack as StackSpec, TraceBuilder};
use exectrace_wire::{EventType as E, GoStatus, ProcStatus, Version};
use serde_json::{Value, json};

/// The events of a trace that are looked at.
const MAX_EVENTS: usize = 2000;

/// The bytes of a text field, whichever way they are written.
#[track_caller]
fn text(object: &Value, field: &str) -> Vec<u8> {
    if let Some(hex) = object.get(format!("{field}_bytes")) {
        let hex = hex.as_str().unwrap();
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            object[field].as_str().unwrap()
        );
        assert!(
            std::str::from_utf8(&bytes).is_err(),
            "hexadecimal for UTF-8"
        );
        return bytes;
    }
    object[field].as_str().unwrap().as_bytes().to_vec()
}

#[track_caller]
fn check_stack(stack: Option<Stack<'_>>, value: Option<&Value>) {
    let (Some(stack), Some(value)) = (stack, value) else {
        assert!(stack.is_none() && value.is_none());
        return;
    };
    let frames = value.as_array().unwrap();
    assert_eq!(frames.len(), stack.frames().len());
    for (frame, value) in stack.frames().zip(frames) {
        assert_eq!(text(value, "function"), frame.function.as_bytes());
        assert_eq!(text(value, "file"), frame.file.as_bytes());
        assert_eq!(value["line"], frame.line);
        assert_eq!(value["pc"], frame.pc);
    }
}

/// That a line says what its event does, as far as kinds have it in common or it is likely to go
/// wrong.
fn check(event: &Event<'_>, value: &Value) {
    let kind = event.kind();
    assert_eq!(value["time"], event.time().nanos());
    assert_eq!(value["kind"], kind.name());
    assert_eq!(
        value.get("wall").and_then(Value::as_str),
        event.wall_time().map(|wall| wall.to_string()).as_deref()
    );
    let id = |field| value.get(field).map(|id| id.as_u64().unwrap());
    assert_eq!(id("thread"), event.thread().map(|id| id.0));
    assert_eq!(id("proc"), event.proc().map(|id| id.0));
    assert_eq!(id("goroutine"), event.goroutine().map(|id| id.0));
    assert_eq!(
        value.get("event").and_then(Value::as_str),
        event.event_type().map(|event_type| event_type.name())
    );
    check_stack(event.stack(), value.get("stack"));
    match kind {
        EventKind::Sync(sync) => {
            assert_eq!(value["number"], sync.number());
            let batches = sync.experimental_batches().count();
            let written = value.get("experimental_batches");
            assert_eq!(
                written.map_or(0, |batches| batches.as_array().unwrap().len()),
                batches
            );
        }
        EventKind::Log(log) => {
            assert_eq!(text(value, "category"), log.category.as_bytes());
            assert_eq!(text(value, "message"), log.message.as_bytes());
        }
        EventKind::RegionBegin(region) | EventKind::RegionEnd(region) => {
            assert_eq!(text(value, "type"), region.name.as_bytes());
        }
        EventKind::StateTransition(StateTransition::Goroutine {
            id,
            from,
            to,
            reason,
            stack,
        }) => {
            assert_eq!(value["resource"], json!({"kind": "goroutine", "id": id.0}));
            assert_eq!(value["from"], from.name());
            assert_eq!(value["to"], to.name());
            if reason.is_empty() {
                assert_eq!(value.get("reason"), None);
            } else {
                assert_eq!(text(value, "reason"), reason.as_bytes());
            }
            check_stack(stack, value.get("transition_stack"));
        }
        _ => {}
    }
}

#[test]
fn every_line_of_every_trace_is_valid_and_true() {
    let mut kinds = BTreeSet::new();
    let mut experimental_batches = 0;
    for case in cases(&traces().join("corpus"), ".parsed.gz") {
        let mut reader = Reader::new(&case.trace[..]).unwrap();
        let mut writer = JsonWriter::new().wall_time(true);
        let mut line = Vec::new();
        let mut count = 0;
        while let Ok(Some(event)) = reader.next_event() {
            // An independent parser is slow; what comes later in a trace is more of the same.
            count += 1;
            if count > MAX_EVENTS {
                break;
            }
            line.clear();
            writer.write_event(&mut line, &event);
            let newlines = line.iter().filter(|byte| **byte == b'\n').count();
            assert!(newlines == 1 && line.ends_with(b"\n"), "{}", case.name);
            let value: Value = serde_json::from_slice(&line).unwrap();
            check(&event, &value);
            kinds.insert(event.kind().name());
            experimental_batches += usize::from(value.get("experimental_batches").is_some());
        }
    }
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    assert!(experimental_batches > 0);
}

/// The lines of a trace.
fn lines(trace: &TraceBuilder) -> Vec<String> {
    let bytes = trace.build();
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let mut writer = JsonWriter::new();
    let mut out = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        writer.write_event(&mut out, &event);
    }
    String::from_utf8(out)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn fields_come_in_the_order_of_the_schema() {
    let mut trace = TraceBuilder::new(Version::Go126);
    trace
        .generation(1)
        .on(7)
        .event(E::ProcStatus, (0, ProcStatus::Running))
        .event(E::GoStatus, (1, 7, GoStatus::Running))
        .event(E::ProcsChange, (4, StackSpec::NONE))
        .event(
            E::GoCreate,
            (2, StackSpec::NONE, StackSpec::calls(["main.main"])),
        )
        .event(E::UserTaskBegin, (1, 0, "kind", StackSpec::NONE))
        .event(E::UserTaskBegin, (2, 1, "part", StackSpec::NONE))
        .event(E::UserRegionBegin, (2, "r\"1\"", StackSpec::NONE))
        .event(E::UserLog, (2, "c", &b"caf\xc3"[..], StackSpec::NONE))
        .event(E::UserTaskEnd, (2, StackSpec::NONE))
        .event(E::STWBegin, ("why", StackSpec::NONE))
        .event(E::STWEnd, ())
        .event(E::GCSweepBegin, (StackSpec::NONE,))
        .event(E::GCSweepEnd, (8192, 64))
        .event(E::GoLabel, ("GC (idle)",))
        .event(E::SpanAlloc, (5, 1, 10))
        .event(
            E::GoBlock,
            ("sleep", StackSpec::calls(["main.f", "main.main"])),
        );
    let context = r#""thread":7,"proc":0,"goroutine":1,"#;
    let expected = [
        r#""kind":"StateTransition","event":"ProcStatus","resource":{"kind":"proc","id":0},"from":"Undetermined","to":"Running"}"#,
        r#""kind":"StateTransition","event":"GoStatus","resource":{"kind":"goroutine","id":1},"from":"Undetermined","to":"Running"}"#,
        r#""kind":"Metric","event":"ProcsChange","name":"/sched/gomaxprocs:threads","value":4}"#,
        r#""kind":"StateTransition","event":"GoCreate","resource":{"kind":"goroutine","id":2},"from":"NotExist","to":"Runnable","transition_stack":[],"stack":[{"function":"main.main","file":"main.go","line":10,"pc":PC}]}"#,
        r#""kind":"TaskBegin","event":"UserTaskBegin","task":1,"type":"kind"}"#,
        r#""kind":"TaskBegin","event":"UserTaskBegin","task":2,"parent":1,"type":"part"}"#,
        r#""kind":"RegionBegin","event":"UserRegionBegin","task":2,"type":"r\"1\""}"#,
        "\"kind\":\"Log\",\"event\":\"UserLog\",\"task\":2,\"category\":\"c\",\"message\":\"caf\u{fffd}\",\"message_bytes\":\"636166c3\"}",
        r#""kind":"TaskEnd","event":"UserTaskEnd","task":2,"parent":1,"type":"part"}"#,
        r#""kind":"RangeBegin","event":"STWBegin","name":"stop-the-world","reason":"why","scope":{"kind":"goroutine","id":1}}"#,
        r#""kind":"RangeEnd","event":"STWEnd","name":"stop-the-world","reason":"why","scope":{"kind":"goroutine","id":1}}"#,
        r#""kind":"RangeBegin","event":"GCSweepBegin","name":"GC incremental sweep","scope":{"kind":"proc","id":0}}"#,
        r#""kind":"RangeEnd","event":"GCSweepEnd","name":"GC incremental sweep","scope":{"kind":"proc","id":0},"swept_bytes":8192,"reclaimed_bytes":64}"#,
        r#""kind":"Label","event":"GoLabel","label":"GC (idle)","resource":{"kind":"goroutine","id":1}}"#,
        r#""kind":"Experimental","event":"SpanAlloc","name":"SpanAlloc","experiment":"AllocFree","args":{"id":5,"npages_value":1,"kindclass":10}}"#,
        r#""kind":"StateTransition","event":"GoBlock","resource":{"kind":"goroutine","id":1},"from":"Running","to":"Waiting","reason":"sleep","transition_stack":[{"function":"main.f","file":"main.go","line":10,"pc":PC},{"function":"main.main","file":"main.go","line":20,"pc":PC}],"stack":[{"function":"main.f","file":"main.go","line":10,"pc":PC},{"function":"main.main","file":"main.go","line":20,"pc":PC}]}"#,
    ];
    let lines = lines(&trace);
    assert_eq!(lines.len(), expected.len() + 2, "two syncs more");
    for (line, expected) in lines[1..].iter().zip(expected) {
        // Times and program counters are the builder's affair.
        let start = line.find("\"kind\":").unwrap();
        let mut ours = String::new();
        for (at, part) in line[start..].split("\"pc\":").enumerate() {
            match at {
                0 => ours.push_str(part),
                _ => {
                    ours.push_str("\"pc\":PC");
                    ours.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
                }
            }
        }
        assert_eq!(ours, expected);
        if !expected.contains("Status") {
            assert!(line[..start].ends_with(context), "{line}");
        }
    }
    let sync: Value = serde_json::from_str(&lines[0]).unwrap();
    let keys: Vec<_> = lines[0]
        .match_indices("\":")
        .map(|(end, _)| &lines[0][lines[0][..end].rfind('"').unwrap() + 1..end])
        .collect();
    assert_eq!(
        keys,
        [
            "time",
            "kind",
            "number",
            "generation",
            "frequency",
            "clock",
            "trace",
            "monotonic",
            "wall"
        ]
    );
    assert_eq!(sync["generation"], 1);
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(last["kind"], "Sync");
    assert_eq!(last.get("generation"), None);
}
