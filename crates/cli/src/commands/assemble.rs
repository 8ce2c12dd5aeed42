//! `exectrace assemble`: from the text form to a trace.

use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    path::PathBuf,
};

use clap::{Args, ValueHint};
use exectrace_wire::{Version, limits::MAX_TEXT_LINE_BYTES, text::Parser};

use crate::{
    args::{Global, source_parser},
    error::{Failure, Outcome},
    input::{self, Expected, OnDamage, Source},
    output::OutputFile,
    progress::Progress,
};

/// Turn the text form of a trace, as `dump --format wire` prints it, into a trace
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  exectrace assemble trace.txt -o trace.out
  exectrace dump --format wire --lossless trace.out | exectrace assemble - -o same.out
  go tool trace -d=wire trace.out | exectrace assemble --trace-version 1.26 - -o again.out")]
pub(crate) struct AssembleArgs {
    /// The text: a file, or `-` for standard input. May be compressed with gzip or zstd
    #[arg(value_name = "TEXT", value_parser = source_parser(), value_hint = ValueHint::FilePath)]
    text: Source,
    /// The trace to write; it appears when it is complete
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// The version of the trace, for text without the line `Trace Go1.N`
    #[arg(long, value_name = "1.N", value_parser = parse_version)]
    trace_version: Option<Version>,
}

/// A version of the v2 family.
pub(crate) fn parse_version(text: &str) -> Result<Version, String> {
    text.strip_prefix("1.")
        .and_then(|minor| minor.parse().ok())
        .and_then(Version::from_minor)
        .filter(|version| Version::V2.contains(version))
        .ok_or_else(|| "expected 1.22, 1.23, 1.25 or 1.26".to_owned())
}

pub(crate) fn run(args: &AssembleArgs, global: &Global) -> Result<Outcome, Failure> {
    let input = input::open(&args.text, Expected::Text, OnDamage::Fail, !global.quiet)?;
    let mut text = BufReader::with_capacity(256 * 1024, input.bytes);
    let mut file = OutputFile::create(&args.output)?;
    let cannot_write = |error| Failure::output(args.output.display(), error);
    let _progress = Progress::start(!global.quiet, "assembling", input.stored, input.total);

    let mut bytes = Vec::new();
    let mut parser = match args.trace_version {
        Some(version) => Parser::headerless(version, &mut bytes),
        None => Parser::new(),
    };
    let malformed = |error: exectrace_wire::text::TextError| Failure::Malformed {
        name: args.text.to_string(),
        reason: error.to_string(),
    };
    let mut line = Vec::new();
    while next_line(&mut text, &mut line).map_err(|error| Failure::read(&args.text, error))? {
        parser.line(&line, &mut bytes).map_err(malformed)?;
        if bytes.len() >= BUFFER {
            file.write_all(&bytes).map_err(cannot_write)?;
            bytes.clear();
        }
    }
    parser.finish(&mut bytes).map_err(malformed)?;
    file.write_all(&bytes)
        .and_then(|()| file.commit())
        .map_err(cannot_write)?;
    Ok(Outcome::Fine)
}

const BUFFER: usize = 256 * 1024;

/// Reads a line without its line break; false at the end of the text. Of a line that is too long,
/// only as much as it takes for the parser to say so.
fn next_line(text: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let limit = MAX_TEXT_LINE_BYTES as u64 + 2;
    let read = text.by_ref().take(limit).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(read > 0)
}
