//! `raw_loop FILE`: every record of a trace as it stands in the file, counted, and all its numbers
//! used; no ordering.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::io::Read as _;
use std::process::ExitCode;

use exectrace_wire::limits::MAX_RAW_RECORD_BYTES;
use exectrace_wire::{HEADER_LEN, parse_header, visit_records};

fn main() -> ExitCode {
    exectrace_bench::main(|mut file, _options| {
        let mut header = [0; HEADER_LEN];
        file.read_exact(&mut header)?;
        let version = parse_header(&header)?;
        // Several records fit, so that few are moved when the buffer is filled up.
        let mut buffer = vec![0; 4 * MAX_RAW_RECORD_BYTES];
        let (mut start, mut end) = (0, 0);
        let (mut records, mut sum) = (0, 0u64);
        loop {
            // 1. Every record that the buffer holds whole.
            start += visit_records(&buffer[start..end], version, |record| {
                // Every number is used, so none can be left undecoded. A record is not copied to
                // memory as a whole, which no user of the loop would do.
                sum = record
                    .event()
                    .padded_args()
                    .iter()
                    .fold(sum, |sum, n| sum.wrapping_add(*n));
                records += 1;
            })?;
            // 2. The cut one moves to the front, and the buffer is filled up.
            buffer.copy_within(start..end, 0);
            end -= start;
            start = 0;
            match file.read(&mut buffer[end..])? {
                0 if end == 0 => {
                    black_box(sum);
                    return Ok(records);
                }
                0 => return Err("the file ends inside a record".into()),
                n => end += n,
            }
        }
    })
}
