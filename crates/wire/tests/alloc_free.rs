//! The AllocFree experiment in real traces: ids of events fit the batches that explain them.

use std::{collections::BTreeSet, fs, path::Path};

use exectrace_wire::{
    EventType, Experiment, HEADER_LEN, RawRecord, RecordPayload,
    alloc_free::{Batch, Info, SpanKind, stack_bytes},
    decode_record, parse_header,
};

/// Calls `visit` for each record of a trace of the committed corpus.
fn each_record(name: &str, mut visit: impl FnMut(&RawRecord<'_>)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus");
    let file = fs::read(path.join(name)).unwrap();
    let version = parse_header(&file).unwrap();
    let mut rest = &file[HEADER_LEN..];
    while let Some(record) = decode_record(rest, version).unwrap() {
        visit(&record);
        rest = &rest[record.bytes().len()..];
    }
    assert!(rest.is_empty());
}

#[test]
fn ids_in_real_traces_have_addresses_sizes_and_types() {
    for name in ["go1.23-allocfree.trace", "go1.26-allocfree.trace"] {
        let mut info: Option<Info> = None;
        let mut types = BTreeSet::new();
        let mut type_ids = BTreeSet::new();
        let (mut spans, mut objects, mut stacks) = (0, 0, 0);
        each_record(name, |record| {
            let args = record.args();
            match record.event_type() {
                EventType::ExperimentalBatch => {
                    assert_eq!(args[0], u64::from(Experiment::AllocFree.to_wire()));
                    let RecordPayload::Data(data) = record.payload() else {
                        panic!("an experimental batch has data");
                    };
                    match Batch::parse(data).unwrap() {
                        Batch::Info(found) => {
                            assert_eq!(info.replace(found), None, "written once");
                        }
                        Batch::Types(records) => {
                            for record in records {
                                let record = record.unwrap();
                                assert!(record.pointer_bytes <= record.bytes);
                                assert!(str::from_utf8(record.name).is_ok_and(|n| !n.is_empty()));
                                assert!(types.insert(record.id), "one generation, unique ids");
                            }
                        }
                        _ => panic!("unknown kind of batch"),
                    }
                }
                EventType::Span | EventType::SpanAlloc => {
                    let info = info.unwrap();
                    assert_eq!(info.span_address(args[1]).unwrap() % info.page_bytes, 0);
                    assert!(SpanKind::from_wire(args[3]).is_some());
                    spans += 1;
                }
                EventType::HeapObject | EventType::HeapObjectAlloc => {
                    assert!(info.unwrap().object_address(args[1]).is_some());
                    type_ids.insert(args[2]);
                    objects += 1;
                }
                EventType::GoroutineStack | EventType::GoroutineStackAlloc => {
                    let info = info.unwrap();
                    assert!(info.stack_address(args[1]).is_some());
                    let bytes = stack_bytes(args[2]).unwrap();
                    assert!(bytes.is_power_of_two() && bytes >= info.min_stack_bytes);
                    stacks += 1;
                }
                _ => {}
            }
        });
        assert!(spans > 0 && objects > 0 && stacks > 0, "{name}");
        // 0 is an unknown type; all others are in the table.
        type_ids.remove(&0);
        assert!(!type_ids.is_empty() && type_ids.is_subset(&types), "{name}");
    }
}
