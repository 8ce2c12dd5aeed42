//! Counts the events of a trace by kind: `count_events [--overlapped] FILE`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints"
)]

use std::{collections::BTreeMap, error::Error, fs::File, time::Instant};

use exectrace_reader::{Options, Reader};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).peekable();
    let overlapped = args.next_if(|arg| arg == "--overlapped").is_some();
    let file = File::open(
        args.next()
            .ok_or("usage: count_events [--overlapped] FILE")?,
    )?;

    let start = Instant::now();
    let mut reader = if overlapped {
        Reader::overlapped(file, Options::default())?
    } else {
        Reader::new(file)?
    };
    let mut counts = BTreeMap::<&str, u64>::new();
    let mut current = ("", 0);
    while let Some(event) = reader.next_event()? {
        // Events of a kind come in runs: a map access a run is enough.
        let kind = event.kind().name();
        if kind != current.0 {
            *counts.entry(current.0).or_default() += current.1;
            current = (kind, 0);
        }
        current.1 += 1;
    }
    *counts.entry(current.0).or_default() += current.1;
    let elapsed = start.elapsed();

    for (kind, count) in counts.iter().filter(|(kind, _)| !kind.is_empty()) {
        println!("{count:>12} {kind}");
    }
    let stats = reader.stats();
    eprintln!(
        "{} events in {:.3} s: {:.1} million a second",
        stats.events,
        elapsed.as_secs_f64(),
        stats.events as f64 / elapsed.as_secs_f64() / 1e6
    );
    Ok(())
}
