//! The text form of real traces, whole and damaged, against what Go 1.27.3 printed for them.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use exectrace_wire::{
    Family, HEADER_LEN, RecordError, Version, decode_record, parse_header,
    text::{Parser, Style, Writer, parse},
};

/// How the records of a file end.
#[derive(Debug, PartialEq)]
enum End {
    Clean,
    Error(RecordError),
}

/// The lines of a file up to its end or its first error, and how many bytes they cover.
fn dump(file: &[u8], version: Version, style: Style) -> (Vec<u8>, usize, End) {
    let mut writer = Writer::new(style);
    let mut out = Vec::new();
    let mut at = HEADER_LEN;
    loop {
        match decode_record(&file[at..], version) {
            Ok(Some(record)) => {
                writer.record(&record, &mut out);
                at += record.bytes().len();
            }
            Ok(None) if at == file.len() => return (out, at, End::Clean),
            Ok(None) => return (out, at, End::Error(RecordError::Truncated)),
            Err(error) => return (out, at, End::Error(error)),
        }
    }
}

/// The traces of the v2 family in `folder` that have Go's text beside them, by name.
fn traces(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "trace"))
        .filter(|path| wire_text(path).exists())
        .filter(|path| {
            parse_header(&fs::read(path).unwrap())
                .is_ok_and(|version| version.family() == Family::V2)
        })
        .collect();
    paths.sort();
    paths
}

fn wire_text(path: &Path) -> PathBuf {
    path.with_extension("wire.gz")
}

/// Checks one trace in all directions.
fn check(path: &Path) -> End {
    let name = path.file_stem().unwrap().to_string_lossy();
    let file = fs::read(path).unwrap();
    let version = parse_header(&file).unwrap();
    let mut expected = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(wire_text(path)).unwrap())
        .read_to_end(&mut expected)
        .unwrap();

    // 1. Our lines are Go's, but for two documented differences.
    let (found, _, end) = dump(&file, version, Style::Go);
    if let Some(first) = difference(&found, &expected) {
        let ours = line_at(&found, first);
        let go = line_at(&expected, first);
        let experiment = version < Version::Go126
            && go.is_none()
            && ours.is_some_and(|line| {
                ["Span", "HeapObject", "GoroutineStack"]
                    .iter()
                    .any(|name| line.starts_with(name))
            });
        let unassigned = version >= Version::Go126
            && matches!(end, End::Error(RecordError::UnknownType(53..=127)))
            && ours.is_none()
            && go == Some("");
        assert!(
            experiment || unassigned,
            "{name}: ours {ours:?}, Go's {go:?} at byte {first}; ours ends with {end:?}"
        );
    }

    // 2. Text becomes the binary that prints the same, with and without a header line.
    let mut text = Vec::new();
    Writer::default().header(version, &mut text);
    text.extend_from_slice(&found);
    let shortest = parse(&text).unwrap();
    let (again, _, again_end) = dump(&shortest, version, Style::Go);
    assert_eq!(again_end, End::Clean, "{name}");
    assert!(difference(&again, &found).is_none(), "{name}");
    let mut headerless = Vec::new();
    let mut parser = Parser::headerless(version, &mut headerless);
    for line in found.split_inclusive(|byte| *byte == b'\n') {
        parser
            .line(line.strip_suffix(b"\n").unwrap(), &mut headerless)
            .unwrap();
    }
    parser.finish(&mut headerless).unwrap();
    assert!(headerless == shortest, "{name}");

    // 3. Lossless text becomes the very bytes of the file.
    text.clear();
    Writer::default().header(version, &mut text);
    let (lossless, covered, _) = dump(&file, version, Style::Lossless);
    text.extend_from_slice(&lossless);
    let binary = parse(&text).unwrap();
    assert!(
        binary == file[..covered],
        "{name}: lossless text lost bytes"
    );
    end
}

/// Where the two first differ.
fn difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (common < a.len().max(b.len())).then_some(common)
}

/// The line in which byte `at` of `text` stands, or `None` at its end.
fn line_at(text: &[u8], at: usize) -> Option<&str> {
    let start = text[..at].iter().rposition(|byte| *byte == b'\n');
    let line = &text[start.map_or(0, |newline| newline + 1)..];
    let end = line.iter().position(|byte| *byte == b'\n')?;
    Some(str::from_utf8(&line[..end]).unwrap())
}

