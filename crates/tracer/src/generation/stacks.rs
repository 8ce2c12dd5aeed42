//! The stacks of a generation that has ended, with the functions and lines behind their addresses.

use std::sync::{Mutex, PoisonError};

use exectrace_wire::{
    EventType, StackId,
    limits::{MAX_STRING_BYTES, MAX_VARINT_BYTES},
    varint,
};

use crate::{
    stack::{Frame, NameId, Symboliser, symbolise::Own},
    strings::Table,
};

/// A batch is cut when its data is this long, which leaves room for the longest stack.
const CUT_BYTES: usize = 48 * 1024;

/// What is known of addresses outlives generations: finding it out is what takes time.
static SYMBOLISER: Mutex<Option<Symboliser>> = Mutex::new(None);

/// Encodes stacks as data of batches. Strings that they need get ids of the generation.
pub(super) fn encode(stacks: &[(StackId, &[usize])], strings: &Table) -> Vec<Vec<u8>> {
    if stacks.is_empty() {
        return Vec::new();
    }
    let mut symboliser = SYMBOLISER.lock().unwrap_or_else(PoisonError::into_inner);
    let symboliser = symboliser.get_or_insert_with(|| Symboliser::new(Own::TRACER));
    symboliser.begin_generation();
    let mut batches = Batches::default();
    let mut names = Vec::new();
    let mut frames = Vec::new();
    for (id, addresses) in stacks {
        frames.clear();
        symboliser.stack(addresses, &mut frames);
        batches.stack(*id, &frames, |name| string_id(&mut names, name, strings));
    }
    let mut strings = Batches::default();
    for (name, id) in names.into_iter().flatten() {
        strings.string(id, symboliser.name(name));
    }
    [batches.0, strings.0].concat()
}

/// The string's id in the generation. Names are found by their numbers.
fn string_id(names: &mut Vec<Option<(NameId, u64)>>, name: NameId, strings: &Table) -> u64 {
    if names.len() <= name.index() {
        names.resize(name.index() + 1, None);
    }
    let (_, id) = *names[name.index()].get_or_insert_with(|| (name, strings.fresh_id()));
    id
}

#[derive(Default)]
struct Batches(Vec<Vec<u8>>);

impl Batches {
    /// The batch to write to, which begins with the section's marker.
    fn last(&mut self, section: EventType) -> &mut Vec<u8> {
        if self.0.last().is_none_or(|data| data.len() > CUT_BYTES) {
            self.0.push(vec![section.to_wire()]);
        }
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    fn stack(&mut self, id: StackId, frames: &[Frame], mut string: impl FnMut(NameId) -> u64) {
        let data = self.last(EventType::Stacks);
        data.push(EventType::Stack.to_wire());
        number(data, id.0);
        number(data, frames.len() as u64);
        for frame in frames {
            number(data, frame.pc);
            number(data, string(frame.function));
            number(data, string(frame.file));
            number(data, frame.line.into());
        }
    }

    fn string(&mut self, id: u64, text: &str) {
        debug_assert!(text.len() <= MAX_STRING_BYTES);
        let data = self.last(EventType::Strings);
        data.push(EventType::String.to_wire());
        number(data, id);
        number(data, text.len() as u64);
        data.extend_from_slice(text.as_bytes());
    }
}

fn number(data: &mut Vec<u8>, number: u64) {
    let mut buffer = [0; MAX_VARINT_BYTES];
    // Ten bytes are enough for every number.
    let length = varint::write(&mut buffer, number).unwrap_or(0);
    data.extend_from_slice(&buffer[..length]);
}
