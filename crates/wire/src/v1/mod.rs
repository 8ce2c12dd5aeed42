//! The v1 formats: what Go 1.5 to 1.21 wrote.
//!
//! They share the header and the encoding of numbers with the v2 formats and nothing else: batches
//! belong to procs instead of threads, there are no generations, the tables of strings and stacks
//! stand anywhere in the file, and the length of a clock unit is only told at its end.
//!
//! One table ([`EventType`] and its [`EventSpec`] rows) declares every event with the versions that
//! have it and its arguments; the decoder, the text form and `FORMAT.md` derive from it.
//!
//! # Example
//!
//! ```
//! use exectrace_wire::{Version, v1};
//!
//! // GoStart of goroutine 7, 5 clock units after the event before, as Go 1.21 writes it.
//! let bytes = [14 | 2 << 6, 5, 7, 1];
//! let record = v1::decode_record(&bytes, Version::Go121)?;
//! assert_eq!((record.event_type(), record.numbers()), (v1::EventType::GoStart, &[5, 7, 1][..]));
//! # Ok::<(), v1::RecordError>(())
//! ```

mod event;
mod format_doc;
mod record;
mod table;

pub use event::{Event, Layouts};
pub(crate) use format_doc::write_format;
pub use record::{Frames, Payload, Record, RecordError, decode_record};
pub use table::{ArgSpec, Class, EventSpec, EventType, PayloadKind, SPECS};

use crate::Version;

/// Limits of the v1 formats, which are Go's.
pub mod limits {
    /// Bytes of the numbers of one record that gives their length. Go's runtime stays below 1,700: a
    /// stack of 128 frames.
    pub const MAX_NUMBERS_BYTES: u64 = 2048;
    /// Bytes of one string or log message.
    pub const MAX_STRING_BYTES: u64 = 1_000_000;
    /// Frames of one stack.
    pub const MAX_STACK_FRAMES: u64 = 1000;
    /// The largest id of a proc.
    pub const MAX_PROC: u64 = i32::MAX as u64;
    /// Bytes of one record: type, two numbers, numbers, length of a message, message.
    pub const MAX_RECORD_BYTES: usize =
        1 + 3 * crate::limits::MAX_VARINT_BYTES + (MAX_NUMBERS_BYTES + MAX_STRING_BYTES) as usize;
    /// Numbers of one record, frames apart.
    pub const MAX_NUMBERS: usize = 5;
}

impl Version {
    /// The versions of the v1 family, oldest first.
    pub const V1: [Self; 8] = [
        Self::Go105,
        Self::Go107,
        Self::Go108,
        Self::Go109,
        Self::Go110,
        Self::Go111,
        Self::Go119,
        Self::Go121,
    ];
}
