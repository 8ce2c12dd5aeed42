//! The memory that a process left in its block file.

use core::fmt;
use std::collections::BTreeMap;

use exectrace_wire::{Generation, Ticks};

use crate::{
    clock::Clock,
    layout::{BLOCK_BYTES, Block, Code, Kind, MAGIC, file, number},
};

/// Why bytes are no block file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageError {
    /// The file is none, is of another version, or was never in use.
    NotABlockFile,
    /// The file ends in its header.
    Truncated {
        /// Bytes that a header has.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABlockFile => f.write_str(
                "expected the block file of a traced process, found something else; it is the \
                 file that the program was told to map, not its trace",
            ),
            Self::Truncated { expected, found } => write!(
                f,
                "expected at least {expected} bytes of a block file, found {found}; take the file \
                 that the process left, not a copy that was cut"
            ),
        }
    }
}

impl core::error::Error for ImageError {}

/// A block file.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    header: &'a [u8],
    pub(super) generations: BTreeMap<Generation, Pieces<'a>>,
}

/// What there is of a generation, each in the order in which it was taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces<'a> {
    pub(super) finished: Vec<Block<'a>>,
    pub(super) batches: Vec<Block<'a>>,
    pub(super) stacks: Vec<Block<'a>>,
}

impl<'a> Image<'a> {
    /// Looks at a block file. Blocks that make no sense are left out.
    ///
    /// # Errors
    ///
    /// [`ImageError`] if the bytes are no block file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ImageError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(ImageError::NotABlockFile);
        }
        let Some((header, blocks)) = bytes.split_at_checked(BLOCK_BYTES) else {
            return Err(ImageError::Truncated {
                expected: BLOCK_BYTES,
                found: bytes.len(),
            });
        };
        let mut blocks: Vec<Block<'a>> = blocks
            .chunks(BLOCK_BYTES)
            .filter_map(Block::parse)
            .collect();
        blocks.sort_by_key(|block| block.sequence);
        let mut generations: BTreeMap<Generation, Pieces<'a>> = BTreeMap::new();
        for block in blocks {
            let pieces = generations.entry(block.generation).or_default();
            match block.kind {
                Kind::Finished => pieces.finished.push(block),
                Kind::Batch => pieces.batches.push(block),
                Kind::Stacks => pieces.stacks.push(block),
                Kind::Scratch => {}
            }
        }
        Ok(Self {
            header,
            generations,
        })
    }

    fn field(&self, offset: usize) -> u64 {
        number(self.header, offset).unwrap_or(0)
    }

    /// The process that wrote.
    #[must_use]
    pub fn process(&self) -> u64 {
        self.field(file::PROCESS)
    }

    /// Whether the process ended its trace: then the output has all.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.field(file::CLOSED) != 0
    }

    /// Where the trace was written to, if it was.
    #[must_use]
    pub fn output(&self) -> Option<&'a str> {
        self.path(0)
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> Option<&'a str> {
        self.path(1)
    }

    fn path(&self, index: usize) -> Option<&'a str> {
        let paths = self.text(file::PATHS, file::PATHS_BYTES)?;
        paths.split('\0').nth(index).filter(|path| !path.is_empty())
    }

    /// The code that was loaded.
    pub fn code(&self) -> impl Iterator<Item = Code> + use<'a> {
        let lines = self.text(file::MODULES, file::MODULES_BYTES);
        lines.unwrap_or_default().lines().filter_map(Code::parse)
    }

    fn text(&self, offset: usize, length: usize) -> Option<&'a str> {
        let length = usize::try_from(self.field(length)).ok()?;
        let bytes = self.header.get(offset..offset.checked_add(length)?)?;
        str::from_utf8(bytes).ok()
    }

    /// The clocks when the file was created.
    pub(super) fn clock(&self) -> Clock {
        let [time, monotonic, sec, nsec] = [0, 8, 16, 24].map(|at| self.field(file::CLOCK + at));
        Clock {
            frequency: self.field(file::FREQUENCY),
            time: Ticks(time),
            monotonic,
            wall: u128::from(sec) * 1_000_000_000 + u128::from(nsec),
        }
    }
}
