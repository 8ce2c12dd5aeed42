//! Writes Go execution traces from the ordered events of a reader.
//!
//! [`TraceWriter`] is the inverse of [`exectrace_reader::Reader`]: what it writes has the same
//! events, at the same times, in the same contexts, with the same strings and stacks, in any version
//! of the v2 format. [`rewrite`] puts the two together; [`Changes`] says what is to be left out.
//!
//! What a version of the format cannot express is expanded into what it can, or it is lost; nothing
//! is lost in silence, see [`Losses`].
//!
//! ```
//! use exectrace_reader::{Reader, Version};
//! use exectrace_rewrite::{Changes, rewrite};
//!
//! # let trace = Version::Go126.header();
//! let mut reader = Reader::new(&trace[..])?;
//! let (copy, losses) = rewrite(&mut reader, Vec::new(), Version::Go126, Changes::default())?;
//! assert_eq!(copy, Version::Go126.header());
//! assert_eq!(losses.clocks, 0);
//! # Ok::<(), exectrace_rewrite::RewriteError>(())
//! ```
//!
//! Memory is bounded by the string and stack tables of one generation, 64 KiB for each of its
//! threads, and its CPU samples.
#![forbid(unsafe_code)]

mod error;
mod generation;
mod losses;
mod sequence;
mod writer;

use std::io::Write;

use exectrace_reader::Reader;
use exectrace_wire::Version;

pub use error::RewriteError;
pub use losses::Losses;
pub use writer::{Changes, TraceWriter};

/// Writes all further events of a reader as a trace of `version`, changed as `changes` says.
///
/// # Errors
///
/// If the trace cannot be read to its end, or not be written; what was written by then is no whole
/// trace.
pub fn rewrite<W: Write>(
    reader: &mut Reader<'_>,
    out: W,
    version: Version,
    changes: Changes,
) -> Result<(W, Losses), RewriteError> {
    if reader.version().family() != exectrace_wire::Family::V2 {
        return Err(RewriteError::Source(reader.version()));
    }
    let mut writer = TraceWriter::new(out, version, changes)?;
    while let Some(event) = reader.next_event()? {
        writer.write(&event)?;
    }
    writer.finish()
}
