//! The strings, frames and stacks of a trace, each once.

use std::collections::HashMap;

use exectrace_reader::{Generation, Stack, Text};

use crate::ids::{FrameIx, StackIx, StringIx};

/// The strings, frames and stacks of a trace.
///
/// A trace has tables of its own for each generation; here, what is equal has the same index
/// throughout.
#[derive(Clone, Debug)]
pub struct Symbols {
    text: Vec<u8>,
    /// Where each string ends in `text`.
    string_ends: Vec<usize>,
    frames: Vec<FrameRow>,
    stack_frames: Vec<FrameIx>,
    /// Where each stack ends in `stack_frames`.
    stack_ends: Vec<usize>,
}

/// A frame of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRow {
    /// The program counter.
    pub pc: u64,
    /// The source line.
    pub line: u64,
    /// The function's full name.
    pub function: StringIx,
    /// The source file.
    pub file: StringIx,
}

impl Default for Symbols {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            // The empty string, which is `EMPTY`.
            string_ends: vec![0],
            frames: Vec::new(),
            stack_frames: Vec::new(),
            stack_ends: Vec::new(),
        }
    }
}

/// The empty string's index.
pub(crate) const EMPTY: StringIx = StringIx(0);

impl Symbols {
    /// A string.
    #[must_use]
    pub fn string(&self, string: StringIx) -> Text<'_> {
        Text::new(part(&self.text, &self.string_ends, string.index()))
    }

    /// A frame.
    #[must_use]
    pub fn frame(&self, frame: FrameIx) -> &FrameRow {
        &self.frames[frame.index()]
    }

    /// The frames of a stack, leaf first.
    #[must_use]
    pub fn stack(&self, stack: StackIx) -> &[FrameIx] {
        part(&self.stack_frames, &self.stack_ends, stack.index())
    }

    /// The function at the root of a stack, where its goroutine began.
    #[must_use]
    pub fn root(&self, stack: StackIx) -> Option<StringIx> {
        let frame = self.stack(stack).last()?;
        Some(self.frame(*frame).function)
    }

    /// All strings, by index.
    pub fn strings(&self) -> impl ExactSizeIterator<Item = Text<'_>> {
        (0..self.string_ends.len()).map(|index| self.string(StringIx::new(index)))
    }

    /// How many strings there are; the first is the empty one.
    #[must_use]
    pub fn string_count(&self) -> usize {
        self.string_ends.len()
    }

    /// How many frames there are.
    #[must_use]
    pub fn frame_count(&self) -> usize {
        self.frames.len()
    }

    /// How many stacks there are.
    #[must_use]
    pub fn stack_count(&self) -> usize {
        self.stack_ends.len()
    }

    /// Bytes that the tables take up.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
            + size_of_val(&self.string_ends[..])
            + size_of_val(&self.frames[..])
            + size_of_val(&self.stack_frames[..])
            + size_of_val(&self.stack_ends[..])
    }
}

/// Of parts that stand one after the other, the one with this index.
fn part<'a, T>(all: &'a [T], ends: &[usize], index: usize) -> &'a [T] {
    let start = match index {
        0 => 0,
        index => ends[index - 1],
    };
    &all[start..ends[index]]
}

/// Fills [`Symbols`]. A stack's content is looked at once in a generation, a string's only if it is
/// not among those that were seen last.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    symbols: Symbols,
    strings: HashMap<Box<[u8]>, StringIx>,
    frames: HashMap<FrameRow, FrameIx>,
    stacks: HashMap<Box<[FrameIx]>, StackIx>,
    recent: RecentStrings,
    generation: Option<Generation>,
    /// The stacks of the generation by id, packed; 0 if the stack was not seen yet.
    stack_ids: Vec<u32>,
    /// As `stack_ids`, for large ids.
    large_stack_ids: HashMap<u64, u32>,
    scratch: Vec<FrameIx>,
}

/// Ids of stacks below this are looked up in a vector. Go numbers stacks from 1.
const SMALL_STACK_IDS: u64 = 1 << 16;

