//! Maps from ids that are dense in every real trace but may be anything in a hostile one.

use crate::id_hash::IdHashMap;

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

/// A map from the ids of live resources (goroutines, procs, tasks) to what is known of them.
///
/// Ids are looked up in pages of [`PAGE`] values while pages are well filled, and in a hash map
/// otherwise: at most [`SPARE_PAGES`] pages may be emptier than one entry in [`PAGE_FILL`] slots,
/// which bounds the memory that a hostile choice of ids can claim. A page is found by the low bits
/// of its number, so ids may be as large as they become in a server that runs for months.
#[derive(Debug)]
pub(crate) struct IdMap<T> {
    /// A power of two entries, or none at all.
    directory: Vec<Entry<T>>,
    /// Empty pages, to be used again.
    spare: Vec<Box<Page<T>>>,
    page_count: usize,
    len: usize,
    sparse: IdHashMap<T>,
}

/// The place of all pages whose numbers have the same low bits; it holds one of them.
#[derive(Debug)]
struct Entry<T> {
    number: u64,
    page: Option<Box<Page<T>>>,
}

#[derive(Debug)]
struct Page<T> {
    values: [T; PAGE],
    used: u32,
}

/// A value with a mark for "there is none", so that a page is a flat array.
pub(crate) trait Vacant: Copy {
    /// There is no value.
    const VACANT: Self;

    /// Whether there is none.
    fn is_vacant(&self) -> bool;
}

/// Slots of a [`Slab`].
impl Vacant for u32 {
    const VACANT: Self = Self::MAX;

    #[inline(always)]
    fn is_vacant(&self) -> bool {
        *self == Self::VACANT
    }
}

const PAGE: usize = 256;
const PAGE_FILL: usize = 16;
const SPARE_PAGES: usize = 256;
const MIN_DIRECTORY: usize = 64;
/// Entries of the directory, at 16 bytes each, for each page before it does not grow any more.
const DIRECTORY_PER_PAGE: usize = 64;
/// Empty pages that are kept.
const KEPT_PAGES: usize = 64;

impl<T> Default for IdMap<T> {
    fn default() -> Self {
        Self {
            directory: Vec::new(),
            spare: Vec::new(),
            page_count: 0,
            len: 0,
            sparse: IdHashMap::default(),
        }
    }
}

