//! Properties of the v1 formats.

use exectrace_wire::{
    Version,
    v1::{Event, Layouts, Payload, RecordError, decode_record, limits},
};

use crate::read::{order, salvage};

/// The first byte says which version the rest is the data of; then all that must hold of a trace
/// holds, and both ways to decode its records agree.
pub fn v1(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let version = Version::V1[usize::from(*first) % Version::V1.len()];
    records(rest, version);
    let trace = [&version.header()[..], rest].concat();
    order(&trace);
    salvage(&trace);
}

fn records(mut rest: &[u8], version: Version) {
    let layouts = Layouts::new(version);
    loop {
        let mut numbers = [0; limits::MAX_NUMBERS];
        let fast = layouts.decode(rest, &mut numbers);
        let record = match decode_record(rest, version) {
            Ok(record) => record,
            Err(error) => {
                assert_eq!(fast, None, "{error}");
                assert!(
                    error != RecordError::Truncated || rest.len() < limits::MAX_RECORD_BYTES,
                    "a record that never ends"
                );
                return;
            }
        };
        let length = record.bytes().len();
        assert!((1..=rest.len()).contains(&length));
        if let Payload::Frames(frames) = record.payload() {
            assert!(frames.count() as u64 <= limits::MAX_STACK_FRAMES);
        }
        if let Some((event_type, fast_length)) = fast {
            let event = Event::of_record(&record, version).expect("events only are common");
            assert_eq!((event_type, fast_length), (event.event_type, length));
            assert_eq!(numbers, event.numbers);
        }
        rest = &rest[length..];
    }
}