impl Interner {
    pub(crate) fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    pub(crate) fn finish(self) -> Symbols {
        self.symbols
    }

    #[inline]
    pub(crate) fn string(&mut self, text: Text<'_>) -> StringIx {
        if text.is_empty() {
            return EMPTY;
        }
        let slot = RecentStrings::slot(text.as_bytes());
        let recent = self.recent.0[slot];
        if self.symbols.string(recent) == text {
            return recent;
        }
        let string = self.find_string(text.as_bytes());
        self.recent.0[slot] = string;
        string
    }

    fn find_string(&mut self, text: &[u8]) -> StringIx {
        if let Some(string) = self.strings.get(text) {
            return *string;
        }
        let string = StringIx::new(self.symbols.string_ends.len());
        self.symbols.text.extend_from_slice(text);
        self.symbols.string_ends.push(self.symbols.text.len());
        self.strings.insert(text.into(), string);
        string
    }

    /// The index of a stack; `None` for one without frames.
    #[inline]
    pub(crate) fn stack(&mut self, stack: Stack<'_>) -> Option<StackIx> {
        let id = stack.id();
        if id == 0 {
            return None;
        }
        if self.generation != Some(stack.generation()) {
            self.generation = Some(stack.generation());
            self.stack_ids.clear();
            self.large_stack_ids.clear();
        }
        if let Some(packed) = self.stack_ids.get(id as usize)
            && *packed != 0
        {
            return StackIx::unpack(*packed);
        }
        self.new_stack(id, stack)
    }

    /// A stack that was not seen in the generation, or has no frames, or a large id.
    #[cold]
    fn new_stack(&mut self, id: u64, stack: Stack<'_>) -> Option<StackIx> {
        if let Some(packed) = self.large_stack_ids.get(&id) {
            return StackIx::unpack(*packed);
        }
        if stack.is_empty() {
            return None;
        }
        let mut frames = std::mem::take(&mut self.scratch);
        frames.clear();
        for frame in stack.frames() {
            let row = FrameRow {
                pc: frame.pc,
                line: frame.line,
                function: self.string(frame.function),
                file: self.string(frame.file),
            };
            let next = FrameIx::new(self.symbols.frames.len());
            let frame = *self.frames.entry(row).or_insert(next);
            if frame == next {
                self.symbols.frames.push(row);
            }
            frames.push(frame);
        }
        let index = match self.stacks.get(frames.as_slice()) {
            Some(known) => *known,
            None => {
                let new = StackIx::new(self.symbols.stack_ends.len());
                self.symbols.stack_frames.extend_from_slice(&frames);
                self.symbols
                    .stack_ends
                    .push(self.symbols.stack_frames.len());
                self.stacks.insert(frames.as_slice().into(), new);
                new
            }
        };
        self.scratch = frames;
        let packed = StackIx::pack(Some(index));
        if id < SMALL_STACK_IDS {
            let at = id as usize;
            if self.stack_ids.len() <= at {
                self.stack_ids.resize(at + 1, 0);
            }
            self.stack_ids[at] = packed;
        } else {
            self.large_stack_ids.insert(id, packed);
        }
        Some(index)
    }
}

/// The strings that were seen last, by a few of their bytes: comparing with one of these is cheaper
/// than hashing.
#[derive(Debug)]
struct RecentStrings(Box<[StringIx]>);

/// A power of two.
const RECENT: usize = 1 << 10;

impl Default for RecentStrings {
    fn default() -> Self {
        Self(vec![EMPTY; RECENT].into_boxed_slice())
    }
}

impl RecentStrings {
    /// Where a string is if it is here: any function will do that tells the usual ones apart.
    #[inline]
    fn slot(text: &[u8]) -> usize {
        let byte = |at: usize| text.get(at).copied().map_or(0, u64::from);
        let last = text.len().saturating_sub(1);
        let bytes = byte(0) | byte(last) << 8 | byte(last / 2) << 16 | byte(last / 4) << 24;
        let mixed = (bytes | (text.len() as u64) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 54) as usize % RECENT
    }
}
