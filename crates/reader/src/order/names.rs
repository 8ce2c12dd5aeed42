//! Names that outlive the string table of their generation.

use std::collections::HashMap;

use crate::tables::StringTable;

/// A name that is kept across generations: the type of an active task, of an open region, or of a
/// stop-the-world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameId(u32);

impl NameId {
    /// Out of range for real names, so its text is empty.
    pub(super) const EMPTY: Self = Self(u32::MAX);
}

/// Keeps each name once, so that the hot path compares and copies numbers.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<Box<[u8]>>,
    by_name: HashMap<Box<[u8]>, u32>,
    /// For each string id of this generation, its name plus one; 0 where it is not known yet.
    of_string: Vec<u32>,
}

/// String ids beyond this are looked up by their text each time; real tables have some thousands.
const MAX_CACHED_ID: u64 = 1 << 20;

impl Names {
    /// The name of a string of the current generation. Hashes the text only the first time in a
    /// generation. `None` if the string is not there.
    #[inline]
    pub(super) fn of_string(&mut self, id: u64, strings: &StringTable) -> Option<NameId> {
        match self.of_string.get(id as usize) {
            Some(&known) if known != 0 => Some(NameId(known - 1)),
            _ => self.find_or_add(id, strings),
        }
    }

    /// As [`Self::of_string`]; the empty name if the string is not there.
    #[inline]
    pub(super) fn of_string_or_empty(&mut self, id: u64, strings: &StringTable) -> NameId {
        self.of_string(id, strings).unwrap_or(NameId::EMPTY)
    }

    #[cold]
    fn find_or_add(&mut self, id: u64, strings: &StringTable) -> Option<NameId> {
        let text = strings.get(id)?.as_bytes();
        let name = match self.by_name.get(text) {
            Some(name) => *name,
            None => {
                let name = self.names.len() as u32;
                self.names.push(text.into());
                self.by_name.insert(text.into(), name);
                name
            }
        };
        if id < MAX_CACHED_ID {
            let at = id as usize;
            if self.of_string.len() <= at {
                self.of_string.resize(at + 1, 0);
            }
            self.of_string[at] = name + 1;
        }
        Some(NameId(name))
    }

    pub(super) fn text(&self, name: NameId) -> &[u8] {
        self.names.get(name.0 as usize).map_or(&[], |text| text)
    }

    /// Starts a generation: its string ids are its own. Names that nothing uses any more go, so
    /// that memory is bounded by what is open; `for_each_used` visits every use.
    pub(super) fn begin_generation(
        &mut self,
        for_each_used: impl FnOnce(&mut dyn FnMut(&mut NameId)),
    ) {
        self.of_string.clear();
        if self.names.is_empty() {
            return;
        }
        let mut kept = Self::default();
        for_each_used(&mut |name| {
            let text = self.text(*name);
            let id = match kept.by_name.get(text) {
                Some(id) => *id,
                None => {
                    let id = kept.names.len() as u32;
                    kept.names.push(text.into());
                    kept.by_name.insert(text.into(), id);
                    id
                }
            };
            *name = NameId(id);
        });
        kept.of_string = std::mem::take(&mut self.of_string);
        *self = kept;
    }
}
