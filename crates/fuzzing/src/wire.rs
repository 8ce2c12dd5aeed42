//! Properties of the wire format.

use exectrace_wire::text::{Parser, Style, Writer, parse};
use exectrace_wire::{
    CpuSamples, Family, Frame, HEADER_LEN, Payload, Stacks, Strings, SyncRecords, Version,
    alloc_free, decode_event, decode_event_into, decode_record, encode_event, limits, parse_frame,
    parse_header, visit_records,
};

/// Everything that parses bytes takes any bytes: it ends, and does not read past what it is given.
///
/// The input is taken for the data of a batch of every kind.
pub fn decode(data: &[u8]) {
    // 1. Timed events, each way that they can be decoded.
    let mut rest = data;
    while let Ok((event, length)) = decode_event(rest) {
        assert!(
            (1..=rest.len()).contains(&length),
            "{event:?} of {length} bytes"
        );
        let mut args = [0; limits::MAX_ARGS];
        let again =
            decode_event_into(rest, &mut args).expect("one way decodes, the other does not");
        assert_eq!(again, (event.event_type, length));
        assert_eq!(&args, event.padded_args());
        rest = &rest[length..];
    }

    // 2. Sections. A record has at least two bytes, and an error ends the section.
    let most = data.len() + 1;
    let mut items = 0;
    items += Strings::new(data).into_iter().flatten().count();
    items += CpuSamples::new(data).into_iter().flatten().count();
    for stack in Stacks::new(data).into_iter().flatten().flatten() {
        items += 1;
        assert!(stack.frames.clone().count() <= limits::MAX_STACK_FRAMES);
    }
    assert!(items <= most, "{items} records in {} bytes", data.len());
    for version in Version::V2 {
        assert!(
            SyncRecords::new(version, data)
                .into_iter()
                .flatten()
                .count()
                <= most
        );
    }
    if let Ok(alloc_free::Batch::Types(types)) = alloc_free::Batch::parse(data) {
        assert!(types.count() <= most);
    }

    // 3. Framing: undecided only while a header may still be incomplete.
    if let Ok(None) = parse_frame(data) {
        assert!(data.len() < limits::MAX_BATCH_HEADER_BYTES);
    }
}

/// What was decoded encodes to bytes that decode to the same.
///
/// The input is taken for records, one after another, of a file of each version.
pub fn round_trip(data: &[u8]) {
    let mut buffer = [0; 128];
    for version in Version::V2 {
        let mut rest = data;
        let mut visited = Vec::new();
        let whole = visit_records(data, version, |record| visited.push(record));
        let mut visited = visited.iter();
        while let Ok(Some(record)) = decode_record(rest, version) {
            assert_eq!(visited.next(), Some(&record));
            assert!(!record.bytes().is_empty() && record.bytes().len() <= rest.len());
            if record.event_type().spec().payload == Payload::None {
                let event = (record.event_type(), record.args());
                let length = encode_event(&mut buffer, event.0, event.1).expect("encodes");
                let again = decode_record(&buffer[..length], version).expect("decodes");
                let again = again.expect("is whole");
                assert_eq!((again.event_type(), again.args()), event);
                assert_eq!(again.bytes().len(), length);
            }
            rest = &rest[record.bytes().len()..];
        }
        assert_eq!(visited.next(), None);
        assert_eq!(
            whole.map(|whole| &data[whole..]),
            decode_record(rest, version).map(|_| rest)
        );
    }
    if let Ok(Some((Frame::Batch(header), _))) = parse_frame(data) {
        let length = header.write(&mut buffer).expect("a header fits");
        assert_eq!(
            parse_frame(&buffer[..length]),
            Ok(Some((Frame::Batch(header), length)))
        );
    }
}

/// A file becomes text and, from that, the same bytes again; and text that can be read is stable:
/// what it means prints as text that means the same.
pub fn text(data: &[u8]) {
    if let Ok(version) = parse_header(data)
        && version.family() == Family::V2
    {
        let (text, length) = print(version, data, Style::Lossless);
        assert_eq!(
            parse(&text).as_deref(),
            Ok(&data[..length]),
            "of the text\n{}",
            shown(&text)
        );
    }
    if let Ok(file) = parse(data) {
        let version = parse_header(&file).expect("a header was written");
        let (text, length) = print(version, &file, Style::Lossless);
        assert_eq!(
            length,
            file.len(),
            "what was parsed is no sequence of records"
        );
        assert_eq!(parse(&text), Ok(file), "of the text\n{}", shown(&text));
    }
    // Lines without a header, as `-d=wire` prints them.
    let mut out = Vec::new();
    let mut parser = Parser::headerless(Version::Go126, &mut out);
    let _ = data
        .split(|b| *b == b'\n')
        .try_for_each(|line| parser.line(line, &mut out));
}

/// The text of a file up to the first thing that is no record, and how many bytes of the file it
/// stands for. Events that a version lacks are none, as in Go's `raw` package.
fn print(version: Version, file: &[u8], style: Style) -> (Vec<u8>, usize) {
    let mut writer = Writer::new(style);
    let mut text = Vec::new();
    writer.header(version, &mut text);
    let mut at = HEADER_LEN;
    while let Ok(Some(record)) = decode_record(&file[at..], version) {
        writer.record(&record, &mut text);
        at += record.bytes().len();
    }
    (text, at)
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

// The type and the numbers of a record must fit the buffer of `round_trip`.
const _: () = assert!(limits::MAX_ARGS * 10 < 128);