#[test]
fn committed_traces_print_as_go_prints_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus");
    let paths = traces(&folder);
    let mut versions: Vec<_> = paths
        .iter()
        .map(|path| parse_header(&fs::read(path).unwrap()).unwrap())
        .collect();
    versions.sort();
    versions.dedup();
    assert_eq!(versions, Version::V2, "testdata/corpus lacks a version");
    for path in paths {
        check(&path);
    }
}

#[test]
fn damaged_bytes_are_told_or_kept_and_damaged_text_does_no_harm() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus/go1.27-idle.trace");
    let whole = fs::read(path).unwrap();
    let version = parse_header(&whole).unwrap();
    let mut refused = 0;
    for at in (HEADER_LEN..whole.len()).step_by(5) {
        // 1. Any damage to the file shows in its text, or ends it.
        let mut file = whole.clone();
        file[at] ^= 1 << (at % 8);
        let mut text = Vec::new();
        Writer::default().header(version, &mut text);
        let (lines, covered, _) = dump(&file, version, Style::Lossless);
        text.extend_from_slice(&lines);
        assert!(parse(&text).unwrap() == file[..covered], "bit of byte {at}");
        // 2. Any damage to the text is refused, or makes a file that prints.
        let middle = text.len() / 2 + at;
        if let Some(byte) = text.get_mut(middle) {
            *byte ^= 1 << (at % 7);
        }
        match parse(&text) {
            Ok(file) => assert_eq!(dump(&file, version, Style::Go).2, End::Clean),
            Err(error) => {
                assert!(error.line > 1 && !error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(
        refused > 100,
        "most damage to text is refused, found {refused}"
    );
}

/// The folder of the large corpus, which is not part of the repository.
fn shared_corpus() -> Option<PathBuf> {
    let shared = std::env::var_os("EXECTRACE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let corpus = shared.join("corpus");
    corpus.is_dir().then_some(corpus)
}

/// The value of a field of a line of the manifest, which has no nested objects.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let key = format!("\"{name}\": ");
    let value = &line[line.find(&key).unwrap() + key.len()..];
    match value.strip_prefix('"') {
        Some(text) => &text[..text.find('"').unwrap()],
        None => &value[..value.find([',', '}']).unwrap()],
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn every_shared_trace_prints_as_go_prints_it() {
    let Some(corpus) = shared_corpus() else {
        eprintln!("skipped: no ../shared (or EXECTRACE_SHARED) with a corpus");
        return;
    };
    let manifest = fs::read_to_string(corpus.join("MANIFEST.jsonl")).unwrap();
    let paths = traces(&corpus);
    assert!(paths.len() > 200, "found {} traces only", paths.len());
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let line = manifest
            .lines()
            .find(|line| field(line, "name") == name)
            .unwrap();
        let error = field(line, "wire_stderr");
        match (check(&path), field(line, "wire_rc"), error) {
            (End::Clean, "0", _) => {}
            // Go takes the end of the file before a number for the end of the trace.
            (End::Error(RecordError::Truncated), "0", _) => {}
            (End::Error(RecordError::Truncated), "1", r"unexpected EOF\n") => {}
            (End::Error(RecordError::Number { .. }), "1", error) => {
                assert!(error.contains("varint overflows"), "{name}: {error}");
            }
            (End::Error(RecordError::UnknownType(byte)), "1", error)
                if error == format!(r"invalid event type: {byte}\n") => {}
            (End::Error(RecordError::NotInVersion { event_type, .. }), "1", error)
                if error == format!(r"invalid event type: {}\n", event_type.to_wire()) => {}
            // Unassigned ids, to Go empty lines.
            (End::Error(RecordError::UnknownType(53..=127)), _, _) => {}
            // Experiments of Go 1.23 and 1.25.
            (End::Clean, "1", error) if error.starts_with("invalid event type: 1") => {}
            (end, rc, error) => panic!("{name}: ours {end:?}, Go's exit code {rc}: {error}"),
        }
    }
}
