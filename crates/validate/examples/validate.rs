//! Validates traces: `validate FILE...`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::{error::Error, fs::File};

use exectrace_reader::{Options, Reader};
use exectrace_validate::{Rule, Validator};

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args_os().skip(1) {
        let mut reader = Reader::overlapped(File::open(&path)?, Options::default())?;
        let mut validator = Validator::with_limit(reader.version(), 2);
        let error = loop {
            match reader.next_event() {
                Ok(Some(event)) => {
                    validator.check(&event);
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let report = validator.finish();
        println!("{}: {} events, {error:?}", path.display(), report.events());
        for rule in Rule::ALL {
            if report.count(*rule) != 0 {
                println!("  {:8} {} {rule}", report.count(*rule), rule.severity());
            }
        }
        for violation in report.violations() {
            println!("    {violation}");
        }
    }
    Ok(())
}
