//! Limits and incomplete input; whole records of every kind are in the tests of the text form.

use super::*;

fn outcome(bytes: &[u8]) -> Result<Option<usize>, RecordError> {
    decode_record(bytes, Version::Go126).map(|found| found.map(|record| record.bytes().len()))
}

/// `first`, then numbers.
fn record(first: EventType, numbers: &[u64]) -> Vec<u8> {
    let mut out = vec![first.to_wire()];
    for &number in numbers {
        let mut buffer = [0; 10];
        let n = varint::write(&mut buffer, number).unwrap();
        out.extend_from_slice(&buffer[..n]);
    }
    out
}

#[test]
fn every_cut_of_every_kind_of_record_is_incomplete() {
    let mut data = record(EventType::ExperimentalBatch, &[1, 300, u64::MAX, 4, 200]);
    data.extend([7; 200]);
    let stack = record(
        EventType::Stack,
        &[9, 3, 1, 2, 3, 4, 5, 600, 7, 8, 9, 10, 11, 12],
    );
    for whole in [
        data,
        stack,
        record(EventType::EventBatch, &[1, u64::MAX, 3, 4]),
        record(EventType::CPUSample, &[1, 2, 300, 4, 5]),
        record(EventType::UserLog, &[1, 2, 300, 4, 5]),
        record(EventType::Strings, &[]),
        record(EventType::EndOfGeneration, &[]),
    ] {
        for cut in 0..whole.len() {
            assert_eq!(outcome(&whole[..cut]), Ok(None));
        }
        assert_eq!(outcome(&whole), Ok(Some(whole.len())));
        let more = [&whole[..], &[0xff; 100]].concat();
        assert_eq!(outcome(&more), Ok(Some(whole.len())));
    }
}

#[test]
fn payloads_are_borrowed() {
    let mut bytes = record(EventType::String, &[1, 3]);
    bytes.extend(b"abcdef");
    let string = decode_record(&bytes, Version::Go122).unwrap().unwrap();
    assert_eq!(
        (string.event_type(), string.args()),
        (EventType::String, &[1][..])
    );
    assert!(matches!(string.payload(), RecordPayload::Data(b"abc")));
    let stack = record(EventType::Stack, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let stack = decode_record(&stack, Version::Go122).unwrap().unwrap();
    let RecordPayload::Frames(frames) = stack.payload() else {
        panic!("a stack has frames");
    };
    let pcs: Vec<_> = frames.map(|frame| (frame.pc, frame.line)).collect();
    assert_eq!(pcs, [(3, 6), (7, 10)]);
}

#[test]
fn what_is_no_record_is_refused_early() {
    assert_eq!(outcome(&[0]), Err(RecordError::UnknownType(0)));
    assert_eq!(outcome(&[100; 99]), Err(RecordError::UnknownType(100)));
    assert_eq!(
        decode_record(&[EventType::GoSwitch.to_wire()], Version::Go122),
        Err(RecordError::NotInVersion {
            event_type: EventType::GoSwitch,
            version: Version::Go122
        })
    );
    for first in [EventType::GoStart, EventType::Frequency] {
        let bytes = [&[first.to_wire()][..], &[0xff; 10]].concat();
        assert_eq!(
            outcome(&bytes),
            Err(RecordError::Number {
                event_type: first,
                field: first.spec().args[0].name
            })
        );
    }
    let event_type = EventType::String;
    assert_eq!(
        outcome(&record(event_type, &[1, 65537])),
        Err(RecordError::DataTooLong {
            event_type,
            length: 65537
        })
    );
    assert_eq!(
        outcome(&record(EventType::Stack, &[1, u64::MAX])),
        Err(RecordError::TooManyFrames(u64::MAX))
    );
}

#[test]
fn length_is_limited_whatever_the_chunking() {
    let mut bytes = record(EventType::Stack, &[1, MAX_RAW_FRAMES as u64]);
    bytes.extend([0x81, 0x00].repeat(4 * MAX_RAW_FRAMES));
    let error = Err(RecordError::RecordTooLong(EventType::Stack));
    assert_eq!(outcome(&bytes), error);
    assert_eq!(outcome(&bytes[..MAX_RAW_RECORD_BYTES]), error);
    assert_eq!(outcome(&bytes[..MAX_RAW_RECORD_BYTES - 1]), Ok(None));

    let mut data = vec![EventType::ExperimentalBatch.to_wire()];
    data.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01].repeat(4));
    data.extend(varint::padded(MAX_BATCH_BYTES as u64));
    data.resize(data.len() + MAX_BATCH_BYTES, 0);
    assert_eq!(outcome(&data), Ok(Some(MAX_RAW_RECORD_BYTES)));
}
