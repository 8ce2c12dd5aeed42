//! The `exectrace` command: opens, checks and converts Go execution traces.
//!
//! Results go to standard output, everything else to standard error. The exit status is 0 if all
//! is well, 1 if a trace is damaged or invalid, and 2 if the command could not do its work.
#![forbid(unsafe_code)]

mod analysis;
mod args;
mod commands;
mod error;
mod input;
mod output;
mod progress;
mod terminal;
mod units;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;

use args::Cli;
use error::Outcome;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_usage) => {
            // A closed pipe is the only way to fail here, and then nobody reads the status.
            let _ = help_or_usage.print();
            return ExitCode::from(u8::try_from(help_or_usage.exit_code()).unwrap_or(2));
        }
    };
    match commands::run(&cli) {
        Ok(outcome) => outcome.into(),
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "exectrace: {failure}");
            Outcome::from(failure).into()
        }
    }
}
