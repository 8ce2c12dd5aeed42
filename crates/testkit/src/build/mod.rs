//! Builds traces event by event.

mod args;
mod generation;
mod tables;

pub use args::{Arg, Args, FrameSpec, Stack};
pub use generation::{GenerationBuilder, On, Sample};

use exectrace_wire::Version;

use crate::layout::{Layout, Piece};

/// Clock units per second where the clock is nanoseconds / 64, which is nearly everywhere.
const NANOTIME_FREQUENCY: u64 = 15_625_000;

/// Builds a trace of the v2 family.
///
/// There is one clock, in clock units, which starts at 0 and ticks by one step (1 unlike told
/// otherwise) before each event, whatever the thread: a test that writes events in the order of its
/// story gets times in that order.
#[derive(Clone, Debug)]
pub struct TraceBuilder {
    version: Version,
    frequency: u64,
    step: u64,
    batch_limit: usize,
    generations: Vec<GenerationBuilder>,
    trailing: Vec<u8>,
}

impl TraceBuilder {
    /// An empty trace.
    #[must_use]
    pub const fn new(version: Version) -> Self {
        /// Go's test generator cuts batches at half the format's limit.
        const BATCH_LIMIT: usize = exectrace_wire::limits::MAX_BATCH_BYTES / 2;
        Self {
            version,
            frequency: NANOTIME_FREQUENCY,
            step: 1,
            batch_limit: BATCH_LIMIT,
            generations: Vec::new(),
            trailing: Vec::new(),
        }
    }

    /// Sets the clock units per second of the generations that follow.
    pub const fn frequency(&mut self, frequency: u64) -> &mut Self {
        self.frequency = frequency;
        self
    }

    /// Sets by how many units the clock ticks before each event of the generations that follow; 0
    /// gives all events one time.
    pub const fn step(&mut self, step: u64) -> &mut Self {
        self.step = step;
        self
    }

    /// Sets from how many bytes of data a batch is continued in another one.
    pub const fn batch_limit(&mut self, bytes: usize) -> &mut Self {
        self.batch_limit = bytes;
        self
    }

    /// Begins a generation. The clock goes on from where the last one left it.
    pub fn generation(&mut self, number: u64) -> &mut GenerationBuilder {
        let now = self.generations.last().map_or(0, GenerationBuilder::now);
        let generation =
            GenerationBuilder::new(self.version, number, now, self.step, self.frequency);
        self.generations.push(generation);
        self.generations.last_mut().expect("it was just pushed")
    }

    /// The generation that was begun last.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn current(&mut self) -> &mut GenerationBuilder {
        self.generations.last_mut().expect("a generation was begun")
    }

    /// Adds bytes after the last generation that need not mean anything.
    pub fn trailing(&mut self, bytes: &[u8]) -> &mut Self {
        self.trailing.extend(bytes);
        self
    }

    /// The trace as pieces, for tests that want to move or falsify some.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let pieces = self
            .generations
            .iter()
            .flat_map(|generation| generation.pieces(self.batch_limit))
            .chain((!self.trailing.is_empty()).then(|| Piece::Raw(self.trailing.clone())))
            .collect();
        Layout {
            version: self.version,
            pieces,
        }
    }

    /// The trace.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        self.layout().to_bytes()
    }
}
