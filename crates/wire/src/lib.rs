//! The wire format of Go execution traces, and only the format: what a producer and a parser must
//! agree on.
//!
//! One table ([`EventType`] and its [`EventSpec`] rows) declares every event: id, name, arguments
//! with their types, first version, experiment and documentation. The encoder, the decoder, the
//! text form, the limits and `FORMAT.md` derive from it.
//!
//! The crate has no dependency, does no I/O and needs no allocation to encode, so a tracer can use
//! it on its hot path. It knows nothing of ordering: a stream that this crate decodes may still be
//! nonsense. `exectrace-reader` decides that.
//!
//! # Example
//!
//! ```
//! use exectrace_wire::{EventType, encode_event, decode_event};
//!
//! let mut buffer = [0; exectrace_wire::limits::MAX_TIMED_EVENT_BYTES];
//! let n = encode_event(&mut buffer, EventType::GoStart, &[5, 7, 1]).unwrap();
//! let (event, length) = decode_event(&buffer[..n]).unwrap();
//! assert_eq!((event.event_type, event.args(), length), (EventType::GoStart, &[5, 7, 1][..], n));
//! ```
#![forbid(unsafe_code)]

pub mod alloc_free;
mod batch;
mod decode;
mod encode;
mod format_doc;
mod ids;
pub mod limits;
mod printable;
pub mod quote;
mod record;
pub mod section;
mod spec;
mod status;
mod structural;
mod table;
pub mod text;
pub mod v1;
pub mod varint;
mod version;

pub use batch::{BatchHeader, BatchKind, Frame, FramingError, parse_frame};
pub use decode::{
    DECODE_WINDOW, DecodeError, RawEvent, decode_event, decode_event_into, decode_numbers,
    decode_window,
};
pub use encode::{EncodeError, encode_event};
pub use format_doc::format_markdown;
pub use ids::{Generation, GoroutineId, ProcId, StackId, StringId, TaskId, ThreadId, Ticks};
pub use record::{RawRecord, RecordError, RecordPayload, decode_record, visit_records};
pub use spec::{ArgKind, ArgSpec, Class, EventSpec, Experiment, Payload};
pub use status::{GoStatus, ProcStatus};
pub use structural::{
    CpuSampleRecord, CpuSamples, RawFrame, StackFrames, StackRecord, Stacks, StringRecord, Strings,
    StructuralError, StructuralErrorKind, SyncRecord, SyncRecords,
};
pub use table::{EventType, SPECS};
pub use version::{Family, HEADER_LEN, HeaderError, Version, parse_header};
