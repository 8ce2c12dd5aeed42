//! Our text of traces against Go's, byte for byte.

mod common;

use std::io::Cursor;

use common::{cases, first_difference, read, traces};
use exectrace_export::ParsedWriter;
use exectrace_reader::{Error, Options, Reader};

/// The text of a trace up to its end or an error.
fn text(mut reader: Reader<'_>) -> (Vec<u8>, Option<Error>) {
    let mut writer = ParsedWriter::new();
    let mut out = Vec::new();
    loop {
        match reader.next_event() {
            Ok(Some(event)) => writer.write_event(&mut out, &event),
            Ok(None) => return (out, None),
            Err(error) => return (out, Some(error)),
        }
    }
}

#[test]
fn real_and_damaged_traces_read_as_go_prints_them() {
    let mut failures = Vec::new();
    let cases = cases(&traces().join("corpus"), ".parsed.gz");
    for case in &cases {
        let go = read(&case.golden);
        let (ours, _) = text(Reader::new(&case.trace[..]).unwrap());
        if let Some(difference) = first_difference(&ours, &go) {
            failures.push(format!("{}: {difference}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Edge cases have Go's text, then what became of the reader and of Go's validator.
#[test]
fn edge_cases_read_as_go_prints_them() {
    let mut failures = Vec::new();
    let cases = cases(&traces().join("edge"), ".expected");
    for case in &cases {
        let expected = String::from_utf8(read(&case.golden)).unwrap();
        let (go, ending) = split_ending(&expected);
        let (ours, error) = text(Reader::new(&case.trace[..]).unwrap());
        let agree = if ending.starts_with("panic: ") {
            // Go stops there; what comes after is ours to decide.
            ours.starts_with(go.as_bytes())
        } else {
            ours == go.as_bytes() && (ending == "END: EOF") == error.is_none()
        };
        if !agree {
            let difference = first_difference(&ours, go.as_bytes());
            failures.push(format!(
                "{}: {}\nGo's {ending}, ours {error:?}",
                case.name,
                difference.unwrap_or_default()
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Go's text, and the line after it that says how reading ended.
fn split_ending(expected: &str) -> (String, &str) {
    let mut go = String::new();
    for line in expected.split_inclusive('\n') {
        match line.split_once(": ") {
            Some(("END" | "panic", _)) => return (go, line.trim_end()),
            Some(("VALIDATE", _)) => {}
            _ => go.push_str(line),
        }
    }
    panic!("no ending in {expected}");
}

/// The overlapped reader delivers the same events.
#[test]
fn overlapped_reading_gives_the_same_text() {
    for case in cases(&traces().join("corpus"), ".parsed.gz") {
        let overlapped =
            Reader::overlapped(Cursor::new(case.trace.clone()), Options::default()).unwrap();
        let (ours, error) = text(overlapped);
        let (inline, inline_error) = text(Reader::new(&case.trace[..]).unwrap());
        assert!(ours == inline, "{}", case.name);
        assert_eq!(
            error.map(|error| error.to_string()),
            inline_error.map(|error| error.to_string()),
            "{}",
            case.name
        );
    }
}
