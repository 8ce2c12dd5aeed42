//! The string and stack tables of a generation.

use exectrace_wire::RawFrame;

use crate::{dense::IdTable, id_hash::IdHashMap, text::Text};

/// The tables of one generation.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) strings: StringTable,
    pub(crate) stacks: StackTable,
}

/// A range of a flat vector; a table of a generation fits in 32 bits, as limits of the reader
/// ensure.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// Strings by id.
#[derive(Debug, Default)]
pub(crate) struct StringTable {
    data: Vec<u8>,
    index: IdTable<Span>,
    /// In salvage mode: what is read in place of a string that is not there.
    placeholder: Option<Text<'static>>,
}

impl StringTable {
    /// The string of an id; the empty string for id 0.
    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<Text<'_>> {
        match self.index.get(id) {
            Some(span) => Some(Text::new(&self.data[span.range()])),
            None if id == 0 => Some(Text::default()),
            None => self.placeholder,
        }
    }

    /// See [`IdTable::contiguous_to`].
    pub(crate) fn contiguous_to(&self) -> u64 {
        self.index.contiguous_to()
    }

    /// Whether an id is 0 or defined.
    #[inline]
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.index.contains(id)
    }
}

/// Collects the strings of a generation.
#[derive(Debug, Default)]
pub(crate) struct StringTableBuilder {
    data: Vec<u8>,
    spans: IdHashMap<Span>,
}

impl StringTableBuilder {
    /// Adds a string unless its id is taken.
    ///
    /// # Errors
    ///
    /// The string that has the id already; id 0 is the empty string from the start.
    pub(crate) fn insert(&mut self, id: u64, data: &[u8]) -> Result<(), Text<'_>> {
        if id == 0 {
            return Err(Text::default());
        }
        if let Some(span) = self.spans.get(&id).copied() {
            return Err(Text::new(&self.data[span.range()]));
        }
        self.spans.insert(
            id,
            Span {
                start: self.data.len() as u32,
                len: data.len() as u32,
            },
        );
        self.data.extend_from_slice(data);
        Ok(())
    }

    /// Bytes of all strings.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// In salvage mode, strings that are not there read as a placeholder.
    pub(crate) fn finish(self, salvaging: bool) -> StringTable {
        StringTable {
            placeholder: salvaging.then_some(Text::new(b"?")),
            data: self.data,
            index: IdTable::new(self.spans.into_iter().collect()),
        }
    }
}

/// Stacks by id. Frames are stored once for each program counter.
#[derive(Debug, Default)]
pub(crate) struct StackTable {
    frames: Vec<RawFrame>,
    /// Indexes into `frames`, leaf first; `index` has each stack's part.
    stacks: Vec<u32>,
    index: IdTable<Span>,
}

impl StackTable {
    /// See [`IdTable::contiguous_to`].
    pub(crate) fn contiguous_to(&self) -> u64 {
        self.index.contiguous_to()
    }

    /// Whether an id is 0 or defined.
    #[inline]
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.index.contains(id)
    }

    /// The frames of a stack, leaf first; none for an unknown id.
    pub(crate) fn frames(&self, id: u64) -> impl ExactSizeIterator<Item = RawFrame> + '_ {
        let span = self.index.get(id).unwrap_or(Span { start: 0, len: 0 });
        self.stacks[span.range()]
            .iter()
            .map(|frame| self.frames[*frame as usize])
    }
}

/// Collects the stacks of a generation.
#[derive(Debug, Default)]
pub(crate) struct StackTableBuilder {
    frames: Vec<RawFrame>,
    /// The first frame seen with each program counter: it wins over later definitions (format
    /// specification, section 2.3).
    by_pc: IdHashMap<u32>,
    stacks: Vec<u32>,
    spans: IdHashMap<Span>,
}

/// A string that a stack needs is not in the string table.
#[derive(Debug)]
pub(crate) struct MissingFrameString {
    pub(crate) stack: u64,
    pub(crate) string: u64,
    pub(crate) what: &'static str,
}

impl StackTableBuilder {
    /// Adds a stack unless its id is taken; id 0, "no stack", is taken from the start. Returns
    /// whether it was added.
    #[must_use]
    pub(crate) fn insert(&mut self, id: u64, frames: impl Iterator<Item = RawFrame>) -> bool {
        if id == 0 || self.spans.contains_key(&id) {
            return false;
        }
        let start = self.stacks.len() as u32;
        for frame in frames {
            let index = *self.by_pc.entry(frame.pc).or_insert_with(|| {
                self.frames.push(frame);
                (self.frames.len() - 1) as u32
            });
            self.stacks.push(index);
        }
        self.spans.insert(
            id,
            Span {
                start,
                len: self.stacks.len() as u32 - start,
            },
        );
        true
    }

    /// Adds a stack in place of what has its id, if anything does.
    pub(crate) fn replace(&mut self, id: u64, frames: impl Iterator<Item = RawFrame>) {
        self.spans.remove(&id);
        // Only id 0 is refused.
        let _ = self.insert(id, frames);
    }

    /// A frame whose names are not all in `strings`, and a stack that it is in; the lowest such
    /// stack id, so that the report does not depend on the order of a hash map.
    pub(crate) fn find_missing_string(&self, strings: &StringTable) -> Option<MissingFrameString> {
        let missing = |index: &u32| {
            let frame = self.frames[*index as usize];
            [(frame.func, "function"), (frame.file, "file")]
                .into_iter()
                .find(|(string, _)| !strings.contains(*string))
        };
        let used: Vec<bool> = (0..self.frames.len() as u32)
            .map(|index| missing(&index).is_some())
            .collect();
        if !used.contains(&true) {
            return None;
        }
        self.spans
            .iter()
            .filter_map(|(id, span)| {
                let (string, what) = self.stacks[span.range()].iter().find_map(missing)?;
                Some(MissingFrameString {
                    stack: *id,
                    string,
                    what,
                })
            })
            .min_by_key(|found| found.stack)
    }

    /// Entries of all stacks.
    pub(crate) fn len(&self) -> usize {
        self.stacks.len()
    }

    pub(crate) fn finish(self) -> StackTable {
        StackTable {
            frames: self.frames,
            stacks: self.stacks,
            index: IdTable::new(self.spans.into_iter().collect()),
        }
    }
}
