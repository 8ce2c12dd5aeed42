//! Golden tests as text files.
//!
//! ```text
//! # A goroutine cannot be created twice.
//! -- expect --
//! FAILURE
//! go: tried to create goroutine (1) that already existed
//! exectrace: goroutine 1 exists already (at …)
//! -- events --
//! M=-1 P=-1 G=-1 Sync Time=64 N=1
//! -- trace --
//! Trace Go1.26
//! …
//! ```
//!
//! `expect` begins with SUCCESS or FAILURE; `events` is what `go tool trace -d=parsed` of Go 1.27.3
//! prints in UTC, up to the error if there is one. Instead of `trace` there is `hex`, the bytes of
//! the file, where the text form cannot express them. A line `differs: why` says that Go's answer
//! is not ours on purpose; then `events` are ours. A line `validator: message` is what Go's test
//! validator, which is stricter than its parser, says about the trace.

use core::fmt::{self, Write as _};
use std::{env, fs, io, path::PathBuf};

use crate::layout::Layout;
use exectrace_wire::{
    HEADER_LEN, decode_record, parse_header,
    text::{self, Style, Writer},
};

/// A golden test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Golden {
    /// The lines of the scenario.
    pub scenario: Vec<String>,
    /// Whether the trace is read to its end.
    pub success: bool,
    /// Go's error, its first line.
    pub go_error: Option<String>,
    /// Our error.
    pub our_error: Option<String>,
    /// Why our answer differs from Go's.
    pub differs: Option<String>,
    /// What Go's validator objects to.
    pub validator: Option<String>,
    /// The events as text.
    pub events: String,
    /// The trace.
    pub trace: Trace,
}

/// A trace in a golden file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// In Go's raw text form.
    Text(String),
    /// As bytes.
    Hex(Vec<u8>),
}

impl Default for Trace {
    fn default() -> Self {
        Self::Hex(Vec::new())
    }
}

impl Trace {
    /// The text form if it can express the trace, else bytes.
    ///
    /// What the text form does not show is how batches' sizes are padded: the file that the text
    /// describes has the shortest numbers.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        match to_text(bytes) {
            Some(text) => Self::Text(text),
            None => Self::Hex(bytes.to_vec()),
        }
    }

    /// The file.
    ///
    /// # Panics
    ///
    /// If the text is none.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text::parse(text.as_bytes())
                .unwrap_or_else(|error| panic!("the trace's text is broken: {error}")),
            Self::Hex(bytes) => bytes.clone(),
        }
    }
}

/// The text form of a trace whose records can all be decoded.
fn to_text(bytes: &[u8]) -> Option<String> {
    let version = parse_header(bytes).ok()?;
    let mut writer = Writer::new(Style::Go);
    let mut out = Vec::new();
    writer.header(version, &mut out);
    let mut rest = &bytes[HEADER_LEN..];
    while let Some(record) = decode_record(rest, version).ok()? {
        writer.record(&record, &mut out);
        rest = &rest[record.bytes().len()..];
    }
    // A cut record has no text, and a size that does not fit its batch might not survive.
    let same = Layout::parse(bytes).ok()? == Layout::parse(&text::parse(&out).ok()?).ok()?;
    String::from_utf8(out)
        .ok()
        .filter(|_| same && rest.is_empty())
}

/// Why a file is no golden test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenError(String);

impl fmt::Display for GoldenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GoldenError {}

impl Golden {
    /// Parses a golden file.
    ///
    /// # Errors
    ///
    /// [`GoldenError`] if a section is missing or malformed.
    pub fn parse(file: &str) -> Result<Self, GoldenError> {
        let sections = Sections::parse(file);
        let mut golden = Self {
            scenario: sections.head.iter().map(|line| uncommented(line)).collect(),
            events: sections.get("events")?.to_owned(),
            trace: match sections.get("trace") {
                Ok(text) => Trace::Text(text.to_owned()),
                Err(_) => Trace::Hex(parse_hex(sections.get("hex")?)?),
            },
            ..Self::default()
        };
        let mut lines = sections.get("expect")?.lines();
        golden.success = match lines.next() {
            Some("SUCCESS") => true,
            Some("FAILURE") => false,
            other => return Err(GoldenError(format!("{other:?} is no outcome"))),
        };
        for line in lines {
            let (key, value) = line
                .split_once(": ")
                .ok_or_else(|| GoldenError(format!("{line:?} is no expectation")))?;
            let field = match key {
                "go" => &mut golden.go_error,
                "exectrace" => &mut golden.our_error,
                "differs" => &mut golden.differs,
                "validator" => &mut golden.validator,
                _ => return Err(GoldenError(format!("{key:?} is no expectation"))),
            };
            *field = Some(value.to_owned());
        }
        Ok(golden)
    }
}

