//! `raw_loop [--overlapped] FILE`: every record of a trace as it stands in the file, counted, and all
//! its numbers used; no ordering. On one thread, or with the file read on a second one.
#![forbid(unsafe_code)]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

use exectrace_wire::limits::MAX_RAW_RECORD_BYTES;
use exectrace_wire::{HEADER_LEN, RecordError, Version, parse_header, visit_records};

/// Room before the bytes of a buffer, for a record that the buffer before has cut.
const HEAD: usize = MAX_RAW_RECORD_BYTES;
/// Bytes read at once.
const READ: usize = 3 * MAX_RAW_RECORD_BYTES;
/// Buffers that wait to be decoded.
const AHEAD: usize = 2;

fn main() -> ExitCode {
    exectrace_bench::main(|mut file, options| {
        let mut header = [0; HEADER_LEN];
        file.read_exact(&mut header)?;
        let mut counter = Counter::new(parse_header(&header)?);
        match options {
            [] => {
                let mut buffer = Vec::new();
                while fill(&mut buffer, &mut file)? {
                    counter.count(&mut buffer)?;
                }
            }
            [option] if option == "--overlapped" => {
                let (full, free) = read_ahead(file);
                for buffer in full {
                    let mut buffer = buffer?;
                    counter.count(&mut buffer)?;
                    // The reading thread may have come to the end.
                    let _ = free.send(buffer);
                }
            }
            _ => return Err("usage: raw_loop [--overlapped] FILE".into()),
        }
        if !counter.cut.is_empty() {
            return Err("the file ends inside a record".into());
        }
        black_box(counter.sum);
        Ok(counter.records)
    })
}

/// Fills a buffer behind its head; returns whether there was anything left to read.
fn fill(buffer: &mut Vec<u8>, file: &mut File) -> io::Result<bool> {
    buffer.resize(HEAD + READ, 0);
    let n = file.read(&mut buffer[HEAD..])?;
    buffer.truncate(HEAD + n);
    Ok(n > 0)
}

/// Reads a file on another thread; buffers that were used come back.
fn read_ahead(mut file: File) -> (Receiver<io::Result<Vec<u8>>>, Sender<Vec<u8>>) {
    let (full, buffers) = sync_channel(AHEAD);
    let (free, used) = channel();
    thread::spawn(move || {
        loop {
            let mut buffer = used.try_recv().unwrap_or_default();
            let next = match fill(&mut buffer, &mut file) {
                Ok(true) => Ok(buffer),
                Ok(false) => return,
                Err(error) => Err(error),
            };
            if full.send(next).is_err() {
                return;
            }
        }
    });
    (buffers, free)
}

/// Counts records, buffer by buffer.
struct Counter {
    version: Version,
    records: u64,
    sum: u64,
    /// The record that the last buffer has cut.
    cut: Vec<u8>,
}

impl Counter {
    fn new(version: Version) -> Self {
        Self {
            version,
            records: 0,
            sum: 0,
            cut: Vec::with_capacity(HEAD),
        }
    }

    fn count(&mut self, buffer: &mut [u8]) -> Result<(), RecordError> {
        let start = HEAD - self.cut.len();
        buffer[start..HEAD].copy_from_slice(&self.cut);
        let bytes = &buffer[start..];
        let (mut records, mut sum) = (0, self.sum);
        let whole = visit_records(bytes, self.version, |record| {
            // Every number is used, so none can be left undecoded. A record is not copied to
            // memory as a whole, which no user of the loop would do.
            let numbers = record.event().padded_args();
            sum = numbers.iter().fold(sum, |sum, n| sum.wrapping_add(*n));
            records += 1;
        })?;
        self.records += records;
        self.sum = sum;
        self.cut.clear();
        self.cut.extend_from_slice(&bytes[whole..]);
        Ok(())
    }
}
