//! Places in the program that are known by name: where goroutines start.
//!
//! What a thread or coroutine runs is a closure, whose code may be inlined into ours. Its type has a
//! name, though, and who starts it has a line. Such a place gets an address in the first page, where no
//! system has code, so that it can be in a stack as others are.

use std::{
    collections::HashMap,
    panic::Location,
    sync::{Mutex, PoisonError},
};

/// Addresses that stand for places. A program with more of them has goroutines without a start.
const MAX_PLACES: usize = 4095;

/// A function that the program starts, and where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) function: &'static str,
    pub(crate) file: &'static str,
    pub(crate) line: u32,
}

#[derive(Debug, Default)]
struct Places {
    all: Vec<Place>,
    addresses: HashMap<Place, usize>,
}

static PLACES: Mutex<Option<Places>> = Mutex::new(None);

impl Place {
    /// The start of a closure of this type, by who called what called this.
    #[track_caller]
    pub(crate) fn of<F>() -> Self {
        let caller = Location::caller();
        Self {
            function: std::any::type_name::<F>(),
            file: caller.file(),
            line: caller.line(),
        }
    }

    /// An address that stands for it, always the same.
    pub(crate) fn address(self) -> Option<usize> {
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        let places = places.get_or_insert_default();
        if let Some(address) = places.addresses.get(&self) {
            return Some(*address);
        }
        if places.all.len() == MAX_PLACES {
            return None;
        }
        places.all.push(self);
        let address = places.all.len();
        places.addresses.insert(self, address);
        Some(address)
    }

    /// The place that an address stands for.
    pub(crate) fn at(address: usize) -> Option<Self> {
        if address > MAX_PLACES {
            return None;
        }
        let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        places.as_ref()?.all.get(address.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_address() {
        #[track_caller]
        fn place<F>(_: F) -> Place {
            Place::of::<F>()
        }
        let a = place(|| 1);
        let b = place(|| 2);
        assert!(a.function.ends_with("{{closure}}"), "{a:?}");
        let address = a.address().unwrap();
        assert_eq!(a.address(), Some(address));
        assert_ne!(b.address(), Some(address));
        assert_eq!(Place::at(address), Some(a));
        assert_eq!((Place::at(0), Place::at(usize::MAX)), (None, None));
    }
}