impl fmt::Display for Golden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.scenario {
            writeln!(f, "{}", format!("# {line}").trim_end())?;
        }
        let outcome = if self.success { "SUCCESS" } else { "FAILURE" };
        writeln!(f, "-- expect --\n{outcome}")?;
        let fields = [
            ("go", &self.go_error),
            ("exectrace", &self.our_error),
            ("differs", &self.differs),
            ("validator", &self.validator),
        ];
        for (key, value) in fields {
            if let Some(value) = value {
                writeln!(f, "{key}: {value}")?;
            }
        }
        write!(f, "-- events --\n{}", self.events)?;
        match &self.trace {
            Trace::Text(text) => write!(f, "-- trace --\n{text}"),
            Trace::Hex(bytes) => write!(f, "-- hex --\n{}", to_hex(bytes)),
        }
    }
}

fn uncommented(line: &str) -> String {
    let line = line.strip_prefix('#').unwrap_or(line);
    line.strip_prefix(' ').unwrap_or(line).to_owned()
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for row in bytes.chunks(16) {
        let row: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(text, "{}", row.join(" "));
    }
    text
}

fn parse_hex(text: &str) -> Result<Vec<u8>, GoldenError> {
    text.split_whitespace()
        .map(|byte| {
            u8::from_str_radix(byte, 16).map_err(|_| GoldenError(format!("{byte:?} is no byte")))
        })
        .collect()
}

/// A text file of sections that each begin with a line `-- name --`, after a head (Go: txtar).
#[derive(Clone, Debug)]
pub struct Sections<'a> {
    /// The lines before the first section.
    pub head: Vec<&'a str>,
    sections: Vec<(&'a str, &'a str)>,
}

impl<'a> Sections<'a> {
    /// Cuts a file into sections.
    #[must_use]
    pub fn parse(file: &'a str) -> Self {
        let mut head = Vec::new();
        let mut sections: Vec<(&str, usize, usize)> = Vec::new();
        let mut at = 0;
        for line in file.split_inclusive('\n') {
            let name = line
                .trim_end()
                .strip_prefix("-- ")
                .and_then(|line| line.strip_suffix(" --"));
            at += line.len();
            match (name, sections.last_mut()) {
                (Some(name), _) => sections.push((name, at, at)),
                (None, Some((_, _, end))) => *end = at,
                (None, None) => head.push(line.trim_end()),
            }
        }
        let sections = sections
            .into_iter()
            .map(|(name, start, end)| (name, &file[start..end]))
            .collect();
        Self { head, sections }
    }

    /// The text of a section.
    ///
    /// # Errors
    ///
    /// [`GoldenError`] if there is none of that name.
    pub fn get(&self, name: &str) -> Result<&'a str, GoldenError> {
        self.sections
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, text)| *text)
            .ok_or_else(|| GoldenError(format!("section {name:?} is missing")))
    }
}

/// The folder of the golden files.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden")
}

/// Whether golden files are to be refreshed instead of compared.
#[must_use]
pub fn updating() -> bool {
    env::var_os("UPDATE_GOLDEN").is_some_and(|value| value != "0")
}

/// The golden files, by name.
///
/// # Errors
///
/// If the folder cannot be listed.
pub fn files() -> io::Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "test")
    });
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    #[test]
    fn golden_files_round_trip() {
        let golden = Golden {
            scenario: vec!["One.".into(), String::new(), "Two.".into()],
            success: false,
            go_error: Some("a: b".into()),
            our_error: Some("c".into()),
            differs: None,
            validator: Some("d".into()),
            events: "M=1\n\nStack=\n".into(),
            trace: Trace::Text("Trace Go1.26\n".into()),
        };
        assert_eq!(Golden::parse(&golden.to_string()), Ok(golden.clone()));
        let golden = Golden {
            trace: Trace::Hex((0..100).collect()),
            ..golden
        };
        assert_eq!(Golden::parse(&golden.to_string()), Ok(golden));
    }

    /// The cases are the source; a file that nobody makes, or that was not made again, is stale.
    #[test]
    fn golden_files_are_those_of_the_cases() {
        let mut expected: Vec<_> = cases::all().map(|case| case.file_name()).collect();
        expected.sort();
        let files = files().expect("the folder of golden files");
        let found: Vec<_> = files
            .iter()
            .filter_map(|path| path.file_name()?.to_str())
            .collect();
        assert_eq!(
            found, expected,
            "run `cargo run -p exectrace-testkit --example golden`"
        );
        for case in cases::all() {
            let path = folder().join(case.file_name());
            let file = fs::read_to_string(&path).expect("the golden file");
            let golden = Golden::parse(&file).expect("a golden file");
            assert_eq!(golden.to_string(), file, "{}", case.file_name());
            assert_eq!(
                golden.trace,
                Trace::new(&case.trace()),
                "{}",
                case.file_name()
            );
            let scenario: Vec<_> = case.scenario().collect();
            assert_eq!(golden.scenario, scenario, "{}", case.file_name());
        }
    }
}
