//! Every record both ways, and each documented difference from Go.

use super::*;
use crate::{
    EventType, HEADER_LEN, Payload, SPECS, Version, decode_record, encode_event,
    limits::{MAX_BATCH_BYTES, MAX_RAW_FRAMES, MAX_TEXT_LINE_BYTES, MAX_VARINT_BYTES},
    quote::{UnquoteError, UnquoteErrorKind},
    varint,
};

/// The lines of a whole file, without the header line.
fn dump(file: &[u8], style: Style) -> String {
    let version = crate::parse_header(file).unwrap();
    let mut writer = Writer::new(style);
    let mut out = Vec::new();
    let mut rest = &file[HEADER_LEN..];
    while let Some(record) = decode_record(rest, version).unwrap() {
        writer.record(&record, &mut out);
        rest = &rest[record.bytes().len()..];
    }
    assert!(rest.is_empty());
    String::from_utf8(out).unwrap()
}

fn file(version: Version, records: &[u8]) -> Vec<u8> {
    [&version.header()[..], records].concat()
}

fn parse_lines(version: Version, lines: &str) -> Result<Vec<u8>, TextErrorKind> {
    let text = format!("Trace Go1.{}\n{lines}", version.minor());
    parse(text.as_bytes())
        .map(|file| file[HEADER_LEN..].to_vec())
        .map_err(|error| error.kind)
}

/// A record of the row's kind, with `value` in every number that is free.
fn record(spec: &crate::EventSpec, value: u64) -> (Vec<u8>, String) {
    let mut args = vec![value; spec.args.len()];
    let mut payload = Vec::new();
    let mut lines = String::new();
    match spec.payload {
        Payload::None => {}
        Payload::Data => {
            payload.extend([3, b'a', b'"', 0xff]);
            lines.push_str("\tdata=\"a\\\"\\xff\"\n");
        }
        Payload::Frames => {
            args[crate::record::FRAME_COUNT] = 2;
            for line in 0..2 {
                for number in [value, 1, 2, line] {
                    let mut buffer = [0; MAX_VARINT_BYTES];
                    let n = varint::write(&mut buffer, number).unwrap();
                    payload.extend_from_slice(&buffer[..n]);
                }
                lines.push_str(&format!("\tpc={value} func=1 file=2 line={line}\n"));
            }
        }
    }
    let mut buffer = [0; 99];
    let n = encode_event(&mut buffer, spec.event_type, &args).unwrap();
    let mut head = spec.name.to_string();
    for (arg, value) in spec.args.iter().zip(args) {
        head.push_str(&format!(" {}={value}", arg.name));
    }
    (
        [&buffer[..n], &payload].concat(),
        format!("{head}\n{lines}"),
    )
}

#[test]
fn every_record_round_trips_with_numbers_of_every_length() {
    let mut value = 1u64;
    let mut values = vec![0, u64::MAX];
    for _ in 0..20 {
        values.extend([value - 1, value, value + value / 2]);
        value = value.saturating_mul(10);
    }
    for spec in SPECS {
        for &value in &values {
            let (bytes, lines) = record(spec, value);
            for version in Version::V2.into_iter().filter(|v| spec.since <= *v) {
                let file = file(version, &bytes);
                assert_eq!(dump(&file, Style::Go), lines);
                assert_eq!(dump(&file, Style::Lossless), lines);
                assert_eq!(parse_lines(version, &lines), Ok(bytes.clone()));
            }
        }
    }
}

#[test]
fn versions_have_the_events_that_their_producers_wrote() {
    for spec in SPECS {
        let (bytes, lines) = record(spec, 1);
        for version in Version::V2 {
            let expected = match (version.minor(), spec.event_type as u8) {
                (22, id) => id <= 44,
                (23, id) => id <= 49 || id >= 128,
                (25, id) => id <= 51 || id >= 128,
                _ => true,
            };
            assert_eq!(decode_record(&bytes, version).is_ok(), expected, "{spec:?}");
            let parsed = parse_lines(version, &lines);
            if expected {
                assert_eq!(parsed, Ok(bytes.clone()));
            } else {
                let event_type = spec.event_type;
                assert_eq!(
                    parsed,
                    Err(TextErrorKind::NotInVersion {
                        event_type,
                        version
                    })
                );
            }
        }
    }
}

