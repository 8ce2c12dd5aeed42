//! `exectrace recover`: the trace of a process that was killed.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use exectrace::recover::{self, Error, Recovered};
use exectrace_mend::recover::RecoverError;
use exectrace_reader::Reader;

use crate::{
    args::Global,
    error::{Failure, Outcome},
    output::{self, OutputFile},
    terminal::harmless,
    units,
};

/// Make a trace of what a killed process left: its mapped trace memory, and what it had written
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  exectrace recover app.trace.blocks -o recovered.trace
  exectrace recover app.trace.blocks --written app.trace -o recovered.trace

Both files stay as they are. The exit status is 1 if the recovered trace is not sound to its end.")]
pub(crate) struct RecoverArgs {
    /// The file that the program was told to map its trace memory to
    #[arg(value_name = "BLOCKS", value_hint = ValueHint::FilePath)]
    blocks: PathBuf,
    /// The trace that the program had written by then; unless given, it is looked for where the
    /// program wrote it
    #[arg(long, value_name = "TRACE", value_hint = ValueHint::FilePath)]
    written: Option<PathBuf>,
    /// The trace to write; it appears when it is complete
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
}

pub(crate) fn run(args: &RecoverArgs, global: &Global) -> Result<Outcome, Failure> {
    // 1. Recover.
    let cannot_write = |error| Failure::output(args.output.display(), error);
    let mut file = BufWriter::new(OutputFile::create(&args.output)?);
    let recovered = recover::recover(&args.blocks, args.written.as_deref(), &mut file)
        .map_err(|error| failure(args, error))?;
    file.flush().map_err(cannot_write)?;
    let file = file
        .into_inner()
        .map_err(|error| cannot_write(error.into_error()))?;
    file.commit().map_err(cannot_write)?;

    // 2. See whether it is sound: what threads were writing is joined without an order of events.
    let problem = problem(&args.output)?;
    if !global.quiet {
        output::print(&text(args, &recovered, problem.as_deref()))?;
    }
    Ok(Outcome::with_findings(problem.is_some()))
}

fn failure(args: &RecoverArgs, error: Error) -> Failure {
    match error {
        Error::Open { path, error } => Failure::read(path.display(), error),
        Error::Image { path, error } => Failure::Malformed {
            name: path.display().to_string(),
            reason: error.to_string(),
        },
        Error::Recover(RecoverError::Write(error)) => Failure::output(args.output.display(), error),
        error => Failure::Malformed {
            name: args.blocks.display().to_string(),
            reason: error.to_string(),
        },
    }
}

/// What a reader objects to, if it does.
fn problem(path: &Path) -> Result<Option<String>, Failure> {
    let file = File::open(path).map_err(|error| Failure::read(path.display(), error))?;
    let events = Reader::new(file).and_then(|mut reader| {
        while reader.next_event()?.is_some() {}
        Ok(())
    });
    Ok(events.err().map(|error| error.to_string()))
}

fn text(args: &RecoverArgs, recovered: &Recovered, problem: Option<&str>) -> String {
    let Recovered {
        report,
        process,
        was_closed,
        output,
        changed_files,
        ..
    } = recovered;
    let mut lines = vec![format!(
        "{}: the trace of process {process}",
        args.output.display()
    )];
    if *was_closed {
        lines.push("the process had ended its trace; nothing was left to recover".to_owned());
    }
    match output {
        Some(output) => lines.push(format!("it begins with {}", output.display())),
        None => lines.push("the process had written nothing, or it is gone".to_owned()),
    }
    let items = [
        (
            report.written,
            "generation was written",
            "generations were written",
        ),
        (
            report.finished,
            "generation was finished and not written",
            "generations were finished and not written",
        ),
        (
            report.rebuilt,
            "generation was rebuilt from what threads were writing",
            "generations were rebuilt from what threads were writing",
        ),
        (
            report.recovered_events,
            "event was recovered with it",
            "events were recovered with them",
        ),
        (
            report.missing,
            "generation is lost, dropped or overwritten",
            "generations are lost, dropped or overwritten",
        ),
        (
            report.lost_bytes,
            "byte of trace memory makes no sense",
            "bytes of trace memory make no sense",
        ),
        (report.lost_stacks, "stack is lost", "stacks are lost"),
        (report.lost_strings, "string is lost", "strings are lost"),
        (
            report.raw_addresses,
            "address in stacks has no name",
            "addresses in stacks have no name",
        ),
    ];
    for (n, one, many) in items {
        if n > 0 {
            lines.push(units::counted(n, one, many));
        }
    }
    for file in changed_files {
        lines.push(format!(
            "{} is not the file that ran: its functions have no names",
            file.display()
        ));
    }
    if let Some(problem) = problem {
        lines.push(format!("the recovered trace is not sound: {problem}"));
    }
    let mut text = String::new();
    for line in lines {
        text += &harmless(&line);
        text.push('\n');
    }
    text
}
