//! A consumer that keeps a trace in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::generation::{Consumer, EncodedGeneration, LostGeneration, VERSION};

/// Keeps every generation in memory, without a limit: for short traces and tests.
///
/// A trace with a lost generation ends before it.
#[derive(Debug, Default)]
pub struct Memory {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    generations: Vec<Arc<EncodedGeneration>>,
    lost: Vec<LostGeneration>,
}

impl Memory {
    /// Without a generation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The trace so far, as it would stand in a file.
    #[must_use]
    pub fn trace(&self) -> Vec<u8> {
        let mut trace = VERSION.header().to_vec();
        for generation in self.generations() {
            trace.extend_from_slice(&generation.bytes);
        }
        trace
    }

    /// The generations before the first that was lost.
    #[must_use]
    pub fn generations(&self) -> Vec<Arc<EncodedGeneration>> {
        let kept = self.lock();
        let end = kept.lost.first().map(|lost| lost.number);
        let before = |g: &&Arc<EncodedGeneration>| end.is_none_or(|end| g.number < end);
        kept.generations
            .iter()
            .take_while(before)
            .cloned()
            .collect()
    }

    /// Generations that were lost.
    #[must_use]
    pub fn lost(&self) -> Vec<LostGeneration> {
        self.lock().lost.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumer for Memory {
    fn generation(&self, generation: &Arc<EncodedGeneration>) {
        self.lock().generations.push(Arc::clone(generation));
    }

    fn lost(&self, generation: &LostGeneration) {
        self.lock().lost.push(*generation);
    }
}
