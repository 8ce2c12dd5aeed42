//! Dumps a trace as `go tool trace -d=parsed` does, for measurements: `dump_parsed FILE [null]`.
//! With `null` the text is made but not written.

use std::{
    error::Error,
    fs::File,
    io::{self, Write},
};

use exectrace_export::ParsedWriter;
use exectrace_reader::{Options, Reader};

/// Large enough for few system calls, small enough for the second-level cache.
const CHUNK: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().ok_or("usage: dump_parsed FILE [null]")?;
    let mut sink: Box<dyn Write> = match args.next() {
        Some(_) => Box::new(io::sink()),
        None => Box::new(io::stdout().lock()),
    };
    let mut reader = Reader::overlapped(File::open(path)?, Options::default())?;
    let mut writer = ParsedWriter::new();
    let mut text = Vec::with_capacity(2 * CHUNK);
    let mut written = 0;
    let result = loop {
        match reader.next_event() {
            Ok(Some(event)) => writer.write_event(&mut text, &event),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        if text.len() >= CHUNK {
            sink.write_all(&text)?;
            written += text.len();
            text.clear();
        }
    };
    sink.write_all(&text)?;
    sink.flush()?;
    let events = reader.stats().events;
    writeln!(
        io::stderr(),
        "{events} events, {} bytes",
        written + text.len()
    )?;
    Ok(result?)
}
