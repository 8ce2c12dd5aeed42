//! `exectrace rewrite`: a trace from a trace.

use std::{
    io::{BufWriter, Write as _},
    path::PathBuf,
};

use clap::{Args, Subcommand, ValueHint};
use exectrace_reader::{Options, Reader, Version};
use exectrace_rewrite::{Changes, Losses, RewriteError, rewrite};

use super::assemble::parse_version;
use crate::{
    args::{Global, source_parser},
    error::{Failure, Outcome},
    input::{self, Expected, OnDamage, Source},
    output::OutputFile,
    progress::Progress,
    terminal::harmless,
    units,
};

/// Write a trace again: in another version of the format, or with less in it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  exectrace rewrite convert trace.out --to 1.22 -o old.out
  exectrace rewrite filter trace.out --drop-stacks -o small.out")]
pub(crate) struct RewriteArgs {
    #[command(subcommand)]
    command: Rewriting,
}

#[derive(Debug, Subcommand)]
enum Rewriting {
    Convert(ConvertArgs),
    Filter(FilterArgs),
}

/// Write a trace of Go 1.22 or later in another version of the format
#[derive(Debug, Args)]
#[command(after_help = "\
What the version cannot express is expanded into what it can, or it is lost; what is lost is said.

Example:
  exectrace rewrite convert trace.out --to 1.22 -o old.out")]
struct ConvertArgs {
    #[command(flatten)]
    files: Files,
    /// The version of the trace to write: 1.22, 1.23, 1.25 or 1.26
    #[arg(long, value_name = "1.N", value_parser = parse_version)]
    to: Version,
}

/// Leave something out of a trace of Go 1.22 or later
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  exectrace rewrite filter trace.out --drop-stacks -o small.out")]
struct FilterArgs {
    #[command(flatten)]
    files: Files,
    /// Leave out all stacks, and with them the names of functions and files
    #[arg(long, required_unless_present = "drop_samples")]
    drop_stacks: bool,
    /// Leave out the samples of the CPU profiler
    #[arg(long)]
    drop_samples: bool,
}

#[derive(Debug, Args)]
struct Files {
    /// The trace: a file, an http:// address, or `-` for standard input. May be compressed with gzip
    /// or zstd
    #[arg(value_name = "TRACE", value_parser = source_parser(), value_hint = ValueHint::FilePath)]
    trace: Source,
    /// The trace to write; it appears when it is complete
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
}

pub(crate) fn run(args: &RewriteArgs, global: &Global) -> Result<Outcome, Failure> {
    match &args.command {
        Rewriting::Convert(args) => {
            let changes = Changes::default();
            rewritten(&args.files, Some(args.to), changes, global)
        }
        Rewriting::Filter(args) => {
            let changes = Changes::default()
                .drop_stacks(args.drop_stacks)
                .drop_samples(args.drop_samples);
            rewritten(&args.files, None, changes, global)
        }
    }
}

/// Without a version, the trace keeps its own.
fn rewritten(
    files: &Files,
    version: Option<Version>,
    changes: Changes,
    global: &Global,
) -> Result<Outcome, Failure> {
    // 1. Open both files.
    let name = files.trace.to_string();
    let input = input::open(
        &files.trace,
        Expected::Binary,
        OnDamage::Fail,
        !global.quiet,
    )?;
    let progress = Progress::start(
        !global.quiet,
        "rewriting",
        input.stored.clone(),
        input.total,
    );
    let mut reader = Reader::overlapped(input.bytes, Options::default())
        .map_err(|error| Failure::trace(&name, error))?;
    let cannot_write = |error| Failure::output(files.output.display(), error);
    let file = BufWriter::with_capacity(BUFFER, OutputFile::create(&files.output)?);

    // 2. Write, and only then give the file its name.
    let version = version.unwrap_or(reader.version());
    let (mut file, losses) =
        rewrite(&mut reader, file, version, changes).map_err(|error| match error {
            RewriteError::Read(error) => Failure::trace(&name, error),
            RewriteError::Write(error) => cannot_write(error),
            error => Failure::Malformed {
                name: name.clone(),
                reason: error.to_string(),
            },
        })?;
    file.flush().map_err(cannot_write)?;
    let file = file
        .into_inner()
        .map_err(|error| cannot_write(error.into_error()))?;
    file.commit().map_err(cannot_write)?;
    drop(progress);
    if !global.quiet {
        remark(&name, &losses);
    }
    Ok(Outcome::Fine)
}

const BUFFER: usize = 256 * 1024;

/// Says what is lost, a line a kind.
fn remark(name: &str, losses: &Losses) {
    let mut text = String::new();
    for (n, one, many) in losses.iter() {
        let what = units::counted(n, one, many);
        text += &format!("exectrace: {}: {what}\n", harmless(name));
    }
    // Nobody is left to be told if this fails.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
