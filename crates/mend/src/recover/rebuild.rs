//! A generation from what threads had written of it when the process died.
//!
//! What a block vouches for are whole events, and a thread's event is written before others can see
//! what it did. So what is there is a state that the program was in: no event is there without what
//! led to it. What is missing are tables and statuses, which are written at a generation's end:
//!
//! - stacks are read out of the tracer's table, and their addresses are named where the program's
//!   files still say how;
//! - the status of a goroutine of which the generation says nothing is its status in the next.

use std::collections::{BTreeMap, BTreeSet};

use exectrace_wire::{
    ArgKind, BatchKind, EventType as E, Frame, Generation, GoroutineId, Strings, ThreadId,
    decode_event,
    limits::MAX_STACK_FRAMES,
    parse_frame,
    section::{Section, push_batch, push_number},
};

use super::{Report, StackSource, image::Pieces};
use crate::{
    clock::Clock,
    layout::Block,
    standing::{Goroutine, Standing},
    walk::VERSION,
};

/// A thread's batch, cut to what can be decoded.
#[derive(Clone, Debug)]
struct Batch<'a> {
    thread: Option<ThreadId>,
    time: u64,
    data: &'a [u8],
}

/// What is known of a generation.
#[derive(Clone, Debug, Default)]
struct Contents<'a> {
    batches: Vec<Batch<'a>>,
    strings: BTreeMap<u64, &'a [u8]>,
    /// Ids that events use.
    used_stacks: BTreeSet<u64>,
    used_strings: BTreeSet<u64>,
    goroutines: BTreeSet<GoroutineId>,
    times: Option<(u64, u64)>,
}

/// Rebuilds a generation; none if it has no event. `next` is how the next generation begins.
pub(super) fn rebuild(
    generation: Generation,
    pieces: &Pieces<'_>,
    clock: Clock,
    next: Option<&Standing>,
    source: &mut dyn StackSource,
    report: &mut Report,
) -> Option<Vec<u8>> {
    // 1. What there is.
    let mut contents = Contents::default();
    for block in &pieces.batches {
        contents.add(block, report);
    }
    let (start, end) = contents.times?;
    let mut out = Vec::new();

    // 2. The clocks, reckoned from the last time that they were read.
    let clock = clock.at(exectrace_wire::Ticks(start));
    push_batch(&mut out, generation, None, start, &clock.to_records());

    // 3. Events.
    for batch in &contents.batches {
        push_batch(&mut out, generation, batch.thread, batch.time, batch.data);
    }

    // 4. Statuses of those who are stated next, and of whom nothing is said here.
    let unstated = next.into_iter().flat_map(|next| &next.goroutines);
    let unstated = unstated.filter(|(g, _)| !contents.goroutines.contains(g));
    for data in statuses(unstated) {
        push_batch(&mut out, generation, None, end, &data);
    }

    // 5. Tables.
    let mut tables = Tables::new(&contents);
    let mut stacks: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for block in &pieces.stacks {
        stacks.extend(source.scan(block.data, generation));
    }
    for id in &contents.used_stacks {
        let addresses = stacks.get(id).map_or(&[][..], |addresses| addresses);
        report.lost_stacks += u64::from(addresses.is_empty());
        tables.stack(*id, addresses, source, report);
    }
    for id in &contents.used_strings {
        if !contents.strings.contains_key(id) {
            report.lost_strings += 1;
            tables.strings.push(E::String, &[*id, 0], &[]);
        }
    }
    for data in tables.finish() {
        push_batch(&mut out, generation, None, end, &data);
    }
    out.push(E::EndOfGeneration.to_wire());
    Some(out)
}

/// Batches of statuses.
fn statuses<'a>(
    goroutines: impl Iterator<Item = (&'a GoroutineId, &'a Goroutine)>,
) -> Vec<Vec<u8>> {
    const CUT: usize = 60_000;
    let mut batches: Vec<Vec<u8>> = Vec::new();
    for (g, goroutine) in goroutines {
        if batches.last().is_none_or(|data| data.len() > CUT) {
            batches.push(Vec::new());
        }
        let Some(data) = batches.last_mut() else {
            break;
        };
        data.push(E::GoStatus.to_wire());
        let thread = ThreadId::to_wire(goroutine.thread);
        for number in [1, g.0, thread, goroutine.status.to_wire()] {
            push_number(data, number);
        }
    }
    batches
}

