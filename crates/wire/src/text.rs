//! The raw text form: every record of a file on a line of its own, both ways.
//!
//! This is what `go tool trace -d=wire` prints and what Go's `internal/trace/raw` package reads
//! (format specification, section 5.3). Everything derives from the table.
//!
//! ```text
//! Trace Go1.26
//! EventBatch gen=1 m=18446744073709551615 time=31767197423 size=12
//! Strings
//! String id=1
//!         data="GC (dedicated)"
//! Stack id=1 nframes=1
//!         pc=4611686 func=1 file=2 line=30
//! GoStart dt=23 g=7 g_seq=1
//! EndOfGeneration
//! ```
//!
//! [`Writer`] turns the records that [`crate::decode_record`] yields into lines; [`Parser`] takes
//! lines and yields the bytes of a file. Both work on slices and leave input and output to the
//! caller. Neither checks that records make sense together: a batch's `size` is copied as it is.
//!
//! # Differences from Go
//!
//! With [`Style::Go`] the lines are byte for byte Go's. [`Style::Lossless`] adds what is needed to
//! get the very bytes of the file back, in a form that Go's text reader accepts. In detail:
//!
//! 1. *Padded numbers.* The runtime pads the size of each batch to ten bytes; the text does not
//!    show that, and text becomes binary with shortest numbers, as in Go. With `Style::Lossless`, a
//!    comment line `#exectrace:widths 4:10` before a record says that its fourth number takes ten
//!    bytes. Numbers are counted from 1 in the order of their encoding: arguments, length of the
//!    data, frames. Several such lines add up. Go skips them as comments.
//! 2. *Empty data.* For a String or ExperimentalBatch without data Go's writer omits the data line,
//!    and Go's reader then fails. [`Parser`] takes a missing data line for empty data if the next
//!    line is not indented or there is none. `Style::Lossless` writes `data=""`.
//! 3. *Experiments.* Go refuses events of experiments in files of Go 1.23 and 1.25, which have
//!    them; here they are read and written.
//! 4. *Unassigned ids.* In files of Go 1.26, Go prints an empty line for a byte from 53 to 127 and
//!    goes on; here it is an error.
//! 5. *Limits.* Go reads lines up to 64 KiB, which is less than it writes; the limit here is
//!    [`crate::limits::MAX_TEXT_LINE_BYTES`]. Go trusts counts of frames and lengths of data; here
//!    they are limited by what fits a batch, so that memory is bounded whatever the input.
//! 6. *No header line.* `-d=wire` prints none and so cannot be read back by Go;
//!    [`Parser::headerless`] reads it.
//!
//! # Example
//!
//! ```
//! use exectrace_wire::text::{Parser, Style, Writer};
//! use exectrace_wire::{HEADER_LEN, decode_record, parse_header};
//!
//! let text = "Trace Go1.26\nGoStart dt=23 g=7 g_seq=1\nGoDestroy dt=4\n";
//! let mut file = Vec::new();
//! let mut parser = Parser::new();
//! for line in text.lines() {
//!     parser.line(line.as_bytes(), &mut file)?;
//! }
//! parser.finish(&mut file)?;
//!
//! let version = parse_header(&file)?;
//! let mut writer = Writer::new(Style::Go);
//! let mut again = Vec::new();
//! writer.header(version, &mut again);
//! let mut rest = &file[HEADER_LEN..];
//! while let Some(record) = decode_record(rest, version)? {
//!     writer.record(&record, &mut again);
//!     rest = &rest[record.bytes().len()..];
//! }
//! assert_eq!(again, text.as_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod parse;
mod token;
mod write;

pub use error::{Excerpt, TextError, TextErrorKind};
pub use parse::{Parser, parse};
pub use write::Writer;

/// How much of a file the text form keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Style {
    /// What Go's tools print: padding of numbers is lost, and empty data has no line.
    #[default]
    Go,
    /// Go's form and, where it does not determine the bytes of the file, an annotation that Go's
    /// text reader skips.
    Lossless,
}

/// Begins a comment line that says how wide the next record's numbers are.
const WIDTHS: &str = "#exectrace:widths";

#[cfg(test)]
mod tests;
