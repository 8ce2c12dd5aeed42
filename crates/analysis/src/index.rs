//! From ids, as the trace has them, to consecutive indices.

use std::collections::HashMap;

/// A map from 64-bit ids to 32-bit indices, fast for ids that lie close together.
///
/// Ids share pages of [`PAGE`], so it takes 4 bytes an id if they are dense, and at most a page for
/// each otherwise.
#[derive(Debug)]
pub(crate) struct IdIndex {
    pages: Vec<[u32; PAGE]>,
    directory: HashMap<u64, u32>,
    /// For a page's number modulo its length: the last such page, and where it is.
    recent: Box<[(u64, u32)]>,
}

const PAGE: usize = 32;
const RECENT: usize = 1024;
/// No index is this large: tables refuse to grow that far.
const VACANT: u32 = u32::MAX;
/// No page has this number, since ids have 64 bits.
const NO_PAGE: u64 = u64::MAX;

impl Default for IdIndex {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            directory: HashMap::new(),
            recent: vec![(NO_PAGE, 0); RECENT].into_boxed_slice(),
        }
    }
}

impl IdIndex {
    #[inline]
    pub(crate) fn get(&mut self, id: u64) -> Option<u32> {
        let number = id / PAGE as u64;
        let page = match self.recent[number as usize % RECENT] {
            (recent, page) if recent == number => page,
            _ => self.find_page(number)?,
        };
        let index = self.pages[page as usize][id as usize % PAGE];
        (index != VACANT).then_some(index)
    }

    /// Adds an id, or gives it another index.
    #[inline]
    pub(crate) fn set(&mut self, id: u64, index: u32) {
        let number = id / PAGE as u64;
        let page = match self.recent[number as usize % RECENT] {
            (recent, page) if recent == number => page,
            _ => match self.find_page(number) {
                Some(page) => page,
                None => self.add_page(number),
            },
        };
        self.pages[page as usize][id as usize % PAGE] = index;
    }

    #[cold]
    fn find_page(&mut self, number: u64) -> Option<u32> {
        let page = *self.directory.get(&number)?;
        self.recent[number as usize % RECENT] = (number, page);
        Some(page)
    }

    #[cold]
    fn add_page(&mut self, number: u64) -> u32 {
        let page = self.pages.len() as u32;
        self.pages.push([VACANT; PAGE]);
        self.directory.insert(number, page);
        self.recent[number as usize % RECENT] = (number, page);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_behaves_like_a_hash_map() {
        let mut index = IdIndex::default();
        let mut model = HashMap::new();
        let mut state = 1u64;
        for i in 0..50_000u32 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let id = match state >> 62 {
                0 => state >> 40 & 0xfff,
                1 => u64::from(i),
                2 => state,
                _ => u64::MAX - u64::from(i) * 7,
            };
            assert_eq!(index.get(id), model.get(&id).copied());
            index.set(id, i);
            model.insert(id, i);
        }
        for (id, at) in model {
            assert_eq!(index.get(id), Some(at));
        }
    }
}