#[test]
fn padding_survives_in_lossless_text_only() {
    let mut batch = vec![EventType::EventBatch.to_wire(), 1, 0x82, 0x00, 3];
    batch.extend(varint::padded(2));
    batch.extend([EventType::ProcStop.to_wire(), 5]);
    // A string whose length is padded, and a stack whose last number is.
    batch.extend([EventType::String.to_wire(), 1, 0x81, 0x00, b'x']);
    batch.extend([EventType::Stack.to_wire(), 1, 1, 1, 2, 3, 0x84, 0x80, 0x00]);
    let file = file(Version::Go126, &batch);

    let plain = "EventBatch gen=1 m=2 time=3 size=2\nProcStop dt=5\nString id=1\n\tdata=\"x\"\n\
                 Stack id=1 nframes=1\n\tpc=1 func=2 file=3 line=4\n";
    assert_eq!(dump(&file, Style::Go), plain);
    let parsed = parse_lines(Version::Go126, plain).unwrap();
    assert_eq!(
        parsed,
        [1, 1, 2, 3, 2, 11, 5, 5, 1, 1, b'x', 3, 1, 1, 1, 2, 3, 4]
    );

    let lossless = dump(&file, Style::Lossless);
    assert_eq!(
        lossless,
        "#exectrace:widths 2:2 4:10\nEventBatch gen=1 m=2 time=3 size=2\nProcStop dt=5\n\
         #exectrace:widths 2:2\nString id=1\n\tdata=\"x\"\n\
         #exectrace:widths 6:3\nStack id=1 nframes=1\n\tpc=1 func=2 file=3 line=4\n"
    );
    assert_eq!(parse_lines(Version::Go126, &lossless), Ok(batch));
}

#[test]
fn long_lists_of_widths_are_split_over_lines() {
    let frames = 700;
    let mut record = vec![EventType::Stack.to_wire(), 1, 0xbc, 0x05];
    record.extend([0x81, 0x00].repeat(4 * frames));
    let text = dump(&file(Version::Go122, &record), Style::Lossless);
    assert_eq!(text.matches(WIDTHS).count(), 3);
    assert!(text.lines().all(|line| line.len() < 64 * 1024));
    assert_eq!(parse_lines(Version::Go122, &text), Ok(record));
}

#[test]
fn empty_data_has_no_line_in_gos_form_and_comes_back() {
    let empty = [EventType::String.to_wire(), 7, 0];
    let records = [&empty[..], &[EventType::ProcStop.to_wire(), 5], &empty].concat();
    let file = file(Version::Go122, &records);
    let plain = dump(&file, Style::Go);
    assert_eq!(plain, "String id=7\nProcStop dt=5\nString id=7\n");
    assert_eq!(parse_lines(Version::Go122, &plain), Ok(records.clone()));

    let lossless = dump(&file, Style::Lossless);
    assert_eq!(
        lossless,
        "String id=7\n\tdata=\"\"\nProcStop dt=5\nString id=7\n\tdata=\"\"\n"
    );
    assert_eq!(parse_lines(Version::Go122, &lossless), Ok(records));

    // The comment belongs to the record after the empty one.
    assert_eq!(
        parse_lines(
            Version::Go122,
            "String id=7\n#exectrace:widths 1:2\nProcStop dt=5\n"
        ),
        Ok(vec![5, 7, 0, 11, 0x85, 0])
    );
}

#[test]
fn reads_what_gos_reader_reads() {
    let expected = parse_lines(
        Version::Go126,
        "GoStart dt=1 g=2 g_seq=3\nString id=1\n\tdata=\"#x\"\nStack id=1 nframes=1\n\
         \tpc=1 func=2 file=3 line=4\n",
    );
    assert!(expected.is_ok());
    for text in [
        "\n# comment\n \t# comment\n\u{2003}GoStart\u{a0}dt=001   g=2\tg_seq=3 \r\nString id=1\n\
               # comment\n\ndata = `#x` \nStack id=1 nframes=1\npc=1\tfunc=2 file=3 line=4",
        "GoStart dt=1 g=2 g_seq=3\nString id=1\n data=\"\\x23\\170\"\n#c\nStack id=1 nframes=1\n\
         #c\n\n   pc=1 func=2 file=3 line=4\n\n#\n",
    ] {
        assert_eq!(parse_lines(Version::Go126, text), expected);
    }
    assert!(parse(b"\n# comment\n\n Trace\tGo1.26 \r\n").is_ok());
    assert!(parse(b"Trace Go1.0026").is_ok());
}

#[test]
fn headerless_text_needs_a_version() {
    let mut out = Vec::new();
    let mut parser = Parser::headerless(Version::Go123, &mut out);
    parser.line(b"GoDestroy dt=1", &mut out).unwrap();
    parser.finish(&mut out).unwrap();
    assert_eq!(out, file(Version::Go123, &[17, 1]));
    assert_eq!(parser.version(), Some(Version::Go123));
    assert_eq!(Parser::new().version(), None);
}

