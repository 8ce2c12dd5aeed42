//! What the measured programs share: they time one loop over one file and print JSON with the same
//! names as the oracle's (`testdata/oracle`), so that one program can read both.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::process::ExitCode;
use std::time::Instant;

/// Times `count` over the file that the command line names last, and prints what it found.
///
/// `count` gets the open file and the arguments before the file's name, and returns how many events
/// it saw.
pub fn main(count: impl FnOnce(File, &[String]) -> Result<u64, Box<dyn Error>>) -> ExitCode {
    match run(count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stderr, reason = "an error of a command goes there")]
fn report(error: &str) {
    eprintln!("{error}");
}

#[allow(clippy::print_stdout, reason = "the measurement is the output")]
fn run(
    count: impl FnOnce(File, &[String]) -> Result<u64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (path, options) = args.split_last().ok_or("usage: [OPTIONS] FILE")?;
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();

    let start = Instant::now();
    let events = count(file, options)?;
    let seconds = start.elapsed().as_secs_f64();

    println!(
        "{{\"bytes\":{bytes},\"events\":{events},\"seconds\":{seconds:.6},\"mb_per_s\":{:.1},\
         \"mev_per_s\":{:.2},\"peak_rss_mib\":{:.1}}}",
        bytes as f64 / 1e6 / seconds,
        events as f64 / 1e6 / seconds,
        peak_rss_mib().unwrap_or(0.0),
    );
    Ok(())
}

/// The most memory that this process has had resident, where the system tells (Linux).
fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}
