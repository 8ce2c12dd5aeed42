//! The string and stack tables of a generation that is being built.

use std::collections::BTreeMap;

use exectrace_wire::EventType;

use super::args::{Arg, FrameSpec, Stack};
use crate::layout::push_number;

/// Ids from 1 in order of first use.
#[derive(Debug, Default)]
pub(super) struct Tables {
    strings: BTreeMap<Vec<u8>, u64>,
    string_order: Vec<Vec<u8>>,
    stacks: BTreeMap<Stack, u64>,
    stack_order: Vec<Stack>,
    pcs: BTreeMap<FrameSpec, u64>,
}

impl Tables {
    pub(super) fn number_of(&mut self, arg: &Arg) -> u64 {
        match arg {
            Arg::Number(number) => *number,
            Arg::Text(text) => self.string(text),
            Arg::Stack(stack) => self.stack(stack),
        }
    }

    fn string(&mut self, text: &[u8]) -> u64 {
        if text.is_empty() {
            return 0;
        }
        if let Some(id) = self.strings.get(text) {
            return *id;
        }
        let id = self.strings.len() as u64 + 1;
        self.strings.insert(text.to_vec(), id);
        self.string_order.push(text.to_vec());
        id
    }

    fn stack(&mut self, stack: &Stack) -> u64 {
        if stack.0.is_empty() {
            return 0;
        }
        if let Some(id) = self.stacks.get(stack) {
            return *id;
        }
        let id = self.stacks.len() as u64 + 1;
        self.stacks.insert(stack.clone(), id);
        self.stack_order.push(stack.clone());
        id
    }

    /// Readers key frames by pc, so each distinct frame gets one of its own unless it has one.
    fn pc(&mut self, frame: &FrameSpec) -> u64 {
        const FIRST: u64 = 0x40_1000;
        let next = FIRST + 0x10 * self.pcs.len() as u64;
        frame
            .pc
            .unwrap_or_else(|| *self.pcs.entry(frame.clone()).or_insert(next))
    }

    /// The data of the batches of stacks. Adds the strings that the frames need.
    pub(super) fn stack_batches(&mut self, limit: usize) -> Vec<Vec<u8>> {
        let mut batches = Sections::new(EventType::Stacks, limit);
        for (stack, id) in self.stack_order.clone().into_iter().zip(1..) {
            let mut record = vec![EventType::Stack.to_wire()];
            push_number(&mut record, id);
            push_number(&mut record, stack.0.len() as u64);
            for frame in &stack.0 {
                let numbers = [
                    self.pc(frame),
                    self.string(frame.func.as_bytes()),
                    self.string(frame.file.as_bytes()),
                    frame.line,
                ];
                for number in numbers {
                    push_number(&mut record, number);
                }
            }
            batches.push(&record);
        }
        batches.finish()
    }

    /// The data of the batches of strings.
    pub(super) fn string_batches(&self, limit: usize) -> Vec<Vec<u8>> {
        let mut batches = Sections::new(EventType::Strings, limit);
        for (string, id) in self.string_order.iter().zip(1..) {
            let mut record = vec![EventType::String.to_wire()];
            push_number(&mut record, id);
            push_number(&mut record, string.len() as u64);
            record.extend(string);
            batches.push(&record);
        }
        batches.finish()
    }
}

/// Records cut into batches that each begin with the section's marker.
#[derive(Debug)]
pub(super) struct Sections {
    marker: u8,
    limit: usize,
    done: Vec<Vec<u8>>,
    current: Vec<u8>,
}

impl Sections {
    pub(super) fn new(section: EventType, limit: usize) -> Self {
        let marker = section.to_wire();
        Self {
            marker,
            limit,
            done: Vec::new(),
            current: vec![marker],
        }
    }

    pub(super) fn push(&mut self, record: &[u8]) {
        if self.current.len() > 1 && self.current.len() + record.len() > self.limit {
            let full = std::mem::replace(&mut self.current, vec![self.marker]);
            self.done.push(full);
        }
        self.current.extend(record);
    }

    pub(super) fn finish(mut self) -> Vec<Vec<u8>> {
        self.done.push(self.current);
        self.done
    }
}
