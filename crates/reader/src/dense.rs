//! Maps from ids that are dense in every real trace but may be anything in a hostile one.

use std::collections::HashMap;

/// A table of one generation, from ids to values, built once and then only read.
///
/// Real producers number strings and stacks 1, 2, 3, …: a lookup is then one access. Ids far apart
/// fall back to a binary search, so that memory is bounded by the number of entries: at most
/// [`DENSITY`] slots for each, plus a constant.
#[derive(Clone, Debug)]
pub(crate) struct IdTable<T> {
    dense: Vec<Option<T>>,
    sparse: Vec<(u64, T)>,
    /// All ids from 1 to this one are there.
    contiguous: u64,
}

/// Slots that one entry of a dense table may cost.
const DENSITY: usize = 4;
/// Slots that a dense table may always have.
const MIN_SLOTS: usize = 64;

impl<T> Default for IdTable<T> {
    fn default() -> Self {
        Self {
            dense: Vec::new(),
            sparse: Vec::new(),
            contiguous: 0,
        }
    }
}

impl<T: Copy> IdTable<T> {
    /// Builds the table. Of several entries with one id the last wins; callers exclude that.
    pub(crate) fn new(mut entries: Vec<(u64, T)>) -> Self {
        let limit = (DENSITY * entries.len() + MIN_SLOTS) as u64;
        let highest = entries
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| *id < limit)
            .max();
        let mut dense = vec![None; highest.map_or(0, |id| id as usize + 1)];
        entries.retain(|&(id, value)| match dense.get_mut(id as usize) {
            Some(slot) if id < limit => {
                *slot = Some(value);
                false
            }
            _ => true,
        });
        entries.sort_unstable_by_key(|(id, _)| *id);
        let contiguous = dense
            .iter()
            .skip(1)
            .take_while(|slot| slot.is_some())
            .count() as u64;
        Self {
            dense,
            sparse: entries,
            contiguous,
        }
    }

    /// All ids from 1 to this one are there; ids beyond it may be, too.
    pub(crate) fn contiguous_to(&self) -> u64 {
        self.contiguous
    }

    /// Whether an id is 0 or there.
    #[inline]
    pub(crate) fn contains(&self, id: u64) -> bool {
        id <= self.contiguous || self.get(id).is_some()
    }

    /// The value of an id.
    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<T> {
        match self.dense.get(id as usize) {
            // The cast may cut ids on 32-bit machines, never below the length of a table there.
            Some(slot) if id <= u64::from(u32::MAX) || usize::BITS == 64 => *slot,
            _ => self.find_sparse(id),
        }
    }

    #[cold]
    fn find_sparse(&self, id: u64) -> Option<T> {
        let at = self.sparse.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.sparse[at].1)
    }
}

/// A map from the ids of live resources (goroutines, procs) to slots of a [`Slab`].
///
/// Ids are looked up in pages of [`PAGE`] slots while pages are well filled, and in a hash map
/// otherwise: at most [`SPARE_PAGES`] pages may be emptier than one entry in [`PAGE_FILL`] slots,
/// which bounds the memory that a hostile choice of ids can claim.
#[derive(Debug, Default)]
pub(crate) struct IdMap {
    pages: Vec<Option<Box<Page>>>,
    page_count: usize,
    len: usize,
    sparse: HashMap<u64, u32>,
}

#[derive(Debug)]
struct Page {
    slots: [u32; PAGE],
    used: u32,
}

const PAGE: usize = 256;
const PAGE_FILL: usize = 16;
const SPARE_PAGES: usize = 256;
/// Entries of the page directory, at 8 bytes each: covers 67 million goroutine ids.
const MAX_DIRECTORY: usize = 1 << 18;
const VACANT: u32 = u32::MAX;

