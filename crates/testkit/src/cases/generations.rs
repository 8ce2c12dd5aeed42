//! What a generation must hold, and how generations follow each other (sections 2.3, 3.1 to 3.3).

use exectrace_wire::{EventType as E, GoStatus as G, ProcStatus as P};

use super::{cases, running};
use crate::{Batch, Piece};

const NONE: u64 = u64::MAX;
const FREQUENCY: u8 = E::Frequency as u8;
const SYNC: u8 = E::Sync as u8;
const CLOCK: u8 = E::ClockSnapshot as u8;

cases! {
    /// Three generations before Go 1.25: each begins with the first batch that has its number.
    fn three_generations_1_22(trace: Go122) {
        for number in 7..10 {
            running(trace.generation(number), 0, 0, 1);
        }
    }

    /// Three generations of Go 1.25: clock snapshots, but no record that ends a generation.
    fn three_generations_1_25(trace: Go125) {
        for number in 1..4 {
            running(trace.generation(number), 0, 0, 1);
        }
    }

    /// Three generations of Go 1.26, whose numbers may be anything.
    fn three_generations_1_26(trace: Go126) {
        for number in [5, 9, 2] {
            running(trace.generation(number), 0, 0, 1);
        }
    }

    /// The frequency changes from generation to generation; each has its own time scale.
    fn frequency_changes(trace: Go125) {
        for (number, frequency) in [(1, 1_000_000_000), (2, 500_000_000), (3, 15_625_000)] {
            running(trace.frequency(frequency).generation(number), 0, 0, 1);
        }
    }

    /// A generation without events of threads.
    fn generation_without_events(trace: Go125) {
        trace.generation(1);
        running(trace.generation(2), 0, 0, 1);
    }

    /// A generation without events of threads, ended in-band.
    fn generation_without_events_1_26(trace: Go126) {
        trace.generation(1);
        running(trace.generation(2), 0, 0, 1);
    }

    /// A generation without a frequency is lost.
    fn no_frequency_1_22(trace: Go122) {
        running(trace.generation(1), 0, 0, 1);
        running(trace.generation(2).without_frequency(), 0, 0, 1);
        running(trace.generation(3), 0, 0, 1);
    }

    /// A generation without a frequency is lost, from Go 1.26.
    fn no_frequency_1_26(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        running(trace.generation(2).without_frequency(), 0, 0, 1);
        running(trace.generation(3), 0, 0, 1);
    }

    /// Two frequencies in two batches.
    fn two_frequencies_1_22(trace: Go122) {
        let generation = trace.generation(1);
        generation.raw_batch(&[FREQUENCY, 100]);
        running(generation, 0, 0, 1);
    }

    /// Two frequencies in two batches, since Go 1.25.
    fn two_frequencies_1_25(trace: Go125) {
        let generation = trace.generation(1);
        generation.raw_batch(&[SYNC, FREQUENCY, 100]);
        running(generation, 0, 0, 1);
    }

    /// Since Go 1.25 a generation without a clock snapshot is lost.
    fn no_clock_snapshot(trace: Go125) {
        running(trace.generation(1), 0, 0, 1);
        running(trace.generation(2).without_clock(), 0, 0, 1);
    }

    /// Two clock snapshots in one batch.
    fn two_clock_snapshots(trace: Go126) {
        let generation = trace.generation(1);
        generation
            .without_clock()
            .without_frequency()
            .raw_batch(&[SYNC, FREQUENCY, 100, CLOCK, 1, 1, 1, 1, CLOCK, 1, 1, 1, 1]);
        running(generation, 0, 0, 1);
    }

    /// Frequency and clock snapshot stand in a batch each.
    fn clock_records_in_two_batches(trace: Go126) {
        let generation = trace.generation(1);
        running(generation.without_clock(), 0, 0, 1);
        generation.raw_batch(&[SYNC, CLOCK, 5, 100, 90, 80]);
    }

    /// A clock snapshot is cut off at the end of its batch. Go takes that for the end of the trace.
    fn clock_record_cut_off(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2).without_clock();
        generation.raw_batch(&[SYNC, CLOCK, 5, 100]);
        running(generation, 0, 0, 1);
    }

    /// A batch of clock records holds something else.
    fn foreign_record_among_clock_records(trace: Go126) {
        let generation = trace.generation(1);
        generation.raw_batch(&[SYNC, E::String as u8, 1, 1, b'a']);
        running(generation, 0, 0, 1);
    }

    /// A lone Frequency is no batch of clock records since Go 1.25: it is taken for an event.
    fn lone_frequency_in_1_25(trace: Go125) {
        let generation = trace.generation(1);
        generation.without_frequency().raw_batch(&[FREQUENCY, 100]);
        running(generation, 0, 0, 1);
    }

    /// A sync batch is none before Go 1.25: it is taken for an event.
    fn sync_batch_in_1_23(trace: Go123) {
        let generation = trace.generation(1);
        generation.raw_batch(&[SYNC, CLOCK, 1, 1, 1, 1]);
        running(generation, 0, 0, 1);
    }

    /// Before Go 1.26, generations must follow each other without a gap; the one before the gap
    /// is lost.
    fn gap_between_generations_1_25(trace: Go125) {
        running(trace.generation(1), 0, 0, 1);
        running(trace.generation(2), 0, 0, 1);
        running(trace.generation(4), 0, 0, 1);
    }

    /// Before Go 1.26, a batch of an older generation is out of order.
    fn older_generation_1_22(trace: Go122) {
        running(trace.generation(2), 0, 0, 1);
        running(trace.generation(1), 0, 0, 1);
    }

    /// Batches of two generations are mixed; the later one's first batch ends the earlier one.
    fn interleaved_generations_1_22(trace: Go122) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        let next = Piece::Batch(Batch::new(2, 0, 9, vec![]));
        generation.piece(next);
        running(generation, 1, 1, 2);
    }

    /// From Go 1.26, another number before the end record means that something is missing.
    fn unfinished_generation_1_26(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        running(trace.generation(2).without_end(), 0, 0, 1);
        running(trace.generation(3), 0, 0, 1);
    }

    /// Before Go 1.26 there is no end record.
    fn end_record_in_1_25(trace: Go125) {
        running(trace.generation(1), 0, 0, 1);
        trace.generation(2).piece(Piece::EndOfGeneration);
    }

    /// Two end records in a row: the second ends a generation without a frequency.
    fn two_end_records(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        generation
            .without_frequency()
            .without_clock()
            .without_tables();
        running(trace.generation(3), 0, 0, 1);
    }

    /// From Go 1.26 a batch whose data begins with an end record ends the generation too.
    fn end_record_as_a_batch(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.raw_batch(&[E::EndOfGeneration as u8]);
    }

    /// There is no generation 0.
    fn generation_zero(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        running(trace.generation(0), 0, 0, 1);
    }

    /// There is no generation 0, before Go 1.26.
    fn generation_zero_1_22(trace: Go122) {
        running(trace.generation(1), 0, 0, 1);
        running(trace.generation(0), 0, 0, 1);
    }

    /// An event waits for one of the next generation: it does not get it.
    fn waiting_ends_with_the_generation(trace: Go126) {
        let generation = trace.generation(1);
        generation
            .on(0)
            .event(E::ProcStatus, (0, P::Running))
            .event(E::GoStart, (1, 1));
        trace
            .generation(2)
            .on(0)
            .event(E::GoStatus, (1, NONE, G::Runnable));
    }

    /// Batches come in an unusual order: tables first, clock records last.
    fn unusual_order_of_batches(trace: Go126) {
        let generation = trace.generation(1);
        generation.without_tables().without_frequency().without_clock();
        generation.raw_batch(&[E::Strings as u8, E::String as u8, 1, 1, b'r']);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoBlock, (1,));
        generation.raw_batch(&[E::Stacks as u8]);
        generation.raw_batch(&[SYNC, CLOCK, 0, 1, 1, 1, FREQUENCY, 0x80, 0x94, 0xeb, 0xdc, 0x03]);
    }

    /// An experimental batch with experiment 0 is an ordinary batch.
    fn experimental_batch_of_no_experiment(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        let mut bytes = vec![E::ExperimentalBatch as u8, 0, 1, 0, 9, 3];
        bytes.extend([E::HeapAlloc as u8, 1, 5]);
        generation.piece(Piece::Raw(bytes));
    }
}