impl<T: Vacant> IdMap<T> {
    /// How many ids are in the map.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.len
    }

    /// The value of an id.
    #[inline(always)]
    pub(crate) fn get(&self, id: u64) -> Option<T> {
        let number = id / PAGE as u64;
        match self.directory.get(self.place(number)) {
            Some(Entry {
                number: found,
                page: Some(page),
            }) if *found == number && !page.values[id as usize % PAGE].is_vacant() => {
                Some(page.values[id as usize % PAGE])
            }
            _ => self.find_sparse(id),
        }
    }

    /// The value of an id, for changes. MUST NOT be made vacant: see [`Self::remove`].
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let number = id / PAGE as u64;
        let place = self.place(number);
        match self.directory.get_mut(place) {
            Some(Entry {
                number: found,
                page: Some(page),
            }) if *found == number && !page.values[id as usize % PAGE].is_vacant() => {
                Some(&mut page.values[id as usize % PAGE])
            }
            _ => find_sparse_mut(&mut self.sparse, id),
        }
    }

    /// The value of an id if it is in a page; perhaps a vacant one. MUST NOT be made vacant or
    /// cease to be.
    #[inline(always)]
    pub(crate) fn get_dense_mut(&mut self, id: u64) -> Option<&mut T> {
        let number = id / PAGE as u64;
        let place = self.place(number);
        let entry = self.directory.get_mut(place)?;
        if entry.number != number {
            return None;
        }
        Some(&mut entry.page.as_mut()?.values[id as usize % PAGE])
    }

    /// Where in the directory a page belongs.
    #[inline(always)]
    fn place(&self, number: u64) -> usize {
        number as usize & self.directory.len().wrapping_sub(1)
    }

    #[cold]
    #[inline(never)]
    fn find_sparse(&self, id: u64) -> Option<T> {
        if self.sparse.is_empty() {
            None
        } else {
            self.sparse.get(&id).copied()
        }
    }

    /// Adds an id that is not in the map.
    #[inline]
    pub(crate) fn insert(&mut self, id: u64, value: T) {
        debug_assert!(self.get(id).is_none() && !value.is_vacant());
        self.len += 1;
        match self.page_for_insert(id / PAGE as u64) {
            Some(page) => {
                page.values[id as usize % PAGE] = value;
                page.used += 1;
            }
            None => {
                self.sparse.insert(id, value);
            }
        }
    }

    #[inline]
    fn page_for_insert(&mut self, number: u64) -> Option<&mut Page<T>> {
        let place = self.place(number);
        let is_there = |entry: &Entry<T>| entry.page.is_some() && entry.number == number;
        let place = if self.directory.get(place).is_some_and(is_there) {
            place
        } else {
            self.add_page(number)?
        };
        self.directory[place].page.as_deref_mut()
    }

    /// Adds a page, if there are not too many, and returns its place.
    #[cold]
    #[inline(never)]
    fn add_page(&mut self, number: u64) -> Option<usize> {
        if self.page_count >= SPARE_PAGES + self.len / PAGE_FILL {
            return None;
        }
        let mut place = self.place(number);
        while self.directory.get(place).is_none_or(|e| e.page.is_some()) {
            if !self.grow_directory() {
                return None;
            }
            place = self.place(number);
        }
        let page = self.spare.pop().unwrap_or_else(|| {
            Box::new(Page {
                values: [T::VACANT; PAGE],
                used: 0,
            })
        });
        self.directory[place] = Entry {
            number,
            page: Some(page),
        };
        self.page_count += 1;
        Some(place)
    }

    /// Doubles the directory: pages that do not share a place now will not share one then.
    fn grow_directory(&mut self) -> bool {
        let len = (2 * self.directory.len()).max(MIN_DIRECTORY);
        if len > DIRECTORY_PER_PAGE * (self.page_count + 1) {
            return false;
        }
        let mut old = std::mem::take(&mut self.directory);
        self.directory.resize_with(len, || Entry {
            number: 0,
            page: None,
        });
        for entry in old.drain(..).filter(|entry| entry.page.is_some()) {
            let place = self.place(entry.number);
            self.directory[place] = entry;
        }
        true
    }

    /// Removes an id and returns its value.
    #[inline]
    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        let number = id / PAGE as u64;
        let place = self.place(number);
        if let Some(entry) = self.directory.get_mut(place)
            && entry.number == number
            && let Some(page) = &mut entry.page
        {
            let value = std::mem::replace(&mut page.values[id as usize % PAGE], T::VACANT);
            if !value.is_vacant() {
                self.len -= 1;
                page.used -= 1;
                if page.used == 0 {
                    self.remove_page(place);
                }
                return Some(value);
            }
        }
        let value = self.sparse.remove(&id)?;
        self.len -= 1;
        Some(value)
    }

    #[cold]
    #[inline(never)]
    fn remove_page(&mut self, place: usize) {
        self.page_count -= 1;
        let page = self.directory[place].page.take();
        if self.spare.len() < KEPT_PAGES {
            self.spare.extend(page);
        }
    }
}

#[cold]
#[inline(never)]
fn find_sparse_mut<T>(sparse: &mut IdHashMap<T>, id: u64) -> Option<&mut T> {
    sparse.get_mut(&id)
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
    use std::collections::HashMap;

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
    fn ids_of_a_server_that_ran_for_months_are_in_pages() {
        let mut map = IdMap::default();
        let far = 1 << 45;
        for i in 0..100_000u32 {
            map.insert(far + u64::from(i), i);
            assert_eq!(map.get(far + u64::from(i)), Some(i));
            if i >= 1000 {
                assert_eq!(map.remove(far + u64::from(i - 1000)), Some(i - 1000));
            }
        }
        assert!(map.sparse.is_empty());
        assert!(map.directory.len() <= 1024);
    }

    #[test]
    fn hostile_ids_cost_no_page_each() {
        let mut map = IdMap::default();
        for i in 0..100_000 {
            map.insert(i * 256, i as u32);
        }
        assert!(map.page_count <= SPARE_PAGES + 100_000 / PAGE_FILL);
        assert!(map.directory.len() <= DIRECTORY_PER_PAGE * map.page_count);
    }
}
