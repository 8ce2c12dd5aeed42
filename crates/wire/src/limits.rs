//! Every size limit of the format, with its reason.
//!
//! A reader rejects what exceeds one of these before it allocates; a producer MUST NOT exceed one,
//! otherwise no Go tool opens its trace. Lowering a limit needs a new format version (format
//! specification, section 2.5).

use crate::{spec::Class, table::SPECS};

/// A limit, for the documentation of the format.
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) value: usize,
    /// What is limited, in which unit, and why.
    pub(crate) doc: &'static str,
}

/// Declares the constants and lists them.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:expr;)*) => {
        $($(#[doc = $doc])+ pub const $name: usize = $value;)*

        /// Every limit, in order of declaration.
        pub(crate) const LIMITS: &[Limit] = &[$(Limit {
            name: stringify!($name),
            value: $name,
            doc: concat!($($doc, "\n"),+),
        }),*];
    };
}

limits! {
    /// Bytes of a batch's data, without its header. Go's buffers are 64 KiB including bookkeeping.
    MAX_BATCH_BYTES = 64 * 1024;
    /// Frames of one stack. Go's runtime captures at most 128 logical frames.
    MAX_STACK_FRAMES = 128;
    /// Bytes of one string. Longer function names, file names and log messages are cut by the producer.
    MAX_STRING_BYTES = 1024;
    /// Bytes of one unsigned LEB128 number: 64 bits at 7 a byte, rounded up.
    MAX_VARINT_BYTES = 10;
    /// Arguments of a timed event, its time delta included. Guarded by a constant assertion against
    /// the table.
    MAX_TIMED_ARGS = 5;
    /// Arguments of any record, structural ones included.
    MAX_ARGS = 5;
    /// Bytes of an encoded timed event: its type and [`MAX_TIMED_ARGS`] numbers.
    MAX_TIMED_EVENT_BYTES = 1 + MAX_TIMED_ARGS * MAX_VARINT_BYTES;
    /// Bytes of a batch header: type, experiment, and four numbers.
    MAX_BATCH_HEADER_BYTES = 1 + 1 + 4 * MAX_VARINT_BYTES;
    /// Bytes of a string record: type, id, length and data.
    MAX_STRING_RECORD_BYTES = 1 + 2 * MAX_VARINT_BYTES + MAX_STRING_BYTES;
    /// Bytes of a stack record: type, id, frame count and four numbers a frame.
    MAX_STACK_RECORD_BYTES = 1 + (2 + 4 * MAX_STACK_FRAMES) * MAX_VARINT_BYTES;
    /// Frames of one stack in a raw view of a file, which knows no batches: as many as fit one, four
    /// bytes each. [`MAX_STACK_FRAMES`] is what a valid trace may have.
    MAX_RAW_FRAMES = MAX_BATCH_BYTES / 4;
    /// Bytes of one record in a raw view of a file: an ExperimentalBatch, the longest, is type, four
    /// numbers, length and data. A raw reader needs never hold more than this.
    MAX_RAW_RECORD_BYTES = 1 + 5 * MAX_VARINT_BYTES + MAX_BATCH_BYTES;
    /// Bytes of a line of the text form, without its line break: the data of an ExperimentalBatch
    /// when every byte is written as an escape of ten characters, rounded up. Go's own text reader
    /// takes 64 KiB.
    MAX_TEXT_LINE_BYTES = 1 << 20;
}

const _: () = assert!(MAX_TEXT_LINE_BYTES > 10 * MAX_BATCH_BYTES + 64);

const _: () = {
    let mut i = 0;
    while i < SPECS.len() {
        let args = SPECS[i].args.len();
        assert!(
            args <= MAX_ARGS,
            "a record has more arguments than MAX_ARGS"
        );
        if matches!(SPECS[i].class, Class::Timed) {
            assert!(
                args <= MAX_TIMED_ARGS,
                "a timed event has more arguments than MAX_TIMED_ARGS"
            );
        }
        i += 1;
    }
};
