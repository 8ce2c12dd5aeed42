//! `reader_loop [--overlapped] FILE`: every ordered event of a trace, counted; on one thread, or with
//! reading and decoding on a second one.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::process::ExitCode;

use exectrace_reader::{Options, Reader};

fn main() -> ExitCode {
    exectrace_bench::main(|file, options| {
        let mut reader = match options {
            [] => Reader::new(file)?,
            [option] if option == "--overlapped" => Reader::overlapped(file, Options::default())?,
            _ => return Err("usage: reader_loop [--overlapped] FILE".into()),
        };
        let mut events = 0;
        let ControlFlow::<()>::Continue(()) = reader.try_for_each(|event| {
            black_box(&event);
            events += 1;
            ControlFlow::Continue(())
        })?
        else {
            unreachable!("the visitor never breaks")
        };
        Ok(events)
    })
}
