//! Where a trace may end or break, before Go 1.26 and since (section 3.3).

use exectrace_wire::{EventType as E, Version};

use super::{cases, running};
use crate::{Batch, Layout, Piece, TraceBuilder};

/// Two complete generations, then the start of a third one.
fn then(trace: &mut TraceBuilder, bytes: &[u8]) {
    running(trace.generation(1), 0, 0, 1);
    running(trace.generation(2), 0, 0, 1);
    trace.trailing(bytes);
}

/// A batch of generation 3 with a ProcStatus, whole.
fn whole() -> Vec<u8> {
    let data = vec![E::ProcStatus as u8, 1, 0, 1];
    let layout = Layout {
        version: Version::Go126,
        pieces: vec![Piece::Batch(Batch::new(3, 0, 99, data))],
    };
    layout.to_bytes().split_off(16)
}

/// The same, cut inside its data.
fn cut() -> Vec<u8> {
    let mut bytes = whole();
    bytes.truncate(bytes.len() - 2);
    bytes
}

cases! {
    /// Nothing follows the header, before Go 1.26.
    fn header_only_1_22(trace: Go122) {
        trace.trailing(&[]);
    }

    /// Nothing follows the header.
    fn header_only_1_26(trace: Go126) {
        trace.trailing(&[]);
    }

    /// The last generation has no end record; it may be complete or not.
    fn end_at_a_batch_1_22(trace: Go122) {
        running(trace.generation(1), 0, 0, 1);
        running(trace.generation(2).without_tables(), 0, 0, 1);
    }

    /// The last generation has no end record although it must have one.
    fn end_at_a_batch_1_26(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        running(trace.generation(2).without_end(), 0, 0, 1);
    }

    /// The last generation has no end record, but nothing of threads either: it is dropped.
    fn end_at_a_batch_without_events_1_26(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        trace.generation(2).without_end();
    }

    /// The first batch of the third generation is cut off: the second one is delivered first.
    fn cut_in_the_first_batch_of_a_generation_1_25(trace: Go125) {
        then(trace, &cut());
    }

    /// The first batch of the third generation is cut off, from Go 1.26: the second generation is
    /// complete and unharmed.
    fn cut_in_the_first_batch_of_a_generation_1_26(trace: Go126) {
        then(trace, &cut());
    }

    /// A later batch of a generation is cut off: what was read of the generation is delivered
    /// first.
    fn cut_in_a_later_batch_1_22(trace: Go122) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation
            .raw_batch(&[E::Frequency as u8, 100])
            .without_frequency();
        let mut batch = Batch::new(2, 0, 99, vec![E::ProcStop as u8]);
        batch.stated_size = Some(2);
        generation.without_tables().piece(Piece::Batch(batch));
    }

    /// A later batch of a generation is cut off, and the generation's frequency was still to come.
    fn cut_in_a_later_batch_before_the_frequency_1_22(trace: Go122) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        let mut batch = Batch::new(2, 0, 99, vec![E::ProcStop as u8]);
        batch.stated_size = Some(2);
        generation
            .without_frequency()
            .without_tables()
            .piece(Piece::Batch(batch));
    }

    /// From Go 1.26 a cut generation is dropped.
    fn cut_in_a_later_batch_1_26(trace: Go126) {
        then(trace, &[whole(), cut()].concat());
    }

    /// The trace ends inside the header of a batch.
    fn cut_in_a_batch_header_1_25(trace: Go125) {
        then(trace, &whole()[..3]);
    }

    /// The trace ends inside the header of a batch, from Go 1.26.
    fn cut_in_a_batch_header_1_26(trace: Go126) {
        then(trace, &whole()[..3]);
    }

    /// The trace ends right after the byte that begins an experimental batch: Go takes that for
    /// a clean end.
    fn cut_after_the_byte_of_an_experimental_batch_1_25(trace: Go125) {
        then(trace, &[E::ExperimentalBatch as u8]);
    }

    /// The trace ends right after the byte that begins an experimental batch, from Go 1.26.
    fn cut_after_the_byte_of_an_experimental_batch_1_26(trace: Go126) {
        then(trace, &[E::ExperimentalBatch as u8]);
    }

    /// The byte where a batch should begin is an event's.
    fn no_batch_1_25(trace: Go125) {
        then(trace, &[E::ProcStop as u8, 1]);
    }

    /// The byte where a batch should begin is an event's, from Go 1.26.
    fn no_batch_1_26(trace: Go126) {
        then(trace, &[E::ProcStop as u8, 1]);
    }

    /// A generation's batch is followed by garbage, from Go 1.26.
    fn no_batch_inside_a_generation_1_26(trace: Go126) {
        then(trace, &[whole(), vec![99]].concat());
    }

    /// A batch is larger than the format allows.
    fn batch_too_large(trace: Go126) {
        let mut bytes = vec![E::EventBatch as u8, 3, 0, 1, 0x81, 0x80, 0x04];
        bytes.extend([0; 20]);
        then(trace, &bytes);
    }

    /// A number of a batch's header has more than 64 bits.
    fn batch_header_with_a_gigantic_number(trace: Go126) {
        let mut bytes = vec![E::EventBatch as u8];
        bytes.extend([0xff; 12]);
        then(trace, &bytes);
    }

    /// The first generation contradicts itself and the second is cut off: the contradiction
    /// comes first, and stays.
    fn the_first_error_comes_first(trace: Go122) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoSyscallEnd, ());
        trace.trailing(&[E::EventBatch as u8, 2, 0, 1, 5]);
    }

    /// Another trace follows the first one.
    fn two_traces_in_one_file(trace: Go126) {
        then(trace, &Version::Go126.header());
    }
}
