//! Damaged traces of the v1 formats: errors with their places, and what salvage makes of them.
//!
//! What whole traces read as is compared with Go elsewhere, in the tests of `export`.

use std::{fs, path::PathBuf};

use exectrace_reader::{Error, Options, Reader, SalvageReport};
use exectrace_validate::{Severity, Validator};

fn trace(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus");
    fs::read(folder.join(format!("{name}.trace"))).unwrap()
}

/// The events of a trace as text, and what ended the reading before the trace did.
fn strict(bytes: &[u8]) -> (Vec<String>, Option<Error>) {
    let mut events = Vec::new();
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (events, Some(error)),
    };
    loop {
        match reader.next_event() {
            Ok(Some(event)) => events.push(format!("{event:?}")),
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(error)),
        }
    }
}

fn salvage(bytes: &[u8]) -> (Vec<String>, SalvageReport) {
    let options = Options::default().salvage(true);
    let mut reader = Reader::with_options(bytes, options).unwrap();
    let mut events = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        events.push(format!("{event:?}"));
    }
    (events, reader.salvage_report().unwrap().clone())
}

/// What must hold of every input: errors have a place in the trace and say what to do, salvage always
/// reaches the end, and it changes nothing about what strict reading takes.
fn survive(bytes: &[u8], how: &str) {
    let (events, error) = strict(bytes);
    if let Some(error) = &error {
        let offset = error.place().offset.unwrap_or(0);
        assert!(offset <= bytes.len() as u64, "{how}: {error}");
        assert!(error.to_string().contains("byte"), "{how}: {error}");
    }
    if bytes.len() < exectrace_wire::HEADER_LEN || Reader::new(bytes).is_err() {
        return;
    }
    let (salvaged, report) = salvage(bytes);
    assert_eq!(
        error.is_none(),
        report.is_clean(),
        "{how}: {error:?}, {report}"
    );
    if error.is_none() {
        assert!(events == salvaged, "{how}: salvage changes events");
    }
}

#[test]
fn every_truncation_is_survived() {
    for name in ["go1.21-idle", "go1.19-idle"] {
        let whole = trace(name);
        let (all, _) = strict(&whole);
        for cut in 0..whole.len() {
            survive(&whole[..cut], &format!("{name}, {cut} bytes"));
            if cut >= exectrace_wire::HEADER_LEN {
                // The last records are stacks, and nothing says how many there are: as in Go.
                let (events, error) = strict(&whole[..cut]);
                assert!(
                    error.is_some() || events.len() == all.len(),
                    "{cut} bytes are taken for a whole"
                );
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_survived() {
    let whole = trace("go1.21-idle");
    for bit in 8 * exectrace_wire::HEADER_LEN..8 * whole.len() {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        survive(&damaged, &format!("bit {bit}"));
    }
}

#[test]
fn numbers_may_be_gigantic() {
    let whole = trace("go1.21-idle");
    for at in exectrace_wire::HEADER_LEN..whole.len() {
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let damaged = [&whole[..at], &huge, &whole[at + 1..]].concat();
        survive(&damaged, &format!("byte {at}"));
    }
}

/// Traces that Go refuses since it finds no order: all events are there, and make sense together.
#[test]
fn what_c_threads_do_is_assumed() {
    let bytes = trace("go1.19-cgo");
    let (events, error) = strict(&bytes);
    assert!(events.is_empty());
    let error = error.unwrap().to_string();
    assert!(error.contains("salvage mode assumes"), "{error}");

    let options = Options::default().salvage(true);
    let mut reader = Reader::with_options(&bytes[..], options).unwrap();
    let mut validator = Validator::new(reader.version());
    let mut count = 0;
    while let Some(event) = reader.next_event().unwrap() {
        validator.check(&event);
        count += 1;
    }
    assert!(count > 800, "{count} events");
    let report = reader.salvage_report().unwrap();
    assert!(report.assumed_states > 0, "{report}");
    assert_eq!((report.skipped_bytes, report.dropped_events), (0, 0));
    // States follow from each other; that threads do not is in the nature of the old formats.
    let broken: Vec<_> = validator
        .finish()
        .violations()
        .iter()
        .filter(|violation| violation.rule.severity() != Severity::Notice)
        .filter(|violation| violation.to_string().contains("[state-chain]"))
        .map(ToString::to_string)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn damage_costs_the_rest_of_its_batch() {
    for (name, whole) in [
        ("go1.21-procs-gap", 2300),
        ("go1.21-procs-flip1", 2300),
        ("go1.21-cgolate-cut60", 870),
    ] {
        let bytes = trace(name);
        let (events, error) = strict(&bytes);
        assert!(events.is_empty() && error.is_some(), "{name}");
        let (events, report) = salvage(&bytes);
        assert!(events.len() * 10 > whole * 8, "{name}: {}", events.len());
        assert!(report.skipped_bytes < 1500, "{name}: {report}");
    }
}

/// A batch costs a few bytes, and so may a proc and a goroutine: memory stays a small multiple.
#[test]
fn very_many_procs_and_goroutines_are_survived() {
    let mut bytes = exectrace_wire::Version::Go121.header().to_vec();
    let number = |bytes: &mut Vec<u8>, n: u64| {
        let mut buffer = [0; 10];
        let length = exectrace_wire::varint::write(&mut buffer, n).unwrap();
        bytes.extend_from_slice(&buffer[..length]);
    };
    for proc in 0..20_000u64 {
        bytes.push(1 | 1 << 6);
        number(&mut bytes, proc);
        number(&mut bytes, proc);
        // GoStart of a goroutine that nobody ever made: all procs wait for ever.
        bytes.push(14 | 2 << 6);
        number(&mut bytes, 1);
        number(&mut bytes, 1 + proc % 50);
        number(&mut bytes, proc);
    }
    bytes.push(2);
    number(&mut bytes, 15_625_000);
    survive(&bytes, "procs that wait");
}