impl<'a> Contents<'a> {
    fn add(&mut self, block: &Block<'a>, report: &mut Report) {
        let Ok(Some((Frame::Batch(header), length))) = parse_frame(block.data) else {
            report.lost_bytes += block.data.len() as u64;
            return;
        };
        // The size is filled in last; what the block vouches for counts.
        let data = block.data.get(length..).unwrap_or_default();
        let kept = match header.classify(VERSION, data) {
            BatchKind::Strings => self.add_strings(data),
            BatchKind::Events => {
                let (length, last) = self.add_events(data, header.time.0, report);
                if length > 0 {
                    let (start, end) = self.times.unwrap_or((header.time.0, last));
                    self.times = Some((start.min(header.time.0), end.max(last)));
                    self.batches.push(Batch {
                        thread: header.thread,
                        time: header.time.0,
                        data: &data[..length],
                    });
                }
                length
            }
            _ => 0,
        };
        report.lost_bytes += (data.len() - kept) as u64;
    }

    /// Keeps whole string records and returns how many bytes they are.
    fn add_strings(&mut self, data: &'a [u8]) -> usize {
        let Ok(strings) = Strings::new(data) else {
            return 0;
        };
        for record in strings {
            match record {
                Ok(record) => {
                    self.strings.entry(record.id).or_insert(record.data);
                }
                Err(error) => return error.offset,
            }
        }
        data.len()
    }

    /// Keeps whole events and returns how many bytes they are, and the time of the last.
    fn add_events(&mut self, data: &[u8], start: u64, report: &mut Report) -> (usize, u64) {
        let mut at = 0;
        let mut time = start;
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            let Ok((event, length)) = decode_event(rest) else {
                break;
            };
            at += length;
            report.recovered_events += 1;
            for (number, spec) in event.args().iter().zip(event.event_type.spec().args) {
                match spec.kind {
                    ArgKind::Delta => time = time.saturating_add(*number),
                    ArgKind::Stack if *number != 0 => {
                        self.used_stacks.insert(*number);
                    }
                    ArgKind::String if *number != 0 => {
                        self.used_strings.insert(*number);
                    }
                    ArgKind::Goroutine => {
                        self.goroutines.insert(GoroutineId(*number));
                    }
                    _ => {}
                }
            }
        }
        (at, time)
    }
}

/// The tables of a generation that grows.
#[derive(Debug)]
struct Tables {
    stacks: Section,
    strings: Section,
    names: BTreeMap<String, u64>,
    last_string: u64,
}

impl Tables {
    fn new(contents: &Contents<'_>) -> Self {
        let mut strings = Section::new(E::Strings);
        for (id, text) in &contents.strings {
            strings.push(E::String, &[*id, text.len() as u64], text);
        }
        let used = contents.used_strings.last().copied().unwrap_or(0);
        let defined = contents.strings.last_key_value().map_or(0, |(id, _)| *id);
        Self {
            stacks: Section::new(E::Stacks),
            strings,
            names: BTreeMap::new(),
            last_string: used.max(defined),
        }
    }

    fn name(&mut self, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        if let Some(id) = self.names.get(text) {
            return *id;
        }
        self.last_string += 1;
        // As Go does, the end of a long name is kept.
        let bytes = text.as_bytes();
        let cut = bytes
            .len()
            .saturating_sub(exectrace_wire::limits::MAX_STRING_BYTES);
        let bytes = &bytes[cut..];
        self.strings
            .push(E::String, &[self.last_string, bytes.len() as u64], bytes);
        self.names.insert(text.to_owned(), self.last_string);
        self.last_string
    }

    fn stack(
        &mut self,
        id: u64,
        addresses: &[u64],
        source: &mut dyn StackSource,
        report: &mut Report,
    ) {
        let mut frames = source.frames(addresses);
        frames.truncate(MAX_STACK_FRAMES);
        let mut payload = Vec::new();
        for frame in &frames {
            let function = match &frame.function {
                Some(function) => self.name(function),
                None => {
                    report.raw_addresses += 1;
                    self.name(&format!("{:#x}", frame.pc))
                }
            };
            let file = self.name(&frame.file);
            for number in [frame.pc, function, file, frame.line] {
                push_number(&mut payload, number);
            }
        }
        self.stacks
            .push(E::Stack, &[id, frames.len() as u64], &payload);
    }

    fn finish(self) -> impl Iterator<Item = Vec<u8>> {
        self.stacks
            .finish()
            .into_iter()
            .chain(self.strings.finish())
    }
}
