//! Stacks and their frames.

use core::fmt;

use exectrace_wire::{Generation, RawFrame};

use crate::{generation::GenerationData, text::Text};

/// A stack of a generation.
#[derive(Clone, Copy)]
pub struct Stack<'a> {
    id: u64,
    generation: &'a GenerationData,
}

impl<'a> Stack<'a> {
    pub(super) fn new(id: u64, generation: &'a GenerationData) -> Self {
        Self { id, generation }
    }

    /// The stack's frames, leaf first.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'a>> + use<'a> {
        let tables = &self.generation.tables;
        tables
            .stacks
            .frames(self.id)
            .map(|frame| Frame::new(frame, self.generation))
    }

    /// Whether it has no frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames().len() == 0
    }

    /// A number that identifies the stack in its generation, for caches; 0 for no frames.
    #[inline]
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The generation whose stack it is.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation.number
    }
}

impl fmt::Debug for Stack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.frames()).finish()
    }
}

/// A frame of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The program counter.
    pub pc: u64,
    /// The function's full name.
    pub function: Text<'a>,
    /// The source file.
    pub file: Text<'a>,
    /// The line in the source file.
    pub line: u64,
}

impl<'a> Frame<'a> {
    fn new(frame: RawFrame, generation: &'a GenerationData) -> Self {
        let text = |id| generation.tables.strings.get(id).unwrap_or_default();
        Self {
            pc: frame.pc,
            function: text(frame.func),
            file: text(frame.file),
            line: frame.line,
        }
    }
}