impl IdMap {
    /// How many ids are in the map.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.len
    }

    /// The slot of an id.
    #[inline(always)]
    pub(crate) fn get(&self, id: u64) -> Option<u32> {
        match self.get_dense(id) {
            VACANT => self.find_sparse(id),
            slot => Some(slot),
        }
    }

    /// The slot of an id if it is in a page, otherwise a slot that does not exist.
    #[inline(always)]
    pub(crate) fn get_dense(&self, id: u64) -> u32 {
        match self.pages.get((id / PAGE as u64) as usize) {
            Some(Some(page)) => page.slots[id as usize % PAGE],
            _ => VACANT,
        }
    }

    #[cold]
    #[inline(never)]
    fn find_sparse(&self, id: u64) -> Option<u32> {
        if self.sparse.is_empty() {
            None
        } else {
            self.sparse.get(&id).copied()
        }
    }

    /// Adds an id that is not in the map.
    pub(crate) fn insert(&mut self, id: u64, slot: u32) {
        debug_assert!(self.get(id).is_none());
        self.len += 1;
        match self.page_for_insert(id) {
            Some(page) => {
                page.slots[id as usize % PAGE] = slot;
                page.used += 1;
            }
            None => {
                self.sparse.insert(id, slot);
            }
        }
    }

    fn page_for_insert(&mut self, id: u64) -> Option<&mut Page> {
        let index = usize::try_from(id / PAGE as u64)
            .ok()
            .filter(|i| *i < MAX_DIRECTORY)?;
        if self.pages.get(index).is_none_or(Option::is_none) {
            if self.page_count >= SPARE_PAGES + self.len / PAGE_FILL {
                return None;
            }
            if self.pages.len() <= index {
                self.pages.resize_with(index + 1, || None);
            }
            self.pages[index] = Some(Box::new(Page {
                slots: [VACANT; PAGE],
                used: 0,
            }));
            self.page_count += 1;
        }
        self.pages[index].as_deref_mut()
    }

    /// Removes an id and returns its slot.
    pub(crate) fn remove(&mut self, id: u64) -> Option<u32> {
        let index = (id / PAGE as u64) as usize;
        if let Some(Some(page)) = self.pages.get_mut(index) {
            let slot = std::mem::replace(&mut page.slots[id as usize % PAGE], VACANT);
            if slot != VACANT {
                self.len -= 1;
                page.used -= 1;
                if page.used == 0 {
                    self.pages[index] = None;
                    self.page_count -= 1;
                }
                return Some(slot);
            }
        }
        let slot = self.sparse.remove(&id)?;
        self.len -= 1;
        Some(slot)
    }
}

/// Values in reusable slots.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Stores a value and returns its slot.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = value;
                slot
            }
            None => {
                self.slots.push(value);
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// A slot whose value is the last one that it had, or a new one.
    pub(crate) fn reuse_or_insert_with(&mut self, new: impl FnOnce() -> T) -> u32 {
        match self.free.pop() {
            Some(slot) => slot,
            None => self.insert(new()),
        }
    }

    /// The value of a slot that may not exist.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slots.get_mut(slot as usize)
    }

    /// All slots, free ones included.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut()
    }

    /// Frees a slot for reuse; its value stays until then.
    pub(crate) fn free(&mut self, slot: u32) {
        self.free.push(slot);
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, slot: u32) -> &T {
        &self.slots[slot as usize]
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut T {
        &mut self.slots[slot as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_finds_dense_and_sparse_ids() {
        let ids = [1, 2, 3, 9, 1 << 40, u64::MAX];
        let table = IdTable::new(ids.iter().map(|id| (*id, *id)).collect());
        for id in ids {
            assert_eq!(table.get(id), Some(id));
        }
        for id in [0, 4, 10, 1 << 39, u64::MAX - 1] {
            assert_eq!(table.get(id), None);
        }
        assert!(table.dense.len() <= DENSITY * ids.len() + MIN_SLOTS);
    }

    #[test]
    fn map_behaves_like_a_hash_map() {
        let mut map = IdMap::default();
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
                _ => (state >> 40) << 8,
            };
            if let Some(slot) = model.remove(&id) {
                assert_eq!(map.remove(id), Some(slot));
            } else {
                map.insert(id, i);
                model.insert(id, i);
            }
            assert_eq!(map.len(), model.len());
        }
        for (id, slot) in &model {
            assert_eq!(map.get(*id), Some(*slot));
        }
    }

    #[test]
    fn hostile_ids_cost_no_page_each() {
        let mut map = IdMap::default();
        for i in 0..100_000 {
            map.insert(i * 256, i as u32);
        }
        assert!(map.page_count <= SPARE_PAGES + 100_000 / PAGE_FILL);
        assert!(map.pages.len() <= MAX_DIRECTORY);
    }
}
