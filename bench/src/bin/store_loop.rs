//! `store_loop [--histories] FILE`: a trace read into the store of the analyses, with reading and
//! decoding on a second thread. Prints what the tables take up, a line each, before the figures.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use exectrace_analysis::Store;
use exectrace_reader::{Options, Reader};

fn main() -> ExitCode {
    exectrace_bench::main(|file, options| {
        let mut reader = Reader::overlapped(file, Options::default())?;
        let store = Store::read(&mut reader)?;
        match options {
            [] => {}
            [option] if option == "--histories" => {
                if let Some(goroutine) = store.goroutine_indices().next() {
                    std::hint::black_box(store.intervals(goroutine).next());
                }
            }
            _ => return Err("usage: store_loop [--histories] FILE".into()),
        }
        let footprint = store.footprint();
        report(&format!("{footprint:#?}"));
        let each = footprint.total() as f64 / store.events().max(1) as f64;
        report(&format!("{each:.2} bytes an event"));
        Ok(store.events())
    })
}

#[allow(
    clippy::print_stderr,
    reason = "beside the figures, which are the output"
)]
fn report(text: &str) {
    eprintln!("{text}");
}
