//! `exectrace man`: manual pages.

use std::{fs, io::Write as _, path::PathBuf};

use clap::{Args, CommandFactory as _, ValueHint};

use crate::{
    args::Cli,
    error::{Failure, Outcome},
    output::OutputFile,
};

/// Write manual pages, one a subcommand
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  exectrace man -o ~/.local/share/man/man1
  exectrace man -o man && man man/exectrace-dump.1")]
pub(crate) struct ManArgs {
    /// The directory for the pages; made if it is not there
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: PathBuf,
}

pub(crate) fn run(args: &ManArgs) -> Result<Outcome, Failure> {
    let failed = |error| Failure::output(args.output.display(), error);
    fs::create_dir_all(&args.output).map_err(failed)?;
    let mut command = Cli::command();
    command.build();
    let mut pages = vec![(command.get_name().to_owned(), command.clone())];
    for sub in command.get_subcommands() {
        // Help about help has no page of its own.
        if sub.get_name() == "help" {
            continue;
        }
        let name = format!("{}-{}", command.get_name(), sub.get_name());
        pages.push((name, sub.clone()));
    }
    for (name, command) in pages {
        let path = args.output.join(format!("{name}.1"));
        let mut page = Vec::new();
        // Undated: the same program writes the same page.
        clap_mangen::Man::new(command)
            .date("")
            .source(concat!("exectrace ", env!("CARGO_PKG_VERSION")))
            .manual("Go execution traces")
            .render(&mut page)
            .map_err(failed)?;
        let mut file = OutputFile::create(&path)?;
        file.write_all(&page)
            .and_then(|()| file.commit())
            .map_err(|error| Failure::output(path.display(), error))?;
    }
    Ok(Outcome::Fine)
}
