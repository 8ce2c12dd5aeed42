//! The layout of a block file: what a tracer maps, and what is found when its process is dead.
//!
//! The file is a row of blocks of [`BLOCK_BYTES`]. The first is the file's header; each of the others
//! is a block of trace memory with a header of [`BLOCK_HEADER_BYTES`] and data behind it. All numbers
//! are little-endian and eight bytes long, at the offsets named here.
//!
//! The tracer writes into shared memory while it may be killed between any two stores. Two fields
//! carry the order that makes this sound, each stored with release semantics after what it vouches
//! for:
//!
//! - [`block::KIND`] is stored last when a block is taken, and first (0) when it is given back: a
//!   block whose kind is not 0 has a header that can be believed;
//! - [`block::USED`] is stored after the bytes that it counts: bytes below it are whole events.

use core::{fmt, ops::Range};

use exectrace_wire::{Generation, ThreadId};

/// Bytes of a block, its header included.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// Bytes of a block's header.
pub const BLOCK_HEADER_BYTES: usize = 64;

/// What the file begins with. The last byte is the layout's version.
pub const MAGIC: [u8; 16] = *b"exectrace block\x01";

/// Offsets in the file's header.
pub mod file {
    /// [`super::MAGIC`]; stored last, so that a file without it was never in use.
    pub const MAGIC: usize = 0;
    /// How many blocks follow the header.
    pub const BLOCKS: usize = 16;
    /// The process that writes.
    pub const PROCESS: usize = 24;
    /// Clock units per second.
    pub const FREQUENCY: usize = 32;
    /// The clock snapshot of the file's creation: clock units, monotonic nanoseconds, wall seconds
    /// and nanoseconds of the second.
    pub const CLOCK: usize = 40;
    /// 0 while the process uses the file, 1 when all has been written to where it belongs.
    pub const CLOSED: usize = 72;
    /// Bytes of [`PATHS`].
    pub const PATHS_BYTES: usize = 80;
    /// Bytes of [`MODULES`].
    pub const MODULES_BYTES: usize = 88;
    /// Where the output and the program are: two paths with a NUL behind each.
    pub const PATHS: usize = 1024;
    /// Which addresses belong to which files: a line for each range of code, with its first address,
    /// the one after its last, what was added to the file's addresses (all in hexadecimal), the
    /// file's build id (in hexadecimal, or `-`) and the file's path, with blanks in between.
    pub const MODULES: usize = 12 * 1024;
}

/// Offsets in a block's header.
pub mod block {
    /// A [`super::Kind`]; 0 if the block is free.
    pub const KIND: usize = 0;
    /// The generation that the block's data belongs to.
    pub const GENERATION: usize = 8;
    /// The thread that writes; `u64::MAX` for none.
    pub const THREAD: usize = 16;
    /// Blocks are numbered as they are taken: a thread's blocks in order.
    pub const SEQUENCE: usize = 24;
    /// Bytes of data that are whole.
    pub const USED: usize = 32;
}

/// What a block's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u64)]
pub enum Kind {
    /// One batch as it will stand in the trace: its header, whose size need not be filled in yet,
    /// and its data up to [`block::USED`].
    Batch = 1,
    /// Stacks that have not been symbolised, as the tracer keeps them. [`block::USED`] says nothing:
    /// each stack says itself whether it is whole.
    Stacks = 2,
    /// Memory that means nothing without its process.
    Scratch = 3,
    /// A part of a finished generation, in the order of the blocks.
    Finished = 4,
}

impl Kind {
    /// The kind behind a number.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Batch),
            2 => Some(Self::Stacks),
            3 => Some(Self::Scratch),
            4 => Some(Self::Finished),
            _ => None,
        }
    }
}

/// A block that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What the data is.
    pub kind: Kind,
    /// The generation that it belongs to.
    pub generation: Generation,
    /// The thread that wrote it.
    pub thread: Option<ThreadId>,
    /// When it was taken, compared with others.
    pub sequence: u64,
    /// The data that is whole.
    pub data: &'a [u8],
}

/// The number at an offset, if the bytes reach that far.
#[must_use]
pub fn number(bytes: &[u8], offset: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(8)?)?;
    bytes.first_chunk().copied().map(u64::from_le_bytes)
}

impl<'a> Block<'a> {
    /// Parses a block; `None` if it is free or its header makes no sense.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let field = |offset| number(bytes, offset);
        let kind = Kind::from_number(field(block::KIND)?)?;
        let data = bytes.get(BLOCK_HEADER_BYTES..)?;
        let used = match kind {
            Kind::Stacks => data.len(),
            _ => usize::try_from(field(block::USED)?).ok()?,
        };
        Some(Self {
            kind,
            generation: Generation(field(block::GENERATION)?),
            thread: ThreadId::from_wire(field(block::THREAD)?),
            sequence: field(block::SEQUENCE)?,
            data: data.get(..used)?,
        })
    }
}

/// A range of code of a dead process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its addresses in the process.
    pub addresses: Range<u64>,
    /// What was added to the addresses that the file gives.
    pub bias: u64,
    /// The file's build id, in hexadecimal.
    pub build_id: Option<String>,
    /// The file.
    pub path: String,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.addresses;
        let build_id = self.build_id.as_deref().unwrap_or("-");
        write!(
            f,
            "{start:x} {end:x} {:x} {build_id} {}",
            self.bias, self.path
        )
    }
}

impl Code {
    /// Parses a line of [`file::MODULES`].
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(5, ' ');
        let mut hexadecimal = || u64::from_str_radix(fields.next()?, 16).ok();
        let (start, end, bias) = (hexadecimal()?, hexadecimal()?, hexadecimal()?);
        let build_id = fields.next()?;
        Some(Self {
            addresses: start..end,
            bias,
            build_id: (build_id != "-").then(|| build_id.to_owned()),
            path: fields.next()?.to_owned(),
        })
    }
}
