//! A hash of ids and program counters.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
};

/// A map by ids or program counters.
pub(crate) type IdHashMap<T> = HashMap<u64, T, IdHash>;

/// Hashes single numbers, several times faster than the standard library's hash. Keys are random,
/// so a trace cannot be made to have ids that collide.
#[derive(Clone, Debug)]
pub(crate) struct IdHash([u64; 2]);

impl Default for IdHash {
    fn default() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1) | 1])
    }
}

impl BuildHasher for IdHash {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        let Self([state, factor]) = *self;
        IdHasher { state, factor }
    }
}

/// Odd, with as many ones as zeros: the golden ratio's fraction.
const SECOND_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both halves of a product, in one.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// See [`IdHash`].
#[derive(Debug)]
pub(crate) struct IdHasher {
    state: u64,
    factor: u64,
}

impl Hasher for IdHasher {
    /// Twice, since after the first time regular numbers still make regular products with some keys.
    #[inline]
    fn write_u64(&mut self, number: u64) {
        let once = fold(number ^ self.state, self.factor);
        self.state = fold(once, SECOND_FACTOR);
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut number = [0; 8];
            number[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(number));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A hash table takes a hash's low bits as the place and its high bits to tell entries apart.
    #[test]
    fn regular_ids_spread_over_places_and_tags() {
        // Keys as random ones are, but the same in each run.
        let mut key = 1u64;
        let mut next = || {
            key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            fold(key, SECOND_FACTOR)
        };
        let steps = [1, 16, 4096, 1 << 32, 1 << 56];
        for step in steps.into_iter().cycle().take(2000) {
            let hash = IdHash([next(), next() | 1]);
            let hashes: Vec<u64> = (0..256u64).map(|i| hash.hash_one(i * step)).collect();
            let places: HashSet<u64> = hashes.iter().map(|hash| hash % 4096).collect();
            let tags: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
            assert!(places.len() > 150, "{} places, step {step}", places.len());
            assert!(tags.len() > 50, "{} tags, step {step}", tags.len());
        }
    }
}
