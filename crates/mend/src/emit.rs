//! Writes a generation, event by event, in one order of all threads.

use std::collections::BTreeMap;

use exectrace_wire::{
    EventType as E, Generation, ThreadId, encode_event,
    limits::{MAX_BATCH_BYTES, MAX_STRING_BYTES, MAX_TIMED_EVENT_BYTES},
    section::{Section, push_batch},
};

use crate::clock::Clock;

/// A generation that grows.
///
/// Events get strictly increasing times in the order of the calls, whatever their threads, and a
/// batch of their own whenever the thread changes: a reader adds up rounded time differences within
/// a batch, so that two long batches would drift apart and their events change places.
#[derive(Clone, Debug)]
pub(crate) struct Emitter {
    generation: Generation,
    bytes: Vec<u8>,
    /// The clock, in units; never goes back.
    now: u64,
    /// Clock units that are at least two nanoseconds, so that no two events get one time.
    step: u64,
    open: Option<Open>,
    strings: BTreeMap<Vec<u8>, u64>,
    stacks: BTreeMap<Vec<u8>, u64>,
}

#[derive(Clone, Debug)]
struct Open {
    thread: Option<ThreadId>,
    start: u64,
    last: u64,
    data: Vec<u8>,
}

impl Emitter {
    /// Begins a generation with its clock records.
    pub(crate) fn new(generation: u64, clock: Clock) -> Self {
        let mut emitter = Self {
            generation: Generation(generation),
            bytes: Vec::new(),
            now: clock.time.0,
            step: clock
                .frequency
                .div_ceil(1_000_000_000)
                .saturating_mul(2)
                .max(2),
            open: None,
            strings: BTreeMap::new(),
            stacks: BTreeMap::new(),
        };
        push_batch(
            &mut emitter.bytes,
            emitter.generation,
            None,
            clock.time.0,
            &clock.to_records(),
        );
        emitter
    }

    /// Moves the clock on, so that `events` of them fit before `time` if that is still to come.
    pub(crate) fn advance_to(&mut self, time: u64, events: u64) {
        let lead = events.saturating_mul(self.step);
        self.now = self.now.max(time.saturating_sub(lead));
    }

    /// The id of a string; 0 for the empty one.
    pub(crate) fn string(&mut self, text: &[u8]) -> u64 {
        let text = &text[..text.len().min(MAX_STRING_BYTES)];
        if text.is_empty() {
            return 0;
        }
        let next = self.strings.len() as u64 + 1;
        *self.strings.entry(text.to_vec()).or_insert(next)
    }

    /// The id of a stack of one frame with no address in the program.
    pub(crate) fn stack(&mut self, function: &str) -> u64 {
        let next = self.stacks.len() as u64 + 1;
        let key = function.as_bytes().to_vec();
        self.string(&key);
        *self.stacks.entry(key).or_insert(next)
    }

    /// Adds an event; its arguments without the time. A wrong number of arguments is a mistake of
    /// this crate, which a test of each event's emission shows.
    pub(crate) fn event(&mut self, thread: Option<ThreadId>, event_type: E, args: &[u64]) {
        self.now += self.step;
        if self.open.as_ref().is_some_and(|open| {
            open.thread != thread || open.data.len() + MAX_TIMED_EVENT_BYTES > MAX_BATCH_BYTES
        }) {
            self.close();
        }
        let now = self.now;
        let open = self.open.get_or_insert_with(|| Open {
            thread,
            start: now,
            last: now,
            data: Vec::new(),
        });
        let mut numbers = [0; 5];
        numbers[0] = now - open.last;
        let arity = event_type.spec().args.len();
        debug_assert_eq!(arity, args.len() + 1, "{event_type}");
        for (number, arg) in numbers.iter_mut().skip(1).zip(args) {
            *number = *arg;
        }
        let mut buffer = [0; MAX_TIMED_EVENT_BYTES];
        if let Ok(n) = encode_event(&mut buffer, event_type, &numbers[..arity]) {
            open.data.extend_from_slice(&buffer[..n]);
            open.last = now;
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            push_batch(
                &mut self.bytes,
                self.generation,
                open.thread,
                open.start,
                &open.data,
            );
        }
    }

    /// Ends the generation: tables, then the end record.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.close();
        let mut stacks = Section::new(E::Stacks);
        for (function, id) in &self.stacks {
            let name = self.strings.get(function).copied().unwrap_or(0);
            // One frame: program counter, function, file, line.
            stacks.push(E::Stack, &[*id, 1, *id, name, 0, 0], &[]);
        }
        let mut strings = Section::new(E::Strings);
        for (text, id) in &self.strings {
            strings.push(E::String, &[*id, text.len() as u64], text);
        }
        for data in stacks.finish().into_iter().chain(strings.finish()) {
            push_batch(&mut self.bytes, self.generation, None, self.now, &data);
        }
        self.bytes.push(E::EndOfGeneration.to_wire());
        self.bytes
    }
}