#[test]
fn errors_name_line_expectation_and_finding() {
    let error = |text: &str| parse(text.as_bytes()).unwrap_err();
    let e = |text: &str| Excerpt::new(text.as_bytes());
    use TextErrorKind as Kind;
    for (text, line, kind) in [
        ("", 1, Kind::MissingHeader),
        ("# only\n\n", 2, Kind::MissingHeader),
        ("GoStart dt=1", 1, Kind::Header(e("GoStart"))),
        ("Trace 1.26", 1, Kind::Header(e("1.26"))),
        ("Trace", 1, Kind::Header(e(""))),
        ("Trace Go1.21", 1, Kind::UnsupportedVersion(e("Go1.21"))),
        ("Trace Go1.24", 1, Kind::UnsupportedVersion(e("Go1.24"))),
        ("Trace Go1.x", 1, Kind::UnsupportedVersion(e("Go1.x"))),
        ("Trace Go1.26 x", 1, Kind::Trailing(e("x"))),
        ("Trace Go1.26 # x", 1, Kind::Trailing(e("# x"))),
        (
            "Trace Go1.26\n\nGoFoo dt=1",
            3,
            Kind::UnknownEvent(e("GoFoo")),
        ),
        (
            "Trace Go1.26\nGoDestroy dt=1 # x",
            2,
            Kind::Trailing(e("# x")),
        ),
        (
            "Trace Go1.26\nGoStart dt=1 g_seq=1 g=1",
            2,
            Kind::Argument {
                expected: "g",
                found: e("g_seq=1"),
            },
        ),
        (
            "Trace Go1.26\nGoStart dt=1",
            2,
            Kind::Argument {
                expected: "g",
                found: e(""),
            },
        ),
        (
            "Trace Go1.26\nGoDestroy dt=18446744073709551616",
            2,
            Kind::Value {
                arg: "dt",
                found: e("18446744073709551616"),
            },
        ),
        (
            "Trace Go1.26\nString id=1\n\tdata",
            3,
            Kind::Data(e("\tdata")),
        ),
        (
            "Trace Go1.26\nString id=1\n\tdata=x",
            3,
            Kind::Literal(UnquoteError {
                offset: 0,
                kind: UnquoteErrorKind::NoQuote,
            }),
        ),
        (
            "Trace Go1.26\nStack id=1 nframes=2\n\tpc=1 func=2 file=3 line=4\nSync",
            4,
            Kind::Argument {
                expected: "pc",
                found: e("Sync"),
            },
        ),
        (
            "Trace Go1.26\nStack id=1 nframes=2\n\tpc=1 func=2 file=3 line=4\n",
            3,
            Kind::MissingFrames(1),
        ),
        (
            "Trace Go1.26\nStack id=1 nframes=16385",
            2,
            Kind::TooManyFrames(16385),
        ),
        (
            "Trace Go1.26\n#exectrace:widths 2:1\nSync",
            3,
            Kind::WidthUnused(2),
        ),
        (
            "Trace Go1.26\n#exectrace:widths 1:1\nGoDestroy dt=128",
            3,
            Kind::WidthTooSmall {
                value: 128,
                width: 1,
            },
        ),
        (
            "Trace Go1.26\n#exectrace:widths 1:11",
            2,
            Kind::Widths(e("1:11")),
        ),
        (
            "Trace Go1.26\n#exectrace:widths 0:1",
            2,
            Kind::Widths(e("0:1")),
        ),
        (
            "Trace Go1.26\n#exectrace:widths 2:1 1:1",
            2,
            Kind::Widths(e("1:1")),
        ),
        (
            "Trace Go1.26\n#exectrace:widths 1:1\n#",
            3,
            Kind::WidthUnused(1),
        ),
    ] {
        assert_eq!(error(text), TextError { line, kind }, "{text}");
    }
    assert_eq!(
        error("Trace Go1.26\nGoStart dt=1 x=2").to_string(),
        "line 2: expected argument g=..., found \"x=2\""
    );
}

#[test]
fn hostile_text_meets_limits() {
    let long = "x".repeat(MAX_TEXT_LINE_BYTES + 1);
    assert_eq!(
        parse_lines(Version::Go126, &long),
        Err(TextErrorKind::LineTooLong(long.len()))
    );
    let text = format!("String id=1\n\tdata=`{}`", "x".repeat(MAX_BATCH_BYTES + 1));
    assert_eq!(
        parse_lines(Version::Go126, &text),
        Err(TextErrorKind::DataTooLong(MAX_BATCH_BYTES + 1))
    );
    let max = u64::MAX;
    let frame = format!("pc={max} func={max} file={max} line={max}\n");
    let text = format!(
        "Stack id=1 nframes={MAX_RAW_FRAMES}\n{}",
        frame.repeat(MAX_RAW_FRAMES)
    );
    assert_eq!(
        parse_lines(Version::Go126, &text),
        Err(TextErrorKind::RecordTooLong)
    );
    // What is accepted decodes again.
    let frame = "pc=1 func=1 file=1 line=1\n";
    let text = format!(
        "Stack id=1 nframes={MAX_RAW_FRAMES}\n{}",
        frame.repeat(MAX_RAW_FRAMES)
    );
    let bytes = parse_lines(Version::Go126, &text).unwrap();
    let decoded = decode_record(&bytes, Version::Go126).unwrap().unwrap();
    assert_eq!(decoded.bytes().len(), bytes.len());
}

#[test]
fn excerpts_are_short() {
    let excerpt = Excerpt::new(&[b'x'; 1000]);
    assert_eq!(excerpt.bytes().len(), 60);
    assert_eq!(excerpt.to_string(), format!("\"{}\"...", "x".repeat(60)));
}

#[test]
fn names_of_arguments_are_unique_in_their_event() {
    // Otherwise the text form would be ambiguous for a person, though not for the parser.
    for spec in SPECS {
        for (i, arg) in spec.args.iter().enumerate() {
            assert!(spec.args[..i].iter().all(|other| other.name != arg.name));
        }
    }
}
