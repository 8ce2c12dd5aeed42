//! String and stack tables, ids that are checked after ordering, events that cannot be decoded
//! (sections 2.3, 3.1, 4.1 and 4.3), and experiments.

use exectrace_wire::{EventType as E, ProcStatus as P};

use super::{cases, running};
use crate::{FrameSpec, Stack};

/// Number, length, bytes.
const STRING: u8 = E::String as u8;
/// Number, count, frames of pc, function, file and line.
const STACK: u8 = E::Stack as u8;

fn frame(pc: u64, func: &str) -> FrameSpec {
    FrameSpec {
        pc: Some(pc),
        func: func.to_owned(),
        file: "main.go".to_owned(),
        line: pc,
    }
}

cases! {
    /// An event names a stack that the generation does not have.
    fn unknown_stack(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoBlock, ("sleep", 9)).event(E::ProcStop, ());
    }

    /// A goroutine is created with a stack that the generation does not have.
    fn unknown_stack_of_a_new_goroutine(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreate, (2, 9, 0));
    }

    /// An event names a string that the generation does not have.
    fn unknown_string(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoLabel, (9,)).event(E::ProcStop, ());
    }

    /// Ids of the last generation mean nothing in the next.
    fn ids_end_with_the_generation(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoLabel, ("GC (idle)",)).event(E::GoLabel, (1,));
        let generation = trace.generation(2);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoLabel, (1,));
    }

    /// Tables come in several batches, stacks before the strings that they need, all of them
    /// before the events.
    fn tables_in_several_batches(trace: Go126) {
        let generation = trace.generation(1);
        generation
            .without_tables()
            .raw_batch(&[E::Stacks as u8, STACK, 7, 1, 50, 3, 4, 60])
            .raw_batch(&[E::Strings as u8, STRING, 4, 1, b'f'])
            .raw_batch(&[E::Stacks as u8, STACK, 2, 2, 51, 3, 4, 61, 50, 3, 4, 60])
            .raw_batch(&[E::Strings as u8, STRING, 3, 2, b'm', b'.', STRING, 200, 1, 0]);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoStop, (4, 7))
            .event(E::GoStart, (1, 1))
            .event(E::GoBlock, (200, 2));
    }

    /// Frames are known by their pc: the first definition of a pc in the generation counts.
    fn first_frame_of_a_pc_wins(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoStop, ("a", Stack(vec![frame(10, "main.first"), frame(11, "main.main")])))
            .event(E::GoStart, (1, 1))
            .event(E::GoStop, ("a", Stack(vec![frame(12, "main.leaf"), frame(10, "main.second")])));
    }

    /// Frames are known by their pc in traces of Go 1.22 too: the parser of Go 1.27 treats all
    /// versions alike.
    fn first_frame_of_a_pc_wins_in_1_22(trace: Go122) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::GoStop, ("a", Stack(vec![frame(10, "main.first")])))
            .event(E::GoStart, (1, 1))
            .event(E::GoStop, ("a", Stack(vec![frame(10, "main.second")])));
    }

    /// A stack without frames exists, unlike stack 0.
    fn stack_without_frames(trace: Go126) {
        let generation = trace.generation(1);
        generation.raw_batch(&[E::Stacks as u8, STACK, 5, 0]);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoBlock, ("sleep", 5));
    }

    /// A frame's function is missing from the string table.
    fn stack_with_an_unknown_function(trace: Go126) {
        let generation = trace.generation(1);
        generation.raw_batch(&[E::Stacks as u8, STACK, 5, 1, 50, 9, 0, 60]);
        running(generation, 0, 0, 1);
    }

    /// A frame's file is missing from the string table.
    fn stack_with_an_unknown_file(trace: Go126) {
        let generation = trace.generation(1);
        generation.raw_batch(&[E::Stacks as u8, STACK, 5, 1, 50, 0, 9, 60]);
        running(generation, 0, 0, 1);
    }

    /// Two strings have one id, in two batches and with one content.
    fn string_id_twice(trace: Go126) {
        let generation = trace.generation(1);
        generation
            .raw_batch(&[E::Strings as u8, STRING, 5, 1, b'a'])
            .raw_batch(&[E::Strings as u8, STRING, 5, 1, b'a']);
        running(generation, 0, 0, 1);
    }

    /// String 0 is the empty string and cannot be defined.
    fn string_id_zero(trace: Go126) {
        let generation = trace.generation(1);
        generation.raw_batch(&[E::Strings as u8, STRING, 0, 1, b'a']);
        running(generation, 0, 0, 1);
    }

    /// Two stacks have one id.
    fn stack_id_twice(trace: Go126) {
        let generation = trace.generation(1);
        generation.raw_batch(&[E::Stacks as u8, STACK, 5, 0, STACK, 5, 0]);
        running(generation, 0, 0, 1);
    }

    /// A string is longer than the format allows.
    fn string_too_long(trace: Go126) {
        let generation = trace.generation(1);
        let mut data = vec![E::Strings as u8, STRING, 5, 0x81, 0x08];
        data.extend([b'x'; 1025]);
        generation.raw_batch(&data);
        running(generation, 0, 0, 1);
    }

    /// A stack has more frames than the format allows.
    fn stack_too_deep(trace: Go126) {
        let generation = trace.generation(1);
        let mut data = vec![E::Stacks as u8, STACK, 5, 0x81, 0x01];
        data.extend([1, 0, 0, 1].repeat(129));
        generation.raw_batch(&data);
        running(generation, 0, 0, 1);
    }

    /// A string's number is cut off at the end of its batch.
    fn string_number_cut_off(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        generation.raw_batch(&[E::Strings as u8, STRING, 0x85]);
        running(generation, 0, 0, 1);
    }

    /// A string's bytes are cut off at the end of its batch.
    fn string_cut_off(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        generation.raw_batch(&[E::Strings as u8, STRING, 5, 4, b'a', b'b']);
        running(generation, 0, 0, 1);
    }

    /// A stack is cut off at the end of its batch.
    fn stack_cut_off(trace: Go126) {
        running(trace.generation(1), 0, 0, 1);
        let generation = trace.generation(2);
        generation.raw_batch(&[E::Stacks as u8, STACK, 5, 2, 1, 1]);
        running(generation, 0, 0, 1);
    }

    /// A batch of strings holds something else.
    fn foreign_record_among_strings(trace: Go126) {
        let generation = trace.generation(1);
        generation.raw_batch(&[E::Strings as u8, STRING, 5, 1, b'a', 9]);
        running(generation, 0, 0, 1);
    }

    /// A byte begins no event. The event before it on the thread is decoded ahead of the one
    /// before that being delivered, so the error takes that one's place.
    fn undecodable_event(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::HeapAlloc, (1,)).raw(&[99, 1, 1]);
    }

    /// A table's record stands among events.
    fn structural_record_among_events(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::HeapAlloc, (1,)).raw(&[E::Stack as u8, 1, 1]);
    }

    /// A clock snapshot stands among events.
    fn clock_snapshot_among_events(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::HeapAlloc, (1,))
            .raw(&[E::ClockSnapshot as u8, 1, 1, 1, 1]);
    }

    /// An event is cut off at the end of its batch.
    fn event_cut_off(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).raw(&[E::GoStop as u8, 1, 0x80]);
    }

    /// A number of an event has more than 64 bits.
    fn event_with_a_gigantic_number(trace: Go126) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .raw(&[E::HeapAlloc as u8, 1])
            .raw(&[0xff; 10])
            .raw(&[1]);
    }

    /// Events of an experiment need only a thread.
    fn experimental_events(trace: Go123) {
        let generation = trace.generation(1);
        generation.on(0).event(E::SpanFree, (1,));
        running(generation, 0, 0, 1);
        generation
            .on(0)
            .event(E::Span, (1, 2, 3))
            .event(E::HeapObjectAlloc, (4, 5));
        generation.experimental(1, 0, &[1, 2, 3]).experimental(1, 7, &[]);
    }

    /// Events of an experiment on no thread.
    fn experimental_event_on_no_thread(trace: Go126) {
        trace.generation(1).on_no_thread().event(E::GoroutineStackFree, (1,));
    }

    /// Event types are not checked against the version: a trace of Go 1.22 may switch coroutines.
    fn event_of_a_later_version(trace: Go122) {
        let generation = trace.generation(1);
        running(generation, 0, 0, 1);
        generation.on(0).event(E::GoCreateBlocked, (2, 0)).event(E::GoSwitch, (2, 1));
    }

    /// An empty batch makes its thread known but yields nothing.
    fn empty_batch(trace: Go126) {
        let generation = trace.generation(1);
        generation.batch_at(3, 5);
        generation.on(0).event(E::ProcStatus, (0, P::Running));
    }
}
